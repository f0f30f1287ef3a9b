"""`uplinks.render.to_envoy`: a bootstrap and an EDS file. tests/proxies runs them in Envoy."""

from __future__ import annotations

from typing import Any

import pytest

from uplinks.errors import InvalidCertificates
from uplinks.model import (
    Advertisement,
    Child,
    ClientCertificate,
    Cluster,
    Failover,
    ForwardingTimeouts,
    HealthCheck,
    ParentConfig,
    PassiveHealthCheck,
    ServersTransport,
    ServiceReference,
    Services,
    Spiffe,
    TraefikService,
    Weighted,
)
from uplinks.render import EnvoyOptions, envoy_limits, to_envoy, to_envoy_endpoints
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
    (resource,) = to_envoy_endpoints(found)["api.json"]["resources"]
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
    assert to_envoy_endpoints(found) == {}
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

    (resource,) = to_envoy_endpoints(found)["api.json"]["resources"]
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
                        "header": {
                            "key": "X-Uplink",
                            "value": "%UPSTREAM_METADATA(uplinks:uplink)%",
                        },
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

    assert written["common_lb_config"] == {
        "healthy_panic_threshold": {"value": 0},
        "update_merge_window": "0s",
    }


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
        written = to_envoy(
            materialize(config, {"a": offers}), options=EnvoyOptions(uplink_header="X-Name")
        )
        (listener,) = written["static_resources"]["listeners"]
        manager = listener["filter_chains"][0]["filters"][0]["typed_config"]
        return manager["route_config"]["virtual_hosts"][0]["routes"]

    def named(name: str) -> tuple[str, Any]:
        headers = [{"name": "X-Name", "string_match": {"exact": name}}]
        return name, {"prefix": "/", "headers": headers}

    def chosen(*offers: Advertisement) -> Any:
        return [(r["route"]["cluster"], r["match"]) for r in routes(*offers)]

    assert chosen(two[0]) == [named("api"), ("api", {"prefix": "/"})]
    assert chosen(*two) == [named("api"), named("web")]


# --- composed services ------------------------------------------------------------

CHILDREN = {name: Child(f"http://192.0.2.{i}") for i, name in enumerate("abcd", 1)}


def composed(*own: TraefikService, offers: Any = None) -> tuple[Services, Cluster]:
    offers = offers or {
        name: [Advertisement(f"api-{name}", f"apps/api-{name}", ["up"])] for name in CHILDREN
    }
    services = materialize(ParentConfig(CHILDREN), offers)
    return services, Cluster("parent", traefik_services=own)


def to(name: str, weight: int = 1) -> ServiceReference:
    return ServiceReference(name, "TraefikService", weight=weight)


def uplink(name: str, weight: int = 1) -> ServiceReference:
    return to(f"api-{name}@multicluster", weight)


def shares(name: str, *given: Any) -> dict[str, int]:
    """The weights of the localities of a cluster."""
    (resource,) = to_envoy_endpoints(*given)[f"{name}.json"]["resources"]
    assert resource["cluster_name"] == name
    return {
        each["locality"]["zone"]: each["load_balancing_weight"] for each in resource["endpoints"]
    }


def test_a_weighted_service_is_a_cluster_with_a_locality_for_each_uplink() -> None:
    top = TraefikService("top", "apps", weighted=Weighted([uplink("a", 6), uplink("b", 3)]))
    given = composed(top)

    assert shares("apps-top@kubernetescrd", *given) == {"api-a": 2, "api-b": 1}
    clusters = to_envoy(*given)["static_resources"]["clusters"]
    (written,) = (c for c in clusters if c["name"] == "apps-top@kubernetescrd")
    assert written["common_lb_config"]["locality_weighted_lb_config"] == {}
    (resource,) = to_envoy_endpoints(*given)["apps-top@kubernetescrd.json"]["resources"]
    assert [
        e["metadata"]["filter_metadata"]["uplinks"]
        for locality in resource["endpoints"]
        for e in locality["lb_endpoints"]
    ] == [{"uplink": "api-a"}, {"uplink": "api-b"}]


def test_weights_multiply_through_nested_services() -> None:
    inner = TraefikService("inner", "apps", weighted=Weighted([uplink("a", 1), uplink("b", 2)]))
    unused = uplink("d", 0)
    top = TraefikService("top", "apps", weighted=Weighted([to("inner", 4), uplink("c"), unused]))

    # 4/5 to inner: 4/15 and 8/15; 3/15 to c.
    expected = {"api-a": 4, "api-b": 8, "api-c": 3}
    assert shares("apps-top@kubernetescrd", *composed(inner, top)) == expected


