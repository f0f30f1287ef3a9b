"""The JSON Schema of an Uplink: what the CRD says, and what editors need."""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft7Validator

from uplinks import manifest
from uplinks.schema import json_schema

SCHEMA = json_schema()
VALIDATOR = Draft7Validator(SCHEMA)
EXAMPLES = Path(__file__).parent.parent / "examples"


def uplink(spec: Any = None, **metadata: Any) -> dict[str, Any]:
    tree: dict[str, Any] = {
        "apiVersion": "hub.traefik.io/v1alpha1",
        "kind": "Uplink",
        "metadata": {"name": "my-uplink", "namespace": "default"} | metadata,
    }
    return tree if spec is None else tree | {"spec": spec}


def subschemas(node: Any, path: str = "") -> Iterator[tuple[str, dict[str, Any]]]:
    for name, inner in node.get("properties", {}).items():
        yield f"{path}.{name}", inner
        yield from subschemas(inner, f"{path}.{name}")


def test_it_is_a_valid_schema_of_plain_values() -> None:
    Draft7Validator.check_schema(SCHEMA)
    assert json.loads(json.dumps(SCHEMA)) == SCHEMA
    assert json_schema() is not SCHEMA


FULL = {
    "exposeName": "my-uplink",
    "entryPoints": ["uplink"],
    "weight": 10,
    "healthCheck": {
        "path": "/health", "scheme": "https", "mode": "http", "method": "GET", "status": 200,
        "port": 443, "interval": "10s", "unhealthyInterval": 5, "timeout": "3s",
        "hostname": "api.example.com", "followRedirects": False, "headers": {"X-A": "b"},
    },
    "passiveHealthCheck": {"failureWindow": "10s", "maxFailedAttempts": 3},
}  # fmt: skip


@pytest.mark.parametrize(
    "tree",
    [
        uplink(),
        uplink(FULL),
        uplink({"exposeName": "default-my-uplink"}),
        uplink({"entryPoints": ["uplink", "internal"]}),
        uplink({"weight": 0}),
        uplink(namespace=None),
        uplink(namespace=""),
        {**uplink(), "metadata": {"name": "my-uplink"}},
        uplink({"healthCheck": {"headers": {"A": None}}}, annotations={"a": None}),
        uplink({"healthCheck": {"path": "/health"}}),
        uplink({"passiveHealthCheck": {"maxFailedAttempts": 3}}),
        *(uplink({"exposeName": name}) for name in ["a..b", "a--b", "a", "0", "a" * 253]),
        # What Go clients write for fields that nobody has set.
        uplink(
            {
                "weight": None,
                "healthCheck": {"interval": 0, "timeout": 0, "status": 0, "port": 0},
                "passiveHealthCheck": {"failureWindow": 0, "maxFailedAttempts": 0},
            },
            creationTimestamp=None,
            labels={"a": "b"},
        )
        | {"status": {"conditions": []}},
        *(
            uplink({"healthCheck": {"interval": text}})
            for text in [
                "1m30s",
                "1.5s",
                ".5s",
                "1.h",
                "500ms",
                "1us",
                "1µs",
                "1μs",
                "30",
                "+5",
                "-0",
            ]
        ),
    ],
)
def test_it_accepts_what_the_crd_accepts(tree: Any) -> None:
    assert list(VALIDATOR.iter_errors(tree)) == []


@pytest.mark.parametrize(
    ("tree", "where"),
    [
        (uplink(namespace="Apps"), "metadata.namespace"),
        ({**uplink(), "metadata": {"namespace": "apps"}}, "metadata"),
        (uplink(name=""), "metadata.name"),
        (uplink(name=".non-dns"), "metadata.name"),
        (uplink(name="a" * 72), "metadata.name"),
        (uplink({"weight": -1}), "spec.weight"),
        (uplink({"weight": True}), "spec.weight"),
        (uplink({"weight": "10"}), "spec.weight"),
        (uplink({"wieght": 10}), "spec"),
        (uplink({"sticky": {}}), "spec"),
        (uplink({"entryPoints": "uplink"}), "spec.entryPoints"),
        (uplink({"entryPoints": [None]}), "spec.entryPoints.0"),
        (uplink({"healthCheck": {"headers": {"A": "b\nC: d"}}}), "spec.healthCheck.headers.A"),
        (uplink({"healthCheck": {"headers": {"A b": "c"}}}), "spec.healthCheck.headers"),
        (uplink({"healthCheck": {"path": "//evil/x"}}), "spec.healthCheck.path"),
        (uplink({"healthCheck": {"path": "/x\n"}}), "spec.healthCheck.path"),
        (uplink({"healthCheck": {"status": 99}}), "spec.healthCheck.status"),
        (uplink({"healthCheck": {"port": 65536}}), "spec.healthCheck.port"),
        (uplink({"healthCheck": {"scheme": "h2c"}}), "spec.healthCheck.scheme"),
        *(
            (uplink({"exposeName": name}), "spec.exposeName")
            for name in ["A", "-a", "a-", "a_b", "a`) || Path(`", "a" * 254, "", "a\n"]
        ),
        *(
            (uplink({"healthCheck": {"interval": text}}), "spec.healthCheck.interval")
            for text in ["1d", "", "1.5", "10 s", "-1s", "s", ".s", "1s\n", -1, 1.5, 2**63, "1s1"]
        ),
    ],
)
def test_it_refuses_what_the_crd_refuses_and_more(tree: Any, where: str) -> None:
    assert where in {".".join(map(str, e.absolute_path)) for e in VALIDATOR.iter_errors(tree)}


def test_every_field_of_the_spec_is_described_for_editors() -> None:
    fields = dict(subschemas(SCHEMA["properties"]["spec"]))

    assert len(fields) == 19
    assert [path for path, field in fields.items() if len(field.get("description", "")) < 10] == []
    defaults = {path: field["default"] for path, field in fields.items() if "default" in field}
    assert defaults == {
        ".weight": 1,
        ".healthCheck.mode": "http",
        ".healthCheck.method": "GET",
        ".healthCheck.status": 200,
        ".healthCheck.interval": "30s",
        ".healthCheck.timeout": "5s",
        ".healthCheck.followRedirects": True,
        ".passiveHealthCheck.failureWindow": "10s",
        ".passiveHealthCheck.maxFailedAttempts": 1,
    }


@pytest.mark.parametrize("path", [p for p, field in subschemas(SCHEMA) if "examples" in field])
def test_its_own_examples_are_valid(path: str) -> None:
    field = dict(subschemas(SCHEMA))[path]

    for example in field["examples"]:
        assert list(Draft7Validator(field).iter_errors(example)) == []
    if "default" in field:
        assert list(Draft7Validator(field).iter_errors(field["default"])) == []


def test_the_uplinks_of_the_examples_are_valid() -> None:
    roots = [
        document.root
        for path in sorted(EXAMPLES.rglob("*.yaml"))
        for document in manifest.read(path.read_bytes()).documents
    ]
    found = [root for root in roots if root.get("kind") == "Uplink"]

    assert len(found) == 10
    assert [e.message for root in found for e in VALIDATOR.iter_errors(copy.deepcopy(root))] == []


def test_it_names_no_host_but_the_one_of_its_dialect() -> None:
    text = json.dumps({**SCHEMA, "$schema": ""})

    assert "://" not in text
    assert SCHEMA["$id"].startswith("urn:")
