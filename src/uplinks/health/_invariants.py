"""The invariants of the machine, asserted by tests. Reads only."""
# ruff: noqa: S101, SLF001 - asserts on the inside of the machine are its purpose

from __future__ import annotations

from typing import TYPE_CHECKING

from uplinks.health._schedule import MASK
from uplinks.health._states import State

if TYPE_CHECKING:
    from uplinks.health._machine import Health

__all__ = ["check_invariants"]


def check_invariants(machine: Health) -> None:
    """Assert the invariants. Complexity: O(n)."""
    policy, schedule = machine._policy, machine._schedule
    flights, now = schedule.flights, schedule.now
    due, releases = schedule.due.records, machine._releases.records
    assert due.keys() <= set(schedule.due.heap)
    assert releases.keys() <= set(machine._releases.heap)
    assert len(flights) <= policy.concurrency
    assert flights.keys() <= {key & MASK for key in schedule._deadlines}
    for target, record in machine._records.items():
        flying, down = record.flight is not None, record.state is State.DOWN
        threshold = policy.healthy_threshold if down else policy.unhealthy_threshold
        awaited = down and record.check is None
        facts = (
            record.target == target and record.state is not State.GONE,
            flying + (due.get(record.key) is record) == (record.check is not None),
            not flying or flights[record.sequence] == (record.flight, record),
            (releases.get(record.key) is record) == awaited,
            not awaited or record.passive is not None,
            0 <= record.streak < threshold,
            record.since <= now,
            record.check is None or record.base <= now,
        )
        assert all(facts), (target, facts)
    queued = sum(r.flight is None and r.check is not None for r in machine._records.values())
    assert len(due) == queued  # no removed target waits
