"""A text as it may be shown: its lines, its comments, and what stays hidden.

Rules of this file:

1. A value is shown only where it stands in a field that we know and that holds
   no secret, below nothing but such fields. All else is hidden: the value of a
   header, of a misspelt ``headers``, of an annotation, of another kind's field.
2. Where a name may be a value that nobody quoted (below ``headers``), it is
   shown only if it can be a name and has a value. Aliases, anchors, tags and
   comments are hidden, but for ``# uplinks: ignore[…]``. So is everything behind
   what the parser cannot read.
3. User, password and query are hidden in whatever looks like a URL, and a
   route's rule is hidden if it asks for a header or a query.
4. What stands in a quoted or a block scalar is never taken for a comment.
"""

from __future__ import annotations

import re
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterator, Sequence
from typing import Any, Final

from attrs import field, frozen

from uplinks.addresses import without_userinfo
from uplinks.manifest import Limits, _text
from uplinks.manifest._libyaml import libyaml, parser_of
from uplinks.manifest._masking import can_be_a_name, has_known_value, names_anything

__all__ = ["Comment", "Source", "look_through"]

_BREAK: Final = re.compile("\r\n|[\n\r\x85\u2028\u2029]")
_COMMENT: Final = re.compile("(?:(?<=[ \t\n\r\x85\u2028\u2029])|\\A)#[^\n\r\x85\u2028\u2029]*")
_IGNORE: Final = re.compile(r"#\s*uplinks: ignore(?:-file)?(?:\[[\sA-Za-z0-9,]*\])?")
_MATCHER: Final = re.compile("header|query|clientip", re.IGNORECASE)
# The reader stops at the same limits, so no diagnostic is behind them.
_LIMITS: Final = Limits()

Range = tuple[int, int]


@frozen
class Comment:
    """A comment, from ``#`` to the end of its line.

    ``line`` and ``column`` count from 1. ``alone``: nothing else is on its line;
    ``head``: nothing but comments and directives stands before it in the text.
    """

    text: str
    line: int
    column: int
    alone: bool
    head: bool


@frozen
class Source:
    r"""The lines of a text, and what in them must not be shown.

    >>> shown = look_through("headers: {X-Token: abc}\nweight: 5\n")
    >>> shown.line(1), shown.hidden(1)
    ('headers: {X-Token: abc}', [(19, 22)])
    >>> shown.line(3), shown.hidden(2)
    ('', [])
    """

    _text: str = field(repr=False)
    _starts: tuple[int, ...] = field(repr=False)
    _ends: tuple[int, ...] = field(repr=False)
    _hidden: tuple[Range, ...] = field(repr=False)
    _scalars: tuple[Range, ...] = field(repr=False)
    _content: int = field(repr=False)

    def length(self, number: int) -> int:
        """Count the code points of a line; 0 where there is none."""
        start, end = self._stretch(number, 0, None)
        return end - start

    def line(self, number: int, begin: int = 0, stop: int | None = None) -> str:
        """Give a line, counted from 1, without its end; ``""`` where there is none.

        ``begin`` and ``stop`` are offsets in the line, for a part of it.
        """
        start, end = self._stretch(number, begin, stop)
        return self._text[start:end]

    def hidden(self, number: int, begin: int = 0, stop: int | None = None) -> list[Range]:
        """Give the stretches of a line, or of its part, that must not be shown.

        Offsets from the beginning of the part; sorted, disjoint.
        Complexity: O(log s + h) for s hidden stretches, h of them in the part.
        """
        start, end = self._stretch(number, begin, stop)
        found: list[Range] = []
        at = max(0, bisect_right(self._hidden, start, key=_begin) - 1)
        for first, last in self._hidden[at : bisect_left(self._hidden, end, lo=at, key=_begin)]:
            low, high = max(first, start) - start, min(last, end) - start
            if low < high:
                found.append((low, high))
        return found

    def _stretch(self, number: int, begin: int, stop: int | None) -> Range:
        if not 0 < number <= len(self._starts):
            return 0, 0
        start, end = self._starts[number - 1], self._ends[number - 1]
        return min(start + begin, end), end if stop is None else min(start + stop, end)

    def comments(self) -> Iterator[Comment]:
        """Find every comment on the lines that were looked through. Complexity: O(length)."""
        for begin, end in _comments(self._text, self._ends[-1], self._scalars):
            number = bisect_right(self._starts, begin)
            start = self._starts[number - 1]
            alone = not self._text[start:begin].strip()
            text = self._text[begin:end]
            yield Comment(text, number, begin - start + 1, alone, begin < self._content)


