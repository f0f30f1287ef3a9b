from __future__ import annotations

import os
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from uplinks.adapters import _charts as charts
from uplinks.adapters._charts import Chart, Unrendered, chart_in, render
from uplinks.adapters.files import Texts, load, load_cluster
from uplinks.manifest import Limits
from uplinks.model import Cluster

UPLINK = """\
apiVersion: hub.traefik.io/v1alpha1
kind: Uplink
metadata:
  name: {name}
  namespace: apps
spec:
  weight: {weight}
"""
PATCH = (
    "apiVersion: hub.traefik.io/v1alpha1\nkind: Uplink\nmetadata: {name: api}\nspec: {weight: 2}\n"
)

Program = Callable[[str, str], None]


def write(path: Path, text: str = "") -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return path


def uplink(name: str = "api", weight: int | str = 1) -> str:
    return UPLINK.format(name=name, weight=weight)


@pytest.fixture
def program(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Program:
    """Put a program on the path that runs some Python with the folder as ``folder``."""
    bin_ = tmp_path / "bin"
    bin_.mkdir()
    monkeypatch.setenv("PATH", str(bin_))

    def install(name: str, body: str) -> None:
        file = bin_ / name
        file.write_text(
            f"#!{sys.executable} -S\nimport os, sys, time\n*verb, folder = sys.argv[1:]\n{body}\n"
        )
        file.chmod(0o755)

    return install


def loaded(folder: Path, *, rendered: bool = False) -> tuple[Cluster, Texts]:
    texts = Texts(render=render if rendered else None)
    return load_cluster("eu", [folder], texts=texts), texts


def said(cluster: Cluster) -> list[tuple[str, str, str]]:
    return [(d.code, d.severity.value, d.location.file) for d in cluster.diagnostics]


def names(cluster: Cluster) -> list[str]:
    return [each.name for each in cluster.uplinks]


# --- recognized and left out ------------------------------------------------


def test_a_helm_chart_is_left_out_and_reported_once(tmp_path: Path) -> None:
    chart = write(tmp_path / "chart" / "Chart.yaml", "name: web\n")
    write(tmp_path / "chart" / "values.yaml", "hub: {uplinkEntryPoints: 5}\n")
    write(tmp_path / "chart" / "templates" / "a.yaml", "{{ if .Values.x }}\n{{ end }}\n")
    write(tmp_path / "chart" / "charts" / "sub" / "Chart.yaml", "name: sub\n")
    write(tmp_path / "uplink.yaml", uplink())

    cluster, texts = loaded(tmp_path)

    assert said(cluster) == [("UPL018", "error", str(chart))]
    assert cluster.diagnostics[0].message == (
        f"a Helm chart is not read; use --render, or the output of: helm template {tmp_path}/chart"
    )
    assert names(cluster) == ["api"]
    assert list(texts) == [str(tmp_path / "uplink.yaml")]


@pytest.mark.parametrize("name", ["kustomization.yaml", "kustomization.yml", "Kustomization"])
def test_a_kustomization_with_patches_is_left_out(tmp_path: Path, name: str) -> None:
    file = write(tmp_path / name, "resources: [uplink.yaml]\npatches: [{path: patch.yaml}]\n")
    write(tmp_path / "uplink.yaml", uplink())
    write(tmp_path / "patch.yaml", PATCH)

    cluster, _ = loaded(tmp_path)

    assert said(cluster) == [("UPL018", "error", str(file))]
    assert f"kubectl kustomize {tmp_path}" in cluster.diagnostics[0].message
    assert names(cluster) == []


def test_a_kustomization_that_lists_the_files_beside_it_is_read(tmp_path: Path) -> None:
    write(
        tmp_path / "kustomization.yaml",
        "apiVersion: kustomize.config.k8s.io/v1beta1\nkind: Kustomization\n"
        "resources: [./uplink.yaml, web.yaml]\n",
    )
    write(tmp_path / "uplink.yaml", uplink())
    write(tmp_path / "web.yaml", uplink("web"))

    cluster, _ = loaded(tmp_path)

    assert said(cluster) == []
    assert names(cluster) == ["api", "web"]


@pytest.mark.parametrize(
    "more",
    ["namePrefix: eu-\n", "namespace: other\n", "configMapGenerator: [{name: x}]\n"],
)
def test_a_kustomization_that_changes_anything_is_not(tmp_path: Path, more: str) -> None:
    write(tmp_path / "kustomization.yaml", f"resources: [uplink.yaml]\n{more}")
    write(tmp_path / "uplink.yaml", uplink())

    assert [code for code, *_ in said(loaded(tmp_path)[0])] == ["UPL018"]


def test_a_base_is_covered_by_the_kustomization_that_names_it(tmp_path: Path) -> None:
    write(tmp_path / "base" / "kustomization.yaml", "resources: [uplink.yaml]\n")
    write(tmp_path / "base" / "uplink.yaml", uplink())
    overlay = write(
        tmp_path / "eu" / "kustomization.yaml", "resources: [../base]\nnamePrefix: eu-\n"
    )
    write(tmp_path / "other.yaml", uplink("other"))

    cluster, _ = loaded(tmp_path)

    assert said(cluster) == [("UPL018", "error", str(overlay))]
    assert names(cluster) == ["other"]


def test_a_chart_that_is_excluded_is_not_reported(tmp_path: Path) -> None:
    write(tmp_path / "chart" / "Chart.yaml")
    write(tmp_path / "uplink.yaml", uplink())

    texts = Texts(is_excluded=lambda path: path.endswith("/chart"))

    assert said(load_cluster("", [tmp_path], texts=texts)) == []


def test_a_template_outside_of_a_chart_is_noted(tmp_path: Path) -> None:
    file = write(tmp_path / "uplink.yaml", "{{- if .Values.on }}\n" + uplink() + "{{- end }}\n")

    for path in (tmp_path, file):
        cluster = load(path)
        assert isinstance(cluster, Cluster)
        assert said(cluster) == [("UPL018", "error", str(file))]


def test_braces_in_a_sound_manifest_make_no_template(tmp_path: Path) -> None:
    write(tmp_path / "uplink.yaml", uplink() + "  # {{ .Values.x }}\n")

    assert said(loaded(tmp_path)[0]) == []


# --- rendered ---------------------------------------------------------------


def test_what_helm_makes_of_a_chart_is_read_by_template(tmp_path: Path, program: Program) -> None:
    folder = tmp_path / "apps" / "chart"
    write(folder / "Chart.yaml", "name: web\n")
    template = write(folder / "templates" / "uplink.yaml", "template\n")
    sub = write(folder / "charts" / "sub" / "templates" / "a.yaml", "sub\n")
    program(
        "helm",
        "assert verb == ['template'] and os.path.isabs(folder)\n"
        "print('---')\nprint('# Source: web/templates/uplink.yaml')\n"
        f"print({uplink('one')!r})\n"
        f"print('---')\nprint({uplink('two')!r})\n"
        f"print('---\\n# Source: web/charts/sub/templates/a.yaml')\nprint({uplink('three')!r})\n"
        f"print('---\\n# Source: web/../../secret.yaml')\nprint({uplink('four')!r})\n",
    )

    cluster, texts = loaded(tmp_path / "apps", rendered=True)

    assert said(cluster) == []
    files = {each.name: each.origin.document.file for each in cluster.uplinks}
    assert files == {
        "one": str(template),
        "two": str(template),
        "three": str(sub),
        "four": str(folder / "Chart.yaml"),
    }
    assert texts.templates == {
        str(template): b"template\n",
        str(sub): b"sub\n",
        str(folder / "Chart.yaml"): b"name: web\n",
    }
    assert b"name: one" in texts[str(template)]


def test_what_kubectl_makes_of_a_kustomization_is_read_by_object(
    tmp_path: Path, program: Program
) -> None:
    apps = tmp_path / "apps"
    write(apps / "base" / "kustomization.yaml", "resources: [uplink.yaml]\n")
    base = write(apps / "base" / "uplink.yaml", uplink("api"))
    overlay = write(
        apps / "eu" / "kustomization.yaml", "resources: [../base]\npatches: [{path: p.yaml}]\n"
    )
    program(
        "kubectl",
        "assert verb == ['kustomize']\n"
        f"print({uplink('api', 7)!r} + '---\\n' + {uplink('generated')!r})\n",
    )

    cluster, _ = loaded(apps, rendered=True)

    assert said(cluster) == []
    assert [(u.name, u.weight, u.origin.document.file) for u in cluster.uplinks] == [
        ("api", 7, str(base)),
        ("generated", 1, str(overlay)),
    ]


def test_a_missing_program_is_said_in_the_hint(tmp_path: Path, program: Program) -> None:
    del program  # only an empty path
    write(tmp_path / "apps" / "Chart.yaml")

    cluster, _ = loaded(tmp_path / "apps", rendered=True)

    assert said(cluster) == [("UPL018", "error", str(tmp_path / "apps" / "Chart.yaml"))]
    assert "helm was not found; install it, or use the output of: helm" in str(
        cluster.diagnostics[0]
    )


LOGGED = """\
W1130 11:41:33.1 9 a.go:1] old
E1130 11:41:33.2 9 run.go:72] "command failed" err=<
\tno file
\tp.yaml
 >
"""


@pytest.mark.parametrize(
    ("body", "problem"),
    [
        (
            "sys.stderr.write('\\nError: no template\\nmore')\nsys.exit(3)",
            "cannot be rendered: helm failed with status 3: Error: no template more",
        ),
        (
            "sys.exit('WARNING: group-readable\\n# Warning: old\\nError: no chart\\n')",
            "cannot be rendered: helm failed with status 1: Error: no chart",
        ),
        (
            f"sys.exit({LOGGED!r})",
            "cannot be rendered: helm failed with status 1: no file p.yaml",
        ),
        (
            "sys.stderr.write('x' * 1000)\nsys.exit(1)",
            f"cannot be rendered: helm failed with status 1: {'x' * 200}",
        ),
        (
            f"sys.stdout.write('x' * ({Limits().size} + 1))",
            f"cannot be rendered: helm wrote more than {Limits().size} bytes",
        ),
    ],
)
def test_a_program_that_fails_is_an_error(
    tmp_path: Path, program: Program, body: str, problem: str
) -> None:
    chart = write(tmp_path / "apps" / "Chart.yaml")
    program("helm", body)

    cluster, _ = loaded(tmp_path / "apps", rendered=True)

    assert said(cluster) == [("UPL012", "error", str(chart))]
    assert cluster.diagnostics[0].message == problem


def test_a_program_that_does_not_end_is_ended_with_its_children(
    tmp_path: Path, program: Program, monkeypatch: pytest.MonkeyPatch
) -> None:
    chart = Chart(str(tmp_path), str(write(tmp_path / "Chart.yaml")))
    program("helm", "os.fork()\nwhile True:\n    time.sleep(100)")
    monkeypatch.setattr(charts, "SECONDS", 0.3)

    with pytest.raises(Unrendered, match=r"^helm took longer than 0\.3 s$"):
        render(chart)


def test_a_program_that_cannot_be_run_is_an_error(tmp_path: Path, program: Program) -> None:
    program("helm", "")
    (tmp_path / "bin" / "helm").write_text("#!/no/such/interpreter\n")
    chart = Chart(str(tmp_path), str(write(tmp_path / "Chart.yaml")))

    with pytest.raises(Unrendered, match=r"^helm cannot be run: No such file or directory$"):
        render(chart)


def test_a_rendering_with_a_mistake_is_reported_in_the_template(
    tmp_path: Path, program: Program
) -> None:
    template = write(tmp_path / "apps" / "templates" / "a.yaml")
    write(tmp_path / "apps" / "Chart.yaml")
    program("helm", "print('# Source: x/templates/a.yaml\\na: [')")

    cluster, _ = loaded(tmp_path / "apps", rendered=True)

    assert said(cluster) == [("UPL001", "error", str(template))]


def test_a_folder_without_a_chart_file_is_none(tmp_path: Path) -> None:
    (tmp_path / "Chart.yaml").mkdir()

    assert chart_in(str(tmp_path), os.listdir(tmp_path)) is None  # noqa: PTH208 - names
    assert chart_in(str(tmp_path), ["a.yaml"]) is None
