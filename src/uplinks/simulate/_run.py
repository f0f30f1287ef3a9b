"""The course of a scenario: one parent, one driver, many requests.

Rules of this file:

1. The parent is a real one, and everything is asked of it or told to it.
2. At one time, what happens to children comes first, then ends of probes, then
   the driver, then a request.
3. Requests are picked in bulk as long as nothing can change: up to the next
   thing that happens, and one by one while a passive check has something to
   learn. A request's end is told only where a passive check listens.
4. The result never depends on how many requests were picked at once
   (``tests/laws/test_simulate_laws.py``).
"""

from __future__ import annotations

from array import array
from collections import defaultdict
from collections.abc import Callable, Iterable
from heapq import heappop, heappush
from typing import Any, Final

from attrs import evolve

from uplinks.balance import Selector
from uplinks.errors import UnknownChild
from uplinks.health import Outcome, Overloaded, Probe, Transition
from uplinks.model import Advertisement, ChildService
from uplinks.naming import nearest
from uplinks.parent import Endpoint, Parent
from uplinks.services import advertise as offer
from uplinks.simulate._arrivals import Arrivals
from uplinks.simulate._failures import Watched, failures
from uplinks.simulate._ideal import by_child, child_of, from_the_top, ideal_shares
from uplinks.simulate._result import Change, Condition, Simulation, Window
from uplinks.simulate._scenario import (
    Advertise,
    Flap,
    Outage,
    Scenario,
    SetWeight,
    Slow,
    Trouble,
    Withdraw,
)
from uplinks.simulate._world import Truth, Weather, chance

__all__ = ["Run"]

_ROOM: Final = 1 << 16  # picks at once
_FINE: Final = Truth()
_LOST, _WAKE, _REPORT = range(3)  # what chance is asked about

Nodes = tuple[list[tuple[Any, int, bool]], ...]


