"""Log records as JSON lines."""

from __future__ import annotations

import json
import logging
from typing import Any

from uplinks.serve.logs import JsonFormatter


def formatted(message: str, *args: object, **fields: Any) -> dict[str, Any]:
    record = logging.makeLogRecord(
        {"msg": message, "args": args, "name": "uplinks", "created": 1.5, "levelname": "INFO"}
        | fields
    )
    line = JsonFormatter().format(record)
    assert "\n" not in line
    read: dict[str, Any] = json.loads(line)
    return read


def test_a_record_is_one_line_with_its_fields() -> None:
    assert formatted("%s is\n%s", "eu", "down", url="http://eu") == {
        "time": "1970-01-01T00:00:01.500Z",
        "level": "info",
        "logger": "uplinks",
        "message": "eu is\ndown",
        "url": "http://eu",
    }


def test_of_a_long_list_the_first_items_and_the_number_are_written() -> None:
    read = formatted("down", services=tuple(f"s{i}" for i in range(50_000)))

    assert (len(read["services"]), read["services_count"]) == (10, 50_000)


def test_an_exception_is_a_field() -> None:
    defect = ValueError("a defect")

    read = formatted("failed", exc_info=(ValueError, defect, None))

    assert read["traceback"] == "ValueError: a defect"


def test_values_that_json_does_not_know_are_strings() -> None:
    assert formatted("x", where={1})["where"] == "{1}"
