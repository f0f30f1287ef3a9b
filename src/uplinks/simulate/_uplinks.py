"""The engine of `uplinks.Parent`: a real parent and health machine, and a modelled driver.

Rules of this file:

1. At one time, the results of probes come before new probes.
2. Requests are picked in bulk while nothing can change between them, and one by one while a
   passive check has something to learn. The result does not depend on it
   (``tests/laws/test_simulate_laws.py``).
"""

from __future__ import annotations

from array import array
from collections import defaultdict
from collections.abc import Collection, Hashable, Iterable
from fractions import Fraction
from heapq import heappop, heappush
from typing import Any, Final, TypeGuard

from uplinks.balance import Selector
from uplinks.health import Event, Outcome, Probe, detection_bound, recovery_bound
from uplinks.model import Advertisement, ChildService, TraefikService
from uplinks.parent import Endpoint, Parent, Target
from uplinks.simulate._arrivals import Arrivals
from uplinks.simulate._engine import Bounds, Watched, build_timelines
from uplinks.simulate._ideal import child_name, ideal_shares, sum_by_child, topological_order
from uplinks.simulate._scenario import Scenario
from uplinks.simulate._timeline import HEALTHY, Condition, draw

__all__ = ["UplinksEngine"]

_BATCH: Final = 1 << 16  # picks at once
_LOST, _WAKE, _REPORT = range(3)  # what a random draw decides


