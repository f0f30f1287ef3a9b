"""Rules about routers, above all those with the uplinks annotation (UPL301, UPL302, UPL306).

Source: reference page, "Referencing Uplinks from Routers".
"""

from __future__ import annotations

from collections.abc import Iterator

from uplinks.diagnostics import Diagnostic, Related, Severity
from uplinks.model import Cluster
from uplinks.rules._rule import rule
from uplinks.rules.annotation import annotated_routers, annotation_of

__all__ = [
    "entry_points_with_uplinks",
    "no_routes",
    "tls_with_uplinks",
]


@rule(
    "UPL301",
    name="entry-points-with-uplinks",
    severity=Severity.ERROR,
    scope="manifests",
    reads=("routers",),
)
def entry_points_with_uplinks(cluster: Cluster) -> Iterator[Diagnostic]:
    """Refuse `entryPoints` beside the uplinks annotation.

    ## What it checks

    An `IngressRoute` with the annotation `hub.traefik.io/router.uplinks` does
    not write `spec.entryPoints`, not even an empty list.

    ## Why

    Such a router is advertised through its uplinks and takes their entry
    points. Its own would expose it a second time, past the parent.

    ## Bad

    ```yaml
    apiVersion: traefik.io/v1alpha1
    kind: IngressRoute
    metadata:
      name: api
      namespace: apps
      annotations:
        hub.traefik.io/router.uplinks: "apps-api-workload"
    spec:
      entryPoints: # UPL301
        - websecure
      routes:
        - match: PathPrefix(`/api`)
          kind: Rule
          services: [{name: api, port: 8080}]
    ```

    ## Good

    ```yaml
    apiVersion: traefik.io/v1alpha1
    kind: IngressRoute
    metadata:
      name: api
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
    metadata: {name: local, namespace: apps}
    spec:
      entryPoints:
        - websecure
      routes:
        - match: PathPrefix(`/api`)
          kind: Rule
          services: [{name: api, port: 8080}]
    ```

    ## Source

    Uplink reference, "Referencing Uplinks from Routers": "The router must not
    specify `entryPoints`".
    """
    for router, owner in annotated_routers(cluster):
        if router.entry_points is not None:
            yield entry_points_with_uplinks.at(
                router.origin.locate("spec", "entryPoints", key=True),
                f"router {owner} has entryPoints and the uplinks annotation; "
                "remove them, entry points come from the uplink",
                [Related(annotation_of(router), "the uplinks annotation is here")],
            )


@rule(
    "UPL302",
    name="tls-with-uplinks",
    severity=Severity.ERROR,
    scope="manifests",
    reads=("routers",),
)
def tls_with_uplinks(cluster: Cluster) -> Iterator[Diagnostic]:
    """Refuse `tls` beside the uplinks annotation.

    ## What it checks

    An `IngressRoute` with the annotation `hub.traefik.io/router.uplinks` does
    not write `spec.tls`, not even `tls: {}`.

    ## Why

    TLS between clusters is handled by the uplink entry point.

    ## Bad

    ```yaml
    apiVersion: traefik.io/v1alpha1
    kind: IngressRoute
    metadata:
      name: api
      namespace: apps
      annotations:
        hub.traefik.io/router.uplinks: "apps-api-workload"
    spec:
      tls: {} # UPL302
      routes:
        - match: PathPrefix(`/api`)
          kind: Rule
          services: [{name: api, port: 8080}]
    ```

    ## Good

    ```yaml
    apiVersion: traefik.io/v1alpha1
    kind: IngressRoute
    metadata:
      name: api
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
    metadata: {name: local, namespace: apps}
    spec:
      tls: {}
      routes:
        - match: PathPrefix(`/api`)
          kind: Rule
          services: [{name: api, port: 8080}]
    ```

    ## Source

    Uplink reference, "Referencing Uplinks from Routers": "The router must not
    specify `tls` configuration".
    """
    for router, owner in annotated_routers(cluster):
        if router.tls is not None:
            yield tls_with_uplinks.at(
                router.origin.locate("spec", "tls", key=True),
                f"router {owner} has tls and the uplinks annotation; "
                "remove it, TLS is handled by the uplink entry point",
                [Related(annotation_of(router), "the uplinks annotation is here")],
            )


@rule(
    "UPL306",
    name="no-routes",
    severity=Severity.WARNING,
    scope="manifests",
    reads=("routers",),
)
def no_routes(cluster: Cluster) -> Iterator[Diagnostic]:
    """Warn of a router without routes.

    ## What it checks

    `spec.routes` of an `IngressRoute` is not an empty list. Without the field it
    is UPL007.

    ## Why

    Nothing is routed, and the uplinks that it names lead nowhere.

    ## Bad

    ```yaml
    apiVersion: traefik.io/v1alpha1
    kind: IngressRoute
    metadata:
      name: api
      namespace: apps
      annotations:
        hub.traefik.io/router.uplinks: "apps-api-workload"
    spec:
      routes: [] # UPL306
    ```

    ## Good

    ```yaml
    apiVersion: traefik.io/v1alpha1
    kind: IngressRoute
    metadata:
      name: api
      namespace: apps
      annotations:
        hub.traefik.io/router.uplinks: "apps-api-workload"
    spec:
      routes:
        - match: PathPrefix(`/api`)
          kind: Rule
          services: [{name: api, port: 8080}]
    ```

    ## Source

    Traefik's Kubernetes CRD: `routes`.
    """
    for router in cluster.routers:
        # Routes that were refused while reading are reported, and were not none.
        if not router.routes and router.origin.written("spec", "routes") == []:
            yield no_routes.at(
                router.origin.locate("spec", "routes"),
                f"router {router.namespace}/{router.name} has no routes, so it routes nothing; "
                "add one with a match and services",
            )
