"""A parent's configuration for Envoy: one cluster for each uplink name.

The children of an uplink are endpoints of one cluster, by weight. One cluster
for each child below ``weighted_clusters`` would keep sending a failed child its
share.

The values of health-check headers *are* written, as in the Traefik output. In
Envoy a ``%`` in a header value starts a command that can read the environment,
so it is escaped.
"""

from __future__ import annotations

from collections.abc import Container, Mapping, Sequence
from ipaddress import ip_address
from math import gcd
from types import MappingProxyType
from typing import Any, Final
from urllib.parse import urlsplit

from attrs import field, frozen

from uplinks.errors import InvalidCertificates
from uplinks.model import (
    ChildService,
    HealthCheck,
    PassiveHealthCheck,
    ServersTransport,
    Services,
    WeightedService,
)

__all__ = ["EnvoyOptions", "to_envoy", "to_envoy_endpoints"]

_SECOND: Final = 1_000_000_000
_TYPES: Final = "type.googleapis.com/envoy"
_EXTENSIONS: Final = f"{_TYPES}.extensions"
_HIGHEST_SUM: Final = 2**32 - 1
_METHODS: Final = frozenset({"GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS", "TRACE", "PATCH"})
_VERSIONS: Final = MappingProxyType({f"VersionTLS1{minor}": f"TLSv1_{minor}" for minor in range(4)})
_PLAIN: Final = "plain"


@frozen
class EnvoyOptions:
    """How Envoy runs with the output.

    ``listen`` is where it takes requests (a port of 0 is chosen by the kernel),
    ``eds_file`` the path at which it finds the output of `to_envoy_endpoints`,
    ``ca_file`` the authorities for children whose ``serversTransport`` names none.
    ``uplink_header`` is the request header that names the uplink.

    >>> EnvoyOptions().listen
    ('127.0.0.1', 10000)
    """

    listen: tuple[str, int] = ("127.0.0.1", 10000)
    eds_file: str = "./eds.json"
    ca_file: str = "/etc/ssl/certs/ca-certificates.crt"
    uplink_header: str = "X-Uplink"
    admin: tuple[str, int] = field(default=("127.0.0.1", 9901))


_DEFAULT_OPTIONS = EnvoyOptions()


def to_envoy(services: Services, options: EnvoyOptions = _DEFAULT_OPTIONS) -> dict[str, Any]:
    """Render a bootstrap configuration with a cluster for each uplink name.

    A request reaches the uplink that its uplink header names; where there is only
    one uplink, every request reaches it. The endpoints of a cluster are read from
    the EDS file, and followed, if all children are at IP addresses; Envoy resolves
    names only in the clusters themselves, so otherwise they are written there.

    Envoy has one health check for a cluster: that of the first child that has one.
    A port and a ``hostname`` are each child's own, and a child without a check is
    not probed. Redirects are not followed.

    Law: a pure function. Complexity: O(services). Raises: InvalidCertificates for a
    transport with several files of authorities, of which Envoy takes one.

    >>> from uplinks.model import WeightedChild
    >>> eu = ChildService("api-eu@multicluster", "api", "eu", "http://192.0.2.1:9080")
    >>> shared = WeightedService("api@multicluster", "api", [WeightedChild(eu.name, 9)])
    >>> written = to_envoy(Services({eu.name: eu, shared.name: shared}))
    >>> [cluster["name"] for cluster in written["static_resources"]["clusters"]]
    ['api']

    Source: Envoy 1.40, ``envoy.config.bootstrap.v3.Bootstrap``.
    """
    uplinks = [(service, _children(service, services)) for service in services.weighted]
    return {
        "node": {"id": "uplinks", "cluster": "uplinks"},
        "admin": {"address": _socket_address(*options.admin)},
        "static_resources": {
            "listeners": [_listener([service for service, _ in uplinks], options)],
            "clusters": [_cluster(service, children, options) for service, children in uplinks],
        },
    }


def to_envoy_endpoints(services: Services, *, down: Container[str] = ()) -> dict[str, Any]:
    """Render the EDS file that the clusters of `to_envoy` read.

    ``down`` are names of child services that get no requests: their endpoints
    stay, marked as unhealthy.

    Envoy follows a change if the file is replaced as a whole (a rename, as
    ``uplinks materialize --output`` does).

    Law: a pure function. Complexity: O(services). Raises nothing.

    >>> to_envoy_endpoints(Services())
    {'resources': []}

    Source: Envoy 1.40, ``envoy.service.discovery.v3.DiscoveryResponse``.
    """
    resources = [
        {
            "@type": f"{_TYPES}.config.endpoint.v3.ClusterLoadAssignment",
            **_load_assignment(service, children, down),
        }
        for service in services.weighted
        if _are_numbers(children := _children(service, services))
    ]
    return {"resources": resources}


_Children = Sequence[tuple[ChildService, int]]


