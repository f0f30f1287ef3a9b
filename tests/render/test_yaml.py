"""`uplinks.render.dump`: YAML that YAML 1.1 and 1.2 readers understand the same way."""

from __future__ import annotations

import io
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st
from ruamel.yaml import YAML

from uplinks.render import dump


def read_1_2(text: str) -> Any:
    """Read YAML 1.2 with ruamel.yaml, which PyYAML shares no code with."""
    return YAML(typ="safe", pure=True).load(io.StringIO(text))


AMBIGUOUS = [
    *["1e3", "0o17", "017", "0x1F", "1_000", "0b1", "1.5e2", ".inf", ".nan", "1.", "-0", "+1"],
    *["yes", "no", "on", "off", "y", "n", "~", "null", "Null", "true", "True", "", " ", "="],
    *["2001-01-01", "12:30:45", "<<", "- a", "a: b", "a #b", "#b", "&a", "*a", "!x", "%d", "@a"],
    *["`a", "'a'", '"a"', "\\n", "\\", "a\tb", "a\nb", "a\r\nb", "|", ">", "?", "[", "]", "{", "}"],
    *["{}", "[]", ",", "---", "...", "\x00", "\x7f", "\x85", "\xa0", "é", "\u2028", "\ufeff", "😀"],
    *["{{", '{{ env "SECRET" }}', "{{{", "a{", "\\{{", "{{/*", "}}", "{%"],
]


@pytest.mark.parametrize("text", AMBIGUOUS)
def test_a_string_stays_that_string_as_a_value_and_as_a_key(text: str) -> None:
    data = {"value": text, text: {"below": [text, {text: text}]}}

    written = dump(data)

    assert yaml.safe_load(written) == data
    assert read_1_2(written) == data
    assert "{{" not in written
    assert written.isascii()


TEXTS = st.text(st.characters(exclude_categories=["Cs"])) | st.sampled_from(AMBIGUOUS)
DATA = st.recursive(
    TEXTS | st.integers() | st.booleans() | st.none(),
    lambda inner: st.lists(inner) | st.dictionaries(TEXTS, inner),
)


@given(DATA)
def test_both_readers_give_the_data_back(data: Any) -> None:
    written = dump(data)

    assert yaml.safe_load(written) == data
    assert read_1_2(written) == data
    assert "{{" not in written
    assert written.endswith("\n")


def test_half_of_a_character_is_replaced() -> None:
    assert dump({"name": "a\ud83db"}) == 'name: "a\\uFFFDb"\n'


def test_the_layout() -> None:
    data = {"web": [{"name": "a", "nested": {"x": [1]}}, [], ["b", ["c"]]], "api": {}}

    assert dump(data) == (
        'api: {}\nweb:\n- name: "a"\n  nested:\n    "x":\n    - 1\n- []\n- - "b"\n  - - "c"\n'
    )


@pytest.mark.parametrize("data", [1.5, b"a", {1: "a"}, {"a": {"b": object()}}, {None: 1}])
def test_other_types_are_refused(data: Any) -> None:
    with pytest.raises(TypeError):
        dump(data)


def test_shared_data_is_written_twice() -> None:
    shared = {"name": [1]}

    assert dump({"one": shared, "two": shared}) == ("one:\n  name:\n  - 1\ntwo:\n  name:\n  - 1\n")
