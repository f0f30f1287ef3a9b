"""The fixtures, in runs of pytest of their own."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

USING = """
import asyncio
from uplinks import Outcome
from uplinks.model import HealthCheck

def test_time(uplinks_run, uplinks_loop, uplinks_prober):
    async def main():
        await asyncio.sleep(5)
        return await uplinks_prober.probe("http://a", HealthCheck())
    assert uplinks_run(main()) == Outcome.PASS
    assert uplinks_loop.clock() == 5_000_000_000

def test_child(uplinks_child):
    async def main():
        async with uplinks_child("eu") as child:
            return child.port
    assert asyncio.run(main()) > 0
"""
UNUSED = """
import sys

def test_nothing_is_imported():
    assert not [name for name in sys.modules if name.split(".")[0] == "uplinks"]
"""


def run(folder: Path, text: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    (folder / "test_it.py").write_text(text)
    command = (sys.executable, "-m", "pytest", "-q", "-W", "error", "-p", "no:cacheprovider")
    return subprocess.run(
        [*command, *arguments], capture_output=True, text=True, check=False, cwd=folder
    )


def test_the_fixtures_are_there(tmp_path: Path) -> None:
    ran = run(tmp_path, USING)
    assert ran.returncode == 0, ran.stdout + ran.stderr
    assert "2 passed" in ran.stdout


def test_unused_it_imports_nothing_of_the_package(tmp_path: Path) -> None:
    ran = run(tmp_path, UNUSED)
    assert ran.returncode == 0, ran.stdout + ran.stderr


def test_it_can_be_switched_off(tmp_path: Path) -> None:
    ran = run(tmp_path, USING, "-p", "no:uplinks")
    assert ran.returncode == 1
    assert "fixture 'uplinks_child' not found" in ran.stdout
