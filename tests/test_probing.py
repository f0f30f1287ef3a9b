"""What a probe asks, field by field, and where a redirect leads."""

from __future__ import annotations

from typing import Any

import pytest

from uplinks.model import HealthCheck
from uplinks.probing import (
    MAX_REDIRECTS,
    GrpcCall,
    HttpRequest,
    Refused,
    Server,
    grpc_call,
    http_request,
    redirected,
    server_of,
)

ADDRESS = "https://eu.example.com:9443"


def asked(url: str = ADDRESS, /, **fields: Any) -> HttpRequest:
    request = http_request(url, HealthCheck(**fields))
    assert isinstance(request, HttpRequest)
    return request


def followed(request: HttpRequest, status: int, location: str) -> HttpRequest:
    following = redirected(request, status, location)
    assert isinstance(following, HttpRequest)
    return following


@pytest.mark.parametrize(
    ("url", "fields", "server"),
    [
        ("https://eu.example.com:9443", {}, Server("eu.example.com", 9443, tls=True)),
        ("https://eu.example.com:9443/", {}, Server("eu.example.com", 9443, tls=True)),
        ("https://eu.example.com", {}, Server("eu.example.com", 443, tls=True)),
        ("http://eu.example.com", {}, Server("eu.example.com", 80, tls=False)),
        ("HTTP://EU.example.com", {}, Server("eu.example.com", 80, tls=False)),
        ("http://eu.example.com", {"scheme": "https"}, Server("eu.example.com", 443, tls=True)),
        ("https://eu.example.com", {"scheme": "http"}, Server("eu.example.com", 80, tls=False)),
        ("https://eu:9443", {"scheme": "http"}, Server("eu", 9443, tls=False)),
        ("https://eu:9443", {"port": 8080}, Server("eu", 8080, tls=True)),
        ("https://eu:9443", {"port": 0, "scheme": ""}, Server("eu", 9443, tls=True)),
        ("https://[2001:DB8::1]:9443", {}, Server("2001:db8::1", 9443, tls=True)),
        ("http://127.0.0.1", {"mode": "grpc"}, Server("127.0.0.1", 80, tls=False)),
        ("http://eu", {"hostname": "elsewhere"}, Server("eu", 80, tls=False)),
    ],
)
def test_whom_a_probe_asks(url: str, fields: dict[str, Any], server: Server) -> None:
    assert server_of(url, HealthCheck(**fields)) == server


@pytest.mark.parametrize(
    ("server", "authority", "url"),
    [
        (Server("eu", 443, tls=True), "eu:443", "https://eu"),
        (Server("eu", 80, tls=True), "eu:80", "https://eu:80"),
        (Server("eu", 80, tls=False), "eu:80", "http://eu"),
        (Server("::1", 443, tls=False), "[::1]:443", "http://[::1]:443"),
        (Server("::1", 80, tls=False), "[::1]:80", "http://[::1]"),
    ],
)
def test_how_a_server_is_written(server: Server, authority: str, url: str) -> None:
    assert (server.authority, server.url) == (authority, url)


@pytest.mark.parametrize(
    ("fields", "url", "host"),
    [
        ({}, f"{ADDRESS}/", "eu.example.com:9443"),
        ({"path": ""}, f"{ADDRESS}/", "eu.example.com:9443"),
        ({"path": "/health"}, f"{ADDRESS}/health", "eu.example.com:9443"),
        ({"path": "/h?deep=%20&x=1"}, f"{ADDRESS}/h?deep=%20&x=1", "eu.example.com:9443"),
        ({"path": "/a/../b//c"}, f"{ADDRESS}/a/../b//c", "eu.example.com:9443"),
        ({"port": 443}, "https://eu.example.com/", "eu.example.com"),
        ({"hostname": "api.example.com"}, f"{ADDRESS}/", "api.example.com"),
        ({"hostname": "api.example.com:1"}, f"{ADDRESS}/", "api.example.com:1"),
        ({"hostname": "[::1]"}, f"{ADDRESS}/", "[::1]"),
        ({"hostname": ""}, f"{ADDRESS}/", "eu.example.com:9443"),
    ],
)
def test_where_a_request_goes(fields: dict[str, Any], url: str, host: str) -> None:
    request = asked(**fields)

    assert (request.url, request.host) == (url, host)


def test_everything_else_is_as_configured() -> None:
    check = HealthCheck(
        method="purge", status=418, headers=[("x-A", "1"), ("x-a", "ü")], follow_redirects=False
    )
    request = http_request(ADDRESS, check)

    assert request == HttpRequest(
        f"{ADDRESS}/", "purge", "eu.example.com:9443", check.headers, 418, None
    )


