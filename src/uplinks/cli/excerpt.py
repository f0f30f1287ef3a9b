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
from collections.abc import Callable, Iterable, Iterator, Mapping
from itertools import accumulate
from types import MappingProxyType
from typing import Final, NamedTuple

from attrs import frozen

from uplinks.cli.console import printable
from uplinks.cli.source import Source, look_through
from uplinks.diagnostics import Location, Span

__all__ = ["CUT", "MASK", "TAB", "WIDTH", "excerpts"]

WIDTH: Final = 100
TAB: Final = 4
MASK: Final = "***"
CUT: Final = "..."
# As much of a long line is laid out on either side of the caret: twice what the
# window shows, since some characters have no width.
_AROUND: Final = WIDTH


def excerpts(
    texts: Mapping[str, bytes],
    encoding: str,
    shown: Iterable[Location],
    known: Mapping[str, Source] = MappingProxyType({}),
) -> Callable[[Location], list[str]]:
    """Give the function that shows a place's line; each text is looked through once.

    ``shown`` are the places to show: no text is looked through behind the last of
    them. ``known`` are texts that were already looked through.
    """
    sources = dict(known)
    last: dict[str, tuple[int, int]] = {}
    for place in shown:
        seen = (place.span.line, place.span.column + _AROUND)
        last[place.file] = max(seen, last.get(place.file, seen))

    def excerpt(location: Location) -> list[str]:
        file, span = location.file, location.span
        if file not in texts:
            return []
        if file not in sources:
            if file not in last:
                return []
            sources[file] = look_through(texts[file], last[file])
        return list(_excerpt(_laid_out(sources[file], span, encoding), span))

    return excerpt


@frozen
class _Line:
    """A part of a line as cells, and where each begins when it is shown; the end, too.

    ``length`` is the whole line's; ``begin`` is where the part begins in it, and
    ``head`` and ``tail`` mark what the part leaves out before it and behind it.
    """

    length: int
    begin: int
    cells: list[_Cell]
    columns: list[int]
    head: str
    tail: str


def _laid_out(text: Source, span: Span, encoding: str) -> _Line:
    """Lay out what can be seen around a place: a line may be a megabyte long."""
    length = text.length(span.line)
    begin, end = max(0, span.column - 1 - _AROUND), span.column - 1 + _AROUND
    if length <= 2 * _AROUND:
        begin, end = 0, length
    line = text.line(span.line, begin, end)
    hidden = text.hidden(span.line, begin, end)
    cells = _cells(line if end < length else line.rstrip(), hidden, encoding)
    if not line.strip():
        cells = []
    columns = [0, *accumulate(cell.width for cell in cells)]
    head, tail = CUT if begin else "", CUT if end < length else ""
    return _Line(length, begin, cells, columns, head, tail)


def _excerpt(line: _Line, span: Span) -> Iterator[str]:
    """Show what is around a place. Complexity: O(1), since a part is never long."""
    cells, columns = line.cells, line.columns
    if not cells:
        return
    start = span.column - 1 - line.begin
    end = (span.end_column - 1 if span.end_line == span.line else line.length) - line.begin
    begun = bisect_right(cells, start, key=_end)
    over = max(begun, bisect_left(cells, end, key=_start))
    before, under = columns[begun], columns[over] - columns[begun]
    first, last, head, tail = _window(columns, before)
    head, tail = head or line.head, tail or line.tail
    shown = "".join(cell.text for cell in cells[first:last])
    before += len(head) - columns[first]
    room = len(head) + columns[last] - columns[first] - before
    number = str(span.line)
    gutter = " " * len(number)
    yield f"{gutter} |"
    yield f"{number} | {head}{shown}{tail}"
    yield f"{gutter} | {' ' * before}{'^' * max(1, min(under, room))}"


class _Cell(NamedTuple):
    """What is shown for the characters from ``start`` to ``end`` of a line's part.

    A named tuple, since each finding has hundreds.
    """

    start: int
    end: int
    text: str
    width: int


def _cells(line: str, hidden: list[tuple[int, int]], encoding: str) -> list[_Cell]:
    cells: list[_Cell] = []
    at = 0
    for begin, end in [*hidden, (len(line), len(line))]:
        stop = min(begin, len(line))  # hidden may be the space at the end
        part = line[at:stop]
        if part.isascii() and part.isprintable():
            cells += [_Cell(number, number + 1, char, 1) for number, char in enumerate(part, at)]
        else:
            cells += [_cell(number, char, encoding) for number, char in enumerate(part, at)]
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


def _start(cell: _Cell) -> int:
    return cell.start


def _end(cell: _Cell) -> int:
    return cell.end


def _window(columns: list[int], before: int) -> tuple[int, int, str, str]:
    """Choose which cells of a long line are shown around the caret, and the marks of a cut."""
    cells = len(columns) - 1
    if columns[-1] <= WIDTH:
        return 0, cells, "", ""
    first = bisect_left(columns, max(0, before - WIDTH // 2))
    last = bisect_right(columns, columns[first] + WIDTH) - 1
    return first, last, CUT if first else "", CUT if last < cells else ""
