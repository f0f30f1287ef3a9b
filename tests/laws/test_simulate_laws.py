"""The simulation against an oracle without shortcuts: request by request, moment by moment.

The oracle uses the same parent, and its own code for everything else: at every moment it checks
what is due, derives a child's condition from the scenario's faults, picks, observes and counts
each request on its own, and records the service's state after each step.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from fractions import Fraction
from typing import Any

import pytest
from attrs import evolve
from hypothesis import given
from tests import scenarios
from tests.profiles import scaled

from uplinks.durations import Nanoseconds
from uplinks.errors import NoEligibleTarget
from uplinks.health import HealthPolicy, Outcome, Transition
from uplinks.model import (
    Child,
    ChildService,
    Cluster,
    Fleet,
    HealthCheck,
    ParentConfig,
    Uplink,
)
from uplinks.parent import Endpoint, Parent
from uplinks.services import advertise
from uplinks.simulate import (
    Advertise,
    DriverModel,
    Flap,
    OfferChange,
    Outage,
    Scenario,
    SetWeight,
    Slow,
    Withdraw,
    ideal_shares,
    simulate,
)
from uplinks.simulate._reweighted import reweighted
from uplinks.simulate._timeline import draw

INFINITE = 10**30


class Oracle:
    """Runs a scenario without shortcuts."""

    def __init__(self, scenario: Scenario) -> None:
        self.scenario = scenario
        self.parent = Parent.from_fleet(
            scenario.fleet,
            strict=False,
            policy=scenario.policy,
            start=scenario.start,
            scheduler=scenario.scheduler,
        )
        self.selector = self.parent.selector(scenario.service)
        self.urls = {name: c.address for name, c in self.parent.config.children.items()}
        self.offers = {n: advertise(c) for n, c in scenario.fleet.children.items()}
        self.results: list[Any] = []
        self.requests: list[tuple[int, str | None, bool]] = []
        self.states: list[tuple[int, Any]] = []
        self.probes = 0
        self.cuts: set[int] = set()
        self.transitions: list[Transition] = []
        self.note(0)

    def run(self) -> None:
        duration, rate = self.scenario.duration, self.scenario.rate
        fixed = sorted(self.fixed())
        for i in range(10**9):
            arrival = i * rate.denominator * 10**9 // rate.numerator
            while True:
                moments = [self.moment(), *fixed[:1]]
                time = min(moments)
                if time > min(arrival, duration - 1):
                    break
                if fixed and fixed[0] == time:
                    fixed.pop(0)
                    self.change(time)
                    self.note(time)
                self.drive(time)
                self.note(time)
            if arrival >= duration:
                return
            self.request(arrival)

    # --- conditions

    def faults(self, url: str, time: int) -> Iterator[Any]:
        for each in self.scenario.events:
            if isinstance(each, Outage | Flap | Slow) and self.urls[each.child] == url:
                out = not isinstance(each, Flap) or (time - each.start) % each.period < each.out
                if each.start <= time < each.end and out:
                    yield each

    def is_out(self, url: str, time: int) -> bool:
        return any(not isinstance(each, Slow) for each in self.faults(url, time))

    def serves(self, url: str, time: int) -> bool:
        slow = (each for each in self.faults(url, time) if isinstance(each, Slow))
        return not self.is_out(url, time) and not any(each.fails for each in slow)

    def latency(self, url: str, time: int) -> int:
        now = list(self.faults(url, time))
        if any(isinstance(each, Flap) or getattr(each, "hangs", None) is False for each in now):
            return 0
        if self.is_out(url, time):
            return INFINITE
        return max((each.latency for each in now), default=0)

    def fixed(self) -> set[int]:
        scenario = self.scenario
        times = {*range(0, scenario.duration, scenario.column_width)}
        for each in scenario.events:
            if isinstance(each, Flap):
                for start in range(each.start, each.end, each.period):
                    times |= {start, min(start + each.out, each.end)}
            elif isinstance(each, Outage | Slow):
                times |= {each.start, each.end}
            else:
                times.add(each.at)
        return {time for time in times if time < scenario.duration}

    # --- the driver and requests

    def change(self, time: int) -> None:
        for each in self.scenario.events:
            if getattr(each, "at", None) != time:
                continue
            if isinstance(each, Withdraw):
                self.offers[each.child] = ()
                self.parent.withdraw(each.child, time)
                continue
            if isinstance(each, SetWeight):
                offers = [evolve(o, weight=each.weight) for o in self.offers[each.child]]
            elif isinstance(each, Advertise) and each.advertisements is not None:
                offers = list(each.advertisements)
            else:
                offers = list(advertise(self.scenario.fleet.children[each.child]))
            self.offers[each.child] = tuple(offers)
            self.parent.advertise(each.child, offers, time)
            if isinstance(each, SetWeight):
                own = reweighted(
                    self.parent.composed.values(), self.parent.services, each.child, each.weight
                )
                self.parent.recompose(own, time)

    def late(self, time: int, *facts: int) -> int:
        driver = self.scenario.driver
        return time + driver.lateness + draw(self.scenario.seed, time, *facts) % (driver.jitter + 1)

    def moment(self) -> int:
        wakeup = self.parent.next_wakeup()
        moments = [end for end, *_ in self.results]
        moments += [] if wakeup is None else [self.late(wakeup, 1)]
        return max(min(moments, default=INFINITE), self.parent.now)

    def drive(self, time: int) -> None:
        while True:
            if self.results and min(self.results)[0] <= time:
                first = min(self.results)
                self.results.remove(first)
                _, _, probe, passes = first
                outcome = Outcome.PASS if passes else Outcome.fail("refused")
                self.parent.report(probe, outcome, time)
            elif self.moment() <= time:
                for probe in self.parent.due(time):
                    self.send_probe(probe, time)
            else:
                return

    def send_probe(self, probe: Any, time: int) -> None:
        self.probes += 1
        sequence, driver = probe.token.sequence, self.scenario.driver
        if Fraction(draw(self.scenario.seed, 0, sequence), 1 << 64) < driver.lost:
            return
        url = probe.target.url
        latencies = {self.latency(url, t) for t in {time, *self.fixed()}}
        moments = {time, *self.fixed(), *(time + each for each in latencies)}
        for moment in sorted(each for each in moments if time <= each <= probe.deadline):
            # What is answered at the moment of a change is answered before it.
            for seen in (max(moment - 1, 0), moment):
                if moment - time >= self.latency(url, seen):
                    reported = self.late(moment, 2, sequence)
                    self.results.append((reported, sequence, probe, not self.is_out(url, seen)))
                    return

    def request(self, time: int) -> None:
        try:
            target = self.selector.pick()
        except NoEligibleTarget:
            self.requests.append((time, None, False))
            return
        if not isinstance(target, ChildService):
            self.requests.append((time, f"{target.namespace}/{target.name}", True))
            return
        ok = self.serves(target.url, time)
        self.requests.append((time, target.child, ok))
        if target.passive_health_check is not None:
            self.parent.observe(target, ok, time)
            self.note(time + 1)

    def note(self, time: int) -> None:
        """Record the service's state."""
        current = {
            Endpoint(target.url, target.health_check, target.passive_health_check)
            for target in ideal_shares(self.selector, self.parent.failovers)
            if isinstance(target, ChildService)
        }
        events = self.parent.events.drain()
        self.transitions += [e for e in events if isinstance(e, Transition) and e.target in current]
        shares: dict[str, Fraction] = {}
        up = set()
        urls = {}
        for target, share in ideal_shares(self.selector, self.parent.failovers).items():
            if isinstance(target, ChildService):
                child, urls[target.child] = target.child, target.url
                up |= {child} if self.parent.is_up(target.name) else set()
            else:
                child = f"{target.namespace}/{target.name}"
                up.add(child)
            shares[child] = shares.get(child, Fraction(0)) + share
        out = {child for child, url in urls.items() if not self.serves(url, time)}
        slow = {c for c, url in urls.items() if c not in out and self.latency(url, time)}
        stand = (tuple(sorted(shares.items())), out, slow, shares.keys() - up)
        if not self.states or stand != self.states[-1][1]:
            self.cuts.add(time)
        if self.states and self.states[-1][0] == time:
            self.states.pop()
        self.states.append((time, stand))


