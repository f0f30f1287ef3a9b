from __future__ import annotations

import html
import json
import re
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

Run = Callable[..., Any]
WEIGHTED = "examples/weighted"


@pytest.fixture
def drained(tmp_path: Path) -> str:
    """The weighted example with 80 instead of 90 for its first child."""
    root = Path(__file__).parents[2]
    new = shutil.copytree(root / WEIGHTED, tmp_path / "new")
    apps = new / "children" / "child-1" / "apps.yaml"
    apps.write_text(apps.read_text().replace("weight: 90", "weight: 10"))
    return str(new)


def test_no_change(run: Run) -> None:
    ran = run("diff", WEIGHTED, WEIGHTED)
    assert (ran.status, ran.out, ran.err) == (0, "no change\n", "")


def test_a_jump_as_text(run: Run, drained: str) -> None:
    ran = run("diff", WEIGHTED, drained)
    assert ran.status == 1
    assert ran.out == (
        "~ apps-api-workload@multicluster (weighted)\n"
        "    weight of child-1: 90 -> 10\n"
        "    share of child-1: 90 % -> 50 %\n"
        "    share of child-2: 10 % -> 50 %\n"
        "    ! the share of child-1 goes from 90 % to 50 %\n"
        "    ! the share of child-2 goes from 10 % to 50 %\n"
    )


def test_a_limit_that_is_not_passed_is_no_risk(run: Run, drained: str) -> None:
    assert run("diff", WEIGHTED, drained, "--jump", "40").status == 0
    assert run("diff", WEIGHTED, drained, "--jump", "39.9").status == 1


def test_as_json(run: Run, drained: str) -> None:
    data = json.loads(run("diff", WEIGHTED, drained, "--format", "json").out)
    [service] = data["services"]
    assert data["risky"]
    assert service["shares"][0] == {"child": "child-1", "before": "9/10", "after": "1/2"}


def test_what_is_removed_and_was_served_in_every_format(run: Run, tmp_path: Path) -> None:
    old, new = (shutil.copytree(WEIGHTED, tmp_path / name) for name in ("old", "new"))
    (old / "parent" / "split.yaml").write_text(
        "apiVersion: traefik.io/v1alpha1\nkind: TraefikService\n"
        "metadata: {name: split, namespace: apps}\nspec:\n  weighted:\n"
        "    services: [{name: apps-api-workload@multicluster, kind: TraefikService}]\n"
    )
    told = "it is removed, and requests are served by it now"

    text = run("diff", str(old), str(new))
    assert (text.status, text.err) == (1, "")
    assert text.out == (
        "- apps-split@kubernetescrd (composed)\n"
        "    share of child-1: 90 % -> 0 %\n"
        "    share of child-2: 10 % -> 0 %\n"
        f"    ! {told}\n"
    )
    data = json.loads(run("diff", str(old), str(new), "--format", "json").out)
    assert data["services"][0]["risks"] == [{"kind": "no-longer-served", "message": told}]
    markdown = run("diff", str(old), str(new), "--format", "markdown").out
    assert markdown.splitlines()[2].endswith(f"| ⚠ {told} |")
    assert run("diff", str(new), str(old)).status == 0


@pytest.mark.parametrize(
    ("old", "message"),
    [
        ("-", "standard input (-) is a single cluster"),
        ("", "a path must not be empty"),
        ("examples", "examples is a folder of fleets, not a fleet"),
        ("examples/weighted/parent", "examples/weighted/parent is a single cluster"),
    ],
)
def test_what_is_no_fleet_is_bad_usage_on_either_side(run: Run, old: str, message: str) -> None:
    for ran in (run("diff", old, WEIGHTED), run("diff", WEIGHTED, old)):
        assert (ran.status, ran.out) == (2, "")
        assert message in ran.err


def test_what_is_not_there_is_a_finding(run: Run) -> None:
    ran = run("diff", "no/such/folder", WEIGHTED)
    assert (ran.status, ran.out) == (2, "")
    assert "UPL012" in ran.err


