"""What can be wrong with a fleet, each alone: edits of one that has no error.

Rules of this file:

1. What is planted has names that no drawn fleet has, and touches what was drawn
   only where the defect is one of the whole cluster.
2. An edit makes one finding with its code. It may make milder ones beside it: an
   uplink that nobody references is one. Errors it makes of its code only.
3. What is wrong with a text, and no value of the model can have, is for
   `uplinks.testing._broken_texts`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final, TypeAlias

import attrs
from hypothesis import strategies as st

from uplinks.model import (
    MAX_WEIGHT,
    UPLINKS_ANNOTATION,
    Child,
    ChildConfig,
    Cluster,
    Failover,
    Fleet,
    HealthCheck,
    IngressRoute,
    ParentConfig,
    PassiveHealthCheck,
    Route,
    ServersTransport,
    ServiceReference,
    TraefikService,
    Uplink,
    UplinkEntryPoint,
    Weighted,
)

__all__ = ["PLANTS"]

Plant: TypeAlias = Callable[[st.DrawFn, Fleet], Fleet]

_SECOND: Final = 1_000_000_000
_UPLINK: Final = Uplink("with-a-defect", "namespace-of-its-own")
_NAME: Final = _UPLINK.uplink_name
_OTHER: Final = Uplink("another", _UPLINK.namespace)
_ROUTER: Final = IngressRoute(
    "router",
    _UPLINK.namespace,
    [Route("PathPrefix(`/`)", services=[ServiceReference("web", port=8080)])],
    annotations={UPLINKS_ANNOTATION: _NAME},
)
_ANOTHER: Final = "another-child"
_CHECK: Final = HealthCheck(path="/health")
_CONFIG: Final = ChildConfig({"uplink": UplinkEntryPoint(":9443", as_default=True)}, True)  # noqa: FBT003 - it is exposed


# --- where it is planted ----------------------------------------------------


def _one(draw: st.DrawFn, fleet: Fleet) -> str:
    """Choose a child."""
    return draw(st.sampled_from(sorted(fleet.children)))


def _two(draw: st.DrawFn, fleet: Fleet) -> tuple[Fleet, str, str]:
    """Choose two children; where there is but one, give it a sibling."""
    one = _one(draw, fleet)
    others = sorted(set(fleet.children) - {one})
    if others:
        return fleet, one, draw(st.sampled_from(others))
    address = Child(f"https://{_ANOTHER}.example.com")
    return _with_child(_listing(fleet, {_ANOTHER: address}), _ANOTHER), one, _ANOTHER


def _with_child(fleet: Fleet, name: str) -> Fleet:
    children = {**fleet.children, name: Cluster(name, child_config=_CONFIG)}
    return attrs.evolve(fleet, children=children)


def _listing(fleet: Fleet, children: Mapping[str, Child]) -> Fleet:
    """Let the parent list these children too, or at these addresses."""
    config = fleet.parent.parent_config or ParentConfig()
    listed = attrs.evolve(config, children={**config.children, **children})
    return attrs.evolve(fleet, parent=attrs.evolve(fleet.parent, parent_config=listed))


def _in_child(
    fleet: Fleet, name: str, *, uplinks: Iterable[Uplink] = (), routers: Iterable[IngressRoute] = ()
) -> Fleet:
    """Add to what a child declares."""
    child = fleet.children[name]
    child = attrs.evolve(
        child, uplinks=(*child.uplinks, *uplinks), routers=(*child.routers, *routers)
    )
    return attrs.evolve(fleet, children={**fleet.children, name: child})


def _in_parent(fleet: Fleet, *services: TraefikService) -> Fleet:
    parent = fleet.parent
    composed = (*parent.traefik_services, *services)
    return attrs.evolve(fleet, parent=attrs.evolve(parent, traefik_services=composed))


def _routed_to(fleet: Fleet, *references: ServiceReference) -> Fleet:
    """Add a router to the parent."""
    route = Route("Path(`/with-a-defect`)", services=references)
    router = IngressRoute("to-a-defect", _UPLINK.namespace, [route], ("websecure",), {})
    parent = attrs.evolve(fleet.parent, routers=(*fleet.parent.routers, router))
    return attrs.evolve(fleet, parent=parent)


def _served(name: str) -> ServiceReference:
    return ServiceReference(f"{name}@multicluster", "TraefikService")


# --- kinds of defects -------------------------------------------------------


def _uplink(**fields: st.SearchStrategy[Any]) -> Plant:
    """Spoil fields of an uplink."""

    def plant(draw: st.DrawFn, fleet: Fleet) -> Fleet:
        spoilt = attrs.evolve(_UPLINK, **{name: draw(values) for name, values in fields.items()})
        return _in_child(fleet, _one(draw, fleet), uplinks=[spoilt])

    return plant


def _check(**fields: object) -> Plant:
    """Spoil an uplink's active check. A tuple is of values to choose from."""
    drawn = {
        name: st.sampled_from(value) if isinstance(value, tuple) else st.just(value)
        for name, value in fields.items()
    }
    return _uplink(health_check=st.builds(attrs.evolve, st.just(_CHECK), **drawn))


