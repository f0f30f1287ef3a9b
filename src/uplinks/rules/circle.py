"""The rule about circular references between TraefikServices (UPL310).

Source: Traefik's Kubernetes CRD provider.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from typing import Final

from uplinks import naming
from uplinks.diagnostics import Diagnostic, Related, Severity
from uplinks.model import Cluster, TraefikService
from uplinks.rules._references import KIND, KUBERNETES, Reference, mirrors_of, of_service
from uplinks.rules._rule import rule

__all__ = ["circle"]


@rule(
    "UPL310",
    name="circle",
    severity=Severity.ERROR,
    scope="manifests",
    reads=("traefik_services",),
)
def circle(cluster: Cluster) -> Iterator[Diagnostic]:
    """Refuse TraefikServices that contain themselves.

    ## What it checks

    No `TraefikService` refers to itself, directly or through others of the same cluster.
    Each reference that closes a circle is reported once.

    ## Why

    Traefik cannot build such a service, nor any router that uses it.

    ## Bad

    ```yaml
    # parent
    apiVersion: traefik.io/v1alpha1
    kind: TraefikService
    metadata: {name: a, namespace: apps}
    spec:
      weighted:
        services:
          - {name: b, kind: TraefikService}
    ---
    apiVersion: traefik.io/v1alpha1
    kind: TraefikService
    metadata: {name: b, namespace: apps}
    spec:
      failover:
        service: {name: c, kind: TraefikService}
        fallback: {name: apps-api-workload@multicluster, kind: TraefikService}
        errors: {status: ["500-599"]}
    ---
    apiVersion: traefik.io/v1alpha1
    kind: TraefikService
    metadata: {name: c, namespace: apps}
    spec:
      weighted:
        services:
          - {name: apps-a@kubernetescrd, kind: TraefikService} # UPL310
    ---
    apiVersion: traefik.io/v1alpha1
    kind: TraefikService
    metadata: {name: self, namespace: apps}
    spec:
      weighted:
        services:
          - {name: self, kind: TraefikService} # UPL310
    ```

    ## Good

    ```yaml
    # parent
    apiVersion: traefik.io/v1alpha1
    kind: TraefikService
    metadata: {name: a, namespace: apps}
    spec:
      weighted:
        services:
          - {name: b, kind: TraefikService}
          - {name: c, kind: TraefikService}
    ---
    apiVersion: traefik.io/v1alpha1
    kind: TraefikService
    metadata: {name: b, namespace: apps}
    spec:
      weighted:
        services:
          - {name: c, kind: TraefikService}
    ---
    apiVersion: traefik.io/v1alpha1
    kind: TraefikService
    metadata: {name: c, namespace: apps}
    spec:
      weighted:
        services:
          - {name: apps-api-workload@multicluster, kind: TraefikService}
    ```

    ## Source

    Traefik, "recursion detected"; the selectors of this library reject it too.
    """
    services, references = _merged(cluster.traefik_services)
    targets = _targets(services, references)
    finished: set[int] = set()
    for start in range(len(services)):
        # Depth first with an explicit stack, because a chain of services can be long.
        path = [start] if start not in finished else []
        depth = {start: 0}
        waiting = [iter(targets[start])]
        while path:
            edge = next(waiting[-1], None)
            if edge is None:
                waiting.pop()
                done = path.pop()
                del depth[done]
                finished.add(done)
                continue
            reference, target = edge
            if target in depth:
                start_at = depth[target]
                first = [services[i] for i in path[start_at : start_at + _MOST_SHOWN]]
                message = _way(first, len(path) - start_at)
                yield circle.at(reference.location, message, _places(first))
            elif target not in finished:
                depth[target] = len(path)
                path.append(target)
                waiting.append(iter(targets[target]))


def _merged(
    declared: Sequence[TraefikService],
) -> tuple[Sequence[TraefikService], Sequence[Sequence[Reference]]]:
    """Return the services and their references, repeated declarations merged into one.

    Unmerged, each reference would lead to all repetitions, at quadratic cost.
    """
    services: list[TraefikService] = []
    references: list[list[Reference]] = []
    for service in sorted(
        declared, key=lambda s: (s.namespace, s.name, s.origin.locate().sort_key)
    ):
        last = services[-1] if services else None
        if last is None or (last.namespace, last.name) != (service.namespace, service.name):
            services.append(service)
            references.append([])
        references[-1].extend(reference for each in of_service(service) for reference in each)
        references[-1].extend(mirrors_of(service))
    return services, references


def _targets(
    services: Sequence[TraefikService], references: Sequence[Sequence[Reference]]
) -> Sequence[Sequence[tuple[Reference, int]]]:
    """Return, for each service, its references and the indices of their targets."""
    by_owner = {(service.namespace, service.name): i for i, service in enumerate(services)}
    by_name: Mapping[str, list[int]] = defaultdict(list)
    for i, service in enumerate(services):
        by_name[service.service_name].append(i)
    found: list[list[tuple[Reference, int]]] = [[] for _ in services]
    for i, made in enumerate(references):
        for reference in made:
            if reference.service.kind != KIND:
                continue
            name, provider = naming.split_service_reference(reference.service.name)
            near: list[int] = []
            if provider is None:
                owner = by_owner.get((reference.namespace, name))
                near = [] if owner is None else [owner]
            elif provider == KUBERNETES:
                near = by_name.get(reference.service.name, [])
            found[i].extend((reference, target) for target in near)
    return found


_MOST_SHOWN: Final = 20
"""How many members of a circle a message names."""


def _way(members: Sequence[TraefikService], length: int) -> str:
    names = [service.owner for service in members]
    more = length - len(names)
    way = " -> ".join([*names, *([f"{more} more"] if more else []), names[0]])
    return f"TraefikServices form a circle: {way}; remove one of these references"


def _places(members: Sequence[TraefikService]) -> list[Related]:
    return [
        Related(
            service.origin.locate("metadata", "name"),
            f"TraefikService {service.owner} is part of the circle",
        )
        for service in members
    ]