def test_markdown_is_escaped(run: Run, drained: str) -> None:
    route = Path(drained, "parent", "route.yaml")
    route.write_text(
        "apiVersion: traefik.io/v1alpha1\nkind: IngressRoute\n"
        "metadata: {name: r, namespace: apps}\nspec:\n  routes:\n"
        "    - {match: 'PathPrefix(`/a|b`) && Host(`<b>`)', kind: Rule, services: "
        "[{name: apps-api-workload@multicluster, kind: TraefikService}]}\n"
    )
    ran = run("diff", WEIGHTED, drained, "--format", "markdown")
    line = next(each for each in ran.out.splitlines() if "route apps/r" in each)
    assert r"PathPrefix\(\`/a\|b\`\) &amp;&amp; Host\(\`&lt;b&gt;\`\)" in line
    assert "apps-api-workload@\u200bmulticluster" in line


def test_markdown_mentions_and_links_nothing(run: Run, drained: str) -> None:
    Path(drained, "parent", "route.yaml").write_text(
        "apiVersion: traefik.io/v1alpha1\nkind: IngressRoute\n"
        "metadata: {name: r, namespace: apps}\nspec:\n  routes:\n"
        "    - {match: 'Host(`a`) @org/team #12', kind: Rule, services: "
        "[{name: apps-api-workload@multicluster, kind: TraefikService}]}\n"
    )
    out = run("diff", WEIGHTED, drained, "--format", "markdown").out
    # What is left when Markdown has been read, where mentions are looked for.
    seen = html.unescape(re.sub(r"\\([\W_])", r"\1", out))
    assert "@\u200borg/team #\u200b12" in seen
    assert not re.search(r"[@#]\w", seen)


@pytest.mark.parametrize(
    "arguments",
    [
        ("no/such", WEIGHTED),
        (WEIGHTED,),
        (WEIGHTED, WEIGHTED, "--jump", "101"),
        (WEIGHTED, WEIGHTED, "--jump", "nan"),
        (WEIGHTED, "examples"),
    ],
)
def test_bad_usage(run: Run, arguments: tuple[str, ...]) -> None:
    ran = run("diff", *arguments)
    assert (ran.status, ran.out) == (2, "")
    assert "Traceback" not in ran.err


def test_errors_of_the_new_fleet_are_findings(run: Run, drained: str) -> None:
    shutil.copy(
        "examples/weighted/children/child-1/apps.yaml", f"{drained}/children/child-1/b.yaml"
    )
    ran = run("diff", WEIGHTED, drained)
    assert ran.status == 1
    assert "error UPL" in ran.err
    assert ran.out == ""


@pytest.mark.parametrize("text", ["a: [", "spec: {wieght: 1}"])
@pytest.mark.parametrize("step", [1, -1])
def test_what_could_not_be_read_is_not_taken_for_removed(
    run: Run, drained: str, text: str, step: int
) -> None:
    apps = Path(drained, "children", "child-1", "apps.yaml")
    known = apps.read_text().partition("spec:")[0]
    apps.write_text(text if text == "a: [" else known + text)
    ran = run("diff", *[WEIGHTED, drained][::step])
    assert (ran.status, ran.out) == (1, "")
    assert f"{apps}:" in ran.err
    assert "cannot compare" in ran.err


def test_a_name_that_becomes_that_of_a_child_is_no_traceback(run: Run, tmp_path: Path) -> None:
    old, new = (shutil.copytree(WEIGHTED, tmp_path / side) for side in ("old", "new"))
    for fleet in (old, new):
        (fleet / "children" / "child-2" / "apps.yaml").unlink()
    apps = old / "children" / "child-1" / "apps.yaml"
    apps.write_text(apps.read_text().replace("api-workload", "api-workload-child-1"))
    ran = run("diff", str(old), str(new))
    assert "kind: weighted -> child" in ran.out
    assert "Traceback" not in ran.err
