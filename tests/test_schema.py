"""Schema: what becomes of every kind of document, right and wrong."""

from __future__ import annotations

from typing import Any

import pytest

from uplinks.diagnostics import Diagnostic, Severity, Span
from uplinks.errors import InvalidDuration
from uplinks.located import Document, LocatedList, LocatedMap
from uplinks.model import (
    Child,
    ChildConfig,
    Failover,
    Header,
    HealthCheck,
    IngressRoute,
    ParentConfig,
    PassiveHealthCheck,
    Route,
    ServersTransport,
    ServiceReference,
    StaticConfig,
    TraefikService,
    Uplink,
    UplinkEntryPoint,
    Weighted,
)
from uplinks.schema import Manifests, structure, unstructure

SECOND = 1_000_000_000
HUB = "hub.traefik.io/v1alpha1"
TRAEFIK = "traefik.io/v1alpha1"
SECRET = "s3cr3t"  # noqa: S105 - the one that must not be shown


def located(value: Any, line: int = 1) -> Any:
    """Build a tree whose keys stand in column 1 and values in column 9, one line each."""

    def build(node: Any) -> Any:
        nonlocal line
        if isinstance(node, dict):
            mapping = LocatedMap(Span(line, 9, line, 10))
            for key, item in node.items():
                line += 1
                here = line
                mapping[key] = build(item)
                mapping.marks[key] = (Span(here, 1, here, 2), Span(here, 9, here, 10))
            return mapping
        if isinstance(node, list):
            items = LocatedList(Span(line, 9, line, 10))
            for item in node:
                line += 1
                here = line
                items.append(build(item))
                items.marks.append(Span(here, 9, here, 10))
            return items
        return node

    return build(value)


def read(tree: Any) -> Manifests:
    return structure([Document(located(tree), file="f.yaml", cluster="child-1")])


def uplink_tree(spec: Any = None, **metadata: Any) -> dict[str, Any]:
    head = {"name": "api", "namespace": "apps", **metadata}
    return {"apiVersion": HUB, "kind": "Uplink", "metadata": head, "spec": spec}


def router_tree(spec: Any) -> dict[str, Any]:
    head = {"name": "r", "namespace": "apps"}
    return {"apiVersion": TRAEFIK, "kind": "IngressRoute", "metadata": head, "spec": spec}


def service_tree(spec: Any) -> dict[str, Any]:
    head = {"name": "s", "namespace": "apps"}
    return {"apiVersion": TRAEFIK, "kind": "TraefikService", "metadata": head, "spec": spec}


def found(manifests: Manifests) -> list[tuple[str, str]]:
    return [(d.code, d.location.path) for d in manifests.diagnostics]


def only(manifests: Manifests) -> Diagnostic:
    (diagnostic,) = manifests.diagnostics
    return diagnostic


# --- what is right ----------------------------------------------------------


def test_an_uplink_with_every_field() -> None:
    tree = uplink_tree(
        {
            "exposeName": "api",
            "entryPoints": ["multicluster"],
            "weight": 0,
            "healthCheck": {
                "path": "/health",
                "scheme": "https",
                "mode": "http",
                "method": "HEAD",
                "status": 204,
                "port": 8443,
                "interval": "10s",
                "unhealthyInterval": 1,
                "timeout": "3",
                "hostname": "api.example.com",
                "followRedirects": False,
                "headers": {"Authorization": SECRET},
            },
            "passiveHealthCheck": {"failureWindow": "1m", "maxFailedAttempts": 3},
        },
        annotations={"a": "b"},
        labels={"app": "api"},
    )

    assert read(tree) == Manifests(
        resources=(
            Uplink(
                "api",
                "apps",
                expose_name="api",
                entry_points=["multicluster"],
                weight=0,
                health_check=HealthCheck(
                    path="/health",
                    scheme="https",
                    method="HEAD",
                    status=204,
                    port=8443,
                    interval=10 * SECOND,
                    unhealthy_interval=SECOND,
                    timeout=3 * SECOND,
                    hostname="api.example.com",
                    follow_redirects=False,
                    headers=[Header("Authorization", SECRET)],
                ),
                passive_health_check=PassiveHealthCheck(60 * SECOND, 3),
                annotations={"a": "b"},
            ),
        )
    )


