"""Findings as text for people.

Rules of this file:

1. Each finding begins a line with ``file:line:column:``, which editors and CI
   systems turn into links. What belongs to it is indented below.
2. However many there are, all are written; but only the first `EXCERPTS` with the
   line that they are about.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Final

from uplinks.cli.console import Ink, printable
from uplinks.diagnostics import Diagnostic, Location, Report, Severity

__all__ = ["EXCERPTS", "as_text", "counted", "tally"]

EXCERPTS: Final = 500
"""So many findings are shown with their line: nobody reads more, and a line takes longer."""


def as_text(
    findings: Iterable[Diagnostic],
    ink: Ink,
    excerpt: Callable[[Location], list[str]] | None = None,
) -> str:
    """Write findings, each with its related places below; the first ones with an ``excerpt``."""
    return "".join(
        _one(finding, ink, excerpt if number < EXCERPTS else None)
        for number, finding in enumerate(findings)
    )


def _one(finding: Diagnostic, ink: Ink, excerpt: Callable[[Location], list[str]] | None) -> str:
    place = ink("bold", f"{printable(str(finding.location))}:")
    severity = ink(finding.severity.value, finding.severity.value)
    lines = [f"{place} {severity} {finding.code}: {printable(finding.message)}"]
    if excerpt is not None:
        lines += [f"  {line}" for line in excerpt(finding.location)]
    if finding.suggestion is not None:
        lines.append(f"  {ink('dim', 'help:')} did you mean {printable(repr(finding.suggestion))}?")
    for related in finding.related:
        place = printable(str(related.location))
        lines.append(f"  {ink('dim', 'see:')} {place}: {printable(related.message)}")
    return "".join(f"{line}\n" for line in lines)


def counted(number: int, noun: str, plural: str | None = None) -> str:
    """Count a thing.

    >>> counted(1, "uplink"), counted(2, "child", "children")
    ('1 uplink', '2 children')
    """
    return f"{number} {noun if number == 1 else plural or noun + 's'}"


def tally(report: Report) -> str:
    """Count findings by severity, worst first.

    >>> tally(Report())
    'no findings'
    """
    counts = [(severity.value, len(report.of(severity))) for severity in Severity]
    return ", ".join(counted(n, noun) for noun, n in counts if n) or "no findings"
