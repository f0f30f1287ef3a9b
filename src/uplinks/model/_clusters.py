"""Clusters, their static configuration, and the fleet of a parent and its children."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Any, Final

from attrs import field, frozen

from uplinks import addresses
from uplinks.diagnostics import Diagnostic
from uplinks.durations import to_nanoseconds
from uplinks.located import Origin
from uplinks.model._fields import (
    Copyable,
    mapping_field,
    masked_address,
    origin_field,
    rest_field,
    to_tuple,
)
from uplinks.model._objects import IngressRoute, OtherObject, TraefikService, Uplink
from uplinks.model._transport import ServersTransport

__all__ = [
    "Child",
    "ChildConfig",
    "Cluster",
    "Fleet",
    "ParentConfig",
    "StaticConfig",
    "UplinkEntryPoint",
]


DEFAULT_POLL: Final = 5_000_000_000


@frozen
class UplinkEntryPoint(Copyable):
    """An entry point of a child for traffic from its parents."""

    address: str = ""
    as_default: bool = False
    rest: Mapping[str, Any] = rest_field()


@frozen
class ChildConfig(Copyable):
    """A child's static configuration: ``hub.uplinkEntryPoints`` and the provider.

    ``multicluster`` is True when ``hub.providers.multicluster`` is present,
    which exposes the API that parents poll.

    >>> ChildConfig({"up": UplinkEntryPoint(":9443", as_default=True)}).default_entry_points
    ('up',)
    """

    uplink_entry_points: Mapping[str, UplinkEntryPoint] = mapping_field()
    multicluster: bool = False
    origin: Origin = origin_field()

    @property
    def default_entry_points(self) -> tuple[str, ...]:
        """The names of the entry points with ``asDefault: true``, else of all, in order."""
        points = self.uplink_entry_points
        return tuple(n for n, point in points.items() if point.as_default) or tuple(points)


@frozen
class Child(Copyable):
    """One child as its parent lists it: ``address`` is the URL of its entry point.

    ``servers_transport`` says how connections to it are made. ``base_path`` comes before the
    path of every request; manifests have none.

    >>> Child("https://me:secret@eu.example.com")
    Child(address='https://***@eu.example.com')
    >>> Child("https://eu.example.com", base_path="/v1").url
    'https://eu.example.com/v1'
    """

    address: str = field(repr=masked_address)
    servers_transport: ServersTransport | None = field(default=None, repr=False)
    base_path: str = field(default="", repr=False, kw_only=True)
    rest: Mapping[str, Any] = rest_field()

    @property
    def url(self) -> str:
        """Where requests go: the address and the base path."""
        return self.address + self.base_path


def _poll_interval(value: str | timedelta | int) -> int:
    return to_nanoseconds(value, "poll_interval") or DEFAULT_POLL


def _poll_timeout(value: str | timedelta | int) -> int:
    return to_nanoseconds(value, "poll_timeout") or DEFAULT_POLL


@frozen
class ParentConfig(Copyable):
    """A parent's static configuration: ``hub.providers.multicluster``.

    ``poll_interval`` is the time between two polls of a child's API, and ``poll_timeout``
    how long a poll may take. They are durations as in `HealthCheck`; 0 means the default, 5s.

    >>> ParentConfig({"eu": Child("https://eu.example.com:9443")}).children["eu"].address
    'https://eu.example.com:9443'
    """

    children: Mapping[str, Child] = mapping_field()
    poll_interval: int = field(default=DEFAULT_POLL, converter=_poll_interval, kw_only=True)
    poll_timeout: int = field(default=DEFAULT_POLL, converter=_poll_timeout, kw_only=True)
    rest: Mapping[str, Any] = rest_field()
    origin: Origin = origin_field()


@frozen
class StaticConfig:
    """One document with a top-level ``hub``.

    A cluster in the middle of a hierarchy is both a child and a parent, so both
    may be set.
    """

    child: ChildConfig | None = None
    parent: ParentConfig | None = None
    origin: Origin = origin_field()


@frozen
class Cluster:
    """The objects and the configuration of one cluster.

    ``diagnostics`` were found while parsing, ``skipped`` counts the documents of
    kinds without meaning here. An object that is declared twice is listed twice,
    so that a rule can report it.
    """

    name: str
    uplinks: tuple[Uplink, ...] = field(default=(), converter=to_tuple)
    routers: tuple[IngressRoute, ...] = field(default=(), converter=to_tuple)
    traefik_services: tuple[TraefikService, ...] = field(default=(), converter=to_tuple)
    child_config: ChildConfig | None = None
    parent_config: ParentConfig | None = None
    diagnostics: tuple[Diagnostic, ...] = field(default=(), converter=to_tuple)
    skipped: int = 0
    others: tuple[OtherObject, ...] = field(default=(), converter=to_tuple)

    @property
    def objects(self) -> tuple[Uplink | IngressRoute | TraefikService | OtherObject, ...]:
        """All Kubernetes objects."""
        return (*self.uplinks, *self.routers, *self.traefik_services, *self.others)


@frozen
class Fleet(Copyable):
    """A parent and the children whose manifests were read, by child name."""

    parent: Cluster
    children: Mapping[str, Cluster] = mapping_field()

    @property
    def clusters(self) -> tuple[Cluster, ...]:
        """The parent, then the children in the order of their names."""
        return (self.parent, *(self.children[name] for name in sorted(self.children)))

    def tiers(self) -> tuple[Fleet, ...]:
        """The fleet itself, and one for each child that is a parent too, by their names.

        >>> listed = ParentConfig({"leaf": Child("https://leaf.example.com")})
        >>> middle = Cluster("middle", parent_config=listed)
        >>> fleet = Fleet(Cluster("parent"), {"middle": middle, "leaf": Cluster("leaf")})
        >>> [(tier.parent.name, sorted(tier.children)) for tier in fleet.tiers()]
        [('parent', ['leaf', 'middle']), ('middle', ['leaf'])]
        """
        inner = [c for c in self.clusters[1:] if c.parent_config and c.parent_config.children]
        return (self, *(Fleet(c, self._listed_by(c)) for c in inner))

    def _listed_by(self, cluster: Cluster) -> dict[str, Cluster]:
        names = () if cluster.parent_config is None else cluster.parent_config.children
        return {name: self.children[name] for name in names if name in self.children}

    def offered(self) -> Mapping[str, tuple[Uplink, ...]]:
        """The uplinks that the parent finds at each child, in the order of the children's names.

        A parent may list one cluster as several children, on one host, with the port of
        another entry point each. Such a child offers only the uplinks of that entry point.
        A child that only another child lists offers nothing to the fleet's parent.
        Complexity: O(children + uplinks), O(n log n) for n names.

        >>> config = ChildConfig({"a": UplinkEntryPoint(":1"), "b": UplinkEntryPoint(":2")})
        >>> uplinks = [Uplink("x", "apps", entry_points=["a"]), Uplink("y", "apps")]
        >>> cluster = Cluster("", uplinks=uplinks, child_config=config)
        >>> listed = {name: Child(f"https://eu:{name[-1]}") for name in ("eu-1", "eu-2")}
        >>> parent = Cluster("parent", parent_config=ParentConfig(listed))
        >>> offered = Fleet(parent, dict.fromkeys(listed, cluster)).offered()
        >>> {name: [each.name for each in found] for name, found in offered.items()}
        {'eu-1': ['x', 'y'], 'eu-2': ['y']}
        """
        others = [self._listed_by(c) for c in self.children.values() if c is not self.parent]
        own = self._listed_by(self.parent)
        below = {name for listed in others for name in listed if name not in own}
        names = sorted(self.children.keys() - below)
        reached = self.reached_entry_points()
        return {n: self._offered_at(self.children[n], reached.get(n)) for n in names}

    def reached_entry_points(self) -> Mapping[str, frozenset[str]]:
        """The entry points that the addresses of children lead to, where not to all of them."""
        listed = {} if self.parent.parent_config is None else self.parent.parent_config.children
        by_host: dict[tuple[str, str], list[tuple[str, int]]] = {}
        for name, child in listed.items():
            endpoint = addresses.endpoint(child.address)
            if endpoint is not None:
                by_host.setdefault(endpoint[:2], []).append((name, endpoint[2]))
        return {
            name: at
            for same in by_host.values()
            if len(same) > 1
            for name, port in same
            if name in self.children and (at := _entry_points_at(self.children[name], port))
        }

    @staticmethod
    def _offered_at(cluster: Cluster, at: frozenset[str] | None) -> tuple[Uplink, ...]:
        config = cluster.child_config
        if at is None or config is None:
            return cluster.uplinks
        default = config.default_entry_points
        return tuple(u for u in cluster.uplinks if not at.isdisjoint(u.entry_points or default))


def _entry_points_at(cluster: Cluster, port: int) -> frozenset[str]:
    """Give the entry points of a port; none if it may lead to any of them, as a Service may."""
    points = {} if cluster.child_config is None else cluster.child_config.uplink_entry_points
    return frozenset(n for n, p in points.items() if addresses.listening_port(p.address) == port)
