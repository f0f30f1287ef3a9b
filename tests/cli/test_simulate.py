from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

Run = Callable[..., Any]

BANKING = ("simulate", "examples/banking", "--service", "banking-banking-api@multicluster")
FAILOVER = ("simulate", "examples/failover", "--service", "apps-api-workload@kubernetescrd")


def test_shares_before_during_and_after_an_outage(run: Run) -> None:
    ran = run(*BANKING, "--requests", "9000", "--down", "child-1@3000-6000")

    assert ran.status == 0
    assert ran.out == (
        "banking-banking-api@multicluster: 9000 requests\n"
        "\n"
        "REQUESTS   DOWN     CHILD    PICKED     SHARE     IDEAL\n"
        "0-3000     -        child-1    1500   50.00 %   50.00 %\n"
        "                    child-2    1500   50.00 %   50.00 %\n"
        "3000-6000  child-1  child-1       0    0.00 %    0.00 %\n"
        "                    child-2    3000  100.00 %  100.00 %\n"
        "6000-9000  -        child-1    1500   50.00 %   50.00 %\n"
        "                    child-2    1500   50.00 %   50.00 %\n"
    )


def test_when_eu_is_down_everything_goes_to_us(run: Run) -> None:
    ran = run(*FAILOVER, "--requests", "300", "--down", "eu@100-200", "--format", "json")

    windows = json.loads(ran.out)["windows"]
    assert [{s["child"]: s["requests"] for s in w["shares"]} for w in windows] == [
        {"eu": 50, "us": 50},
        {"eu": 0, "us": 100},
        {"eu": 50, "us": 50},
    ]


def test_requests_without_a_child_are_shown(run: Run) -> None:
    ran = run(*BANKING, "--requests=10", "--down=child-1@0-10", "--down=child-2@0-5")

    assert ran.status == 0
    assert "(none eligible)       5  100.00 %\n" in ran.out


def test_the_same_command_writes_the_same_bytes(run: Run) -> None:
    arguments = (*BANKING, "--requests", "77", "--down", "child-2@3-50", "--start", "5")

    assert run(*arguments) == run(*arguments)


def test_what_is_not_there_is_bad_usage_with_a_near_name(run: Run) -> None:
    service = run("simulate", "examples/banking", "--service", "banking-banking-apy@multicluster")
    child = run(*BANKING, "--down", "child-3@0-5")

    assert (service.status, service.out) == (2, "")
    assert "did you mean 'banking-banking-api@multicluster'?" in service.err
    assert (child.status, child.out) == (2, "")
    assert "did you mean 'child-1'?" in child.err or "did you mean 'child-2'?" in child.err


def test_a_fleet_with_errors_gives_findings_and_nothing_else(run: Run, tmp_path: Path) -> None:
    fleet = tmp_path / "fleet"
    shutil.copytree("examples/banking", fleet)
    bad = fleet / "children" / "child-1" / "bad.yaml"
    shutil.copy("examples/snippets/route-invalid-entrypoints.yaml", bad)

    ran = run("simulate", str(fleet), "--service", "banking-banking-api@multicluster")

    assert (ran.status, ran.out) == (1, "")
    assert f"{bad}:10:3: error UPL301: " in ran.err


SERVICE = """\
apiVersion: traefik.io/v1alpha1
kind: TraefikService
metadata: {name: NAME, namespace: apps}
spec: SPEC
"""


def with_services(folder: Path, **specs: str) -> str:
    """Copy an example and give its parent more TraefikServices."""
    fleet = folder / "fleet"
    shutil.copytree("examples/banking", fleet)
    for name, spec in specs.items():
        text = SERVICE.replace("NAME", name).replace("SPEC", spec)
        (fleet / "parent" / f"{name}.yaml").write_text(text)
    return str(fleet)


def test_a_reference_to_nothing_is_a_finding_and_not_bad_usage(run: Run, tmp_path: Path) -> None:
    spec = "{weighted: {services: [{name: nowhere, kind: TraefikService}]}}"

    ran = run("simulate", with_services(tmp_path, top=spec), "--service", "apps-top@kubernetescrd")

    assert (ran.status, ran.out) == (1, "")
    assert " error UPL312: " in ran.err


def test_what_no_rule_speaks_of_and_cannot_be_built_is_not_bad_usage(
    run: Run, tmp_path: Path
) -> None:
    # A mirroring service is there, so no rule minds; but it composes nothing.
    fleet = with_services(
        tmp_path,
        mirror="{mirroring: {name: local, port: 80}}",
        top="{weighted: {services: [{name: mirror, kind: TraefikService}]}}",
    )

    ran = run("simulate", fleet, "--service", "apps-top@kubernetescrd")

    assert (ran.status, ran.out) == (1, "")
    assert "apps-top@kubernetescrd cannot be built: no service " in ran.err


def test_an_unknown_service_is_bad_usage_whatever_else_is_there(run: Run, tmp_path: Path) -> None:
    fleet = with_services(tmp_path, mirror="{mirroring: {name: local, port: 80}}")

    ran = run("simulate", fleet, "--service", "apps-mirror@kubernetescrd")

    assert (ran.status, ran.out) == (2, "")
