"""Probes over gRPC against real servers on the loopback."""

from __future__ import annotations

import asyncio
import importlib
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import grpc
import pytest
import trustme
from tests.adapters.servers import Server

from uplinks.adapters.grpc_probe import GrpcProber
from uplinks.errors import InvalidCertificates, MissingExtra
from uplinks.health import Outcome
from uplinks.model import HealthCheck

AUTHORITY = trustme.CA()
DAY = timedelta(days=1)
METHOD = "/grpc.health.v1.Health/Check"
SERVING = b"\x08\x01"

Handler = Callable[[bytes, Any], Awaitable[bytes]]


async def serving(request: bytes, _: Any) -> bytes:
    assert request == b""
    return SERVING


def replying(reply: bytes) -> Handler:
    async def handle(_: bytes, __: Any) -> bytes:
        return reply

    return handle


def aborting(code: grpc.StatusCode) -> Handler:
    async def handle(_: bytes, context: Any) -> bytes:
        await context.abort(code, "details that may be secret")
        raise AssertionError

    return handle


class Only(grpc.GenericRpcHandler):  # type: ignore[misc,unused-ignore]
    def __init__(self, handler: Handler) -> None:
        self.handler = handler
        self.peers: set[str] = set()
        self.metadata: dict[str, str] = {}

    def service(self, details: Any) -> Any:
        if details.method != METHOD:
            return None

        async def handle(request: bytes, context: Any) -> bytes:
            self.peers.add(context.peer())
            return await self.handler(request, context)

        return grpc.unary_unary_rpc_method_handler(handle)


@asynccontextmanager
async def child(
    handler: Handler | Only = serving,
    *,
    certificate: trustme.LeafCert | None = None,
    address: str = "127.0.0.1:0",
) -> AsyncIterator[int]:
    only = handler if isinstance(handler, Only) else Only(handler)
    server = grpc.aio.server(handlers=[only])
    if certificate is None:
        port = server.add_insecure_port(address)
    else:
        pair = (certificate.private_key_pem.bytes(), certificate.cert_chain_pems[0].bytes())
        port = server.add_secure_port(address, grpc.ssl_server_credentials([pair]))
    await server.start()
    try:
        yield port
    finally:
        await server.stop(None)


def run(main: Coroutine[Any, Any, None]) -> None:
    asyncio.run(asyncio.wait_for(main, 60))


async def ask(prober: GrpcProber, url: str, **fields: Any) -> Outcome:
    return await prober.probe(url, HealthCheck(mode="grpc", **fields))


def asked(handler: Handler, **fields: Any) -> Outcome:
    found: list[Outcome] = []

    async def main() -> None:
        prober = GrpcProber()
        async with child(handler) as port:
            found.append(await ask(prober, f"http://127.0.0.1:{port}", **fields))
        await prober.close()

    run(main())
    return found[0]


def test_serving_passes() -> None:
    assert asked(serving) == Outcome.PASS


@pytest.mark.parametrize(
    ("reply", "reason"),
    [
        (b"", "status UNKNOWN"),
        (b"\x08\x02", "status NOT_SERVING"),
        (b"\x08\x03", "status SERVICE_UNKNOWN"),
        (b"\x08\x63", "status UNKNOWN"),
        (b"\x08", "no reply of a health check: it ends too early"),
        (b"\x12\x81\x80" + b"x" * 10_000, "its reply is too large, or it has no resources"),
    ],
)
def test_any_other_reply_fails(reply: bytes, reason: str) -> None:
    assert asked(replying(reply)) == Outcome.fail(reason)


def test_fields_of_another_version_are_skipped() -> None:
    assert asked(replying(b"\x12\x02ab\x08\x01\x18\x05")) == Outcome.PASS


@pytest.mark.parametrize("name", ["CANCELLED", "INTERNAL", "UNAUTHENTICATED", "DEADLINE_EXCEEDED"])
def test_a_code_fails_with_its_name_and_nothing_the_server_said(name: str) -> None:
    assert asked(aborting(grpc.StatusCode[name])) == Outcome.fail(f"status {name}")


def test_a_server_without_health_checks_is_unimplemented() -> None:
    reason = "it has no health check: UNIMPLEMENTED"
    assert asked(aborting(grpc.StatusCode.UNIMPLEMENTED)) == Outcome.fail(reason)


def test_port_and_hostname_of_the_check_are_used() -> None:
    async def main() -> None:
        prober = GrpcProber()
        async with child() as port:
            url = "http://127.0.0.1:1"
            assert await ask(prober, url, port=port, hostname="api.example.com") == Outcome.PASS
        await prober.close()

    run(main())


