"""Rules about the match of a route (UPL316, UPL317).

Source: Traefik, "Routers: Rules and Priority"; the answers of Traefik v3.7.9.
"""

from __future__ import annotations

from collections.abc import Iterator

from uplinks.diagnostics import Diagnostic, Severity
from uplinks.model import Cluster
from uplinks.rules._routes import parsed_routes
from uplinks.rules._rule import rule

__all__ = ["invalid_match", "match_without_effect"]


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
