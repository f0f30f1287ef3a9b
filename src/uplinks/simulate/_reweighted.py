"""The weights of a parent's own services, as a cutover patches them.

A weighted TraefikService has weights of its own, so the weight that a child advertises does
not matter where an entry leads to that child alone.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from attrs import evolve

from uplinks.model import ChildService, ServiceReference, Services, TraefikService
from uplinks.parent._composed import references, service_of

__all__ = ["reweighted"]


def reweighted(
    composed: Iterable[TraefikService], services: Services, child: str, weight: int
) -> tuple[TraefikService, ...]:
    """Set the weight of each entry that leads to one child only.

    ``services`` are the materialized ones. Complexity: O(references), for each entry.
    """
    composed = tuple(composed)
    own = {service.service_name: service for service in composed}

    def entry_of(entry: ServiceReference, namespace: str) -> ServiceReference:
        name = service_of(entry, namespace)
        alone = name is not None and set(_children_of(name, own, services)) == {child}
        return evolve(entry, weight=weight) if alone else entry

    def changed(service: TraefikService) -> TraefikService:
        weighted = service.weighted
        if weighted is None:
            return service
        entries = [entry_of(entry, service.namespace) for entry in weighted.services]
        return evolve(service, weighted=evolve(weighted, services=entries))

    return tuple(map(changed, composed))


def _children_of(
    root: str, own: Mapping[str, TraefikService], services: Services
) -> Iterator[str | None]:
    """Give the children that a service leads to; ``None`` for what is not of a child."""
    waiting, seen = [root], {root}
    while waiting:
        name = waiting.pop()
        composed, service = own.get(name), services.get(name)
        if composed is not None:
            below = [service_of(each, composed.namespace) for each in references(composed)]
        elif service is None:
            below = [None]
        elif isinstance(service, ChildService):
            yield service.child
            continue
        else:
            below = [child.name for child in service.children]
        for each in below:
            if each is None:
                yield None
            elif each not in seen:
                seen.add(each)
                waiting.append(each)
