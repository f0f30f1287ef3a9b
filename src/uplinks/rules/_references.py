"""The references of a cluster's objects to services, and their places."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import cmp_to_key
from typing import Final

from attrs import frozen

from uplinks import naming
from uplinks.diagnostics import Location
from uplinks.located import Origin
from uplinks.model import (
    Cluster,
    Fleet,
    IngressRoute,
    OtherObject,
    ServiceReference,
    TraefikService,
    Uplink,
    written_references,
)

__all__ = [
    "KIND",
    "KUBERNETES",
    "MULTICLUSTER",
    "Offer",
    "Reference",
    "composed",
    "is_refused",
    "mirrors_of",
    "named_at",
    "of_cluster",
    "of_other",
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
class Reference:
    """One reference to a service, the object that holds it, and its place.

    ``is_text``: the name stands at the path itself, as in an annotation.
    """

    holder: str
    own_namespace: str
    service: ServiceReference
    origin: Origin
    path: tuple[str | int, ...]
    is_text: bool = False

    @property
    def location(self) -> Location:
        """The place of the name."""
        return self.origin.locate(*self.path, *(() if self.is_text else ("name",)))

    @property
    def namespace(self) -> str:
        """The namespace in which the name is resolved."""
        return self.service.namespace or self.own_namespace


def of_router(router: IngressRoute) -> Iterator[list[Reference]]:
    """Yield the references of each route."""
    holder = f"router {router.owner}"
    for i, route in enumerate(router.routes):
        yield [
            Reference(
                holder, router.namespace, reference, router.origin, (*_ROUTES, i, "services", j)
            )
            for j, reference in enumerate(route.services)
        ]


def of_service(service: TraefikService) -> Iterator[list[Reference]]:
    """Yield the references by type: ``weighted``, the two of ``failover``, then the others.

    Of ``mirroring``, only the service whose answer is used; `mirrors_of` has the rest.
    """
    holder = f"TraefikService {service.owner}"
    if service.weighted is not None:
        yield [
            Reference(holder, service.namespace, reference, service.origin, (*_WEIGHTED, i))
            for i, reference in enumerate(service.weighted.services)
        ]
    if service.failover is not None:
        sides = {"service": service.failover.service, "fallback": service.failover.fallback}
        yield [
            Reference(
                holder, service.namespace, reference, service.origin, ("spec", "failover", side)
            )
            for side, reference in sides.items()
        ]
    mirroring = service.rest.get("mirroring")
    if mirroring is not None:
        yield [
            Reference(holder, service.namespace, reference, service.origin, _MIRRORING)
            for _, reference, _ in written_references([mirroring])
        ]
    highest = service.rest.get("highestRandomWeight")
    if isinstance(highest, Mapping):
        path = ("spec", "highestRandomWeight", "services")
        yield _written(service, highest.get("services"), path)


def mirrors_of(service: TraefikService) -> list[Reference]:
    """Return the references to services that get copies of requests."""
    mirroring = service.rest.get("mirroring")
    mirrors = mirroring.get("mirrors") if isinstance(mirroring, Mapping) else None
    return _written(service, mirrors, (*_MIRRORING, "mirrors"))


def of_other(other: OtherObject) -> Iterator[list[Reference]]:
    """Yield the references of each rule of an HTTPRoute, and those of other kinds."""
    if other.kind == "HTTPRoute":
        rules = other.spec.get("rules")
        for i, rule in enumerate(rules if isinstance(rules, list) else ()):
            if isinstance(rule, Mapping):
                yield _written(other, rule.get("backendRefs"), ("spec", "rules", i, "backendRefs"))
    elif other.kind == "Middleware":
        errors = other.spec.get("errors")
        service = errors.get("service") if isinstance(errors, Mapping) else None
        yield [
            Reference(
                f"Middleware {other.owner}",
                other.namespace,
                reference,
                other.origin,
                ("spec", "errors", "service"),
            )
            for _, reference, _ in written_references([service])
        ]
    elif other.kind == "Ingress":
        yield list(_of_annotations(other))


def _of_annotations(ingress: OtherObject) -> Iterator[Reference]:
    """Yield the services of other providers that annotations of an Ingress name."""
    for key, text in ingress.annotations.items():
        if not key.startswith(_INGRESS_PREFIX) or "middlewares" in key:
            continue
        for name in map(str.strip, text.split(",")):
            if name.endswith(naming.PROVIDER_SUFFIX):
                yield Reference(
                    f"Ingress {ingress.owner}",
                    ingress.namespace,
                    ServiceReference(name, KIND),
                    ingress.origin,
                    ("metadata", "annotations", key),
                    is_text=True,
                )


def _written(
    holder: TraefikService | OtherObject, items: object, path: tuple[str | int, ...]
) -> list[Reference]:
    kind = holder.kind if isinstance(holder, OtherObject) else KIND
    return [
        Reference(
            f"{kind} {holder.owner}",
            holder.namespace,
            reference,
            holder.origin,
            (*path, index),
        )
        for index, reference, _ in written_references(items)
    ]


def of_cluster(cluster: Cluster) -> Iterator[Reference]:
    """Yield every reference of a cluster."""
    for router in cluster.routers:
        for references in of_router(router):
            yield from references
    for service in cluster.traefik_services:
        for references in of_service(service):
            yield from references
        yield from mirrors_of(service)
    for other in cluster.others:
        for references in of_other(other):
            yield from references


Offer = tuple[str, Uplink]
"""A child's name and an uplink of it."""


def named_at(uplink: Uplink) -> Location:
    """Locate the field that defines an uplink's name."""
    path = ("spec", "exposeName") if uplink.expose_name is not None else ("metadata", "name")
    return uplink.origin.locate(*path)


