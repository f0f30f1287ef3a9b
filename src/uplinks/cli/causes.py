"""Findings with the same cause as one entry, so that a report fits on a screen.

A cause is what findings have in common when the places and the names of objects are
left out. `LEVELS` has the ways to compare two findings, the finest first. A report uses
the finest that fits.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from typing import Final

from attrs import frozen

from uplinks.cli.console import Console, Styler, printable
from uplinks.cli.findings import Excerpt, counted, format_one, write_tally
from uplinks.diagnostics import Diagnostic, Report

__all__ = ["LEVELS", "PLACES", "SCREEN", "Cause", "brief", "causes", "detailed", "write_refusal"]

SCREEN: Final = 39
"""How many lines a report has by default."""

PLACES: Final = 3
"""How many further places of a cause are listed."""

# How many lines a command takes to say why it does nothing.
_REFUSAL: Final = 10

_QUOTED: Final = re.compile(r"'[^']*'|\"[^\"]*\"")
_OWNER: Final = re.compile(r"[^\s'\"]+/[^\s'\"]+")
_NUMBER: Final = re.compile(r"\d+")
_INDEX: Final = re.compile(r"\[\d+\]")

Key = tuple[str, ...]


def _by_message(finding: Diagnostic) -> Key:
    message = _NUMBER.sub("0", _OWNER.sub("/", finding.message))
    return (*_by_field(finding), message, _NUMBER.sub("0", finding.suggestion or ""))


def _by_wording(finding: Diagnostic) -> Key:
    message = _NUMBER.sub("0", _OWNER.sub("/", _QUOTED.sub("''", finding.message)))
    return (*_by_field(finding), message)


def _by_field(finding: Diagnostic) -> Key:
    path = _INDEX.sub("[]", finding.location.path)
    return (finding.code, finding.severity.value, path)


def _by_code(finding: Diagnostic) -> Key:
    return (finding.code, finding.severity.value)


LEVELS: Final[tuple[Callable[[Diagnostic], Key], ...]] = (
    _by_message,
    _by_wording,
    _by_field,
    _by_code,
)


@frozen
class Cause:
    """The findings of one cause, by place; the first one stands for all."""

    findings: Sequence[Diagnostic]

    @property
    def first(self) -> Diagnostic:
        """The finding that is shown."""
        return self.findings[0]


def causes(
    findings: Iterable[Diagnostic], key: Callable[[Diagnostic], Key] = _by_message
) -> list[Cause]:
    """Group findings by cause, in the order of their first places.

    Complexity: O(total length of the messages).

    >>> from uplinks.diagnostics import Severity
    >>> found = [Diagnostic("UPL103", Severity.ERROR, f"weight of a/b-{n} is -1") for n in range(9)]
    >>> [len(cause.findings) for cause in causes(found)]
    [9]
    """
    groups: dict[Key, list[Diagnostic]] = {}
    for finding in findings:
        groups.setdefault(key(finding), []).append(finding)
    return [Cause(group) for group in groups.values()]


def _more_places(cause: Cause) -> str:
    """Count the further findings of a cause, and list some of them, each in another file."""
    others = cause.findings[1:]
    if not others:
        return ""
    # The last one of a file stays, so take them from the end to keep the first.
    by_file = {each.location.file: each for each in reversed(others)}
    first = sorted(by_file.values(), key=lambda each: each.sort_key)[:PLACES]
    files = f" in {len(by_file)} files" if len(by_file) > 1 else ""
    places = ", ".join(printable(str(each.location)) for each in first)
    rest = ", ..." if len(others) > len(first) else ""
    return f"{len(others)} more{files}: {places}{rest}"


def detailed(
    findings: Sequence[Diagnostic], styler: Styler, excerpt: Excerpt | None, room: int
) -> str | None:
    """Format findings with their details, each one or one for each cause.

    Returns ``None`` if that takes more than ``room`` lines; `brief` always fits.
    """
    for grouped in ([Cause((each,)) for each in findings[: room + 1]], causes(findings)):
        # Each takes at least one line, so a large report needs no excerpt.
        if len(grouped) <= room:
            text = "".join(
                format_one(cause.first, styler, excerpt, _more_places(cause)) for cause in grouped
            )
            if text.count("\n") <= room:
                return text
    return None


def brief(findings: Sequence[Diagnostic], styler: Styler, room: int) -> str:
    """Format findings in at most ``room`` lines (2 or more), one or two for each cause.

    If the causes do not fit even by code, the most severe ones are shown.
    """
    for key in LEVELS:
        grouped = causes(findings, key)
        lines = [_lines(cause, styler) for cause in grouped]
        if sum(map(len, lines)) <= room:
            return _joined(lines)
    ranked = sorted(range(len(grouped)), key=lambda at: grouped[at].first.severity.rank)
    shown: list[int] = []
    left = room - 1
    for at in ranked:
        left -= len(lines[at])
        if left < 0:
            break
        shown.append(at)
    hidden = [cause for at, cause in enumerate(grouped) if at not in set(shown)]
    total = counted(sum(len(cause.findings) for cause in hidden), "more finding")
    last = [f"... and {total} of {counted(len(hidden), 'code')}"]
    return _joined([*(lines[at] for at in sorted(shown)), last])


def _joined(lines: Iterable[Sequence[str]]) -> str:
    return "".join(f"{line}\n" for group in lines for line in group)


def _lines(cause: Cause, styler: Styler) -> list[str]:
    finding = cause.first
    place = styler("bold", f"{printable(str(finding.location))}:")
    severity = styler(finding.severity.value, finding.severity.value)
    hint = ""
    if finding.suggestion is not None:
        hint = f" (did you mean {printable(repr(finding.suggestion))}?)"
    more = _more_places(cause)
    first = f"{place} {severity} {finding.code}: {printable(finding.message)}{hint}"
    return [first, f"  {more}"] if more else [first]


def write_refusal(report: Report, console: Console) -> None:
    """Write why a command does nothing for a fleet: the causes of its errors, and a count."""
    console.err.write(brief(report.errors, console.styler(console.err), _REFUSAL))
    write_tally(report, console)
