from __future__ import annotations

import json
from typing import Any

from uplinks.adapters import plugins
from uplinks.manifest import read
from uplinks.schema import custom_resource_definition, json_schema
from uplinks.schema.advertisements import advertisement_schema


def test_it_writes_the_schema(run: Any) -> None:
    ran = run("schema")

    assert (ran.status, ran.err) == (0, "")
    assert json.loads(ran.out) == json_schema()


def test_it_writes_the_schema_of_a_child_s_document(run: Any) -> None:
    ran = run("schema", "--advertisement")

    assert (ran.status, ran.err) == (0, "")
    assert json.loads(ran.out) == advertisement_schema()


def test_it_takes_no_arguments(run: Any) -> None:
    assert run("schema", "uplink").status == 2


def test_it_writes_the_definition_with_the_modes_of_installed_probers(run: Any) -> None:
    ran = run("schema", "--crd")

    assert (ran.status, ran.err) == (0, "")
    [document] = read(ran.out).documents
    assert document.root == custom_resource_definition(plugins.modes())
    assert set(plugins.modes()) >= {"grpc", "http"}


def test_one_schema_is_written_at_a_time(run: Any) -> None:
    ran = run("schema", "--crd", "--advertisement")

    assert ran.status == 2
    assert "not allowed with argument" in ran.err
