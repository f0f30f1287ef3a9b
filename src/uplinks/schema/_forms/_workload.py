"""The static configuration in a workload of Kubernetes: the arguments and variables of Traefik.

Every container of a Pod, Deployment, DaemonSet or StatefulSet is looked at, whatever its
image: only Traefik has such arguments.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

from uplinks.located import LocatedMap
from uplinks.schema._forms._flags import arguments, environment, flags_tree, variables

__all__ = ["workload_trees"]

_POD: Final = "Pod"


def workload_trees(node: Any) -> Iterator[LocatedMap]:
    """Give the canonical trees of a workload's containers, arguments before variables.

    >>> pod = {"kind": "Pod", "spec": {"containers": [
    ...     {"name": "traefik", "args": ["--hub.uplinkEntryPoints.up.address=:9443"]}]}}
    >>> list(workload_trees(pod))
    [{'hub': {'uplinkEntryPoints': {'up': {'address': ':9443'}}}}]
    """
    spec: Any = node
    for step in ("spec",) if node.get("kind") == _POD else ("spec", "template", "spec"):
        spec = spec.get(step) if isinstance(spec, dict) else None
    containers = spec.get("containers") if isinstance(spec, dict) else None
    for container in containers if isinstance(containers, list) else ():
        if not isinstance(container, dict):
            continue
        env = container.get("env")
        known = variables(env)
        flags = [
            *arguments(container.get("command"), known),
            *arguments(container.get("args"), known),
        ]
        for settings in (flags, list(environment(env))):
            tree = flags_tree(settings)
            if tree is not None:
                yield tree
