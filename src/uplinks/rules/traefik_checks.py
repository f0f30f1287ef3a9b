"""Rules about health checks that open-source Traefik cannot use (UPL501, UPL502).

Traefik Hub and `uplinks` may; the output of ``uplinks materialize --format traefik``
cannot. Source: Traefik v3.7, ``pkg/healthcheck`` and ``pkg/server/service``.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from uplinks.diagnostics import Diagnostic, Related, Severity
from uplinks.errors import join_names, quote
from uplinks.model import Fleet, ServersTransport, Uplink, share_passive_check
from uplinks.rules._references import (
    offers_by,
)
from uplinks.rules._rule import rule

__all__ = ["grpc_over_tls", "passive_without_effect"]

_Offers = Sequence[tuple[str, Uplink]]


@rule(
    "UPL501",
    name="grpc-over-tls",
    severity=Severity.WARNING,
    scope="fleet",
    reads=("offered", "parent.parent_config"),
)
def grpc_over_tls(fleet: Fleet) -> Iterator[Diagnostic]:
    """Warn about a gRPC health check over TLS.

    ## What it checks

    A health check with `mode: grpc` is not sent over TLS: the child's address,
    or the check's `scheme`, is not https.

    ## Why

    Open-source Traefik probes gRPC in plain text only. The check would never
    pass, so `--format traefik` leaves it out, and Traefik never takes the child
    out. The gRPC prober of `uplinks` speaks TLS.

    ## Bad

    ```yaml
    spec:
      healthCheck:
        mode: grpc # UPL501
    ```

    ## Good

    ```yaml
    spec:
      healthCheck: {mode: grpc, scheme: http, port: 9000}
    ```

    ## Source

    Traefik v3.7, health checks with mode `grpc`.
    """
    config = fleet.parent.parent_config
    listed = {} if config is None else config.children
    for child, uplinks in fleet.offered().items():
        for uplink in uplinks:
            check = uplink.health_check
            if check is None or child not in listed:
                continue
            if not check.passes_in_traefik(listed[child].address):
                yield grpc_over_tls.at(
                    uplink.origin.locate("spec", "healthCheck", "mode"),
                    f"health check of uplink {quote(uplink.uplink_name)} on child {child!r} is "
                    "gRPC over TLS, which open-source Traefik cannot pass; probe over http, or "
                    "set scheme: http and the port of a plain gRPC server",
                )


@rule(
    "UPL502",
    name="passive-without-effect",
    severity=Severity.WARNING,
    scope="fleet",
    reads=("offered", "parent.parent_config"),
)
def passive_without_effect(fleet: Fleet) -> Iterator[Diagnostic]:
    """Warn about a passive check that takes no child out of rotation in Traefik.

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
    spec:
      healthCheck: {path: /health}
    ---
    # child-2
    spec:
      passiveHealthCheck: {maxFailedAttempts: 3} # UPL502
    ```

    ## Good

    ```yaml
    spec:
      passiveHealthCheck: {maxFailedAttempts: 3}
    ---
    # child-2
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
        if any(_is_wrong(uplink) for _, uplink in picked):
            continue
        if len({child for child, _ in picked}) > 1 and passive and not _is_flat(picked, transports):
            child, uplink = passive[0]
            yield passive_without_effect.at(
                uplink.origin.locate("spec", "passiveHealthCheck", key=True),
                f"open-source Traefik takes no child of uplink {quote(name)} out of rotation: "
                f"only passively checked: {join_names(c for c, _ in passive)}; give every child a "
                "healthCheck, or all the same passiveHealthCheck and serversTransport alone",
                _others(picked, child),
            )


def _is_passive(uplink: Uplink) -> bool:
    return uplink.health_check is None and uplink.passive_health_check is not None


def _is_wrong(uplink: Uplink) -> bool:
    """Whether UPL202 or UPL217 reports the passive check already."""
    check = uplink.passive_health_check
    return check is not None and min(check.failure_window, check.max_failed_attempts) < 0


def _is_flat(offers: _Offers, transports: Mapping[str, ServersTransport | None]) -> bool:
    return share_passive_check(
        (uplink.health_check, uplink.passive_health_check, transports.get(child))
        for child, uplink in offers
    )


def _others(offers: _Offers, child: str) -> list[Related]:
    other, uplink = next(offer for offer in offers if offer[0] != child)
    return [Related(uplink.origin.locate("metadata", "name"), f"child {other!r} is here")]
