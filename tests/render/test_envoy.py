"""`uplinks.render.to_envoy`: a bootstrap and an EDS file. tests/proxies runs them in Envoy."""

from __future__ import annotations

from typing import Any

import pytest

from uplinks.errors import InvalidCertificates
from uplinks.model import (
    Advertisement,
    Child,
    ClientCertificate,
    ForwardingTimeouts,
    HealthCheck,
    ParentConfig,
    PassiveHealthCheck,
    ServersTransport,
    Services,
    Spiffe,
)
from uplinks.render import EnvoyOptions, to_envoy, to_envoy_endpoints
from uplinks.services import materialize

SECOND = 1_000_000_000
PEM = "-----BEGIN CERTIFICATE-----\n"


def services(*children: Child, weights: Any = None, **offer: Any) -> Services:
    names = [f"c{i}" for i in range(len(children))]
    offers = {
        name: [Advertisement("api", "apps/api", ["up"], weight, **offer)]
        for name, weight in zip(names, weights or [1] * len(names), strict=True)
    }
    return materialize(ParentConfig(dict(zip(names, children, strict=True))), offers)


def cluster(*children: Child, **fields: Any) -> Any:
    (found,) = to_envoy(services(*children, **fields))["static_resources"]["clusters"]
    return found


def endpoints(found: Services) -> Any:
    (resource,) = to_envoy_endpoints(found)["resources"]
    ((locality),) = resource["endpoints"]
    return locality["lb_endpoints"]


# --- endpoints ------------------------------------------------------------------


def test_children_at_ip_addresses_are_endpoints_of_the_eds_file() -> None:
    found = services(Child("http://192.0.2.1:81"), Child("https://[2001:db8::1]"), weights=[90, 10])

    (written,) = to_envoy(found)["static_resources"]["clusters"]
    assert written["type"] == "EDS"
    assert "load_assignment" not in written
    assert [
        (e["endpoint"]["address"]["socket_address"], e["load_balancing_weight"])
        for e in endpoints(found)
    ] == [
        ({"address": "192.0.2.1", "port_value": 81}, 9),
        ({"address": "2001:db8::1", "port_value": 443}, 1),
    ]


def test_names_are_resolved_in_the_cluster() -> None:
    found = services(Child("http://eu.example.com"), Child("http://192.0.2.1"))

    (written,) = to_envoy(found)["static_resources"]["clusters"]
    assert to_envoy_endpoints(found) == {"resources": []}
    assert written["type"] == "STRICT_DNS"
    (locality,) = written["load_assignment"]["endpoints"]
    assert len(locality["lb_endpoints"]) == 2


def test_weight_0_is_left_out() -> None:
    found = services(Child("http://192.0.2.1"), Child("http://192.0.2.2"), weights=[0, 5])

    (endpoint,) = endpoints(found)
    assert endpoint["load_balancing_weight"] == 1
    assert endpoint["endpoint"]["address"]["socket_address"]["address"] == "192.0.2.2"


def test_nothing_to_pick_has_no_endpoints() -> None:
    found = services(Child("http://192.0.2.1"), weights=[0])

    (resource,) = to_envoy_endpoints(found)["resources"]
    assert resource["endpoints"] == []
    assert cluster(Child("http://192.0.2.1"), weights=[0])["connect_timeout"] == "1s"


@pytest.mark.parametrize("weights", [[2**31 - 1] * 3, [2**31 - 1, 2**31 - 3, 7]])
def test_weights_add_up_to_what_envoy_can_count(weights: list[int]) -> None:
    children = [Child(f"http://192.0.2.{i}") for i in range(3)]

    written = [e["load_balancing_weight"] for e in endpoints(services(*children, weights=weights))]

    assert sum(written) < 2**32
    assert min(written) >= 1


# --- checks ---------------------------------------------------------------------


