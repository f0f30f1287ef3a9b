"""Rules about routes and services that answer no request (UPL332 to UPL334, UPL337, UPL338).

Source: Traefik's Kubernetes CRD provider.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from uplinks.diagnostics import Diagnostic, Severity
from uplinks.errors import quote
from uplinks.grammar import MAX_PORT
from uplinks.model import Cluster, ServiceReference, written_references
from uplinks.rules._references import KIND, Reference, of_cluster
from uplinks.rules._rule import rule

__all__ = [
    "impossible_port",
    "missing_port",
    "no_service_of_a_route",
    "no_type",
    "nothing_weighted",
]


@rule(
    "UPL332",
    name="nothing-weighted",
    severity=Severity.WARNING,
    scope="manifests",
    reads=("routers", "traefik_services"),
)
def nothing_weighted(cluster: Cluster) -> Iterator[Diagnostic]:
    """Warn about a list of services that is empty or has only weights of 0.

    ## What it checks

    In a `weighted` or `highestRandomWeight` `TraefikService`, and in a route with
    several services, at least one service has a weight of more than 0.

    ## Why

    A service of weight 0 gets no request, so every request is answered with 503. With a
    single service in a route, Traefik ignores the weight.

    ## Bad

    ```yaml
    # parent
    apiVersion: traefik.io/v1alpha1
    kind: TraefikService
    metadata: {name: api, namespace: apps}
    spec:
      weighted:
        services:
          - {name: apps-api-workload@multicluster, kind: TraefikService, weight: 0} # UPL332
          - {name: local, port: 80, weight: 0}
    ---
    apiVersion: traefik.io/v1alpha1
    kind: TraefikService
    metadata: {name: empty, namespace: apps}
    spec:
      weighted:
        services: [] # UPL332
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
          - {name: apps-api-workload@multicluster, kind: TraefikService}
          - {name: local, port: 80, weight: 0}
    ```

    ## Source

    Traefik v3.7, weighted round robin.
    """
    for service in cluster.traefik_services:
        owner = f"TraefikService {service.owner}"
        if service.weighted is not None:
            path: tuple[str | int, ...] = ("spec", "weighted", "services")
            written = service.origin.value_at(*path)
            # Entries that could not be read are reported already.
            complete = not isinstance(written, list) or len(written) == len(
                service.weighted.services
            )
            if complete and _only_zeros(service.weighted.services):
                yield nothing_weighted.at(service.origin.locate(*path), _message(owner, path))
        highest = service.rest.get("highestRandomWeight")
        if highest is not None:
            path = ("spec", "highestRandomWeight", "services")
            if _only_zeros(_services(highest)):
                yield nothing_weighted.at(service.origin.locate(*path), _message(owner, path))
    for router in cluster.routers:
        for index, route in enumerate(router.routes):
            if len(route.services) > 1 and _only_zeros(route.services):
                path = ("spec", "routes", index, "services")
                yield nothing_weighted.at(
                    router.origin.locate(*path),
                    _message(f"router {router.owner}", path[-1:]),
                )


def _services(node: Any) -> list[ServiceReference]:
    services = node.get("services") if isinstance(node, Mapping) else None
    return [reference for _, reference, _ in written_references(services)]


def _only_zeros(services: Sequence[ServiceReference]) -> bool:
    return all(service.weight == 0 for service in services)


def _message(owner: str, path: tuple[str | int, ...]) -> str:
    return (
        f"{'.'.join(map(str, path))} of {owner} has no service with a weight above 0, so every "
        "request gets 503; add one, or set a weight"
    )


@rule(
    "UPL333",
    name="no-type",
    severity=Severity.WARNING,
    scope="manifests",
    reads=("traefik_services",),
)
def no_type(cluster: Cluster) -> Iterator[Diagnostic]:
    """Warn about a TraefikService of no type.

    ## What it checks

    `spec` of a `TraefikService` has `weighted`, `mirroring`, `highestRandomWeight` or
    `failover`.

    ## Why

    Traefik builds no service, and every route to it is answered with 404.

    ## Bad

    ```yaml
    # parent
    apiVersion: traefik.io/v1alpha1
    kind: TraefikService
    metadata: {name: api, namespace: apps}
    spec: {} # UPL333
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
          - {name: apps-api-workload@multicluster, kind: TraefikService}
    ```

    ## Source

    Traefik v3.7, Kubernetes CRD provider.
    """
    types = ("mirroring", "highestRandomWeight")
    for service in cluster.traefik_services:
        composed = (service.weighted, service.failover, *map(service.rest.get, types))
        # What could not be read is reported already.
        written = service.origin.value_at("spec")
        failed = isinstance(written, dict) and any(written.get(name) for name in _TYPES)
        if all(each is None for each in composed) and not failed:
            yield no_type.at(
                service.origin.locate("spec"),
                f"TraefikService {service.owner} has no type, so Traefik builds "
                "no service; add weighted, mirroring, highestRandomWeight or failover",
            )


_TYPES = ("weighted", "failover", "mirroring", "highestRandomWeight")


@rule(
    "UPL334",
    name="no-service-of-a-route",
    severity=Severity.WARNING,
    scope="manifests",
    reads=("routers",),
)
def no_service_of_a_route(cluster: Cluster) -> Iterator[Diagnostic]:
    """Warn about a route with an empty list of services.

    ## What it checks

    `services` of a route is not an empty list. A route without `services` can be one
    that other routers name in `parentRefs`.

    ## Why

    Traefik answers every request of such a route with 404.

    ## Bad

    ```yaml
    # parent
    apiVersion: traefik.io/v1alpha1
    kind: IngressRoute
    metadata: {name: api, namespace: apps}
    spec:
      routes:
        - match: PathPrefix(`/api`)
          kind: Rule
          services: [] # UPL334
    ```

    ## Good

    ```yaml
    # parent
    apiVersion: traefik.io/v1alpha1
    kind: IngressRoute
    metadata: {name: api, namespace: apps}
    spec:
      routes:
        - match: PathPrefix(`/api`)
          kind: Rule
          services:
            - {name: apps-api-workload@multicluster, kind: TraefikService}
    ```

    ## Source

    Traefik v3.7, Kubernetes CRD provider.
    """
    above = {
        (reference.namespace or router.namespace, reference.name)
        for router in cluster.routers
        for _, reference, _ in written_references(router.rest.get("parentRefs"))
    }
    for router in cluster.routers:
        written = router.origin.value_at("spec", "routes")
        if not isinstance(written, list) or (router.namespace, router.name) in above:
            continue
        for index, route in enumerate(written):
            if isinstance(route, dict) and route.get("services") == []:
                yield no_service_of_a_route.at(
                    router.origin.locate("spec", "routes", index, "services"),
                    f"spec.routes[{index}].services of router {router.owner} is "
                    "empty, so its requests get 404; add a service",
                )


@rule(
    "UPL337",
    name="impossible-port",
    severity=Severity.WARNING,
    scope="manifests",
    reads=("others", "routers", "traefik_services"),
)
def impossible_port(cluster: Cluster) -> Iterator[Diagnostic]:
    """Warn about a port that no Kubernetes Service can have.

    ## What it checks

    `port` of a reference to a Kubernetes Service is an integer from 1 to 65535, or a
    name with a letter.

    ## Why

    A string is the name of a port, and a name has at least one letter. So `"80"` matches
    no port, and Traefik drops the whole route.

    ## Bad

    ```yaml
    metadata:
      annotations:
        hub.traefik.io/router.uplinks: "apps-api-workload"
    spec:
      routes:
        - match: PathPrefix(`/api`)
          kind: Rule
          services:
            - name: api
              port: "80" # UPL337
    ```

    ## Good

    ```yaml
    metadata:
      annotations:
        hub.traefik.io/router.uplinks: "apps-api-workload"
    spec:
      routes:
        - match: PathPrefix(`/api`)
          kind: Rule
          services:
            - name: api
              port: 80
            - name: other
              port: http
    ```

    ## Source

    Traefik v3.7, Kubernetes CRD provider; Kubernetes, "Service".
    """
    for reference in _to_kubernetes(cluster):
        port = reference.service.port
        if isinstance(port, str) and port.isdecimal():
            number = int(port) if len(port) <= len(str(MAX_PORT)) else 0
            yield impossible_port.at(
                reference.origin.locate(*reference.path, "port"),
                f"{reference.holder} references port {quote(port)} of {_name(reference)} as a "
                "string, which is the name of a port; write the number without quotes",
                suggestion=str(number) if 0 < number <= MAX_PORT else None,
            )
        elif isinstance(port, int) and port and not 0 < port <= MAX_PORT:
            yield impossible_port.at(
                reference.origin.locate(*reference.path, "port"),
                f"{reference.holder} references port {port} of {_name(reference)}; a port must be "
                f"between 1 and {MAX_PORT}",
            )


@rule(
    "UPL338",
    name="missing-port",
    severity=Severity.WARNING,
    scope="manifests",
    reads=("others", "routers", "traefik_services"),
)
def missing_port(cluster: Cluster) -> Iterator[Diagnostic]:
    """Warn about a reference to a Kubernetes Service without a port.

    ## What it checks

    Each reference to a Kubernetes Service has a `port`.

    ## Why

    Traefik does not choose one, and drops the whole route.

    ## Bad

    ```yaml
    metadata:
      annotations:
        hub.traefik.io/router.uplinks: "apps-api-workload"
    spec:
      routes:
        - match: PathPrefix(`/api`)
          kind: Rule
          services:
            - name: api # UPL338
    ```

    ## Good

    ```yaml
    metadata:
      annotations:
        hub.traefik.io/router.uplinks: "apps-api-workload"
    spec:
      routes:
        - match: PathPrefix(`/api`)
          kind: Rule
          services:
            - name: api
              port: 8080
    ```

    ## Source

    Traefik v3.7, Kubernetes CRD provider.
    """
    for reference in _to_kubernetes(cluster):
        # A port that could not be read is reported already.
        written = reference.origin.value_at(*reference.path, "port")
        if not reference.service.port and written in (None, "", 0):
            yield missing_port.at(
                reference.location,
                f"{reference.holder} references {_name(reference)} without a port, so Traefik "
                "drops the route; add port",
            )


def _to_kubernetes(cluster: Cluster) -> Iterator[Reference]:
    """Yield the references of Traefik's own kinds to Kubernetes Services."""
    for reference in of_cluster(cluster):
        name = reference.service.name
        if reference.service.kind != KIND and "@" not in name and "rules" not in reference.path:
            yield reference


def _name(reference: Reference) -> str:
    return f"Service {quote(reference.service.name)}"