def check(scenario: Scenario) -> None:
    oracle = Oracle(scenario)
    oracle.run()
    run = simulate(scenario)

    cuts = set(range(0, scenario.duration, scenario.column_width))
    cuts |= {each.at for each in scenario.events if isinstance(each, OfferChange)}
    cuts = {time for time in cuts | oracle.cuts if time < scenario.duration}
    assert [window.start for window in run.windows] == sorted(cuts)
    assert [window.end for window in run.windows] == [*sorted(cuts)[1:], scenario.duration]

    requests, states = list(oracle.requests), list(oracle.states)
    for window in run.windows:
        while len(states) > 1 and states[1][0] <= window.start:
            states.pop(0)
        known = window.state
        ideal = tuple(zip(known.children, known.ideal, strict=True))
        assert (ideal, known.failing, known.slow, known.down) == states[0][1], window
        current = [r for r in requests if r[0] < window.end]
        del requests[: len(current)]
        assert window.requests == len(current)
        assert window.unserved == sum(child is None for _, child, _ in current)
        assert window.failures == sum(not ok for _, _, ok in current)
        assert {share.child: share.requests for share in window.shares if share.requests} == {
            child: sum(c == child for _, c, _ in current)
            for _, child, _ in current
            if child is not None
        }
    assert requests == []
    assert run.requests == scenario.requests == len(oracle.requests)

    assert run.probes == oracle.probes
    changes = [(c.at, c.before, c.after, c.cause, c.reason) for c in run.transitions]
    seen = [(t.at, t.before, t.after, t.cause, t.reason) for t in oracle.transitions]
    assert changes == seen


