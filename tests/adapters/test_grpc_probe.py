"""Probes over gRPC against real servers on the loopback."""

from __future__ import annotations

import asyncio
import importlib
import sys
from collections.abc import Callable
from typing import Any

import grpc
import pytest
from tests.adapters.grpc_servers import SERVING, GrpcServer, Reply, aborting, never, probe
from tests.adapters.servers import closed_port, cut_off_at, run
from tests.adapters.servers import reset as reset_by_server

import uplinks
from uplinks.adapters import grpc_probe
from uplinks.adapters.grpc_probe import GrpcProber
from uplinks.errors import MissingExtra
from uplinks.health import Outcome
from uplinks.model import HealthCheck
from uplinks.protocols import Prober
from uplinks.testing.server import Reader, Server, Writer, answer

SECRET = "kx9-secret-7q"  # noqa: S105 - a mark to look for
CHECK = HealthCheck(mode="grpc")
MANY = 200
SETTINGS = b"\x00\x00\x00\x04\x00\x00\x00\x00\x00"  # a frame of HTTP/2 that settles nothing


def probed(reply: Reply = SERVING, **fields: Any) -> Outcome:
    """Probe a server once."""

    async def main() -> Outcome:
        async with GrpcServer(reply) as server:
            return await probe(server.url, **fields)

    outcome: Outcome = run(main())
    return outcome


# --- what is sent -----------------------------------------------------------


def test_a_call_is_the_health_checking_protocol_s_and_no_more() -> None:
    async def main() -> tuple[Outcome, GrpcServer]:
        async with GrpcServer() as server:
            key = {"X-Key": SECRET}
            outcome = await probe(server.url, path="/x", method="POST", status=503, headers=key)
            return outcome, server

    outcome, server = run(main())

    assert outcome == Outcome.PASS
    assert server.calls == [("/grpc.health.v1.Health/Check", b"")]
    assert [*server.metadata[0]] == ["user-agent"]
    assert str(server.metadata[0]["user-agent"]).startswith(f"uplinks/{uplinks.__version__} ")


@pytest.mark.parametrize(
    ("hostname", "authority"), [(None, "127.0.0.1:PORT"), ("api.example.com:80",) * 2]
)
def test_the_hostname_is_the_authority(hostname: str | None, authority: str) -> None:
    said: list[bytes] = []

    async def listen(server: Server, reader: Reader, writer: Writer) -> None:
        writer.write(SETTINGS)
        said.append(await reader.readuntil(b"user-agent"))

    async def main() -> int:
        async with Server(listen) as server:
            await probe(server.url, hostname=hostname)
            return int(server.port)

    written = authority.replace("PORT", str(run(main())))

    # Neither indexed nor compressed: the name, the length, the value.
    assert b":authority" + bytes([len(written)]) + written.encode() in said[0]


def test_the_check_s_port_and_scheme_are_asked() -> None:
    async def main() -> Outcome:
        async with GrpcServer() as server:
            return await probe("https://127.0.0.1:1", scheme="http", port=server.port)

    assert run(main()) == Outcome.PASS


def test_an_address_of_ipv6_is_asked() -> None:
    async def main() -> Outcome:
        async with GrpcServer(host="::1") as server:
            return await probe(f"http://[::1]:{server.port}")

    assert run(main()) == Outcome.PASS


def test_a_name_is_resolved() -> None:
    async def main() -> Outcome:
        async with GrpcServer() as server:
            return await probe(f"http://localhost:{server.port}")

    assert run(main()) == Outcome.PASS


