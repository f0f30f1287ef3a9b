"""TOML as a located tree."""

from __future__ import annotations

import json
import tomllib
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from uplinks import manifest
from uplinks.located import LocatedList, LocatedMap
from uplinks.manifest import Limits

TEXT = '''\
# comment [not.a.table]
title = "x # y" # z
[hub.uplinkEntryPoints."a.b"]
address = ':9443'
[[hub.list]]
one = 1
[[hub.list]]
two = """a
b"""
inside = [1, [2, {x = 3}], # c ]
  4]
day = 1979-05-27 07:32:00
[hub.list.below]
dotted . "key" = { y = true, z = [] }
'''


def read(text: str | bytes, limits: Limits | None = None) -> manifest.Documents:
    return manifest.read_toml(text, "f.toml", limits or Limits(), cluster="eu")


def tree(text: str) -> Any:
    (document,) = read(text).documents
    return document.root


def places(node: Any) -> dict[str, tuple[str, str]]:
    """The places of all keys and items below a node, by their paths."""
    found: dict[str, tuple[str, str]] = {}
    waiting: list[tuple[str, Any]] = [("", node)]
    while waiting:
        path, inner = waiting.pop()
        if isinstance(inner, LocatedMap):
            for key, item in inner.items():
                key_span, span = inner.marks[key]
                found[f"{path}.{key}"] = (_range(key_span), _range(span))
                waiting.append((f"{path}.{key}", item))
        elif isinstance(inner, LocatedList):
            for index, item in enumerate(inner):
                found[f"{path}[{index}]"] = ("", _range(inner.marks[index]))
                waiting.append((f"{path}[{index}]", item))
    return found


def _range(span: Any) -> str:
    return f"{span.line}:{span.column}-{span.end_line}:{span.end_column}"


def test_values_are_those_of_tomllib() -> None:
    wanted = tomllib.loads(TEXT)
    wanted["hub"]["list"][1]["day"] = "1979-05-27 07:32:00"  # a string, as in every other form

    assert tree(TEXT) == wanted


def test_every_key_and_value_has_its_place() -> None:
    found = places(tree(TEXT))

    assert {path: found[path] for path in found if "title" in path or "address" in path} == {
        ".title": ("2:1-2:6", "2:9-2:16"),
        ".hub.uplinkEntryPoints.a.b.address": ("4:1-4:8", "4:11-4:18"),
    }
    assert found[".hub.uplinkEntryPoints.a.b"] == ("3:2-3:29", "3:2-3:29")
    assert found[".hub.list[0]"] == ("", "5:3-5:11")
    assert found[".hub.list[1]"] == ("", "7:3-7:11")
    assert found[".hub.list[1].two"] == ("8:1-8:4", "8:7-9:5")
    assert found[".hub.list[1].inside[1][1].x"] == ("10:19-10:20", "10:23-10:24")
    assert found[".hub.list[1].inside[2]"] == ("", "11:3-11:4")
    assert found[".hub.list[1].day"] == ("12:1-12:4", "12:7-12:26")
    assert found[".hub.list[1].below.dotted.key"] == ("14:1-14:15", "14:18-14:38")
    assert found[".hub.list[1].below.dotted.key.y"] == ("14:20-14:21", "14:24-14:28")


def test_a_document_is_of_its_file_and_cluster() -> None:
    (document,) = read("a = 1\n").documents

    assert (document.file, document.cluster, document.span[:]) == ("f.toml", "eu", (1, 1, 2, 1))


@pytest.mark.parametrize("text", ["", "\n# nothing\n", b"\xef\xbb\xbf"])
def test_an_empty_text_is_no_document(text: str | bytes) -> None:
    assert read(text) == manifest.Documents()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a = ", "f.toml:1:5: error UPL001: invalid TOML: Invalid value"),
        ("a = 1\na = 2", "f.toml:2:6: error UPL001: invalid TOML: Cannot overwrite a value"),
        ("[a]\n[a]", "f.toml:2:3: error UPL001: invalid TOML: Cannot declare … twice"),
        ('k = "S3cr3t', "f.toml:1:12: error UPL001: invalid TOML: Unterminated string"),
        (b"a = '\xff'", "f.toml:1:6: error UPL001: the text is not UTF-8: invalid start byte"),
        (
            "a = " + "[" * 101 + "]" * 101,
            (
                "f.toml:1:105: error UPL004: more than 100 levels of nesting; the rest of the text "
                "was not read"
            ),
        ),
        (
            "a = " + "[" * 9999 + "]" * 9999,
            (
                "f.toml:1:1: error UPL004: more than 100 levels of nesting; the rest of the text "
                "was not read"
            ),
        ),
        (
            ".".join("a" * 9999) + " = 1",
            "f.toml:1:1: error UPL004: too many dotted keys; the rest of the text was not read",
        ),
    ],
)
def test_bad_text_is_a_finding_at_its_place(text: str | bytes, message: str) -> None:
    documents = read(text)

    assert [str(each) for each in documents.diagnostics] == [message]
    assert documents.documents == ()


@pytest.mark.parametrize(
    ("limits", "problem"),
    [
        (Limits(size=3), "the text has 9 bytes, more than 3"),
        (Limits(nodes=2), "more than 2 keys and values"),
    ],
)
def test_limits_hold(limits: Limits, problem: str) -> None:
    (found,) = read("a = [1,2]", limits).diagnostics

    assert (found.code, found.message) == (
        "UPL004",
        f"{problem}; the rest of the text was not read",
    )


def test_what_is_no_text_is_a_type_error() -> None:
    with pytest.raises(TypeError, match="a manifest must be str or bytes, got int"):
        manifest.read_toml(5)  # type: ignore[arg-type]


@given(st.text() | st.binary())
def test_no_text_makes_it_raise(text: str | bytes) -> None:
    for document in read(text).documents:
        assert isinstance(document.root, LocatedMap)


KEYS = st.text("ab.\"'\\ é\n", min_size=1, max_size=4)
VALUES = st.recursive(
    st.booleans() | st.integers(-99, 99) | st.text("ab#[]{}\"'\\,=é", max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=3),
    max_leaves=8,
)


def written(value: Any) -> str:
    if isinstance(value, dict):
        pairs = (f"{json.dumps(key)} = {written(item)}" for key, item in value.items())
        return "{" + ", ".join(pairs) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(written, value)) + "]"
    return json.dumps(value)


@given(st.dictionaries(KEYS, VALUES, min_size=1, max_size=3))
def test_what_is_written_is_read_back_and_stands_at_its_place(values: dict[str, Any]) -> None:
    lines = [f"{json.dumps(key)} = {written(value)}" for key, value in values.items()]

    (document,) = read("\n".join(lines)).documents

    assert document.root == values
    for number, (key, value) in enumerate(values.items(), start=1):
        key_span, span = document.root.marks[key]
        begin = len(json.dumps(key))
        assert key_span[:] == (number, 1, number, begin + 1)
        assert span[:] == (number, begin + 4, number, begin + 4 + len(written(value)))