@pytest.mark.parametrize(
    "tree",
    [
        {"apiVersion": HUB, "kind": "Uplink"},
        {"apiVersion": HUB, "kind": "Uplink", "metadata": None, "spec": None, "status": {"a": 1}},
        {"apiVersion": HUB, "kind": "Uplink", "metadata": {"name": None}, "spec": {"weight": None}},
    ],
)
def test_what_is_left_out_or_null_has_its_default(tree: Any) -> None:
    assert read(tree) == Manifests(resources=(Uplink("", "default"),))


def test_zero_is_unset_and_negative_is_kept() -> None:
    zeros = {"interval": 0, "timeout": "0s", "status": 0, "port": 0}
    (uplink,) = read(uplink_tree({"healthCheck": zeros})).resources
    assert uplink == Uplink("api", "apps", health_check=HealthCheck())

    below = {"interval": "-1s", "timeout": -2}
    (uplink,) = read(uplink_tree({"weight": -1, "healthCheck": below})).resources
    check = HealthCheck(interval=-SECOND, timeout=-2 * SECOND)
    assert uplink == Uplink("api", "apps", weight=-1, health_check=check)


def test_an_ingress_route_keeps_what_means_nothing_here() -> None:
    service = {"name": "a", "port": "http", "weight": 3, "sticky": {"cookie": {"name": "c"}}}
    route = {"match": "M", "kind": "Rule", "priority": 7, "services": [service]}
    tree = router_tree(
        {"entryPoints": [], "tls": {}, "ingressClassName": "traefik", "routes": [route]}
    )

    manifests = read(tree)

    reference = ServiceReference(
        "a", port="http", weight=3, rest={"sticky": {"cookie": {"name": "c"}}}
    )
    expected = IngressRoute(
        "r",
        "apps",
        [Route("M", services=[reference], rest={"priority": 7})],
        entry_points=(),
        tls={},
        rest={"ingressClassName": "traefik"},
    )
    assert manifests == Manifests(resources=(expected,))
    assert type(expected.rest["ingressClassName"]) is str
    assert unstructure(manifests.resources[0])["spec"] == {
        "entryPoints": [],
        "routes": [{"match": "M", "services": [service], "priority": 7}],
        "tls": {},
        "ingressClassName": "traefik",
    }


def test_an_absent_tls_is_not_an_empty_one() -> None:
    (router,) = read(router_tree({"routes": []})).resources

    assert isinstance(router, IngressRoute)
    assert (router.tls, router.entry_points) == (None, None)


def test_a_traefik_service() -> None:
    weighted = {"weighted": {"services": [{"name": "a@multicluster", "kind": "TraefikService"}]}}
    failover = {"failover": {"service": {"name": "a"}, "fallback": {"name": "b"}, "errors": {}}}

    assert read(service_tree(weighted)).resources == (
        TraefikService(
            "s", "apps", Weighted([ServiceReference("a@multicluster", "TraefikService")])
        ),
    )
    assert read(service_tree(failover)).resources == (
        TraefikService(
            "s",
            "apps",
            failover=Failover(ServiceReference("a"), ServiceReference("b"), rest={"errors": {}}),
        ),
    )
    assert read(service_tree({"mirroring": {"name": "a"}})).resources == (
        TraefikService("s", "apps", rest={"mirroring": {"name": "a"}}),
    )


def test_the_model_holds_plain_values_without_places() -> None:
    (router,) = read(router_tree({"tls": {"domains": [{"main": "a"}]}, "routes": []})).resources

    assert isinstance(router, IngressRoute)
    assert router.tls is not None
    assert type(router.tls) is dict
    assert type(router.tls["domains"]) is list
    assert type(router.tls["domains"][0]) is dict


# --- static configurations --------------------------------------------------

