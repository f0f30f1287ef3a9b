"""Text to located trees, on both YAML parsers."""

from __future__ import annotations

import json
from typing import Any

import pytest
import yaml
from yaml import _yaml as libyaml

from uplinks import manifest
from uplinks.diagnostics import Location, Related, Severity, Span
from uplinks.located import LocatedList, LocatedMap, Origin
from uplinks.manifest import Limits, _libyaml, read


@pytest.fixture(autouse=True, params=[libyaml, yaml], ids=["libyaml", "python"])
def parser(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.setattr(_libyaml, "libyaml", request.param)
    return request.param


def roots(data: bytes | str) -> list[Any]:
    """The documents of a text without any finding."""
    result = read(data)

    assert result.diagnostics == ()

    return [document.root for document in result.documents]


def found(
    data: bytes | str, limits: Limits = manifest._DEFAULT_LIMITS
) -> list[tuple[str, Span, str]]:
    """What was found: code, place and path."""
    return [
        (d.code, d.location.span, d.location.path) for d in read(data, limits=limits).diagnostics
    ]


def test_libyaml_is_what_reads() -> None:
    assert manifest.PARSER == "libyaml"


# --- scalars ----------------------------------------------------------------


@pytest.mark.parametrize("style", ["|", ">", "|-", ">+"])
def test_a_block_scalar_is_text(style: str) -> None:
    [root] = roots(f"a: {style}\n  yes\nb: 1\n")

    assert root["a"].strip() == "yes"


@pytest.mark.parametrize(
    ("digits", "value"),
    [
        ("9" * 641, "9" * 641),
        ("-" + "1" * 5000, "-" + "1" * 5000),
        ("0" * 5000 + "7", 7),
        ("1." + "5" * 5000, 1.5555555555555556),
    ],
)
def test_a_number_may_be_very_long(digits: str, value: object) -> None:
    assert roots(f"a: {digits}\n") == [{"a": value}]


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("weight: 012", 10),
        ("weight: -0010", -8),
        ("weight: 0_17", 15),
        ("port: 0100", 64),
        ("interval: 030", 24),
    ],
)
def test_an_octal_number_in_a_field_of_numbers_is_warned_of(text: str, value: int) -> None:
    result = read(f"spec:\n  {text}\n", "u.yaml", cluster="child-1")

    name, _, number = text.partition(": ")
    assert [d.root for d in result.documents] == [{"spec": {name: value}}]
    [warning] = result.diagnostics
    assert (warning.code, warning.severity) == ("UPL009", Severity.WARNING)
    assert warning.message == f"{number!r} is an octal number, read as {value}"
    assert warning.suggestion == str(value)
    column = len(name) + 5
    assert warning.location == Location(
        "child-1", "u.yaml", Span(2, column, 2, column + len(number)), f"$.spec.{name}"
    )


@pytest.mark.parametrize(
    "text",
    [
        "spec: {weight: 08}",
        "spec: {weight: 0}",
        "spec: {weight: 0x12}",
        "spec: {weight: 0o12}",
        "spec: {weight: 1_000}",
        "spec: {weight: yes}",
        "spec: {secret: {defaultMode: 0400}}",
        "value: 012",
    ],
)
def test_other_numbers_are_read_without_a_warning(text: str) -> None:
    assert read(text).diagnostics == ()


@pytest.mark.parametrize("owner", ["headers", "Headers", "data", "stringData"])
def test_what_may_be_a_credential_is_never_shown(owner: str) -> None:
    assert read(f"{owner}:\n  weight: 0123\n").diagnostics == ()


@pytest.mark.parametrize(
    ("text", "field"),
    [
        ("heathers: {A: @}", "0123456"),
        ("header: {Authorization: @}", "0777123"),
        ("healthCheck: {Authorization: @}", "0x123456"),
        ("spec: {basicAuth: {password: @}}", "0123456"),
        ("spec: {users: [@]}", "0123456"),
        ("@", "0123456"),
        ("headers: {weight: @}", "0123456"),
        ("spec: {healthCheck: {headers: {port: @}}}", "0123456"),
        ("data: {spec: {weight: @}}", "0123456"),
        ("weights: {weight: @}", "0123456"),
        ("headers: {A: *@}", "S3cr3t"),
        ("headers: {A: !@ foo}", "S3cr3t"),
        ("headers: {A: !@!x foo}", "S3cr3t"),
        ("headers: {!@ A: foo}", "S3cr3t"),
        ("headers: !@ {}", "S3cr3t"),
        ("headers: {Bearer @: 1, Bearer @: 2}", "S3cr3t"),
        ("headers: {@, @}", "S3cr3t"),
        ("headers: {Bearer @: yes}", "S3cr3t"),
        ("headers: {Bearer @: *x}", "S3cr3t"),
        ("headers: {Bearer @: " + "[" * 200, "S3cr3t"),
    ],
)
def test_no_finding_shows_what_may_be_a_credential(text: str, field: str) -> None:
    result = read(text.replace("@", field) + "\n---\na: *x\n")

    assert result.diagnostics
    for diagnostic in result.diagnostics:
        assert field not in repr(diagnostic)
        assert field not in str(diagnostic)


