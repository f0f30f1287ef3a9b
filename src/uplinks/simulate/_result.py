"""The result of a simulation: exact integers of nanoseconds and requests, and exact fractions."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction

from attrs import evolve, field, frozen

from uplinks.health import Cause, Overloaded, State
from uplinks.simulate._scenario import Scenario

__all__ = ["ChildTransition", "Failure", "ServiceState", "Share", "Simulation", "Window"]


@frozen
class ServiceState:
    """The state of the service's children, as it is and as the parent sees it.

    ``children`` are sorted by name, ``ideal`` are their shares by weight. ``failing`` are those
    that fail requests, ``slow`` those whose probes take time, ``down`` those that the parent has
    marked down.
    """

    children: tuple[str, ...]
    ideal: tuple[Fraction, ...]
    failing: frozenset[str]
    slow: frozenset[str]
    down: frozenset[str]


@frozen
class Share:
    """The requests of one child in a window, beside its ideal share.

    ``failures`` counts those that failed. ``child`` is a name, or ``namespace/name`` for a
    Kubernetes Service of the parent.
    """

    child: str
    requests: int
    failures: int
    share: Fraction
    ideal: Fraction


@frozen
class Window:
    """A span from ``start`` to ``end`` (ns, exclusive) in which the service's state is constant.

    ``picks`` counts the requests of each child, ``unserved`` those that found no eligible target.
    """

    start: int
    end: int
    state: ServiceState
    picks: tuple[int, ...]
    unserved: int = 0

    @property
    def requests(self) -> int:
        """The number of requests."""
        return sum(self.picks) + self.unserved

    @property
    def failures(self) -> int:
        """The number of failed requests, unserved ones included."""
        return self.unserved + sum(share.failures for share in self.shares)

    @property
    def shares(self) -> tuple[Share, ...]:
        """The share of each child, sorted by name."""
        state, total = self.state, self.requests
        return tuple(
            Share(
                child,
                picks,
                picks if child in state.failing else 0,
                Fraction(picks, total) if total else Fraction(0),
                ideal,
            )
            for child, ideal, picks in zip(state.children, state.ideal, self.picks, strict=True)
        )


@frozen
class ChildTransition:
    """A change of a child's health in the parent, at a time (ns), with the services it affects."""

    child: str
    services: tuple[str, ...]
    at: int
    before: State
    after: State
    cause: Cause
    reason: str = ""


@frozen
class Failure:
    """A failure of a child, and its detection by the parent.

    From ``start`` to ``end`` (ns) its probes fail or, without an active check, its requests;
    ``None``: it had not ended. The parent had it marked down from ``detected_at`` and up again
    from ``recovered_at``; ``None``: not before the child failed again.

    ``detection_bound`` and ``recovery_bound`` (ns) are the published bounds plus the driver's
    lateness. They are ``None`` where there is no bound: without an active check, when probes
    cannot keep up, when the driver is later than the policy allows, and for a recovery while
    probes are lost or passes are reported too late.
    """

    child: str
    services: tuple[str, ...]
    start: int
    end: int | None
    detected_at: int | None
    recovered_at: int | None
    detection_bound: int | None
    recovery_bound: int | None
    observed_until: int = field(repr=False)

    @property
    def detection(self) -> int | None:
        """The time (ns) from the failure to its detection."""
        return None if self.detected_at is None else self.detected_at - self.start

    @property
    def recovery(self) -> int | None:
        """The time (ns) from the end of the failure to the detection of that."""
        if self.recovered_at is None or self.end is None:
            return None
        return self.recovered_at - self.end

    @property
    def within_bounds(self) -> bool:
        """Whether no bound was exceeded while the failure was observed."""
        end = self.observed_until if self.end is None else self.end
        took = (end if self.detected_at is None else self.detected_at) - self.start
        if self.detection_bound is not None and took > self.detection_bound:
            return False
        if self.detected_at is None or self.end is None or self.recovery_bound is None:
            return True
        recovered = self.observed_until if self.recovered_at is None else self.recovered_at
        return recovered - self.end <= self.recovery_bound


@frozen
class Simulation:
    """The result of a scenario; windows, transitions and failures are sorted by time.

    ``probes`` counts the probes of all services with the engine ``uplinks``, and those of the
    simulated service with Traefik. ``notes`` say why Traefik refuses the service.
    """

    scenario: Scenario
    windows: tuple[Window, ...] = field(repr=False)
    transitions: tuple[ChildTransition, ...] = field(repr=False)
    failures: tuple[Failure, ...] = field(repr=False)
    overloads: tuple[Overloaded, ...] = field(repr=False)
    probes: int
    notes: tuple[str, ...] = ()

    @property
    def requests(self) -> int:
        """The number of requests."""
        return sum(window.requests for window in self.windows)

    @property
    def failed(self) -> int:
        """The number of failed requests, unserved ones included."""
        return sum(window.failures for window in self.windows)

    @property
    def unserved(self) -> int:
        """The number of requests that found no eligible target."""
        return sum(window.unserved for window in self.windows)

    @property
    def children(self) -> tuple[str, ...]:
        """All children that the service ever had, sorted by name."""
        states = {window.state for window in self.windows}
        return tuple(sorted({child for state in states for child in state.children}))

    @property
    def within_bounds(self) -> bool:
        """Whether every failure was detected and recovered within its bounds."""
        return all(failure.within_bounds for failure in self.failures)

    @property
    def phases(self) -> tuple[Window, ...]:
        """The windows, with neighbours of equal state joined."""
        return tuple(_join(self.windows))


def _join(windows: tuple[Window, ...]) -> Iterator[Window]:
    last: Window | None = None
    for window in windows:
        if last is None:
            last = window
        elif last.state == window.state:
            picks = tuple(map(sum, zip(last.picks, window.picks, strict=True)))
            unserved = last.unserved + window.unserved
            last = evolve(last, end=window.end, picks=picks, unserved=unserved)
        else:
            yield last
            last = window
    if last is not None:
        yield last
