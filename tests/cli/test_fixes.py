from __future__ import annotations

import json
import stat
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from uplinks.cli.fixes import Edit, edits_of, format_diff
from uplinks.diagnostics import Diagnostic, Fix, Location, Severity, Span

Run = Callable[..., Any]

HEAD = "apiVersion: hub.traefik.io/v1alpha1\nkind: Uplink\nmetadata: {name: api, namespace: apps}\n"
ROUTE = """\
apiVersion: traefik.io/v1alpha1
kind: IngressRoute
metadata:
  name: web
  namespace: apps
  annotations:
    hub.traefik.io/router.uplinks: NAMES
spec:
  routes: [{match: PathPrefix(`/`), kind: Rule, services: [{name: web, port: 80}]}]
"""


def fixed(run: Run, tmp_path: Path, text: str, *options: str) -> tuple[str, Any]:
    file = tmp_path / "uplink.yaml"
    file.write_bytes(text.encode())
    ran = run("check", str(file), "--fix", *options)
    return file.read_bytes().decode(), ran


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("spec:\n  wieght: 5 # half\n", "spec:\n  weight: 5 # half\n"),
        ('spec: {"wieght": 5}\n', 'spec: {"weight": 5}\n'),
        ("spec: {'wieght': 5}\n", "spec: {'weight': 5}\n"),
        ('spec: {weight: "5"}\n', "spec: {weight: 5}\n"),
        ("spec: {weight: '5'}  \r\n", "spec: {weight: 5}  \r\n"),
        ('spec: {"weight": "5"}\n', 'spec: {"weight": 5}\n'),
        (
            "spec: {healthCheck: {path: /, interval: 10 s}}\n",
            "spec: {healthCheck: {path: /, interval: 10s}}\n",
        ),
        (
            'spec: {healthCheck: {path: /, interval: "1d"}}\n',
            'spec: {healthCheck: {path: /, interval: "24h"}}\n',
        ),
        (
            "spec: {healthCheck: {path: /, timeout: 1.5}}\n",
            "spec: {healthCheck: {path: /, timeout: 1.5s}}\n",
        ),
        (
            "spec: {healthCheck: {path: /, followRedirects: 'true'}}\n",
            "spec: {healthCheck: {path: /, followRedirects: true}}\n",
        ),
        (
            "spec: {healthcheck: {path: /, unhealthy_interval: 5 minutes}}\n",
            "spec: {healthCheck: {path: /, unhealthyInterval: 5m}}\n",
        ),
    ],
)
def test_one_right_correction_is_made_and_the_rest_of_the_text_stays(
    run: Run, tmp_path: Path, before: str, after: str
) -> None:
    text, ran = fixed(run, tmp_path, HEAD + before, "--ignore", "UPL203,UPL216")

    assert text == HEAD + after
    assert ran.status == 0
    assert ran.err.endswith(" in 1 file\n")


def test_a_correction_that_shows_another_mistake_is_followed(run: Run, tmp_path: Path) -> None:
    text, ran = fixed(run, tmp_path, HEAD + "spec: {wieght: '5', pathh: x}\n")

    assert text == HEAD + "spec: {weight: 5, pathh: x}\n"
    assert ran.err == "made 2 fixes in 1 file\n"
    assert ran.status == 1
    assert "unknown field 'pathh'" in ran.out


@pytest.mark.parametrize(
    "spec",
    [
        "spec: {weight: 1, wieght: 5}\n",  # both keys would be the same
        "spec: {wieght: 1, weigth: 5}\n",
        'spec: {"wi\\x65ght": 5}\n',  # written with an escape
        "spec: {? wieght : *x}\n",
        "spec: {weight: !!str 5}\n",
        'spec: {weight: "five"}\n',
        "spec: {healthCheck: {path: /, interval: soon}}\n",
        "spec: {healthCheck: {path: /, mode: https}}\n",  # rather the scheme
        "spec: {weight: |\n  5\n}\n",
    ],
)
def test_what_has_no_single_correction_stays(run: Run, tmp_path: Path, spec: str) -> None:
    text, ran = fixed(run, tmp_path, HEAD + spec)

    assert text == HEAD + spec
    assert ran.err == "made 0 fixes in 0 files\n"
    assert ran.status == 1


@pytest.mark.parametrize(
    ("names", "after"),
    [
        ("apps-serach", "apps-search"),
        ('"apps-serach"', '"apps-search"'),
        ("apps-serach, apps-web", "apps-search, apps-web"),
        ("'apps-web,  apps-serach'", "'apps-web,  apps-search'"),
        ("apps-search, apps-serach", None),  # named twice after it
        ("apps-api-v3", None),  # another name, not a misspelling
        ("apps-xyz", None),
    ],
)
def test_a_misspelt_reference_is_corrected(
    run: Run, tmp_path: Path, names: str, after: str | None
) -> None:
    uplinks = "---\n".join(HEAD.replace("api,", f"{name},") for name in ("search", "web", "api-v2"))
    text = f"{uplinks}---\n{ROUTE.replace('NAMES', names)}"

    now, _ = fixed(run, tmp_path, text, "--ignore", "UPL111")

    assert now == (text if after is None else text.replace(f": {names}\n", f": {after}\n"))


