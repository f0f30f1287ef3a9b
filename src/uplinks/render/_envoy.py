"""A parent's configuration for Envoy: a bootstrap, and the EDS files that it follows.

The values of health-check headers *are* written, as in the Traefik output. In
Envoy a ``%`` in a header value starts a command that can read the environment,
so it is escaped.
"""

from __future__ import annotations

from collections.abc import Container, Mapping
from typing import Any, Final

from uplinks.model import Cluster, Services
from uplinks.render._envoy_clusters import (
    aggregate,
    cluster,
    endpoints_file,
    is_followed,
    load_assignment,
    socket_address,
)
from uplinks.render._envoy_groups import Group, Groups, group_services
from uplinks.render._envoy_options import EnvoyOptions
from uplinks.render._envoy_tls import EXTENSIONS

__all__ = ["envoy_limits", "to_envoy", "to_envoy_endpoints"]

_ENDPOINTS: Final = "type.googleapis.com/envoy.config.endpoint.v3.ClusterLoadAssignment"
_DEFAULT_OPTIONS: Final = EnvoyOptions()


def to_envoy(
    services: Services,
    parent: Cluster | None = None,
    options: EnvoyOptions = _DEFAULT_OPTIONS,
) -> dict[str, Any]:
    """Render a bootstrap configuration with a cluster for each service.

    The children of an uplink are the endpoints of one cluster, by weight. The
    TraefikServices of ``parent`` that are weighted or failovers over uplinks are
    clusters too; health passes through them as it does in `Parent`.

    A request reaches the service that its uplink header names: an uplink name, or
    ``<namespace>-<name>@kubernetescrd`` for a TraefikService. If all services are
    parts of one, other requests reach that one. The children receive the name of
    the uplink in this header.

    The endpoints of a cluster are read from its EDS file, and followed, if all
    children are at IP addresses; Envoy resolves names only in the clusters
    themselves, so otherwise they are written there.

    Envoy has one health check for a cluster: that of the first child that has one.
    A port and a ``hostname`` are each child's own, and a child without a check is
    not probed. Redirects are not followed. See `envoy_limits`.

    Law: a pure function. Complexity: O(n log n) for n services and references.
    Raises: InvalidCertificates for a transport with several files of authorities,
    of which Envoy takes one; SelectorCycle for TraefikServices in a circle.

    >>> from uplinks.model import ChildService, WeightedChild, WeightedService
    >>> eu = ChildService("api-eu@multicluster", "api", "eu", "http://192.0.2.1:9080")
    >>> shared = WeightedService("api@multicluster", "api", [WeightedChild(eu.name, 9)])
    >>> written = to_envoy(Services({eu.name: eu, shared.name: shared}))
    >>> [cluster["name"] for cluster in written["static_resources"]["clusters"]]
    ['api']

    Source: Envoy 1.40, ``envoy.config.bootstrap.v3.Bootstrap``.
    """
    found = _groups(services, parent)
    return {
        "node": {"id": "uplinks", "cluster": "uplinks"},
        "admin": {"address": socket_address(*options.admin)},
        "static_resources": {
            "listeners": [_listener(found, options)],
            "clusters": [
                cluster(group, options) if isinstance(group, Group) else aggregate(group, options)
                for group in found.groups
            ],
        },
    }


def to_envoy_endpoints(
    services: Services, parent: Cluster | None = None, *, down: Container[str] = ()
) -> dict[str, dict[str, Any]]:
    """Render the EDS files that the clusters of `to_envoy` read, by file name.

    ``down`` are names of child services that get no requests: their endpoints
    stay, marked as unhealthy.

    There is a file for each cluster, as Envoy takes one cluster from a file. It
    follows a change if the file is replaced as a whole (a rename, as ``uplinks
    materialize --output`` does).

    Law: a pure function. Complexity and errors: as `to_envoy`.

    >>> from uplinks.model import WeightedService
    >>> list(to_envoy_endpoints(Services({"s": WeightedService("api@multicluster", "api", ())})))
    ['api.json']

    Source: Envoy 1.40, ``envoy.service.discovery.v3.DiscoveryResponse``.
    """
    return {
        endpoints_file(group): {
            "resources": [{"@type": _ENDPOINTS, **load_assignment(group, down)}]
        }
        for group in _groups(services, parent).groups
        if isinstance(group, Group) and is_followed(group)
    }


def envoy_limits(services: Services, parent: Cluster | None = None) -> Mapping[str, str]:
    """Say what Envoy cannot do with services: the reason by the name of each service.

    Law: a pure function. Complexity: as `to_envoy`. Raises: SelectorCycle.

    >>> envoy_limits(Services())
    {}
    """
    found = _groups(services, parent)
    limits = {name: f"left out: {reason}" for name, reason in found.left_out.items()}
    for group in found.groups:
        if isinstance(group, Group):
            active = {child.health_check for child in group.children}
            passive = {child.passive_health_check for child in group.children}
            if len(active) > 1 or len(passive) > 1:
                limits[group.name] = (
                    "its children's checks differ; Envoy uses those of the first child "
                    "that has one for all"
                )
    return limits


def _groups(services: Services, parent: Cluster | None) -> Groups:
    return group_services(services, () if parent is None else parent.traefik_services)


def _listener(found: Groups, options: EnvoyOptions) -> dict[str, Any]:
    routes = [
        _route(group.name, {"headers": [_exactly(options.uplink_header, group.name)]})
        for group in found.groups
    ]
    if len(found.roots) == 1:
        routes.append(_route(found.roots[0], {}))
    manager = {
        "@type": f"{EXTENSIONS}.filters.network.http_connection_manager.v3.HttpConnectionManager",
        "stat_prefix": "uplinks",
        "http_filters": [
            {
                "name": "envoy.filters.http.router",
                "typed_config": {"@type": f"{EXTENSIONS}.filters.http.router.v3.Router"},
            }
        ],
        "route_config": {
            "name": "uplinks",
            "virtual_hosts": [{"name": "uplinks", "domains": ["*"], "routes": routes}],
        },
    }
    connection_manager = "envoy.filters.network.http_connection_manager"
    return {
        "name": "uplinks",
        "address": socket_address(*options.listen),
        "filter_chains": [{"filters": [{"name": connection_manager, "typed_config": manager}]}],
    }


def _route(cluster: str, match: Mapping[str, Any]) -> dict[str, Any]:
    return {"match": {"prefix": "/", **match}, "route": {"cluster": cluster, "timeout": "0s"}}


def _exactly(name: str, value: str) -> dict[str, Any]:
    return {"name": name, "string_match": {"exact": value}}
