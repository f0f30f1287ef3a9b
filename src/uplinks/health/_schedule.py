"""When each target is probed: due times, probes in flight, and overload.

Rules of this file:

1. Slots have a fixed rate, however long a probe takes. Missed slots are merged
   into one; none is replayed.
2. A target with a check has exactly one probe in flight or exactly one due time.
3. The schedule does not know how a probe ended; `Health` does.
"""

from __future__ import annotations

from collections.abc import Iterator
from heapq import heapify, heappop, heappush
from typing import Final

from uplinks.health._queue import ROOM, Queue, Record
from uplinks.health._states import State
from uplinks.health._values import Event, HealthPolicy, Overloaded, Probe, Token
from uplinks.model import HealthCheck

__all__ = ["MASK", "ProbeSchedule", "current_interval"]

GOLDEN: Final = 0x9E37_79B9_7F4A_7C15
"""2**64 over the golden ratio."""

MASK: Final = (1 << 64) - 1


class ProbeSchedule:
    """The due times, deadlines and flights of all targets.

    Complexity: O(log n) amortized for each probe and each changed due time.
    """

    __slots__ = (
        "_deadlines",
        "_phase",
        "_policy",
        "_queued_at",
        "_sequence",
        "due",
        "effective_interval",
        "flights",
        "now",
        "overload",
    )

    def __init__(self, policy: HealthPolicy, salt: int) -> None:
        self.now = 0
        self.due = Queue()
        # Probes in flight by sequence, stale ones included: they still use concurrency.
        self.flights: dict[int, tuple[Probe, Record]] = {}
        self.effective_interval: int | None = None  # as last reported; None: no probe waits
        self._policy = policy
        self._phase = salt * GOLDEN & MASK
        self._deadlines: list[
            int
        ] = []  # with sequences, as in a queue; ended ones are dropped late
        self._sequence = 0
        self._queued_at: int | None = None  # when a due probe last found no concurrency
        self.overload: Overloaded | None = None  # not yet taken

    def advance(self, now: int) -> int:
        """Move the clock forward; give the time inside, which never goes back."""
        if type(now) is not int:
            raise TypeError(f"now must be an integer of nanoseconds, got {now!r}")
        if now > self.now:  # noqa: PLR1730 - max() would take three times as long
            self.now = now
        return self.now

    def new_phase(self) -> int:
        """Give the phase of the next target, a multiple of the golden ratio in 2**-64."""
        self._phase = self._phase + GOLDEN & MASK
        return self._phase

    def given(self, sequence: int) -> bool:
        """Return whether a probe with this sequence was ever started."""
        return 0 <= sequence < self._sequence

    def next_wakeup(self) -> int | None:
        """Return when (ns) the next deadline or the next probe to start is."""
        deadlines = self._deadlines
        while deadlines and deadlines[0] & MASK not in self.flights:
            heappop(deadlines)
        deadline = deadlines[0] >> 64 if deadlines else None
        due = self.due.first() if len(self.flights) < self._policy.concurrency else None
        if deadline is None or due is None:
            return due if deadline is None else deadline
        return min(deadline, due)

    # Due times

    def begin(self, record: Record) -> None:
        """Schedule a new target: its first slot in the start window, the rest at its phase.

        Both are at the same share of window and interval, so the second slot
        comes at most one interval after the first.
        """
        check = record.check
        if check is None:
            return
        window = min(self._policy.start_window, check.interval)
        record.base = self.now + (record.phase * check.interval >> 64) - check.interval
        self.set_due(record, self.now + (record.phase * window >> 64))

    def renew(self, record: Record, previous: HealthCheck | None) -> None:
        """Start a new generation: earlier results and the probe in flight no longer count."""
        record.generation += 1
        record.streak = 0
        in_flight, record.flight = record.flight is not None, None
        if record.check is None:
            self.due.discard(record)
        elif previous is None:
            self.begin(record)
        else:
            # Spread like first probes, but no promised slot moves away: changing checks all the
            # time must not keep them from being made.
            interval = current_interval(record)
            window = min(self._policy.start_window, interval)
            due = self.now + (record.phase * window >> 64)
            if in_flight:
                self.set_due(record, min(due, max(self.now, record.base + interval)))
            else:
                self.hasten(record, due)

    def set_due(self, record: Record, time: int) -> None:
        """Give a target without a due time one."""
        record.due, record.ready = time, self.now
        self.due.put(record, time)

    def set_next_due(self, record: Record) -> None:
        """Give a target whose probe has ended the due time of its next slot."""
        self.set_due(record, record.base + current_interval(record))

    def hasten(self, record: Record, time: int) -> None:
        """Move a due time forward, never back."""
        if time < record.due:
            self.due.discard(record)
            self.set_due(record, time)

    # Flights

    def start_due(self, now: int, most: int | None) -> list[Probe]:
        """Start the due probes, most overdue first, up to ``most`` and the policy's concurrency."""
        free = self._policy.concurrency - len(self.flights)
        if most is not None and most < free:
            return [self.start(record, now) for record in self.due.pop(now, most)]
        probes = [self.start(record, now) for record in self.due.pop(now, free)]
        waiting = self.due.first() if len(probes) == free else None
        if waiting is not None and waiting <= now:
            self._queued_at = now
        else:
            self._queued_at = self.effective_interval = None
        return probes

    def start(self, record: Record, now: int) -> Probe:
        """Start a target's probe in its current slot."""
        check = record.check
        assert check is not None  # noqa: S101 - only targets with a check are ever due
        interval = current_interval(record)
        if self._queued_at is not None:
            self._detect_overload(record, now, interval)
        record.base += (now - record.base) // interval * interval
        record.started = now
        record.sequence = sequence = self._sequence
        self._sequence += 1
        target, deadline = record.target, now + check.timeout
        token = Token(target, record.generation, sequence)
        record.flight = probe = Probe(target, check, token, record.due, deadline)
        self.flights[sequence] = probe, record
        deadlines = self._deadlines
        heappush(deadlines, deadline << 64 | sequence)
        if len(deadlines) > 2 * len(self.flights) + ROOM:
            deadlines[:] = [key for key in deadlines if key & MASK in self.flights]
            heapify(deadlines)
        return probe

    def expired(self, now: int) -> Iterator[tuple[Record, Probe]]:
        """End the flights past their deadline; yield those whose outcome still counts."""
        deadlines, until = self._deadlines, now + 1 << 64
        while deadlines and deadlines[0] < until:
            flight = self.flights.pop(heappop(deadlines) & MASK, None)
            if flight is not None and flight[1].flight is flight[0]:
                yield flight[1], flight[0]

    # Overload

    def take_overload(self) -> list[Event]:
        """Take the overload event that was not taken yet, if there is one."""
        overload, self.overload = self.overload, None
        return [overload] if overload else []

    def _detect_overload(self, record: Record, now: int, interval: int) -> None:
        """Notice a slot lost to the wait for concurrency, not to the driver or the target."""
        ready = max(record.due, record.ready)
        if record.started is None or self._queued_at is None or ready > self._queued_at:
            return
        effective = now - record.started
        # Report again only when it has doubled: an overload must not flood the events.
        known = 0 if self.effective_interval is None else 2 * self.effective_interval
        if now - ready >= interval and effective >= known:
            self.effective_interval = effective
            self.overload = Overloaded(effective, now)


def current_interval(record: Record) -> int:
    """Return the interval (ns) of a target's check in its present state."""
    check = record.check
    assert check is not None  # noqa: S101 - called only for targets with a check
    return check.unhealthy_interval if record.state is State.DOWN else check.interval
