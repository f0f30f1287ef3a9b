"""Polling a child's API: what is sent, what is accepted, and what is said of it."""

from __future__ import annotations

import asyncio
import logging
import ssl
from collections.abc import Callable
from contextlib import aclosing
from pathlib import Path
from typing import Any

import pytest
import trustme
from tests.adapters.servers import closed_port, endless, hang_up, reset, run, silent_until_left

from uplinks.adapters.sources import Failure, Snapshot, source_of
from uplinks.adapters.sources.api import ApiSource
from uplinks.adapters.tokens import FileToken, VariableToken
from uplinks.advertisements import PATH, DocumentLimits, write_document
from uplinks.errors import InvalidSource
from uplinks.model import (
    Child,
    ChildConfig,
    ClientCertificate,
    Cluster,
    ParentConfig,
    ServersTransport,
    Uplink,
    UplinkEntryPoint,
)
from uplinks.testing.server import Answer, Reader, Server, Writer, answer

AUTHORITY = trustme.CA()
SECRET = "S3cr3tS3cr3t"  # noqa: S105 - must not appear in any output
SECOND = 1_000_000_000


def document(*names: str) -> bytes:
    config = ChildConfig({"up": UplinkEntryPoint(":9443", as_default=True)})
    return write_document(Cluster("", [Uplink(n, "apps") for n in names], child_config=config))


def script(*answers: bytes) -> Callable[[bytes], bytes]:
    """Give these answers in order, the last one again and again."""
    left = list(answers)
    return lambda _: left.pop(0) if len(left) > 1 else left[0]


async def at_once(_: float) -> None:
    await asyncio.sleep(0)


def polled(
    given: Answer, count: int = 1, *, path: str = "", **options: Any
) -> tuple[list[Any], list[str]]:
    """Poll a server until it has given so many updates; return these and the requests."""

    async def main() -> tuple[list[Any], list[str]]:
        async with Server(given) as server:
            source = ApiSource(server.url + path, "eu", pause=at_once, **options)
            async with aclosing(source.updates()) as updates:
                got = [said(await anext(updates)) for _ in range(count)]
            heads = [head.decode().replace(server.url[7:], "HOST") for head in server.heads]
            return got, heads

    result: tuple[list[Any], list[str]] = run(main())
    return result


def said(update: Snapshot | Failure) -> Any:
    """Give a failure's reason, or the uplinks and the codes of a snapshot."""
    if isinstance(update, Failure):
        return update.reason
    found = [each.code for each in update.cluster.diagnostics]
    return [uplink.name for uplink in update.cluster.uplinks], found


# --- what is sent -----------------------------------------------------------


def test_the_request_is_plain() -> None:
    got, [head] = polled(answer(200, body=document("a")))

    assert got == [(["a"], [])]
    request, *headers = head.strip().split("\r\n")
    assert request == f"GET {PATH} HTTP/1.1"
    assert sorted(headers)[:3] == [
        "Accept-Encoding: identity",
        "Accept: application/json",
        "Host: HOST",
    ]
    assert len(headers) == 4


def test_a_path_of_its_own_is_kept() -> None:
    _, [head] = polled(answer(200, body=document()), path="/v1/uplinks?of=eu")

    assert head.startswith("GET /v1/uplinks?of=eu HTTP/1.1\r\n")


def test_a_token_is_read_for_each_poll(tmp_path: Path) -> None:
    file = tmp_path / "token"
    file.write_text("first\n")

    def renew(head: bytes) -> bytes:
        file.write_text("second\n")
        return answer(200, body=document("a" if b"first" in head else "b"))

    got, heads = polled(renew, 2, token=FileToken(str(file)))

    assert got == [(["a"], []), (["b"], [])]
    assert "\r\nAuthorization: Bearer first\r\n" in heads[0]
    assert "\r\nAuthorization: Bearer second\r\n" in heads[1]


def test_a_token_that_cannot_be_read_is_a_failure_and_nothing_is_sent() -> None:
    got, heads = polled(answer(200, body=document()), token=VariableToken("NO_SUCH_VARIABLE"))

    assert got == ["cannot use the token of NO_SUCH_VARIABLE: it is not set"]
    assert heads == []


