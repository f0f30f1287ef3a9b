"""The rule about weights of references (UPL313).

Source: Traefik's Kubernetes CRD provider.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Hashable, Iterator

from uplinks.diagnostics import Diagnostic, Severity
from uplinks.model import MAX_WEIGHT, Cluster
from uplinks.rules._rule import rule, shown
from uplinks.rules._use import KIND, KUBERNETES, Use, of_router, of_service

__all__ = ["reference_weight"]


@rule(
    "UPL313",
    name="reference-weight",
    severity=Severity.ERROR,
    scope="manifests",
    reads=("routers", "traefik_services"),
)
def reference_weight(cluster: Cluster) -> Iterator[Diagnostic]:
    """Require a valid weight of each reference to a service.

    ## What it checks

    `weight` of each reference, in an `IngressRoute` or a weighted or failover
    `TraefikService`, is from 0 to 2147483647. References of one list to one
    service are one target: the sum of their weights is in that range too.

    ## Why

    A weight is a share of the requests, and shares are computed exactly within
    this range. Only the ratio of the weights matters, so smaller ones do the
    same.

    ## Bad

    ```yaml
    apiVersion: traefik.io/v1alpha1
    kind: TraefikService
    metadata: {name: api, namespace: apps}
    spec:
      weighted:
        services:
          - name: apps-api-workload@multicluster
            kind: TraefikService
            weight: -1
    ```

    ## Good

    ```yaml
    apiVersion: traefik.io/v1alpha1
    kind: TraefikService
    metadata: {name: api, namespace: apps}
    spec:
      weighted:
        services:
          - name: apps-api-workload@multicluster
            kind: TraefikService
            weight: 1
    ```

    ## Source

    Traefik's Kubernetes CRD: `weight` has the minimum 0; the upper limit is this
    library's.
    """
    groups = [
        *(uses for router in cluster.routers for uses in of_router(router)),
        *(uses for service in cluster.traefik_services for uses in of_service(service)),
    ]
    for uses in groups:
        sums: dict[Hashable, int] = defaultdict(int)
        for use in uses:
            weight, before = use.reference.weight, sums[_target(use)]
            name = shown(use.reference.name)
            allowed = f"0 to {MAX_WEIGHT} is allowed"
            if not 0 <= weight <= MAX_WEIGHT:
                what = f"weight of {name} in {use.holder} is {shown(weight)}"
            elif before <= MAX_WEIGHT < before + weight:
                what = f"weights of {name} in {use.holder} add up to {before + weight}"
            else:
                sums[_target(use)] = before + weight
                continue
            where = use.origin.locate(*use.path, "weight")
            yield reference_weight.at(where, f"{what}; {allowed}")


def _target(use: Use) -> Hashable:
    """What a reference refers to, however it is written."""
    reference = use.reference
    if reference.kind != KIND:
        return (use.namespace, reference.name, reference.port)
    if "@" in reference.name:
        return reference.name
    return f"{use.namespace}-{reference.name}@{KUBERNETES}"
