from __future__ import annotations

import pytest

from uplinks.router_rules import RuleSyntax, covers, parse_rule


def covered(first: str, second: str, syntax: RuleSyntax = "v3") -> bool:
    return covers(parse_rule(first, syntax).conjunctions, parse_rule(second, syntax).conjunctions)


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ("PathPrefix(`/a`)", "Path(`/a/b`)"),
        ("PathPrefix(`/`)", "Host(`a`) && Method(`GET`)"),
        ("Host(`a`)", "Host(`A`) && Path(`/x`)"),
        ("Host(`*.a`)", "Host(`b.a`)"),
        ("Host(`*`)", "Path(`/`)"),
        ("HostRegexp(`^[a-z]+\\.example\\.com\\.?$`)", "Host(`eu.example.com`)"),
        ("PathRegexp(`^/api/`)", "Path(`/api/v1`)"),
        ("PathRegexp(`.*`)", "Host(`a`)"),
        ("Path(`/a`) || Path(`/b`)", "Path(`/b`)"),
        ("PathPrefix(`/a`) || PathPrefix(`/b`)", "Path(`/b/1`) || Path(`/a/1`)"),
        ("!Path(`/a`)", "Path(`/b`)"),
        ("!PathPrefix(`/a/b`)", "!PathPrefix(`/a`)"),
        ("!(Path(`/a`) || Path(`/b`))", "Path(`/c`)"),
        ("ClientIP(`10.0.0.0/8`)", "ClientIP(`10.1.2.3`)"),
        ("HeaderRegexp(`X-A`, `^[0-9]+$`)", "Header(`x-a`, `12`)"),
        ("Method(`GET`)", "Path(`/a`) && Path(`/b`)"),  # which no request matches
    ],
)
def test_one_rule_covers_another(first: str, second: str) -> None:
    assert covered(first, second)
    assert not covered(second, first)


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ("Path(`/a`)", "PathPrefix(`/a`)"),
        ("Host(`a`)", "Path(`/a`)"),
        ("Host(`*.a`)", "Host(`a`)"),
        ("Host(`*.a`)", "Host(`c.b.a`)"),
        ("Host(`b.a`)", "Host(`*.a`)"),
        ("Path(`/a`) && Method(`GET`)", "Path(`/a`)"),
        ("Path(`/a`)", "Path(`/a`) || Path(`/b`)"),
        ("!Path(`/a`)", "PathPrefix(`/a`)"),
        ("PathRegexp(`^/api/`)", "PathPrefix(`/api/`)"),
        ("ClientIP(`10.0.0.0/8`)", "ClientIP(`::1`)"),
        ("Header(`X-A`, `1`)", "Header(`X-B`, `1`)"),
    ],
)
def test_one_rule_does_not_cover_another(first: str, second: str) -> None:
    assert not covered(first, second)


def test_several_arguments_in_syntax_v2_are_alternatives() -> None:
    assert covered("Path(`/a`, `/b`)", "Path(`/b`)", "v2")
    assert covered("PathPrefix(`/{x}`)", "PathPrefix(`/{x}`) && Host(`a`)", "v2")
    assert not covered("Path(`/a`)", "Path(`/a`, `/b`)", "v2")
    assert not covered("Host(`*.a`)", "Host(`b.a`)", "v2")


def test_a_long_rule_is_left_open() -> None:
    many = " && ".join(f"(Method(`GET`) || Header(`X-{n}`, `1`))" for n in range(40))
    assert parse_rule(many).conjunctions is None
    assert not covered("PathPrefix(`/`)", many)


def test_a_rule_that_no_request_matches_has_no_alternatives() -> None:
    assert parse_rule("Path(`/a`) && Path(`/b`)").conjunctions == ()
    assert parse_rule("Host(`a`) && !Host(`a`)").conjunctions == ()
    assert parse_rule("Path(`/a`) || Path(`/b`)").conjunctions != ()


def test_an_invalid_rule_covers_nothing_and_is_covered_by_nothing() -> None:
    assert not covered("PathPrefix(`/`)", "Foo(`/`)")
    assert not covered("Foo(`/`)", "Path(`/`)")
