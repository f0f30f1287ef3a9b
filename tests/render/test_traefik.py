"""`uplinks.render.to_traefik`: a parent's configuration for open-source Traefik."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from uplinks.adapters.files import load_fleet
from uplinks.errors import InvalidName, SelectorCycle
from uplinks.model import (
    UPLINKS_ANNOTATION,
    Advertisement,
    Child,
    ChildService,
    ClientCertificate,
    Cluster,
    Failover,
    ForwardingTimeouts,
    HealthCheck,
    IngressRoute,
    ParentConfig,
    PassiveHealthCheck,
    Route,
    ServersTransport,
    ServiceReference,
    Services,
    Spiffe,
    TraefikService,
    Weighted,
)
from uplinks.parent import Parent
from uplinks.render import TraefikOptions, dump, to_traefik
from uplinks.services import materialize

EXAMPLES = Path(__file__).parent.parent.parent / "examples"
SECOND = 1_000_000_000
CHECK = HealthCheck(path="/health")


def offered(
    *children: tuple[str, int, HealthCheck | None, PassiveHealthCheck | None],
    transports: dict[str, ServersTransport] | None = None,
    uplink: str = "api",
) -> Services:
    """Services of one uplink: child, weight, active and passive check."""
    transports = transports or {}
    config = ParentConfig({n: Child(f"https://{n}:9443", transports.get(n)) for n, *_ in children})
    offers = {
        name: [Advertisement(uplink, f"apps/{uplink}", ["up"], weight, active, passive)]
        for name, weight, active, passive in children
    }
    return materialize(config, offers)


def http(services: Services, parent: Cluster | None = None, **options: Any) -> Any:
    return to_traefik(services, parent, TraefikOptions(**options))["http"]


# --- materialized services ----------------------------------------------------


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


# --- a parent's own services and routers ----------------------------------------


def ref(name: str, kind: str = "TraefikService", **fields: Any) -> ServiceReference:
    return ServiceReference(name, kind, **fields)


def parent(*services: TraefikService, routes: Any = (), **router: Any) -> Cluster:
    routers = [IngressRoute("web", "apps", routes, **router)] if routes else []
    return Cluster("parent", routers=routers, traefik_services=services)


BOTH = offered(("eu", 1, CHECK, None), ("us", 1, CHECK, None))


def test_a_route_to_one_service_names_it() -> None:
    route = Route(
        "Host(`api.example.com`)",
        services=[ref("api@multicluster", weight=0)],
        rest={
            "priority": 7,
            "syntax": "v2",
            "middlewares": [
                {"name": "strip"},
                {"name": "auth", "namespace": "shared"},
                {"name": "compress@internal"},
            ],
            "observability": {"metrics": False, "tracing": None},
        },
    )
    tls = {
        "secretName": "cert",
        "options": {"name": "modern"},
        "certResolver": "le",
        "domains": [{"main": "example.com"}],
    }

    routers = http(BOTH, parent(routes=[route], entry_points=["websecure"], tls=tls))["routers"]

    assert routers == {
        "apps-web-b06acbebae016dfa1d6d": {
            "rule": "Host(`api.example.com`)",
            "priority": 7,
            "ruleSyntax": "v2",
            "middlewares": [
                "apps-strip@kubernetescrd",
                "shared-auth@kubernetescrd",
                "compress@internal",
            ],
            "observability": {"metrics": False},
            "entryPoints": ["websecure"],
            "tls": {
                "options": "apps-modern@kubernetescrd",
                "certResolver": "le",
                "domains": [{"main": "example.com"}],
            },
            "service": "api@file",
        }
    }


def test_an_empty_tls_and_no_entry_points_stay_what_they_are() -> None:
    route = Route("Host(`a`)", services=[ref("api-eu@multicluster")])

    (router,) = http(BOTH, parent(routes=[route], tls={}))["routers"].values()

    assert router == {"rule": "Host(`a`)", "tls": {}, "service": "api-eu@file"}


def test_the_providers_of_the_output_and_of_the_cluster() -> None:
    route = Route(
        "Host(`a`)",
        services=[ref("api@multicluster"), ref("web", "Service", port=80), ref("x@consulcatalog")],
        rest={"middlewares": [{"name": "strip"}]},
    )

    written = http(
        BOTH, parent(routes=[route]), provider="http", own_provider="file", uplink_header="X-Name"
    )

    (name,) = written["routers"]
    assert written["routers"][name]["middlewares"] == ["apps-strip@file"]
    assert written["routers"][name]["service"] == f"route_{name}@http"
    assert written["services"][f"route_{name}"]["weighted"]["services"] == [
        {"name": "api@http", "weight": 1},
        {"name": "apps-web-80@file", "weight": 1},
        {"name": "x@consulcatalog", "weight": 1},
    ]
    assert written["middlewares"]["api"] == {"headers": {"customRequestHeaders": {"X-Name": "api"}}}


def test_what_leads_to_no_uplink_is_left_to_its_provider() -> None:
    own = TraefikService("own", "apps", weighted=Weighted([ref("web", "Service", port=80)]))
    routes = [
        Route("Host(`a`)", services=[ref("own")]),
        Route("Host(`b`)", services=[ref("web", "Service", port=80)]),
        Route("Host(`c`)"),
    ]

    written = http(BOTH, parent(own, routes=routes))

    assert "routers" not in written
    assert set(written["services"]) == {"api", "api-eu", "api-us"}


LAYERS = [
    IngressRoute(
        "root",
        "apps",
        [Route("Host(`a`)", rest={"middlewares": [{"name": "auth"}]})],
        entry_points=("web",),
        tls={},
    ),
    IngressRoute(
        "web",
        "apps",
        [Route("PathPrefix(`/x`)", services=[ref("api@multicluster")])],
        rest={"parentRefs": [{"name": "root"}]},
    ),
]


def test_a_router_below_another_of_kubernetes_refers_to_it_there() -> None:
    (written,) = http(BOTH, Cluster("parent", routers=LAYERS))["routers"].values()

    assert written == {
        "rule": "PathPrefix(`/x`)",
        "parentRefs": ["apps-root-4f4040cc3a4464633346@kubernetescrd"],
        "service": "api@file",
    }


def test_the_routers_above_are_written_where_nobody_else_has_them() -> None:
    routers = http(BOTH, Cluster("parent", routers=LAYERS), own_provider="file")["routers"]

    root = "apps-root-4f4040cc3a4464633346"
    assert routers.pop(root) == {
        "rule": "Host(`a`)",
        "middlewares": ["apps-auth@file"],
        "entryPoints": ["web"],
        "tls": {},
    }
    (below,) = routers.values()
    assert below["parentRefs"] == [f"{root}@file"]


@pytest.mark.parametrize("provider", ["kubernetescrd", "file"])
def test_a_router_below_an_unknown_one_is_not_opened(provider: str) -> None:
    (written,) = http(BOTH, Cluster("parent", routers=LAYERS[1:]), own_provider=provider)[
        "routers"
    ].values()

    assert written["parentRefs"] == [f"apps-root@{provider}"]


def test_routers_in_a_circle_end() -> None:
    circle = IngressRoute("web", "apps", LAYERS[1].routes, rest={"parentRefs": [{"name": "web"}]})

    routers = http(BOTH, Cluster("parent", routers=[circle]), own_provider="file")["routers"]

    assert len(routers) == 1


def test_a_router_for_another_parent_is_not_written() -> None:
    route = Route("Host(`a`)", services=[ref("api@multicluster")])

    written = http(BOTH, parent(routes=[route], annotations={UPLINKS_ANNOTATION: "apps-x"}))

    assert "routers" not in written


def test_weighted_services_of_services() -> None:
    sticky = {"cookie": {"name": "c", "secure": True}}
    inner = TraefikService(
        "inner", "apps", weighted=Weighted([ref("api-eu@multicluster", weight=2)])
    )
    outer = TraefikService(
        "outer",
        "apps",
        weighted=Weighted(
            [ref("inner", weight=3), ref("api-us@multicluster"), ref("api@multicluster", weight=0)],
            rest={"sticky": sticky},
        ),
    )

    services = http(BOTH, parent(outer, inner))["services"]

    assert services["service_apps-inner"] == {
        "weighted": {"services": [{"name": "api-eu@file", "weight": 2}], "healthCheck": {}}
    }
    assert services["service_apps-outer"] == {
        "weighted": {
            "services": [
                {"name": "service_apps-inner@file", "weight": 3},
                {"name": "api-us@file", "weight": 1},
            ],
            "healthCheck": {},
            "sticky": sticky,
        }
    }


def test_a_failover_keeps_its_statuses_and_passes_status_on() -> None:
    errors = {"status": ["500-504"], "maxRequestBodyBytes": 0}
    safe = TraefikService(
        "safe",
        "apps",
        failover=Failover(
            ref("api-eu@multicluster"), ref("api-us@multicluster"), rest={"errors": errors}
        ),
    )

    services = http(BOTH, parent(safe))["services"]

    assert services["service_apps-safe"] == {
        "failover": {
            "service": "api-eu@file",
            "fallback": "api-us@file",
            "errors": errors,
            "healthCheck": {},
        }
    }


def test_a_failover_to_another_providers_service_passes_no_status_on() -> None:
    safe = TraefikService(
        "safe",
        "apps",
        failover=Failover(ref("api@multicluster"), ref("web", "Service", port="http")),
    )

    services = http(BOTH, parent(safe))["services"]

    assert services["service_apps-safe"] == {
        "failover": {"service": "api@file", "fallback": "apps-web-http@kubernetescrd"}
    }


def test_mirroring_and_highest_random_weight() -> None:
    mirrored = {
        "name": "api@multicluster",
        "kind": "TraefikService",
        "mirrorBody": False,
        "maxBodySize": 9,
        "mirrors": [{"name": "shadow", "port": 80, "percent": 10}],
    }
    highest = {
        "services": [
            {"name": "mirror", "kind": "TraefikService", "weight": 2},
            {"name": "api-us@multicluster", "kind": "TraefikService"},
        ]
    }
    services = http(
        BOTH,
        parent(
            TraefikService("highest", "apps", rest={"highestRandomWeight": highest}),
            TraefikService("mirror", "apps", rest={"mirroring": mirrored}),
        ),
    )["services"]

    assert services["service_apps-mirror"] == {
        "mirroring": {
            "service": "api@file",
            "mirrors": [{"name": "apps-shadow-80@kubernetescrd", "percent": 10}],
            "mirrorBody": False,
            "maxBodySize": 9,
            "healthCheck": {},
        }
    }
    assert services["service_apps-highest"] == {
        "highestRandomWeight": {
            "services": [
                {"name": "service_apps-mirror@file", "weight": 2},
                {"name": "api-us@file", "weight": 1},
            ],
            "healthCheck": {},
        }
    }


def test_a_reference_may_have_the_name_that_traefik_gives() -> None:
    inner = TraefikService("inner", "other", weighted=Weighted([ref("api@multicluster")]))
    outer = TraefikService("outer", "apps", weighted=Weighted([ref("other-inner@kubernetescrd")]))

    services = http(BOTH, parent(outer, inner))["services"]

    (entry,) = services["service_apps-outer"]["weighted"]["services"]
    assert entry["name"] == "service_other-inner@file"


def test_no_uplink_takes_the_name_of_a_composed_service() -> None:
    services = offered(("eu", 1, CHECK, None), uplink="apps-outer")
    outer = TraefikService("outer", "apps", weighted=Weighted([ref("apps-outer@multicluster")]))

    assert set(http(services, parent(outer))["services"]) == {
        "apps-outer",
        "apps-outer-eu",
        "service_apps-outer",
    }


def test_services_in_a_circle_are_refused() -> None:
    one = TraefikService("one", "apps", weighted=Weighted([ref("two")]))
    two = TraefikService("two", "apps", weighted=Weighted([ref("one")]))

    with pytest.raises(SelectorCycle):
        to_traefik(BOTH, parent(one, two))


def test_a_long_chain_of_services_needs_no_stack() -> None:
    count = 3_000
    chain = [
        TraefikService(
            f"s{i}",
            "apps",
            weighted=Weighted([ref(f"s{i + 1}" if i < count else "api@multicluster")]),
        )
        for i in range(count + 1)
    ]

    services = http(BOTH, parent(*chain))["services"]

    assert services["service_apps-s0"]["weighted"]["healthCheck"] == {}


# --- options and text -----------------------------------------------------------


@pytest.mark.parametrize(
    "options", [{"uplink_header": "X`"}, {"uplink_header": ""}, {"own_provider": "a@b"}]
)
def test_malformed_names_are_refused(options: dict[str, Any]) -> None:
    with pytest.raises(InvalidName):
        TraefikOptions(**options)


def test_an_unknown_provider_is_refused() -> None:
    with pytest.raises(ValueError, match="provider"):
        TraefikOptions(provider="docker")  # type: ignore[arg-type]


def test_the_example_of_the_reference_page() -> None:
    fleet = load_fleet(EXAMPLES / "weighted")
    expected = yaml.safe_load((EXAMPLES / "weighted" / "expected-services.yaml").read_text())

    services = http(Parent.from_fleet(fleet).services)["services"]

    wanted = expected["services"]["apps-api-workload"]["weighted"]["services"]
    assert services["apps-api-workload"]["weighted"] == {
        "services": [{**entry, "name": f"{entry['name']}@file"} for entry in wanted],
        "healthCheck": {},
    }


def test_the_same_bytes_for_any_order() -> None:
    config = ParentConfig({name: Child(f"https://{name}") for name in ("us", "eu")})
    offers = {
        name: [Advertisement(uplink, f"apps/{uplink}", ["up"]) for uplink in ("b", "a")]
        for name in ("us", "eu")
    }
    backwards = ParentConfig(dict(reversed(list(config.children.items()))))

    text = dump(to_traefik(materialize(config, offers)))

    assert text == dump(to_traefik(materialize(backwards, dict(reversed(offers.items())))))


def test_results_share_nothing() -> None:
    services = offered(("eu", 1, HealthCheck(headers={"A": "b"}), None))
    once = http(services)
    once["services"]["api-eu"]["loadBalancer"]["healthCheck"]["headers"]["A"] = "c"

    headers = http(services)["services"]["api-eu"]["loadBalancer"]["healthCheck"]["headers"]
    assert headers == {"A": "b", "X-Uplink": "api"}
