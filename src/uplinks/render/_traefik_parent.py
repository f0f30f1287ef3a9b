"""A parent's whole dynamic configuration for open-source Traefik.

The output has everything that leads to an uplink: the materialized services,
the parent's TraefikServices and the routes of its IngressRoutes. What leads to
no uplink stays with the provider that has it.

The values of health-check headers *are* written: this is the configuration
itself, and a probe without its credential would fail. Treat the output like the
manifests that it comes from.
"""

from __future__ import annotations

from collections.abc import Container, Iterable, Mapping
from typing import Any

from uplinks.model import Cluster, IngressRoute, Route, Services, written_references
from uplinks.naming import split_service_reference
from uplinks.render._composed import leading_to_uplinks, plain, write_composed
from uplinks.render._options import KUBERNETES, TraefikOptions
from uplinks.render._references import (
    References,
    route_name,
    route_service_name,
    uplink_references,
)
from uplinks.render._services import Written, weighted, write_services

__all__ = ["router_fields", "services_to_traefik", "to_traefik", "write_route_service"]

_DEFAULT_OPTIONS = TraefikOptions()


def to_traefik(
    services: Services,
    parent: Cluster | None = None,
    options: TraefikOptions = _DEFAULT_OPTIONS,
    *,
    down: Container[str] = (),
) -> dict[str, Any]:
    """Render services, and what a parent makes of them, as Traefik's dynamic configuration.

    Without ``parent`` only the materialized services are rendered. Use `dump`
    to write the result. ``down`` are names of child services that get no
    requests: weighted services go on without them, failovers go to the fallback.
    An uplink that only weight 0 or nothing serves, or that no child advertises,
    becomes a load balancer without servers, which answers 503.

    Law: a pure function; the result shares nothing with its arguments, and with
    `dump` equal arguments give equal bytes. Complexity: O(n log n) for n services
    and references. Raises: SelectorCycle for TraefikServices in a circle.

    >>> from uplinks.model import WeightedChild, WeightedService, ChildService
    >>> eu = ChildService("api-eu@multicluster", "api", "eu", "https://eu:9443")
    >>> shared = WeightedService("api@multicluster", "api", [WeightedChild(eu.name, 9)])
    >>> http = to_traefik(Services({eu.name: eu, shared.name: shared}))["http"]
    >>> http["services"]["api"]
    {'weighted': {'services': [{'name': 'api-eu@file', 'weight': 9}]}}
    >>> http["services"]["api-eu"]
    {'loadBalancer': {'servers': [{'url': 'https://eu:9443'}]}, 'middlewares': ['api@file']}
    >>> http["middlewares"]["api"]
    {'headers': {'customRequestHeaders': {'X-Uplink': 'api'}}}

    Source: Traefik v3.7, dynamic configuration of ``http``.
    """
    written = Written(options, down)
    write_services(services, written)
    if parent is not None:
        for name in sorted(uplink_references(parent) - services.keys()):
            missing, _ = split_service_reference(name)
            written.add(missing, weighted([], written), reports=False, out=True)
        composed = leading_to_uplinks(parent.traefik_services, References(options, {}))
        references = References(options, composed)
        write_composed(references, written)
        layers = _Layers(parent.routers, written)
        for router, route in _routes(parent.routers, references):
            fields = layers.fields(router, route)
            fields["service"] = write_route_service(router, route, references, written)
            written.routers[route_name(router, route)] = fields
    return written.document()


def services_to_traefik(
    services: Services,
    only: Container[str],
    options: TraefikOptions = _DEFAULT_OPTIONS,
    *,
    down: Container[str] = (),
) -> dict[str, Any]:
    """Render some materialized services, by name, exactly as `to_traefik` does.

    ``services`` has them and the children of those that are weighted. Returns the
    sections of ``http``. Law: as `to_traefik`. Complexity: O(what is rendered).

    >>> from uplinks.model import ChildService
    >>> eu = ChildService("api-eu@multicluster", "api", "eu", "https://eu:9443")
    >>> services_to_traefik(Services({eu.name: eu}), [eu.name], down=[eu.name])["services"]
    {'api-eu': {'loadBalancer': {'servers': []}}}
    """
    written = Written(options, down)
    write_services(services, written, only)
    sections: dict[str, Any] = written.document()["http"]
    return sections