@pytest.mark.parametrize(
    "url", ["eu.example.com", "https://me:S3cr3t@eu", "https://", "https://eu:0"]
)
def test_what_is_no_address_is_refused(url: str) -> None:
    with pytest.raises(InvalidSource) as caught:
        ApiSource(url)

    assert "S3cr3t" not in str(caught.value)


def test_a_query_is_not_part_of_the_name() -> None:
    assert ApiSource("https://eu/x?token=S3cr3t").name == "https://eu/x?***"


# --- what is accepted -------------------------------------------------------


def test_an_unchanged_document_is_not_read_again() -> None:
    tagged = answer(200, 'ETag: "1"', body=document("a"))
    got, heads = polled(
        script(tagged, answer(304), answer(304), answer(200, 'ETag: "2"', body=document("b"))), 2
    )

    assert got == [(["a"], []), (["b"], [])]
    assert ['If-None-Match: "1"' in head for head in heads] == [False, True, True, True]


def test_the_same_bytes_are_unchanged_without_an_etag() -> None:
    same = answer(200, body=document("a"))
    got, heads = polled(script(same, same, answer(200, body=document("b"))), 2)

    assert (got, len(heads)) == ([(["a"], []), (["b"], [])], 3)


@pytest.mark.parametrize("etag", ["1", '"a b"', '"' + "x" * 500 + '"', '"\u00e9"'])
def test_an_etag_that_is_none_is_not_sent_back(etag: str) -> None:
    _, heads = polled(
        script(answer(200, f"ETag: {etag}", body=document("a")), answer(200, body=document("b"))), 2
    )

    assert "If-None-Match" not in heads[1]


def test_an_etag_is_forgotten_with_its_document() -> None:
    _, heads = polled(
        script(
            answer(200, 'ETag: "1"', body=document("a")),
            answer(200, body=document("b")),
            answer(200, body=document("c")),
        ),
        3,
    )

    assert ["If-None-Match" in head for head in heads] == [False, True, False]


def test_a_document_with_errors_is_a_snapshot_with_errors() -> None:
    got, _ = polled(
        script(
            answer(200, body=b"<html>"),
            answer(200, body=b'{"version": 2}'),
            answer(200, body=document("a")),
        ),
        3,
    )

    assert got == [([], ["UPL001"]), ([], ["UPL015"]), (["a"], [])]


# --- failures ---------------------------------------------------------------


