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
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from typing import Any, Final

from attrs import field, frozen

from uplinks.addresses import without_userinfo
from uplinks.manifest import _text
from uplinks.manifest._libyaml import libyaml, parser_of
from uplinks.manifest._masking import can_be_a_name, has_known_value, names_anything

__all__ = ["Comment", "Source", "look_through"]

_BREAK: Final = re.compile("\r\n|[\n\r\x85\u2028\u2029]")
_COMMENT: Final = re.compile("(?:(?<=[ \t\n\r\x85\u2028\u2029])|\\A)#[^\n\r\x85\u2028\u2029]*")
_IGNORE: Final = re.compile(r"#\s*uplinks: ignore(?:-file)?(?:\[[\sA-Za-z0-9,]*\])?")
_MATCHER: Final = re.compile("header|query|clientip", re.IGNORECASE)
_MOST_DEPTH: Final = 100
# As many as a reader takes: behind that it has said nothing that could be shown.
_MOST_NODES: Final = 300_000

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

    def line(self, number: int) -> str:
        """Give a line, counted from 1, without its end; ``""`` where there is none."""
        if not 0 < number <= len(self._starts):
            return ""
        return self._text[self._starts[number - 1] : self._ends[number - 1]]

    def hidden(self, number: int) -> list[Range]:
        """Give the stretches of a line that must not be shown: offsets from 0, sorted, disjoint.

        Complexity: O(log s + h) for s hidden stretches, h of them on the line.
        """
        if not 0 < number <= len(self._starts):
            return []
        start, end = self._starts[number - 1], self._ends[number - 1]
        found: list[Range] = []
        at = max(0, bisect_right(self._hidden, start, key=_begin) - 1)
        for begin, stop in self._hidden[at:]:
            if begin >= end:
                break
            low, high = max(begin, start) - start, min(stop, end) - start
            if low < high:
                found.append((low, high))
        return found

    def comments(self) -> Iterator[Comment]:
        """Find every comment, in order. Complexity: O(length)."""
        for begin, end in _comments(self._text, self._scalars):
            number = bisect_right(self._starts, begin)
            start = self._starts[number - 1]
            alone = not self._text[start:begin].strip()
            text = self._text[begin:end]
            yield Comment(text, number, begin - start + 1, alone, begin < self._content)


def look_through(data: bytes | str) -> Source:
    """Read a text for showing it. Complexity: O(length). Raises nothing.

    Source: YAML 1.2.2, sections 5.4 and 6.6, for lines and comments.
    """
    text, _ = _text.decode(data)
    starts, ends = [0], []
    for match in _BREAK.finditer(text):
        ends.append(match.start())
        starts.append(match.end())
    ends.append(len(text))
    scan = _Scan(text)
    scan.run()
    for begin, end in _comments(text, scan.scalars):
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


def _comments(text: str, scalars: Sequence[Range]) -> Iterator[Range]:
    at = 0
    while match := _COMMENT.search(text, at):
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

    def __init__(self, text: str) -> None:
        self.text = text
        self.scalars: list[Range] = []
        self.hidden: list[Range] = []
        self.frames = [_Frame(shown=True, name=None)]
        self.content = len(text)
        self.nodes = 0

    def run(self) -> None:
        get_token = parser_of(libyaml)(_text.hide_pairs(self.text)[0]).get_token
        end = 0
        try:
            while (
                (token := get_token()) is not None
                and len(self.frames) <= _MOST_DEPTH
                and self.nodes <= _MOST_NODES
            ):
                self.take(token)
                end = token.end_mark.index
            if token is None:
                return
        except (libyaml.YAMLError, ValueError, OverflowError):
            pass
        self.hidden.append((end, len(self.text)))

    def take(self, token: Any) -> None:
        kind = type(token)
        frame = self.frames[-1]
        if kind in _CONTENT:
            self.nodes += 1
            self.content = min(self.content, token.start_mark.index)
        if kind is libyaml.ScalarToken:
            self.scalar(token, frame)
        elif kind is libyaml.KeyToken:
            self.forget_key(frame)
            frame.at_key = True
        elif kind is libyaml.ValueToken:
            frame.at_key = False
            frame.key_range = None
        elif kind in _OPENING:
            self.frames.append(self.inner(frame))
        elif kind in _CLOSING:
            self.forget_key(frame)
            self.close()
        elif kind is libyaml.FlowEntryToken:
            self.forget_key(frame)
            frame.key = None
        elif kind in _DOCUMENT:
            self.frames = [_Frame(shown=True, name=None)]
        elif kind in _NAMED:
            self.hidden.append((token.start_mark.index, token.end_mark.index))

    def close(self) -> None:
        if len(self.frames) > 1:
            self.frames.pop()
        # A key that is itself a mapping has no name.
        if self.frames[-1].at_key:
            self.frames[-1].key = None

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
_DOCUMENT: Final = (libyaml.DocumentStartToken, libyaml.DocumentEndToken)
_CONTENT: Final = (libyaml.ScalarToken, *_OPENING, *_DOCUMENT)
_NAMED: Final = (libyaml.AliasToken, libyaml.AnchorToken, libyaml.TagToken)
_CLOSING: Final = (libyaml.BlockEndToken, libyaml.FlowMappingEndToken, libyaml.FlowSequenceEndToken)
