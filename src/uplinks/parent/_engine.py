"""The parts of a parent, and the order in which a change goes through them.

Rules of this file:

1. A refused change changes nothing: it is planned first, and only a valid plan
   is applied.
2. Whatever is over at ``now`` happens first.
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Callable, Iterable
from contextlib import AbstractContextManager, nullcontext
from typing import Any, Final

from uplinks._leases import Leases, Observed
from uplinks.balance import Selector
from uplinks.errors import UnknownChild, UnknownService
from uplinks.health import Budget, Event, HealthPolicy, Outcome, Probe, State, Transition
from uplinks.model import ChildService, ParentConfig, ServiceReference, TraefikService
from uplinks.naming import nearest, split_service_reference
from uplinks.parent._composed import Composed
from uplinks.parent._eligibility import Eligibility
from uplinks.parent._events import EventStream
from uplinks.parent._offers import Change, Offers
from uplinks.parent._ramps import Ramps
from uplinks.parent._selectors import Selectors
from uplinks.parent._sources import Source
from uplinks.parent._watch import Endpoint, Watch

__all__ = ["Engine", "Target"]

_REFRESHED_AT_ONCE: Final = 1_000
"""Services whose selectors are updated in one step, in a few milliseconds."""

Target = ChildService | ServiceReference
"""What a pick returns: a child service, or a Kubernetes Service of the parent itself."""


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
        self.observed: Final = Observed()
        self.observed.always = bool(policy.failure_rate)
        # Of names that resolve at present; a change clears both.
        self.known: Final[dict[str | None, Selector[Any]]] = {}
        self.ready: Final[dict[str | None, Leases]] = {}
        self.lock: AbstractContextManager[object] = nullcontext()
        self.clock: Callable[[], int] | None = None
        self.reporter: Callable[[Target, bool, str], object] = self._report_now
        self._leases: dict[str, Leases] = {}
        self.budgets: Final[dict[str, Budget]] = {}  # by the name of a service
        self.failures: Final[Counter[str]] = Counter()  # requests, by the name of a child service
        self._pending: deque[str] = deque()  # services whose selectors are behind their endpoint
        self.watch: Final = Watch(policy, start)
        self.offers: Final = Offers(config)
        self.eligibility: Final = Eligibility(self.watch, policy)
        self.selectors: Final = Selectors(
            self.offers,
            services,
            self.eligibility,
            Ramps(policy.slow_start),
            start=start,
            scheduler=scheduler,
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
                self.selectors.ramps.forget(old.service.name)
            if old is not None and new is None:
                self.failures.pop(old.service.name, None)
        now = self.watch.health.now
        events = [*self.watch.apply(plan, now), *self.watch.bounded(change, plan, now)]
        self.selectors.apply(change)
        self.selectors.refresh(offer.service for offer in change.after.values())
        if composed is not None:
            self.selectors.recompose(composed)
        self.known.clear()
        self.ready.clear()
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
        self._pending.extend(self.selectors.ramps.due(self.watch.health.now))
        if self._pending:
            self._refresh_some()

    def next_wakeup(self) -> int | None:
        """Return when (ns) to call `expire` again; now while selectors are behind."""
        if self._pending:
            return self.watch.health.now
        step, wakeup = self.selectors.ramps.first(), self.watch.health.next_wakeup()
        if step is None or wakeup is None:
            return wakeup if step is None else step
        return min(step, wakeup)

    def report(self, probe: Probe, outcome: Outcome, now: int) -> None:
        """Take the outcome of a probe."""
        # First, so that an answer at its deadline counts; the machine judges later ones.
        self.publish(self.watch.health.report(probe, outcome, now))
        self.expire(now)

    def observe(self, target: Target | str, now: int, *, ok: bool, reason: str) -> None:
        """Take the end of a request."""
        name = target if isinstance(target, str) else target.name
        service = self.direct(name) if isinstance(target, str) else self.offers.direct.get(name)
        self.expire(now)
        if service is None or not (isinstance(target, str) or _url(target) == service.url):
            return
        self.failures[name] += not ok
        endpoint = self.watch.endpoint(name)
        if endpoint is not None:
            self.publish(self.watch.health.observe(endpoint, ok, now, reason=reason))
            self._remember(service.url, endpoint)

    def is_ready(self, name: str) -> bool:
        """Return whether a child service is up and, if it has an active check, has passed it."""
        endpoint = self.watch.endpoint(name)
        if endpoint is None or endpoint.check is None:
            return self.eligibility.is_up(name)
        return self.watch.health.state(endpoint) is State.UP and self.eligibility.is_up(name)

    def _remember(self, url: str, endpoint: Endpoint) -> None:
        """Note whether a success at an endpoint would change anything."""
        failing = self.observed.failing
        if self.watch.health.remembers_failures(endpoint):
            failing.setdefault(url, set()).add(endpoint)
        elif url in failing:
            failing[url].discard(endpoint)
            if not failing[url]:
                del failing[url]

    # Requests

    def leases(self, name: str) -> Leases:
        """Return the leases of a service. Raises: as `Parent.selector`."""
        pick = self.selectors.of(name).pick
        if name not in self._leases:
            failures = self.policy.failures
            self._leases[name] = Leases(pick, self._finish, failures, self.observed)
        return self._leases[name]

    def budget(self, name: str) -> Budget:
        """Return the retry budget of a service."""
        if name not in self.budgets:
            self.budgets[name] = Budget(self.policy.retry_budget)
        return self.budgets[name]

    def in_flight(self) -> Counter[str]:
        """Count the active leases by child service. O(active leases)."""
        leases = tuple(self._leases.values())
        return Counter(target.name for each in leases for target in each.targets())

    def now(self) -> int:
        """Return the time of a driver's clock, or else the latest time passed in."""
        return self.watch.health.now if self.clock is None else self.clock()

    def _finish(self, target: Target, ok: bool, reason: str) -> None:  # noqa: FBT001 - as Leases calls it
        self.reporter(target, ok, reason)

    def _report_now(self, target: Target, ok: bool, reason: str) -> None:  # noqa: FBT001 - as above
        self.observe(target, self.watch.health.now, ok=ok, reason=reason)

    def __getstate__(self) -> dict[str, Any]:
        """Leave out what belongs to this process: leases, and a driver's reporter."""
        return {
            **self.__dict__,
            "known": {},
            "ready": {},
            "_leases": {},
            "observed": None,
            "reporter": None,
            "clock": None,
            "lock": nullcontext(),
        }

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        self.__dict__.update(observed=Observed(), reporter=self._report_now)
        self.observed.always = True  # the failures remembered are found anew, one by one

    def publish(self, events: Iterable[Event]) -> None:
        """Keep events, and update the selectors that they concern."""
        for event in events:
            self.events.append(event)
            if isinstance(event, Transition):
                endpoint = event.target
                assert isinstance(endpoint, Endpoint)  # noqa: S101 - the watch adds only endpoints
                for url in [u for u, known in self.observed.failing.items() if endpoint in known]:
                    self._remember(url, endpoint)
                self._pending.extend(self.watch.services(endpoint))
        if 0 < len(self._pending) <= _REFRESHED_AT_ONCE:
            self._refresh_some()

    def _refresh_some(self) -> None:
        """Update the selectors of some services.

        An address may have very many services: their selectors follow in steps, so that a
        driver's loop is not blocked.
        """
        pending, direct = self._pending, self.offers.direct
        names = [pending.popleft() for _ in range(min(len(pending), _REFRESHED_AT_ONCE))]
        self.selectors.refresh(direct[name] for name in names if name in direct)

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


def _url(target: Target) -> str | None:
    return target.url if isinstance(target, ChildService) else None
