"""Children whose faults follow a scenario in real time, and the requests of that scenario."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Iterable, Sequence
from http import HTTPStatus

import aiohttp
from tests.proxies.upstreams import LOOPBACK

from uplinks.model import Child, ParentConfig
from uplinks.simulate import Flap, Outage, Scenario, ScenarioEvent, Slow

SECOND = 1_000_000_000
CLIENT_TIMEOUT = 2


class FaultyChild:
    """A server on loopback that keeps its port. It answers with its name, unless it has a fault.

    ``/health`` takes ``latency`` seconds. It refuses connections, or does not answer, or answers
    requests with 503.
    """

    def __init__(self, name: str) -> None:
        self.name = name
        self.port = 0
        self.hangs = self.fails = False
        self.latency = 0.0
        self._server: asyncio.Server | None = None
        self._connections: set[asyncio.StreamWriter] = set()

    @property
    def url(self) -> str:
        return f"http://{LOOPBACK}:{self.port}"

    async def listen(self) -> None:
        self._server = await asyncio.start_server(self._serve, LOOPBACK, self.port)
        self.port = self._server.sockets[0].getsockname()[1]

    async def refuse(self) -> None:
        server, self._server = self._server, None
        if server is not None:
            server.close()
            self._abort()

    def _abort(self) -> None:
        for writer in [*self._connections]:
            writer.transport.abort()

    async def set_fault(self, fault: ScenarioEvent | None) -> None:
        """Have this fault, or none. What hangs is cut off when its fault ends."""
        if self.hangs:
            self._abort()
        is_slow = isinstance(fault, Slow)
        self.hangs = isinstance(fault, Outage) and fault.hangs
        self.latency = fault.latency / SECOND if isinstance(fault, Slow) else 0
        self.fails = isinstance(fault, Slow) and fault.fails
        if fault is not None and not is_slow and not self.hangs:
            await self.refuse()
        elif self._server is None:
            await self.listen()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._connections.add(writer)
        try:
            while head := await reader.readuntil(b"\r\n\r\n"):
                await self._answer(b" /health " in head, writer)
        except (OSError, asyncio.IncompleteReadError, asyncio.CancelledError):
            pass  # the proxy or the child has closed the connection
        finally:
            self._connections.discard(writer)
            writer.close()

    async def _answer(self, is_probe: bool, writer: asyncio.StreamWriter) -> None:  # noqa: FBT001
        if self.hangs:
            await asyncio.Event().wait()  # until the connection is cut off
        if is_probe:
            await asyncio.sleep(self.latency)
        status = b"503 Failing" if self.fails and not is_probe else b"200 OK"
        body = self.name.encode()
        writer.write(b"HTTP/1.1 %s\r\nContent-Length: %d\r\n\r\n" % (status, len(body)) + body)
        await writer.drain()


@contextlib.asynccontextmanager
async def listening(names: Iterable[str]) -> AsyncIterator[dict[str, FaultyChild]]:
    """Run a child for each name."""
    children = {name: FaultyChild(name) for name in names}
    for child in children.values():
        await child.listen()
    try:
        yield children
    finally:
        for child in children.values():
            await child.refuse()


def config_of(children: dict[str, FaultyChild]) -> ParentConfig:
    """List the children as a parent does."""
    return ParentConfig({name: Child(child.url) for name, child in children.items()})


async def replay(
    scenario: Scenario, children: dict[str, FaultyChild], port: int
) -> list[str | None]:
    """Play a scenario in real time through a proxy.

    Returns which child answered each request; ``None``: it failed.
    """
    start = time.monotonic()
    timeout = aiohttp.ClientTimeout(CLIENT_TIMEOUT)
    connector = aiohttp.TCPConnector(limit=0)
    async with aiohttp.ClientSession(connector=connector, timeout=timeout, trust_env=False) as web:

        async def request(number: int) -> str | None:
            await _until(start + float(number / scenario.rate))
            try:
                async with web.get(f"http://{LOOPBACK}:{port}/") as answer:
                    name = await answer.text()
                    return name if answer.status == HTTPStatus.OK else None
            except (aiohttp.ClientError, TimeoutError):
                return None

        async def faults() -> None:
            for at, child, fault in _schedule(scenario.events):
                await _until(start + at / SECOND)
                await children[child].set_fault(fault)

        playing = asyncio.create_task(faults())
        answers = await asyncio.gather(*map(request, range(scenario.requests)))
        await playing
    return list(answers)


async def _until(moment: float) -> None:
    await asyncio.sleep(max(0.0, moment - time.monotonic()))


def _schedule(
    events: Sequence[ScenarioEvent],
) -> list[tuple[int, str, ScenarioEvent | None]]:
    """List when (ns) which child starts or ends a fault."""
    found: list[tuple[int, str, ScenarioEvent | None]] = []
    for event in events:
        if isinstance(event, Flap):
            for at in range(event.start, event.end, event.period):
                end = min(at + event.out, event.end)
                found += [(at, event.child, event), (end, event.child, None)]
        elif isinstance(event, Outage | Slow):
            found += [(event.start, event.child, event), (event.end, event.child, None)]
    return sorted(found, key=lambda change: change[0])
