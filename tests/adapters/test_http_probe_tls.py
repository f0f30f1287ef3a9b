"""Probes over TLS: whose certificate is accepted, and whose name is asked for."""

from __future__ import annotations

import logging
import ssl
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import trustme
from tests.adapters.servers import probe, run

from uplinks.adapters.http_probe import HttpProber
from uplinks.errors import InvalidCertificates, UplinksError
from uplinks.health import Outcome
from uplinks.testing.server import OK, Server, answer

AUTHORITY = trustme.CA()
NOW = datetime.now(UTC)  # certificates have dates; nothing here depends on which
DAY = timedelta(days=1)


def context(certificate: trustme.LeafCert) -> ssl.SSLContext:
    made = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    certificate.configure_cert(made)
    return made


def self_signed(folder: Path) -> ssl.SSLContext:
    authority = trustme.CA()
    file = folder / "self-signed.pem"
    authority.private_key_pem.write_to_path(str(file))
    authority.cert_pem.write_to_path(str(file), append=True)
    made = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    made.load_cert_chain(file)
    return made


@pytest.fixture
def ca_file(tmp_path: Path) -> Path:
    file = tmp_path / "ca.pem"
    AUTHORITY.cert_pem.write_to_path(str(file))
    return file


def probed(tls: ssl.SSLContext, prober: HttpProber, host: str, **fields: Any) -> Outcome:
    async def main() -> Outcome:
        async with Server(tls=tls) as server:
            try:
                return await probe(f"https://{host}:{server.port}", prober, **fields)
            finally:
                await prober.close()

    outcome: Outcome = run(main())
    return outcome


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1"])
def test_a_private_authority_is_accepted_when_it_is_given(host: str, ca_file: Path) -> None:
    tls = context(AUTHORITY.issue_cert(host))

    assert probed(tls, HttpProber(ca_file=ca_file), host) == Outcome.PASS
    assert probed(tls, HttpProber(ca_file=str(ca_file)), host) == Outcome.PASS


@pytest.mark.parametrize(
    ("names", "dates", "host", "reason"),
    [
        (["eu.example.com"], {}, "localhost", "hostname mismatch"),
        (["eu.example.com"], {}, "127.0.0.1", "IP address mismatch"),
        (["localhost"], {"not_after": NOW - DAY}, "localhost", "expired"),
        (["localhost"], {"not_before": NOW + DAY}, "localhost", "not yet valid"),
    ],
)
def test_a_certificate_that_is_not_accepted(
    names: list[str], dates: dict[str, Any], host: str, reason: str, ca_file: Path
) -> None:
    tls = context(AUTHORITY.issue_cert(*names, **dates))

    assert probed(tls, HttpProber(ca_file=ca_file), host) == Outcome.fail(f"certificate: {reason}")
    assert probed(tls, HttpProber(insecure=True), host) == Outcome.PASS


def test_an_unknown_authority_is_not_accepted(ca_file: Path) -> None:
    other = context(trustme.CA().issue_cert("localhost"))
    unknown = Outcome.fail("certificate: unknown issuer")

    assert probed(other, HttpProber(), "localhost") == unknown
    assert probed(other, HttpProber(ca_file=ca_file), "localhost") == unknown


def test_a_self_signed_certificate_is_not_accepted(tmp_path: Path) -> None:
    tls = self_signed(tmp_path)

    assert probed(tls, HttpProber(), "localhost") == Outcome.fail("certificate: self-signed")
    assert probed(tls, HttpProber(insecure=True), "localhost") == Outcome.PASS


def test_the_address_is_asked_for_and_the_hostname_is_only_a_header(ca_file: Path) -> None:
    tls = context(AUTHORITY.issue_cert("localhost"))
    asked: list[str | None] = []
    tls.sni_callback = lambda _, name, __: asked.append(name)

    async def main() -> bytes:
        prober = HttpProber(ca_file=ca_file)
        async with Server(tls=tls) as server:
            outcome = await probe(server.tls_url, prober, hostname="api.example.com")
            await prober.close()
            assert outcome == Outcome.PASS
            return server.heads[0]

    assert b"\r\nHost: api.example.com\r\n" in run(main())
    assert asked == ["localhost"]


def test_the_scheme_of_the_check_is_used(ca_file: Path) -> None:
    async def main() -> tuple[Outcome, ...]:
        prober = HttpProber(ca_file=ca_file)
        async with (
            Server(tls=context(AUTHORITY.issue_cert("localhost"))) as secure,
            Server(b"no TLS\r\n\r\n") as plain,
        ):
            try:
                return (
                    await probe(f"http://localhost:{secure.port}", prober, scheme="https"),
                    await probe(plain.tls_url, prober, scheme="http"),
                )
            finally:
                await prober.close()

    assert run(main()) == (Outcome.PASS, Outcome.fail("no valid HTTP answer"))


async def no_tls(_: Server, reader: Any, writer: Any) -> None:
    await reader.read(1)
    writer.write(OK)
    await reader.read()


def test_a_server_without_tls_fails() -> None:
    async def main() -> Outcome:
        async with Server(no_tls) as server:
            return await probe(server.tls_url)

    assert run(main()) == Outcome.fail("TLS failed")


def test_connections_are_kept(ca_file: Path) -> None:
    async def main() -> int:
        prober = HttpProber(ca_file=ca_file)
        async with Server(tls=context(AUTHORITY.issue_cert("localhost"))) as server:
            for hostname in ("a", "b", "a"):
                outcome = await probe(server.tls_url, prober, hostname=hostname)
                assert outcome == Outcome.PASS
            await prober.close()
            return server.connections

    assert run(main()) == 1


def test_a_redirect_to_plain_http_is_not_followed(ca_file: Path) -> None:
    async def main() -> tuple[Outcome, int]:
        prober = HttpProber(ca_file=ca_file)
        async with Server() as plain:
            there = answer(302, f"Location: http://localhost:{plain.port}/")
            async with Server(there, tls=context(AUTHORITY.issue_cert("localhost"))) as server:
                outcome = await probe(server.tls_url, prober, headers={"X-Key": "abc"})
            await prober.close()
            return outcome, plain.connections

    assert run(main()) == (Outcome.fail("redirected from https to http"), 0)


@pytest.mark.parametrize("text", ["", "no PEM", "-----BEGIN CERTIFICATE-----\nAAAA\n"])
def test_a_bundle_that_is_none_is_refused(text: str, tmp_path: Path) -> None:
    file = tmp_path / "ca.pem"
    file.write_text(text, encoding="utf-8")

    with pytest.raises(InvalidCertificates, match="PEM bundle") as caught:
        HttpProber(ca_file=file)

    assert isinstance(caught.value, UplinksError)


def test_a_bundle_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InvalidCertificates, match=r"nowhere\.pem.*No such file"):
        HttpProber(ca_file=tmp_path / "nowhere.pem")


def test_a_bundle_beside_insecure_is_refused(ca_file: Path) -> None:
    with pytest.raises(ValueError, match="verifies nothing"):
        HttpProber(ca_file=ca_file, insecure=True)


def test_no_secret_is_logged_when_tls_fails(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    secret = "kx9-secret-7q"  # noqa: S105 - a mark to look for

    async def main() -> Outcome:
        async with Server(tls=context(trustme.CA().issue_cert("localhost"))) as server:
            return await probe(server.tls_url, path=f"/?{secret}", headers={"X-Key": secret})

    assert run(main(), debug=True) == Outcome.fail("certificate: unknown issuer")
    assert [secret for record in caplog.records if secret in repr(vars(record))] == []
