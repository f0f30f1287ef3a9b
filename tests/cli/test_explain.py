from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from uplinks import rules

Run = Callable[..., Any]


def test_a_page_is_readable_in_a_terminal(run: Run) -> None:
    ran = run("explain", "upl301")
    lines = ran.out.splitlines()

    assert ran.status == 0
    assert lines[0] == "UPL301: entry-points-with-uplinks"
    assert {"What it checks", "Why", "Bad", "Good", "Source"} <= set(lines)
    assert "    metadata:" in lines
    assert not any(line.startswith(("#", "```")) for line in lines)


def test_several_pages_follow_one_another(run: Run) -> None:
    out = run("explain", "UPL301", "UPL302").out

    assert out == run("explain", "UPL301").out + "\n" + run("explain", "UPL302").out


def test_without_a_code_all_are_listed(run: Run) -> None:
    heading, *rows = run("explain").out.splitlines()

    assert heading.split() == ["CODE", "SEVERITY", "WHAT"]
    assert [row.split()[0] for row in rows] == list(rules.codes())
    assert all(rules.find(row.split()[0]).severity.value == row.split()[1] for row in rows)


@pytest.mark.parametrize(
    ("code", "hint"),
    [("UPL3O1", "; did you mean UPL301?"), ("upl31", "; did you mean UPL301?"), ("nonsense", "")],
)
def test_an_unknown_code_is_bad_usage(run: Run, code: str, hint: str) -> None:
    ran = run("explain", "UPL301", code)

    assert (ran.status, ran.out) == (2, "")
    assert ran.err.startswith(f"uplinks: error: unknown code {code!r}")
    assert hint in ran.err


def test_the_catalogue_is_data_too(run: Run) -> None:
    everything = json.loads(run("explain", "--format=json").out)
    one = json.loads(run("explain", "UPL407", "--format=json").out)

    assert everything["version"] == one["version"] == 1
    assert [entry["code"] for entry in everything["codes"]] == list(rules.codes())
    assert everything["retired"] == list(rules.RETIRED)
    assert one["codes"] == [
        {
            "code": "UPL407",
            "name": "unlisted-child",
            "severity": rules.find("UPL407").severity.value,
            "family": "fleet",
            "needs": "fleet",
            "summary": rules.find("UPL407").summary,
            "page": rules.find("UPL407").page,
        }
    ]
