from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from uplinks.cli.selection import path_pattern

Run = Callable[..., Any]

BAD = """\
apiVersion: hub.traefik.io/v1alpha1
kind: Uplink
metadata: {name: api, namespace: apps}
spec: {weight: -1, exposeName: UP}
"""


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A folder with a bad manifest, some folders down."""
    (tmp_path / "apps" / "old").mkdir(parents=True)
    for folder in ("apps", "apps/old"):
        (tmp_path / folder / "uplink.yaml").write_text(BAD, encoding="utf-8")
    return tmp_path


def configure(project: Path, text: str, name: str = "uplinks.toml") -> None:
    (project / name).write_text(text, encoding="utf-8")


def codes(run: Run, project: Path, *arguments: str) -> list[str]:
    ran = run("check", str(project / "apps" / "uplink.yaml"), "--format=json", *arguments)
    return [finding["code"] for finding in json.loads(ran.out)["findings"]]


def test_without_a_configuration_everything_counts(run: Run, project: Path) -> None:
    assert codes(run, project) == ["UPL103", "UPL106"]


@pytest.mark.parametrize("name", ["uplinks.toml", "pyproject.toml"])
@pytest.mark.parametrize("folder", ["", "apps"])
def test_the_nearest_one_above_the_first_place_counts(
    run: Run, project: Path, name: str, folder: str
) -> None:
    table = "[tool.uplinks]\n" if name == "pyproject.toml" else ""
    configure(project / folder, f'{table}select = ["UPL103"]\n', name)

    assert codes(run, project) == ["UPL103"]


def test_a_nearer_one_replaces_a_farther_one(run: Run, project: Path) -> None:
    configure(project, 'ignore = ["UPL103"]')
    configure(project / "apps", 'select = ["UPL1"]')

    assert codes(run, project) == ["UPL103", "UPL106"]


def test_in_one_folder_our_own_file_counts(run: Run, project: Path) -> None:
    configure(project, 'select = ["UPL103"]')
    configure(project, '[tool.uplinks]\nselect = ["UPL106"]', "pyproject.toml")

    assert codes(run, project) == ["UPL103"]


def test_a_project_of_other_tools_is_passed_over(run: Run, project: Path) -> None:
    configure(project, 'select = ["UPL103"]')
    configure(project / "apps", '[project]\nname = "uplinks-of-mine"', "pyproject.toml")

    assert codes(run, project) == ["UPL103"]


def test_the_command_line_wins_key_by_key(run: Run, project: Path) -> None:
    configure(project, 'select = ["UPL103"]\nfail-on = "never"\nformat = "github"')
    place = str(project / "apps" / "uplink.yaml")

    assert codes(run, project, "--select=UPL106") == ["UPL106"]
    assert codes(run, project, "--ignore=UPL103") == []
    assert run("check", place).status == 0
    assert run("check", place).out.startswith("::error ")
    assert run("check", place, "--fail-on=error").status == 1


def test_a_file_that_is_named_is_used_whatever_else_there_is(run: Run, project: Path) -> None:
    configure(project, 'select = ["UPL106"]')
    configure(project, '[tool.uplinks]\nselect = ["UPL103"]', "pyproject.toml")
    configure(project, 'select = ["UPL4"]', "other.toml")

    assert codes(run, project, f"--config={project}/pyproject.toml") == ["UPL103"]
    assert codes(run, project, f"--config={project}/other.toml") == []


def test_codes_are_ignored_in_some_files(
    run: Run, project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    configure(project, '[per-path-ignores]\n"apps/old/**" = ["UPL10"]\n"**/x.yaml" = ["UPL103"]')

    def reported(*places: str) -> list[str]:
        ran = run("check", *places, "--format=json")
        return [
            f"{Path(f['file']).parent.name} {f['code']}" for f in json.loads(ran.out)["findings"]
        ]

    both = [str(project / "apps" / "uplink.yaml"), str(project / "apps" / "old" / "uplink.yaml")]
    assert reported(*both) == ["apps UPL103", "apps UPL106"]
    monkeypatch.chdir(project / "apps")
    assert reported(str(project / "apps" / "old" / "uplink.yaml")) == []


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("selct = []", "unknown key 'selct'; did you mean 'select'?"),
        ("[tool]\nx = 1", "unknown key 'tool'"),
        ('select = "UPL1"', "select is not a list of codes"),
        ("ignore = [1]", "ignore is not a list of codes"),
        ('ignore = ["UPL9"]', "ignore: unknown code 'UPL9'"),
        ('ignore = ["UPL001"]', "ignore: UPL001 cannot be ignored"),
        ('fail-on = "fatal"', "fail-on is 'fatal'; error, warning, info, never is allowed"),
        ("format = 1", "format is 1; text, json, github, sarif, junit, gitlab is allowed"),
        ("per-path-ignores = []", "per-path-ignores is not a table of patterns and codes"),
        ('per-path-ignores = {"a" = "UPL1"}', "per-path-ignores.'a' is not a list of codes"),
        ("select = [", "this is not TOML: "),
        ("\udcff", "this is not TOML: "),
    ],
)
def test_what_is_wrong_names_the_file_and_the_key(
    run: Run, project: Path, text: str, message: str
) -> None:
    file = project / "uplinks.toml"
    file.write_bytes(text.encode("utf-8", "surrogateescape"))

    ran = run("check", str(project / "apps"))

    assert (ran.status, ran.out) == (2, "")
    assert ran.err.startswith(f"uplinks: error: {file}: {message}")
    assert ran.err.count("\n") == 1


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("no.toml", None, "cannot read it: No such file or directory"),
        ("pyproject.toml", "[project]", "there is no [tool.uplinks] here"),
        ("pyproject.toml", "[tool]\nuplinks = 1", "tool.uplinks is not a table"),
    ],
)
def test_a_file_that_is_named_must_be_one(
    run: Run, project: Path, name: str, text: str | None, message: str
) -> None:
    if text is not None:
        configure(project, text, name)

    ran = run("check", str(project), "--config", str(project / name))

    assert (ran.status, ran.out) == (2, "")
    assert f"{name}: {message}" in ran.err


@pytest.mark.parametrize(
    ("glob", "path", "matches"),
    [
        ("*.yaml", "a.yaml", True),
        ("*.yaml", "b/a.yaml", False),
        ("**/*.yaml", "a.yaml", True),
        ("**/*.yaml", "c/b/a.yaml", True),
        ("b/**", "b/c/a.yaml", True),
        ("b/**", "bc/a.yaml", False),
        ("b/**/a.yaml", "b/a.yaml", True),
        ("?.yaml", "a.yaml", True),
        ("a+[b].yaml", "a+[b].yaml", True),
        ("a.yaml", "axyaml", False),
    ],
)
def test_patterns_are_those_of_paths(glob: str, path: str, *, matches: bool) -> None:
    assert bool(path_pattern("/w+", glob).fullmatch(f"/w+/{path}")) == matches


def test_a_configuration_without_an_end_is_refused(run: Run, tmp_path: Path) -> None:
    (tmp_path / "huge.toml").write_bytes(b"#" * (2**20 + 1))

    ran = run("check", "examples/banking", "--config", str(tmp_path / "huge.toml"))

    assert (ran.status, ran.out) == (2, "")
    assert ran.err.endswith("huge.toml: more than 1048576 bytes are no configuration\n")
