"""Recorded answers of Traefik v3.7.9 and Go 1.26 (``answers.json``)."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from uplinks.router_rules import Request, RuleSyntax, parse_rule
from uplinks.router_rules._regexp import compile_regexp
from uplinks.router_rules._syntax import InvalidRegexp

ANSWERS: dict[str, Any] = json.loads(
    Path(__file__).with_name("answers.json").read_text(encoding="utf-8")
)


@pytest.mark.parametrize(("syntax", "rule", "accepted"), ANSWERS["rules"])
def test_a_rule_is_accepted_or_refused(syntax: RuleSyntax, rule: str, *, accepted: bool) -> None:
    parsed = parse_rule(rule, syntax)
    assert parsed.valid is accepted
    assert all(0 <= p.start <= p.end <= len(rule) and p.message for p in parsed.problems)


@pytest.mark.parametrize(("pattern", "text", "matches"), ANSWERS["regexps"])
def test_a_regular_expression_matches(pattern: str, text: str, *, matches: bool | None) -> None:
    if matches is None:
        with pytest.raises(InvalidRegexp):
            compile_regexp(pattern)
    else:
        assert compile_regexp(pattern).matches(text) in {matches, None}


@pytest.mark.parametrize("row", ANSWERS["requests"])
def test_a_request_matches(row: list[Any]) -> None:
    *known, matches = row
    assert answer(*known) in {matches, None}


def test_most_answers_are_decided() -> None:
    undecided = [row for row in ANSWERS["requests"] if answer(*row[:-1]) is None]
    assert len(undecided) < len(ANSWERS["requests"]) / 4


def answer(syntax: RuleSyntax, rule: str, *request: Any) -> bool | None:
    method, host, path, headers = request
    known = Request(method, host.partition(":")[0], path, "", headers)
    return parse_rule(rule, syntax).matches(known)
