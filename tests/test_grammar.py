"""The grammars: one answer for each text, the same as Go's and Python's."""

from __future__ import annotations

import ipaddress
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from uplinks import grammar

GOOD_AUTHORITIES = [
    "a", "eu.example.com", "EU.example.com.", "_eu.api.example.com", "a_b", "_", "0", "1.2.3.4",
    "a-b.c--d", "xn--bcher-kva.example", "a" * 63, "[::1]", "[::]", "[2001:DB8::1]:443",
    "[::ffff:1.2.3.4]", "a:1", "a:080", "a:65535",
    ".".join(["a" * 63] * 3 + ["a" * 61]) + ".:65535",
]  # fmt: skip
BAD_AUTHORITIES = [
    "", ".", "-a", "a-", "a.-b", "a-.b", "a..b", ".a", "a" * 64, "a b", "a,b", "*.a", "ü.de", "a/",
    "a@b", "a?", "a#", "a%", "a\n", "a:", "a:0", "a:00", "a:65536", "a:99999", "a:x", "a:-1",
    "[:::]", "[zz]", "[::1", "::1", "[]", "[1.2.3.4]", "[::1%25eth0]", "[::1]a", "a." * 130 + "a",
]  # fmt: skip


@pytest.mark.parametrize("text", GOOD_AUTHORITIES)
def test_good_authorities(text: str) -> None:
    assert grammar.is_authority(text)


@pytest.mark.parametrize("text", BAD_AUTHORITIES)
def test_bad_authorities(text: str) -> None:
    assert not grammar.is_authority(text)


@given(
    st.lists(
        st.sampled_from(["1", "ab", "FFFF", ":", "::", "1.2.3.4", "12345", "g", "256.1.1.1"]),
        max_size=17,
    ).map("".join)
)
def test_ipv6_addresses_are_those_of_the_standard_library(text: str) -> None:
    try:
        ipaddress.IPv6Address(text)
        valid = True
    except ValueError:
        valid = False

    assert grammar.is_authority(f"[{text}]") == valid


@pytest.mark.parametrize(
    ("path", "problem"),
    [
        ("/", None),
        ("/a/../b//c", None),
        ("/a?b=%20&c", None),
        ("/!$&'()*+,;=:@~\"", None),
        ("", "must start with '/'"),
        ("health", "must start with '/'"),
        ("//x", "must start with one '/'; '//' names another host"),
        ("/a\\b", "must not contain '\\'"),
        ("/a#b", "must not contain a fragment ('#'), as a request has none"),
        ("/%", "must have two hexadecimal digits after each '%'"),
        ("/%4", "must have two hexadecimal digits after each '%'"),
        ("/%zz", "must have two hexadecimal digits after each '%'"),
        *(
            (path, "must not contain a space, a control character or a character outside ASCII")
            for path in ("/a b", "/a\n", "/\x00", "/\x7f", "/ü")
        ),
    ],
)
def test_paths(path: str, problem: str | None) -> None:
    assert grammar.problem_with_path(path) == problem
    assert grammar.is_path(path) == (problem is None)


def test_tokens_are_those_of_http() -> None:
    signs = {c for c in map(chr, range(128)) if grammar.is_token(c)}

    assert signs == set("!#$%&'*+-.^_`|~") | {c for c in map(chr, range(128)) if c.isalnum()}
    assert not any(map(grammar.is_token, ["", "a b", "a:", "ä", "a\n"]))


def test_values_of_headers_are_those_of_http() -> None:
    refused = {c for c in map(chr, range(0x10000)) if not grammar.is_header_value(f"a{c}")}

    controls = {chr(n) for n in range(32)} - {"\t"} | {"\x7f"}
    assert refused == controls | {chr(n) for n in range(0xD800, 0xE000)}


def test_owned_headers_are_found_in_any_case() -> None:
    assert grammar.is_owned_header("Transfer-ENCODING")
    assert not grammar.is_owned_header("X-Host")


@given(st.sampled_from(sorted(grammar.OWNED_HEADERS)), st.data())
def test_a_pattern_finds_a_word_in_any_case(word: str, data: st.DataObject) -> None:
    drawn = "".join(data.draw(st.sampled_from([c, c.upper()])) for c in word)

    assert re.fullmatch(grammar.any_case(word), drawn)


@pytest.mark.parametrize(("status", "valid"), [(99, False), (100, True), (599, True), (600, False)])
def test_statuses(status: int, valid: bool) -> None:  # noqa: FBT001 - a parameter of the test
    assert grammar.is_status(status) == valid


@pytest.mark.parametrize(("port", "valid"), [(0, False), (1, True), (65535, True), (65536, False)])
def test_ports(port: int, valid: bool) -> None:  # noqa: FBT001 - a parameter of the test
    assert grammar.is_port(port) == valid


@pytest.mark.parametrize(
    "name",
    ["LABEL", "EXPOSE_NAME", "CHILD_NAME", "TOKEN", "CONTROL", "PATH", "AUTHORITY"],
)
def test_patterns_are_ecma_262(name: str) -> None:
    # With the flag u, it has escapes of these only; it has no named groups and no lookbehind.
    pattern = getattr(grammar, name)

    assert re.findall(r"\\[^\[\].x/]", pattern) == []
    assert "(?" not in pattern.replace("(?:", "")
