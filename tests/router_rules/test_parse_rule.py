"""What is said about a rule, and where."""

from __future__ import annotations

import pytest

from uplinks.router_rules import MAX_RULE, Problem, Request, RuleSyntax, parse_rule

BAD_REGEXP = "is not a valid regular expression: "
BAD_TEMPLATE = "is not a valid template: "
LITERAL = ": syntax v3 takes {…} literally; "
QUOTES = "use backquotes around an argument, not other quotes"
BETWEEN = "expected '&&' or '||' between matchers, got "
V1 = "; 'name:value' is the syntax of Traefik v1"


def only(text: str, syntax: RuleSyntax = "v3") -> Problem:
    [problem] = parse_rule(text, syntax).problems
    return problem


@pytest.mark.parametrize(
    ("rule", "marked", "message", "suggestion"),
    [
        ("", "", "the rule is empty", None),
        ("Path(/a)", "/a", "an argument must be in backquotes, got /a", "`/a`"),
        ("Host(a.b) || Path(`/`)", "a.b", "an argument must be in backquotes, got a.b", "`a.b`"),
        ("Path('/a')", "'/a'", QUOTES, "`/a`"),
        ("Path(\u201c/a\u201d)", "\u201c/a\u201d", QUOTES, "`/a`"),
        ("Path(`/a)", "`", "missing closing `", None),
        ("(Host(`a`)", "(", "missing ')'", None),
        ("Host(`a`))", ")", "unexpected ')': no '(' is open", None),
        ("Host(`a`) AND Path(`/`)", "AND", "expected an operator, got 'AND'; write '&&'", "&&"),
        ("Host(`a`) | Path(`/`)", "|", "expected an operator, got '|'; write '||'", "||"),
        (
            "Host(`a`) Path(`/`)",
            "Path(`/`)",
            "expected '&&' or '||' between matchers, got 'Path(`/`)'",
            None,
        ),
        ("Host:a", ":", "expected '(' after 'Host', got ':'" + V1, None),
        (
            "Host(`a`)\n&& Path(`/`)",
            "&&",
            "a line must end with '&&' or '||' if the rule goes on",
            None,
        ),
        ('Host("\\q")', "\\q", "invalid escape '\\\\q'; use backquotes for raw text", None),
        ("Host(`a\0`)", "\0", "illegal character '\\x00'", None),
        ("Hots(`a`)", "Hots", "unknown matcher 'Hots'", "Host"),
        ("pathPrefix(`/a`)", "pathPrefix", "unknown matcher 'pathPrefix'", "PathPrefix"),
        (
            "PathStartsWith(`/a`)",
            "PathStartsWith",
            "unknown matcher 'PathStartsWith'",
            "PathPrefix",
        ),
        ("HostRegex(`a`)", "HostRegex", "unknown matcher 'HostRegex'", "HostRegexp"),
        (
            "Headers(`a`, `b`)",
            "Headers",
            "Headers is syntax v2; write Header in syntax v3",
            "Header",
        ),
        (
            "HostHeader(`a`)",
            "HostHeader",
            "HostHeader is syntax v2; write Host in syntax v3",
            "Host",
        ),
        ("HostSNI(`a`)", "HostSNI", "HostSNI is a matcher of TCP routers only", None),
        ("Host()", "Host()", "Host needs an argument", None),
        ("Header(`X-A`, ``)", "``", "an argument of Header must not be empty", None),
        ("Header(`X-A`)", "Header(`X-A`)", "Header takes 2 arguments, got 1", None),
        (
            "Query(`a`, `b`, `c`)",
            "Query(`a`, `b`, `c`)",
            "Query takes 1 or 2 arguments, got 3",
            None,
        ),
        (
            "Host(`a`, `b`)",
            "Host(`a`, `b`)",
            "Host takes 1 argument, got 2; join matchers with '||'",
            "(Host(`a`) || Host(`b`))",
        ),
        ("Path(`a`)", "`a`", "the argument of Path must start with '/'", None),
        (
            "Host(`\u00e9`)",
            "`\u00e9`",
            "the argument of Host must be ASCII; write an international name in its xn-- form",
            None,
        ),
        (
            "ClientIP(`10.0.0.300`)",
            "`10.0.0.300`",
            "the argument of ClientIP must be an IP address or a CIDR block",
            None,
        ),
        (
            "PathRegexp(`^/a(b`)",
            "(b",
            "the argument of PathRegexp " + BAD_REGEXP + "missing closing ')'",
            None,
        ),
        (
            "HeaderRegexp(`A`, `b[`)",
            "[",
            "the argument of HeaderRegexp " + BAD_REGEXP + "missing closing ']'",
            None,
        ),
        (
            "PathRegexp(`(?=a)`)",
            "(?=",
            "the argument of PathRegexp " + BAD_REGEXP + "Go has no lookahead and no lookbehind",
            None,
        ),
    ],
)
def test_a_refused_rule(rule: str, marked: str, message: str, suggestion: str | None) -> None:
    problem = only(rule)
    assert problem.refused
    assert (rule[problem.start : problem.end], problem.message) == (marked, message)
    assert problem.suggestion == suggestion


