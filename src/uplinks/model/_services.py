"""Advertisements of children, and the services that a parent makes of them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from attrs import field, frozen

from uplinks.model._checks import HealthCheck, PassiveHealthCheck
from uplinks.model._fields import Copyable, frozen_mapping, masked_address, to_tuple
from uplinks.model._transport import ServersTransport

__all__ = [
    "Advertisement",
    "ChildService",
    "Services",
    "WeightedChild",
    "WeightedService",
    "share_passive_check",
]


@frozen
class Advertisement:
    """One uplink as one child offers it, with all defaults resolved.

    ``owner`` is the declaring object as ``namespace/name``, ``entry_points``
    are the child's, ``routers`` the ``namespace/name`` of the routers that
    reference the uplink, sorted. ``exposed`` is True when the uplink name was
    chosen with ``exposeName``, so that different owners may share it.
    """

    uplink_name: str
    owner: str
    entry_points: tuple[str, ...] = field(converter=to_tuple)
    weight: int = 1
    health_check: HealthCheck | None = None
    passive_health_check: PassiveHealthCheck | None = None
    routers: tuple[str, ...] = field(default=(), converter=to_tuple)
    exposed: bool = False


@frozen(cache_hash=True)
class ChildService:
    """The service ``<uplink-name>-<child>@multicluster``: one child, directly.

    A selector picks these: ``url`` is the server that the request goes to.
    """

    name: str
    uplink_name: str
    child: str
    url: str = field(repr=masked_address)
    health_check: HealthCheck | None = None
    passive_health_check: PassiveHealthCheck | None = None
    servers_transport: ServersTransport | None = None


def share_passive_check(
    children: Iterable[
        tuple[HealthCheck | None, PassiveHealthCheck | None, ServersTransport | None]
    ],
) -> bool:
    """Whether children have one passive check and one transport, and no active check.

    Only then can open-source Traefik take one of them out by its failed requests:
    a passive check acts among the servers of one load balancer, and a load
    balancer has one transport.

    >>> share_passive_check([(None, PassiveHealthCheck(), None)] * 2)
    True
    >>> share_passive_check([(HealthCheck(), PassiveHealthCheck(), None)])
    False

    Source: Traefik v3.7, ``pkg/server/service``.
    """
    distinct = set(children)
    if len(distinct) != 1:
        return False
    ((active, passive, _),) = distinct
    return active is None and passive is not None


@frozen
class WeightedChild:
    """One entry of a weighted service: a child service's name and its weight."""

    name: str
    weight: int


@frozen
class WeightedService:
    """The service ``<uplink-name>@multicluster`` over all children that advertise it.

    ``health_check`` is True only when every child has an active check: a target
    without one never goes down, so the service has no health to pass upward.
    """

    name: str
    uplink_name: str
    children: tuple[WeightedChild, ...] = field(converter=to_tuple)
    health_check: bool = False


@frozen
class Services(Copyable, Mapping[str, WeightedService | ChildService]):
    """The services that a parent materializes, by name, in the order of their names.

    >>> len(Services())
    0
    """

    _by_name: Mapping[str, WeightedService | ChildService] = field(
        factory=dict, converter=frozen_mapping, hash=False
    )

    def __repr__(self) -> str:
        return f"Services({dict(self._by_name)!r})"

    def __getitem__(self, name: str) -> WeightedService | ChildService:
        return self._by_name[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._by_name)

    def __len__(self) -> int:
        return len(self._by_name)

    @property
    def weighted(self) -> tuple[WeightedService, ...]:
        """The weighted services, in the order of their names."""
        return tuple(s for s in self._by_name.values() if isinstance(s, WeightedService))

    @property
    def direct(self) -> tuple[ChildService, ...]:
        """The child services, in the order of their names."""
        return tuple(s for s in self._by_name.values() if isinstance(s, ChildService))
