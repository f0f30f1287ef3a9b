"""Connections of the gRPC prober: kept, found anew, bounded, let go."""

from __future__ import annotations

import asyncio

import grpc
import pytest
from tests.adapters.grpc_servers import SERVING, Context, GrpcServer, aborting, probe
from tests.adapters.servers import closed_port, cut_off_at, run

from uplinks.adapters import grpc_probe
from uplinks.adapters.grpc_probe import GrpcProber
from uplinks.health import Outcome
from uplinks.model import HealthCheck

CHECK = HealthCheck(mode="grpc")
REFUSED = Outcome.fail("connection refused")
MANY = 200


@pytest.mark.parametrize("reply", [SERVING, b"\x08\x02", b"\xff"])
def test_a_connection_is_kept_while_there_are_replies(reply: bytes) -> None:
    async def main() -> list[str]:
        async with GrpcServer(reply) as server:
            prober = GrpcProber()
            for _ in range(5):
                await probe(server.url, prober)
            await prober.close()
            return server.peers

    peers = run(main())

    assert (len(peers), len(set(peers))) == (5, 1)


def test_probes_at_once_share_a_connection() -> None:
    async def main() -> list[str]:
        async with GrpcServer() as server:
            prober = GrpcProber()
            await asyncio.gather(*(probe(server.url, prober) for _ in range(20)))
            await prober.close()
            return server.peers

    peers = run(main())

    assert (len(peers), len(set(peers))) == (20, 1)


def test_another_authority_is_another_connection() -> None:
    async def main() -> list[str]:
        async with GrpcServer() as server:
            prober = GrpcProber()
            for hostname in ("a", "b", "a", None, "b"):
                await probe(server.url, prober, hostname=hostname)
            await prober.close()
            return server.peers

    one, two, again, other, twice = run(main())

    assert (one, two) == (again, twice)
    assert len({one, two, other}) == 3


def test_a_failed_call_ends_its_connection() -> None:
    async def main() -> list[str]:
        async with GrpcServer(aborting(grpc.StatusCode.UNAVAILABLE)) as server:
            prober = GrpcProber()
            for _ in range(3):
                await probe(server.url, prober)
            await prober.close()
            return server.peers

    assert len(set(run(main()))) == 3


def second(code: grpc.StatusCode) -> tuple[list[Outcome], list[str]]:
    """Probe three times a server whose second reply is this status."""

    async def main() -> tuple[list[Outcome], list[str]]:
        async def reply(context: Context) -> bytes:
            if len(server.calls) == 2:
                await context.abort(code)
            return SERVING

        async with GrpcServer(reply) as server:
            prober = GrpcProber()
            outcomes = [await probe(server.url, prober) for _ in range(3)]
            await prober.close()
            return outcomes, server.peers

    ended: tuple[list[Outcome], list[str]] = run(main())
    return ended


def test_a_connection_that_was_kept_and_has_ended_says_nothing() -> None:
    outcomes, (one, two, three, four) = second(grpc.StatusCode.UNAVAILABLE)

    assert outcomes == 3 * [Outcome.PASS]
    assert one == two != three == four


def test_no_other_status_is_asked_for_twice() -> None:
    outcomes, (one, two, three) = second(grpc.StatusCode.INTERNAL)

    assert outcomes == [Outcome.PASS, Outcome.fail("gRPC status INTERNAL"), Outcome.PASS]
    assert one == two != three


def test_a_child_that_is_back_passes_at_the_next_probe() -> None:
    async def main() -> list[Outcome]:
        prober, outcomes = GrpcProber(), []
        port = 0
        for _ in range(3):
            async with GrpcServer(port=port) as server:
                port, url = server.port, server.url
                outcomes.append(await probe(url, prober))
            # As often as would make a channel wait for seconds.
            outcomes += [await probe(url, prober) for _ in range(10)]
        await prober.close()
        return outcomes

    assert run(main()) == 3 * [Outcome.PASS, *10 * [REFUSED]]


def test_a_child_that_restarts_between_two_probes_passes() -> None:
    async def main() -> list[Outcome]:
        prober, outcomes = GrpcProber(), []
        port = 0
        for _ in range(5):
            async with GrpcServer(port=port) as server:
                port = server.port
                outcomes.append(await probe(server.url, prober))
        await prober.close()
        return outcomes

    assert run(main()) == 5 * [Outcome.PASS]


