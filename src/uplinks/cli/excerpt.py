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
    # Findings come by place: many may be about one line, which may be a megabyte long.
    last: dict[tuple[str, int], _Line] = {}

    def excerpt(location: Location) -> list[str]:
        file, span = location.file, location.span
        if file not in texts:
            return []
        if file not in known:
            known[file] = look_through(texts[file])
        if (file, span.line) not in last:
            last.clear()
            last[file, span.line] = _laid_out(known[file], span.line, encoding)
        return list(_excerpt(last[file, span.line], span))

    return excerpt


@frozen
class _Line:
    """A line as cells, and where each cell begins when it is shown; the end, too."""

    length: int
    cells: list[_Cell]
    columns: list[int]


def _laid_out(text: Source, number: int, encoding: str) -> _Line:
    line = text.line(number)
    cells = _cells(line.rstrip(), text.hidden(number), encoding) if line.strip() else []
    return _Line(len(line), cells, [0, *accumulate(cell.width for cell in cells)])


def _excerpt(line: _Line, span: Span) -> Iterator[str]:
    """Show a line. Complexity: O(log length)."""
    cells, columns = line.cells, line.columns
    if not cells:
        return
    start = span.column - 1
    end = span.end_column - 1 if span.end_line == span.line else line.length
    begun = bisect_right(cells, start, key=_end)
    over = max(begun, bisect_left(cells, end, key=_start))
    before, under = columns[begun], columns[over] - columns[begun]
    first, last, head, tail = _window(columns, before)
    shown = "".join(cell.text for cell in cells[first:last])
    before += len(head) - columns[first]
    room = len(head) + columns[last] - columns[first] - before
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
