"""Which kinds there are, and which look like one of ours but are not.

Rules of this file:

1. Whoever writes a kind of another group is left alone.
2. A kind or version that our groups do not have is a warning: it may be newer
   than the table.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from types import MappingProxyType
from typing import Any, Final

from uplinks.diagnostics import Severity
from uplinks.naming import nearest
from uplinks.schema._findings import MISSING_FIELD, WRONG_TYPE, Finding

__all__ = ["HUB_API", "TRAEFIK_API", "is_list", "strange_kind"]

UNKNOWN_KIND = "UPL008"

HUB_GROUP: Final = "hub.traefik.io"
TRAEFIK_GROUP: Final = "traefik.io"
OLD_GROUP: Final = "traefik.containo.us"
VERSION: Final = "v1alpha1"

HUB_API: Final = f"{HUB_GROUP}/{VERSION}"
TRAEFIK_API: Final = f"{TRAEFIK_GROUP}/{VERSION}"

_KINDS: Final[Mapping[str, frozenset[str]]] = MappingProxyType(
    {
        HUB_GROUP: frozenset(
            {
                "AIService",
                "API",
                "APIAccess",
                "APIAuth",
                "APIBundle",
                "APICatalogItem",
                "APICollection",
                "APIPlan",
                "APIPortal",
                "APIPortalAuth",
                "APIRateLimit",
                "APIVersion",
                "AccessControlPolicy",
                "ManagedApplication",
                "ManagedSubscription",
                "Uplink",
            }
        ),
        TRAEFIK_GROUP: frozenset(
            {
                "IngressRoute",
                "IngressRouteTCP",
                "IngressRouteUDP",
                "Middleware",
                "MiddlewareTCP",
                "ServersTransport",
                "ServersTransportTCP",
                "TLSOption",
                "TLSStore",
                "TraefikService",
            }
        ),
    }
)
"""All kinds of our API groups: who writes one of these made no typo."""


def is_list(node: Any) -> bool:
    """Tell whether a node is a Kubernetes ``List``, whose items are objects."""
    return (
        isinstance(node, dict)
        and node.get("kind") == "List"
        and node.get("apiVersion", "v1") == "v1"
    )


def strange_kind(node: Any) -> Iterator[Finding]:
    """Say what is strange about an object that looks like one of ours.

    Complexity: O(1) for a kind of another group.
    """
    if not isinstance(node, dict):
        return
    kind, api_version = node.get("kind"), node.get("apiVersion")
    if api_version is None and kind in ("Uplink", "IngressRoute", "TraefikService"):
        yield Finding(MISSING_FIELD, ("apiVersion",), "apiVersion is missing; it is required")
    if not isinstance(api_version, str):
        return
    group, _, version = api_version.partition("/")
    if group == OLD_GROUP:
        message = f"API group {OLD_GROUP} is no longer served; {TRAEFIK_GROUP} took its place"
        yield _unread("apiVersion", message, TRAEFIK_API)
    elif group not in _KINDS:
        return
    elif kind is None:
        yield Finding(MISSING_FIELD, ("kind",), "kind is missing; it is required")
    elif not isinstance(kind, str):
        yield Finding(WRONG_TYPE, ("kind",), "kind is not a text; a text is allowed")
    elif version != VERSION:
        message = f"unknown version {version[:60]!r} of {group}; {VERSION} is allowed"
        yield _unread("apiVersion", message, f"{group}/{VERSION}")
    elif kind not in _KINDS[group]:
        elsewhere = [other for other, kinds in _KINDS.items() if kind in kinds]
        hint = f"; it is a kind of {elsewhere[0]}" if elsewhere else ""
        message = f"unknown kind {kind[:60]!r} in {group}{hint}"
        yield _unread("kind", message, nearest(kind, _KINDS[group]))


def _unread(name: str, message: str, suggestion: str | None) -> Finding:
    message = f"{message}; the object is not read"
    return Finding(UNKNOWN_KIND, (name,), message, Severity.WARNING, suggestion=suggestion)
