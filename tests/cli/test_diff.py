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
    assert (ran.status, ran.out, ran.err) == (0, "no changes\n", "")


def test_a_jump_as_text(run: Run, drained: str) -> None:
    ran = run("diff", WEIGHTED, drained)
    assert ran.status == 1
    assert ran.out == (
        "1 risk, 1 change\n"
        "! ~ apps-api-workload@multicluster (weighted): weight of child-1 90 -> 10; "
        "shares child-1 90 % -> 50 %, child-2 10 % -> 50 %\n"
    )


def test_a_move_within_the_limit_is_no_risk(run: Run, drained: str) -> None:
    assert run("diff", WEIGHTED, drained, "--jump", "40").status == 0
    assert run("diff", WEIGHTED, drained, "--jump", "39.9").status == 1


def _folder(root: Path, weight: int, *, check: str, host: str) -> str:
    """A parent with two routes, and two children with three uplinks."""
    (root / "parent").mkdir(parents=True)
    (root / "parent" / "static.yaml").write_text(
        "hub: {providers: {multicluster: {children: "
        f"{{eu: {{address: 'https://{host}'}}, us: {{address: 'https://us.example.com'}}}}}}}}}}\n"
    )
    routes = "".join(
        f"    - {{match: Path(`/{name}`), kind: Rule, services: "
        f"[{{name: apps-{name}@multicluster, kind: TraefikService}}]}}\n"
        for name in "ab"
    )
    (root / "parent" / "routes.yaml").write_text(
        "apiVersion: traefik.io/v1alpha1\nkind: IngressRoute\n"
        f"metadata: {{name: r, namespace: apps}}\nspec:\n  routes:\n{routes}"
    )
    for child, own in (("eu", weight), ("us", 1)):
        folder = root / "children" / child
        folder.mkdir(parents=True)
        (folder / "static.yaml").write_text(
            "hub: {uplinkEntryPoints: {up: {address: ':9443', asDefault: true}}, "
            "providers: {multicluster: {}}}\n"
        )
        (folder / "apps.yaml").write_text(
            "---\n".join(
                "apiVersion: hub.traefik.io/v1alpha1\nkind: Uplink\n"
                f"metadata: {{name: {name}, namespace: apps}}\n"
                f"spec: {{weight: {own}, {check}}}\n"
                for name in "abc"
            )
        )
    return str(root)


CHECK = "healthCheck: {path: /h, interval: 10s, timeout: 5s}"


def test_one_line_a_cause_without_defaults(run: Run, tmp_path: Path) -> None:
    old = _folder(tmp_path / "old", 1, check="", host="eu.example.com")
    new = _folder(tmp_path / "new", 3, check=CHECK, host="eu.example.com")
    added = "health check added; health check path /h; health check interval 10s"
    assert run("diff", old, new).out == (
        "1 risk, 3 changes\n"
        "! ~ apps-a@multicluster, apps-b@multicluster, apps-c@multicluster and 2 more "
        "(weighted, route): weight of eu 1 -> 3; shares eu 50 % -> 75 %, us 50 % -> 25 %\n"
        "  ~ apps-a-eu@multicluster, apps-b-eu@multicluster, apps-c-eu@multicluster (child): "
        f"{added}\n"
        "  ~ apps-a-us@multicluster, apps-b-us@multicluster, apps-c-us@multicluster (child): "
        f"{added}\n"
    )
    moved = _folder(tmp_path / "moved", 3, check="", host="new.example.com")
    removed = run("diff", new, moved).out.splitlines()
    assert removed[0] == "2 risks, 2 changes"
    assert removed[1] == (
        "! ~ apps-a-eu@multicluster, apps-b-eu@multicluster, apps-c-eu@multicluster (child): "
        "url https://eu.example.com -> https://new.example.com; health check removed; "
        "health is unknown until the first probe of the new address"
    )
    assert removed[2] == (
        "! ~ apps-a-us@multicluster, apps-b-us@multicluster, apps-c-us@multicluster (child): "
        "health check removed"
    )


