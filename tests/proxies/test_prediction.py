"""What `uplinks.simulate` predicts, beside what a real Envoy does with real children."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path
from typing import Any

import pytest
from tests.proxies.children import FaultyChild, listening, replay
from tests.proxies.drivers import Envoy
from tests.proxies.prediction import API, FLAT

from uplinks.model import ChildService, HealthCheck, PassiveHealthCheck
from uplinks.parent import Parent
from uplinks.simulate import simulate


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
        check, passive = self._services[0].health_check, self._services[0].passive_health_check
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


@pytest.mark.parametrize("name", FLAT)
def test_envoy_loses_what_is_predicted(name: str, tmp_path: Path) -> None:
    if Envoy.program() is None:
        why = "envoy is not installed: make test-proxies installs it"
        if os.environ.get("UPLINKS_PROXIES") == "required":
            pytest.fail(why)
        pytest.skip(why)
    case = FLAT[name]

    async def main() -> None:
        async with listening(case.weights) as children:
            scenario = case.scenario(children)
            envoy = UplinkEnvoy(tmp_path, Parent.from_fleet(scenario.fleet, strict=False), children)
            await asyncio.to_thread(envoy.__enter__)  # the children answer its probes meanwhile
            try:
                answers = await replay(scenario, children, envoy.port)
            finally:
                await asyncio.to_thread(envoy.__exit__)
        case.check(answers, simulate(scenario))

    asyncio.run(main())
