from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import aiohttp
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


def test_requests_of_any_method_and_body_are_told_apart() -> None:
    async def chunks() -> AsyncIterator[bytes]:
        yield b"a\r\n\r\n"
        yield b"b" * 100_000

    async def main() -> None:
        async with FakeChild("eu") as child, aiohttp.ClientSession(child.url) as session:
            for body in (None, b"a\r\n\r\n" * 9, chunks()):
                async with session.post("/orders?a=b", data=body) as response:
                    assert await response.text() == "eu"
            async with session.post("/more", data=b"a", expect100=True) as response:
                assert response.status == 200
            async with session.get("/last", headers={"Connection": "close"}) as response:
                assert await response.text() == "eu"
            assert child.paths == [*["/orders?a=b"] * 3, "/more", "/last"]
            assert await probe(child.url, method="HEAD") == Outcome.PASS
            async with session.head("/") as response:
                assert response.headers["Content-Length"] == "2"
            async with session.get("/") as response:
                assert await response.text() == "eu"

    run(main())


def test_it_is_somehow_only_while_it_is_there() -> None:
    async def main() -> None:
        child = FakeChild()
        with pytest.raises(RuntimeError, match="only inside its block"):
            await child.become(Condition.REFUSE)
        async with child:
            pass
        with pytest.raises(RuntimeError, match="only inside its block"):
            await child.become(Condition.REFUSE)

    run(main())


def test_a_child_may_pass_its_checks_and_fail_requests() -> None:
    async def main() -> None:
        async with FakeChild("eu") as child, aiohttp.ClientSession(child.url) as session:
            await child.become(Condition.FAILING)
            assert await probe(child.url, path="/health") == Outcome.PASS
            async with session.get("/orders") as response:
                assert response.status == 503

    run(main())


def test_a_child_may_break_in_the_middle_of_an_answer() -> None:
    async def main() -> None:
        async with FakeChild("eu") as child, aiohttp.ClientSession(child.url) as session:
            await child.become(Condition.BREAKING)
            assert await probe(child.url, path="/health") == Outcome.PASS
            async with session.get("/orders") as response:
                assert response.status == 200
                with pytest.raises(aiohttp.ClientPayloadError):
                    await response.read()

    run(main())


def test_the_path_of_the_check_may_be_another() -> None:
    async def main() -> None:
        async with FakeChild("eu", health="/ready") as child:
            await child.become(Condition.FAILING)
            assert await probe(child.url, path="/ready") == Outcome.PASS
            assert (await probe(child.url, path="/health")).reason.startswith("status 503")

    run(main())
