"""What Kubernetes reads: recorded answers of sigs.k8s.io/yaml v1.6.0 to `YAMLToJSON`."""

from __future__ import annotations

from typing import Any

import pytest

from uplinks.manifest import Limits, read

VALUES: list[tuple[str, Any]] = [
    # null and boolean
    ("~", None),
    ("null", None),
    ("Null", None),
    ("NULL", None),
    ("nUll", "nUll"),
    ("true", True),
    ("True", True),
    ("TRUE", True),
    ("tRUE", "tRUE"),
    ("false", False),
    ("False", False),
    ("FALSE", False),
    ("yes", True),
    ("Yes", True),
    ("YES", True),
    ("yEs", "yEs"),
    ("no", False),
    ("No", False),
    ("NO", False),
    ("on", True),
    ("On", True),
    ("ON", True),
    ("oN", "oN"),
    ("off", False),
    ("Off", False),
    ("OFF", False),
    ("y", True),
    ("Y", True),
    ("n", False),
    ("N", False),
    ("t", "t"),
    ("f", "f"),
    ("T", "T"),
    ("F", "F"),
    ("nope", "nope"),
    # decimal
    ("0", 0),
    ("-0", 0),
    ("+0", 0),
    ("00", 0),
    ("7", 7),
    ("-7", -7),
    ("+5", 5),
    ("12", 12),
    ("1_000", 1000),
    ("1__0", 10),
    ("1_", 1),
    ("0_0", 0),
    ("10_", 10),
    ("-1_0", -10),
    ("9223372036854775807", 9223372036854775807),
    ("9223372036854775808", 9223372036854775808),
    ("18446744073709551615", 18446744073709551615),
    ("-9223372036854775808", -9223372036854775808),
    # other bases
    ("012", 10),
    ("-012", -10),
    ("+012", 10),
    ("0400", 256),
    ("0777", 511),
    ("07_7", 63),
    ("08", 8),
    ("08080", 8080),
    ("-08", -8),
    ("0o12", 10),
    ("0O17", 15),
    ("0o8", "0o8"),
    ("0o", "0o"),
    ("-0o7", -7),
    ("0x10", 16),
    ("0X1f", 31),
    ("-0x10", -16),
    ("+0x1f", 31),
    ("0x_1", 1),
    ("0x1G", "0x1G"),
    ("0x", "0x"),
    ("0xFFFFFFFFFFFFFFFF", 18446744073709551615),
    ("0xFFFFFFFFFFFFFFFFF", "0xFFFFFFFFFFFFFFFFF"),
    ("0b11", 3),
    ("0B11", 3),
    ("-0b11", -3),
    ("0b2", "0b2"),
    ("0b", "0b"),
    ("+0b1", 1),
    # fractions and exponents
    ("1.0", 1),
    ("1.5", 1.5),
    ("-0.5", -0.5),
    ("+.5", 0.5),
    (".5", 0.5),
    ("-.5", -0.5),
    ("1.", 1),
    ("0.", 0),
    ("00.5", 0.5),
    ("1_0.5", 10.5),
    (".5_0", 0.5),
    ("._5", "._5"),
    (".5_", ".5_"),
    ("0.1", 0.1),
    ("1e2", 100),
    ("1e3", 1000),
    ("1E3", 1000),
    ("12e03", 12000),
    ("1e+3", 1000),
    ("1e-3", 0.001),
    ("1.5e1", 15),
    (".5e1", 5),
    ("1e5_0", 1e50),
    ("5e", "5e"),
    ("e5", "e5"),
    ("1e20", 100000000000000000000),
    ("1e21", 1e21),
    ("1e30", 1e30),
    ("1e400", "1e400"),
    ("99999999999999999999", 100000000000000000000),
    ("0.0", 0),
    ("-0.0", 0),
    # strings
    ("api", "api"),
    ("1:30", "1:30"),
    ("190:20:30", "190:20:30"),
    ("12:30:45", "12:30:45"),
    ("2024-01-01", "2024-01-01"),
    ("2001-01-01T00:00:00Z", "2001-01-01T00:00:00Z"),
    ("10.0.0.1", "10.0.0.1"),
    ("1.2.3", "1.2.3"),
    ("0.1.2", "0.1.2"),
    ("8080:80", "8080:80"),
    ("1m30s", "1m30s"),
    ("10s", "10s"),
    ("500ms", "500ms"),
    ("v1", "v1"),
    ("..", ".."),
    (".", "."),
    ("+", "+"),
    ("++1", "++1"),
    ("--1", "--1"),
    ("1-1", "1-1"),
    ("1+1", "1+1"),
    ("=", "="),
    ("5a", "5a"),
    ("a5", "a5"),
    ("2001:db8::1", "2001:db8::1"),
    ("1d", "1d"),
    ("0xg", "0xg"),
    ("_1", "_1"),
    ("_", "_"),
    ("-x", "-x"),
    ("--flag", "--flag"),
    ("10Gi", "10Gi"),
    ("1e", "1e"),
    ("1e+", "1e+"),
    (".e1", ".e1"),
    ("/x", "/x"),
    ("100m", "100m"),
    ("\u0661", "\u0661"),
    # quoted
    ("'yes'", "yes"),
    ('"012"', "012"),
    ("'null'", "null"),
    ("''", ""),
    ('"1e3"', "1e3"),
    ("'~'", "~"),
    ('"on"', "on"),
    # tagged
    ("!!str yes", "yes"),
    ("! 12", "12"),
    ("!!int 3", 3),
    ("!!float 3", 3),
    ("!!bool true", True),
    ("!!bool yes", True),
    ("!!null ~", None),
    ("!!int '3'", 3),
]
KEYS = [
    ("8080", "8080"),
    ("true", "true"),
    ("yes", "true"),
    ("on", "true"),
    ("no", "false"),
    ("off", "false"),
    ("012", "10"),
    ("010", "8"),
    ("0x10", "16"),
    ("1.5", "1.5"),
    ("1.50", "1.5"),
    ("1e3", "1000"),
    ("'8080'", "8080"),
    ('"on"', "on"),
    ("api", "api"),
    ("1_000", "1000"),
    ("y", "true"),
    ("n", "false"),
    ("'~'", "~"),
    ("'<<'", "<<"),
    ("v1", "v1"),
    ("1:30", "1:30"),
    ("2024-01-01", "2024-01-01"),
]
DOCUMENTS: list[tuple[str, Any]] = [
    ("a: &x {p: 1}\nb: *x\n", {"a": {"p": 1}, "b": {"p": 1}}),
    (
        "a: &x [1, {q: on}]\nb: [*x, *x]\n",
        {"a": [1, {"q": True}], "b": [[1, {"q": True}], [1, {"q": True}]]},
    ),
    ("a: &x 012\nb: *x\n*x : c\n", {"10": "c", "a": 10, "b": 10}),
    ("a: &x 1\nb: &x 2\nc: *x\n", {"a": 1, "b": 2, "c": 2}),
    ("a: &x {p: 1}\nb: {p: 2, <<: *x}\n", {"a": {"p": 1}, "b": {"p": 1}}),
    ("a: &x {p: 1}\nb: {<<: *x, p: 2}\n", {"a": {"p": 1}, "b": {"p": 2}}),
    ("a: {<<: [{p: 1}, {p: 2, q: 3}], r: 4}\n", {"a": {"p": 1, "q": 3, "r": 4}}),
    (
        "a: &x {p: 1}\nb: &y {q: 2}\nc: {<<: [*x, *y]}\n",
        {"a": {"p": 1}, "b": {"q": 2}, "c": {"p": 1, "q": 2}},
    ),
    ("a: &x {p: 1}\nb:\n  <<: *x\n  <<: {q: 2}\n", {"a": {"p": 1}, "b": {"p": 1, "q": 2}}),
    ("a: {'<<': 5}\n", {"a": {"<<": 5}}),
    ("a: &x\nb: *x\n", {"a": None, "b": None}),
    (
        "a: &x {p: &y {q: 1}}\nb: {<<: *x, r: *y}\n",
        {"a": {"p": {"q": 1}}, "b": {"p": {"q": 1}, "r": {"q": 1}}},
    ),
    ("a: &x {<<: {p: 1}, q: 2}\nb: {<<: *x}\n", {"a": {"p": 1, "q": 2}, "b": {"p": 1, "q": 2}}),
]


