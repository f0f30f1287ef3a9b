"""Rules about uplinks (UPL1xx): names, weight, entry points.

Source: reference page, "Configuration Options" and "Uplink Naming".
"""

from __future__ import annotations

from collections.abc import Iterator

from uplinks import naming
from uplinks.diagnostics import Diagnostic, Related, Severity
from uplinks.model import MAX_WEIGHT, Cluster
from uplinks.rules._guess import Finding, Guess
from uplinks.rules._rule import rule, shown, some

__all__ = [
    "invalid_expose_name",
    "invalid_name",
    "invalid_namespace",
    "negative_weight",
    "no_default_entry_point",
    "unknown_entry_point",
    "weight_too_large",
]


@rule(
    "UPL101",
    name="uplink-name",
    severity=Severity.ERROR,
    scope="manifests",
    reads=("uplinks",),
)
def invalid_name(cluster: Cluster) -> Iterator[Diagnostic]:
    """Require a valid name of an uplink.

    ## What it checks

    `metadata.name` of an `Uplink` is a DNS label: 1 to 63 characters out of
    `a-z`, `0-9` and `-`, with a letter or digit at both ends.

    ## Why

    The parent's services and the annotation of routers are made of this name.

    ## Bad

    ```yaml
    apiVersion: hub.traefik.io/v1alpha1
    kind: Uplink
    metadata:
      name: API_workload
      namespace: apps
    ```

    ## Good

    ```yaml
    apiVersion: hub.traefik.io/v1alpha1
    kind: Uplink
    metadata:
      name: api-workload
      namespace: apps
    ```

    ## Source

    Uplink reference, "Configuration Options"; RFC 1123, section 2.1.
    """
    for uplink in cluster.uplinks:
        problem = naming.problem_with_name(uplink.name)
        if problem is not None:
            yield invalid_name.at(
                uplink.origin.locate("metadata", "name"),
                f"invalid uplink name {shown(uplink.name)}: {problem}",
            )


@rule(
    "UPL102",
    name="uplink-namespace",
    severity=Severity.ERROR,
    scope="manifests",
    reads=("uplinks",),
)
def invalid_namespace(cluster: Cluster) -> Iterator[Diagnostic]:
    """Require a valid namespace of an uplink.

    ## What it checks

    `metadata.namespace` of an `Uplink` is there and is a DNS label: 1 to 63
    characters out of `a-z`, `0-9` and `-`, with a letter or digit at both ends.

    ## Why

    The uplink name begins with the namespace. A manifest that leaves it to
    whoever applies it gets another name in each place.

    ## Bad

    ```yaml
    apiVersion: hub.traefik.io/v1alpha1
    kind: Uplink
    metadata:
      name: api-workload
    ```

    ## Good

    ```yaml
    apiVersion: hub.traefik.io/v1alpha1
    kind: Uplink
    metadata:
      name: api-workload
      namespace: apps
    ```

    ## Source

    Uplink reference, "Configuration Options": the namespace is required.
    """
    for uplink in cluster.uplinks:
        problem = naming.problem_with_name(uplink.namespace)
        if not uplink.namespace:
            message = f"uplink {shown(uplink.name)} has no namespace; its name is derived from it"
        elif problem is not None:
            name = shown(uplink.name)
            message = f"invalid namespace {shown(uplink.namespace)} of uplink {name}: {problem}"
        else:
            continue
        yield invalid_namespace.at(uplink.origin.locate("metadata", "namespace"), message)


@rule(
    "UPL103",
    name="negative-weight",
    severity=Severity.ERROR,
    scope="manifests",
    reads=("uplinks",),
)
def negative_weight(cluster: Cluster) -> Iterator[Diagnostic]:
    """Refuse a negative weight.

    ## What it checks

    `spec.weight` of an `Uplink` is not below 0.

    ## Why

    A weight is a share of the requests. To advertise a child that is never
    picked, write 0.

    ## Bad

    ```yaml
    spec:
      weight: -1
    ```

    ## Good

    ```yaml
    spec:
      weight: 0
    ```

    ## Source

    Uplink reference, "Configuration Options": "Must be >=0".
    """
    for uplink in cluster.uplinks:
        if uplink.weight < 0:
            yield negative_weight.at(
                uplink.origin.locate("spec", "weight"),
                f"weight of uplink {uplink.owner} is {shown(uplink.weight)}; "
                f"0 to {MAX_WEIGHT} is allowed",
            )