def is_refused(origin: Origin, field: str) -> bool:
    """Tell whether a metadata field is present but not a string, which is UPL006."""
    metadata = origin.value_at("metadata")
    value = metadata.get(field) if isinstance(metadata, dict) else metadata
    return value is not None and not isinstance(value, str)


def offers_by(of: Callable[[Uplink], str], fleet: Fleet) -> Mapping[str, Sequence[Offer]]:
    """Group the uplinks of all children by a key. Each group is sorted by child."""
    offers: dict[str, list[Offer]] = defaultdict(list)
    for child, uplinks in fleet.offered().items():
        for uplink in uplinks:
            offers[of(uplink)].append((child, uplink))
    return {name: _in_order(group) for name, group in offers.items()}


def _in_order(group: list[Offer]) -> list[Offer]:
    """Sort the uplinks of one child among themselves; children are in order already."""
    alone = len({child for child, _ in group}) == len(group)
    return group if alone else sorted(group, key=cmp_to_key(_compare))


def _compare(one: Offer, other: Offer) -> int:
    mine, its = (one[0], one[1].owner), (other[0], other[1].owner)
    if mine == its:
        # One object declared twice is rare, so only this case looks up places.
        mine, its = ((str(named_at(u)), repr(u)) for _, u in (one, other))
    return (mine > its) - (mine < its)


def renamed_names(uplinks: Iterable[Uplink]) -> Mapping[str, Uplink]:
    """Map each name that an exposeName replaced, and no other uplink has, to its uplink."""
    uplinks = tuple(uplinks)
    known = {uplink.uplink_name for uplink in uplinks}
    exposed = sorted(
        (u for u in uplinks if u.expose_name is not None),
        key=lambda u: (u.owner, u.uplink_name),
    )
    derived = {f"{u.namespace}-{u.name}": u for u in exposed}
    return {name: uplink for name, uplink in derived.items() if name not in known}


def renamed_services(fleet: Fleet) -> Mapping[str, tuple[str, Uplink]]:
    """Map the replaced name of each service to its new name and its uplink."""
    known, renamed = set[str](), dict[str, tuple[str, Uplink]]()
    for child, uplinks in fleet.offered().items():
        known |= {uplink.uplink_name for uplink in uplinks}
        known |= {f"{uplink.uplink_name}-{child}" for uplink in uplinks}
        for derived, uplink in renamed_names(uplinks).items():
            name = uplink.uplink_name
            renamed.setdefault(derived, (name, uplink))
            renamed.setdefault(f"{derived}-{child}", (f"{name}-{child}", uplink))
    return {name: now for name, now in renamed.items() if name not in known}


def used_uplinks(fleet: Fleet) -> tuple[Mapping[str, str], bool]:
    """Map each service name the parent references to the name of its uplink.

    The second value is False if any reference is unresolved.
    """
    services = _services(fleet)
    names = [
        n for reference in of_cluster(fleet.parent) if (n := _of_uplink(reference)) is not None
    ]
    return {n: services[n] for n in names if n in services}, all(n in services for n in names)


def composed(fleet: Fleet) -> Mapping[str, str]:
    """Map each uplink name to a representative of the names combined with it.

    Two uplinks are combined if one route, or one TraefikService, leads to both, directly
    or through other TraefikServices. A service that only gets copies is not combined.
    """
    services = _services(fleet)
    parent = fleet.parent
    above: dict[object, object] = {}

    def top(node: object) -> object:
        while (higher := above.get(node, node)) != node:
            above[node] = above.get(higher, higher)  # path halving keeps the paths short
            node = higher
        return node

    def join(references: Iterable[Reference], holder: object) -> None:
        for reference in references:
            node = _node(reference, services)
            if node is not None:
                above[top(node)] = top(holder)

    for holder, references in _groups(parent):
        join(references, holder)
    first: dict[object, str] = {}
    names = sorted({u.uplink_name for uplinks in fleet.offered().values() for u in uplinks})
    return {name: first.setdefault(top(("uplink", name)), name) for name in names}


def _groups(cluster: Cluster) -> Iterator[tuple[object, list[Reference]]]:
    """Yield the references that requests are spread over, with what identifies each group."""
    groups = [*map(of_router, cluster.routers), *map(of_other, cluster.others)]
    for i, group in enumerate(groups):
        yield from (((i, j), references) for j, references in enumerate(group))
    for service in cluster.traefik_services:
        yield from ((service.service_name, references) for references in of_service(service))


def _services(fleet: Fleet) -> dict[str, str]:
    """Map the names of all services of the children's uplinks to uplink names."""
    of_children = {
        f"{uplink.uplink_name}-{child}": uplink.uplink_name
        for child, uplinks in fleet.offered().items()
        for uplink in uplinks
    }
    names = of_children.values()
    return {**of_children, **dict(zip(names, names, strict=True))}


def _of_uplink(reference: Reference) -> str | None:
    name, provider = naming.split_service_reference(reference.service.name)
    return name if provider == MULTICLUSTER else None


def _node(reference: Reference, services: Mapping[str, str]) -> object:
    name, provider = naming.split_service_reference(reference.service.name)
    if reference.service.kind != KIND:
        return None
    if provider == MULTICLUSTER:
        return ("uplink", services[name]) if name in services else None
    if provider is None:
        return f"{reference.namespace}-{name}@{KUBERNETES}"
    return reference.service.name


_ROUTES: Final = ("spec", "routes")
_WEIGHTED: Final = ("spec", "weighted", "services")
_MIRRORING: Final = ("spec", "mirroring")
_INGRESS_PREFIX: Final = "traefik.ingress.kubernetes.io/"
