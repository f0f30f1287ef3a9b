"""Parser events to located trees.

One handler per kind of event, and a stack of the open containers instead of
recursion: depth costs memory, never Python or C frames.

State: ``node`` is the open container, ``key`` the key in it whose value comes
next (``None`` in a list, or where a key comes next). Outside any container
``node`` is a list with one item, the document's root. Each handler either starts
an entry (a key), opens or closes a container, or completes a value, which `_add`
puts into ``node``.

An alias shares the node of its anchor, and costs as many nodes and levels as a copy
would. So walking a tree takes no more work than the limits allow, and an alias of
an alias of … (a bomb) exceeds them.

Cost: O(1) per event, O(keys) per merge, and O(depth) per diagnostic.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final, NamedTuple

from uplinks.diagnostics import Span
from uplinks.located import Document, LocatedList, LocatedMap, Path
from uplinks.manifest import _libyaml
from uplinks.manifest._findings import Findings
from uplinks.manifest._limits import Limits
from uplinks.manifest._scalars import NUMERIC, WORDS, is_misread, key_text, resolve

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


class _MergeKey(str):
    """A plain ``<<``, unlike a quoted one."""

    __slots__ = ()


_MERGE: Final = _MergeKey("<<")

# What Span() does, without its Python frame: one is made per key and value.
_new_span: Final[Any] = tuple.__new__


class _First(NamedTuple):
    """The first entry of a duplicate key."""

    owner: LocatedMap
    key: str
    value: Any
    marks: tuple[Span, Span]


class _Anchored(NamedTuple):
    """A node with an anchor; a copy of it has so many nodes and levels. Open: no nodes yet."""

    value: Any
    nodes: int
    height: int


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
        # Around each open container: the node, key, place of the key, and height of its
        # parent; its line, column and anchor; and the nodes left at its start.
        self._stack: list[tuple[Any, str | None, Span, int, int, int, str | None, int]] = []
        # The levels of the deepest container so far in the open one.
        self._height = 0
        self._anchors: dict[str, _Anchored] = {}
        # Keys from a merge: an own key of their mapping replaces them.
        self._merged: set[tuple[int, str]] = set()
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
        text = value = event.value
        is_special = not event.style and (text[:1] in NUMERIC or text in WORDS or text == "<<")
        is_special = is_special or event.tag is not None or event.anchor is not None
        if not self._in_map or self._key is not None:
            self._add(self._special(event, span) if is_special else value, span)
            return
        self._key, self._key_span = text, span
        if len(text) > self._max_key:
            self._key = text[:20] + "…"
            problem = f"a key of more than {self._max_key} characters"
            self.findings.stop(problem, span, self.path())
        if is_special:
            value = self._special(event, span)
            merges = text == "<<" and not event.style and event.tag is None
            self._check_key(_MERGE if merges else value, span)
        elif value in self._node:
            self._check_key(value, span)

    def _special(self, event: Any, span: Span) -> Any:
        """Give the value of a scalar that has a tag or an anchor, or is perhaps no string."""
        value = event.value
        if event.tag is not None:
            value = self._tagged(event, span)
        elif not event.style:
            value = resolve(value)
            if type(value) is int and event.value[0] in "+-0" and is_misread(event.value, value):
                self.findings.octal(event.value, value, span, self.path())
        if event.anchor is not None:
            self._anchors[event.anchor] = _Anchored(value, 1, 0)
        return value

    def _check_key(self, value: Any, span: Span) -> None:
        """Take a key that is no string, or that its mapping already has."""
        if value is _MERGE:
            self._key = _MERGE
            return
        if value is None or isinstance(value, dict | list):
            self._broken = True
            self.findings.bad_key(value, span, self.path())
            return
        node = self._node
        self._key = key = value if type(value) is str else key_text(value)
        if key not in node:
            return
        if (id(node), key) in self._merged:
            self._merged.remove((id(node), key))
            return
        # Later values replace the first one, which is put back at the document's end.
        first = _First(node, key, node[key], node.marks[key])
        first = self._duplicates.setdefault((id(node), key), first)
        self.findings.duplicate(key, span, first.marks[0], self.path())

    def _tagged(self, event: Any, span: Span) -> Any:
        """Give a scalar the core type that its tag asks for."""
        if event.tag in _STRING_TAGS:
            return event.value
        value = resolve(event.value)
        if type(value) not in _CORE.get(event.tag, ()):
            self._broken = True
            self.findings.bad_tag(span, self.path())
        return value

    def _alias(self, event: Any) -> None:
        begin, end = event.start_mark, event.end_mark
        span = Span(begin.line + 1, begin.column + 1, end.line + 1, end.column + 1)
        is_key = self._in_map and self._key is None
        if is_key:
            self._key, self._key_span = "*", span
        anchored = self._anchors.get(event.anchor)
        if anchored is None or not anchored.nodes:
            self._broken = True
            self.findings.bad_alias(span, self.path(), inside=anchored is not None)
            # Anything that fits here, so that it is reported once.
            anchored = _Anchored(LocatedMap() if self._key is _MERGE else "*", 1, 0)
        self._nodes_left -= anchored.nodes
        self._check_depth(len(self._stack) + anchored.height, span)
        self._height = max(self._height, anchored.height)
        if is_key:
            self._check_key(anchored.value, span)
        elif self._key is _MERGE and type(anchored.value) is not LocatedMap:
            self._add(None, span)  # a list of mappings is merged only where it is written
        else:
            self._add(anchored.value, span)

    def _add(self, value: Any, span: Span) -> None:
        """Put a complete value into the open container."""
        node = self._node
        if not self._in_map:
            node.append(value)
            node.marks.append(span)
        elif self._key is _MERGE:
            self._merge(value, span)
            self._key = None
        else:
            node[self._key] = value
            node.marks[self._key] = (self._key_span, span)
            self._key = None
        self._span = span
        if self._nodes_left < 0:
            problem = f"more than {self._max_nodes} keys and values"
            self.findings.stop(problem, span, self.path())

    def _merge(self, value: Any, span: Span) -> None:
        """Copy the entries of the mapping behind ``<<``, or of a list of mappings.

        As the API server does: at its place, so a key before it is replaced and one
        after it replaces. Of a list, an earlier mapping takes precedence.
        """
        sources = value if type(value) is LocatedList else [value]
        if not all(type(source) is LocatedMap for source in sources):
            self._broken = True
            self.findings.bad_merge(span, self.path())
            return
        node = self._node
        for source in reversed(sources):
            node.update(source)
            node.marks.update(source.marks)
            self._merged.update((id(node), key) for key in source)

    # --- containers ---------------------------------------------------------

    def _open(self, event: Any) -> None:
        is_map = type(event) is _libyaml.libyaml.MappingStartEvent
        begin = event.start_mark
        line, column = begin.line + 1, begin.column + 1
        depth = len(self._stack) + 1
        if depth > self._max_depth:
            self._check_depth(depth, Span(line, column, line, column))
        if event.tag not in (_MAP_TAGS if is_map else _LIST_TAGS):
            self._broken = True
            self.findings.bad_tag(Span(line, column, line, column), self.path())
        around = (self._node, self._key, self._key_span, self._height)
        self._stack.append((*around, line, column, event.anchor, self._nodes_left))
        self._nodes_left -= 1
        self._node = LocatedMap() if is_map else LocatedList()
        self._in_map, self._key, self._height = is_map, None, 0
        if event.anchor is not None:
            self._anchors[event.anchor] = _Anchored(self._node, 0, 0)

    def _check_depth(self, depth: int, span: Span) -> None:
        if depth > self._max_depth:
            problem = f"more than {self._max_depth} levels of nesting"
            self.findings.stop(problem, span, self.path())

    def _close(self, event: Any) -> None:
        value, levels = self._node, self._height + 1
        opened = self._stack.pop()
        self._node, self._key, self._key_span, height, line, column, anchor, nodes_left = opened
        self._in_map = type(self._node) is LocatedMap
        begin, end = event.start_mark, event.end_mark
        if begin.index == end.index:
            # A block's end is noticed only at the next token: it ends with its last value.
            span = Span(line, column, *self._span[2:])
        else:
            span = Span(line, column, end.line + 1, end.column + 1)
        value.span = self._span = span
        self._height = max(height, levels)
        # Unless the anchor's name was used again inside.
        if anchor is not None and self._anchors[anchor].value is value:
            self._anchors[anchor] = _Anchored(value, nodes_left - self._nodes_left, levels)
        if self._in_map and self._key is None:
            self._key, self._key_span = "?", span
            self._check_key(value, span)
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
        self._anchors.clear()
        self._merged.clear()
        self._height = 0

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
