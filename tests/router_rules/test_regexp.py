from __future__ import annotations

import pytest

from uplinks.router_rules._classes import property_class
from uplinks.router_rules._regexp import compile_regexp, quote_meta
from uplinks.router_rules._syntax import InvalidRegexp


@pytest.mark.parametrize(
    ("pattern", "accepted"),
    [
        ("(?:a{500}){2}", True),
        ("(?:a{501}){2}", False),
        ("(?:(?:a{1000}){0}){1000}", True),
        ("(?:a{2,}){501}", False),
        ("(" * 999 + "a" + ")" * 999, True),
        ("(" * 1000 + "a" + ")" * 1000, False),
        ("(a" * 500 + ")" * 500, True),
        ("(a" * 501 + ")" * 501, False),
        ("(?:" * 5000 + "a" + ")" * 5000, True),
        ("(?:" + "x" * 3354 + "){1000}", True),
        ("(?:" + "x" * 3356 + "){1000}", False),
    ],
)
def test_the_limits_are_those_of_go(pattern: str, *, accepted: bool) -> None:
    if accepted:
        compile_regexp(pattern)
    else:
        with pytest.raises(InvalidRegexp):
            compile_regexp(pattern)


@pytest.mark.parametrize(
    ("pattern", "text"),
    [("(a*)*b", "a" * 1000), ("(a|aa)+$", "a" * 1000 + "b"), ("(x+x+)+y", "x" * 1000)],
)
def test_no_pattern_backtracks(pattern: str, text: str) -> None:
    assert compile_regexp(pattern).matches(text) is False


def test_what_would_take_too_long_is_not_decided() -> None:
    assert compile_regexp("(?:" + "x" * 100 + "){1000}").matches("x") is None
    assert compile_regexp("x{1000}").matches("x" * 10**5) is None


def test_a_script_is_known_by_name_only() -> None:
    assert compile_regexp(r"^\p{Greek}$").matches("a") is None
    assert compile_regexp(r"^\p{Greek}$").matches("ab") is False
    assert compile_regexp(r"^a|\p{Greek}$").matches("a") is True
    assert property_class("Klingon") is None
    assert property_class("old_ITALIC") is not None


@pytest.mark.parametrize(
    ("pattern", "start", "end"), [("ab(c", 2, 4), ("a)b", 1, 2), ("[a-z", 0, 4), (r"x\q", 1, 3)]
)
def test_the_offending_part_is_marked(pattern: str, start: int, end: int) -> None:
    with pytest.raises(InvalidRegexp) as caught:
        compile_regexp(pattern)
    assert (caught.value.start, caught.value.end) == (start, end)


def test_quoted_text_matches_itself_only() -> None:
    text = r"a.b*c[d]{e}(f)|^$\g+h?"
    assert compile_regexp(f"^{quote_meta(text)}$").matches(text) is True
    assert compile_regexp(f"^{quote_meta('a.b')}$").matches("axb") is False
