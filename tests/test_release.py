"""What is said of a release in several places is said alike."""

from __future__ import annotations

import re
import tomllib
from fnmatch import fnmatch
from pathlib import Path
from typing import Any

import pytest
import yaml

import uplinks

ROOT = Path(__file__).parent.parent
WORKFLOWS = sorted((ROOT / ".github" / "workflows").glob("*.yml"))
OURS = re.compile(r"\./\.github/workflows/[\w-]+\.yml")
PINNED = re.compile(r"[\w.-]+/[\w./-]+@[0-9a-f]{40}")


def workflow(name: str) -> dict[Any, Any]:
    path = ROOT / ".github" / "workflows" / f"{name}.yml"
    found: dict[Any, Any] = yaml.safe_load(path.read_text(encoding="utf-8"))
    return found


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
    jobs = workflow("ci")["jobs"]
    [first] = [
        step["with"]["python-version"]
        for step in jobs["everything"]["steps"]
        if "python-version" in step.get("with", {})
    ]

    assert sorted([first, *jobs["tests"]["strategy"]["matrix"]["python"]]) == sorted(pythons())


def test_a_build_without_a_gil_is_tested_as_it_is_released() -> None:
    build = project()["tool"]["cibuildwheel"]["build"].split()
    [override] = project()["tool"]["cibuildwheel"]["overrides"]
    steps = workflow("ci")["jobs"]["free-threaded"]["steps"]
    [step] = [step for step in steps if "only" in step.get("with", {})]
    [released] = [
        step
        for step in workflow("release")["jobs"]["wheels"]["steps"]
        if "cibuildwheel" in step["uses"]
    ]

    assert step["uses"] == released["uses"]
    assert [glob for glob in build if fnmatch(step["with"]["only"], glob)] == [override["select"]]
    assert override["test-environment"] == {"PYTHON_GIL": "0"}


def test_nothing_is_published_before_everything_has_passed() -> None:
    jobs = workflow("release")["jobs"]

    assert set(jobs["publish"]["needs"]) == set(jobs) - {"publish"}
    assert jobs["ci"] == {"uses": "./.github/workflows/ci.yml"}
    # YAML 1.1 reads the key `on` as true.
    assert "workflow_call" in workflow("ci")[True]
    runs = [step.get("run") for step in workflow("ci")["jobs"]["everything"]["steps"]]
    assert runs[-1] == "bash .ci/run"
    # A job that may fail, or is skipped, would not hold anything back.
    weak = {"if", "continue-on-error"}
    assert [name for name, job in workflow("ci")["jobs"].items() if weak & set(job)] == []


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.name)
def test_a_workflow_pins_what_it_uses_and_may_do_little(path: Path) -> None:
    found = workflow(path.stem)
    used = [
        step["uses"]
        for job in found["jobs"].values()
        for step in job.get("steps", [job])
        if "uses" in step
    ]

    assert used != []
    assert [u for u in used if not PINNED.fullmatch(u) and not OURS.fullmatch(u)] == []
    assert found["permissions"] == {"contents": "read"}


def test_the_readme_has_no_link_that_a_package_index_cannot_follow() -> None:
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    links = re.findall(r"\]\(([^)\s]+)\)", text)

    assert links != []
    assert [link for link in links if not link.startswith(("https://", "#"))] == []


def test_what_the_readme_links_to_exists() -> None:
    urls = project()["project"]["urls"]
    site, source = urls["Documentation"], f"{urls['Source']}/blob/main/"
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    links = [link.partition("#")[0] for link in re.findall(r"\]\(([^)\s]+)\)", text)]
    files = [
        *(ROOT / link.removeprefix(source) for link in links if link.startswith(source)),
        *(
            ROOT / "docs" / link.removeprefix(site).replace(".html", ".md")
            for link in links
            if link.startswith(site)
        ),
    ]

    assert files != []
    assert [file for file in files if not file.exists()] == []
