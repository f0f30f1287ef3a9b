from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

Run = Callable[..., Any]

TLS = "examples/snippets/route-invalid-tls.yaml"
ENTRY_POINTS = "examples/snippets/route-invalid-entrypoints.yaml"


@pytest.mark.parametrize(
    ("fleet", "read"),
    [
        ("banking", "2 children, 2 uplinks, 8 documents"),
        ("weighted", "2 children, 2 uplinks, 7 documents"),
        ("failover", "2 children, 2 uplinks, 9 documents"),
    ],
)
def test_a_clean_fleet_says_what_was_read(run: Run, fleet: str, read: str) -> None:
    ran = run("check", f"examples/{fleet}")

    assert ran.status == 0
    assert ran.out.splitlines()[-1].startswith(f"{read}: ")
    assert "error" not in ran.out
    assert ran.err == ""


@pytest.mark.parametrize(
    ("file", "place", "code"),
    [(TLS, "16:3", "UPL302"), (ENTRY_POINTS, "10:3", "UPL301")],
)
def test_an_invalid_router_is_found_where_it_is_written(
    run: Run, file: str, place: str, code: str
) -> None:
    ran = run("check", file)

    assert ran.status == 1
    assert f"{file}:{place}: error {code}: " in ran.out


def test_findings_as_data_say_the_same(run: Run) -> None:
    text, data = run("check", TLS), run("check", TLS, "--format", "json")

    assert text.status == data.status == 1
    findings = json.loads(data.out)
    assert findings["ok"] is False
    assert findings["read"] == {"children": 0, "uplinks": 0, "documents": 1}
    lines = [line for line in text.out.splitlines()[:-1] if not line.startswith("  ")]
    assert lines == [
        f"{f['file']}:{f['line']}:{f['column']}: {f['severity']} {f['code']}: {f['message']}"
        for f in findings["findings"]
    ]


def test_several_places_are_checked_together(run: Run) -> None:
    ran = run("check", TLS, ENTRY_POINTS, "examples/banking")

    assert ran.status == 1
    assert f"{TLS}:16:3:" in ran.out
    assert f"{ENTRY_POINTS}:10:3:" in ran.out
    assert "2 children, 2 uplinks, 10 documents: 2 errors" in ran.out.splitlines()[-1]


def test_a_stream_is_one_cluster(run: Run) -> None:
    ran = run("check", "-", stdin=Path(TLS).read_bytes())

    assert ran.status == 1
    assert "<stdin>:16:3: error UPL302: " in ran.out


def test_an_empty_stream_is_a_finding(run: Run) -> None:
    ran = run("check", "-")

    assert ran.status == 1
    assert "<stdin>:1:1: error UPL011: nothing found" in ran.out


def test_a_fleet_may_be_in_several_places(run: Run) -> None:
    ran = run(
        "check",
        "--parent=examples/banking/parent",
        "--child=child-1=examples/banking/children/child-1",
        "--child=child-2=examples/banking/children/child-2",
    )

    assert ran.status == 0
    assert ran.out.startswith("2 children, 2 uplinks, 8 documents: ")


def test_what_could_not_be_read_weighs_most(run: Run) -> None:
    for arguments in ((), ("--format", "json")):
        assert run("check", TLS, "no/such.yaml", *arguments).status == 2


def test_related_places_stand_below(run: Run, tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text("hub: {uplinkEntryPoints: {}}\n", encoding="utf-8")
    (tmp_path / "b.yaml").write_text("hub: {uplinkEntryPoints: {}}\n", encoding="utf-8")

    ran = run("check", str(tmp_path))

    assert ran.status == 1
    first, second, summary = ran.out.splitlines()
    assert first.startswith(f"{tmp_path}/b.yaml:1:1: error UPL010: ")
    assert second == f"  see: {tmp_path}/a.yaml:1:1: declared here first"
    assert summary == "0 uplinks, 2 documents: 1 error"


BANKING = Path("examples/banking")


def test_the_parent_or_one_child_may_come_from_standard_input(run: Run) -> None:
    child = BANKING / "children" / "child-2"
    text = b"---\n".join(path.read_bytes() for path in sorted(child.glob("*.yaml")))
    others = (f"--parent={BANKING}/parent", f"--child=child-1={BANKING}/children/child-1")

    ran = run("check", *others, "--child=child-2=-", stdin=text)

    assert ran.status == 0
    assert ran.out.startswith("2 children, 2 uplinks, 8 documents: ")


def test_a_parent_from_standard_input_is_called_so(run: Run) -> None:
    ran = run("check", "--parent=-", f"--child=child-1={BANKING}/children/child-1")

    assert "<stdin>:1:1: error UPL011: nothing found" in ran.out


def test_a_folder_of_fleets_names_them(run: Run) -> None:
    for command in (("check",), ("materialize",), ("simulate", "--service=x")):
        ran = run(*command, "examples")

        assert (ran.status, ran.out) == (2, "")
        assert "examples is a folder of fleets" in ran.err
        assert "examples/banking, examples/failover, examples/weighted" in ran.err


def test_of_many_fleets_some_are_named(run: Run, tmp_path: Path) -> None:
    for number in range(12):
        for side in ("parent", "children"):
            (tmp_path / f"{number:02}" / side).mkdir(parents=True)

    assert run("check", str(tmp_path)).err.endswith("/09 and 2 more\n")


@pytest.mark.parametrize("hub", ["5", "null"])
def test_a_configuration_that_says_nothing_is_a_document(run: Run, hub: str) -> None:
    ran = run("check", "-", stdin=f"hub: {hub}\n".encode())

    assert "0 uplinks, 1 document: " in ran.out
