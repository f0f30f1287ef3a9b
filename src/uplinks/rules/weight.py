"""Rules about weights of 0 and weights of references (UPL104, UPL313, UPL405).

Source: Traefik's Kubernetes CRD provider.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Hashable, Iterator, Sequence

from uplinks.diagnostics import Diagnostic, Related, Severity
from uplinks.errors import quote
from uplinks.model import MAX_WEIGHT, Cluster, Fleet, Uplink
from uplinks.rules._references import (
    KIND,
    KUBERNETES,
    Offer,
    Reference,
    mirrors_of,
    of_router,
    of_service,
    offers_by,
)
from uplinks.rules._rule import rule

__all__ = ["only_zero_weights", "reference_weight", "zero_weight"]


@rule(
    "UPL313",
    name="reference-weight",
    severity=Severity.ERROR,
    scope="manifests",
    reads=("routers", "traefik_services"),
)
def reference_weight(cluster: Cluster) -> Iterator[Diagnostic]:
    """Require a valid weight in each reference to a service.

    ## What it checks

    `weight` of each reference, in an `IngressRoute` or a `TraefikService`, is between 0
    and 2147483647. References of one list to the same service are one target, and the
    sum of their weights is in the same range.

    ## Why

    A weight is a share of the requests. The limit keeps the arithmetic exact. Only the
    ratio of the weights matters, so smaller weights have the same effect.

    ## Bad

    ```yaml
    # parent
    apiVersion: traefik.io/v1alpha1
    kind: TraefikService
    metadata: {name: api, namespace: apps}
    spec:
      weighted:
        services:
          - name: apps-api-workload@multicluster
            kind: TraefikService
            weight: -1 # UPL313
          - name: apps-api-workload-child-1@multicluster
            kind: TraefikService
            weight: 2147483648 # UPL313
    ---
    apiVersion: traefik.io/v1alpha1
    kind: TraefikService
    metadata: {name: sum, namespace: apps}
    spec:
      weighted:
        services:
          - name: apps-api-workload@multicluster
            kind: TraefikService
            weight: 2147483647
          - name: apps-api-workload@multicluster
            kind: TraefikService
            weight: 1 # UPL313
    ---
    apiVersion: traefik.io/v1alpha1
    kind: IngressRoute
    metadata: {name: api, namespace: apps}
    spec:
      routes:
        - match: PathPrefix(`/api`)
          kind: Rule
          services:
            - name: api
              kind: TraefikService
              weight: -1 # UPL313
    ```

    ## Good

    ```yaml
    # parent
    apiVersion: traefik.io/v1alpha1
    kind: TraefikService
    metadata: {name: api, namespace: apps}
    spec:
      weighted:
        services:
          - name: apps-api-workload@multicluster
            kind: TraefikService
            weight: 2147483647
          - name: apps-api-workload-child-1@multicluster
            kind: TraefikService
            weight: 2147483647
    ---
    apiVersion: traefik.io/v1alpha1
    kind: IngressRoute
    metadata: {name: api, namespace: apps}
    spec:
      routes:
        - match: PathPrefix(`/api`)
          kind: Rule
          services:
            - name: api
              kind: TraefikService
              weight: 0
    ```

    ## Source

    Traefik's Kubernetes CRD: `weight` has the minimum 0; the upper limit is this
    library's.
    """
    groups = [
        *(references for router in cluster.routers for references in of_router(router)),
        *(references for service in cluster.traefik_services for references in of_service(service)),
        *(mirrors_of(service) for service in cluster.traefik_services),
    ]
    for references in groups:
        sums: dict[Hashable, int] = defaultdict(int)
        for reference in references:
            weight, before = reference.service.weight, sums[_target(reference)]
            name = quote(reference.service.name)
            limits = f"must be between 0 and {MAX_WEIGHT}"
            if not 0 <= weight <= MAX_WEIGHT:
                message = f"weight of {name} in {reference.holder} {limits}, got {quote(weight)}"
            elif before <= MAX_WEIGHT < before + weight:
                total = f"the sum of the weights of {name} in {reference.holder}"
                message = f"{total} {limits}, got {before + weight}"
            else:
                sums[_target(reference)] = before + weight
                continue
            where = reference.origin.locate(*reference.path, "weight")
            yield reference_weight.at(where, message)


def _target(reference: Reference) -> Hashable:
    """Identify the service that a reference names, in either notation."""
    service = reference.service
    if service.kind != KIND:
        return (reference.namespace, service.name, service.port)
    if "@" in service.name:
        return service.name
    return f"{reference.namespace}-{service.name}@{KUBERNETES}"


@rule(
    "UPL104",
    name="zero-weight",
    severity=Severity.WARNING,
    scope="any",
    reads=("children", "children.uplinks", "offered", "parent.uplinks"),
)
def zero_weight(subject: Cluster | Fleet) -> Iterator[Diagnostic]:
    """Warn about weight 0.

    ## What it checks

    `spec.weight` of an `Uplink` is more than 0. UPL405 reports an uplink with weight 0
    on all children of a fleet.

    ## Why

    The child is advertised but never picked, not even when all others are down. This
    is a way to drain a child, but not a way to keep one in reserve.

    ## Bad

    ```yaml
    # child-1
    spec:
      weight: 0 # UPL104
    ---
    # child-2
    spec:
      weight: 10
    ```

    ## Good

    ```yaml
    # child-1
    spec:
      weight: 1
    ---
    # child-2
    spec:
      weight: 10
    ```

    ## Source

    Uplink reference, "Configuration Options" and "Weight Configuration".
    """
    if isinstance(subject, Fleet):
        drained = {
            name for name, offers in offers_by(_uplink_name, subject).items() if _all_zero(offers)
        }
        uplinks = [
            *subject.parent.uplinks,
            *(u for c in sorted(subject.children) for u in subject.children[c].uplinks),
        ]
    else:
        drained, uplinks = set(), [*subject.uplinks]
    for uplink in uplinks:
        if uplink.weight == 0 and uplink.uplink_name not in drained:
            yield zero_weight.at(
                uplink.origin.locate("spec", "weight"),
                f"spec.weight of uplink {uplink.owner} is 0, so the uplink is advertised but never "
                "picked; set 1 or more unless you are draining it",
            )


@rule(
    "UPL405",
    name="only-zero-weights",
    severity=Severity.ERROR,
    scope="fleet",
    reads=("offered",),
)
def only_zero_weights(fleet: Fleet) -> Iterator[Diagnostic]:
    """Refuse an uplink with weight 0 on every child.

    ## What it checks

    At least one child that advertises an uplink name has a `spec.weight` of more than
    0.

    ## Why

    A child with weight 0 is never picked, so the weighted service has no child to pick
    and every request fails.

    ## Bad

    ```yaml
    # child-1
    spec:
      weight: 0 # UPL405
    ---
    # child-2
    spec:
      weight: 0
    ```

    ## Good

    ```yaml
    # child-1
    spec:
      weight: 10
    ---
    # child-2
    spec:
      weight: 10
    ```

    ## Source

    Uplink reference, "Weight Configuration".
    """
    for name, offers in offers_by(_uplink_name, fleet).items():
        if _all_zero(offers):
            (_, first), *others = offers
            yield only_zero_weights.at(
                first.origin.locate("spec", "weight"),
                f"uplink {quote(name)} has weight 0 on every child, so no request is served; set "
                "a weight of 1 or more on at least one child",
                [
                    Related(
                        uplink.origin.locate("spec", "weight"), f"the weight on child {child!r}"
                    )
                    for child, uplink in others
                ],
            )


def _uplink_name(uplink: Uplink) -> str:
    return uplink.uplink_name


def _all_zero(offers: Sequence[Offer]) -> bool:
    return all(uplink.weight == 0 for _, uplink in offers)
