"""Probes over gRPC and TLS: whose certificate is accepted, and for which name."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import grpc
import pytest
import trustme
from tests.adapters.grpc_servers import GrpcServer, probe
from tests.adapters.servers import run

from uplinks.adapters.grpc_probe import GrpcProber
from uplinks.errors import InvalidCertificates
from uplinks.health import Outcome

AUTHORITY = trustme.CA()
NOW = datetime.now(UTC)  # certificates have dates; nothing here depends on which
DAY = timedelta(days=1)


def credentials(*names: str, authority: trustme.CA = AUTHORITY, **dates: Any) -> Any:
    leaf = authority.issue_cert(*names, **dates)
    chain = b"".join(blob.bytes() for blob in leaf.cert_chain_pems)
    return grpc.ssl_server_credentials([(leaf.private_key_pem.bytes(), chain)])


@pytest.fixture
def ca_file(tmp_path: Path) -> Path:
    file = tmp_path / "ca.pem"
    AUTHORITY.cert_pem.write_to_path(str(file))
    return file


def probed(tls: Any, ca_file: Path | None, host: str = "localhost", **fields: Any) -> Outcome:
    async def main() -> Outcome:
        address = host.strip("[]")
        async with GrpcServer(credentials=tls, host=address) as server:
            prober = GrpcProber(ca_file=ca_file)
            try:
                return await probe(f"https://{host}:{server.port}", prober, **fields)
            finally:
                await prober.close()

    outcome: Outcome = run(main())
    return outcome


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1", "[::1]"])
def test_a_private_authority_is_accepted_when_it_is_given(host: str, ca_file: Path) -> None:
    assert probed(credentials(host.strip("[]")), ca_file, host) == Outcome.PASS


@pytest.mark.parametrize(
    ("names", "dates", "host", "reason"),
    [
        (["eu.example.com"], {}, "localhost", "name mismatch"),
        (["eu.example.com"], {}, "127.0.0.1", "name mismatch"),
        (["localhost"], {"not_after": NOW - DAY}, "localhost", "expired"),
        (["localhost"], {"not_before": NOW + DAY}, "localhost", "not yet valid"),
        (["localhost"], {"authority": trustme.CA()}, "localhost", "not accepted"),
    ],
)
def test_a_certificate_that_is_not_accepted(
    names: list[str], dates: dict[str, Any], host: str, reason: str, ca_file: Path
) -> None:
    assert probed(credentials(*names, **dates), ca_file, host) == Outcome.fail(
        f"certificate: {reason}"
    )


def test_a_private_authority_is_not_accepted_unasked() -> None:
    assert probed(credentials("localhost"), None) == Outcome.fail("certificate: not accepted")


@pytest.mark.parametrize("hostname", ["api.example.com", "api.example.com:9443", "localhost:1"])
def test_the_hostname_is_no_matter_of_the_certificate(hostname: str, ca_file: Path) -> None:
    assert probed(credentials("localhost"), ca_file, hostname=hostname) == Outcome.PASS


def test_the_hostname_s_certificate_is_not_the_address_s(ca_file: Path) -> None:
    outcome = probed(credentials("api.example.com"), ca_file, hostname="api.example.com")

    assert outcome == Outcome.fail("certificate: name mismatch")


def test_tls_to_a_server_without(ca_file: Path) -> None:
    assert probed(None, ca_file) == Outcome.fail("TLS failed")


def test_no_tls_to_a_server_with() -> None:
    outcome = probed(credentials("localhost"), None, scheme="http")

    assert outcome.reason in {"connection closed without an answer", "connection reset"}


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (None, "No such file or directory"),
        ("", "it is not a PEM bundle of certificates"),
        ("no certificate", "it is not a PEM bundle of certificates"),
    ],
)
def test_a_bundle_that_cannot_be_used(content: str | None, reason: str, tmp_path: Path) -> None:
    file = tmp_path / "ca.pem"
    if content is not None:
        file.write_text(content, encoding="utf-8")

    with pytest.raises(InvalidCertificates) as caught:
        GrpcProber(ca_file=file)

    assert (caught.value.got, caught.value.reason) == (file, reason)
