"""The things this package speaks of, as frozen values.

Rules of this file:

1. A class here is a value: frozen, compared by content, without behaviour
   beyond its own meaning. It never reads, checks or changes anything.
2. A bad document must be representable, so that a rule can speak about it: a
   negative weight or an empty namespace is stored, not refused.
3. Defaults are resolved here, once: ``None`` means "taken from the child's
   address" or "absent", never "look the default up elsewhere".
4. Durations are ``int`` nanoseconds. No repr shows a header's value, or a user
   or password in an address.
5. ``origin`` says where an object was read; it takes no part in comparison.

The behaviour follows the Uplink reference of Traefik Hub.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from types import MappingProxyType
from typing import Any, Final

from attrs import field, frozen

from uplinks import naming
from uplinks.addresses import without_userinfo
from uplinks.diagnostics import Diagnostic
from uplinks.tree import UNLOCATED, Origin

__all__ = [
    "DEFAULT_INTERVAL",
    "DEFAULT_TIMEOUT",
    "MAX_WEIGHT",
    "UPLINKS_ANNOTATION",
    "Advertisement",
    "Child",
    "ChildConfig",
    "ChildService",
    "Cluster",
    "Failover",
    "Fleet",
    "Header",
    "HealthCheck",
    "IngressRoute",
    "ParentConfig",
    "PassiveHealthCheck",
    "Resource",
    "Route",
    "ServiceReference",
    "Services",
    "StaticConfig",
    "TraefikService",
    "Uplink",
    "UplinkEntryPoint",
    "Weighted",
    "WeightedChild",
    "WeightedService",
]

SECOND: Final = 1_000_000_000
DEFAULT_INTERVAL: Final = 30 * SECOND
DEFAULT_TIMEOUT: Final = 5 * SECOND
DEFAULT_FAILURE_WINDOW: Final = 10 * SECOND
MAX_WEIGHT: Final = 2**31 - 1
UPLINKS_ANNOTATION: Final = "hub.traefik.io/router.uplinks"


def _frozen_mapping(value: Mapping[str, Any]) -> Mapping[str, Any]:
    return value if isinstance(value, MappingProxyType) else MappingProxyType(dict(value))


def _tuple(value: Iterable[Any]) -> tuple[Any, ...]:
    return tuple(value)


def _origin() -> Any:
    """Where an object was read: no part of what it is."""
    return field(default=UNLOCATED, eq=False, repr=False, kw_only=True)


def _mapping() -> Any:
    return field(factory=dict, converter=_frozen_mapping, hash=False)


def _rest() -> Any:
    """Fields that are part of the kind but mean nothing here; kept for writing back."""
    return field(factory=dict, converter=_frozen_mapping, hash=False, repr=False, kw_only=True)


@frozen
class Header:
    """One header of a health check. The value is never part of a repr.

    >>> Header("Authorization", "Bearer abc")
    Header(name='Authorization', value=***)
    """

    name: str
    value: str = field(repr=lambda _: "***")


def _headers(
    value: Mapping[str, str] | Iterable[Header | tuple[str, str]],
) -> tuple[Header, ...]:
    if isinstance(value, str | bytes):
        # Its letters are no headers, and it may be a credential: it is not shown.
        raise TypeError(f"headers are a mapping or pairs, not {type(value).__name__}")
    return tuple(map(_header, value.items() if isinstance(value, Mapping) else value))


def _header(item: object) -> Header:
    match item:
        case Header():
            return item
        case (str(name), str(text)):
            return Header(name, text)
        case _:
            raise TypeError(f"a header is a name and a value, both str; got {type(item).__name__}")


def _address(value: object) -> str:
    return repr(without_userinfo(value) if isinstance(value, str) else value)


# Zero means unset: Go clients write it for fields that nobody has set.


def _status(value: int) -> int:
    return value or 200


def _port(value: int | None) -> int | None:
    return value or None


def _interval(value: int) -> int:
    return value or DEFAULT_INTERVAL


def _timeout(value: int) -> int:
    return value or DEFAULT_TIMEOUT


def _failure_window(value: int) -> int:
    return value or DEFAULT_FAILURE_WINDOW


def _max_failed_attempts(value: int) -> int:
    return value or 1


@frozen
class HealthCheck:
    """How a parent probes the children that advertise an uplink.

    Units: ``interval``, ``unhealthy_interval`` and ``timeout`` in nanoseconds;
    0 means unset and becomes the default. ``scheme``, ``port`` and ``hostname`` are ``None`` when
    they come from the child's address. ``headers`` is a mapping, or `Header` objects or pairs of
    name and value; anything else is a `TypeError`.

    >>> check = HealthCheck(path="/health", interval=10_000_000_000)
    >>> check.unhealthy_interval == check.interval, check.timeout, check.status
    (True, 5000000000, 200)

    Source: reference page, "Health Check Fields".
    """

    path: str | None = None
    scheme: str | None = None
    mode: str = "http"
    method: str = "GET"
    status: int = field(default=200, converter=_status)
    port: int | None = field(default=None, converter=_port)
    interval: int = field(default=DEFAULT_INTERVAL, converter=_interval)
    unhealthy_interval: int = 0
    timeout: int = field(default=DEFAULT_TIMEOUT, converter=_timeout)
    hostname: str | None = None
    follow_redirects: bool = True
    headers: tuple[Header, ...] = field(default=(), converter=_headers)

    def __attrs_post_init__(self) -> None:
        if not self.unhealthy_interval:
            object.__setattr__(self, "unhealthy_interval", self.interval)


@frozen
class PassiveHealthCheck:
    """How real requests take a child out: so many failures within a window.

    Units: ``failure_window`` in nanoseconds (0 means the default, 10s),
    ``max_failed_attempts`` in requests (0 means the default, 1).

    >>> PassiveHealthCheck()
    PassiveHealthCheck(failure_window=10000000000, max_failed_attempts=1)

    Source: the ``passiveHealthCheck`` field of the Uplink CRD.
    """

    failure_window: int = field(default=DEFAULT_FAILURE_WINDOW, converter=_failure_window)
    max_failed_attempts: int = field(default=1, converter=_max_failed_attempts)


@frozen
class Uplink:
    """A child's declaration that it can serve a workload.

    ``namespace`` is ``""`` when the manifest lacks one. ``weight`` is an int
    from 0 to 2**31 - 1; 0 is advertised but never picked.

    >>> Uplink("api-workload", "apps").uplink_name
    'apps-api-workload'
    >>> Uplink("api-workload", "apps", expose_name="api").uplink_name
    'api'

    Source: reference page, "Configuration Options".
    """

    name: str
    namespace: str
    expose_name: str | None = None
    entry_points: tuple[str, ...] = field(default=(), converter=_tuple)
    weight: int = 1
    health_check: HealthCheck | None = None
    passive_health_check: PassiveHealthCheck | None = None
    annotations: Mapping[str, str] = _mapping()
    origin: Origin = _origin()

    @property
    def uplink_name(self) -> str:
        """The name routers and parents know it by. It is not checked here."""
        if self.expose_name is not None:
            return self.expose_name
        return f"{self.namespace}-{self.name}"

    @property
    def owner(self) -> str:
        """The declaring object as ``namespace/name``: its identity in a cluster."""
        return f"{self.namespace}/{self.name}"


@frozen
class ServiceReference:
    """One entry of a ``services`` list, or one side of a failover.

    ``weight`` is 1 when absent. ``kind`` is ``Service`` (Kubernetes) or
    ``TraefikService`` (another Traefik service, perhaps ``name@provider``).
    """

    name: str
    kind: str = "Service"
    namespace: str | None = None
    port: int | str | None = None
    weight: int = 1
    rest: Mapping[str, Any] = _rest()


@frozen
class Route:
    """One routing rule of an IngressRoute and the services behind it."""

    match: str
    kind: str = "Rule"
    services: tuple[ServiceReference, ...] = field(default=(), converter=_tuple)
    rest: Mapping[str, Any] = _rest()


@frozen
class IngressRoute:
    """A router. With the uplinks annotation it is advertised through uplinks.

    ``entry_points`` and ``tls`` are ``None`` when absent, which differs from
    empty: a router with the annotation must not even write ``tls: {}``.

    >>> IngressRoute("r", "apps", annotations={UPLINKS_ANNOTATION: "a, b"}).uplinks
    ('a', 'b')

    Source: reference page, "Referencing Uplinks from Routers".
    """

    name: str
    namespace: str
    routes: tuple[Route, ...] = field(default=(), converter=_tuple)
    entry_points: tuple[str, ...] | None = None
    tls: Mapping[str, Any] | None = field(default=None, hash=False)
    annotations: Mapping[str, str] = _mapping()
    rest: Mapping[str, Any] = _rest()
    origin: Origin = _origin()

    @property
    def uplinks(self) -> tuple[str, ...]:
        """The uplink names of the annotation, in order, empty elements left out."""
        text = self.annotations.get(UPLINKS_ANNOTATION)
        if text is None:
            return ()
        return tuple(name for name in naming.split_uplinks_annotation(text) if name)

    @property
    def advertised(self) -> bool:
        """True when the router has the uplinks annotation, even an empty one."""
        return UPLINKS_ANNOTATION in self.annotations


@frozen
class Weighted:
    """The services of a weighted TraefikService, in the order they are written."""

    services: tuple[ServiceReference, ...] = field(default=(), converter=_tuple)
    rest: Mapping[str, Any] = _rest()


@frozen
class Failover:
    """A main service and the one that takes over while the main one is down."""

    service: ServiceReference
    fallback: ServiceReference
    rest: Mapping[str, Any] = _rest()


@frozen
class TraefikService:
    """A service composed of others.

    At most one of the two types is used here; other types (mirroring, highest
    random weight) are kept in ``rest``.

    >>> TraefikService("api", "apps").service_name
    'apps-api@kubernetescrd'
    """

    name: str
    namespace: str
    weighted: Weighted | None = None
    failover: Failover | None = None
    annotations: Mapping[str, str] = _mapping()
    rest: Mapping[str, Any] = _rest()
    origin: Origin = _origin()

    @property
    def service_name(self) -> str:
        """The name Traefik gives it: ``<namespace>-<name>@kubernetescrd``."""
        return f"{self.namespace}-{self.name}@kubernetescrd"


@frozen
class UplinkEntryPoint:
    """An entry point of a child for traffic from its parents."""

    address: str = ""
    as_default: bool = False
    rest: Mapping[str, Any] = _rest()


@frozen
class ChildConfig:
    """A child's static configuration: ``hub.uplinkEntryPoints`` and the provider.

    ``multicluster`` is True when ``hub.providers.multicluster`` is present,
    which exposes the API that parents poll.

    >>> ChildConfig({"up": UplinkEntryPoint(":9443", as_default=True)}).default_entry_points
    ('up',)
    """

    uplink_entry_points: Mapping[str, UplinkEntryPoint] = _mapping()
    multicluster: bool = False
    origin: Origin = _origin()

    @property
    def default_entry_points(self) -> tuple[str, ...]:
        """The names of the entry points with ``asDefault: true``, in order."""
        return tuple(name for name, point in self.uplink_entry_points.items() if point.as_default)


@frozen
class Child:
    """One child as its parent lists it: ``address`` is the URL of its entry point.

    >>> Child("https://me:secret@eu.example.com")
    Child(address='https://***@eu.example.com')
    """

    address: str = field(repr=_address)
    rest: Mapping[str, Any] = _rest()


@frozen
class ParentConfig:
    """A parent's static configuration: ``hub.providers.multicluster``.

    >>> ParentConfig({"eu": Child("https://eu.example.com:9443")}).children["eu"].address
    'https://eu.example.com:9443'
    """

    children: Mapping[str, Child] = _mapping()
    rest: Mapping[str, Any] = _rest()
    origin: Origin = _origin()


@frozen
class StaticConfig:
    """One document with a top-level ``hub``.

    A cluster in the middle of a hierarchy is both a child and a parent, so
    both may be there.
    """

    child: ChildConfig | None = None
    parent: ParentConfig | None = None
    origin: Origin = _origin()


Resource = Uplink | IngressRoute | TraefikService | StaticConfig
"""Everything a manifest can hold that means something here."""


@frozen
class Cluster:
    """All that was read of one cluster.

    ``diagnostics`` are the findings made while reading, ``skipped`` counts the
    documents of kinds that mean nothing here. Objects declared twice stay
    twice: a rule reports them.
    """

    name: str
    uplinks: tuple[Uplink, ...] = field(default=(), converter=_tuple)
    routers: tuple[IngressRoute, ...] = field(default=(), converter=_tuple)
    traefik_services: tuple[TraefikService, ...] = field(default=(), converter=_tuple)
    child_config: ChildConfig | None = None
    parent_config: ParentConfig | None = None
    diagnostics: tuple[Diagnostic, ...] = field(default=(), converter=_tuple)
    skipped: int = 0


@frozen
class Fleet:
    """A parent and the children whose manifests were read, by child name."""

    parent: Cluster
    children: Mapping[str, Cluster] = _mapping()

    @property
    def clusters(self) -> tuple[Cluster, ...]:
        """The parent, then the children in the order of their names."""
        return (self.parent, *(self.children[name] for name in sorted(self.children)))


@frozen
class Advertisement:
    """One uplink as one child offers it, with everything resolved.

    ``owner`` is the declaring object as ``namespace/name``, ``entry_points``
    are the child's, ``routers`` the ``namespace/name`` of the routers that
    reference the uplink, sorted. ``exposed`` is True when the uplink name was
    chosen with ``exposeName``, so that it may be shared by different owners.
    """

    uplink_name: str
    owner: str
    entry_points: tuple[str, ...] = field(converter=_tuple)
    weight: int = 1
    health_check: HealthCheck | None = None
    passive_health_check: PassiveHealthCheck | None = None
    routers: tuple[str, ...] = field(default=(), converter=_tuple)
    exposed: bool = False


@frozen(cache_hash=True)
class ChildService:
    """The service ``<uplink-name>-<child>@multicluster``: one child, directly.

    This is what a selector's pick gives: ``url`` is where the request goes.
    """

    name: str
    uplink_name: str
    child: str
    url: str = field(repr=_address)
    health_check: HealthCheck | None = None
    passive_health_check: PassiveHealthCheck | None = None


@frozen
class WeightedChild:
    """One entry of a weighted service: a child service's name and its weight."""

    name: str
    weight: int


@frozen
class WeightedService:
    """The service ``<uplink-name>@multicluster`` over all children that advertise it.

    ``health_check`` is True only when every child has an active check: a
    target without one is never taken out, so there is nothing to pass upward.
    """

    name: str
    uplink_name: str
    children: tuple[WeightedChild, ...] = field(converter=_tuple)
    health_check: bool = False


@frozen
class Services(Mapping[str, WeightedService | ChildService]):
    """What a parent materializes: services by name, in the order of their names.

    >>> len(Services())
    0
    """

    _by_name: Mapping[str, WeightedService | ChildService] = field(
        factory=dict, converter=_frozen_mapping, hash=False
    )

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
