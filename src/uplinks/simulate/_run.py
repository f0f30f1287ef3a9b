"""The main loop of a simulation: an engine, a list of events, and windows of constant state.

At one time, faults and changes of advertisements come first, then the driver, then a request.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Hashable, Iterable
from typing import Any

from attrs import evolve

from uplinks.health import Overloaded, Transition
from uplinks.model import Advertisement
from uplinks.services import advertise
from uplinks.simulate._engine import Engine, Watched
from uplinks.simulate._failures import Watch, find_failures
from uplinks.simulate._result import ChildTransition, ServiceState, Simulation, Window
from uplinks.simulate._reweighted import reweighted
from uplinks.simulate._scenario import Advertise, OfferChange, Scenario, SetWeight, Withdraw
from uplinks.simulate._traefik import TraefikEngine
from uplinks.simulate._uplinks import UplinksEngine

__all__ = ["Run", "build_engine"]


class Run:
    """A scenario in progress."""

    def __init__(self, scenario: Scenario, engine: Engine) -> None:
        self.scenario = scenario
        self.engine = engine
        self.composed = scenario.fleet.parent.traefik_services
        self.offers: dict[str, tuple[Advertisement, ...]] = {}

        self.transitions: dict[Watched, list[Transition]] = defaultdict(list)
        self.child_transitions: list[ChildTransition] = []
        self.overloads: list[Overloaded] = []
        self.watches: list[Watch] = []  # those that have ended
        self.watching: dict[Watched, tuple[str, tuple[str, ...], int, bool]] = {}

        # Equal states are one object: the first cache finds it by what it depends on.
        self.known: dict[Hashable, ServiceState] = {}
        self.states: dict[ServiceState, ServiceState] = {}
        self.windows: list[Window] = []
        self.window_start = 0
        self.counts_at_start: dict[str, int] = {}
        self.unserved_at_start = 0
        self.fingerprint: Hashable = None
        self.state = ServiceState((), (), frozenset(), frozenset(), frozenset())
        self.update_watches(self.engine.endpoints, 0)
        self.collect_events(0)
        self.update_state(0)

    def simulate(self, progress: Callable[[int], object] | None) -> Simulation:
        """Run the scenario to its end."""
        scenario, engine, agenda = self.scenario, self.engine, self.agenda()
        end = scenario.duration
        times = sorted(time for time in agenda if time < end)
        i = 0
        while True:
            fixed = times[i] if i < len(times) else end
            time = min(fixed, engine.next_moment(end))
            if (changed := engine.send(time)) is not None:
                self.collect_events(changed)
                continue
            if time == end:
                break
            if time == fixed:
                i += 1
                if column := time % scenario.column_width == 0:
                    self.end_window(time)
                if agenda[time]:
                    self.apply(agenda[time], time)
                self.update_state(time)
                if column and progress is not None:
                    progress(time)
            engine.advance(time)
            self.collect_events(time)
        self.end_window(end)
        self.update_watches((), end)
        found = find_failures(
            self.watches,
            engine.timelines,
            self.transitions,
            engine.bounds,
            scenario.driver.max_lateness,
        )
        return Simulation(
            scenario,
            tuple(self.windows),
            tuple(self.child_transitions),
            tuple(found),
            tuple(self.overloads),
            engine.probes,
            tuple(engine.notes),
        )

    # --- events -------------------------------------------------------------

    def agenda(self) -> dict[int, list[OfferChange]]:
        """Return the known times of columns, faults and changes, with the changes."""
        scenario = self.scenario
        agenda: dict[int, list[OfferChange]] = {
            time: [] for time in range(0, scenario.duration, scenario.column_width)
        }
        for timeline in self.engine.timelines.values():
            for time in timeline.times:
                agenda.setdefault(time, [])
        for event in scenario.events:
            if isinstance(event, OfferChange):
                agenda.setdefault(event.at, []).append(event)
        return agenda

    def apply(self, changes: Iterable[OfferChange], time: int) -> None:
        self.end_window(time)  # a child that is withdrawn takes its counts with it
        for change in changes:
            self.offers[change.child] = offers = self.offers_after(change)
            self.engine.advertise(change.child, offers, time)
            if isinstance(change, SetWeight):
                self.reweight(change, time)
            # An endpoint that returns at the same time is a new one.
            self.update_watches(self.engine.endpoints, time)
        self.counts_at_start = self.engine.counts()

    def reweight(self, change: SetWeight, time: int) -> None:
        """Set the weights that the parent itself gives to what leads to the child alone."""
        services = self.engine.parent.services
        composed = reweighted(self.composed, services, change.child, change.weight)
        if composed != self.composed:
            self.composed = composed
            self.engine.recompose(composed, time)

    def offers_after(self, change: OfferChange) -> tuple[Advertisement, ...]:
        if isinstance(change, Withdraw):
            return ()
        if isinstance(change, Advertise) and change.advertisements is not None:
            return tuple(change.advertisements)
        fleet = self.scenario.fleet
        cluster, reached = fleet.children.get(change.child), fleet.reached_entry_points()
        at = reached.get(change.child)
        declared = () if cluster is None else advertise(cluster, entry_points=at)
        if isinstance(change, SetWeight):
            offers = self.offers.get(change.child, declared)
            return tuple(evolve(each, weight=change.weight) for each in offers)
        return declared

    def collect_events(self, time: int) -> None:
        """Record the engine's events, and see whether they changed the service's state."""
        events = self.engine.drain()
        for event in events:
            if isinstance(event, Overloaded):
                self.overloads.append(event)
            if not isinstance(event, Transition):
                continue
            target: Any = event.target
            self.transitions[target].append(event)
            if target in self.watching:
                child, services, *_ = self.watching[target]
                details = (event.at, event.before, event.after, event.cause, event.reason)
                self.child_transitions.append(ChildTransition(child, services, *details))
        if events or self.engine.fingerprint() != self.fingerprint:
            self.update_state(time)

    # --- windows ------------------------------------------------------------

    def update_state(self, time: int) -> None:
        """Start a new window if the service's state has changed."""
        self.fingerprint = self.engine.fingerprint()
        state = self.service_state(time)
        if state is not self.state:
            self.end_window(time)
            self.state = state
        receiving = {c for c, share in zip(state.children, state.ideal, strict=True) if share}
        self.engine.prepare(receiving)

    def service_state(self, time: int) -> ServiceState:
        children = self.engine.children(time)
        key = (self.fingerprint, tuple(children.items()))
        state = self.known.get(key)
        if state is None:
            shares = sorted(self.engine.shares(time).items())
            new = ServiceState(
                tuple(child for child, _ in shares),
                tuple(share for _, share in shares),
                frozenset(child for child, (now, _) in children.items() if not now.serves),
                frozenset(c for c, (now, _) in children.items() if now.serves and now.latency != 0),
                frozenset(child for child, (_, up) in children.items() if not up),
            )
            state = self.known[key] = self.states.setdefault(new, new)
        return state

    def end_window(self, time: int) -> None:
        """End the window, unless it has just started."""
        counts, unserved, before = self.engine.counts(), self.engine.unserved, self.counts_at_start
        if time > self.window_start:
            picks = tuple(counts.get(c, 0) - before.get(c, 0) for c in self.state.children)
            new = unserved - self.unserved_at_start
            self.windows.append(Window(self.window_start, time, self.state, picks, new))
        self.window_start, self.counts_at_start, self.unserved_at_start = time, counts, unserved

    def update_watches(self, endpoints: Iterable[Watched], time: int) -> None:
        """End the watch of endpoints that are gone, and start one for new endpoints."""
        current = dict.fromkeys(endpoints)
        for endpoint in [each for each in self.watching if each not in current]:
            child, services, start, down = self.watching.pop(endpoint)
            self.watches.append(Watch(endpoint, child, services, start, time, down))
        for endpoint in current:
            if endpoint not in self.watching:
                child, services, down = self.engine.describe(endpoint)
                self.watching[endpoint] = (child, services, time, down)


def build_engine(scenario: Scenario) -> Engine:
    """Return the engine of a scenario. Raises: as `simulate`."""
    if scenario.engine == "uplinks":
        return UplinksEngine(scenario)
    return TraefikEngine(scenario, from_file=scenario.engine == "traefik-file")
