"""Who refers to which service, and where: what rules about references share.

Only `weighted` and `failover` of a TraefikService are followed.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import cmp_to_key
from typing import Final

from attrs import frozen

from uplinks import naming
from uplinks.diagnostics import Location
from uplinks.located import Origin
from uplinks.model import Cluster, Fleet, IngressRoute, ServiceReference, TraefikService, Uplink

__all__ = [
    "KIND",
    "KUBERNETES",
    "MULTICLUSTER",
    "Offer",
    "Use",
    "composed",
    "is_refused",
    "named_at",
    "of_cluster",
    "of_router",
    "of_service",
    "offers_by",
    "renamed_names",
    "renamed_services",
    "used_uplinks",
]

MULTICLUSTER: Final = naming.PROVIDER_SUFFIX.removeprefix("@")
KUBERNETES: Final = "kubernetescrd"
KIND: Final = "TraefikService"


@frozen
class Use:
    """One reference, who makes it, and where."""

    holder: str
    own_namespace: str
    reference: ServiceReference
    origin: Origin
    path: tuple[str | int, ...]

    @property
    def location(self) -> Location:
        """Where the name is written."""
        return self.origin.locate(*self.path, "name")

    @property
    def namespace(self) -> str:
        """Where the service is looked for."""
        return self.reference.namespace or self.own_namespace


def of_router(router: IngressRoute) -> Iterator[list[Use]]:
    """Give the references of each route."""
    holder = f"router {router.namespace}/{router.name}"
    for i, route in enumerate(router.routes):
        yield [
            Use(holder, router.namespace, reference, router.origin, (*_ROUTES, i, "services", j))
            for j, reference in enumerate(route.services)
        ]


def of_service(service: TraefikService) -> Iterator[list[Use]]:
    """Give the references of each type: those of ``weighted``, both of ``failover``."""
    holder = f"TraefikService {service.namespace}/{service.name}"
    if service.weighted is not None:
        yield [
            Use(holder, service.namespace, reference, service.origin, (*_WEIGHTED, i))
            for i, reference in enumerate(service.weighted.services)
        ]
    if service.failover is not None:
        sides = {"service": service.failover.service, "fallback": service.failover.fallback}
        yield [
            Use(holder, service.namespace, reference, service.origin, ("spec", "failover", side))
            for side, reference in sides.items()
        ]


def of_cluster(cluster: Cluster) -> Iterator[Use]:
    """Give every reference of a cluster."""
    for router in cluster.routers:
        for uses in of_router(router):
            yield from uses
    for service in cluster.traefik_services:
        for uses in of_service(service):
            yield from uses


Offer = tuple[str, Uplink]
"""A child's name and an uplink of it."""


def named_at(uplink: Uplink) -> Location:
    """Where an uplink's name comes from."""
    path = ("spec", "exposeName") if uplink.expose_name is not None else ("metadata", "name")
    return uplink.origin.locate(*path)


def is_refused(origin: Origin, field: str) -> bool:
    """Tell whether a text of the metadata is written, but as something else: that is UPL006."""
    metadata = origin.written("metadata")
    value = metadata.get(field) if isinstance(metadata, dict) else metadata
    return value is not None and not isinstance(value, str)


def offers_by(of: Callable[[Uplink], str], fleet: Fleet) -> Mapping[str, Sequence[Offer]]:
    """Group what the children offer; in a group by child, whatever order it was read in."""
    offers: dict[str, list[Offer]] = defaultdict(list)
    for child in sorted(fleet.children):
        for uplink in fleet.children[child].uplinks:
            offers[of(uplink)].append((child, uplink))
    return {name: _in_order(group) for name, group in offers.items()}


def _in_order(group: list[Offer]) -> list[Offer]:
    """Sort what one child offers more than once; the children are in order already."""
    alone = len({child for child, _ in group}) == len(group)
    return group if alone else sorted(group, key=cmp_to_key(_compare))


def _compare(one: Offer, other: Offer) -> int:
    mine, its = (one[0], one[1].owner), (other[0], other[1].owner)
    if mine == its:
        # One object declared twice, which is rare: only now places are looked up.
        mine, its = ((str(named_at(u)), repr(u)) for _, u in (one, other))
    return (mine > its) - (mine < its)


