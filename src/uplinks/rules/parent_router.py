"""Rules about routers below other routers, `parentRefs` (UPL330, UPL331, UPL339).

Source: Traefik, multi-layer routing.
"""

from __future__ import annotations

from collections.abc import Iterator

from uplinks.diagnostics import Diagnostic, Location, Related, Severity
from uplinks.errors import quote
from uplinks.model import Cluster, written_references
from uplinks.rules._rule import rule
from uplinks.rules._suggestion import RuleResult, Suggestion

__all__ = ["below_and_outside", "parent_with_services", "unknown_parent"]


@rule(
    "UPL330",
    name="below-and-outside",
    severity=Severity.ERROR,
    scope="manifests",
    reads=("routers",),
)
def below_and_outside(cluster: Cluster) -> Iterator[Diagnostic]:
    """Refuse `entryPoints`, `tls` and `observability` in a router with `parentRefs`.

    ## What it checks

    An `IngressRoute` with `parentRefs` sets neither `entryPoints` nor `tls`, and none of
    its routes sets `observability`.

    ## Why

    Such a router gets its requests from the routers above it, which define all three.
    Traefik refuses the router.

    ## Bad

    ```yaml
    # parent
    apiVersion: traefik.io/v1alpha1
    kind: IngressRoute
    metadata: {name: all, namespace: apps}
    spec:
      entryPoints: [websecure]
      routes:
        - match: Host(`example.com`)
          kind: Rule
    ---
    apiVersion: traefik.io/v1alpha1
    kind: IngressRoute
    metadata: {name: api, namespace: apps}
    spec:
      parentRefs: [{name: all}]
      entryPoints: [websecure] # UPL330
      routes:
        - match: PathPrefix(`/api`)
          kind: Rule
          services: [{name: api, port: 8080}]
    ```

    ## Good

    ```yaml
    # parent
    apiVersion: traefik.io/v1alpha1
    kind: IngressRoute
    metadata: {name: all, namespace: apps}
    spec:
      entryPoints: [websecure]
      routes:
        - match: Host(`example.com`)
          kind: Rule
    ---
    apiVersion: traefik.io/v1alpha1
    kind: IngressRoute
    metadata: {name: api, namespace: apps}
    spec:
      parentRefs: [{name: all}]
      routes:
        - match: PathPrefix(`/api`)
          kind: Rule
          services: [{name: api, port: 8080}]
    ```

    ## Source

    Traefik v3.7, multi-layer routing.
    """
    for router in cluster.routers:
        # An advertised router is UPL301 and UPL302.
        if router.advertised or not router.rest.get("parentRefs"):
            continue
        paths: list[tuple[str | int, ...]] = []
        if router.entry_points:
            paths.append(("spec", "entryPoints"))
        if router.tls is not None:
            paths.append(("spec", "tls"))
        for index, route in enumerate(router.routes):
            if route.rest.get("observability") is not None:
                paths.append(("spec", "routes", index, "observability"))
        above = router.origin.locate("spec", "parentRefs", key=True)
        for path in paths:
            yield below_and_outside.at(
                router.origin.locate(*path, key=True),
                f"router {router.owner} must not set {path[-1]}, because it has "
                "parentRefs; remove it, or set it in the router above",
                [Related(above, "the routers above")],
            )


