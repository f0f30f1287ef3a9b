"""What a rule is.

Rules of this file:

1. A rule is a generator function with metadata attached. The decorator does
   nothing else: no registry is filled by importing, no order matters.
2. A rule yields diagnostics. It never raises, never mends, and reads only the
   fields that it declares; a test compares declared and read.
3. A rule's docstring is its page: a summary, then *What it checks*, *Why*,
   *Bad*, *Good* and *Source*, in Markdown.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable, Iterator
from typing import Any, Final, Literal

from attrs import field, frozen

from uplinks.diagnostics import Diagnostic, Location, Related, Severity

__all__ = ["SECTIONS", "Rule", "Scope", "rule"]

Scope = Literal["manifests", "cluster", "fleet"]
"""How much a rule must see: any manifests of one cluster, all manifests of one
cluster, or the parent and all its children."""

SECTIONS: Final = ("What it checks", "Why", "Bad", "Good", "Source")

_JUDGED_ON: Final = {
    "manifests": "any manifests of a cluster, even one file alone",
    "cluster": "all manifests of a cluster",
    "fleet": "a parent together with its children",
}


@frozen
class Rule:
    """One rule: a stable code, a name, a severity, and the function that checks.

    ``reads`` are the fields of `uplinks.Cluster` that the function reads, or
    for a fleet those of the parent and the children (``parent.routers``).

    >>> from uplinks import rules
    >>> found = rules.find("UPL301")
    >>> found.code, found.name, found.severity.value
    ('UPL301', 'entry-points-with-uplinks', 'error')
    """

    code: str
    name: str
    severity: Severity
    scope: Scope
    reads: tuple[str, ...]
    function: Callable[[Any], Iterator[Diagnostic]] = field(repr=False)

    def __call__(self, subject: Any) -> Iterator[Diagnostic]:
        """Check a `uplinks.Cluster`, or a `uplinks.Fleet` if that is the scope."""
        return self.function(subject)

    def at(
        self,
        location: Location,
        message: str,
        related: Iterable[Related] = (),
        suggestion: str | None = None,
    ) -> Diagnostic:
        """Make a finding of this rule: its code and its severity, at a place."""
        return Diagnostic(self.code, self.severity, message, location, tuple(related), suggestion)

    @property
    def summary(self) -> str:
        """The first line of the page, without its full stop."""
        return self._text.partition("\n")[0].removesuffix(".")

    @property
    def page(self) -> str:
        """The rule's page, in Markdown."""
        return (
            f"# {self.code}: {self.name}\n\n"
            f"Severity: {self.severity.value}. Judged on: {_JUDGED_ON[self.scope]}.\n\n"
            f"{self._text}\n"
        )

    @property
    def _text(self) -> str:
        return inspect.cleandoc(self.function.__doc__ or "")


def rule(
    code: str, *, name: str, severity: Severity, scope: Scope, reads: tuple[str, ...]
) -> Callable[[Callable[[Any], Iterator[Diagnostic]]], Rule]:
    """Attach a rule's metadata to the generator function that checks it."""

    def attach(function: Callable[[Any], Iterator[Diagnostic]]) -> Rule:
        return Rule(code, name, severity, scope, reads, function)

    return attach
