"""Records of targets, and queues of them by time.

Rules of this file:

1. A queue knows no state: whoever puts a record there knows why.
2. A record stands in one queue at most. Heaps are of ints, and what leaves
   early is dropped late.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Hashable
from heapq import heapify, heappop, heappush
from typing import Final

from uplinks.health._states import State
from uplinks.health._values import Probe
from uplinks.model import HealthCheck, PassiveHealthCheck

__all__ = ["ROOM", "Queue", "Record"]

ROOM: Final = 64
"""Entries that a heap may hold in vain before it is made anew."""


class Queue:
    """Records by time, earliest first; equal times in the order they were put.

    A key is a time and a number that is never used twice, in one int: heaps of
    ints are quicker than heaps of tuples. A record that leaves before its time
    leaves its key in the heap, to be dropped when it comes up, or with all
    others when they are the most.
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
        if self.records.get(record.key) is record:  # its key may be one of another queue
            del self.records[record.key]

    def first(self) -> int | None:
        """Tell the earliest time."""
        heap = self.heap
        while heap and heap[0] not in self.records:
            heappop(heap)
        return heap[0] >> 64 if heap else None

    def pop(self, now: int, most: int) -> list[Record]:
        """Take the earliest records whose time has come, but not more than so many."""
        taken: list[Record] = []
        heap, until = self.heap, now + 1 << 64
        while heap and heap[0] < until and len(taken) < most:
            record = self.records.pop(heappop(heap), None)
            if record is not None:
                taken.append(record)
        return taken


class Record:
    """What is kept of a target."""

    __slots__ = (
        "base",  # the latest slot at or before the last start
        "check",
        "due",  # when the next probe is due; of no meaning while one is in flight
        "failures",  # times of the requests that failed, of use to the passive check
        "flight",  # the probe in flight, if its outcome counts
        "generation",
        "key",  # where it stands in a queue, or stood
        "passive",
        "phase",  # where in its interval it stands, in 2**-64
        "ready",  # since when it has been waiting for that
        "reported",  # whether its last probe ended by a report
        "sequence",  # of its last probe
        "since",  # when it came into its state
        "started",  # when its last probe started
        "state",
        "streak",  # outcomes in a row that speak against its state
        "target",
    )

    def __init__(self, target: Hashable, phase: int) -> None:
        self.target = target
        self.phase = phase
        self.check: HealthCheck | None = None
        self.passive: PassiveHealthCheck | None = None
        self.state = State.GONE
        self.generation = self.streak = 0
        self.base = self.due = self.key = self.ready = self.since = 0
        self.started: int | None = None
        self.sequence = -1
        self.reported = False
        self.flight: Probe | None = None
        self.failures: deque[int] = deque()