@rule(
    "UPL331",
    name="unknown-parent",
    severity=Severity.ERROR,
    scope="cluster",
    reads=("routers",),
)
def unknown_parent(cluster: Cluster) -> Iterator[RuleResult]:
    """Require that the cluster has each router that `parentRefs` names.

    ## What it checks

    Each entry of `parentRefs` names an `IngressRoute` of the cluster, in the same
    namespace or in that of the entry. The check assumes that all manifests of the
    cluster are given; it does not apply to a single file without an `Uplink`.

    ## Why

    Traefik skips a router whose parent does not exist.

    ## Bad

    ```yaml
    metadata:
      annotations:
        hub.traefik.io/router.uplinks: "apps-api-workload"
    ---
    apiVersion: traefik.io/v1alpha1
    kind: IngressRoute
    metadata: {name: login, namespace: apps}
    spec:
      entryPoints: [websecure]
      routes:
        - match: Host(`example.com`)
          kind: Rule
    ---
    apiVersion: traefik.io/v1alpha1
    kind: IngressRoute
    metadata: {name: below, namespace: apps}
    spec:
      parentRefs:
        - name: login
        - name: logn # UPL331
      routes:
        - match: PathPrefix(`/api`)
          kind: Rule
          services: [{name: api, port: 8080}]
    ```

    ## Good

    ```yaml
    metadata:
      annotations:
        hub.traefik.io/router.uplinks: "apps-api-workload"
    ---
    apiVersion: traefik.io/v1alpha1
    kind: IngressRoute
    metadata: {name: login, namespace: apps}
    spec:
      entryPoints: [websecure]
      routes:
        - match: Host(`example.com`)
          kind: Rule
    ---
    apiVersion: traefik.io/v1alpha1
    kind: IngressRoute
    metadata: {name: below, namespace: apps}
    spec:
      parentRefs:
        - name: login
      routes:
        - match: PathPrefix(`/api`)
          kind: Rule
          services: [{name: api, port: 8080}]
    ```

    ## Source

    Traefik v3.7, Kubernetes CRD provider.
    """
    # An advertised router is UPL505.
    below = [r for r in cluster.routers if r.rest.get("parentRefs") and not r.advertised]
    known: dict[str, set[str]] = {}
    for router in cluster.routers if below else ():
        known.setdefault(router.namespace, set()).add(router.name)
    for router in below:
        for index, reference, _ in written_references(router.rest["parentRefs"]):
            namespace = reference.namespace or router.namespace
            names = known.get(namespace, set())
            if reference.name not in names:
                diagnostic = unknown_parent.at(
                    router.origin.locate("spec", "parentRefs", index, "name"),
                    f"router {router.owner} is below {quote(reference.name)}, "
                    f"but the cluster has no such IngressRoute in {quote(namespace)}",
                )
                yield Suggestion(diagnostic, reference.name, names)


@rule(
    "UPL339",
    name="parent-with-services",
    severity=Severity.ERROR,
    scope="manifests",
    reads=("routers",),
)
def parent_with_services(cluster: Cluster) -> Iterator[Diagnostic]:
    """Refuse services in a router that is named in `parentRefs`.

    ## What it checks

    No route of an `IngressRoute` that another one names in `parentRefs` has services.

    ## Why

    Such a route passes its requests on to the routers below it. Traefik refuses a route
    that does both.

    ## Bad

    ```yaml
    # parent
    apiVersion: traefik.io/v1alpha1
    kind: IngressRoute
    metadata: {name: all, namespace: apps}
    spec:
      entryPoints: [websecure]
      routes:
        - match: Host(`example.com`)
          kind: Rule
          services: [{name: web, port: 8080}] # UPL339
    ---
    apiVersion: traefik.io/v1alpha1
    kind: IngressRoute
    metadata: {name: api, namespace: apps}
    spec:
      parentRefs: [{name: all}]
      routes:
        - match: PathPrefix(`/api`)
          kind: Rule
          services: [{name: api, port: 8080}]
    ```

    ## Good

    ```yaml
    # parent
    apiVersion: traefik.io/v1alpha1
    kind: IngressRoute
    metadata: {name: all, namespace: apps}
    spec:
      entryPoints: [websecure]
      routes:
        - match: Host(`example.com`)
          kind: Rule
    ---
    apiVersion: traefik.io/v1alpha1
    kind: IngressRoute
    metadata: {name: api, namespace: apps}
    spec:
      parentRefs: [{name: all}]
      routes:
        - match: PathPrefix(`/api`)
          kind: Rule
          services: [{name: api, port: 8080}]
    ```

    ## Source

    Traefik v3.7, multi-layer routing.
    """
    above: dict[tuple[str, str], Location] = {}
    for router in cluster.routers:
        for index, reference, _ in written_references(router.rest.get("parentRefs")):
            place = router.origin.locate("spec", "parentRefs", index)
            above.setdefault((reference.namespace or router.namespace, reference.name), place)
    for router in cluster.routers if above else ():
        below = above.get((router.namespace, router.name))
        if below is None:
            continue
        for index, route in enumerate(router.routes):
            if route.services:
                yield parent_with_services.at(
                    router.origin.locate("spec", "routes", index, "services", key=True),
                    f"spec.routes[{index}] of router {router.owner} must have no "
                    "services, because another router is below it; move them into one of their own",
                    [Related(below, "a router below")],
                )
