"""A real Envoy with the bootstrap and the EDS file that are rendered for it."""

from __future__ import annotations

import contextlib
import os
import ssl
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
import trustme
from attrs import evolve
from tests.proxies.drivers import RenderedEnvoy
from tests.proxies.upstreams import LOOPBACK, Upstream, serving

from uplinks.model import (
    Advertisement,
    Child,
    ClientCertificate,
    Cluster,
    Failover,
    HealthCheck,
    ParentConfig,
    PassiveHealthCheck,
    ServersTransport,
    ServiceReference,
    Services,
    TraefikService,
    Weighted,
)
from uplinks.services import materialize

MILLISECOND = 1_000_000
CHECK = HealthCheck(path="/health", interval=100 * MILLISECOND, timeout=80 * MILLISECOND)
WEIGHTS = {"eu": 90, "us": 10}


def services_of(
    children: Mapping[str, Child], weights: Mapping[str, int], **offer: Any
) -> Services:
    offers = {
        name: [Advertisement("api", "apps/api", ["up"], weights[name], **offer)]
        for name in children
    }
    return materialize(ParentConfig(children), offers)


@pytest.fixture
def installed() -> None:
    """Skip without Envoy, or fail where it is required."""
    if RenderedEnvoy.program() is None:
        why = "envoy is not installed: make test-proxies installs it"
        if os.environ.get("UPLINKS_PROXIES") == "required":
            pytest.fail(why)
        pytest.skip(why)


@pytest.fixture
def run(installed: None, tmp_path: Path) -> Iterator[Callable[..., Any]]:
    """Return what runs Envoy before upstreams; it is stopped at the end of the test."""
    with contextlib.ExitStack() as stack:

        def run_(
            weights: Mapping[str, int] = WEIGHTS,
            transport: ServersTransport | None = None,
            tls: ssl.SSLContext | None = None,
            **offer: Any,
        ) -> tuple[RenderedEnvoy, dict[str, Upstream]]:
            upstreams = stack.enter_context(serving(weights, tls))
            scheme = "http" if tls is None else "https"
            children = {
                name: Child(f"{scheme}://{LOOPBACK}:{upstream.port}", transport)
                for name, upstream in upstreams.items()
            }
            services = services_of(children, weights, **offer)
            envoy = RenderedEnvoy(tmp_path, weights, upstreams, services)
            return stack.enter_context(envoy), upstreams

        yield run_


def test_shares_are_exact_in_every_period(run: Callable[..., Any]) -> None:
    envoy, _ = run()

    counted = envoy.answers(200)

    assert abs(counted[200, "eu"] - 180) <= 1
    assert abs(counted[200, "us"] - 20) <= 1


def test_no_request_is_lost_once_a_child_with_90_percent_is_out(run: Callable[..., Any]) -> None:
    envoy, upstreams = run(health_check=CHECK)

    envoy.take_down("eu")
    assert envoy.answers(200) == {(200, "us"): 200}

    upstreams["eu"].up = True
    envoy._poll(lambda: not envoy._believes_down("eu"))
    envoy._poll(lambda: {name for _, name in envoy.answers(20)} == {"eu", "us"})
    # One at a time may still be on its way out of the schedule of before.
    assert abs(envoy.answers(200)[200, "eu"] - 180) <= 1


def test_with_all_children_down_requests_fail_at_once(run: Callable[..., Any]) -> None:
    envoy, upstreams = run(health_check=CHECK)
    for upstream in upstreams.values():
        upstream.up = False
    envoy._poll(lambda: all(map(envoy._believes_down, upstreams)))
    envoy._poll(lambda: envoy._ask()[1] == "no healthy upstream")

    assert envoy.answers(20) == {(503, "no healthy upstream"): 20}


def test_a_passive_check_takes_a_child_out_after_so_many_failures(
    run: Callable[..., Any],
) -> None:
    passive = PassiveHealthCheck(60_000 * MILLISECOND, 3)
    envoy, upstreams = run(passive_health_check=passive)
    upstreams["eu"].up = False

    counted = envoy.answers(200)

    assert counted[503, "eu"] == 3
    assert counted[200, "us"] == 197


