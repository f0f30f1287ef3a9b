"""The fixtures, in runs of pytest of their own."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from uplinks.errors import MissingExtra

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
OVER_GRPC = """
import asyncio

def test_over_grpc(uplinks_grpc_child):
    async def main():
        async with uplinks_grpc_child("eu") as child:
            return child.port
    assert asyncio.run(main()) > 0
"""
# Loaded by pytest before any fixture is: what is named cannot be imported then.
BLOCKED = """
import sys
for name in ("aiohttp", "grpc", "hypothesis", "prometheus_client", "shtab"):
    sys.modules[name] = None
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
    ran = run(tmp_path, USING + OVER_GRPC)
    assert ran.returncode == 0, ran.stdout + ran.stderr
    assert "3 passed" in ran.stdout


def test_one_needs_the_extra_of_grpc_and_the_others_none(tmp_path: Path) -> None:
    (tmp_path / "blocked.py").write_text(BLOCKED)
    # The plugin of Hypothesis itself is loaded where that is installed.
    without = ("-p", "no:hypothesispytest", "-p", "blocked")
    ran = run(tmp_path, USING + OVER_GRPC, *without)
    assert "2 passed, 1 error" in ran.stdout, ran.stdout + ran.stderr
    assert str(MissingExtra("testing,grpc")) in ran.stdout


def test_unused_it_imports_nothing_of_the_package(tmp_path: Path) -> None:
    ran = run(tmp_path, UNUSED)
    assert ran.returncode == 0, ran.stdout + ran.stderr


def test_it_can_be_switched_off(tmp_path: Path) -> None:
    ran = run(tmp_path, USING, "-p", "no:uplinks")
    assert ran.returncode == 1
    assert "fixture 'uplinks_child' not found" in ran.stdout
