"""The static configuration as values of Traefik's Helm chart.

Older charts have uplink entry points among ``ports``; newer ones have the configuration
itself below ``traefik``. A chart that depends on Traefik's has its values below the
dependency's name, which is ``traefik`` as well.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from uplinks.diagnostics import Span
from uplinks.located import LocatedMap
from uplinks.schema._forms._file_provider import is_dynamic
from uplinks.schema._forms._flags import arguments, environment, flags_tree, variables
from uplinks.schema._forms._static import static_tree
from uplinks.schema._forms._tree import copy_map, items_of, marks_of, put, span_of

__all__ = ["dynamic_content", "values_trees"]

_DEEPEST = 3


def _levels(node: Any) -> Iterator[Any]:
    """Give the values, and those below ``traefik``."""
    for _ in range(_DEEPEST):
        if not isinstance(node, dict):
            return
        yield node
        node = node.get("traefik")


def values_trees(node: Any) -> Iterator[LocatedMap]:
    """Give the canonical trees of values, of the chart's own fields before its arguments.

    >>> list(values_trees({"ports": {"up": {"port": 9443, "uplink": True}}}))
    [{'hub': {'uplinkEntryPoints': {'up': {'address': ':9443'}}}}]
    """
    for level in _levels(node):
        tree = _with_ports(level, static_tree(level))
        if tree is not None:
            yield tree
        known = variables(level.get("env"))
        for name in ("globalArguments", "additionalArguments"):
            flags = flags_tree(list(arguments(level.get(name), known)))
            if flags is not None:
                yield flags
        flags = flags_tree(list(environment(level.get("env"))))
        if flags is not None:
            yield flags


def dynamic_content(node: Any) -> Iterator[Any]:
    """Give what ``providers.file.content`` of values has for the file provider."""
    for level in _levels(node):
        content: Any = level
        for name in ("providers", "file", "content"):
            content = content.get(name) if isinstance(content, dict) else None
        if is_dynamic(content):
            yield content


def _with_ports(values: Any, tree: LocatedMap | None) -> LocatedMap | None:
    """Add the ports of values that are uplink entry points."""
    points = LocatedMap()
    for name, port, marks in items_of(values.get("ports")):
        if isinstance(port, dict) and port.get("uplink") is True:
            put(points, name, _point(port), marks)
    if not points:
        return tree
    key, span = marks_of(values, "ports")
    points.span = span
    if tree is None or not isinstance(tree["hub"], dict):
        tree = LocatedMap(span_of(values))
        put(tree, "hub", LocatedMap(span), (key, span))
    hub = tree["hub"]
    declared = hub.get("uplinkEntryPoints")
    if isinstance(declared, LocatedMap):
        for name, point, marks in items_of(declared):
            put(points, name, point, marks)
        key, span = marks_of(hub, "uplinkEntryPoints")
    put(hub, "uplinkEntryPoints", points, (key, span))
    return tree


def _point(port: Any) -> LocatedMap:
    """Read one port: its number is the address, and ``tls.enabled`` switches TLS on."""
    point = LocatedMap(span_of(port))
    number = port.get("port")
    if isinstance(number, int | str) and not isinstance(number, bool):
        udp = str(port.get("protocol", "")).lower() == "udp"
        put(point, "address", f":{number}{'/udp' * udp}", marks_of(port, "port"))
    if port.get("asDefault") is not None:
        put(point, "asDefault", port["asDefault"], marks_of(port, "asDefault"))
    http = port.get("http")
    http = copy_map(http) if isinstance(http, dict) else LocatedMap()
    at = marks_of(port, "http") if "http" in port else marks_of(port, "tls")
    _switch_tls(http, port if "tls" not in http else http, at)
    if http:
        put(point, "http", http, at)
    return point


def _switch_tls(http: LocatedMap, holder: Any, at: tuple[Span, Span]) -> None:
    tls = holder.get("tls")
    http.pop("tls", None)
    if not isinstance(tls, dict) or tls.get("enabled") is False:
        return
    marks = marks_of(holder, "tls") if "tls" in holder else at
    if tls.get("enabled") is True:
        tls = copy_map(tls)
        del tls["enabled"]
        put(http, "tls", tls, marks)
