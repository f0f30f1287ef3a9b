"""Check, advertise and materialize a fleet ten times as large in ten times the time and memory.

Ten children offer the same uplinks, each with a health check and a router, and a parent routes
to all of them. The garbage collector is off during a measurement: it would walk the million
objects of the fleet, which the measured code did not create.
"""

from __future__ import annotations

import gc
import tracemalloc
from collections.abc import Callable
from time import process_time_ns
from typing import Any, Final

import pytest
from benchmarks.conftest import TOLERANCE, until_kept

from uplinks import (
    ChildConfig,
    Cluster,
    Fleet,
    HealthCheck,
    IngressRoute,
    ParentConfig,
    Uplink,
    advertise,
    check,
    materialize,
)
from uplinks.model import UPLINKS_ANNOTATION, Child, Route, ServiceReference, UplinkEntryPoint

SECTION: Final = "fleet: 10 x 10,000 uplinks / 10 x 1,000"
CHILDREN: Final = tuple(f"child-{i}" for i in range(10))
RATIO: Final = 12
"""Ten times the objects, and 20 % because the larger fleet does not fit the caches. With the
tolerance of every gate a time may be 13.8 times; memory is counted and has no tolerance."""


def fleet(uplinks: int) -> Fleet:
    names = [f"workload-{i:05}" for i in range(uplinks)]
    probes = {
        each: HealthCheck(
            path=f"/{each}/health", interval=10 * 10**9, timeout=10**9, headers={"X-Probe": "1"}
        )
        for each in names
    }
    config = ChildConfig({"up": UplinkEntryPoint(":9443", as_default=True)}, multicluster=True)
    behind = [ServiceReference("workload", port=80)]

    def child(name: str) -> Cluster:
        return Cluster(
            name,
            [Uplink(each, "apps", weight=10, health_check=probes[each]) for each in names],
            [
                IngressRoute(
                    each,
                    "apps",
                    [Route(f"PathPrefix(`/{each}`)", services=behind)],
                    annotations={UPLINKS_ANNOTATION: f"apps-{each}"},
                )
                for each in names
            ],
            child_config=config,
        )

    routes = [
        Route(
            f"Host(`{each}.example.com`)",
            services=[ServiceReference(f"apps-{each}@multicluster", kind="TraefikService")],
        )
        for each in names
    ]
    listed = ParentConfig({name: Child(f"https://{name}.example.com") for name in CHILDREN})
    parent = Cluster("parent", routers=[IngressRoute("all", "apps", routes)], parent_config=listed)
    return Fleet(parent, {name: child(name) for name in CHILDREN})


def checked(subject: Fleet) -> object:
    report = check(subject)
    assert len(report) == 0
    return report


def materialized(subject: Fleet) -> object:
    config = subject.parent.parent_config
    assert config is not None
    return materialize(config, {name: advertise(c) for name, c in subject.children.items()})


def nanoseconds(work: Callable[[Fleet], object], subject: Fleet) -> int:
    gc.collect()
    gc.disable()
    try:
        before = process_time_ns()
        work(subject)
        return process_time_ns() - before
    finally:
        gc.enable()


def peak(work: Callable[[Fleet], object], subject: Fleet) -> int:
    gc.collect()
    tracemalloc.start()
    try:
        work(subject)
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


@pytest.fixture(scope="module")
def large_fleets() -> tuple[Fleet, Fleet]:
    return fleet(1_000), fleet(10_000)


@pytest.fixture(scope="module")
def small_fleets() -> tuple[Fleet, Fleet]:
    """Small, because counting each allocation is slow; a count is exact at any size."""
    return fleet(200), fleet(2_000)


@pytest.mark.parametrize("work", [checked, materialized])
def test_time_grows_with_the_fleet(
    work: Callable[[Fleet], object], large_fleets: tuple[Fleet, Fleet], bench: Any
) -> None:
    small, large = large_fleets

    def measure() -> tuple[float, float]:
        # The reference is measured before and after, as for every ratio.
        before, dear, after = (nanoseconds(work, each) for each in (small, large, small))
        return 2 * dear / (before + after), dear / 1e9

    most = RATIO * TOLERANCE
    ratio, seconds = until_kept(most, measure)
    bench.keep(SECTION, f"{work.__name__}, time", "ratio", ratio, limit=most)
    bench.keep(SECTION, f"{work.__name__}, time", "seconds", seconds)


@pytest.mark.parametrize("work", [checked, materialized])
def test_memory_grows_with_the_fleet(
    work: Callable[[Fleet], object], small_fleets: tuple[Fleet, Fleet], bench: Any
) -> None:
    small, large = (peak(work, each) for each in small_fleets)

    row = f"{work.__name__}, peak memory, 10 x 2,000 / 10 x 200"
    bench.keep(SECTION, row, "ratio", large / small, limit=RATIO)
    bench.keep(SECTION, row, "megabytes", large / 1e6)
