"""Rules about references from routers and services to services (UPL307 to UPL312).

Only `weighted` and `failover` of a TraefikService are followed; the other types
are kept as they are written and not looked into.

Source: reference page, "Uplink Naming"; Traefik's Kubernetes CRD provider.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from typing import Final

from uplinks import naming
from uplinks.diagnostics import Diagnostic, Related, Severity
from uplinks.model import Cluster, Fleet, TraefikService
from uplinks.rules._guess import Finding, Guess
from uplinks.rules._rule import rule, shown
from uplinks.rules._use import (
    KIND,
    KUBERNETES,
    MULTICLUSTER,
    Use,
    of_cluster,
    of_service,
    renamed_services,
)

__all__ = ["circle", "missing_kind", "unknown_traefik_service", "unresolved_service"]


@rule(
    "UPL307",
    name="unresolved-service",
    severity=Severity.ERROR,
    scope="fleet",
    reads=("children", "children.uplinks", "parent.routers", "parent.traefik_services"),
)
def unresolved_service(fleet: Fleet) -> Iterator[Finding]:
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
    renamed = renamed_services(fleet)
    for use in of_cluster(fleet.parent):
        name, provider = naming.split_service_reference(use.reference.name)
        if provider != MULTICLUSTER or use.reference.kind != KIND or name in renamed:
            continue  # UPL309 knows what a renamed one is called now
        if name not in known:
            finding = unresolved_service.at(
                use.location,
                f"{use.holder} references {shown(use.reference.name)}, "
                "but no child declares such an uplink",
            )
            # Compared without the provider, which would make all names look alike.
            yield Guess(finding, name, known, naming.PROVIDER_SUFFIX)


@rule(
    "UPL308",
    name="missing-kind",
    severity=Severity.ERROR,
    scope="manifests",
    reads=("routers", "traefik_services"),
)
def missing_kind(cluster: Cluster) -> Iterator[Diagnostic]:
    """Require `kind: TraefikService` for `name@provider`.

    ## What it checks

    A reference with a provider, such as `name@multicluster`, in an
    `IngressRoute` or a weighted or failover `TraefikService`, has
    `kind: TraefikService`.

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
    for use in of_cluster(cluster):
        _, provider = naming.split_service_reference(use.reference.name)
        if provider is not None and use.reference.kind != KIND:
            yield missing_kind.at(
                use.location,
                f"{use.holder} references {shown(use.reference.name)} with kind "
                f"{shown(use.reference.kind)}; only kind {KIND!r} is allowed",
                suggestion=f"kind: {KIND}",
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
    services, uses = _merged(cluster.traefik_services)
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
                start_at = depth[target]
                first = [services[i] for i in path[start_at : start_at + _MOST_SHOWN]]
                message = _way(first, len(path) - start_at)
                yield circle.at(use.location, message, _places(first))
            elif target not in finished:
                depth[target] = len(path)
                path.append(target)
                waiting.append(iter(targets[target]))


def _merged(
    declared: Sequence[TraefikService],
) -> tuple[Sequence[TraefikService], Sequence[Sequence[Use]]]:
    """The services and their references; one that is declared again is the same one.

    Otherwise each reference would lead to all of them, and cost a square.
    """
    services: list[TraefikService] = []
    uses: list[list[Use]] = []
    for service in sorted(
        declared, key=lambda s: (s.namespace, s.name, s.origin.locate().sort_key)
    ):
        last = services[-1] if services else None
        if last is None or (last.namespace, last.name) != (service.namespace, service.name):
            services.append(service)
            uses.append([])
        uses[-1].extend(use for each in of_service(service) for use in each)
    return services, uses


def _targets(
    services: Sequence[TraefikService], uses: Sequence[Sequence[Use]]
) -> Sequence[Sequence[tuple[Use, int]]]:
    """For each service the references to others of the cluster, and to which."""
    by_owner = {(service.namespace, service.name): i for i, service in enumerate(services)}
    by_name: Mapping[str, list[int]] = defaultdict(list)
    for i, service in enumerate(services):
        by_name[service.service_name].append(i)
    found: list[list[tuple[Use, int]]] = [[] for _ in services]
    for i, made in enumerate(uses):
        for use in made:
            if use.reference.kind != KIND:
                continue
            name, provider = naming.split_service_reference(use.reference.name)
            near: list[int] = []
            if provider is None:
                owner = by_owner.get((use.namespace, name))
                near = [] if owner is None else [owner]
            elif provider == KUBERNETES:
                near = by_name.get(use.reference.name, [])
            found[i].extend((use, target) for target in near)
    return found


_MOST_SHOWN: Final = 20
"""Members of a circle that are named. Many references may close a long one."""


def _way(members: Sequence[TraefikService], length: int) -> str:
    names = [f"{service.namespace}/{service.name}" for service in members]
    more = length - len(names)
    way = " -> ".join([*names, *([f"{more} more"] if more else []), names[0]])
    return f"TraefikServices in a circle: {way}; take one of these references out"


def _places(members: Sequence[TraefikService]) -> list[Related]:
    return [
        Related(
            service.origin.locate("metadata", "name"),
            f"TraefikService {service.namespace}/{service.name} is part of the circle",
        )
        for service in members
    ]


@rule(
    "UPL312",
    name="unknown-traefik-service",
    severity=Severity.ERROR,
    scope="fleet",
    reads=("parent.routers", "parent.traefik_services"),
)
def unknown_traefik_service(fleet: Fleet) -> Iterator[Finding]:
    """Require that a referenced TraefikService of the parent exists.

    ## What it checks

    Each reference of kind `TraefikService` in an `IngressRoute` or a weighted or
    failover `TraefikService` of the parent is one of its own: `name` without a
    provider is a `TraefikService` of the same namespace (or of the reference's
    `namespace`), `<namespace>-<name>@kubernetescrd` one of any namespace. A
    provider that is written almost like `multicluster` or `kubernetescrd` is
    reported as well; services of other providers are not looked for.

    The manifests of a fleet's parent are taken to be all there, as they are for
    references to uplinks. One cluster checked alone is not judged.

    ## Why

    What refers to a service that does not exist can never be built, and every
    router to it answers with 404.

    ## Bad

    ```yaml
    apiVersion: traefik.io/v1alpha1
    kind: TraefikService
    metadata: {name: api, namespace: apps}
    spec:
      weighted:
        services:
          - name: nowhere
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

    Traefik's Kubernetes CRD provider.
    """
    services = fleet.parent.traefik_services
    known = {service.service_name for service in services}
    in_namespace: Mapping[str, set[str]] = defaultdict(set)
    for service in services:
        in_namespace[service.namespace].add(service.name)
    for use in of_cluster(fleet.parent):
        if use.reference.kind != KIND:
            continue
        name, provider = naming.split_service_reference(use.reference.name)
        message = f"{use.holder} references {shown(use.reference.name)}, "
        if provider is None and name not in in_namespace[use.namespace]:
            message += f"but the parent has no such TraefikService in {use.namespace!r}"
            yield Guess(
                unknown_traefik_service.at(use.location, message),
                name,
                in_namespace[use.namespace],
            )
        elif provider == KUBERNETES and use.reference.name not in known:
            message += "but the parent has no such TraefikService"
            finding = unknown_traefik_service.at(use.location, message)
            yield Guess(finding, use.reference.name, known)
        elif provider is not None and (meant := _misspelt(provider)) is not None:
            yield unknown_traefik_service.at(
                use.location,
                f"{message}but there is no provider {shown(provider)}",
                suggestion=f"{name}@{meant}",
            )


def _misspelt(provider: str) -> str | None:
    """The provider that was meant, if this one is almost but not quite its name."""
    if provider.casefold() == KUBERNETES:
        return None if provider == KUBERNETES else KUBERNETES
    # Traefik's other providers are nothing like it, and those of plugins are not known.
    return None if provider == MULTICLUSTER else naming.nearest(provider, (MULTICLUSTER,))
