"""Materialized services as Traefik's dynamic configuration.

Traefik passes status from a child service to a weighted one only if every
child has an active check. Passive checks act only among the servers of one
load balancer. So an uplink whose children all have the same passive check, and
no active one, becomes one load balancer over all of them.
"""

from __future__ import annotations

from collections.abc import Container, Mapping, Sequence
from typing import Any
from urllib.parse import urlsplit, urlunsplit

from uplinks import naming
from uplinks.durations import format_duration
from uplinks.model import (
    ChildService,
    HealthCheck,
    PassiveHealthCheck,
    Services,
    WeightedService,
    share_passive_check,
)
from uplinks.render._options import TraefikOptions
from uplinks.render._transports import servers_transport

__all__ = ["Written", "server_url", "weighted", "write_services"]


class Written:
    """The configuration that is being built, and which services report their status.

    ``down`` are the names of child services that get no requests.
    """

    def __init__(self, options: TraefikOptions, down: Container[str] = ()) -> None:
        self.options = options
        self.down = down
        self.routers: dict[str, Any] = {}
        self.services: dict[str, Any] = {}
        self.middlewares: dict[str, Any] = {}
        self.transports: dict[str, Any] = {}
        self._reporting: set[str] = set()
        self._out: set[str] = set()

    def add(
        self, name: str, service: Mapping[str, Any], *, reports: bool, out: bool = False
    ) -> None:
        """Add a service.

        ``reports``: Traefik can pass its status on. ``out``: nothing in it may be picked.
        """
        self.services[name] = dict(service)
        if reports:
            self._reporting.add(self.options.qualify(name))
        if out:
            self._out.add(self.options.qualify(name))

    def reports(self, name: str) -> bool:
        """Whether Traefik can pass on the status of a service with this qualified name."""
        return name in self._reporting

    def is_out(self, name: str) -> bool:
        """Whether nothing in the service with this qualified name may be picked."""
        return name in self._out

    def document(self) -> dict[str, Any]:
        """Give the whole configuration, without the sections that are empty."""
        sections = {
            "routers": self.routers,
            "services": self.services,
            "middlewares": self.middlewares,
            "serversTransports": self.transports,
        }
        return {"http": {name: section for name, section in sections.items() if section}}


def write_services(
    services: Services, written: Written, only: Container[str] | None = None
) -> None:
    """Add every materialized service, or ``only`` some, with its middleware and its transport."""
    for service in services.values():
        if only is not None and service.name not in only:
            continue
        if isinstance(service, WeightedService):
            _write_weighted(service, services, written)
        else:
            _write_child(service, written)


def _write_child(service: ChildService, written: Written) -> None:
    name, _ = naming.split_service_reference(service.name)
    _uplink_header(service, written)
    _transport(service, written)
    out = service.name in written.down
    body = _load_balancer([] if out else [(service, None)], written)
    written.add(name, body, reports=_passable(service) and not out, out=out)


def _write_weighted(service: WeightedService, services: Services, written: Written) -> None:
    name, _ = naming.split_service_reference(service.name)
    children = [
        (child, entry.weight)
        for entry in service.children
        # Traefik hangs when a child of weight 0 comes up below a weighted health check.
        if entry.weight > 0
        and entry.name not in written.down
        and isinstance(child := services[entry.name], ChildService)
    ]
    if not children or _is_flat([child for child, _ in children]):
        # Without servers it answers 503, as nothing may be picked.
        body = _load_balancer(children, written)
        written.add(name, body, reports=False, out=not children)
        return
    entries = [
        {
            "name": written.options.qualify(naming.split_service_reference(child.name)[0]),
            "weight": weight,
        }
        for child, weight in children
    ]
    reports = all(_passable(child) for child, _ in children)
    body = {"weighted": {"services": entries} | ({"healthCheck": {}} if reports else {})}
    written.add(name, body, reports=reports)


