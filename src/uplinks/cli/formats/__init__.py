"""How findings are written: one format is one file, and none knows another.

Rules of this package:

1. A format is one function, ``render``, from a `Result` to text. It decides
   nothing: which findings there are, and whether they fail, is in the result.
2. The same result gives the same text, on every machine and at any time.
3. No text may break its format: not a name, not a message, not a file.
4. Only the format that is asked for is imported.
"""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from typing import Final

from attrs import frozen

from uplinks.diagnostics import Diagnostic, Report, Severity
from uplinks.rules import Rule, ShapeCode

__all__ = ["FORMATS", "MACHINES", "Result", "render"]

FORMATS: Final = ("text", "json", "github", "sarif", "junit", "gitlab")
MACHINES: Final = frozenset(FORMATS) - {"text"}
_MODULES: Final[Mapping[str, str]] = {name: name for name in FORMATS} | {"json": "document"}


@frozen
class Result:
    """What a check came to.

    ``fail_on`` is the mildest severity that fails, or ``None`` when none does.
    ``readable``: all that was named was read, and every rule judged it to the end.
    ``read`` counts what was read, ``suppressed`` the findings that a suppression took out.
    """

    report: Report
    catalogue: Mapping[str, Rule | ShapeCode]
    read: Mapping[str, int]
    fail_on: Severity | None = Severity.ERROR
    readable: bool = True
    suppressed: int = 0

    def fails(self, finding: Diagnostic) -> bool:
        """Tell whether a finding is as severe as to make the check fail."""
        return self.fail_on is not None and finding.severity.rank <= self.fail_on.rank

    @property
    def ok(self) -> bool:
        """True when everything was read and no finding fails."""
        return self.readable and not any(map(self.fails, self.report))


def render(name: str, result: Result) -> str:
    """Write a result for machines, in one of `MACHINES`."""
    text: str = importlib.import_module(f"{__name__}.{_MODULES[name]}").render(result)
    return text