class UplinksEngine:
    """Routes and probes as a `Parent` with a driver does. Raises: as `simulate`."""

    def __init__(self, scenario: Scenario) -> None:
        self.scenario = scenario
        self.parent = Parent.from_fleet(
            scenario.fleet,
            strict=False,
            policy=scenario.policy,
            start=scenario.start,
            scheduler=scenario.scheduler,
        )
        self.timelines = build_timelines(scenario, self.parent.config.children)
        self.selector = self.parent.selector(scenario.service)
        self.nodes = topological_order(self.selector)

        self.arrivals = Arrivals(scenario.rate)
        self.sent = self.unserved = self.probes = 0
        self.notes: list[str] = []
        self.buffer = memoryview(array("I", bytes(4 * _BATCH)))
        self.passive: list[ChildService] = []
        self.suspects: set[Endpoint] = set()  # those whose passive check has counted a failure
        # Results of probes in flight: report time, sequence, probe, outcome.
        self.results: list[tuple[int, int, Probe, Outcome]] = []
        self.all_endpoints = dict.fromkeys(self._endpoints_of(self.parent.services.direct))

    # --- state --------------------------------------------------------------

    @property
    def targets(self) -> list[Target]:
        """All targets of the service."""
        return [t for node in self.nodes for t in node.weights if not isinstance(t, Selector)]

    @property
    def endpoints(self) -> list[Endpoint]:
        """The endpoints of the service that have a check."""
        return self._endpoints_of(self.targets)

    def _endpoints_of(self, targets: Iterable[Target]) -> list[Endpoint]:
        found = {
            self._endpoint(t): None
            for t in targets
            if isinstance(t, ChildService) and (t.health_check is not None or _is_passive(t))
        }
        return list(found)

    def _endpoint(self, target: ChildService) -> Endpoint:
        return Endpoint.of(target, self.scenario.policy)

    def fingerprint(self) -> Hashable:
        """Return a value that changes whenever the next picks may."""
        return tuple([tuple(node.rows()) for node in self.nodes])

    def children(self, time: int) -> dict[str, tuple[Condition, bool]]:
        """Return the condition of each child, and whether it is marked up in any service."""
        up = {child_name(target) for target in self.targets if self._is_up(target)}
        return {
            (name := child_name(t)): (self.condition(t, time), name in up) for t in self.targets
        }

    def shares(self, time: int) -> dict[str, Fraction]:  # noqa: ARG002 - as of the last event
        """Return the ideal share of each child."""
        return sum_by_child(ideal_shares(self.selector, self.parent.failovers))

    def _is_up(self, target: Target) -> bool:
        return not isinstance(target, ChildService) or self.parent.is_up(target.name)

    def condition(self, target: Target, time: int) -> Condition:
        """Return a target's condition; the parent's own Services are always healthy."""
        timeline = self.timelines.get(target.url) if isinstance(target, ChildService) else None
        return HEALTHY if timeline is None else timeline.at(time)

    def describe(self, endpoint: Watched) -> tuple[str, tuple[str, ...], bool]:
        """Return the children and services of an endpoint, and whether it is marked down."""
        assert isinstance(endpoint, Endpoint)  # noqa: S101 - as in `endpoints`
        services = self.parent.services_at(endpoint)
        children = {s.child for s in self.parent.services.direct if s.name in services}
        return ", ".join(sorted(children)), services, not self.parent.is_up(services[0])

    def counts(self) -> dict[str, int]:
        """Count the picks of each child so far."""
        counts: dict[str, int] = defaultdict(int)
        for node in self.nodes:
            for target, count in node.counts.items():
                if not isinstance(target, Selector):
                    counts[child_name(target)] += count
        return counts

    # --- advertisements -----------------------------------------------------

    def advertise(self, child: str, offers: tuple[Advertisement, ...], time: int) -> None:
        """Replace what a child advertises."""
        if offers:
            self.parent.advertise(child, offers, time)
        else:
            self.parent.withdraw(child, time)
        self.all_endpoints.update(dict.fromkeys(self._endpoints_of(self.parent.services.direct)))

    def recompose(self, services: Iterable[TraefikService], time: int) -> None:
        """Serve TraefikServices with other weights."""
        self.parent.recompose(services, time)
        self.nodes = topological_order(self.selector)

    # --- the driver ---------------------------------------------------------

    def next_moment(self, end: int) -> int:
        """Return when the driver acts next, ``end`` at the latest."""
        moment = self.results[0][0] if self.results else end
        wakeup = self.parent.next_wakeup()
        if wakeup is not None:
            moment = min(moment, self._delayed(wakeup, _WAKE))
        return max(moment, self.parent.now)

    def advance(self, time: int) -> None:
        """Report the results that are in, and start the probes that are due."""
        while True:
            if self.results and self.results[0][0] <= time:
                _, _, probe, outcome = heappop(self.results)
                self.parent.report(probe, outcome, time)
                continue
            wakeup = self.parent.next_wakeup()
            if wakeup is None or self._delayed(wakeup, _WAKE) > time:
                return
            for probe in self.parent.due(time):
                self._send_probe(probe, time)

    def drain(self) -> list[Event]:
        """Return the parent's events since the last call."""
        return self.parent.events.drain() if len(self.parent.events) else []

    def _send_probe(self, probe: Probe, time: int) -> None:
        self.probes += 1
        sequence, driver = probe.token.sequence, self.scenario.driver
        if driver.lost and draw(self.scenario.seed, _LOST, sequence) < driver.lost * (1 << 64):
            return
        assert isinstance(probe.target, Endpoint)  # noqa: S101 - true of all probes of a parent
        timeline = self.timelines.get(probe.target.url)
        answer = (time, True) if timeline is None else timeline.answer(time, probe.deadline)
        if answer is not None:
            answered, passes = answer
            outcome = Outcome.PASS if passes else Outcome.fail("refused")
            reported = self._delayed(answered, _REPORT, sequence)
            heappush(self.results, (reported, sequence, probe, outcome))

    def _delayed(self, time: int, *facts: int) -> int:
        driver = self.scenario.driver
        if not driver.jitter:
            return time + driver.lateness
        jitter = draw(self.scenario.seed, time, *facts) % (driver.jitter + 1)
        return time + driver.lateness + jitter

    # --- requests -----------------------------------------------------------

    def prepare(self, receiving: Collection[str]) -> None:
        """Take note of which children receive requests from now on."""
        self.passive = [t for t in self.targets if _is_passive(t) and t.child in receiving]

    def send(self, until: int) -> int | None:
        """Send the requests that arrive before a time, or fewer if one of them changes the state.

        Returns the time of the change.
        """
        wanted = self.arrivals.before(until)
        while self.sent < wanted:
            if not self.selector.eligible:
                self.unserved += wanted - self.sent
                self.sent = wanted
            elif not self.passive:
                self._pick(wanted - self.sent)
            elif quiet := self._uneventful(wanted):
                self._pick(quiet)
            elif (changed := self._send_one()) is not None:
                return changed
        return None

    def _uneventful(self, wanted: int) -> int:
        """Count the next requests that teach no passive check anything."""
        now = self.arrivals.at(self.sent)
        for target in self.passive:
            if self._endpoint(target) in self.suspects or not self.condition(target, now).serves:
                return 0
        # An observation advances the parent's clock, and so does what a late driver has missed.
        wakeup = self.parent.next_wakeup()
        limit = wanted if wakeup is None else min(wanted, self.arrivals.before(wakeup))
        return max(0, limit - self.sent)

    def _send_one(self) -> int | None:
        now = self.arrivals.at(self.sent)
        target = self.selector.pick()
        self.sent += 1
        if not _is_passive(target):
            return None
        wakeup = self.parent.next_wakeup()
        ok = self.condition(target, now).serves
        (self.suspects.discard if ok else self.suspects.add)(self._endpoint(target))
        self.parent.observe(target, ok, now)
        if len(self.parent.events) or (wakeup is not None and wakeup <= now):
            return now + 1  # this request caused it, so only later ones are affected
        return None

    def _pick(self, requests: int) -> None:
        self.sent += requests
        flat = len(self.nodes) == 1
        while requests:
            size = min(requests, _BATCH)
            if flat:
                self.selector.pick_into(self.buffer[:size])
            else:
                self.selector.pick_many(size)
            requests -= size

    # --- bounds -------------------------------------------------------------

    def bounds(self, endpoint: Watched) -> Bounds:
        """Return the bounds (ns) of detection and recovery, as ``docs/health.md`` states them."""
        policy, driver, check = self.scenario.policy, self.scenario.driver, endpoint.check
        wait = self._max_wait()
        if check is None or wait is None or driver.max_lateness > policy.max_lateness:
            return None, None
        delay = 2 * driver.max_lateness + wait
        detection = detection_bound(check, policy) + _added(
            check.interval, check.timeout, policy.unhealthy_threshold, delay
        )
        passive = endpoint.passive if isinstance(endpoint, Endpoint) else None
        recovery = recovery_bound(check, policy, passive) + _added(
            check.unhealthy_interval, check.timeout, policy.healthy_threshold, delay
        )
        # A pass that is reported after its deadline does not count.
        slowest = self.timelines[endpoint.url].max_latency(check.timeout)
        in_time = slowest + driver.max_lateness <= check.timeout
        return detection, recovery if in_time and not driver.lost else None

    def _max_wait(self) -> int | None:
        """Return how long (ns) a probe may wait for a free slot; ``None``: unbounded."""
        policy, driver = self.scenario.policy, self.scenario.driver
        checks = [each.check for each in self.all_endpoints if each.check is not None]
        rounds = -(-len(checks) // policy.concurrency)
        if rounds <= 1:
            return 0
        longest = max(check.timeout for check in checks) + 2 * driver.max_lateness
        shortest = min(min(check.interval, check.unhealthy_interval) for check in checks)
        if len(checks) * longest > policy.concurrency * shortest:
            return None
        return (rounds - 1) * longest


def _added(interval: int, timeout: int, threshold: int, delay: int) -> int:
    """Return how much (ns) a delay of each probe adds to a bound.

    Probes start at a fixed rate, so only the last one's delay counts, unless a probe may last
    beyond the start of the next one.
    """
    return delay if timeout + delay <= interval else threshold * delay


def _is_passive(target: Target | Selector[Any]) -> TypeGuard[ChildService]:
    return isinstance(target, ChildService) and target.passive_health_check is not None
