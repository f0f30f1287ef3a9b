"""The forms in which uplinks and their configuration are written: one reader a form.

Every reader gives canonical trees: a static configuration as in Traefik's YAML file, and
objects as in Kubernetes. Their places are those of the text that was read; their field
paths are those of the canonical form.

- ``_static``: the file, ``hub: …``
- ``_helm``: values of Traefik's Helm chart
- ``_flags``: command-line arguments and environment variables
- ``_workload``: those of a container in Kubernetes
- ``_file_provider``: ``http.uplinks`` and ``http.routers`` of a dynamic configuration

Objects of Kubernetes need no reader, and lists of them are taken apart before. Most texts
have nothing else, so this package is imported when one has.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from uplinks.located import Origin
from uplinks.model import StaticConfig
from uplinks.schema._forms._file_provider import dynamic_trees, is_dynamic
from uplinks.schema._forms._helm import dynamic_content, values_trees
from uplinks.schema._forms._tree import canonical_origin
from uplinks.schema._forms._workload import workload_trees
from uplinks.schema._kinds import Found

__all__ = ["find_forms"]


def find_forms(node: dict[str, Any], origin: Origin) -> Iterator[Found]:
    """Give what a workload, or a document without a kind, says of uplinks.

    Complexity: O(size) for a form that is read, O(keys) for anything else.

    >>> from uplinks.located import UNLOCATED
    >>> [each.cls.__name__ for each in find_forms({"hub": {}}, UNLOCATED)]
    ['StaticConfig']
    """
    if node.get("kind") is not None:
        for tree in workload_trees(node):
            yield Found(StaticConfig, tree, canonical_origin(tree, origin))
        return
    for tree in values_trees(node):
        yield Found(StaticConfig, tree, canonical_origin(tree, origin))
    for content in [node] if is_dynamic(node) else dynamic_content(node):
        for cls, tree in dynamic_trees(content):
            yield Found(cls, tree, canonical_origin(tree, origin), is_file=True)
