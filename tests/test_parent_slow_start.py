"""Slow start and the bounds on a child's check, through a parent."""

from __future__ import annotations

import asyncio
import logging
import pickle
from collections import Counter

import pytest

from uplinks import (
    Advertisement,
    Driver,
    HealthCheck,
    HealthPolicy,
    Outcome,
    Parent,
    ParentConfig,
    PassiveHealthCheck,
)
from uplinks.health import Bounded, Transition
from uplinks.model import MAX_WEIGHT, Child
from uplinks.testing import ScriptedProber, VirtualLoop, in_virtual_time

SECOND = 1_000_000_000
EU = "default-eu@multicluster"
RAMP = HealthPolicy(slow_start="10s")


def weights(parent: Parent) -> dict[str, int]:
    return {target.child: weight for target, weight in parent.selector().weights.items()}


def shares(parent: Parent, picks: int) -> dict[str, int]:
    return Counter(target.child for target in parent.selector().pick_many(picks))


def pair(policy: HealthPolicy = RAMP, eu: int = 1, us: int = 1) -> Parent:
    return Parent.of({"eu": ("http://eu", eu), "us": ("http://us", us)}, policy=policy)


def test_children_that_begin_together_have_their_shares_from_the_first_pick_on() -> None:
    parent = pair(eu=3)

    assert weights(parent) == {"eu": 3, "us": 1}
    assert shares(parent, 8) == {"eu": 6, "us": 2}
    assert parent.next_wakeup() == 2 * SECOND


def test_a_child_that_comes_back_gets_a_tenth_more_with_each_step() -> None:
    parent = pair()
    parent.due(10 * SECOND)
    parent.set_up("eu", False, 20 * SECOND)
    parent.set_up("eu", True, 20 * SECOND)

    assert weights(parent) == {"eu": 1, "us": 10}
    assert shares(parent, 110) == {"eu": 10, "us": 100}
    assert parent.next_wakeup() == 22 * SECOND
    for step in range(2, 10):
        parent.due((20 + step) * SECOND)
        assert weights(parent) == {"eu": step, "us": 10}
    parent.due(30 * SECOND)
    assert weights(parent) == {"eu": 1, "us": 1}
    assert parent.next_wakeup() is None


def test_a_new_child_gets_its_weight_slowly() -> None:
    parent = pair(us=4)
    parent.due(10 * SECOND)
    parent.update({"eu": "http://eu", "us": ("http://us", 4), "ap": ("http://ap", 2)}, 10 * SECOND)

    assert weights(parent) == {"ap": 2, "eu": 10, "us": 40}
    parent.due(15 * SECOND)
    assert weights(parent) == {"ap": 10, "eu": 10, "us": 40}
    [ap] = [each for each in parent.state()["targets"] if each["child"] == "ap"]
    assert ap["full_weight_at"] == 20 * SECOND
    parent.update({"eu": "http://eu", "us": ("http://us", 4)}, 15 * SECOND)
    assert weights(parent) == {"eu": 1, "us": 4}


def test_a_child_that_recovers_by_a_probe_comes_back_slowly_and_falls_at_once() -> None:
    parent = Parent.of(
        {"eu": "http://eu", "us": "http://us"},
        health_check=HealthCheck(interval="5s", timeout="1s"),
        policy=HealthPolicy(slow_start="10s", start_window=0),
    )
    seen = []
    for now in range(0, 40, 5):
        fails = now in {20, 35}
        for probe in parent.due(now * SECOND):
            failed = fails and probe.target.url == "http://eu"  # type: ignore[attr-defined]
            outcome = Outcome.fail("busy") if failed else Outcome.PASS
            parent.report(probe, outcome, now * SECOND)
        seen.append((now, weights(parent)["eu"], weights(parent)["us"], parent.is_up(EU)))

    assert seen == [
        *[(now, 1, 1, True) for now in (0, 5, 10, 15)],
        (20, 1, 1, False),
        (25, 1, 10, True),
        (30, 5, 10, True),
        (35, 1, 1, False),
    ]


def test_the_ramp_of_a_moved_child_begins_anew() -> None:
    parent = pair()
    parent.due(10 * SECOND)
    parent.update({"eu": "http://eu2", "us": "http://us"}, 12 * SECOND)

    assert weights(parent) == {"eu": 1, "us": 10}


def test_a_weight_that_changes_within_a_ramp() -> None:
    parent = pair()
    parent.due(10 * SECOND)
    parent.set_up("eu", False, 10 * SECOND)
    parent.set_up("eu", True, 10 * SECOND)
    parent.update({"eu": ("http://eu", 7), "us": ("http://us", 0)}, 11 * SECOND)
    assert weights(parent) == {"eu": 7, "us": 0}  # alone, it has all requests anyway

    parent.update({"eu": ("http://eu", 7), "us": ("http://us", 3)}, 11 * SECOND)
    assert weights(parent) == {"eu": 7, "us": 30}


