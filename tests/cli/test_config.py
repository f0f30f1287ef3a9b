from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from uplinks.cli.selection import PathPattern

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


def test_without_a_configuration_all_codes_count(run: Run, project: Path) -> None:
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


def test_a_named_file_replaces_the_nearest_one(run: Run, project: Path) -> None:
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
        ('select = "UPL1"', "select must be a list of codes"),
        ("ignore = [1]", "ignore must be a list of codes"),
        ('ignore = ["UPL9"]', "ignore: unknown code 'UPL9'"),
        ('ignore = ["UPL001"]', "ignore: UPL001 cannot be ignored"),
        ('fail-on = "fatal"', "fail-on must be one of error, warning, info, never, got 'fatal'"),
        ("format = 1", "format must be one of text, json, github, sarif, junit, gitlab, got 1"),
        ("per-path-ignores = []", "per-path-ignores must be a table of patterns and codes"),
        ('per-path-ignores = {"a" = "UPL1"}', "per-path-ignores.'a' must be a list of codes"),
        ("select = [", "not valid TOML: "),
        ("\udcff", "not valid TOML: "),
    ],
)
def test_an_invalid_configuration_names_the_file_and_the_key(
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
        ("no.toml", None, "cannot read: No such file or directory"),
        ("pyproject.toml", "[project]", "no [tool.uplinks] table"),
        ("pyproject.toml", "[tool]\nuplinks = 1", "tool.uplinks must be a table"),
    ],
)
def test_a_named_file_must_be_a_configuration(
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
        ("***/a.yaml", "b/c/a.yaml", True),
        ("**/**/a", "a", True),
        ("**", "b/c", True),
        ("**/*/a", "b/a", True),
        ("**/*/a", "a", False),
        ("a?c", "a?c", True),
        ("a?c", "a/c", False),
        ("*b*", "abc", True),
        ("", "a", False),
    ],
)
def test_path_patterns(glob: str, path: str, *, matches: bool) -> None:
    assert PathPattern("/w+", glob).matches(f"/w+/{path}") is matches


def test_an_oversized_configuration_is_refused(run: Run, tmp_path: Path) -> None:
    (tmp_path / "huge.toml").write_bytes(b"#" * (2**20 + 1))

    ran = run("check", "examples/banking", "--config", str(tmp_path / "huge.toml"))

    assert (ran.status, ran.out) == (2, "")
    assert ran.err.endswith("huge.toml: larger than 1048576 bytes, too large for a configuration\n")


def _reference(folder: str, glob: str) -> re.Pattern[str]:
    parts = {"**/": "(?:.+/)?", "**": ".*", "*": "[^/]*", "?": "[^/]"}
    pieces = re.split(r"(\*\*/|\*\*|\*|\?)", glob)
    return re.compile(re.escape(folder + "/") + "".join(parts.get(p, re.escape(p)) for p in pieces))


NAMES = st.lists(st.text("ab?", min_size=1, max_size=3), min_size=1, max_size=4).map("/".join)


@given(glob=st.text("ab/*?", max_size=8), path=NAMES)
def test_path_patterns_match_like_regular_expressions(glob: str, path: str) -> None:
    expected = _reference("/w", glob).fullmatch(f"/w/{path}") is not None
    assert PathPattern("/w", glob).matches(f"/w/{path}") is expected


def test_a_hostile_pattern_is_linear() -> None:
    glob = "*a" * 2000 + "b"
    assert not PathPattern("/w", glob).matches("/w/" + "a" * 4000)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("select = " + "[" * 5000, "nested too deeply for a configuration"),
        ("x = " + "{a=" * 5000, "nested too deeply for a configuration"),
        ("format = " + "1" * 5000, "not valid TOML: "),
        ("a" + ".a" * 50_000 + " = 1", "too many dotted keys for a configuration"),
        ("[a" + ".a" * 50_000 + "]", "too many dotted keys for a configuration"),
        (f'per-path-ignores = {{"{"*a" * 4096}" = []}}', "patterns must have at most 4096"),
    ],
)
def test_a_hostile_configuration_is_bad_usage(
    run: Run, project: Path, text: str, message: str
) -> None:
    configure(project, text)

    ran = run("check", str(project / "apps"))

    assert (ran.status, ran.out) == (2, "")
    assert message in ran.err
    assert len(ran.err) < 1000


