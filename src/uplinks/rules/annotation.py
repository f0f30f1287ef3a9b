"""Rules about the annotation that lists a router's uplinks (UPL303 to UPL305).

Source: reference page, "Referencing Uplinks from Routers".
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from uplinks.diagnostics import Diagnostic, Location, Severity
from uplinks.errors import quote
from uplinks.model import UPLINKS_ANNOTATION, Cluster, IngressRoute
from uplinks.rules._references import renamed_names
from uplinks.rules._rule import rule
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
            yield router, router.owner


def annotation_of(router: IngressRoute) -> Location:
    """Locate the annotation of a router."""
    return router.origin.locate("metadata", "annotations", UPLINKS_ANNOTATION)


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
    `<namespace>-<name>`. A file without an `Uplink` is not checked on its own,
    because it can be a part of a cluster.

    ## Why

    A router is reachable only through its uplinks. With a misspelt name, no parent
    can reach it.

    ## Bad

    ```yaml
    metadata:
      annotations:
        hub.traefik.io/router.uplinks: "apps-api-workload, api-workload" # UPL303
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
    metadata:
      annotations:
        hub.traefik.io/router.uplinks: "apps-api-workload, other"
    ```

    ## Source

    Uplink reference, "Referencing Uplinks from Routers".
    """
    known = {uplink.uplink_name for uplink in cluster.uplinks}
    renamed = renamed_names(cluster.uplinks)
    for router, owner in annotated_routers(cluster):
        for name in dict.fromkeys(router.annotation_elements):
            if name and name not in known and name not in renamed:  # else it is UPL309
                message = f"router {owner} references the unknown uplink {quote(name)}"
                yield Suggestion(
                    unknown_uplink.at(annotation_of(router), message),
                    name,
                    known,
                    written=router.annotations.get(UPLINKS_ANNOTATION),
                )


@rule(
    "UPL304",
    name="uplink-named-twice",
    severity=Severity.WARNING,
    scope="manifests",
    reads=("routers",),
)
def uplink_named_twice(cluster: Cluster) -> Iterator[Diagnostic]:
    """Warn about an uplink listed twice in one annotation.

    ## What it checks

    The annotation `hub.traefik.io/router.uplinks` lists each uplink once.

    ## Why

    The repetition has no effect. Another uplink may have been intended.

    ## Bad

    ```yaml
    metadata:
      annotations:
        hub.traefik.io/router.uplinks: "apps-api-workload,apps-api-workload" # UPL304
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
    metadata:
      annotations:
        hub.traefik.io/router.uplinks: "apps-api-workload,apps-other"
    ```

    ## Source

    Uplink reference, "Referencing Uplinks from Routers".
    """
    for router, owner in annotated_routers(cluster):
        for name, times in Counter(router.annotation_elements).items():
            if name and times > 1:
                yield uplink_named_twice.at(
                    annotation_of(router),
                    f"router {owner} lists uplink {quote(name)} {times} times; list it once",
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

    The annotation `hub.traefik.io/router.uplinks` is a comma-separated list of
    names. Neither the list nor any of its elements is empty.

    ## Why

    An empty element names no uplink. Often a template left a value out, and the
    router is not advertised through the intended uplink.

    ## Bad

    ```yaml
    metadata:
      annotations:
        hub.traefik.io/router.uplinks: "apps-api-workload,," # UPL305
    ---
    metadata:
      annotations:
        hub.traefik.io/router.uplinks: "" # UPL305
    ```

    ## Good

    ```yaml
    metadata:
      annotations:
        hub.traefik.io/router.uplinks: " apps-api-workload "
    ```

    ## Source

    Uplink reference, "Referencing Uplinks from Routers".
    """
    for router, owner in annotated_routers(cluster):
        names = router.annotation_elements
        if names == ("",):
            message = (
                f"uplinks annotation of router {owner} is empty; list uplink names, or remove it"
            )
            yield empty_element.at(annotation_of(router), message)
        elif "" in names:
            yield empty_element.at(
                annotation_of(router),
                f"uplinks annotation of router {owner} has an empty element, number "
                f"{names.index('') + 1}; write names separated by commas",
            )
