"""The GitHub action and the container: what they say of themselves is so."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).parent.parent


@pytest.fixture(scope="module")
def action() -> dict[str, Any]:
    found = yaml.safe_load((ROOT / "action.yml").read_text(encoding="utf-8"))
    assert isinstance(found, dict)
    return found


@pytest.fixture(scope="module")
def container() -> list[list[str]]:
    """The instructions of each stage."""
    text = (ROOT / "Containerfile").read_text(encoding="utf-8").replace("\\\n", " ")
    lines = [line for line in text.splitlines() if line.strip() and not line.startswith("#")]
    starts = [at for at, line in enumerate(lines) if line.startswith("FROM ")]
    return [lines[a:b] for a, b in zip(starts, [*starts[1:], len(lines)], strict=True)]


@pytest.fixture(scope="module")
def project() -> dict[str, Any]:
    found = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert isinstance(found, dict)
    return found


# --- the action -------------------------------------------------------------


def test_the_action_is_a_composite_one(action: dict[str, Any]) -> None:
    assert set(action) == {"name", "description", "branding", "inputs", "runs"}
    assert action["runs"]["using"] == "composite"
    used = [step["uses"] for step in action["runs"]["steps"] if "uses" in step]
    assert [name for name in used if not re.fullmatch(r"actions/[\w-]+@[0-9a-f]{40}", name)] == []
    assert all({"uses", "shell"} & set(step) for step in action["runs"]["steps"])
    assert all(
        set(each) <= {"description", "required", "default"} for each in action["inputs"].values()
    )


def test_each_input_is_used_and_none_in_a_script(action: dict[str, Any]) -> None:
    steps = action["runs"]["steps"]
    used = re.findall(r"\$\{\{ inputs\.([\w-]+) \}\}", json.dumps(steps))

    assert sorted(used) == sorted(action["inputs"])
    assert [step["run"] for step in steps if "${{" in step.get("run", "")] == []


def check(action: dict[str, Any], tmp_path: Path, **inputs: str) -> tuple[int, str]:
    """Run the last step as the runner does, with this installation of uplinks."""
    (tmp_path / "uplinks").mkdir(exist_ok=True)
    command = tmp_path / "uplinks" / "bin"
    if not command.exists():
        command.symlink_to(Path(sys.executable).parent)
    defaults = {name: each.get("default", "") for name, each in action["inputs"].items()}
    step = action["runs"]["steps"][-1]
    environment = {
        name: re.sub(r"\$\{\{ inputs\.([\w-]+) \}\}", lambda m: {**defaults, **inputs}[m[1]], value)
        for name, value in step["env"].items()
    }
    script = tmp_path / "step.sh"
    script.write_text(step["run"], encoding="utf-8")
    ran = subprocess.run(
        ["/bin/bash", "--noprofile", "--norc", "-eo", "pipefail", str(script)],
        cwd=ROOT,
        env={**os.environ, **environment, "RUNNER_TEMP": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
    )
    return ran.returncode, ran.stdout


def test_the_action_checks_every_path_with_every_argument(
    action: dict[str, Any], tmp_path: Path
) -> None:
    snippet = "examples/snippets/route-invalid-tls.yaml"

    clean = check(action, tmp_path, path="examples/banking\n")
    found = check(action, tmp_path, path=f"examples/banking\n\n{snippet}\n")
    ignored = check(action, tmp_path, path=snippet, arguments="--ignore\nUPL302\n", format="json")

    assert clean == (0, "")
    assert found[0] == 1
    assert found[1].startswith(f"::error file={snippet},line=16,")
    assert (ignored[0], json.loads(ignored[1])["findings"]) == (0, [])


def test_no_shell_reads_an_input(action: dict[str, Any], tmp_path: Path) -> None:
    status, out = check(action, tmp_path, path="$(echo examples/banking); `id`")

    assert (status, "$(echo examples/banking); `id`" in out) == (2, True)


# --- the container ----------------------------------------------------------


def test_the_container_does_not_run_as_root_and_has_no_compiler(
    container: list[list[str]],
) -> None:
    *_, last = container

    [user] = [line.split()[1] for line in last if line.startswith("USER ")]
    assert all(int(number) > 0 for number in user.split(":"))
    assert [line for line in last if line.startswith(("RUN ", "ADD "))] == []
    assert last.index(f"USER {user}") < last.index("WORKDIR /work")


def test_the_container_runs_the_command(
    container: list[list[str]], project: dict[str, Any]
) -> None:
    [entry] = [json.loads(line.partition(" ")[2]) for line in container[-1] if "ENTRYPOINT" in line]

    assert len(entry) == 1
    assert entry[0] in project["scripts"]


def test_the_container_is_built_of_what_there_is(
    container: list[list[str]], project: dict[str, Any]
) -> None:
    build = container[0]
    copied = [line.split()[1:-1] for line in build if line.startswith("COPY ")]
    [extras] = [line.partition("=")[2] for line in build if line.startswith("ARG EXTRAS")]
    newest = project["classifiers"]

    assert all((ROOT / name).exists() for names in copied for name in names)
    assert {project["readme"], *project["license-files"]} <= {n for names in copied for n in names}
    assert set(extras.split(",")) <= set(project["optional-dependencies"])
    images = {line.split()[1] for stage in container for line in stage if line.startswith("FROM ")}
    assert len(images) == 1
    [version] = re.findall(r"python:(3\.\d+)-slim", images.pop())
    assert f"Programming Language :: Python :: {version}" in newest
