"""The forms in which uplinks and their configuration are written: one reader a form.

Every reader gives canonical trees: a static configuration as in Traefik's YAML file, and
objects as in Kubernetes. Their places are those of the text that was read; their field
paths are those of the canonical form.

- ``_static``: the file, ``hub: …``
- ``_helm``: values of Traefik's Helm chart
- ``_flags``: command-line arguments and environment variables
- ``_workload``: those of a container in Kubernetes
- ``_file_provider``: ``http.uplinks`` and ``http.routers`` of a dynamic configuration
- ``_lists``: lists of Kubernetes objects
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from attrs import frozen

from uplinks.located import Origin
from uplinks.model import IngressRoute, StaticConfig, TraefikService, Uplink
from uplinks.schema._kinds import HUB_API, TRAEFIK_API
from uplinks.schema.forms._file_provider import dynamic_trees, is_dynamic
from uplinks.schema.forms._helm import dynamic_content, values_trees
from uplinks.schema.forms._lists import is_list, objects_in
from uplinks.schema.forms._tree import canonical_origin
from uplinks.schema.forms._workload import workload_trees

__all__ = ["Found", "find_forms", "is_list", "objects_in"]

_CLASSES = {
    (HUB_API, "Uplink"): Uplink,
    (TRAEFIK_API, "IngressRoute"): IngressRoute,
    (TRAEFIK_API, "TraefikService"): TraefikService,
}


@frozen
class Found:
    """A canonical tree, the class that it is read as, and its origin.

    ``is_file``: it is of Traefik's file provider, not an object of Kubernetes.
    """

    cls: type
    tree: Any
    origin: Origin
    is_file: bool = False


def find_forms(node: Any, origin: Origin) -> Iterator[Found]:
    """Give what one object says, in whatever form; nothing for a foreign object.

    Complexity: O(size) for a form that is read, O(keys) for anything else.

    >>> from uplinks.located import UNLOCATED
    >>> [each.cls.__name__ for each in find_forms({"hub": {}}, UNLOCATED)]
    ['StaticConfig']
    """
    if not isinstance(node, dict):
        return
    kind, api_version = node.get("kind"), node.get("apiVersion")
    if kind is None and api_version is None:
        for tree in values_trees(node):
            yield Found(StaticConfig, tree, canonical_origin(tree, origin))
        for content in [node] if is_dynamic(node) else dynamic_content(node):
            for cls, tree in dynamic_trees(content):
                yield Found(cls, tree, canonical_origin(tree, origin), is_file=True)
        return
    # Either may be anything, also unhashable.
    if isinstance(kind, str) and isinstance(api_version, str):
        cls = _CLASSES.get((api_version, kind))
        if cls is not None:
            yield Found(cls, node, origin)
            return
    for tree in workload_trees(node):
        yield Found(StaticConfig, tree, canonical_origin(tree, origin))
