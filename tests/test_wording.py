"""The rules of `tests.wording`: each finds its example, and none finds good English."""

from __future__ import annotations

import pytest
from tests.wording import RULES, Rule, check

GOOD = (
    "A target that returns never leads by more than 1.",
    "For users who run Traefik, and people, who read.",
    "If you already run an event loop, you do not need the driver.",
    "spec.weight must be an integer, got the string '5'",
    "the only target is down; 1 service, 11 services, 2 targets",
    "a target whose weight is 0 is never picked",
    "this header shows the history of text",
    "Spaces around names are allowed.",
)


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.example)
def test_each_rule_finds_its_example(rule: Rule) -> None:
    assert rule.instead in {advice for _, _, advice in check(rule.example)}


@pytest.mark.parametrize("sentence", GOOD)
def test_good_sentences_pass(sentence: str) -> None:
    assert list(check(sentence)) == []


def test_every_line_is_checked() -> None:
    assert [(line, words) for line, words, _ in check("fine\nNobody told\n\nof his")] == [
        (2, "Nobody"),
        (4, "his"),
    ]
