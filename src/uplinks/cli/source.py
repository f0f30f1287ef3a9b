"""The lines and the comments of a source text, for excerpts and suppressions.

A ``#`` in a quoted or a block scalar begins no comment.
"""

from __future__ import annotations

import contextlib
import re
from bisect import bisect_right
from collections.abc import Iterator
from typing import Final

from attrs import field, frozen

from uplinks.manifest import Limits, _text
from uplinks.manifest._libyaml import libyaml, parser_of

__all__ = ["Comment", "Source", "look_through"]

_BREAK: Final = re.compile("\r\n|[\n\r\x85\u2028\u2029]")
_COMMENT: Final = re.compile("(?:(?<=[ \t\n\r\x85\u2028\u2029])|\\A)#[^\n\r\x85\u2028\u2029]*")
# The reader stops at the same limits, so no diagnostic is behind them.
_LIMITS: Final = Limits()

Range = tuple[int, int]


@frozen
class Comment:
    """A comment, from ``#`` to the end of its line.

    ``line`` and ``column`` count from 1. ``alone``: nothing else is on its line;
    ``head``: only comments and directives precede it in the text.
    """

    text: str
    line: int
    column: int
    alone: bool
    head: bool


@frozen
class Source:
    r"""The lines and comments of a source text.

    >>> source = look_through("# one\nweight: 5 # two\n")
    >>> source.line(2), source.line(3), [comment.text for comment in source.comments()]
    ('weight: 5 # two', '', ['# one', '# two'])
    """

    _text: str = field(repr=False)
    _lines: tuple[Range, ...] = field(repr=False)

    def line(self, number: int) -> str:
        """Give a line, counted from 1, without its end; ``""`` if there is none."""
        begin, end = self._lines[number - 1] if 0 < number <= len(self._lines) else (0, 0)
        return self._text[begin:end]

    @property
    def lines(self) -> int:
        """How many lines there are."""
        return len(self._lines)

    def offset(self, line: int, column: int) -> int:
        """Give the index of a place in the text; both count from 1."""
        return self._lines[line - 1][0] + column - 1

    def comments(self) -> Iterator[Comment]:
        """Find all comments. Behind the place that the parser cannot read, any ``#`` begins one.

        Complexity: O(length).
        """
        scalars, content = _tokens(self._text)
        at = 0
        while match := _COMMENT.search(self._text, at):
            begin, at = match.span()
            around = bisect_right(scalars, (begin, len(self._text))) - 1
            if around >= 0 and begin < scalars[around][1]:
                at = scalars[around][1]
                continue
            number = bisect_right(self._lines, (begin, len(self._text)))
            start = self._lines[number - 1][0]
            alone = not self._text[start:begin].strip()
            yield Comment(match[0], number, begin - start + 1, alone, begin < content)


def look_through(data: bytes | str) -> Source:
    """Decode a source text and find its lines. Complexity: O(length). Raises nothing.

    Source: YAML 1.2.2, sections 5.4 and 6.6, for lines and comments.
    """
    text, _ = _text.decode(data)
    breaks = [match.span() for match in _BREAK.finditer(text)]
    starts = [0, *(end for _, end in breaks)]
    ends = [*(begin for begin, _ in breaks), len(text)]
    return Source(text, tuple(zip(starts, ends, strict=True)))


def _tokens(text: str) -> tuple[list[Range], int]:
    """Find the scalars, up to the place that the parser cannot read, and the first content."""
    get_token = parser_of(_text.hide_pairs(text)[0]).get_token
    most = _LIMITS.nodes_in(_text.size(text))
    scalars: list[Range] = []
    content = len(text)
    nodes = 0
    with contextlib.suppress(libyaml.YAMLError, ValueError, OverflowError):
        while nodes < most and (token := get_token()) is not None:
            begin, end = token.start_mark.index, token.end_mark.index
            if isinstance(token, _CONTENT):
                content = min(content, begin)
                nodes += 1
            if isinstance(token, libyaml.ScalarToken):
                if token.style in ("|", ">"):
                    # A comment may follow the indicator, before the text begins.
                    header = _BREAK.search(text, begin)
                    begin = len(text) if header is None else header.end()
                scalars.append((begin, max(begin, end)))
    return scalars, content


_CONTENT: Final = (
    libyaml.ScalarToken,
    libyaml.BlockMappingStartToken,
    libyaml.BlockSequenceStartToken,
    libyaml.FlowMappingStartToken,
    libyaml.FlowSequenceStartToken,
    libyaml.DocumentStartToken,
    libyaml.DocumentEndToken,
)