POINTS = {"up": {"address": ":9443", "asDefault": True, "http": {"tls": {}}}}
UP = UplinkEntryPoint(":9443", as_default=True, rest={"http": {"tls": {}}})
CHILDREN = {"eu": {"address": "https://eu:9443", "serversTransport": {"serverName": "eu"}}}
EU = Child("https://eu:9443", ServersTransport(server_name="eu"))


@pytest.mark.parametrize(
    ("hub", "expected"),
    [
        (None, StaticConfig()),
        ({"token": "t"}, StaticConfig()),
        ({"uplinkEntryPoints": POINTS}, StaticConfig(ChildConfig({"up": UP}))),
        ({"uplinkEntryPoints": {}}, StaticConfig(ChildConfig())),
        ({"providers": {"multicluster": {}}}, StaticConfig(ChildConfig(multicluster=True))),
        ({"providers": {"multicluster": None}}, StaticConfig()),
        (
            {"uplinkEntryPoints": POINTS, "providers": {"multicluster": {}, "other": {}}},
            StaticConfig(ChildConfig({"up": UP}, multicluster=True)),
        ),
        (
            {"providers": {"multicluster": {"children": CHILDREN, "pollInterval": "7s"}}},
            StaticConfig(parent=ParentConfig({"eu": EU}, poll_interval="7s")),
        ),
        (
            {"providers": {"multicluster": {"children": {}}}},
            StaticConfig(parent=ParentConfig()),
        ),
        (
            {"uplinkEntryPoints": POINTS, "providers": {"multicluster": {"children": CHILDREN}}},
            StaticConfig(ChildConfig({"up": UP}, multicluster=True), ParentConfig({"eu": EU})),
        ),
    ],
)
def test_a_static_configuration_makes_a_child_or_a_parent(hub: Any, expected: StaticConfig) -> None:
    tree = {"log": {"level": "DEBUG"}, "entryPoints": {}, "hub": hub}

    assert read(tree) == Manifests(resources=(expected,))


def test_a_static_configuration_may_hold_what_nobody_here_knows() -> None:
    multicluster = {"children": {"eu": {"address": "https://eu", "brandNew": 1}}, "brandNew": 1}
    tree = {"hub": {"brandNew": {}, "providers": {"brandNew": {}, "multicluster": multicluster}}}

    assert read(tree).diagnostics == ()


def test_a_near_miss_in_the_provider_is_an_error() -> None:
    multicluster = {
        "childern": {},
        "pollIntervall": "5s",
        "children": {"eu": {"address": "https://eu", "serverTransport": "x"}},
    }

    manifests = read({"hub": {"providers": {"multicluster": multicluster}}})

    root = "$.hub.providers.multicluster"
    assert [(d.code, d.severity, d.location.path, d.suggestion) for d in manifests.diagnostics] == [
        ("UPL005", Severity.ERROR, f"{root}.childern", "children"),
        ("UPL005", Severity.ERROR, f"{root}.pollIntervall", "pollInterval"),
        ("UPL005", Severity.ERROR, f"{root}.children.eu.serverTransport", "serversTransport"),
    ]
    (config,) = manifests.resources
    assert isinstance(config, StaticConfig)
    assert config.parent is not None
    assert config.parent.children["eu"].address == "https://eu"


def test_what_is_wrong_in_a_static_configuration() -> None:
    hub = {
        "uplinkEntryPoints": {"up": {"asDefault": "yes"}, "down": 5},
        "providers": {
            "multicluster": {
                "children": {"eu": {"address": 5}, "us": {}, "ap": {"address": "https://ap"}},
                "pollInterval": "1d",
                "pollTimeout": [],
            }
        },
    }

    manifests = read({"hub": hub})

    root = "$.hub.providers.multicluster"
    assert found(manifests) == [
        ("UPL006", "$.hub.uplinkEntryPoints.up.asDefault"),
        ("UPL006", "$.hub.uplinkEntryPoints.down"),
        ("UPL006", f"{root}.children.eu.address"),
        ("UPL007", f"{root}.children.us.address"),
        ("UPL201", f"{root}.pollInterval"),
        ("UPL006", f"{root}.pollTimeout"),
    ]
    (config,) = manifests.resources
    assert isinstance(config, StaticConfig)
    assert config.child == ChildConfig({"up": UplinkEntryPoint()}, multicluster=True)
    assert config.parent is not None
    assert list(config.parent.children) == ["ap"]


