"""Rules about services and routers that open-source Traefik cannot use (UPL503 to UPL505).

Traefik Hub and `uplinks` may; the output of ``uplinks materialize --format traefik``
cannot. Source: Traefik v3.7, ``pkg/server/service`` and ``pkg/server/router``.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping

from attrs import frozen

from uplinks import naming
from uplinks.diagnostics import Diagnostic, Severity
from uplinks.errors import join_names, quote
from uplinks.model import Child, Cluster, Fleet, Uplink
from uplinks.rules._references import (
    KIND,
    KUBERNETES,
    MULTICLUSTER,
    Reference,
    of_router,
    of_service,
    offers_by,
)
from uplinks.rules._rule import rule

__all__ = ["advertised_below_another", "failover_without_check", "status_not_passed_on"]


@rule(
    "UPL503",
    name="status-not-passed-on",
    severity=Severity.WARNING,
    scope="fleet",
    reads=("offered", "parent.parent_config", "parent.routers", "parent.traefik_services"),
)
def status_not_passed_on(fleet: Fleet) -> Iterator[Diagnostic]:
    """Warn about a weighted service that keeps sending requests to a service that is down.

    ## What it checks

    If a route, or a weighted `TraefikService`, of the parent spreads requests
    over services one of which has active checks on all its children, then all
    of them have.

    ## Why

    Open-source Traefik takes a service out of a weighted one only if every
    service there reports its status. An uplink that is checked passively, or
    not on every child, reports none, and neither does a Kubernetes Service.
    Then a service that is down keeps its share of the requests.

    ## Bad

    ```yaml
    # parent
    apiVersion: traefik.io/v1alpha1
    kind: TraefikService
    metadata: {name: api, namespace: apps}
    spec:
      weighted:
        services:
          - {name: apps-eu@multicluster, kind: TraefikService}
          - {name: apps-us@multicluster, kind: TraefikService} # UPL503
    ---
    # child-1
    apiVersion: hub.traefik.io/v1alpha1
    kind: Uplink
    metadata: {name: eu, namespace: apps}
    spec: {healthCheck: {path: /health}}
    ---
    apiVersion: hub.traefik.io/v1alpha1
    kind: Uplink
    metadata: {name: us, namespace: apps}
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
          - {name: apps-eu@multicluster, kind: TraefikService}
          - {name: apps-us@multicluster, kind: TraefikService}
    ---
    # child-1
    apiVersion: hub.traefik.io/v1alpha1
    kind: Uplink
    metadata: {name: eu, namespace: apps}
    spec: {healthCheck: {path: /health}}
    ---
    apiVersion: hub.traefik.io/v1alpha1
    kind: Uplink
    metadata: {name: us, namespace: apps}
    spec: {healthCheck: {path: /health}}
    ```

    ## Source

    Traefik v3.7, `weighted.healthCheck`.
    """
    status = _Status.of(fleet)
    for references in _spread(fleet):
        silent = [each for each in references if status.is_silent(each)]
        if silent and any(status.is_reported(each) for each in references):
            yield status_not_passed_on.at(
                silent[0].location,
                f"{silent[0].holder}: open-source Traefik keeps sending requests to each service "
                "here while it is down, since these report no status: "
                f"{join_names(each.service.name for each in silent)}; give every child of their "
                "uplinks a healthCheck",
            )


@rule(
    "UPL504",
    name="failover-without-check",
    severity=Severity.WARNING,
    scope="fleet",
    reads=("offered", "parent.parent_config", "parent.traefik_services"),
)
def failover_without_check(fleet: Fleet) -> Iterator[Diagnostic]:
    """Warn about a failover whose main service reports no status.

    ## What it checks

    The main service of a `failover` has active checks on all its children, or
    the failover has `errors.status`.

    ## Why

    Open-source Traefik refuses such a failover, and every route to it answers
    404. Passive checks report no status.

    ## Bad

    ```yaml
    # parent
    apiVersion: traefik.io/v1alpha1
    kind: TraefikService
    metadata: {name: api, namespace: apps}
    spec:
      failover:
        service: {name: apps-eu@multicluster, kind: TraefikService} # UPL504
        fallback: {name: apps-us@multicluster, kind: TraefikService}
        errors: {}
    ---
    # child-1
    apiVersion: hub.traefik.io/v1alpha1
    kind: Uplink
    metadata: {name: eu, namespace: apps}
    ---
    apiVersion: hub.traefik.io/v1alpha1
    kind: Uplink
    metadata: {name: us, namespace: apps}
    ```

    ## Good

    ```yaml
    # parent
    apiVersion: traefik.io/v1alpha1
    kind: TraefikService
    metadata: {name: api, namespace: apps}
    spec:
      failover:
        service: {name: apps-eu@multicluster, kind: TraefikService}
        fallback: {name: apps-us@multicluster, kind: TraefikService}
        errors: {status: ["500-599"]}
    ---
    # child-1
    apiVersion: hub.traefik.io/v1alpha1
    kind: Uplink
    metadata: {name: eu, namespace: apps}
    ---
    apiVersion: hub.traefik.io/v1alpha1
    kind: Uplink
    metadata: {name: us, namespace: apps}
    ```

    ## Source

    Traefik v3.7, `failover`.
    """
    status = _Status.of(fleet)
    for service in fleet.parent.traefik_services:
        failover = service.failover
        # Traefik builds only one type, a failover last; more of them are UPL314.
        types = {"mirroring", "highestRandomWeight"} & service.rest.keys()
        if failover is None or service.weighted is not None or types:
            continue
        if _has_statuses(failover.rest.get("errors")):
            continue
        *_, (main, _fallback) = of_service(service)
        if status.is_silent(main):
            yield failover_without_check.at(
                main.location,
                f"{main.holder}: open-source Traefik refuses a failover from "
                f"{quote(main.service.name)}, which reports no status, and its routes answer "
                "404; give every child of its uplinks a healthCheck, or write errors.status",
            )


@rule(
    "UPL505",
    name="advertised-below-another",
    severity=Severity.WARNING,
    scope="manifests",
    reads=("routers",),
)
def advertised_below_another(cluster: Cluster) -> Iterator[Diagnostic]:
    """Warn about an advertised router that is below another router.

    ## What it checks

    A router with the uplinks annotation has no `parentRefs`.

    ## Why

    On open-source Traefik a child's advertised router stands alone on the uplink
    entry point. Without the rule and the middlewares of the router above, such as
    authentication, it would be open; so `--for-child` leaves it out.

    ## Bad

    ```yaml
    metadata:
      annotations:
        hub.traefik.io/router.uplinks: apps-api-workload
    spec:
      parentRefs: # UPL505
        - name: auth
    ```

    ## Good

    ```yaml
    metadata:
      annotations:
        hub.traefik.io/router.uplinks: apps-api-workload
    spec:
      routes:
        - match: PathPrefix(`/api`)
          kind: Rule
          services: [{name: api, port: 8080}]
          middlewares: [{name: auth}]
    ```

    ## Source

    Traefik v3.7, multi-layer routing.
    """
    for router in cluster.routers:
        if router.advertised and router.rest.get("parentRefs"):
            yield advertised_below_another.at(
                router.origin.locate("spec", "parentRefs", key=True),
                f"router {router.owner} has the uplinks annotation and "
                "parentRefs, so --for-child leaves it out; move the rule and the middlewares of "
                "the router above into it",
            )


def _has_statuses(errors: object) -> bool:
    return isinstance(errors, Mapping) and bool(errors.get("status"))


def _spread(fleet: Fleet) -> Iterator[list[Reference]]:
    """Give what requests are spread over, by a route or a weighted service."""
    for router in fleet.parent.routers:
        yield from of_router(router)
    for service in fleet.parent.traefik_services:
        if service.weighted is not None:
            yield next(of_service(service))


@frozen
class _Status:
    """Which services report their status to those above, and which do not; of others nothing."""

    silent: frozenset[str]
    reported: frozenset[str]

    @classmethod
    def of(cls, fleet: Fleet) -> _Status:
        """Go from the uplinks without active checks up to whatever is composed of them."""
        above: dict[str, set[str]] = defaultdict(set)
        known = {service.service_name for service in fleet.parent.traefik_services}
        for service in fleet.parent.traefik_services:
            for references in of_service(service):
                for each in references:
                    above[_key(each)].add(service.service_name)
        config = fleet.parent.parent_config
        listed = {} if config is None else config.children
        waiting = [_KUBERNETES_SERVICE]
        for name, offers in offers_by(lambda uplink: uplink.uplink_name, fleet).items():
            known.update(f"{name}-{child}@{MULTICLUSTER}" for child, _ in offers)
            known.add(f"{name}@{MULTICLUSTER}")
            unchecked = {c: u for c, u in offers if not _is_checked(u, listed.get(c))}
            waiting += [f"{name}-{child}@{MULTICLUSTER}" for child in unchecked]
            if any(uplink.weight > 0 for uplink in unchecked.values()):
                waiting.append(f"{name}@{MULTICLUSTER}")
        silent: set[str] = set()
        while waiting:
            name = waiting.pop()
            if name not in silent:
                silent.add(name)
                waiting += above[name]
        return cls(frozenset(silent), frozenset(known - silent))

    def is_silent(self, each: Reference) -> bool:
        """Whether the service that is meant reports no status."""
        return _key(each) in self.silent

    def is_reported(self, each: Reference) -> bool:
        """Whether the service that is meant reports its status."""
        return _key(each) in self.reported


def _is_checked(uplink: Uplink, child: Child | None) -> bool:
    check = uplink.health_check
    return check is not None and (child is None or check.passes_in_traefik(child.address))


_KUBERNETES_SERVICE = ""


def _key(each: Reference) -> str:
    if each.service.kind != KIND:
        return _KUBERNETES_SERVICE
    name, provider = naming.split_service_reference(each.service.name)
    return each.service.name if provider else f"{each.namespace}-{name}@{KUBERNETES}"
