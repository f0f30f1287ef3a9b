"""The line of a diagnostic with a caret below it, masked by `uplinks.cli.masking`.

A long line is cut around the caret. Tabs, wide characters, and the escapes of
characters that the terminal cannot show count with the columns they take.
"""

from __future__ import annotations

import unicodedata
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterator, Mapping
from itertools import accumulate
from types import MappingProxyType
from typing import Final, NamedTuple

from uplinks.cli.console import printable
from uplinks.cli.masking import hidden
from uplinks.cli.source import Source, look_through
from uplinks.diagnostics import MASK, Location

__all__ = ["CUT", "TAB", "WIDTH", "excerpts"]

WIDTH: Final = 100
TAB: Final = 4
CUT: Final = "..."
# The characters that are laid out on either side of the caret: twice what is shown,
# as some characters have no width.
_AROUND: Final = WIDTH


def excerpts(
    texts: Mapping[str, bytes],
    encoding: str,
    known: Mapping[str, Source] = MappingProxyType({}),
) -> Callable[[Location], list[str]]:
    """Make the function that formats the line of a location.

    ``texts`` are the files' contents; ``known`` are those already decoded.
    """
    sources = dict(known)

    def excerpt(location: Location) -> list[str]:
        file = location.file
        if file not in texts:
            return []
        if file not in sources:
            sources[file] = look_through(texts[file])
        line = sources[file].line(location.span.line)
        return list(_excerpt(line, location, encoding)) if line.strip() else []

    return excerpt


def _excerpt(line: str, location: Location, encoding: str) -> Iterator[str]:
    """Format what is around a location. Complexity: O(1), as only a part is laid out."""
    span = location.span
    start, one = span.column - 1, span.end_line == span.line
    end = span.end_column - 1 if one else len(line)
    begin, stop = max(0, start - _AROUND), start + _AROUND
    if len(line) <= 2 * _AROUND:
        begin, stop = 0, len(line)
    ranges = [
        (max(first - begin, 0), last - begin)
        for first, last in hidden(line, start, end if one else start, location.path)
        if last > begin and first < stop
    ]
    part = line[begin:stop] if stop < len(line) else line[begin:stop].rstrip()
    cells = _cells(part, ranges, encoding)
    columns = [0, *accumulate(cell.width for cell in cells)]
    begun = bisect_right(cells, start - begin, key=_end)
    over = max(begun, bisect_left(cells, end - begin, key=_start))
    before, under = columns[begun], columns[over] - columns[begun]
    first, last, head, tail = _window(columns, before)
    head, tail = head or (CUT if begin else ""), tail or (CUT if stop < len(line) else "")
    shown = "".join(cell.text for cell in cells[first:last])
    before += len(head) - columns[first]
    room = len(head) + columns[last] - columns[first] - before
    number = str(span.line)
    gutter = " " * len(number)
    yield f"{gutter} |"
    yield f"{number} | {head}{shown}{tail}"
    yield f"{gutter} | {' ' * before}{'^' * max(1, min(under, room))}"


class _Cell(NamedTuple):
    """The text for the characters from ``start`` to ``end`` of a part of a line.

    A named tuple, as each excerpt has hundreds.
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
    """Choose the cells of a long line around the caret, and the marks of a cut."""
    cells = len(columns) - 1
    if columns[-1] <= WIDTH:
        return 0, cells, "", ""
    first = bisect_left(columns, max(0, before - WIDTH // 2))
    last = bisect_right(columns, columns[first] + WIDTH) - 1
    return first, last, CUT if first else "", CUT if last < cells else ""
