"""A simulation against one that knows no shortcut: request by request, moment by moment.

The oracle has the same parent, and its own idea of everything else: it looks at every moment
whether anything is to be done, asks the scenario's troubles themselves how a child is, picks,
observes and counts every request on its own, and writes down how things stand after each step.
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
    Driver,
    Flap,
    Outage,
    Scenario,
    SetWeight,
    Slow,
    Withdraw,
    ideal_shares,
    simulate,
)
from uplinks.simulate._world import chance

OFFERS = SetWeight | Advertise | Withdraw
INFINITE = 10**30


class Oracle:
    """Plays a scenario slowly."""

    def __init__(self, scenario: Scenario) -> None:
        self.scenario = scenario
        self.parent = Parent.from_fleet(
            scenario.fleet,
            policy=scenario.policy,
            start=scenario.start,
            scheduler=scenario.scheduler,
        )
        self.selector = self.parent.selector(scenario.service)
        self.urls = {name: c.address for name, c in self.parent.config.children.items()}
        self.offers = {n: advertise(c) for n, c in scenario.fleet.children.items()}
        self.ends: list[Any] = []
        self.requests: list[tuple[int, str | None, bool]] = []
        self.stands: list[tuple[int, Any]] = []
        self.asked = 0
        self.cuts: set[int] = set()
        self.transitions: list[Transition] = []
        self.note(0)

    def play(self) -> None:
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

    # What is so

    def troubles(self, url: str, time: int) -> Iterator[Any]:
        for each in self.scenario.happenings:
            if isinstance(each, Outage | Flap | Slow) and self.urls[each.child] == url:
                out = not isinstance(each, Flap) or (time - each.begins) % each.period < each.out
                if each.begins <= time < each.ends and out:
                    yield each

    def is_out(self, url: str, time: int) -> bool:
        return any(not isinstance(each, Slow) for each in self.troubles(url, time))

    def serves(self, url: str, time: int) -> bool:
        slow = (each for each in self.troubles(url, time) if isinstance(each, Slow))
        return not self.is_out(url, time) and not any(each.fails for each in slow)

    def latency(self, url: str, time: int) -> int:
        now = list(self.troubles(url, time))
        if any(isinstance(each, Flap) or getattr(each, "hangs", None) is False for each in now):
            return 0
        if self.is_out(url, time):
            return INFINITE
        return max((each.latency for each in now), default=0)

    def fixed(self) -> set[int]:
        scenario = self.scenario
        times = {*range(0, scenario.duration, scenario.width)}
        for each in scenario.happenings:
            if isinstance(each, Flap):
                for begins in range(each.begins, each.ends, each.period):
                    times |= {begins, min(begins + each.out, each.ends)}
            elif isinstance(each, Outage | Slow):
                times |= {each.begins, each.ends}
            else:
                times.add(each.at)
        return {time for time in times if time < scenario.duration}

    # What is done

    def change(self, time: int) -> None:
        for each in self.scenario.happenings:
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

    def late(self, time: int, *facts: int) -> int:
        driver = self.scenario.driver
        return (
            time + driver.lateness + chance(self.scenario.seed, time, *facts) % (driver.jitter + 1)
        )

    def moment(self) -> int:
        wakeup = self.parent.next_wakeup()
        moments = [end for end, *_ in self.ends]
        moments += [] if wakeup is None else [self.late(wakeup, 1)]
        return max(min(moments, default=INFINITE), self.parent.now)

    def drive(self, time: int) -> None:
        while True:
            if self.ends and min(self.ends)[0] <= time:
                first = min(self.ends)
                self.ends.remove(first)
                _, _, probe, passes = first
                outcome = Outcome.PASS if passes else Outcome.fail("refused")
                self.parent.report(probe, outcome, time)
            elif self.moment() <= time:
                for probe in self.parent.due(time):
                    self.ask(probe, time)
            else:
                return

    def ask(self, probe: Any, time: int) -> None:
        self.asked += 1
        sequence, driver = probe.token.sequence, self.scenario.driver
        if Fraction(chance(self.scenario.seed, 0, sequence), 1 << 64) < driver.lost:
            return
        url = probe.target.url
        latencies = {self.latency(url, t) for t in {time, *self.fixed()}}
        moments = {time, *self.fixed(), *(time + each for each in latencies)}
        for moment in sorted(moments):
            if time <= moment <= probe.deadline and moment - time >= self.latency(url, moment):
                noticed = self.late(moment, 2, sequence)
                self.ends.append((noticed, sequence, probe, not self.is_out(url, moment)))
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
        """Write down how things stand."""
        mine = {
            Endpoint(target.url, target.health_check, target.passive_health_check)
            for target in ideal_shares(self.selector, self.parent.failovers)
            if isinstance(target, ChildService)
        }
        events = self.parent.events.drain()
        self.transitions += [e for e in events if isinstance(e, Transition) and e.target in mine]
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
        if not self.stands or stand != self.stands[-1][1]:
            self.cuts.add(time)
        if self.stands and self.stands[-1][0] == time:
            self.stands.pop()
        self.stands.append((time, stand))


def check(scenario: Scenario) -> None:
    oracle = Oracle(scenario)
    oracle.play()
    run = simulate(scenario)

    cuts = set(range(0, scenario.duration, scenario.width))
    cuts |= {each.at for each in scenario.happenings if isinstance(each, OFFERS)}
    cuts = {time for time in cuts | oracle.cuts if time < scenario.duration}
    assert [window.begins for window in run.windows] == sorted(cuts)
    assert [window.ends for window in run.windows] == [*sorted(cuts)[1:], scenario.duration]

    requests, stands = list(oracle.requests), list(oracle.stands)
    for window in run.windows:
        while len(stands) > 1 and stands[1][0] <= window.begins:
            stands.pop(0)
        known = window.condition
        ideal = tuple(zip(known.children, known.ideal, strict=True))
        assert (ideal, known.out, known.slow, known.down) == stands[0][1], window
        mine = [r for r in requests if r[0] < window.ends]
        del requests[: len(mine)]
        assert window.requests == len(mine)
        assert window.unserved == sum(child is None for _, child, _ in mine)
        assert window.failures == sum(not ok for _, _, ok in mine)
        assert {share.child: share.requests for share in window.shares if share.requests} == {
            child: sum(c == child for _, c, _ in mine) for _, child, _ in mine if child is not None
        }
    assert requests == []
    assert run.requests == scenario.requests == len(oracle.requests)

    assert run.probes == oracle.asked
    changes = [(c.at, c.before, c.after, c.cause, c.reason) for c in run.changes]
    seen = [(t.at, t.before, t.after, t.cause, t.reason) for t in oracle.transitions]
    assert changes == seen


@given(scenarios.scenarios())
def test_bulk_is_request_by_request(scenario: Scenario) -> None:
    check(scenario)


@given(scenarios.hectic())
def test_bulk_is_request_by_request_when_much_is_to_be_learned(scenario: Scenario) -> None:
    check(scenario)


@given(scenarios.scenarios() | scenarios.hectic())
def test_every_bound_is_kept(scenario: Scenario) -> None:
    run = simulate(scenario)

    assert [failure for failure in run.failures if not failure.kept] == []


US = scenarios.US
STEP = 5_000 // scaled(100)  # ns between the moments that are tried


def slowest(names: Sequence[str], timeout: int, lateness: int) -> tuple[int, int]:
    """Let children hang from each of many moments on; give the worst detection and its bound."""
    check = HealthCheck(path="/health", interval=40 * US, timeout=timeout)
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
            driver=Driver(lateness),
        )
        for failure in simulate(scenario).failures:
            assert failure.kept
            worst = max(worst, failure.detection or 0)
            bounds.add(failure.detection_bound)
    [bound] = bounds
    assert bound is not None
    return worst, bound


@pytest.mark.parametrize("lateness", [0, 3 * US])
def test_alone_the_bound_is_attained_but_for_the_steps_of_the_search(lateness: int) -> None:
    worst, bound = slowest(["eu"], 7 * US, lateness)

    # A driver that is always late is late for the last probe that passes, too: once is saved.
    assert bound == 87 * US + 2 * lateness
    assert bound - lateness - 2 * STEP < worst <= bound


def test_who_may_have_to_wait_for_others_is_promised_less() -> None:
    worst, bound = slowest(["ap", "eu", "us"], 12 * US, 0)

    alone = 92 * US
    assert bound == alone + 24 * US
    assert alone < worst <= bound
