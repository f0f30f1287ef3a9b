"""Uplinks, routers and composed services of Traefik's file provider.

They become the objects of Kubernetes that say the same, without a namespace. A name
without a provider is the file provider's own, so it gets ``@file``.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

from uplinks import naming
from uplinks.diagnostics import Span
from uplinks.located import LocatedList, LocatedMap
from uplinks.model import UPLINKS_ANNOTATION, IngressRoute, TraefikService, Uplink
from uplinks.schema._forms._tree import (
    get_case,
    items_of,
    marks_of,
    put,
    span_of,
    typed,
)

__all__ = ["OWN_PROVIDER", "dynamic_trees", "is_dynamic"]

OWN_PROVIDER: Final = "file"

Marks = tuple[Span, Span]

_ROUTER: Final = {
    "entryPoints": tuple[str, ...],
    "middlewares": tuple[str, ...],
    "parentRefs": tuple[str, ...],
    "priority": int,
    "rule": str,
    "ruleSyntax": str,
    "service": str,
    "tls": {},
    "uplinks": tuple[str, ...],
}
_ENTRY: Final = {"name": str, "weight": int, "percent": int}
_COMPOSED: Final = {
    "weighted": {"services": tuple[_ENTRY, ...]},  # type: ignore[valid-type] # a hint of ours
    "failover": {"service": str, "fallback": str, "errors": {"status": tuple[str, ...]}},
    "mirroring": {"service": str, "mirrors": tuple[_ENTRY, ...]},  # type: ignore[valid-type]
}


def is_dynamic(node: Any) -> bool:
    """Tell whether a document is a configuration of the file provider that has to do with uplinks.

    >>> is_dynamic({"http": {"uplinks": {"api": {}}}}), is_dynamic({"http": {"routers": {}}})
    (True, False)
    """
    http = _part(node, "http")
    if http is None:
        return False
    if isinstance(_part(http, "uplinks"), dict):
        return True
    routers = [router for _, router, _ in items_of(_part(http, "routers"))]
    if any(get_case(router, "uplinks") is not None for router in routers):
        return True
    named = [_part(router, "service") for router in routers]
    services = [service for _, service, _ in items_of(_part(http, "services"))]
    return any(map(_is_of_uplink, [*named, *_names(services)]))


def _names(services: list[Any]) -> Iterator[Any]:
    """Give the names in composed services, at any place that one may have."""
    for service in services:
        for kind in _COMPOSED:
            composed = _part(service, kind)
            for _, value, _ in items_of(composed):
                entries = value if isinstance(value, list) else [value]
                yield from (_part(each, "name") or each for each in entries)


def _is_of_uplink(name: Any) -> bool:
    return isinstance(name, str) and name.endswith(naming.PROVIDER_SUFFIX)


def _part(node: Any, name: str) -> Any:
    key = get_case(node, name)
    return None if key is None else node[key]


def dynamic_trees(node: Any) -> Iterator[tuple[type, LocatedMap]]:
    """Give the objects of a configuration as canonical trees, each with its class.

    >>> [(cls, tree)] = dynamic_trees({"http": {"uplinks": {"api": {"weight": 3}}}})
    >>> tree["metadata"], tree["spec"]
    ({'name': 'api'}, {'exposeName': 'api', 'weight': 3})
    """
    http = _part(node, "http")
    for name, fields, marks in items_of(_part(http, "uplinks")):
        yield Uplink, _uplink(name, fields, marks)
    for name, fields, marks in items_of(_part(http, "routers")):
        if isinstance(fields, dict):
            yield IngressRoute, _router(name, typed(fields, _ROUTER), marks)
    for name, fields, marks in items_of(_part(http, "services")):
        tree = _composed(name, typed(fields, _COMPOSED), marks)
        if tree is not None:
            yield TraefikService, tree


def _object(name: str, marks: Marks) -> tuple[LocatedMap, LocatedMap]:
    """Make an object with its name, and give its empty ``spec`` as well."""
    tree, metadata, spec = (LocatedMap(marks[1]) for _ in range(3))
    put(tree, "metadata", metadata, marks)
    put(metadata, "name", name, (marks[0], marks[0]))
    put(tree, "spec", spec, marks)
    return tree, spec


def _uplink(name: str, fields: Any, marks: Marks) -> LocatedMap:
    tree, spec = _object(name, marks)
    if fields is not None and not isinstance(fields, dict):
        put(tree, "spec", fields, marks)  # refused as what it is
        return tree
    put(spec, "exposeName", name, (marks[0], marks[0]))
    for key, value, places in items_of(typed(fields or {}, Uplink)):
        put(spec, key, value, places)
    return tree


def _router(name: str, fields: Any, marks: Marks) -> LocatedMap:
    tree, spec = _object(name, marks)
    route = LocatedMap(marks[1])
    uplinks = fields.get("uplinks")
    if isinstance(uplinks, list):
        annotations = LocatedMap(marks[1])
        # No uplink name has a provider, which a reference may have all the same.
        names = ",".join(each.partition("@")[0] for each in uplinks if isinstance(each, str))
        put(annotations, UPLINKS_ANNOTATION, names, marks_of(fields, "uplinks"))
        put(tree["metadata"], "annotations", annotations, marks_of(fields, "uplinks"))
    for key, written in (("entryPoints", "entryPoints"), ("tls", "tls")):
        if fields.get(key) is not None:
            put(spec, written, fields[key], marks_of(fields, key))
    for key, written in (("rule", "match"), ("priority", "priority"), ("ruleSyntax", "syntax")):
        if fields.get(key) is not None:
            put(route, written, fields[key], marks_of(fields, key))
    for key, holder in (("middlewares", route), ("parentRefs", spec)):
        if isinstance(fields.get(key), list):
            named = _references(fields[key], kind=False)
            put(holder, key, named, marks_of(fields, key))
    if isinstance(fields.get("service"), str):
        places = marks_of(fields, "service")
        services = _references([fields["service"]], kind=True, marks=places)
        put(route, "services", services, places)
    routes = LocatedList(marks[1])
    routes.append(route)
    routes.marks.append(marks[1])
    put(spec, "routes", routes, marks)
    return tree


def _composed(name: str, fields: Any, marks: Marks) -> LocatedMap | None:
    """Read a service that is composed of others; ``None`` for one with servers of its own."""
    if not isinstance(fields, dict):
        return None
    tree, spec = _object(name, marks)
    for kind in _COMPOSED:
        given = fields.get(kind)
        if not isinstance(given, dict):
            continue
        written = LocatedMap(span_of(given))
        for key, value, places in items_of(given):
            if isinstance(value, list) and key in {"services", "mirrors"}:
                put(written, key, _references(value, kind=True), places)
            elif isinstance(value, str) and kind == "failover":
                put(written, key, _reference(value, places, kind=True), places)
            elif isinstance(value, str) and key == "service":
                put(written, "name", _qualified(value), places)
                put(written, "kind", "TraefikService", places)
            else:
                put(written, key, value, places)
        put(spec, kind, written, marks_of(fields, kind))
    return tree if spec else None


def _references(names: Any, *, kind: bool, marks: Marks | None = None) -> LocatedList:
    """Write names, or mappings with a name, as references of Kubernetes objects."""
    items = LocatedList(span_of(names))
    for index, item in enumerate(names):
        places = marks or marks_of(names, index)
        items.append(_reference(item, places, kind=kind))
        items.marks.append(places[1])
    return items


def _reference(item: Any, marks: Marks, *, kind: bool) -> Any:
    reference = LocatedMap(marks[1])
    if isinstance(item, dict):
        for key, value, places in items_of(item):
            put(reference, key, value, places)
        if isinstance(item.get("name"), str):
            put(reference, "name", _qualified(item["name"]), marks_of(item, "name"))
    elif isinstance(item, str):
        put(reference, "name", _qualified(item), marks)
    else:
        return item
    if kind:
        put(reference, "kind", "TraefikService", marks)
    return reference


def _qualified(name: str) -> str:
    return name if "@" in name else f"{name}@{OWN_PROVIDER}"