def test_a_header_value_is_no_command_and_a_probe_names_its_uplink(
    run: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SECRET", "hush")
    headers = {"X-Leak": "%ENVIRONMENT(SECRET)%", "X-Half": "100%", "X-Go": '{{ env "SECRET" }}'}
    envoy, upstreams = run(health_check=evolve(CHECK, headers=headers))

    envoy._poll(lambda: "x-leak" in {name.lower() for name in upstreams["eu"].headers})
    seen = {name.lower(): value for name, value in upstreams["eu"].headers.items()}

    assert {name: seen[name] for name in ("x-leak", "x-half", "x-go", "x-uplink")} == {
        "x-leak": "%ENVIRONMENT(SECRET)%",
        "x-half": "100%",
        "x-go": '{{ env "SECRET" }}',
        "x-uplink": "api",
    }


def test_a_change_of_the_endpoints_is_followed(run: Callable[..., Any]) -> None:
    envoy, upstreams = run()
    children = {
        name: Child(f"http://{LOOPBACK}:{upstream.port}") for name, upstream in upstreams.items()
    }

    envoy.write_endpoints(services_of(children, {"eu": 0, "us": 1}))

    envoy._poll(lambda: envoy.answers(20) == {(200, "us"): 20})


def test_an_endpoint_that_is_removed_gets_no_request_though_it_passes_its_check(
    run: Callable[..., Any],
) -> None:
    envoy, upstreams = run(health_check=CHECK)
    children = {"us": Child(f"http://{LOOPBACK}:{upstreams['us'].port}")}

    envoy.write_endpoints(services_of(children, {"us": 1}, health_check=CHECK))

    envoy._poll(lambda: envoy.answers(20) == {(200, "us"): 20})


def test_children_that_want_a_client_certificate(run: Callable[..., Any], tmp_path: Path) -> None:
    authority = trustme.CA()
    authority.cert_pem.write_to_path(tmp_path / "ca.pem")
    client = authority.issue_cert("parent.example.com")
    client.private_key_pem.write_to_path(tmp_path / "client.key")
    client.cert_chain_pems[0].write_to_path(tmp_path / "client.crt")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("child.example.com").configure_cert(context)
    authority.configure_trust(context)
    context.verify_mode = ssl.CERT_REQUIRED
    transport = ServersTransport(
        "child.example.com",
        root_cas=[str(tmp_path / "ca.pem")],
        certificates=[
            ClientCertificate(str(tmp_path / "client.crt"), str(tmp_path / "client.key"))
        ],
    )

    envoy, _ = run({"eu": 1, "us": 1}, transport, context, health_check=CHECK)

    assert {status for status, _ in envoy.answers(20)} == {200}


def test_a_certificate_for_another_name_is_not_accepted(
    run: Callable[..., Any], tmp_path: Path
) -> None:
    authority = trustme.CA()
    authority.cert_pem.write_to_path(tmp_path / "ca.pem")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("another.example.com").configure_cert(context)
    transport = ServersTransport("child.example.com", root_cas=[str(tmp_path / "ca.pem")])

    envoy, _ = run({"eu": 1}, transport, context)

    assert {status for status, _ in envoy.answers(5)} == {503}


# --- several clusters --------------------------------------------------------------


@contextlib.contextmanager
def composed(folder: Path, kind: Weighted | Failover) -> Iterator[tuple[Any, dict[str, Upstream]]]:
    """Run Envoy before two uplinks of a child each, and a service composed of them."""
    with serving(WEIGHTS) as upstreams:
        children = {n: Child(f"http://{LOOPBACK}:{u.port}") for n, u in upstreams.items()}
        offers = {
            name: [Advertisement(f"api-{name}", f"apps/api-{name}", ["up"], health_check=CHECK)]
            for name in children
        }
        types = {"weighted" if isinstance(kind, Weighted) else "failover": kind}
        parent = Cluster("parent", traefik_services=[TraefikService("top", "apps", **types)])  # type: ignore[arg-type]  # each has its type
        services = materialize(ParentConfig(children), offers)
        with RenderedEnvoy(folder, WEIGHTS, upstreams, services, parent) as envoy:
            yield envoy, upstreams


def to(child: str, weight: int = 1) -> ServiceReference:
    return ServiceReference(f"api-{child}@multicluster", "TraefikService", weight=weight)


def test_a_request_reaches_the_service_that_it_names(installed: None, tmp_path: Path) -> None:
    with composed(tmp_path, Failover(to("eu"), to("us"))) as (envoy, upstreams):

        def ask(name: str) -> str:
            envoy.connection.request("GET", "/", headers={"X-Uplink": name})
            return str(envoy.connection.getresponse().read().decode())

        assert [ask("api-us"), ask("api-eu"), ask("apps-top@kubernetescrd")] == ["us", "eu", "eu"]
        assert {name.lower(): v for name, v in upstreams["eu"].headers.items()}["x-uplink"] == (
            "api-eu"
        )


def test_a_failover_loses_no_request_once_its_service_is_out_and_returns(
    installed: None, tmp_path: Path
) -> None:
    with composed(tmp_path, Failover(to("eu"), to("us"))) as (envoy, upstreams):
        assert envoy.answers(20) == {(200, "eu"): 20}

        envoy.take_down("eu")
        assert envoy.answers(100) == {(200, "us"): 100}
        seen = {name.lower(): value for name, value in upstreams["us"].headers.items()}
        assert seen["x-uplink"] == "api-us"

        upstreams["eu"].up = True
        envoy._poll(lambda: envoy.answers(10) == {(200, "eu"): 10})


def test_a_weighted_service_keeps_its_shares_and_loses_no_request_once_an_uplink_is_out(
    installed: None, tmp_path: Path
) -> None:
    with composed(tmp_path, Weighted([to("eu", 90), to("us", 10)])) as (envoy, _):
        counted = envoy.answers(200)
        assert abs(counted[200, "eu"] - 180) <= 2
        assert counted[200, "eu"] + counted[200, "us"] == 200

        envoy.take_down("eu")
        assert envoy.answers(200) == {(200, "us"): 200}
