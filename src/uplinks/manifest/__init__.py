"""Text to located trees: YAML and JSON, without surprises.

Rules of this file:

1. Bad text is a diagnostic with a place, never an exception. No text makes
   the reader recurse, and none makes it work past `Limits`.
2. A scalar means what it means to Kubernetes, not to YAML 1.1: ``null``, ``~``
   and nothing are ``None``; ``true`` and ``false`` are booleans; a number is a
   number as JSON writes it; everything else is text. A plain scalar in which
   YAML 1.1 sees something else (``yes``, ``012``, ``1:30``) stays text and is
   warned of. Quoted and block scalars are text and nothing is said.
3. A key is the text that stands there (``8080:`` is ``"8080"``). No key, a null
   key and a key that is itself a mapping or sequence are errors.
4. Nothing is written once and meant twice: aliases, merge keys and tags of the
   user's own are errors. An anchor that nobody uses is harmless.
5. As many findings as possible come at once. A duplicate key keeps its first
   value and its document. Any other error costs its document, since the tree
   is not what was meant, but reading goes on behind it. Broken syntax and
   a limit end the reading there; the documents before are still returned.
6. Places count Unicode code points from 1. A byte order mark has no width. A
   block mapping or sequence ends where its last value ends; a node's tag and
   anchor belong to its place. What is said about the end stands at the end.
7. Documents in which nothing is written are left out, as kubectl does.
8. A finding never shows what may be a credential (see ``_masking``), nor the
   name of an alias or a tag: those may be a value that somebody did not quote.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from typing import Any, Final, NoReturn

from attrs import frozen

from uplinks.diagnostics import Diagnostic, Location, Related, Severity, Span
from uplinks.manifest import _text
from uplinks.manifest._libyaml import libyaml as _yaml
from uplinks.manifest._libyaml import parser_of
from uplinks.manifest._masking import MASK, advice, in_headers, masked
from uplinks.manifest._scalars import NUMERIC, ODD_KEYS, WORDS, resolve
from uplinks.tree import Document, LocatedList, LocatedMap, field_path

__all__ = ["PARSER", "Limits", "Reading", "read"]

PARSER: Final = "libyaml" if hasattr(_yaml, "CParser") else "python"
"""Which parser makes the events: ``"libyaml"``, or ``"python"`` (some 20 times slower)."""


@frozen
class Limits:
    """How much of a text is read before the reader gives up with ``UPL004``.

    ``size``: bytes of one text (in UTF-8 if it was given as ``str``).
    ``depth``: mappings and sequences within one another.
    ``nodes``: keys, scalars, mappings and sequences of one text; behind the first
    25,000 at most one for each 6 bytes.
    ``documents``: documents of one text, the empty ones too; behind the first 1,000
    at most one for each 64 bytes.
    ``key``: code points of one key; YAML's own limit for keys without ``?``.
    ``directives``: ``%TAG`` lines of one text (libyaml compares each with all).
    ``findings``: diagnostics about one text.

    >>> Limits().depth
    100
    """

    size: int = 16 * 2**20
    depth: int = 100
    nodes: int = 300_000
    documents: int = 50_000
    key: int = 1024
    directives: int = 100
    findings: int = 1000


_DEFAULT_LIMITS: Final = Limits()


@frozen
class Reading:
    """What one text held: its sound documents, and every finding, in order."""

    documents: tuple[Document, ...] = ()
    diagnostics: tuple[Diagnostic, ...] = ()


def read(
    data: bytes | bytearray | memoryview | str,
    file: str = "",
    limits: Limits = _DEFAULT_LIMITS,
    *,
    cluster: str = "",
) -> Reading:
    r"""Read all documents of a YAML or JSON text.

    Bytes are UTF-8, or UTF-16 if a byte order mark says so. ``file`` and
    ``cluster`` are what the places in documents and diagnostics are called.
    Codes: ``UPL001`` (syntax, encoding, key or tag), ``UPL002`` (duplicate
    key), ``UPL003`` (alias, merge key), ``UPL004`` (limit), ``UPL009``
    (ambiguous scalar, a warning).

    Laws (tests/laws/test_manifest_laws.py): never raises on any text; every
    place lies within the text; what ``json.dumps`` writes is read back equal.
    Complexity: O(len(data)), in time and in space. Raises `TypeError` for what is
    neither text nor bytes.

    >>> reading = read("weight: 5\nactive: yes\n", "u.yaml")
    >>> reading.documents[0].root
    {'weight': 5, 'active': 'yes'}
    >>> reading.documents[0].root.marks["weight"][1]
    Span(line=1, column=9, end_line=1, end_column=10)
    >>> reading.diagnostics[0].message
    "'yes' is text here, a boolean in YAML 1.1; quote it"

    Source: YAML 1.1 and 1.2 (10.2 JSON schema); RFC 8259.
    """
    if isinstance(data, bytearray | memoryview):
        data = bytes(data)
    if not isinstance(data, bytes | str):
        raise TypeError(f"a manifest is read from str or bytes, not from {type(data).__name__}")
    reader = _Reader(file, cluster, limits)
    with contextlib.suppress(_EnoughError):
        reader.read(data)
    return Reading(tuple(reader.documents), tuple(reader.findings))


_CORE: Final[dict[str, tuple[type, ...]]] = {
    "tag:yaml.org,2002:int": (int,),
    "tag:yaml.org,2002:float": (float, int),
    "tag:yaml.org,2002:bool": (bool,),
    "tag:yaml.org,2002:null": (type(None),),
}
_STRING_TAGS: Final = ("!", "tag:yaml.org,2002:str")
_MAP_TAGS: Final = (None, "!", "tag:yaml.org,2002:map")
_LIST_TAGS: Final = (None, "!", "tag:yaml.org,2002:seq")


class _EnoughError(Exception):
    """Stop reading: a limit was passed, and the finding that says so is made."""


def _too_deep(error: Exception) -> int | None:
    """Tell the offset at which libyaml (0.2.6 and later) refused to go deeper, or ``None``."""
    if getattr(error, "problem", None) != "exceeded maximum nesting depth":
        return None
    mark: Any = getattr(error, "problem_mark", None)
    return None if mark is None else int(mark.index)


def _revealing(get_event: Callable[[], Any]) -> Callable[[], Any]:
    """Undo `_text.hide_pairs` in each scalar that passes."""

    def get_revealed_event() -> Any:
        event = get_event()
        if type(event) is _yaml.ScalarEvent:
            event.value = _text.reveal_pairs(event.value, escaped=event.style == '"')
        return event

    return get_revealed_event


class _Reader:
    """One reading of one text: the documents and findings so far, and the loop."""

    def __init__(self, file: str, cluster: str, limits: Limits) -> None:
        self.file = file
        self.cluster = cluster
        self.limits = limits
        self.documents: list[Document] = []
        self.findings: list[Diagnostic] = []
        self.text_end = (1, 1)
        self.most_nodes, self.most_documents = limits.nodes, limits.documents
        self.stack: list[tuple[Any, Any, str | None, Span, int, int]] = []
        # True once the document being read holds an error that costs it.
        self.broken = False

    def read(self, data: bytes | str) -> None:
        limits = self.limits
        if (size := _text.size(data)) > limits.size:
            self.stop(f"{size} bytes are more than {limits.size}", Span())
        text, unreadable = _text.decode(data)
        self.text_end = _text.end(text)
        if _text.tag_directives(text) > limits.directives:
            self.stop(f"more than {limits.directives} %TAG directives", Span())
        self.most_nodes = _text.most_nodes(size, limits.nodes)
        self.most_documents = _text.most_documents(size, limits.documents)
        try:
            self.documents_of(text, cut=bool(unreadable))
        except (_yaml.YAMLError, ValueError, OverflowError) as error:
            deep = _too_deep(error)
            if deep is not None:
                self.deep_documents_of(text[:deep])
            # A cut text is broken where it was cut: that is no second finding.
            if not unreadable or deep is not None:
                self.syntax_error(error)
        if unreadable:
            self.error("UPL001", unreadable, self.point(*self.text_end))

    def deep_documents_of(self, text: str) -> None:
        """Read anew, up to where the parser refused to go deeper.

        It looks ahead, so it may refuse before the first event. Our own limit is
        met on the way there, at its place, if it is the lower one.
        """
        self.documents, self.findings, self.stack = [], [], []
        with contextlib.suppress(_yaml.YAMLError, ValueError, OverflowError):
            self.documents_of(text, cut=True)

    def documents_of(self, text: str, *, cut: bool) -> None:  # noqa: C901, PLR0912, PLR0915
        """Turn parser events into trees.

        One long function on purpose: this is the innermost loop, and a call
        per node would cost as much as the parsing does.
        """
        limits = self.limits
        budget = self.most_nodes
        max_depth, max_key = limits.depth, limits.key
        last_line = self.text_end[0]
        text, paired = _text.hide_pairs(text)
        get_event = parser_of(_yaml)(text).get_event
        if paired:
            get_event = _revealing(get_event)
        scalar_event = _yaml.ScalarEvent
        map_event, list_event = _yaml.MappingStartEvent, _yaml.SequenceStartEvent
        map_end, list_end = _yaml.MappingEndEvent, _yaml.SequenceEndEvent

        # Around each container being read: the container it stands in, that
        # one's marks, key and key's span, and where this one starts. The
        # outermost list has one item: the document's root.
        stack = self.stack
        node: Any = LocatedList()
        marks: Any = node.marks
        in_map = False
        key: str | None = None  # in a mapping: the key whose value comes next
        key_span = span = Span()
        duplicates: dict[tuple[int, str], tuple[Any, str, Any, Any]] = {}
        started = 0
        sound = unfinished = False
        value: Any
        new: Any = tuple.__new__  # what Span() does, without its frame
        odd_keys, numeric, words = ODD_KEYS, NUMERIC, WORDS

        while True:
            event = get_event()
            kind = type(event)
            if kind is scalar_event:
                begin, end = event.start_mark, event.end_mark
                end_line = end.line + 1
                span = new(Span, (begin.line + 1, begin.column + 1, end_line, end.column + 1))
                if end_line > last_line:
                    span = self.within(span)
                value = event.value
                budget -= 1
                if in_map and key is None:
                    key, key_span = value, span
                    if len(value) > max_key:
                        at = self.path(node, value[:20] + "…")
                        self.stop(f"a key longer than {max_key} characters", span, at)
                    if value in odd_keys and not event.style:
                        self.bad_key(value, span, self.path(node, key))
                    if event.tag is not None and event.tag not in _STRING_TAGS:
                        self.bad_tag(span, self.path(node, key))
                    if key in marks:
                        # The first value is put back when the document ends.
                        first = (node, key, node[key], marks[key])
                        first = duplicates.setdefault((id(node), key), first)
                        self.duplicate(key, span, first[3][0], self.path(node, key))
                    continue
                if event.tag is not None:
                    value = self.tagged(event, span, self.path(node, key))
                elif not event.style and (value[:1] in numeric or value in words):
                    value, what = resolve(value)
                    if what:
                        self.ambiguous(value, what, span, self.path(node, key))
            elif kind is map_event or kind is list_event:
                budget -= 1
                begin = event.start_mark
                line, column = begin.line + 1, begin.column + 1
                if len(stack) >= max_depth:
                    span = Span(line, column, line, column)
                    at = self.path(node, key)
                    self.stop(f"more than {max_depth} levels of nesting", span, at)
                is_map = kind is map_event
                if event.tag not in (_MAP_TAGS if is_map else _LIST_TAGS):
                    span = Span(line, column, line, column)
                    self.bad_tag(span, self.path(node, key))
                stack.append((node, marks, key, key_span, line, column))
                node = LocatedMap() if is_map else LocatedList()
                marks = node.marks
                in_map, key = is_map, None
                continue
            elif kind is map_end or kind is list_end:
                value = node
                node, marks, key, key_span, line, column = stack.pop()
                begin, end = event.start_mark, event.end_mark
                if begin.index == end.index:
                    # A block's end is only noticed at the next token: `span`
                    # is still that of the last value in it.
                    span = Span(line, column, span.end_line, span.end_column)
                else:
                    span = Span(line, column, end.line + 1, end.column + 1)
                value.span = span
                in_map = type(node) is LocatedMap
                if in_map and key is None:
                    key, key_span = "?", span
                    self.bad_key("?", span, self.path(node, key))
                    continue
            elif kind is _yaml.AliasEvent:
                begin, end = event.start_mark, event.end_mark
                span = Span(begin.line + 1, begin.column + 1, end.line + 1, end.column + 1)
                is_key = in_map and key is None
                if is_key:
                    key, key_span = "*", span
                self.bad_alias(span, self.path(node, key))
                if is_key:
                    continue
                value = None
            elif kind is _yaml.DocumentStartEvent:
                started += 1
                begin = event.start_mark
                if started > self.most_documents:
                    span = self.point(begin.line + 1, begin.column + 1)
                    self.stop(f"more than {self.most_documents} documents", span)
                node = LocatedList()
                marks = node.marks
                in_map, key = False, None
                self.broken = False
                continue
            elif kind is _yaml.DocumentEndEvent:
                for owner, name, first_value, first_marks in duplicates.values():
                    owner[name] = first_value
                    owner.marks[name] = first_marks
                duplicates.clear()
                span = marks[0]
                empty = node[0] is None and span[:2] == span[2:]
                unfinished = cut and not event.explicit
                sound = not (self.broken or empty)
                if sound:
                    self.documents.append(Document(node[0], span, self.file))
                continue
            elif kind is _yaml.StreamEndEvent or event is None:
                if unfinished and sound:
                    # The last document ends where the text was cut.
                    self.documents.pop()
                return
            else:
                continue

            # A value is complete: hang it where it belongs.
            if in_map:
                node[key] = value
                marks[key] = (key_span, span)
                key = None
            else:
                node.append(value)
                marks.append(span)
            if budget < 0:
                at = self.path(node, None)
                self.stop(f"more than {self.most_nodes} nodes", span, at)

    def path(self, node: Any, key: str | None) -> tuple[str | int, ...]:
        """Tell the path to the value, or key, that comes next in ``node``."""
        steps: list[str | int] = []
        for owner, _, name, *_ in self.stack[1:]:
            if name is None:
                # In a key that is itself a mapping or sequence, there is no name yet.
                steps.append(len(owner) if type(owner) is LocatedList else "?")
            else:
                steps.append(name)
        if self.stack and type(node) is LocatedList:
            steps.append(len(node))
        elif key is not None:
            steps.append(key)
        return tuple(steps)

    def within(self, span: Span) -> Span:
        """Cut a place off at the end of the text: libyaml ends it with a line break of its own."""
        return Span(*min(span[:2], self.text_end), *min(span[2:], self.text_end))

    def point(self, line: int, column: int) -> Span:
        """Make a place of no width, within the text."""
        return self.within(Span(line, column, line, column))

    def error(
        self,
        code: str,
        message: str,
        span: Span,
        path: tuple[str | int, ...] = (),
        *,
        severity: Severity = Severity.ERROR,
        related: tuple[Related, ...] = (),
        suggestion: str | None = None,
    ) -> None:
        """Note a finding; give up when there are too many."""
        if len(self.findings) >= self.limits.findings:
            self.stop(f"more than {self.limits.findings} findings", span, path)
        location = Location(self.cluster, self.file, span, field_path(masked(path)))
        self.findings.append(Diagnostic(code, severity, message, location, related, suggestion))

    def stop(self, what: str, span: Span, path: tuple[str | int, ...] = ()) -> NoReturn:
        """Note that a limit was passed, and stop reading."""
        location = Location(self.cluster, self.file, span, field_path(masked(path)))
        message = f"{what}; nothing behind this place was read"
        self.findings.append(Diagnostic("UPL004", Severity.ERROR, message, location))
        raise _EnoughError

    def syntax_error(self, error: Any) -> None:
        """Note what the parser could not read, in its own words."""
        # A tag's escapes (libyaml) and a scalar's (Python) become characters only
        # in the parser's hands; what then goes wrong has no words and no place.
        message = getattr(error, "problem", None) or "an escape is no character"
        if message.startswith("found undefined tag handle"):
            message = "found undefined tag handle"  # the slower parser says which
        mark = getattr(error, "problem_mark", None)
        if context := getattr(error, "context", None):
            message += f", {context}"
            if begun := error.context_mark:
                # libyaml gives a last line without its break one of its own.
                message += f" that starts at line {min(begun.line + 1, self.text_end[0])}"
        where = (mark.line + 1, mark.column + 1) if mark else self.text_end
        self.error("UPL001", f"invalid YAML: {message}", self.point(*where), self.path(None, None))

    def bad_alias(self, span: Span, path: tuple[str | int, ...]) -> None:
        self.broken = True
        self.error("UPL003", "an alias is not allowed; write out what it stands for", span, path)

    def bad_key(self, text: str, span: Span, path: tuple[str | int, ...]) -> None:
        self.broken = True
        if text == "<<":
            message = "a merge key (<<) is not allowed; write the fields out"
            self.error("UPL003", message, span, path)
        else:
            got = "a mapping or sequence" if text == "?" else "null"
            self.error("UPL001", f"a key must be text, not {got}", span, path)

    def bad_tag(self, span: Span, path: tuple[str | int, ...]) -> None:
        self.broken = True
        self.error("UPL001", "this tag is not allowed here; remove it", span, path)

    def duplicate(self, key: str, span: Span, first: Span, path: tuple[str | int, ...]) -> None:
        shown = f"the key {key[:80]!r}"
        if in_headers(path):
            path, shown = (*path[:-1], MASK), "this key"
        there = Location(self.cluster, self.file, first, field_path(masked(path)))
        self.error(
            "UPL002",
            f"{shown} stands here twice; the first one counts",
            span,
            path,
            related=(Related(there, "first here"),),
        )

    def tagged(self, event: Any, span: Span, path: tuple[str | int, ...]) -> Any:
        """Give a scalar the core type that its tag asks for."""
        if event.tag in _STRING_TAGS:
            return event.value
        value, _ = resolve(event.value)
        tag = event.tag or ""
        if type(value) not in _CORE.get(tag, ()):
            self.bad_tag(span, path)
        return value

    def ambiguous(self, text: str, what: str, span: Span, path: tuple[str | int, ...]) -> None:
        """Warn of a scalar that YAML 1.1 reads in another way; show it unless it may be secret."""
        shown, what_to_do, suggestion = advice(text, path)
        self.error(
            "UPL009",
            f"{'this' if shown is None else repr(shown)} is text here, {what} in YAML 1.1; "
            f"{what_to_do}",
            span,
            path,
            severity=Severity.WARNING,
            suggestion=suggestion,
        )
