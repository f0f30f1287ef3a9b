"""The children of the demonstration: real servers on the loopback that keep their ports."""

from __future__ import annotations

import asyncio
import socket
from typing import Any, Final

from uplinks.errors import MissingExtra

try:
    import grpc
except ImportError as error:
    raise MissingExtra("grpc") from error

__all__ = ["GrpcChild", "HttpChild"]

_SERVING: Final = b"\x08\x01"  # grpc.health.v1.HealthCheckResponse, status SERVING


class HttpChild:
    """A child that answers every HTTP/1.1 request with its name."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.port = 0
        self._server: asyncio.Server | None = None
        self._open: set[asyncio.StreamWriter] = set()

    @property
    def url(self) -> str:
        """The child's address."""
        return f"http://127.0.0.1:{self.port}"

    async def start(self) -> None:
        """Listen; the first time, the kernel chooses the port."""
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", self.port)
        self.port = self._server.sockets[0].getsockname()[1]

    async def stop(self) -> None:
        """Abort all connections and stop listening."""
        server, self._server = self._server, None
        if server is None:
            return
        server.close()
        for writer in self._open:
            writer.transport.abort()
        await server.wait_closed()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._open.add(writer)
        body = self.name.encode()
        try:
            while await reader.readuntil(b"\r\n\r\n"):
                head = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(body)
                writer.write(head + body)
                await writer.drain()
        except (OSError, asyncio.IncompleteReadError):
            pass  # the client or the child has closed the connection
        finally:
            self._open.discard(writer)
            writer.close()


class GrpcChild:
    """A child that answers every gRPC method with SERVING."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.port = 0
        self._server: Any = None

    @property
    def url(self) -> str:
        """The child's address."""
        return f"http://127.0.0.1:{self.port}"

    async def start(self) -> None:
        """Listen; the first time, the kernel chooses the port."""
        if not self.port:
            with socket.socket() as probe:
                probe.bind(("127.0.0.1", 0))
                self.port = probe.getsockname()[1]
        self._server = grpc.aio.server(handlers=[_AllMethods()])
        self._server.add_insecure_port(f"127.0.0.1:{self.port}")
        await self._server.start()

    async def stop(self) -> None:
        """Abort all calls and stop listening."""
        server, self._server = self._server, None
        if server is not None:
            await server.stop(None)


class _AllMethods(grpc.GenericRpcHandler):  # type: ignore[misc,unused-ignore]
    def service(self, handler_call_details: Any) -> Any:  # noqa: ARG002 - grpc's signature
        async def answer(request: bytes, context: Any) -> bytes:  # noqa: ARG001 - grpc's signature
            return _SERVING

        return grpc.unary_unary_rpc_method_handler(answer)