@pytest.mark.parametrize("make", [bytes, bytearray, memoryview])
def test_bytes_of_any_kind_are_read(make: Any) -> None:
    assert roots(make(b"a: b\n")) == [{"a": "b"}]


@pytest.mark.parametrize("data", [None, 5, ["a: b"]])
def test_what_is_no_text_is_a_type_error(data: Any) -> None:
    with pytest.raises(TypeError, match="a manifest must be str or bytes, got "):
        read(data)


def test_a_syntax_error_speaks_of_lines_that_there_are() -> None:
    for text in ("a: [", "a: {", "- ["):
        [error] = read(text).diagnostics
        assert error.code == "UPL001"
        assert "line 2" not in error.message


# --- keys -------------------------------------------------------------------


def test_a_key_is_a_string() -> None:
    assert roots("8080: a\ntrue: b\n'yes': c\n012: d\n1.50: e\n'<<': f\n'~': g\n") == [
        {"8080": "a", "true": "b", "yes": "c", "10": "d", "1.5": "e", "<<": "f", "~": "g"}
    ]


@pytest.mark.parametrize(
    ("text", "span", "path"),
    [
        ("~: 1\nb: 2\n", Span(1, 1, 1, 2), '$["~"]'),
        ("a:\n  null: 1\n", Span(2, 3, 2, 7), "$.a.null"),
        ("? [x]\n: 1\n", Span(1, 3, 1, 6), '$["?"]'),
        ("{{x: a}: 1}\n", Span(1, 2, 1, 8), '$["?"]'),
        ("{{x: ~, ~: a}: 1}", Span(1, 9, 1, 10), '$["?"]["~"]'),
    ],
)
def test_a_key_that_is_no_text_costs_the_document(text: str, span: Span, path: str) -> None:
    assert found(text)[0] == ("UPL001", span, path)
    assert {code for code, _, _ in found(text)} == {"UPL001"}
    assert read(text).documents == ()


def test_a_duplicate_key_keeps_the_first_value_and_the_document() -> None:
    text = "a: 1\nb:\n  - c: 2\n    c: 3\n    c: {weight: 012}\na: 4\n"

    result = read(text, "u.yaml")

    [document] = result.documents
    assert document.root == {"a": 1, "b": [{"c": 2}]}
    assert document.root.marks["a"] == (Span(1, 1, 1, 2), Span(1, 4, 1, 5))
    assert document.root["b"][0].marks["c"] == (Span(3, 5, 3, 6), Span(3, 8, 3, 9))
    first = Related(Location("", "u.yaml", Span(3, 5, 3, 6), "$.b[0].c"), "first defined here")
    assert [(d.code, d.location.span, d.related) for d in result.diagnostics] == [
        ("UPL002", Span(4, 5, 4, 6), (first,)),
        ("UPL002", Span(5, 5, 5, 6), (first,)),
        (
            "UPL002",
            Span(6, 1, 6, 2),
            (Related(Location("", "u.yaml", Span(1, 1, 1, 2), "$.a"), "first defined here"),),
        ),
    ]