def _router(**fields: Any) -> Plant:
    """Spoil a child's router that references an uplink."""

    def plant(draw: st.DrawFn, fleet: Fleet) -> Fleet:
        spoilt = attrs.evolve(_ROUTER, **fields)
        return _in_child(fleet, _one(draw, fleet), uplinks=[_UPLINK], routers=[spoilt])

    return plant


def _annotated_router(value: str) -> IngressRoute:
    return attrs.evolve(_ROUTER, annotations={UPLINKS_ANNOTATION: value})


def _annotated(value: str, *, expose_name: str | None = None) -> Plant:
    """Spoil what a child's router says of its uplinks."""

    def plant(draw: st.DrawFn, fleet: Fleet) -> Fleet:
        uplink = attrs.evolve(_UPLINK, expose_name=expose_name)
        routers = [_annotated_router(value)]
        return _in_child(fleet, _one(draw, fleet), uplinks=[uplink], routers=routers)

    return plant


def _parents_route(*references: ServiceReference) -> Plant:
    return lambda _, fleet: _routed_to(fleet, *references)


def _composed(**fields: object) -> Plant:
    """Add a composed service to the parent. ``services`` are those it weighs."""
    services = fields.pop("services", None)
    weighted: Any = None if services is None else Weighted(services)  # type: ignore[arg-type]
    made = TraefikService("composed", _UPLINK.namespace, weighted, **fields)  # type: ignore[arg-type]
    return lambda _, fleet: _in_parent(fleet, made)


def _both(here: Mapping[str, Any], there: Mapping[str, Any]) -> Plant:
    """Let two children offer the uplink, each with fields of its own."""

    def plant(draw: st.DrawFn, fleet: Fleet) -> Fleet:
        fleet, one, other = _two(draw, fleet)
        for name, fields in ((one, here), (other, there)):
            fleet = _in_child(fleet, name, uplinks=[attrs.evolve(_UPLINK, **fields)])
        return fleet

    return plant


def _configured(change: Callable[[ChildConfig], ChildConfig]) -> Plant:
    """Change the static configuration of a child that offers the uplink."""

    def plant(draw: st.DrawFn, fleet: Fleet) -> Fleet:
        name = _one(draw, fleet)
        fleet = _in_child(fleet, name, uplinks=[_UPLINK])
        child = fleet.children[name]
        config = change(child.child_config or _CONFIG)
        child = attrs.evolve(child, child_config=config)
        return attrs.evolve(fleet, children={**fleet.children, name: child})

    return plant


def _without_default(config: ChildConfig) -> ChildConfig:
    points = config.uplink_entry_points.items()
    kept = {name: attrs.evolve(point, as_default=False) for name, point in points}
    return attrs.evolve(config, uplink_entry_points=kept)


def _address(*addresses: str) -> Plant:
    """Let the parent list a child at one of these addresses."""

    def plant(draw: st.DrawFn, fleet: Fleet) -> Fleet:
        address = draw(st.sampled_from(addresses))
        return _listing(fleet, {_one(draw, fleet): Child(address)})

    return plant


def _transport(draw: st.DrawFn, fleet: Fleet) -> Fleet:
    """Let the parent connect to a child in a way that cannot be."""
    version = draw(st.sampled_from(["TLS1.2", "1.3"]))
    child = Child(f"https://{_ANOTHER}.example.com", ServersTransport(min_version=version))
    return _listing(fleet, {_one(draw, fleet): child})