def look_through(data: bytes | str, last: tuple[int, int] | None = None) -> Source:
    """Read a text for showing it; with ``last``, up to that line and column.

    What stands behind on that line is hidden, and the lines behind it are empty.

    Complexity: O(length). Raises nothing.

    Source: YAML 1.2.2, sections 5.4 and 6.6, for lines and comments.
    """
    text, _ = _text.decode(data)
    starts, ends = _lines(text, None if last is None else last[0])
    scan = _Scan(text, _LIMITS.nodes_in(_text.size(data)))
    scan.run(*((len(starts), len(text)) if last is None else last))
    for begin, end in _comments(text, ends[-1], scan.scalars):
        at = begin + 1
        for shown in _IGNORE.finditer(text, begin, end):
            scan.hidden.append((at, max(at, shown.start())))
            at = shown.end()
        scan.hidden.append((at, max(at, end)))
    return Source(
        text,
        tuple(starts),
        tuple(ends),
        tuple(_merged(scan.hidden)),
        tuple(scan.scalars),
        scan.content,
    )


def _lines(text: str, last: int | None) -> tuple[list[int], list[int]]:
    """Find where the lines begin and end, up to the last one that is wanted."""
    starts, ends = [0], []
    for match in _BREAK.finditer(text):
        ends.append(match.start())
        if len(ends) == last:
            return starts, ends
        starts.append(match.end())
    ends.append(len(text))
    return starts, ends


def _comments(text: str, stop: int, scalars: Sequence[Range]) -> Iterator[Range]:
    at = 0
    while match := _COMMENT.search(text, at, stop):
        begin, at = match.span()
        around = bisect_right(scalars, begin, key=_begin) - 1
        if around >= 0 and begin < scalars[around][1]:
            at = scalars[around][1]
        else:
            yield begin, at


def _begin(stretch: Range) -> int:
    return stretch[0]


def _merged(ranges: list[Range]) -> Iterator[Range]:
    last: Range | None = None
    for begin, end in sorted(ranges):
        if begin >= end:
            continue
        if last is not None and begin <= last[1]:
            last = (last[0], max(last[1], end))
            continue
        if last is not None:
            yield last
        last = (begin, end)
    if last is not None:
        yield last


class _Frame:
    """A mapping or sequence being read: whether it may be shown, and at which key it is."""

    __slots__ = ("at_key", "key", "key_range", "name", "shown")

    def __init__(self, *, shown: bool, name: str | None) -> None:
        self.shown = shown
        self.name = name
        self.key: str | None = None
        self.key_range: Range | None = None
        self.at_key = False


