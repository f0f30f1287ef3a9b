"""The rule about what a probe matches on its child (UPL218).

Source: reference page, "Referencing Uplinks from Routers" and "Health Check Fields".
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from typing import TYPE_CHECKING, Final

from attrs import evolve

from uplinks import addresses
from uplinks.diagnostics import Diagnostic, Related, Severity
from uplinks.model import Cluster, Fleet, HealthCheck
from uplinks.rules._routes import ParsedRoute, parsed_routes
from uplinks.rules._rule import rule

if TYPE_CHECKING:
    from uplinks.router_rules import Request

__all__ = ["unreachable_health_check"]

_MOST_RELATED: Final = 3


@rule(
    "UPL218",
    name="unreachable-health-check",
    severity=Severity.WARNING,
    scope="any",
    reads=(
        "children",
        "children.child_config",
        "children.parent_config",
        "children.routers",
        "children.uplinks",
        "parent.parent_config",
    ),
)
def unreachable_health_check(subject: Cluster | Fleet) -> Iterator[Diagnostic]:
    """Warn of a health check that no router of its uplink answers.

    ## What it checks

    A request with the method, path, hostname and headers of `spec.healthCheck`
    matches a route of a router that names the uplink in its annotation. Without
    `hostname`, the host is that of the child's address in the parent's static
    configuration. A rule that depends on something else, such as the client's
    address, counts as matching.

    ## Why

    Requests for an uplink, probes among them, reach a workload only through the
    uplink's routers. A probe that matches none gets 404, and the child counts as down.

    ## Bad

    ```yaml
    spec:
      healthCheck:
        path: /health # UPL218
    ---
    metadata:
      annotations:
        hub.traefik.io/router.uplinks: "apps-api-workload"
    spec:
      routes:
        - match: PathPrefix(`/api`)
          kind: Rule
          services: [{name: api, port: 8080}]
    ```

    ## Good

    ```yaml
    spec:
      healthCheck:
        path: /health
    ---
    metadata:
      annotations:
        hub.traefik.io/router.uplinks: "apps-api-workload"
    spec:
      routes:
        - match: PathPrefix(`/api`) || Path(`/health`)
          kind: Rule
          services: [{name: api, port: 8080}]
    ```

    ## Source

    Uplink reference, "Referencing Uplinks from Routers" and "Health Check Fields".
    """
    if not isinstance(subject, Fleet):
        yield from _unreachable(subject, None)
        return
    config = subject.parent.parent_config
    for name in sorted(subject.children):
        child = None if config is None else config.children.get(name)
        endpoint = None if child is None else addresses.endpoint(child.address)
        yield from _unreachable(subject.children[name], endpoint[1] if endpoint else None)


def _unreachable(cluster: Cluster, host: str | None) -> Iterator[Diagnostic]:
    checked = [(each, each.health_check) for each in cluster.uplinks if each.health_check]
    routes: defaultdict[str, list[ParsedRoute]] = defaultdict(list)
    for route in parsed_routes(cluster) if checked else ():
        for name in set(route.router.uplinks):
            routes[name].append(route)
    for uplink, check in checked:
        reached = routes[uplink.uplink_name]
        request = _request(check, host) if reached else None
        if request is None or not all(route.rule.valid for route in reached):
            continue  # an uplink without routers and an invalid match are other codes
        if any(route.rule.matches(request) is not False for route in reached):
            continue
        elsewhere = evolve(request, host=None)
        only_host = any(route.rule.matches(elsewhere) is not False for route in reached)
        mend = "set its hostname" if only_host else "route its path, or change the health check"
        yield unreachable_health_check.at(
            uplink.origin.locate("spec", "healthCheck", "path" if check.mode == "http" else "mode"),
            f"the probe of spec.healthCheck of uplink {uplink.owner} matches no router of the "
            f"uplink, so it gets 404; {mend}",
            [Related(route.location, "a route of the uplink") for route in reached[:_MOST_RELATED]],
        )


def _request(check: HealthCheck, host: str | None) -> Request | None:
    """Build the request of a probe as far as it is known, if it has a path of its own."""
    from uplinks.router_rules import Request  # noqa: PLC0415 - as in `_routes`

    if check.mode == "grpc":
        return Request("POST", host, "/grpc.health.v1.Health/Check", "")
    path, _, query = (check.path or "").partition("#")[0].partition("?")
    if check.mode != "http" or not path.startswith("/") or "/." in path:
        return None  # relative to the child's address, or to be normalized
    if check.hostname is not None:
        name, _, port = check.hostname.rpartition(":")
        host = name if port.isdecimal() else check.hostname
    headers = {header.name: header.value for header in check.headers}
    return Request(check.method, host, path, query, headers)
