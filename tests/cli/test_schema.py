from __future__ import annotations

import json
from typing import Any

from uplinks.schema import json_schema
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
