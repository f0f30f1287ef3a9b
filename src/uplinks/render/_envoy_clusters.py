"""Envoy's clusters: endpoints, health checks, outlier detection."""

from __future__ import annotations

import hashlib
from collections.abc import Container, Iterable
from typing import Any, Final
from urllib.parse import urlsplit

from uplinks.model import ChildService, HealthCheck, PassiveHealthCheck, ServersTransport
from uplinks.render._envoy_groups import Aggregate, Group, address_of
from uplinks.render._envoy_options import EnvoyOptions
from uplinks.render._envoy_tls import (
    EXTENSIONS,
    PLAIN,
    host_of,
    is_number,
    is_tls,
    transport_sockets,
)

__all__ = [
    "aggregate",
    "cluster",
    "endpoints_file",
    "is_followed",
    "load_assignment",
    "socket_address",
]

_SECOND: Final = 1_000_000_000
_MILLISECOND: Final = 1_000_000
_METHODS: Final = frozenset({"GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS", "TRACE", "PATCH"})
_UPLINK: Final = "%UPSTREAM_METADATA(uplinks:uplink)%"
_LONGEST_NAME: Final = 200  # file systems allow 255 bytes
_DIGITS: Final = 16
_KEEP_SHARE: Final = 100_000
"""Percent of the healthy endpoints that Envoy counts with: one in a thousand keeps a full share."""


def aggregate(group: Aggregate, options: EnvoyOptions) -> dict[str, Any]:
    """Write a failover: each cluster takes over while all endpoints of those before it are down."""
    return {
        "name": group.name,
        "lb_policy": "CLUSTER_PROVIDED",
        "cluster_type": {
            "name": "envoy.clusters.aggregate",
            "typed_config": {
                "@type": f"{EXTENSIONS}.clusters.aggregate.v3.ClusterConfig",
                "clusters": list(group.groups),
            },
        },
        # Envoy runs these filters of the cluster that the route names, not of the one chosen.
        "typed_extension_protocol_options": _protocol(None, options),
    }


def cluster(group: Group, options: EnvoyOptions) -> dict[str, Any]:
    """Write a cluster with its endpoints, or with its EDS file as their source."""
    children = group.children
    balancing: dict[str, Any] = {
        # With no child up every request fails at once, rather than at one that is down.
        "healthy_panic_threshold": {"value": 0},
        # Otherwise a change may wait for a second to be applied with others.
        "update_merge_window": "0s",
    }
    if len(group.localities) > 1:
        balancing["locality_weighted_lb_config"] = {}
    written: dict[str, Any] = {
        "name": group.name,
        "lb_policy": "ROUND_ROBIN",
        "common_lb_config": balancing,
        "connect_timeout": _duration(max(map(_dial_timeout, children), default=0) or _SECOND),
    }
    if is_followed(group):
        path = f"{options.eds_folder}/{endpoints_file(group)}"
        source = {"path_config_source": {"path": path}, "resource_api_version": "V3"}
        written["type"] = "EDS"
        written["eds_cluster_config"] = {"eds_config": source}
    else:
        written["type"] = "STRICT_DNS"
        written["load_assignment"] = load_assignment(group)
    # Otherwise an endpoint that is removed gets requests for as long as it passes its check.
    written["ignore_health_on_host_removal"] = True
    check = next((c.health_check for c in children if c.health_check is not None), None)
    written["typed_extension_protocol_options"] = _protocol(check, options)
    if check is not None:
        written["health_checks"] = [_health_check(check, children, options)]
    passive = next((c.passive_health_check for c in children if c.passive_health_check), None)
    if passive is not None:
        written["outlier_detection"] = _outlier_detection(passive)
    sockets = transport_sockets(children, options.ca_file)
    if sockets:
        written["transport_socket_matches"] = sockets
    return written


def _dial_timeout(child: ChildService) -> int:
    return (child.servers_transport or ServersTransport()).forwarding_timeouts.dial_timeout


def _protocol(check: HealthCheck | None, options: EnvoyOptions) -> dict[str, Any]:
    """Speak the children's protocol, and name each request's uplink.

    The header is added after an endpoint is chosen, since a failover has several uplinks.
    """
    is_grpc = check is not None and check.mode == "grpc"
    mutation = {
        "@type": f"{EXTENSIONS}.filters.http.header_mutation.v3.HeaderMutation",
        "mutations": {
            "request_mutations": [
                {"append": _header_option(options.uplink_header, _UPLINK)},
            ]
        },
    }
    codec = {"@type": f"{EXTENSIONS}.filters.http.upstream_codec.v3.UpstreamCodec"}
    name = "upstreams.http.v3.HttpProtocolOptions"
    protocols = {
        "@type": f"{EXTENSIONS}.{name}",
        "explicit_http_config": {
            "http2_protocol_options" if is_grpc else "http_protocol_options": {}
        },
        "http_filters": [
            {"name": "envoy.filters.http.header_mutation", "typed_config": mutation},
            {"name": "envoy.filters.http.upstream_codec", "typed_config": codec},
        ],
    }
    return {f"envoy.extensions.{name}": protocols}


