"""Rules about the entry points of uplinks (UPL108, UPL110, UPL410).

A child without any uplink entry point gets one diagnostic, UPL410, and none for each
uplink.

Source: reference page, "Configuration Options" and "Complete Example".
"""

from __future__ import annotations

from collections.abc import Iterator

from uplinks.diagnostics import Diagnostic, Related, Severity
from uplinks.errors import join_names, quote
from uplinks.model import Cluster
from uplinks.rules._rule import rule
from uplinks.rules._suggestion import RuleResult, Suggestion

__all__ = [
    "child_without_entry_points",
    "entry_point_named_twice",
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
    """Require that the entry points of an uplink exist.

    ## What it checks

    Each name in `spec.entryPoints` of an `Uplink` is a key of
    `hub.uplinkEntryPoints` in the static configuration of the same cluster.
    Without a static configuration there is no check.

    ## Why

    No parent can reach an uplink on an entry point that does not exist.

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
      entryPoints: [multicluster]
    ```

    ## Source

    Uplink reference, "Configuration Options".
    """
    config = cluster.child_config
    if config is None or not config.uplink_entry_points:
        return  # no entry points at all is UPL410
    known, there_are = config.uplink_entry_points, join_names(config.uplink_entry_points)
    declared = config.origin.locate("hub", "uplinkEntryPoints", key=True)
    for uplink in cluster.uplinks:
        for index, entry_point in enumerate(uplink.entry_points):
            if entry_point in known:
                continue
            diagnostic = unknown_entry_point.at(
                uplink.origin.locate("spec", "entryPoints", index),
                f"spec.entryPoints of uplink {uplink.owner} must name uplink entry points of the "
                f"cluster ({there_are}), got {quote(entry_point)}",
                [Related(declared, "uplink entry points are declared here")],
            )
            yield Suggestion(diagnostic, entry_point, known, written=entry_point)


@rule(
    "UPL110",
    name="entry-point-named-twice",
    severity=Severity.WARNING,
    scope="manifests",
    reads=("uplinks",),
)
def entry_point_named_twice(cluster: Cluster) -> Iterator[Diagnostic]:
    """Warn about an entry point listed twice.

    ## What it checks

    `spec.entryPoints` of an `Uplink` lists each entry point once.

    ## Why

    The repetition has no effect. Another entry point may have been intended.

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
      entryPoints: [multicluster]
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
                    f"spec.entryPoints of uplink {uplink.owner} lists {quote(entry_point)} twice; "
                    "remove one",
                    [Related(locate("spec", "entryPoints", before), "first listed here")],
                )


@rule(
    "UPL410",
    name="child-without-entry-points",
    severity=Severity.ERROR,
    scope="cluster",
    reads=("child_config", "uplinks"),
)
def child_without_entry_points(cluster: Cluster) -> Iterator[Diagnostic]:
    """Require an uplink entry point in each child with uplinks.

    ## What it checks

    The static configuration of a cluster with an `Uplink` has at least one entry
    point in `hub.uplinkEntryPoints`. Without a static configuration there is no
    check. An uplink without `spec.entryPoints` is on the entry points with
    `asDefault: true`, or on all of them if none has it.

    ## Why

    Parents reach uplinks through uplink entry points. Without one, they reach no
    uplink of the cluster.

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
        multicluster: {address: ":9443", asDefault: true}
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
        "hub.uplinkEntryPoints is missing or empty, so no parent can reach the uplinks; "
        'add an entry point with an address (":9443")',
        [Related(first, "the first uplink")],
    )
