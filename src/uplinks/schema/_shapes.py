"""The shapes of manifests: what is written where.

Rules of this file:

1. A class here, or one of the model, is a mapping of a manifest. A field's
   written name is its Python name in camelCase; acronyms are capitals.
2. A class with a ``rest`` keeps the fields that it does not know, to write them
   back; all others forbid them.
3. ``metadata`` and ``spec`` are taken apart here and put together in the model.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, Final

import attrs
from attrs import frozen

from uplinks.model import (
    Failover,
    HealthCheck,
    ParentConfig,
    PassiveHealthCheck,
    Route,
    UplinkEntryPoint,
    Weighted,
)

__all__ = [
    "Hub",
    "IngressRouteManifest",
    "IngressRouteSpec",
    "Metadata",
    "Providers",
    "StaticManifest",
    "TraefikServiceManifest",
    "TraefikServiceSpec",
    "UplinkManifest",
    "UplinkSpec",
    "accepted_fields",
    "camel_case",
    "own_fields",
]


@frozen
class Metadata:
    """The part of ``metadata`` that means something here."""

    name: str = ""
    namespace: str = ""
    annotations: Mapping[str, str] = attrs.field(factory=dict)


@frozen
class UplinkSpec:
    """``spec`` of an Uplink."""

    expose_name: str | None = None
    entry_points: tuple[str, ...] = ()
    weight: int = 1
    health_check: HealthCheck | None = None
    passive_health_check: PassiveHealthCheck | None = None


@frozen
class UplinkManifest:
    """An Uplink as it is written."""

    metadata: Metadata = Metadata()
    spec: UplinkSpec = UplinkSpec()


@frozen
class IngressRouteSpec:
    """``spec`` of an IngressRoute."""

    entry_points: tuple[str, ...] | None = None
    routes: tuple[Route, ...] = ()
    tls: Mapping[str, Any] | None = None
    rest: Mapping[str, Any] = attrs.field(factory=dict)


@frozen
class IngressRouteManifest:
    """An IngressRoute as it is written."""

    metadata: Metadata = Metadata()
    spec: IngressRouteSpec = IngressRouteSpec()


@frozen
class TraefikServiceSpec:
    """``spec`` of a TraefikService."""

    weighted: Weighted | None = None
    failover: Failover | None = None
    rest: Mapping[str, Any] = attrs.field(factory=dict)


@frozen
class TraefikServiceManifest:
    """A TraefikService as it is written."""

    metadata: Metadata = Metadata()
    spec: TraefikServiceSpec = TraefikServiceSpec()


@frozen
class Providers:
    """``hub.providers`` of a static configuration."""

    multicluster: ParentConfig | None = None
    rest: Mapping[str, Any] = attrs.field(factory=dict)


@frozen
class Hub:
    """``hub`` of a static configuration."""

    uplink_entry_points: Mapping[str, UplinkEntryPoint] | None = None
    providers: Providers = Providers()
    rest: Mapping[str, Any] = attrs.field(factory=dict)


@frozen
class StaticManifest:
    """A static configuration as it is written."""

    hub: Hub = Hub()
    rest: Mapping[str, Any] = attrs.field(factory=dict)


_OBJECT: Final = frozenset({"apiVersion", "kind", "status"})
_METADATA: Final = frozenset(
    {
        "creationTimestamp",
        "deletionGracePeriodSeconds",
        "deletionTimestamp",
        "finalizers",
        "generateName",
        "generation",
        "labels",
        "managedFields",
        "ownerReferences",
        "resourceVersion",
        "selfLink",
        "uid",
    }
)

_ACCEPTED: Final[Mapping[type, frozenset[str]]] = MappingProxyType(
    {
        Metadata: _METADATA,
        UplinkManifest: _OBJECT,
        IngressRouteManifest: _OBJECT,
        TraefikServiceManifest: _OBJECT,
        # The provider's, not ours: kept in `rest`, but a near miss is a typo.
        ParentConfig: frozenset({"pollInterval", "pollTimeout"}),
    }
)
"""Fields that belong to a class but are not read into it."""

_NOT_WRITTEN: Final = frozenset({"rest", "origin"})


def camel_case(name: str) -> str:
    """Write a Python name the way manifests do.

    >>> camel_case("passive_health_check"), camel_case("root_cas")
    ('passiveHealthCheck', 'rootCAs')
    """
    first, *others = name.split("_")
    return first + "".join(_ACRONYMS.get(word) or word.capitalize() for word in others)


_ACRONYMS: Final = MappingProxyType({"cas": "CAs", "http2": "HTTP2", "uri": "URI"})


def own_fields(cls: type[attrs.AttrsInstance]) -> frozenset[str]:
    """Give the written names of the fields that are read into a class.

    >>> sorted(own_fields(PassiveHealthCheck))
    ['failureWindow', 'maxFailedAttempts']
    """
    return frozenset(camel_case(a.name) for a in attrs.fields(cls) if a.name not in _NOT_WRITTEN)


def accepted_fields(cls: type) -> frozenset[str]:
    """Give the names of fields that may stand there, but are not read into a class.

    >>> "labels" in accepted_fields(Metadata)
    True
    """
    return _ACCEPTED.get(cls, frozenset())
