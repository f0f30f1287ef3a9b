"""What a reference in a manifest is called in the rendered configuration.

Names that are written here never meet names that children choose. An uplink
name has no ``_``, so no ``<uplink>`` and no ``<uplink>-<child>`` starts with
``service_`` or ``route_``.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from graphlib import CycleError, TopologicalSorter
from typing import Final

from attrs import frozen

from uplinks import naming
from uplinks.errors import SelectorCycle
from uplinks.model import (
    Cluster,
    IngressRoute,
    Route,
    ServiceReference,
    TraefikService,
    written_references,
)
from uplinks.render._options import KUBERNETES, TraefikOptions

__all__ = [
    "References",
    "composed_name",
    "inside_out",
    "kubernetes_name",
    "object_references",
    "route_name",
    "route_service_name",
    "uplink_references",
]

_MULTICLUSTER: Final = naming.PROVIDER_SUFFIX.removeprefix("@")
_HASH_LENGTH: Final = 20  # hexadecimal digits


def composed_name(service: TraefikService) -> str:
    """Name a TraefikService in the output."""
    return f"service_{service.namespace}-{service.name}"


def route_name(router: IngressRoute, route: Route) -> str:
    """Name a route as Traefik's Kubernetes provider does.

    >>> route = Route("Host(`foo.com`) && PathPrefix(`/foo`)")
    >>> route_name(IngressRoute("r", "apps"), route)
    'apps-r-77c62dfe9517144aeeaa'

    Source: Traefik, ``makeServiceKey``.
    """
    digest = hashlib.sha256(route.match.encode("utf-8", "replace")).hexdigest()[:_HASH_LENGTH]
    return naming.normalize(f"{router.namespace}-{router.name}-{digest}")


def route_service_name(router: IngressRoute, route: Route) -> str:
    """Name the weighted service over the services of one route."""
    return f"route_{route_name(router, route)}"


@frozen
class References:
    """Rewrite references: those to ``composed`` services, by their names in Kubernetes, are ours.

    >>> refs = References(TraefikOptions(), {})
    >>> refs.rewrite(ServiceReference("api@multicluster", "TraefikService"), "apps")
    'api@file'
    >>> refs.rewrite(ServiceReference("web", port=80), "apps")
    'apps-web-80@kubernetescrd'
    """

    options: TraefikOptions
    composed: Mapping[str, TraefikService]

    def rewrite(self, reference: ServiceReference, namespace: str) -> str:
        """Name the service of a reference that an object in ``namespace`` makes."""
        name, provider = naming.split_service_reference(reference.name)
        if provider == _MULTICLUSTER:
            return self.options.qualify(name)
        service = self.composed.get(kubernetes_name(reference, namespace) or "")
        if service is not None:
            return self.options.qualify(composed_name(service))
        if provider is not None:
            return f"{naming.normalize(name)}@{provider}"
        parts = [reference.name]
        if reference.kind != "TraefikService" and reference.port not in (None, 0, ""):
            parts.append(str(reference.port))
        return self.options.own(reference.namespace or namespace, "-".join(parts))

    def leads_to_uplinks(self, reference: ServiceReference, namespace: str) -> bool:
        """Whether a reference is to an uplink, or to a service composed of uplinks."""
        _, provider = naming.split_service_reference(reference.name)
        return provider == _MULTICLUSTER or kubernetes_name(reference, namespace) in self.composed


def kubernetes_name(reference: ServiceReference, namespace: str) -> str | None:
    """Give the ``service_name`` of the TraefikService that is meant, if it is one."""
    name, provider = naming.split_service_reference(reference.name)
    if reference.kind != "TraefikService":
        return None
    if provider is None:
        return f"{reference.namespace or namespace}-{name}@{KUBERNETES}"
    return reference.name


# --- TraefikServices as they refer to each other ------------------------------


def object_references(service: TraefikService) -> list[ServiceReference]:
    """List every reference of a TraefikService, whatever its type."""
    found: list[ServiceReference] = []
    if service.weighted is not None:
        found += service.weighted.services
    if service.failover is not None:
        found += (service.failover.service, service.failover.fallback)
    mirroring = service.rest.get("mirroring")
    if isinstance(mirroring, Mapping):
        found += (reference for _, reference, _ in written_references([mirroring]))
        found += (reference for _, reference, _ in written_references(mirroring.get("mirrors")))
    highest = service.rest.get("highestRandomWeight")
    if isinstance(highest, Mapping):
        found += (reference for _, reference, _ in written_references(highest.get("services")))
    return found


def uplink_references(cluster: Cluster) -> set[str]:
    """Return the names of the materialized services that a parent's own objects refer to.

    >>> api = ServiceReference("api@multicluster", "TraefikService")
    >>> route = Route("Path(`/`)", services=[api])
    >>> uplink_references(Cluster("parent", routers=[IngressRoute("r", "apps", [route])]))
    {'api@multicluster'}
    """
    found = [each for service in cluster.traefik_services for each in object_references(service)]
    for router in cluster.routers:
        if not router.advertised:
            found += (each for route in router.routes for each in route.services)
    names = {reference.name for reference in found}
    return {name for name in names if naming.split_service_reference(name)[1] == _MULTICLUSTER}


def inside_out(services: Mapping[str, TraefikService]) -> list[TraefikService]:
    """Order services so that each follows those that it refers to.

    Complexity: O(references). Raises: SelectorCycle.
    """
    below = {
        name: [
            target
            for reference in object_references(service)
            if (target := kubernetes_name(reference, service.namespace) or "") in services
        ]
        for name, service in services.items()
    }
    try:
        return [services[name] for name in TopologicalSorter(below).static_order()]
    except CycleError:
        raise SelectorCycle from None
