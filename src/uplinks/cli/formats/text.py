"""``--format text``: for people, each finding with its line and a caret.

Findings with the same cause are one, unless all fit on a screen. Each code is explained
once, after all findings.
"""

from __future__ import annotations

from typing import Final

from uplinks.cli import findings
from uplinks.cli.console import Styler, printable
from uplinks.cli.formats import Result

__all__ = ["render", "tally"]

# Two empty lines and the totals.
_AROUND: Final = 3


def render(
    result: Result,
    styler: Styler,
    excerpt: findings.Excerpt | None = None,
    *,
    verbose: bool = False,
) -> str:
    """Format the findings, then the meaning of their codes, then the totals.

    Without ``verbose`` the report fits on a screen (see `uplinks.cli.causes`).
    """
    codes = sorted({finding.code for finding in result.report})
    if not codes:
        return tally(result, styler)
    about = "".join(_about(result, code, styler) for code in codes)
    if verbose:
        written = findings.as_text(result.report, styler, excerpt)
        written += _without_excerpt(len(result.report), excerpt)
    else:
        written, about = _fit(result, styler, excerpt, about)
    return f"{written}\n{about}\n{tally(result, styler)}"


def _fit(
    result: Result, styler: Styler, excerpt: findings.Excerpt | None, about: str
) -> tuple[str, str]:
    """Format the findings and the lines below them, in the lines of a screen."""
    from uplinks.cli import causes  # noqa: PLC0415 - a clean check has none

    found = result.report.diagnostics
    room = causes.SCREEN - about.count("\n") - _AROUND
    written = causes.detailed(found, styler, excerpt, room)
    if written is None:
        example = f"uplinks explain {found[0].code}"
        about = f"--verbose shows all findings; {example} explains the first\n"
        written = causes.brief(found, styler, causes.SCREEN - 1 - _AROUND)
    return written, about


def _without_excerpt(total: int, excerpt: findings.Excerpt | None) -> str:
    left = total - findings.EXCERPTS
    if excerpt is None or left <= 0:
        return ""
    shown = findings.counted(left, "finding is", "findings are")
    return f"\nthe last {shown} without the source line\n"


def tally(result: Result, styler: Styler) -> str:
    """Count in one line what was read and what was found."""
    nouns = {"children": "child", "uplinks": "uplink", "documents": "document"}
    read = {what: n for what, n in result.read.items() if n or what != "children"}
    counts = (findings.counted(n, nouns[what], what) for what, n in read.items())
    total = styler("good" if result.ok else "error", findings.tally(result.report))
    hidden = [(result.suppressed, "suppressed"), (result.known, "in the baseline")]
    notes = ", ".join(f"{number} {why}" for number, why in hidden if number)
    aside = f" ({notes})" if notes else ""
    gone = findings.counted(
        result.gone, "finding of the baseline is", "findings of the baseline are"
    )
    rest = f"\n{gone} gone; write it again" if result.gone else ""
    return f"{', '.join(counts)}: {total}{aside}{rest}\n"


def _about(result: Result, code: str, styler: Styler) -> str:
    summary = printable(result.catalogue[code].summary)
    return f"{styler('bold', code)} {summary}: {styler('dim', f'uplinks explain {code}')}\n"