def test_what_is_added_or_removed_has_one_share_each(run: Run) -> None:
    out = run("diff", WEIGHTED, "examples/banking").out.splitlines()
    assert out[0] == "1 risk, 7 changes"
    assert out[1] == (
        "! - apps-api-workload@multicluster (weighted): shares child-1 90 %, child-2 10 %; "
        "the service loses its last child"
    )
    assert out[-1] == (
        "  + route apps/banking-parent: Host(`api.example.com`) && PathPrefix(`/banking`): "
        "service banking-banking-api@multicluster; shares child-1 50 %, child-2 50 %"
    )


def test_as_json(run: Run, drained: str) -> None:
    data = json.loads(run("diff", WEIGHTED, drained, "--format", "json").out)
    [service] = data["services"]
    assert data["risky"]
    assert service["shares"][0] == {"child": "child-1", "before": "9/10", "after": "1/2"}


def test_a_removed_serving_service_in_every_format(run: Run, tmp_path: Path) -> None:
    old, new = (shutil.copytree(WEIGHTED, tmp_path / name) for name in ("old", "new"))
    (old / "parent" / "split.yaml").write_text(
        "apiVersion: traefik.io/v1alpha1\nkind: TraefikService\n"
        "metadata: {name: split, namespace: apps}\nspec:\n  weighted:\n"
        "    services: [{name: apps-api-workload@multicluster, kind: TraefikService}]\n"
    )
    message = "it serves requests and is removed"

    text = run("diff", str(old), str(new))
    assert (text.status, text.err) == (1, "")
    assert text.out == (
        "1 risk, 1 change\n"
        "! - apps-split@kubernetescrd (composed): "
        f"shares child-1 90 %, child-2 10 %; {message}\n"
    )
    data = json.loads(run("diff", str(old), str(new), "--format", "json").out)
    assert data["services"][0]["risks"] == [{"kind": "no-longer-served", "message": message}]
    markdown = run("diff", str(old), str(new), "--format", "markdown").out
    assert markdown.splitlines()[4].endswith(f"| ⚠ {message} |")
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
def test_a_path_without_a_fleet_is_bad_usage(run: Run, old: str, message: str) -> None:
    for ran in (run("diff", old, WEIGHTED), run("diff", WEIGHTED, old)):
        assert (ran.status, ran.out) == (2, "")
        assert message in ran.err


def test_a_missing_folder_is_a_finding(run: Run) -> None:
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


@pytest.mark.parametrize(
    "link",
    [
        "http://evil.example.com",
        "https://evil.example.com",
        "HTTP://evil.example.com",
        "ftp://evil.example.com",
        "ssh+git://evil.example.com",
        "www.evil.example.com",
        "WWW.evil.example.com",
        "mail.me@evil.example.com",
        "mailto:me@evil.example.com",
        "xmpp:me@evil.example.com",
        "@org/team",
        "org/repo#12",
        "GH-12",
        "!12",
        "&12",
        "$12",
        "%12",
        "~12",
        ":tada:",
    ],
)
def test_markdown_has_no_links_without_markup(run: Run, drained: str, link: str) -> None:
    Path(drained, "parent", "route.yaml").write_text(
        "apiVersion: traefik.io/v1alpha1\nkind: IngressRoute\n"
        "metadata: {name: r, namespace: apps}\nspec:\n  routes:\n"
        f"    - {{match: 'Host(`a`) || Path(`{link}`) {link}', kind: Rule, services: "
        "[{name: apps-api-workload@multicluster, kind: TraefikService}]}\n"
    )
    out = run("diff", WEIGHTED, drained, "--format", "markdown").out
    # What is left after backslash escapes and entities, where bare links are recognised.
    text = html.unescape(re.sub(r"\\([\W_])", r"\1", out))
    assert link not in text
    assert text.replace("\u200b", "").count(link) == 2
    links = r"://|www\.|[\w.]@\w|mailto:|xmpp:|gh-\d|[!&$%~#]\d|:\w+:"
    assert not re.search(links, text, re.IGNORECASE)


def test_markdown_has_no_mentions(run: Run, drained: str) -> None:
    Path(drained, "parent", "route.yaml").write_text(
        "apiVersion: traefik.io/v1alpha1\nkind: IngressRoute\n"
        "metadata: {name: r, namespace: apps}\nspec:\n  routes:\n"
        "    - {match: 'Host(`a`) @org/team #12', kind: Rule, services: "
        "[{name: apps-api-workload@multicluster, kind: TraefikService}]}\n"
    )
    out = run("diff", WEIGHTED, drained, "--format", "markdown").out
    # What is left after backslash escapes, where mentions are recognised.
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