class _Scan:
    """One pass over the tokens of a text: what is a scalar, and what is hidden."""

    def __init__(self, text: str, most: int) -> None:
        self.text = text
        self.most = most
        self.scalars: list[Range] = []
        self.hidden: list[Range] = []
        self.frames = [_Frame(shown=True, name=None)]
        self.content = len(text)

    def run(self, line: int, column: int) -> None:
        """Take the tokens that begin up to a line and column; hide what is behind.

        The parser has the whole text: what a value holds may depend on lines behind.
        """
        get_token = parser_of(_text.hide_pairs(self.text)[0]).get_token
        take, content, frames = _TAKE, _CONTENT, self.frames
        nodes = end = 0
        try:
            while (token := get_token()) is not None:
                kind = type(token)
                begin = token.start_mark
                if kind in content:
                    if not nodes:
                        self.content = begin.index
                    nodes += 1
                if begin.line >= line:
                    self.forget_keys()
                    return
                if begin.line == line - 1 and begin.column > column:
                    break
                if len(frames) > _LIMITS.depth or nodes > self.most:
                    break
                if kind in take:
                    take[kind](self, token, frames[-1])
                end = token.end_mark.index
            else:
                return
        except (libyaml.YAMLError, ValueError, OverflowError):
            pass
        self.forget_keys()
        self.hidden.append((end, len(self.text)))

    def key(self, _: Any, frame: _Frame) -> None:
        self.forget_key(frame)
        frame.at_key = True

    def value(self, _: Any, frame: _Frame) -> None:
        frame.at_key = False
        frame.key_range = None

    def open(self, _: Any, frame: _Frame) -> None:
        self.frames.append(self.inner(frame))

    def end(self, _: Any, frame: _Frame) -> None:
        self.forget_key(frame)
        self.close()

    def entry(self, _: Any, frame: _Frame) -> None:
        self.forget_key(frame)
        frame.key = None

    def document(self, _: Any, __: _Frame) -> None:
        self.frames[:] = [_Frame(shown=True, name=None)]

    def named(self, token: Any, _: _Frame) -> None:
        self.hidden.append((token.start_mark.index, token.end_mark.index))

    def close(self) -> None:
        if len(self.frames) > 1:
            self.frames.pop()
        # A key that is itself a mapping has no name.
        if self.frames[-1].at_key:
            self.frames[-1].key = None

    def forget_keys(self) -> None:
        for frame in self.frames:
            self.forget_key(frame)

    def forget_key(self, frame: _Frame) -> None:
        """Hide a key that turned out to have no value, unless it is a field's name."""
        if frame.key_range is not None and not (frame.shown and has_known_value(frame.key or "")):
            self.hidden.append(frame.key_range)
        frame.key_range = None

    def inner(self, frame: _Frame) -> _Frame:
        if frame.at_key:
            return _Frame(shown=False, name=None)
        if frame.key is None:
            return _Frame(shown=frame.shown, name=frame.name)
        known = has_known_value(frame.key) or names_anything(frame.name)
        return _Frame(shown=frame.shown and known, name=frame.key)

    def scalar(self, token: Any, frame: _Frame) -> None:
        begin, end = token.start_mark.index, token.end_mark.index
        if token.style in ("|", ">"):
            # A comment may stand behind the indicator, before the text begins.
            header = _BREAK.search(self.text, begin)
            begin = len(self.text) if header is None else header.end()
            end = max(begin, end)
        self.scalars.append((begin, end))
        if frame.at_key:
            frame.key, frame.key_range = token.value, (begin, end)
            if not can_be_a_name(token.value):
                self.hidden.append((begin, end))
            return
        name = (frame.name if frame.key is None else frame.key) or ""
        if not (frame.shown and has_known_value(name)) or _holds_a_secret(name, token.value):
            self.hidden.append((begin, end))


def _holds_a_secret(name: str, value: str) -> bool:
    if name == "match":
        return _MATCHER.search(value) is not None
    like_a_url = name == "address" or "//" in value or "?" in value
    return like_a_url and without_userinfo(value) != value


_OPENING: Final = (
    libyaml.BlockMappingStartToken,
    libyaml.BlockSequenceStartToken,
    libyaml.FlowMappingStartToken,
    libyaml.FlowSequenceStartToken,
)
_CLOSING: Final = (libyaml.BlockEndToken, libyaml.FlowMappingEndToken, libyaml.FlowSequenceEndToken)
_DOCUMENT: Final = (libyaml.DocumentStartToken, libyaml.DocumentEndToken)
_NAMED: Final = (libyaml.AliasToken, libyaml.AnchorToken, libyaml.TagToken)
_CONTENT: Final = frozenset({libyaml.ScalarToken, *_OPENING, *_DOCUMENT})
_TAKE: Final[dict[type, Callable[[_Scan, Any, _Frame], None]]] = {
    libyaml.ScalarToken: _Scan.scalar,
    libyaml.KeyToken: _Scan.key,
    libyaml.ValueToken: _Scan.value,
    libyaml.FlowEntryToken: _Scan.entry,
    **dict.fromkeys(_OPENING, _Scan.open),
    **dict.fromkeys(_CLOSING, _Scan.end),
    **dict.fromkeys(_DOCUMENT, _Scan.document),
    **dict.fromkeys(_NAMED, _Scan.named),
}
