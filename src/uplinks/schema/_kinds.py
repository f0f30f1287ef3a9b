"""The kinds of Traefik's API groups, and objects that resemble one of them.

Objects of other groups are never reported. An unknown kind or version of these
groups is a warning, since it may be newer than the table.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from types import MappingProxyType
from typing import Any, Final

from uplinks.diagnostics import Severity
from uplinks.naming import nearest
from uplinks.schema._problems import MISSING_FIELD, Problem
from uplinks.schema._refusals import WRONG_TYPE, describe

__all__ = [
    "HUB_API",
    "HUB_GROUP",
    "OTHER_KINDS",
    "PLURALS",
    "TRAEFIK_API",
    "VERSION",
    "is_list",
    "strange_kind",
]

UNKNOWN_KIND = "UPL008"

HUB_GROUP: Final = "hub.traefik.io"
TRAEFIK_GROUP: Final = "traefik.io"
OLD_GROUP: Final = "traefik.containo.us"
VERSION: Final = "v1alpha1"

HUB_API: Final = f"{HUB_GROUP}/{VERSION}"
TRAEFIK_API: Final = f"{TRAEFIK_GROUP}/{VERSION}"

PLURALS: Final = MappingProxyType(
    {"Uplink": "uplinks", "IngressRoute": "ingressroutes", "TraefikService": "traefikservices"}
)
"""The resource of each kind that is read: its name in the paths of the API server."""

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
"""All kinds of Traefik's API groups: none of these is a typo."""

OTHER_KINDS: Final[Mapping[str, tuple[str, ...]]] = MappingProxyType(
    {
        "HTTPRoute": ("gateway.networking.k8s.io/v1", "gateway.networking.k8s.io/v1beta1"),
        "Ingress": ("networking.k8s.io/v1",),
        "Middleware": (TRAEFIK_API,),
        "ServersTransport": (TRAEFIK_API,),
        "TLSOption": (TRAEFIK_API,),
    }
)
"""The kinds of objects that are kept as they are written, with their API versions."""


def is_list(node: Any) -> bool:
    """Return whether a node is a Kubernetes ``List``, whose items are objects."""
    return (
        isinstance(node, dict)
        and node.get("kind") == "List"
        and node.get("apiVersion", "v1") == "v1"
    )


def strange_kind(node: Any) -> Iterator[Problem]:
    """Report what is wrong with the kind of an object that resembles one of ours.

    Complexity: O(1) for a kind of another group.
    """
    if not isinstance(node, dict):
        return
    kind, api_version = node.get("kind"), node.get("apiVersion")
    if api_version is None and kind in PLURALS:
        yield Problem(MISSING_FIELD, ("apiVersion",), "apiVersion is required")
    if not isinstance(api_version, str):
        return
    group, _, version = api_version.partition("/")
    if group == OLD_GROUP:
        message = f"API group {OLD_GROUP} is no longer served, use {TRAEFIK_GROUP}"
        yield _unread("apiVersion", message, TRAEFIK_API)
    elif group not in _KINDS:
        return
    elif kind is None:
        yield Problem(MISSING_FIELD, ("kind",), "kind is required")
    elif not isinstance(kind, str):
        yield Problem(WRONG_TYPE, ("kind",), f"kind must be a string, got {describe(kind)}")
    elif version != VERSION:
        message = f"unknown version {version[:60]!r} of {group}, must be {VERSION}"
        yield _unread("apiVersion", message, f"{group}/{VERSION}")
    elif kind not in _KINDS[group]:
        elsewhere = [other for other, kinds in _KINDS.items() if kind in kinds]
        hint = f", it is a kind of {elsewhere[0]}" if elsewhere else ""
        message = f"unknown kind {kind[:60]!r} in {group}{hint}"
        yield _unread("kind", message, nearest(kind, _KINDS[group]))


def _unread(name: str, message: str, suggestion: str | None) -> Problem:
    message = f"{message}; the object was skipped"
    return Problem(UNKNOWN_KIND, (name,), message, Severity.WARNING, suggestion=suggestion)
