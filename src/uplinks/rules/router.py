"""Rules about routers, above all those with the uplinks annotation (UPL301 to UPL306).

Source: reference page, "Referencing Uplinks from Routers".
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from uplinks import naming
from uplinks.diagnostics import Diagnostic, Location, Related, Severity
from uplinks.model import UPLINKS_ANNOTATION, Cluster, IngressRoute
from uplinks.rules._guess import Finding, Guess
from uplinks.rules._rule import rule, shown
from uplinks.rules._use import renamed_names

__all__ = [
    "empty_element",
    "entry_points_with_uplinks",
    "no_routes",
    "tls_with_uplinks",
    "unknown_uplink",
    "uplink_named_twice",
]


def _advertised(cluster: Cluster) -> Iterator[tuple[IngressRoute, str]]:
    """The routers with the annotation, and their names."""
    for router in cluster.routers:
        if router.advertised:
            yield router, f"{router.namespace}/{router.name}"


def _where(router: IngressRoute) -> Location:
    """Where the annotation is; looked up for a finding only."""
    return router.origin.locate("metadata", "annotations", UPLINKS_ANNOTATION)


def _names(router: IngressRoute) -> tuple[str, ...]:
    return naming.split_uplinks_annotation(router.annotations[UPLINKS_ANNOTATION])


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
    metadata:
      annotations:
        hub.traefik.io/router.uplinks: "apps-my-uplink"
    spec:
      entryPoints:
        - websecure
    ```

    ## Good

    ```yaml
    metadata:
      annotations:
        hub.traefik.io/router.uplinks: "apps-my-uplink"
    spec:
      routes:
        - match: PathPrefix(`/api`)
          kind: Rule
    ```

    ## Source

    Uplink reference, "Referencing Uplinks from Routers": "The router must not
    specify `entryPoints`".
    """
    for router, owner in _advertised(cluster):
        if router.entry_points is not None:
            yield entry_points_with_uplinks.at(
                router.origin.locate("spec", "entryPoints", key=True),
                f"router {owner} has entryPoints and the uplinks annotation; "
                "remove them, entry points come from the uplink",
                [Related(_where(router), "the uplinks annotation is here")],
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
    metadata:
      annotations:
        hub.traefik.io/router.uplinks: "apps-my-uplink"
    spec:
      tls: {}
    ```

    ## Good

    ```yaml
    metadata:
      annotations:
        hub.traefik.io/router.uplinks: "apps-my-uplink"
    spec:
      routes:
        - match: PathPrefix(`/api`)
          kind: Rule
    ```

    ## Source

    Uplink reference, "Referencing Uplinks from Routers": "The router must not
    specify `tls` configuration".
    """
    for router, owner in _advertised(cluster):
        if router.tls is not None:
            yield tls_with_uplinks.at(
                router.origin.locate("spec", "tls", key=True),
                f"router {owner} has tls and the uplinks annotation; "
                "remove it, TLS is handled by the uplink entry point",
                [Related(_where(router), "the uplinks annotation is here")],
            )


@rule(
    "UPL303",
    name="unknown-uplink",
    severity=Severity.ERROR,
    scope="cluster",
    reads=("routers", "uplinks"),
)
def unknown_uplink(cluster: Cluster) -> Iterator[Finding]:
    """Require that the annotation names uplinks of the same cluster.

    ## What it checks

    Each name in the annotation `hub.traefik.io/router.uplinks` is the uplink
    name of an `Uplink` in the same cluster: its `exposeName`, else
    `<namespace>-<name>`. A file without any `Uplink`, checked alone, may be
    only a part of its cluster and is not judged.

    ## Why

    A router is reachable through its uplinks only. With a mistyped name no
    parent sees it.

    ## Bad

    ```yaml
    apiVersion: hub.traefik.io/v1alpha1
    kind: Uplink
    metadata: {name: api-workload, namespace: apps}
    ---
    apiVersion: traefik.io/v1alpha1
    kind: IngressRoute
    metadata:
      name: api
      namespace: apps
      annotations:
        hub.traefik.io/router.uplinks: "api-workload"
    spec:
      routes:
        - match: PathPrefix(`/api`)
          kind: Rule
    ```

    ## Good

    ```yaml
    metadata:
      annotations:
        hub.traefik.io/router.uplinks: "apps-api-workload"
    ```

    ## Source

    Uplink reference, "Referencing Uplinks from Routers".
    """
    known = {uplink.uplink_name for uplink in cluster.uplinks}
    renamed = renamed_names(cluster.uplinks)
    for router, owner in _advertised(cluster):
        for name in dict.fromkeys(_names(router)):
            if name and name not in known and name not in renamed:  # UPL309 knows better
                message = f"router {owner} references the unknown uplink {shown(name)}"
                yield Guess(unknown_uplink.at(_where(router), message), name, known)


@rule(
    "UPL304",
    name="uplink-named-twice",
    severity=Severity.WARNING,
    scope="manifests",
    reads=("routers",),
)
def uplink_named_twice(cluster: Cluster) -> Iterator[Diagnostic]:
    """Warn of an uplink that is named twice in one annotation.

    ## What it checks

    The annotation `hub.traefik.io/router.uplinks` names each uplink once.

    ## Why

    The second one does nothing. Perhaps another uplink was meant.

    ## Bad

    ```yaml
    metadata:
      annotations:
        hub.traefik.io/router.uplinks: "apps-primary,apps-primary"
    ```

    ## Good

    ```yaml
    metadata:
      annotations:
        hub.traefik.io/router.uplinks: "apps-primary,apps-secondary"
    ```

    ## Source

    Uplink reference, "Referencing Uplinks from Routers".
    """
    for router, owner in _advertised(cluster):
        for name, times in Counter(_names(router)).items():
            if name and times > 1:
                yield uplink_named_twice.at(
                    _where(router),
                    f"router {owner} names the uplink {shown(name)} {times} times; once is enough",
                )


@rule(
    "UPL305",
    name="empty-element",
    severity=Severity.ERROR,
    scope="manifests",
    reads=("routers",),
)
def empty_element(cluster: Cluster) -> Iterator[Diagnostic]:
    """Refuse an empty element in the uplinks annotation.

    ## What it checks

    The annotation `hub.traefik.io/router.uplinks` is a list of names with
    commas between them: nothing is empty, and so neither is the whole.

    ## Why

    An empty element names no uplink. A template may have left a value out, and
    the router would miss the uplink that was meant.

    ## Bad

    ```yaml
    metadata:
      annotations:
        hub.traefik.io/router.uplinks: "apps-primary,"
    ```

    ## Good

    ```yaml
    metadata:
      annotations:
        hub.traefik.io/router.uplinks: "apps-primary"
    ```

    ## Source

    Uplink reference, "Referencing Uplinks from Routers".
    """
    for router, owner in _advertised(cluster):
        names = _names(router)
        if names == ("",):
            message = f"the uplinks annotation of router {owner} is empty"
            yield empty_element.at(_where(router), message)
        elif "" in names:
            yield empty_element.at(
                _where(router),
                f"element {names.index('') + 1} of the uplinks annotation of router {owner} "
                "is empty; write names with commas between them",
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
    metadata: {name: api, namespace: apps}
    spec: {routes: []}
    ```

    ## Good

    ```yaml
    apiVersion: traefik.io/v1alpha1
    kind: IngressRoute
    metadata: {name: api, namespace: apps}
    spec:
      routes:
        - match: PathPrefix(`/api`)
          kind: Rule
          services:
            - {name: api-service, port: 8080}
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
