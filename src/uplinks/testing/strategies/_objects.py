"""Names, checks, uplinks, routers and composed services."""

from __future__ import annotations

from functools import cache
from typing import Any

import attrs
from hypothesis import strategies as st

from uplinks.model import (
    MAX_WEIGHT,
    UPLINKS_ANNOTATION,
    Failover,
    Header,
    HealthCheck,
    IngressRoute,
    OtherObject,
    PassiveHealthCheck,
    Route,
    ServiceReference,
    TraefikService,
    Uplink,
    Weighted,
)

__all__ = [
    "addresses",
    "advertised_routes",
    "annotation_maps",
    "child_names",
    "durations",
    "entry_point_names",
    "expose_names",
    "grpc_checks",
    "headers",
    "health_checks",
    "http_checks",
    "ingress_routes",
    "labels",
    "matches",
    "other_objects",
    "passive_checks",
    "paths",
    "ports",
    "routes",
    "service_references",
    "traefik_services",
    "uplinks",
    "weights",
]

MILLISECOND = 1_000_000

labels = st.from_regex(r"[a-z]([-a-z0-9]{0,6}[a-z0-9])?", fullmatch=True)
"""Names and namespaces of objects."""

expose_names = st.from_regex(r"[a-z]([-a-z0-9]{0,8}[a-z0-9])?", fullmatch=True)
child_names = st.from_regex(r"[a-z]([-a-z0-9]{0,4}[a-z0-9])?", fullmatch=True)
entry_point_names = st.sampled_from(["multicluster", "uplink", "up-2"])
weights = st.integers(0, 100) | st.integers(0, MAX_WEIGHT)
durations = st.integers(1, 3_600_000).map(lambda count: count * MILLISECOND)
ports = st.integers(1, 65_535)
paths = st.from_regex(r"/([a-z0-9][a-z0-9/]{0,7})?", fullmatch=True)
matches = paths.map(lambda path: f"PathPrefix(`{path}`)")
addresses = st.builds("https://{}.example.com:{}".format, labels, ports)
annotation_maps = st.dictionaries(
    labels.map("example.com/{}".format), st.text("abc :,", max_size=6), max_size=2
)
headers = st.dictionaries(
    st.from_regex(r"X-[A-Z][a-z]{0,5}", fullmatch=True),
    st.text("abcABC019 :;=", min_size=1, max_size=12).map(str.strip),
    max_size=3,
).map(lambda drawn: tuple(Header(name, value) for name, value in drawn.items()))


@cache
def http_checks() -> st.SearchStrategy[HealthCheck]:
    """Active checks over HTTP, every field set or not."""
    return st.builds(
        HealthCheck,
        path=st.none() | paths,
        scheme=st.none() | st.sampled_from(["http", "https"]),
        method=st.sampled_from(["GET", "HEAD"]),
        status=st.integers(200, 399),
        port=st.none() | ports,
        interval=durations,
        unhealthy_interval=st.just(0) | durations,
        timeout=durations,
        hostname=st.none() | labels.map("{}.example.com".format),
        follow_redirects=st.booleans(),
        headers=headers,
    )


@cache
def grpc_checks() -> st.SearchStrategy[HealthCheck]:
    """Active checks over gRPC, which have no path, method, status or headers."""
    return st.builds(
        HealthCheck, mode=st.just("grpc"), port=st.none() | ports, interval=durations,
        timeout=durations,
    )  # fmt: skip


@cache
def health_checks() -> st.SearchStrategy[HealthCheck]:
    """Active checks of both modes."""
    return st.just(HealthCheck()) | http_checks() | grpc_checks()


@cache
def passive_checks() -> st.SearchStrategy[PassiveHealthCheck]:
    """Passive checks."""
    return st.builds(
        PassiveHealthCheck, failure_window=durations, max_failed_attempts=st.integers(1, 100)
    )


@cache
def uplinks() -> st.SearchStrategy[Uplink]:
    """Uplinks on their own: the entry points they name may be declared nowhere."""
    return st.builds(
        Uplink,
        name=labels,
        namespace=labels,
        expose_name=st.none() | expose_names,
        entry_points=st.lists(entry_point_names, max_size=2, unique=True),
        weight=weights,
        health_check=st.none() | health_checks(),
        passive_health_check=st.none() | passive_checks(),
        annotations=annotation_maps,
    )