@pytest.mark.parametrize(
    ("rule", "marked", "message"),
    [
        ("Header(`a`, `b`)", "Header", "Header is syntax v3; write Headers in syntax v2"),
        ("PathRegexp(`a`)", "PathRegexp", "PathRegexp exists in syntax v3 only"),
        ("Headers(`a`)", "`a`", "the argument of Headers has a name without a value"),
        ("Path(`/a`, `b`)", "`b`", "the argument of Path must start with '/'"),
        ("Query(`a`)", "`a`", "the argument of Query must have the form name=value"),
        (
            "Path(`/{a`)",
            "`/{a`",
            "the argument of Path " + BAD_TEMPLATE + "the braces are unbalanced",
        ),
        (
            "Path(`/{a:(}`)",
            "`/{a:(}`",
            "the argument of Path " + BAD_TEMPLATE + "missing closing ')'",
        ),
        (
            "Query(`a={x}`, `b={x}`)",
            "`a={x}`",
            "the argument of Query has the same variable in two templates",
        ),
    ],
)
def test_a_refused_rule_in_syntax_v2(rule: str, marked: str, message: str) -> None:
    problem = only(rule, "v2")
    assert problem.refused
    assert (rule[problem.start : problem.end], problem.message) == (marked, message)


@pytest.mark.parametrize(
    ("rule", "message"),
    [
        ("Path(`/a/{id}`)", "Path matches no path" + LITERAL + "use PathRegexp"),
        (
            "PathPrefix(`/{v:v[0-9]{1}}/a`)",
            "PathPrefix matches no path" + LITERAL + "use PathRegexp",
        ),
        (
            "HostRegexp(`{sub:[a-z]+}.example.com`)",
            "HostRegexp matches nothing" + LITERAL + "write the regular expression alone",
        ),
        ("Path(`/a?b=c`)", "Path matches no path: a path has no query and no fragment; use Query"),
        ("Host(`https://a`)", "Host matches no host: 'https://a' is not a host name"),
        ("Host(`a.example.com:8080`)", "Host matches no host: Traefik compares without the port"),
        (
            "Host(`a.*.com`)",
            "Host matches no host: '*' stands only for the first label; use HostRegexp",
        ),
        ("Query(`a=b`)", "Query compares the name 'a=b'; write Query(`a`, `b`)"),
        ("Header(`Host`, `a`)", "Header matches nothing: Traefik keeps no Host header; use Host"),
    ],
)
def test_an_accepted_matcher_without_effect(rule: str, message: str) -> None:
    parsed = parse_rule(rule)
    assert parsed.valid
    [problem] = parsed.problems
    assert (problem.refused, problem.message) == (False, message)
    assert (
        rule[problem.start : problem.end]
        == rule[rule.index("`") : rule.index("`", rule.index("`") + 1) + 1]
    )


