"""Rules about the entry points of uplinks (UPL108 to UPL110, UPL410).

Where there is no uplink entry point at all, that is the one finding: nothing is
said about each uplink.

Source: reference page, "Configuration Options" and "Complete Example".
"""

from __future__ import annotations

from collections.abc import Iterator

from uplinks.diagnostics import Diagnostic, Related, Severity
from uplinks.model import Cluster
from uplinks.rules._rule import join_names, quote, rule
from uplinks.rules._suggestion import RuleResult, Suggestion

__all__ = [
    "child_without_entry_points",
    "entry_point_named_twice",
    "no_default_entry_point",
    "unknown_entry_point",
]


@rule(
    "UPL108",
    name="unknown-entry-point",
    severity=Severity.ERROR,
    scope="cluster",
    reads=("child_config", "uplinks"),
)
def unknown_entry_point(cluster: Cluster) -> Iterator[RuleResult]:
    """Require that an uplink's entry points exist.

    ## What it checks

    Each name in `spec.entryPoints` of an `Uplink` is a key of
    `hub.uplinkEntryPoints` in the static configuration of the same cluster.
    Nothing is checked when no static configuration was read.

    ## Why

    An uplink on an entry point that does not exist is reachable by no parent.

    ## Bad

    ```yaml
    spec:
      entryPoints:
        - multicluster
        - multiclustre # UPL108
    ```

    ## Good

    ```yaml
    spec:
      entryPoints:
        - multicluster
    ```

    ## Source

    Uplink reference, "Configuration Options".
    """
    config = cluster.child_config
    if config is None or not config.uplink_entry_points:
        return  # without any it is UPL410, once
    known, there_are = config.uplink_entry_points, join_names(config.uplink_entry_points)
    declared = config.origin.locate("hub", "uplinkEntryPoints", key=True)
    for uplink in cluster.uplinks:
        for index, entry_point in enumerate(uplink.entry_points):
            if entry_point in known:
                continue
            finding = unknown_entry_point.at(
                uplink.origin.locate("spec", "entryPoints", index),
                f"uplink {uplink.owner} names the unknown uplink entry point "
                f"{quote(entry_point)}; there are: {there_are}",
                [Related(declared, "uplink entry points are declared here")],
            )
            yield Suggestion(finding, entry_point, known)


@rule(
    "UPL109",
    name="no-default-entry-point",
    severity=Severity.ERROR,
    scope="cluster",
    reads=("child_config", "uplinks"),
)
def no_default_entry_point(cluster: Cluster) -> Iterator[Diagnostic]:
    """Require an entry point for each uplink.

    ## What it checks

    An `Uplink` without `spec.entryPoints` is in a cluster where at least one of
    `hub.uplinkEntryPoints` has `asDefault: true`. Nothing is checked when no
    static configuration was read.

    ## Why

    Without an entry point an uplink is reachable by no parent.

    ## Bad

    ```yaml
    hub:
      uplinkEntryPoints:
        multicluster:
          address: ":9443"
      providers:
        multicluster: {}
    ---
    spec:
      weight: 10 # UPL109
    ```

    ## Good

    ```yaml
    hub:
      uplinkEntryPoints:
        multicluster:
          address: ":9443"
      providers:
        multicluster: {}
    ---
    spec:
      entryPoints:
        - multicluster
    ```

    ## Source

    Uplink reference, "Configuration Options": "If not specified, uses default
    uplink entry points".
    """
    config = cluster.child_config
    if config is None or not config.uplink_entry_points or config.default_entry_points:
        return
    for uplink in cluster.uplinks:
        if not uplink.entry_points:
            yield no_default_entry_point.at(
                uplink.origin.locate("spec", "entryPoints"),
                f"uplink {uplink.owner} names no entry point and no uplink entry point of "
                "the cluster has asDefault: true; name one in spec.entryPoints, "
                "or make one a default",
                [
                    Related(
                        config.origin.locate("hub", "uplinkEntryPoints", key=True),
                        "none of these is a default",
                    )
                ],
            )


@rule(
    "UPL110",
    name="entry-point-named-twice",
    severity=Severity.WARNING,
    scope="manifests",
    reads=("uplinks",),
)
def entry_point_named_twice(cluster: Cluster) -> Iterator[Diagnostic]:
    """Warn of an entry point that an uplink names twice.

    ## What it checks

    `spec.entryPoints` of an `Uplink` names each entry point once.

    ## Why

    The second one does nothing. Perhaps another entry point was meant.

    ## Bad

    ```yaml
    spec:
      entryPoints:
        - multicluster
        - multicluster # UPL110
    ```

    ## Good

    ```yaml
    spec:
      entryPoints:
        - multicluster
    ```

    ## Source

    Uplink reference, "Configuration Options".
    """
    for uplink in cluster.uplinks:
        first: dict[str, int] = {}
        for index, entry_point in enumerate(uplink.entry_points):
            before = first.setdefault(entry_point, index)
            if before != index:
                locate = uplink.origin.locate
                yield entry_point_named_twice.at(
                    locate("spec", "entryPoints", index),
                    f"uplink {uplink.owner} names the entry point {quote(entry_point)} again; "
                    "remove one",
                    [Related(locate("spec", "entryPoints", before), "named here first")],
                )


@rule(
    "UPL410",
    name="child-without-entry-points",
    severity=Severity.ERROR,
    scope="cluster",
    reads=("child_config", "uplinks"),
)
def child_without_entry_points(cluster: Cluster) -> Iterator[Diagnostic]:
    """Require an uplink entry point of each child with uplinks.

    ## What it checks

    The static configuration of a cluster with an `Uplink` has at least one
    entry point in `hub.uplinkEntryPoints`. Nothing is checked when no static
    configuration was read.

    ## Why

    Parents reach an uplink through an uplink entry point. Without one they
    reach none of the cluster's uplinks.

    ## Bad

    ```yaml
    hub: # UPL410
      providers:
        multicluster: {}
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

    Uplink reference, "Overview" and "Complete Example".
    """
    config = cluster.child_config
    if config is None or config.uplink_entry_points or not cluster.uplinks:
        return
    first = min(uplink.origin.locate("metadata", "name") for uplink in cluster.uplinks)
    yield child_without_entry_points.at(
        config.origin.locate("hub", key=True),
        "there are uplinks but no hub.uplinkEntryPoints, so no parent can reach them; "
        'add one, with its address (":9443") and asDefault: true',
        [Related(first, "an uplink is here")],
    )
