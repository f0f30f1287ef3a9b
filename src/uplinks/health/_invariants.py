"""What must always hold inside the machine. Only tests ask.

Rules of this file:

1. It looks, and changes nothing.
"""
# ruff: noqa: S101, SLF001 - assertions are what it is for, and the machine's inside is its subject

from __future__ import annotations

from typing import TYPE_CHECKING

from uplinks.health._slots import WHOLE
from uplinks.health._states import State

if TYPE_CHECKING:
    from uplinks.health._machine import Health

__all__ = ["check"]


def check(machine: Health) -> None:
    """Assert what must always hold. Complexity: O(n)."""
    policy, flights = machine._policy, machine._flights
    due, releases = machine._due.records, machine._releases.records
    assert due.keys() <= set(machine._due.heap)
    assert releases.keys() <= set(machine._releases.heap)
    assert len(flights) <= policy.concurrency
    assert flights.keys() <= {key & WHOLE for key in machine._deadlines}
    for target, record in machine._records.items():
        flying, down = record.flight is not None, record.state is State.DOWN
        wanted = policy.healthy_threshold if down else policy.unhealthy_threshold
        awaited = down and record.check is None
        facts = (
            record.target == target and record.state is not State.GONE,
            flying + (due.get(record.key) is record) == (record.check is not None),
            not flying or flights[record.sequence] == (record.flight, record),
            (releases.get(record.key) is record) == awaited,
            not awaited or record.passive is not None,
            0 <= record.streak < wanted,
            record.since <= machine._now,
            record.check is None or record.base <= machine._now,
        )
        assert all(facts), (target, facts)
    queued = sum(r.flight is None and r.check is not None for r in machine._records.values())
    assert len(due) == queued  # nobody who is gone waits