def root(text: str) -> Any:
    """The one document of a text without an error."""
    result = read(text)

    assert [d for d in result.diagnostics if d.severity.value == "error"] == []
    [document] = result.documents
    return document.root


def is_same(left: Any, right: Any) -> bool:
    """Whether JSON values are equal, numbers with their type."""
    return bool(left == right) and type(left) is type(right)


@pytest.mark.parametrize(("text", "value"), VALUES)
def test_a_scalar_means_what_it_means_to_kubernetes(text: str, value: Any) -> None:
    assert is_same(root(f"a: {text}\n")["a"], value)


@pytest.mark.parametrize(("text", "key"), KEYS)
def test_a_key_is_the_string_that_json_has_for_it(text: str, key: str) -> None:
    assert list(root(f"{text}: x\n")) == [key]


@pytest.mark.parametrize(("text", "value"), DOCUMENTS)
def test_anchors_and_merge_keys_mean_what_they_mean_to_kubernetes(text: str, value: Any) -> None:
    assert root(text) == value


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a: *x", "an alias has no anchor; write out the value"),
        ("a: *x\nb: &x 1", "an alias has no anchor; write out the value"),
        ("a: &x [*x]", "an alias is inside its own anchor; write out the value"),
        ("a: &x {b: {c: *x}}", "an alias is inside its own anchor; write out the value"),
        ("a: {<<: *x}", "an alias has no anchor; write out the value"),
        ("a: {<<: 5}", "a merge key (<<) must have a mapping or a list of mappings"),
        ("a: {<<: ~}", "a merge key (<<) must have a mapping or a list of mappings"),
        ("a: {<<: [1]}", "a merge key (<<) must have a mapping or a list of mappings"),
        (
            "a: &x [{p: 1}]\nb: {<<: *x}",
            "a merge key (<<) must have a mapping or a list of mappings",
        ),
    ],
)
def test_what_kubernetes_refuses_is_refused(text: str, message: str) -> None:
    result = read(text)

    assert [(d.code, d.message) for d in result.diagnostics] == [("UPL003", message)]
    assert result.documents == ()


