"""Rules about a parent and its children (UPL407 to UPL409, UPL416).

Source: reference page, "Complete Example".
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from uplinks import naming
from uplinks.diagnostics import Diagnostic, Location, Related, Severity
from uplinks.errors import join_names, quote
from uplinks.model import Cluster, Fleet
from uplinks.rules._rule import rule
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
    """Require a valid name for each child.

    ## What it checks

    Each key of `hub.providers.multicluster.children` consists of letters, digits,
    `-`, `_` and `.`, and starts and ends with a letter or digit.

    ## Why

    The name becomes part of `<uplink-name>-<child>@multicluster`, the service for
    direct access to the child.

    ## Bad

    ```yaml
    # parent
    hub:
      providers:
        multicluster:
          children:
            child-1: {address: https://child-1.example.com:9443}
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
            child-1: {address: https://child-1.example.com:9443}
            child-2: {address: https://child-2.example.com:9443}
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
                f"name of child {quote(name)} is invalid: {problem}",
            )


def _anywhere(child: str, fleet: Fleet) -> Location:
    """Locate a child's static configuration, else its first object, else the parent's list."""
    cluster, listing = fleet.children[child], fleet.parent.parent_config
    config, uplinks, routers = cluster.child_config, cluster.uplinks, cluster.routers
    if config is not None:
        return config.origin.locate("hub", key=True)
    origins = [*(uplink.origin for uplink in uplinks), *(router.origin for router in routers)]
    places = [origin.locate("metadata", "name") for origin in origins]
    if places:
        return min(places)
    if listing is None:
        return Location(cluster=child)
    entry = (child,) if child in listing.children else ()
    return listing.origin.locate(*_CHILDREN, *entry, key=True)


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
        "tiers",
    ),
)
def unlisted_child(fleet: Fleet) -> Iterator[RuleResult]:
    """Require that the parent lists each child.

    ## What it checks

    The name of each child with manifests is a key of
    `hub.providers.multicluster.children` in the parent's static configuration, or in
    that of another child.

    ## Why

    A parent discovers no uplinks of a child that it does not list.

    ## Bad

    ```yaml
    # parent
    hub:
      providers:
        multicluster:
          children:
            child-1: {address: https://child-1.example.com:9443}
    ---
    # child-2
    hub: # UPL407
      uplinkEntryPoints:
        multicluster: {address: ":9443", asDefault: true}
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
            child-1: {address: https://child-1.example.com:9443}
            child-2: {address: https://child-2.example.com:9443}
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
    # A name present on both sides is not a misspelling of another.
    unmatched, it_lists = listed - set(fleet.children), join_names(listed)
    related = []
    if config is not None:
        place = config.origin.locate(*_CHILDREN, key=True)
        related.append(Related(place, "the list of children"))
    inner = {name for tier in fleet.tiers()[1:] for name in tier.children}
    for name in sorted(set(fleet.children) - listed - inner):
        diagnostic = unlisted_child.at(
            _anywhere(name, fleet),
            f"child {quote(name)} is not among the children the parent lists ({it_lists}); "
            "add it there, with its address",
            related,
        )
        yield Suggestion(diagnostic, name, unmatched)


@rule(
    "UPL408",
    name="child-without-manifests",
    severity=Severity.WARNING,
    scope="fleet",
    reads=("children", "tiers"),
)
def child_without_manifests(fleet: Fleet) -> Iterator[RuleResult]:
    """Warn about a listed child without manifests.

    ## What it checks

    The manifests of each child in `hub.providers.multicluster.children` of the
    parent's static configuration are part of the fleet. So are those of each child that
    another child lists.

    ## Why

    Without the manifests the child's uplinks are unknown. They are not checked, and a
    reference to one of them is reported as unresolved.

    ## Bad

    ```yaml
    # parent
    hub:
      providers:
        multicluster:
          children:
            child-1: {address: https://child-1.example.com:9443}
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
            child-1: {address: https://child-1.example.com:9443}
            child-2: {address: https://child-2.example.com:9443}
    ---
    # child-2
    apiVersion: hub.traefik.io/v1alpha1
    kind: Uplink
    metadata: {name: api-workload, namespace: apps}
    ```

    ## Source

    Uplink reference, "Complete Example".
    """
    listings = [tier.parent.parent_config for tier in fleet.tiers()]
    listed = {name for config in listings if config is not None for name in config.children}
    # A name present on both sides is not a misspelling of another.
    unmatched = set(fleet.children) - listed
    missing = {
        name: config
        for config in reversed(listings)
        if config is not None
        for name in config.children
        if name not in fleet.children
    }
    for name, config in sorted(missing.items(), key=lambda item: item[0]):
        diagnostic = child_without_manifests.at(
            config.origin.locate(*_CHILDREN, name, key=True),
            f"child {quote(name)} has no manifests in this fleet; add them, or remove the child "
            "from the list",
        )
        yield Suggestion(diagnostic, name, unmatched)


@rule(
    "UPL409",
    name="child-without-provider",
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
def child_without_provider(fleet: Fleet) -> Iterator[Diagnostic]:
    """Require the multicluster provider in each child.

    ## What it checks

    The static configuration of each child has `hub.providers.multicluster`. It may
    be empty.

    ## Why

    The provider exposes the API that parents poll to discover uplinks.

    ## Bad

    ```yaml
    hub: # UPL409
      uplinkEntryPoints:
        multicluster: {address: ":9443", asDefault: true}
    ```

    ## Good

    ```yaml
    hub:
      uplinkEntryPoints:
        multicluster: {address: ":9443", asDefault: true}
      providers:
        multicluster: {}
    ```

    ## Source

    Uplink reference, "Complete Example": "Enable multicluster on child to
    expose API".
    """
    for name in sorted(fleet.children):
        cluster = fleet.children[name]
        config, where = cluster.child_config, _anywhere(name, fleet)
        if config is None:
            message = f"child {quote(name)} has no static configuration"
        elif not config.multicluster:
            message = f"child {quote(name)} has no hub.providers.multicluster"
        else:
            continue
        yield child_without_provider.at(
            where,
            f"{message}, so no parent can discover its uplinks; "
            "add multicluster: {} to hub.providers",
        )
