from __future__ import annotations

import io
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from uplinks.cli import causes
from uplinks.cli.causes import LEVELS, SCREEN, brief, detailed
from uplinks.cli.console import Console, Styler
from uplinks.diagnostics import Diagnostic, Location, Report, Severity, Span

Run = Callable[..., Any]
PLAIN = Styler(coloured=False)


def finding(
    message: str,
    *,
    code: str = "UPL103",
    file: str = "a.yaml",
    line: int = 1,
    path: str = "$.spec.weight",
    severity: Severity = Severity.ERROR,
) -> Diagnostic:
    place = Location("eu", file, Span(line, 3, line, 5), path)
    return Diagnostic(code, severity, message, place)


@pytest.fixture(scope="module")
def fleet(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """60 children with 40 uplinks each, and the same mistake in all of them."""
    root = tmp_path_factory.mktemp("fleet")
    names = [f"child-{number}" for number in range(60)]
    children = "".join(
        f"        {name}: {{address: 'https://{name}.example.com'}}\n" for name in names
    )
    (root / "parent").mkdir()
    (root / "parent" / "traefik.yaml").write_text(
        f"hub:\n  providers:\n    multicluster:\n      children:\n{children}"
    )
    uplinks = "".join(
        "---\napiVersion: hub.traefik.io/v1alpha1\nkind: Uplink\n"
        f"metadata: {{name: svc-{number}, namespace: apps}}\n"
        "spec: {healthCheck: {path: /, interval: 10s, timeout: 30s}}\n"
        for number in range(40)
    )
    static = (
        "hub: {uplinkEntryPoints: {m: {address: ':9443', asDefault: true}},"
        " providers: {multicluster: {}}}\n"
    )
    for name in names:
        folder = root / "children" / name
        folder.mkdir(parents=True)
        (folder / "all.yaml").write_text(static + uplinks)
    return root


def test_a_repeated_mistake_in_a_large_fleet_is_one_finding(run: Run, fleet: Path) -> None:
    ran = run("check", str(fleet))

    lines = ran.out.splitlines()
    assert ran.status == 0
    assert lines[0].startswith(f"{fleet}/children/child-0/all.yaml:6:55: warning UPL203: ")
    assert [line.partition(": ")[0] for line in lines if " more in " in line] == [
        "  2399 more in 60 files"
    ]
    assert len(lines) < 40
    assert lines[-1] == "60 children, 2400 uplinks, 2461 documents: 2400 warnings"


def test_a_simulation_of_a_large_fleet_counts_findings_and_shows_the_failing_phase(
    run: Run, fleet: Path
) -> None:
    ran = run(
        "simulate",
        str(fleet),
        "--service=apps-svc-0@multicluster",
        "--fail=child-7@2m-4m",
        "--rate=20",
    )

    assert ran.status == 0
    assert ran.err.count("\n") == 1
    assert ran.err.endswith("; uplinks check shows all\n")
    assert len(ran.out.splitlines()) < 50
    rows = [line.split() for line in ran.out.splitlines()]
    failing = [row for row in rows if row[:1] == ["child-7"] and "detected" in row]
    assert [row[-1] for row in failing] == [failing[0][4]]
    assert int(failing[0][-1]) > 0
    assert sum(row[:3] == ["57", "others", "up"] for row in rows) == 5


def test_causes_differ_in_message_code_field_and_severity() -> None:
    same = [finding(f"weight of uplink apps/api-{n} is -{n}", line=n) for n in (1, 2)]
    others = [
        finding("weight of uplink apps/api is 'x'"),
        finding("weight of uplink apps/api is -1", code="UPL105"),
        finding("weight of uplink apps/api is -1", path="$.spec.other"),
        finding("weight of uplink apps/api is -1", severity=Severity.INFO),
    ]

    groups = causes.causes([*same, *others])

    assert [len(cause.findings) for cause in groups] == [2, 1, 1, 1, 1]


def test_positions_in_lists_make_no_other_cause() -> None:
    found = [finding("wrong", path=f"$.spec.routes[{n}].match") for n in range(9)]

    assert len(causes.causes(found)) == 1


def test_few_findings_are_shown_one_by_one() -> None:
    found = [finding("wrong", line=n) for n in (1, 2)]

    assert detailed(found, PLAIN, None, 2) == (
        "a.yaml:1:3: error UPL103: wrong\na.yaml:2:3: error UPL103: wrong\n"
    )


def test_more_findings_than_lines_are_grouped_with_their_first_places() -> None:
    files = ("a.yaml", "a.yaml", "b.yaml", "c.yaml", "d.yaml", "e.yaml")
    found = [finding("wrong", file=file, line=n) for n, file in enumerate(files, start=1)]

    assert detailed(found, PLAIN, None, 2) == (
        "a.yaml:1:3: error UPL103: wrong\n"
        "  5 more in 5 files: a.yaml:2:3, b.yaml:3:3, c.yaml:4:3, ...\n"
    )
    assert detailed(found, PLAIN, None, 1) is None


def test_brief_groups_as_finely_as_fits() -> None:
    names = [finding(f"unknown name '{name}'") for name in "abcd"]

    assert brief(names, PLAIN, 4).count("\n") == 4
    assert brief(names, PLAIN, 3) == (
        "a.yaml:1:3: error UPL103: unknown name 'a'\n  3 more: a.yaml:1:3, ...\n"
    )


def test_brief_shows_the_most_severe_codes_if_not_all_fit() -> None:
    found = [
        finding("first", code="UPL101", severity=Severity.INFO),
        finding("second", code="UPL102", severity=Severity.WARNING),
        finding("third", code="UPL103"),
        finding("fourth", code="UPL104"),
    ]

    assert brief(found, PLAIN, 3) == (
        "a.yaml:1:3: error UPL103: third\n"
        "a.yaml:1:3: error UPL104: fourth\n"
        "... and 2 more findings of 2 codes\n"
    )


@pytest.mark.parametrize("room", [2, 5, SCREEN])
def test_brief_never_takes_more_lines(room: int) -> None:
    found = [
        finding(f"m{n} 'x{n}'", code=f"UPL{n % 97:03}", path=f"$.a{n}", file=f"{n}.yaml")
        for n in range(1000)
    ]

    assert brief(found, PLAIN, room).count("\n") <= room


def test_each_level_is_coarser_than_the_one_before() -> None:
    found = [
        finding(f"router a/b{n % 2} has {n} of '{n % 3}'", path=f"$.p{n % 2}") for n in range(12)
    ]

    counts = [len(causes.causes(found, level)) for level in LEVELS]

    assert counts == sorted(counts, reverse=True)
    assert counts[-1] == 1


def test_a_refusal_names_errors_only_and_counts_the_rest() -> None:
    console = Console(io.StringIO(), io.StringIO())
    found = [finding("wrong"), finding("odd", severity=Severity.WARNING)]

    causes.write_refusal(Report(found), console)

    assert console.err.getvalue() == (  # type: ignore[attr-defined]
        "a.yaml:1:3: error UPL103: wrong\n1 error, 1 warning; uplinks check shows all\n"
    )
