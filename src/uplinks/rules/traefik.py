"""Rules about what open-source Traefik cannot do with a fleet (UPL501 to UPL505).

Traefik Hub and `uplinks` may do it; the output of ``uplinks materialize --format
traefik`` cannot. Source: Traefik v3.7, ``pkg/server/service`` and
``pkg/healthcheck``.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence

from attrs import frozen

from uplinks import naming
from uplinks.diagnostics import Diagnostic, Related, Severity
from uplinks.model import Child, Cluster, Fleet, ServersTransport, Uplink, share_passive_check
from uplinks.rules._rule import rule, shown, some
from uplinks.rules._use import KIND, KUBERNETES, MULTICLUSTER, Use, of_router, of_service, offers_by

__all__ = [
    "advertised_below_another",
    "failover_without_check",
    "grpc_over_tls",
    "passive_without_effect",
    "status_not_passed_on",
]

_Offers = Sequence[tuple[str, Uplink]]


@rule(
    "UPL501",
    name="grpc-over-tls",
    severity=Severity.WARNING,
    scope="fleet",
    reads=("children", "children.uplinks", "parent.parent_config"),
)
def grpc_over_tls(fleet: Fleet) -> Iterator[Diagnostic]:
    """Warn of a gRPC health check over TLS.

    ## What it checks

    A health check with `mode: grpc` is not sent over TLS: the child's address,
    or the check's `scheme`, is not https.

    ## Why

    Open-source Traefik probes gRPC in plain text only. The check would never
    pass, so `--format traefik` leaves it out, and Traefik never takes the child
    out. The gRPC prober of `uplinks` speaks TLS.

    ## Bad

    ```yaml
    # parent
    hub: {providers: {multicluster: {children: {c: {address: "https://c.example.com:9443"}}}}}
    ---
    # child
    spec:
      healthCheck: {mode: grpc}
    ```

    ## Good

    ```yaml
    # child: a plain gRPC server for probes
    spec:
      healthCheck: {mode: grpc, scheme: http, port: 9000}
    ```

    ## Source

    Traefik v3.7, health checks with mode `grpc`.
    """
    config = fleet.parent.parent_config
    listed = {} if config is None else config.children
    for child in sorted(fleet.children):
        for uplink in fleet.children[child].uplinks:
            check = uplink.health_check
            if check is None or child not in listed:
                continue
            if not check.passes_in_traefik(listed[child].address):
                yield grpc_over_tls.at(
                    uplink.origin.locate("spec", "healthCheck", "mode"),
                    f"health check of uplink {shown(uplink.uplink_name)} on child {child!r} is "
                    "gRPC over TLS, which open-source Traefik cannot pass; probe over http, or "
                    "set scheme: http and the port of a plain gRPC server",
                )


@rule(
    "UPL502",
    name="passive-without-effect",
    severity=Severity.WARNING,
    scope="fleet",
    reads=("children", "children.uplinks", "parent.parent_config"),
)
def passive_without_effect(fleet: Fleet) -> Iterator[Diagnostic]:
    """Warn of a passive check that takes no child out of rotation in Traefik.

    ## What it checks

    Of several children that advertise one uplink name, if any has only
    `passiveHealthCheck`, then none has `healthCheck`, and all have the same
    `passiveHealthCheck` and the same `serversTransport` on the parent.

    ## Why

    Open-source Traefik passes the status of a child to the service over all
    children only if each child has an active check. A passive check acts only
    within one load balancer, which has one check and one transport. Otherwise
    the failing child keeps its share of the requests.

    ## Bad

    ```yaml
    # child-1
    spec:
      healthCheck: {path: /health}
    ---
    # child-2
    spec:
      passiveHealthCheck: {maxFailedAttempts: 3}
    ```

    ## Good

    ```yaml
    # child-1 and child-2
    spec:
      passiveHealthCheck: {maxFailedAttempts: 3}
    ```

    ## Source

    Traefik v3.7, weighted services and passive health checks.
    """
    config = fleet.parent.parent_config
    listed = {} if config is None else config.children
    transports = {child: listed[child].servers_transport for child in listed}
    for name, offers in offers_by(lambda uplink: uplink.uplink_name, fleet).items():
        picked = [(child, uplink) for child, uplink in offers if uplink.weight > 0]
        passive = [offer for offer in picked if _is_passive(offer[1])]
        if len({child for child, _ in picked}) > 1 and passive and not _is_flat(picked, transports):
            child, uplink = passive[0]
            yield passive_without_effect.at(
                uplink.origin.locate("spec", "passiveHealthCheck", key=True),
                f"open-source Traefik takes no child of uplink {shown(name)} out of rotation: "
                f"only passively checked: {some(c for c, _ in passive)}; give every child a "
                "healthCheck, or all the same passiveHealthCheck and serversTransport alone",
                _others(picked, child),
            )


def _is_passive(uplink: Uplink) -> bool:
    return uplink.health_check is None and uplink.passive_health_check is not None


def _is_flat(offers: _Offers, transports: Mapping[str, ServersTransport | None]) -> bool:
    return share_passive_check(
        (uplink.health_check, uplink.passive_health_check, transports.get(child))
        for child, uplink in offers
    )


def _others(offers: _Offers, child: str) -> list[Related]:
    other, uplink = next(offer for offer in offers if offer[0] != child)
    return [Related(uplink.origin.locate("metadata", "name"), f"child {other!r} is here")]


@rule(
    "UPL503",
    name="status-not-passed-on",
    severity=Severity.WARNING,
    scope="fleet",
    reads=(
        "children",
        "children.uplinks",
        "parent.parent_config",
        "parent.routers",
        "parent.traefik_services",
    ),
)
def status_not_passed_on(fleet: Fleet) -> Iterator[Diagnostic]:
    """Warn of a weighted service that keeps sending requests to a service that is down.

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
    apiVersion: traefik.io/v1alpha1
    kind: TraefikService
    metadata: {name: api, namespace: apps}
    spec:
      weighted:
        services:
          - {name: apps-checked@multicluster, kind: TraefikService}
          - {name: apps-unchecked@multicluster, kind: TraefikService}
    ---
    apiVersion: hub.traefik.io/v1alpha1
    kind: Uplink
    metadata: {name: checked, namespace: apps}
    spec:
      healthCheck: {path: /health}
    ---
    apiVersion: hub.traefik.io/v1alpha1
    kind: Uplink
    metadata: {name: unchecked, namespace: apps}
    ```

    ## Good

    ```yaml
    # both uplinks, on all children
    spec:
      healthCheck: {path: /health}
    ```

    ## Source

    Traefik v3.7, `weighted.healthCheck`.
    """
    status = _Status.of(fleet)
    for uses in _spread(fleet):
        silent = [use for use in uses if status.is_silent(use)]
        if silent and any(status.is_reported(use) for use in uses):
            yield status_not_passed_on.at(
                silent[0].location,
                f"{silent[0].holder}: open-source Traefik keeps sending requests to each service "
                "here while it is down, since these report no status: "
                f"{some(use.reference.name for use in silent)}; give every child of their "
                "uplinks a healthCheck",
            )


@rule(
    "UPL504",
    name="failover-without-check",
    severity=Severity.WARNING,
    scope="fleet",
    reads=("children", "children.uplinks", "parent.parent_config", "parent.traefik_services"),
)
def failover_without_check(fleet: Fleet) -> Iterator[Diagnostic]:
    """Warn of a failover whose main service reports no status.

    ## What it checks

    The main service of a `failover` has active checks on all its children, or
    the failover has `errors.status`.

    ## Why

    Open-source Traefik refuses such a failover, and every route to it answers
    404. Passive checks report no status.

    ## Bad

    ```yaml
    apiVersion: traefik.io/v1alpha1
    kind: TraefikService
    metadata: {name: api, namespace: apps}
    spec:
      failover:
        service: {name: apps-eu@multicluster, kind: TraefikService}
        fallback: {name: apps-us@multicluster, kind: TraefikService}
    ---
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
    apiVersion: traefik.io/v1alpha1
    kind: TraefikService
    metadata: {name: api, namespace: apps}
    spec:
      failover:
        service: {name: apps-eu@multicluster, kind: TraefikService}
        fallback: {name: apps-us@multicluster, kind: TraefikService}
        errors: {status: ["500-599"]}
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
                f"{shown(main.reference.name)}, which reports no status, and its routes answer "
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
    """Warn of an advertised router that is below another router.

    ## What it checks

    A router with the uplinks annotation has no `parentRefs`.

    ## Why

    On open-source Traefik a child's advertised router stands alone on the uplink
    entry point. Without the rule and the middlewares of the router above, such as
    authentication, it would be open; so `--for-child` leaves it out.

    ## Bad

    ```yaml
    apiVersion: traefik.io/v1alpha1
    kind: IngressRoute
    metadata:
      name: api
      namespace: apps
      annotations:
        hub.traefik.io/router.uplinks: apps-api
    spec:
      parentRefs:
        - name: auth
      routes:
        - match: PathPrefix(`/api`)
          kind: Rule
          services:
            - {name: api, port: 8080}
    ```

    ## Good

    ```yaml
    apiVersion: traefik.io/v1alpha1
    kind: IngressRoute
    metadata:
      name: api
      namespace: apps
      annotations:
        hub.traefik.io/router.uplinks: apps-api
    spec:
      routes:
        - match: PathPrefix(`/api`)
          kind: Rule
          middlewares:
            - name: auth
          services:
            - {name: api, port: 8080}
    ```

    ## Source

    Traefik v3.7, multi-layer routing.
    """
    for router in cluster.routers:
        if router.advertised and router.rest.get("parentRefs"):
            yield advertised_below_another.at(
                router.origin.locate("spec", "parentRefs", key=True),
                f"router {router.namespace}/{router.name} has the uplinks annotation and "
                "parentRefs, so --for-child leaves it out; move the rule and the middlewares of "
                "the router above into it",
            )


def _has_statuses(errors: object) -> bool:
    return isinstance(errors, Mapping) and bool(errors.get("status"))


def _spread(fleet: Fleet) -> Iterator[list[Use]]:
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
            for uses in of_service(service):
                for use in uses:
                    above[_key(use)].add(service.service_name)
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

    def is_silent(self, use: Use) -> bool:
        """Whether the service that is meant reports no status."""
        return _key(use) in self.silent

    def is_reported(self, use: Use) -> bool:
        """Whether the service that is meant reports its status."""
        return _key(use) in self.reported


def _is_checked(uplink: Uplink, child: Child | None) -> bool:
    check = uplink.health_check
    return check is not None and (child is None or check.passes_in_traefik(child.address))


_KUBERNETES_SERVICE = ""


def _key(use: Use) -> str:
    if use.reference.kind != KIND:
        return _KUBERNETES_SERVICE
    name, provider = naming.split_service_reference(use.reference.name)
    return use.reference.name if provider else f"{use.namespace}-{name}@{KUBERNETES}"