# --- what is refused --------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "findings"),
    [
        ("a: *x\n", [("UPL003", Span(1, 4, 1, 6), "$.a")]),
        ("a: [0, *x]\n", [("UPL003", Span(1, 8, 1, 10), "$.a[1]")]),
        ("*x : 2\n", [("UPL003", Span(1, 1, 1, 3), '$["*"]')]),
        ("a: {<<: 1}\n", [("UPL003", Span(1, 9, 1, 10), '$.a["<<"]')]),
        ("a: {<<: *x}\n", [("UPL003", Span(1, 9, 1, 11), '$.a["<<"]')]),
        ("a: !secret b\n", [("UPL001", Span(1, 4, 1, 13), "$.a")]),
        ("a: !!binary aGk=\n", [("UPL001", Span(1, 4, 1, 17), "$.a")]),
        ("a: !!int x\n", [("UPL001", Span(1, 4, 1, 11), "$.a")]),
        ("a: !!bool 1\n", [("UPL001", Span(1, 4, 1, 12), "$.a")]),
        ("a: !!set {b: 1}\n", [("UPL001", Span(1, 4, 1, 4), "$.a")]),
        ("a: !thing [b]\n", [("UPL001", Span(1, 4, 1, 4), "$.a")]),
        ("!!int x: b\n", [("UPL001", Span(1, 1, 1, 8), "$.x")]),
    ],
)
def test_a_refused_construct_costs_its_document_only(
    text: str, findings: list[tuple[str, Span, str]]
) -> None:
    result = read(f"{text}---\nfine: 1\n")

    assert [document.root for document in result.documents] == [{"fine": 1}]
    assert found(text) == findings


def test_an_anchor_that_nobody_uses_is_harmless() -> None:
    assert roots("a: &x 1\nb: &y [1]\n") == [{"a": 1, "b": [1]}]


@pytest.mark.parametrize("tag", ["!!map {a: 1}", "! {a: 1}", "{a: !!seq [1]}", "{a: ! [1]}"])
def test_the_core_tags_are_harmless(tag: str) -> None:
    assert read(tag).diagnostics == ()


@pytest.mark.parametrize(
    ("text", "span"),
    [
        ('a: "x\n', Span(2, 1, 2, 1)),
        ('a: "x', Span(1, 6, 1, 6)),
        ("\ta: b\n", Span(1, 1, 1, 1)),
        ("a: b\n  c: d\n", Span(2, 4, 2, 4)),
        ("a: [1\n", Span(2, 1, 2, 1)),
        ("a: b: c\n", Span(1, 5, 1, 5)),
        ("é😀: @\n", Span(1, 5, 1, 5)),
    ],
)
def test_broken_syntax_is_one_finding(text: str, span: Span) -> None:
    result = read(f"good: 1\n---\n{text}", "u.yaml")

    assert [document.root for document in result.documents] == [{"good": 1}]
    [error] = result.diagnostics
    moved = Span(span.line + 2, span.column, span.end_line + 2, span.end_column)
    assert (error.code, error.severity) == ("UPL001", Severity.ERROR)
    assert error.location.span == moved
    assert error.message.startswith("invalid YAML: ")
    assert "\n" not in error.message


def test_a_syntax_error_tells_the_path_of_the_container_it_is_in() -> None:
    [error] = read("spec:\n  routes:\n    - a: [1, }\n").diagnostics

    assert error.location.path == "$.spec.routes[0].a"


@pytest.mark.parametrize(
    ("data", "span", "message"),
    [
        (b"a: 1\nb: \xff\n", Span(2, 4, 2, 4), "the text is not UTF-8: invalid start byte"),
        ("a: é\nb: é\x00\n", Span(2, 5, 2, 5),
         "the character U+0000 is not valid in YAML; escape it"),
        ("a: \ud800", Span(1, 4, 1, 4), "the character U+D800 is not valid in YAML; escape it"),
        ("a: \ufffe", Span(1, 4, 1, 4), "the character U+FFFE is not valid in YAML; escape it"),
        (b"\xff\xfea\x00:\x00 ", Span(1, 3, 1, 3), "the text is not UTF-16: truncated data"),
        ("a: 1".encode("utf-16-le"), Span(1, 2, 1, 2),
         "the character U+0000 is not valid in YAML; escape it"),
        ("a: 1".encode("utf-32"), Span(1, 1, 1, 1),
         "the character U+0000 is not valid in YAML; escape it"),
    ],
)  # fmt: skip
def test_unreadable_characters_are_one_finding_with_a_place(
    data: bytes | str, span: Span, message: str
) -> None:
    result = read(data)

    assert result.documents == ()
    assert [(d.code, d.location.span, d.message) for d in result.diagnostics] == [
        ("UPL001", span, message)
    ]


def test_documents_before_an_unreadable_character_are_returned() -> None:
    for text, whole in (("a: 1\n---\nb: 2\n---\nc: 3\n\x01", 2), ("a: 1\n---\nb: 2\n...\n\x01", 2)):
        result = read(text)

        assert [document.root for document in result.documents] == [{"a": 1}, {"b": 2}][:whole]
        assert [d.code for d in result.diagnostics] == ["UPL001"]


