"""The definition of an Uplink, by the rules of a structural schema.

A real API server judges it in tests/kubernetes.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import pytest

from uplinks.schema import custom_resource_definition, json_schema

DEFINITION = custom_resource_definition()
[VERSION] = DEFINITION["spec"]["versions"]
SCHEMA = VERSION["schema"]["openAPIV3Schema"]
KEYWORDS = {
    *("type", "description", "properties", "items", "additionalProperties", "required"),
    *("enum", "minimum", "maximum", "pattern", "maxLength", "anyOf", "not"),
    "x-kubernetes-int-or-string",
}


def nodes(schema: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Give every part that describes a value, outermost first."""
    yield schema
    for inner in schema.get("properties", {}).values():
        yield from nodes(inner)
    for key in ("items", "additionalProperties"):
        if key in schema:
            yield from nodes(schema[key])


def fields(schema: dict[str, Any]) -> dict[str, Any]:
    """Give the names of all fields, without what is said about them."""
    return {name: fields(inner) for name, inner in schema.get("properties", {}).items()}


def test_every_value_has_one_type_and_no_default() -> None:
    for node in nodes(SCHEMA):
        union = node.get("x-kubernetes-int-or-string", False)
        assert isinstance(node.get("type"), str) != union, node
        assert set(node) <= KEYWORDS
        if union:
            assert node["anyOf"] == [{"type": "integer"}, {"type": "string"}]


def test_alternatives_have_no_types_of_their_own() -> None:
    for node in nodes(SCHEMA):
        inner = [node["not"]] if "not" in node else []
        if "x-kubernetes-int-or-string" not in node:
            inner += node.get("anyOf", [])
        assert all(each.keys() <= {"enum", "minimum", "maximum", "pattern"} for each in inner)


def test_a_mapping_has_fields_or_values_and_never_both() -> None:
    for node in nodes(SCHEMA):
        assert not {"properties", "additionalProperties"} <= node.keys()
        assert node.get("additionalProperties") is not False


def test_patterns_are_those_of_re2() -> None:
    patterns = [node["pattern"] for node in nodes(SCHEMA) if "pattern" in node]

    assert patterns != []
    for pattern in patterns:
        re.compile(pattern)
        assert not re.search(r"\(\?[=!<]|\\[1-9]|\\u", pattern), pattern


def test_the_spec_has_the_fields_of_the_json_schema() -> None:
    spec = json_schema()["properties"]["spec"]

    assert fields(SCHEMA["properties"]["spec"]) == fields(spec)


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        (("weight",), {"type": "integer", "minimum": 0, "maximum": 2**31 - 1}),
        (("exposeName",), {"type": "string", "maxLength": 253}),
        (("healthCheck", "scheme"), {"type": "string", "enum": ["http", "https", ""]}),
        (("healthCheck", "mode"), {"type": "string", "enum": ["", "grpc", "http"]}),
        (
            ("healthCheck", "status"),
            {"type": "integer", "anyOf": [{"enum": [0]}, {"minimum": 100, "maximum": 599}]},
        ),
        (("healthCheck", "interval"), {"x-kubernetes-int-or-string": True, "minimum": 0}),
    ],
)
def test_limits_and_choices_are_kept(path: tuple[str, ...], expected: dict[str, Any]) -> None:
    node = SCHEMA["properties"]["spec"]
    for name in path:
        node = node["properties"][name]

    assert expected.items() <= node.items()


def test_further_modes_can_be_named() -> None:
    definition = custom_resource_definition(["mysql", "http"])
    [version] = definition["spec"]["versions"]
    spec = version["schema"]["openAPIV3Schema"]["properties"]["spec"]["properties"]

    assert spec["healthCheck"]["properties"]["mode"]["enum"] == ["", "grpc", "http", "mysql"]


def test_names_belong_together() -> None:
    spec = DEFINITION["spec"]

    assert DEFINITION["metadata"]["name"] == f"{spec['names']['plural']}.{spec['group']}"
    assert (VERSION["served"], VERSION["storage"], spec["scope"]) == (True, True, "Namespaced")
