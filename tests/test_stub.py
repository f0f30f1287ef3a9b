"""The stub of the compiled scheduler says what the extension really has."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
ALLOWED = ROOT / "tests" / "stubtest-allowlist.txt"


def test_the_stub_agrees_with_the_extension() -> None:
    pytest.importorskip("mypy")
    arguments = ["--mypy-config-file", "pyproject.toml", "uplinks._wrr"]
    if ALLOWED.exists():
        arguments += ["--allowlist", str(ALLOWED)]

    checked = subprocess.run(
        [sys.executable, "-m", "mypy.stubtest", *arguments],
        capture_output=True,
        text=True,
        check=False,
        cwd=ROOT,
    )

    assert checked.returncode == 0, checked.stdout + checked.stderr
