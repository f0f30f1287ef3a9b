"""What is said of a release in several places is said alike."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path
from typing import Any

import pytest
import yaml

import uplinks

ROOT = Path(__file__).parent.parent
WORKFLOWS = sorted((ROOT / ".github" / "workflows").glob("*.yml"))
PINNED = re.compile(r"[\w.-]+/[\w./-]+@v\d[\w.]*")


def project() -> dict[str, Any]:
    return tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))


def pythons() -> list[str]:
    prefix = "Programming Language :: Python :: 3."
    found = project()["project"]["classifiers"]
    return [each.rpartition(" ")[2] for each in found if each.startswith(prefix)]


def test_the_citation_is_of_this_version() -> None:
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text(encoding="utf-8"))

    assert citation["version"] == uplinks.__version__
    assert citation["license"] == project()["project"]["license"]
    assert {"cff-version", "message", "title", "authors"} <= set(citation)


def test_wheels_are_built_for_every_python_that_is_promised() -> None:
    built = project()["tool"]["cibuildwheel"]["build"].split()
    tags = {f"cp{version.replace('.', '')}-*" for version in pythons()}

    assert set(built) == {*tags, "cp314t-*"}


def test_every_python_that_is_promised_is_tested() -> None:
    workflow = yaml.safe_load((ROOT / ".github" / "workflows" / "ci.yml").read_text("utf-8"))
    jobs = workflow["jobs"]
    [first] = [
        step["with"]["python-version"] for step in jobs["everything"]["steps"] if "with" in step
    ]

    assert sorted([first, *jobs["tests"]["strategy"]["matrix"]["python"]]) == sorted(pythons())


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.name)
def test_a_workflow_pins_what_it_uses_and_may_do_little(path: Path) -> None:
    workflow = yaml.safe_load(path.read_text(encoding="utf-8"))
    used = [
        step["uses"] for job in workflow["jobs"].values() for step in job["steps"] if "uses" in step
    ]

    assert used != []
    assert [each for each in used if not PINNED.fullmatch(each)] == []
    assert workflow["permissions"] == {"contents": "read"}
