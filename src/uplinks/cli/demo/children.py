"""The children of the demonstration: real servers on the loopback.

Rules of this file:

1. A child keeps its port when it is stopped and started again.
2. It answers requests and health checks alike, at once, with its own name.
"""

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
    """A child that speaks HTTP/1.1, just enough of it."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.port = 0
        self._server: asyncio.Server | None = None
        self._open: set[asyncio.StreamWriter] = set()

    @property
    def url(self) -> str:
        """Its address."""
        return f"http://127.0.0.1:{self.port}"

    async def start(self) -> None:
        """Listen; at a port that the system chooses, the first time."""
        self._server = await asyncio.start_server(self._talk, "127.0.0.1", self.port)
        self.port = self._server.sockets[0].getsockname()[1]

    async def stop(self) -> None:
        """Hang up, and listen no more."""
        server, self._server = self._server, None
        if server is None:
            return
        server.close()
        for writer in self._open:
            writer.transport.abort()
        await server.wait_closed()

    async def _talk(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._open.add(writer)
        body = self.name.encode()
        try:
            while await reader.readuntil(b"\r\n\r\n"):
                head = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(body)
                writer.write(head + body)
                await writer.drain()
        except (OSError, asyncio.IncompleteReadError):
            pass  # the client has hung up, or this child has
        finally:
            self._open.discard(writer)
            writer.close()


class GrpcChild:
    """A child that answers any method over gRPC as if it were a health check: SERVING."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.port = 0
        self._server: Any = None

    @property
    def url(self) -> str:
        """Its address."""
        return f"http://127.0.0.1:{self.port}"

    async def start(self) -> None:
        """Listen; at a port that the system chooses, the first time."""
        if not self.port:
            with socket.socket() as probe:
                probe.bind(("127.0.0.1", 0))
                self.port = probe.getsockname()[1]
        self._server = grpc.aio.server(handlers=[_Everything()])
        self._server.add_insecure_port(f"127.0.0.1:{self.port}")
        await self._server.start()

    async def stop(self) -> None:
        """Hang up, and listen no more."""
        server, self._server = self._server, None
        if server is not None:
            await server.stop(None)


class _Everything(grpc.GenericRpcHandler):  # type: ignore[misc,unused-ignore]
    """Handles every method alike."""

    def service(self, handler_call_details: Any) -> Any:  # noqa: ARG002 - grpc's face
        async def answer(request: bytes, context: Any) -> bytes:  # noqa: ARG001 - grpc's face
            return _SERVING

        return grpc.unary_unary_rpc_method_handler(answer)
