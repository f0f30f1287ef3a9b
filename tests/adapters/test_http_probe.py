"""Probes over HTTP against real servers on the loopback."""

from __future__ import annotations

import importlib
import logging
import re
import sys
from pathlib import Path
from typing import Any

import pytest
from tests.adapters.servers import (
    closed_port,
    endless,
    hang_up,
    probe,
    probed,
    reset,
    run,
    silent_until_left,
)

import uplinks
from uplinks.adapters.http_probe import HttpProber
from uplinks.errors import MissingExtra, UplinksError
from uplinks.health import Outcome
from uplinks.testing.server import OK, Answer, Server, answer, by_path

SECRET = "kx9-secret-7q"  # noqa: S105 - a mark to look for
MANY = 500
AGENT = f"User-Agent: uplinks/{uplinks.__version__}"


# --- what is sent -----------------------------------------------------------


def test_a_request_has_nothing_that_nobody_asked_for() -> None:
    assert probed() == (Outcome.PASS, [f"GET / HTTP/1.1\r\nHost: HOST\r\n{AGENT}\r\n\r\n"])


def test_every_field_is_sent_as_it_is_written() -> None:
    outcome, [head] = probed(
        path="/a/../b//c%2f?deep=%20&x",
        method="OPTIONS",
        hostname="api.example.com",
        headers=[
            ("x-a", "1"),
            ("X-A", "2"),
            ("authorization", SECRET),
            ("ACCEPT-encoding", "gzip"),
            ("user-agent", "me"),
            ("x-u", "ü"),
        ],
    )

    assert outcome == Outcome.PASS
    assert head.split("\r\n") == [
        "OPTIONS /a/../b//c%2f?deep=%20&x HTTP/1.1",
        "Host: api.example.com",
        "x-a: 1",
        "x-a: 2",
        f"authorization: {SECRET}",
        "ACCEPT-encoding: gzip",
        "user-agent: me",
        "x-u: ü",
        "",
        "",
    ]


@pytest.mark.parametrize("method", ["POST", "PATCH", "PURGE", "get", "M-SEARCH", "DELETE", "TRACE"])
def test_any_token_is_a_method(method: str) -> None:
    outcome, [head] = probed(method=method)

    assert outcome == Outcome.PASS
    assert head.startswith(f"{method} / HTTP/1.1\r\n")


def test_the_check_s_port_is_asked() -> None:
    async def main() -> Outcome:
        async with Server() as server:
            return await probe("http://127.0.0.1:1", port=server.port)

    assert run(main()) == Outcome.PASS


def test_an_address_of_ipv6_is_asked() -> None:
    async def main() -> tuple[Outcome, bytes, int]:
        async with Server(host="::1") as server:
            outcome = await probe(f"http://[::1]:{server.port}")
            return outcome, server.heads[0], server.port

    outcome, head, port = run(main())

    assert outcome == Outcome.PASS
    assert f"\r\nHost: [::1]:{port}\r\n".encode() in head


def test_the_environment_does_not_matter(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    netrc = tmp_path / "netrc"
    netrc.write_text(f"machine 127.0.0.1 login me password {SECRET}\n", encoding="utf-8")
    netrc.chmod(0o600)
    monkeypatch.setenv("NETRC", str(netrc))
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "https_proxy"):
        monkeypatch.setenv(name, f"http://127.0.0.1:{closed_port()}")
    monkeypatch.delenv("no_proxy", raising=False)

    outcome, [head] = probed()

    assert outcome == Outcome.PASS
    assert "authorization" not in head.lower()


def test_cookies_are_not_sent_back() -> None:
    async def main() -> list[bytes]:
        prober = HttpProber()
        async with Server(answer(200, "Set-Cookie: a=1")) as server:
            for _ in range(2):
                await probe(server.url.replace("127.0.0.1", "localhost"), prober)
            await prober.close()
            return server.heads

    assert [b"ookie" in head for head in run(main())] == [False, False]


# --- what is answered -------------------------------------------------------


@pytest.mark.parametrize(
    "status", [200, 201, 204, 206, 300, 304, 305, 400, 401, 404, 429, 503, 599]
)
def test_the_configured_status_passes_and_no_other(status: int) -> None:
    other = 200 if status != 200 else 204

    assert probed(answer(status), status=status)[0] == Outcome.PASS
    assert probed(answer(status), status=other)[0] == Outcome.fail(f"status {status}, not {other}")


CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"


@pytest.mark.parametrize(
    ("given", "fields"),
    [
        (b"HTTP/1.0 200 OK\r\n\r\nuntil the end", {}),
        (b"HTTP/1.1 200\r\nContent-Length: 0\r\n\r\n", {}),
        (b"HTTP/1.1 100 Continue\r\n\r\n" * 4 + b"HTTP/1.1 103 X\r\nLink: x\r\n\r\n" + OK, {}),
        (b"HTTP/1.1 101 Switching\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n", {"status": 101}),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n", {"method": "HEAD"}),
        (b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 3\r\n\r\nbad", {}),
        (CHUNKED + b"2\r\nok\r\n0\r\n\r\n", {}),
    ],
    ids=range(7),
)  # fmt: skip
def test_unusual_answers_are_answers(given: bytes, fields: dict[str, Any]) -> None:
    assert probed(given, **fields)[0] == Outcome.PASS


@pytest.mark.parametrize(
    "given",
    [
        b"SSH-2.0-OpenSSH_9\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00",
        b"HTTP/1.1 abc OK\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nno header\r\n\r\n",
        answer(200, "X: " + "x" * 100_000),
        answer(200, *(f"X-{i}: y" for i in range(10_000))),
        endless(b"HTTP/1.1 200 OK\r\n", b"X: y\r\n" * 100),
        endless(b"HTTP/1.1 200 OK\r\nX: ", b"x" * 1000),
        endless(b"", b"x" * 1000),
        CHUNKED + b"zz\r\nno chunk",
        OK + b"and something that nobody asked for",
    ],
    ids=range(11),
)
def test_what_is_no_answer(given: Answer) -> None:
    assert probed(given)[0] == Outcome.fail("no valid HTTP answer")


@pytest.mark.parametrize(
    "given",
    [
        silent_until_left(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n"),
        silent_until_left(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf"),
        silent_until_left(b"HTTP/1.1 200 OK\r\n\r\n"),
        endless(b"HTTP/1.1 200 OK\r\n\r\n", b"x" * 65_536),
        endless(CHUNKED, b"3e8\r\n" + b"x" * 1000 + b"\r\n"),
    ],
    ids=["no body", "half a body", "until the end", "endless", "endless chunks"],
)
def test_a_body_is_not_waited_for(given: Answer) -> None:
    async def main() -> Outcome:
        prober = HttpProber()
        async with Server(given) as server:
            outcome = await probe(server.url, prober)
            await server.left.wait()  # before the prober is closed: it did not keep this one
            await prober.close()
            return outcome

    assert run(main()) == Outcome.PASS


@pytest.mark.parametrize(
    ("given", "reason"),
    [
        (reset, "connection reset"),
        (hang_up, "connection closed without an answer"),
        (b"HTTP/1.1 503 X\r\nContent-Length: 0\r\n\r\n", "status 503, not 200"),
    ],
)
def test_why_a_probe_fails(given: Answer, reason: str) -> None:
    assert probed(given)[0] == Outcome.fail(reason)


@pytest.mark.parametrize(
    ("url", "reason"),
    [
        ("http://127.0.0.1:{port}", "connection refused"),
        ("https://127.0.0.1:{port}", "connection refused"),
        ("http://nothing.invalid", "name not resolved"),
        ("http://a..b", "invalid address: it has no valid host"),
        ("http://" + "a" * 64, "invalid address: it has no valid host"),
        (
            f"http://me:{SECRET}@127.0.0.1:{{port}}",
            "invalid address: it has a user or password",
        ),
    ],
)
def test_who_cannot_be_asked(url: str, reason: str) -> None:
    assert run(probe(url.format(port=closed_port()))) == Outcome.fail(reason)


# --- redirects --------------------------------------------------------------


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
@pytest.mark.parametrize("location", ["/live?x", "live?x", "http://HOST/live?x", "//HOST/live?x"])
def test_a_redirect_within_the_origin_is_followed(status: int, location: str) -> None:
    def give(head: bytes) -> bytes:
        host = re.findall(rb"Host: (\S+)", head)[0].decode()
        live = head.startswith(b"GET /live?x ")
        return OK if live else answer(status, f"Location: {location.replace('HOST', host)}")

    outcome, heads = probed(give, headers={"Authorization": SECRET}, hostname="api.example.com")

    assert outcome == Outcome.PASS
    assert [f"Authorization: {SECRET}" in head for head in heads] == [True, True]
    assert ["Host: api.example.com\r\n" in head for head in heads] == [True, True]


def test_the_method_of_a_redirect() -> None:
    given = by_path(root=answer(303, "Location: /a"), a=answer(307, "Location: /b"), b=OK)

    outcome, heads = probed(given, method="POST")

    assert outcome == Outcome.PASS
    assert [head.split(" HTTP")[0] for head in heads] == ["POST /", "GET /a", "GET /b"]


@pytest.mark.parametrize(
    ("location", "reason"),
    [
        ("http://127.0.0.1:{other}/", "redirected to another port"),
        ("http://localhost:{other}/", "redirected to another host"),
        ("//127.0.0.2:{port}/", "redirected to another host"),
        ("https://127.0.0.1:{port}/", "redirected from http to https"),
        (
            f"http://me:{SECRET}@127.0.0.1:{{port}}/",
            "redirected to a location with a user or password",
        ),
        ("/a b", "redirected to a malformed location"),
        ("/\u00e4", "redirected to a malformed location"),
    ],
)
def test_a_redirect_elsewhere_is_not_followed(location: str, reason: str) -> None:
    async def main() -> None:
        async with Server() as other:
            where = location

            def give(head: bytes) -> bytes:
                return answer(302, "Location: " + where.format(other=other.port, port=server.port))

            async with Server(give) as server:
                outcome = await probe(server.url, headers={"X-Key": SECRET})

            assert outcome == Outcome.fail(reason)
            assert (len(server.heads), other.connections) == (1, 0)

    run(main())


@pytest.mark.parametrize(
    ("hops", "outcome", "requests"),
    [(10, Outcome.PASS, 11), (11, Outcome.fail("redirected more than 10 times"), 11)],
)
def test_ten_redirects_and_no_more(hops: int, outcome: Outcome, requests: int) -> None:
    answers = {f"{i}": answer(302, f"Location: /{i + 1}") for i in range(hops)}

    found, heads = probed(by_path(root=answers.pop("0"), **answers, **{f"{hops}": OK}))

    assert (found, len(heads)) == (outcome, requests)


def test_a_loop_ends() -> None:
    outcome, heads = probed(answer(302, "Location: /"))

    assert (outcome.reason, len(heads)) == ("redirected more than 10 times", 11)


@pytest.mark.parametrize("fields", [{"follow_redirects": False}, {}])
def test_a_redirect_that_is_not_followed_is_judged_itself(fields: dict[str, Any]) -> None:
    given = answer(302, "Location: http://127.0.0.2/") if fields else answer(302)

    assert probed(given, status=302, **fields)[0] == Outcome.PASS
    assert probed(given, **fields)[0] == Outcome.fail("status 302, not 200")


# --- secrets and extras -----------------------------------------------------


@pytest.mark.parametrize(
    "given",
    [OK, answer(500), b"garbage\r\n\r\n", reset, hang_up, answer(302, "Location: http://a/")],
    ids=range(6),
)
def test_no_secret_is_logged_or_told(given: Answer, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)

    async def main() -> str:
        prober = HttpProber()
        async with Server(given) as server:
            outcome = await probe(
                server.url, prober, path=f"/?{SECRET}", headers={"Authorization": SECRET}
            )
            assert SECRET in server.heads[0].decode()
            await prober.close()
            return repr((outcome, prober))

    assert SECRET not in run(main(), debug=True)
    assert SECRET not in caplog.text
    assert [SECRET for record in caplog.records if SECRET in repr(vars(record))] == []


def test_a_missing_extra_says_how_to_install_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, "uplinks.adapters.http_probe")
    monkeypatch.delitem(sys.modules, "uplinks.adapters._http_client")
    monkeypatch.setitem(sys.modules, "aiohttp", None)

    with pytest.raises(MissingExtra, match=r"pip install 'uplinks\[http\]'") as caught:
        importlib.import_module("uplinks.adapters.http_probe")

    assert isinstance(caught.value, UplinksError)
    assert isinstance(caught.value, ImportError)
    assert caught.value.extra == "http"
