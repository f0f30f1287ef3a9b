"""Lists of Kubernetes objects: ``List``, and those of one kind, such as ``UplinkList``."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

from uplinks.located import Document, LocatedMap, Origin
from uplinks.schema._kinds import HUB_GROUP, TRAEFIK_GROUP
from uplinks.schema._problems import Path
from uplinks.schema.forms._tree import copy_map, put, span_of

__all__ = ["is_list", "objects_in"]

_SUFFIX: Final = "List"
_GROUPS: Final = frozenset({"v1", f"{HUB_GROUP}", f"{TRAEFIK_GROUP}", "apps"})


def is_list(node: Any) -> bool:
    """Return whether a node is a Kubernetes list, whose items are objects.

    >>> is_list({"apiVersion": "hub.traefik.io/v1alpha1", "kind": "UplinkList"})
    True
    """
    if not isinstance(node, dict):
        return False
    kind, api_version = node.get("kind"), node.get("apiVersion", "v1")
    if not (isinstance(kind, str) and kind.endswith(_SUFFIX) and isinstance(api_version, str)):
        return False
    return api_version.partition("/")[0] in _GROUPS and (kind != _SUFFIX or api_version == "v1")


def objects_in(document: Document) -> Iterator[tuple[Origin, Any]]:
    """Give every object and list of a document, with its origin; a list before its items.

    An item of a list of one kind may leave out its kind and version, as the API server does.
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


def _with_kind(item: Any, holder: Any) -> Any:
    kind = holder["kind"].removesuffix(_SUFFIX)
    if not kind or not isinstance(item, dict) or item.get("kind") is not None:
        return item
    whole: LocatedMap = copy_map(item)
    at = (span_of(item), span_of(item))
    put(whole, "kind", kind, at)
    put(whole, "apiVersion", item.get("apiVersion") or holder.get("apiVersion"), at)
    return whole
