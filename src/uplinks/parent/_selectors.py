"""The selectors that a parent has given out.

Rules of this file:

1. A selector keeps its identity as long as the parent lives. It is made on first
   use and follows every change; a change touches only its own targets.
2. Health passes upward by nesting: a composed service holds the selectors of the
   services it refers to. One with nothing eligible is not eligible.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from math import gcd
from typing import Any, Final

from attrs import evolve

from uplinks.balance import Selector
from uplinks.errors import InvalidWeight, SelectorCycle, UnknownService
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
from uplinks.parent._ramps import Ramps, ramped

__all__ = ["Selectors"]


class Selectors:
    """The selectors of services and routes, each made once."""

    def __init__(
        self,
        offers: Offers,
        composed: Iterable[TraefikService],
        eligibility: Eligibility,
        ramps: Ramps,
        *,
        start: int,
        scheduler: str,
    ) -> None:
        self.composed = Composed(composed)
        self.by_service: Final[dict[str, Selector[Any]]] = {}
        self.failovers: Final[set[Selector[Any]]] = set()
        self.ramps: Final = ramps
        self._offers = offers
        self._eligibility = eligibility
        self._start = start
        self._scheduler = scheduler
        self._by_route: dict[tuple[object, ...], Selector[Any]] = {}
        self._kept: set[str] = set()
        self._unresolved: set[str] = set()  # composed, given out, without a usable definition

    def of(self, name: str) -> Selector[Any]:
        """Return a service's selector. O(1), or O(references). Raises: as `Parent.selector`."""
        if name in self._kept:
            return self.by_service[name]
        for each in self.composed.in_order(name, self._offers):
            if each not in self.by_service:
                self.by_service[each] = self._make(each)
            elif each in self._unresolved:
                self._rebuild([each])
        return self.by_service[name]

    def keep(self, name: str) -> None:
        """Make a selector that stays known while its service has no children."""
        self._kept.add(name)
        self.by_service[name] = self._make(name)

    def of_route(self, router: IngressRoute, index: int) -> Selector[Any]:
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

    def children(self, selector: Selector[Any]) -> list[str]:
        """Return the names of the child services below a selector, each once."""
        names: dict[str, None] = {}
        below = [selector]
        for each in below:
            for target in each.weights:
                if isinstance(target, ChildService):
                    names[target.name] = None
                elif isinstance(target, Selector):
                    below.append(target)
        return list(names)

    def apply(self, change: Change) -> None:
        """Give the selectors of the offers touched their new targets. O(offers touched)."""
        gone: list[tuple[Selector[Any], ChildService, bool]] = []
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
            if weighted:
                self._reweigh(weighted_service_name(service.uplink_name))
            self._eligibility.update(selector, (), weighted=weighted)  # a panic may begin or end

    def recompose(self, composed: Composed) -> None:
        """Serve other composed services. O(references of those that changed).

        A selector given out follows its service. While the service is gone, or
        a reference of it is, it has no targets.
        """
        old, self.composed = self.composed.services, composed
        changed = {n for n in {*old, *composed.services} if old.get(n) != composed.services.get(n)}
        self._rebuild([n for n in self.by_service if n in changed or n in self._unresolved])

    def _rebuild(self, names: Iterable[str]) -> None:
        """Give the selectors of composed services the targets of their present definition."""
        wanted = {self.by_service[name]: self._wanted(name) for name in names}
        postponed: list[tuple[Selector[Any], Any, int]] = []
        for selector, targets in wanted.items():
            for target, weight in targets.items():
                try:
                    if target in selector:
                        selector.set_weight(target, weight)
                    else:
                        selector.add(target, weight)
                except SelectorCycle:  # until another selector has lost this one
                    postponed.append((selector, target, weight))
        for selector, targets in wanted.items():
            for target in tuple(selector.weights):
                if target not in targets:
                    selector.remove(target)
        for selector, target, weight in postponed:
            selector.add(target, weight)

    def _wanted(self, name: str) -> dict[Any, int]:
        """Return the targets of a composed service that has a selector already."""
        self._unresolved.discard(name)
        own = self.composed.services.get(name)
        if own is None:
            self._unresolved.add(name)
            return {}
        try:
            for each in self.composed.in_order(name, self._offers):
                if each not in self.by_service:
                    self.by_service[each] = self._make(each)
            if own.weighted is not None and self.by_service[name] not in self.failovers:
                return dict(_merge(self._references(own)))
            # Another scheduler is needed: its selector becomes the only target of the old one.
            return {self._make(name): 1}
        except (UnknownService, SelectorCycle, InvalidWeight):
            self._unresolved.add(name)
            return {}

    def refresh(self, services: Iterable[ChildService]) -> None:
        """Set whether these services may be picked, and how often, wherever they are held."""
        services = list(services)
        for service in services:
            up = self._eligibility.is_up(service.name)
            self.ramps.note(service.name, self._eligibility.now, up=up)
        # First, so that a target which comes back is never picked with too large a weight.
        for uplink in dict.fromkeys(service.uplink_name for service in services):
            self._reweigh(weighted_service_name(uplink))
        for service in services:
            for selector, weighted in self._holders(service):
                self._eligibility.update(selector, (service,), weighted=weighted)

    def _reweigh(self, name: str) -> None:
        """Give the targets of a weighted service the weights at their steps."""
        selector = self.by_service.get(name)
        if selector is None or not self.ramps.active:
            return
        held = selector.weights
        wanted = self._ramped(self._offers.targets(name) or {})
        selector.update({t: w for t, w in wanted.items() if held.get(t) not in {None, w}})

    def _ramped(self, targets: Mapping[ChildService, int]) -> dict[ChildService, int]:
        now, up = self._eligibility.now, self._eligibility.is_up
        able = [target for target, weight in targets.items() if weight and up(target.name)]
        return ramped(targets, {target: self.ramps.step(target.name, now) for target in able})

    def _holders(self, service: ChildService) -> list[tuple[Selector[Any], bool]]:
        """Return the selectors that hold a child service: the direct and the weighted one."""
        names = ((service.name, False), (weighted_service_name(service.uplink_name), True))
        found = ((self.by_service.get(name), weighted) for name, weighted in names)
        return [(selector, weighted) for selector, weighted in found if selector is not None]

    def _make(self, name: str) -> Selector[Any]:
        """Make the selector of a service whose references have theirs already."""
        own = self.composed.services.get(name)
        if own is None:
            targets = self._offers.targets(name) or {}
            selector = self._select(targets.items())
            self._eligibility.update(selector, targets, weighted=name not in self._offers.direct)
            if self.ramps.active and name not in self._offers.direct:
                selector.update(self._ramped(targets))
            return selector
        held = self._references(own)
        if own.weighted is not None:
            return self._select(_merge(held))
        # A failover ignores weights.
        selector = Selector([(t, 1) for t in dict(held)], scheduler="failover")
        self.failovers.add(selector)
        return selector

    def _references(
        self, own: TraefikService
    ) -> list[tuple[Selector[Any] | ServiceReference, int]]:
        """Return what a composed service refers to, with weights; its selectors are made."""
        made = self.by_service.__getitem__
        return [(_target(r, own.namespace, made), r.weight) for r in references(own)]

    def _select(self, targets: Iterable[tuple[Any, int]]) -> Selector[Any]:
        return Selector(targets, scheduler=self._scheduler, start=self._start)


def _same_place(old: ChildService, new: ChildService) -> bool:
    return old.url == new.url


def _target(
    reference: ServiceReference, namespace: str, selector: Callable[[str], Selector[Any]]
) -> Selector[Any] | ServiceReference:
    name = service_of(reference, namespace)
    if name is not None:
        return selector(name)
    # The parent's own Service: it is not probed here, so it is always up.
    return evolve(reference, namespace=reference.namespace or namespace, weight=1)


def _merge(
    targets: Iterable[tuple[Selector[Any] | ServiceReference, int]],
) -> list[tuple[Selector[Any] | ServiceReference, int]]:
    """Merge entries with one target into one with the sum of their weights.

    A sum may exceed the largest weight. Only shares matter, so then all weights
    are divided by their gcd; a sum that is still too large is refused.
    """
    weights: dict[Selector[Any] | ServiceReference, int] = {}
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
