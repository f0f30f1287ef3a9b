"""Parts of documents, and text that a JSON and a YAML reader understand the same way."""

from __future__ import annotations

import io
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from ruamel.yaml import YAML

from uplinks.render import TraefikOptions
from uplinks.serve.document import Parts, TraefikDocument, to_json

values = st.recursive(
    st.one_of(st.text(max_size=8), st.integers(), st.booleans()),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3)
    ),
    max_leaves=8,
)


@given(st.dictionaries(st.text(max_size=4), values, max_size=3))
def test_yaml_reads_what_json_reads(value: dict[str, Any]) -> None:
    text = to_json(value).decode()

    assert json.loads(text) == value
    assert YAML(typ="safe", pure=True).load(io.StringIO(text)) == value


@pytest.mark.parametrize(
    ("text", "written"),
    [
        ("\U0001f600", '"\U0001f600"'),
        ("\ud83d", '"\\ufffd"'),
        ("\ude00\ud83d", '"\\ufffd\\ufffd"'),
        ("\\ud83d", '"\\\\ud83d"'),
        ("\\\U0001f600", '"\\\\\U0001f600"'),
        ("\x7f\x85", '"\\u007f\\u0085"'),
    ],
)
def test_half_a_character_is_replaced_and_a_whole_one_kept(text: str, written: str) -> None:
    assert to_json(text).decode() == written


groups = st.dictionaries(st.sampled_from("abc"), st.binary(min_size=1, max_size=3), max_size=3)


@given(st.lists(st.tuples(st.text("abcd", max_size=2), groups), max_size=30))
def test_parts_depend_on_their_present_groups_alone(
    history: list[tuple[str, dict[str, bytes]]],
) -> None:
    parts, last = Parts(), dict[str, dict[str, bytes]]()
    for name, entries in history:
        parts.replace(name, entries)
        last[name] = entries
        if len(name) == 1:
            parts.groups()

    kept = {name: last[name] for name in sorted(last) if last[name]}
    assert parts.groups() == tuple(dict(sorted(entries.items())) for entries in kept.values())
    assert parts.length == len(b",".join(e for group in parts.groups() for e in group.values()))
    fresh = Parts()
    for name, entries in kept.items():
        fresh.replace(name, entries)
    assert fresh.digest == parts.digest


def test_the_digest_tells_apart_what_joins_to_the_same_text() -> None:
    one, two = Parts(), Parts()
    one.replace("x", {"a": b"bc"})
    two.replace("x", {"ab": b"c"})

    assert one.digest != two.digest


def test_many_new_groups_are_sorted_like_few() -> None:
    parts = Parts()
    names = [f"{number:03}" for number in range(500)]
    for name in reversed(names):
        parts.replace(name, {"x": name.encode()})

    assert [group["x"].decode() for group in parts.groups()] == names


def test_an_empty_document() -> None:
    body = TraefikDocument(TraefikOptions()).body()

    assert (bytes(body), body.size) == (b'{"http":{}}', 11)


def test_a_body_is_not_touched_by_later_changes() -> None:
    parts = Parts()
    parts.replace("a", {"a": b"1"})
    before = parts.groups()
    parts.replace("a", {"a": b"2"})

    assert before == ({"a": b"1"},)
