"""The static configuration as Traefik's file has it: a mapping with ``hub``."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from uplinks.located import LocatedMap
from uplinks.model import Child, UplinkEntryPoint
from uplinks.schema._forms._tree import copy_map, get_case, marks_of, put, typed

__all__ = ["HUB", "STATIC", "canonical_hub", "static_tree"]

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

STATIC: Final = {
    "hub": object,
    "core": {"defaultRuleSyntax": object},
    "providers": {"kubernetesCRD": {"allowCrossNamespace": bool}},
}
"""What is read of a static configuration; the rest of it stays as it is written."""

_HTTP: Final[Mapping[str, Any]] = {"http": {"tls": {}}}


def static_tree(node: Any) -> LocatedMap | None:
    """Read a static configuration as a canonical tree; ``None`` for anything else.

    >>> static_tree({"hub": {"uplinkEntrypoints": {"up": {"address": ":9443"}}}})
    {'hub': {'uplinkEntryPoints': {'up': {'address': ':9443'}}}}
    """
    if get_case(node, "hub") is None:
        return None
    tree: LocatedMap = typed(node, STATIC)
    put(tree, "hub", canonical_hub(tree["hub"]), marks_of(tree, "hub"))
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
    if isinstance(providers, LocatedMap):
        _switch(providers)
    return hub


def _switch(providers: LocatedMap) -> None:
    provider = providers.get("multicluster")
    if not isinstance(provider, dict) or not isinstance(provider.get("enabled"), bool):
        return
    provider = copy_map(provider)
    if provider.pop("enabled"):
        put(providers, "multicluster", provider, marks_of(providers, "multicluster"))
    else:
        del providers["multicluster"]