@cache
def service_references() -> st.SearchStrategy[ServiceReference]:
    """Kubernetes services with a port, and Traefik services of this cluster."""
    kubernetes = st.builds(
        ServiceReference,
        name=labels,
        port=ports | st.sampled_from(["http", "web"]),
        namespace=st.none() | labels,
        weight=st.integers(0, 100),
        rest=st.sampled_from(
            [{}, {"scheme": "https"}, {"sticky": {"cookie": {"name": "c", "secure": True}}}]
        ),
    )
    traefik = st.builds(
        ServiceReference, name=labels, kind=st.just("TraefikService"), weight=st.integers(0, 100)
    )
    return kubernetes | traefik


@cache
def routes() -> st.SearchStrategy[Route]:
    """Routing rules, with and without fields that mean nothing here."""
    return st.builds(
        Route,
        match=matches,
        services=st.lists(service_references(), max_size=2),
        rest=st.sampled_from([{}, {"priority": 7}, {"middlewares": [{"name": "strip"}]}]),
    )


@cache
def ingress_routes() -> st.SearchStrategy[IngressRoute]:
    """Routers without the uplinks annotation."""
    return st.builds(
        IngressRoute,
        name=labels,
        namespace=labels,
        routes=st.lists(routes(), min_size=1, max_size=2),
        entry_points=st.none() | st.just(()) | st.just(("websecure",)),
        tls=st.none() | st.just({}) | st.just({"certResolver": "acme"}),
        annotations=annotation_maps,
        rest=st.sampled_from([{}, {"ingressClassName": "traefik"}]),
    )


def advertised_routes(names: st.SearchStrategy[list[str]]) -> st.SearchStrategy[IngressRoute]:
    """Routers that reference uplinks by a drawn list of names."""
    return st.builds(
        lambda router, drawn: attrs.evolve(
            router, entry_points=None, tls=None, annotations={UPLINKS_ANNOTATION: ",".join(drawn)}
        ),
        ingress_routes(),
        names,
    )


@cache
def traefik_services() -> st.SearchStrategy[TraefikService]:
    """Services composed of others: weighted, failover, or of a type not used here."""
    weighted = st.builds(
        Weighted,
        st.lists(service_references(), min_size=1, max_size=3),
        rest=st.sampled_from([{}, {"sticky": {}}]),
    )
    failover = st.builds(
        Failover,
        service_references(),
        service_references(),
        rest=st.sampled_from([{"errors": {}}, {"errors": {"status": ["500-599"]}}]),
    )
    mirroring = {"mirroring": {"name": "a", "port": 80, "mirrors": [{"name": "b", "percent": 5}]}}
    other = st.just(mirroring)

    def built(**fields: st.SearchStrategy[Any]) -> st.SearchStrategy[TraefikService]:
        return st.builds(
            TraefikService, name=labels, namespace=labels, annotations=annotation_maps, **fields
        ).filter(_is_not_within_itself)

    return built(weighted=weighted) | built(failover=failover) | built(rest=other)


def _is_not_within_itself(service: TraefikService) -> bool:
    weighted = () if service.weighted is None else service.weighted.services
    failover = service.failover and (service.failover.service, service.failover.fallback)
    return service.name not in {part.name for part in (*weighted, *(failover or ()))}


@cache
def other_objects() -> st.SearchStrategy[OtherObject]:
    """Objects that are kept as they are written."""
    kinds = st.sampled_from(
        [
            ("traefik.io/v1alpha1", "Middleware", {"chain": {"middlewares": [{"name": "a"}]}}),
            ("traefik.io/v1alpha1", "ServersTransport", {"serverName": "a.example.com"}),
            ("networking.k8s.io/v1", "Ingress", {"ingressClassName": "traefik"}),
        ]
    )
    return st.builds(
        lambda kind, name, namespace: OtherObject(kind[0], kind[1], name, namespace, spec=kind[2]),
        kinds,
        labels,
        labels,
    )