def test_ipv6() -> None:
    async def main() -> None:
        prober = GrpcProber()
        async with child(address="[::1]:0") as port:
            assert await ask(prober, f"http://[::1]:{port}") == Outcome.PASS
        await prober.close()

    run(main())


def test_a_child_that_comes_back_passes_at_the_first_probe() -> None:
    async def main() -> None:
        prober = GrpcProber()
        async with child() as port:
            url = f"http://127.0.0.1:{port}"
            assert await ask(prober, url) == Outcome.PASS
        for _ in range(3):
            assert (await ask(prober, url)).reason.startswith("it cannot be reached")
        async with child(address=f"127.0.0.1:{port}"):
            assert await ask(prober, url) == Outcome.PASS
        await prober.close()

    run(main())


def test_a_server_that_never_answers_is_left_when_the_caller_cancels() -> None:
    async def main() -> None:
        called, left = asyncio.Event(), asyncio.Event()

        async def hang(_: bytes, __: Any) -> bytes:
            called.set()
            try:
                await asyncio.Event().wait()
            finally:
                left.set()
            raise AssertionError

        prober = GrpcProber()
        async with child(hang) as port:
            probe = asyncio.create_task(ask(prober, f"http://127.0.0.1:{port}"))
            await called.wait()
            probe.cancel()
            with pytest.raises(asyncio.CancelledError):
                await probe
            await left.wait()
        await prober.close()

    run(main())


def test_a_server_of_another_protocol_fails() -> None:
    async def main() -> None:
        prober = GrpcProber()
        async with Server() as server:
            outcome = await ask(prober, server.url)
        await prober.close()
        assert outcome.reason
        assert outcome != Outcome.PASS

    run(main())


def test_hundreds_at_once_over_one_connection() -> None:
    async def main() -> None:
        only = Only(serving)
        prober = GrpcProber()
        async with child(only) as port:
            url = f"http://127.0.0.1:{port}"
            outcomes = await asyncio.gather(*(ask(prober, url) for _ in range(200)))
        await prober.close()
        assert set(outcomes) == {Outcome.PASS}
        assert len(only.peers) == 1

    run(main())


def test_after_close_another_loop_may_use_it() -> None:
    prober = GrpcProber()

    async def main() -> None:
        async with child() as port:
            assert await ask(prober, f"http://127.0.0.1:{port}") == Outcome.PASS
        await prober.close()

    run(main())
    run(main())


def test_an_address_that_cannot_be_asked_fails() -> None:
    async def main() -> None:
        assert "cannot be asked" in (await ask(GrpcProber(), "ftp://eu.example.com")).reason

    run(main())


# TLS


@pytest.fixture
def ca_file(tmp_path: Path) -> Path:
    file = tmp_path / "ca.pem"
    AUTHORITY.cert_pem.write_to_path(str(file))
    return file


def asked_over_tls(ca_file: Path | None, certificate: trustme.LeafCert | None) -> Outcome:
    found: list[Outcome] = []

    async def main() -> None:
        prober = GrpcProber(ca_file=ca_file)
        async with child(certificate=certificate) as port:
            found.append(await ask(prober, f"https://127.0.0.1:{port}"))
        await prober.close()

    run(main())
    return found[0]


def test_a_private_authority_is_accepted_when_it_is_given(ca_file: Path) -> None:
    certificate = AUTHORITY.issue_cert("127.0.0.1")
    assert asked_over_tls(ca_file, certificate) == Outcome.PASS
    assert asked_over_tls(None, certificate) != Outcome.PASS


def test_a_wrong_name_an_expired_certificate_and_plaintext_are_refused(ca_file: Path) -> None:
    now = datetime.now(UTC)
    expired = AUTHORITY.issue_cert("127.0.0.1", not_before=now - 2 * DAY, not_after=now - DAY)
    for certificate in (AUTHORITY.issue_cert("other.example.com"), expired, None):
        outcome = asked_over_tls(ca_file, certificate)
        assert outcome.reason.startswith("it cannot be reached, or its certificate")


def test_a_bundle_that_is_none_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InvalidCertificates):
        GrpcProber(ca_file=tmp_path / "absent.pem")
    (tmp_path / "empty.pem").write_text("nothing")
    with pytest.raises(InvalidCertificates, match="no certificate"):
        GrpcProber(ca_file=tmp_path / "empty.pem")


def test_without_grpcio_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "grpc", None)
    monkeypatch.delitem(sys.modules, "uplinks.adapters.grpc_probe")
    with pytest.raises(MissingExtra, match=r"uplinks\[grpc\]"):
        importlib.import_module("uplinks.adapters.grpc_probe")