def renamed_names(uplinks: Iterable[Uplink]) -> Mapping[str, Uplink]:
    """Map the names that uplinks would have without their exposeName, and nobody has."""
    uplinks = tuple(uplinks)
    known = {uplink.uplink_name for uplink in uplinks}
    exposed = sorted(
        (u for u in uplinks if u.expose_name is not None),
        key=lambda u: (u.owner, u.uplink_name),
    )
    derived = {f"{u.namespace}-{u.name}": u for u in exposed}
    return {name: uplink for name, uplink in derived.items() if name not in known}


def renamed_services(fleet: Fleet) -> Mapping[str, tuple[str, Uplink]]:
    """Map names of services that exposeName renamed to what they are called now."""
    known, renamed = set[str](), dict[str, tuple[str, Uplink]]()
    for child in sorted(fleet.children):
        uplinks = fleet.children[child].uplinks
        known |= {uplink.uplink_name for uplink in uplinks}
        known |= {f"{uplink.uplink_name}-{child}" for uplink in uplinks}
        for derived, uplink in renamed_names(uplinks).items():
            name = uplink.uplink_name
            renamed.setdefault(derived, (name, uplink))
            renamed.setdefault(f"{derived}-{child}", (f"{name}-{child}", uplink))
    return {name: now for name, now in renamed.items() if name not in known}


def used_uplinks(fleet: Fleet) -> tuple[Mapping[str, str], bool]:
    """Map the service names that the parent refers to, to their uplinks' names.

    The second is False when some reference is to no service that there is.
    """
    services = _services(fleet)
    names = [n for use in of_cluster(fleet.parent) if (n := _of_uplink(use)) is not None]
    return {n: services[n] for n in names if n in services}, all(n in services for n in names)


def composed(fleet: Fleet) -> Mapping[str, str]:
    """Map each uplink name to one that stands for all that the parent composes with it.

    Two uplinks are composed when a route, or a weighted or failover
    TraefikService, leads to both, directly or through other TraefikServices.
    """
    services = _services(fleet)
    parent = fleet.parent
    above: dict[object, object] = {}

    def top(node: object) -> object:
        while (higher := above.get(node, node)) != node:
            above[node] = above.get(higher, higher)  # halving the way keeps it short
            node = higher
        return node

    def join(uses: Iterable[Use], holder: object) -> None:
        for use in uses:
            node = _node(use, services)
            if node is not None:
                above[top(node)] = top(holder)

    for i, router in enumerate(parent.routers):
        for j, uses in enumerate(of_router(router)):
            join(uses, (i, j))
    for service in parent.traefik_services:
        for uses in of_service(service):
            join(uses, service.service_name)
    first: dict[object, str] = {}
    names = sorted({u.uplink_name for c in fleet.children.values() for u in c.uplinks})
    return {name: first.setdefault(top(("uplink", name)), name) for name in names}


def _services(fleet: Fleet) -> dict[str, str]:
    """Map the names of all services that the children's uplinks give to uplink names."""
    of_children = {
        f"{uplink.uplink_name}-{child}": uplink.uplink_name
        for child in sorted(fleet.children)
        for uplink in fleet.children[child].uplinks
    }
    names = of_children.values()
    return {**of_children, **dict(zip(names, names, strict=True))}


def _of_uplink(use: Use) -> str | None:
    name, provider = naming.split_service_reference(use.reference.name)
    return name if provider == MULTICLUSTER else None


def _node(use: Use, services: Mapping[str, str]) -> object:
    name, provider = naming.split_service_reference(use.reference.name)
    if use.reference.kind != KIND:
        return None
    if provider == MULTICLUSTER:
        return ("uplink", services[name]) if name in services else None
    if provider is None:
        return f"{use.namespace}-{name}@{KUBERNETES}"
    return use.reference.name


_ROUTES: Final = ("spec", "routes")
_WEIGHTED: Final = ("spec", "weighted", "services")
