"""The engine of open-source Traefik, as measured: ``docs/simulate.md`` has the facts.

Rules of this file:

1. Every change of the configuration starts afresh: all servers are up, and no probe is sent for
   one interval. An unchanged configuration is ignored.
2. A passive check counts failures in a row. It marks its server down for ``failureWindow``, or
   until a probe passes if there is an active check; and only other servers of the same load
   balancer take over, unless that reports its status.
3. At one time, probes come before requests.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Hashable, Iterable
from fractions import Fraction
from heapq import heappop, heappush
from typing import Final

from uplinks.health import Cause, Event, State, Transition
from uplinks.model import Advertisement, TraefikService
from uplinks.parent import Parent
from uplinks.simulate._arrivals import Arrivals
from uplinks.simulate._engine import Bounds, Watched, build_timelines
from uplinks.simulate._scenario import Scenario
from uplinks.simulate._timeline import HEALTHY, Condition, draw
from uplinks.simulate._traefik._probes import HealthChecker
from uplinks.simulate._traefik._services import Graph, NotBuilt, Part, Server, mark

__all__ = ["TraefikEngine"]

_LOST: Final = 0  # what a random draw decides
_BAD_GATEWAY: Final = 502
_UNAVAILABLE: Final = 503
_SERVER_ERROR: Final = 500


class TraefikEngine:
    """Routes and probes as open-source Traefik does.

    ``from_file``: the parent's TraefikServices come from the file that `uplinks.to_traefik`
    writes; otherwise Traefik reads them as Kubernetes resources. The health policy, the
    scheduler, and the lateness of a driver do not apply. Raises: as `simulate`.
    """

    def __init__(self, scenario: Scenario, *, from_file: bool) -> None:
        self.scenario = scenario
        self.from_file = from_file
        self.parent = Parent.from_fleet(
            scenario.fleet, strict=False
        )  # it materializes, and nothing else
        self.timelines = build_timelines(scenario, self.parent.config.children)
        self.parent.selector(scenario.service)  # raises for what no parent can compose
        self.arrivals = Arrivals(scenario.rate)
        self.sent = self.unserved = self.probes = self.generation = 0
        self.notes: list[str] = []
        self.requests: Counter[str] = Counter()
        self.events: list[Event] = []
        self._load(0)

    def _load(self, time: int) -> None:
        """Build everything anew from what is advertised."""
        self.generation += 1
        self.services = dict(self.parent.services)
        self.graph: Graph | None = None
        self.checkers: list[HealthChecker] = []
        self.timers: list[tuple[int, int, Server]] = []
        try:
            graph = Graph(self.parent, self.scenario.service, from_file=self.from_file)
        except NotBuilt as error:
            note = f"Traefik answers 404: {error}."
            self.notes += [note] if note not in self.notes else []
            return
        self.graph = graph
        for balancer in graph.balancers:
            check = balancer.check
            if check is not None:
                intervals = check.interval, check.unhealthy_interval
                self.checkers.append(
                    HealthChecker(balancer.members, intervals, time, self._probe, self._probed)
                )

    # --- state --------------------------------------------------------------

    @property
    def servers(self) -> list[Server]:
        """All servers of the service."""
        return [] if self.graph is None else self.graph.servers

    @property
    def endpoints(self) -> list[Server]:
        """The servers with a check."""
        return [s for s in self.servers if s.check is not None or s.balancer.passive is not None]

    def describe(self, endpoint: Watched) -> tuple[str, tuple[str, ...], bool]:
        """Return the child and the service of a server, and whether it is marked down."""
        assert isinstance(endpoint, Server)  # noqa: S101 - as in `endpoints`
        return endpoint.child, (endpoint.balancer.name,), not endpoint.is_up

    def bounds(self, endpoint: Watched) -> Bounds:  # noqa: ARG002 - the engine's signature
        """Return no bounds: Traefik publishes none."""
        return None, None

    def fingerprint(self) -> Hashable:
        """Return a value that changes whenever the next picks may."""
        if self.graph is None:
            return self.generation
        up = tuple(frozenset(balancer.up) for balancer in self.graph.balancers)
        failovers = tuple(frozenset(failover.up) for failover in self.graph.failovers)
        return self.generation, up, failovers

    def children(self, time: int) -> dict[str, tuple[Condition, bool]]:
        """Return the condition of each child, and whether it is marked up anywhere."""
        children = dict.fromkeys(self.shares(time), (HEALTHY, True))
        up = {server.child for server in self.servers if server.is_up}
        for server in self.servers:
            children[server.child] = (self.condition(server, time), server.child in up)
        return children

    def condition(self, server: Server, time: int) -> Condition:
        """Return the condition of a server."""
        timeline = self.timelines.get(server.url)
        return HEALTHY if timeline is None else timeline.at(time)

    def shares(self, time: int) -> dict[str, Fraction]:
        """Return the ideal share of each child."""
        if self.graph is None:
            return {}
        shares = dict.fromkeys((server.child for server in self.graph.servers), Fraction(0))
        parts = self.graph.route(Fraction(1), lambda s: self.status(s, time), ideal=True)
        for child, share, _ in parts:
            if child is not None:
                shares[child] = shares.get(child, Fraction(0)) + share
        return shares

    def counts(self) -> dict[str, int]:
        """Count the requests that each child was the last to get."""
        return dict(self.requests)

    # --- configuration ------------------------------------------------------

    def advertise(self, child: str, offers: tuple[Advertisement, ...], time: int) -> None:
        """Replace what a child advertises; Traefik ignores a configuration that is unchanged."""
        if offers:
            self.parent.advertise(child, offers, time)
        else:
            self.parent.withdraw(child, time)
        if dict(self.parent.services) != self.services:
            self._load(time)

    def recompose(self, services: Iterable[TraefikService], time: int) -> None:
        """Serve TraefikServices with other weights, which is a new configuration."""
        self.parent.recompose(services, time)
        self._load(time)

    # --- probes -------------------------------------------------------------

    def next_moment(self, end: int) -> int:
        """Return when something is due."""
        moments = [checker.next_moment for checker in self.checkers]
        moments += [self.timers[0][0]] if self.timers else []
        return min(moments, default=end)

    def advance(self, time: int) -> None:
        """Bring back servers whose passive window is over, and probe."""
        while self.timers and self.timers[0][0] <= time:
            _, _, server = heappop(self.timers)
            server.timer = False
            self._mark(server, time, Cause.WINDOW_OVER, up=True)
        for checker in self.checkers:
            checker.advance(time)

    def _probe(self, server: Server, time: int) -> tuple[int, bool]:
        self.probes += 1
        check = server.check
        assert check is not None  # noqa: S101 - only load balancers with a check have a checker
        deadline = time + check.timeout
        lost = self.scenario.driver.lost
        if lost and draw(self.scenario.seed, _LOST, self.probes) < lost * (1 << 64):
            return deadline, False
        timeline = self.timelines.get(server.url)
        if timeline is None:
            return time, True
        return timeline.answer(time, deadline) or (deadline, False)

    def _probed(self, server: Server, time: int, passes: bool) -> None:  # noqa: FBT001 - a result
        self._mark(server, time, Cause.RECOVERED if passes else Cause.FELL, up=passes)

    def _mark(self, server: Server, time: int, cause: Cause, *, up: bool) -> None:
        if up != server.is_up:
            mark(server.balancer, server.index, up=up)
            before, after = (State.DOWN, State.UP) if up else (State.UP, State.DOWN)
            streak = 0 if cause is Cause.WINDOW_OVER else max(1, len(server.failures))
            self.events.append(
                Transition(server, before, after, cause, streak, self.generation, time)
            )

    def drain(self) -> list[Event]:
        """Return the events since the last call."""
        events, self.events = self.events, []
        return events

    # --- requests -----------------------------------------------------------

    def prepare(self, receiving: Collection[str]) -> None:
        """Do nothing: the services know where requests go."""

    def status(self, server: Server, time: int) -> int | None:
        """Return the status that a client gets; ``None``: none, the server does not answer."""
        condition = self.condition(server, time)
        if condition.serves:
            return 200
        if condition.latency is None:
            return None
        return _UNAVAILABLE if condition.latency else _BAD_GATEWAY

    def send(self, until: int) -> int | None:
        """Send requests, in bulk while no passive check has anything to learn."""
        wanted = self.arrivals.before(until)
        while self.sent < wanted:
            now = self.arrivals.at(self.sent)
            amount = 1 if self._is_learning(now) else wanted - self.sent
            self.sent += amount
            self._route(amount, now)
            if self.events:
                return now + 1  # this request caused it, so only later ones are affected
        return None

    def _route(self, amount: int, now: int) -> None:
        parts: list[Part] = [(None, amount, None)]
        if self.graph is not None:
            parts = self.graph.route(amount, lambda s: self._serve(s, now), ideal=False)
        for child, requests, _ in parts:
            if child is None:
                self.unserved += requests
            else:
                self.requests[child] += requests

    def _is_learning(self, now: int) -> bool:
        """Tell whether the next request may change what a passive check has counted."""
        return any(
            server.balancer.passive is not None
            and server.is_up
            and (server.failures or _is_failure(self.status(server, now)))
            for server in self.servers
        )

    def _serve(self, server: Server, now: int) -> int | None:
        """Answer a request, and count it for the passive check."""
        status = self.status(server, now)
        passive = server.balancer.passive
        if passive is None:
            return status
        if not _is_failure(status):
            server.failures.clear()
            return status
        server.failures = [t for t in server.failures if t > now - passive.failure_window] + [now]
        if len(server.failures) >= passive.max_failed_attempts and not server.timer:
            self._mark(server, now, Cause.REQUESTS_FAILED, up=False)
            if server.check is None:
                server.timer = True
                heappush(self.timers, (now + passive.failure_window, self.sent, server))
        return status


def _is_failure(status: int | None) -> bool:
    """Tell whether a passive check counts a failure: it misses that a client gives up waiting."""
    return status is not None and status >= _SERVER_ERROR
