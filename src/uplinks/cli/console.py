"""Where a command writes, and with which colours.

Rules of this file:

1. Colours are for terminals only, and ``NO_COLOR`` or ``TERM=dumb`` turn them off.
2. Text that came from outside is made printable before it is written.
"""

from __future__ import annotations

import os
import sys
from typing import Final, TextIO

from attrs import frozen

__all__ = ["CLEAN", "FINDINGS", "UNUSABLE", "Console", "Ink", "Unusable", "printable"]

CLEAN: Final = 0
FINDINGS: Final = 1
UNUSABLE: Final = 2

STYLES = {
    "bold": "1",
    "dim": "2",
    "error": "1;31",
    "warning": "1;33",
    "info": "1;36",
    "good": "32",
}


class Unusable(Exception):
    """The command line makes no sense, or leads to nothing that can be used."""


def printable(text: str) -> str:
    r"""Escape whatever would move a cursor, break a line or be unprintable.

    >>> print(printable("a\x1b[2Jb\n"))
    a\x1b[2Jb\n
    """
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() else repr(c)[1:-1] for c in text)


@frozen
class Ink:
    """Writes in colour, or plainly.

    >>> Ink(coloured=False)("bold", "x"), len(Ink(coloured=True)("bold", "x"))
    ('x', 9)
    """

    coloured: bool

    def __call__(self, style: str, text: str) -> str:
        """Format text in one of `STYLES`."""
        if not self.coloured or not text:
            return text
        return f"\x1b[{STYLES[style]}m{text}\x1b[0m"


@frozen
class Console:
    """The two streams of a command."""

    out: TextIO
    err: TextIO

    @classmethod
    def standard(cls) -> Console:
        """Use the process's own streams, whatever they are at this moment."""
        return cls(sys.stdout, sys.stderr)

    def ink(self, stream: TextIO) -> Ink:
        """Tell how a stream may be written to."""
        plain = os.environ.get("NO_COLOR") or os.environ.get("TERM") == "dumb"
        return Ink(coloured=stream.isatty() and not plain)

    def complain(self, message: str) -> None:
        """Say on standard error why not all was done."""
        label = self.ink(self.err)("error", "error:")
        self.err.write(f"uplinks: {label} {printable(message)}\n")
