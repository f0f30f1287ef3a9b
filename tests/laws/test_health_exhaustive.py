"""Every state of small machines, and in each of them the laws.

A breadth-first search: from each state every event that can happen, at every
moment that matters. Times are small, thresholds go to 3, timeouts are shorter
and longer than intervals. Two states are the same when nothing that is to come
can tell them apart: times count from now, sequences from the last one.

Where it says `CLOSED`, all reachable states were seen; elsewhere all that can
be reached in so many steps.
"""

from __future__ import annotations

import pickle
from collections.abc import Iterator
from typing import Any

import pytest
from attrs import frozen
from tests.laws import test_health_model as model
from tests.profiles import representative

from uplinks.durations import Nanoseconds
from uplinks.health import Health, HealthPolicy, Outcome
from uplinks.model import HealthCheck, PassiveHealthCheck

CLOSED = 10_000
Event = tuple[Any, ...]


@frozen
class Small:
    """A machine that is small enough, and what may happen to it."""

    name: str
    policy: HealthPolicy
    check: HealthCheck | None
    passive: PassiveHealthCheck | None = None
    targets: int = 1
    others: tuple[Event, ...] = ()
    clocks: tuple[int, ...] = (0,)
    depth: int = CLOSED
    representative: bool = False


def policy(up: int, down: int, concurrency: int = 9, window: int = 0) -> HealthPolicy:
    return HealthPolicy(up, down, window, concurrency, 1)


def check(interval: int, unhealthy: int, timeout: int, path: str = "/a") -> HealthCheck:
    times = [Nanoseconds(time) for time in (interval, unhealthy, timeout)]
    return HealthCheck(path=path, interval=times[0], unhealthy_interval=times[1], timeout=times[2])


QUICK, SLOW = check(3, 2, 1), check(2, 3, 5)
TRIES = PassiveHealthCheck(Nanoseconds(3), 2)
CONFIGURATIONS = (
    *(
        Small(f"thresholds {r}/{f}, {name}", policy(r, f), each, representative=r == f == 2)
        for r in (1, 2, 3)
        for f in (1, 2, 3)
        for name, each in (("T < I", QUICK), ("T > I", SLOW))
    ),
    Small("passive alone", policy(1, 1), None, TRIES, representative=True),
    Small("passive and active", policy(2, 2), QUICK, TRIES, depth=9),
    Small(
        "held down, and passive and active",
        HealthPolicy(1, 1, 0, 9, 1, hold_down=Nanoseconds(2), max_hold_down=Nanoseconds(4)),
        QUICK,
        TRIES,
        depth=7,
        representative=True,
    ),
    Small(
        "reconfigured, moved, removed and added again",
        policy(2, 2),
        QUICK,
        others=(
            ("reconfigure", 0, check(3, 2, 1, "/b"), None, False),
            ("reconfigure", 0, SLOW, None, False),
            ("reconfigure", 0, QUICK, None, True),
            ("reconfigure", 0, None, TRIES, False),
            ("remove", 0),
        ),
        depth=5,
        representative=True,
    ),
    Small(
        "begun like another, and known by another name",
        policy(2, 2),
        QUICK,
        others=(
            ("add", 1, QUICK, None, 0),
            ("add", 1, None, TRIES, 0),
            ("remove", 0),
            ("rename", 1, 0),
        ),
        depth=5,
        representative=True,
    ),
    Small(
        "a clock that jumps", policy(1, 2), SLOW, clocks=(0, -3, 7), depth=6, representative=True
    ),
    Small(
        "two targets, one at a time, T > I",
        policy(1, 2, 1),
        SLOW,
        targets=2,
        depth=8,
        representative=True,
    ),
    Small("three targets, two at a time", policy(1, 1, 2, 2), QUICK, targets=3, depth=7),
)