def _shared_address(draw: st.DrawFn, fleet: Fleet) -> Fleet:
    fleet, one, other = _two(draw, fleet)
    config = fleet.parent.parent_config or ParentConfig()
    return _listing(fleet, {other: config.children[one]})


def _partly_checked_route(draw: st.DrawFn, fleet: Fleet) -> Fleet:
    """Spread requests over an uplink with a check and one without."""
    checked = attrs.evolve(_OTHER, health_check=_CHECK)
    fleet = _in_child(fleet, _one(draw, fleet), uplinks=[_UPLINK, checked])
    return _routed_to(fleet, _served(_NAME), _served(_OTHER.uplink_name))


def _unchecked_failover(draw: st.DrawFn, fleet: Fleet) -> Fleet:
    """Fail over from an uplink without a check."""
    fleet = _in_child(fleet, _one(draw, fleet), uplinks=[_UPLINK, _OTHER])
    failover = Failover(_served(_NAME), _served(_OTHER.uplink_name))
    return _in_parent(fleet, TraefikService("composed", _UPLINK.namespace, failover=failover))


def _twice(draw: st.DrawFn, fleet: Fleet) -> Fleet:
    return _in_child(fleet, _one(draw, fleet), uplinks=[_UPLINK, _UPLINK])


def _one_name(draw: st.DrawFn, fleet: Fleet) -> Fleet:
    """Let two uplinks of a child have one name."""
    same = attrs.evolve(_OTHER, expose_name=_NAME)
    return _in_child(fleet, _one(draw, fleet), uplinks=[_UPLINK, same])


def _name_of_a_childs_service(draw: st.DrawFn, fleet: Fleet) -> Fleet:
    name = _one(draw, fleet)
    same = attrs.evolve(_OTHER, expose_name=f"{_NAME}-{name}")
    return _in_child(fleet, name, uplinks=[_UPLINK, same])


def _only_here(draw: st.DrawFn, fleet: Fleet) -> Fleet:
    """Let one of several children offer what the parent routes to."""
    fleet, one, _ = _two(draw, fleet)
    fleet = _in_child(fleet, one, uplinks=[_UPLINK], routers=[_ROUTER])
    return _routed_to(fleet, _served(_NAME))


def _unrouted(draw: st.DrawFn, fleet: Fleet) -> Fleet:
    """Let the parent route to another uplink only."""
    uplinks, router = [_UPLINK, _OTHER], _annotated_router(f"{_NAME},{_OTHER.uplink_name}")
    fleet = _in_child(fleet, _one(draw, fleet), uplinks=uplinks, routers=[router])
    return _routed_to(fleet, _served(_OTHER.uplink_name))


def _unused(draw: st.DrawFn, fleet: Fleet) -> Fleet:
    """Let the child's router reference another uplink only."""
    uplinks, router = [_UPLINK, _OTHER], _annotated_router(_OTHER.uplink_name)
    return _in_child(fleet, _one(draw, fleet), uplinks=uplinks, routers=[router])


def _entry_point_twice(draw: st.DrawFn, fleet: Fleet) -> Fleet:
    name = _one(draw, fleet)
    config = fleet.children[name].child_config or _CONFIG
    point = draw(st.sampled_from(sorted(config.uplink_entry_points)))
    uplink = attrs.evolve(_UPLINK, entry_points=(point, point))
    return _in_child(fleet, name, uplinks=[uplink])


def _stranger(name: str, *, listed: bool, there: bool) -> Plant:
    """Add a child that the parent lists, or that is there, or both."""

    def plant(_: st.DrawFn, fleet: Fleet) -> Fleet:
        if listed:
            fleet = _listing(fleet, {name: Child("https://stranger.example.com")})
        return _with_child(fleet, name) if there else fleet

    return plant