def test_proxies_of_the_environment_do_not_matter(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("grpc_proxy", "http_proxy", "https_proxy"):
        monkeypatch.setenv(name, f"http://127.0.0.1:{closed_port()}")
    monkeypatch.delenv("no_proxy", raising=False)
    monkeypatch.delenv("no_grpc_proxy", raising=False)

    assert probed() == Outcome.PASS


@pytest.mark.parametrize(
    ("url", "fields", "reason"),
    [
        ("unix:///run/x", {}, "invalid address: it does not start with http:// or"),
        (f"http://me:{SECRET}@eu", {}, "invalid address: it has a user or password"),
        ("http://eu", {"scheme": "ftp"}, "the scheme must be http or https"),
        (
            "http://eu",
            {"hostname": f"me:{SECRET}@eu"},
            "the hostname must be a host with an optional port",
        ),
    ],
)
def test_what_cannot_be_asked_is_not(url: str, fields: dict[str, Any], reason: str) -> None:
    outcome: Outcome = run(probe(url, **fields))

    assert outcome.reason.startswith(reason)
    assert SECRET not in repr(outcome)


# --- what comes back --------------------------------------------------------


@pytest.mark.parametrize(
    "reply", [SERVING, b"\x10\x05\x08\x01", b"\x08\x01\x12\x03abc", b"\x08\x02\x08\x01"]
)
def test_serving_passes(reply: bytes) -> None:
    assert probed(reply) == Outcome.PASS


@pytest.mark.parametrize(
    ("reply", "reason"),
    [
        (b"", "health status UNKNOWN"),
        (b"\x08\x00", "health status UNKNOWN"),
        (b"\x08\x02", "health status NOT_SERVING"),
        (b"\x08\x03", "health status SERVICE_UNKNOWN"),
        (b"\x08\x04", "health status UNKNOWN"),
        (b"\x08\x01\x08\x02", "health status NOT_SERVING"),
        (b"\x08", "invalid reply: it ends too early"),
        (b"\x08\x01\x12", "invalid reply: it ends too early"),
        (b"\x0a\x01\x01", "invalid reply: the status is not a number"),
        (b"\x08\x01" + b"\x12\x80\x20" + bytes(4096), "gRPC status RESOURCE_EXHAUSTED"),
    ],
    ids=range(10),
)
def test_other_replies_do_not_pass(reply: bytes, reason: str) -> None:
    assert probed(reply) == Outcome.fail(reason)


@pytest.mark.parametrize("code", [code for code in grpc.StatusCode if code.value[0]])
def test_no_status_of_grpc_passes_or_is_passed_on(code: grpc.StatusCode) -> None:
    # CANCELLED by the server is an answer like any other, no cancellation of ours.
    assert probed(aborting(code, SECRET)) == Outcome.fail(f"gRPC status {code.name}")


def test_a_server_without_the_service_does_not_pass() -> None:
    async def main() -> Outcome:
        server = grpc.aio.server()
        port = server.add_insecure_port("127.0.0.1:0")
        await server.start()
        try:
            return await probe(f"http://127.0.0.1:{port}")
        finally:
            await server.stop(None)

    assert run(main()) == Outcome.fail("gRPC status UNIMPLEMENTED")


async def _hang_up(server: Server, reader: Reader, writer: Writer) -> None:
    """Close without a word, and not by a reset."""
    writer.write_eof()
    await reader.read()


async def _go(server: Server, reader: Reader, writer: Writer) -> None:
    """Accept the call, then close."""
    writer.write(SETTINGS)
    await reader.readuntil(b"user-agent")


@pytest.mark.parametrize(
    ("talk", "reason"),
    [
        (reset_by_server, "connection reset"),
        (_hang_up, "connection closed without an answer"),
        (_go, "gRPC status UNAVAILABLE"),
        (answer(400), "no HTTP/2"),
        (b"\xff" * 1000, "no HTTP/2"),
    ],
    ids=["reset", "hang-up", "closed-in-call", "http/1.1", "noise"],
)
def test_a_server_of_something_else(talk: Any, reason: str) -> None:
    async def main() -> Outcome:
        async with Server(talk) as server:
            return await probe(server.url)

    assert run(main()) == Outcome.fail(reason)


@pytest.mark.parametrize(
    ("url", "reason"),
    [
        (lambda: f"http://127.0.0.1:{closed_port()}", "connection refused"),
        (lambda: "http://a..b:1", "invalid address: it has no valid host"),
        (lambda: f"http://{'x' * 64}:1", "invalid address: it has no valid host"),
    ],
)
def test_nobody_is_there(url: Callable[[], str], reason: str) -> None:
    assert run(probe(url())) == Outcome.fail(reason)


# --- deadlines --------------------------------------------------------------


def test_a_call_without_a_reply_ends_with_its_deadline() -> None:
    async def main() -> tuple[bool, Outcome, list[str]]:
        async with GrpcServer(never) as server:
            prober = GrpcProber()
            cut_off = await cut_off_at(server.asked, prober.probe(server.url, CHECK))
            await server.left.wait()  # the call has ended at the server, too
            server.reply = SERVING
            outcome = await probe(server.url, prober)
            await prober.close()
            return cut_off, outcome, server.peers

    cut_off, outcome, peers = run(main(), debug=True)

    assert (cut_off, outcome) == (True, Outcome.PASS)
    assert len(set(peers)) == 2  # the connection may be what did not answer


def test_a_connection_without_a_word_ends_with_its_deadline() -> None:
    async def silent(server: Server, reader: Reader, writer: Writer) -> None:
        await server.head(reader)
        await reader.read()

    async def main() -> bool:
        async with Server(silent) as server:
            prober = GrpcProber()
            check = HealthCheck(mode="grpc", timeout=1)
            cut_off = await cut_off_at(server.asked, prober.probe(server.url, check))
            await server.left.wait()  # gRPC has given up as well
            await prober.close()
            return cut_off

    assert run(main(), debug=True) is True


def test_a_probe_that_is_cancelled_before_it_begins() -> None:
    async def main() -> tuple[bool, Outcome]:
        async with GrpcServer() as server:
            prober = GrpcProber()
            probing = asyncio.create_task(prober.probe(server.url, CHECK))
            probing.cancel()
            await asyncio.wait([probing])
            outcome = await probe(server.url, prober)
            await prober.close()
            return probing.cancelled(), outcome

    assert run(main()) == (True, Outcome.PASS)


# --- the package ------------------------------------------------------------


def test_it_is_a_prober() -> None:
    assert isinstance(GrpcProber(), Prober)


def test_certificates_cannot_be_left_unverified() -> None:
    with pytest.raises(ValueError, match="gRPC cannot leave certificates unverified"):
        GrpcProber(insecure=True)


def test_without_the_extra_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "grpc", None)
    monkeypatch.delitem(sys.modules, grpc_probe.__name__)

    with pytest.raises(MissingExtra, match=r"pip install 'uplinks\[grpc\]'"):
        importlib.import_module(grpc_probe.__name__)
