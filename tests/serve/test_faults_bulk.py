"""Children and sources that fail at random, below a real ``uplinks serve`` under load."""

from __future__ import annotations

import asyncio
from pathlib import Path

import aiohttp
import pytest
from tests.serve.world import World, live_through, living

from uplinks.cli.demo.gateways import document_gateway

STEPS = 14


@pytest.mark.parametrize("seed", [1, 2])
def test_no_request_is_lost_once_the_parent_knows(tmp_path: Path, seed: int) -> None:
    async def test() -> None:
        async with living(tmp_path) as world, aiohttp.ClientSession() as session:
            async with document_gateway(session, world.url) as ask:
                tasks = [asyncio.ensure_future(each) for each in (world.send(ask), world.observe())]
                try:
                    made = await live_through(world, seed, STEPS, lambda _: followed(world))
                finally:
                    for task in tasks:
                        task.cancel()
                    ended = await asyncio.gather(*tasks, return_exceptions=True)
            assert [e for e in ended if not isinstance(e, asyncio.CancelledError)] == []
            assert made.total() == STEPS
            assert world.documents > STEPS
            assert world.lost < world.sent / 2

    async def followed(world: World) -> None:
        # The gateway asks for the document again and again; two rounds later it has it.
        seen = world.documents
        while world.documents < seen + 3:  # noqa: ASYNC110 - another process has the document
            await asyncio.sleep(0.02)

    asyncio.run(test())
