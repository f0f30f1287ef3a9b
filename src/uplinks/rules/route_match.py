"""Rules about the match of a route (UPL316, UPL317) and what a probe matches (UPL218).

Source: Traefik, "Routers: Rules and Priority"; the answers of Traefik v3.7.9.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator

from uplinks.diagnostics import Diagnostic, Location, Related, Severity
from uplinks.model import Cluster, HealthCheck
from uplinks.router_rules import Request
from uplinks.rules._routes import ParsedRoute, parsed_routes
from uplinks.rules._rule import rule

__all__ = ["invalid_match", "match_without_effect", "unreachable_health_check"]


@rule(
    "UPL316",
    name="invalid-match",
    severity=Severity.ERROR,
    scope="manifests",
    reads=("child_config", "parent_config", "routers"),
)
def invalid_match(cluster: Cluster) -> Iterator[Diagnostic]:
    """Require a match that Traefik accepts.

    ## What it checks

    `match` of a route is a rule of Traefik v3, or of v2 where the route has
    `syntax: v2`: matchers with the right arguments, joined with `&&`, `||`, `!`
    and parentheses. Regular expressions are those of Go.

    ## Why

    Traefik logs an error for a rule that it does not accept, and the router does
    not exist: its requests get 404.

    ## Bad

    ```yaml
    metadata:
      annotations:
        hub.traefik.io/router.uplinks: "apps-api-workload"
    spec:
      routes:
        - match: PathStartsWith(`/api`) # UPL316
          kind: Rule
          services: [{name: api, port: 8080}]
        - match: Host(`a.example.com`, `b.example.com`) # UPL316
          kind: Rule
          services: [{name: api, port: 8080}]
        - match: PathRegexp(`^/api/(v1`) # UPL316
          kind: Rule
          services: [{name: api, port: 8080}]
    ```

    ## Good

    ```yaml
    metadata:
      annotations:
        hub.traefik.io/router.uplinks: "apps-api-workload"
    spec:
      routes:
        - match: PathPrefix(`/api`)
          kind: Rule
          services: [{name: api, port: 8080}]
        - match: Host(`a.example.com`) || Host(`b.example.com`)
          kind: Rule
          services: [{name: api, port: 8080}]
        - match: Host(`c.example.com`, `d.example.com`)
          kind: Rule
          syntax: v2
          services: [{name: api, port: 8080}]
    ```

    ## Source

    Traefik, "Routers: Rules and Priority".
    """
    for route in parsed_routes(cluster):
        for problem in route.rule.problems:
            if problem.refused:
                yield invalid_match.at(
                    route.part(problem.start, problem.end),
                    f"{route.name} is not a valid rule: {problem.message}",
                    suggestion=problem.suggestion,
                )


@rule(
    "UPL317",
    name="match-without-effect",
    severity=Severity.WARNING,
    scope="manifests",
    reads=("child_config", "parent_config", "routers"),
)
def match_without_effect(cluster: Cluster) -> Iterator[Diagnostic]:
    """Warn of a matcher or a rule that matches no request.

    ## What it checks

    Traefik accepts the rule, but no request matches it or one of its matchers:

    - templates of syntax v2, such as ``HostRegexp(`{sub:[a-z]+}.example.com`)``,
      which v3 takes literally;
    - a host with a scheme, a port or a path, and a path with a query;
    - two conditions that exclude each other.

    ## Why

    The router exists, and its requests still get 404.

    ## Bad

    ```yaml
    metadata:
      annotations:
        hub.traefik.io/router.uplinks: "apps-api-workload"
    spec:
      routes:
        - match: PathPrefix(`/api/{version}`) # UPL317
          kind: Rule
          services: [{name: api, port: 8080}]
        - match: Path(`/a`) && Path(`/b`) # UPL317
          kind: Rule
          services: [{name: api, port: 8080}]
    ```

    ## Good

    ```yaml
    metadata:
      annotations:
        hub.traefik.io/router.uplinks: "apps-api-workload"
    spec:
      routes:
        - match: PathRegexp(`^/api/[^/]+`)
          kind: Rule
          services: [{name: api, port: 8080}]
        - match: Path(`/a`) || Path(`/b`)
          kind: Rule
          services: [{name: api, port: 8080}]
    ```

    ## Source

    Traefik, "Routers: Rules and Priority" and "Migration guide from v2 to v3".
    """
    for route in parsed_routes(cluster):
        if not route.rule.valid:
            continue
        for problem in route.rule.problems:
            place = route.part(problem.start, problem.end)
            yield match_without_effect.at(place, f"{route.name}: {problem.message}")
        if route.rule.conjunctions == ():
            message = f"{route.name} matches no request: its conditions exclude each other"
            yield match_without_effect.at(route.location, message)


@rule(
    "UPL218",
    name="unreachable-health-check",
    severity=Severity.WARNING,
    scope="cluster",
    reads=("child_config", "parent_config", "routers", "uplinks"),
)
def unreachable_health_check(cluster: Cluster) -> Iterator[Diagnostic]:
    """Warn of a health check that no router of its uplink answers.

    ## What it checks

    A request with the method, path, hostname and headers of `spec.healthCheck`
    matches a route of a router that names the uplink in its annotation. A rule
    that depends on something else, such as the client's address, counts as matching.

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
    routes: defaultdict[str, list[ParsedRoute]] = defaultdict(list)
    checked = [uplink for uplink in cluster.uplinks if uplink.health_check is not None]
    for route in parsed_routes(cluster) if checked else ():
        for name in set(route.router.uplinks):
            routes[name].append(route)
    for uplink in checked:
        reached = routes.get(uplink.uplink_name, [])
        request = None if uplink.health_check is None else _request(uplink.health_check)
        if not reached or request is None or not all(route.rule.valid for route in reached):
            continue  # an uplink without routers and an invalid match are other codes
        if all(route.rule.matches(request) is False for route in reached):
            field = "path" if uplink.health_check and uplink.health_check.mode == "http" else "mode"
            yield unreachable_health_check.at(
                uplink.origin.locate("spec", "healthCheck", field),
                f"the probe of spec.healthCheck of uplink {uplink.owner} matches no router of "
                "the uplink, so it gets 404; route its path, or change the health check",
                _related(reached),
            )


_MOST_RELATED = 3


def _related(routes: list[ParsedRoute]) -> Iterator[Related]:
    places: list[Location] = [route.location for route in routes[:_MOST_RELATED]]
    return (Related(place, "a route of the uplink") for place in places)


def _request(check: HealthCheck) -> Request | None:
    """Build the request of a probe as far as it is known, if it has a path of its own."""
    if check.mode == "grpc":
        return Request(method="POST", path="/grpc.health.v1.Health/Check", query="")
    path, _, query = (check.path or "").partition("#")[0].partition("?")
    if check.mode != "http" or not path.startswith("/") or "/." in path:
        return None  # relative to the address of the child, or to be normalized
    host = None if check.hostname is None else check.hostname.rpartition(":")[0] or check.hostname
    headers = {header.name: header.value for header in check.headers}
    return Request(check.method, host, path, query, headers)