@rule(
    "UPL105",
    name="weight-too-large",
    severity=Severity.ERROR,
    scope="manifests",
    reads=("uplinks",),
)
def weight_too_large(cluster: Cluster) -> Iterator[Diagnostic]:
    """Refuse a weight of more than 31 bits.

    ## What it checks

    `spec.weight` of an `Uplink` is at most 2147483647.

    ## Why

    Weights are added and multiplied exactly; the limit is what keeps that
    exact. Only the ratio of the weights matters, so smaller ones do the same.

    ## Bad

    ```yaml
    spec:
      weight: 9000000000
    ```

    ## Good

    ```yaml
    spec:
      weight: 90
    ```

    ## Source

    Uplink reference, "Weight Configuration"; the limit is this library's.
    """
    for uplink in cluster.uplinks:
        if uplink.weight > MAX_WEIGHT:
            yield weight_too_large.at(
                uplink.origin.locate("spec", "weight"),
                f"weight of uplink {uplink.owner} is {shown(uplink.weight)}; "
                f"0 to {MAX_WEIGHT} is allowed",
            )


@rule(
    "UPL106",
    name="expose-name",
    severity=Severity.ERROR,
    scope="manifests",
    reads=("uplinks",),
)
def invalid_expose_name(cluster: Cluster) -> Iterator[Diagnostic]:
    """Require a valid `exposeName`.

    ## What it checks

    `spec.exposeName` of an `Uplink`, if it is written, has 1 to 253 characters
    out of `a-z`, `0-9`, `-` and `.`, with a letter or digit at both ends.

    ## Why

    The name becomes a service on every parent, and part of what routers match.

    ## Bad

    ```yaml
    spec:
      exposeName: API_workload
    ```

    ## Good

    ```yaml
    spec:
      exposeName: api-workload
    ```

    ## Source

    Uplink reference, "Uplink Naming"; the field's pattern in the Uplink CRD.
    """
    for uplink in cluster.uplinks:
        if uplink.expose_name is None:
            continue
        problem = naming.problem_with_expose_name(uplink.expose_name)
        if problem is not None:
            yield invalid_expose_name.at(
                uplink.origin.locate("spec", "exposeName"),
                f"invalid exposeName {shown(uplink.expose_name)} of uplink {uplink.owner}: "
                f"{problem}",
            )


@rule(
    "UPL108",
    name="unknown-entry-point",
    severity=Severity.ERROR,
    scope="cluster",
    reads=("child_config", "uplinks"),
)
def unknown_entry_point(cluster: Cluster) -> Iterator[Finding]:
    """Require that an uplink's entry points exist.

    ## What it checks

    Each name in `spec.entryPoints` of an `Uplink` is a key of
    `hub.uplinkEntryPoints` in the static configuration of the same cluster.
    Nothing is checked when no static configuration was read.

    ## Why

    An uplink on an entry point that does not exist is reachable by no parent.

    ## Bad

    ```yaml
    hub:
      uplinkEntryPoints:
        multicluster:
          address: ":9443"
    ---
    apiVersion: hub.traefik.io/v1alpha1
    kind: Uplink
    metadata: {name: api-workload, namespace: apps}
    spec:
      entryPoints:
        - multiclustre
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
    if config is None:
        return
    known, there_are = config.uplink_entry_points, some(config.uplink_entry_points)
    declared = config.origin.locate("hub", "uplinkEntryPoints", key=True)
    for uplink in cluster.uplinks:
        for index, entry_point in enumerate(uplink.entry_points):
            if entry_point in known:
                continue
            finding = unknown_entry_point.at(
                uplink.origin.locate("spec", "entryPoints", index),
                f"uplink {uplink.owner} names the unknown uplink entry point "
                f"{shown(entry_point)}; there are: {there_are}",
                [Related(declared, "uplink entry points are declared here")],
            )
            yield Guess(finding, entry_point, known)


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
    ---
    apiVersion: hub.traefik.io/v1alpha1
    kind: Uplink
    metadata: {name: api-workload, namespace: apps}
    ```

    ## Good

    ```yaml
    hub:
      uplinkEntryPoints:
        multicluster:
          address: ":9443"
          asDefault: true
    ```

    ## Source

    Uplink reference, "Configuration Options": "If not specified, uses default
    uplink entry points".
    """
    config = cluster.child_config
    if config is None or config.default_entry_points:
        return
    for uplink in cluster.uplinks:
        if not uplink.entry_points:
            yield no_default_entry_point.at(
                uplink.origin.locate("spec", "entryPoints"),
                f"uplink {uplink.owner} names no entry point and no uplink entry point of "
                "the cluster has asDefault: true",
                [
                    Related(
                        config.origin.locate("hub", "uplinkEntryPoints", key=True),
                        "none of these is a default",
                    )
                ],
            )
