"""The parent's own composed services, and what their references mean.

A reference means a service by its name, materialized or composed, or a
Kubernetes Service of the parent itself. Each call resolves anew, so that a
reference lost since is noticed.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from uplinks.errors import NameCollision, SelectorCycle, UnknownService
from uplinks.model import ServiceReference, TraefikService
from uplinks.naming import nearest, split_service_reference
from uplinks.parent._offers import Offers

__all__ = ["Composed", "references", "service_of"]


class Composed:
    """The composed services by name. Raises: NameCollision when two have one name."""

    def __init__(self, services: Iterable[TraefikService]) -> None:
        self.services: Final = _by_service_name(services)

    def in_order(self, root: str, offers: Offers) -> list[str]:
        """Order a service and all it refers to: each after its references.

        Complexity: O(references). Raises: UnknownService, SelectorCycle.
        """
        finished: dict[str, None] = {}
        path = {root: iter(self._below(root, offers))}
        while path:
            name, rest = next(reversed(path.items()))
            below = next(rest, None)
            if below is None:
                path.popitem()
                finished[name] = None
            elif below in path:
                raise SelectorCycle
            elif below not in finished:
                path[below] = iter(self._below(below, offers))
        return list(finished)

    def _below(self, name: str, offers: Offers) -> list[str]:
        """Return the services that a service refers to; none for a materialized one."""
        own = self.services.get(name)
        if own is not None:
            names = (service_of(each, own.namespace) for each in references(own))
            return [below for below in names if below is not None]
        if not offers.has(name):
            raise UnknownService(name, nearest(name, (*offers.names(), *self.services)))
        return []


def service_of(reference: ServiceReference, namespace: str) -> str | None:
    """Return the name of the service meant; ``None`` for a Kubernetes Service of the parent.

    Raises: UnknownService for a Kubernetes Service of another provider.
    """
    _, provider = split_service_reference(reference.name)
    if reference.kind != "TraefikService":
        if provider is not None:
            raise UnknownService(reference.name)
        return None
    if provider is not None:
        return reference.name
    return f"{reference.namespace or namespace}-{reference.name}@kubernetescrd"


def references(service: TraefikService) -> tuple[ServiceReference, ...]:
    """Return the references of a composed service, a fallback last."""
    if service.weighted is not None:
        return service.weighted.services
    if service.failover is not None:
        return (service.failover.service, service.failover.fallback)
    return ()


def _by_service_name(services: Iterable[TraefikService]) -> dict[str, TraefikService]:
    """Index the services that compose others; the other types cannot be picked from."""
    owners: dict[str, list[TraefikService]] = {}
    for service in services:
        if service.weighted is not None or service.failover is not None:
            owners.setdefault(service.service_name, []).append(service)
    collisions = {
        name: tuple(sorted(f"TraefikService {s.owner}" for s in claims))
        for name, claims in sorted(owners.items())
        if len(claims) > 1
    }
    if collisions:
        raise NameCollision(collisions)
    return {name: service for name, (service,) in owners.items()}
