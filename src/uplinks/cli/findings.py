"""Findings as text for people, and as data for programs.

Rules of this file:

1. Each finding begins a line with ``file:line:column:``, which editors and CI
   systems turn into links.
2. Both forms show the same findings in the same order.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from uplinks.cli.console import Ink, printable
from uplinks.diagnostics import Diagnostic, Location, Report, Severity

__all__ = ["as_data", "as_text", "counted", "tally"]


def as_text(findings: Iterable[Diagnostic], ink: Ink) -> str:
    """Write findings, one a line, each with its related places indented below."""
    return "".join(_one(finding, ink) for finding in findings)


def _one(finding: Diagnostic, ink: Ink) -> str:
    place = ink("bold", f"{printable(str(finding.location))}:")
    severity = ink(finding.severity.value, finding.severity.value)
    lines = [f"{place} {severity} {finding.code}: {printable(finding.message)}"]
    if finding.suggestion is not None:
        lines.append(f"  {ink('dim', 'help:')} did you mean {printable(repr(finding.suggestion))}?")
    for related in finding.related:
        place = printable(str(related.location))
        lines.append(f"  {ink('dim', 'see:')} {place}: {printable(related.message)}")
    return "".join(f"{line}\n" for line in lines)


def as_data(findings: Iterable[Diagnostic]) -> list[dict[str, Any]]:
    """Turn findings into plain values, places and all."""
    return [
        {
            "code": finding.code,
            "severity": finding.severity.value,
            "message": finding.message,
            **_place(finding.location),
            "suggestion": finding.suggestion,
            "related": [
                {"message": related.message, **_place(related.location)}
                for related in finding.related
            ],
        }
        for finding in findings
    ]


def _place(location: Location) -> dict[str, Any]:
    return {
        "cluster": location.cluster,
        "file": location.file,
        "line": location.span.line,
        "column": location.span.column,
        "end_line": location.span.end_line,
        "end_column": location.span.end_column,
        "path": location.path,
    }


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
