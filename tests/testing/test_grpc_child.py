from __future__ import annotations

import asyncio
from typing import Any

import grpc
import pytest
from grpc import aio
from tests.adapters.grpc_servers import probe
from tests.adapters.servers import run

from uplinks.adapters.grpc_probe import GrpcProber
from uplinks.health import Outcome, Verdict
from uplinks.testing import Condition
from uplinks.testing.grpc_child import FakeGrpcChild

CHECK = "/grpc.health.v1.Health/Check"


def test_it_is_as_the_test_says_on_one_port_and_counts() -> None:
    async def main() -> None:
        prober = GrpcProber()
        async with FakeGrpcChild("eu") as child:
            port = child.port
            assert await probe(child.url, prober) == Outcome.PASS
            await child.become(Condition.UNHEALTHY)
            assert await probe(child.url, prober) == Outcome.fail("health status NOT_SERVING")
            await child.become(Condition.REFUSE)
            assert await probe(child.url, prober) == Outcome.fail("connection refused")
            await child.become(Condition.HEALTHY)
            assert await probe(child.url, prober) == Outcome.PASS
            assert (child.port, child.requests, child.paths) == (port, 3, [CHECK] * 3)
        assert await probe(child.url, prober) == Outcome.fail("connection refused")
        await prober.close()

    run(main())


def test_a_slow_one_answers_once_it_is_not_slow_any_more() -> None:
    async def main() -> None:
        async with FakeGrpcChild() as child:
            await child.become(Condition.SLOW)
            asking = asyncio.create_task(probe(child.url))
            await child.asked.wait()
            assert not asking.done()
            await child.become(Condition.UNHEALTHY)
            assert await asking == Outcome.fail("health status NOT_SERVING")

    run(main())


def test_a_slow_one_may_be_left_and_may_go() -> None:
    async def main() -> None:
        async with FakeGrpcChild() as child:
            await child.become(Condition.SLOW)
            leaving, staying = (asyncio.create_task(probe(child.url)) for _ in range(2))
            while child.requests < 2:
                await child.asked.wait()
                child.asked.clear()
            leaving.cancel()
            with pytest.raises(asyncio.CancelledError):
                await leaving
        assert (await staying).verdict is Verdict.FAIL

    run(main())


class Echo(grpc.GenericRpcHandler):  # type: ignore[misc,unused-ignore]
    """A service of a test's own."""

    def service(self, handler_call_details: Any) -> Any:
        async def echo(request: bytes, context: Any) -> bytes:
            return request

        if handler_call_details.method != "/shop.Orders/Echo":
            return None
        return grpc.unary_unary_rpc_method_handler(echo)


@pytest.mark.parametrize(
    ("method", "request_", "expected"),
    [
        (CHECK, b"", b"\x08\x01"),
        (CHECK, b"\x0a\x00", b"\x08\x01"),
        (CHECK, b"\x0a\x04shop", grpc.StatusCode.NOT_FOUND),
        ("/grpc.health.v1.Health/Watch", b"", grpc.StatusCode.UNIMPLEMENTED),
        ("/shop.Orders/Echo", b"order", b"order"),
        ("/shop.Orders/Else", b"order", grpc.StatusCode.UNIMPLEMENTED),
    ],
)
def test_what_it_answers(method: str, request_: bytes, expected: bytes | grpc.StatusCode) -> None:
    async def main() -> None:
        async with (
            FakeGrpcChild(handlers=[Echo()]) as child,
            aio.insecure_channel(f"127.0.0.1:{child.port}") as channel,
        ):
            call: aio.UnaryUnaryMultiCallable[bytes, bytes] = channel.unary_unary(method)
            try:
                answered: bytes | grpc.StatusCode = await call(request_)
            except aio.AioRpcError as error:
                answered = error.code()
            assert answered == expected
            assert child.paths == [method]

    run(main())
