from __future__ import annotations

import shutil
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from uplinks.cli.rendered import Rendering, in_templates
from uplinks.cli.source import look_through
from uplinks.diagnostics import Diagnostic, Fix, Location, Related, Severity, Span

Run = Callable[..., Any]

TEMPLATE = """\
{{- if .Values.on }}
apiVersion: hub.traefik.io/v1alpha1
kind: Uplink
metadata:
  name: api
spec:
  weight: {{ .Values.weight }}
  healthCheck:
    path: /health
    {{- toYaml .Values.more | nindent 4 }}
{{- end }}
"""
RENDERED = """\
# Source: web/templates/uplink.yaml
apiVersion: hub.traefik.io/v1alpha1
kind: Uplink
metadata:
  name: api
spec:
  weight: -1
  healthCheck:
    path: /health
    interval: soon
"""


@pytest.mark.parametrize(
    ("span", "found"),
    [
        (Span(4, 1, 4, 9), Span(4, 1, 4, 9)),  # the same line
        (Span(7, 11, 7, 13), Span(7, 3, 7, 31)),  # the line of its key
        (Span(9, 11, 9, 18), Span(9, 11, 9, 18)),
        (Span(9, 11, 10, 4), Span(9, 11, 9, 18)),  # to the end of the line
        (Span(10, 5, 10, 13), None),  # from a value
        (Span(1, 1, 1, 1), None),
    ],
)
def test_a_line_is_found_by_its_text_or_its_key(span: Span, found: Span | None) -> None:
    rendering = Rendering(look_through(RENDERED), TEMPLATE.encode())

    # The first line of the rendering is Helm's comment, the template's is an action.
    assert rendering.find(span) == found


def test_another_indentation_moves_the_columns() -> None:
    rendering = Rendering(look_through("spec:\n    path: /x\n"), b"path: /x\n")

    assert rendering.find(Span(2, 11, 2, 13)) == Span(1, 7, 1, 9)


def test_a_line_that_occurs_twice_is_not_guessed() -> None:
    rendering = Rendering(look_through("a: 1\n"), b"a: 1\n---\na: 1\n")

    assert rendering.find(Span(1, 4, 1, 5)) is None


def test_only_places_in_renderings_move_and_the_others_keep_their_fix() -> None:
    def at(file: str, line: int) -> Location:
        return Location("eu", file, Span(line, 3, line, 9))

    fix = Fix("a", "b")
    found = [
        Diagnostic("UPL103", Severity.ERROR, "m", at("t.yaml", 10), fix=fix),
        Diagnostic(
            *("UPL103", Severity.ERROR, "m", at("o.yaml", 7)),
            related=[Related(at("t.yaml", 7), "r")],
            fix=fix,
        ),
    ]

    moved = list(in_templates(found, {"t.yaml": RENDERED.encode()}, {"t.yaml": TEMPLATE.encode()}))

    assert [(str(d.location), d.message, d.fix) for d in moved] == [
        ("t.yaml:1:1", "m (line 10 of the rendering)", None),
        ("o.yaml:7:3", "m", fix),
    ]
    assert str(moved[1].related[0].location) == "t.yaml:7:3"


def test_a_finding_in_a_chart_is_shown_in_its_template(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    helm = tmp_path / "bin" / "helm"
    helm.parent.mkdir()
    helm.write_text(f"#!{sys.executable} -S\nprint({RENDERED!r})\n")
    helm.chmod(0o755)
    monkeypatch.setenv("PATH", str(helm.parent))
    chart = tmp_path / "apps" / "chart"
    (chart / "templates").mkdir(parents=True)
    (chart / "Chart.yaml").write_text("name: web\n")
    template = chart / "templates" / "uplink.yaml"
    template.write_text(TEMPLATE)

    without = run("check", str(tmp_path / "apps"))
    rendered = run("check", str(tmp_path / "apps"), "--render", "--select=UPL103", "--fix")

    assert (without.status, without.out.count("info UPL018")) == (0, 1)
    assert rendered.status == 1
    assert f"{template}:7:3: error UPL103: " in rendered.out
    assert "\n  7 |   weight: " in rendered.out
    assert template.read_text() == TEMPLATE


@pytest.mark.parametrize(
    "command",
    [("materialize",), ("simulate", "--service=apps-api-workload@multicluster")],
    ids=lambda command: command[0],
)
def test_other_commands_refuse_a_fleet_with_a_chart_unless_it_is_excluded(
    run: Run, tmp_path: Path, command: tuple[str, ...]
) -> None:
    fleet = tmp_path / "fleet"
    shutil.copytree("examples/weighted", fleet)
    chart = fleet / "children" / "child-1" / "chart" / "Chart.yaml"
    chart.parent.mkdir()
    chart.write_text("name: web\n")
    (fleet / "tsconfig.json").write_text("{ // comment\n}")

    refused = run(*command, str(fleet))
    (fleet / "uplinks.toml").write_text('exclude = ["chart"]\n')
    excluded = run(*command, str(fleet))

    assert (refused.status, refused.out) == (1, "")
    assert f"{chart}:1:1: error UPL018: a Helm chart is not read; use --render" in refused.err
    assert (excluded.status, excluded.err) == (0, "")
    assert run(*command, str(fleet), "--render").status == 0


def test_fleets_with_charts_are_compared_when_rendered(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fleets = []
    for weight in (1, 9):
        fleet = tmp_path / str(weight)
        shutil.copytree("examples/weighted", fleet)
        (fleet / "children" / "child-1" / "chart").mkdir()
        (fleet / "children" / "child-1" / "chart" / "Chart.yaml").write_text("name: web\n")
        fleets.append(str(fleet))
    text = RENDERED.replace("interval: soon", "interval: 5s").replace("# Source", "# From")
    helm = tmp_path / "bin" / "helm"
    helm.parent.mkdir()
    helm.write_text(
        f"#!{sys.executable} -S\nimport sys\n"
        f"weight = sys.argv[2].removeprefix({str(tmp_path)!r})[1]\n"
        f"print({text!r}.replace('name: api', 'name: more\\n  namespace: apps')"
        ".replace('-1', weight))\n"
    )
    helm.chmod(0o755)
    monkeypatch.setenv("PATH", str(helm.parent))

    assert run("diff", *fleets).err.endswith("would look like a removed one\n")
    ran = run("diff", *fleets, "--render")

    assert ran.out == (
        "no risks, 1 change\n  ~ apps-more@multicluster (weighted): "
        "weight of child-1 1 -> 9; shares child-1 100 %\n"
    )
