from __future__ import annotations

import asyncio

import pytest
from tests.adapters.servers import probe, run

from uplinks.health import Outcome
from uplinks.testing import Condition, FakeChild


def test_it_is_as_the_test_says_on_one_port_and_counts() -> None:
    async def main() -> None:
        async with FakeChild("eu") as child:
            port = child.port
            assert await probe(child.url) == Outcome.PASS
            await child.become(Condition.UNHEALTHY)
            assert (await probe(child.url)).reason == "status 503, not 200"
            await child.become(Condition.REFUSE)
            assert "refused" in (await probe(child.url)).reason
            await child.become(Condition.HEALTHY)
            assert await probe(child.url) == Outcome.PASS
            assert (child.port, child.requests) == (port, 3)
        with pytest.raises(ConnectionRefusedError):
            await asyncio.open_connection("127.0.0.1", port)

    run(main())


def test_a_slow_one_answers_once_it_is_not_slow_any_more() -> None:
    async def main() -> None:
        async with FakeChild() as child:
            await child.become(Condition.SLOW)
            asking = asyncio.create_task(probe(child.url))
            await child.asked.wait()
            assert not asking.done()
            await child.become(Condition.HEALTHY)
            assert await asking == Outcome.PASS

    run(main())