def test_a_renamed_reference_and_a_renamed_group_are_corrected(run: Run, tmp_path: Path) -> None:
    route = ROUTE.replace("traefik.io/v1", "traefik.containo.us/v1", 1).replace("NAMES", "apps-api")
    text = f"{HEAD}spec: {{exposeName: front}}\n---\n{route}"

    now, ran = fixed(run, tmp_path, text)

    assert now == text.replace("traefik.containo.us/", "traefik.io/").replace("apps-api", "front")
    assert ran.status == 0


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16"])
def test_the_encoding_stays(run: Run, tmp_path: Path, encoding: str) -> None:
    file = tmp_path / "a.yaml"
    text = f"# größe 🎈\n{HEAD}spec: {{wieght: 5}}\n"
    file.write_bytes(text.encode(encoding))

    assert run("check", str(file), "--fix").status == 0
    assert file.read_bytes() == text.replace("wieght", "weight").encode(encoding)


def test_a_fleet_is_fixed_across_its_files(run: Run, tmp_path: Path) -> None:
    (tmp_path / "parent").mkdir()
    (tmp_path / "children" / "eu").mkdir(parents=True)
    parent = tmp_path / "parent" / "all.yaml"
    parent.write_text(
        "hub: {providers: {multicluster: {children: {eu: {adress: 'https://eu.example.com'}}}}}\n"
        "---\n"
        + ROUTE.replace("  annotations:\n    hub.traefik.io/router.uplinks: NAMES\n", "").replace(
            "name: web, port: 80", "name: apps-serach@multicluster, kind: TraefikService"
        )
    )
    child = tmp_path / "children" / "eu" / "all.yaml"
    child.write_text(HEAD.replace("api,", "search,") + "spec: {wieght: 5}\n")

    ran = run("check", str(tmp_path), "--fix")

    assert ran.err == "made 3 fixes in 2 files\n"
    assert "{address: 'https://eu.example.com'}" in parent.read_text()
    assert "name: apps-search@multicluster," in parent.read_text()
    assert child.read_text().endswith("spec: {weight: 5}\n")


def test_diff_shows_the_edits_and_changes_nothing(run: Run, tmp_path: Path) -> None:
    file = tmp_path / "a.yaml"
    text = f"{HEAD}spec:\n  healthCheck: {{path: /, headers: {{X: hunter2}}, intervall: 10s}}\n"
    file.write_text(text)

    ran = run("check", str(file), "--diff")

    assert file.read_text() == text
    assert ran.status == 1
    assert ran.err == "--fix would make 1 fix in 1 file\n"
    assert ran.out == (
        f"--- {file}\n+++ {file}\n@@ -5 +5 @@\n"
        "-  healthCheck: {path: ***, headers: {***: ***}, intervall: ***}\n"
        "+  healthCheck: {path: ***, headers: {***: ***}, interval: 10s}\n"
    )


def test_a_long_line_is_cut_around_the_edit() -> None:
    line = "x" * 300 + " wieght: 5"
    edit = Edit("a.yaml", Span(1, 302, 1, 308), "weight", "$.spec.wieght", line)

    shown = format_diff([edit]).splitlines()[-1]

    assert shown.startswith("+...")
    assert shown.endswith("weight: 5")
    assert len(shown) < 100


def test_standard_input_cannot_be_fixed_but_shown(run: Run) -> None:
    text = f"{HEAD}spec: {{wieght: 5}}\n".encode()

    assert run("check", "-", "--diff", stdin=text).out.endswith("+spec: {weight: 5}\n")
    ran = run("check", "-", "--fix", stdin=text)
    assert ran.status == 2
    assert "standard input cannot be fixed" in ran.err


def test_permissions_and_links_stay(run: Run, tmp_path: Path) -> None:
    file, link = tmp_path / "a.yaml", tmp_path / "link.yaml"
    file.write_text(f"{HEAD}spec: {{wieght: 5}}\n")
    file.chmod(0o640)
    link.symlink_to(file)

    assert run("check", str(link), "--fix").status == 0
    assert link.is_symlink()
    assert stat.S_IMODE(file.stat().st_mode) == 0o640
    assert file.read_text().endswith("spec: {weight: 5}\n")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.yaml", "link.yaml"]


def test_a_suppressed_finding_is_not_fixed(run: Run, tmp_path: Path) -> None:
    spec = "spec: {wieght: 5} # uplinks: ignore[UPL005]\n"

    text, ran = fixed(run, tmp_path, HEAD + spec)

    assert text == HEAD + spec
    assert ran.status == 0


def test_only_selected_codes_are_fixed(run: Run, tmp_path: Path) -> None:
    text, _ = fixed(run, tmp_path, HEAD + "spec: {weight: '5', exposName: x}\n", "--select=UPL006")

    assert text == HEAD + "spec: {weight: 5, exposName: x}\n"


def test_data_has_the_place_and_the_text_of_a_fix(run: Run, tmp_path: Path) -> None:
    file = tmp_path / "a.yaml"
    file.write_text(f"{HEAD}spec: {{wieght: 5, weight: x}}\n---\n{HEAD}spec: {{weight: '7'}}\n")

    found = json.loads(run("check", str(file), "--format=json").out)["findings"]

    fixes = {(each["code"], each["line"]): each["fix"] for each in found if each["fix"]}
    assert fixes == {
        ("UPL006", 9): {"line": 9, "column": 16, "end_line": 9, "end_column": 19, "text": "7"}
    }


def test_an_edit_needs_the_old_value_at_its_place() -> None:
    texts = {"a.yaml": b"weight: five\n"}
    place = Location(file="a.yaml", span=Span(1, 9, 1, 13))
    fixes = [Fix("five", 5), Fix("four", 4), None]
    found = [Diagnostic("UPL006", Severity.ERROR, "m", place, fix=fix) for fix in fixes]

    edits = edits_of(found, texts)

    assert [edit and edit.text for edit in edits] == ["5", None, None]
