"""Diagnostics: errors, warnings and hints about a user's manifests, as values.

Rules of this file:

1. A diagnostic says what is wrong, where, and if possible how to fix it. It is
   data, without a format.
2. Lines and columns count from 1, columns in Unicode code points; an end is
   exclusive. A diagnostic about a whole file is at 1:1.
3. They are ordered by place, then by code, never by the order of the rules.
4. No message has the value of a header: it may be a credential.
"""

from __future__ import annotations

import enum
from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple

from attrs import field, frozen

__all__ = [
    "LIMIT_EXCEEDED",
    "MASK",
    "Diagnostic",
    "Fix",
    "Location",
    "Related",
    "Report",
    "Severity",
    "Span",
    "limit_exceeded",
]

LIMIT_EXCEEDED = "UPL004"
"""The code of every limit: on texts, on refused items, on the diagnostics of a rule."""


MASK = "***"
"""What is shown in place of a possible credential."""


class Severity(enum.Enum):
    """How severe a diagnostic is. Only an error makes a report fail.

    >>> Severity.ERROR.value, Severity.WARNING.value, Severity.INFO.value
    ('error', 'warning', 'info')
    """

    ERROR = "error"
    WARNING = "warning"
    INFO = "info"

    @property
    def rank(self) -> int:
        """0 for an error, 1 for a warning, 2 for an info: worst first."""
        return _RANK[self]


_RANK = {Severity.ERROR: 0, Severity.WARNING: 1, Severity.INFO: 2}


class Span(NamedTuple):
    """A range of one file: from ``line:column`` up to ``end_line:end_column``.

    A named tuple, as the parser makes one for every key and every value.

    >>> Span(3, 5, 3, 9)
    Span(line=3, column=5, end_line=3, end_column=9)
    """

    line: int = 1
    column: int = 1
    end_line: int = 1
    end_column: int = 1

    def shifted(self, line: int, column: int) -> Span:
        """Return this span of text that starts at a place inside other text.

        >>> Span(1, 5, 2, 3).shifted(10, 4)
        Span(line=10, column=8, end_line=11, end_column=3)
        """
        return Span(
            self.line + line - 1,
            self.column + (column - 1 if self.line == 1 else 0),
            self.end_line + line - 1,
            self.end_column + (column - 1 if self.end_line == 1 else 0),
        )


@frozen(order=True)
class Location:
    """A place in a manifest: cluster, file, span, and field path.

    ``cluster`` is ``""`` for text parsed on its own, ``file`` is the name of the
    source, ``path`` is like ``$.spec.weight``.

    >>> str(Location(cluster="child-1", file="uplink.yaml", span=Span(7, 11, 7, 13)))
    'uplink.yaml:7:11'
    """

    cluster: str = ""
    file: str = ""
    span: Span = Span()
    path: str = "$"

    @property
    def sort_key(self) -> tuple[str, str, Span, str]:
        """A key with the order of locations, much faster to compare."""
        return (self.cluster, self.file, self.span, self.path)

    def describe(self) -> dict[str, Any]:
        """Describe it as plain data.

        >>> Location("eu", "u.yaml").describe()["line"]
        1
        """
        return {
            "cluster": self.cluster,
            "file": self.file,
            **self.span._asdict(),
            "path": self.path,
        }

    def __str__(self) -> str:
        return f"{self.file or '<text>'}:{self.span.line}:{self.span.column}"


@frozen(order=True)
class Related:
    """Another place that a diagnostic refers to, and why."""

    location: Location
    message: str


@frozen
class Fix:
    """The one right correction of a diagnostic: at its place, ``old`` becomes ``new``.

    Both are the value of a key or a scalar, without its quotes. Where ``new`` is an
    integer or a boolean, a quoted ``old`` loses its quotes.

    >>> Fix("wieght", "weight").new
    'weight'
    """

    old: str
    new: str | int


