"""A server on a free loopback port that gives scripted answers and records requests."""

from __future__ import annotations

import asyncio
import inspect
import ssl
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Any, Self, TypeAlias

__all__ = ["OK", "Answer", "Reader", "Server", "Writer", "answer", "by_path"]

Reader: TypeAlias = asyncio.StreamReader
Writer: TypeAlias = asyncio.StreamWriter
Answer = bytes | Callable[[bytes], bytes] | Callable[["Server", Reader, Writer], Awaitable[None]]

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"


class Server:
    """A server in the running loop.

    An answer is bytes, a function from a request's head to bytes, or a whole
    conversation: a coroutine function of server, reader and writer.
    """

    def __init__(
        self,
        answer: Answer = OK,
        *,
        tls: ssl.SSLContext | None = None,
        host: str = "127.0.0.1",
        port: int = 0,
    ) -> None:
        self.heads: list[bytes] = []
        self.connections = 0
        self.asked = asyncio.Event()
        self.left = asyncio.Event()  # the client has closed the last connection
        self._answer, self._tls, self._host, self._port = answer, tls, host, port
        self._open: set[Writer] = set()
        self._talks: set[asyncio.Task[None]] = set()

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._talk, self._host, self._port, ssl=self._tls)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *exception: object) -> None:
        self._server.close()
        for writer in self._open:
            writer.transport.abort()
        for talk in self._talks:
            talk.cancel()
        await asyncio.gather(*self._talks, return_exceptions=True)
        await self._server.wait_closed()

    @property
    def url(self) -> str:
        """The address."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def tls_url(self) -> str:
        """The address over TLS, by the name in the certificate."""
        return f"https://localhost:{self.port}"

    async def head(self, reader: Reader) -> bytes:
        """Read and record the next request's head."""
        head = await reader.readuntil(b"\r\n\r\n")
        self.heads.append(head)
        self.asked.set()
        return head

    async def _talk(self, reader: Reader, writer: Writer) -> None:
        self.connections += 1
        self._open.add(writer)
        task = asyncio.current_task()
        assert task is not None  # noqa: S101 - a callback of the server is a task
        self._talks.add(task)
        with suppress(OSError, asyncio.IncompleteReadError, asyncio.CancelledError):
            try:
                await self._converse(reader, writer)
            finally:
                self.left.set()
                writer.close()
                self._open.discard(writer)
        self._talks.discard(task)

    async def _converse(self, reader: Reader, writer: Writer) -> None:
        answer: Any = self._answer
        if inspect.iscoroutinefunction(answer):
            await answer(self, reader, writer)
            return
        while True:
            head = await self.head(reader)
            writer.write(answer if isinstance(answer, bytes) else answer(head))
            await writer.drain()


def answer(status: int, *lines: str, body: bytes = b"") -> bytes:
    """Return an HTTP/1.1 answer."""
    length = [] if status in {204, 304} else [f"Content-Length: {len(body)}"]
    return "\r\n".join([f"HTTP/1.1 {status} X", *length, *lines, "", ""]).encode() + body


def by_path(**answers: bytes) -> Callable[[bytes], bytes]:
    """Return a function that answers by the path; 404 for other paths."""

    def choose(head: bytes) -> bytes:
        name = head.split(b" ")[1].decode().strip("/").partition("?")[0]
        return answers.get(name or "root", answer(404))

    return choose
