"""What `uplinks.simulate` predicts, beside what a real Envoy does with real children.

Both get the same fleet, requests and faults. The phases of their probes differ, so for each fault
requests lost may differ by one probe interval's worth, and no more.
"""

from __future__ import annotations

import asyncio
import math
import os
from collections import Counter
from collections.abc import Mapping
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest
from attrs import frozen
from tests.proxies.children import FaultyChild, config_of, listening, replay
from tests.proxies.drivers import Envoy

from uplinks.model import (
    ChildConfig,
    ChildService,
    Cluster,
    Fleet,
    HealthCheck,
    PassiveHealthCheck,
    Uplink,
    UplinkEntryPoint,
)
from uplinks.parent import Parent
from uplinks.simulate import Flap, Outage, Scenario, ScenarioEvent, Simulation, Slow, simulate

MS = 1_000_000
API = "apps-api@multicluster"
RATE = 50
DURATION = 4000 * MS
POINTS = ChildConfig({"multicluster": UplinkEntryPoint(":9443", as_default=True)})
CHECK = HealthCheck(path="/health", interval=400 * MS, timeout=150 * MS)
PASSIVE = PassiveHealthCheck(failure_window=600 * MS, max_failed_attempts=3)


@frozen
class Case:
    """A fleet and its faults, and how often a child fails."""

    weights: Mapping[str, int]
    check: HealthCheck | None
    passive: PassiveHealthCheck | None
    events: tuple[ScenarioEvent, ...]
    failures: int = 1

    def scenario(self, children: dict[str, FaultyChild]) -> Scenario:
        clusters = {
            name: Cluster(
                name,
                [
                    Uplink(
                        "api",
                        "apps",
                        weight=weight,
                        health_check=self.check,
                        passive_health_check=self.passive,
                    )
                ],
                child_config=POINTS,
            )
            for name, weight in self.weights.items()
        }
        parent = Cluster("parent", parent_config=config_of(children))
        return Scenario(Fleet(parent, clusters), API, RATE, DURATION, self.events)


OUTAGE = Outage("eu", 1130 * MS, 2710 * MS)
EU_9 = {"eu": 9, "us": 1}
CASES = {
    "active": Case(EU_9, CHECK, None, (OUTAGE,)),
    "hanging": Case(EU_9, CHECK, None, (Outage("eu", 1130 * MS, 2710 * MS, hangs=True),)),
    "passive": Case(EU_9, None, PASSIVE, (OUTAGE,), failures=3),
    "both checks": Case({"eu": 1, "us": 1, "ap": 2}, CHECK, PASSIVE, (OUTAGE,)),
    "weight 0": Case({"eu": 1, "us": 1, "ap": 0}, CHECK, None, (OUTAGE,)),
    "flapping": Case(
        {"eu": 1, "us": 1},
        CHECK,
        None,
        (Flap("eu", 530 * MS, 3800 * MS, 1600 * MS, 800 * MS),),
        failures=3,
    ),
    "slow": Case({"eu": 1, "us": 1}, CHECK, None, (Slow("eu", 1130 * MS, 2710 * MS, 300 * MS),)),
    "slow and failing": Case(
        {"eu": 3, "us": 1}, CHECK, None, (Slow("eu", 1130 * MS, 2710 * MS, 300 * MS, fails=True),)
    ),
}


class UplinkEnvoy(Envoy):
    """Envoy in front of an uplink: its checks, weights and outlier detection."""

    def __init__(self, folder: Path, parent: Parent, children: dict[str, FaultyChild]) -> None:
        shared = next(s for s in parent.services.weighted if s.name == API)
        pairs = [(parent.services[each.name], each.weight) for each in shared.children]
        self._services = [s for s, weight in pairs if weight and isinstance(s, ChildService)]
        weights = {s.child: w for s, w in pairs if w and isinstance(s, ChildService)}
        super().__init__(folder, weights, children)  # type: ignore[arg-type]  # it needs ports only

    @property
    def port(self) -> int:
        """The port that takes the requests."""
        assert self.connection.port is not None
        return self.connection.port

    def _configuration(self) -> dict[str, Any]:
        configuration: dict[str, Any] = super()._configuration()
        [cluster] = configuration["static_resources"]["clusters"]
        check, passive = (
            self._services[0].health_check,
            self._services[0].passive_health_check,
        )
        # By default Envoy applies changes of state within a second of each other together.
        cluster["common_lb_config"]["update_merge_window"] = "0s"
        cluster["health_checks"] = [] if check is None else [_health_check(check)]
        if passive is not None:
            cluster["outlier_detection"] = _outlier_detection(passive)
        return configuration


def _health_check(check: HealthCheck) -> dict[str, Any]:
    interval = f"{check.interval / 10**9}s"
    return {
        "http_health_check": {"path": check.path},
        "timeout": f"{check.timeout / 10**9}s",
        "interval": interval,
        "no_traffic_interval": interval,
        "unhealthy_interval": f"{check.unhealthy_interval / 10**9}s",
        "healthy_threshold": 1,
        "unhealthy_threshold": 1,
    }


def _outlier_detection(check: PassiveHealthCheck) -> dict[str, Any]:
    window = f"{check.failure_window / 10**9}s"
    return {
        "consecutive_5xx": check.max_failed_attempts,
        "interval": "0.01s",
        "base_ejection_time": window,
        "max_ejection_time": window,
        "max_ejection_percent": 100,
        "enforcing_success_rate": 0,
    }


def worth_of_an_interval(case: Case) -> int:
    """Count the requests that eu gets, or misses, because one probe comes an interval later."""
    share = Fraction(case.weights["eu"], sum(case.weights.values()))
    # Envoy waits for the interval after the end of a probe.
    interval = 0 if case.check is None else case.check.interval + case.check.timeout
    attempts = 0 if case.passive is None else case.passive.max_failed_attempts
    return math.ceil(share * RATE * interval / 10**9) + attempts + 1


@pytest.mark.parametrize("name", CASES)
def test_envoy_loses_what_is_predicted(name: str, tmp_path: Path) -> None:
    if Envoy.program() is None:
        why = "envoy is not installed: make test-proxies installs it"
        if os.environ.get("UPLINKS_PROXIES") == "required":
            pytest.fail(why)
        pytest.skip(why)
    case = CASES[name]

    async def main() -> tuple[list[str | None], Simulation]:
        async with listening(case.weights) as children:
            scenario = case.scenario(children)
            envoy = UplinkEnvoy(tmp_path, Parent.from_fleet(scenario.fleet), children)
            await asyncio.to_thread(envoy.__enter__)  # the children answer its probes meanwhile
            try:
                return await replay(scenario, children, envoy.port), simulate(scenario)
            finally:
                await asyncio.to_thread(envoy.__exit__)

    answers, predicted = asyncio.run(main())

    counts = Counter(answers)
    expected: Counter[str | None] = Counter({None: predicted.failed})
    for window in predicted.windows:
        for share in window.shares:
            expected[share.child] += share.requests - share.failures
    worth = case.failures * worth_of_an_interval(case)
    assert abs(counts[None] - predicted.failed) <= worth, (counts, expected)
    # The end of a fault is detected by a probe as well.
    for child in case.weights:
        assert abs(counts[child] - expected[child]) <= 2 * worth, (counts, expected)
