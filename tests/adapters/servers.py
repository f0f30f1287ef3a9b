"""Servers on the loopback that answer as a test says, and remember what they were asked."""

from __future__ import annotations

import asyncio
import gc
import inspect
import socket
import ssl
import struct
from collections.abc import Awaitable, Callable, Coroutine
from contextlib import suppress
from typing import Any, Self, TypeAlias

from uplinks.adapters.http_probe import HttpProber
from uplinks.health import Outcome
from uplinks.model import HealthCheck

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
        self, answer: Answer = OK, *, tls: ssl.SSLContext | None = None, host: str = "127.0.0.1"
    ) -> None:
        self.heads: list[bytes] = []
        self.connections = 0
        self.asked = asyncio.Event()
        self.left = asyncio.Event()  # the last connection has been closed by the client
        self._answer, self._tls, self._host = answer, tls, host
        self._open: set[Writer] = set()
        self._talks: set[asyncio.Task[None]] = set()

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._talk, self._host, 0, ssl=self._tls)
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
        return f"http://127.0.0.1:{self.port}"

    @property
    def tls_url(self) -> str:
        return f"https://localhost:{self.port}"

    async def head(self, reader: Reader) -> bytes:
        """Read and remember the next request."""
        head = await reader.readuntil(b"\r\n\r\n")
        self.heads.append(head)
        self.asked.set()
        return head

    async def _talk(self, reader: Reader, writer: Writer) -> None:
        self.connections += 1
        self._open.add(writer)
        task = asyncio.current_task()
        assert task is not None
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
    """Write an answer of HTTP/1.1."""
    length = [] if status in {204, 304} else [f"Content-Length: {len(body)}"]
    return "\r\n".join([f"HTTP/1.1 {status} X", *length, *lines, "", ""]).encode() + body


def by_path(**answers: bytes) -> Callable[[bytes], bytes]:
    """Answer by the first part of the path; 404 to all others."""

    def choose(head: bytes) -> bytes:
        name = head.split(b" ")[1].decode().strip("/").partition("?")[0]
        return answers.get(name or "root", answer(404))

    return choose


def silent_until_left(*said: bytes) -> Callable[[Server, Reader, Writer], Awaitable[None]]:
    """Say this much after a request, then nothing until the client leaves."""

    async def talk(server: Server, reader: Reader, writer: Writer) -> None:
        await server.head(reader)
        for words in said:
            writer.write(words)
        await reader.read()

    return talk


def endless(start: bytes, more: bytes) -> Callable[[Server, Reader, Writer], Awaitable[None]]:
    """Begin an answer and never end it, until the client leaves."""

    async def talk(server: Server, reader: Reader, writer: Writer) -> None:
        await server.head(reader)
        writer.write(start)
        while not writer.transport.is_closing():
            writer.write(more)
            await writer.drain()
            await asyncio.sleep(0)

    return talk


async def reset(server: Server, reader: Reader, writer: Writer) -> None:
    """Answer a request with a reset."""
    await server.head(reader)
    linger = struct.pack("ii", 1, 0)
    writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
    writer.transport.abort()


async def hang_up(server: Server, reader: Reader, writer: Writer) -> None:
    """Answer a request by closing."""
    await server.head(reader)


def closed_port() -> int:
    """Find a port where nobody listens."""
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        port: int = sock.getsockname()[1]
    return port


def run(main: Coroutine[Any, Any, Any], *, debug: bool = False) -> Any:
    """Run to the end, and let nothing be forgotten: what is left open warns here."""
    try:
        return asyncio.run(main, debug=debug)
    finally:
        gc.collect()


async def probe(url: str, /, prober: HttpProber | None = None, **fields: Any) -> Outcome:
    """Probe once."""
    asking = prober or HttpProber()
    try:
        return await asking.probe(url, HealthCheck(**fields))
    finally:
        if prober is None:
            await asking.close()


def probed(given: Answer = OK, /, **fields: Any) -> tuple[Outcome, list[str]]:
    """Probe a server once; give the outcome and the requests, each as text."""

    async def main() -> tuple[Outcome, list[str]]:
        async with Server(given) as server:
            outcome = await probe(server.url, **fields)
            return outcome, [head.decode().replace(server.url[7:], "HOST") for head in server.heads]

    outcome: tuple[Outcome, list[str]] = run(main())
    return outcome


async def cut_off_at(event: asyncio.Event, probing: Awaitable[Outcome]) -> bool:
    """Let a probe's deadline come with an event; tell whether it ended the probe."""

    async def trip(deadline: asyncio.Timeout) -> None:
        await event.wait()
        deadline.reschedule(asyncio.get_running_loop().time())

    try:
        async with asyncio.timeout(None) as deadline:
            tripping = asyncio.create_task(trip(deadline))
            try:
                await probing
            finally:
                tripping.cancel()
    except TimeoutError:
        return True
    return False
