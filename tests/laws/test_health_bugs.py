"""Classic bugs of health checkers, planted one at a time: each must be caught.

A check that no bug can fail proves nothing. Source: bugs found in, or ascribed
to, the checkers of widely used proxies.
"""

from __future__ import annotations

from typing import Any

import pytest
from attrs import evolve
from tests.laws import test_health_exhaustive as exhaustive
from tests.laws.test_health_model import simulate

from uplinks.health import (
    TRANSITIONS,
    Cause,
    Event,
    Health,
    HealthPolicy,
    Outcome,
    Probe,
    State,
    _machine,
)
from uplinks.health._schedule import ProbeSchedule

SEEDS = 40


class StaleAccepted(Health):
    """The outcome for an old generation counts for the new one."""

    def report(self, probe: Probe, outcome: Outcome, now: int) -> list[Event]:
        record = self._records.get(probe.target)
        if record is not None and record.flight is not None:
            probe = record.flight
        return super().report(probe, outcome, now)


class DuplicateAccepted(Health):
    """The second report of an outcome counts again."""

    def _count_ignored(self, token: Any) -> None:
        super()._count_ignored(token)
        record = self._records.get(token.target)
        if record is not None and record.reported and record.flight is None:
            record.streak += 1


class _BuggySchedule(Health):
    """A machine whose schedule has the bug."""

    schedule: type[ProbeSchedule]

    def __init__(self, policy: HealthPolicy | None = None, *, salt: int = 0) -> None:
        super().__init__(policy, salt=salt)
        self._schedule = self.schedule(self._policy, salt)


class _LosingSchedule(ProbeSchedule):
    def renew(self, record: Any, previous: Any) -> None:
        flew = record.flight is not None
        super().renew(record, previous)
        if flew:
            self.due.discard(record)


class LostOnReconfigure(_BuggySchedule):
    """A probe whose generation ends in flight leaves its target without a due time."""

    schedule = _LosingSchedule


class OffByOne(Health):
    """A target falls one failure too late."""

    def _judge(self, record: Any, outcome: Outcome, events: list[Event]) -> None:
        policy = self._policy
        self._policy = evolve(policy, unhealthy_threshold=policy.unhealthy_threshold + 1)
        super()._judge(record, outcome, events)
        self._policy = policy


class _RawSchedule(ProbeSchedule):
    def advance(self, now: int) -> int:
        self.now = now
        return now


class RawClock(_BuggySchedule):
    """Time runs backwards when the clock does."""

    schedule = _RawSchedule


class StreakKept(Health):
    """Failures that are not in a row are counted as if they were."""

    def _judge(self, record: Any, outcome: Outcome, events: list[Event]) -> None:
        kept, state = record.streak, record.state
        super()._judge(record, outcome, events)
        if record.state is state and record.streak == 0:
            record.streak = kept


class LateSuccess(Health):
    """A pass after the deadline counts as a pass."""

    def _time_out(self, record: Any, probe: Probe, events: list[Event]) -> None:
        outcome = Outcome.PASS if self.now <= probe.deadline + 2 else Outcome.LATE
        self._judge(record, outcome, events)


class WrongInterval(Health):
    """A target that is down is asked at the interval of one that is up."""

    def _judge(self, record: Any, outcome: Outcome, events: list[Event]) -> None:
        super()._judge(record, outcome, events)
        if record.state is State.DOWN and outcome is not Outcome.LATE:
            self._schedule.set_due(record, record.base + record.check.interval)


class _DoublingSchedule(ProbeSchedule):
    def start(self, record: Any, now: int) -> Probe:
        probe = super().start(record, now)
        self.set_due(record, record.base + record.check.interval)
        return probe


class DoubleInFlight(_BuggySchedule):
    """A slow probe is still under way when the next one starts."""

    schedule = _DoublingSchedule


class StateForgotten(Health):
    """A target that begins like another begins as a new one."""

    def add(self, target: Any, check: Any, passive: Any, now: int, *, like: Any = None) -> Any:
        return super().add(target, check, passive, now)


class OldName(Health):
    """What happens to a target that is known by another name is told of the old one."""

    def rename(self, target: Any, name: Any) -> None:
        super().rename(target, name)
        self._records[name].target = target


BUGS = [
    StaleAccepted,
    DuplicateAccepted,
    LostOnReconfigure,
    OffByOne,
    RawClock,
    StreakKept,
    LateSuccess,
    WrongInterval,
    DoubleInFlight,
    StateForgotten,
    OldName,
]


@pytest.mark.parametrize("bug", BUGS, ids=lambda bug: bug.__name__)
def test_the_simulation_catches_it(bug: type[Health]) -> None:
    caught = 0
    for seed in range(SEEDS):
        try:
            simulate(seed, kind=bug)
        except (AssertionError, KeyError):
            caught += 1
            break

    assert caught, f"{bug.__doc__} went unnoticed"


class Sound(Health):
    """Nothing is planted."""


def test_nothing_is_caught_where_nothing_is_planted() -> None:
    for seed in range(5):
        simulate(seed, kind=Sound)
    for small in exhaustive.CONFIGURATIONS[:4]:
        exhaustive.search(small, Sound)


def test_the_table_is_what_decides() -> None:
    """One wrong entry in the table is caught like any other bug."""
    row = dict(TRANSITIONS[State.UP])
    wrong = {**TRANSITIONS, State.UP: {**row, Cause.FELL: State.UP}}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(_machine, "TRANSITIONS", wrong)
        with pytest.raises(AssertionError):
            exhaustive.search_all()