class Run:
    """A scenario on its way. Raises: as `simulate`."""

    def __init__(self, scenario: Scenario) -> None:
        self.scenario = scenario
        self.parent = Parent.from_fleet(
            scenario.fleet,
            strict=False,
            policy=scenario.policy,
            start=scenario.start,
            scheduler=scenario.scheduler,
        )
        children = self.parent.config.children
        for happening in scenario.happenings:
            if happening.child not in children:
                raise UnknownChild(happening.child, nearest(happening.child, children))
        self.selector = self.parent.selector(scenario.service)
        self.nodes = from_the_top(self.selector)
        self.arrivals = Arrivals(scenario.rate)
        self.sent = 0

        troubles: dict[str, list[Trouble]] = {}
        for happening in scenario.happenings:
            if isinstance(happening, Outage | Flap | Slow):
                troubles.setdefault(children[happening.child].address, []).append(happening)
        self.weathers = {url: Weather(each, scenario.duration) for url, each in troubles.items()}
        self.declared = {
            name: offer(cluster)
            for name, cluster in scenario.fleet.children.items()
            if name in children
        }
        self.offers: dict[str, tuple[Advertisement, ...]] = dict(self.declared)

        # What the driver has under way: when an end is noticed, the probe's number, how it ended.
        self.ends: list[tuple[int, int, Probe, Outcome]] = []
        self.asked = 0
        self.scratch = memoryview(array("I", bytes(4 * _ROOM)))

        self.transitions: dict[Endpoint, list[Transition]] = defaultdict(list)
        self.changes: list[Change] = []
        self.overloads: list[Overloaded] = []
        self.watched: list[Watched] = []
        self.watching: dict[Endpoint, tuple[str, tuple[str, ...], int, bool]] = {}
        self.probed = dict.fromkeys(self.endpoints(direct=True))  # ever, for whatever service
        self.known: dict[tuple[Any, ...], Condition] = {}
        self.dirty: set[Endpoint] = set()  # those whose passive check has a failure in mind

        # How it is now.
        self.windows: list[Window] = []
        self.begun = 0
        self.unserved = 0
        self.rows: Nodes = ()
        self.made: dict[str, int] = {}
        self.conditions: dict[Condition, Condition] = {}
        self.condition = Condition((), (), frozenset(), frozenset(), frozenset())
        self.listening: list[ChildService] = []
        self.watch(self.endpoints(), 0)
        self.take_note(0)
        self.look(0)

    def simulate(self, progress: Callable[[int], object] | None) -> Simulation:
        """Go through all of it."""
        scenario, steps = self.scenario, self.steps()
        end = scenario.duration
        times = sorted(time for time in steps if time < end)
        i = 0
        while True:
            fixed = times[i] if i < len(times) else end
            time = min(fixed, self.next_moment(end))
            if self.send(time):
                continue  # a request has changed what comes next
            if time == end:
                break
            if time == fixed:
                i += 1
                if column := time % scenario.width == 0:
                    self.cut(time)
                if steps[time]:
                    self.change(steps[time], time)
                self.look(time)
                if column and progress is not None:
                    progress(time)
            self.drive(time)
        self.cut(end)
        self.watch((), end)
        found = failures(scenario, self.watched, self.weathers, self.transitions, list(self.probed))
        return Simulation(
            scenario,
            tuple(self.windows),
            tuple(self.changes),
            tuple(found),
            tuple(self.overloads),
            self.asked,
        )

    # What happens

    def steps(self) -> dict[int, list[Callable[[], object]]]:
        """Give what is to be done at times that are known beforehand; mostly nothing but a cut."""
        scenario = self.scenario
        steps: dict[int, list[Callable[[], object]]] = {
            time: [] for time in range(0, scenario.duration, scenario.width)
        }
        for weather in self.weathers.values():
            for time in weather.times:
                steps.setdefault(time, [])
        for happening in scenario.happenings:
            if isinstance(happening, SetWeight | Advertise | Withdraw):
                step = self.step(happening)
                steps.setdefault(happening.at, []).append(step)
        return steps

    def change(self, steps: Iterable[Callable[[], object]], time: int) -> None:
        self.cut(time)  # before the picks of those who go are gone
        for step in steps:
            step()
            self.watch(self.endpoints(), time)  # whoever comes back at once is a new one
        self.probed.update(dict.fromkeys(self.endpoints(direct=True)))
        self.made = self.counts()

    def step(self, happening: SetWeight | Advertise | Withdraw) -> Callable[[], object]:
        child, at = happening.child, happening.at

        def change() -> None:
            if isinstance(happening, Withdraw):
                self.offers[child] = ()
                self.parent.withdraw(child, at)
                return
            if isinstance(happening, SetWeight):
                offers = tuple(
                    evolve(each, weight=happening.weight) for each in self.offers.get(child, ())
                )
            else:
                declared = self.declared.get(child, ())
                given = happening.advertisements
                offers = declared if given is None else tuple(given)
            self.offers[child] = offers
            self.parent.advertise(child, offers, at)

        return change

    # The driver

    def next_moment(self, end: int) -> int:
        """Tell when the driver does something."""
        moment = self.ends[0][0] if self.ends else end
        wakeup = self.parent.next_wakeup()
        if wakeup is not None:
            moment = min(moment, self.late(wakeup, _WAKE))
        return max(moment, self.parent.now)

    def drive(self, time: int) -> None:
        """Report what has ended, start what is due, and take note of what that changed."""
        while True:
            if self.ends and self.ends[0][0] <= time:
                _, _, probe, outcome = heappop(self.ends)
                self.parent.report(probe, outcome, time)
                continue
            wakeup = self.parent.next_wakeup()
            if wakeup is None or self.late(wakeup, _WAKE) > time:
                break
            for probe in self.parent.due(time):
                self.ask(probe, time)
        self.take_note(time)

    def ask(self, probe: Probe, time: int) -> None:
        self.asked += 1
        sequence, driver = probe.token.sequence, self.scenario.driver
        if driver.lost and chance(self.scenario.seed, _LOST, sequence) < driver.lost * (1 << 64):
            return
        assert isinstance(probe.target, Endpoint)  # noqa: S101 - a parent's probes have one
        weather = self.weathers.get(probe.target.url)
        answer = (time, True) if weather is None else weather.answer(time, probe.deadline)
        if answer is not None:
            answered, passes = answer
            outcome = Outcome.PASS if passes else Outcome.fail("refused")
            noticed = self.late(answered, _REPORT, sequence)
            heappush(self.ends, (noticed, sequence, probe, outcome))

    def late(self, time: int, *facts: int) -> int:
        """Tell when a driver that is late does what is to be done at a time."""
        driver = self.scenario.driver
        if not driver.jitter:
            return time + driver.lateness
        drawn = chance(self.scenario.seed, time, *facts) % (driver.jitter + 1)
        return time + driver.lateness + drawn

    def take_note(self, time: int) -> None:
        """Collect what the parent has to tell, and look whether picks are others from now on."""
        events = self.parent.events.drain() if len(self.parent.events) else []
        for event in events:
            if isinstance(event, Overloaded):
                self.overloads.append(event)
                continue
            assert isinstance(event.target, Endpoint)  # noqa: S101 - a parent's events have one
            self.transitions[event.target].append(event)
            if event.target in self.watching:
                child, services, *_ = self.watching[event.target]
                change = (event.at, event.before, event.after, event.cause, event.reason)
                self.changes.append(Change(child, services, *change))
        if events or self.state() != self.rows:
            self.look(time)

    # Windows

    def state(self) -> Nodes:
        return tuple([node.rows() for node in self.nodes])

    def look(self, time: int) -> None:
        """See how things stand; if otherwise than before, a window begins."""
        self.rows = self.state()
        leaves = [t for node in self.nodes for t in node.weights if not isinstance(t, Selector)]
        condition = self.stand(leaves, time)
        if condition is not self.condition:
            self.cut(time)
            self.condition = condition
        picked = {c for c, share in zip(condition.children, condition.ideal, strict=True) if share}
        self.listening = [t for t in leaves if _listens(t) and t.child in picked]

    def stand(self, leaves: Iterable[Any], time: int) -> Condition:
        """Give the condition: equal ones are one."""
        truths = {child_of(t): self.truth(t, time) for t in leaves}
        out = frozenset(child for child, truth in truths.items() if not truth.serves)
        slow = frozenset(c for c, truth in truths.items() if truth.serves and truth.latency != 0)
        down = frozenset(truths) - {child_of(t) for t in leaves if self.is_up(t)}
        key = (tuple(map(tuple, self.rows)), out, slow, down)
        known = self.known.get(key)
        if known is None:
            ideal = by_child(ideal_shares(self.selector, self.parent.failovers))
            children = tuple(sorted(ideal))
            shares = tuple(ideal[child] for child in children)
            condition = Condition(children, shares, out, slow, down)
            known = self.known[key] = self.conditions.setdefault(condition, condition)
        return known

    def cut(self, time: int) -> None:
        """End the window, unless it has only just begun."""
        made = self.counts()
        if time > self.begun:
            children = self.condition.children
            picks = tuple(made.get(child, 0) - self.made.get(child, 0) for child in children)
            self.windows.append(Window(self.begun, time, self.condition, picks, self.unserved))
        self.begun, self.made, self.unserved = time, made, 0

    def counts(self) -> dict[str, int]:
        made: dict[str, int] = defaultdict(int)
        for node in self.nodes:
            for target, count in node.counts.items():
                if not isinstance(target, Selector):
                    made[child_of(target)] += count
        return made

    def truth(self, target: Any, time: int) -> Truth:
        """Tell how a child is; the parent's own Services are always well."""
        weather = self.weathers.get(target.url) if isinstance(target, ChildService) else None
        return _FINE if weather is None else weather.at(time)

    def is_up(self, target: Any) -> bool:
        return not isinstance(target, ChildService) or self.parent.is_up(target.name)

    def endpoints(self, *, direct: bool = False) -> list[Endpoint]:
        """List what is watched: of this service, or of all."""
        services: Iterable[Any] = (
            self.parent.services.direct
            if direct
            else (target for node in self.nodes for target in node.weights)
        )
        found = {
            Endpoint.of(s): None
            for s in services
            if isinstance(s, ChildService) and (s.health_check is not None or _listens(s))
        }
        return list(found)

    def watch(self, endpoints: Iterable[Endpoint], time: int) -> None:
        """Take note of which endpoints the service has from now on."""
        now = dict.fromkeys(endpoints)
        for endpoint in [each for each in self.watching if each not in now]:
            child, services, begins, down = self.watching.pop(endpoint)
            self.watched.append(Watched(endpoint, child, services, begins, time, down))
        for endpoint in now:
            if endpoint not in self.watching:
                services = self.parent.services_at(endpoint)
                child = ", ".join(
                    sorted({s.child for s in self.parent.services.direct if s.name in services})
                )
                down = not self.parent.is_up(services[0])
                self.watching[endpoint] = (child, services, time, down)

    # Requests

    def send(self, until: int) -> bool:
        """Send the requests that arrive before a time, or as many until something changes.

        Tells whether something has changed.
        """
        wanted = self.arrivals.before(until)
        while self.sent < wanted:
            if not self.selector.eligible:
                self.unserved += wanted - self.sent
                self.sent = wanted
            elif not self.listening:
                self.pick(wanted - self.sent)
            elif quiet := self.quiet(wanted):
                self.pick(quiet)
            elif self.send_one():
                return True
        return False

    def quiet(self, wanted: int) -> int:
        """Count the requests from which no passive check will learn anything."""
        now = self.arrivals.at(self.sent)
        for target in self.listening:
            if Endpoint.of(target) in self.dirty or not self.truth(target, now).serves:
                return 0
        wakeup = self.parent.next_wakeup()
        # To tell of a request is to tell the time: what a late driver has missed happens then.
        least = wanted if wakeup is None else min(wanted, self.arrivals.before(wakeup))
        return max(0, least - self.sent)

    def send_one(self) -> bool:
        now = self.arrivals.at(self.sent)
        target = self.selector.pick()
        self.sent += 1
        if not _listens(target):
            return False
        wakeup = self.parent.next_wakeup()
        ok = self.truth(target, now).serves
        (self.dirty.discard if ok else self.dirty.add)(Endpoint.of(target))
        self.parent.observe(target, ok, now)
        if len(self.parent.events) or (wakeup is not None and wakeup <= now):
            self.take_note(now + 1)  # it was this request, and those after it will see it
            return True
        return False

    def pick(self, requests: int) -> None:
        """Pick so often at once; the selectors count."""
        self.sent += requests
        flat = len(self.nodes) == 1
        while requests:
            size = min(requests, _ROOM)
            if flat:
                self.selector.pick_into(self.scratch[:size])
            else:
                self.selector.pick_many(size)
            requests -= size


def _listens(target: Any) -> bool:
    return isinstance(target, ChildService) and target.passive_health_check is not None