def test_the_largest_weights_are_rounded() -> None:
    parent = pair(eu=MAX_WEIGHT, us=MAX_WEIGHT)
    parent.due(10 * SECOND)
    parent.set_up("eu", False, 10 * SECOND)
    parent.set_up("eu", True, 10 * SECOND)

    assert weights(parent) == {"eu": MAX_WEIGHT // 10, "us": MAX_WEIGHT}


def test_direct_services_and_selectors_made_later() -> None:
    parent = Parent(ParentConfig({"eu": Child("http://eu"), "us": Child("http://us")}), policy=RAMP)
    offer = Advertisement("api", "apps/api", ["m"])
    parent.advertise("eu", [offer], now=0)
    parent.advertise("us", [offer], now=5 * SECOND)

    assert list(parent.selector("api-us@multicluster").weights.values()) == [1]
    assert weights(parent) == {"eu": 5, "us": 1}


def test_a_ramp_survives_pickle() -> None:
    parent = pair()
    parent.due(10 * SECOND)
    parent.set_up("eu", False, 10 * SECOND)
    parent.set_up("eu", True, 10 * SECOND)
    copy: Parent = pickle.loads(pickle.dumps(parent))  # noqa: S301 - made here

    copy.due(13 * SECOND)
    assert weights(copy) == {"eu": 3, "us": 10}
    assert weights(parent) == {"eu": 1, "us": 10}


def test_a_driver_takes_the_steps() -> None:
    loop = VirtualLoop()
    parent = pair()
    driver = Driver(parent, {"http": ScriptedProber()}, clock=loop.clock)
    seen: list[dict[str, int]] = []

    async def main() -> None:
        async with driver:
            await asyncio.sleep(10)
            driver.set_up("eu", False)
            driver.set_up("eu", True)
            for _ in range(3):
                seen.append(weights(parent))
                await asyncio.sleep(4.3)

    in_virtual_time(main(), loop)
    assert seen == [{"eu": 1, "us": 10}, {"eu": 4, "us": 10}, {"eu": 8, "us": 10}]


# --- bounds -----------------------------------------------------------------------

BOUNDS = HealthPolicy(min_interval="1s", max_timeout="10s", start_window=0)


def offered(check: HealthCheck, policy: HealthPolicy = BOUNDS) -> Parent:
    parent = Parent(ParentConfig({"eu": Child("http://eu")}), policy=policy)
    offer = Advertisement("api", "apps/api", ["m"], 1, check, PassiveHealthCheck())
    parent.advertise("eu", [offer], now=0)
    return parent


def test_the_times_that_a_child_chooses_are_bounded_and_reported() -> None:
    asked = HealthCheck(interval="1ms", timeout="24h")
    parent = offered(asked)

    [probe] = parent.due(0)
    assert (probe.check.interval, probe.check.unhealthy_interval) == (SECOND, SECOND)
    assert probe.deadline == 10 * SECOND
    [bounded] = [event for event in parent.events if isinstance(event, Bounded)]
    assert (bounded.asked, bounded.check, bounded.at) == (asked, probe.check, 0)
    assert parent.services_at(bounded.target) == ("api-eu@multicluster",)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("check", "policy"),
    [
        (HealthCheck(interval="1s", timeout="10s"), BOUNDS),
        (HealthCheck(interval="1ms", timeout="24h"), HealthPolicy()),
    ],
)
def test_times_within_the_bounds_stay(check: HealthCheck, policy: HealthPolicy) -> None:
    parent = offered(check, policy)

    assert policy.bounded(check) is check
    assert all(isinstance(event, Transition) for event in parent.events)


def test_a_bound_is_reported_once_for_the_same_check() -> None:
    parent = offered(HealthCheck(interval="1ms"))
    offer = Advertisement("api", "apps/api", ["m"], 2, HealthCheck(interval="2ms"))
    again = Advertisement("api", "apps/api", ["m"], 3, HealthCheck(interval="3ms"))
    parent.advertise("eu", [offer], now=1)
    parent.advertise("eu", [again], now=2)

    bounded = [event for event in parent.events if isinstance(event, Bounded)]
    assert [event.at for event in bounded] == [0, 1]  # then only the asked interval has changed


def test_a_driver_logs_a_bound(caplog: pytest.LogCaptureFixture) -> None:
    loop = VirtualLoop()

    async def main() -> None:
        async with Driver(offered(HealthCheck(interval="1ms")), {}, clock=loop.clock):
            pass

    with caplog.at_level(logging.WARNING, "uplinks"):
        in_virtual_time(main(), loop)
    [record] = [each for each in caplog.records if "bounds" in each.message]
    assert record.message == (
        "the times of a health check of http://eu are out of bounds: interval 1ms, "
        "unhealthyInterval 1ms, timeout 5s; it is probed with interval 1s, "
        "unhealthyInterval 1s, timeout 5s"
    )
