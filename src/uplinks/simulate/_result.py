"""What came of a scenario, as data.

Rules of this file:

1. Everything is exact: integers of nanoseconds and of requests, shares as fractions.
2. A window is a stretch of time during which neither what is so nor what the
   parent believes changes.
"""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction

from attrs import evolve, field, frozen

from uplinks.health import Cause, Overloaded, State
from uplinks.simulate._scenario import Scenario

__all__ = ["Change", "Condition", "Failure", "Share", "Simulation", "Window"]


@frozen
class Condition:
    """How things stand: the children of the service, by name, and the truth about them.

    ``ideal`` are their shares by weight. ``out`` are those that fail requests,
    ``slow`` those whose probes take time, ``down`` those that the parent holds
    to be down.
    """

    children: tuple[str, ...]
    ideal: tuple[Fraction, ...]
    out: frozenset[str]
    slow: frozenset[str]
    down: frozenset[str]


@frozen
class Share:
    """What one child got in a window, beside what it was entitled to.

    ``failures`` are those of its requests that failed, as users saw it.
    ``child`` is a name, or ``namespace/name`` for a Kubernetes Service of the
    parent itself.
    """

    child: str
    requests: int
    failures: int
    share: Fraction
    ideal: Fraction


@frozen
class Window:
    """From ``begins`` up to, and without, ``ends`` (ns), under one condition.

    ``picks`` are the requests that each child got, ``unserved`` counts the
    requests that found nothing eligible.
    """

    begins: int
    ends: int
    condition: Condition
    picks: tuple[int, ...]
    unserved: int = 0

    @property
    def requests(self) -> int:
        """How many requests arrived."""
        return sum(self.picks) + self.unserved

    @property
    def failures(self) -> int:
        """How many requests failed as users saw it, those unserved included."""
        return self.unserved + sum(share.failures for share in self.shares)

    @property
    def shares(self) -> tuple[Share, ...]:
        """What each child got, in the order of their names."""
        known, all_ = self.condition, self.requests
        return tuple(
            Share(
                child,
                picks,
                picks if child in known.out else 0,
                Fraction(picks, all_) if all_ else Fraction(0),
                ideal,
            )
            for child, ideal, picks in zip(known.children, known.ideal, self.picks, strict=True)
        )


@frozen
class Change:
    """What the parent came to believe of a child, and when (ns). ``services`` are concerned."""

    child: str
    services: tuple[str, ...]
    at: int
    before: State
    after: State
    cause: Cause
    reason: str = ""


@frozen
class Failure:
    """A child fails, and the parent notices.

    It fails from ``begins`` to ``ends`` (ns), the probes of its check or, where
    it has none, its requests; ``None`` when it had not ended. The parent held
    it to be down from ``noticed`` on, and to be up again from ``recovered`` on;
    ``None`` when that did not happen before it failed again.

    ``detection_bound`` and ``recovery_bound`` (ns) are what is promised, the
    driver's lateness included; ``None`` where nothing is: without an active
    check, when probes cannot keep up or the driver is later than the policy
    allows, and for a recovery while probes are lost or passes are noticed too late.
    """

    child: str
    services: tuple[str, ...]
    begins: int
    ends: int | None
    noticed: int | None
    recovered: int | None
    detection_bound: int | None
    recovery_bound: int | None
    over: int = field(repr=False)  # when nothing more could be noticed

    @property
    def detection(self) -> int | None:
        """How long (ns) it failed unnoticed."""
        return None if self.noticed is None else self.noticed - self.begins

    @property
    def recovery(self) -> int | None:
        """How long (ns) it was held to be down in vain."""
        if self.recovered is None or self.ends is None:
            return None
        return self.recovered - self.ends

    @property
    def kept(self) -> bool:
        """Whether no bound was exceeded, as far as it lasted."""
        ends = self.over if self.ends is None else self.ends
        took = (ends if self.noticed is None else self.noticed) - self.begins
        if self.detection_bound is not None and took > self.detection_bound:
            return False
        if self.noticed is None or self.ends is None or self.recovery_bound is None:
            return True
        took = (self.over if self.recovered is None else self.recovered) - self.ends
        return took <= self.recovery_bound


@frozen
class Simulation:
    """What came of a scenario. Windows, changes and failures are in the order of time.

    ``probes`` counts those that the parent sent, for whatever service.
    """

    scenario: Scenario
    windows: tuple[Window, ...] = field(repr=False)
    changes: tuple[Change, ...] = field(repr=False)
    failures: tuple[Failure, ...] = field(repr=False)
    overloads: tuple[Overloaded, ...] = field(repr=False)
    probes: int

    @property
    def requests(self) -> int:
        """How many requests arrived."""
        return sum(window.requests for window in self.windows)

    @property
    def failed(self) -> int:
        """How many requests failed as users saw it, those unserved included."""
        return sum(window.failures for window in self.windows)

    @property
    def unserved(self) -> int:
        """How many requests found nothing eligible."""
        return sum(window.unserved for window in self.windows)

    @property
    def children(self) -> tuple[str, ...]:
        """All children that the service ever had, by name."""
        conditions = {window.condition for window in self.windows}
        return tuple(sorted({child for each in conditions for child in each.children}))

    @property
    def kept(self) -> bool:
        """Whether every bound was kept."""
        return all(failure.kept for failure in self.failures)

    @property
    def phases(self) -> tuple[Window, ...]:
        """The windows, those joined that follow each other under one condition."""
        return tuple(_joined(self.windows))


def _joined(windows: tuple[Window, ...]) -> Iterator[Window]:
    last: Window | None = None
    for window in windows:
        if last is not None and last.condition == window.condition:
            picks = tuple(map(sum, zip(last.picks, window.picks, strict=True)))
            last = evolve(
                last, ends=window.ends, picks=picks, unserved=last.unserved + window.unserved
            )
            continue
        if last is not None:
            yield last
        last = window
    if last is not None:
        yield last