class _Layers:
    """Routers, and the routers above them that ``parentRefs`` name (multi-layer routing)."""

    def __init__(self, routers: Iterable[IngressRoute], written: Written) -> None:
        self._routers = {(router.namespace, router.name): router for router in routers}
        self._written = written

    def fields(self, router: IngressRoute, route: Route) -> dict[str, Any]:
        """Write a route without its service; add the routes above if no one else has them."""
        options = self._written.options
        fields = router_fields(router, route, options)
        if router.entry_points is not None:
            fields["entryPoints"] = list(router.entry_points)
        if router.tls is not None:
            fields["tls"] = _tls(router.tls, router.namespace, options)
        above = [name for key in _parents(router) for name in self._names(key)]
        return fields | ({"parentRefs": above} if above else {})

    def _names(self, key: tuple[str, str]) -> list[str]:
        """Name the routes of an IngressRoute, as the provider does that has it."""
        options, router = self._written.options, self._routers.get(key)
        if router is None:
            # Of no router's name: Traefik refuses the route rather than open it to everyone.
            return [options.own(*key)]
        names = [route_name(router, route) for route in router.routes]
        if options.own_provider == KUBERNETES:
            return [f"{name}@{KUBERNETES}" for name in names]
        for name, route in zip(names, router.routes, strict=True):
            if name not in self._written.routers:
                self._written.routers[name] = {}  # also ends a circle
                self._written.routers[name] = self.fields(router, route)
        return [options.qualify(name) for name in names]


def _parents(router: IngressRoute) -> Iterable[tuple[str, str]]:
    return [
        (reference.namespace or router.namespace, reference.name)
        for _, reference, _ in written_references(router.rest.get("parentRefs"))
    ]


def _routes(
    routers: Iterable[IngressRoute], references: References
) -> Iterable[tuple[IngressRoute, Route]]:
    """Give the routes that lead to an uplink. Those advertised to another parent are its own."""
    for router in routers:
        if router.advertised:
            continue
        for route in router.routes:
            if any(references.leads_to_uplinks(r, router.namespace) for r in route.services):
                yield router, route


def router_fields(router: IngressRoute, route: Route, options: TraefikOptions) -> dict[str, Any]:
    """Write what a route says of itself: rule, priority, middlewares, observability."""
    fields: dict[str, Any] = {"rule": route.match}
    middlewares = _references(route.rest.get("middlewares"), router.namespace, options)
    if middlewares:
        fields["middlewares"] = middlewares
    for name, written_as in (
        ("priority", "priority"),
        ("syntax", "ruleSyntax"),
        ("observability", "observability"),
    ):
        if route.rest.get(name):
            fields[written_as] = plain(route.rest[name])
    return fields


def write_route_service(
    router: IngressRoute, route: Route, references: References, written: Written
) -> str:
    """Name the service of a route: its only one, or a weighted one that is added for it."""
    pairs = [(references.rewrite(r, router.namespace), r.weight) for r in route.services]
    if len(pairs) == 1:
        return pairs[0][0]
    name = route_service_name(router, route)
    body = weighted(pairs, written)
    written.add(name, body, reports=False)
    return written.options.qualify(name)


def _references(node: Any, namespace: str, options: TraefikOptions) -> list[str]:
    """Name the objects of the cluster's own, such as middlewares, that a list refers to."""
    names: list[str] = []
    for item in node if isinstance(node, list | tuple) else ():
        name = item.get("name") if isinstance(item, Mapping) else None
        if isinstance(name, str):
            own = item.get("namespace") or namespace
            names.append(name if "@" in name else options.own(str(own), name))
    return names


def _tls(tls: Mapping[str, Any], namespace: str, options: TraefikOptions) -> dict[str, Any]:
    """Write a router's TLS. Its secret is loaded by the provider that has the IngressRoute."""
    written = {
        name: plain(tls[name]) for name in ("certResolver", "domains") if tls.get(name) is not None
    }
    chosen = _references([tls.get("options")], namespace, options)
    return written | ({"options": chosen[0]} if chosen else {})
