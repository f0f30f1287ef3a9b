"""Values of every class of the model."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cache
from typing import Any

from hypothesis import strategies as st

from uplinks.model import (
    Advertisement,
    Child,
    ChildConfig,
    ChildService,
    ClientCertificate,
    Cluster,
    Failover,
    Fleet,
    ForwardingTimeouts,
    Header,
    HealthCheck,
    IngressRoute,
    OtherObject,
    ParentConfig,
    PassiveHealthCheck,
    Resource,
    Route,
    ServersTransport,
    ServiceReference,
    Services,
    Spiffe,
    StaticConfig,
    TraefikService,
    Uplink,
    UplinkEntryPoint,
    Weighted,
    WeightedChild,
    WeightedService,
)
from uplinks.testing.strategies._configs import (
    child_configs,
    entry_points,
    parent_configs,
    static_configs,
    transports,
)
from uplinks.testing.strategies._fleets import fleets, services
from uplinks.testing.strategies._objects import (
    addresses,
    durations,
    entry_point_names,
    headers,
    health_checks,
    ingress_routes,
    labels,
    other_objects,
    passive_checks,
    routes,
    service_references,
    traefik_services,
    uplinks,
    weights,
)


@cache
def resources() -> st.SearchStrategy[Resource]:
    """Everything that one document can hold."""
    return uplinks() | ingress_routes() | traefik_services() | static_configs() | other_objects()


@cache
@st.composite
def advertisements(draw: st.DrawFn) -> Advertisement:
    """Uplinks as one child offers them."""
    uplink = draw(uplinks())
    return Advertisement(
        uplink.uplink_name,
        uplink.owner,
        draw(st.lists(entry_point_names, min_size=1, max_size=2, unique=True)),
        uplink.weight,
        uplink.health_check,
        uplink.passive_health_check,
        exposed=uplink.expose_name is not None,
    )


_VALUES: Mapping[type, Callable[[], st.SearchStrategy[Any]]] = {
    Advertisement: advertisements,
    Child: lambda: st.builds(Child, addresses, st.none() | transports()),
    ChildConfig: child_configs,
    ChildService: lambda: st.builds(
        ChildService,
        labels.map("{}-eu@multicluster".format),
        labels,
        st.just("eu"),
        addresses,
        st.none() | health_checks(),
        st.none() | passive_checks(),
        st.none() | transports(),
    ),
    ClientCertificate: lambda: st.builds(ClientCertificate, labels, labels),
    Cluster: lambda: fleets().flatmap(lambda fleet: st.sampled_from(fleet.clusters)),
    Failover: lambda: st.builds(Failover, service_references(), service_references()),
    Fleet: fleets,
    ForwardingTimeouts: lambda: st.builds(ForwardingTimeouts, durations, durations),
    Header: lambda: headers.filter(bool).map(lambda drawn: drawn[0]),
    HealthCheck: health_checks,
    IngressRoute: ingress_routes,
    OtherObject: other_objects,
    ParentConfig: parent_configs,
    PassiveHealthCheck: passive_checks,
    Route: routes,
    ServersTransport: transports,
    ServiceReference: service_references,
    Services: services,
    Spiffe: lambda: st.builds(Spiffe, st.lists(labels, max_size=2), labels),
    StaticConfig: static_configs,
    TraefikService: traefik_services,
    Uplink: uplinks,
    UplinkEntryPoint: entry_points,
    Weighted: lambda: st.builds(Weighted, st.lists(service_references(), min_size=1, max_size=3)),
    WeightedChild: lambda: st.builds(
        WeightedChild, labels.map("{}-eu@multicluster".format), weights
    ),
    WeightedService: lambda: st.builds(
        lambda name, weight: WeightedService(
            f"{name}@multicluster", name, [WeightedChild(f"{name}-eu@multicluster", weight)]
        ),
        labels,
        weights,
    ),
}


def values(kind: type) -> st.SearchStrategy[Any]:
    """Valid values of any class of the model. Raises KeyError for others.

    >>> from hypothesis import find
    >>> find(values(Header), lambda header: header.value == "a").name[:2]
    'X-'
    """
    return _VALUES[kind]()
