"""`uplinks.render.child_to_traefik`: a child's routers and entry points."""

from __future__ import annotations

from typing import Any

import pytest
from attrs import evolve

from uplinks.model import (
    UPLINKS_ANNOTATION,
    ChildConfig,
    Cluster,
    HealthCheck,
    IngressRoute,
    Route,
    ServiceReference,
    TraefikService,
    Uplink,
    UplinkEntryPoint,
    Weighted,
)
from uplinks.render import (
    TraefikOptions,
    child_to_traefik,
    to_arguments,
    uplink_entry_points,
)

WEB = ServiceReference("web", port=80)
POINTS = {
    "first": UplinkEntryPoint(":9443", as_default=True, rest={"http": {"tls": {}}}),
    "second": UplinkEntryPoint(":9444"),
}


def child(
    *routes: Route, uplinks: Any = ("apps-api",), check: Any = None, **fields: Any
) -> Cluster:
    declared = [
        Uplink("api", "apps", health_check=check),
        Uplink("shop", "apps", entry_points=["second"]),
    ]
    router = IngressRoute("r", "apps", routes, annotations={UPLINKS_ANNOTATION: ",".join(uplinks)})
    others = IngressRoute("public", "apps", routes, entry_points=("web",))
    return Cluster("eu", declared, [router, others], child_config=ChildConfig(POINTS), **fields)


def routers(cluster: Cluster, **options: Any) -> Any:
    return child_to_traefik(cluster, TraefikOptions(**options))["http"]["routers"]


def named(cluster: Cluster, **options: Any) -> Any:
    """The routers for requests that name an uplink."""
    found = routers(cluster, **options)
    return {key: fields for key, fields in found.items() if key.count("_") == 1}


def test_a_route_is_written_once_for_each_uplink_on_its_entry_points() -> None:
    route = Route(
        "PathPrefix(`/a`) || PathPrefix(`/b`)",
        services=[WEB],
        rest={"priority": 9, "middlewares": [{"name": "limit"}]},
    )

    assert named(child(route, uplinks=("apps-api", "apps-shop"))) == {
        "apps-r-ade183ef118ca9e75eba_apps-api": {
            "rule": "Header(`X-Uplink`, `apps-api`) && (PathPrefix(`/a`) || PathPrefix(`/b`))",
            "priority": 9,
            "entryPoints": ["first"],
            "middlewares": ["apps-limit@kubernetescrd"],
            "service": "apps-r-ade183ef118ca9e75eba@kubernetescrd",
        },
        "apps-r-ade183ef118ca9e75eba_apps-shop": {
            "rule": "Header(`X-Uplink`, `apps-shop`) && (PathPrefix(`/a`) || PathPrefix(`/b`))",
            "priority": 9,
            "entryPoints": ["second"],
            "middlewares": ["apps-limit@kubernetescrd"],
            "service": "apps-r-ade183ef118ca9e75eba@kubernetescrd",
        },
    }


@pytest.mark.parametrize(
    ("services", "provider", "service"),
    [
        ([WEB], "file", "apps-web-80@file"),
        ([ServiceReference("web")], "file", "apps-web@file"),
        ([ServiceReference("own", "TraefikService")], "kubernetescrd", "apps-own@kubernetescrd"),
        ([ServiceReference("x@consul", "TraefikService")], "kubernetescrd", "x@consul"),
        ([WEB, WEB], "kubernetescrd", "apps-r-a431b128267aabc954fd@kubernetescrd"),
    ],
)
def test_services_stay_with_their_own_provider(services: Any, provider: str, service: str) -> None:
    (router,) = named(
        child(Route("PathPrefix(`/`)", services=services)), own_provider=provider
    ).values()

    assert router["service"] == service


def test_several_services_of_another_provider_are_composed() -> None:
    route = Route("PathPrefix(`/`)", services=[WEB, ServiceReference("new", port=80, weight=3)])

    written = child_to_traefik(child(route), TraefikOptions(own_provider="file"))["http"]

    (router, _) = written["routers"].values()
    assert router["service"] == "route_apps-r-a431b128267aabc954fd@file"
    assert written["services"]["route_apps-r-a431b128267aabc954fd"] == {
        "weighted": {
            "services": [
                {"name": "apps-web-80@file", "weight": 1},
                {"name": "apps-new-80@file", "weight": 3},
            ]
        }
    }


