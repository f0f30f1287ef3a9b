"""The floors of the package, as far as import-linter cannot check them."""

from __future__ import annotations

import ast
import importlib.machinery
import re
import subprocess
import sys
from pathlib import Path

import pytest

import uplinks

ROOT = Path(__file__).parent.parent
SOURCE = ROOT / "src" / "uplinks"
COMPILED = sorted(path for path in SOURCE.rglob("*.p*") if path.suffix in {".pyx", ".pxd", ".pxi"})
EDGES = {"adapters", "cli", "serve", "testing", "__main__"}
IMPORT = re.compile(r"^\s*(?:from\s+(\S+)\s+c?import|c?import\s+(.+)|include\s+(.+))", re.MULTILINE)

HIDDEN = """
import sys
class Hidden:
    def find_spec(self, name, path=None, target=None):
        if name == "uplinks._wrr":
            raise ModuleNotFoundError("No module named 'uplinks._wrr'", name=name)
sys.meta_path.insert(0, Hidden())
import uplinks.balance
"""


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, *arguments], capture_output=True, text=True, check=False, cwd=ROOT
    )


def modules() -> dict[str, Path]:
    """Every Python module of the package by its full name."""
    found = {}
    for path in sorted(SOURCE.rglob("*.py")):
        parts = path.relative_to(SOURCE.parent).with_suffix("").parts
        found[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = path
    return found


def imported(path: Path) -> set[str]:
    """Every module a file imports, and every name it imports from one, dotted."""
    names = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            names |= {node.module or "", *(f"{node.module}.{alias.name}" for alias in node.names)}
    return names


def floor_below_the_edges() -> dict[str, Path]:
    return {
        name: path
        for name, path in modules().items()
        if name != "uplinks" and name.split(".")[1] not in EDGES
    }


def test_below_the_edges_no_module_opens_a_url() -> None:
    offenders = [n for n, p in floor_below_the_edges().items() if "urllib.request" in imported(p)]

    assert offenders == []


def test_only_balance_imports_the_compiled_scheduler() -> None:
    importing = {n for n, path in modules().items() if "uplinks._wrr" in imported(path)}

    assert {name for name in importing if not name.startswith("uplinks.balance")} == set()
    assert importing != set()


@pytest.mark.parametrize("path", COMPILED, ids=lambda path: path.name)
def test_the_compiled_part_imports_only_its_own_files(path: Path) -> None:
    matches = IMPORT.findall(path.read_text(encoding="utf-8"))
    names = {name.strip(" '\"") for match in matches for name in match if name}
    own = {name for name in names if name.startswith((".", "uplinks"))}

    files = (part.relative_to(SOURCE).with_suffix("") for part in COMPILED)
    parts = {"uplinks." + ".".join(file.parts) for file in files}
    assert own - parts == set()


def test_the_compiled_scheduler_leaves_the_checks_to_the_build() -> None:
    text = (SOURCE / "_wrr.pyx").read_text(encoding="utf-8")
    header = "".join(re.findall(r"^#\s*cython:(.*)$", text, re.MULTILINE))

    # A header outranks setup.py, so a debug build could not switch these on.
    switched = {"boundscheck", "initializedcheck", "nonecheck", "linetrace", "profile"}
    assert switched & set(re.findall(r"\w+", header)) == set()


def test_the_scheduler_is_compiled() -> None:
    from uplinks import _wrr

    suffixes = tuple(importlib.machinery.EXTENSION_SUFFIXES)
    assert (_wrr.__file__ or "").endswith(suffixes)


def test_a_missing_extension_is_an_import_error_that_says_how_to_fix_it() -> None:
    hidden = run("-c", HIDDEN)
    last = hidden.stderr.rstrip().splitlines()[-1]

    assert hidden.returncode == 1
    assert last.startswith("ImportError: ")
    assert "uplinks._wrr" in last
    assert "pip install" in last


def test_no_module_has_a_vague_name() -> None:
    parts = {part.strip("_") for name in modules() for part in name.split(".")}

    assert parts & {"utils", "util", "helpers", "common", "manager", "misc"} == set()


def test_the_package_is_typed() -> None:
    assert uplinks.__file__ is not None
    assert (Path(uplinks.__file__).parent / "py.typed").read_text(encoding="utf-8") == ""