@given(scenarios.scenarios() | scenarios.hectic())
def test_bulk_picks_equal_single_picks(scenario: Scenario) -> None:
    check(scenario)


@given(scenarios.scenarios() | scenarios.hectic())
def test_every_bound_is_kept(scenario: Scenario) -> None:
    run = simulate(scenario)

    assert [failure for failure in run.failures if not failure.within_bounds] == []


US = scenarios.US
STEP = 5_000 // scaled(100)  # ns between the moments that are tried


def slowest(names: Sequence[str], timeout: int, lateness: int) -> tuple[int, int]:
    """Return the longest detection of children that hang from many moments on, and its bound."""
    check = HealthCheck(path="/health", interval=Nanoseconds(40 * US), timeout=Nanoseconds(timeout))
    uplink = Uplink("api", "apps", health_check=check)
    config = ParentConfig({name: Child(f"https://{name}.example.com") for name in names})
    clusters = {name: Cluster(name, [uplink], child_config=scenarios.POINTS) for name in names}
    fleet = Fleet(Cluster("parent", parent_config=config), clusters)
    policy = HealthPolicy(unhealthy_threshold=2, start_window=0, concurrency=1)
    worst, bounds = 0, set()
    for moment in range(100 * US, 141 * US, STEP):
        outages = [Outage(name, moment, 900 * US, hangs=True) for name in names]
        scenario = Scenario(
            fleet,
            "apps-api@multicluster",
            1000,
            900 * US,
            outages,
            policy=policy,
            driver=DriverModel(lateness),
        )
        for failure in simulate(scenario).failures:
            assert failure.within_bounds
            worst = max(worst, failure.detection or 0)
            bounds.add(failure.detection_bound)
    [bound] = bounds
    assert bound is not None
    return worst, bound


@pytest.mark.parametrize("lateness", [0, 3 * US])
def test_the_bound_of_one_child_is_tight_up_to_the_search_step(lateness: int) -> None:
    worst, bound = slowest(["eu"], 7 * US, lateness)

    # A constant lateness delays the last passing probe as well, so one of two delays cancels.
    assert bound == 87 * US + 2 * lateness
    assert bound - lateness - 2 * STEP < worst <= bound


def test_the_bound_includes_the_wait_for_a_free_slot() -> None:
    worst, bound = slowest(["ap", "eu", "us"], 12 * US, 0)

    alone = 92 * US
    assert bound == alone + 24 * US
    assert alone < worst <= bound
