"""Events of the health machine, and picks while a parent's children flap."""

from __future__ import annotations

from typing import Any

import pytest
from benchmarks.measure import Loop

from uplinks import Advertisement, Parent, ParentConfig
from uplinks.health import Health, HealthPolicy, Outcome
from uplinks.model import Child, HealthCheck
from uplinks.parent import Endpoint

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


CHILDREN = 1_100
FLAPPING = 1_000  # of these
PICKS = 10  # between two transitions


def flapping() -> Loop:
    """Pick from a parent most of whose children change with every probe; ten picks a change."""
    names = [f"child-{i}" for i in range(CHILDREN)]
    config = ParentConfig({name: Child(f"https://{name}.example.com") for name in names})
    parent = Parent(config, policy=HealthPolicy(concurrency=CHILDREN, start_window=INTERVAL))
    check = HealthCheck(path="/health", interval=INTERVAL, timeout=SECOND)
    for i, name in enumerate(names):
        offer = Advertisement("api", "apps/api", ["m"], weight=1 + i % 100, health_check=check)
        parent.advertise(name, [offer], 0)
    pick = parent.selector("api@multicluster").pick
    failed = Outcome.fail("down")
    flapping_ones = {f"api-{name}@multicluster" for name in names[:FLAPPING]}

    def loop(times: int) -> None:
        done = 0
        while done < times:
            wakeup = parent.next_wakeup()
            assert wakeup is not None
            for probe in parent.due(wakeup):
                assert isinstance(probe.target, Endpoint)
                [service] = parent.services_at(probe.target)
                flaps = service in flapping_ones
                fails = flaps and parent.is_up(service)
                parent.report(probe, failed if fails else Outcome.PASS, wakeup)
                for _ in range(PICKS if flaps else 0):
                    pick()
                    done += 1
            parent.events.drain()

    loop(CHILDREN * PICKS)
    return loop


def test_a_pick_while_a_thousand_children_flap(bench: Any) -> None:
    """The transitions included: each child's probe, the machine, the parent, and the selector."""
    row = "pick, a transition every ten picks"
    ratio = bench.time("health: a pick / [].__len__()", row, CHILDREN, flapping(), limit=250)
    bench.keep("health: picks/s of one core", row, f"n={CHILDREN:,}", SECOND / ratio.nanoseconds)
