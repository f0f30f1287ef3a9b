"""Rules about the annotation that lists a router's uplinks (UPL303 to UPL305).

Source: reference page, "Referencing Uplinks from Routers".
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from uplinks import naming
from uplinks.diagnostics import Diagnostic, Location, Severity
from uplinks.model import UPLINKS_ANNOTATION, Cluster, IngressRoute
from uplinks.rules._references import renamed_names
from uplinks.rules._rule import quote, rule
from uplinks.rules._suggestion import RuleResult, Suggestion

__all__ = [
    "annotated_routers",
    "annotation_of",
    "empty_element",
    "unknown_uplink",
    "uplink_named_twice",
]


def annotated_routers(cluster: Cluster) -> Iterator[tuple[IngressRoute, str]]:
    """Yield the routers with the annotation, each with its namespaced name."""
    for router in cluster.routers:
        if router.advertised:
            yield router, f"{router.namespace}/{router.name}"


def annotation_of(router: IngressRoute) -> Location:
    """Locate the annotation of a router."""
    return router.origin.locate("metadata", "annotations", UPLINKS_ANNOTATION)


def _names(router: IngressRoute) -> tuple[str, ...]:
    return naming.split_uplinks_annotation(router.annotations[UPLINKS_ANNOTATION])


@rule(
    "UPL303",
    name="unknown-uplink",
    severity=Severity.ERROR,
    scope="cluster",
    reads=("routers", "uplinks"),
)
def unknown_uplink(cluster: Cluster) -> Iterator[RuleResult]:
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
    apiVersion: traefik.io/v1alpha1
    kind: IngressRoute
    metadata:
      name: api
      namespace: apps
      annotations:
        hub.traefik.io/router.uplinks: "apps-api-workload, api-workload" # UPL303
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
      exposeName: other
    ---
    apiVersion: traefik.io/v1alpha1
    kind: IngressRoute
    metadata:
      name: api
      namespace: apps
      annotations:
        hub.traefik.io/router.uplinks: "apps-api-workload, other"
    spec:
      routes:
        - match: PathPrefix(`/api`)
          kind: Rule
          services: [{name: api, port: 8080}]
    ```

    ## Source

    Uplink reference, "Referencing Uplinks from Routers".
    """
    known = {uplink.uplink_name for uplink in cluster.uplinks}
    renamed = renamed_names(cluster.uplinks)
    for router, owner in annotated_routers(cluster):
        for name in dict.fromkeys(_names(router)):
            if name and name not in known and name not in renamed:  # UPL309 knows better
                message = f"router {owner} references the unknown uplink {quote(name)}"
                yield Suggestion(unknown_uplink.at(annotation_of(router), message), name, known)


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
    apiVersion: traefik.io/v1alpha1
    kind: IngressRoute
    metadata:
      name: api
      namespace: apps
      annotations:
        hub.traefik.io/router.uplinks: "apps-api-workload,apps-api-workload" # UPL304
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
    ---
    apiVersion: traefik.io/v1alpha1
    kind: IngressRoute
    metadata:
      name: api
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

    Uplink reference, "Referencing Uplinks from Routers".
    """
    for router, owner in annotated_routers(cluster):
        for name, times in Counter(_names(router)).items():
            if name and times > 1:
                yield uplink_named_twice.at(
                    annotation_of(router),
                    f"router {owner} names the uplink {quote(name)} {times} times; once is enough",
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
    apiVersion: traefik.io/v1alpha1
    kind: IngressRoute
    metadata:
      name: api
      namespace: apps
      annotations:
        hub.traefik.io/router.uplinks: "apps-api-workload,," # UPL305
    spec:
      routes:
        - match: PathPrefix(`/api`)
          kind: Rule
          services: [{name: api, port: 8080}]
    ---
    apiVersion: traefik.io/v1alpha1
    kind: IngressRoute
    metadata:
      name: empty
      namespace: apps
      annotations:
        hub.traefik.io/router.uplinks: "" # UPL305
    spec:
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
        hub.traefik.io/router.uplinks: " apps-api-workload "
    spec:
      routes:
        - match: PathPrefix(`/api`)
          kind: Rule
          services: [{name: api, port: 8080}]
    ```

    ## Source

    Uplink reference, "Referencing Uplinks from Routers".
    """
    for router, owner in annotated_routers(cluster):
        names = _names(router)
        if names == ("",):
            message = f"the uplinks annotation of router {owner} is empty"
            yield empty_element.at(annotation_of(router), message)
        elif "" in names:
            yield empty_element.at(
                annotation_of(router),
                f"element {names.index('') + 1} of the uplinks annotation of router {owner} "
                "is empty; write names with commas between them",
            )
