"""The parts of a parent, and the order in which a change goes through them.

Rules of this file:

1. A refused change changes nothing: it is planned first, and only a valid plan
   is applied.
2. Whatever is over at ``now`` happens first.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from uplinks.errors import UnknownChild, UnknownService
from uplinks.health import Event, HealthPolicy, Outcome, Probe, Transition
from uplinks.model import ChildService, ParentConfig, ServiceReference, TraefikService
from uplinks.naming import nearest, split_service_reference
from uplinks.parent._composed import Composed
from uplinks.parent._eligibility import Eligibility
from uplinks.parent._events import EventStream
from uplinks.parent._offers import Change, Offers
from uplinks.parent._selectors import Selectors
from uplinks.parent._sources import Source
from uplinks.parent._watch import Endpoint, Watch

__all__ = ["Engine"]


class Engine:
    """Offers, the health of their endpoints, and the selectors made of both."""

    def __init__(
        self,
        config: ParentConfig,
        services: Iterable[TraefikService],
        policy: HealthPolicy,
        *,
        start: int,
        scheduler: str,
    ) -> None:
        self.policy: Final = policy
        self.events: Final = EventStream()
        self.watch: Final = Watch(policy, start)
        self.offers: Final = Offers(config)
        self.eligibility: Final = Eligibility(self.watch, policy.panic_threshold)
        self.selectors: Final = Selectors(
            self.offers, services, self.eligibility, start=start, scheduler=scheduler
        )

    # Changing

    def replace(self, source: Source, now: int) -> None:
        """Serve another source, in one step: children, offers and composed services."""
        composed = Composed(source.services)  # refuses collisions
        self.change(self.offers.replace(source.offers, source.config), now, composed)

    def change(self, change: Change, now: int, composed: Composed | None = None) -> None:
        """Apply a planned change. Raises: ValueError, TypeError."""
        plan = self.watch.plan(change)
        self.expire(now)  # the last step that may raise
        self.offers.apply(change)
        for old, new in change.pairs():
            if old is not None and (new is None or new.service.url != old.service.url):
                self.eligibility.release(old.service.name)
        events = self.watch.apply(plan, self.watch.health.now)
        self.selectors.apply(change)
        self.selectors.refresh(offer.service for offer in change.after.values())
        if composed is not None:
            self.selectors.recompose(composed)
        self.publish(events)

    def set_up(self, name: str, now: int, *, up: bool) -> None:
        """Hold out or release a child or one child service."""
        if split_service_reference(name)[1] is None:
            self.check_child(name)
            services = self.offers.of_child(name)
        else:
            services = [self.direct(name)]
        self.expire(now)
        change = self.eligibility.release if up else self.eligibility.hold
        for service in services:
            change(service.name)
        self.selectors.refresh(services)

    # Health

    def expire(self, now: int) -> None:
        """Let happen what is over at ``now``. Raises: TypeError."""
        self.publish(self.watch.health.expire(now))

    def report(self, probe: Probe, outcome: Outcome, now: int) -> None:
        """Take the outcome of a probe."""
        # First, so that an answer at its deadline counts; the machine judges later ones.
        self.publish(self.watch.health.report(probe, outcome, now))
        self.expire(now)

    def observe(
        self, target: ChildService | ServiceReference | str, now: int, *, ok: bool, reason: str
    ) -> None:
        """Take the end of a request."""
        name = target if isinstance(target, str) else target.name
        service = self.direct(name) if isinstance(target, str) else self.offers.direct.get(name)
        self.expire(now)
        endpoint = self.watch.endpoint(name)
        if service is None or endpoint is None:
            return
        if isinstance(target, str) or getattr(target, "url", None) == service.url:
            self.publish(self.watch.health.observe(endpoint, ok, now, reason=reason))

    def publish(self, events: Iterable[Event]) -> None:
        """Keep events, and update the selectors that they concern."""
        for event in events:
            self.events.append(event)
            if isinstance(event, Transition):
                endpoint = event.target
                assert isinstance(endpoint, Endpoint)  # noqa: S101 - the watch adds only endpoints
                direct = self.offers.direct
                self.selectors.refresh(direct[name] for name in self.watch.services(endpoint))

    # Names

    def direct(self, name: str) -> ChildService:
        """Return a child service by its name. Raises: UnknownService."""
        service = self.offers.direct.get(name)
        if service is None:
            raise UnknownService(name, nearest(name, self.offers.direct))
        return service

    def check_child(self, child: str) -> None:
        """Raise UnknownChild for a child that the configuration does not list."""
        children = self.offers.config.children
        if child not in children:
            raise UnknownChild(child, nearest(child, children))

    def composed(self) -> dict[str, TraefikService]:
        """Return the composed services by name."""
        return dict(self.selectors.composed.services)
