"""Canonical trees: what a form says, in the form of Traefik's YAML file, with its places.

``typed`` copies a tree as Traefik's decoder reads it: the names of fields in any case, and
a string where a number, a boolean, a list or an empty mapping is meant.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from functools import cache
from types import MappingProxyType, UnionType
from typing import Any, Final, Union, get_args, get_origin, get_type_hints

import attrs

from uplinks.diagnostics import Span
from uplinks.located import LocatedList, LocatedMap, Origin
from uplinks.model import Header
from uplinks.schema._layout import written_path

__all__ = [
    "canonical_origin",
    "copy_map",
    "get_case",
    "items_of",
    "marks_of",
    "put",
    "span_of",
    "typed",
]

Hint = Any
"""A type, or a dict of names and hints: a mapping that may have other names as well."""

# What Go's `strconv.ParseBool` accepts.
_BOOLEANS: Final[Mapping[str, bool]] = MappingProxyType(
    {
        **dict.fromkeys(("1", "t", "T", "TRUE", "true", "True"), True),
        **dict.fromkeys(("0", "f", "F", "FALSE", "false", "False"), False),
    }
)
_INTEGER: Final = re.compile("[-+]?[0-9]{1,18}")


def span_of(node: Any) -> Span:
    """Give the place of a container; that of a tree that is no text is 1:1."""
    return node.span if isinstance(node, LocatedMap | LocatedList) else Span()


def marks_of(node: Any, step: Any) -> tuple[Span, Span]:
    """Give the places of the key and the value at a step of a container."""
    if isinstance(node, LocatedMap) and step in node.marks:
        return node.marks[step]
    if isinstance(node, LocatedList) and step < len(node.marks):
        return node.marks[step], node.marks[step]
    return span_of(node), span_of(node)


def put(tree: LocatedMap, key: str, value: Any, marks: tuple[Span, Span]) -> Any:
    """Put a value with its places into a mapping, and return it."""
    tree[key] = value
    tree.marks[key] = marks
    return value


def copy_map(node: Any) -> LocatedMap:
    """Copy a mapping, not what is in it."""
    tree = LocatedMap(span_of(node))
    for key, value in node.items():
        put(tree, key, value, marks_of(node, key))
    return tree


def items_of(node: Any) -> Iterator[tuple[str, Any, tuple[Span, Span]]]:
    """Give the keys, values and places of a mapping; nothing of anything else."""
    if isinstance(node, dict):
        for key, value in node.items():
            if isinstance(key, str):
                yield key, value, marks_of(node, key)


def get_case(node: Any, name: str) -> str | None:
    """Find the key that is a name in any case.

    >>> get_case({"Hub": 1}, "hub")
    'Hub'
    """
    if not isinstance(node, dict):
        return None
    if name in node:
        return name
    lower = name.lower()
    return next((key for key in node if isinstance(key, str) and key.lower() == lower), None)


def canonical_origin(tree: LocatedMap, origin: Origin) -> Origin:
    """Give the origin of a canonical tree that was made of an object."""
    document = origin.document
    return Origin(attrs.evolve(document, root=tree, span=tree.span.shifted(*document.start)))


# --- as Traefik's decoder reads it ---------------------------------------------


def typed(value: Any, hint: Hint) -> Any:
    """Copy a value as it is read for a hint; a value that does not fit stays as it is.

    Complexity: O(size).

    >>> typed({"ASDEFAULT": "true"}, {"asDefault": bool})
    {'asDefault': True}
    """
    hint = _bare(hint)
    if hint is bool:
        return _BOOLEANS.get(value, value) if isinstance(value, str) else value
    if hint is int:
        whole = isinstance(value, str) and _INTEGER.fullmatch(value)
        return int(value) if whole else value
    origin: Any = get_origin(hint)
    if origin is tuple:
        return _list(value, get_args(hint)[0])
    if isinstance(hint, dict) or attrs.has(hint) or origin is Mapping:
        return _mapping(value, hint)
    return value


def _list(value: Any, hint: Hint) -> Any:
    if hint is Header:
        return value  # headers are written as a mapping
    if isinstance(value, str):
        value = [part.strip() for part in value.split(",")]
    if not isinstance(value, list):
        return value
    copy = LocatedList(span_of(value))
    for index, item in enumerate(value):
        copy.append(typed(item, hint))
        copy.marks.append(marks_of(value, index)[1])
    return copy


def _mapping(value: Any, hint: Hint) -> Any:
    switch = _BOOLEANS.get(value, value) if isinstance(value, str) else value
    if switch is True:
        return LocatedMap()
    if not isinstance(value, dict):
        return None if switch is False else value
    origin: Any = get_origin(hint)
    named = origin is Mapping
    inner = get_args(hint)[1] if named else None
    names = {} if named else _names(hint) if isinstance(hint, type) else _lower(hint)
    copy = LocatedMap(span_of(value))
    for key, item in value.items():
        name, kind = key, inner
        if not named and isinstance(key, str):
            name, kind = names.get(key.lower(), (key, None))
        done = item if kind is None else typed(item, kind)
        if done is None and item is not None:
            continue  # switched off
        if isinstance(done, LocatedMap) and not done and isinstance(item, str | bool):
            done.span = marks_of(value, key)[1]
        put(copy, name, done, marks_of(value, key))
    return copy


def _bare(hint: Hint) -> Hint:
    if get_origin(hint) in {Union, UnionType}:
        kinds = [each for each in get_args(hint) if each is not type(None)]
        return kinds[0] if len(kinds) == 1 else object
    return hint


def _lower(hint: Mapping[str, Hint]) -> dict[str, tuple[str, Hint]]:
    return {name.lower(): (name, kind) for name, kind in hint.items()}


@cache
def _names(cls: type[Any]) -> Mapping[str, tuple[str, Hint]]:
    """Give the fields of a class by their written names in lower case."""
    hints = get_type_hints(cls)
    names = [each.name for each in attrs.fields(cls) if each.name not in {"rest", "origin"}]
    return _lower({written_path(cls, name)[-1]: hints[name] for name in names})
