"""Clusters, their static configuration, and the fleet of a parent and its children."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Any, Final

from attrs import field, frozen

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
        """The names of the entry points with ``asDefault: true``, in order."""
        return tuple(name for name, point in self.uplink_entry_points.items() if point.as_default)


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
