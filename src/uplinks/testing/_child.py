"""A child on the loopback, for tests with real sockets."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Awaitable, Callable
from enum import Enum
from typing import Self

from uplinks.testing.server import Reader, Server, Writer, answer

__all__ = ["Condition", "FakeChild"]


class Condition(Enum):
    """The condition of a fake child."""

    HEALTHY = "healthy"
    UNHEALTHY = "unhealthy"
    FAILING = "failing"
    BREAKING = "breaking"
    SLOW = "slow"
    REFUSE = "refuse"


class FakeChild:
    r"""An HTTP server on a free loopback port, in a condition that the test sets.

    ``HEALTHY`` answers 200 and ``UNHEALTHY`` 503, both with the child's name as
    body. ``FAILING`` passes its checks and answers 503 to all other requests;
    ``BREAKING`` passes them too and closes each other connection in the middle of
    the body. A check asks for ``health``, a path. ``SLOW`` holds each answer back
    until the condition changes or the client disconnects. ``REFUSE`` accepts no
    connections, on the same port.
    ``paths`` lists the paths of all requests received completely; ``asked`` is
    set with the first.

    HTTP/1.1 requests with any method and body are read to their end.
    Raises: RuntimeError when the condition is changed outside of its block.

    >>> async def ask():
    ...     async with FakeChild("eu") as child:
    ...         reader, writer = await asyncio.open_connection("127.0.0.1", child.port)
    ...         writer.write(b"GET / HTTP/1.1\r\nHost: eu\r\n\r\n")
    ...         line = await reader.readline()
    ...         writer.close()
    ...         return line, child.requests
    >>> asyncio.run(ask())
    (b'HTTP/1.1 200 X\r\n', 1)
    """

    def __init__(self, name: str = "child", *, health: str = "/health") -> None:
        self.name = name
        self._health = health
        self.paths: list[str] = []
        self.asked = asyncio.Event()
        self.port = 0
        self._condition = Condition.HEALTHY
        self._changed = asyncio.Event()
        self._close: Callable[[], Awaitable[object]] | None = None  # while it listens
        self._reserved: socket.socket | None = None

    @property
    def url(self) -> str:
        """The address, for a parent's configuration."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def requests(self) -> int:
        """How many requests it received."""
        return len(self.paths)

    @property
    def condition(self) -> Condition:
        """The present condition."""
        return self._condition

    async def __aenter__(self) -> Self:
        await self._listen()
        return self

    async def __aexit__(self, *exception: object) -> None:
        await self._stop()

    async def become(self, condition: Condition) -> None:
        """Change the condition, for new requests and for those held back."""
        if self._close is None and self._reserved is None:
            raise RuntimeError("a fake child can change only inside its block: async with")
        if condition is self._condition:
            return
        self._condition = condition
        self._changed.set()
        self._changed = asyncio.Event()
        if condition is Condition.REFUSE:
            await self._stop()
            # Bound but not listening: the port stays reserved, and connections are refused.
            self._reserved = socket.socket()
            self._reserved.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            self._reserved.bind(("127.0.0.1", self.port))
        elif self._close is None:
            await self._listen()

    async def _open(self) -> tuple[int, Callable[[], Awaitable[object]]]:
        """Listen, on the earlier port if there is one; return the port and how to stop."""
        server = await Server(self._talk, port=self.port).__aenter__()
        return server.port, server.__aexit__

    async def _healthy(self) -> bool:
        """Return whether the child is healthy, once it is not slow."""
        while self._condition is Condition.SLOW:
            await self._changed.wait()
        return self._condition is not Condition.UNHEALTHY

    def _checked(self, path: str) -> bool:
        return path.partition("?")[0] == self._health

    def _breaks(self, path: str) -> bool:
        return self._condition is Condition.BREAKING and not self._checked(path)

    async def _status(self, path: str) -> int:
        """Return the status of an answer, once the child is not slow."""
        healthy = await self._healthy()
        requests_fail = self._condition is Condition.FAILING and not self._checked(path)
        return 200 if healthy and not requests_fail else 503

    def _remember(self, path: str) -> None:
        self.paths.append(path)
        self.asked.set()

    async def _listen(self) -> None:
        self._release()
        self.port, self._close = await self._open()

    async def _stop(self) -> None:
        self._release()
        close, self._close = self._close, None
        if close is not None:
            await close()

    def _release(self) -> None:
        if self._reserved is not None:
            self._reserved.close()
            self._reserved = None

    async def _talk(self, server: Server, reader: Reader, writer: Writer) -> None:
        while True:
            head = await server.head(reader)
            if _header(head, "expect").lower() == "100-continue":
                writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")
            await _skip_body(head, reader)
            method, path, version = head.split(b"\r\n", 1)[0].decode("latin-1").split(" ")
            self._remember(path)
            status = await self._status(path)
            reply = answer(status, body=self.name.encode())
            if self._breaks(path):
                writer.write(reply[: -max(1, len(self.name) // 2)])
                await writer.drain()
                return
            if method == "HEAD":  # the same head, without the body
                reply = reply.removesuffix(self.name.encode())
            writer.write(reply)
            await writer.drain()
            if version != "HTTP/1.1" or _header(head, "connection").lower() == "close":
                return


def _header(head: bytes, name: str) -> str:
    """Return the value of a request's header, or an empty string."""
    for line in head.decode("latin-1").split("\r\n")[1:]:
        key, _, value = line.partition(":")
        if key.lower() == name:
            return value.strip()
    return ""


async def _skip_body(head: bytes, reader: Reader) -> None:
    """Read a request to its end: the rest would be read as the next request."""
    if _header(head, "transfer-encoding"):
        while size := int((await reader.readline()).partition(b";")[0], 16):
            await reader.readexactly(size + 2)
        while (await reader.readline()).strip():
            pass  # a trailer
    else:
        await reader.readexactly(int(_header(head, "content-length") or 0))
