"""The rule about references by a name that `exposeName` replaced (UPL309).

Source: reference page, "Uplink Naming".
"""

from __future__ import annotations

from collections.abc import Iterator

from uplinks import naming
from uplinks.diagnostics import Diagnostic, Fix, Location, Related, Severity
from uplinks.errors import quote
from uplinks.model import UPLINKS_ANNOTATION, Cluster, Fleet, Uplink
from uplinks.rules._references import (
    KIND,
    MULTICLUSTER,
    of_cluster,
    renamed_names,
    renamed_services,
)
from uplinks.rules._rule import rule
from uplinks.rules._suggestion import replace_element

__all__ = ["renamed_uplink"]


@rule(
    "UPL309",
    name="renamed-uplink",
    severity=Severity.ERROR,
    scope="any",
    reads=(
        "children",
        "children.routers",
        "children.uplinks",
        "offered",
        "parent.others",
        "parent.routers",
        "parent.traefik_services",
        "parent.uplinks",
    ),
)
def renamed_uplink(subject: Cluster | Fleet) -> Iterator[Diagnostic]:
    """Refuse a reference by the name that `exposeName` replaced.

    ## What it checks

    References to an `Uplink` with `exposeName` use that name, not
    `<namespace>-<name>`, both in the annotation `hub.traefik.io/router.uplinks` of its
    cluster and as `name@multicluster` on the parent. Only the check of a fleet covers
    the parent's references.

    ## Why

    The derived name no longer exists. The router is not advertised to any parent, and
    the parent's route responds with 404.

    ## Bad

    ```yaml
    # parent
    apiVersion: traefik.io/v1alpha1
    kind: IngressRoute
    metadata: {name: api, namespace: apps}
    spec:
      entryPoints: [websecure]
      routes:
        - match: Host(`apps-api-workload.example.com`)
          kind: Rule
          services:
            - {name: apps-api-workload@multicluster, kind: TraefikService} # UPL309
        - match: Host(`apps-api-workload-child-1.example.com`)
          kind: Rule
          services:
            - {name: apps-api-workload-child-1@multicluster, kind: TraefikService} # UPL309
    ---
    # child-1
    spec:
      exposeName: api
    ---
    metadata:
      annotations:
        hub.traefik.io/router.uplinks: "apps-api-workload" # UPL309
    ```

    ## Good

    ```yaml
    # parent
    apiVersion: traefik.io/v1alpha1
    kind: IngressRoute
    metadata: {name: api, namespace: apps}
    spec:
      entryPoints: [websecure]
      routes:
        - match: Host(`api.example.com`)
          kind: Rule
          services:
            - {name: api@multicluster, kind: TraefikService}
        - match: Host(`api-child-1.example.com`)
          kind: Rule
          services:
            - {name: api-child-1@multicluster, kind: TraefikService}
    ---
    # child-1
    spec:
      exposeName: api
    ---
    metadata:
      annotations:
        hub.traefik.io/router.uplinks: "api"
    ```

    ## Source

    Uplink reference, "Uplink Naming": "You can override this with the
    `spec.exposeName` field".
    """
    if not isinstance(subject, Fleet):
        yield from _annotations(subject)
        return
    yield from _annotations(subject.parent)
    for child in sorted(subject.children):
        yield from _annotations(subject.children[child])
    renamed = renamed_services(subject)
    for reference in of_cluster(subject.parent):
        name, provider = naming.split_service_reference(reference.service.name)
        if provider == MULTICLUSTER and reference.service.kind == KIND and name in renamed:
            now, uplink = renamed[name]
            wanted = now + naming.PROVIDER_SUFFIX
            fix = Fix(reference.service.name, wanted)
            yield _renamed(reference.holder, fix.old, wanted, uplink, reference.location, fix=fix)


def _annotations(cluster: Cluster) -> Iterator[Diagnostic]:
    renamed = renamed_names(cluster.uplinks)
    for router in cluster.routers:
        for name in dict.fromkeys(router.uplinks):
            if name in renamed:
                uplink = renamed[name]
                where = router.origin.locate("metadata", "annotations", UPLINKS_ANNOTATION)
                now, written = uplink.uplink_name, router.annotations.get(UPLINKS_ANNOTATION)
                # The file provider has a list instead of the annotation.
                fix = Fix(written, replace_element(written, name, now)) if written else None
                yield _renamed(f"router {router.owner}", name, now, uplink, where, fix=fix)


def _renamed(
    holder: str, name: str, now: str, uplink: Uplink, where: Location, *, fix: Fix | None
) -> Diagnostic:
    return renamed_uplink.at(
        where,
        f"{holder} references {quote(name)}, but exposeName of uplink {uplink.owner} "
        f"renames it; use {quote(now)}",
        [Related(uplink.origin.locate("spec", "exposeName"), "the new name")],
        suggestion=now,
        fix=fix,
    )
