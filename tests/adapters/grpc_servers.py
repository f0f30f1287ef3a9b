"""gRPC servers on the loopback that reply as a test says, without protobuf."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any, Self, TypeAlias

import grpc
from grpc import aio

from uplinks.adapters.grpc_probe import GrpcProber
from uplinks.health import Outcome
from uplinks.model import HealthCheck

Context: TypeAlias = aio.ServicerContext[bytes, bytes]
Reply: TypeAlias = bytes | Callable[[Context], Awaitable[bytes]]

SERVING = b"\x08\x01"


class GrpcServer(grpc.GenericRpcHandler):  # type: ignore[misc,unused-ignore]
    """A server in the running loop; a reply is bytes, or a coroutine function of the context."""

    def __init__(
        self,
        reply: Reply = SERVING,
        *,
        credentials: grpc.ServerCredentials | None = None,
        host: str = "127.0.0.1",
        ports: int = 1,
        port: int = 0,
    ) -> None:
        self.reply = reply
        self.calls: list[tuple[str, bytes]] = []
        self.metadata: list[dict[str, str | bytes]] = []
        self.peers: list[str] = []  # one for each call; the same one is the same connection
        self.asked = asyncio.Event()
        self.left = asyncio.Event()
        self._server = aio.server(handlers=(self,))
        address = f"[{host}]" if ":" in host else host
        self.ports: list[int] = [
            self._server.add_insecure_port(f"{address}:{port}")
            if credentials is None
            else self._server.add_secure_port(f"{address}:{port}", credentials)
            for _ in range(ports)
        ]

    async def __aenter__(self) -> Self:
        await self._server.start()
        return self

    async def __aexit__(self, *exception: object) -> None:
        await self._server.stop(None)

    @property
    def port(self) -> int:
        return self.ports[0]

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def service(self, handler_call_details: Any) -> Any:
        async def call(request: bytes, context: Context) -> bytes:
            self.calls.append((handler_call_details.method, request))
            self.metadata.append(dict(handler_call_details.invocation_metadata))
            self.peers.append(context.peer())
            self.asked.set()
            try:
                if isinstance(self.reply, bytes):
                    return self.reply
                return await self.reply(context)
            finally:
                self.left.set()

        return grpc.unary_unary_rpc_method_handler(call)


def aborting(code: grpc.StatusCode, details: str = "") -> Reply:
    """Reply with a status other than OK."""

    async def abort(context: Context) -> bytes:
        await context.abort(code, details)
        return b""

    return abort


async def never(context: Context) -> bytes:
    """Never reply."""
    await asyncio.Event().wait()
    return b""


async def probe(url: str, /, prober: GrpcProber | None = None, **fields: Any) -> Outcome:
    """Probe once."""
    asking = prober or GrpcProber()
    try:
        return await asking.probe(url, HealthCheck(mode="grpc", **fields))
    finally:
        if prober is None:
            await asking.close()