def _in_order(related: Iterable[Related]) -> tuple[Related, ...]:
    return tuple(related)


@frozen
class Diagnostic:
    """One error, warning or hint about a manifest.

    ``code`` is ``UPLnnn`` and is never reused for another meaning;
    ``suggestion`` is text that would fix the problem, or ``None``. ``fix`` says how to
    edit the place, if there is one right way.

    >>> d = Diagnostic("UPL103", Severity.ERROR, "spec.weight must not be negative, got -1",
    ...                Location(file="u.yaml", span=Span(7, 11, 7, 13)))
    >>> str(d)
    'u.yaml:7:11: error UPL103: spec.weight must not be negative, got -1'
    """

    code: str
    severity: Severity
    message: str
    location: Location = Location()
    related: tuple[Related, ...] = field(default=(), converter=_in_order)
    suggestion: str | None = None
    fix: Fix | None = None

    @property
    def sort_key(self) -> tuple[tuple[str, str, Span, str], str, int, str]:
        """Place, then code, then message: a total order, so that reports are stable."""
        return (self.location.sort_key, self.code, self.severity.rank, self.message)

    def describe(self) -> dict[str, Any]:
        """Describe it as plain data, with its places.

        >>> Diagnostic("UPL104", Severity.WARNING, "weight is 0").describe()["severity"]
        'warning'
        """
        return {
            "code": self.code,
            "severity": self.severity.value,
            "message": self.message,
            **self.location.describe(),
            "suggestion": self.suggestion,
            "related": [
                {"message": each.message, **each.location.describe()} for each in self.related
            ],
        }

    def __str__(self) -> str:
        hint = "" if self.suggestion is None else f" (did you mean {self.suggestion!r}?)"
        return f"{self.location}: {self.severity.value} {self.code}: {self.message}{hint}"


def limit_exceeded(problem: str, location: Location) -> Diagnostic:
    """Report that text exceeds a limit, and that reading it ended there.

    >>> print(limit_exceeded("more than 100 levels of nesting", Location(file="u.yaml")))
    u.yaml:1:1: error UPL004: more than 100 levels of nesting; the rest of the text was not read
    """
    message = f"{problem}; the rest of the text was not read"
    return Diagnostic(LIMIT_EXCEEDED, Severity.ERROR, message, location)


def _sorted_unique(diagnostics: Iterable[Diagnostic]) -> tuple[Diagnostic, ...]:
    found = list(diagnostics)
    keys = [each.sort_key for each in found]
    unique: list[Diagnostic] = []
    # Equal diagnostics have equal keys: only those are compared, and none is hashed.
    alike: list[Diagnostic] = []
    last: object = None
    for at in sorted(range(len(found)), key=keys.__getitem__):
        if keys[at] != last:
            alike, last = [], keys[at]
        if found[at] not in alike:
            alike.append(found[at])
            unique.append(found[at])
    return tuple(unique)


@frozen
class Report:
    """All diagnostics of one fleet, sorted by place, without duplicates.

    Complexity: O(d log d) for d diagnostics, once, at construction.

    >>> report = Report()
    >>> report.ok, len(report)
    (True, 0)
    """

    diagnostics: tuple[Diagnostic, ...] = field(default=(), converter=_sorted_unique)

    @property
    def errors(self) -> tuple[Diagnostic, ...]:
        """The diagnostics that make the report fail."""
        return self.of(Severity.ERROR)

    @property
    def ok(self) -> bool:
        """True when there is no error; warnings and infos do not count."""
        return not self.errors

    def of(self, severity: Severity) -> tuple[Diagnostic, ...]:
        """The diagnostics of exactly this severity, in order."""
        return tuple(d for d in self.diagnostics if d.severity is severity)

    def __iter__(self) -> Iterator[Diagnostic]:
        return iter(self.diagnostics)

    def __len__(self) -> int:
        return len(self.diagnostics)
