from __future__ import annotations

import io
import json
import re
import shutil
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from uplinks.cli import main

Run = Callable[..., Any]

BANKING = ("simulate", "examples/banking", "--service", "banking-banking-api@multicluster")
FAILOVER = ("simulate", "examples/failover", "--service", "apps-api-workload@kubernetescrd")
ROOT = Path(__file__).parents[2]


def data(ran: Any) -> Any:
    return json.loads(ran.out)


def shares(run: Any) -> list[dict[str, int]]:
    return [{s["child"]: s["requests"] for s in phase["shares"]} for phase in run["phases"]]


def test_the_report_shows_a_failover_and_its_bounds(run: Run) -> None:
    ran = run(*FAILOVER, "--fail", "eu@2m3s-5m3s")

    assert (ran.status, ran.err) == (0, "")
    assert ran.out == (
        "apps-api-workload@kubernetescrd: 60000 requests in 10m0s, 100 a second, engine uplinks\n"
        "\n"
        "FROM     TO       CHILD  STATE                  REQUESTS     SHARE     IDEAL  FAILED\n"
        "0s       2m3s     eu     up                        12300  100.00 %  100.00 %       0\n"
        "                  us     up                            0    0.00 %    0.00 %       0\n"
        "2m3s     2m6.18s  eu     failing, not detected       319  100.00 %  100.00 %     319\n"
        "                  us     up                            0    0.00 %    0.00 %       0\n"
        "2m6.18s  5m3s     eu     failing, marked down          0    0.00 %    0.00 %       0\n"
        "                  us     up                        17681  100.00 %  100.00 %       0\n"
        "5m3s     5m6.18s  eu     healthy, marked down          0    0.00 %    0.00 %       0\n"
        "                  us     up                          319  100.00 %  100.00 %       0\n"
        "5m6.18s  10m0s    eu     up                        29381  100.00 %  100.00 %       0\n"
        "                  us     up                            0    0.00 %    0.00 %       0\n"
        "\n"
        "eu      ████████████▅                 ▄█████████████████████████████\n"
        "us                  ▄█████████████████▅\n"
        "failed              ▃\n"
        "\n"
        "CHILD  FAILS AT  DETECTED AFTER    BOUND  ENDS AT  RECOVERED AFTER    BOUND\n"
        "eu     2m3s              3.18 s  13.00 s  5m3s              3.18 s  13.00 s\n"
        "\n"
        "319 of 60000 requests failed.\n"
        "Every bound was kept.\n"
        "With the engine traefik, 700 requests would fail: 381 more than with uplinks.\n"
    )


def test_json_has_everything_in_nanoseconds(run: Run) -> None:
    found = data(run(*FAILOVER, "--fail", "eu@2m3s-5m3s", "--format", "json"))

    assert shares(found) == [
        {"eu": 12300, "us": 0},
        {"eu": 319, "us": 0},
        {"eu": 0, "us": 17681},
        {"eu": 0, "us": 319},
        {"eu": 29381, "us": 0},
    ]
    assert found["failures"] == [
        {
            "child": "eu",
            "services": ["api-workload-eu-eu@multicluster"],
            "start": 123_000_000_000,
            "end": 303_000_000_000,
            "detectedAt": 126_180_339_887,
            "detection": 3_180_339_887,
            "detectionBound": 13_000_000_000,
            "recoveredAt": 306_180_339_887,
            "recovery": 3_180_339_887,
            "recoveryBound": 13_000_000_000,
            "withinBounds": True,
        }
    ]
    assert [t["after"] for t in found["transitions"]][-2:] == ["down", "up"]
    assert (found["requests"], found["failed"], found["withinBounds"]) == (60_000, 319, True)
    assert sum(window["requests"] for window in found["windows"]) == 60_000
    assert found["policy"]["unhealthy_threshold"] == 1


