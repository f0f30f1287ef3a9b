"""Rules about objects as such, whatever their kind (UPL010).

Source: Kubernetes, "Object Names and IDs".
"""

from __future__ import annotations

from collections.abc import Iterator

from uplinks.diagnostics import Diagnostic, Location, Related, Severity
from uplinks.model import Cluster, IngressRoute, TraefikService, Uplink
from uplinks.rules._rule import rule

__all__ = ["declared_twice"]


@rule(
    "UPL010",
    name="declared-twice",
    severity=Severity.ERROR,
    scope="manifests",
    reads=("routers", "traefik_services", "uplinks"),
)
def declared_twice(cluster: Cluster) -> Iterator[Diagnostic]:
    """Refuse an object that is declared twice in one cluster.

    ## What it checks

    A cluster has at most one `Uplink`, one `IngressRoute` and one
    `TraefikService` of each namespace and name, and each part of the static
    configuration once.

    ## Why

    Only one of them can exist: which one depends on what is applied last.

    ## Bad

    ```yaml
    apiVersion: hub.traefik.io/v1alpha1
    kind: Uplink
    metadata: {name: api-workload, namespace: apps}
    spec: {weight: 90}
    ---
    apiVersion: hub.traefik.io/v1alpha1
    kind: Uplink
    metadata: {name: api-workload, namespace: apps}
    spec: {weight: 10}
    ```

    ## Good

    ```yaml
    apiVersion: hub.traefik.io/v1alpha1
    kind: Uplink
    metadata: {name: api-workload, namespace: apps}
    spec: {weight: 90}
    ```

    ## Source

    Kubernetes, "Object Names and IDs".
    """
    first: dict[tuple[str, str, str], Location] = {}
    objects: list[tuple[str, Uplink | IngressRoute | TraefikService]] = [
        *(("Uplink", uplink) for uplink in cluster.uplinks),
        *(("IngressRoute", router) for router in cluster.routers),
        *(("TraefikService", service) for service in cluster.traefik_services),
    ]
    for kind, item in sorted(objects, key=lambda pair: pair[1].origin.locate("metadata", "name")):
        if not item.name:
            continue  # reported as missing; two of these are not one object
        where = item.origin.locate("metadata", "name")
        identity = (kind, item.namespace, item.name)
        if identity in first:
            yield declared_twice.at(
                where,
                f"{kind} {item.namespace}/{item.name} is declared twice in one cluster",
                [Related(first[identity], "declared here first")],
            )
        first.setdefault(identity, where)
