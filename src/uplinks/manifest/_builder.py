"""Parser events to located trees.

One handler per kind of event, and a stack of the open containers instead of
recursion: depth costs memory, never Python or C frames.

State: ``node`` is the open container, ``key`` the key in it whose value comes
next (``None`` in a list, or where a key comes next). Outside any container
``node`` is a list with one item, the document's root. Each handler either starts
an entry (a key), opens or closes a container, or completes a value, which `_add`
puts into ``node``.

Cost: O(1) per event, and O(depth) per diagnostic.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final, NamedTuple

from uplinks.diagnostics import Span
from uplinks.located import Document, LocatedList, LocatedMap, Path
from uplinks.manifest import _libyaml
from uplinks.manifest._findings import Findings
from uplinks.manifest._limits import Limits
from uplinks.manifest._scalars import NUMERIC, ODD_KEYS, WORDS, resolve

__all__ = ["TreeBuilder"]

_CORE: Final[dict[str, tuple[type, ...]]] = {
    "tag:yaml.org,2002:int": (int,),
    "tag:yaml.org,2002:float": (float, int),
    "tag:yaml.org,2002:bool": (bool,),
    "tag:yaml.org,2002:null": (type(None),),
}
_STRING_TAGS: Final = ("!", "tag:yaml.org,2002:str")
_MAP_TAGS: Final = (None, "!", "tag:yaml.org,2002:map")
_LIST_TAGS: Final = (None, "!", "tag:yaml.org,2002:seq")

# What Span() does, without its Python frame: one is made per key and value.
_new_span: Final[Any] = tuple.__new__


class _First(NamedTuple):
    """The first entry of a duplicate key."""

    owner: LocatedMap
    key: str
    value: Any
    marks: tuple[Span, Span]


class TreeBuilder:
    """The documents of one text, built event by event.

    ``size``: the bytes of the text, on which some limits depend. ``truncated``: the
    text was cut, so a last document without an end marker is incomplete and left out.
    """

    def __init__(self, findings: Findings, limits: Limits, size: int, *, truncated: bool) -> None:
        self.findings = findings
        self._max_depth = limits.depth
        self._max_key = limits.key
        self._max_nodes = self._nodes_left = limits.nodes_in(size)
        self._max_documents = limits.documents_in(size)
        self.truncated = truncated
        self.documents: list[Document] = []
        self._last_line = findings.end[0]
        self._started = 0
        # Around each open container: its parent, the parent's key and that key's place,
        # and the line and column where the container starts.
        self._stack: list[tuple[Any, str | None, Span, int, int]] = []
        self._duplicates: dict[tuple[int, str], _First] = {}
        # True once the current document has an error: its tree is not what was meant.
        self._broken = False
        # True if the last document is kept, but has no end marker.
        self._open_ended = False
        self._node: Any = LocatedList()
        self._in_map = False
        self._key: str | None = None
        self._key_span = Span()
        # The place of the last value: where a block container ends.
        self._span = Span()

    def build(self, get_event: Callable[[], Any]) -> None:
        """Take all events. Raises `LimitError`, and whatever the parser raises."""
        libyaml = _libyaml.libyaml
        handlers: dict[type, Callable[[Any], None]] = {
            libyaml.ScalarEvent: self._scalar,
            libyaml.MappingStartEvent: self._open,
            libyaml.SequenceStartEvent: self._open,
            libyaml.MappingEndEvent: self._close,
            libyaml.SequenceEndEvent: self._close,
            libyaml.AliasEvent: self._alias,
            libyaml.DocumentStartEvent: self._start_document,
            libyaml.DocumentEndEvent: self._end_document,
            libyaml.StreamStartEvent: lambda _: None,
            libyaml.StreamEndEvent: self._end_stream,
        }
        while (event := get_event()) is not None:
            handlers[type(event)](event)

    def path(self) -> Path:
        """Give the path to the key or value that comes next."""
        if self._stack and (self._key is not None or type(self._node) is LocatedList):
            return (*self.container_path(), _step(self._node, self._key))
        return self.container_path()

    def container_path(self) -> Path:
        """Give the path to the open container."""
        return tuple(_step(node, key) for node, key, *_ in self._stack[1:])

    # --- values -------------------------------------------------------------

    def _scalar(self, event: Any) -> None:
        begin, end = event.start_mark, event.end_mark
        line = end.line + 1
        span: Span = _new_span(Span, (begin.line + 1, begin.column + 1, line, end.column + 1))
        if line > self._last_line:
            span = self.findings.clip(span)
        self._nodes_left -= 1
        value = event.value
        if self._in_map and self._key is None:
            self._key, self._key_span = value, span
            if value in self._node or value in ODD_KEYS or event.tag or len(value) > self._max_key:
                self._check_key(event, span)
            return
        if event.tag is not None:
            value = self._tagged(event, span)
        elif not event.style and (value[:1] in NUMERIC or value in WORDS):
            value, other = resolve(value)
            if other:
                self.findings.ambiguous(value, other, span, self.path())
        self._add(value, span)

    def _check_key(self, event: Any, span: Span) -> None:
        """Look closer at a key that is a duplicate, too long, tagged, or perhaps null."""
        node, key = self._node, event.value
        if len(key) > self._max_key:
            self._key = key[:20] + "…"
            problem = f"a key of more than {self._max_key} characters"
            self.findings.stop(problem, span, self.path())
        if key in ODD_KEYS and not event.style:
            self._refuse_key(key, span)
        if event.tag is not None and event.tag not in _STRING_TAGS:
            self._broken = True
            self.findings.bad_tag(span, self.path())
        if key in node:
            # Later values replace the first one, which is put back at the document's end.
            first = _First(node, key, node[key], node.marks[key])
            first = self._duplicates.setdefault((id(node), key), first)
            self.findings.duplicate(key, span, first.marks[0], self.path())

    def _refuse_key(self, text: str, span: Span) -> None:
        self._broken = True
        self.findings.bad_key(text, span, self.path())

    def _tagged(self, event: Any, span: Span) -> Any:
        """Give a scalar the core type that its tag asks for."""
        if event.tag in _STRING_TAGS:
            return event.value
        value, _ = resolve(event.value)
        if type(value) not in _CORE.get(event.tag, ()):
            self._broken = True
            self.findings.bad_tag(span, self.path())
        return value

    def _alias(self, event: Any) -> None:
        begin, end = event.start_mark, event.end_mark
        span = Span(begin.line + 1, begin.column + 1, end.line + 1, end.column + 1)
        self._broken = True
        if self._in_map and self._key is None:
            self._key, self._key_span = "*", span
            self.findings.bad_alias(span, self.path())
        else:
            self.findings.bad_alias(span, self.path())
            self._add(None, span)

    def _add(self, value: Any, span: Span) -> None:
        """Put a complete value into the open container."""
        node = self._node
        if self._in_map:
            node[self._key] = value
            node.marks[self._key] = (self._key_span, span)
            self._key = None
        else:
            node.append(value)
            node.marks.append(span)
        self._span = span
        if self._nodes_left < 0:
            problem = f"more than {self._max_nodes} keys and values"
            self.findings.stop(problem, span, self.path())

    # --- containers ---------------------------------------------------------

    def _open(self, event: Any) -> None:
        is_map = type(event) is _libyaml.libyaml.MappingStartEvent
        begin = event.start_mark
        line, column = begin.line + 1, begin.column + 1
        self._nodes_left -= 1
        stack = self._stack
        if len(stack) >= self._max_depth:
            problem = f"more than {self._max_depth} levels of nesting"
            self.findings.stop(problem, Span(line, column, line, column), self.path())
        if event.tag not in (_MAP_TAGS if is_map else _LIST_TAGS):
            self._broken = True
            self.findings.bad_tag(Span(line, column, line, column), self.path())
        stack.append((self._node, self._key, self._key_span, line, column))
        self._node = LocatedMap() if is_map else LocatedList()
        self._in_map, self._key = is_map, None

    def _close(self, event: Any) -> None:
        value = self._node
        self._node, self._key, self._key_span, line, column = self._stack.pop()
        self._in_map = type(self._node) is LocatedMap
        begin, end = event.start_mark, event.end_mark
        if begin.index == end.index:
            # A block's end is noticed only at the next token: it ends with its last value.
            span = Span(line, column, *self._span[2:])
        else:
            span = Span(line, column, end.line + 1, end.column + 1)
        value.span = self._span = span
        if self._in_map and self._key is None:
            self._key, self._key_span = "?", span
            self._refuse_key("?", span)
        else:
            self._add(value, span)

    # --- documents ----------------------------------------------------------

    def _start_document(self, event: Any) -> None:
        self._started += 1
        if self._started > self._max_documents:
            begin = event.start_mark
            span = self.findings.point(begin.line + 1, begin.column + 1)
            self.findings.stop(f"more than {self._max_documents} documents", span, self.path())
        self._node, self._in_map, self._key = LocatedList(), False, None
        self._broken = False

    def _end_document(self, event: Any) -> None:
        for first in self._duplicates.values():
            first.owner[first.key] = first.value
            first.owner.marks[first.key] = first.marks
        self._duplicates.clear()
        root, span = self._node[0], self._node.marks[0]
        empty = root is None and span[:2] == span[2:]
        keep = not (self._broken or empty)
        self._open_ended = keep and not event.explicit
        if keep:
            self.documents.append(Document(root, span, self.findings.file, self.findings.cluster))

    def _end_stream(self, _: Any) -> None:
        if self.truncated and self._open_ended:
            self.documents.pop()


def _step(node: Any, key: str | None) -> str | int:
    if type(node) is LocatedList:
        return len(node)
    # In a key that is itself a mapping or list there is no name yet.
    return "?" if key is None else key
