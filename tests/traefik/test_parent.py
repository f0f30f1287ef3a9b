"""A parent on a real Traefik, from the written file, before children that are plain servers."""

from __future__ import annotations

import contextlib
from collections import Counter
from collections.abc import Iterator
from http import HTTPStatus
from pathlib import Path
from typing import Any

import pytest
from tests.proxies.upstreams import Upstream, serving
from tests.traefik.driver import LOOPBACK, Traefik, ask, listening, port_of
from tests.traefik.fleets import advertised, materialize, route, uplink, write_fleet

ROOT = Path(__file__).parent.parent.parent
CHECK = {"path": "/health", "interval": "250ms", "timeout": "200ms"}
PASSIVE = {"failureWindow": "30s", "maxFailedAttempts": 2}
Specs = dict[str, dict[str, Any]]
TO_API = [route("web", "PathPrefix(`/`)", "apps-api@multicluster")]


@contextlib.contextmanager
def running(
    root: Path, specs: Specs, parent: list[dict[str, Any]], **env: str
) -> Iterator[tuple[Traefik, int, dict[str, Upstream]]]:
    """Run a parent of children that offer the uplink ``api``, each with its own spec."""
    with serving(specs) as upstreams, listening("web") as sockets:
        children = {
            name: {"address": f"http://{LOOPBACK}:{upstream.port}"}
            for name, upstream in upstreams.items()
        }
        declared = {
            name: [uplink("api", **spec), advertised("api", spec.get("exposeName", "apps-api"))]
            for name, spec in specs.items()
        }
        fleet = write_fleet(root / "fleet", children, declared, parent)
        folder = root / "parent"
        materialize(fleet, "--format=traefik", to=folder / "dynamic" / "uplinks.yml")
        arguments = [f"--entryPoints.web.address={LOOPBACK}:{port_of(sockets['web'])}"]
        with Traefik(folder, arguments, sockets, **env) as traefik:
            yield traefik, port_of(sockets["web"]), upstreams


def answers(port: int, count: int, path: str = "/") -> Counter[tuple[int, str]]:
    return Counter(ask(port, path) for _ in range(count))


def is_served_by(port: int, *names: str) -> bool:
    """Whether requests now go to all of these and nowhere else."""
    return set(answers(port, 4 * len(names))) == {(HTTPStatus.OK, name) for name in names}


def test_shares_are_exact(tmp_path: Path) -> None:
    specs = {"eu": {"weight": 3}, "us": {"weight": 1}, "x": {"weight": 0}}

    with running(tmp_path, specs, TO_API) as (traefik, port, _):
        assert answers(port, 40) == {(200, "eu"): 30, (200, "us"): 10}
        assert traefik.errors() == []


def test_an_active_check_takes_a_child_out_and_back(tmp_path: Path) -> None:
    specs: Specs = {n: {"healthCheck": CHECK} for n in ("eu", "us")}

    with running(tmp_path, specs, TO_API) as (traefik, port, upstreams):
        upstreams["eu"].up = False
        traefik.poll(lambda: is_served_by(port, "us"))
        upstreams["eu"].up = True
        traefik.poll(lambda: is_served_by(port, "eu", "us"))


def test_a_child_of_weight_0_hangs_nothing(tmp_path: Path) -> None:
    specs: Specs = {"eu": {"healthCheck": CHECK}, "x": {"healthCheck": CHECK, "weight": 0}}
    # Traefik probes only what a router leads to.
    to_x = route("x", "PathPrefix(`/x`)", "apps-api-x@multicluster")

    with running(tmp_path, specs, [*TO_API, to_x]) as (traefik, port, upstreams):
        upstreams["x"].up = False
        traefik.poll(lambda: any("DOWN" in str(s) for s in traefik.services().values()))
        upstreams["x"].up = True
        traefik.poll(lambda: not any("DOWN" in str(s) for s in traefik.services().values()))
        upstreams["eu"].up = False
        # Traefik's own answer, where a hang would be a time-out.
        traefik.poll(lambda: ask(port)[0] == HTTPStatus.SERVICE_UNAVAILABLE)
        upstreams["eu"].up = True
        traefik.poll(lambda: is_served_by(port, "eu"))


