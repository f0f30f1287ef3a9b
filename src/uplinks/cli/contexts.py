"""Clusters from Kubernetes, through contexts of the kubeconfig.

A context adds its objects to what the files of the same cluster have. Where no file has the
parent's static configuration, it is assumed to list every child that is given: Kubernetes has no
object with it, and no check of the children depends on their addresses.
"""

from __future__ import annotations

import argparse
from collections.abc import Mapping

from attrs import evolve

from uplinks.adapters.files import Texts
from uplinks.cli.console import UsageError
from uplinks.errors import MissingExtra
from uplinks.model import Child, Cluster, Fleet, ParentConfig

__all__ = ["read"]


def read(fleet: Fleet, arguments: argparse.Namespace, texts: Texts | None) -> Fleet:
    """Add the objects of all contexts to the clusters that were read from files.

    Raises: UsageError without the extra, or if two children have one name.
    """
    try:
        from uplinks.adapters.sources.kubernetes import (  # noqa: PLC0415 - an extra
            Wanted,
            read_contexts,
        )
    except MissingExtra:
        raise UsageError("--context requires: pip install 'uplinks[kubernetes]'") from None
    names = [name for name, _ in arguments.context]
    for name in names:
        if names.count(name) > 1:
            raise UsageError(f"two children have the name {name}")
    children = dict(fleet.children)
    wanted = [Wanted(children.get(name, Cluster(name)), at) for name, at in arguments.context]
    if arguments.parent_context is not None:
        wanted.append(Wanted(fleet.parent, arguments.parent_context, "parent"))
    clusters = read_contexts(wanted, texts)
    parent = fleet.parent if arguments.parent_context is None else clusters.pop()
    children |= {cluster.name: cluster for cluster in clusters}
    if parent.parent_config is None and arguments.parent is None:
        parent = evolve(parent, parent_config=_assumed_config(children))
    return Fleet(parent, children)


def _assumed_config(children: Mapping[str, Cluster]) -> ParentConfig:
    # A name may not be one of a host.
    return ParentConfig(
        {
            name: Child(f"https://child-{number}.invalid")
            for number, name in enumerate(sorted(children), 1)
        }
    )
