"""The line of a finding, with a caret below it.

Rules of this file:

1. What a line holds that may be a secret is shown as ``***``, and one in which
   nothing is written is not shown.
2. What does not fit is cut around the caret. The caret stands below what the
   terminal shows, with tabs, wide characters, and escapes for what it cannot show.
"""

from __future__ import annotations

import unicodedata
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterator, Mapping
from itertools import accumulate
from typing import Final

from attrs import frozen

from uplinks.cli.console import printable
from uplinks.diagnostics import Location, Span
from uplinks.manifest.source import Source, look_through

__all__ = ["CUT", "MASK", "TAB", "WIDTH", "excerpts"]

WIDTH: Final = 100
TAB: Final = 4
MASK: Final = "***"
CUT: Final = "..."


def excerpts(texts: Mapping[str, bytes], encoding: str) -> Callable[[Location], list[str]]:
    """Give the function that shows a place's line; each text is looked through once."""
    known: dict[str, Source] = {}

    def excerpt(location: Location) -> list[str]:
        if location.file not in texts:
            return []
        if location.file not in known:
            known[location.file] = look_through(texts[location.file])
        return list(_excerpt(known[location.file], location.span, encoding))

    return excerpt


def _excerpt(text: Source, span: Span, encoding: str) -> Iterator[str]:
    line, hidden = text.line(span.line), text.hidden(span.line)
    if not line.strip():
        return
    start = span.column - 1
    end = span.end_column - 1 if span.end_line == span.line else len(line)
    cells = _cells(line.rstrip(), hidden, encoding)
    before = sum(cell.width for cell in cells if cell.end <= start)
    under = sum(cell.width for cell in cells if cell.end > start and cell.start < end)
    first, last, head, tail = _window(cells, before)
    shown = "".join(cell.text for cell in cells[first:last])
    before += len(head) - sum(cell.width for cell in cells[:first])
    room = len(head) + sum(cell.width for cell in cells[first:last]) - before
    number = str(span.line)
    gutter = " " * len(number)
    yield f"{gutter} |"
    yield f"{number} | {head}{shown}{tail}"
    yield f"{gutter} | {' ' * before}{'^' * max(1, min(under, room))}"


@frozen
class _Cell:
    """What is shown for the characters from ``start`` to ``end`` of a line."""

    start: int
    end: int
    text: str
    width: int


def _cells(line: str, hidden: list[tuple[int, int]], encoding: str) -> list[_Cell]:
    cells: list[_Cell] = []
    at = 0
    for begin, end in [*hidden, (len(line), len(line))]:
        stop = min(begin, len(line))  # hidden may be the space at the end
        cells += [_cell(number, line[number], encoding) for number in range(at, stop)]
        if begin < end:
            cells.append(_Cell(begin, end, MASK, len(MASK)))
        at = end
    return cells


def _cell(number: int, character: str, encoding: str) -> _Cell:
    text = " " * TAB if character == "\t" else printable(character)
    text = text.encode(encoding, "backslashreplace").decode(encoding)
    if len(text) == 1 and not text.isascii():
        wide = unicodedata.east_asian_width(text) in "WF"
        width = 0 if unicodedata.combining(text) else 1 + wide
    else:
        width = len(text)
    return _Cell(number, number + 1, text, width)


def _window(cells: list[_Cell], before: int) -> tuple[int, int, str, str]:
    """Choose which cells of a long line are shown around the caret, and the marks of a cut."""
    columns = [0, *accumulate(cell.width for cell in cells)]
    if columns[-1] <= WIDTH:
        return 0, len(cells), "", ""
    first = bisect_left(columns, max(0, before - WIDTH // 2))
    last = bisect_right(columns, columns[first] + WIDTH) - 1
    return first, last, CUT if first else "", CUT if last < len(cells) else ""