def _children(service: WeightedService, services: Services) -> _Children:
    """Give the children that may be picked, with weights that Envoy can add up."""
    chosen = [
        (child, entry.weight)
        for entry in service.children
        if entry.weight > 0 and isinstance(child := services[entry.name], ChildService)
    ]
    divisor = gcd(*(weight for _, weight in chosen)) or 1
    total = sum(weight for _, weight in chosen) // divisor
    divisor *= -(-total // _HIGHEST_SUM) or 1
    return [(child, max(1, weight // divisor)) for child, weight in chosen]


# --- requests -----------------------------------------------------------------


def _listener(services: Sequence[WeightedService], options: EnvoyOptions) -> dict[str, Any]:
    alone = len(services) == 1
    routes = [
        {
            "match": {"prefix": "/"} | ({} if alone else _named(service, options)),
            "route": {"cluster": service.uplink_name, "timeout": "0s"},
            "request_headers_to_add": [_header(options.uplink_header, service.uplink_name)],
        }
        for service in services
    ]
    manager = {
        "@type": f"{_EXTENSIONS}.filters.network.http_connection_manager.v3.HttpConnectionManager",
        "stat_prefix": "uplinks",
        "http_filters": [
            {
                "name": "envoy.filters.http.router",
                "typed_config": {"@type": f"{_EXTENSIONS}.filters.http.router.v3.Router"},
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
        "address": _socket_address(*options.listen),
        "filter_chains": [{"filters": [{"name": connection_manager, "typed_config": manager}]}],
    }


def _named(service: WeightedService, options: EnvoyOptions) -> dict[str, Any]:
    matcher = {"name": options.uplink_header, "string_match": {"exact": service.uplink_name}}
    return {"headers": [matcher]}


def _header(name: str, value: str) -> dict[str, Any]:
    """Set a header, and escape what Envoy would take for a command."""
    return {
        "header": {"key": name, "value": value.replace("%", "%%")},
        "append_action": "OVERWRITE_IF_EXISTS_OR_ADD",
    }


def _socket_address(host: str, port: int) -> dict[str, Any]:
    return {"socket_address": {"address": host, "port_value": port}}


# --- clusters -----------------------------------------------------------------


def _cluster(
    service: WeightedService, children: _Children, options: EnvoyOptions
) -> dict[str, Any]:
    cluster: dict[str, Any] = {
        "name": service.uplink_name,
        "lb_policy": "ROUND_ROBIN",
        # With no child up every request fails at once, rather than at one that is down.
        "common_lb_config": {"healthy_panic_threshold": {"value": 0}},
        "connect_timeout": _duration(max(map(_dial_timeout, children), default=0) or _SECOND),
    }
    if _are_numbers(children):
        source = {"path_config_source": {"path": options.eds_file}, "resource_api_version": "V3"}
        cluster["type"] = "EDS"
        cluster["eds_cluster_config"] = {"eds_config": source}
    else:
        cluster["type"] = "STRICT_DNS"
        cluster["load_assignment"] = _load_assignment(service, children)
    check = next((c.health_check for c, _ in children if c.health_check is not None), None)
    if check is not None:
        cluster["health_checks"] = [_health_check(check, service, children, options)]
        if check.mode == "grpc":
            protocols = {
                "@type": f"{_EXTENSIONS}.upstreams.http.v3.HttpProtocolOptions",
                "explicit_http_config": {"http2_protocol_options": {}},
            }
            name = f"{_EXTENSIONS.rpartition('/')[2]}.upstreams.http.v3.HttpProtocolOptions"
            cluster["typed_extension_protocol_options"] = {name: protocols}
    passive = next((c.passive_health_check for c, _ in children if c.passive_health_check), None)
    if passive is not None:
        cluster["outlier_detection"] = _outlier_detection(passive)
    sockets = _transport_sockets(children, options)
    if sockets:
        cluster["transport_socket_matches"] = sockets
    return cluster


def _are_numbers(children: _Children) -> bool:
    """Whether all children are at IP addresses: EDS takes no names."""
    return all(_is_number(_host(child)) for child, _ in children)


def _is_number(host: str) -> bool:
    try:
        ip_address(host)
    except ValueError:
        return False
    return True


def _host(child: ChildService) -> str:
    return urlsplit(child.url).hostname or ""


def _is_tls(child: ChildService) -> bool:
    return urlsplit(child.url).scheme == "https"


def _port(child: ChildService) -> int:
    return urlsplit(child.url).port or (443 if _is_tls(child) else 80)


def _dial_timeout(entry: tuple[ChildService, int]) -> int:
    transport = entry[0].servers_transport or ServersTransport()
    return transport.forwarding_timeouts.dial_timeout


def _load_assignment(
    service: WeightedService, children: _Children, down: Container[str] = ()
) -> dict[str, Any]:
    endpoints = [
        _endpoint(child, weight) | ({"health_status": "UNHEALTHY"} if child.name in down else {})
        for child, weight in children
    ]
    return {
        "cluster_name": service.uplink_name,
        "endpoints": [{"lb_endpoints": endpoints}] if endpoints else [],
    }


def _endpoint(child: ChildService, weight: int) -> dict[str, Any]:
    endpoint: dict[str, Any] = {"address": _socket_address(_host(child), _port(child))}
    check = child.health_check
    probing: dict[str, Any] = {}
    if check is None:
        probing["disable_active_health_check"] = True
    else:
        if check.port:
            probing["port_value"] = check.port
        probing["hostname"] = check.hostname or urlsplit(child.url).netloc
    endpoint["health_check_config"] = probing
    match = {"child": child.child} if _is_tls(child) else {_PLAIN: True}
    return {
        "endpoint": endpoint,
        "load_balancing_weight": weight,
        "metadata": {"filter_metadata": {"envoy.transport_socket_match": match}},
    }


# --- checks -------------------------------------------------------------------


def _health_check(
    check: HealthCheck, service: WeightedService, children: _Children, options: EnvoyOptions
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
    if check.scheme == "http" and any(_is_tls(child) for child, _ in children):
        written["transport_socket_match_criteria"] = {_PLAIN: True}
    if check.mode == "grpc":
        return written | {"grpc_health_check": {}}
    http: dict[str, Any] = {
        "path": check.path or "/",
        "expected_statuses": [{"start": check.status, "end": check.status + 1}],
        "request_headers_to_add": [
            *(_header(header.name, header.value) for header in check.headers),
            _header(options.uplink_header, service.uplink_name),
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
        "interval": _duration(min(check.failure_window, _SECOND)),
    }


def _duration(nanoseconds: int) -> str:
    """Write a duration as protobuf's JSON does.

    >>> _duration(1_500_000_000), _duration(2_000_000_000)
    ('1.500000000s', '2s')
    """
    seconds, rest = divmod(nanoseconds, _SECOND)
    return f"{seconds}.{rest:09}s" if rest else f"{seconds}s"


# --- TLS ----------------------------------------------------------------------


def _transport_sockets(children: _Children, options: EnvoyOptions) -> list[dict[str, Any]]:
    """Give each child its own TLS, and those without it plain connections."""
    if not any(_is_tls(child) for child, _ in children):
        return []
    plain = {
        "name": "envoy.transport_sockets.raw_buffer",
        "typed_config": {
            "@type": f"{_EXTENSIONS}.transport_sockets.raw_buffer.v3.RawBuffer",
        },
    }
    matches = [{"name": _PLAIN, "match": {_PLAIN: True}, "transport_socket": plain}]
    for child, _ in children:
        if _is_tls(child):
            context = {
                "@type": f"{_EXTENSIONS}.transport_sockets.tls.v3.UpstreamTlsContext",
                **_tls(child, options),
            }
            socket = {"name": "envoy.transport_sockets.tls", "typed_config": context}
            match = {"child": child.child}
            matches.append({"name": child.child, "match": match, "transport_socket": socket})
    return matches


def _tls(child: ChildService, options: EnvoyOptions) -> dict[str, Any]:
    transport = child.servers_transport or ServersTransport()
    name = transport.server_name or _host(child)
    common: dict[str, Any] = {}
    versions = {
        "tls_minimum_protocol_version": _VERSIONS.get(transport.min_version or ""),
        "tls_maximum_protocol_version": _VERSIONS.get(transport.max_version or ""),
    }
    params = {key: version for key, version in versions.items() if version}
    if params:
        common["tls_params"] = params
    if transport.certificates:
        common["tls_certificates"] = [
            {
                "certificate_chain": _data_source(each.cert_file),
                "private_key": _data_source(each.key_file),
            }
            for each in transport.certificates
        ]
    if transport.verifies:
        common["validation_context"] = _validation(transport, name, options)
    context: dict[str, Any] = {"common_tls_context": common}
    # SNI is for names only.
    return context if _is_number(name) else context | {"sni": name}


def _validation(transport: ServersTransport, name: str, options: EnvoyOptions) -> dict[str, Any]:
    """Verify the child for one name; without authorities Envoy would accept every certificate."""
    names = [("IP_ADDRESS" if _is_number(name) else "DNS", {"exact": name})]
    if transport.peer_cert_uri:
        names = [("URI", {"exact": transport.peer_cert_uri})]
    elif transport.spiffe is not None:
        ids = [{"exact": each} for each in transport.spiffe.ids]
        names = [
            ("URI", m) for m in ids or [{"prefix": f"spiffe://{transport.spiffe.trust_domain}/"}]
        ]
    return {
        "trusted_ca": _authorities(transport.root_cas, options.ca_file),
        "match_typed_subject_alt_names": [
            {"san_type": kind, "matcher": matcher} for kind, matcher in names
        ],
    }


def _authorities(sources: Sequence[str], default: str) -> Mapping[str, str]:
    if sources and all(map(_is_text, sources)):
        return {"inline_string": "\n".join(sources)}
    if len(sources) > 1:
        reason = "Envoy takes one file of authorities; put all of rootCAs into one"
        raise InvalidCertificates(next(s for s in sources if not _is_text(s)), reason)
    return _data_source(next(iter(sources), default))


def _data_source(source: str) -> dict[str, str]:
    return {"inline_string" if _is_text(source) else "filename": source}


def _is_text(source: str) -> bool:
    return source.startswith("-----BEGIN")
