"""The streams of a command, their colours, and the exit statuses.

Only terminals get colours; ``NO_COLOR`` and ``TERM=dumb`` turn them off.
"""

from __future__ import annotations

import os
import sys
from typing import Final, TextIO

from attrs import frozen

__all__ = ["CLEAN", "FINDINGS", "UNUSABLE", "Console", "Styler", "UsageError", "printable"]

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


class UsageError(Exception):
    """Bad usage: wrong arguments, a bad configuration, or an input that cannot be used."""


def printable(text: str) -> str:
    r"""Escape control characters and everything else that is not printable.

    >>> print(printable("a\x1b[2Jb\n"))
    a\x1b[2Jb\n
    """
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() else repr(c)[1:-1] for c in text)


@frozen
class Styler:
    """Adds colours to text, or leaves it plain.

    >>> Styler(coloured=False)("bold", "x"), len(Styler(coloured=True)("bold", "x"))
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
        """Use the current ``sys.stdout`` and ``sys.stderr``."""
        return cls(sys.stdout, sys.stderr)

    def styler(self, stream: TextIO) -> Styler:
        """Choose colours for a terminal, plain text for any other stream."""
        plain = os.environ.get("NO_COLOR") or os.environ.get("TERM") == "dumb"
        return Styler(coloured=stream.isatty() and not plain)

    def complain(self, message: str) -> None:
        """Write an error message to standard error."""
        label = self.styler(self.err)("error", "error:")
        self.err.write(f"uplinks: {label} {printable(message)}\n")
