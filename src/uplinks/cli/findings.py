"""Diagnostics as text.

Each diagnostic starts a line with ``file:line:column:``, which editors and CI systems
turn into links. Its details are indented below. `as_text` writes all diagnostics, but only
the first `EXCERPTS` with an excerpt of the file; `uplinks.cli.causes` writes one for each cause.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Final

from uplinks import rules
from uplinks.cli import inputs
from uplinks.cli.console import CLEAN, FINDINGS, UNUSABLE, Console, Styler, printable
from uplinks.diagnostics import Diagnostic, Location, Report, Severity

__all__ = [
    "EXCERPTS",
    "Excerpt",
    "as_text",
    "catalogue",
    "counted",
    "format_one",
    "status",
    "tally",
    "write_tally",
]

EXCERPTS: Final = 500
"""How many diagnostics get an excerpt. Excerpts are slow, and nearly all reports are shorter."""


Excerpt = Callable[[Location], list[str]]
"""Formats the line of a location, or gives nothing."""


def as_text(
    diagnostics: Iterable[Diagnostic], styler: Styler, excerpt: Excerpt | None = None
) -> str:
    """Format diagnostics, each with its related places; the first ones with an ``excerpt``."""
    return "".join(
        format_one(each, styler, excerpt if number < EXCERPTS else None)
        for number, each in enumerate(diagnostics)
    )


def format_one(
    diagnostic: Diagnostic, styler: Styler, excerpt: Excerpt | None, last: str = ""
) -> str:
    """Format a diagnostic with its details, of which ``last`` is one more."""
    place = styler("bold", f"{printable(str(diagnostic.location))}:")
    severity = styler(diagnostic.severity.value, diagnostic.severity.value)
    lines = [f"{place} {severity} {diagnostic.code}: {printable(diagnostic.message)}"]
    if excerpt is not None:
        lines += [f"  {line}" for line in excerpt(diagnostic.location)]
    if diagnostic.suggestion is not None:
        lines.append(
            f"  {styler('dim', 'help:')} did you mean {printable(repr(diagnostic.suggestion))}?"
        )
    for related in diagnostic.related:
        place = printable(str(related.location))
        lines.append(f"  {styler('dim', 'see:')} {place}: {printable(related.message)}")
    if last:
        lines.append(f"  {last}")
    return "".join(f"{line}\n" for line in lines)


def counted(number: int, noun: str, plural: str | None = None) -> str:
    """Format a number with its noun, singular or plural.

    >>> counted(1, "uplink"), counted(2, "child", "children")
    ('1 uplink', '2 children')
    """
    return f"{number} {noun if number == 1 else plural or noun + 's'}"


def tally(report: Report) -> str:
    """Summarize a report by severity, highest first.

    >>> tally(Report())
    'no findings'
    """
    counts = [(severity.value, len(report.of(severity))) for severity in Severity]
    return ", ".join(counted(n, noun) for noun, n in counts if n) or "no findings"


def status(report: Report) -> int:
    """Return the exit status of a report. Unreadable input takes precedence."""
    if inputs.unreadable(report):
        return UNUSABLE
    return CLEAN if report.ok else FINDINGS


def write_tally(report: Report, console: Console) -> None:
    """Count the findings of a fleet on standard error; nothing if there are none."""
    if len(report):
        console.err.write(f"{tally(report)}; uplinks check shows all\n")


def catalogue(extra: Iterable[rules.Rule] = ()) -> dict[str, rules.Entry]:
    """Map each code to its rule or shape code, third-party rules included."""
    entries: list[rules.Entry] = [*rules.SHAPE, *rules.ALL, *extra]
    return {entry.code: entry for entry in sorted(entries, key=lambda entry: entry.code)}
