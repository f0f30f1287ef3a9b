"""Rules about identity and type of objects (UPL010, UPL311, UPL314, UPL315).

Source: Kubernetes, "Object Names and IDs".
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

from uplinks import naming
from uplinks.diagnostics import Diagnostic, Related, Severity
from uplinks.model import Cluster, IngressRoute, TraefikService, Uplink
from uplinks.rules._references import is_refused
from uplinks.rules._rule import rule

__all__ = ["declared_twice", "missing_identity", "more_than_one_type", "uncomposed_type"]

_TYPES: Final = ("weighted", "failover", "mirroring", "highestRandomWeight")


@rule(
    "UPL010",
    name="declared-twice",
    severity=Severity.ERROR,
    scope="manifests",
    reads=("routers", "traefik_services", "uplinks"),
)
def declared_twice(cluster: Cluster) -> Iterator[Diagnostic]:
    """Refuse an object declared twice in one cluster.

    ## What it checks

    A cluster declares each `Uplink`, `IngressRoute` and `TraefikService` once per
    namespace and name. Parts of its static configuration do not give one entry point or
    one child different addresses.

    ## Why

    Only one of them can exist. The one applied last replaces the others. A patch of a
    kustomization is not an object of its own: check what `kubectl kustomize` renders.

    ## Bad

    ```yaml
    apiVersion: hub.traefik.io/v1alpha1
    kind: Uplink
    metadata: {name: api-workload, namespace: apps}
    ---
    apiVersion: hub.traefik.io/v1alpha1
    kind: Uplink
    metadata:
      name: api-workload # UPL010
      namespace: apps
    spec:
      weight: 10
    ---
    apiVersion: traefik.io/v1alpha1
    kind: IngressRoute
    metadata:
      name: r
      namespace: apps
      annotations:
        hub.traefik.io/router.uplinks: "apps-api-workload"
    spec:
      routes:
        - match: PathPrefix(`/api`)
          kind: Rule
          services: [{name: api, port: 8080}]
    ---
    apiVersion: traefik.io/v1alpha1
    kind: IngressRoute
    metadata:
      name: r # UPL010
      namespace: apps
    spec:
      routes:
        - match: PathPrefix(`/api`)
          kind: Rule
          services: [{name: api, port: 8080}]
    ```

    ## Good

    ```yaml
    apiVersion: hub.traefik.io/v1alpha1
    kind: Uplink
    metadata: {name: api-workload, namespace: apps}
    ---
    apiVersion: hub.traefik.io/v1alpha1
    kind: Uplink
    metadata: {name: other, namespace: apps}
    spec:
      weight: 10
    ---
    apiVersion: traefik.io/v1alpha1
    kind: IngressRoute
    metadata:
      name: api-workload
      namespace: apps
      annotations:
        hub.traefik.io/router.uplinks: "apps-api-workload,apps-other"
    spec:
      routes:
        - match: PathPrefix(`/api`)
          kind: Rule
          services: [{name: api, port: 8080}]
    ```

    ## Source

    Kubernetes, "Object Names and IDs".
    """
    declared: dict[tuple[str, str, str], list[Uplink | IngressRoute | TraefikService]] = {}
    objects: list[tuple[str, Uplink | IngressRoute | TraefikService]] = [
        *(("Uplink", uplink) for uplink in cluster.uplinks),
        *(("IngressRoute", router) for router in cluster.routers),
        *(("TraefikService", service) for service in cluster.traefik_services),
    ]
    for kind, item in objects:
        if item.name:  # objects without a name are reported as such, and are not equal
            declared.setdefault((kind, item.namespace, item.name), []).append(item)
    for (kind, _, _), items in declared.items():
        if len(items) == 1:
            continue
        first, *others = sorted(
            (item.origin.locate("metadata", "name") for item in items),
            key=lambda place: place.sort_key,
        )
        for where in others:
            yield declared_twice.at(
                where,
                f"{kind} {items[0].owner} is declared twice; remove one, or if one is a patch, "
                "check what kubectl kustomize renders",
                [Related(first, "first declared here")],
            )


@rule(
    "UPL311",
    name="uncomposed-type",
    severity=Severity.WARNING,
    scope="manifests",
    reads=("traefik_services",),
)
def uncomposed_type(cluster: Cluster) -> Iterator[Diagnostic]:
    """Warn about uplinks in a service type that a `Parent` does not pick from.

    ## What it checks

    No `mirroring` or `highestRandomWeight` of a `TraefikService` refers to
    `name@multicluster`.

    ## Why

    `uplinks.Parent` and `simulate` support only `weighted` and `failover`, and ignore
    such a service. Its references are checked, `materialize --format traefik` writes it,
    and Traefik uses it.

    ## Bad

    ```yaml
    # parent
    apiVersion: traefik.io/v1alpha1
    kind: TraefikService
    metadata: {name: api, namespace: apps}
    spec:
      mirroring: # UPL311
        name: api
        port: 80
        mirrors:
          - name: apps-api-workload@multicluster
            kind: TraefikService
            percent: 10
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

    Traefik's Kubernetes CRD: `mirroring` and `highestRandomWeight`.
    """
    for service in cluster.traefik_services:
        for name in ("mirroring", "highestRandomWeight"):
            if _refers_to_uplinks(service.rest.get(name)):
                yield uncomposed_type.at(
                    service.origin.locate("spec", name, key=True),
                    f"TraefikService {service.owner} refers to uplinks in "
                    f"{name}, which a Parent and simulate ignore; use weighted or failover if "
                    "you need them",
                )


def _refers_to_uplinks(node: Any) -> bool:
    """Look for uplinks in the service type itself and in its lists of services."""
    if not isinstance(node, dict):
        return False
    lists = (node.get("services"), node.get("mirrors"))
    entries = [node, *(item for each in lists if isinstance(each, list) for item in each)]
    names = [entry.get("name") for entry in entries if isinstance(entry, dict)]
    return any(isinstance(n, str) and n.endswith(naming.PROVIDER_SUFFIX) for n in names)


@rule(
    "UPL314",
    name="more-than-one-type",
    severity=Severity.ERROR,
    scope="manifests",
    reads=("traefik_services",),
)
def more_than_one_type(cluster: Cluster) -> Iterator[Diagnostic]:
    """Refuse a TraefikService with more than one type.

    ## What it checks

    `spec` of a `TraefikService` has at most one of `weighted`, `failover`,
    `mirroring` and `highestRandomWeight`.

    ## Why

    Traefik builds only one of them, and the manifest does not define which.

    ## Bad

    ```yaml
    # parent
    apiVersion: traefik.io/v1alpha1
    kind: TraefikService
    metadata: {name: api, namespace: apps}
    spec:
      weighted:
        services:
          - {name: apps-api-workload@multicluster, kind: TraefikService}
      failover: # UPL314
        service: {name: apps-api-workload@multicluster, kind: TraefikService}
        fallback: {name: local, port: 80}
        errors: {}
    ---
    apiVersion: traefik.io/v1alpha1
    kind: TraefikService
    metadata: {name: mirror, namespace: apps}
    spec:
      failover:
        service: {name: apps-api-workload@multicluster, kind: TraefikService}
        fallback: {name: local, port: 80}
        errors: {}
      mirroring: # UPL314
        name: local
        port: 80
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
    ---
    apiVersion: traefik.io/v1alpha1
    kind: TraefikService
    metadata: {name: safe, namespace: apps}
    spec:
      failover:
        service: {name: apps-api-workload@multicluster, kind: TraefikService}
        fallback: {name: local, port: 80}
        errors: {status: ["500-599"]}
    ```

    ## Source

    Traefik's file format: a service holds exactly one of its types.
    """
    for service in cluster.traefik_services:
        kept = {"weighted": service.weighted, "failover": service.failover, **service.rest}
        there = [name for name in _TYPES if kept.get(name) is not None]
        if len(there) > 1:
            locate = service.origin.locate
            yield more_than_one_type.at(
                locate("spec", there[1], key=True),
                f"TraefikService {service.owner} must have one type, got "
                f"{' and '.join(there)}; remove all but one",
                [Related(locate("spec", there[0], key=True), f"the type {there[0]}")],
            )


@rule(
    "UPL315",
    name="missing-identity",
    severity=Severity.ERROR,
    scope="manifests",
    reads=("routers", "traefik_services"),
)
def missing_identity(cluster: Cluster) -> Iterator[Diagnostic]:
    """Require a name in each IngressRoute and TraefikService.

    ## What it checks

    Each `IngressRoute` and `TraefikService` has `metadata.name`. UPL101 checks that of
    an `Uplink`. An object without `metadata.namespace` is in the namespace given with
    `--namespace`, which is `default` if not given.

    ## Why

    An object without a name cannot be created, and nothing can refer to it.

    ## Bad

    ```yaml
    # parent
    apiVersion: traefik.io/v1alpha1
    kind: IngressRoute
    metadata: {namespace: apps} # UPL315
    spec:
      routes:
        - match: PathPrefix(`/api`)
          kind: Rule
    ---
    apiVersion: traefik.io/v1alpha1
    kind: TraefikService
    metadata: {namespace: apps} # UPL315
    spec:
      weighted:
        services:
          - {name: apps-api-workload@multicluster, kind: TraefikService}
    ```

    ## Good

    ```yaml
    # parent
    apiVersion: traefik.io/v1alpha1
    kind: IngressRoute
    metadata: {name: api}
    spec:
      routes:
        - match: PathPrefix(`/api`)
          kind: Rule
    ---
    apiVersion: traefik.io/v1alpha1
    kind: TraefikService
    metadata: {name: api, namespace: apps}
    spec:
      weighted:
        services:
          - {name: apps-api-workload@multicluster, kind: TraefikService}
    ```

    ## Source

    Kubernetes, "Object Names and IDs".
    """
    objects: list[tuple[str, IngressRoute | TraefikService]] = [
        *(("IngressRoute", router) for router in cluster.routers),
        *(("TraefikService", service) for service in cluster.traefik_services),
    ]
    for kind, item in objects:
        if not item.name and not is_refused(item.origin, "name"):
            where = item.origin.locate("metadata", "name")
            yield missing_identity.at(where, f"{kind} has no metadata.name; add it")
