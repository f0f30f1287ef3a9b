"""Rules about clusters that belong together (UPL407 to UPL409, UPL416).

Source: reference page, "Complete Example".
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from uplinks import naming
from uplinks.diagnostics import Diagnostic, Location, Related, Severity
from uplinks.model import Cluster, Fleet
from uplinks.rules._rule import join_names, rule
from uplinks.rules._suggestion import RuleResult, Suggestion

__all__ = [
    "child_without_manifests",
    "child_without_provider",
    "invalid_child_name",
    "unlisted_child",
]

_CHILDREN: Final = ("hub", "providers", "multicluster", "children")


@rule(
    "UPL416",
    name="child-name",
    severity=Severity.ERROR,
    scope="manifests",
    reads=("parent_config",),
)
def invalid_child_name(cluster: Cluster) -> Iterator[Diagnostic]:
    """Require a usable name of each child.

    ## What it checks

    Each key below `hub.providers.multicluster.children` is made of letters,
    digits, `-`, `_` and `.`, and begins and ends with a letter or digit.

    ## Why

    The name becomes a part of `<uplink-name>-<child>@multicluster`, the name by
    which routers reach the child directly.

    ## Bad

    ```yaml
    # parent
    hub:
      providers:
        multicluster:
          children:
            child-1:
              address: https://child-1.example.com:9443
            child@2: # UPL416
              address: https://child-2.example.com:9443
    ---
    # child@2
    apiVersion: hub.traefik.io/v1alpha1
    kind: Uplink
    metadata: {name: api-workload, namespace: apps}
    ```

    ## Good

    ```yaml
    # parent
    hub:
      providers:
        multicluster:
          children:
            child-1:
              address: https://child-1.example.com:9443
            child-2:
              address: https://child-2.example.com:9443
    ---
    # child-2
    apiVersion: hub.traefik.io/v1alpha1
    kind: Uplink
    metadata: {name: api-workload, namespace: apps}
    ```

    ## Source

    Uplink reference, "Uplink Naming".
    """
    config = cluster.parent_config
    if config is None:
        return
    for name in sorted(config.children):
        problem = naming.problem_with_child_name(name)
        if problem is not None:
            yield invalid_child_name.at(
                config.origin.locate(*_CHILDREN, name, key=True),
                f"invalid name of child {name!r}: {problem}",
            )


def _anywhere(child: str, cluster: Cluster) -> Location:
    """The first place that was read of a cluster: its static configuration, if any."""
    config, uplinks, routers = cluster.child_config, cluster.uplinks, cluster.routers
    if config is not None:
        return config.origin.locate("hub", key=True)
    origins = [*(uplink.origin for uplink in uplinks), *(router.origin for router in routers)]
    places = [origin.locate("metadata", "name") for origin in origins]
    return min(places, default=Location(cluster=child))


@rule(
    "UPL407",
    name="unlisted-child",
    severity=Severity.ERROR,
    scope="fleet",
    reads=(
        "children",
        "children.child_config",
        "children.routers",
        "children.uplinks",
        "parent.parent_config",
    ),
)
def unlisted_child(fleet: Fleet) -> Iterator[RuleResult]:
    """Require that the parent lists each child.

    ## What it checks

    The name of each child whose manifests are there is a key of
    `hub.providers.multicluster.children` in the parent's static configuration.

    ## Why

    A parent discovers nothing from a child that it does not list.

    ## Bad

    ```yaml
    # parent
    hub:
      providers:
        multicluster:
          children:
            child-1:
              address: https://child-1.example.com:9443
    ---
    # child-2
    hub: # UPL407
      uplinkEntryPoints:
        multicluster:
          address: ":9443"
          asDefault: true
      providers:
        multicluster: {}
    ---
    apiVersion: hub.traefik.io/v1alpha1
    kind: Uplink
    metadata: {name: api-workload, namespace: apps}
    ```

    ## Good

    ```yaml
    # parent
    hub:
      providers:
        multicluster:
          children:
            child-1:
              address: https://child-1.example.com:9443
            child-2:
              address: https://child-2.example.com:9443
    ---
    # child-2
    apiVersion: hub.traefik.io/v1alpha1
    kind: Uplink
    metadata: {name: api-workload, namespace: apps}
    ```

    ## Source

    Uplink reference, "Complete Example".
    """
    config = fleet.parent.parent_config
    listed = frozenset(config.children if config is not None else ())
    # A name that is there on both sides was not meant for another.
    unmatched, it_lists = listed - set(fleet.children), join_names(listed)
    related = []
    if config is not None:
        place = config.origin.locate(*_CHILDREN, key=True)
        related.append(Related(place, "children are listed here"))
    for name in sorted(set(fleet.children) - listed):
        finding = unlisted_child.at(
            _anywhere(name, fleet.children[name]),
            f"the parent does not list child {name!r}; it lists: {it_lists}; "
            "add it there, with its address",
            related,
        )
        yield Suggestion(finding, name, unmatched)


@rule(
    "UPL408",
    name="child-without-manifests",
    severity=Severity.WARNING,
    scope="fleet",
    reads=("children", "parent.parent_config"),
)
def child_without_manifests(fleet: Fleet) -> Iterator[RuleResult]:
    """Warn of a listed child whose manifests are not there.

    ## What it checks

    Each key of `hub.providers.multicluster.children` in the parent's static
    configuration is a child whose manifests were read.

    ## Why

    What the child advertises is not known, so nothing about it was checked: a
    reference to one of its services may be reported as unresolved.

    ## Bad

    ```yaml
    # parent
    hub:
      providers:
        multicluster:
          children:
            child-1:
              address: https://child-1.example.com:9443
            child-2: # UPL408
              address: https://child-2.example.com:9443
    ```

    ## Good

    ```yaml
    # parent
    hub:
      providers:
        multicluster:
          children:
            child-1:
              address: https://child-1.example.com:9443
            child-2:
              address: https://child-2.example.com:9443
    ---
    # child-2
    apiVersion: hub.traefik.io/v1alpha1
    kind: Uplink
    metadata: {name: api-workload, namespace: apps}
    ```

    ## Source

    Uplink reference, "Complete Example".
    """
    config = fleet.parent.parent_config
    if config is None:
        return
    # A name that is there on both sides was not meant for another.
    unmatched = set(fleet.children) - set(config.children)
    for name in sorted(set(config.children) - set(fleet.children)):
        finding = child_without_manifests.at(
            config.origin.locate(*_CHILDREN, name, key=True),
            f"the parent lists child {name!r}, but there are no manifests of it; "
            "add them to what is checked, or take it off the list",
        )
        yield Suggestion(finding, name, unmatched)


@rule(
    "UPL409",
    name="child-without-provider",
    severity=Severity.ERROR,
    scope="fleet",
    reads=("children", "children.child_config", "children.routers", "children.uplinks"),
)
def child_without_provider(fleet: Fleet) -> Iterator[Diagnostic]:
    """Require the multicluster provider of each child.

    ## What it checks

    The static configuration of each child has `hub.providers.multicluster`,
    even if it is empty.

    ## Why

    It exposes the API that parents poll. Without it they discover nothing.

    ## Bad

    ```yaml
    hub: # UPL409
      uplinkEntryPoints:
        multicluster:
          address: ":9443"
          asDefault: true
    ```

    ## Good

    ```yaml
    hub:
      uplinkEntryPoints:
        multicluster:
          address: ":9443"
          asDefault: true
      providers:
        multicluster: {}
    ```

    ## Source

    Uplink reference, "Complete Example": "Enable multicluster on child to
    expose API".
    """
    for name in sorted(fleet.children):
        cluster = fleet.children[name]
        config, where = cluster.child_config, _anywhere(name, cluster)
        if config is None:
            message = f"there is no static configuration of child {name!r}"
        elif not config.multicluster:
            message = f"child {name!r} does not have hub.providers.multicluster"
        else:
            continue
        yield child_without_provider.at(
            where,
            f"{message}, so no parent can discover its uplinks; "
            "write multicluster: {} below hub.providers",
        )
