"""What a request costs beside its pick: leases and observations, in no-ops."""

from __future__ import annotations

from typing import Any

import pytest
from benchmarks.measure import Loop

from uplinks import Driver, HealthCheck, Outcome, Parent, PassiveHealthCheck

SECTION = "lease: a request, in no-ops"
SERVICE = "default@multicluster"
CHECKS: dict[str, dict[str, Any]] = {
    "no check": {},
    "passive": {"passive_health_check": PassiveHealthCheck(max_failed_attempts=5)},
    "passive and active": {
        "passive_health_check": PassiveHealthCheck(max_failed_attempts=5),
        "health_check": HealthCheck(path="/health"),
    },
}
LIMITS = {"no check": 10.0, "passive": 25.0, "passive and active": 25.0}


class Prober:
    """Passes at once."""

    async def probe(self, url: str, check: HealthCheck) -> Outcome:  # noqa: ARG002 - as Prober
        return Outcome.PASS

    async def close(self) -> None:
        pass


def parent_with(checks: str) -> Parent:
    return Parent.of(
        {"eu": "https://eu.example.com", "us": "https://us.example.com"}, **CHECKS[checks]
    )


def leasing(lease: Any) -> Loop:
    """Enter and leave a lease."""

    def loop(times: int) -> None:
        for _ in range(times):
            with lease(SERVICE):
                pass

    return loop


def leasing_with_status(lease: Any) -> Loop:
    """Enter a lease, report a status, and leave it."""

    def loop(times: int) -> None:
        for _ in range(times):
            with lease(SERVICE) as entered:
                entered.status(200)

    return loop


def observing(parent: Parent) -> Loop:
    """Report a success of a child."""
    target = parent.selector().pick()

    def loop(times: int) -> None:
        for _ in range(times):
            parent.observe(target, True, 0)

    return loop


def picking(parent: Parent) -> Loop:
    """Ask a parent for a selector by its name, and pick."""

    def loop(times: int) -> None:
        for _ in range(times):
            parent.selector(SERVICE).pick()

    return loop


@pytest.mark.parametrize("checks", CHECKS)
def test_a_lease_of_a_parent(checks: str, bench: Any) -> None:
    lease = parent_with(checks).lease
    bench.time(
        SECTION, f"Parent.lease(), {checks}", 2, leasing(lease), limit=LIMITS[checks], goal=4
    )
    bench.time(
        SECTION,
        f"Parent.lease() with a status, {checks}",
        2,
        leasing_with_status(lease),
        limit=LIMITS[checks],
        goal=6,
    )


@pytest.mark.parametrize("checks", CHECKS)
def test_a_lease_of_a_driver(checks: str, bench: Any) -> None:
    driver = Driver(parent_with(checks), {"http": Prober()})
    with driver.in_thread():
        assert driver.wait_ready(wait="10s")
        row = f"Driver.lease(), {checks}"
        bench.time(SECTION, row, 2, leasing(driver.lease), limit=LIMITS[checks], goal=4)


@pytest.mark.parametrize("checks", CHECKS)
def test_an_observation(checks: str, bench: Any) -> None:
    row = f"Parent.observe(), {checks}"
    bench.time(SECTION, row, 2, observing(parent_with(checks)), limit=10.0, goal=4)


def test_a_pick_by_name(bench: Any) -> None:
    row = "Parent.selector(name).pick()"
    bench.time(SECTION, row, 2, picking(parent_with("no check")), limit=10.0, goal=3)