def test_every_event_has_an_option(run: Run) -> None:
    ran = run(
        *FAILOVER,
        "--duration=10m",
        "--rate=7.5",
        "--hang=eu@1m-2m",
        "--flap=us@3m-4m/30s/10s",
        "--slow=eu@5m-6m/4s/fail",
        "--weight=us@7m=3",
        "--withdraw=us@8m",
        "--advertise=us@9m",
        "--lateness=10ms",
        "--jitter=5ms",
        "--lost=1%",
        "--seed=4",
        "--start=3",
        "--format=json",
    )

    found = data(ran)
    assert found["rate"] == "15/2"
    assert found["requests"] == 4500
    # eu hangs, us flaps twice, and eu is slower than its timeout.
    assert [(f["child"], f["start"] // 10**9) for f in found["failures"]] == [
        ("eu", 60),
        ("us", 180),
        ("us", 210),
        ("eu", 300),
    ]
    gone = [phase for phase in found["phases"] if len(phase["shares"]) == 1]
    assert {(phase["start"] // 10**9, phase["end"] // 10**9) for phase in gone} == {(480, 540)}


def test_the_number_of_requests_can_be_given_instead(run: Run) -> None:
    found = data(run(*BANKING, "--requests", "77", "--duration", "1s", "--format", "json"))

    assert shares(found) == [{"child-1": 39, "child-2": 38}]


def test_an_outage_without_an_end_lasts(run: Run) -> None:
    [failure] = data(run(*FAILOVER, "--fail", "eu@2m", "--format=json"))["failures"]

    assert (failure["end"], failure["recovery"]) == (None, None)


def test_requests_without_a_target_are_shown(run: Run) -> None:
    ran = run(*FAILOVER, "--fail=eu@1m-2m", "--fail=us@1m-2m")

    assert ran.status == 0
    assert "(no target)" in ran.out
    assert " of them had no target.\n" in ran.out


def test_a_policy_sets_thresholds_times_and_scheduler(run: Run) -> None:
    policy = "unhealthy_threshold=2,interval=5s,timeout=1s,start_window=0,serve_unknown=false"
    found = data(
        run(*FAILOVER, "--fail=eu@2m3s-5m3s", f"--policy={policy},scheduler=edf", "--format=json")
    )

    assert found["policy"]["unhealthy_threshold"] == 2
    assert found["policy"]["start_window"] == 0
    assert found["policy"]["serve_unknown"] is False
    assert found["scheduler"] == "edf"
    assert found["failures"][0]["detectionBound"] == 11 * 10**9
    assert found["failures"][0]["recoveryBound"] == 6 * 10**9


def test_policies_are_compared_side_by_side(run: Run) -> None:
    ran = run(
        *FAILOVER,
        "--fail=eu@2m3s-5m3s",
        "--policy=timeout=2s",
        "--compare=unhealthy_threshold=2",
        "--compare=interval=3s,scheduler=smooth",
    )

    table = [line.split("  ") for line in ran.out.splitlines()[2:6]]
    rows = [[cell.strip() for cell in row if cell.strip()] for row in table]
    assert rows == [
        [
            "POLICY",
            "ENGINE",
            "FAILED",
            "UNSERVED",
            "DETECTED AFTER",
            "BOUND",
            "RECOVERED AFTER",
            "BOUND",
            "TIMES DOWN",
            "PROBES",
        ],
        ["timeout=2s", "uplinks", "319", "0", "3.18 s", "12.00 s", "3.18 s", "12.00 s", "1", "122"],
        [
            "unhealthy_threshold=2",
            "uplinks",
            "1319",
            "0",
            "13.18 s",
            "22.00 s",
            "3.18 s",
            "12.00 s",
            "1",
            "122",
        ],
        [
            "interval=3s,scheduler=smooth",
            "uplinks",
            "186",
            "0",
            "1.85 s",
            "5.00 s",
            "1.85 s",
            "5.00 s",
            "1",
            "402",
        ],
    ]
    assert ran.out.endswith("Every bound was kept.\n")


def test_a_comparison_in_json_names_each_run(run: Run) -> None:
    found = data(
        run(*FAILOVER, "--fail=eu@2m3s-5m3s", "--compare=unhealthy_threshold=3", "--format=json")
    )

    assert [each["name"] for each in found["runs"]] == ["baseline", "unhealthy_threshold=3"]
    assert [each["failed"] for each in found["runs"]] == [319, 2319]


WEIGHTED = "{weighted: {services: [{name: api-workload-eu@multicluster, kind: TraefikService}, \
{name: api-workload-us@multicluster, kind: TraefikService}]}}"


def test_engines_are_compared_with_the_difference_in_one_line(run: Run, tmp_path: Path) -> None:
    fleet = with_services(tmp_path, example="failover", both=WEIGHTED)

    ran = run(
        "simulate",
        fleet,
        "--service=apps-both@kubernetescrd",
        "--fail=eu@2m3s-5m3s",
        "--compare=engine=traefik",
        "--compare=engine=traefik-file",
    )

    rows = [re.split(" {2,}", line)[:4] for line in ran.out.splitlines()[3:6]]
    # Half of the requests go to eu. What comes from the CRD does not learn that it is down.
    assert rows == [
        ["baseline", "uplinks", "160", "0"],
        ["engine=traefik", "traefik", "9350", "9000"],
        ["engine=traefik-file", "traefik-file", "350", "0"],
    ]
    assert ran.out.endswith(
        "Every bound was kept.\n"
        "With the engine traefik, 9350 requests would fail: 9190 more than with uplinks.\n"
        "With the engine traefik-file, 350 requests would fail: 190 more than with uplinks.\n"
    )


def test_every_report_names_its_engine(run: Run, tmp_path: Path) -> None:
    html, svg = tmp_path / "r.html", tmp_path / "r.svg"
    arguments = (*FAILOVER, "--fail=eu@2m3s-5m3s", "--engine=traefik")

    ran = run(*arguments, f"--html={html}", f"--svg={svg}")
    found = data(run(*arguments, "--format=json"))

    assert ran.out.splitlines()[0].endswith(", 100 a second, engine traefik")
    assert ran.out.endswith("\n700 of 60000 requests failed.\nNo bound applies.\n")
    assert "in virtual time, engine traefik." in html.read_text("utf-8")
    assert "engine traefik: 700 failed." in svg.read_text("utf-8")
    assert (found["engine"], found["policy"], found["scheduler"]) == ("traefik", None, "edf")


def test_a_service_that_traefik_refuses_is_reported(run: Run, tmp_path: Path) -> None:
    spec = FAILING_OVER.replace("MAIN", "both")
    fleet = with_services(tmp_path, example="failover", both=WEIGHTED, top=spec)

    ran = run("simulate", fleet, "--service=apps-top@kubernetescrd", "--engine=traefik")

    reason = "the main service of the failover apps-top@kubernetescrd cannot report its health"
    assert f"Traefik answers 404: {reason}, and errors.status is not set.\n" in ran.out
    assert "60000 of 60000 requests failed" in ran.out


FAILING_OVER = "{failover: {service: {name: MAIN, kind: TraefikService}, \
fallback: {name: api-workload-us@multicluster, kind: TraefikService}}}"


def test_a_long_table_is_truncated_with_a_note(run: Run) -> None:
    ran = run(*FAILOVER, "--flap=eu@0s-10m/30s")

    assert " more phases: --format json has all\n" in ran.out
    assert len(ran.out.splitlines()) < 110


def test_a_terminal_without_block_characters_gets_ascii(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    out = io.TextIOWrapper(io.BytesIO(), encoding="ascii")
    monkeypatch.setattr(sys, "stdout", out)

    status = main([*FAILOVER, "--fail=eu@2m3s-5m3s"])

    out.seek(0)
    assert status == 0
    assert "\nus                  =@@@@" in out.read()


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_progress_is_shown_on_a_terminal_only(monkeypatch: pytest.MonkeyPatch, run: Run) -> None:
    assert run(*BANKING).err == ""
    terminal = Terminal()
    monkeypatch.setattr(sys, "stderr", terminal)

    main([*BANKING])

    assert "\r\x1b[K 50 %  5m0s of 10m0s" in terminal.getvalue()
    assert terminal.getvalue().endswith("\r\x1b[K")


def test_the_same_command_writes_the_same_bytes(run: Run) -> None:
    arguments = (*FAILOVER, "--fail", "us@3s-50s", "--start", "5", "--lost", "0.1")

    assert run(*arguments) == run(*arguments)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--fail", "eu"), "expected CHILD@FROM-TO, such as child-1@2m-5m, got 'eu'"),
        (("--fail", "eu@"), "expected CHILD@FROM-TO"),
        (("--fail", "eu@2m-"), "expected CHILD@FROM-TO"),
        (("--fail", "eu@5m-2m"), "end must be after start (300000000000 ns), got 120000000000 ns"),
        (("--fail", "eu@5d-6d"), "invalid duration '5d'"),
        (("--fail", "eu@1m-2m/3s"), "expected CHILD@FROM-TO"),
        (("--hang", "@1m-2m"), "expected CHILD@FROM-TO"),
        (("--flap", "eu@1m-2m"), "expected CHILD@FROM-TO/PERIOD[/OUT]"),
        (("--flap", "eu@1m-2m/5s/5s"), "period must be at least 5000000001, got 5000000000"),
        (("--flap", "eu@1m-2m/1ns"), "out must be at least 1, got 0"),
        (("--slow", "eu@1m-2m"), "expected CHILD@FROM-TO/LATENCY[/fail]"),
        (("--slow", "eu@1m-2m/4s/pass"), "expected CHILD@FROM-TO/LATENCY[/fail]"),
        (("--weight", "eu@1m"), "expected CHILD@AT=WEIGHT"),
        (("--weight", "eu@1m=-1"), "expected CHILD@AT=WEIGHT"),
        (("--weight", "eu@1m=2147483648"), "weight must be between 0 and 2147483647"),
        (("--withdraw", "eu"), "expected CHILD@AT"),
        (("--advertise", "eu@soon"), "invalid duration 'soon'"),
        (("--policy", "threshold=2"), "unknown setting 'threshold'"),
        (("--policy", "unhealthy_treshold=2"), "did you mean 'unhealthy_threshold'?"),
        (("--policy", "unhealthy_threshold"), "expected NAME=VALUE, got 'unhealthy_threshold'"),
        (("--policy", "unhealthy_threshold=0"), "unhealthy_threshold"),
        (
            ("--policy", "unhealthy_threshold=2s"),
            "unhealthy_threshold must be an integer, got '2s'",
        ),
        (("--policy", "start_window=soon"), "invalid duration 'soon'"),
        (("--policy", "serve_unknown=yes"), "serve_unknown must be true or false, got 'yes'"),
        (("--engine", "nginx"), "invalid choice: 'nginx'"),
        (("--compare", "engine=nginx"), "engine must be one of uplinks, traefik, traefik-file"),
        (
            ("--engine", "traefik", "--policy", "unhealthy_threshold=2"),
            "unhealthy_threshold does not apply to the engine traefik",
        ),
        (
            ("--compare", "engine=traefik-file,scheduler=fair"),
            "scheduler does not apply to the engine traefik-file",
        ),
        (("--policy", "interval=0"), "interval must be above 0, got '0'"),
        (
            ("--policy", "scheduler=fairest"),
            "scheduler must be one of fair, edf, smooth, got 'fairest'",
        ),
        (("--rate", "0"), "expected a rate above 0, such as 100, 0.5 or 1000/60, got '0'"),
        (("--rate", "1/0"), "got '1/0'"),
        (("--rate", "1e9"), "got '1e9'"),
        (("--rate", "1000000001"), "rate must be above 0 and at most 1000000000, got 1000000001"),
        (("--requests", "0"), "expected a number of at least 1, got '0'"),
        (("--requests", "5", "--rate", "5"), "not allowed with argument"),
        (("--duration", "0"), "--duration must be above 0"),
        (("--duration", "-1s"), "--duration"),
        (
            ("--rate", "1000000000", "--duration", "1h"),
            "at most 100000000000 requests, got 3600000000000",
        ),
        (("--lost", "101%"), "expected a share of at most 1, such as 1% or 0.01, got '101%'"),
        (("--lost", "some"), "got 'some'"),
        (("--flap", "eu@0s-10m/2ns"), "flapping can change state at most 1000000 times"),
        (("--html", "-"), "standard output has the report"),
        (("--svg", "x.svg", "--compare", "interval=5s"), "--svg writes one picture"),
        (("--html", "no/such/folder/x.html"), "cannot write"),
    ],
)
def test_bad_usage_is_explained(run: Run, arguments: tuple[str, ...], words: str) -> None:
    ran = run(*FAILOVER, *arguments)

    assert (ran.status, ran.out) == (2, "")
    assert words in ran.err
    assert "Traceback" not in ran.err


def test_an_unknown_name_is_bad_usage_with_a_suggestion(run: Run) -> None:
    service = run("simulate", "examples/banking", "--service", "banking-banking-apy@multicluster")
    child = run(*BANKING, "--fail", "child-3@0s-5s")

    assert (service.status, service.out) == (2, "")
    assert "did you mean 'banking-banking-api@multicluster'?" in service.err
    assert (child.status, child.out) == (2, "")
    assert "did you mean 'child-1'?" in child.err or "did you mean 'child-2'?" in child.err


def test_a_fleet_with_errors_gives_findings_only(run: Run, tmp_path: Path) -> None:
    fleet = tmp_path / "fleet"
    shutil.copytree("examples/banking", fleet)
    bad = fleet / "children" / "child-1" / "bad.yaml"
    shutil.copy("examples/snippets/route-invalid-entrypoints.yaml", bad)
    page = tmp_path / "page.html"

    ran = run(
        "simulate",
        str(fleet),
        "--service=banking-banking-api@multicluster",
        f"--html={page}",
    )

    assert (ran.status, ran.out) == (1, "")
    assert f"{bad}:10:3: error UPL301: " in ran.err
    assert not page.exists()


SERVICE = """\
apiVersion: traefik.io/v1alpha1
kind: TraefikService
metadata: {name: NAME, namespace: apps}
spec: SPEC
"""


def with_services(folder: Path, example: str = "banking", **specs: str) -> str:
    """Copy an example and add TraefikServices to its parent."""
    fleet = folder / "fleet"
    shutil.copytree(f"examples/{example}", fleet)
    for name, spec in specs.items():
        text = SERVICE.replace("NAME", name).replace("SPEC", spec)
        (fleet / "parent" / f"{name}.yaml").write_text(text)
    return str(fleet)


def test_a_reference_to_nothing_is_a_finding_and_not_bad_usage(run: Run, tmp_path: Path) -> None:
    spec = "{weighted: {services: [{name: nowhere, kind: TraefikService}]}}"

    ran = run("simulate", with_services(tmp_path, top=spec), "--service", "apps-top@kubernetescrd")

    assert (ran.status, ran.out) == (1, "")
    assert " error UPL312: " in ran.err


def test_a_service_that_cannot_be_built_is_not_bad_usage(run: Run, tmp_path: Path) -> None:
    # The mirroring service exists, so no rule complains, but the parent does not compose it.
    fleet = with_services(
        tmp_path,
        mirror="{mirroring: {name: local, port: 80}}",
        top="{weighted: {services: [{name: mirror, kind: TraefikService}]}}",
    )

    ran = run("simulate", fleet, "--service", "apps-top@kubernetescrd")

    assert (ran.status, ran.out) == (1, "")
    assert "apps-top@kubernetescrd cannot be built: no service " in ran.err


def test_an_unknown_service_without_a_near_name_lists_the_services(
    run: Run, tmp_path: Path
) -> None:
    ran = run("simulate", "examples/failover", "--service", "nope")
    eu, us = "api-workload-eu@multicluster", "api-workload-us@multicluster"
    names = f"{eu}, {us}, apps-api-workload@kubernetescrd"
    assert (ran.status, ran.out) == (2, "")
    assert ran.err.endswith(f"no service 'nope'; the services are {names}\n")

    shutil.copytree("examples/failover", tmp_path, dirs_exist_ok=True)
    for manifest in tmp_path.rglob("*.yaml"):
        if manifest.name != "traefik.yaml":
            manifest.unlink()
    none = run("simulate", str(tmp_path), "--service", "nope")
    assert (none.status, none.out) == (2, "")
    assert none.err.endswith("no service 'nope'; the fleet has no services\n")


def test_an_uncomposed_service_on_the_command_line_is_bad_usage(run: Run, tmp_path: Path) -> None:
    fleet = with_services(tmp_path, mirror="{mirroring: {name: local, port: 80}}")

    ran = run("simulate", fleet, "--service", "apps-mirror@kubernetescrd")

    assert (ran.status, ran.out) == (2, "")


def test_slow_start_is_shown_beside_its_absence(run: Run) -> None:
    weighted = ("simulate", "examples/weighted", "--service", "apps-api-workload@multicluster")
    found = data(
        run(
            *weighted,
            "--fail=child-1@1m-2m",
            "--duration=4m",
            "--compare=slow_start=1m,hold_down=10s",
            "--format=json",
        )
    )

    baseline, slow = ([window["child-1"] for window in shares(each)][4:] for each in found["runs"])
    assert len(baseline) == 1
    assert slow[:-1] == [568, 386, 438, 470, 490, 507, 518, 526, 534]  # a step every 6 s
    assert slow[-1] == 4843  # 90 % again


def test_a_setting_of_several_values_is_no_setting_of_a_simulation(run: Run) -> None:
    ran = run(*FAILOVER, "--policy=retry_budget=3")

    assert ran.status == 2
    assert "unknown setting 'retry_budget'" in ran.err
