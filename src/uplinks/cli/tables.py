"""Tables without boxes: aligned columns, two spaces apart."""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence

from attrs import frozen

from uplinks.cli.console import Styler, printable

__all__ = ["Column", "table"]

GAP = "  "


@frozen
class Column:
    """A column's heading, and whether it holds numbers."""

    heading: str
    number: bool = False


def table(columns: Sequence[Column], rows: Sequence[Sequence[str]], styler: Styler) -> str:
    """Align rows under their headings; numbers are right-aligned.

    Each row has one cell per column. No line ends in spaces.
    Complexity: O(characters).

    >>> print(table([Column("child"), Column("share", number=True)],
    ...             [["child-1", "90 %"], ["c", "9 %"]], Styler(coloured=False)), end="")
    CHILD    SHARE
    child-1   90 %
    c          9 %
    """
    headings = [column.heading.upper() for column in columns]
    cells = [[printable(cell) for cell in row] for row in rows]
    widths = [max(_width(row[i]) for row in (headings, *cells)) for i in range(len(columns))]
    lines = [_line(row, columns, widths) for row in (headings, *cells)]
    return "".join(f"{line}\n" for line in (styler("bold", lines[0]), *lines[1:]))


def _line(row: Sequence[str], columns: Sequence[Column], widths: Sequence[int]) -> str:
    padded = []
    for cell, column, width in zip(row, columns, widths, strict=True):
        padding = " " * (width - _width(cell))
        padded.append(padding + cell if column.number else cell + padding)
    return GAP.join(padded).rstrip()


def _width(text: str) -> int:
    """Count terminal cells: 2 for a wide character, 0 for a combining one."""
    if text.isascii():
        return len(text)
    return sum(
        0 if unicodedata.combining(c) else 2 if unicodedata.east_asian_width(c) in "WF" else 1
        for c in text
    )