def test_a_hub_that_is_no_mapping() -> None:
    manifests = read({"hub": ["a"]})

    assert only(manifests).message == "hub must be a mapping, got a list"
    assert manifests.resources == (StaticConfig(),)


# --- what is wrong ----------------------------------------------------------


def test_everything_wrong_is_reported_at_once_where_it_stands() -> None:
    tree = uplink_tree(
        {
            "weight": "5",
            "wieght": 5,
            "entryPoints": ["a", 5],
            "healthCheck": {"interval": "1d", "timeout": "3s", "status": True},
        },
        name=7,
    )

    manifests = read(tree)

    assert sorted(str(d) for d in manifests.diagnostics) == [
        ("f.yaml:12:9: error UPL006: spec.entryPoints[1] must be a string, got the integer 5"),
        (
            "f.yaml:14:9: error UPL201: spec.healthCheck.interval must be seconds (30) or a Go "
            "duration (1m30s, 1.5s, 500ms), got the string '1d': unknown unit 'd' "
            "(did you mean '24h'?)"
        ),
        (
            "f.yaml:16:9: error UPL006: spec.healthCheck.status must be an integer, "
            "got the boolean true"
        ),
        "f.yaml:5:9: error UPL006: metadata.name must be a string, got the integer 7",
        "f.yaml:8:9: error UPL006: spec.weight must be an integer, got the string '5'",
        (
            "f.yaml:9:1: error UPL005: unknown field 'wieght' in spec; known fields: entryPoints, "
            "exposeName, healthCheck, passiveHealthCheck, weight (did you mean 'weight'?)"
        ),
    ]
    assert {d.location.cluster for d in manifests.diagnostics} == {"child-1"}
    # What is right is kept, what is wrong has its default.
    assert manifests.resources == (
        Uplink("", "apps", entry_points=["a"], health_check=HealthCheck(timeout=3 * SECOND)),
    )


# 1e2 is 100.0 to Python: what was written is not known here, so it is not shown.
_FRACTION = "spec.weight must be an integer, got a number with a fraction or an exponent"


@pytest.mark.parametrize(
    ("spec", "path", "message"),
    [
        ({"weight": 1.0}, "$.spec.weight", _FRACTION),
        ({"weight": 100.0}, "$.spec.weight", _FRACTION),
        (
            {"weight": 1e23},
            "$.spec.weight",
            "spec.weight must be an integer, got a number of more than 64 bits",
        ),
        ({"weight": True}, "$.spec.weight", "spec.weight must be an integer, got the boolean true"),
        ({"weight": []}, "$.spec.weight", "spec.weight must be an integer, got a list"),
        ({"weight": b"5"}, "$.spec.weight", "spec.weight must be an integer, got a bytes"),
        ({"weight": {}}, "$.spec.weight", "spec.weight must be an integer, got a mapping"),
        (
            {"exposeName": 5},
            "$.spec.exposeName",
            "spec.exposeName must be a string, got the integer 5",
        ),
        (
            {"entryPoints": "a"},
            "$.spec.entryPoints",
            "spec.entryPoints must be a list, got a string",
        ),
        (
            {"entryPoints": {}},
            "$.spec.entryPoints",
            "spec.entryPoints must be a list, got a mapping",
        ),
        (
            {"entryPoints": [None]},
            "$.spec.entryPoints[0]",
            "spec.entryPoints[0] must be a string, got null",
        ),
        (5, "$.spec", "spec must be a mapping, got an integer"),
        ([], "$.spec", "spec must be a mapping, got a list"),
        (
            {"healthCheck": "a"},
            "$.spec.healthCheck",
            "spec.healthCheck must be a mapping, got a string",
        ),
        (
            {"healthCheck": {"followRedirects": "no"}},
            "$.spec.healthCheck.followRedirects",
            "spec.healthCheck.followRedirects must be a boolean, got the string 'no'",
        ),
        (
            {"healthCheck": {"path": "/" * 100, "method": 10**5000}},
            "$.spec.healthCheck.method",
            "spec.healthCheck.method must be a string, got an integer of 16610 bits",
        ),
        (
            {"weight": "x" * 10**6},
            "$.spec.weight",
            f"spec.weight must be an integer, got a string of 1000000 characters, {'x' * 40!r}…",
        ),
    ],
)
def test_nothing_is_coerced(spec: Any, path: str, message: str) -> None:
    manifests = read(uplink_tree(spec))

    diagnostic = only(manifests)
    assert (diagnostic.code, diagnostic.severity) == ("UPL006", Severity.ERROR)
    assert (diagnostic.location.path, diagnostic.message) == (path, message)
    assert len(manifests.resources) == 1


