"""Laws of `uplinks.probing`: agreement with the rules, one server, and no secret shown."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlsplit

from attrs import evolve
from hypothesis import given
from hypothesis import strategies as st

from uplinks import rules
from uplinks.model import Cluster, Header, HealthCheck, Uplink
from uplinks.probing import (
    HttpRequest,
    Refused,
    Server,
    grpc_call,
    http_request,
    redirected,
    server_of,
)
from uplinks.testing import strategies

SECRET = "kx9-secret-7q"  # noqa: S105 - a mark to look for

hosts = st.sampled_from(["eu", "EU", "us", "api.example.com", "127.0.0.1", "[::1]", "eu."])
ports = st.sampled_from(["", ":80", ":443", ":8080", ":0", ":99999", ":x"])
schemes = st.sampled_from(["http:", "https:", "HTTP:", "", "ftp:", "javascript:"])
slashes = st.sampled_from(["//", "/", "///", ""])
users = st.sampled_from(["", "@", "me@", "eu@", "eu:80@"])
tails = st.text("/.?#%a\\@:[] \t\r\n\u00e4", max_size=8)
locations = (
    st.builds("{}{}{}{}{}{}".format, schemes, slashes, users, hosts, ports, tails)
    | tails
    | st.sampled_from(["/", "/live", "../x?y", "?q"])
    | st.text(max_size=12)
)
addresses = st.builds(
    "{}//{}{}".format, st.sampled_from(["http:", "https:"]), hosts, st.sampled_from(["", ":8080"])
)
statuses = st.sampled_from([301, 302, 303, 307, 308])
hostnames = st.none() | st.sampled_from(["api.example.com", "eu:8080", "[::1]:443"])
checks = st.builds(
    evolve,
    strategies.http_checks(),
    hostname=hostnames,
    follow_redirects=st.just(True),
    headers=st.just((Header("Authorization", SECRET),)),
)

wild_checks = st.builds(
    HealthCheck,
    scheme=st.none() | st.text(max_size=5),
    path=st.none() | locations,
    port=st.none() | st.integers(-1, 70_000),
    hostname=st.none() | locations,
)


def origin(url: str) -> tuple[Any, ...]:
    parts = urlsplit(url)
    return parts.scheme, parts.netloc, parts.username, parts.hostname, parts.port


odd_hosts = st.sampled_from(
    [
        "_eu.api.example.com", "a_b", "-a", "a-", "a..b", "a.", ".", "a" * 63, "a" * 64, "*.a",
        "a,b", "\u00fc.de", "[::1]", "[:::]", "[zz]", "[::1]:80", "::1", "1.2.3.4", "a:0", "a:080",
        "a:65535", "a:65536", "a:", "a@b", "https://a", "a." * 126 + "a", "a." * 130 + "a",
    ]
) | st.text("aB0-_.:[]/@%\u00fc ", max_size=6)  # fmt: skip
odd_paths = st.sampled_from(["health", "//a", "/a b", "/\u00fc", "/%", "/%4", "/a#b"]) | st.text(
    "/a%4?#\\'\"~\u00fc \n", max_size=6
)
odd_names = st.sampled_from(["Host", "TE", "te ", "X-A", "X_A", "X A", "Connection"]) | st.text(
    "aB-_:!(\u00e4 \n", max_size=4
)
odd_values = st.text("a\t\n\r\x00\x7f\x85\u00e4\ud800 ", max_size=4)
odd_checks = st.builds(
    HealthCheck,
    path=st.none() | odd_paths,
    scheme=st.none() | st.sampled_from(["", "http", "https", "HTTP", "h2c", "ftp"]),
    method=st.sampled_from(["", "GET", "get", "G T", "G\u00c9T", "purge", "GET\n"]),
    status=st.sampled_from([-1, 0, 99, 100, 200, 599, 600]),
    port=st.none() | st.sampled_from([-1, 0, 1, 65535, 65536]),
    hostname=st.none() | odd_hosts,
    headers=st.lists(st.tuples(odd_names, odd_values), max_size=2),
)
spoils = st.one_of(
    st.fixed_dictionaries({"hostname": odd_hosts}),
    st.fixed_dictionaries({"path": odd_paths}),
    st.fixed_dictionaries({"headers": st.lists(st.tuples(odd_names, odd_values), max_size=2)}),
)


def errors_of(check: HealthCheck) -> list[str]:
    found = rules.check_cluster(Cluster("eu", [Uplink("api", "apps", health_check=check)]))
    return [str(diagnostic) for diagnostic in found.errors]


@given(
    strategies.addresses,
    odd_checks
    | st.builds(lambda check, odd: evolve(check, **odd), strategies.http_checks(), spoils),
)
def test_a_check_is_refused_exactly_if_a_rule_finds_an_error(
    address: str, check: HealthCheck
) -> None:
    request = http_request(address, check)

    assert isinstance(request, Refused) == bool(errors_of(check)), (request, errors_of(check))


@given(strategies.addresses, odd_hosts)
def test_a_grpc_check_is_refused_exactly_if_a_rule_finds_an_error(
    address: str, hostname: str
) -> None:
    check = HealthCheck(mode="grpc", hostname=hostname)

    assert isinstance(grpc_call(address, check), Refused) == bool(errors_of(check))


@given(strategies.addresses, strategies.http_checks())
def test_what_no_rule_calls_an_error_is_asked(address: str, check: HealthCheck) -> None:
    request = http_request(address, check)

    assert isinstance(request, HttpRequest)
    assert request.headers == check.headers
    assert (request.method, request.status) == (check.method, check.status)


@given(addresses, wild_checks)
def test_the_host_is_always_the_address_s(address: str, check: HealthCheck) -> None:
    server, request = server_of(address, check), http_request(address, check)

    if isinstance(server, Refused):
        assert request == server
        return
    assert server.host == urlsplit(address).hostname
    if isinstance(request, HttpRequest):
        assert urlsplit(request.url).hostname == server.host
        assert urlsplit(request.url).username is None
        assert not set(request.url + request.host) & set(" \t\r\n\\#@")


@given(addresses, checks, st.lists(st.tuples(statuses, locations), max_size=12))
def test_no_redirect_leaves_the_origin(
    address: str, check: HealthCheck, steps: list[tuple[int, str]]
) -> None:
    first = request = http_request(address, check)
    assert isinstance(first, HttpRequest)
    for status, location in steps:
        assert isinstance(request, HttpRequest)
        following = redirected(request, status, location)
        if not isinstance(following, HttpRequest):
            assert following is None or SECRET not in following.reason
            continue
        assert origin(following.url) == origin(first.url)
        assert (following.host, following.headers) == (first.host, first.headers)
        assert following.method in {first.method, "GET"}
        assert request.follows is not None
        assert following.follows == request.follows - 1  # so that every loop ends
        assert not set(following.url) & set(" \t\r\n\\#")
        request = following


@given(addresses, checks, st.text(max_size=8))
def test_no_repr_shows_a_secret(address: str, check: HealthCheck, text: str) -> None:
    asked = http_request(address, evolve(check, path=f"/?{SECRET}"))
    spoilt = evolve(check, headers=((text, SECRET + "\n"),), path=SECRET, method=f"{SECRET} {text}")

    assert SECRET not in repr(asked)
    assert SECRET not in repr(http_request(address, spoilt))
    assert SECRET not in repr(http_request(f"http://{SECRET}@{text}", check))


@given(st.sampled_from(["eu", "::1", "127.0.0.1"]), st.integers(1, 65_535), st.booleans())
def test_a_server_s_url_leads_back_to_it(host: str, port: int, tls: bool) -> None:  # noqa: FBT001
    server = Server(host, port, tls=tls)

    assert server_of(server.url, HealthCheck()) == server
