"""Deadlines, connections and event loops of probes over HTTP."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from typing import Any

import pytest
from tests.adapters.servers import closed_port, cut_off_at, endless, probe, run, silent_until_left

from uplinks.adapters.http_probe import HttpProber
from uplinks.health import Outcome
from uplinks.model import HealthCheck
from uplinks.protocols import Prober
from uplinks.testing.server import OK, Answer, Reader, Server, Writer, answer, by_path

MANY = 500


# --- the caller's deadline --------------------------------------------------


async def mute(server: Server, reader: Reader, writer: Writer) -> None:
    """Accept, and wait for the client to leave; whatever it says."""
    await reader.read(1)
    server.asked.set()
    await reader.read()


@pytest.mark.parametrize(
    ("scheme", "given"),
    [
        ("http", mute),
        ("https", mute),
        ("http", silent_until_left(b"HTTP/1.1 2")),
        ("http", endless(b"", b"HTTP/1.1 100 Continue\r\n\r\n")),
    ],
    ids=["half-open", "no handshake", "slow headers", "endless 1xx"],
)
def test_the_deadline_is_the_caller_s(scheme: str, given: Answer) -> None:
    async def main() -> tuple[bool, int]:
        prober = HttpProber()
        async with Server(given) as server:
            late = await cut_off_at(
                server.asked, prober.probe(server.url, HealthCheck(scheme=scheme))
            )
            await server.left.wait()
            await prober.close()
            return late, server.connections

    assert run(main()) == (True, 1)


def test_all_redirects_are_within_one_deadline() -> None:
    async def talk(server: Server, reader: Reader, writer: Writer) -> None:
        server.heads.append(await reader.readuntil(b"\r\n\r\n"))
        writer.write(answer(302, "Location: /next"))
        await server.head(reader)
        await reader.read()

    async def main() -> bool:
        prober = HttpProber()
        async with Server(talk) as server:
            late = await cut_off_at(server.asked, prober.probe(server.url, HealthCheck()))
            await prober.close()
            return late and len(server.heads) == 2

    assert run(main())


# --- connections and loops --------------------------------------------------


@pytest.mark.parametrize(
    ("given", "fields", "connections"),
    [
        (OK, {}, 1),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n", {"method": "HEAD"}, 1),
        (answer(204), {"status": 204}, 1),
        (OK, {"method": "POST"}, 3),  # could not be sent again
        (answer(200, "Connection: close"), {}, 3),
        (b"HTTP/1.0 200 OK\r\nContent-Length: 0\r\n\r\n", {}, 3),
    ],
    ids=["with a body", "HEAD", "204", "POST", "close", "HTTP/1.0"],
)
def test_connections_are_kept_where_that_is_safe(
    given: bytes, fields: dict[str, Any], connections: int
) -> None:
    async def talk(server: Server, reader: Reader, writer: Writer) -> None:
        close = b"Connection: close" in given or given.startswith(b"HTTP/1.0")
        while True:
            head = await server.head(reader)
            writer.write(given)
            if close or b"Connection: close" in head:
                break

    async def main() -> int:
        prober = HttpProber()
        async with Server(talk) as server:
            for _ in range(3):
                assert await probe(server.url, prober, **fields) == Outcome.PASS
            await prober.close()
            return server.connections

    assert run(main()) == connections


def test_a_kept_connection_that_was_closed_is_no_failure() -> None:
    async def talk(server: Server, reader: Reader, writer: Writer) -> None:
        await server.head(reader)
        writer.write(OK)
        await server.head(reader)  # and close, as if the time for keeping it were over

    async def main() -> list[Outcome]:
        prober = HttpProber()
        async with Server(talk) as server:
            outcomes = [await probe(server.url, prober) for _ in range(3)]
            await prober.close()
            return outcomes

    assert run(main()) == [Outcome.PASS] * 3


@pytest.fixture
def enough_files() -> Iterator[None]:
    resource = pytest.importorskip("resource")  # where it is missing there is no such limit
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(4 * MANY, hard), hard))
    yield
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def test_hundreds_are_asked_at_once(enough_files: None) -> None:
    everybody = asyncio.Event()

    async def talk(server: Server, reader: Reader, writer: Writer) -> None:
        await server.head(reader)
        if len(server.heads) == MANY:
            everybody.set()
        await everybody.wait()
        writer.write(OK)
        await reader.read()

    async def main() -> list[Outcome]:
        prober = HttpProber()
        async with Server(talk) as server:
            asking = (probe(server.url, prober) for _ in range(MANY))
            outcomes = await asyncio.gather(*asking)
            await prober.close()
            return outcomes

    assert run(main()) == [Outcome.PASS] * MANY


def test_after_close_another_loop_may_use_it() -> None:
    prober = HttpProber()

    async def main() -> Outcome:
        async with Server() as server:
            outcome = await probe(server.url, prober)
            await prober.close()
            await prober.close()
            return outcome

    assert [run(main()), run(main())] == [Outcome.PASS, Outcome.PASS]


def test_two_loops_at_once_are_refused() -> None:
    prober = HttpProber()
    url = f"http://127.0.0.1:{closed_port()}"
    with asyncio.Runner() as one, asyncio.Runner() as two:
        one.run(probe(url, prober))
        with pytest.raises(RuntimeError, match="open in another event loop"):
            two.run(probe(url, prober))
        one.run(prober.close())
        assert two.run(probe(url, prober)) == Outcome.fail("connection refused")
        two.run(prober.close())


def test_no_redirect_is_followed_after_close() -> None:
    async def main() -> Outcome:
        prober = HttpProber()
        async with Server(by_path(root=answer(302, "Location: /a"), a=OK)) as server:
            probing = asyncio.create_task(probe(server.url, prober))
            while not probing.done():  # at every step of the probe there is
                await prober.close()
                await asyncio.sleep(0)
            return await probing

    assert run(main()).verdict == "fail"


def test_close_ends_what_is_in_flight() -> None:
    async def main() -> Outcome:
        prober = HttpProber()
        async with Server(mute) as server:
            probing = asyncio.create_task(probe(server.url, prober))
            await server.asked.wait()
            await prober.close()
            return await probing

    assert run(main()).verdict == "fail"


def test_it_is_a_prober() -> None:
    assert isinstance(HttpProber(), Prober)