@pytest.mark.parametrize(
    ("value", "code"),
    [
        ("", "UPL201"),
        ("10 s", "UPL201"),
        (1.5, "UPL201"),
        (True, "UPL201"),
        (10**30, "UPL201"),
        ("9" * 10**6, "UPL201"),
        ([], "UPL006"),
        ({}, "UPL006"),
    ],
)
@pytest.mark.parametrize(
    ("section", "name"),
    [
        ("healthCheck", "interval"),
        ("healthCheck", "unhealthyInterval"),
        ("healthCheck", "timeout"),
        ("passiveHealthCheck", "failureWindow"),
    ],
)
def test_a_duration_is_a_duration(section: str, name: str, value: Any, code: str) -> None:
    manifests = read(uplink_tree({section: {name: value}}))

    assert found(manifests) == [(code, f"$.spec.{section}.{name}")]
    assert len(only(manifests).message) < 300
    assert len(manifests.resources) == 1


@pytest.mark.parametrize(
    "headers",
    [
        {"Authorization": [SECRET]},
        {"Authorization": {SECRET: SECRET}},
        f"Authorization: {SECRET}",
        [{"Authorization": SECRET}],
        {"Authorization": 7_777_777, "X-Ok": "fine"},
        {"Authorization": 7_777_777.5},
        {f"Bearer {SECRET}": None},
        {SECRET: None},
    ],
)
def test_no_message_shows_a_header(headers: Any) -> None:
    manifests = read(uplink_tree({"healthCheck": {"headers": headers}}))

    diagnostic = only(manifests)
    assert diagnostic.code == "UPL006"
    for shown in (repr(diagnostic), str(diagnostic), repr(manifests)):
        assert SECRET not in shown
        assert "7777777" not in shown


def test_a_header_of_the_wrong_type_is_named_and_the_others_stay() -> None:
    manifests = read(uplink_tree({"healthCheck": {"headers": {"A": 5, "B": "b"}}}))

    assert only(manifests).message == "spec.healthCheck.headers.A must be a string, got an integer"
    check = HealthCheck(headers=[Header("B", "b")])
    assert manifests.resources == (Uplink("api", "apps", health_check=check),)