@pytest.mark.parametrize("text", ["? [a]\n: 1", "~: 1", "a: &x [1]\n*x : 2", "a: &x\n*x : 2"])
def test_a_key_must_be_a_scalar(text: str) -> None:
    result = read(text)

    assert [d.code for d in result.diagnostics] == ["UPL001"]
    assert result.diagnostics[0].message.startswith("a key must be a string, got ")


def test_an_anchor_ends_with_its_document() -> None:
    result = read("--- &x a\n---\nb: *x\n")

    assert [document.root for document in result.documents] == ["a"]
    assert [d.code for d in result.diagnostics] == ["UPL003"]


def test_what_an_alias_stands_for_is_located_where_it_is_written() -> None:
    [document] = read("a: &x {p: 1}\nb: *x\nc:\n  <<: *x\n").documents

    assert document.root.marks["b"][1][:2] == (2, 4)
    assert document.root["b"].marks["p"][1][:2] == (1, 11)
    assert document.root["c"].marks["p"][1][:2] == (1, 11)


def bomb(levels: int, width: int) -> str:
    """Aliases of aliases: 40 levels of 9 are more values than there are atoms in a gram."""
    return "a0: &a0 x\n" + "".join(
        f"a{level}: &a{level} [{', '.join([f'*a{level - 1}'] * width)}]\n"
        for level in range(1, levels)
    )


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (bomb(40, 9), "more than {nodes} keys and values"),
        (bomb(200, 1), "more than 100 levels of nesting"),
        ("a: &a {x: 1}\nb:\n" + "- <<: *a\n" * 10_000, "more than {nodes} keys and values"),
        (
            f"a: &a {{{'k%d: 1, ' * 1000 % tuple(range(1000))}}}\nb: {{{'<<: *a, ' * 1000}}}",
            "more than {nodes} keys and values",
        ),
    ],
    ids=["wide", "deep", "merges", "merges into one"],
)
def test_an_alias_costs_what_it_stands_for(text: str, message: str) -> None:
    result = read(text)

    message = message.format(nodes=Limits().nodes_in(len(text)))
    assert [(d.code, d.message) for d in result.diagnostics] == [
        ("UPL004", f"{message}; the rest of the text was not read")
    ]
    assert result.documents == ()


def test_the_limits_are_exact_for_aliases_too() -> None:
    for text, limits, more in (
        ("a: &x [1]\nb: *x", Limits(nodes=7), "a: &x [1]\nb: [*x]"),
        ("- &x [[]]\n- *x", Limits(depth=3), "- &x [[]]\n- [*x]"),
    ):
        assert read(text, limits=limits).diagnostics == ()
        assert [d.code for d in read(more, limits=limits).diagnostics] == ["UPL004"]
