"""The output formats of ``uplinks check``, one module each.

Rules of this package:

1. A format is one function, ``render``, from a `Result` to text. The result
   already says which findings there are and whether they fail.
2. The output is deterministic: the same result gives the same text everywhere.
3. No name, message or file name may break its format.
4. Only the requested format is imported. To add one, add a module and its name
   to `FORMATS`.
"""

from __future__ import annotations

import importlib
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Final

from attrs import field, frozen

from uplinks.diagnostics import Diagnostic, Report, Severity
from uplinks.rules import Rule, ShapeCode

if TYPE_CHECKING:
    from uplinks.cli.fixes import Edit

__all__ = ["FORMATS", "MACHINES", "Result", "render"]

FORMATS: Final = ("text", "json", "github", "sarif", "junit", "gitlab")
MACHINES: Final = frozenset(FORMATS) - {"text"}
_MODULES: Final[Mapping[str, str]] = {name: name for name in FORMATS} | {"json": "document"}


@frozen
class Result:
    """The result of a check.

    ``fail_on`` is the mildest severity that fails the check, or ``None``.
    ``readable`` is true when every input was read and no rule raised.
    ``read`` counts the inputs, ``suppressed`` the findings removed by suppressions,
    ``known`` those of the baseline, and ``gone`` those that the baseline has for nothing.
    ``edits`` are those of the findings, in their order; empty unless a format needs them.
    """

    report: Report
    catalogue: Mapping[str, Rule | ShapeCode]
    read: Mapping[str, int]
    fail_on: Severity | None = Severity.ERROR
    readable: bool = True
    suppressed: int = 0
    known: int = 0
    gone: int = 0
    edits: Sequence[Edit | None] = field(default=(), repr=False)

    def fails(self, finding: Diagnostic) -> bool:
        """Whether a finding is severe enough to fail the check."""
        return self.fail_on is not None and finding.severity.rank <= self.fail_on.rank

    @property
    def ok(self) -> bool:
        """True when every input was read and no finding fails the check."""
        return self.readable and not any(map(self.fails, self.report))


def render(name: str, result: Result) -> str:
    """Format a result in one of `MACHINES`, the formats for programs."""
    text: str = importlib.import_module(f"{__name__}.{_MODULES[name]}").render(result)
    return text