async def cut_short(server: Server, reader: Reader, writer: Writer) -> None:
    await server.head(reader)
    writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{")


@pytest.mark.parametrize(
    ("given", "reason"),
    [
        (answer(404), "status 404, not 200"),
        (answer(500, body=b"x" * 100_000), "status 500, not 200"),
        (answer(204), "status 204, not 200"),
        (answer(304), "status 304, not 200"),
        (answer(401), "status 401: the token or certificate is not accepted"),
        (answer(403), "status 403: the token or certificate is not accepted"),
        (answer(200, "Content-Encoding: gzip", body=b"x"), "the document is compressed"),
        (answer(302, "Location: https://evil.example.com/"), "redirected from http to https"),
        (answer(302, "Location: http://evil.example.com/"), "redirected to another host"),
        (answer(302, "Location: /again"), "redirected more than 10 times"),
        (answer(302), "status 302, not 200"),
        (b"nonsense\r\n\r\n", "no valid HTTP answer"),
        (cut_short, "no valid HTTP answer"),
        (reset, "connection reset"),
        (hang_up, "connection closed without an answer"),
    ],
)
def test_what_is_a_failure(given: Any, reason: str) -> None:
    got, _ = polled(given)

    assert got == [reason]


def test_nothing_listens() -> None:
    async def main() -> Any:
        source = ApiSource(f"http://127.0.0.1:{closed_port()}", "eu", pause=at_once)
        async with aclosing(source.updates()) as updates:
            return said(await anext(updates))

    assert run(main()) == "connection refused"


@pytest.mark.parametrize(
    "given",
    [silent_until_left(), silent_until_left(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n{")],
)
def test_a_poll_ends_in_time(given: Any) -> None:
    got, _ = polled(given, timeout=SECOND // 20)

    assert got == ["no answer in time"]


def test_an_endless_document_is_cut_off() -> None:
    start = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
    chunk = b"3e8\r\n" + b" " * 1000 + b"\r\n"
    got, _ = polled(endless(start, chunk), limits=DocumentLimits(size=10_000))

    assert got == ["the document has more than 10000 bytes"]


def test_a_failure_is_said_once_and_so_is_its_end() -> None:
    good, bad = answer(200, 'ETag: "1"', body=document("a")), answer(500)
    got, heads = polled(script(good, bad, bad, answer(502), answer(304), answer(304), bad), 5)

    assert got == [
        (["a"], []),
        "status 500, not 200",
        "status 502, not 200",
        (["a"], []),
        "status 500, not 200",
    ]
    assert len(heads) == 7


def test_it_waits_between_the_polls() -> None:
    waited: list[float] = []

    async def pause(seconds: float) -> None:
        waited.append(seconds)

    async def main() -> None:
        async with Server(script(*(answer(200, body=document(n)) for n in "abc"))) as server:
            config = ParentConfig({"eu": Child(server.url)}, poll_interval="7s")
            source = source_of(server.url, "eu", config=config)
            assert isinstance(source, ApiSource)
            source._pause = pause
            async with aclosing(source.updates()) as updates:
                for _ in range(3):
                    await anext(updates)

    run(main())
    assert waited == [7.0, 7.0]


# --- TLS --------------------------------------------------------------------


def tls(*, clients: bool = False) -> ssl.SSLContext:
    made = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    AUTHORITY.issue_cert("eu.internal").configure_cert(made)
    if clients:
        made.verify_mode = ssl.CERT_REQUIRED
        AUTHORITY.configure_trust(made)
    return made


def over_tls(transport: ServersTransport | None, *, clients: bool = False) -> Any:
    async def main() -> Any:
        served = answer(200, body=document("a"))
        async with Server(served, tls=tls(clients=clients)) as server:
            config = ParentConfig({"eu": Child(server.tls_url, transport)})
            source = source_of(server.tls_url, "eu", config=config)
            assert isinstance(source, ApiSource)
            async with aclosing(source.updates()) as updates:
                return said(await anext(updates))

    return run(main())


def test_the_connection_is_made_as_the_transport_says(tmp_path: Path) -> None:
    root = tmp_path / "ca.pem"
    AUTHORITY.cert_pem.write_to_path(str(root))
    client = AUTHORITY.issue_cert("parent.internal")
    pair = ClientCertificate(
        client.cert_chain_pems[0].bytes().decode(), client.private_key_pem.bytes().decode()
    )
    named = ServersTransport(server_name="eu.internal", root_cas=[str(root)])
    with_client = ServersTransport(
        server_name="eu.internal", root_cas=[str(root)], certificates=[pair]
    )

    assert over_tls(named) == (["a"], [])
    assert over_tls(with_client, clients=True) == (["a"], [])
    assert over_tls(None) == "certificate: unknown issuer"
    assert over_tls(ServersTransport(root_cas=[str(root)])) == "certificate: hostname mismatch"
    assert isinstance(over_tls(named, clients=True), str)


# --- secrets ----------------------------------------------------------------


def test_no_token_is_logged_or_told(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    file = tmp_path / "token"
    file.write_text(SECRET)
    token = FileToken(str(file))
    got, [head] = polled(answer(401, f"X-Echo: {SECRET}", body=SECRET.encode()), token=token)

    assert f"Authorization: Bearer {SECRET}" in head
    assert SECRET not in f"{got} {token!r} {caplog.text}"


# --- source_of --------------------------------------------------------------


@pytest.mark.parametrize("text", ["", "folder:", "eu", "ftp://eu", "me:S3cr3t@eu", "a b"])
def test_what_is_no_source(text: str) -> None:
    with pytest.raises(
        InvalidSource, match="must start with folder:, context: or https://"
    ) as caught:
        source_of(text)

    assert "S3cr3t" not in str(caught.value)


def test_closing_the_iterator_closes_the_connection() -> None:
    async def main() -> None:
        async with Server(answer(200, body=document("a"))) as server:
            updates = ApiSource(server.url).updates()
            await anext(updates)
            assert not server.left.is_set()
            await updates.aclose()
            await server.left.wait()

    run(main())
