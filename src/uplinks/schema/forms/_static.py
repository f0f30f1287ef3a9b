"""The static configuration as Traefik's file has it: a mapping with ``hub``."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from uplinks.located import LocatedMap
from uplinks.model import Child, UplinkEntryPoint
from uplinks.schema.forms._tree import copy_map, get_case, marks_of, put, span_of, typed

__all__ = ["CORE", "HUB", "canonical_hub", "static_tree"]

HUB: Final = {
    "uplinkEntryPoints": Mapping[str, UplinkEntryPoint],
    "providers": {
        "multicluster": {
            "enabled": bool,
            "children": Mapping[str, Child],
            "pollInterval": object,
            "pollTimeout": object,
        },
    },
}
"""What is read of ``hub``; everything else in it is Traefik Hub's own."""

CORE: Final = {"defaultRuleSyntax": object}
"""What is read of ``core``: the syntax of rules that do not say theirs."""

_HTTP: Final = {"http": {"tls": {}}}


def static_tree(node: Any) -> LocatedMap | None:
    """Read a static configuration as a canonical tree; ``None`` for anything else.

    >>> static_tree({"hub": {"uplinkEntrypoints": {"up": {"address": ":9443"}}}})
    {'hub': {'uplinkEntryPoints': {'up': {'address': ':9443'}}}}
    """
    key = get_case(node, "hub")
    if key is None:
        return None
    tree = LocatedMap(span_of(node))
    put(tree, "hub", canonical_hub(node[key]), marks_of(node, key))
    core = get_case(node, "core")
    if core is not None:
        put(tree, "core", typed(node[core], CORE), marks_of(node, core))
    return tree


def canonical_hub(hub: Any) -> Any:
    """Read the value of ``hub``: names in their own case, switches as what they switch on.

    A provider with ``enabled: false``, as the Helm chart has it, is off.
    """
    hub = typed(hub, HUB)
    points = hub.get("uplinkEntryPoints") if isinstance(hub, dict) else None
    if isinstance(points, dict):
        for name, point in points.items():
            if point is None:
                points[name] = LocatedMap(marks_of(points, name)[1])
            elif isinstance(point, dict):
                points[name] = typed(point, _HTTP)
    providers = hub.get("providers") if isinstance(hub, dict) else None
    provider = providers.get("multicluster") if isinstance(providers, dict) else None
    if isinstance(provider, dict) and isinstance(provider.get("enabled"), bool):
        provider = copy_map(provider)
        if provider.pop("enabled"):
            put(providers, "multicluster", provider, marks_of(providers, "multicluster"))
        else:
            del providers["multicluster"]
    return hub