def test_one_passive_check_fails_over(tmp_path: Path) -> None:
    specs: Specs = {n: {"passiveHealthCheck": PASSIVE} for n in ("eu", "us")}

    with running(tmp_path, specs, TO_API) as (_, port, upstreams):
        upstreams["eu"].up = False
        counted = answers(port, 60)

    assert counted == {(503, "eu"): 2, (200, "us"): 58}


@pytest.mark.parametrize("errors", [None, {"status": ["500-599"]}])
def test_a_failover_of_uplinks(tmp_path: Path, errors: dict[str, Any] | None) -> None:
    failover = {
        "service": {"name": "main@multicluster", "kind": "TraefikService"},
        "fallback": {"name": "spare@multicluster", "kind": "TraefikService"},
        **({"errors": errors} if errors else {}),
    }
    safe = {
        "apiVersion": "traefik.io/v1alpha1",
        "kind": "TraefikService",
        "metadata": {"name": "safe", "namespace": "apps"},
        "spec": {"failover": failover},
    }
    specs: Specs = {
        "eu": {"exposeName": "main", **({} if errors else {"healthCheck": CHECK})},
        "us": {"exposeName": "spare"},
    }

    with running(tmp_path, specs, [safe, route("web", "PathPrefix(`/`)", "safe")]) as (
        traefik,
        port,
        upstreams,
    ):
        assert is_served_by(port, "eu")
        upstreams["eu"].up = False
        if errors is None:
            traefik.poll(lambda: is_served_by(port, "us"))
        else:
            assert is_served_by(port, "us")
        upstreams["eu"].up = True
        traefik.poll(lambda: is_served_by(port, "eu"))
        assert traefik.errors() == []


def test_a_weighted_service_of_uplinks_leaves_the_one_that_is_down(tmp_path: Path) -> None:
    specs: Specs = {
        "eu": {"exposeName": "eu-api", "healthCheck": CHECK},
        "us": {"exposeName": "us-api", "healthCheck": CHECK},
    }
    both = route("web", "PathPrefix(`/`)", "eu-api@multicluster", "us-api@multicluster")

    with running(tmp_path, specs, [both]) as (traefik, port, upstreams):
        assert answers(port, 10) == {(200, "eu"): 5, (200, "us"): 5}
        upstreams["us"].up = False
        traefik.poll(lambda: is_served_by(port, "eu"))


def test_no_header_is_a_template(tmp_path: Path) -> None:
    headers = {"X-Leak": '{{ env "SECRET" }}', "X-Open": "{{", "X-Number": "1e3"}
    specs: Specs = {
        "eu": {"healthCheck": {**CHECK, "headers": headers}},
        "us": {"exposeName": "1e3", "healthCheck": {**CHECK, "headers": {"X-On": "on"}}},
    }

    with running(tmp_path, specs, TO_API, SECRET="hush") as (traefik, _, _):  # noqa: S106 - made up
        services = traefik.services()
        written = {
            name: s["loadBalancer"]["healthCheck"]["headers"]
            for name, s in services.items()
            if "healthCheck" in s.get("loadBalancer", {})
        }

    assert set(services) == {f"{n}@file" for n in ("1e3", "1e3-us", "apps-api", "apps-api-eu")}
    assert written["apps-api-eu@file"] == {**headers, "X-Uplink": "apps-api"}
    assert written["1e3-us@file"] == {"X-On": "on", "X-Uplink": "1e3"}


@pytest.mark.parametrize("example", ["banking", "failover", "weighted"])
def test_traefik_takes_an_example_without_an_error(tmp_path: Path, example: str) -> None:
    dynamic = tmp_path / "dynamic"
    with listening("websecure") as sockets:
        materialize(
            ROOT / "examples" / example,
            "--format=traefik",
            "--own-provider=file",
            to=dynamic / "uplinks.yml",
        )
        arguments = [f"--entryPoints.websecure.address={LOOPBACK}:{port_of(sockets['websecure'])}"]
        with Traefik(tmp_path, arguments, sockets) as traefik:
            services = traefik.services()
            refused = [line for line in traefik.errors() if "middleware" not in line]

    assert services
    assert all(service["status"] == "enabled" for service in services.values())
    assert refused == []
