"""A running parent, with sources and probers that do what the test says."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
from tests.serve.fleets import parent_of

from uplinks.adapters.sources import Failure, Snapshot, Source
from uplinks.health import HealthPolicy
from uplinks.model import Cluster, ParentConfig
from uplinks.serve.live import Live, LiveOptions
from uplinks.serve.parent import ParentServer, ServerOptions
from uplinks.testing import ScriptedProber

POLICY = HealthPolicy(start_window=0)
LIMIT = 30  # s: a test that takes so long has failed


class QueueSource:
    """A source that yields what is put; an exception is raised, ``None`` ends it."""

    def __init__(self, name: str, *updates: Snapshot | Failure | Exception | None) -> None:
        self.name = name
        self.started = 0
        self._queue: asyncio.Queue[Snapshot | Failure | Exception | None] = asyncio.Queue()
        for update in updates:
            self.put(update)

    def put(self, update: Snapshot | Failure | Exception | None) -> None:
        self._queue.put_nowait(update)

    async def updates(self) -> AsyncGenerator[Snapshot | Failure]:
        self.started += 1
        while (update := await self._queue.get()) is not None:
            if isinstance(update, Exception):
                raise update
            yield update


class Client:
    """Makes requests to a running parent."""

    def __init__(self, session: aiohttp.ClientSession, server: ParentServer) -> None:
        self._session = session
        self.server = server

    @property
    def url(self) -> str:
        _, port = self.server.addresses[0]
        return f"http://127.0.0.1:{port}"

    async def get(self, path: str, **headers: str) -> tuple[int, Mapping[str, str], str]:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        async with self._session.get(self.url + path, headers=named) as answer:
            return answer.status, answer.headers, await answer.text()

    async def json(self, path: str) -> Any:
        status, _, text = await self.get(path)
        assert status == 200, text
        return json.loads(text)

    async def services(self) -> Any:
        return (await self.json("/traefik"))["http"]["services"]

    async def until(self, condition: Callable[[], bool]) -> None:
        """Wait for news until a condition holds."""
        async with asyncio.timeout(LIMIT):
            while not condition():
                await self.server.wait_for_news(0.02)  # files have no news

    async def ready(self) -> None:
        await self.until(lambda: self.server.live.traefik is not None)


async def brief(_: float) -> None:
    """Stand in for every pause."""
    await asyncio.sleep(0.001)


@asynccontextmanager
async def serving(
    sources: Mapping[str, Source],
    cluster: Cluster | None = None,
    *,
    own: QueueSource | None = None,
    prober: ScriptedProber | None = None,
    live: LiveOptions | None = None,
    clock: Callable[[], int] = time.monotonic_ns,
    pause: Callable[[float], Any] = brief,
    prepare: Callable[[Live], None] = lambda _: None,
    **options: Any,
) -> AsyncIterator[Client]:
    """Serve on a port that the kernel chooses while the block runs."""

    def source_of(child: str, _: ParentConfig) -> Source:
        return sources[child]

    server = ParentServer(
        cluster or parent_of(*sources),
        own or QueueSource("parent"),
        source_of,
        ServerOptions(port=0, drain=0, **options),
        live or LiveOptions(),
        policy=POLICY,
        probers={"http": prober or ScriptedProber()},
        pause=pause,
        clock=clock,
    )
    prepare(server.live)
    running = asyncio.ensure_future(server.run())
    try:
        async with aiohttp.ClientSession(trust_env=False) as session:
            client = Client(session, server)
            async with asyncio.timeout(LIMIT):
                while not server.addresses and not running.done():  # noqa: ASYNC110 - it starts
                    await asyncio.sleep(0)
            if not running.done():
                yield client
    finally:
        server.stop()
        await running