@pytest.mark.parametrize("data", ["!%ED%A0%80 x", "!%FF x", "%YAML x\n---\nx", "!e!x y", '"\\x"'])
def test_other_broken_text_is_one_finding(data: str) -> None:
    assert [d.code for d in read(data).diagnostics] == ["UPL001"]
    assert read(data).documents == ()


# --- what is accepted -------------------------------------------------------


@pytest.mark.parametrize(
    "data", ["", b"", "\n", "# only\n", "---", "---\n---\n", "--- #\n...\n", "\ufeff"]
)
def test_empty_documents_are_left_out(data: bytes | str) -> None:
    assert roots(data) == []


def test_a_null_that_is_written_is_a_document() -> None:
    assert roots("null\n--- ~\n") == [None, None]


@pytest.mark.parametrize(
    "data",
    [
        b"\xef\xbb\xbfa: 1\r\nb: \xc3\xa9\r\n",
        "\ufeffa: 1\nb: é\n",
        "a: 1\nb: é\n".encode("utf-16"),
        "\ufeffa: 1\nb: é\n".encode("utf-16-be"),
        "a: 1\rb: é\r",
        "%YAML 1.1\n---\na: 1\nb: é\n...\n",
    ],
)
def test_encodings_and_line_ends(data: bytes | str) -> None:
    [document] = read(data).documents
    line = document.span.line

    assert document.root == {"a": 1, "b": "é"}
    assert document.root.marks["a"] == (Span(line, 1, line, 2), Span(line, 4, line, 5))
    assert document.root.marks["b"][1] == Span(line + 1, 4, line + 1, 5)


def test_json_is_read_by_the_same_path() -> None:
    value = {"a": [1, -2.5, None, True, "yes", '\u2028/\\"\n'], "b": {}, "c": [], "": ""}

    for indent in (None, 2):
        assert roots(json.dumps(value, indent=indent)) == [value]
    assert roots(json.dumps(value, separators=(",", ":"))) == [value]
    assert roots('{"a": "\\/"}') == [{"a": "/"}]


def test_json_may_be_indented_by_tabs(parser: Any) -> None:
    if parser is libyaml:
        assert roots('{\n\t"a": [\n\t\t1\n\t]\n}') == [{"a": [1]}]


def test_an_escaped_surrogate_pair_is_one_character() -> None:
    text = '{"\\ud83d\\ude00": "a\\\\\\uD83D\\uDE00", "b": \'\\ud83d\\ude00\', "c": 5}'

    [root] = roots(text)

    assert root == {"😀": "a\\😀", "b": "\\ud83d\\ude00", "c": 5}
    assert root.marks["c"][1] == Span(1, len(text) - 1, 1, len(text))


def test_a_text_with_private_characters_keeps_them() -> None:
    assert roots('["\ue03d\ue600", "\\ue03d\\ue600"]') == [["\ue03d\ue600", "\ue03d\ue600"]]


# --- places -----------------------------------------------------------------


def test_every_key_and_value_knows_its_place() -> None:
    text = (
        "# above\n"
        "kind: Uplink # behind\n"
        "😀é: x😀y\n"
        "spec:\n"
        "  list:\n"
        "  - a: 'q'\n"
        "    b:\n"
        "  - [1, {c: d}]\n"
        "  text: |\n"
        "    line\n"
        "\n"
        "  last: two\n"
        "    lines\n"
        "\n"
        "# below\n"
    )

    [document] = read(text, "u.yaml", cluster="child-1").documents

    root = document.root
    assert type(root) is LocatedMap
    assert document.span == root.span == Span(2, 1, 13, 10)
    assert root.marks["kind"] == (Span(2, 1, 2, 5), Span(2, 7, 2, 13))
    assert root.marks["😀é"] == (Span(3, 1, 3, 3), Span(3, 5, 3, 8))
    spec = root["spec"]
    assert root.marks["spec"] == (Span(4, 1, 4, 5), Span(5, 3, 13, 10))
    assert spec.span == Span(5, 3, 13, 10)
    items = spec["list"]
    assert type(items) is LocatedList
    assert items.span == spec.marks["list"][1] == Span(6, 3, 8, 16)
    assert items.marks == [Span(6, 5, 7, 7), Span(8, 5, 8, 16)]
    assert items[0].marks["a"] == (Span(6, 5, 6, 6), Span(6, 8, 6, 11))
    assert items[0].marks["b"] == (Span(7, 5, 7, 6), Span(7, 7, 7, 7))
    assert items[1].marks == [Span(8, 6, 8, 7), Span(8, 9, 8, 15)]
    assert items[1][1].marks["c"] == (Span(8, 10, 8, 11), Span(8, 13, 8, 14))
    assert spec.marks["text"][1].line == 9
    assert spec.marks["last"][1] == Span(12, 9, 13, 10)
    location = Origin(document).locate("spec", "list", 1, 0)
    assert location == Location("child-1", "u.yaml", Span(8, 6, 8, 7), "$.spec.list[1][0]")


