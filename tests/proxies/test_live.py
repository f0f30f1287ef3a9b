"""A real Envoy below a real ``uplinks serve``, while children and sources fail at random."""

from __future__ import annotations

import asyncio
import os
import shutil
import sys
from pathlib import Path

import aiohttp
import pytest
from tests.serve.world import World, attend, living

from uplinks.cli.demo.gateways import envoy_gateway

STEPS = 14


@pytest.fixture
def program() -> str:
    found = shutil.which("envoy") or shutil.which("envoy", path=str(Path(sys.executable).parent))
    if found is None:
        why = "envoy is not installed: make test-proxies installs it"
        if os.environ.get("UPLINKS_PROXIES") == "required":
            pytest.fail(why)
        pytest.skip(why)
    return found


@pytest.mark.parametrize("seed", [3, 4])
def test_no_request_is_lost_once_the_parent_knows(tmp_path: Path, program: str, seed: int) -> None:
    async def test() -> None:
        async with (
            living(tmp_path) as world,
            aiohttp.ClientSession() as session,
            envoy_gateway(session, world.url, tmp_path, program) as ask,
        ):
            await attend(world, ask, seed, STEPS, lambda expected: followed(world, expected))

    async def followed(world: World, expected: dict[str, int]) -> None:
        # Envoy reads a file within milliseconds, and says so by its answers only.
        while set(await world.answers(2 * sum(expected.values()))) != set(expected):
            pass

    asyncio.run(test())