@pytest.mark.parametrize(
    ("url", "fields", "reason"),
    [
        ("eu:9443", {}, "invalid address: it does not start with http:// or https://"),
        ("http://me:secret@eu", {}, "invalid address: it has a user or password"),
        (ADDRESS, {"scheme": "h2c"}, "the scheme must be http or https"),
        (ADDRESS, {"port": 65536}, "the port must be between 1 and 65535"),
        (ADDRESS, {"port": -1}, "the port must be between 1 and 65535"),
        *(
            (ADDRESS, {"path": path}, f"the path {problem}")
            for problem, paths in {
                "must start with '/'": ("health", "http://evil/", "?q"),
                "must start with one '/'; '//' names another host": ("//evil/x",),
                r"must not contain '\'": ("/\\evil",),
                "must not contain a space, a control character or a character outside ASCII":
                    ("/a b", "/a\r\nX: y", "/ü", "/a\n", "/\x00"),
                "must not contain a fragment ('#'), as a request has none": ("/a#b",),
                "must have two hexadecimal digits after each '%'": ("/%zz", "/%"),
            }.items()
            for path in paths
        ),
        *(
            (ADDRESS, {"status": status}, "the status must be between 100 and 599")
            for status in (99, 600, -1)
        ),
        *(
            (ADDRESS, {"method": method}, "the method must be an HTTP token")
            for method in ("GET ", "GET /x HTTP/1.1\r\nX:", "GÉT")
        ),
        *(
            (ADDRESS, {"hostname": name}, "the hostname must be a host with an optional port")
            for name in ("a b", "a/", "a@b", "http://a", "a\r\nX: y", "a:0", "a:99999", "a:",
                         "[:::]", "-a", "a..b", "a" * 64)
        ),
        *(
            (ADDRESS, {"headers": {name: "v"}}, "a header's name must be an HTTP token")
            for name in ("", "a b", "a:", "a\r\nb", "ä")
        ),
        *(
            (
                ADDRESS,
                {"headers": {"X": value}},
                "a header's value must not contain a control character",
            )
            for value in ("a\r\nb", "a\n", "\x00", "\x7f", "\ud800")
        ),
        *(
            (ADDRESS, {"headers": {name: "v"}}, "a header is one that the probe writes")
            for name in ("Host", "content-length", "TRANSFER-ENCODING", "Connection", "Upgrade")
        ),
    ],
)  # fmt: skip
def test_what_cannot_be_asked(url: str, fields: dict[str, Any], reason: str) -> None:
    assert http_request(url, HealthCheck(**fields)) == Refused(reason)


def test_no_secret_is_part_of_a_repr() -> None:
    request = asked(path="/x?token=secret", headers={"Authorization": "secret"})

    assert "secret" not in repr(request)
    assert "Authorization" in repr(request)


@pytest.mark.parametrize(
    ("location", "url"),
    [
        ("/live", f"{ADDRESS}/live"),
        ("live", f"{ADDRESS}/a/live"),
        ("../live", f"{ADDRESS}/live"),
        ("../../../live", f"{ADDRESS}/live"),
        ("?deep", f"{ADDRESS}/a/b?deep"),
        ("#part", f"{ADDRESS}/a/b?q"),
        ("/live#part", f"{ADDRESS}/live"),
        ("https://eu.example.com:9443", f"{ADDRESS}/"),
        ("HTTPS://EU.example.com:9443/live", f"{ADDRESS}/live"),
        ("//eu.example.com:9443/live", f"{ADDRESS}/live"),
        ("https://api.example.com/live", f"{ADDRESS}/live"),  # the Host header's
        ("https://api.example.com:443/live", f"{ADDRESS}/live"),
        ("///evil.example.com/", f"{ADDRESS}/evil.example.com/"),
        ("https:/evil.example.com/", f"{ADDRESS}/evil.example.com/"),
    ],
)
def test_a_redirect_within_the_origin_is_followed(location: str, url: str) -> None:
    request = asked(path="/a/b?q", hostname="api.example.com", headers={"X": "v"})
    following = followed(request, 302, location)

    assert following.url == url
    assert (following.host, following.headers) == (request.host, request.headers)


