"""Probes by a child's ``serversTransport``, on real TLS servers."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import grpc
import pytest
from tests.adapters.credentials import AUTHORITY, CHILD, CLIENT, OTHER, write_credentials
from tests.adapters.servers import run, silent_until_left

from uplinks.adapters._probers import Probers
from uplinks.adapters.grpc_probe import GrpcProber
from uplinks.adapters.http_probe import HttpProber
from uplinks.health import Outcome
from uplinks.model import (
    ChildService,
    ClientCertificate,
    ForwardingTimeouts,
    HealthCheck,
    ServersTransport,
    Spiffe,
)
from uplinks.parent import Endpoint
from uplinks.testing.server import Server

GRPC = HealthCheck(mode="grpc")
SERVING = b"\x08\x01"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return write_credentials(tmp_path)


def named(folder: Path, **fields: Any) -> ServersTransport:
    """Accept the authority's certificate of the child, which is not at the address's host."""
    return ServersTransport("child.example.com", root_cas=[str(folder / "ca.pem")], **fields)


def certificate(folder: Path) -> ClientCertificate:
    return ClientCertificate(str(folder / "client.crt"), str(folder / "client.key"))


def server_context(*, mutual: bool = False) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    CHILD.configure_cert(context)
    if mutual:
        AUTHORITY.configure_trust(context)
        context.verify_mode = ssl.CERT_REQUIRED
    return context


def probed(
    transport: ServersTransport | None,
    *,
    tls: ssl.SSLContext | None = None,
    prober: HttpProber | None = None,
    times: int = 1,
) -> list[Outcome]:
    asking = prober or HttpProber()

    async def main() -> list[Outcome]:
        async with Server(tls=tls or server_context()) as server:
            try:
                return [
                    await asking.probe(f"https://127.0.0.1:{server.port}", HealthCheck(), transport)
                    for _ in range(times)
                ]
            finally:
                await asking.close()

    outcomes: list[Outcome] = run(main())
    return outcomes


# --- over HTTP --------------------------------------------------------------------


def test_the_authorities_and_the_name_of_a_child(folder: Path) -> None:
    assert probed(named(folder), times=2) == [Outcome.PASS] * 2


def test_pem_text_stands_for_a_file() -> None:
    text = AUTHORITY.cert_pem.bytes().decode()

    assert probed(ServersTransport("child.example.com", root_cas=[text])) == [Outcome.PASS]


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"server_name": "other.example.com"}, "certificate: hostname mismatch"),
        ({"server_name": None}, "certificate: IP address mismatch"),
        ({"root_cas": ["other.pem"]}, "certificate: unknown issuer"),
        ({"root_cas": ["missing.pem"]}, "a file of rootCAs cannot be read"),
        ({"root_cas": ["client.key"]}, "rootCAs hold no PEM certificates"),
        ({"certificates": [("missing", "client.key")]}, "a file of certFile cannot be read"),
        (
            {"certificates": [("client.crt", "ca.pem")]},
            "a client certificate and its key do not match",
        ),
        ({"spiffe": Spiffe(["spiffe://a"])}, "spiffe and peerCertURI are not supported"),
        ({"peer_cert_uri": "spiffe://a"}, "spiffe and peerCertURI are not supported"),
        ({"min_version": "TLS13"}, "minVersion or maxVersion is not a TLS version"),
    ],
)
def test_what_does_not_fit_fails_the_probe(
    fields: dict[str, Any], reason: str, folder: Path
) -> None:
    if "root_cas" in fields:
        fields = {**fields, "root_cas": [str(folder / name) for name in fields["root_cas"]]}
    if "certificates" in fields:
        pairs = [ClientCertificate(*(str(folder / n) for n in p)) for p in fields["certificates"]]
        fields = {**fields, "certificates": pairs}
    transport = ServersTransport(
        **{"server_name": "child.example.com", "root_cas": [str(folder / "ca.pem")], **fields}
    )

    assert probed(transport) == [Outcome.fail(reason)]


def test_nothing_is_verified_for_a_child_that_says_so() -> None:
    assert probed(ServersTransport(insecure_skip_verify=True)) == [Outcome.PASS]


def test_a_child_that_wants_a_client_certificate(folder: Path) -> None:
    with_one = named(folder, certificates=[certificate(folder)])

    assert probed(with_one, tls=server_context(mutual=True)) == [Outcome.PASS]
    (refused,) = probed(named(folder), tls=server_context(mutual=True))
    assert refused != Outcome.PASS


def test_a_client_certificate_as_text(folder: Path) -> None:
    key = CLIENT.private_key_pem.bytes().decode()
    text = ClientCertificate(CLIENT.cert_chain_pems[0].bytes().decode(), key)
    transport = named(folder, certificates=[text])

    assert probed(transport, tls=server_context(mutual=True)) == [Outcome.PASS]
    assert "PRIVATE" not in repr(transport)


def test_a_file_that_has_changed_is_read_again(folder: Path) -> None:
    transport = named(folder)
    OTHER.cert_pem.write_to_path(folder / "ca.pem")
    (before,) = probed(transport)

    AUTHORITY.cert_pem.write_to_path(folder / "ca.pem")
    OTHER.cert_pem.write_to_path(folder / "ca.pem", append=True)

    assert before == Outcome.fail("certificate: unknown issuer")
    assert probed(transport) == [Outcome.PASS]


def test_the_probers_own_authorities_count_where_a_child_has_none(folder: Path) -> None:
    prober = HttpProber(ca_file=folder / "ca.pem")

    assert probed(ServersTransport("child.example.com"), prober=prober) == [Outcome.PASS]


def test_an_insecure_prober_verifies_nothing_but_shows_the_client_certificate(
    folder: Path,
) -> None:
    transport = ServersTransport(certificates=[certificate(folder)])
    prober = HttpProber(insecure=True)

    assert probed(transport, prober=prober, tls=server_context(mutual=True)) == [Outcome.PASS]


def test_the_version_of_tls(folder: Path) -> None:
    context = server_context()
    context.minimum_version = ssl.TLSVersion.TLSv1_3
    old = named(folder, max_version="VersionTLS12")

    assert probed(old, tls=context) != [Outcome.PASS]
    assert probed(named(folder, min_version="VersionTLS13"), tls=context) == [Outcome.PASS]


def test_an_answer_that_takes_longer_than_it_may(folder: Path) -> None:
    timeouts = ForwardingTimeouts(response_header_timeout=50_000_000)

    async def main() -> Outcome:
        async with Server(silent_until_left()) as server:
            prober = HttpProber()
            try:
                transport = ServersTransport(forwarding_timeouts=timeouts)
                return await prober.probe(
                    f"http://127.0.0.1:{server.port}", HealthCheck(), transport
                )
            finally:
                await prober.close()

    assert run(main()) == Outcome.fail("no answer in time")


def test_a_transport_has_no_effect_on_plain_http(folder: Path) -> None:
    async def main() -> Outcome:
        async with Server() as server:
            prober = HttpProber()
            try:
                return await prober.probe(
                    f"http://127.0.0.1:{server.port}", HealthCheck(), named(folder)
                )
            finally:
                await prober.close()

    assert run(main()) == Outcome.PASS


# --- over gRPC --------------------------------------------------------------------


@pytest.fixture
def mutual_grpc_port() -> Iterator[int]:
    """Serve health checks to clients that show a certificate of the authority."""
    credentials = grpc.ssl_server_credentials(
        [(CHILD.private_key_pem.bytes(), CHILD.cert_chain_pems[0].bytes())],
        root_certificates=AUTHORITY.cert_pem.bytes(),
        require_client_auth=True,
    )
    handler = grpc.method_handlers_generic_handler(
        "grpc.health.v1.Health",
        {"Check": grpc.unary_unary_rpc_method_handler(lambda _request, _context: SERVING)},
    )
    server = grpc.server(ThreadPoolExecutor(1), handlers=[handler])
    port = server.add_secure_port("127.0.0.1:0", credentials)
    server.start()
    yield port
    server.stop(None).wait()


def called(port: int, transport: ServersTransport) -> Outcome:
    async def main() -> Outcome:
        prober = GrpcProber()
        try:
            async with asyncio.timeout(10):
                return await prober.probe(f"https://127.0.0.1:{port}", GRPC, transport)
        finally:
            await prober.close()

    outcome: Outcome = run(main())
    return outcome


def test_a_grpc_child_that_wants_a_client_certificate(folder: Path, mutual_grpc_port: int) -> None:
    good = named(folder, certificates=[certificate(folder)])
    nameless = ServersTransport(root_cas=good.root_cas, certificates=good.certificates)

    assert called(mutual_grpc_port, good) == Outcome.PASS
    assert called(mutual_grpc_port, named(folder)) != Outcome.PASS
    assert called(mutual_grpc_port, nameless) == Outcome.fail("certificate: name mismatch")


def test_grpc_cannot_leave_certificates_unverified() -> None:
    assert called(1, ServersTransport(insecure_skip_verify=True)) == Outcome.fail(
        "gRPC cannot leave certificates unverified; set rootCAs"
    )


# --- through the parent -----------------------------------------------------------


def test_services_of_one_address_with_other_transports_are_probed_apart() -> None:
    def service(name: str, transport: ServersTransport | None) -> ChildService:
        return ChildService(
            f"{name}-eu@multicluster",
            name,
            "eu",
            "https://eu",
            HealthCheck(),
            servers_transport=transport,
        )

    one, same = ServersTransport("eu"), ServersTransport("eu")

    assert Endpoint.of(service("a", one)) == Endpoint.of(service("b", same))
    assert Endpoint.of(service("a", one)) != Endpoint.of(service("b", None))
    assert Endpoint.of(service("a", one)).servers_transport == one


@pytest.mark.parametrize("transport", [None, ServersTransport("eu")])
def test_a_prober_gets_the_transport_only_if_there_is_one(
    transport: ServersTransport | None,
) -> None:
    got: list[tuple[Any, ...]] = []

    class Noting:
        async def probe(self, *arguments: Any) -> Outcome:
            got.append(arguments)
            return Outcome.PASS

        async def close(self) -> None:
            pass

    class Probe:
        check = HealthCheck()
        target = Endpoint("https://eu", HealthCheck(), servers_transport=transport)

    probers = Probers({"http": Noting()})
    outcome = asyncio.run(probers.ask("https://eu", Probe()))  # type: ignore[arg-type]

    assert outcome == Outcome.PASS
    assert got == [("https://eu", HealthCheck(), *([transport] if transport else []))]
