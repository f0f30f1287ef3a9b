"""Rules about routes that get in each other's way (UPL318, UPL319).

Routes compete where they share an entry point: routers with the annotation through
an uplink, the others through an entry point, with TLS or without. Traefik tries them
by priority: the one that is set, else the length of the rule.

`uplinks.router_rules.covers` compares two rules. Which pairs are compared is decided
by an index, since a cluster may have thousands of routes: a rule that covers another
has an alternative all of whose conditions follow from the other's. It is filed under
one condition of that alternative, its anchor, and found by what the other implies.

Source: Traefik, "Routers: Rules and Priority".
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Hashable, Iterable, Iterator
from typing import Final

from attrs import define, field

from uplinks.diagnostics import Diagnostic, Related, Severity
from uplinks.model import Cluster, IngressRoute
from uplinks.rules._routes import ParsedRoute, parsed_routes
from uplinks.rules._rule import rule

__all__ = ["duplicate_match", "shadowed_route"]

MAX_CANDIDATES: Final = 16  # routes under one anchor: the first ones by priority
MAX_WORK: Final = 100_000  # pairs of alternatives compared in one cluster; then the search ends

Group = tuple[str, ...]


@rule(
    "UPL318",
    name="duplicate-match",
    severity=Severity.WARNING,
    scope="manifests",
    reads=("child_config", "parent_config", "routers"),
)
def duplicate_match(cluster: Cluster) -> Iterator[Diagnostic]:
    """Warn of two routes with the same match and the same priority.

    ## What it checks

    No two routes that share an entry point or an uplink match the same requests with
    the same priority.

    ## Why

    Within one `IngressRoute`, Traefik keeps only the last of two routes with the same
    `match`. Otherwise the order is undefined, and may change with each reload.

    ## Bad

    ```yaml
    metadata:
      annotations:
        hub.traefik.io/router.uplinks: "apps-api-workload"
    spec:
      routes:
        - match: PathPrefix(`/api`) && Method(`GET`)
          kind: Rule
          services: [{name: one, port: 8080}]
        - match: Method(`GET`) && PathPrefix(`/api`) # UPL318
          kind: Rule
          services: [{name: two, port: 8080}]
    ```

    ## Good

    ```yaml
    metadata:
      annotations:
        hub.traefik.io/router.uplinks: "apps-api-workload"
    spec:
      routes:
        - match: PathPrefix(`/api`) && Method(`GET`)
          kind: Rule
          services: [{name: one, port: 8080}]
        - match: PathPrefix(`/api`) && Method(`POST`)
          kind: Rule
          services: [{name: two, port: 8080}]
    ```

    ## Source

    Traefik, "Routers: Rules and Priority"; the Kubernetes CRD provider, which names a
    router by its match.
    """
    reported: set[tuple[int, int]] = set()
    by_text: dict[Hashable, ParsedRoute] = {}
    for route in parsed_routes(cluster):
        first = by_text.setdefault((id(route.router), route.rule.text), route)
        if first is not route:
            reported.add(_key(route))
            yield _duplicate(route, first, "Traefik keeps only the last of the two")
    for routes in _groups(cluster):
        by_meaning: dict[Hashable, ParsedRoute] = {}
        for route in routes:
            first = by_meaning.setdefault((route.priority, _meaning(route)), route)
            if first is not route and _key(route) not in reported:
                reported.add(_key(route))
                yield _duplicate(route, first, "their order is undefined")


def _duplicate(route: ParsedRoute, first: ParsedRoute, effect: str) -> Diagnostic:
    return duplicate_match.at(
        route.location,
        f"{route.name} matches the same requests as another route, so {effect}; "
        "join the routes, or change one of them",
        [Related(first.location, "the other route")],
    )


@rule(
    "UPL319",
    name="shadowed-route",
    severity=Severity.WARNING,
    scope="manifests",
    reads=("child_config", "parent_config", "routers"),
)
def shadowed_route(cluster: Cluster) -> Iterator[Diagnostic]:
    """Warn of a route that gets no request, because another one takes them all.

    ## What it checks

    For no route does another one on the same entry point or uplink have a higher
    priority and match every request that the route matches. Without `priority`, a
    longer rule has a higher priority.

    ## Why

    The services of such a route get no request.

    ## Bad

    ```yaml
    metadata:
      annotations:
        hub.traefik.io/router.uplinks: "apps-api-workload"
    spec:
      routes:
        - match: PathPrefix(`/`)
          kind: Rule
          priority: 100
          services: [{name: web, port: 8080}]
        - match: PathPrefix(`/api`) # UPL319
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
        - match: PathPrefix(`/`)
          kind: Rule
          services: [{name: web, port: 8080}]
        - match: PathPrefix(`/api`)
          kind: Rule
          services: [{name: api, port: 8080}]
    ```

    ## Source

    Traefik, "Routers: Rules and Priority".
    """
    reported: set[tuple[int, int]] = set()
    work = _Work()
    for routes in _groups(cluster):
        index = _Index(work)
        for route in sorted(routes, key=lambda route: -route.priority):
            above = index.find_above(route)
            if above is not None and _key(route) not in reported:
                reported.add(_key(route))
                yield shadowed_route.at(
                    route.location,
                    f"{route.name} gets no request, because a route with the higher priority "
                    f"{above.priority} matches all of them; set a priority above it",
                    [Related(above.location, "the route with the higher priority")],
                )
            index.add(route)


# --- routes that compete --------------------------------------------------------


def _groups(cluster: Cluster) -> Iterable[list[ParsedRoute]]:
    groups: defaultdict[Group, list[ParsedRoute]] = defaultdict(list)
    for route in parsed_routes(cluster):
        if route.rule.valid:
            for group in _groups_of(route.router):
                groups[group].append(route)
    return [routes for routes in groups.values() if len(routes) > 1]


def _groups_of(router: IngressRoute) -> set[Group]:
    """Name what a router is reached through; a router with a parent has no entry point."""
    if router.advertised:
        return {("uplink", name) for name in router.uplinks}
    if router.rest.get("parentRefs"):
        return set()
    tls = "plain" if router.tls is None else "tls"
    ingress_class = str(router.rest.get("ingressClassName") or "")
    return {
        ("entry point", name, tls, ingress_class) for name in router.entry_points or ("default",)
    }


def _key(route: ParsedRoute) -> tuple[int, int]:
    return id(route.router), route.index


def _replaces(one: ParsedRoute, other: ParsedRoute) -> bool:
    """Whether Traefik keeps only one of two routes, which UPL318 reports."""
    return one.router is other.router and one.rule.text == other.rule.text


def _meaning(route: ParsedRoute) -> Hashable:
    """What a rule matches, if that is known, else its text."""
    found = route.rule.conjunctions
    return route.rule.text if found is None else frozenset(found)


# --- which pairs to compare -------------------------------------------------------


@define
class _Work:
    done: int = 0


@define
class _Index:
    """Routes by the anchor of each alternative, the highest priority first."""

    work: _Work
    by_anchor: defaultdict[Hashable, list[ParsedRoute]] = field(factory=lambda: defaultdict(list))

    def add(self, route: ParsedRoute) -> None:
        """File a route. Complexity: O(alternatives)."""
        from uplinks.router_rules import anchor  # noqa: PLC0415 - as in `_routes`

        for conjunction in route.rule.conjunctions or ():
            filed = self.by_anchor[anchor(conjunction)]
            if len(filed) < MAX_CANDIDATES:
                filed.append(route)

    def find_above(self, route: ParsedRoute) -> ParsedRoute | None:
        """Find a filed route of a higher priority that covers a route."""
        from uplinks.router_rules import covers, implied_anchors  # noqa: PLC0415 - as above

        alternatives = route.rule.conjunctions
        if not alternatives:
            return None
        for key in implied_anchors(alternatives[0]):
            for other in self.by_anchor.get(key, ()):
                found = other.rule.conjunctions
                if found is None or other.priority <= route.priority or _replaces(route, other):
                    continue
                self.work.done += len(found) * len(alternatives)
                if self.work.done > MAX_WORK:
                    return None
                if covers(found, alternatives):
                    return other
        return None
