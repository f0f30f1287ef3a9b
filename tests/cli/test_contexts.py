from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from tests.adapters.sources.api_servers import page, served, status, uplink

CHECK = {"path": "/health", "interval": "10s", "timeout": "3s"}
STATIC = "hub: {uplinkEntryPoints: {up: {address: ':1'}}, providers: {multicluster: {}}}"


@pytest.fixture(autouse=True)
def _kubeconfig(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("KUBECONFIG", str(tmp_path / "kubeconfig"))


def test_children_of_contexts_are_checked_as_a_fleet_without_a_parent(
    run: Any, tmp_path: Path
) -> None:
    with served(tmp_path, uplinks=page(uplink("a", healthCheck=CHECK))):
        ran = run("check", "--context", "eu", "--context", "us=eu")

    # The script has one answer: the other list of uplinks is empty.
    assert (ran.status, ran.err) == (2, "")
    assert "context:eu:1:1: error UPL011: nothing found: it has no Uplink, no" in ran.out
    assert ran.out.splitlines()[-1] == "2 children, 1 uplink, 1 document: 1 error, 1 info"


def test_a_finding_shows_the_line_of_the_object(run: Any, tmp_path: Path) -> None:
    with served(tmp_path, uplinks=page(uplink("a", weight=-1))):
        ran = run("check", "--context", "eu")

    assert ran.status == 1
    assert ran.out.splitlines()[:4] == [
        (
            "eu/apps/Uplink/a:9:15: error UPL103: spec.weight of uplink apps/a must be an integer "
            "between 0 and 2147483647, got -1"
        ),
        "    |",
        '  9 |     "weight": -1',
        "    |               ^^",
    ]


def test_a_context_adds_its_objects_to_the_files_of_its_child_and_of_the_parent(
    run: Any, tmp_path: Path
) -> None:
    child, parent = tmp_path / "child.yaml", tmp_path / "parent.yaml"
    child.write_text(STATIC)
    address = {"eu": {"address": "https://eu.example.com"}}
    hub = {"providers": {"multicluster": {"children": address}}}
    parent.write_text(json.dumps({"hub": hub}))
    options = ["--child", f"eu={child}", "--context", "eu", "--parent", str(parent)]

    with served(tmp_path, uplinks=page(uplink("a", entryPoints=["other"]))):
        ran = run("check", *options, "--parent-context", "eu", "--format", "json")

    found = json.loads(ran.out)["findings"]
    assert [(each["code"], each["file"]) for each in found] == [("UPL108", "eu/apps/Uplink/a")]


def test_a_kind_that_may_not_be_read_makes_the_input_unreadable(run: Any, tmp_path: Path) -> None:
    answers = {"uplinks": page(uplink("a")), "traefikservices": status(403, "not for you")}
    with served(tmp_path, **answers):
        ran = run("check", "--context", "eu")

    assert ran.status == 2
    assert ran.out.splitlines()[0] == (
        "eu/TraefikService:1:1: warning UPL012: cannot be read: not for you; allow the verbs list "
        "and watch on traefikservices.traefik.io"
    )


def test_simulate_takes_contexts(run: Any, tmp_path: Path) -> None:
    service = ["--service", "apps-a@multicluster", "--duration", "1m", "--format", "json"]
    with served(tmp_path, uplinks=page(uplink("a", healthCheck=CHECK))):
        ran = run("simulate", "--context", "eu", *service)

    assert (ran.status, ran.err) == (0, "")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--context", "eu", "--context", "eu"], "two children have the name eu"),
        (["folder", "--context", "eu"], "FLEET cannot be combined with --parent, --child and"),
        (["--context", ""], "must be CONTEXT or NAME=CONTEXT, got ''"),
        (["--context", "eu="], "must be CONTEXT or NAME=CONTEXT, got 'eu='"),
        (["--context", "=eu"], "must be CONTEXT or NAME=CONTEXT, got '=eu'"),
        (["--context", "eu", "--fix"], "--fix and --diff edit files"),
    ],
)
def test_contradictions_are_bad_usage(run: Any, options: list[str], message: str) -> None:
    ran = run("check", *options)

    assert ran.status == 2
    assert message in ran.err


def test_a_name_may_differ_from_its_context(run: Any, tmp_path: Path) -> None:
    with served(tmp_path, uplinks=page(uplink("a", weight=-1))):
        ran = run("check", "--context", "europe=eu", "--format", "json")

    [finding] = json.loads(ran.out)["findings"]
    assert (finding["cluster"], finding["file"]) == ("europe", "eu/apps/Uplink/a")


def test_without_the_extra_the_command_says_what_to_install(
    run: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    import sys

    for name in list(sys.modules):
        if name.startswith(("lightkube", "uplinks.adapters.sources.")):
            monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "lightkube", None)
    ran = run("check", "--context", "eu")

    assert (ran.status, ran.out) == (2, "")
    assert "pip install 'uplinks[kubernetes]'" in ran.err
