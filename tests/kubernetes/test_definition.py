"""The definition of an Uplink, as a real API server applies it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from jsonschema import Draft7Validator
from tests.kubernetes.server import DEFINITIONS, UPLINKS, ApiServer
from tests.laws.test_json_schema_laws import documents

from uplinks.manifest import read
from uplinks.schema import json_schema

ROOT = Path(__file__).parent.parent.parent
VALIDATOR = Draft7Validator(json_schema())
MODES = {None, "", "http", "grpc"}
HEADERS = ("spec", "healthCheck", "headers")


def dry_run(server: ApiServer, tree: Any, *, strict: bool = False) -> tuple[int, Any]:
    query = "?dryRun=All" + ("&fieldValidation=Strict" if strict else "")
    status, answer = server.call("POST", UPLINKS + query, tree)
    return status, answer if status == 201 else answer["message"]


def uplink(**spec: Any) -> dict[str, Any]:
    kind = {"apiVersion": "hub.traefik.io/v1alpha1", "kind": "Uplink"}
    return {**kind, "metadata": {"name": "a"}, "spec": spec}


def test_it_is_structural_and_established(server: ApiServer) -> None:
    _, definition = server.call("GET", f"{DEFINITIONS}/uplinks.hub.traefik.io")

    conditions = {each["type"]: each["status"] for each in definition["status"]["conditions"]}
    # A schema that is not structural would be a condition of its own.
    assert conditions == {"NamesAccepted": "True", "Established": "True"}


def test_it_accepts_every_uplink_of_the_examples(server: ApiServer) -> None:
    texts = [path.read_bytes() for path in sorted((ROOT / "examples").rglob("*.yaml"))]
    roots = [document.root for text in texts for document in read(text).documents]
    uplinks = [root for root in roots if isinstance(root, dict) and root.get("kind") == "Uplink"]
    for each in uplinks:
        each["metadata"]["namespace"] = "apps"

    assert {dry_run(server, each, strict=True)[0] for each in uplinks} == {201}
    assert len(uplinks) > 5


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(tree=documents())
def test_it_accepts_what_the_json_schema_accepts_and_stores_nothing_else(
    server: ApiServer, tree: dict[str, Any]
) -> None:
    metadata = tree.get("metadata")
    if isinstance(metadata, dict):
        # Kubernetes has rules of its own about these.
        metadata.pop("annotations", None)
        metadata["namespace"] = "apps"
    valid = VALIDATOR.is_valid(tree)
    check = (tree.get("spec") or {}).get("healthCheck") if valid else None
    known = not isinstance(check, dict) or check.get("mode") in MODES

    status, answer = dry_run(server, tree)
    if valid and known:
        assert status == 201, answer
    if status == 201:
        problems = [tuple(error.absolute_path) for error in VALIDATOR.iter_errors(answer)]
        assert set(problems) <= {HEADERS}


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        ({"weight": -1}, "spec.weight: Invalid value: -1"),
        ({"weight": 2**31}, "spec.weight: Invalid value: 2147483648"),
        ({"weight": "1"}, 'spec.weight: Invalid value: "string"'),
        ({"exposeName": "A"}, 'spec.exposeName: Invalid value: "A"'),
        ({"healthCheck": {"interval": "1d"}}, 'spec.healthCheck.interval: Invalid value: "1d"'),
        ({"healthCheck": {"interval": -1}}, "spec.healthCheck.interval: Invalid value: -1"),
        ({"healthCheck": {"path": "x"}}, 'spec.healthCheck.path: Invalid value: "x"'),
        ({"healthCheck": {"scheme": "h2c"}}, "spec.healthCheck.scheme: Unsupported value"),
        ({"healthCheck": {"mode": "tcp"}}, "spec.healthCheck.mode: Unsupported value"),
        (
            {"healthCheck": {"status": 99}},
            '"spec.healthCheck.status" must validate at least one schema',
        ),
        ({"healthCheck": {"port": 65536}}, "spec.healthCheck.port: Invalid value: 65536"),
        ({"passiveHealthCheck": {"maxFailedAttempts": -1}}, "maxFailedAttempts: Invalid value: -1"),
    ],
)
def test_it_refuses_what_a_check_refuses(server: ApiServer, spec: Any, message: str) -> None:
    status, answer = dry_run(server, uplink(**spec))

    assert status == 422
    assert message in answer


def test_nothing_is_added_and_null_is_unset(server: ApiServer) -> None:
    check = {"path": "/health", "interval": 10, "timeout": "3s", "status": None}
    _, stored = dry_run(server, uplink(weight=None, healthCheck=check, wieght=5))

    assert stored["spec"] == {"healthCheck": {"path": "/health", "interval": 10, "timeout": "3s"}}


def test_an_unknown_field_is_refused_where_the_client_asks_for_it(server: ApiServer) -> None:
    status, answer = dry_run(server, uplink(wieght=5), strict=True)

    assert (status, answer) == (
        400,
        (
            'Uplink in version "v1alpha1" cannot be handled as a Uplink: strict decoding error: '
            'unknown field "spec.wieght"'
        ),
    )


def test_its_columns_show_what_kubectl_prints(server: ApiServer) -> None:
    server.apply("a", weight=9, exposeName="b", healthCheck={"path": "/health"})
    as_table = "application/json;as=Table;v=v1;g=meta.k8s.io"
    _, table = server.call("GET", UPLINKS, accept=as_table)

    names = [column["name"] for column in table["columnDefinitions"]]
    assert names == ["Name", "Expose name", "Weight", "Health path", "Age"]
    assert [row["cells"][:4] for row in table["rows"]] == [["a", "b", 9, "/health"]]