def test_a_cluster_in_the_middle_leads_on_to_uplinks() -> None:
    below = ServiceReference("deep@multicluster", "TraefikService")
    own = TraefikService("own", "apps", weighted=Weighted([below]))
    route = Route("PathPrefix(`/`)", services=[ServiceReference("own", "TraefikService")])

    written = child_to_traefik(child(route, traefik_services=[own]))["http"]

    (router, _) = written["routers"].values()
    assert router["service"] == "service_apps-own@file"
    assert written["services"]["service_apps-own"]["weighted"]["services"] == [
        {"name": "deep@file", "weight": 1}
    ]


@pytest.mark.parametrize(
    ("check", "path"),
    [
        (HealthCheck(path="/health?deep=1"), "`/health`"),
        (HealthCheck(), "`/`"),
        (HealthCheck(path='/a`"b'), '"/a`\\"b"'),
        (HealthCheck(mode="grpc"), "`/grpc.health.v1.Health/Check`"),
    ],
)
def test_of_two_routes_with_one_rule_only_probes_may_name_no_uplink(
    check: HealthCheck, path: str
) -> None:
    same = Route("PathPrefix(`/`)", services=[WEB])
    one = child(same, check=check)
    two = IngressRoute("s", "apps", [same], annotations={UPLINKS_ANNOTATION: "apps-shop"})

    found = routers(evolve(one, routers=(*one.routers, two)))

    (probe,) = (fields for key, fields in found.items() if key.endswith("_probe"))
    assert probe["rule"] == f"!HeaderRegexp(`X-Uplink`, `.+`) && Path({path}) && (PathPrefix(`/`))"
    assert len(found) == 3


def test_a_request_that_names_no_uplink_is_routed_by_its_rule() -> None:
    route = Route("PathPrefix(`/a`)", services=[WEB])

    found = routers(child(route, uplinks=("apps-shop", "apps-api")))

    unnamed = [fields for key, fields in found.items() if "_" not in key]
    assert unnamed == [
        {
            "rule": "!HeaderRegexp(`X-Uplink`, `.+`) && (PathPrefix(`/a`))",
            "entryPoints": ["first", "second"],
            "service": unnamed[0]["service"],
        }
    ]


def test_a_rule_in_the_old_syntax_has_the_matcher_of_that_syntax() -> None:
    route = Route("Path(`/`)", services=[WEB], rest={"syntax": "v2"})

    (router,) = named(child(route), uplink_header="X-Name").values()

    assert router["rule"] == "Headers(`X-Name`, `apps-api`) && (Path(`/`))"
    assert router["ruleSyntax"] == "v2"


def test_a_router_below_another_is_left_out() -> None:
    router = IngressRoute(
        "r",
        "apps",
        [Route("Path(`/`)", services=[WEB])],
        annotations={UPLINKS_ANNOTATION: "apps-api"},
        rest={"parentRefs": [{"name": "auth"}]},
    )
    cluster = Cluster("eu", [Uplink("api", "apps")], [router], child_config=ChildConfig(POINTS))

    assert child_to_traefik(cluster) == {"http": {}}


# --- entry points -----------------------------------------------------------------


def test_entry_points_are_ordinary_ones_and_never_the_default() -> None:
    assert uplink_entry_points(child()) == {
        "entryPoints": {
            "first": {"address": ":9443", "http": {"tls": {}}},
            "second": {"address": ":9444"},
        }
    }


def test_a_child_without_entry_points() -> None:
    assert uplink_entry_points(Cluster("eu")) == {"entryPoints": {}}


def test_arguments() -> None:
    static = {
        "entryPoints": {
            "up": {
                "address": "[::1]:9443",
                "http": {
                    "tls": {
                        "certResolver": "le",
                        "domains": [{"main": "a.example.com", "sans": ["b", "c"]}],
                    },
                    "middlewares": ["auth@file", "limit@file"],
                },
                "http3": {},
                "reusePort": True,
                "transport": {"lifeCycle": {"graceTimeOut": 10}},
            }
        }
    }

    assert to_arguments(static) == [
        "--entryPoints.up.address=[::1]:9443",
        "--entryPoints.up.http.middlewares=auth@file,limit@file",
        "--entryPoints.up.http.tls.certResolver=le",
        "--entryPoints.up.http.tls.domains[0].main=a.example.com",
        "--entryPoints.up.http.tls.domains[0].sans=b,c",
        "--entryPoints.up.http3=true",
        "--entryPoints.up.reusePort=true",
        "--entryPoints.up.transport.lifeCycle.graceTimeOut=10",
    ]
