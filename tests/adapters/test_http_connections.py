"""Children that misbehave on a connection: floods, late answers, names that hang."""

from __future__ import annotations

import asyncio
import socket
import subprocess
import sys
import threading
from contextlib import suppress
from typing import Any

import pytest
from tests.adapters.servers import probe, run

from uplinks.adapters._http_connections import DaemonResolver
from uplinks.adapters.http_probe import HttpProber
from uplinks.health import Outcome
from uplinks.model import HealthCheck
from uplinks.testing.server import OK, Reader, Server, Writer

HINT = b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n"
CHECK = HealthCheck(path="/health")


@pytest.mark.parametrize(
    "flood", [HINT * 1000, b"HTTP/1.1 100 Continue\r\n\r\n" * 2000], ids=["103", "100"]
)
def test_a_flood_of_interim_answers_is_a_failed_probe(flood: bytes) -> None:
    sent = 0

    async def talk(server: Server, reader: Reader, writer: Writer) -> None:
        nonlocal sent
        await server.head(reader)
        with suppress(ConnectionError):
            while True:
                writer.write(flood)
                sent += len(flood)
                await writer.drain()

    async def main() -> None:
        async with Server(talk) as server:
            outcome = await asyncio.wait_for(probe(server.url), 60)
            assert outcome == Outcome.fail("more than 5 interim answers")
            await asyncio.wait_for(server.left.wait(), 60)

    run(main())
    assert sent < 10_000_000  # the connection was closed at once


def test_a_head_without_end_is_a_failed_probe() -> None:
    async def talk(server: Server, reader: Reader, writer: Writer) -> None:
        await server.head(reader)
        writer.write(b"HTTP/1.1 103 Early Hints\r\n")
        with suppress(ConnectionError):
            while True:
                writer.write(b"Link: </a>\r\n" * 500)
                await writer.drain()

    async def main() -> None:
        async with Server(talk) as server:
            assert (await asyncio.wait_for(probe(server.url), 60)).verdict.value == "fail"

    run(main())


def test_some_interim_answers_are_fine() -> None:
    async def main() -> None:
        async with Server(HINT * 5 + OK) as server:
            assert await probe(server.url) == Outcome.PASS
        async with Server(HINT * 6 + OK) as server:
            assert await probe(server.url) == Outcome.fail("more than 5 interim answers")

    run(main())


def test_a_large_answer_is_still_an_answer() -> None:
    body = b"x" * 300_000

    async def main() -> None:
        async with Server(b"HTTP/1.1 200 OK\r\nContent-Length: 300000\r\n\r\n" + body) as server:
            assert await probe(server.url) == Outcome.PASS

    run(main())


@pytest.mark.parametrize("together", [True, False], ids=["with the answer", "later"])
def test_an_answer_that_nobody_asked_for_is_never_read_as_the_next_one(together: bool) -> None:  # noqa: FBT001 - a case
    unasked = b"HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\n\r\n"
    send_now = asyncio.Event()

    async def talk(server: Server, reader: Reader, writer: Writer) -> None:
        while True:
            await server.head(reader)
            writer.write(OK + unasked if together else OK)
            await writer.drain()
            if server.connections == 1:
                await send_now.wait()
                writer.write(unasked)
                await writer.drain()

    async def main() -> None:
        prober = HttpProber()
        async with Server(talk) as server:
            assert await prober.probe(server.url, CHECK) == Outcome.PASS
            send_now.set()
            await asyncio.wait_for(server.left.wait(), 60)  # the connection is given up
            assert await prober.probe(server.url, CHECK) == Outcome.PASS
            assert server.connections == 2
        await prober.close()

    run(main())


def test_names_are_resolved_as_by_the_system() -> None:
    async def main() -> None:
        resolver = DaemonResolver()
        found = await resolver.resolve("localhost", 80, socket.AF_INET)
        assert ("127.0.0.1", 80, "localhost") in [
            (each["host"], each["port"], each["hostname"]) for each in found
        ]
        with pytest.raises(OSError, match=r".+"):
            await resolver.resolve("does-not-exist.invalid", 80)

    asyncio.run(main())


def test_a_lookup_that_hangs_blocks_neither_the_loop_nor_others(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    release, real = threading.Event(), socket.getaddrinfo

    def slow(host: Any, *arguments: Any) -> Any:
        if host == "slow.example":
            release.wait(60)
        return real("localhost", *arguments)

    monkeypatch.setattr(socket, "getaddrinfo", slow)

    async def main() -> None:
        resolver = DaemonResolver()
        hanging = asyncio.create_task(resolver.resolve("slow.example", 80))
        assert await resolver.resolve("fast.example", 80)
        hanging.cancel()
        with pytest.raises(asyncio.CancelledError):
            await hanging

    try:
        asyncio.run(main())
    finally:
        release.set()


PROGRAM = """
import socket, threading
from uplinks import Driver, HealthCheck

asked = threading.Event()

def hang(*arguments):
    asked.set()
    threading.Event().wait()

socket.getaddrinfo = hang
driver = Driver.of({"eu": "http://eu.example"}, health_check=HealthCheck(path="/"))
with driver.in_thread():
    assert asked.wait(60)
print("ended", flush=True)
"""


def test_a_lookup_that_hangs_does_not_keep_the_process_from_ending() -> None:
    ran = subprocess.run(
        [sys.executable, "-c", PROGRAM], capture_output=True, text=True, timeout=60, check=False
    )
    assert (ran.stdout, ran.returncode) == ("ended\n", 0)
