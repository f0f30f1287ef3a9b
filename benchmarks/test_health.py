"""Events of the health machine: probes that start, and outcomes that are reported."""

from __future__ import annotations

from typing import Any

import pytest
from benchmarks.measure import Loop

from uplinks.health import Health, HealthPolicy, Outcome
from uplinks.model import HealthCheck

SECTION = "health: an event / [].__len__()"
SECOND = 1_000_000_000
INTERVAL = 10 * SECOND
TICK = SECOND // 1_000  # a driver wakes up once a millisecond at most
SIZES = (100, 1_000, 10_000, 100_000)


def machine(n: int) -> Health:
    """A machine of n targets that have all been asked once."""
    health = Health(HealthPolicy(start_window=INTERVAL, concurrency=n))
    check = HealthCheck(interval=INTERVAL, timeout=SECOND)
    for target in range(n):
        health.add(target, check, None, 0)
    for probe in health.due(INTERVAL):
        health.report(probe, Outcome.PASS, INTERVAL)
    health.next_wakeup()  # drops the deadlines of all that has ended
    return health


def events(health: Health, *, flap: bool) -> Loop:
    """So many events: each target's probe starts, and is reported a wake-up later."""
    flying: list[Any] = []

    def loop(times: int) -> None:
        nonlocal flying
        done = 0
        outcomes = (Outcome.PASS, Outcome.fail("down") if flap else Outcome.PASS)
        turn = 0
        while done < times:
            now = max(health.next_wakeup() or 0, health.now + TICK)
            turn = not turn
            for probe in flying:
                health.report(probe, outcomes[turn], now)
            health.expire(now)
            done += len(flying)
            flying = health.due(now)
            done += len(flying)

    return loop


@pytest.mark.parametrize("n", SIZES)
def test_an_event(n: int, bench: Any) -> None:
    ratio = bench.time(SECTION, "probe or outcome", n, events(machine(n), flap=False), limit=200)
    bench.keep(
        "health: events/s of one core", "probe or outcome", f"n={n:,}", SECOND / ratio.nanoseconds
    )


@pytest.mark.parametrize("n", SIZES)
def test_an_event_while_targets_flap(n: int, bench: Any) -> None:
    bench.time(SECTION, "probe or outcome, flapping", n, events(machine(n), flap=True), limit=300)
