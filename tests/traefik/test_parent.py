"""A parent on a real Traefik, from the written file, before children that are plain servers."""

from __future__ import annotations

import contextlib
import functools
import threading
from collections import Counter
from collections.abc import Iterator
from http import HTTPStatus
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from tests.proxies.upstreams import Upstream, serving
from tests.traefik.driver import LOOPBACK, Traefik, ask, listening, port_of
from tests.traefik.fleets import advertised, materialize, route, uplink, write_fleet

from uplinks.cli import main

ROOT = Path(__file__).parent.parent.parent
CHECK = {"path": "/health", "interval": "250ms", "timeout": "200ms"}
PASSIVE = {"failureWindow": "30s", "maxFailedAttempts": 2}
WRITTEN = ("--format=traefik", "--own-provider=file")
Specs = dict[str, dict[str, Any]]
TO_API = [route("web", "PathPrefix(`/`)", "apps-api@multicluster")]
TO_COMPOSED = route("web", "PathPrefix(`/`)", "composed")


def composed(**spec: Any) -> dict[str, Any]:
    return {
        "apiVersion": "traefik.io/v1alpha1",
        "kind": "TraefikService",
        "metadata": {"name": "composed", "namespace": "apps"},
        "spec": spec,
    }


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
        materialize(fleet, *WRITTEN, to=folder / "dynamic" / "uplinks.yml")
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
    safe = composed(failover=failover)
    specs: Specs = {
        "eu": {"exposeName": "main", **({} if errors else {"healthCheck": CHECK})},
        "us": {"exposeName": "spare"},
    }

    with running(tmp_path, specs, [safe, TO_COMPOSED]) as (
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


def test_a_router_below_another(tmp_path: Path) -> None:
    root = route("root", "PathPrefix(`/api`)")
    below = route("below", "Path(`/api/x`)", "apps-api@multicluster")
    del below["spec"]["entryPoints"]
    below["spec"]["parentRefs"] = [{"name": "root"}]

    with running(tmp_path, {"eu": {}}, [root, below]) as (traefik, port, _):
        traefik.poll(lambda: ask(port, "/api/x") == (HTTPStatus.OK, "eu"))
        assert ask(port, "/x")[0] == ask(port, "/api/y")[0] == HTTPStatus.NOT_FOUND
        assert traefik.errors() == []


def test_nothing_to_pick_answers_503(tmp_path: Path) -> None:
    nothing = composed(
        weighted={
            "services": [{"name": "apps-api@multicluster", "kind": "TraefikService", "weight": 0}]
        }
    )

    with running(tmp_path, {"eu": {}}, [nothing, TO_COMPOSED]) as (traefik, port, _):
        assert answers(port, 3) == {(503, "no available server\n"): 3}
        assert traefik.errors() == []


def test_a_failover_without_status_is_refused_as_the_rule_says(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    safe = composed(
        failover={
            "service": {"name": "main@multicluster", "kind": "TraefikService"},
            "fallback": {"name": "spare@multicluster", "kind": "TraefikService"},
        }
    )
    specs: Specs = {"eu": {"exposeName": "main"}, "us": {"exposeName": "spare"}}

    with running(tmp_path, specs, [safe, TO_COMPOSED]) as (
        traefik,
        port,
        _,
    ):
        assert ask(port)[0] == HTTPStatus.NOT_FOUND
        assert len(traefik.errors()) == 1
    main(["check", str(tmp_path / "fleet"), "--verbose"])
    assert "warning UPL504: " in capsys.readouterr().out


def test_mixed_checks_fail_over_in_neither_direction_as_the_rule_says(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    specs: Specs = {"eu": {"healthCheck": CHECK}, "us": {"passiveHealthCheck": PASSIVE}}

    with running(tmp_path, specs, TO_API) as (traefik, port, upstreams):
        upstreams["eu"].up = False
        traefik.poll(lambda: any("DOWN" in str(s) for s in traefik.services().values()))
        counted = answers(port, 20)

    assert sum(count for (status, _), count in counted.items() if status != HTTPStatus.OK) == 10
    main(["check", str(tmp_path / "fleet"), "--verbose"])
    assert "warning UPL502: " in capsys.readouterr().out


def test_the_http_provider_reads_what_is_written_for_it(tmp_path: Path) -> None:
    with serving(["eu"]) as upstreams, listening("web") as sockets:
        headers = {"X-Leak": '{{ env "SECRET" }}'}
        declared = [uplink("api", healthCheck={**CHECK, "headers": headers})]
        fleet = write_fleet(
            tmp_path / "fleet",
            {"eu": {"address": f"http://{LOOPBACK}:{upstreams['eu'].port}"}},
            {"eu": [*declared, advertised("api", "apps-api")]},
            TO_API,
        )
        served, folder = tmp_path / "served", tmp_path / "parent"
        materialize(fleet, "--format=traefik", "--provider=http", to=served / "uplinks.yml")
        (folder / "dynamic").mkdir(parents=True)
        port = port_of(sockets["web"])
        with serving_files(served) as source:
            arguments = [
                f"--entryPoints.web.address={LOOPBACK}:{port}",
                f"--providers.http.endpoint=http://{LOOPBACK}:{source}/uplinks.yml",
                "--providers.http.pollInterval=100ms",
            ]
            with Traefik(folder, arguments, sockets) as traefik:
                traefik.poll(lambda: is_served_by(port, "eu"))
                child = traefik.services()["apps-api-eu@http"]["loadBalancer"]
                assert child["healthCheck"]["headers"] == {**headers, "X-Uplink": "apps-api"}
                assert traefik.errors() == []


@contextlib.contextmanager
def serving_files(folder: Path) -> Iterator[int]:
    """Serve a folder on a port that the kernel chooses."""
    handler = functools.partial(Quiet, directory=str(folder))
    with ThreadingHTTPServer((LOOPBACK, 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        yield server.server_port
        server.shutdown()
        thread.join()


class Quiet(SimpleHTTPRequestHandler):
    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the base class's name
        """Say nothing."""


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