def test_a_failover_is_an_aggregate_without_nesting() -> None:
    both = TraefikService("both", "apps", weighted=Weighted([uplink("a"), uplink("b")]))
    last = TraefikService(
        "last", "apps", failover=Failover(uplink("c"), to("api-d-d@multicluster"))
    )
    top = TraefikService("top", "apps", failover=Failover(to("both"), to("last")))

    clusters = to_envoy(*composed(both, last, top))["static_resources"]["clusters"]

    aggregates = {
        c["name"]: c["cluster_type"]["typed_config"]["clusters"]
        for c in clusters
        if "cluster_type" in c
    }
    assert aggregates == {
        "apps-last@kubernetescrd": ["api-c", "api-d-d@multicluster"],
        "apps-top@kubernetescrd": ["apps-both@kubernetescrd", "api-c", "api-d-d@multicluster"],
    }
    names = [c["name"] for c in clusters]
    assert names.index("apps-last@kubernetescrd") < names.index("apps-top@kubernetescrd")


def test_requests_that_name_no_service_reach_the_one_above_all_others() -> None:
    offers = {name: [Advertisement("api", "apps/api", ["up"])] for name in CHILDREN}
    top = TraefikService("top", "apps", failover=Failover(to("api@multicluster"), to("inner")))
    inner = TraefikService("inner", "apps", weighted=Weighted([to("api@multicluster")]))

    (listener,) = to_envoy(*composed(top, inner, offers=offers))["static_resources"]["listeners"]

    manager = listener["filter_chains"][0]["filters"][0]["typed_config"]
    last = manager["route_config"]["virtual_hosts"][0]["routes"][-1]
    assert last["match"] == {"prefix": "/"}
    assert last["route"]["cluster"] == "apps-top@kubernetescrd"


def test_what_envoy_cannot_do_is_said() -> None:
    failover = TraefikService("fo", "apps", failover=Failover(uplink("a"), uplink("b")))
    nested = TraefikService("nested", "apps", weighted=Weighted([to("fo"), uplink("c")]))
    twice = TraefikService(
        "twice", "apps", weighted=Weighted([uplink("a"), to("other@multicluster")])
    )
    own = TraefikService(
        "own", "apps", weighted=Weighted([uplink("a"), ServiceReference("web", port=80)])
    )
    mirroring = {"name": "api-a@multicluster", "kind": "TraefikService"}
    mirror = TraefikService("mirror", "apps", rest={"mirroring": mirroring})
    above = TraefikService("above", "apps", failover=Failover(to("own"), uplink("a")))

    offers = {name: [Advertisement(f"api-{name}", f"apps/api-{name}", ["up"])] for name in CHILDREN}
    offers["a"].append(Advertisement("other", "apps/other", ["up"]))
    given = composed(failover, nested, twice, own, mirror, above, offers=offers)

    foreign = "left out: it refers to a service that is not over uplinks"
    assert envoy_limits(*given) == {
        "apps-nested@kubernetescrd": "left out: Envoy has no failover inside a weighted service",
        "apps-twice@kubernetescrd": "left out: Envoy takes an address once in a cluster, and "
        "192.0.2.1:80 serves two of its uplinks",
        "apps-own@kubernetescrd": foreign,
        "apps-mirror@kubernetescrd": "left out: Envoy has clusters for weighted and failover "
        "services only",
        "apps-above@kubernetescrd": foreign,
    }
    names = {c["name"] for c in to_envoy(*given)["static_resources"]["clusters"]}
    assert "apps-fo@kubernetescrd" in names
    assert not names & set(envoy_limits(*given))


def test_checks_that_differ_are_said() -> None:
    offers = {
        "a": [Advertisement("api", "apps/api", ["up"], health_check=HealthCheck())],
        "b": [Advertisement("api", "apps/api", ["up"])],
    }

    assert list(envoy_limits(materialize(ParentConfig(CHILDREN), offers))) == ["api"]


def test_a_long_name_has_a_shorter_file() -> None:
    name = "n" * 253
    offers = {"a": [Advertisement(name, "apps/n", ["up"])]}
    services = materialize(ParentConfig(CHILDREN), offers)

    (file,) = to_envoy_endpoints(services)

    assert len(file) == 200 + 1 + 16 + len(".json")
    (cluster,) = to_envoy(services)["static_resources"]["clusters"]
    path = cluster["eds_cluster_config"]["eds_config"]["path_config_source"]["path"]
    assert path == f"./eds/{file}"