@pytest.mark.parametrize(
    ("location", "reason"),
    [
        ("https://us.example.com:9443/", "redirected to another host"),
        ("https://eu.example.com.:9443/", "redirected to another host"),
        ("//us.example.com:9443/", "redirected to another host"),
        ("https://eu.example.com/", "redirected to another port"),
        ("https://eu.example.com:9444/", "redirected to another port"),
        ("https://eu.example.com:0/", "redirected to another port"),
        ("https://api.example.com:9443/", "redirected to another port"),
        ("http://eu.example.com:9443/", "redirected from https to http"),
        ("http://api.example.com/", "redirected from https to http"),
        ("ftp://eu.example.com/", "redirected from https to another scheme"),
        ("file:///etc/passwd", "redirected from https to another scheme"),
        (
            "https://me:secret@eu.example.com:9443/",
            "redirected to a location with a user or password",
        ),
        ("https://@eu.example.com:9443/", "redirected to a location with a user or password"),
        ("/\\us.example.com", "redirected to a malformed location"),
        ("/a b", "redirected to a malformed location"),
        ("/ä", "redirected to a malformed location"),
        ("/a\r\nX: y", "redirected to a malformed location"),
        ("//[us/", "redirected to a malformed location"),
        ("//eu:x/", "redirected to a malformed location"),
        ("//eu:99999/", "redirected to a malformed location"),
    ],
)
def test_a_redirect_elsewhere_is_not_followed(location: str, reason: str) -> None:
    request = asked(hostname="api.example.com")

    assert redirected(request, 302, location) == Refused(reason)


def test_http_to_https_is_another_origin_too() -> None:
    following = redirected(asked("http://eu"), 301, "https://eu/")

    assert following == Refused("redirected from http to https")


@pytest.mark.parametrize(
    ("method", "status", "expected"),
    [
        *(("GET", status, "GET") for status in (301, 302, 303, 307, 308)),
        *(("HEAD", status, "HEAD") for status in (301, 302, 303, 307, 308)),
        *(("POST", status, "GET") for status in (301, 302, 303)),
        *(("POST", status, "POST") for status in (307, 308)),
        ("PURGE", 302, "GET"),
        ("PURGE", 308, "PURGE"),
    ],
)
def test_the_method_after_a_redirect(method: str, status: int, expected: str) -> None:
    assert followed(asked(method=method), status, "/x").method == expected


@pytest.mark.parametrize("status", [100, 200, 204, 300, 304, 305, 306, 400, 503])
def test_only_five_statuses_redirect(status: int) -> None:
    assert redirected(asked(), status, "/x") is None


@pytest.mark.parametrize("location", [None, ""])
def test_a_redirect_without_a_location_is_judged_itself(location: str | None) -> None:
    assert redirected(asked(), 302, location) is None


def test_a_redirect_is_judged_itself_when_none_is_followed() -> None:
    assert redirected(asked(follow_redirects=False), 302, "https://evil/") is None


def test_ten_redirects_are_followed_and_no_more() -> None:
    request = asked()
    for _ in range(MAX_REDIRECTS):
        request = followed(request, 302, "/")

    assert redirected(request, 302, "/") == Refused("redirected more than 10 times")
    assert redirected(request, 200, None) is None


@pytest.mark.parametrize(
    ("url", "fields", "authority"),
    [
        ("http://eu:9443", {}, "eu:9443"),
        ("http://eu", {}, "eu"),
        ("https://eu:443", {}, "eu"),
        ("https://eu", {"port": 80}, "eu:80"),
        ("https://[::1]:9443", {}, "[::1]:9443"),
        ("http://eu", {"hostname": ""}, "eu"),
        ("http://eu", {"hostname": "api.example.com:8080"}, "api.example.com:8080"),
        ("https://eu", {"hostname": "api.example.com:8080"}, "api.example.com"),
        ("https://eu", {"hostname": "api.example.com"}, "api.example.com"),
        ("https://eu", {"hostname": "[::1]"}, "[::1]"),
        ("https://eu", {"hostname": "[::1]:80"}, "[::1]"),
    ],
)
def test_what_a_call_calls_the_server(url: str, fields: dict[str, Any], authority: str) -> None:
    call = grpc_call(url, HealthCheck(mode="grpc", **fields))

    assert isinstance(call, GrpcCall)
    assert (call.authority, call.server) == (authority, server_of(url, HealthCheck(**fields)))


@pytest.mark.parametrize("hostname", ["a b", "http://api", "me@api", "api/", "api:99999"])
def test_what_cannot_be_called(hostname: str) -> None:
    check = HealthCheck(mode="grpc", hostname=hostname)

    assert grpc_call(ADDRESS, check) == Refused("the hostname must be a host with an optional port")
    assert isinstance(grpc_call("ftp://eu", HealthCheck()), Refused)
