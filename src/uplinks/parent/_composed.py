"""The parent's own services that compose others, and what their references mean.

Rules of this file:

1. A reference means a service by its name, materialized or composed, or a
   Kubernetes Service of the parent itself.
2. Each call resolves anew, so that a reference lost since is not hidden.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final

from uplinks.errors import NameCollision, SelectorCycle, UnknownService
from uplinks.model import ServiceReference, TraefikService
from uplinks.naming import nearest, split_service_reference

__all__ = ["Composed", "references", "service_meant"]


class Composed:
    """The composed services by name. Raises: NameCollision when two have one name."""

    def __init__(self, services: Iterable[TraefikService]) -> None:
        self.services: Final = _by_service_name(services)

    def inside_out(self, root: str, materialized: Mapping[str, object]) -> list[str]:
        """Order a service and those below it: each after all that it refers to.

        Complexity: O(references). Raises: UnknownService, SelectorCycle.
        """
        finished: dict[str, None] = {}
        path = {root: iter(self._below(root, materialized))}
        while path:
            name, rest = next(reversed(path.items()))
            below = next(rest, None)
            if below is None:
                path.popitem()
                finished[name] = None
            elif below in path:
                raise SelectorCycle
            elif below not in finished:
                path[below] = iter(self._below(below, materialized))
        return list(finished)

    def _below(self, name: str, materialized: Mapping[str, object]) -> list[str]:
        """Name the services that a service refers to; a materialized one, to none."""
        own = self.services.get(name)
        if own is not None:
            names = (service_meant(each, own.namespace) for each in references(own))
            return [below for below in names if below is not None]
        if name not in materialized:
            raise UnknownService(name, nearest(name, (*materialized, *self.services)))
        return []


def service_meant(reference: ServiceReference, namespace: str) -> str | None:
    """Name the service meant; ``None`` for a Kubernetes Service of the parent.

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
    """Tell what a composed service refers to, a fallback last."""
    if service.weighted is not None:
        return service.weighted.services
    if service.failover is not None:
        return (service.failover.service, service.failover.fallback)
    return ()


def _by_service_name(services: Iterable[TraefikService]) -> dict[str, TraefikService]:
    """Index what composes others; other types name nothing that could be picked."""
    owners: dict[str, list[TraefikService]] = {}
    for service in services:
        if service.weighted is not None or service.failover is not None:
            owners.setdefault(service.service_name, []).append(service)
    collisions = {
        name: tuple(sorted(f"TraefikService {s.namespace}/{s.name}" for s in claims))
        for name, claims in sorted(owners.items())
        if len(claims) > 1
    }
    if collisions:
        raise NameCollision(collisions)
    return {name: service for name, (service,) in owners.items()}