@pytest.mark.parametrize(
    "text", ["a: |\n  x", "a:", "? a", "- ", "? |\n  x", "a: &x", "'x'", "[a, b]"]
)
def test_a_place_never_lies_behind_a_text_without_a_last_line_end(text: str) -> None:
    [document] = read(text).documents
    lines = text.split("\n")

    assert (document.span.end_line, document.span.end_column) <= (len(lines), len(lines[-1]) + 1)


# --- limits -----------------------------------------------------------------

DEEP = 100_000


@pytest.mark.parametrize(
    ("text", "column"),
    [
        ("[" * DEEP, 101),
        ('{"a":' * DEEP, 501),
        ("- " * DEEP, 201),
        ("? " * DEEP, 201),
        ("[" * 101 + "]" * 101, 101),
    ],
)
def test_deep_nesting_is_refused(text: str, column: int) -> None:
    [(code, span, _)] = found(text)

    assert (code, span) == ("UPL004", Span(1, column, 1, column))


def test_deep_nesting_costs_no_other_finding_and_no_other_document() -> None:
    # The parser may refuse depth before it gives a single event of that document.
    text = f"spec: {{weight: 012}}\n---\nb: 1\nb: {'[' * DEEP}"

    assert [document.root for document in read(text).documents] == [{"spec": {"weight": 10}}]
    assert [(code, tuple(span[:2])) for code, span, _ in found(text)] == [
        ("UPL009", (1, 16)),
        ("UPL002", (4, 1)),
        ("UPL004", (4, 103)),
    ]


def test_a_limit_of_depth_above_the_parsers_own_is_still_a_finding() -> None:
    result = read("[" * 2100, limits=Limits(depth=2000))

    assert [finding.severity for finding in result.diagnostics] == [Severity.ERROR]
    assert result.documents == ()


def test_deep_block_nesting_is_refused() -> None:
    text = "".join(f"{' ' * level}a:\n" for level in range(1000))

    [(code, span, path)] = found(text)

    assert (code, span, path) == ("UPL004", Span(101, 101, 101, 101), "$" + ".a" * 100)


def test_the_limits_are_exact() -> None:
    assert roots("[" * 100 + "]" * 100) != []
    for text, limits, more in (
        ("a: 1\n", Limits(size=5), "a: 12\n"),
        ("é: 1", Limits(size=5), "éé: 1"),
        ("a: [1, 2]", Limits(nodes=5), "a: [1, 2, 3]"),
        ("--- 1\n--- 2\n", Limits(documents=2), "--- 1\n--- 2\n---\n"),
        ("abc: 1", Limits(key=3), "abcd: 1"),
        ("[[]]", Limits(depth=2), "[[[]]]"),
        ("%TAG !a! x\n---\n1", Limits(directives=1), "%TAG !a! x\n%TAG !b! x\n---\n1"),
    ):
        assert read(text, limits=limits).diagnostics == ()
        assert [code for code, _, _ in found(more, limits)] == ["UPL004"]


def test_documents_before_a_limit_are_returned() -> None:
    result = read("a: 1\n---\n" + "[" * DEEP)

    assert [document.root for document in result.documents] == [{"a": 1}]
    assert [d.location.span.line for d in result.diagnostics] == [3]


def test_findings_are_limited() -> None:
    result = read("{" + "a: 1, " * 5000 + "}")

    assert [d.code for d in result.diagnostics] == ["UPL002"] * 1000 + ["UPL004"]
    assert result.documents == ()


def test_a_huge_scalar_is_read() -> None:
    assert roots(f'a: "{"x" * 1_000_000}"') == [{"a": "x" * 1_000_000}]


@pytest.mark.parametrize(
    "data", [b"", b"\xff\xfe", b"\xfe\xff", b"\xef\xbb\xbf", b"\xef\xbb", b"\xff"]
)
def test_only_a_byte_order_mark(data: bytes) -> None:
    assert read(data).documents == ()
