"""The selectors that a parent has given out.

Rules of this file:

1. A selector keeps its identity as long as the parent lives. It is made on first
   use and follows every change; a change touches only its own targets.
2. Health passes upward by nesting: a composed service holds the selectors of the
   services it refers to. One with nothing eligible is not eligible.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
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
)
from uplinks.naming import weighted_service_name
from uplinks.parent._composed import Composed, references, service_of
from uplinks.parent._eligibility import Eligibility
from uplinks.parent._offers import Change, Offers

__all__ = ["Selectors"]


class Selectors:
    """The selectors of services and routes, each made once."""

    def __init__(
        self,
        offers: Offers,
        composed: Iterable[TraefikService],
        eligibility: Eligibility,
        *,
        start: int,
        scheduler: str,
    ) -> None:
        self.composed: Final = Composed(composed)
        self.by_service: Final[dict[str, Selector]] = {}
        self.failovers: Final[set[Selector]] = set()
        self._offers = offers
        self._eligibility = eligibility
        self._start = start
        self._scheduler = scheduler
        self._by_route: dict[tuple[object, ...], Selector] = {}

    def of(self, name: str) -> Selector:
        """Return a service's selector. O(1), or O(references). Raises: as `Parent.selector`."""
        for each in self.composed.in_order(name, self._offers):
            if each not in self.by_service:
                self.by_service[each] = self._make(each)
        return self.by_service[name]

    def of_route(self, router: IngressRoute, index: int) -> Selector:
        """Return a route's selector. O(references). Raises: as `Parent.route`."""
        services = router.routes[index].services
        targets = [(_target(s, router.namespace, self.of), s.weight) for s in services]
        if len(targets) == 1 and isinstance(targets[0][0], Selector):
            return targets[0][0]
        if len(targets) == 1:
            targets = [(targets[0][0], 1)]
        key = (router.namespace, router.name, index, services)
        if key not in self._by_route:
            self._by_route[key] = self._select(_merge(targets))
        return self._by_route[key]

    def apply(self, change: Change) -> None:
        """Give the selectors of the offers touched their new targets. O(offers touched)."""
        gone: list[tuple[Selector, ChildService, bool]] = []
        for old, new in change.pairs():
            for selector, weighted in self._holders((new or old).service):  # type: ignore[union-attr]
                if old is None or new is None or not _same_place(old.service, new.service):
                    if new is not None:
                        selector.add(new.service, new.advertisement.weight if weighted else 1)
                    if old is not None:
                        gone.append((selector, old.service, weighted))
                    continue
                if old.service != new.service:
                    # Only the checks have changed: state and turn are kept.
                    selector.replace(old.service, new.service)
                if weighted and old.advertisement.weight != new.advertisement.weight:
                    selector.set_weight(new.service, new.advertisement.weight)
        # Last, so that a selector whose targets are all replaced is never empty.
        for selector, service, weighted in gone:
            selector.remove(service)
            self._eligibility.update(selector, (), weighted=weighted)  # a panic may begin or end

    def refresh(self, services: Iterable[ChildService]) -> None:
        """Set whether these services may be picked, in every selector that holds them."""
        for service in services:
            for selector, weighted in self._holders(service):
                self._eligibility.update(selector, (service,), weighted=weighted)

    def _holders(self, service: ChildService) -> list[tuple[Selector, bool]]:
        """Return the selectors that hold a child service: the direct and the weighted one."""
        names = ((service.name, False), (weighted_service_name(service.uplink_name), True))
        found = ((self.by_service.get(name), weighted) for name, weighted in names)
        return [(selector, weighted) for selector, weighted in found if selector is not None]

    def _make(self, name: str) -> Selector:
        """Make the selector of a service whose references have theirs already."""
        own = self.composed.services.get(name)
        if own is None:
            targets = self._offers.targets(name) or {}
            selector = self._select(targets.items())
            self._eligibility.update(selector, targets, weighted=name not in self._offers.direct)
            return selector
        made = self.by_service.__getitem__
        held = [(_target(r, own.namespace, made), r.weight) for r in references(own)]
        if own.weighted is not None:
            return self._select(_merge(held))
        # A failover ignores weights.
        selector = Selector([(t, 1) for t in dict(held)], scheduler="failover")
        self.failovers.add(selector)
        return selector

    def _select(self, targets: Iterable[tuple[Any, int]]) -> Selector:
        return Selector(targets, scheduler=self._scheduler, start=self._start)


def _same_place(old: ChildService, new: ChildService) -> bool:
    return old.url == new.url


def _target(
    reference: ServiceReference, namespace: str, selector: Callable[[str], Selector]
) -> Selector | ServiceReference:
    name = service_of(reference, namespace)
    if name is not None:
        return selector(name)
    # The parent's own Service: it is not probed here, so it is always up.
    return evolve(reference, namespace=reference.namespace or namespace, weight=1)


def _merge(
    targets: Iterable[tuple[Selector | ServiceReference, int]],
) -> list[tuple[Selector | ServiceReference, int]]:
    """Merge entries with one target into one with the sum of their weights.

    A sum may exceed the largest weight. Only shares matter, so then all weights
    are divided by their gcd; a sum that is still too large is refused.
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