@pytest.mark.parametrize(
    ("tree", "path", "severity", "suggestion"),
    [
        (uplink_tree({"weigth": 1}), "$.spec.weigth", "error", "weight"),
        (uplink_tree({"sticky": {}}), "$.spec.sticky", "error", None),
        (uplink_tree({"healthCheck": {"pth": "/"}}), "$.spec.healthCheck.pth", "error", "path"),
        (uplink_tree({}, lables={}), "$.metadata.lables", "error", "labels"),
        ({**uplink_tree({}), "sepc": {}}, "$.sepc", "error", "spec"),
        (uplink_tree({"nothing": None}), "$.spec.nothing", "error", None),
        (router_tree({"routes": [], "tsl": {}}), "$.spec.tsl", "warning", "tls"),
        (
            router_tree({"routes": [{"match": "M", "servics": []}]}),
            "$.spec.routes[0].servics",
            "warning",
            "services",
        ),
        (
            router_tree({"routes": [{"match": "M", "services": [{"name": "a", "prt": 1}]}]}),
            "$.spec.routes[0].services[0].prt",
            "warning",
            "port",
        ),
        (
            router_tree({"routes": [], "tls": {"domains": [{"mian": "a"}]}}),
            "$.spec.tls.domains[0].mian",
            "warning",
            "main",
        ),
        ({**router_tree({"routes": []}), "sepc": {}}, "$.sepc", "warning", "spec"),
        (service_tree({"wieghted": {}}), "$.spec.wieghted", "warning", "weighted"),
        (
            service_tree({"weighted": {"sticky": {"cookie": {"nam": "c"}}}}),
            "$.spec.weighted.sticky.cookie.nam",
            "warning",
            "name",
        ),
    ],
)
def test_unknown_fields(tree: Any, path: str, severity: str, suggestion: str | None) -> None:
    manifests = read(tree)

    diagnostic = only(manifests)
    assert (diagnostic.code, diagnostic.location.path) == ("UPL005", path)
    assert (diagnostic.severity.value, diagnostic.suggestion) == (severity, suggestion)
    assert diagnostic.location.span.column == 1, "the place of the key"
    assert len(manifests.resources) == 1


def test_an_unknown_field_of_a_traefik_kind_is_written_back() -> None:
    (router,) = read(router_tree({"routes": [], "brandNew": {"a": [1]}})).resources

    assert unstructure(router)["spec"] == {"routes": [], "brandNew": {"a": [1]}}


def test_thousands_of_unknown_fields_are_reported_in_bounded_time() -> None:
    manifests = read(uplink_tree({f"weight{i}": i for i in range(20_000)}))

    assert len(manifests.diagnostics) == 20_000
    assert sum(d.suggestion is not None for d in manifests.diagnostics) == 50


@pytest.mark.parametrize(
    ("tree", "path", "message", "resource"),
    [
        (
            router_tree({"routes": [{"kind": "Rule"}, {"match": "M"}]}),
            "$.spec.routes[0].match",
            "spec.routes[0].match is required",
            IngressRoute("r", "apps", [Route("M")]),
        ),
        (
            router_tree({"routes": [{"match": "M", "services": [{"port": 1}, {"name": "a"}]}]}),
            "$.spec.routes[0].services[0].name",
            "spec.routes[0].services[0].name is required",
            IngressRoute("r", "apps", [Route("M", services=[ServiceReference("a")])]),
        ),
        (
            router_tree({"routes": [{"match": None}]}),
            "$.spec.routes[0].match",
            "spec.routes[0].match is required",
            IngressRoute("r", "apps"),
        ),
        (
            router_tree({"tls": {}}),
            "$.spec.routes",
            "spec.routes is required",
            IngressRoute("r", "apps", tls={}),
        ),
        (
            service_tree({"failover": {"service": {"name": "a"}, "errors": {}}}),
            "$.spec.failover.fallback",
            "spec.failover.fallback is required",
            TraefikService("s", "apps"),
        ),
        (
            service_tree(
                {"failover": {"service": {"name": "a"}, "fallback": {"port": 1}, "errors": {}}}
            ),
            "$.spec.failover.fallback.name",
            "spec.failover.fallback.name is required",
            TraefikService("s", "apps"),
        ),
    ],
)
def test_a_missing_field_takes_its_object_along(
    tree: Any, path: str, message: str, resource: Any
) -> None:
    manifests = read(tree)

    diagnostic = only(manifests)
    assert (diagnostic.code, diagnostic.location.path) == ("UPL007", path)
    assert (diagnostic.severity, diagnostic.message) == (Severity.ERROR, message)
    assert manifests.resources == (resource,)


def test_a_missing_field_is_reported_where_it_is_missing() -> None:
    span = only(read(router_tree({"routes": [{"kind": "Rule"}]}))).location.span

    assert span == Span(9, 9, 9, 10)


def test_a_required_field_of_the_wrong_type_takes_its_object_along() -> None:
    manifests = read(router_tree({"routes": [{"match": 5}, {"match": "M"}, 7]}))

    assert found(manifests) == [
        ("UPL006", "$.spec.routes[0].match"),
        ("UPL006", "$.spec.routes[2]"),
    ]
    assert manifests.resources == (IngressRoute("r", "apps", [Route("M")]),)


