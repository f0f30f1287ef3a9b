"""A child's configuration for open-source Traefik, which knows no uplinks.

All uplinks of a child arrive at one address. So each of its routers is written
once for every uplink that it is advertised through, and matches the header in
which the parent names the uplink; and once more for parents that name none.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from uplinks.model import Advertisement, Cluster, HealthCheck, IngressRoute, Route
from uplinks.render._composed import leading_to_uplinks, plain, write_composed
from uplinks.render._options import KUBERNETES, TraefikOptions
from uplinks.render._references import References, route_name
from uplinks.render._services import Written
from uplinks.render._traefik_parent import router_fields, write_route_service
from uplinks.services import advertise

__all__ = ["child_to_traefik", "to_arguments", "uplink_entry_points"]

_DEFAULT_OPTIONS = TraefikOptions()


def child_to_traefik(child: Cluster, options: TraefikOptions = _DEFAULT_OPTIONS) -> dict[str, Any]:
    """Render the routers that a child advertises, on its uplink entry points.

    Services and middlewares stay with the provider that has them. A request that
    names no uplink is routed by the rule alone, unless two routes have one rule;
    then only the path of a health check is.

    Law: as `to_traefik`. Complexity: O(routes · uplinks of each).
    Raises: as `uplinks.advertise`.

    >>> from uplinks.model import ChildConfig, ServiceReference, Uplink, UplinkEntryPoint
    >>> from uplinks.model import UPLINKS_ANNOTATION
    >>> router = IngressRoute("r", "apps", annotations={UPLINKS_ANNOTATION: "apps-api"},
    ...     routes=[Route("PathPrefix(`/api`)", services=[ServiceReference("web", port=80)])])
    >>> child = Cluster("eu", uplinks=[Uplink("api", "apps")], routers=[router],
    ...     child_config=ChildConfig({"uplink": UplinkEntryPoint(":9443", as_default=True)}))
    >>> written = child_to_traefik(child, TraefikOptions(own_provider="file"))
    >>> named, unnamed = written["http"]["routers"].values()
    >>> named["rule"]
    'Header(`X-Uplink`, `apps-api`) && (PathPrefix(`/api`))'
    >>> unnamed["rule"]
    '!HeaderRegexp(`X-Uplink`, `.+`) && (PathPrefix(`/api`))'
    >>> named["service"], named["entryPoints"]
    ('apps-web-80@file', ['uplink'])

    Source: Traefik v3.7, router rules and the Kubernetes CRD provider.
    """
    written = Written(options)
    references = References(
        options, leading_to_uplinks(child.traefik_services, References(options, {}))
    )
    write_composed(references, written)
    offers = {offer.uplink_name: offer for offer in advertise(child)}
    # Below another router it would be open without that one's rule and middlewares: UPL505.
    alone = [r for r in child.routers if r.advertised and not r.rest.get("parentRefs")]
    routes = [(router, route) for router in alone for route in router.routes]
    matches = Counter(route.match for _, route in routes)
    for router, route in routes:
        found = [offers[name] for name in router.uplinks]
        only = matches[route.match] == 1
        for key, fields in _routers(router, route, found, options, only=only):
            fields["service"] = _service(router, route, references, written)
            written.routers[key] = fields
    return written.document()


def _routers(
    router: IngressRoute,
    route: Route,
    offers: Sequence[Advertisement],
    options: TraefikOptions,
    *,
    only: bool,
) -> Iterator[tuple[str, dict[str, Any]]]:
    """Write a route for each uplink, and once more for requests that name none.

    ``only``: no other route has its rule. Otherwise a request that names no uplink
    could be for either, and only the probes of parents get an answer.
    """
    key = route_name(router, route)
    fields = router_fields(router, route, options)
    old_syntax = fields.get("ruleSyntax") == "v2"
    header = "Headers" if old_syntax else "Header"
    unnamed = f"!{header}Regexp(`{options.uplink_header}`, `.+`)"
    for offer in offers:
        points = {"entryPoints": list(offer.entry_points)}
        named = f"{header}(`{options.uplink_header}`, `{offer.uplink_name}`)"
        yield (
            f"{key}_{offer.uplink_name}",
            fields | points | {"rule": f"{named} && ({route.match})"},
        )
        path = _probed_path(offer.health_check)
        if path is not None and not only:
            rule = f"{unnamed} && Path({path}) && ({route.match})"
            yield f"{key}_{offer.uplink_name}_probe", fields | points | {"rule": rule}
    if only:
        points = {"entryPoints": sorted({name for o in offers for name in o.entry_points})}
        yield key, fields | points | {"rule": f"{unnamed} && ({route.match})"}


_GRPC_PATH: Final = "/grpc.health.v1.Health/Check"


def _probed_path(check: HealthCheck | None) -> str | None:
    """Quote the path of a check for a rule, as a Go string."""
    if check is None:
        return None
    if check.mode == "grpc":
        return f"`{_GRPC_PATH}`"
    path, _, _ = (check.path or "/").partition("?")
    path = path if path.startswith("/") else f"/{path}"
    return '"' + re.sub(r'(["\\])', r"\\\1", path) + '"' if "`" in path else f"`{path}`"


def _service(router: IngressRoute, route: Route, references: References, written: Written) -> str:
    """Name the service of a route.

    The Kubernetes provider gives a route to Kubernetes Services, or to several
    services, a service of the route's own name.
    """
    options = references.options
    composes = any(references.leads_to_uplinks(r, router.namespace) for r in route.services)
    alone = len(route.services) == 1 and route.services[0].kind == "TraefikService"
    if options.own_provider != KUBERNETES or composes or alone:
        return write_route_service(router, route, references, written)
    return f"{route_name(router, route)}@{KUBERNETES}"


def uplink_entry_points(child: Cluster) -> dict[str, Any]:
    """Render a child's uplink entry points as ordinary ones of a static configuration.

    ``asDefault`` is left out: it would take the routers without entry points
    away from the others.

    >>> from uplinks.model import ChildConfig, UplinkEntryPoint
    >>> points = {"uplink": UplinkEntryPoint(":9443", rest={"http": {"tls": {}}})}
    >>> uplink_entry_points(Cluster("eu", child_config=ChildConfig(points)))
    {'entryPoints': {'uplink': {'address': ':9443', 'http': {'tls': {}}}}}

    Source: Traefik v3.7, static configuration of ``entryPoints``.
    """
    config = child.child_config
    points = {} if config is None else config.uplink_entry_points
    return {
        "entryPoints": {
            name: {"address": point.address, **plain(point.rest)} for name, point in points.items()
        }
    }


def to_arguments(static: Mapping[str, Any]) -> list[str]:
    """Write a static configuration as Traefik's command-line arguments.

    >>> to_arguments({"entryPoints": {"uplink": {"address": ":9443", "http": {"tls": {}}}}})
    ['--entryPoints.uplink.address=:9443', '--entryPoints.uplink.http.tls=true']

    Source: Traefik v3.7, static configuration by arguments.
    """
    return [f"--{path}={value}" for path, value in _flat("", static)]


def _flat(path: str, node: Any) -> Iterator[tuple[str, str]]:
    if isinstance(node, Mapping) and node:
        for name in sorted(node):
            yield from _flat(f"{path}.{name}" if path else str(name), node[name])
    elif isinstance(node, list) and any(isinstance(item, Mapping) for item in node):
        for index, item in enumerate(node):
            yield from _flat(f"{path}[{index}]", item)
    elif isinstance(node, list):
        yield path, ",".join(map(_argument, node))
    else:
        yield path, "true" if isinstance(node, Mapping) else _argument(node)


def _argument(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)
