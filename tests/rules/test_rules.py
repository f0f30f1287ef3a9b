"""What the rules report: places, messages, related places and suggestions."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path
from typing import Any

import pytest

from uplinks import naming, rules
from uplinks.adapters.files import load, load_fleet
from uplinks.diagnostics import Diagnostic, Severity
from uplinks.model import (
    UPLINKS_ANNOTATION,
    Child,
    ChildConfig,
    Cluster,
    Fleet,
    Header,
    HealthCheck,
    IngressRoute,
    ParentConfig,
    Route,
    ServiceReference,
    TraefikService,
    Uplink,
    UplinkEntryPoint,
    Weighted,
)
from uplinks.parsing import make_cluster, make_fleet, parse_manifests
from uplinks.rules import _suggestion
from uplinks.testing import _examples

HERE = Path(__file__).parent
EXAMPLES = HERE.parent.parent / "examples"


def bad(code: str) -> list[Diagnostic]:
    return [d for d in rules.check(_examples.fleet(code, bad=True)) if d.code == code]


# --- the examples -----------------------------------------------------------


@pytest.mark.parametrize("name", ["banking", "failover", "weighted"])
def test_the_examples_are_clean(name: str) -> None:
    assert rules.check(load_fleet(EXAMPLES / name)).diagnostics == ()


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("uplink-basic", []),
        ("uplink-entrypoints", []),
        ("uplink-health-grpc", []),
        ("uplink-health-headers", []),
        ("route-two-uplinks", []),
        ("route-invalid-entrypoints", [("UPL301", 10, 3, 14)]),
        ("route-invalid-tls", [("UPL302", 16, 3, 6)]),
    ],
)
def test_a_lone_snippet(name: str, expected: list[tuple[str, int, int, int]]) -> None:
    cluster = load(EXAMPLES / "snippets" / f"{name}.yaml")
    assert isinstance(cluster, Cluster)
    report = rules.check_cluster(cluster)

    assert [
        (d.code, d.location.span.line, d.location.span.column, d.location.span.end_column)
        for d in report
    ] == expected
    assert report.ok == (not expected)


# --- check and check_cluster ------------------------------------------------


def test_findings_made_while_reading_are_part_of_a_report() -> None:
    read = Diagnostic("UPL001", Severity.ERROR, "broken")
    cluster = Cluster("eu", diagnostics=[read])

    assert read in rules.check(Fleet(cluster)).diagnostics
    assert read in rules.check(Fleet(Cluster("parent"), {"eu": cluster})).diagnostics
    assert rules.check_cluster(cluster).diagnostics == (read,)


def test_a_role_says_that_the_whole_cluster_is_there() -> None:
    router = IngressRoute("r", "apps", annotations={UPLINKS_ANNOTATION: "apps-api"})
    alone = Cluster("eu", routers=[router])
    beside = Cluster("eu", routers=[router], uplinks=[Uplink("ap", "apps")])

    assert [d.code for d in rules.check_cluster(alone)] == []
    assert [d.code for d in rules.check_cluster(alone, "child")] == ["UPL303"]
    assert [d.code for d in rules.check_cluster(alone, "parent")] == ["UPL303"]
    assert [d.suggestion for d in rules.check_cluster(beside)] == ["apps-ap"]


@pytest.mark.parametrize("code", _examples.codes())
@pytest.mark.parametrize("role", [None, "child"])
def test_has_error_agrees_with_the_report(code: str, role: rules.Role | None) -> None:
    for cluster in _examples.fleet(code, bad=True).clusters:
        report = rules.check_cluster(cluster, role)
        assert rules.has_error(cluster, role) == bool(report.errors)


def test_a_parent_in_the_middle_is_judged_as_a_child_too() -> None:
    parent = Cluster("parent", uplinks=[Uplink("api", "apps")], child_config=ChildConfig())

    assert [d.code for d in rules.check(Fleet(parent))] == ["UPL410"]


def test_without_a_default_every_entry_point_is_one() -> None:
    points = ChildConfig({"up": UplinkEntryPoint(":9443"), "other": UplinkEntryPoint(":9444")})
    child = Cluster("eu", uplinks=[Uplink("api", "apps")], child_config=points)

    assert rules.check_cluster(child, "child").diagnostics == ()
    assert points.default_entry_points == ("up", "other")


def test_an_uplink_without_a_static_configuration_is_not_judged_by_entry_points() -> None:
    cluster = Cluster("", uplinks=[Uplink("api", "apps", entry_points=["x"]), Uplink("b", "apps")])

    assert rules.check_cluster(cluster, "child").diagnostics == ()


# --- what single rules say --------------------------------------------------


def test_entry_points_with_uplinks_points_at_the_key_and_relates_the_annotation() -> None:
    (found,) = bad("UPL301")

    assert found.message == (
        "spec.entryPoints of router apps/api conflicts with its uplinks annotation, "
        "because the uplink defines the entry points; remove it"
    )
    assert (found.location.cluster, found.location.path) == ("child-1", "$.spec.entryPoints")
    (related,) = found.related
    assert related.location.path == '$.metadata.annotations["hub.traefik.io/router.uplinks"]'


def test_an_unknown_entry_point_has_a_suggestion() -> None:
    (found,) = bad("UPL108")

    assert found.message == (
        "spec.entryPoints of uplink apps/api-workload must name uplink entry points of the "
        "cluster (multicluster), got 'multiclustre'"
    )
    assert found.suggestion == "multicluster"
    assert found.location.path == "$.spec.entryPoints[1]"
    assert [Path(r.location.file).name for r in found.related] == ["traefik.yaml"]


def test_an_unknown_uplink_has_a_suggestion() -> None:
    (found,) = bad("UPL303")

    assert found.message == "router apps/api references the unknown uplink 'api-workload'"
    assert found.suggestion == "apps-api-workload"


def test_empty_elements_are_counted_from_one() -> None:
    assert [d.message for d in bad("UPL305")] == [
        (
            "uplinks annotation of router apps/api has an empty element, number 2; "
            "write names separated by commas"
        ),
        "uplinks annotation of router apps/api-1 is empty; list uplink names, or remove it",
    ]


# A child that is a parent too, and a name that no reference can have.
HEAD = "apiVersion: traefik.io/v1alpha1\nkind: IngressRoute\nmetadata: {name: r, namespace: apps}\n"


def referring(name: str) -> str:
    service = f"{{kind: TraefikService, name: {name}@multicluster}}"
    route = f"{{kind: Rule, match: Host(`a`), services: [{service}]}}"
    return f"{HEAD}spec: {{entryPoints: [web], routes: [{route}]}}\n"


def uplink_named(name: str) -> str:
    head = "apiVersion: hub.traefik.io/v1alpha1\nkind: Uplink\nmetadata: {name: a, namespace: b}\n"
    return f"{head}spec: {{exposeName: {name}}}\n"


def listing(*names: str) -> str:
    children = ", ".join(f"{name}: {{address: 'https://{name}'}}" for name in names)
    return f"hub: {{providers: {{multicluster: {{children: {{{children}}}}}}}}}\n"


EXPOSED = "hub: {uplinkEntryPoints: {up: {address: ':9443'}}, providers: {multicluster: {}}}\n"


def codes_of(**clusters: str) -> list[tuple[str, str]]:
    made = {
        name: make_cluster(name, [parse_manifests(text, name, name)])
        for name, text in clusters.items()
    }
    report = rules.check(make_fleet(made.pop("parent"), made.values()))
    return [(d.code, d.location.cluster) for d in report if d.severity is not Severity.INFO]


def test_the_references_of_a_child_that_is_a_parent_are_checked() -> None:
    middle = f"{listing('leaf')}---\nhub: {{uplinkEntryPoints: {{up: {{address: ':1'}}}}}}\n---\n"
    leaf = f"{uplink_named('api')}---\n{EXPOSED}"

    right = codes_of(parent=listing("middle"), middle=middle + referring("api"), leaf=leaf)
    wrong = codes_of(parent=listing("middle"), middle=middle + referring("ap"), leaf=leaf)
    above = codes_of(parent=f"{listing('middle')}---\n{referring('api')}", middle=middle, leaf=leaf)
    absent = codes_of(parent=listing("middle"), middle=middle + referring("api"))

    assert right == []
    assert wrong == [("UPL307", "middle")]
    assert above == [("UPL307", "parent")]
    assert sorted(absent) == [("UPL307", "middle"), ("UPL408", "middle")]


def test_a_name_that_is_rewritten_is_not_suggested() -> None:
    child = f"{uplink_named('api.v1')}---\n{EXPOSED}"

    for name, code in (("api-v1", ["UPL307"]), ("api.v1", [])):
        parent = f"{listing('eu')}---\n{referring(name)}"
        found = codes_of(parent=parent, eu=child)
        assert found == [("UPL107", "eu"), *((each, "parent") for each in code)]
    clusters = [
        make_cluster(name, [parse_manifests(text)])
        for name, text in (("p", f"{listing('eu')}---\n{referring('api-v1')}"), ("eu", child))
    ]
    (diagnostic,) = (
        d for d in rules.check(make_fleet(clusters[0], clusters[1:])) if d.code == "UPL307"
    )
    assert diagnostic.suggestion is None
    assert diagnostic.message.endswith(
        "'api.v1' is one that no reference can name (UPL107), so set its exposeName to this name"
    )


def test_a_patch_beside_its_base_is_one_finding() -> None:
    base = "apiVersion: hub.traefik.io/v1alpha1\nkind: Uplink\nmetadata: {name: a, namespace: b}\n"
    checked = "spec: {healthCheck: {path: /h, interval: 10s, timeout: 1s}}\n---\n"
    child = f"{base}{checked}{base}spec: {{weight: 2}}\n---\n{EXPOSED}"
    other = f"{base}{checked}{EXPOSED}"

    found = codes_of(parent=listing("eu", "us"), eu=child, us=other)

    assert found.count(("UPL010", "eu")) == 1
    assert not {"UPL403", "UPL411"} & {code for code, _ in found}


def test_unresolved_services_have_suggestions() -> None:
    assert [(d.message, d.suggestion, d.location.path) for d in bad("UPL307")] == [
        (
            (
                "router apps/api references 'apps-api-worklaod@multicluster', "
                "but no child declares this uplink; correct the name, or declare the uplink"
            ),
            "apps-api-workload@multicluster",
            "$.spec.routes[0].services[0].name",
        ),
        (
            (
                "TraefikService apps/api references 'apps-api-workload-child-2@multicluster', "
                "but no child declares this uplink; correct the name, or declare the uplink"
            ),
            "apps-api-workload-child-1@multicluster",
            "$.spec.weighted.services[0].name",
        ),
        (
            (
                "TraefikService apps/safe references 'other@multicluster', "
                "but no child declares this uplink; correct the name, or declare the uplink"
            ),
            None,
            "$.spec.failover.fallback.name",
        ),
        (
            (
                "HTTPRoute apps/api references 'another@multicluster', "
                "but no child declares this uplink; correct the name, or declare the uplink"
            ),
            None,
            "$.spec.rules[0].backendRefs[0].name",
        ),
    ]


def test_a_missing_kind_is_suggested() -> None:
    assert [(d.message, d.suggestion) for d in bad("UPL308")] == [
        (
            (
                "router apps/api must reference 'apps-api-workload@multicluster' with kind "
                "'TraefikService', got 'Service'"
            ),
            "kind: TraefikService",
        )
    ] * 2


def circle(way: str) -> str:
    return f"TraefikServices form a circle: {way}; remove one of these references"


def test_a_circle_shows_the_way() -> None:
    assert [(d.message, len(d.related)) for d in bad("UPL310")] == [
        (
            circle("apps/a -> apps/b -> apps/c -> apps/a"),
            3,
        ),
        (
            circle("apps/self -> apps/self"),
            1,
        ),
    ]


def service(name: str, *names: str, namespace: str = "apps") -> TraefikService:
    used = [ServiceReference(used, kind="TraefikService") for used in names]
    return TraefikService(name, namespace, weighted=Weighted(used))


def circles(*services: TraefikService) -> list[str]:
    report = rules.check_cluster(Cluster("p", traefik_services=services))
    return [d.message for d in report if d.code == "UPL310"]


def test_a_long_circle_needs_no_stack() -> None:
    count = 5_000
    services = [service(f"s{i:05}", f"s{(i + 1) % count:05}") for i in range(count)]

    (found,) = circles(*services)

    assert found.startswith("TraefikServices form a circle: apps/s00000 -> apps/s00001 -> ")
    assert " -> apps/s00019 -> 4980 more -> apps/s00000; " in found


def test_many_long_circles_cost_little() -> None:
    count = 2_000
    services = [service(f"s{i:05}", f"s{(i + 1) % count:05}", "s00000") for i in range(count)]

    found = rules.check_cluster(Cluster("p", traefik_services=services))

    # The last one leads back twice, in two references.
    assert sum(d.message.count("->") for d in found) < 25 * count
    assert max(len(d.related) for d in found) == 20


def test_a_service_declared_again_is_one_service_in_a_circle() -> None:
    count = 500
    services = [service("s", "s")] + [service("s", "t") for _ in range(count)] + [service("t", "s")]

    found = list(rules.check_cluster(Cluster("p", traefik_services=services)))

    messages = [d.message for d in found if d.code == "UPL310"]
    assert sorted(set(messages)) == [
        circle("apps/s -> apps/s"),
        circle("apps/s -> apps/t -> apps/s"),
    ]


def test_each_reference_that_closes_a_circle_is_reported_once() -> None:
    # Two circles through b, and a diamond, which is none.
    assert circles(
        service("a", "b", "d"), service("b", "c", "b"), service("c", "a", "d"), service("d")
    ) == [
        circle("apps/a -> apps/b -> apps/c -> apps/a"),
        circle("apps/b -> apps/b"),
    ]


def test_references_go_to_their_own_namespace_and_kind() -> None:
    elsewhere = ServiceReference("a", kind="TraefikService", namespace="other")
    plain = ServiceReference("a")
    a = TraefikService("a", "apps", weighted=Weighted([elsewhere, plain]))

    assert circles(a, service("a", namespace="other")) == []
    assert circles(a, service("a", "apps-a@kubernetescrd", namespace="other")) == [
        circle("apps/a -> other/a -> apps/a")
    ]


def test_two_uplinks_with_one_name_relate_each_other() -> None:
    found = bad("UPL401")

    assert [d.message for d in found] == [
        (
            "uplink payments/eu-cards has the same uplink name as uplink payments-eu/cards, "
            "'payments-eu-cards'; give one of them another exposeName"
        ),
        (
            "uplink apps/cards has the same uplink name as uplink payments-eu/cards, "
            "'payments-eu-cards'; give one of them another exposeName"
        ),
    ]
    assert [[r.location.span.line for r in d.related] for d in found] == [[3], [3]]


def test_a_service_name_collision_names_both_owners() -> None:
    (found,) = bad("UPL402")

    assert found.message == (
        "service name 'payments-cards-child-1@multicluster' is claimed by uplink "
        "payments-cards/child-1 of child 'child-2' and by uplink payments/cards of child "
        "'child-1', directly; give one of them another exposeName"
    )
    assert [(r.location.cluster, r.message) for r in found.related] == [
        ("child-1", "claimed by uplink payments/cards of child 'child-1'"),
        ("child-2", "claimed by uplink payments-cards/child-1 of child 'child-2'"),
    ]


def fleet_of(**children: Uplink) -> Fleet:
    names = {name.replace("_", "-"): uplink for name, uplink in children.items()}
    return Fleet(Cluster("p"), {name: Cluster(name, uplinks=[u]) for name, u in names.items()})


@pytest.mark.parametrize(
    ("fleet", "name"),
    [
        # Two owners whose derived names are equal by accident.
        (fleet_of(x=Uplink("c", "a-b"), y=Uplink("b-c", "a")), "a-b-c@multicluster"),
        # Two child services: a on b-c, and a-b on c.
        (
            fleet_of(b_c=Uplink("n", "m", expose_name="a"), c=Uplink("b", "a")),
            "a-b-c@multicluster",
        ),
        # A weighted service against a child service.
        (
            fleet_of(c=Uplink("n", "m", expose_name="a"), d=Uplink("c", "a")),
            "a-c@multicluster",
        ),
    ],
)
def test_every_kind_of_collision(fleet: Fleet, name: str) -> None:
    found = [d for d in rules.check(fleet) if d.code == "UPL402"]

    assert [d.message.split("'")[1] for d in found] == [name]


def test_a_shared_expose_name_is_no_collision() -> None:
    fleet = fleet_of(x=Uplink("a", "n", expose_name="api"), y=Uplink("b", "m", expose_name="api"))

    assert [d for d in rules.check(fleet) if d.code == "UPL402"] == []


def test_a_password_in_an_address_is_not_shown(tmp_path: Path) -> None:
    (tmp_path / "traefik.yaml").write_text(
        "hub:\n  providers:\n    multicluster:\n      children:\n"
        "        eu: {address: 'https://me:s3cret@eu.example.com'}\n"
    )
    cluster = load(tmp_path)
    assert isinstance(cluster, Cluster)

    (found,) = rules.check_cluster(cluster)

    assert str(found).endswith(
        "error UPL406: address of child 'eu' is invalid: it has a user or password; "
        "write https:// and a host, and a port if needed"
    )


def test_an_unlisted_child_has_a_suggestion() -> None:
    parent = _examples.fleet("UPL408", bad=False).parent
    child = _examples.fleet("UPL408", bad=False).children["child-1"]

    found = [d for d in rules.check(Fleet(parent, {"chidl-1": child})) if d.code == "UPL407"]

    assert [(d.message, d.suggestion) for d in found] == [
        (
            (
                "child 'chidl-1' is not among the children the parent lists (child-1, child-2); "
                "add it there, with its address"
            ),
            "child-1",
        )
    ]
    assert [r.location.path for r in found[0].related] == ["$.hub.providers.multicluster.children"]


def test_a_child_with_nothing_is_reported_where_the_parent_lists_it() -> None:
    text = "hub: {providers: {multicluster: {children: {eu: {address: 'https://eu:9443'}}}}}"
    parent = make_cluster("parent", [parse_manifests(text, source="p.yaml")])
    fleet = Fleet(parent, {"eu": Cluster("eu"), "us": Cluster("us")})

    found = [(d.code, str(d.location), d.location.path) for d in rules.check(fleet)]

    assert found == [
        ("UPL407", "p.yaml:1:34", "$.hub.providers.multicluster.children"),
        ("UPL409", "p.yaml:1:34", "$.hub.providers.multicluster.children"),
        ("UPL409", "p.yaml:1:45", "$.hub.providers.multicluster.children.eu"),
    ]


def test_a_parent_without_a_static_configuration_lists_no_child() -> None:
    fleet = Fleet(Cluster("parent"), {"eu": Cluster("eu")})

    assert [d.message for d in rules.check(fleet)] == [
        (
            "child 'eu' is not among the children the parent lists (none); "
            "add it there, with its address"
        ),
        (
            "child 'eu' has no static configuration, so no parent can discover its uplinks; "
            "add multicluster: {} to hub.providers"
        ),
    ]


# --- children that only one side knows --------------------------------------


def test_a_child_that_is_there_on_both_sides_is_not_suggested() -> None:
    config = ParentConfig({name: Child(f"https://{name}") for name in ("child-1", "child-2")})
    parent = Cluster("parent", parent_config=config)
    children = {name: Cluster(name) for name in ("child-1", "child-3")}

    def suggested(fleet: Fleet) -> dict[str, str | None]:
        found = rules.check(fleet)
        return {d.code: d.suggestion for d in found if d.code in {"UPL407", "UPL408"}}

    assert suggested(Fleet(parent, children)) == {"UPL407": "child-2", "UPL408": "child-3"}
    assert suggested(Fleet(parent, {"child-1": Cluster("child-1")})) == {"UPL408": None}


# --- health checks ----------------------------------------------------------


def checked(check: HealthCheck) -> list[Diagnostic]:
    uplink = Uplink("api", "apps", health_check=check)
    return list(rules.check_cluster(Cluster("eu", uplinks=[uplink])))


def test_no_finding_shows_a_header_value_or_an_invalid_header_name() -> None:
    headers = [
        Header("Host", "S3cr3t"),
        Header("Authorization", "S3cr3t\r\nX: y"),
        Header("Bearer S3cr3t", "x"),
        Header("", "S3cr3t"),
    ]

    found = checked(HealthCheck(path="/", headers=headers))

    assert sorted(d.code for d in found) == ["UPL211", "UPL212", "UPL212", "UPL212"]
    assert "S3cr3t" not in repr(found)


def test_no_finding_shows_a_path_or_hostname_that_may_hold_a_password() -> None:
    url = "https://me:S3cr3t@example.com/?token=S3cr3t"

    found = checked(HealthCheck(path=url, hostname=url))

    assert sorted(d.code for d in found) == ["UPL209", "UPL213"]
    assert "S3cr3t" not in repr(found)


def test_a_mode_and_a_scheme_have_suggestions() -> None:
    found = checked(HealthCheck(mode="GRPC", scheme="HTTPS"))

    assert [(d.code, d.suggestion) for d in found] == [("UPL204", "grpc"), ("UPL205", "https")]


@pytest.mark.parametrize("got", ["x y" * 10**6, "é" * 10**6])
def test_a_finding_never_shows_all_of_an_endless_text(got: str) -> None:
    found = checked(HealthCheck(got, got, got, got, hostname=got))

    codes = sorted(d.code for d in found)
    assert codes == ["UPL204", "UPL205", "UPL206", "UPL209", "UPL213"]
    assert all(len(str(d)) < 300 for d in found)


def test_an_endless_number_is_described_by_its_size() -> None:
    (found,) = rules.check_cluster(Cluster("eu", uplinks=[Uplink("a", "b", weight=10**5000)]))

    assert "16610 bits" in found.message
    assert len(found.message) < 200


@pytest.mark.parametrize("weight", [True, 1.5, "5", None, [1], float("nan")])
def test_a_weight_that_is_no_integer_is_an_error_and_no_exception(weight: Any) -> None:
    report = rules.check_cluster(Cluster("eu", uplinks=[Uplink("a", "b", weight=weight)]))

    assert [d.code for d in report.errors] == ["UPL103"]


def test_a_hostname_has_a_maximum_length() -> None:
    label = "a" * 63
    longest = ".".join([label, label, label, "a" * 61])
    assert len(longest) == 253

    assert checked(HealthCheck(path="/", hostname=longest)) == []
    assert [d.code for d in checked(HealthCheck(path="/", hostname=f"{longest}.aaaaaaa"))] == [
        "UPL213"
    ]


# --- references to the parent's own services --------------------------------


def test_unknown_traefik_services_have_suggestions() -> None:
    assert [(d.message, d.suggestion) for d in bad("UPL312")] == [
        (
            (
                "TraefikService apps/api references 'nowhere', "
                "but the parent has no such TraefikService in 'apps'"
            ),
            None,
        ),
        (
            (
                "TraefikService apps/api references 'apps-apy@kubernetescrd', "
                "but the parent has no such TraefikService"
            ),
            "apps-api@kubernetescrd",
        ),
        (
            (
                "TraefikService apps/api references 'apps-api-workload@Multicluster', "
                "but there is no provider 'Multicluster'"
            ),
            "apps-api-workload@multicluster",
        ),
        (
            (
                "TraefikService apps/api references 'apps-other@KubernetesCRD', "
                "but there is no provider 'KubernetesCRD'"
            ),
            "apps-other@kubernetescrd",
        ),
        (
            "router apps/api references 'apy', but the parent has no such TraefikService in 'apps'",
            "api",
        ),
        (
            (
                "router apps/api references 'api', "
                "but the parent has no such TraefikService in 'other'"
            ),
            None,
        ),
    ]


@pytest.mark.parametrize("provider", ["file", "kubernetes", "docker", "consul", "internal"])
def test_services_of_other_providers_are_not_looked_for(provider: str) -> None:
    parent = Cluster("parent", traefik_services=[service("a", f"x@{provider}")])

    assert rules.check(Fleet(parent)).diagnostics == ()


def test_weights_of_one_target_are_added_however_it_is_written() -> None:
    references = [
        ServiceReference(name, kind="TraefikService", weight=2**30)
        for name in ("a", "apps-a@kubernetescrd", "b")
    ]
    services = [
        TraefikService("top", "apps", weighted=Weighted(references)),
        service("a", "x@multicluster"),
        service("b", "x@multicluster"),
    ]

    found = rules.check_cluster(Cluster("p", traefik_services=services))

    assert [(d.code, d.message) for d in found] == [
        (
            "UPL313",
            (
                "the sum of the weights of 'apps-a@kubernetescrd' in TraefikService apps/top "
                "must be between 0 and 2147483647, got 2147483648"
            ),
        )
    ]


# --- suggestions at a bounded cost ------------------------------------------


def crowded(count: int) -> Cluster:
    names = [f"api-wrkload-{i}" for i in range(count)]
    routers = [
        IngressRoute(
            name, "apps", [Route("Path(`/`)")], annotations={UPLINKS_ANNOTATION: f"apps-{name}"}
        )
        for name in names
    ]
    return Cluster("eu", [Uplink(f"api-workload-{i}", "apps") for i in range(count)], routers)


def test_a_report_compares_a_bounded_number_of_names(monkeypatch: pytest.MonkeyPatch) -> None:
    nearest, compared = naming.nearest, []

    def counting(name: str, candidates: Collection[str]) -> str | None:
        compared.append((len(candidates), len(name) * sum(map(len, candidates))))
        return nearest(name, candidates)

    monkeypatch.setattr(naming, "nearest", counting)
    found = rules.check_cluster(crowded(3_000))

    assert [d.code for d in found] == ["UPL303"] * 3_000
    assert max(count for count, _ in compared) <= _suggestion.SHORTLIST
    assert sum(work for _, work in compared) <= _suggestion.WORK
    assert 20 < len(compared) < 200
    assert sum(d.suggestion is not None for d in found) == len(compared)


def test_the_one_that_was_meant_is_found_among_many() -> None:
    many = crowded(3_000)
    meant = {
        # One mistake: at the beginning, in the middle, at the end; and none near.
        "aqps-api-workload-1234": "apps-api-workload-1234",
        "apps-api-wrkload-2718": "apps-api-workload-2718",
        "apps-api-workload-31x": "apps-api-workload-31",
        "something else": None,
    }
    routers = [
        IngressRoute(f"r{i}", "apps", annotations={UPLINKS_ANNOTATION: name})
        for i, name in enumerate(meant)
    ]

    found = rules.check_cluster(Cluster("eu", many.uplinks, routers))

    assert {d.message.split("'")[1]: d.suggestion for d in found} == meant


def test_suggestions_do_not_depend_on_the_order_of_the_objects() -> None:
    cluster = crowded(400)
    turned = Cluster("eu", cluster.uplinks[::-1], cluster.routers[::-1])

    assert rules.check_cluster(turned) == rules.check_cluster(cluster)


def test_one_child_that_declares_an_object_twice_has_not_two_names_for_it() -> None:
    twice = [Uplink("api", "apps", expose_name=name) for name in ("shop", "web")]
    eu, us = Cluster("eu", twice), Cluster("us", [Uplink("api", "apps")])

    alone, both = (
        [d for d in rules.check(Fleet(Cluster("parent"), children)) if d.code == "UPL404"]
        for children in ({"eu": eu}, {"eu": eu, "us": us})
    )

    assert alone == []
    assert [found.message.partition(", so")[0] for found in both] == [
        "uplink apps/api is named 'apps-api' on child 'us' and 'shop' on child 'eu'"
    ]


# --- fixes ------------------------------------------------------------------


def fixes_of(names: str, *uplinks: Uplink) -> list[tuple[str, str, str | int]]:
    router = IngressRoute("r", "apps", annotations={UPLINKS_ANNOTATION: names})
    cluster = Cluster("eu", uplinks=uplinks, routers=[router])
    found = rules.check_cluster(cluster, "child").diagnostics
    return [(d.code, d.fix.old, d.fix.new) for d in found if d.fix is not None]


def test_a_fix_replaces_one_name_of_the_list() -> None:
    search, web = Uplink("search", "apps"), Uplink("web", "apps")

    assert fixes_of("apps-web, apps-serach", search, web) == [
        ("UPL303", "apps-web, apps-serach", "apps-web, apps-search")
    ]
    # The right name is there already, so another uplink was meant.
    assert fixes_of("apps-search, apps-serach", search, web) == []
    # Similar enough for a suggestion, but perhaps another uplink.
    assert fixes_of("apps-searching", search, web) == []


def test_a_renamed_name_is_fixed_in_the_list() -> None:
    front = Uplink("web", "apps", expose_name="front")

    assert fixes_of("apps-web ,x", front)[0] == ("UPL309", "apps-web ,x", "front ,x")


@pytest.mark.parametrize(
    ("mode", "fixed"), [("htpp", "http"), ("gprc", "grpc"), ("GRPC", "grpc"), ("https", None)]
)
def test_a_misspelt_mode_is_fixed_unless_it_is_a_scheme(mode: str, fixed: str | None) -> None:
    uplink = Uplink("api", "apps", health_check=HealthCheck(path="/", mode=mode))

    found = rules.check_cluster(Cluster("eu", uplinks=[uplink])).diagnostics

    [unknown] = [d for d in found if d.code == "UPL204"]
    assert (unknown.fix and unknown.fix.new) == fixed


def test_nothing_is_concluded_from_what_is_absent_beside_unrendered_manifests() -> None:
    parent = Cluster("parent")
    child = Cluster("eu", uplinks=[Uplink("api", "apps", weight=-1)])
    note = Diagnostic(rules.NOT_RENDERED, Severity.INFO, "a Helm chart is not read")
    partial = Cluster("eu", uplinks=child.uplinks, diagnostics=[note])

    whole = {d.code for d in rules.check(Fleet(parent, {"eu": child}))}
    part = {d.code for d in rules.check(Fleet(parent, {"eu": partial}))}

    assert {"UPL407", "UPL409", "UPL103"} <= whole
    assert part == (whole - rules.FROM_ABSENCE) | {rules.NOT_RENDERED}
    assert "UPL103" in part


def test_the_rules_about_absence_exist() -> None:
    assert set(rules.codes()) >= rules.FROM_ABSENCE