def test_an_active_check() -> None:
    check = HealthCheck(
        path="/health?deep=1",
        method="HEAD",
        status=204,
        interval=10 * SECOND,
        unhealthy_interval=SECOND // 2,
        timeout=3 * SECOND,
        port=8080,
        hostname="api.example.com",
        headers={"X-Key": "100%"},
    )
    found = services(Child("http://192.0.2.1"), health_check=check)

    (written,) = to_envoy(found)["static_resources"]["clusters"]
    assert written["health_checks"] == [
        {
            "timeout": "3s",
            "interval": "10s",
            "unhealthy_interval": "0.500000000s",
            "unhealthy_edge_interval": "0.500000000s",
            "no_traffic_interval": "10s",
            "no_traffic_healthy_interval": "10s",
            "healthy_threshold": 1,
            "unhealthy_threshold": 1,
            "http_health_check": {
                "path": "/health?deep=1",
                "method": "HEAD",
                "expected_statuses": [{"start": 204, "end": 205}],
                "request_headers_to_add": [
                    {
                        "header": {"key": "X-Key", "value": "100%%"},
                        "append_action": "OVERWRITE_IF_EXISTS_OR_ADD",
                    },
                    {
                        "header": {"key": "X-Uplink", "value": "api"},
                        "append_action": "OVERWRITE_IF_EXISTS_OR_ADD",
                    },
                ],
            },
        }
    ]
    assert endpoints(found)[0]["endpoint"]["health_check_config"] == {
        "port_value": 8080,
        "hostname": "api.example.com",
    }


def test_a_child_without_a_check_is_not_probed() -> None:
    offers = {
        "a": [Advertisement("api", "apps/api", ["up"], health_check=HealthCheck())],
        "b": [Advertisement("api", "apps/api", ["up"])],
    }
    config = ParentConfig({"a": Child("http://192.0.2.1:81"), "b": Child("http://192.0.2.2")})

    probing = [e["endpoint"]["health_check_config"] for e in endpoints(materialize(config, offers))]

    assert probing == [{"hostname": "192.0.2.1:81"}, {"disable_active_health_check": True}]


def test_a_grpc_check_makes_the_cluster_speak_http_2() -> None:
    written = cluster(Child("http://192.0.2.1"), health_check=HealthCheck(mode="grpc"))

    assert written["health_checks"][0]["grpc_health_check"] == {}
    (name,) = written["typed_extension_protocol_options"]
    assert name == "envoy.extensions.upstreams.http.v3.HttpProtocolOptions"


def test_a_check_in_plain_text_of_a_child_with_tls() -> None:
    check = HealthCheck(scheme="http", port=8080)
    written = cluster(Child("https://192.0.2.1"), health_check=check)

    assert written["health_checks"][0]["transport_socket_match_criteria"] == {"plain": True}
    assert [m["name"] for m in written["transport_socket_matches"]] == ["plain", "c0"]


def test_a_passive_check_ejects_for_its_window() -> None:
    passive = PassiveHealthCheck(30 * SECOND, 3)
    written = cluster(Child("http://192.0.2.1"), passive_health_check=passive)

    assert written["outlier_detection"] == {
        "consecutive_5xx": 3,
        "enforcing_consecutive_5xx": 100,
        "enforcing_consecutive_gateway_failure": 0,
        "enforcing_success_rate": 0,
        "enforcing_failure_percentage": 0,
        "max_ejection_percent": 100,
        "base_ejection_time": "30s",
        "max_ejection_time": "30s",
        "interval": "1s",
    }


def test_with_no_child_up_nothing_is_tried() -> None:
    written = cluster(Child("http://192.0.2.1"))

    assert written["common_lb_config"] == {"healthy_panic_threshold": {"value": 0}}


# --- TLS ------------------------------------------------------------------------


def tls(url: str, transport: ServersTransport | None = None) -> Any:
    matches = cluster(Child(url, transport))["transport_socket_matches"]
    context = dict(matches[1]["transport_socket"]["typed_config"])
    assert context.pop("@type").endswith("UpstreamTlsContext")
    return context


