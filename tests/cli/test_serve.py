"""``uplinks serve``: bad usage, and the parent as a process."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import urllib.request
from pathlib import Path
from typing import Any

import pytest

UPLINK = """\
hub:
  uplinkEntryPoints:
    up: {{address: "127.0.0.1:9443", asDefault: true}}
  providers: {{multicluster: {{}}}}
---
apiVersion: hub.traefik.io/v1alpha1
kind: Uplink
metadata: {{name: api, namespace: apps}}
spec: {{weight: {weight}}}
"""


@pytest.fixture
def fleet(tmp_path: Path) -> Path:
    (tmp_path / "parent").mkdir()
    children = {"eu": {"address": "https://192.0.2.1:9443"}}
    parent = {"hub": {"providers": {"multicluster": {"children": children}}}}
    (tmp_path / "parent" / "parent.json").write_text(json.dumps(parent), "utf-8")
    (tmp_path / "children" / "eu").mkdir(parents=True)
    (tmp_path / "children" / "eu" / "eu.yaml").write_text(UPLINK.format(weight=5), "utf-8")
    return tmp_path


# --- bad usage --------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--child", "eu"], "must be NAME=VALUE, got 'eu'"),
        (["--grace", "1d"], "argument --grace: invalid duration '1d'"),
        (["--patience=-1s"], "must not be negative, got -1s"),
        (["--listen", "0.0.0.0:0"], "0.0.0.0 is not a loopback address"),
        (["--token-file", "no/such/file"], "cannot use the token of no/such/file"),
        (["--uplink-header", "X Uplink"], "invalid uplink header 'X Uplink'"),
        (["--child", "mars=folder:."], "the parent lists no child 'mars'"),
        (["--child-token-file", "mars=a"], "the parent lists no child 'mars'"),
        (["--child", "eu=ftp://eu"], "invalid source 'ftp://eu'"),
    ],
)
def test_bad_usage(run: Any, fleet: Path, arguments: list[str], message: str) -> None:
    ran = run("serve", str(fleet), *arguments)

    assert (ran.status, ran.out) == (2, "")
    assert message in ran.err.replace("\n", " ")


def test_a_parent_without_a_list_of_children(run: Any, fleet: Path) -> None:
    ran = run("serve", str(fleet / "children" / "eu" / "eu.yaml"))

    assert (ran.status, ran.out) == (2, "")
    assert ran.err.endswith("hub.providers.multicluster.children is missing\n")


def test_a_parent_with_errors_is_not_started(run: Any, fleet: Path) -> None:
    path = fleet / "parent" / "parent.json"
    path.write_text(path.read_text("utf-8").replace("https://", ""), "utf-8")

    ran = run("serve", str(fleet))

    assert (ran.status, ran.out) == (1, "")
    assert "error UPL406" in ran.err


def test_a_path_that_is_not_there(run: Any) -> None:
    ran = run("serve", "no/such/folder")

    assert (ran.status, ran.out) == (2, "")
    assert "UPL012" in ran.err


# --- the process ------------------------------------------------------------


def get(url: str) -> str:
    with urllib.request.urlopen(url, timeout=30) as answer:  # noqa: S310 - on the loopback
        text: str = answer.read().decode()
        return text


def test_a_process_follows_files_and_signals(fleet: Path) -> None:
    process = subprocess.Popen(
        [
            *(sys.executable, "-m", "uplinks", "serve", str(fleet)),
            *("--listen", "127.0.0.1:0", "--drain", "0s"),
        ],
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stderr is not None
    records: list[Any] = []
    try:
        while not records or records[-1]["message"] != "ready":
            records.append(json.loads(process.stderr.readline()))
        (address,) = next(r["addresses"] for r in records if r["message"] == "listening")
        url = f"http://127.0.0.1:{address[1]}"

        def weight() -> int:
            services = json.loads(get(f"{url}/traefik"))["http"]["services"]
            value: int = services["apps-api"]["weighted"]["services"][0]["weight"]
            return value

        assert weight() == 5
        (fleet / "children" / "eu" / "eu.yaml").write_text(UPLINK.format(weight=7), "utf-8")
        while weight() != 7:
            pass
        # An error has its place, in the log and in the state.
        (fleet / "children" / "eu" / "eu.yaml").write_text(UPLINK.format(weight=-7), "utf-8")
        while "error" not in records[-1]:
            records.append(json.loads(process.stderr.readline()))
        assert "eu.yaml:9:16: error UPL103" in records[-1]["error"]
        assert weight() == 7
        process.send_signal(signal.SIGHUP)
        while records[-1]["message"] != "reading all sources again":
            records.append(json.loads(process.stderr.readline()))
        assert json.loads(get(f"{url}/api/state"))["children"]["eu"]["stale"] is True
        assert get(f"{url}/readyz") == "ready\n"
    finally:
        process.terminate()
        process.communicate()
    assert process.returncode == 0
    assert {"time", "level", "logger", "message"} <= records[0].keys()
