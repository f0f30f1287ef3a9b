"""``--format text``: for people, each finding with its line and a caret.

Each code is explained once, after all findings.
"""

from __future__ import annotations

from collections.abc import Callable

from uplinks.cli import findings
from uplinks.cli.console import Styler, printable
from uplinks.cli.formats import Result
from uplinks.diagnostics import Location

__all__ = ["render", "tally"]


def render(
    result: Result, styler: Styler, excerpt: Callable[[Location], list[str]] | None = None
) -> str:
    """Format the findings, then the meaning of their codes, then the totals."""
    written = findings.as_text(result.report, styler, excerpt)
    codes = sorted({finding.code for finding in result.report})
    about = "".join(_about(result, code, styler) for code in codes)
    blank = "\n" if codes else ""
    without = len(result.report) - findings.EXCERPTS
    if excerpt is not None and without > 0:
        shown = findings.counted(without, "finding is", "findings are")
        written += f"\nthe last {shown} without the source line\n"
    return f"{written}{blank}{about}{blank}{tally(result, styler)}"


def tally(result: Result, styler: Styler) -> str:
    """Count in one line what was read and what was found."""
    nouns = {"children": "child", "uplinks": "uplink", "documents": "document"}
    read = {what: n for what, n in result.read.items() if n or what != "children"}
    counts = (findings.counted(n, nouns[what], what) for what, n in read.items())
    total = styler("good" if result.ok else "error", findings.tally(result.report))
    hidden = f" ({result.suppressed} suppressed)" if result.suppressed else ""
    return f"{', '.join(counts)}: {total}{hidden}\n"


def _about(result: Result, code: str, styler: Styler) -> str:
    summary = printable(result.catalogue[code].summary)
    return f"{styler('bold', code)} {summary}: {styler('dim', f'uplinks explain {code}')}\n"
