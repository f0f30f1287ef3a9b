"""Who refers to which service, and where: what rules about references share.

Only `weighted` and `failover` of a TraefikService are followed.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from attrs import frozen

from uplinks import naming
from uplinks.diagnostics import Location
from uplinks.model import Cluster, IngressRoute, ServiceReference, TraefikService
from uplinks.tree import Origin

__all__ = ["KIND", "KUBERNETES", "MULTICLUSTER", "Use", "of_cluster", "of_router", "of_service"]

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


_ROUTES: Final = ("spec", "routes")
_WEIGHTED: Final = ("spec", "weighted", "services")
