"""Laws of router rules."""

from __future__ import annotations

import re

from hypothesis import given
from hypothesis import strategies as st

from uplinks.router_rules import Request, RuleSyntax, anchor, covers, implied_anchors, parse_rule
from uplinks.router_rules._regexp import compile_regexp
from uplinks.router_rules._syntax import InvalidRegexp

SYNTAXES = st.sampled_from(["v3", "v2"])
PATHS = st.sampled_from(["/", "/a", "/a/b", "/b", "/a%20b", "/a%2Fb"])
HOSTS = st.sampled_from(["a.example.com", "b.example.com", "example.com", "A.example.com."])
REQUESTS = st.builds(
    Request,
    method=st.sampled_from(["GET", "POST"]) | st.none(),
    host=HOSTS | st.none(),
    path=PATHS | st.none(),
    headers=st.dictionaries(st.sampled_from(["X-A", "X-B"]), st.sampled_from("12")),
)
MATCHERS = st.one_of(
    PATHS.map("Path(`{}`)".format),
    PATHS.map("PathPrefix(`{}`)".format),
    HOSTS.map("Host(`{}`)".format),
    st.sampled_from(
        [
            "Host(`*.example.com`)",
            "Host(`*`)",
            "HostRegexp(`^[ab]\\.example\\.com$`)",
            "PathRegexp(`^/a`)",
            "Method(`GET`)",
            "Header(`X-A`, `1`)",
            "HeaderRegexp(`X-A`, `[0-9]`)",
            "ClientIP(`10.0.0.0/8`)",
            "Query(`a`)",
        ]
    ),
)
RULES = st.recursive(
    MATCHERS,
    lambda inner: st.one_of(
        inner.map("!({})".format),
        st.tuples(inner, inner).map(lambda two: f"({two[0]}) && ({two[1]})"),
        st.tuples(inner, inner).map(lambda two: f"{two[0]} || {two[1]}"),
    ),
    max_leaves=6,
)
WORDS = (
    "Host Path PathRegexp Header Query ( ) ! && || , ` \" ' a /a ( [ ] { } \\ . * ? + ^ $ | \n "
    "// /* */ ... & ; : : \u201c \u00e9 \0 \ufeff"
)
PIECES = st.lists(st.sampled_from(WORDS.split(" ")), max_size=12).map("".join)


@given(text=st.text(max_size=40) | PIECES, syntax=SYNTAXES)
def test_every_text_is_a_rule_or_has_a_problem_with_a_place(text: str, syntax: RuleSyntax) -> None:
    rule = parse_rule(text, syntax)
    assert rule.valid == bool(rule.postfix)
    assert rule.matches(Request()) in ({True, False, None} if rule.valid else {False})
    for problem in rule.problems:
        assert 0 <= problem.start <= problem.end <= len(text)
        assert problem.message


@given(rule=RULES, request=REQUESTS)
def test_negation_and_de_morgan(rule: str, request: Request) -> None:
    found = parse_rule(rule).matches(request)
    assert parse_rule(f"!({rule})").matches(request) is (None if found is None else not found)
    assert parse_rule(f"!(!({rule}))").matches(request) is found


@given(rule=RULES, other=RULES, request=REQUESTS)
def test_operators_combine_what_they_join(rule: str, other: str, request: Request) -> None:
    one, two = parse_rule(rule).matches(request), parse_rule(other).matches(request)
    joined = parse_rule(f"({rule}) && ({other})").matches(request)
    assert joined is (False if False in {one, two} else None if None in {one, two} else True)
    assert parse_rule(f"!(!({rule}) && !({other}))").matches(request) is parse_rule(
        f"({rule}) || ({other})"
    ).matches(request)


@given(rule=RULES, other=RULES, request=REQUESTS)
def test_a_covered_rule_matches_nothing_more(rule: str, other: str, request: Request) -> None:
    first, second = parse_rule(rule), parse_rule(other)
    if covers(first.conjunctions, second.conjunctions) and second.matches(request):
        assert first.matches(request) is not False


@given(rule=RULES, other=RULES)
def test_a_rule_covers_itself_and_what_narrows_it(rule: str, other: str) -> None:
    whole, part = parse_rule(rule).conjunctions, parse_rule(f"({rule}) && ({other})").conjunctions
    if whole is not None:
        assert covers(whole, whole)
        assert part is None or covers(whole, part)


@given(rule=RULES, other=RULES)
def test_an_alternative_that_covers_another_is_found_by_its_anchor(rule: str, other: str) -> None:
    for outer in parse_rule(rule).conjunctions or ():
        for inner in parse_rule(other).conjunctions or ():
            if covers((outer,), (inner,)):
                assert anchor(outer) in set(implied_anchors(inner))


@given(rule=RULES, request=REQUESTS)
def test_more_knowledge_never_reverses_an_answer(rule: str, request: Request) -> None:
    known = parse_rule(rule).matches(Request(path=request.path, headers=request.headers))
    if known is not None:
        assert parse_rule(rule).matches(request) is known


@given(
    pattern=st.from_regex(r"\A(?:[ab.]|\[\^?ab?\]|\([ab]\|b?\)|\(\?:a\)|[ab][*+?]|\^|\$){0,6}\Z"),
    text=st.text("ab", max_size=6),
)
def test_plain_patterns_match_as_in_python(pattern: str, text: str) -> None:
    try:
        program = compile_regexp(pattern)
    except InvalidRegexp:
        return
    expected = re.search(pattern.replace("$", r"\Z"), text) is not None
    assert program.matches(text) is expected