# --- which documents are read -----------------------------------------------


@pytest.mark.parametrize(
    "tree",
    [
        {"apiVersion": "apps/v1", "kind": "Deployment", "spec": 5},
        {"apiVersion": TRAEFIK, "kind": "Middleware"},
        {"apiVersion": TRAEFIK, "kind": "IngressRouteTCP"},
        {"apiVersion": TRAEFIK, "kind": "ServersTransport"},
        {"apiVersion": TRAEFIK, "kind": "TLSOption"},
        {"apiVersion": HUB, "kind": "AccessControlPolicy"},
        {"apiVersion": "v2", "kind": "List", "items": [uplink_tree()]},
        {"apiVersion": 5, "kind": ["List"]},
        {"kind": "Deployment"},
        {"services": {}},
        {},
        [],
        [uplink_tree()],
        "text",
        5,
        False,
    ],
)
def test_what_is_not_ours_is_counted(tree: Any) -> None:
    assert read(tree) == Manifests(skipped=1)


def test_an_empty_document_is_nothing() -> None:
    assert read(None) == Manifests()


@pytest.mark.parametrize(
    ("api_version", "kind", "path", "message", "suggestion"),
    [
        (
            HUB,
            "Uplnk",
            "$.kind",
            "unknown kind 'Uplnk' in hub.traefik.io; the object was skipped",
            "Uplink",
        ),
        (
            TRAEFIK,
            "Uplink",
            "$.kind",
            (
                "unknown kind 'Uplink' in traefik.io, it is a kind of hub.traefik.io; "
                "the object was skipped"
            ),
            None,
        ),
        (
            "hub.traefik.io/v1",
            "Uplink",
            "$.apiVersion",
            "unknown version 'v1' of hub.traefik.io, must be v1alpha1; the object was skipped",
            HUB,
        ),
        (
            "traefik.io",
            "IngressRoute",
            "$.apiVersion",
            "unknown version '' of traefik.io, must be v1alpha1; the object was skipped",
            TRAEFIK,
        ),
        (
            "traefik.containo.us/v1alpha1",
            "Middleware",
            "$.apiVersion",
            (
                "API group traefik.containo.us is no longer served, use traefik.io; "
                "the object was skipped"
            ),
            TRAEFIK,
        ),
    ],
)
def test_an_unknown_kind_or_version_of_our_groups_is_a_warning(
    api_version: str, kind: str, path: str, message: str, suggestion: str | None
) -> None:
    manifests = read({"apiVersion": api_version, "kind": kind})

    diagnostic = only(manifests)
    assert (diagnostic.code, diagnostic.severity) == ("UPL008", Severity.WARNING)
    assert (diagnostic.location.path, diagnostic.message) == (path, message)
    assert diagnostic.suggestion == suggestion
    assert (manifests.resources, manifests.skipped) == ((), 1)


@pytest.mark.parametrize(
    ("tree", "expected"),
    [
        ({"apiVersion": HUB}, ("UPL007", "$.kind")),
        ({"apiVersion": TRAEFIK, "kind": ["Uplink"]}, ("UPL006", "$.kind")),
        ({"kind": "Uplink"}, ("UPL007", "$.apiVersion")),
        ({"kind": "IngressRoute", "apiVersion": None}, ("UPL007", "$.apiVersion")),
    ],
)
def test_half_of_what_makes_an_object_ours(tree: Any, expected: tuple[str, str]) -> None:
    assert found(read(tree)) == [expected]


# --- lists ------------------------------------------------------------------