def test_a_certificate_is_verified_for_the_address() -> None:
    system = {"filename": "/etc/ssl/certs/ca-certificates.crt"}

    assert tls("https://eu.example.com") == {
        "sni": "eu.example.com",
        "common_tls_context": {
            "validation_context": {
                "trusted_ca": system,
                "match_typed_subject_alt_names": [
                    {"san_type": "DNS", "matcher": {"exact": "eu.example.com"}}
                ],
            }
        },
    }
    number = tls("https://192.0.2.1")
    assert "sni" not in number
    (name,) = number["common_tls_context"]["validation_context"]["match_typed_subject_alt_names"]
    assert name == {"san_type": "IP_ADDRESS", "matcher": {"exact": "192.0.2.1"}}


def test_a_transport() -> None:
    transport = ServersTransport(
        "eu.internal",
        root_cas=["/tls/ca.pem"],
        certificates=[ClientCertificate("/tls/a.crt", "-----BEGIN PRIVATE KEY-----")],
        min_version="VersionTLS12",
        max_version="VersionTLS13",
        forwarding_timeouts=ForwardingTimeouts(dial_timeout=7 * SECOND),
    )

    context = tls("https://192.0.2.1", transport)

    assert context["sni"] == "eu.internal"
    common = context["common_tls_context"]
    assert common["tls_params"] == {
        "tls_minimum_protocol_version": "TLSv1_2",
        "tls_maximum_protocol_version": "TLSv1_3",
    }
    assert common["tls_certificates"] == [
        {
            "certificate_chain": {"filename": "/tls/a.crt"},
            "private_key": {"inline_string": "-----BEGIN PRIVATE KEY-----"},
        }
    ]
    assert common["validation_context"]["trusted_ca"] == {"filename": "/tls/ca.pem"}
    assert cluster(Child("https://192.0.2.1", transport))["connect_timeout"] == "7s"


def test_authorities_as_text_are_joined_and_several_files_refused() -> None:
    texts = ServersTransport(root_cas=[PEM + "a", PEM + "b"])
    files = ServersTransport(root_cas=["/a.pem", "/b.pem"])

    trusted = tls("https://eu", texts)["common_tls_context"]["validation_context"]["trusted_ca"]
    assert trusted == {"inline_string": f"{PEM}a\n{PEM}b"}
    with pytest.raises(InvalidCertificates, match="Envoy takes one file of authorities"):
        tls("https://eu", files)


@pytest.mark.parametrize(
    ("transport", "matchers"),
    [
        (ServersTransport(peer_cert_uri="spiffe://x/y"), [{"exact": "spiffe://x/y"}]),
        (
            ServersTransport(spiffe=Spiffe(["spiffe://x/a", "spiffe://x/b"])),
            [{"exact": "spiffe://x/a"}, {"exact": "spiffe://x/b"}],
        ),
        (ServersTransport(spiffe=Spiffe(trust_domain="x")), [{"prefix": "spiffe://x/"}]),
    ],
)
def test_an_identity_that_is_a_uri(transport: ServersTransport, matchers: Any) -> None:
    names = tls("https://eu", transport)["common_tls_context"]["validation_context"][
        "match_typed_subject_alt_names"
    ]

    assert names == [{"san_type": "URI", "matcher": matcher} for matcher in matchers]


def test_nothing_is_verified_for_a_child_that_says_so() -> None:
    context = tls("https://eu", ServersTransport(insecure_skip_verify=True))

    assert context == {"sni": "eu", "common_tls_context": {}}


# --- requests -------------------------------------------------------------------


def test_one_uplink_takes_every_request_and_several_are_told_apart() -> None:
    config = ParentConfig({"a": Child("http://192.0.2.1")})
    two = [Advertisement(name, f"apps/{name}", ["up"]) for name in ("api", "web")]

    def routes(*offers: Advertisement) -> Any:
        written = to_envoy(materialize(config, {"a": offers}), EnvoyOptions(uplink_header="X-Name"))
        (listener,) = written["static_resources"]["listeners"]
        manager = listener["filter_chains"][0]["filters"][0]["typed_config"]
        return manager["route_config"]["virtual_hosts"][0]["routes"]

    assert [r["match"] for r in routes(two[0])] == [{"prefix": "/"}]
    assert [(r["route"]["cluster"], r["match"]["headers"]) for r in routes(*two)] == [
        (name, [{"name": "X-Name", "string_match": {"exact": name}}]) for name in ("api", "web")
    ]