def noted(run: Run, place: Path, *options: str) -> list[tuple[str, str]]:
    ran = run("check", str(place), "--format=json", *options)
    return [(Path(f["file"]).name, f["code"]) for f in json.loads(ran.out)["findings"]]


BROKEN = "apiVersion: v1\nkind: [\n"


@pytest.mark.parametrize(
    "pattern", ["old", "old/", "apps/old", "apps/old/**", "**/old/*.yaml", "./apps/old/", "**/old"]
)
def test_excluded_files_and_folders_are_not_read(run: Run, project: Path, pattern: str) -> None:
    (project / "apps" / "old" / "uplink.yaml").write_text(BROKEN)
    configure(project, f'exclude = ["{pattern}"]')

    assert noted(run, project) == [("uplink.yaml", "UPL103"), ("uplink.yaml", "UPL106")]
    assert noted(run, project / "apps" / "old" / "uplink.yaml") == [("uplink.yaml", "UPL001")]


def test_the_command_line_excludes_more_and_from_the_working_folder(
    run: Run, project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    configure(project, 'exclude = ["old"]')
    for name in ("a.yaml", "b.yaml"):
        (project / "apps" / name).write_text(BROKEN)
    monkeypatch.chdir(project / "apps")

    left = noted(run, project, "--exclude", "a.yaml", "--exclude", "./b.yaml")

    assert left == [("uplink.yaml", "UPL103"), ("uplink.yaml", "UPL106")]
    assert ("a.yaml", "UPL001") in noted(run, project, "--exclude", "x/a.yaml")


def test_a_pattern_of_ours_matches_no_excluded_file(run: Run, project: Path) -> None:
    (project / "apps" / "old" / "uplink.yaml").write_text(BROKEN)

    ran = run("check", f"{project}/**/*.yaml", "--exclude", "old", "--format=json")

    assert {f["code"] for f in json.loads(ran.out)["findings"]} == {"UPL103", "UPL106"}


@pytest.mark.parametrize("code", ["UPL001", "UPL002", "UPL003", "UPL004", "UPL012"])
def test_every_code_can_be_ignored_in_some_files(run: Run, project: Path, code: str) -> None:
    folder = project / "apps" / "old"
    texts = {
        "UPL001": BROKEN,
        "UPL002": "apiVersion: v1\nkind: X\nkind: Y\n",
        "UPL003": "apiVersion: *x\n",
        "UPL004": "apiVersion: " + "[" * 101,
    }
    (folder / "uplink.yaml").unlink()
    if code in texts:
        (folder / "uplink.yaml").write_text(texts[code])
    else:
        (folder / "uplink.yaml").symlink_to("nowhere")

    assert [found for found, *_ in ((c,) for _, c in noted(run, folder))] == [code]
    configure(project, f'[per-path-ignores]\n"apps/old/**" = ["{code}"]')
    ran = run("check", str(folder))
    assert (ran.status, "no findings" in ran.out) == (0, True)


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ('exclude = "old"', "exclude must be a list of patterns"),
        ("exclude = [1]", "exclude must be a list of patterns"),
        ('exclude = [""]', "exclude must be a list of patterns"),
        (f'exclude = ["{"*" * 4097}"]', "patterns must have at most 4096 characters, got 4097"),
        ("baseline = 1", "baseline must be a path"),
        ('baseline = ""', "baseline must be a path"),
        ('ignore = ["UPL001"]', "UPL001 cannot be ignored everywhere"),
    ],
)
def test_wrong_values_are_bad_usage(run: Run, project: Path, text: str, problem: str) -> None:
    configure(project, text)

    ran = run("check", str(project))

    assert (ran.status, ran.out) == (2, "")
    assert problem in ran.err
