"""Rules about references from routers and services to services (UPL307 to UPL312).

Only `weighted` and `failover` of a TraefikService are followed; the other types
are kept as they are written and not looked into.

Source: reference page, "Uplink Naming"; Traefik's Kubernetes CRD provider.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping

from uplinks import naming
from uplinks.diagnostics import Diagnostic, Severity
from uplinks.model import Cluster, Fleet
from uplinks.rules._references import (
    KIND,
    KUBERNETES,
    MULTICLUSTER,
    of_cluster,
    renamed_services,
)
from uplinks.rules._rule import quote, rule
from uplinks.rules._suggestion import RuleResult, Suggestion

__all__ = ["missing_kind", "unknown_traefik_service", "unresolved_service"]


@rule(
    "UPL307",
    name="unresolved-service",
    severity=Severity.ERROR,
    scope="fleet",
    reads=("children", "children.uplinks", "parent.routers", "parent.traefik_services"),
)
def unresolved_service(fleet: Fleet) -> Iterator[RuleResult]:
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
    # parent
    apiVersion: traefik.io/v1alpha1
    kind: IngressRoute
    metadata: {name: api, namespace: apps}
    spec:
      routes:
        - match: PathPrefix(`/api`)
          kind: Rule
          services:
            - name: apps-api-worklaod@multicluster # UPL307
              kind: TraefikService
    ---
    apiVersion: traefik.io/v1alpha1
    kind: TraefikService
    metadata: {name: api, namespace: apps}
    spec:
      weighted:
        services:
          - name: apps-api-workload-child-2@multicluster # UPL307
            kind: TraefikService
    ---
    apiVersion: traefik.io/v1alpha1
    kind: TraefikService
    metadata: {name: safe, namespace: apps}
    spec:
      failover:
        service:
          name: apps-api-workload@multicluster
          kind: TraefikService
        fallback:
          name: other@multicluster # UPL307
          kind: TraefikService
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
            - name: apps-api-workload@multicluster
              kind: TraefikService
            - name: metrics@file
              kind: TraefikService
    ---
    apiVersion: traefik.io/v1alpha1
    kind: TraefikService
    metadata: {name: api, namespace: apps}
    spec:
      weighted:
        services:
          - name: apps-api-workload-child-1@multicluster
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
    for reference in of_cluster(fleet.parent):
        name, provider = naming.split_service_reference(reference.service.name)
        if provider != MULTICLUSTER or reference.service.kind != KIND or name in renamed:
            continue  # UPL309 knows what a renamed one is called now
        if name not in known:
            finding = unresolved_service.at(
                reference.location,
                f"{reference.holder} references {quote(reference.service.name)}, "
                "but no child declares such an uplink",
            )
            # Compared without the provider, which would make all names look alike.
            yield Suggestion(finding, name, known, naming.PROVIDER_SUFFIX)


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
    # parent
    apiVersion: traefik.io/v1alpha1
    kind: IngressRoute
    metadata: {name: api, namespace: apps}
    spec:
      routes:
        - match: PathPrefix(`/api`)
          kind: Rule
          services:
            - name: apps-api-workload@multicluster # UPL308
              port: 80
            - name: apps-api-workload@multicluster # UPL308
              kind: Service
              port: 80
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
            - name: apps-api-workload@multicluster
              kind: TraefikService
            - name: local
              port: 80
    ```

    ## Source

    Uplink reference, "Complete Example"; Traefik's Kubernetes CRD provider.
    """
    for reference in of_cluster(cluster):
        _, provider = naming.split_service_reference(reference.service.name)
        if provider is not None and reference.service.kind != KIND:
            yield missing_kind.at(
                reference.location,
                f"{reference.holder} references {quote(reference.service.name)} with kind "
                f"{quote(reference.service.kind)}; only kind {KIND!r} is allowed",
                suggestion=f"kind: {KIND}",
            )


@rule(
    "UPL312",
    name="unknown-traefik-service",
    severity=Severity.ERROR,
    scope="fleet",
    reads=("parent.routers", "parent.traefik_services"),
)
def unknown_traefik_service(fleet: Fleet) -> Iterator[RuleResult]:
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
    # parent
    apiVersion: traefik.io/v1alpha1
    kind: TraefikService
    metadata: {name: api, namespace: apps}
    spec:
      weighted:
        services:
          - name: nowhere # UPL312
            kind: TraefikService
          - name: apps-apy@kubernetescrd # UPL312
            kind: TraefikService
          - name: apps-api-workload@Multicluster # UPL312
            kind: TraefikService
          - name: apps-other@KubernetesCRD # UPL312
            kind: TraefikService
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
            - name: apy # UPL312
              kind: TraefikService
            - name: api # UPL312
              kind: TraefikService
              namespace: other
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
          - name: other@file
            kind: TraefikService
    ---
    apiVersion: traefik.io/v1alpha1
    kind: TraefikService
    metadata: {name: top, namespace: apps}
    spec:
      weighted:
        services:
          - name: api
            kind: TraefikService
          - name: apps-api@kubernetescrd
            kind: TraefikService
    ---
    apiVersion: traefik.io/v1alpha1
    kind: IngressRoute
    metadata: {name: api, namespace: apps}
    spec:
      routes:
        - match: PathPrefix(`/api`)
          kind: Rule
          services:
            - name: top
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
    for reference in of_cluster(fleet.parent):
        if reference.service.kind != KIND:
            continue
        name, provider = naming.split_service_reference(reference.service.name)
        message = f"{reference.holder} references {quote(reference.service.name)}, "
        if provider is None and name not in in_namespace[reference.namespace]:
            message += f"but the parent has no such TraefikService in {reference.namespace!r}"
            yield Suggestion(
                unknown_traefik_service.at(reference.location, message),
                name,
                in_namespace[reference.namespace],
            )
        elif provider == KUBERNETES and reference.service.name not in known:
            message += "but the parent has no such TraefikService"
            finding = unknown_traefik_service.at(reference.location, message)
            yield Suggestion(finding, reference.service.name, known)
        elif provider is not None and (meant := _misspelt(provider)) is not None:
            yield unknown_traefik_service.at(
                reference.location,
                f"{message}but there is no provider {quote(provider)}",
                suggestion=f"{name}@{meant}",
            )


def _misspelt(provider: str) -> str | None:
    """The provider that was meant, if this one is almost but not quite its name."""
    if provider.casefold() == KUBERNETES:
        return None if provider == KUBERNETES else KUBERNETES
    # Traefik's other providers are nothing like it, and those of plugins are not known.
    return None if provider == MULTICLUSTER else naming.nearest(provider, (MULTICLUSTER,))
