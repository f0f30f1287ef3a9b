from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

Run = Callable[..., Any]

UPLINK = """\
apiVersion: hub.traefik.io/v1alpha1
kind: Uplink
metadata: {name: NAME, namespace: apps}
spec: {weight: -1}
"""


def write(folder: Path, name: str = "api", *, above: str = "") -> Path:
    file = folder / f"{name}.yaml"
    file.write_text(above + UPLINK.replace("NAME", name))
    return file


def test_known_findings_do_not_count_and_new_ones_do(run: Run, tmp_path: Path) -> None:
    write(tmp_path)
    baseline = str(tmp_path / "known.base")
    written = run("check", str(tmp_path), "--write-baseline", baseline)
    known = run("check", str(tmp_path), "--baseline", baseline)
    write(tmp_path, "web")
    new = run("check", str(tmp_path), "--baseline", baseline)

    assert (written.status, written.out) == (0, "")
    assert written.err == f"1 finding written to {baseline}\n"
    assert (known.status, known.out) == (
        0,
        "1 uplink, 1 document: no findings (1 in the baseline)\n",
    )
    assert new.status == 1
    assert "web.yaml:4:16: error UPL103" in new.out
    assert "api.yaml" not in new.out


def test_a_finding_is_known_wherever_it_moves(run: Run, tmp_path: Path) -> None:
    write(tmp_path)
    baseline = str(tmp_path / "known.base")
    run("check", str(tmp_path), "--write-baseline", baseline)

    write(tmp_path, above="# a comment\n\n---\n---\n")

    assert run("check", str(tmp_path), "--baseline", baseline).status == 0


def test_a_position_in_a_list_does_not_matter(run: Run, tmp_path: Path) -> None:
    file = tmp_path / "list.yaml"
    items = [
        {
            "apiVersion": "hub.traefik.io/v1alpha1",
            "kind": "Uplink",
            "metadata": {"name": name, "namespace": "apps"},
            "spec": {"weight": weight},
        }
        for name, weight in (("a", 1), ("b", -1))
    ]
    file.write_text(json.dumps({"kind": "List", "items": items[1:]}))
    baseline = str(tmp_path / "known.base")
    run("check", str(file), "--write-baseline", baseline)

    file.write_text(json.dumps({"kind": "List", "items": items}))

    assert run("check", str(file), "--baseline", baseline).status == 0


def test_it_does_not_matter_from_where_the_command_runs(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(tmp_path)
    monkeypatch.chdir(tmp_path)
    run("check", "api.yaml", "--write-baseline", "known.json")

    monkeypatch.chdir(tmp_path.parent)
    name = tmp_path.name
    ran = run("check", f"./{name}/api.yaml", "--baseline", f"{name}/known.json")

    assert ran.status == 0
    entries = json.loads((tmp_path / "known.json").read_text())["findings"]
    assert [entry["file"] for entry in entries] == ["api.yaml"]


def test_of_equal_findings_as_many_are_known_as_there_were(run: Run, tmp_path: Path) -> None:
    file = tmp_path / "a.yaml"
    baseline = str(tmp_path / "known.base")
    file.write_text("kind: ConfigMap\napiVersion: v1\nitems: [*x]\n")
    run("check", str(file), "--write-baseline", baseline)

    file.write_text("kind: ConfigMap\napiVersion: v1\nitems: [*x, *y]\n")
    ran = run("check", str(file), "--baseline", baseline, "--format=json")

    data = json.loads(ran.out)
    assert (data["summary"]["error"], data["summary"]["baseline"]) == (1, 1)


def test_findings_that_are_gone_are_counted(run: Run, tmp_path: Path) -> None:
    file = write(tmp_path)
    baseline = str(tmp_path / "known.base")
    run("check", str(file), "--write-baseline", baseline)
    file.write_text(UPLINK.replace("NAME", "api").replace("-1", "1"))

    ran = run("check", str(file), "--baseline", baseline)

    assert ran.status == 0
    assert ran.out.endswith("1 finding of the baseline is gone; write it again\n")


def test_input_that_cannot_be_opened_is_never_known(run: Run, tmp_path: Path) -> None:
    baseline = str(tmp_path / "known.base")

    written = run("check", str(tmp_path / "nowhere"), "--write-baseline", baseline)
    ran = run("check", str(tmp_path / "nowhere"), "--baseline", baseline)

    assert (written.status, ran.status) == (2, 2)
    assert json.loads(Path(baseline).read_text())["findings"] == []


def test_the_configuration_may_name_the_baseline(run: Run, tmp_path: Path) -> None:
    write(tmp_path)
    (tmp_path / "uplinks.toml").write_text('baseline = "known.base"\n')
    run("check", str(tmp_path), "--write-baseline", str(tmp_path / "known.base"))

    assert run("check", str(tmp_path)).status == 0


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (None, "no such baseline; --write-baseline"),
        ("{", "not a baseline of version 1"),
        ("[]", "not a baseline of version 1"),
        ('{"version": 2, "findings": []}', "not a baseline of version 1"),
        ('{"version": 1, "findings": [1]}', "not a baseline of version 1"),
        ('{"version": 1, "findings": [{"fingerprint": []}]}', "not a baseline of version 1"),
        ("[" * 100_000, "not a baseline of version 1"),
    ],
)
def test_a_file_that_is_no_baseline_is_bad_usage(
    run: Run, tmp_path: Path, content: str | None, problem: str
) -> None:
    baseline = tmp_path / "known.json"
    if content is not None:
        baseline.write_text(content)

    ran = run("check", "examples/banking", "--baseline", str(baseline))

    assert (ran.status, ran.out) == (2, "")
    assert f"{baseline}: {problem}" in ran.err
