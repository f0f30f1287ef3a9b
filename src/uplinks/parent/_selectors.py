"""The selectors that a parent has given out.

Rules of this file:

1. A selector keeps its identity for as long as the parent lives. It is made
   when somebody first asks for it and follows every change from then on;
   a change touches only the targets that it concerns.
2. State goes upward by nesting: a composed service holds the selectors of the
   services that it names, and one with nothing eligible is not eligible.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from math import gcd
from typing import Any, Final

from attrs import evolve

from uplinks.balance import Selector
from uplinks.errors import InvalidWeight
from uplinks.model import (
    MAX_WEIGHT,
    ChildService,
    IngressRoute,
    ServiceReference,
    TraefikService,
    WeightedService,
)
from uplinks.naming import PROVIDER_SUFFIX
from uplinks.parent._composed import Composed, references, service_meant
from uplinks.parent._eligibility import Eligibility
from uplinks.parent._offers import Change, Service, child_service

__all__ = ["Selectors"]


class Selectors:
    """The selectors of services and routes, each made once.

    ``materialized`` are the services that children offer, as they go with the changes.
    """

    def __init__(
        self,
        materialized: Mapping[str, Service],
        composed: Iterable[TraefikService],
        eligibility: Eligibility,
        *,
        start: int,
        scheduler: str,
    ) -> None:
        self.composed: Final = Composed(composed)
        self.by_service: Final[dict[str, Selector]] = {}
        self.failovers: Final[set[Selector]] = set()
        self._materialized = materialized
        self._eligibility = eligibility
        self._start = start
        self._scheduler = scheduler
        self._by_route: dict[tuple[object, ...], Selector] = {}

    def of(self, name: str) -> Selector:
        """Give the selector of a service. O(1), or O(references). Raises: as `Parent.selector`."""
        for each in self.composed.inside_out(name, self._materialized):
            if each not in self.by_service:
                self.by_service[each] = self._make(each)
        return self.by_service[name]

    def of_route(self, router: IngressRoute, index: int) -> Selector:
        """Give the selector of a route. O(references). Raises: as `Parent.route`."""
        services = router.routes[index].services
        targets = [(_target(s, router.namespace, self.of), s.weight) for s in services]
        if len(targets) == 1 and isinstance(targets[0][0], Selector):
            return targets[0][0]
        if len(targets) == 1:
            targets = [(targets[0][0], 1)]
        key = (router.namespace, router.name, index, services)
        if key not in self._by_route:
            self._by_route[key] = self._select(_merged(targets))
        return self._by_route[key]

    def follow(self, change: Change) -> None:
        """Let the selectors of the services concerned have other targets. O(those targets)."""
        for name in change.names:
            selector = self.by_service.get(name)
            if selector is not None and name not in self.composed.services:
                before, after = _targets(change.before, name), _targets(change.after, name)
                added = _replace_targets(selector, before, after)
                self._eligibility.settle(change.after.get(name), selector, added)

    def refresh(self, services: Iterable[ChildService]) -> None:
        """Let every selector that holds one of these child services know whether it is up."""
        for service in services:
            for holder in (service.name, service.uplink_name + PROVIDER_SUFFIX):
                selector = self.by_service.get(holder)
                if selector is not None:
                    self._eligibility.settle(self._materialized.get(holder), selector, (service,))

    def _make(self, name: str) -> Selector:
        """Make the selector of a service whose references have theirs already."""
        own = self.composed.services.get(name)
        if own is None:
            targets = _targets(self._materialized, name)
            selector = self._select(targets.items())
            self._eligibility.settle(self._materialized.get(name), selector, targets)
            return selector
        made = self.by_service.__getitem__
        held = [(_target(r, own.namespace, made), r.weight) for r in references(own)]
        if own.weighted is not None:
            return self._select(_merged(held))
        # A fallback is not weighed: whatever is written there, it takes over.
        selector = Selector([(t, 1) for t in dict(held)], scheduler="failover")
        self.failovers.add(selector)
        return selector

    def _select(self, targets: Iterable[tuple[Any, int]]) -> Selector:
        return Selector(targets, scheduler=self._scheduler, start=self._start)


def _target(
    reference: ServiceReference, namespace: str, selector: Callable[[str], Selector]
) -> Selector | ServiceReference:
    name = service_meant(reference, namespace)
    if name is not None:
        return selector(name)
    # The parent's own Service: nothing here probes it, so it is always up.
    return evolve(reference, namespace=reference.namespace or namespace, weight=1)


def _targets(services: Mapping[str, Service], name: str) -> dict[ChildService, int]:
    """The targets of a materialized service with their weights; none if it is gone."""
    service = services.get(name)
    if isinstance(service, ChildService):
        return {service: 1}
    if isinstance(service, WeightedService):
        return {child_service(services, entry.name): entry.weight for entry in service.children}
    return {}


def _replace_targets(
    selector: Selector, before: dict[ChildService, int], after: dict[ChildService, int]
) -> list[ChildService]:
    """Let a selector have other targets, and tell which are new to it."""
    old = {target.name: target for target in before}
    added = []
    for target, weight in after.items():
        same = old.get(target.name)
        if target not in before and same is not None and same.url == target.url:
            # Only what is checked has changed: state and turn are kept.
            selector.replace(same, target)
            selector.set_weight(target, weight)
        elif target not in before:
            selector.add(target, weight)
            added.append(target)
        elif before[target] != weight:
            selector.set_weight(target, weight)
    # Last, so that a selector whose targets are all replaced is never empty.
    for target in before:
        if target in selector and target not in after:
            selector.remove(target)
    return added


def _merged(
    targets: Iterable[tuple[Selector | ServiceReference, int]],
) -> list[tuple[Selector | ServiceReference, int]]:
    """Join entries with one target: it is one target with the sum of their weights.

    A sum may be more than a weight can be. Shares are all that counts, so then
    the gcd of all is divided out; a sum that is still too large is refused.
    """
    weights: dict[Selector | ServiceReference, int] = {}
    for target, weight in targets:
        if not 0 <= weight <= MAX_WEIGHT:
            raise InvalidWeight(weight)
        weights[target] = weights.get(target, 0) + weight
    if max(weights.values(), default=0) > MAX_WEIGHT:
        common = gcd(*weights.values())
        weights = {target: weight // common for target, weight in weights.items()}
        if (largest := max(weights.values())) > MAX_WEIGHT:
            raise InvalidWeight(largest)
    return list(weights.items())