@pytest.mark.parametrize(
    "rule",
    [
        r"PathRegexp(`^\p{Latin}+$`)",
        r"PathRegexp(`\x{41}`)",
        "PathRegexp(`a{2,3}`)",
        "HostRegexp(`^(?P<sub>[a-z]{2})$`)",
        "Host(`*.example.com`)",
        "Host(`::1`)",
        "Query(`a`, `b=c`)",
    ],
)
def test_these_matchers_have_an_effect(rule: str) -> None:
    assert parse_rule(rule).problems == ()


@pytest.mark.parametrize(
    "rule",
    [
        "Header(`Authorization`, Bearer s3cr3t)",
        "Header(`Authorization`, 'Bearer s3cr3t')",
        "Header(`Authorization`, s3cr3t(`a`))",
        "Header(`Authorization`, [s3cr3t])",
        "Header(`Authorization` `Bearer s3cr3t`)",
        "Header(`Authorization`, `Bearer` s3cr3t)",
        "Header(`Authorization`, `Bearer`) s3cr3t",
        "Header(`Authorization`) `s3cr3t`",
        "HeaderRegexp(`Authorization`, \u201cs3cr3t\u201d)",
        "Query('token=s3cr3t')",
        "Query(token, s3cr3t)",
        "QueryRegexp(`token`, s3cr3t)",
        "Query(`token`, `a`) && 's3cr3t'",
    ],
)
@pytest.mark.parametrize("syntax", ["v2", "v3"])
def test_no_problem_shows_the_value_of_a_header_or_a_query(rule: str, syntax: RuleSyntax) -> None:
    problems = parse_rule(rule, syntax).problems

    assert problems
    assert not [each for each in problems if "s3cr3t" in f"{each.message}{each.suggestion}"]


def test_the_name_of_a_header_is_shown() -> None:
    problem = only("Header('X-Tenant', `a`)")

    assert (problem.message, problem.suggestion) == (QUOTES, "`X-Tenant`")


def test_a_matcher_behind_one_of_headers_is_shown() -> None:
    assert only("Header(`A`, `b`) && Host(a.b)").suggestion == "`a.b`"


def test_every_problem_of_a_rule_is_found_in_order() -> None:
    rule = "Hots(`a`) && Path(`b`) || Header(`X`) && ("
    assert [rule[p.start : p.end] for p in parse_rule(rule).problems] == [
        "Hots", "`b`", "Header(`X`)", "",
    ]  # fmt: skip


def test_a_rule_is_read_in_either_syntax() -> None:
    assert parse_rule("Path(`/a`, `/b`)", "v2").valid
    assert not parse_rule("Path(`/a`, `/b`)").valid


@pytest.mark.parametrize(
    ("rule", "priority"), [("Path(`/a`)", 10), ("Path(`/\u00e9`)", 11), ("Path(`/a`) ", 11)]
)
def test_the_priority_is_the_length_in_bytes(rule: str, priority: int) -> None:
    assert parse_rule(rule).priority == priority


def test_nesting_needs_no_recursion() -> None:
    depth = 20_000
    for rule in ("(" * depth + "Host(`a`)" + ")" * depth, "!" * depth + "Host(`a`)"):
        parsed = parse_rule(rule)
        assert parsed.valid
        assert parsed.matches(Request(host="a")) is True


def test_a_rule_beyond_the_limit_is_left_open() -> None:
    parsed = parse_rule("!" * MAX_RULE + "Foo(`a`)")
    assert parsed.problems == ()
    assert parsed.matches(Request()) is None
    assert parsed.conjunctions is None


def test_messages_stay_short() -> None:
    for rule in ("a" * 10**4, "Host(" + "a" * 10**4, "Host(`a`) " + "b" * 10**4, "'" * 10**4):
        assert all(len(problem.message) < 300 for problem in parse_rule(rule).problems)
