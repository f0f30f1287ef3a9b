"""`uplinks.traefik`: services in the format of Traefik's file provider."""

from __future__ import annotations

from pathlib import Path

import yaml

from uplinks.model import (
    Advertisement,
    Child,
    ChildService,
    HealthCheck,
    ParentConfig,
    PassiveHealthCheck,
    Services,
    WeightedChild,
    WeightedService,
)
from uplinks.services import advertise, materialize
from uplinks.traefik import dump, to_traefik

EXAMPLES = Path(__file__).parent.parent / "examples"
SECOND = 1_000_000_000


def direct(**fields: object) -> Services:
    service = ChildService("api-eu@multicluster", "api", "eu", "https://eu:9443", **fields)  # type: ignore[arg-type]
    return Services({service.name: service})


def test_a_weighted_service() -> None:
    children = [WeightedChild("api-eu@multicluster", 90), WeightedChild("api-us@multicluster", 0)]
    plain = WeightedService("api@multicluster", "api", children)
    probed = WeightedService("web@multicluster", "web", children, health_check=True)
    entries = [{"name": "api-eu", "weight": 90}, {"name": "api-us", "weight": 0}]

    assert to_traefik(Services({plain.name: plain, probed.name: probed})) == {
        "http": {
            "services": {
                "api": {"weighted": {"services": entries}},
                "web": {"weighted": {"services": entries, "healthCheck": {}}},
            }
        }
    }


def test_a_child_service_without_checks() -> None:
    assert to_traefik(direct()) == {
        "http": {
            "services": {"api-eu": {"loadBalancer": {"servers": [{"url": "https://eu:9443"}]}}}
        }
    }


def test_defaults_are_written_out() -> None:
    services = direct(health_check=HealthCheck(), passive_health_check=PassiveHealthCheck())

    assert to_traefik(services)["http"]["services"]["api-eu"]["loadBalancer"] == {
        "servers": [{"url": "https://eu:9443"}],
        "healthCheck": {
            "mode": "http",
            "method": "GET",
            "status": 200,
            "interval": "30s",
            "unhealthyInterval": "30s",
            "timeout": "5s",
            "followRedirects": True,
        },
        "passiveHealthCheck": {"failureWindow": "10s", "maxFailedAttempts": 1},
    }


def test_everything_that_is_set_is_written() -> None:
    check = HealthCheck(
        path="/health",
        scheme="http",
        mode="grpc",
        method="HEAD",
        status=204,
        port=8080,
        interval=90 * SECOND,
        unhealthy_interval=SECOND // 2,
        timeout=3 * SECOND,
        hostname="api.example.com",
        follow_redirects=False,
        headers={"Authorization": "Bearer token123", "X-Check": "true"},
    )
    services = direct(health_check=check, passive_health_check=PassiveHealthCheck(60 * SECOND, 3))

    balancer = to_traefik(services)["http"]["services"]["api-eu"]["loadBalancer"]

    assert balancer["healthCheck"] == {
        "path": "/health",
        "scheme": "http",
        "mode": "grpc",
        "method": "HEAD",
        "status": 204,
        "port": 8080,
        "interval": "1m30s",
        "unhealthyInterval": "500ms",
        "timeout": "3s",
        "hostname": "api.example.com",
        "followRedirects": False,
        "headers": {"Authorization": "Bearer token123", "X-Check": "true"},
    }
    assert balancer["passiveHealthCheck"] == {"failureWindow": "1m0s", "maxFailedAttempts": 3}


def test_the_example_of_the_reference_page() -> None:
    from uplinks.adapters.files import load_fleet

    fleet = load_fleet(EXAMPLES / "weighted")
    assert fleet.parent.parent_config is not None
    services = materialize(
        fleet.parent.parent_config,
        {name: advertise(child) for name, child in fleet.children.items()},
    )
    expected = yaml.safe_load((EXAMPLES / "weighted" / "expected-services.yaml").read_text())

    weighted = to_traefik(services)["http"]["services"]["apps-api-workload"]["weighted"]

    assert weighted["services"] == expected["services"]["apps-api-workload"]["weighted"]["services"]
    # Both children are probed, so the page's service also passes health upward.
    assert weighted == {"services": weighted["services"], "healthCheck": {}}


DUMPED = """\
http:
  services:
    api:
      weighted:
        healthCheck: {}
        services:
        - name: api-eu
          weight: 1
        - name: api-us
          weight: 1
    api-eu:
      loadBalancer:
        healthCheck:
          followRedirects: true
          interval: 30s
          method: GET
          mode: http
          path: /h
          status: 200
          timeout: 5s
          unhealthyInterval: 30s
        servers:
        - url: https://eu.example.com
    api-us:
      loadBalancer:
        healthCheck:
          followRedirects: true
          interval: 30s
          method: GET
          mode: http
          path: /h
          status: 200
          timeout: 5s
          unhealthyInterval: 30s
        servers:
        - url: https://us.example.com
"""


def test_dump_is_the_same_bytes_for_any_order() -> None:
    offers = {
        name: [Advertisement("api", "apps/api", ["up"], health_check=HealthCheck(path="/h"))]
        for name in ("us", "eu")
    }
    config = ParentConfig({name: Child(f"https://{name}.example.com") for name in offers})
    backwards = ParentConfig(dict(reversed(list(config.children.items()))))

    text = dump(to_traefik(materialize(config, offers)))

    assert text == dump(to_traefik(materialize(backwards, dict(reversed(offers.items())))))
    assert text == DUMPED


def test_dump_can_be_read_back() -> None:
    check = HealthCheck(headers={"A": "x " * 200, "B": "é: #\n", "C": "yes", "D": "012"})
    config = to_traefik(direct(health_check=check))

    text = dump(config)

    assert yaml.safe_load(text) == config
    assert text.isascii()
    assert text.endswith("\n")


def test_dump_uses_no_aliases() -> None:
    shared = {"a": [1]}

    assert dump({"u": shared, "v": shared}) == "u:\n  a:\n  - 1\nv:\n  a:\n  - 1\n"


def test_results_share_nothing() -> None:
    services = direct(health_check=HealthCheck(headers={"A": "b"}))
    once = to_traefik(services)
    once["http"]["services"]["api-eu"]["loadBalancer"]["healthCheck"]["headers"]["A"] = "c"

    headers = to_traefik(services)["http"]["services"]["api-eu"]["loadBalancer"]["healthCheck"]
    assert headers["headers"] == {"A": "b"}
