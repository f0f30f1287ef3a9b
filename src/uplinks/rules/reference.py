"""Rules about references from routers and services to services (UPL307 to UPL310).

Only `weighted` and `failover` of a TraefikService are followed; the other types
are kept as they are written and not looked into.

Source: reference page, "Uplink Naming"; Traefik's Kubernetes CRD provider.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from typing import Final

from attrs import frozen

from uplinks import naming
from uplinks.diagnostics import Diagnostic, Location, Related, Severity
from uplinks.model import Cluster, Fleet, IngressRoute, ServiceReference, TraefikService
from uplinks.rules._rule import rule

__all__ = ["circle", "missing_kind", "unresolved_service"]

_MULTICLUSTER: Final = naming.PROVIDER_SUFFIX.removeprefix("@")
_KUBERNETES: Final = "kubernetescrd"
_KIND: Final = "TraefikService"


@frozen
class _Use:
    """One reference, who makes it, and where."""

    holder: str
    reference: ServiceReference
    location: Location


def _of_router(router: IngressRoute) -> Iterator[_Use]:
    holder = f"router {router.namespace}/{router.name}"
    for i, route in enumerate(router.routes):
        for j, reference in enumerate(route.services):
            where = router.origin.locate("spec", "routes", i, "services", j, "name")
            yield _Use(holder, reference, where)


def _of_service(service: TraefikService) -> Iterator[_Use]:
    holder = f"TraefikService {service.namespace}/{service.name}"
    if service.weighted is not None:
        for i, reference in enumerate(service.weighted.services):
            where = service.origin.locate("spec", "weighted", "services", i, "name")
            yield _Use(holder, reference, where)
    if service.failover is not None:
        for side, reference in (
            ("service", service.failover.service),
            ("fallback", service.failover.fallback),
        ):
            yield _Use(holder, reference, service.origin.locate("spec", "failover", side, "name"))


def _of_cluster(cluster: Cluster) -> Iterator[_Use]:
    for router in cluster.routers:
        yield from _of_router(router)
    for service in cluster.traefik_services:
        yield from _of_service(service)


@rule(
    "UPL307",
    name="unresolved-service",
    severity=Severity.ERROR,
    scope="fleet",
    reads=("children", "children.uplinks", "parent.routers", "parent.traefik_services"),
)
def unresolved_service(fleet: Fleet) -> Iterator[Diagnostic]:
    """Require that `name@multicluster` is a service the parent materializes.

    ## What it checks

    Each reference `name@multicluster` of kind `TraefikService`, in an
    `IngressRoute` or a weighted or failover `TraefikService` of the parent, is
    `<uplink-name>` or `<uplink-name>-<child>` of an uplink that a child
    declares.

    ## Why

    A router to a service that does not exist answers every request with 404.

    ## Bad

    ```yaml
    services:
      - name: apps-api-worklaod@multicluster
        kind: TraefikService
    ```

    ## Good

    ```yaml
    services:
      - name: apps-api-workload@multicluster
        kind: TraefikService
    ```

    ## Source

    Uplink reference, "Uplink Naming".
    """
    known = set[str]()
    for child, cluster in fleet.children.items():
        for uplink in cluster.uplinks:
            known.add(uplink.uplink_name)
            known.add(f"{uplink.uplink_name}-{child}")
    for use in _of_cluster(fleet.parent):
        name, provider = naming.split_service_reference(use.reference.name)
        if provider == _MULTICLUSTER and use.reference.kind == _KIND and name not in known:
            # Compared without the provider, which would make all names look alike.
            near = naming.nearest(name, known)
            yield unresolved_service.at(
                use.location,
                f"{use.holder} references {use.reference.name!r}, "
                "but no child declares such an uplink",
                suggestion=None if near is None else f"{near}{naming.PROVIDER_SUFFIX}",
            )


@rule(
    "UPL308",
    name="missing-kind",
    severity=Severity.ERROR,
    scope="manifests",
    reads=("routers", "traefik_services"),
)
def missing_kind(cluster: Cluster) -> Iterator[Diagnostic]:
    """Require `kind: TraefikService` for `name@multicluster`.

    ## What it checks

    A reference `name@multicluster`, in an `IngressRoute` or a weighted or
    failover `TraefikService`, has `kind: TraefikService`.

    ## Why

    Without it the name is looked up as a Kubernetes Service, whose name cannot
    have an `@`, and the whole route is dropped.

    ## Bad

    ```yaml
    services:
      - name: apps-api-workload@multicluster
        port: 80
    ```

    ## Good

    ```yaml
    services:
      - name: apps-api-workload@multicluster
        kind: TraefikService
    ```

    ## Source

    Uplink reference, "Complete Example"; Traefik's Kubernetes CRD provider.
    """
    for use in _of_cluster(cluster):
        _, provider = naming.split_service_reference(use.reference.name)
        if provider == _MULTICLUSTER and use.reference.kind != _KIND:
            yield missing_kind.at(
                use.location,
                f"{use.holder} references {use.reference.name!r} with kind "
                f"{use.reference.kind!r}; only kind {_KIND!r} is allowed",
                suggestion=f"kind: {_KIND}",
            )


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

    No weighted or failover `TraefikService` leads back to itself, directly or
    through others of the same cluster. Each reference that closes a circle is
    reported once.

    ## Why

    Such a service can never be built, and neither can what routes to it.

    ## Bad

    ```yaml
    apiVersion: traefik.io/v1alpha1
    kind: TraefikService
    metadata: {name: api, namespace: apps}
    spec:
      weighted:
        services:
          - name: api
            kind: TraefikService
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
    ```

    ## Source

    Traefik, "recursion detected"; this library's selectors refuse it as well.
    """
    services = sorted(
        cluster.traefik_services, key=lambda s: (s.namespace, s.name, s.origin.locate())
    )
    uses = [tuple(_of_service(service)) for service in services]
    targets = _targets(services, uses)
    finished: set[int] = set()
    for start in range(len(services)):
        # Depth first on an explicit stack: a chain of services may be long.
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
            use, target = edge
            if target in depth:
                members = [services[i] for i in path[depth[target] :]]
                yield circle.at(use.location, _way(members), _places(members))
            elif target not in finished:
                depth[target] = len(path)
                path.append(target)
                waiting.append(iter(targets[target]))


