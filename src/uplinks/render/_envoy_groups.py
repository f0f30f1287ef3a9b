"""Which clusters Envoy needs for a parent's services, and what is in each.

An uplink is one cluster. A weighted service over uplinks is one cluster too, with
a locality for each uplink: `weighted_clusters` would keep sending a failed uplink
its share. A failover is an aggregate of the clusters of its two services.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from fractions import Fraction
from math import gcd, lcm
from typing import Final
from urllib.parse import urlsplit

from attrs import evolve, field, frozen

from uplinks import naming
from uplinks.model import (
    ChildService,
    ServiceReference,
    Services,
    TraefikService,
    WeightedService,
)
from uplinks.render._composed import leading_to_uplinks
from uplinks.render._envoy_tls import host_of, is_tls
from uplinks.render._options import TraefikOptions
from uplinks.render._references import References, kubernetes_name, object_references

__all__ = ["Aggregate", "Group", "Groups", "Locality", "address_of", "group_services"]

_HIGHEST_SUM: Final = 2**32 - 1


@frozen
class Locality:
    """The children of one uplink, by weight, and the uplink's own weight in its cluster."""

    uplink: str
    weight: int
    children: tuple[tuple[ChildService, int], ...]


@frozen
class Group:
    """A cluster with endpoints."""

    name: str
    localities: tuple[Locality, ...]

    @property
    def children(self) -> tuple[ChildService, ...]:
        """All children, each once for each of its uplinks."""
        return tuple(child for locality in self.localities for child, _ in locality.children)


@frozen
class Aggregate:
    """A cluster of other clusters: each takes over while those before it are down."""

    name: str
    groups: tuple[str, ...]


@frozen
class Groups:
    """All clusters, in the order in which each follows those that it needs.

    ``roots`` are the names of the services that no other service refers to. ``left_out``
    has the reason for each TraefikService that no cluster can express.
    """

    groups: tuple[Group | Aggregate, ...]
    roots: tuple[str, ...]
    left_out: Mapping[str, str] = field(factory=dict)


def group_services(services: Services, composed: Iterable[TraefikService]) -> Groups:
    """Decide which clusters a parent's services become.

    Complexity: O(n log n) for n services and references. Raises: SelectorCycle for
    TraefikServices in a circle.
    """
    groups: dict[str, Group | Aggregate] = {}
    inner: set[str] = set()
    left_out: dict[str, str] = {}
    for shared in services.weighted:
        locality = Locality(shared.uplink_name, 1, _children(shared, services))
        groups[shared.uplink_name] = Group(shared.uplink_name, (locality,))
    known = leading_to_uplinks(tuple(composed), References(TraefikOptions(), {}))
    for name, service in known.items():
        below = [
            _resolve(each, service.namespace, services, groups)
            for each in object_references(service)
        ]
        group = _compose(name, service, below, groups)
        if isinstance(group, str):
            left_out[name] = group
        else:
            groups[name] = group
            inner.update(each for each in below if each is not None)
    roots = tuple(name for name in groups if name not in inner and not _is_direct(name))
    return Groups(tuple(groups.values()), roots, left_out)


def _is_direct(name: str) -> bool:
    return name.endswith(naming.PROVIDER_SUFFIX)


def _resolve(
    reference: ServiceReference,
    namespace: str,
    services: Services,
    groups: dict[str, Group | Aggregate],
) -> str | None:
    """Name the cluster of a reference; a child service that is referred to gets its own."""
    name = reference.name
    found = services.get(name)
    if isinstance(found, WeightedService):
        return found.uplink_name
    if isinstance(found, ChildService):
        groups.setdefault(name, Group(name, (Locality(found.uplink_name, 1, ((found, 1),)),)))
        return name
    kubernetes = kubernetes_name(reference, namespace)
    return kubernetes if kubernetes in groups else None


def _compose(
    name: str,
    service: TraefikService,
    below: Sequence[str | None],
    groups: Mapping[str, Group | Aggregate],
) -> Group | Aggregate | str:
    """Make the cluster of a composed service, or say why there is none."""
    names = [each for each in below if each is not None]
    if len(names) < len(below):
        return "it refers to a service that is not over uplinks"
    if service.failover is not None:
        inner = [groups[each] for each in names]
        return Aggregate(name, tuple(n for g in inner for n in _clusters(g)))
    if service.weighted is None:
        return "Envoy has clusters for weighted and failover services only"
    members = [
        (groups[each], reference.weight)
        for each, reference in zip(names, service.weighted.services, strict=True)
    ]
    return _weighted(name, members)


def _clusters(group: Group | Aggregate) -> tuple[str, ...]:
    return group.groups if isinstance(group, Aggregate) else (group.name,)


def _weighted(name: str, members: Iterable[tuple[Group | Aggregate, int]]) -> Group | str:
    """Give each uplink below a service its share of it."""
    shares: dict[Locality, Fraction] = {}
    for group, weight in members:
        if isinstance(group, Aggregate):
            return "Envoy has no failover inside a weighted service"
        total = sum(locality.weight for locality in group.localities) or 1
        for locality in group.localities:
            share = Fraction(weight * locality.weight, total)
            key = evolve(locality, weight=1)
            shares[key] = shares.get(key, Fraction(0)) + share
    chosen = {each: share for each, share in shares.items() if share > 0 and each.children}
    addresses = Counter(address_of(child) for each in chosen for child, _ in each.children)
    twice = sorted(f"{host}:{port}" for (host, port), count in addresses.items() if count > 1)
    if twice:
        return f"Envoy takes an address once in a cluster, and {twice[0]} serves two of its uplinks"
    unit = lcm(*(share.denominator for share in chosen.values()))
    weights = fitting([int(share * unit) for share in chosen.values()])
    return Group(
        name,
        tuple(evolve(each, weight=w) for each, w in zip(chosen, weights, strict=True)),
    )


def address_of(child: ChildService) -> tuple[str, int]:
    """Return the host and port that requests to a child go to."""
    return host_of(child), urlsplit(child.url).port or (443 if is_tls(child) else 80)


def _children(service: WeightedService, services: Services) -> tuple[tuple[ChildService, int], ...]:
    """Return the children that may be picked, with weights that Envoy can add up."""
    chosen = [
        (child, entry.weight)
        for entry in service.children
        if entry.weight > 0 and isinstance(child := services[entry.name], ChildService)
    ]
    weights = fitting([weight for _, weight in chosen])
    return tuple((child, weight) for (child, _), weight in zip(chosen, weights, strict=True))


def fitting(weights: Sequence[int]) -> list[int]:
    """Divide weights so that their sum fits 32 bits; each stays at least 1.

    >>> fitting([90, 10])
    [9, 1]
    """
    divisor = gcd(*weights) or 1
    total = sum(weights) // divisor
    divisor *= -(-total // _HIGHEST_SUM) or 1
    return [max(1, weight // divisor) for weight in weights]
