"""What `uplinks.simulate` predicts, beside what a real Envoy does with the written files."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path

import pytest
from tests.proxies.children import listening, replay
from tests.proxies.drivers import RenderedEnvoy
from tests.proxies.prediction import COMPOSED, FLAT

from uplinks.parent import Parent
from uplinks.simulate import simulate

# Envoy's cluster has no retry by status.
CASES = {name: case for name, case in {**FLAT, **COMPOSED}.items() if name != "failover by status"}


@pytest.mark.parametrize("name", CASES)
def test_envoy_loses_what_is_predicted(name: str, tmp_path: Path) -> None:
    if RenderedEnvoy.program() is None:
        why = "envoy is not installed: make test-proxies installs it"
        if os.environ.get("UPLINKS_PROXIES") == "required":
            pytest.fail(why)
        pytest.skip(why)
    case = CASES[name]

    async def main() -> None:
        async with listening(case.weights) as children:
            scenario = case.scenario(children)
            fleet = scenario.fleet
            services = Parent.from_fleet(fleet, strict=False).services
            envoy = RenderedEnvoy(tmp_path, case.weights, children, services, fleet.parent)  # type: ignore[arg-type]  # it needs ports only
            await asyncio.to_thread(envoy.__enter__)  # the children answer its probes meanwhile
            try:
                answers = await replay(scenario, children, envoy.port)
            finally:
                await asyncio.to_thread(envoy.__exit__)
        case.check(answers, simulate(scenario))

    asyncio.run(main())
