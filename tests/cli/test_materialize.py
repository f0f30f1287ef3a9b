from __future__ import annotations

import json
import re
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from uplinks.cli.materialize import health_summary
from uplinks.model import HealthCheck

Run = Callable[..., Any]

SECOND = 1_000_000_000


def test_the_complete_example_as_a_table(run: Run) -> None:
    ran = run("materialize", "examples/banking")

    assert ran.status == 0
    assert ran.out == (
        "SERVICE                                     KIND      WEIGHT  URL"
        "                              HEALTH CHECK\n"
        "banking-banking-api@multicluster            weighted             "
        "                              -\n"
        "  banking-banking-api-child-1@multicluster  child         10"
        "  https://child1.example.com:9443  -\n"
        "  banking-banking-api-child-2@multicluster  child         10"
        "  https://child2.example.com:9443  -\n"
    )


def test_health_checks_are_told_in_one_line(run: Run) -> None:
    ran = run("materialize", "examples/failover")

    assert ran.status == 0
    assert (
        "GET /health at port 443 as api.eu.example.com every 10s, timeout 3s, expects 200"
        in ran.out
    )


@pytest.mark.parametrize(
    ("check", "summary"),
    [
        (None, "-"),
        (HealthCheck(), "GET / every 30s, timeout 5s, expects 200"),
        (
            HealthCheck(
                path="/h",
                scheme="http",
                method="HEAD",
                status=204,
                unhealthy_interval=2 * SECOND,
                headers={"Authorization": "Bearer secret"},
            ),
            "HEAD /h over http every 30s (2s when down), timeout 5s, expects 204, 1 header",
        ),
        (HealthCheck(mode="grpc", interval=10 * SECOND), "gRPC every 10s, timeout 5s"),
    ],
)
def test_a_health_check_in_one_line(check: HealthCheck | None, summary: str) -> None:
    assert health_summary(check) == summary


def test_traefiks_format_is_what_the_page_generates(run: Run) -> None:
    ran = run("materialize", "examples/weighted", "--format", "traefik")

    assert ran.status == 0
    expected = yaml.safe_load(Path("examples/weighted/expected-services.yaml").read_text("utf-8"))
    services = yaml.safe_load(ran.out)["http"]["services"]
    name = "apps-api-workload"
    wanted = expected["services"][name]["weighted"]["services"]
    assert services[name]["weighted"]["services"] == [
        {**entry, "name": f"{entry['name']}@file"} for entry in wanted
    ]


def test_the_references_have_the_provider_that_reads_them(run: Run) -> None:
    ran = run("materialize", "examples/failover", "--format=traefik", "--provider=http")

    assert ran.status == 0
    assert "@http" in ran.out
    assert "@file" not in ran.out
    assert "@multicluster" not in ran.out


def test_a_childs_half(run: Run) -> None:
    arguments = ("materialize", "examples/banking", "--for-child", "child-1")
    routers = run(*arguments, "--format=traefik", "--own-provider=file", "--uplink-header=X-Name")

    assert routers.status == 0
    router, unnamed = yaml.safe_load(routers.out)["http"]["routers"].values()
    if "!" in router["rule"]:
        router, unnamed = unnamed, router
    assert unnamed["rule"].startswith("!HeaderRegexp(`X-Name`, `.+`) && ")
    assert router == {
        "entryPoints": ["multicluster"],
        "middlewares": ["banking-rate-limit@file", "banking-circuit-breaker@file"],
        "rule": "Header(`X-Name`, `banking-banking-api`) && "
        "(PathPrefix(`/accounts`) || PathPrefix(`/transactions`))",
        "service": "banking-banking-service-8080@file",
    }
    assert yaml.safe_load(run(*arguments, "--format=traefik-static").out) == {
        "entryPoints": {"multicluster": {"address": ":9443", "http": {"tls": {}}}}
    }
    assert run(*arguments, "--format=traefik-arguments").out == (
        "--entryPoints.multicluster.address=:9443\n--entryPoints.multicluster.http.tls=true\n"
    )


def test_envoys_bootstrap_and_its_endpoints(run: Run) -> None:
    bootstrap = run(
        "materialize", "examples/weighted", "--format=envoy", "--eds-folder=/etc/envoy/eds"
    )
    endpoints = run("materialize", "examples/weighted", "--format=envoy-eds")

    assert bootstrap.status == endpoints.status == 0
    (cluster,) = json.loads(bootstrap.out)["static_resources"]["clusters"]
    assert cluster["name"] == "apps-api-workload"
    # The example's children are at names, which Envoy resolves in the cluster only.
    assert cluster["type"] == "STRICT_DNS"
    assert json.loads(endpoints.out) == {}


def test_envoys_endpoints_are_a_file_for_each_cluster(run: Run, tmp_path: Path) -> None:
    fleet = tmp_path / "fleet"
    shutil.copytree("examples/weighted", fleet)
    for file in (fleet / "parent").rglob("*.yaml"):
        text = file.read_text("utf-8")
        file.write_text(re.sub(r"https://child(\d)[^:/\s]*", r"https://192.0.2.\1", text), "utf-8")
    folder = tmp_path / "new" / "eds"

    ran = run("materialize", str(fleet), "--format=envoy-eds", f"--output={folder}")

    assert (ran.status, ran.out) == (0, "")
    assert [file.name for file in folder.iterdir()] == ["apps-api-workload.json"]
    (resource,) = json.loads((folder / "apps-api-workload.json").read_text())["resources"]
    assert resource["cluster_name"] == "apps-api-workload"
    shown = json.loads(run("materialize", str(fleet), "--format=envoy-eds").out)
    assert shown == {"apps-api-workload.json": {"resources": [resource]}}


