"""Servers on the loopback that answer as a test says, and remember what they were asked."""

from __future__ import annotations

import asyncio
import gc
import socket
import struct
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any

from uplinks.adapters.http_probe import HttpProber
from uplinks.health import Outcome
from uplinks.model import HealthCheck
from uplinks.testing.server import OK, Answer, Reader, Server, Writer


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