def events(small: Small, twin: Any) -> Iterator[tuple[Event, int]]:
    """What can happen next, and when."""
    health = twin.health
    now, wakeup = health.now, health.next_wakeup()
    soon = now if wakeup is None else max(now, wakeup)
    moments = [now + clock for clock in small.clocks] + [soon, soon + 2] * (soon > now)
    flying = {
        p.token.sequence: p for p in twin.given if p.token.sequence in health._schedule.flights
    }
    ended = [probe for probe in twin.given if probe.token.sequence not in health._schedule.flights]
    for moment in dict.fromkeys(moments):
        yield ("due",), moment
        yield ("expire",), moment
    for probe in flying.values():
        for outcome in (Outcome.PASS, Outcome.TIMEOUT):
            yield ("report", probe, outcome), now
        yield ("report", probe, Outcome.PASS), probe.deadline
        yield ("report", probe, Outcome.PASS), probe.deadline + 1
    for probe in ended[-1:]:
        yield ("report", probe, Outcome.TIMEOUT), now
    for other in small.others:
        if possible(other, health):
            yield other, now
    if 0 not in health:
        yield ("add", 0, small.check, small.passive, None), now
        return
    if health._records[0].passive is not None:
        yield ("observe", 0, True), now
        yield ("observe", 0, False), now
        yield ("observe", 0, False), now + 2


def possible(event: Event, health: Health) -> bool:
    """What comes must be new, and what else is spoken of must be there."""
    name, target, *rest = event
    if name == "add":
        return target not in health and rest[-1] in health
    return target in health and (name != "rename" or rest[0] not in health)


def outlook(twin: Any) -> Any:
    """All that the future depends on, whatever time it is and how often was asked."""
    health = twin.health
    now, latest = health.now, health._schedule._sequence
    given = [p for p in twin.given if p.token.sequence in health._schedule.flights] + [
        p for p in twin.given if p.token.sequence not in health._schedule.flights
    ][-1:]
    waiting = sorted((key, r.target) for key, r in health._schedule.due.records.items())
    return (
        tuple(
            (
                target,
                r.state,
                r.streak,
                r.check,
                r.passive,
                r.flight and latest - r.sequence,
                r.reported,
                r.check and now - r.base,
                r.check and r.flight is None and now - r.due,
                tuple(now - t for t in r.failures if now - t < r.passive.failure_window),
                # How long a window has been over makes no difference, only that it is.
                r.key in health._releases.records and max(-1, (r.key >> 64) - now),
                r.check is None and r.state == "down" and min(4, now - r.since),
                r.state == "down" and max(0, r.held_until - now),
                r.held_level,
                r.held_level and r.state != "down" and min(9, now - r.since),
            )
            for target, r in health._records.items()
        ),
        tuple(target for _, target in waiting),
        tuple(
            (
                p.target,
                latest - p.token.sequence,
                max(-3, p.deadline - now),
                p.target in health and health._records[p.target].generation - p.token.generation,
            )
            for p in given
        ),
    )


def search(small: Small, kind: type[Health] = Health) -> tuple[int, bool]:
    """See every state within the depth; tell how many, and whether there are no others."""
    twin = model.Twin(small.policy, kind)
    for target in range(small.targets):
        twin.do("add", target, small.check, small.passive, None, now=0)
    seen, frontier = {outlook(twin)}, [pickle.dumps(twin)]
    for _ in range(small.depth):
        reached = []
        for state in frontier:
            for event, now in list(events(small, pickle.loads(state))):  # noqa: S301 - our own
                after = pickle.loads(state)  # noqa: S301 - our own bytes
                after.do(*event, now=now)
                after.health._check()
                view = outlook(after)
                if view not in seen:
                    seen.add(view)
                    after.given = after.given[-4:]
                    reached.append(pickle.dumps(after))
        if not reached:
            return len(seen), True
        frontier = reached
    return len(seen), False


def search_all(kind: type[Health] = Health) -> None:
    """Search every configuration; those with the most kinds of events find a bug first."""
    for small in sorted(CONFIGURATIONS, key=lambda each: (-len(each.others), each.targets)):
        search(small, kind)


CASES = representative(CONFIGURATIONS, lambda small: small.representative)


@pytest.mark.parametrize("small", CASES, ids=lambda small: small.name)
def test_every_reachable_state_keeps_the_laws(small: Small) -> None:
    states, closed = search(small)

    assert states > 5
    assert closed is (small.depth == CLOSED)
