"""Records of targets, and queues of them by time.

A record is in at most one queue. Heaps hold integers; the key of a record that
leaves early is dropped late.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Hashable
from heapq import heapify, heappop, heappush
from typing import Final

from uplinks.health._rate import RequestRate
from uplinks.health._states import Cause, State
from uplinks.health._values import Probe
from uplinks.model import HealthCheck, PassiveHealthCheck

__all__ = ["ROOM", "Queue", "Record"]

ROOM: Final = 64
"""How many dropped entries a heap may hold before it is rebuilt."""


class Queue:
    """Records by time, earliest first; equal times in insertion order.

    A key is a time and a unique number in one int: heaps of ints are quicker
    than heaps of tuples. A record that leaves before its time leaves its key in
    the heap. The key is dropped when it comes up, or with all others once they
    outnumber the live ones.
    """

    __slots__ = ("heap", "number", "records")

    def __init__(self) -> None:
        self.heap: list[int] = []
        self.records: dict[int, Record] = {}  # by key; a key without a record is dropped
        self.number = 0

    def put(self, record: Record, time: int) -> None:
        """Give a time to a record that has none."""
        self.number = number = self.number + 1
        record.key = key = time << 64 | number
        self.records[key] = record
        heappush(self.heap, key)
        if len(self.heap) > 2 * len(self.records) + ROOM:
            self.heap = list(self.records)
            heapify(self.heap)

    def discard(self, record: Record) -> None:
        """Remove a record that may be here."""
        if self.records.get(record.key) is record:  # its key may be one of another queue
            del self.records[record.key]

    def first(self) -> int | None:
        """Return the earliest time."""
        heap = self.heap
        while heap and heap[0] not in self.records:
            heappop(heap)
        return heap[0] >> 64 if heap else None

    def pop(self, now: int, most: int) -> list[Record]:
        """Take the earliest records that are due at ``now``, at most ``most``."""
        taken: list[Record] = []
        heap, until = self.heap, now + 1 << 64
        while heap and heap[0] < until and len(taken) < most:
            record = self.records.pop(heappop(heap), None)
            if record is not None:
                taken.append(record)
        return taken


class Record:
    """The state of one target."""

    __slots__ = (
        "base",  # the latest slot at or before the last start
        "cause",  # of its last transition
        "check",
        "due",  # when the next probe is due; meaningless while one is in flight
        "ejected",  # whether requests took it down
        "failures",  # times of failed requests, for the passive check
        "flight",  # the probe in flight, if its outcome counts
        "generation",
        "held_level",  # how often it fell of late; its least time down doubles with it
        "held_until",  # the earliest time it may leave DOWN
        "key",  # its key in a queue, now or before
        "passive",
        "phase",  # its offset within its interval, in 2**-64
        "rate",  # its requests of late, if the policy counts them
        "ready",  # since when it has been waiting for its due time
        "reason",  # of its last transition
        "reported",  # whether its last probe ended by a report
        "sequence",  # of its last probe
        "since",  # when it entered its state
        "started",  # when its last probe started
        "state",
        "streak",  # outcomes in a row that contradict its state
        "target",
    )

    def __init__(self, target: Hashable, phase: int) -> None:
        self.target = target
        self.phase = phase
        self.check: HealthCheck | None = None
        self.passive: PassiveHealthCheck | None = None
        self.state = State.GONE
        self.cause = Cause.ADDED
        self.reason = ""
        self.generation = self.streak = 0
        self.held_level = self.held_until = 0
        self.rate: RequestRate | None = None
        self.base = self.due = self.key = self.ready = self.since = 0
        self.started: int | None = None
        self.sequence = -1
        self.reported = self.ejected = False
        self.flight: Probe | None = None
        self.failures: deque[int] = deque()
