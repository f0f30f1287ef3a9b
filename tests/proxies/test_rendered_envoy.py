"""A real Envoy with the bootstrap and the EDS file that are rendered for it."""

from __future__ import annotations

import contextlib
import json
import os
import ssl
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
import trustme
from attrs import evolve
from tests.proxies.drivers import Envoy
from tests.proxies.upstreams import LOOPBACK, Upstream, serving

from uplinks.model import (
    Advertisement,
    Child,
    ClientCertificate,
    HealthCheck,
    ParentConfig,
    PassiveHealthCheck,
    ServersTransport,
    Services,
)
from uplinks.render import EnvoyOptions, to_envoy, to_envoy_endpoints
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


class Rendered(Envoy):
    """Envoy, run with what is rendered of some services, on ports that the kernel chooses."""

    services: Services

    def _configuration(self) -> dict[str, object]:
        self.write_endpoints(self.services)
        anywhere = (LOOPBACK, 0)
        return to_envoy(self.services, EnvoyOptions(listen=anywhere, admin=anywhere))

    def write_endpoints(self, services: Services) -> None:
        """Replace the EDS file as a whole, as `uplinks materialize --output` does."""
        new = self.folder / "eds.new"
        new.write_text(json.dumps(to_envoy_endpoints(services)), "utf-8")
        new.rename(self.folder / "eds.json")

    def is_ready(self) -> bool:
        """Whether Envoy knows all endpoints, and takes none to be down."""
        (cluster,) = self._asked("/clusters?format=json")["cluster_statuses"]
        return len(cluster.get("host_statuses", ())) == len(self.upstreams)

    def answers(self, count: int) -> Counter[tuple[int, str]]:
        """Make so many requests and count the answers."""
        return Counter(self._ask() for _ in range(count))


@pytest.fixture
def run(tmp_path: Path) -> Iterator[Callable[..., Any]]:
    """Return what runs Envoy before upstreams; it is stopped at the end of the test."""
    if Rendered.program() is None:
        why = "envoy is not installed: make test-proxies installs it"
        if os.environ.get("UPLINKS_PROXIES") == "required":
            pytest.fail(why)
        pytest.skip(why)
    with contextlib.ExitStack() as stack:

        def run_(
            weights: Mapping[str, int] = WEIGHTS,
            transport: ServersTransport | None = None,
            tls: ssl.SSLContext | None = None,
            **offer: Any,
        ) -> tuple[Rendered, dict[str, Upstream]]:
            upstreams = stack.enter_context(serving(weights, tls))
            scheme = "http" if tls is None else "https"
            children = {
                name: Child(f"{scheme}://{LOOPBACK}:{upstream.port}", transport)
                for name, upstream in upstreams.items()
            }
            envoy = Rendered(tmp_path, weights, upstreams)
            envoy.services = services_of(children, weights, **offer)
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