def _targets(
    services: Sequence[TraefikService], uses: Sequence[Sequence[_Use]]
) -> Sequence[Sequence[tuple[_Use, int]]]:
    """For each service the references to others of the cluster, and to which."""
    by_owner: Mapping[tuple[str, str], list[int]] = defaultdict(list)
    by_name: Mapping[str, list[int]] = defaultdict(list)
    for i, service in enumerate(services):
        by_owner[service.namespace, service.name].append(i)
        by_name[service.service_name].append(i)
    found: list[list[tuple[_Use, int]]] = [[] for _ in services]
    for i, service in enumerate(services):
        for use in uses[i]:
            if use.reference.kind != _KIND:
                continue
            name, provider = naming.split_service_reference(use.reference.name)
            near: list[int] = []
            if provider is None:
                near = by_owner.get((use.reference.namespace or service.namespace, name), [])
            elif provider == _KUBERNETES:
                near = by_name.get(use.reference.name, [])
            found[i].extend((use, target) for target in near)
    return found


def _way(members: Sequence[TraefikService]) -> str:
    names = [f"{service.namespace}/{service.name}" for service in (*members, members[0])]
    return f"TraefikServices in a circle: {' -> '.join(names)}"


def _places(members: Sequence[TraefikService]) -> list[Related]:
    return [
        Related(
            service.origin.locate("metadata", "name"),
            f"TraefikService {service.namespace}/{service.name} is part of the circle",
        )
        for service in members
    ]
