"""When each target is asked: slots, probes in flight, and who waits for whom.

Rules of this file:

1. Slots lie at a fixed rate, whatever a probe takes. Slots that are missed
   become one; none is replayed.
2. A target with a check has exactly one probe in flight or exactly one due time.
3. How a probe ended is none of this file's business.
"""

from __future__ import annotations

from heapq import heapify, heappush
from typing import Final

from uplinks.health._queue import ROOM, Queue, Record
from uplinks.health._states import State
from uplinks.health._values import Event, HealthPolicy, Overloaded, Probe, Token
from uplinks.model import HealthCheck

__all__ = ["GOLDEN", "WHOLE", "Slots", "interval_of"]

GOLDEN: Final = 0x9E37_79B9_7F4A_7C15
"""2**64 over the golden ratio."""

WHOLE: Final = (1 << 64) - 1


class Slots:
    """The part of the machine that knows the time: now, due times, deadlines."""

    def __init__(self, policy: HealthPolicy, salt: int) -> None:
        self._policy = policy
        self._phase = salt * GOLDEN & WHOLE
        self._now = 0
        # Probes in flight by sequence, also those whose outcome counts no more: they still run.
        self._flights: dict[int, tuple[Probe, Record]] = {}
        self._due = Queue()
        self._deadlines: list[int] = []  # with sequences, as in a queue; also of what has ended
        self._sequence = 0
        self._queued: int | None = None  # when last a due probe found no concurrency
        self._effective: int | None = None
        self._unheard: Overloaded | None = None

    def _tell(self, now: int) -> int:
        if type(now) is not int:
            raise TypeError(f"time is an int of nanoseconds, not {now!r}")
        if now > self._now:  # noqa: PLR1730 - max() would take three times as long
            self._now = now
        return self._now

    def _begin(self, record: Record) -> None:
        """Give a new target its slots: the first within the start window, then at its phase.

        Both are at the same share of window and interval, so the second comes
        an interval after the first at the latest.
        """
        check = record.check
        if check is None:
            return
        window = min(self._policy.start_window, check.interval)
        record.base = self._now + (record.phase * check.interval >> 64) - check.interval
        self._set_due(record, self._now + (record.phase * window >> 64))

    def _renew(self, record: Record, old: HealthCheck | None) -> None:
        """Begin a generation: what was learned or asked before counts no more."""
        record.generation += 1
        record.streak = 0
        in_flight, record.flight = record.flight is not None, None
        check = record.check
        if check is None:
            self._due.discard(record)
        elif old is None:
            self._begin(record)
        else:
            # Spread like first probes, but no slot that was promised moves away: whoever
            # changes checks all the time must not keep them from being made.
            window = min(self._policy.start_window, interval_of(record))
            due = self._now + (record.phase * window >> 64)
            if in_flight:
                self._set_due(record, min(due, max(self._now, record.base + interval_of(record))))
            else:
                self._hasten(record, due)

    def _start(self, record: Record, now: int) -> Probe:
        check = record.check
        assert check is not None  # noqa: S101 - only targets with a check are ever due
        interval = interval_of(record)
        if self._queued is not None:
            self._queue_wait(record, now, interval)
        record.base += (now - record.base) // interval * interval
        record.started = now
        record.sequence = sequence = self._sequence
        self._sequence += 1
        target, deadline = record.target, now + check.timeout
        token = Token(target, record.generation, sequence)
        record.flight = probe = Probe(target, check, token, record.due, deadline)
        self._flights[sequence] = probe, record
        deadlines = self._deadlines
        heappush(deadlines, deadline << 64 | sequence)
        if len(deadlines) > 2 * len(self._flights) + ROOM:
            deadlines[:] = [key for key in deadlines if key & WHOLE in self._flights]
            heapify(deadlines)
        return probe

    def _queue_wait(self, record: Record, now: int, interval: int) -> None:
        """Notice overload: a slot lost by waiting for others, not for the driver or the target."""
        ready = max(record.due, record.ready)
        if record.started is None or self._queued is None or ready > self._queued:
            return
        effective = now - record.started
        # Again only when it has doubled: an overload is no reason for a flood.
        known = 0 if self._effective is None else 2 * self._effective
        if now - ready >= interval and effective >= known:
            self._effective = effective
            self._unheard = Overloaded(effective, now)

    def _set_due(self, record: Record, time: int) -> None:
        record.due, record.ready = time, self._now
        self._due.put(record, time)

    def _hasten(self, record: Record, time: int) -> None:
        if time < record.due:
            self._due.discard(record)
            self._set_due(record, time)

    def _overload(self) -> list[Event]:
        unheard, self._unheard = self._unheard, None
        return [unheard] if unheard else []


def interval_of(record: Record) -> int:
    check = record.check
    assert check is not None  # noqa: S101 - only asked for targets with a check
    return check.unhealthy_interval if record.state is State.DOWN else check.interval
