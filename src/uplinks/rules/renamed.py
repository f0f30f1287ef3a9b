"""The rule about names that `exposeName` took away (UPL309).

Source: reference page, "Uplink Naming".
"""

from __future__ import annotations

from collections.abc import Iterator

from uplinks import naming
from uplinks.diagnostics import Diagnostic, Location, Related, Severity
from uplinks.model import UPLINKS_ANNOTATION, Cluster, Fleet, Uplink
from uplinks.rules._rule import rule, shown
from uplinks.rules._use import KIND, MULTICLUSTER, of_cluster, renamed_names, renamed_services

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
        "parent.routers",
        "parent.traefik_services",
        "parent.uplinks",
    ),
)
def renamed_uplink(subject: Cluster | Fleet) -> Iterator[Diagnostic]:
    """Refuse a reference by the name that `exposeName` replaced.

    ## What it checks

    An `Uplink` with `exposeName` is referenced by that name, not as
    `<namespace>-<name>`: in the annotation `hub.traefik.io/router.uplinks` of
    routers in its cluster, and as `name@multicluster` on the parent. Only a
    fleet shows the parent's references.

    ## Why

    The derived name is gone, so nothing is found by it. A router is advertised
    to nobody, and a parent's route answers with 404.

    ## Bad

    ```yaml
    apiVersion: hub.traefik.io/v1alpha1
    kind: Uplink
    metadata: {name: api-workload, namespace: apps}
    spec: {exposeName: api}
    ---
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
    ```

    ## Good

    ```yaml
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
    for use in of_cluster(subject.parent):
        name, provider = naming.split_service_reference(use.reference.name)
        if provider == MULTICLUSTER and use.reference.kind == KIND and name in renamed:
            now, uplink = renamed[name]
            wanted = now + naming.PROVIDER_SUFFIX
            yield _finding(use.holder, use.reference.name, wanted, uplink, use.location)


def _annotations(cluster: Cluster) -> Iterator[Diagnostic]:
    renamed = renamed_names(cluster.uplinks)
    for router in cluster.routers:
        for name in dict.fromkeys(router.uplinks):
            if name in renamed:
                uplink = renamed[name]
                where = router.origin.locate("metadata", "annotations", UPLINKS_ANNOTATION)
                holder = f"router {router.namespace}/{router.name}"
                yield _finding(holder, name, uplink.uplink_name, uplink, where)


def _finding(holder: str, name: str, now: str, uplink: Uplink, where: Location) -> Diagnostic:
    return renamed_uplink.at(
        where,
        f"{holder} references {shown(name)}, but exposeName of uplink {uplink.owner} "
        f"makes it {shown(now)}",
        [Related(uplink.origin.locate("spec", "exposeName"), "renamed here")],
        suggestion=now,
    )
