"""Probes over HTTP, against aiohttp alone asking the same of the same servers.

The servers are a process of their own: only the asking is in the CPU time.
"""

from __future__ import annotations

import asyncio
import subprocess
import sys
from collections.abc import Awaitable, Callable, Iterator
from itertools import islice, repeat
from typing import Any

import aiohttp
import pytest
from benchmarks.measure import Loop

from uplinks import __version__
from uplinks.adapters.http_probe import HttpProber
from uplinks.health import Outcome
from uplinks.model import HealthCheck

SECTION = "http probe / aiohttp alone"
SECOND = 1_000_000_000
CONCURRENCY = 100
BATCH = 500  # probes; both sides do as many, since the first few of a batch are dearer
LIMIT = 1.25  # 0.8 times as many probes
TOKEN = "Bearer abc"  # noqa: S105 - nobody's

SERVERS = """
import asyncio, sys

class Answer(asyncio.Protocol):
    def connection_made(self, transport):
        self.transport, self.got = transport, b""
    def data_received(self, data):
        self.got += data
        if self.got.endswith(b"\\r\\n\\r\\n"):
            self.got, close = b"", self.got.startswith(b"GET /close")
            line = b"Connection: close\\r\\n" if close else b""
            head = b"HTTP/1.1 200 OK\\r\\n" + line + b"Content-Length: 2\\r\\n\\r\\n"
            self.transport.write(head + b"ok")
            if close:
                self.transport.close()

async def main():
    make = asyncio.get_running_loop().create_server
    servers = [await make(Answer, "127.0.0.1", 0, backlog=1000) for _ in range(int(sys.argv[1]))]
    print(*(server.sockets[0].getsockname()[1] for server in servers), flush=True)
    await asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)

asyncio.run(main())
"""


@pytest.fixture(params=[1, 100])
def urls(request: pytest.FixtureRequest) -> Iterator[list[str]]:
    arguments = [sys.executable, "-c", SERVERS, str(request.param)]
    with subprocess.Popen(  # noqa: S603 - this interpreter
        arguments, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as servers:
        assert servers.stdin is not None
        assert servers.stdout is not None
        yield [f"http://127.0.0.1:{port}" for port in servers.stdout.readline().split()]
        servers.stdin.close()


def asking(runner: asyncio.Runner, urls: list[str], ask: Callable[[str], Awaitable[Any]]) -> Loop:
    """So many batches of probes, some at once, of all servers in turn."""

    async def some(turn: Iterator[str]) -> None:
        for url in turn:
            await ask(url)

    async def all_of(times: int) -> None:
        turn = islice((url for every in repeat(urls) for url in every), times * BATCH)
        await asyncio.gather(*(some(turn) for _ in range(CONCURRENCY)))

    return lambda times: runner.run(all_of(times))


@pytest.mark.parametrize(
    ("path", "row"), [("/health", "connections kept"), ("/close", "a connection for each")]
)
def test_a_probe(urls: list[str], path: str, row: str, bench: Any) -> None:
    check = HealthCheck(path=path, headers={"Authorization": TOKEN})
    headers = {"User-Agent": f"uplinks/{__version__}", "Authorization": TOKEN}
    prober = HttpProber()

    async def ours(url: str) -> None:
        assert await prober.probe(url, check) == Outcome.PASS

    async def session() -> aiohttp.ClientSession:
        return aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=0),
            cookie_jar=aiohttp.DummyCookieJar(),
            skip_auto_headers=("Accept", "Accept-Encoding"),
        )

    with asyncio.Runner() as runner:
        alone = runner.run(session())

        async def theirs(url: str) -> None:
            async with alone.get(url + path, headers=headers, allow_redirects=False) as response:
                assert response.status == 200

        try:
            ratio = bench.time(
                SECTION,
                row,
                len(urls),
                asking(runner, urls, ours),
                asking(runner, urls, theirs),
                limit=LIMIT,
                operations=1,
            )
        finally:
            runner.run(alone.close())
            runner.run(prober.close())
    per_second = BATCH * SECOND / ratio.nanoseconds
    bench.keep("http probe: probes/s of one core", row, f"n={len(urls):,}", per_second)
