"""Rules about unused uplinks (UPL111, UPL413).

They are silent while any reference is unresolved: that reference is reported itself,
and it can be a misspelling of the uplink that seems unused.

Source: reference page, "Overview" and "Referencing Uplinks from Routers".
"""

from __future__ import annotations

from collections.abc import Iterator

from uplinks import naming
from uplinks.diagnostics import Diagnostic, Related, Severity
from uplinks.errors import quote
from uplinks.model import UPLINKS_ANNOTATION, Cluster, Fleet, Uplink
from uplinks.rules._references import named_at, offers_by, used_uplinks
from uplinks.rules._rule import rule

__all__ = ["unrouted_uplink", "unused_uplink"]


@rule(
    "UPL111",
    name="unused-uplink",
    severity=Severity.WARNING,
    scope="cluster",
    reads=("routers", "uplinks"),
)
def unused_uplink(cluster: Cluster) -> Iterator[Diagnostic]:
    """Warn about an uplink that no router references.

    ## What it checks

    The annotation `hub.traefik.io/router.uplinks` of at least one `IngressRoute` of
    the same cluster lists each `Uplink`. A cluster without an `IngressRoute` is not
    checked, because its routers can be of another kind.

    ## Why

    Parents send requests to the uplink, but no router of the child handles them.

    ## Bad

    ```yaml
    apiVersion: hub.traefik.io/v1alpha1
    kind: Uplink
    metadata: {name: api-workload, namespace: apps}
    ---
    apiVersion: hub.traefik.io/v1alpha1
    kind: Uplink
    metadata:
      name: other # UPL111
      namespace: apps
    ---
    metadata:
      annotations:
        hub.traefik.io/router.uplinks: "apps-api-workload"
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
        hub.traefik.io/router.uplinks: "apps-api-workload, apps-other"
    ```

    ## Source

    Uplink reference, "Referencing Uplinks from Routers".
    """
    named = {name for router in cluster.routers for name in router.annotation_elements}
    known = {uplink.uplink_name for uplink in cluster.uplinks}
    if not cluster.routers or not named <= known:
        return
    for uplink in cluster.uplinks:
        if uplink.uplink_name not in named:
            yield unused_uplink.at(
                uplink.origin.locate("metadata", "name"),
                f"no router references uplink {uplink.owner}, so its requests are not handled; "
                f"add {quote(uplink.uplink_name)} to the annotation {UPLINKS_ANNOTATION} of a "
                "router",
            )


@rule(
    "UPL413",
    name="unrouted-uplink",
    severity=Severity.INFO,
    scope="fleet",
    reads=("offered", "parent.others", "parent.routers", "parent.traefik_services"),
)
def unrouted_uplink(fleet: Fleet) -> Iterator[Diagnostic]:
    """Note an uplink that the parent never routes to.

    ## What it checks

    An `IngressRoute` or a weighted or failover `TraefikService` of the parent
    references each uplink name at least once, as `<uplink-name>@multicluster` or as
    `<uplink-name>-<child>@multicluster`. A parent that references no uplink at all is
    not checked, because its routers can be defined elsewhere.

    ## Why

    The service is created and probed, but receives no requests.

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
            - {name: apps-api-workload@multicluster, kind: TraefikService}
    ---
    # child-1
    apiVersion: hub.traefik.io/v1alpha1
    kind: Uplink
    metadata: {name: api-workload, namespace: apps}
    ---
    apiVersion: hub.traefik.io/v1alpha1
    kind: Uplink
    metadata:
      name: other # UPL413
      namespace: apps
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
        - match: Host(`apps-api-workload.example.com`)
          kind: Rule
          services:
            - {name: apps-api-workload@multicluster, kind: TraefikService}
        - match: Host(`apps-other-child-1.example.com`)
          kind: Rule
          services:
            - {name: apps-other-child-1@multicluster, kind: TraefikService}
    ---
    # child-1
    apiVersion: hub.traefik.io/v1alpha1
    kind: Uplink
    metadata: {name: api-workload, namespace: apps}
    ---
    apiVersion: hub.traefik.io/v1alpha1
    kind: Uplink
    metadata: {name: other, namespace: apps}
    ```

    ## Source

    Uplink reference, "Overview" and "Complete Example".
    """
    used, all_known = used_uplinks(fleet)
    if not used or not all_known:
        return
    routed = set(used.values())
    for name, offers in offers_by(_uplink_name, fleet).items():
        if name in routed:
            continue
        (_, first), *others = offers
        yield unrouted_uplink.at(
            named_at(first),
            f"no router or service of the parent references uplink {quote(name)}; reference "
            f"{quote(name + naming.PROVIDER_SUFFIX)} there, or remove the uplink",
            [
                Related(named_at(uplink), f"child {child!r} also offers it")
                for child, uplink in others
            ],
        )


def _uplink_name(uplink: Uplink) -> str:
    return uplink.uplink_name