def test_findings_in_the_new_fleet_are_counted(run: Run, drained: str) -> None:
    apps = Path(drained, "children", "child-1", "apps.yaml")
    apps.write_text(apps.read_text().replace("timeout: 3s", "timeout: 60s"))
    ran = run("diff", WEIGHTED, drained, "--jump", "100")
    assert ran.status == 0
    assert ran.out.startswith("no risks, ")
    assert re.fullmatch(rf"{drained}: \d warnings?; see uplinks check {drained}\n", ran.err)


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
def test_an_unreadable_object_is_not_reported_as_removed(
    run: Run, drained: str, text: str, step: int
) -> None:
    apps = Path(drained, "children", "child-1", "apps.yaml")
    known = apps.read_text().partition("spec:")[0]
    apps.write_text(text if text == "a: [" else known + text)
    ran = run("diff", *[WEIGHTED, drained][::step])
    assert (ran.status, ran.out) == (1, "")
    assert f"{apps}:" in ran.err
    assert "cannot compare" in ran.err


def test_a_service_name_may_become_that_of_a_child(run: Run, tmp_path: Path) -> None:
    old, new = (shutil.copytree(WEIGHTED, tmp_path / side) for side in ("old", "new"))
    for fleet in (old, new):
        (fleet / "children" / "child-2" / "apps.yaml").unlink()
    apps = old / "children" / "child-1" / "apps.yaml"
    apps.write_text(apps.read_text().replace("api-workload", "api-workload-child-1"))
    ran = run("diff", str(old), str(new))
    assert "kind weighted -> child" in ran.out
    assert "Traceback" not in ran.err


def _large(root: Path, interval: str, weight: int) -> str:
    """Ten children with two uplinks; the first child has the weight."""
    names = [f"child-{number}" for number in range(10)]
    (root / "parent").mkdir(parents=True)
    children = "".join(f"{name}: {{address: 'https://{name}.example.com'}}, " for name in names)
    (root / "parent" / "static.yaml").write_text(
        f"hub: {{providers: {{multicluster: {{children: {{{children}}}}}}}}}\n"
    )
    for name in names:
        folder = root / "children" / name
        folder.mkdir(parents=True)
        own = weight if name == "child-0" else 10
        uplinks = "".join(
            "---\napiVersion: hub.traefik.io/v1alpha1\nkind: Uplink\n"
            f"metadata: {{name: {uplink}, namespace: apps}}\n"
            f"spec: {{weight: {own}, healthCheck: {{path: /, interval: {interval}}}}}\n"
            for uplink in "ab"
        )
        (folder / "all.yaml").write_text(
            "hub: {uplinkEntryPoints: {m: {address: ':9443', asDefault: true}},"
            f" providers: {{multicluster: {{}}}}}}\n{uplinks}"
        )
    return str(root)


def test_the_same_change_of_many_children_is_one_line(run: Run, tmp_path: Path) -> None:
    old, new = _large(tmp_path / "old", "10s", 10), _large(tmp_path / "new", "20s", 10)

    ran = run("diff", old, new)

    assert ran.out == (
        "no risks, 1 change\n"
        "  ~ apps-a-child-0@multicluster, apps-b-child-0@multicluster, apps-a-child-1@multicluster "
        "and 17 more (child): health check interval 10s -> 20s\n"
    )


def test_of_many_shares_those_that_change_most_are_shown(run: Run, tmp_path: Path) -> None:
    old, new = _large(tmp_path / "old", "10s", 10), _large(tmp_path / "new", "10s", 30)

    ran = run("diff", old, new)
    table = run("diff", old, new, "--format=markdown")

    shares = ran.out.splitlines()[1].partition("; shares ")[2].split(", ")
    assert shares[0] == "child-0 10 % -> 25 %"
    assert [share.split()[0] for share in shares[1:5]] == [f"child-{n}" for n in range(1, 5)]
    assert shares[5:] == ["5 more"]
    assert "<br>5 more |" in table.out
    assert (
        len(json.loads(run("diff", old, new, "--format=json").out)["services"][0]["shares"]) == 10
    )