PLANTS: Final[Mapping[str, Plant]] = {
    "UPL010": _twice,
    "UPL101": _uplink(name=st.sampled_from(["Not_A_Name", "", "-a", "a" * 254])),
    "UPL102": _uplink(namespace=st.sampled_from(["Not_A_Name", "", "a.b", "a" * 64])),
    "UPL103": _uplink(weight=st.integers(-MAX_WEIGHT, -1)),
    "UPL104": _both({"weight": 0}, {"weight": 1}),
    "UPL105": _uplink(weight=st.integers(MAX_WEIGHT + 1, 2**64)),
    "UPL106": _uplink(expose_name=st.sampled_from(["Not_A_Name", "-", "a" * 254])),
    "UPL107": _uplink(expose_name=st.just("with.a.defect")),
    "UPL108": _uplink(entry_points=st.just(("declared-nowhere",))),
    "UPL109": _configured(_without_default),
    "UPL110": _entry_point_twice,
    "UPL111": _unused,
    "UPL202": _check(timeout=(-1, -_SECOND)),
    "UPL203": _check(interval=_SECOND, timeout=(2 * _SECOND, 60 * _SECOND)),
    "UPL204": _check(mode=("ping", "HTTP", "")),
    "UPL205": _check(scheme=("ftp", "h2c")),
    "UPL206": _check(method=("NOT VALID", "")),
    "UPL207": _check(status=(-1, 99, 600)),
    "UPL208": _check(port=(-1, 65_536)),
    "UPL209": _check(path=("no/slash", "//host", "https://example.com/")),
    "UPL210": _check(mode="grpc"),
    "UPL211": _check(headers=[("Content-Length", "0")]),
    "UPL212": _check(headers=[("Not A Name", "a")]),
    "UPL213": _check(hostname=("a b", "https://example.com")),
    "UPL214": _check(scheme="http", headers=[("Authorization", "Bearer abc")]),
    "UPL215": _check(path=None),
    "UPL216": _check(interval=_SECOND, timeout=_SECOND, unhealthy_interval=2 * _SECOND),
    "UPL217": _uplink(passive_health_check=st.just(PassiveHealthCheck(max_failed_attempts=-1))),
    "UPL301": _router(entry_points=("websecure",)),
    "UPL302": _router(tls={}),
    "UPL303": _annotated("declared-nowhere"),
    "UPL304": _annotated(f"{_NAME},{_NAME}"),
    "UPL305": _annotated(f"{_NAME},"),
    "UPL307": _parents_route(_served("advertised-by-nobody")),
    "UPL308": _parents_route(ServiceReference("kubernetes@multicluster", port=80)),
    "UPL309": _annotated(_NAME, expose_name="exposed-by-another-name"),
    "UPL310": _composed(services=[ServiceReference("composed", "TraefikService")]),
    "UPL311": _composed(
        rest={"mirroring": {"name": f"{_NAME}@multicluster", "kind": "TraefikService"}}
    ),
    "UPL312": _composed(services=[ServiceReference("composed-by-nobody", "TraefikService")]),
    "UPL313": _composed(services=[ServiceReference("web", port=80, weight=-1)]),
    "UPL314": _composed(
        services=[ServiceReference("web", port=80)],
        rest={"mirroring": {"name": "web", "port": 80}},
    ),
    "UPL315": _router(name=""),
    "UPL401": _one_name,
    "UPL402": _name_of_a_childs_service,
    "UPL403": _both({"health_check": _CHECK}, {"health_check": HealthCheck(path="/other")}),
    "UPL404": _both({"expose_name": "exposed-here"}, {"expose_name": "exposed-there"}),
    "UPL405": _uplink(weight=st.just(0)),
    "UPL406": _address("", "tcp://eu.example.com", "eu.example.com"),
    "UPL407": _stranger("stranger", listed=False, there=True),
    "UPL408": _stranger("stranger", listed=True, there=False),
    "UPL409": _configured(lambda config: attrs.evolve(config, multicluster=False)),
    "UPL410": _configured(lambda config: attrs.evolve(config, uplink_entry_points={})),
    "UPL411": _both({"health_check": _CHECK}, {}),
    "UPL412": _only_here,
    "UPL413": _unrouted,
    "UPL414": _address("http://eu.example.com"),
    "UPL415": _shared_address,
    "UPL416": _stranger("a@b", listed=True, there=True),
    "UPL420": _transport,
    "UPL501": _uplink(health_check=st.just(HealthCheck(mode="grpc"))),
    "UPL502": _both({"health_check": _CHECK}, {"passive_health_check": PassiveHealthCheck()}),
    "UPL503": _partly_checked_route,
    "UPL504": _unchecked_failover,
    "UPL505": _router(rest={"parentRefs": [{"name": "above"}]}),
}
"""An edit for each code of a rule, but for those about a text."""
