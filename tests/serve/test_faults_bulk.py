"""Children and sources that fail at random, below a real ``uplinks serve`` under load."""

from __future__ import annotations

import asyncio
from pathlib import Path

import aiohttp
import pytest
from tests.serve.world import World, attend, living

from uplinks.cli.demo.gateways import document_gateway

STEPS = 14


@pytest.mark.parametrize("seed", [1, 2])
def test_no_request_is_lost_once_the_parent_knows(tmp_path: Path, seed: int) -> None:
    async def test() -> None:
        async with (
            living(tmp_path) as world,
            aiohttp.ClientSession() as session,
            document_gateway(session, world.url) as ask,
        ):
            await attend(world, ask, seed, STEPS, lambda _: followed(world))

    async def followed(world: World) -> None:
        # The gateway asks for the document again and again; two rounds later it has it.
        seen = world.documents
        while world.documents < seen + 3:  # noqa: ASYNC110 - another process has the document
            await asyncio.sleep(0.02)

    asyncio.run(test())
