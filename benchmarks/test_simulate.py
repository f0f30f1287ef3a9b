"""A day of 20 children in virtual time: 86.4 million requests, three outages."""

from __future__ import annotations

from typing import Any

import pytest
from benchmarks.measure import Loop, calls

from uplinks.model import (
    Child,
    ChildConfig,
    Cluster,
    Fleet,
    HealthCheck,
    ParentConfig,
    ServiceReference,
    TraefikService,
    Uplink,
    UplinkEntryPoint,
    Weighted,
)
from uplinks.simulate import Outage, Scenario, simulate

SECTION = "simulation: a request / [].__len__()"
SECOND = 1_000_000_000
HOUR = 3600 * SECOND
NAMES = [f"child-{i:02}" for i in range(20)]
OUTAGES = (
    Outage("child-01", 2 * HOUR, 3 * HOUR),
    Outage("child-02", 8 * HOUR, 9 * HOUR + 17, hangs=True),
    Outage("child-03", 20 * HOUR, 21 * HOUR),
)


def day(*, nested: bool) -> Scenario:
    """A day of children with weights from 1 to 7 and the checks of the reference page."""
    points = ChildConfig({"multicluster": UplinkEntryPoint(":9443", as_default=True)})
    config = ParentConfig({name: Child(f"https://{name}.example.com") for name in NAMES})
    children = {
        name: Cluster(
            name,
            [
                Uplink(
                    "api",
                    "apps",
                    expose_name=f"api-{name}" if nested else None,
                    weight=1 + i % 7,
                    health_check=HealthCheck(path="/health"),
                )
            ],
            child_config=points,
        )
        for i, name in enumerate(NAMES)
    }
    references = [
        ServiceReference(f"api-{name}@multicluster", "TraefikService", weight=1 + i % 7)
        for i, name in enumerate(NAMES)
    ]
    composed = [TraefikService("api", "apps", weighted=Weighted(references))] if nested else []
    fleet = Fleet(Cluster("parent", traefik_services=composed, parent_config=config), children)
    service = "apps-api@kubernetescrd" if nested else "apps-api@multicluster"
    return Scenario(fleet, service, 1000, 24 * HOUR, OUTAGES)


def repeat(scenario: Scenario) -> Loop:
    def once() -> None:
        run = simulate(scenario)
        assert run.requests == 86_400_000
        assert len(run.failures) == 3
        assert run.within_bounds

    return calls(once)


@pytest.mark.parametrize(
    ("row", "nested", "limit"),
    # Nested selectors pick one by one, in compiled code.
    [("a weighted service", False, 1), ("a composed service", True, 3)],
)
def test_a_day(row: str, nested: bool, limit: int, bench: Any) -> None:  # noqa: FBT001 - a case
    scenario = day(nested=nested)

    ratio = bench.time(SECTION, row, 20, repeat(scenario), per=scenario.requests, limit=limit)
    seconds = ratio.nanoseconds * scenario.requests / SECOND
    bench.keep("simulation: s of CPU for 86.4 million requests", row, "n=20", seconds, limit=60)
