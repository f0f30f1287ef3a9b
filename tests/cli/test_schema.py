from __future__ import annotations

import json
from typing import Any

from uplinks.schema import json_schema


def test_it_writes_the_schema(run: Any) -> None:
    ran = run("schema")

    assert (ran.status, ran.err) == (0, "")
    assert json.loads(ran.out) == json_schema()


def test_it_takes_no_arguments(run: Any) -> None:
    assert run("schema", "uplink").status == 2
