"""The routes of a cluster with their parsed rules, for the rules about matches.

A route counts as one of syntax v2 if it says so, or if the static configuration of
its cluster makes v2 the default (`core.defaultRuleSyntax`).
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from attrs import field, frozen

from uplinks.diagnostics import Location, Span
from uplinks.model import Cluster, IngressRoute

if TYPE_CHECKING:
    from uplinks.router_rules import RouterRule, RuleSyntax

__all__ = ["ParsedRoute", "parsed_routes"]


@frozen
class ParsedRoute:
    """One route of a router, its place, and its rule."""

    router: IngressRoute = field(repr=False)
    index: int
    rule: RouterRule

    @property
    def name(self) -> str:
        """How messages name the match."""
        owner = self.router.owner
        return f"spec.routes[{self.index}].match of router {owner}"

    @property
    def location(self) -> Location:
        """The place of the match."""
        return self.router.origin.locate("spec", "routes", self.index, "match")

    def part(self, start: int, end: int) -> Location:
        """The place of a part of the match, or of the whole where they differ in form.

        A scalar on one line that is as long as its value, quotes aside, is
        written without escapes.
        """
        location = self.location
        span, length = location.span, len(self.rule.text)
        quotes = (span.end_column - span.column - length) // 2
        if span.line != span.end_line or span.end_column - span.column not in {length, length + 2}:
            return location
        begin = span.column + quotes + start
        stop = max(span.column + quotes + end, begin + 1)
        return Location(
            location.cluster,
            location.file,
            Span(span.line, begin, span.line, stop),
            location.path,
        )

    @property
    def priority(self) -> int:
        """The priority that is set, or the length of the rule."""
        given = self.router.routes[self.index].rest.get("priority")
        if isinstance(given, int) and not isinstance(given, bool) and given:
            return given
        return self.rule.priority


def parsed_routes(cluster: Cluster) -> Iterator[ParsedRoute]:
    """Yield every route of a cluster, parsed."""
    default = _default_syntax(cluster)
    for router in cluster.routers:
        for index, route in enumerate(router.routes):
            yield ParsedRoute(router, index, route.rule(default))


def _default_syntax(cluster: Cluster) -> RuleSyntax:
    for config in (cluster.child_config, cluster.parent_config):
        if config is not None and config.origin.value_at("core", "defaultRuleSyntax") == "v2":
            return "v2"
    return "v3"
