"""Objects of a cluster: uplinks, routers, and services that compose others."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import cached_property
from typing import TYPE_CHECKING, Any, Final

from attrs import field, frozen

from uplinks import naming
from uplinks.located import Origin
from uplinks.model._checks import HealthCheck, PassiveHealthCheck
from uplinks.model._fields import Copyable, mapping_field, origin_field, rest_field, to_tuple

if TYPE_CHECKING:
    from uplinks.router_rules import RouterRule, RuleSyntax

__all__ = [
    "MAX_WEIGHT",
    "UPLINKS_ANNOTATION",
    "Failover",
    "IngressRoute",
    "OtherObject",
    "Route",
    "ServiceReference",
    "TraefikService",
    "Uplink",
    "Weighted",
    "written_references",
]

MAX_WEIGHT: Final = 2**31 - 1
UPLINKS_ANNOTATION: Final = "hub.traefik.io/router.uplinks"


@frozen
class Uplink(Copyable):
    """A child's declaration that it can serve a workload.

    ``namespace`` is ``""`` for an uplink of Traefik's file provider, which is known by
    its ``expose_name``. ``weight`` is an int from 0 to 2**31 - 1; 0 is advertised but
    never picked.

    >>> Uplink("api-workload", "apps").uplink_name
    'apps-api-workload'
    >>> Uplink("api-workload", "apps", expose_name="api").uplink_name
    'api'

    Source: reference page, "Configuration Options".
    """

    name: str
    namespace: str
    expose_name: str | None = None
    entry_points: tuple[str, ...] = field(default=(), converter=to_tuple)
    weight: int = 1
    health_check: HealthCheck | None = None
    passive_health_check: PassiveHealthCheck | None = None
    annotations: Mapping[str, str] = mapping_field()
    origin: Origin = origin_field()

    @cached_property  # most rules ask for it
    def uplink_name(self) -> str:
        """The name that routers and parents refer to. It is not checked here."""
        if self.expose_name is not None:
            return self.expose_name
        return f"{self.namespace}-{self.name}"

    @property
    def owner(self) -> str:
        """The declaring object as ``namespace/name``: its identity in a cluster."""
        return _owner(self.namespace, self.name)


def _owner(namespace: str, name: str) -> str:
    return f"{namespace}/{name}" if namespace else f"{name}@file"


@frozen
class ServiceReference(Copyable):
    """One entry of a ``services`` list, or one side of a failover.

    ``weight`` is 1 when absent. ``kind`` is ``Service`` (Kubernetes) or
    ``TraefikService`` (another Traefik service, perhaps ``name@provider``).
    """

    name: str
    kind: str = "Service"
    namespace: str | None = None
    port: int | str | None = None
    weight: int = 1
    rest: Mapping[str, Any] = rest_field()


@frozen
class Route(Copyable):
    """One routing rule of an IngressRoute and the services behind it."""

    match: str
    kind: str = "Rule"
    services: tuple[ServiceReference, ...] = field(default=(), converter=to_tuple)
    rest: Mapping[str, Any] = rest_field()

    def rule(self, default: RuleSyntax = "v3") -> RouterRule:
        """Parse the match, once for each syntax.

        ``default`` is the syntax of a route that sets none.

        >>> Route("PathPrefix(`/api`)").rule().valid
        True
        """
        given = self.rest.get("syntax")
        syntax: RuleSyntax = default if given in {None, ""} else "v2" if given == "v2" else "v3"
        found: RouterRule | None = self._rules.get(syntax)
        if found is None:
            from uplinks.router_rules import parse_rule  # noqa: PLC0415 - many files have no routes

            found = self._rules[syntax] = parse_rule(self.match, syntax)
        return found

    @cached_property
    def _rules(self) -> dict[str, Any]:  # by syntax; attrs evaluates the type, so it is a plain one
        return {}


@frozen
class IngressRoute(Copyable):
    """A router. With the uplinks annotation it is advertised through uplinks.

    ``entry_points`` and ``tls`` are ``None`` when absent. An empty ``tls`` differs from
    an absent one: a router with the annotation must not even write ``tls: {}``.
    ``namespace`` is ``""`` for a router of Traefik's file provider.

    >>> IngressRoute("r", "apps", annotations={UPLINKS_ANNOTATION: "a, b"}).uplinks
    ('a', 'b')

    Source: reference page, "Referencing Uplinks from Routers".
    """

    name: str
    namespace: str
    routes: tuple[Route, ...] = field(default=(), converter=to_tuple)
    entry_points: tuple[str, ...] | None = None
    tls: Mapping[str, Any] | None = field(default=None, hash=False)
    annotations: Mapping[str, str] = mapping_field()
    rest: Mapping[str, Any] = rest_field()
    origin: Origin = origin_field()

    @property
    def owner(self) -> str:
        """The declaring object as ``namespace/name``: its identity in a cluster."""
        return _owner(self.namespace, self.name)

    @cached_property
    def uplinks(self) -> tuple[str, ...]:
        """The uplink names of the annotation, in order, empty elements left out."""
        return tuple(name for name in self.annotation_elements if name)

    @cached_property
    def annotation_elements(self) -> tuple[str, ...]:
        """The elements of the annotation, in order, with the empty ones."""
        text = self.annotations.get(UPLINKS_ANNOTATION)
        return () if text is None else naming.split_uplinks_annotation(text)

    @property
    def advertised(self) -> bool:
        """True when the router has the uplinks annotation, even an empty one."""
        return UPLINKS_ANNOTATION in self.annotations


@frozen
class Weighted(Copyable):
    """The services of a weighted TraefikService, in the order they are written."""

    services: tuple[ServiceReference, ...] = field(default=(), converter=to_tuple)
    rest: Mapping[str, Any] = rest_field()


@frozen
class Failover(Copyable):
    """A main service and the one that takes over while the main one is down."""

    service: ServiceReference
    fallback: ServiceReference
    rest: Mapping[str, Any] = rest_field()


@frozen
class TraefikService(Copyable):
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
    annotations: Mapping[str, str] = mapping_field()
    rest: Mapping[str, Any] = rest_field()
    origin: Origin = origin_field()

    @property
    def service_name(self) -> str:
        """The name Traefik gives it: ``<namespace>-<name>@kubernetescrd``, or ``<name>@file``."""
        if not self.namespace:
            return f"{self.name}@file"
        return f"{self.namespace}-{self.name}@kubernetescrd"

    @property
    def owner(self) -> str:
        """The declaring object as ``namespace/name``: its identity in a cluster."""
        return _owner(self.namespace, self.name)


@frozen
class OtherObject(Copyable):
    """An object that routers refer to, or that refers to services.

    Its kind is ``Middleware``, ``ServersTransport``, ``TLSOption``, ``Ingress`` or
    ``HTTPRoute``; ``spec`` is as it is written.

    >>> OtherObject("traefik.io/v1alpha1", "Middleware", "auth", "apps").owner
    'apps/auth'
    """

    api_version: str
    kind: str
    name: str
    namespace: str
    spec: Mapping[str, Any] = rest_field()
    annotations: Mapping[str, str] = mapping_field()
    origin: Origin = origin_field()

    @property
    def owner(self) -> str:
        """The object as ``namespace/name``."""
        return f"{self.namespace}/{self.name}"


def written_references(
    items: Any,
) -> Iterator[tuple[int, ServiceReference, Mapping[str, Any]]]:
    """Yield the references in a list, each with its index and all its fields.

    Items without a name are left out, and fields of a wrong type count as absent.

    >>> [(i, reference.name) for i, reference, _ in written_references([{}, {"name": "a"}])]
    [(1, 'a')]
    """
    for index, item in enumerate(items if isinstance(items, list | tuple) else ()):
        if isinstance(item, Mapping) and isinstance(item.get("name"), str):
            yield index, _reference(item), item


def _reference(item: Mapping[str, Any]) -> ServiceReference:
    kind, namespace, port, weight = map(item.get, ("kind", "namespace", "port", "weight"))
    return ServiceReference(
        item["name"],
        kind=kind if isinstance(kind, str) and kind else "Service",
        namespace=namespace if isinstance(namespace, str) else None,
        port=port if isinstance(port, int | str) else None,
        weight=weight if isinstance(weight, int) else 1,
        rest={key: item[key] for key in ("middlewares", "serversTransport") if key in item},
    )
