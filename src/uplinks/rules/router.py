"""Rules about the fields of routers (UPL301, UPL302, UPL306).

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
    """Refuse `entryPoints` in a router with the uplinks annotation.

    ## What it checks

    An `IngressRoute` with the annotation `hub.traefik.io/router.uplinks` does not set
    `spec.entryPoints`. An empty list counts as absent, as in Traefik.

    ## Why

    Such a router uses the entry points of its uplinks. Entry points of its own would
    also expose it directly, bypassing the parent.

    ## Bad

    ```yaml
    metadata:
      annotations:
        hub.traefik.io/router.uplinks: "apps-api-workload"
    spec:
      entryPoints: # UPL301
        - websecure
    ```

    ## Good

    ```yaml
    metadata:
      annotations:
        hub.traefik.io/router.uplinks: "apps-api-workload"
    ---
    apiVersion: traefik.io/v1alpha1
    kind: IngressRoute
    metadata: {name: local, namespace: apps}
    spec:
      entryPoints: [websecure]
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
        if router.entry_points:
            yield entry_points_with_uplinks.at(
                router.origin.locate("spec", "entryPoints", key=True),
                f"spec.entryPoints of router {owner} conflicts with its uplinks annotation, "
                "because the uplink defines the entry points; remove it",
                [Related(annotation_of(router), "the uplinks annotation")],
            )


@rule(
    "UPL302",
    name="tls-with-uplinks",
    severity=Severity.ERROR,
    scope="manifests",
    reads=("routers",),
)
def tls_with_uplinks(cluster: Cluster) -> Iterator[Diagnostic]:
    """Refuse `tls` in a router with the uplinks annotation.

    ## What it checks

    An `IngressRoute` with the annotation `hub.traefik.io/router.uplinks` does not set
    `spec.tls`, not even to `{}`.

    ## Why

    The uplink entry point handles TLS between clusters.

    ## Bad

    ```yaml
    metadata:
      annotations:
        hub.traefik.io/router.uplinks: "apps-api-workload"
    spec:
      tls: {} # UPL302
    ```

    ## Good

    ```yaml
    metadata:
      annotations:
        hub.traefik.io/router.uplinks: "apps-api-workload"
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
                f"spec.tls of router {owner} conflicts with its uplinks annotation, because "
                "the uplink entry point handles TLS; remove it",
                [Related(annotation_of(router), "the uplinks annotation")],
            )


@rule(
    "UPL306",
    name="no-routes",
    severity=Severity.WARNING,
    scope="manifests",
    reads=("routers",),
)
def no_routes(cluster: Cluster) -> Iterator[Diagnostic]:
    """Warn about a router without routes.

    ## What it checks

    `spec.routes` of an `IngressRoute` is not an empty list. A missing field is UPL007.

    ## Why

    The router handles no request, so its uplinks lead nowhere.

    ## Bad

    ```yaml
    metadata:
      annotations:
        hub.traefik.io/router.uplinks: "apps-api-workload"
    spec:
      routes: [] # UPL306
    ```

    ## Good

    ```yaml
    metadata:
      annotations:
        hub.traefik.io/router.uplinks: "apps-api-workload"
    ```

    ## Source

    Traefik's Kubernetes CRD: `routes`.
    """
    for router in cluster.routers:
        # Routes that could not be read are reported already, and the list was not empty.
        if not router.routes and router.origin.value_at("spec", "routes") == []:
            yield no_routes.at(
                router.origin.locate("spec", "routes"),
                f"spec.routes of router {router.owner} is empty; add a route "
                "with match and services",
            )