def test_a_child_that_comes_late_passes_at_the_next_probe() -> None:
    async def main() -> list[Outcome]:
        prober, port = GrpcProber(), closed_port()
        outcomes = [await probe(f"http://127.0.0.1:{port}", prober) for _ in range(10)]
        async with GrpcServer(port=port) as server:
            outcomes.append(await probe(server.url, prober))
        await prober.close()
        return outcomes

    assert run(main()) == [*10 * [REFUSED], Outcome.PASS]


def test_many_targets_are_asked_at_once() -> None:
    together = asyncio.Barrier(MANY)

    async def reply(context: Context) -> bytes:
        await together.wait()  # nobody is replied to before all have asked
        return SERVING

    async def main() -> list[Outcome]:
        async with GrpcServer(reply, ports=MANY) as server:
            prober = GrpcProber()
            urls = [f"http://127.0.0.1:{port}" for port in server.ports]
            outcomes = await asyncio.gather(*(probe(url, prober) for url in urls))
            await prober.close()
            return outcomes

    assert run(main()) == MANY * [Outcome.PASS]


def test_the_least_recently_used_connection_goes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(grpc_probe, "_MOST_CHANNELS", 2)

    async def main() -> list[str]:
        async with GrpcServer() as server:
            prober = GrpcProber()
            for hostname in ("a", "b", "a", "c", "a", "b"):
                await probe(server.url, prober, hostname=hostname)
            await prober.close()
            return server.peers

    a1, b1, a2, c, a3, b2 = run(main())

    assert a1 == a2 == a3
    assert len({a1, b1, c, b2}) == 4  # b had to go for c, and came anew


def test_no_connection_in_use_goes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(grpc_probe, "_MOST_CHANNELS", 1)

    async def main() -> tuple[list[Outcome], int]:
        go_on = asyncio.Event()

        async def wait_at_first(context: Context) -> bytes:
            if len(server.calls) == 1:
                await go_on.wait()
            return SERVING

        async with GrpcServer(wait_at_first) as server:
            prober = GrpcProber()
            held = asyncio.create_task(prober.probe(server.url, CHECK))
            await server.asked.wait()
            outcomes = [await probe(server.url, prober, hostname=name) for name in "abc"]
            go_on.set()
            outcomes.append(await held)
            kept = len(prober._connections)
            await prober.close()
            return outcomes, kept

    assert run(main()) == (4 * [Outcome.PASS], 1)


def test_a_deadline_leaves_others_on_the_connection_alone() -> None:
    async def main() -> tuple[bool, Outcome, int]:
        go_on = asyncio.Event()

        async def wait(context: Context) -> bytes:
            await go_on.wait()
            return SERVING

        async with GrpcServer(wait) as server:
            prober = GrpcProber()
            other = asyncio.create_task(prober.probe(server.url, CHECK))
            cut_off = await cut_off_at(server.asked, prober.probe(server.url, CHECK))
            go_on.set()
            outcome = await other
            left = len(prober._connections)
            await prober.close()
            return cut_off, outcome, left

    assert run(main(), debug=True) == (True, Outcome.PASS, 0)


def test_closing_lets_probes_under_way_end() -> None:
    async def main() -> tuple[Outcome, Outcome]:
        go_on = asyncio.Event()

        async def wait(context: Context) -> bytes:
            await go_on.wait()
            return SERVING

        async with GrpcServer(wait) as server:
            prober = GrpcProber()
            probing = asyncio.create_task(prober.probe(server.url, CHECK))
            await server.asked.wait()
            await prober.close()
            go_on.set()
            outcomes = await probing, await probe(server.url, prober)
            await prober.close()
            return outcomes

    assert run(main()) == (Outcome.PASS, Outcome.PASS)


def test_another_loop_may_use_it_after_it_is_closed() -> None:
    prober = GrpcProber()

    async def main(*, close: bool) -> Outcome:
        async with GrpcServer() as server:
            outcome = await probe(server.url, prober)
            if close:
                await prober.close()
            return outcome

    assert run(main(close=True)) == Outcome.PASS
    assert run(main(close=False)) == Outcome.PASS
    with pytest.raises(RuntimeError, match="open in another event loop"):
        run(main(close=True))
    run(prober.close())
    assert run(main(close=True)) == Outcome.PASS