def test_the_limits_of_envoy_are_warnings(run: Run, tmp_path: Path) -> None:
    fleet = tmp_path / "fleet"
    shutil.copytree("examples/weighted", fleet)
    mirror = {
        "apiVersion": "traefik.io/v1alpha1",
        "kind": "TraefikService",
        "metadata": {"name": "mirror", "namespace": "apps"},
        "spec": {"mirroring": {"name": "apps-api-workload@multicluster", "kind": "TraefikService"}},
    }
    (fleet / "parent" / "mirror.json").write_text(json.dumps(mirror), "utf-8")

    ran = run("materialize", str(fleet), "--format=envoy")

    assert ran.status == 0
    assert (
        "warning: apps-mirror@kubernetescrd: left out: Envoy has clusters for weighted and "
        "failover services only\n" in ran.err
    )


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--for-child=chld-1", "--format=traefik"], "no child 'chld-1'; did you mean 'child-1'?"),
        (["--for-child=child-1"], "--for-child needs a --format: traefik, traefik-static"),
        (["--format=traefik-static"], "is a child's; name it with --for-child NAME"),
        (["--format=traefik", "--uplink-header=a b"], "invalid uplink header 'a b'"),
        (["--format=traefik", "--own-provider=a@b"], "invalid provider 'a@b'"),
    ],
)
def test_what_makes_no_sense_is_bad_usage(run: Run, arguments: list[str], message: str) -> None:
    ran = run("materialize", "examples/banking", *arguments)

    assert (ran.status, ran.out) == (2, "")
    assert message in ran.err


def test_a_file_is_written_whole_or_not_at_all(run: Run, tmp_path: Path) -> None:
    file = tmp_path / "uplinks.yml"
    arguments = ("--format=traefik", "--output", str(file))
    written = run("materialize", "examples/banking", *arguments)
    good = file.read_text("utf-8")

    fleet = tmp_path / "fleet"
    shutil.copytree("examples/banking", fleet)
    shutil.copy("examples/snippets/route-invalid-tls.yaml", fleet / "children" / "child-1")
    refused = run("materialize", str(fleet), *arguments)

    assert (written.status, written.out, refused.status) == (0, "", 1)
    assert good == run("materialize", "examples/banking", "--format=traefik").out
    assert file.read_text("utf-8") == good
    assert [path.name for path in tmp_path.iterdir() if path != fleet] == ["uplinks.yml"]


def test_a_private_key_in_a_transport_is_masked_in_the_table_as_data(
    run: Run, tmp_path: Path
) -> None:
    fleet = tmp_path / "fleet"
    shutil.copytree("examples/banking", fleet)
    static = fleet / "parent" / "traefik.yaml"
    text = static.read_text("utf-8").replace(
        'address: "https://child1.example.com:9443"',
        "{address: 'https://child1.example.com:9443', "
        "serversTransport: {certificates: [{certFile: a.crt, keyFile: SECRET}]}}",
    )
    static.write_text(text.replace("child-1:\n          {", "child-1: {"), "utf-8")

    data = run("materialize", str(fleet), "--format", "json")
    traefik = run("materialize", str(fleet), "--format", "traefik")

    assert data.status == traefik.status == 0, data.err
    assert "SECRET" not in data.out + data.err + traefik.err
    assert "SECRET" in traefik.out


def test_services_as_data_keep_credentials_back(run: Run, tmp_path: Path) -> None:
    fleet = tmp_path / "fleet"
    shutil.copytree("examples/banking", fleet)
    shutil.copy("examples/snippets/uplink-health-headers.yaml", fleet / "children" / "child-1")

    data = run("materialize", str(fleet), "--format", "json")
    table = run("materialize", str(fleet))

    assert data.status == table.status == 0
    services = {service["name"]: service for service in json.loads(data.out)["services"]}
    child = services["apps-api-workload-child-1@multicluster"]
    assert child["kind"] == "child"
    assert child["health_check"]["headers"] == ["X-Health-Check", "Authorization"]
    assert "2 headers" in table.out
    assert "token123" not in data.out + data.err + table.out + table.err


def test_a_fleet_with_errors_gives_findings_and_nothing_else(run: Run, tmp_path: Path) -> None:
    fleet = tmp_path / "fleet"
    shutil.copytree("examples/banking", fleet)
    bad = fleet / "children" / "child-1" / "bad.yaml"
    shutil.copy("examples/snippets/route-invalid-tls.yaml", bad)

    for form in ("table", "traefik", "json"):
        ran = run("materialize", str(fleet), "--format", form)

        assert (ran.status, ran.out) == (1, "")
        assert f"{bad}:16:3: error UPL302: " in ran.err


def test_a_parent_without_children_that_offer_says_so(run: Run, tmp_path: Path) -> None:
    fleet = tmp_path / "fleet"
    shutil.copytree("examples/banking", fleet)
    (fleet / "parent" / "ingressroute.yaml").unlink()
    for child in ("child-1", "child-2"):
        for file in ("uplink.yaml", "ingressroute.yaml"):
            (fleet / "children" / child / file).unlink()

    ran = run("materialize", str(fleet))

    assert (ran.status, ran.out) == (0, "nothing is advertised\n")


@pytest.mark.parametrize("command", [("materialize",), ("simulate", "--service=x")])
def test_standard_input_alone_is_refused_with_the_way_to_do_it(
    run: Run, command: tuple[str, ...]
) -> None:
    ran = run(*command, "-")

    assert (ran.status, ran.out) == (2, "")
    assert "use --parent - or --child NAME=- beside the others" in ran.err
