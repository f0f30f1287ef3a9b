"""Rules about references from routers and services to services (UPL307, UPL308, UPL312).

Source: reference page, "Uplink Naming"; Traefik's Kubernetes CRD provider.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping

from uplinks import naming
from uplinks.diagnostics import Diagnostic, Fix, Severity
from uplinks.errors import quote
from uplinks.model import Cluster, Fleet
from uplinks.rules._references import (
    KIND,
    KUBERNETES,
    MULTICLUSTER,
    of_cluster,
    renamed_services,
)
from uplinks.rules._rule import rule
from uplinks.rules._suggestion import RuleResult, Suggestion

__all__ = ["missing_kind", "unknown_traefik_service", "unresolved_service"]


@rule(
    "UPL307",
    name="unresolved-service",
    severity=Severity.ERROR,
    scope="fleet",
    reads=("tiers",),
)
def unresolved_service(fleet: Fleet) -> Iterator[RuleResult]:
    """Require that `name@multicluster` names a service of the parent.

    ## What it checks

    Each reference `name@multicluster` of kind `TraefikService` of the parent names an
    uplink of a child: `<uplink-name>` or `<uplink-name>-<child>`. The same applies to a
    child that lists children of its own. The reference may be in an
    `IngressRoute`, a `TraefikService` of any type, the `backendRefs` of an `HTTPRoute`,
    the `errors` of a `Middleware`, or an annotation `traefik.ingress.kubernetes.io/...`
    of an `Ingress`.

    ## Why

    A router to a service that does not exist responds to every request with 404.

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
            - {name: apps-api-worklaod@multicluster, kind: TraefikService} # UPL307
    ---
    apiVersion: traefik.io/v1alpha1
    kind: TraefikService
    metadata: {name: api, namespace: apps}
    spec:
      weighted:
        services:
          - {name: apps-api-workload-child-2@multicluster, kind: TraefikService} # UPL307
    ---
    apiVersion: traefik.io/v1alpha1
    kind: TraefikService
    metadata: {name: safe, namespace: apps}
    spec:
      failover:
        service: {name: apps-api-workload@multicluster, kind: TraefikService}
        fallback: {name: other@multicluster, kind: TraefikService} # UPL307
        errors: {status: ["500-599"]}
    ---
    apiVersion: gateway.networking.k8s.io/v1
    kind: HTTPRoute
    metadata: {name: api, namespace: apps}
    spec:
      rules:
        - backendRefs:
            - group: traefik.io
              kind: TraefikService
              name: another@multicluster # UPL307
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
            - {name: metrics@file, kind: TraefikService}
    ---
    apiVersion: traefik.io/v1alpha1
    kind: TraefikService
    metadata: {name: api, namespace: apps}
    spec:
      weighted:
        services:
          - {name: apps-api-workload-child-1@multicluster, kind: TraefikService}
    ```

    ## Source

    Uplink reference, "Uplink Naming".
    """
    for tier in fleet.tiers():
        yield from _unresolved(tier)


def _unresolved(fleet: Fleet) -> Iterator[RuleResult]:
    known = set[str]()
    for child, uplinks in fleet.offered().items():
        for uplink in uplinks:
            known.add(uplink.uplink_name)
            known.add(f"{uplink.uplink_name}-{child}")
    renamed = renamed_services(fleet)
    rewritten = {naming.normalize(name): name for name in sorted(known, reverse=True)}
    for reference in of_cluster(fleet.parent):
        name, provider = naming.split_service_reference(reference.service.name)
        if provider != MULTICLUSTER or reference.service.kind != KIND or name in renamed:
            continue  # UPL309 reports it, with the new name
        if name in known:
            continue
        what = f"{reference.holder} references {quote(reference.service.name)}, but no child "
        if name in rewritten:
            # Not a suggestion: a reference to the other name is rewritten to this one.
            yield unresolved_service.at(
                reference.location,
                f"{what}declares this uplink; {quote(rewritten[name])} is one that no reference "
                "can name (UPL107), so set its exposeName to this name",
            )
            continue
        diagnostic = unresolved_service.at(
            reference.location,
            f"{what}declares this uplink; correct the name, or declare the uplink",
        )
        # Compared without the common provider suffix, which would make all names similar.
        written = reference.service.name
        yield Suggestion(diagnostic, name, known, naming.PROVIDER_SUFFIX, written)


@rule(
    "UPL308",
    name="missing-kind",
    severity=Severity.ERROR,
    scope="manifests",
    reads=("others", "routers", "traefik_services"),
)
def missing_kind(cluster: Cluster) -> Iterator[Diagnostic]:
    """Require `kind: TraefikService` for `name@provider`.

    ## What it checks

    A reference with a provider, such as `name@multicluster`, in an `IngressRoute`, a
    `TraefikService` or an `HTTPRoute`, has `kind: TraefikService`.

    ## Why

    Without it, Traefik looks for a Kubernetes Service, whose name cannot contain `@`,
    and drops the whole route.

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
            - {name: apps-api-workload@multicluster, kind: TraefikService}
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
                f"{reference.holder} must reference {quote(reference.service.name)} with kind "
                f"{KIND!r}, got {quote(reference.service.kind)}",
                suggestion=f"kind: {KIND}",
            )


@rule(
    "UPL312",
    name="unknown-traefik-service",
    severity=Severity.ERROR,
    scope="fleet",
    reads=("parent.others", "parent.routers", "parent.traefik_services"),
)
def unknown_traefik_service(fleet: Fleet) -> Iterator[RuleResult]:
    """Require that the parent has each TraefikService it references.

    ## What it checks

    Each reference of kind `TraefikService` of the parent, in an `IngressRoute`, a
    `TraefikService` or an `HTTPRoute`, names a `TraefikService` of the parent.
    `name` without a provider is one of the same namespace, or of the reference's
    `namespace`. `<namespace>-<name>@kubernetescrd` is one of any namespace. A
    misspelt provider `multicluster` or `kubernetescrd` is reported too. Services of
    other providers are not checked.

    The check assumes that a fleet contains all manifests of its parent. It does not
    apply to a single cluster.

    ## Why

    Traefik cannot build a service on one that does not exist, and every router to it
    responds with 404.

    ## Bad

    ```yaml
    # parent
    apiVersion: traefik.io/v1alpha1
    kind: TraefikService
    metadata: {name: api, namespace: apps}
    spec:
      weighted:
        services:
          - {name: nowhere, kind: TraefikService} # UPL312
          - {name: apps-apy@kubernetescrd, kind: TraefikService} # UPL312
          - {name: apps-api-workload@Multicluster, kind: TraefikService} # UPL312
          - {name: apps-other@KubernetesCRD, kind: TraefikService} # UPL312
    ---
    apiVersion: traefik.io/v1alpha1
    kind: IngressRoute
    metadata: {name: api, namespace: apps}
    spec:
      routes:
        - match: PathPrefix(`/api`)
          kind: Rule
          services:
            - {name: api, kind: TraefikService}
            - {name: apy, kind: TraefikService} # UPL312
            - name: api # UPL312
              kind: TraefikService
              namespace: other # UPL335
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
          - {name: other@file, kind: TraefikService}
    ---
    apiVersion: traefik.io/v1alpha1
    kind: TraefikService
    metadata: {name: top, namespace: apps}
    spec:
      weighted:
        services:
          - {name: api, kind: TraefikService}
          - {name: apps-api@kubernetescrd, kind: TraefikService}
    ---
    apiVersion: traefik.io/v1alpha1
    kind: IngressRoute
    metadata: {name: api, namespace: apps}
    spec:
      routes:
        - match: PathPrefix(`/api`)
          kind: Rule
          services:
            - {name: top, kind: TraefikService}
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
                written=name,
            )
        elif provider == KUBERNETES and reference.service.name not in known:
            message += "but the parent has no such TraefikService"
            diagnostic = unknown_traefik_service.at(reference.location, message)
            written = reference.service.name
            yield Suggestion(diagnostic, written, known, written=written)
        elif provider is not None and (meant := _misspelt(provider)) is not None:
            yield unknown_traefik_service.at(
                reference.location,
                f"{message}but there is no provider {quote(provider)}",
                suggestion=f"{name}@{meant}",
                fix=Fix(reference.service.name, f"{name}@{meant}"),
            )


def _misspelt(provider: str) -> str | None:
    """Return the provider of which this one is a misspelling, if any."""
    if provider.casefold() == KUBERNETES:
        return None if provider == KUBERNETES else KUBERNETES
    # No other provider of Traefik has a similar name, and plugins can have any name.
    return None if provider == MULTICLUSTER else naming.nearest(provider, (MULTICLUSTER,))
