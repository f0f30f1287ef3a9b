"""The kinds of Traefik's API groups, and objects that resemble one of them.

Objects of other groups are never reported. An unknown kind or version of these
groups is a warning, since it may be newer than the table.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from types import MappingProxyType
from typing import Any, Final

from attrs import frozen

from uplinks.diagnostics import Fix, Severity
from uplinks.located import Document, LocatedMap, Origin
from uplinks.naming import misspelt, nearest
from uplinks.schema._problems import MISSING_FIELD, Path, Problem
from uplinks.schema._refusals import WRONG_TYPE, describe

__all__ = [
    "HUB_API",
    "HUB_GROUP",
    "OTHER_KINDS",
    "PLURALS",
    "TRAEFIK_API",
    "VERSION",
    "Found",
    "has_forms",
    "is_list",
    "objects_in",
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


_LIST: Final = "List"
_LISTED: Final = frozenset(
    {
        "apps",
        "gateway.networking.k8s.io",
        "networking.k8s.io",
        "v1",
        HUB_GROUP,
        TRAEFIK_GROUP,
    }
)
_WORKLOADS: Final = frozenset({"DaemonSet", "Deployment", "Pod", "StatefulSet"})


@frozen
class Found:
    """A tree in the form of Traefik's file or of Kubernetes, and the class it is read as.

    ``is_file``: it is of Traefik's file provider, not an object of Kubernetes.
    """

    cls: type
    tree: Any
    origin: Origin
    is_file: bool = False


def has_forms(node: Any) -> bool:
    """Tell whether a node may say something of uplinks without being an object of ours.

    >>> has_forms({"hub": {}}), has_forms({"apiVersion": "v1", "kind": "Secret"})
    (True, False)
    """
    if not isinstance(node, dict):
        return False
    kind = node.get("kind")
    if kind is None:
        return node.get("apiVersion") is None
    return isinstance(kind, str) and kind in _WORKLOADS


def is_list(node: Any) -> bool:
    """Return whether a node is a Kubernetes list: ``List``, or one of a kind, ``UplinkList``.

    >>> is_list({"apiVersion": "hub.traefik.io/v1alpha1", "kind": "UplinkList"})
    True
    """
    if not isinstance(node, dict):
        return False
    kind, api_version = node.get("kind"), node.get("apiVersion", "v1")
    if not (isinstance(kind, str) and kind.endswith(_LIST) and isinstance(api_version, str)):
        return False
    return api_version.partition("/")[0] in _LISTED and (kind != _LIST or api_version == "v1")


def objects_in(document: Document) -> Iterator[tuple[Origin, Any]]:
    """Give every object and list of a document, with its origin; a list before its items.

    An item of a list of one kind may leave out its kind and version, as the API server does.
    Values of Helm are a list of their ``extraObjects``.
    """
    # A stack, since nesting in a document must not become nesting in Python.
    waiting: list[tuple[Path, Any]] = [((), document.root)]
    while waiting:
        base, node = waiting.pop()
        if node is None:
            continue
        yield Origin(document, base), node
        items = node.get("items") if is_list(node) else None
        if isinstance(items, list):
            inside = [
                ((*base, "items", index), _with_kind(item, node))
                for index, item in enumerate(items)
            ]
            waiting.extend(reversed(inside))
        elif not base and isinstance(node, dict) and "kind" not in node:
            waiting.extend(reversed(list(_extra_objects(node))))


def _extra_objects(values: Mapping[str, Any]) -> Iterator[tuple[Path, Any]]:
    """Give the objects that Traefik's chart adds to its own, except those with templates."""
    for base in ((), ("traefik",)):
        holder: Any = values.get(base[0]) if base else values
        objects = holder.get("extraObjects") if isinstance(holder, dict) else None
        for index, item in enumerate(objects if isinstance(objects, list) else ()):
            if isinstance(item, dict) and not _has_template(item):
                yield (*base, "extraObjects", index), item


def _has_template(node: Any) -> bool:
    waiting = [node]
    while waiting:
        each = waiting.pop()
        if isinstance(each, str) and "{{" in each:
            return True
        if isinstance(each, dict):
            waiting += [*each.keys(), *each.values()]
        elif isinstance(each, list):
            waiting += each
    return False


def _with_kind(item: Any, holder: Mapping[str, Any]) -> Any:
    kind = holder["kind"].removesuffix(_LIST)
    if not kind or not isinstance(item, dict) or item.get("kind") is not None:
        return item
    whole = LocatedMap(item.span) if isinstance(item, LocatedMap) else LocatedMap()
    whole.update(item)
    whole.marks.update(getattr(item, "marks", {}))
    whole["kind"] = kind
    whole["apiVersion"] = item.get("apiVersion") or holder.get("apiVersion")
    return whole


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
        yield _unread("apiVersion", message, TRAEFIK_API, Fix(api_version, TRAEFIK_API))
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
        meant = misspelt(kind, _KINDS[group])
        fix = None if meant is None else Fix(kind, meant)
        yield _unread("kind", message, nearest(kind, _KINDS[group]), fix)


def _unread(name: str, message: str, meant: str | None, fix: Fix | None = None) -> Problem:
    message = f"{message}; the object was skipped"
    return Problem(UNKNOWN_KIND, (name,), message, Severity.WARNING, suggestion=meant, fix=fix)