def test_a_list_is_its_items_in_order_each_with_its_place() -> None:
    inner = {"kind": "List", "items": [uplink_tree({}, name="b"), None]}
    deployment = {"apiVersion": "apps/v1", "kind": "Deployment"}
    wrong = uplink_tree({"weight": "5"}, name="c")
    items = [uplink_tree({}, name="a"), inner, deployment, wrong]
    tree = {"apiVersion": "v1", "kind": "List", "metadata": {}, "items": items}

    manifests = read(tree)

    names = [r.name for r in manifests.resources if isinstance(r, Uplink)]
    assert names == ["a", "b", "c"]
    assert [r.origin.base for r in manifests.resources] == [
        ("items", 0),
        ("items", 1, "items", 0),
        ("items", 3),
    ]
    # The path is the object's own, the place is the file's.
    assert found(manifests) == [("UPL006", "$.spec.weight")]
    assert only(manifests).location.span.line == 34
    assert manifests.skipped == 1
    last = manifests.resources[-1].origin.locate("spec", "weight")
    assert last == only(manifests).location


def test_a_list_without_items_is_empty_and_with_a_mapping_wrong() -> None:
    assert read({"kind": "List"}) == Manifests()
    assert read({"kind": "List", "items": None}) == Manifests()
    assert found(read({"kind": "List", "items": {}})) == [("UPL006", "$.items")]


def test_lists_may_nest_deeper_than_python_does() -> None:
    tree: Any = uplink_tree({})
    for _ in range(3_000):
        tree = {"kind": "List", "items": [tree]}

    assert len(structure([Document(tree)]).resources) == 1


# --- trees without places, and writing --------------------------------------


def test_a_plain_tree_is_read_as_well() -> None:
    manifests = structure([Document(uplink_tree({"weight": "5", 7: 1, None: 2}))])

    assert [(d.code, d.location.path, d.location.span) for d in manifests.diagnostics] == [
        ("UPL006", "$.spec.weight", Span(1, 1, 1, 2)),
        ("UPL005", "$.spec[7]", Span(1, 1, 1, 2)),
        ("UPL005", "$.spec.None", Span(1, 1, 1, 2)),
    ]


def test_writing_leaves_defaults_out_and_secrets_in() -> None:
    check = HealthCheck(path="/h", interval=90 * SECOND, headers=[Header("Authorization", SECRET)])

    assert unstructure(Uplink("api", "apps")) == {
        "apiVersion": HUB,
        "kind": "Uplink",
        "metadata": {"name": "api", "namespace": "apps"},
    }
    assert unstructure(Uplink("api", "apps", weight=0, health_check=check))["spec"] == {
        "weight": 0,
        "healthCheck": {
            "path": "/h",
            "interval": "1m30s",
            "headers": {"Authorization": SECRET},
        },
    }


def test_writing_a_static_configuration() -> None:
    config = StaticConfig(ChildConfig({"up": UP}, multicluster=True), ParentConfig({"eu": EU}))

    assert unstructure(config) == {
        "hub": {"uplinkEntryPoints": POINTS, "providers": {"multicluster": {"children": CHILDREN}}}
    }
    assert unstructure(StaticConfig()) == {"hub": {}}


def test_a_field_of_ours_wins_over_one_in_rest() -> None:
    router = IngressRoute("r", "apps", tls={}, rest={"tls": {"secretName": "s"}, "a": 1})

    assert unstructure(router)["spec"] == {"routes": [], "tls": {}, "a": 1}


def test_a_duration_beyond_64_bits_cannot_be_written() -> None:
    with pytest.raises(InvalidDuration):
        unstructure(Uplink("api", "apps", health_check=HealthCheck(interval=2**70)))


def test_a_header_without_a_value_is_found_but_not_named() -> None:
    diagnostic = only(read(uplink_tree({"healthCheck": {"headers": {SECRET: None}}})))

    assert diagnostic.message == (
        "a value in spec.healthCheck.headers must be a string, got null; the header is not sent"
    )
    assert diagnostic.severity is Severity.WARNING
    assert diagnostic.location.path == '$.spec.healthCheck.headers["***"]'


@pytest.mark.parametrize(
    "router", [IngressRoute("r", "apps"), IngressRoute("r", "apps", entry_points=("web",))]
)
def test_a_router_without_routes_is_read_back_without_a_finding(router: IngressRoute) -> None:
    tree = unstructure(router)

    assert tree["spec"]["routes"] == []
    assert read(tree) == Manifests((router,))