def _header_option(name: str, value: str) -> dict[str, Any]:
    """Set a header, whose value may have commands."""
    return {
        "header": {"key": name, "value": value},
        "append_action": "OVERWRITE_IF_EXISTS_OR_ADD",
    }


def socket_address(host: str, port: int) -> dict[str, Any]:
    """Write an address."""
    return {"socket_address": {"address": host, "port_value": port}}


# --- endpoints ----------------------------------------------------------------


def is_followed(group: Group) -> bool:
    """Whether Envoy reads the endpoints from an EDS file: it takes no names there."""
    return all(is_number(host_of(child)) for child in group.children)


def endpoints_file(group: Group) -> str:
    """Name the EDS file of a cluster: Envoy takes one cluster from a file."""
    name = group.name
    if len(name) > _LONGEST_NAME:
        name = f"{name[:_LONGEST_NAME]}-{hashlib.sha256(name.encode()).hexdigest()[:_DIGITS]}"
    return f"{name}.json"


def load_assignment(group: Group, down: Container[str] = ()) -> dict[str, Any]:
    """Write the endpoints of a cluster, by locality; those in ``down`` as unhealthy."""
    unhealthy = {"health_status": "UNHEALTHY"}
    localities = [
        {
            "locality": {"zone": locality.uplink},
            "load_balancing_weight": locality.weight,
            "lb_endpoints": [
                _endpoint(child, weight, locality.uplink)
                | (unhealthy if child.name in down else {})
                for child, weight in locality.children
            ],
        }
        for locality in group.localities
        if locality.children
    ]
    return {
        "cluster_name": group.name,
        "endpoints": localities,
        "policy": {"overprovisioning_factor": _KEEP_SHARE},
    }


def _endpoint(child: ChildService, weight: int, uplink: str) -> dict[str, Any]:
    endpoint: dict[str, Any] = {"address": socket_address(*address_of(child))}
    check = child.health_check
    probing: dict[str, Any] = {}
    if check is None:
        probing["disable_active_health_check"] = True
    else:
        if check.port:
            probing["port_value"] = check.port
        probing["hostname"] = check.hostname or urlsplit(child.url).netloc
    endpoint["health_check_config"] = probing
    match = {"child": child.child} if is_tls(child) else {PLAIN: True}
    metadata = {"envoy.transport_socket_match": match, "uplinks": {"uplink": uplink}}
    return {
        "endpoint": endpoint,
        "load_balancing_weight": weight,
        "metadata": {"filter_metadata": metadata},
    }


# --- checks -------------------------------------------------------------------


def _health_check(
    check: HealthCheck, children: Iterable[ChildService], options: EnvoyOptions
) -> dict[str, Any]:
    interval, unhealthy = _duration(check.interval), _duration(check.unhealthy_interval)
    written: dict[str, Any] = {
        "timeout": _duration(check.timeout),
        "interval": interval,
        "unhealthy_interval": unhealthy,
        "unhealthy_edge_interval": unhealthy,
        # Envoy's own is a minute.
        "no_traffic_interval": interval,
        "no_traffic_healthy_interval": interval,
        "healthy_threshold": 1,
        "unhealthy_threshold": 1,
    }
    if check.scheme == "http" and any(map(is_tls, children)):
        written["transport_socket_match_criteria"] = {PLAIN: True}
    if check.mode == "grpc":
        return written | {"grpc_health_check": {}}
    http: dict[str, Any] = {
        "path": check.path or "/",
        "expected_statuses": [{"start": check.status, "end": check.status + 1}],
        "request_headers_to_add": [
            # Without what Envoy would take for a command.
            *(_header_option(each.name, each.value.replace("%", "%%")) for each in check.headers),
            _header_option(options.uplink_header, _UPLINK),
        ],
    }
    if check.method in _METHODS:
        http["method"] = check.method
    return written | {"http_health_check": http}


def _outlier_detection(check: PassiveHealthCheck) -> dict[str, Any]:
    window = _duration(check.failure_window)
    return {
        "consecutive_5xx": check.max_failed_attempts,
        "enforcing_consecutive_5xx": 100,
        "enforcing_consecutive_gateway_failure": 0,
        "enforcing_success_rate": 0,
        "enforcing_failure_percentage": 0,
        "max_ejection_percent": 100,
        # A child is out for the window, every time: Envoy's would grow.
        "base_ejection_time": window,
        "max_ejection_time": window,
        # How often Envoy looks whether a child has been out for long enough.
        "interval": _duration(max(_MILLISECOND, min(check.failure_window // 10, _SECOND))),
    }


def _duration(nanoseconds: int) -> str:
    """Write a duration as protobuf's JSON does.

    >>> _duration(1_500_000_000), _duration(2_000_000_000)
    ('1.500000000s', '2s')
    """
    seconds, rest = divmod(nanoseconds, _SECOND)
    return f"{seconds}.{rest:09}s" if rest else f"{seconds}s"