def weighted(references: Sequence[tuple[str, int]], written: Written) -> dict[str, Any]:
    """Write a weighted service over qualified names.

    Those of weight 0, and those of which nothing may be picked, are left out.
    """
    chosen = [(n, weight) for n, weight in references if weight > 0 and not written.is_out(n)]
    if not chosen:
        return {"loadBalancer": {"servers": []}}
    body: dict[str, Any] = {
        "services": [{"name": name, "weight": weight} for name, weight in chosen]
    }
    if all(written.reports(name) for name, _ in chosen):
        body["healthCheck"] = {}
    return {"weighted": body}


def _is_flat(children: Sequence[ChildService]) -> bool:
    return share_passive_check(
        (child.health_check, child.passive_health_check, child.servers_transport)
        for child in children
    )


def _load_balancer(
    children: Sequence[tuple[ChildService, int | None]], written: Written
) -> dict[str, Any]:
    """Write one load balancer over children that agree on everything but address and weight."""
    balancer: dict[str, Any] = {
        "servers": [
            {"url": server_url(child.url)} | ({} if weight is None else {"weight": weight})
            for child, weight in children
        ]
    }
    if not children:
        return {"loadBalancer": balancer}
    child = children[0][0]
    header = _uplink_header(child, written)
    if child.health_check is not None and _passable(child):
        balancer["healthCheck"] = _health_check(child.health_check, child, written.options)
    if child.passive_health_check is not None:
        balancer["passiveHealthCheck"] = _passive_health_check(child.passive_health_check)
    transport = _transport(child, written)
    if transport is not None:
        balancer["serversTransport"] = transport
    return {"loadBalancer": balancer, "middlewares": [written.options.qualify(header)]}


def _transport(child: ChildService, written: Written) -> str | None:
    """Add how connections to a child are made; give its name, or ``None`` for the default."""
    transport = child.servers_transport and servers_transport(child.servers_transport)
    if not transport:
        return None
    written.transports[child.child] = transport
    return written.options.qualify(child.child)


def _uplink_header(child: ChildService, written: Written) -> str:
    """Add the middleware that tells the child which uplink a request is for; give its name."""
    name = child.uplink_name
    headers = {written.options.uplink_header: name}
    written.middlewares[name] = {"headers": {"customRequestHeaders": headers}}
    return name


def _passable(child: ChildService) -> bool:
    """Whether a child has an active check that Traefik can pass; with another it is always down."""
    check = child.health_check
    return check is not None and check.passes_in_traefik(child.url)


def server_url(address: str) -> str:
    """Write an address as Traefik compares it: scheme and host in lower case.

    >>> server_url("HTTPS://EU.example.com:9443/")
    'https://eu.example.com:9443/'
    """
    scheme, netloc, path, query, fragment = urlsplit(address)
    return urlunsplit((scheme.lower(), netloc.lower(), path, query, fragment))


def _health_check(
    check: HealthCheck, child: ChildService, options: TraefikOptions
) -> dict[str, Any]:
    """Write an active check, its defaults too: Traefik's status, if unset, is any of 200 to 399."""
    fields: dict[str, Any] = {
        "mode": check.mode,
        "method": check.method,
        "status": check.status,
        "interval": format_duration(check.interval),
        "unhealthyInterval": format_duration(check.unhealthy_interval),
        "timeout": format_duration(check.timeout),
        "followRedirects": check.follow_redirects,
    }
    # Absent means "from the server's URL", so these have no default to write.
    optional = {
        "path": check.path,
        "scheme": check.scheme,
        "port": check.port,
        "hostname": check.hostname,
    }
    fields.update({name: value for name, value in optional.items() if value is not None})
    if check.mode == "grpc":
        # Without a port Traefik would dial port 0.
        fields.setdefault("port", urlsplit(child.url).port or 80)
    # The child's routers match the header, and a probe passes through no middleware.
    headers = {
        header.name: header.value
        for header in check.headers
        if header.name.lower() != options.uplink_header.lower()
    }
    fields["headers"] = headers | {options.uplink_header: child.uplink_name}
    return fields


def _passive_health_check(check: PassiveHealthCheck) -> dict[str, Any]:
    return {
        "failureWindow": format_duration(check.failure_window),
        "maxFailedAttempts": check.max_failed_attempts,
    }
