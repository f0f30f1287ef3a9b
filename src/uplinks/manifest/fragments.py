"""JSON text in fragments: the fields of one object, and the items of one list in it.

A document of 50,000 objects is read many times and rarely has a mistake. Building a located
tree of it takes ten times as long as reading its values, and most of the memory. So
each fragment is read without places first. `read_fragment` makes the located tree of one
fragment when a place in it is needed.

`Fragment.exact` is false where both readings could differ: a duplicate key, half of an
escaped surrogate pair, a number too long. Then only the second one counts.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from functools import lru_cache, partial
from json.decoder import scanstring  # type: ignore[attr-defined] # typeshed omits it
from typing import Any, Final

from attrs import evolve, field, frozen

from uplinks.diagnostics import Diagnostic, Location, Severity, Span, limit_exceeded
from uplinks.located import Document, LocatedMap, Path, field_path
from uplinks.manifest import Documents, Limits, _text, read
from uplinks.manifest._findings import DUPLICATE_KEY, SYNTAX

__all__ = ["Fragment", "Fragments", "fragments_of", "lazy_document", "read_fragment"]

_SPACE: Final = re.compile(r"[ \t\n\r]*")
_SURROGATE: Final = re.compile(r"\\u[dD][89a-fA-F]")
_LONGEST_NUMBER: Final = 40


@frozen
class Fragment:
    """One value of a JSON text: its text, its path and place, and the value.

    The text may hold credentials, so it is not part of the repr, nor is the value.
    """

    text: str = field(repr=False)
    path: Path
    span: Span
    value: Any = field(repr=False)
    exact: bool

    @property
    def start(self) -> tuple[int, int]:
        """The line and column at which the text starts."""
        return self.span.line, self.span.column


@frozen
class Fragments:
    """The top-level fields of a JSON object, and the items of one of its lists.

    ``fields`` has all fields but that list, ``top`` is the object itself, with the
    places of its fields. Items behind an error are not read.
    """

    fields: Mapping[str, Fragment]
    items: tuple[Fragment, ...]
    top: Document
    diagnostics: tuple[Diagnostic, ...]


class _Stop(Exception):
    """End the reading at a place: with a syntax error, or because a limit is exceeded."""

    def __init__(self, message: str, place: tuple[int, int], *, limit: bool = False) -> None:
        super().__init__(message)
        self.message = message
        self.place = place
        self.limit = limit


class _Scanner:
    """A position in a JSON text, and the line and column there."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._at = 0
        self._line, self._column = 1, 1
        self._counted = 0  # the offset at which line and column were counted
        self._exact = True
        self._decoder = json.JSONDecoder(
            object_pairs_hook=self._object, parse_int=self._integer, parse_constant=self._constant
        )

    def place(self) -> tuple[int, int]:
        """Count the line and column of the position."""
        lines, columns = _text.end(self._text[self._counted : self._at])
        self._counted = self._at
        self._column = columns + (self._column - 1 if lines == 1 else 0)
        self._line += lines - 1
        return self._line, self._column

    def take(self, characters: str) -> str:
        """Skip spaces and one of these characters, and return it; ``""`` if another one follows."""
        match = _SPACE.match(self._text, self._at)
        self._at = self._at if match is None else match.end()
        found = self._text[self._at : self._at + 1]
        if not found or found not in characters:
            return ""
        self._at += 1
        return found

    def expect(self, characters: str) -> str:
        """Take one of these characters. Raises `_Stop` if another one follows."""
        return self.take(characters) or self._fail(f"expected {' or '.join(characters)}")

    def peek(self, character: str) -> bool:
        """Return whether this character follows."""
        found = self.take(character)
        self._at -= len(found)
        return bool(found)

    def key(self) -> tuple[str, Span]:
        """Read the key of a field. Raises `_Stop`."""
        self.expect('"')
        self._at -= 1
        start = self.place()
        try:
            key, self._at = scanstring(self._text, self._at + 1, True)  # noqa: FBT003 - its signature
        except json.JSONDecodeError as error:
            self._at = error.pos
            self._fail(error.msg)
        span = Span(*start, *self.place())
        self.expect(":")
        return key, span

    def value(self, path: Path) -> Fragment:
        """Read a value. Raises `_Stop`."""
        self.take("")
        begin, start = self._at, self.place()
        self._exact = True
        try:
            value, self._at = self._decoder.raw_decode(self._text, begin)
        except json.JSONDecodeError as error:
            self._at = error.pos
            self._fail(error.msg)
        except RecursionError:
            deep = f"more than {Limits().depth} levels of nesting"
            raise _Stop(deep, start, limit=True) from None
        text = self._text[begin : self._at]
        exact = self._exact and not (_SURROGATE.search(text) and _has_half_a_pair(value))
        return Fragment(text, path, Span(*start, *self.place()), value, exact)

    def end(self) -> None:
        """Expect the end of the text. Raises `_Stop`."""
        self.take("")
        if self._at < len(self._text):
            self._fail("expected the end of the text")

    def _fail(self, problem: str) -> Any:
        problem = problem.removesuffix(" at").removesuffix(" starting")
        self._at = max(self._at, self._counted)
        raise _Stop(f"invalid JSON: {problem[0].lower()}{problem[1:]}", self.place())

    def _object(self, pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        found = dict(pairs)
        self._exact &= len(found) == len(pairs)
        return found

    def _integer(self, digits: str) -> int | str:
        if len(digits) <= _LONGEST_NUMBER:
            return int(digits)
        return self._constant(digits)

    def _constant(self, text: str) -> str:
        self._exact = False
        return text


def fragments_of(
    data: bytes | str,
    listed: str,
    file: str = "",
    *,
    cluster: str = "",
    limits: Limits | None = None,
    most: int = 100_000,
) -> Fragments:
    """Read a JSON object in fragments: its fields, and each item of the field ``listed``.

    More than ``most`` items, or bytes than ``limits.size``, are an error, as is text
    that is not JSON. Complexity: O(len(data)). Raises nothing.

    >>> whole = fragments_of('{"version": 1, "uplinks": [{"a": 1}, 2]}', "uplinks")
    >>> whole.fields["version"].value, [(i.value, i.span.column) for i in whole.items]
    (1, [({'a': 1}, 28), (2, 38)])

    Source: RFC 8259.
    """
    limits = limits or Limits()
    size = _text.size(data)
    if size > limits.size:
        problem = f"the text has {size} bytes, more than {limits.size}"
        found = limit_exceeded(problem, Location(cluster, file))
        return Fragments({}, (), Document(None, Span(), file, cluster), (found,))
    text, unreadable = _text.decode(data)
    reading = _Reading(Document(LocatedMap(), Span(), file, cluster))
    try:
        reading.read(_Scanner(text), listed, most)
        if unreadable:
            raise _Stop(unreadable, (1, 1))  # noqa: TRY301 - as any other syntax error
    except _Stop as stop:
        # Unreadable text was cut off, and may be well-formed up to there.
        place = _text.end(text) if unreadable else stop.place
        location = Location(cluster, file, Span(*place, *place))
        error = Diagnostic(SYNTAX, Severity.ERROR, unreadable or stop.message, location)
        reading.found.append(limit_exceeded(stop.message, location) if stop.limit else error)
    return Fragments(reading.fields, tuple(reading.items), reading.top, tuple(reading.found))


class _Reading:
    """What has been read so far."""

    def __init__(self, top: Document) -> None:
        self.top = top
        self.fields: dict[str, Fragment] = {}
        self.items: list[Fragment] = []
        self.found: list[Diagnostic] = []

    def read(self, scanner: _Scanner, listed: str, most: int) -> None:
        """Read the object. Raises `_Stop`."""
        root = self.top.root
        for key, span in _keys(scanner):
            if key in root.marks:
                message = "a field of the document occurs twice; the first one is used"
                place = Location(self.top.cluster, self.top.file, span)
                self.found.append(Diagnostic(DUPLICATE_KEY, Severity.ERROR, message, place))
                scanner.value((key,))
            elif key == listed and scanner.peek("["):
                start = scanner.place()
                root[key], root.marks[key] = None, (span, Span(*start, *start))
                for item in _items(scanner, listed):
                    if len(self.items) == most:
                        raise _Stop(f"more than {most} {listed}", item.start, limit=True)
                    self.items.append(item)
            else:
                self.fields[key] = fragment = scanner.value((key,))
                root[key], root.marks[key] = fragment.value, (span, fragment.span)


def _has_half_a_pair(value: Any) -> bool:
    """Return whether a string in a value has a surrogate without the other one."""
    try:
        json.dumps(value, ensure_ascii=False).encode()
    except UnicodeEncodeError:
        return True
    return False


def _keys(scanner: _Scanner) -> Iterator[tuple[str, Span]]:
    """Go through the fields of the object; the caller reads each value."""
    scanner.expect("{")
    if not scanner.take("}"):
        while True:
            yield scanner.key()
            if scanner.expect(",}") == "}":
                break
    scanner.end()


def _items(scanner: _Scanner, name: str) -> Iterator[Fragment]:
    scanner.expect("[")
    if scanner.take("]"):
        return
    index = 0
    while True:
        yield scanner.value((name, index))
        index += 1
        if scanner.expect(",]") == "]":
            return


def read_fragment(fragment: Fragment, file: str = "", *, cluster: str = "") -> Documents:
    """Read the located tree of one fragment, as `read` does.

    The document's path and places are those in the whole text.
    Complexity: O(length of the fragment). Raises nothing.

    >>> whole = fragments_of('{"uplinks": [{"weight": 1, "weight": 2}]}', "uplinks")
    >>> tree = read_fragment(whole.items[0], "u.json")
    >>> tree.documents[0].root, [str(d.location) for d in tree.diagnostics]
    ({'weight': 1}, ['u.json:1:28'])

    Source: as `read`.
    """
    tree = read(fragment.text, file, cluster=cluster)
    documents = [lazy_document(fragment, file, cluster, root=each.root) for each in tree.documents]
    found = (_shifted(each, fragment) for each in tree.diagnostics)
    return Documents(tuple(documents), tuple(found))


def lazy_document(
    fragment: Fragment, file: str = "", cluster: str = "", root: Any = None
) -> Document:
    """Make the document of a fragment; its tree is read when a place in it is looked up.

    Complexity: O(1); the first look-up is O(length of the fragment).

    >>> item = fragments_of('{"uplinks": [{"weight": 5}]}', "uplinks").items[0]
    >>> from uplinks.located import Origin
    >>> place = Origin(lazy_document(item, "u.json")).locate("weight")
    >>> str(place), place.path
    ('u.json:1:25', '$.uplinks[0].weight')
    """
    if root is None:
        root = partial(_root_of, fragment.text)
    return Document(root, fragment.span, file, cluster, fragment.path, fragment.start)


@lru_cache(maxsize=16)  # several places are looked up in one object
def _root_of(text: str) -> Any:
    return next((each.root for each in read(text).documents), None)


def _shifted(diagnostic: Diagnostic, fragment: Fragment) -> Diagnostic:
    """Move a diagnostic about a fragment's text to its place in the whole text."""
    prefix = field_path(fragment.path)

    def move(location: Location) -> Location:
        span = location.span.shifted(*fragment.start)
        return evolve(location, span=span, path=prefix + location.path[1:])

    related = [evolve(each, location=move(each.location)) for each in diagnostic.related]
    return evolve(diagnostic, location=move(diagnostic.location), related=related)
