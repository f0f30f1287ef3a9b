"""`uplinks.render.to_traefik`: a parent's configuration for open-source Traefik."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml
from tests.render.services import CHECK, http, offered

from uplinks.adapters.files import load_fleet
from uplinks.errors import InvalidName, SelectorCycle
from uplinks.model import (
    UPLINKS_ANNOTATION,
    Advertisement,
    Child,
    Cluster,
    Failover,
    HealthCheck,
    IngressRoute,
    ParentConfig,
    Route,
    ServiceReference,
    TraefikService,
    Weighted,
)
from uplinks.parent import Parent
from uplinks.render import TraefikOptions, dump, to_traefik
from uplinks.services import materialize

EXAMPLES = Path(__file__).parent.parent.parent / "examples"


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
