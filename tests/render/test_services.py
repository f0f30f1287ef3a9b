"""Materialized services as Traefik's dynamic configuration."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from tests.render.services import CHECK, SECOND, http, offered

from uplinks.model import (
    ChildService,
    ClientCertificate,
    ForwardingTimeouts,
    HealthCheck,
    PassiveHealthCheck,
    ServersTransport,
    Services,
    Spiffe,
)
from uplinks.render import to_traefik

EXAMPLES = Path(__file__).parent.parent.parent / "examples"


def test_a_weighted_service_passes_status_on_if_every_child_is_checked() -> None:
    services = http(offered(("eu", 9, CHECK, None), ("us", 1, CHECK, None)))["services"]

    assert services["api"] == {
        "weighted": {
            "services": [
                {"name": "api-eu@file", "weight": 9},
                {"name": "api-us@file", "weight": 1},
            ],
            "healthCheck": {},
        }
    }


def test_a_weighted_service_passes_no_status_on_if_a_child_is_not_checked() -> None:
    services = http(offered(("eu", 9, CHECK, None), ("us", 1, None, None)))["services"]

    assert "healthCheck" not in services["api"]["weighted"]


def test_weight_0_is_left_out_and_its_child_service_stays() -> None:
    services = http(offered(("eu", 9, CHECK, None), ("us", 0, None, None)))["services"]

    assert services["api"]["weighted"] == {
        "services": [{"name": "api-eu@file", "weight": 9}],
        "healthCheck": {},
    }
    assert services["api-us"]["loadBalancer"]["servers"] == [{"url": "https://us:9443"}]


def test_nothing_but_weight_0_has_no_servers() -> None:
    services = http(offered(("eu", 0, CHECK, None)))["services"]

    assert services["api"] == {"loadBalancer": {"servers": []}}


def test_one_passive_check_gives_one_load_balancer() -> None:
    passive = PassiveHealthCheck(2 * SECOND, 3)
    services = http(
        offered(("eu", 5, None, passive), ("us", 3, None, passive), ("x", 0, None, passive))
    )["services"]

    assert services["api"] == {
        "loadBalancer": {
            "servers": [
                {"url": "https://eu:9443", "weight": 5},
                {"url": "https://us:9443", "weight": 3},
            ],
            "passiveHealthCheck": {"failureWindow": "2s", "maxFailedAttempts": 3},
        },
        "middlewares": ["api@file"],
    }


@pytest.mark.parametrize(
    ("eu", "us"),
    [
        ((None, PassiveHealthCheck(SECOND)), (None, PassiveHealthCheck(2 * SECOND))),
        ((CHECK, None), (None, PassiveHealthCheck())),
        ((CHECK, PassiveHealthCheck()), (CHECK, PassiveHealthCheck())),
        ((None, PassiveHealthCheck()), (None, None)),
    ],
)
def test_children_that_differ_or_have_active_checks_stay_apart(eu: Any, us: Any) -> None:
    services = http(offered(("eu", 1, *eu), ("us", 1, *us)))["services"]

    assert list(services["api"]) == ["weighted"]


def test_children_with_different_transports_stay_apart() -> None:
    passive = PassiveHealthCheck()
    transports = {"eu": ServersTransport(server_name="eu")}
    services = offered(("eu", 1, None, passive), ("us", 1, None, passive), transports=transports)

    assert list(http(services)["services"]["api"]) == ["weighted"]


def test_a_child_service_has_the_header_of_its_uplink() -> None:
    written = http(offered(("eu", 1, None, None)))

    assert written["services"]["api-eu"] == {
        "loadBalancer": {"servers": [{"url": "https://eu:9443"}]},
        "middlewares": ["api@file"],
    }
    assert written["middlewares"] == {
        "api": {"headers": {"customRequestHeaders": {"X-Uplink": "api"}}}
    }


def test_defaults_of_checks_are_written_out() -> None:
    services = http(offered(("eu", 1, HealthCheck(), PassiveHealthCheck())))["services"]

    assert services["api-eu"]["loadBalancer"] == {
        "servers": [{"url": "https://eu:9443"}],
        "healthCheck": {
            "mode": "http",
            "method": "GET",
            "status": 200,
            "interval": "30s",
            "unhealthyInterval": "30s",
            "timeout": "5s",
            "followRedirects": True,
            "headers": {"X-Uplink": "api"},
        },
        "passiveHealthCheck": {"failureWindow": "10s", "maxFailedAttempts": 1},
    }


def test_everything_that_is_set_is_written() -> None:
    check = HealthCheck(
        path="/health",
        scheme="http",
        method="HEAD",
        status=204,
        port=8080,
        interval=90 * SECOND,
        unhealthy_interval=SECOND // 2,
        timeout=3 * SECOND,
        hostname="api.example.com",
        follow_redirects=False,
        headers={"Authorization": "Bearer token123", "x-uplink": "another"},
    )

    (child,) = (offered(("eu", 1, check, None))).direct
    balancer = http(Services({child.name: child}))["services"]["api-eu"]["loadBalancer"]

    assert balancer["healthCheck"] == {
        "path": "/health",
        "scheme": "http",
        "mode": "http",
        "method": "HEAD",
        "status": 204,
        "port": 8080,
        "interval": "1m30s",
        "unhealthyInterval": "500ms",
        "timeout": "3s",
        "hostname": "api.example.com",
        "followRedirects": False,
        "headers": {"Authorization": "Bearer token123", "X-Uplink": "api"},
    }


def child_service(url: str, **fields: Any) -> Services:
    service = ChildService("api-eu@multicluster", "api", "eu", url, **fields)
    return Services({service.name: service})


@pytest.mark.parametrize(
    ("address", "url"),
    [
        ("HTTPS://EU.Example.com:9443", "https://eu.example.com:9443"),
        ("http://[FE80::1]:80/", "http://[fe80::1]:80/"),
        ("https://eu.example.com", "https://eu.example.com"),
    ],
)
def test_scheme_and_host_are_in_lower_case(address: str, url: str) -> None:
    services = http(child_service(address))["services"]

    assert services["api-eu"]["loadBalancer"]["servers"] == [{"url": url}]


@pytest.mark.parametrize(
    ("url", "check", "port"),
    [
        ("http://eu", HealthCheck(mode="grpc"), 80),
        ("http://eu:9000", HealthCheck(mode="grpc"), 9000),
        ("https://eu", HealthCheck(mode="grpc", scheme="http", port=9001), 9001),
        ("https://eu", HealthCheck(mode="grpc"), None),
        ("http://eu", HealthCheck(mode="grpc", scheme="https"), None),
    ],
)
def test_grpc_has_a_port_and_over_tls_no_check(
    url: str, check: HealthCheck, port: int | None
) -> None:
    services = http(child_service(url, health_check=check))["services"]

    assert services["api-eu"]["loadBalancer"].get("healthCheck", {}).get("port") == port


def test_a_transport_has_what_differs_from_the_defaults() -> None:
    transport = ServersTransport(
        server_name="eu.internal",
        insecure_skip_verify=True,
        root_cas=["/tls/ca.pem"],
        certificates=[ClientCertificate("/tls/a.crt", "/tls/a.key")],
        cipher_suites=["TLS_AES_128_GCM_SHA256"],
        min_version="VersionTLS12",
        max_version="VersionTLS13",
        max_idle_conns_per_host=7,
        disable_http2=True,
        peer_cert_uri="spiffe://eu",
        spiffe=Spiffe(["spiffe://eu/a"], "eu"),
        forwarding_timeouts=ForwardingTimeouts(SECOND, 2 * SECOND, 3 * SECOND, 4 * SECOND, 0),
    )
    written = http(
        offered(("eu", 1, None, None), ("us", 1, None, None), transports={"eu": transport})
    )

    assert written["serversTransports"] == {
        "eu": {
            "serverName": "eu.internal",
            "insecureSkipVerify": True,
            "rootCAs": ["/tls/ca.pem"],
            "certificates": [{"certFile": "/tls/a.crt", "keyFile": "/tls/a.key"}],
            "cipherSuites": ["TLS_AES_128_GCM_SHA256"],
            "minVersion": "VersionTLS12",
            "maxVersion": "VersionTLS13",
            "maxIdleConnsPerHost": 7,
            "disableHTTP2": True,
            "peerCertURI": "spiffe://eu",
            "spiffe": {"ids": ["spiffe://eu/a"], "trustDomain": "eu"},
            "forwardingTimeouts": {
                "dialTimeout": "1s",
                "responseHeaderTimeout": "2s",
                "idleConnTimeout": "3s",
                "readIdleTimeout": "4s",
                "pingTimeout": "0s",
            },
        }
    }
    assert written["services"]["api-eu"]["loadBalancer"]["serversTransport"] == "eu@file"
    assert "serversTransport" not in written["services"]["api-us"]["loadBalancer"]


def test_a_transport_that_says_nothing_is_not_written() -> None:
    written = http(child_service("https://eu", servers_transport=ServersTransport()))

    assert "serversTransports" not in written


# --- children that are down ---------------------------------------------------------


def test_a_child_that_is_down_has_no_server_and_no_share() -> None:
    services = offered(("eu", 9, CHECK, None), ("us", 1, CHECK, None))

    written = to_traefik(services, down=["api-eu@multicluster"])["http"]["services"]

    assert written["api"]["weighted"]["services"] == [{"name": "api-us@file", "weight": 1}]
    assert written["api-eu"] == {"loadBalancer": {"servers": []}}
    assert "healthCheck" in written["api"]["weighted"]


def test_with_all_children_down_a_service_answers_503() -> None:
    services = offered(("eu", 9, CHECK, None), ("us", 1, CHECK, None))

    written = to_traefik(services, down={child.name for child in services.direct})["http"]

    assert written["services"]["api"] == {"loadBalancer": {"servers": []}}


def test_a_flat_load_balancer_has_no_server_that_is_down() -> None:
    passive = PassiveHealthCheck()
    services = offered(("eu", 9, None, passive), ("us", 1, None, passive))

    written = to_traefik(services, down=["api-eu@multicluster"])["http"]["services"]

    assert written["api"]["loadBalancer"]["servers"] == [{"url": "https://us:9443", "weight": 1}]
