"""A manifest's tree with the place of every key and value.

A tree consists of `LocatedMap`, `LocatedList` and plain scalars (``str``, ``int``,
``float``, ``bool``, ``None``). The first two are a ``dict`` and a ``list``, so code
that needs only the values can ignore the places. Places are kept per container,
never by a joined path, since a key may contain a dot.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import Any

from attrs import field, frozen

from uplinks.diagnostics import Location, Span

__all__ = [
    "UNLOCATED",
    "Document",
    "JoinedOrigin",
    "LocatedList",
    "LocatedMap",
    "Origin",
    "Path",
    "field_path",
]

Path = tuple[str | int, ...]
"""The keys and indices that lead from a root to a value."""


class LocatedMap(dict[str, Any]):
    """A mapping with the places of itself, its keys and its values.

    ``span`` is the place of the whole mapping. ``marks`` maps each key to a pair
    (span of the key, span of the value).
    """

    __slots__ = ("marks", "span")

    def __init__(self, span: Span = Span()) -> None:  # noqa: B008 - immutable
        super().__init__()
        self.span = span
        self.marks: dict[str, tuple[Span, Span]] = {}


class LocatedList(list[Any]):
    """A list with the places of itself and its items.

    ``span`` is the place of the whole list, ``marks[i]`` that of item i.
    """

    __slots__ = ("marks", "span")

    def __init__(self, span: Span = Span()) -> None:  # noqa: B008 - immutable
        super().__init__()
        self.span = span
        self.marks: list[Span] = []


def field_path(path: Path) -> str:
    """Format a path as diagnostics show it.

    >>> field_path(("spec", "routes", 0, "services"))
    '$.spec.routes[0].services'
    >>> field_path(("metadata", "annotations", "hub.traefik.io/router.uplinks"))
    '$.metadata.annotations["hub.traefik.io/router.uplinks"]'
    """
    return "$" + "".join(map(_step, path))


@lru_cache(maxsize=1024)  # the fields are few, and the same in every object
def _step(step: str | int) -> str:
    if isinstance(step, int):
        return f"[{step}]"
    if step.replace("_", "a").isalnum():
        return f".{step}"
    escaped = step.replace("\\", "\\\\").replace('"', '\\"')
    return f'["{escaped}"]'


@frozen
class Document:
    """One YAML or JSON document: its root value, its place, its file and its cluster.

    The root may hold credentials, so it is not part of the repr. It may be a function
    that reads it: most documents are never looked into again. ``path`` leads to the
    root in its file, and ``start`` is the line and column at which the root's text
    begins there; its places count from that.

    >>> Document({"weight": 5}, file="u.yaml")
    Document(span=Span(line=1, column=1, end_line=1, end_column=1), file='u.yaml', cluster='')
    """

    root: Any = field(repr=False)
    span: Span = Span()
    file: str = ""
    cluster: str = ""
    path: Path = field(default=(), repr=False)
    start: tuple[int, int] = field(default=(1, 1), repr=False)

    def tree(self) -> Any:
        """Return the root, read if it is not yet."""
        return self.root() if callable(self.root) else self.root


@frozen
class Origin:
    """Where an object of the model was read.

    ``base`` is the path from the document's root to the object. It is empty unless
    the object was an item of a ``kind: List`` or of ``extraObjects``.

    >>> location = UNLOCATED.locate("spec", "weight")
    >>> str(location), location.path
    ('<text>:1:1', '$.spec.weight')
    """

    document: Document = field(default=Document(None), repr=lambda d: repr(d.file))
    base: Path = ()

    @property
    def path(self) -> Path:
        """The path of the object in its file."""
        return self.document.path + self.base

    def locate(self, *path: str | int, key: bool = False) -> Location:
        """Find the place of the value at a path of the object.

        With ``key=True`` the place of its key. Where the path does not exist, the
        nearest existing place above it, so a missing field is reported where it
        is missing. Complexity: O(len(path)).
        """
        node = self.document.tree()
        span = self.document.span
        start = self.document.start
        steps = self.base + path
        for depth, step in enumerate(steps):
            if isinstance(node, LocatedMap) and step in node.marks:
                key_span, value_span = node.marks[str(step)]
                span = key_span if key and depth == len(steps) - 1 else value_span
                span = span.shifted(*start)
                node = node[str(step)]
            elif isinstance(node, LocatedList) and isinstance(step, int) and step < len(node.marks):
                span = node.marks[step].shifted(*start)
                node = node[step]
            else:
                # Missing here: point at the start of the mapping, not at all of it.
                span = Span(span.line, span.column, span.line, span.column + 1)
                break
        shown = field_path(self.document.path + path)
        return Location(self.document.cluster, self.document.file, span, shown)

    @property
    def parts(self) -> tuple[Origin, ...]:
        """The places in which the object is declared."""
        return (self,)

    def depth_of(self, path: Path) -> int:
        """Count the steps of a path that exist. Complexity: O(len(path))."""
        node = self.document.root
        for depth, step in enumerate(self.base + path):
            inside = isinstance(node, list) and isinstance(step, int) and step < len(node)
            if not inside and not (isinstance(node, dict) and step in node):
                return depth - len(self.base)
            node = node[step]
        return len(path)

    def value_at(self, *path: str | int) -> Any:
        """Return the value at a path of the object, or ``None`` if there is none.

        Complexity: O(len(path)).

        >>> UNLOCATED.value_at("spec") is None
        True
        """
        node = self.document.tree()
        for step in self.base + path:
            inside = isinstance(node, list) and isinstance(step, int) and step < len(node)
            if not inside and not (isinstance(node, dict) and step in node):
                return None
            node = node[step]
        return node


@frozen
class JoinedOrigin(Origin):
    """Where an object was read that is declared in several places, the first one above all.

    A path is looked up where most of it exists.

    >>> first, second = ({"hub": {"a": 1}}, {"hub": {"b": 2}})
    >>> origins = [Origin(Document(tree, file=f)) for tree, f in ((first, "1"), (second, "2"))]
    >>> str(JoinedOrigin.of(origins).locate("hub", "b"))
    '2:1:1'
    """

    others: tuple[Origin, ...] = ()

    @classmethod
    def of(cls, origins: Sequence[Origin]) -> Origin:
        """Join origins; of one origin it is the same."""
        first, *others = origins
        return cls(first.document, first.base, tuple(others)) if others else first

    @property
    def parts(self) -> tuple[Origin, ...]:
        """The origins that were joined."""
        return (Origin(self.document, self.base), *self.others)

    def _nearest(self, path: Path) -> Origin:
        return max(self.parts, key=lambda each: each.depth_of(path))

    def locate(self, *path: str | int, key: bool = False) -> Location:
        """Find the place of the value at a path, as `Origin.locate`."""
        return self._nearest(path).locate(*path, key=key)

    def value_at(self, *path: str | int) -> Any:
        """Return the value at a path, as `Origin.value_at`."""
        return self._nearest(path).value_at(*path)


UNLOCATED = Origin()
"""The origin of an object that was made in Python, not read."""
