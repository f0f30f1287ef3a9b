"""A manifest's tree in which every key and value knows where it is written.

Rules of this file:

1. A tree is built of `LocatedMap`, `LocatedList` and plain scalars (``str``,
   ``int``, ``float``, ``bool``, ``None``). The first two are ``dict`` and
   ``list``: whoever only wants values need not know more.
2. Places are kept beside the values, container by container, never inside
   them and never keyed by a joined path (a key may contain a dot).
3. A question about a place that does not exist is answered with the nearest
   place above it that does: a missing field is reported where it is missing.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any

from attrs import field, frozen

from uplinks.diagnostics import Location, Span

__all__ = ["UNLOCATED", "Document", "LocatedList", "LocatedMap", "Origin", "field_path"]


class LocatedMap(dict[str, Any]):
    """A mapping that remembers where it, its keys and its values are written.

    ``span`` is the place of the whole mapping. ``marks`` maps each key to the
    pair (span of the key, span of the value).
    """

    __slots__ = ("marks", "span")

    def __init__(self, span: Span = Span()) -> None:  # noqa: B008 - immutable
        super().__init__()
        self.span = span
        self.marks: dict[str, tuple[Span, Span]] = {}


class LocatedList(list[Any]):
    """A sequence that remembers where it and its items are written.

    ``span`` is the place of the whole sequence, ``marks[i]`` that of item i.
    """

    __slots__ = ("marks", "span")

    def __init__(self, span: Span = Span()) -> None:  # noqa: B008 - immutable
        super().__init__()
        self.span = span
        self.marks: list[Span] = []


def field_path(path: tuple[str | int, ...]) -> str:
    """Write a path the way diagnostics show it.

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
    """One YAML or JSON document: its root value, where it stands, which file.

    The root may hold credentials, so it is no part of a repr.

    >>> Document({"weight": 5}, file="u.yaml")
    Document(span=Span(line=1, column=1, end_line=1, end_column=1), file='u.yaml')
    """

    root: Any = field(repr=False)
    span: Span = Span()
    file: str = ""


@frozen
class Origin:
    """Where an object of the model was read from.

    ``base`` is the path from the document's root to the object (empty unless
    the object was an item of a ``kind: List``).

    >>> location = UNLOCATED.locate("spec", "weight")
    >>> str(location), location.path
    ('<text>:1:1', '$.spec.weight')
    """

    document: Document = field(default=Document(None), repr=lambda d: repr(d.file))
    cluster: str = ""
    base: tuple[str | int, ...] = ()

    def locate(self, *path: str | int, key: bool = False) -> Location:
        """Find where the value at a path of the object is written.

        With ``key=True`` the place of the key instead of its value. A path
        that leads nowhere gives the nearest existing place above it.
        Complexity: O(len(path)).
        """
        node = self.document.root
        span = self.document.span
        steps = self.base + path
        for depth, step in enumerate(steps):
            if isinstance(node, LocatedMap) and step in node.marks:
                key_span, value_span = node.marks[str(step)]
                span = key_span if key and depth == len(steps) - 1 else value_span
                node = node[str(step)]
            elif isinstance(node, LocatedList) and isinstance(step, int) and step < len(node.marks):
                span = node.marks[step]
                node = node[step]
            else:
                # Missing here. The whole of a mapping is a poor place to point
                # at, so point at its start only.
                span = Span(span.line, span.column, span.line, span.column + 1)
                break
        return Location(self.cluster, self.document.file, span, field_path(path))

    def written(self, *path: str | int) -> Any:
        """Give what is written at a path of the object, or ``None`` if nothing is.

        Complexity: O(len(path)).

        >>> UNLOCATED.written("spec") is None
        True
        """
        node = self.document.root
        for step in self.base + path:
            inside = isinstance(node, list) and isinstance(step, int) and step < len(node)
            if not inside and not (isinstance(node, dict) and step in node):
                return None
            node = node[step]
        return node


UNLOCATED = Origin()
"""The origin of an object that was made in Python, not read."""
