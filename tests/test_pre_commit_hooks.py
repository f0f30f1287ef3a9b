"""The hook for pre-commit: what it says of itself is so."""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).parent.parent


@pytest.fixture
def hook() -> dict[str, Any]:
    [only] = yaml.safe_load((ROOT / ".pre-commit-hooks.yaml").read_text(encoding="utf-8"))
    assert isinstance(only, dict)
    return only


def test_it_has_what_pre_commit_requires(hook: dict[str, Any]) -> None:
    assert {"id", "name", "entry", "language"} <= set(hook)
    assert hook["language"] == "python"


def test_it_sees_a_fleet_whole(hook: dict[str, Any]) -> None:
    assert hook["pass_filenames"] is False


@pytest.mark.parametrize(
    ("file", "wanted"),
    [
        ("fleet/parent/a.yaml", True),
        ("b.yml", True),
        ("c.json", True),
        ("README.md", False),
        ("yaml", False),
    ],
)
def test_it_runs_for_manifests(hook: dict[str, Any], file: str, wanted: bool) -> None:  # noqa: FBT001
    assert (re.search(hook["files"], file) is not None) is wanted


@pytest.mark.parametrize(
    ("fleet", "status"),
    [("examples/banking", 0), ("tests/cli/broken_fleet", 1), ("no-such-folder", 2)],
)
def test_its_entry_works(hook: dict[str, Any], fleet: str, status: int) -> None:
    program, *arguments = shlex.split(hook["entry"])
    command = [str(Path(sys.executable).with_name(program)), *arguments, fleet]

    assert subprocess.run(command, cwd=ROOT, capture_output=True, check=False).returncode == status
