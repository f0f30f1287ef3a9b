"""Rules about the match of routes: places, syntaxes, which routes compete, probes."""

from __future__ import annotations

import pytest
from attrs import evolve

from uplinks import rules
from uplinks.diagnostics import Diagnostic
from uplinks.model import Child, Cluster, Fleet, ParentConfig
from uplinks.parsing import make_cluster, parse_manifests

ROUTER = """\
apiVersion: traefik.io/v1alpha1
kind: IngressRoute
metadata: {name: NAME, namespace: apps ANNOTATIONS}
spec:
EXTRA  routes:
"""


def router(*routes: str, name: str = "r", uplink: str = "", extra: str = "") -> str:
    annotations = f", annotations: {{hub.traefik.io/router.uplinks: {uplink}}}" if uplink else ""
    head = ROUTER.replace("NAME", name).replace(" ANNOTATIONS", annotations)
    lines = "".join(
        f"    - {{kind: Rule, services: [{{name: s, port: 80}}], {route}}}\n" for route in routes
    )
    return head.replace("EXTRA", extra) + lines


def uplink(check: str) -> str:
    return (
        "apiVersion: hub.traefik.io/v1alpha1\nkind: Uplink\n"
        f"metadata: {{name: api, namespace: apps}}\nspec: {{healthCheck: {{{check}}}}}\n"
    )


def cluster(*documents: str) -> Cluster:
    return make_cluster("c", [parse_manifests("---\n".join(documents), "f.yaml")])


def found(code: str, *documents: str) -> list[Diagnostic]:
    return [d for d in rules.check_cluster(cluster(*documents)) if d.code == code]


# --- the place in the match -----------------------------------------------------


@pytest.mark.parametrize(
    ("written", "marked"),
    [
        ("Foo(`/a`)", "Foo"),
        ("'Foo(`/a`)'", "Foo"),
        ('"Foo(`/a`)"', "Foo"),
        ("Path(`/a`) && Foo(`/b`)", "Foo"),
        ("'Path(`/a`) && Path(`b`)'", "`b`"),
        ("PathRegexp(`^/a(b`)", "(b"),
        ('"Path(`/\\u00e4`) && Foo(`/b`)"', '"Path(`/\\u00e4`) && Foo(`/b`)"'),
        ("'Foo(`''`)'", "'Foo(`''`)'"),
    ],
)
def test_the_wrong_part_of_a_match_is_marked(written: str, marked: str) -> None:
    text = router(f"match: {written}")
    [diagnostic] = found("UPL316", text)
    span = diagnostic.location.span
    line = text.splitlines()[span.line - 1]
    assert line[span.column - 1 : span.end_column - 1] == marked
    assert diagnostic.location.path == "$.spec.routes[0].match"


def test_a_match_of_several_lines_is_marked_as_a_whole() -> None:
    text = (
        router().rstrip()
        + "\n    - kind: Rule\n      match: |\n        Path(`/a`) &&\n        Foo(`/b`)\n"
    )
    [diagnostic] = found("UPL316", text)
    assert diagnostic.location.span.line == 7
    assert "unknown matcher 'Foo'" in diagnostic.message


def test_the_end_of_a_match_is_marked_behind_it() -> None:
    text = router("match: Path(`/a`")
    [diagnostic] = found("UPL316", text)
    line = text.splitlines()[diagnostic.location.span.line - 1]
    assert line[: diagnostic.location.span.column - 1].endswith("Path(`/a`")


# --- the syntax -------------------------------------------------------------------

TWO_HOSTS = "match: 'Host(`a`, `b`)'"
V2 = 'core: {defaultRuleSyntax: v2}\nhub: {uplinkEntryPoints: {up: {address: ":9443"}}}\n'


@pytest.mark.parametrize(
    ("documents", "count"),
    [
        ([router(TWO_HOSTS)], 1),
        ([router(f"syntax: v2, {TWO_HOSTS}")], 0),
        ([router(f"syntax: v3, {TWO_HOSTS}")], 1),
        ([router(f"syntax: V2, {TWO_HOSTS}")], 1),
        ([V2, router(TWO_HOSTS)], 0),
        ([V2, router(f"syntax: v3, {TWO_HOSTS}")], 1),
        ([V2, router(f"syntax: '', {TWO_HOSTS}")], 0),
        ([V2.replace("v2", "v3"), router(TWO_HOSTS)], 1),
    ],
)
def test_the_syntax_is_that_of_the_route_else_the_default(documents: list[str], count: int) -> None:
    assert len(found("UPL316", *documents)) == count


# --- routes that compete ------------------------------------------------------------

A, SAME_A, B = "match: Path(`/a`)", "match: 'Path(`/a`)'", "match: Path(`/b`)"
PARENT = "  parentRefs: [{name: r}]\n"
TLS, WEB = "  tls: {}\n", "  entryPoints: [web]\n"


@pytest.mark.parametrize(
    ("documents", "count"),
    [
        ([router(A, SAME_A)], 1),
        ([router(A, SAME_A, A)], 2),
        ([router(A, B)], 0),
        ([router(A, f"priority: 5, {A}")], 1),  # one name in Traefik, whatever the priority
        ([router(A), router(A, name="q")], 1),
        ([router(A), router(f"priority: 5, {A}", name="q")], 0),
        ([router(A), router(A, name="q", extra=WEB)], 0),
        ([router(A, extra=WEB), router(A, name="q", extra=WEB)], 1),
        ([router(A), router(A, name="q", extra=TLS)], 0),
        ([router(A), router(A, name="q", extra="  ingressClassName: other\n")], 0),
        ([router(A, uplink="x"), router(A, name="q", uplink="x")], 1),
        ([router(A, uplink="x"), router(A, name="q", uplink="y")], 0),
        ([router(A, uplink="x"), router(A, name="q")], 0),
        ([router("match: Path(`/a`) && Method(`GET`)", "match: Method(`GET`) && Path(`/a`)")], 1),
    ],
)  # fmt: skip
def test_duplicates_are_reported_once_where_they_compete(documents: list[str], count: int) -> None:
    assert len(found("UPL318", *documents)) == count


ALL, API = "match: PathPrefix(`/`)", "match: PathPrefix(`/api`)"


@pytest.mark.parametrize(
    ("documents", "count"),
    [
        ([router(ALL, API)], 0),
        ([router(ALL, A)], 1),  # whose rule is shorter
        ([router(f"priority: 100, {ALL}", A, B)], 2),
        ([router(f"priority: 100, {ALL}", f"priority: 101, {A}")], 0),
        ([router(f"priority: 100, {ALL}"), router(A, name="q")], 1),
        ([router(f"priority: 100, {ALL}"), router(A, name="q", extra=WEB)], 0),
        ([router(f"priority: 100, {ALL}"), router(A, name="q", extra=PARENT)], 0),
        ([router("match: Path(`/a`) || Path(`/long/enough`)", A)], 1),
        ([router("match: PathPrefix(`/a`) && PathPrefix(`/`)", "match: Path(`/a/b`)")], 1),
        ([router("priority: 9, match: Host(`*.a`)", "match: Host(`b.a`)")], 0),
        ([router("priority: 9, match: Host(`*.a`)", "priority: 8, match: Host(`b.a`)")], 1),
        ([router("priority: 9, match: PathRegexp(`^/a`)", "priority: 8, match: Path(`/ab`)")], 1),
        ([router("priority: 9, match: Path(`/a`) && Method(`GET`)", f"priority: 8, {A}")], 0),
        ([router(f"priority: 100, {A}", A)], 0),  # UPL318
        ([router(f"priority: 100, {A}"), router(A, name="q")], 1),
        ([router("priority: '100', match: PathPrefix(`/`)", API)], 0),
    ],
)  # fmt: skip
def test_a_route_is_shadowed_by_a_wider_one_of_higher_priority(
    documents: list[str], count: int
) -> None:
    assert len(found("UPL319", *documents)) == count


def test_many_routes_are_compared_by_an_index() -> None:
    hosts = [f"match: Host(`h{n}.example.com`) && PathPrefix(`/`)" for n in range(300)]
    shadowed = "match: Host(`h7.example.com`)"
    assert found("UPL319", router(*hosts)) == []
    [diagnostic] = found("UPL319", router(*hosts, shadowed))
    assert "spec.routes[300].match" in diagnostic.message
    assert diagnostic.related[0].location.path == "$.spec.routes[7].match"


# --- health checks ------------------------------------------------------------------


@pytest.mark.parametrize(
    ("check", "routes", "count"),
    [
        ("path: /health", ["match: PathPrefix(`/api`)"], 1),
        ("path: /health", ["match: PathPrefix(`/api`)", "match: Path(`/health`)"], 0),
        ("path: /api/health", ["match: PathPrefix(`/api`)"], 0),
        ("path: /api/health", ["match: 'PathRegexp(`^/api/v[0-9]+/`)'"], 1),
        ("path: '/health?q=1'", ["match: Path(`/health`)"], 0),
        ("path: /health%20check", ["match: 'Path(`/health check`)'"], 0),
        ("path: /h", ["match: Path(`/h`) && Method(`POST`)"], 1),
        ("path: /h, method: POST", ["match: Path(`/h`) && Method(`POST`)"], 0),
        ("path: /h", ["match: Host(`a.example.com`) && Path(`/h`)"], 0),
        ("path: /h, hostname: b.example.com", ["match: Host(`a.example.com`) && Path(`/h`)"], 1),
        ("path: /h, hostname: 'a.example.com:80'", ["match: Host(`a.example.com`)"], 0),
        ("path: /h", ["match: 'Header(`X-A`, `1`)'"], 1),
        ("path: /h, headers: {x-a: '1'}", ["match: 'Header(`X-A`, `1`)'"], 0),
        ("path: /h", ["match: 'Header(`X-Uplink`, `apps-api`)'"], 0),
        ("path: /h", ["match: ClientIP(`10.0.0.0/8`)"], 0),
        ("path: h", ["match: PathPrefix(`/api`)"], 0),
        ("path: /../h", ["match: PathPrefix(`/api`)"], 0),
        ("path: /h", ["match: Foo(`/api`)"], 0),
        ("path: /h", [], 0),
        ("mode: grpc", ["match: PathPrefix(`/api`)"], 1),
        ("mode: grpc", ["match: PathPrefix(`/grpc.health.v1.Health/`)"], 0),
        ("mode: other, path: /h", ["match: PathPrefix(`/api`)"], 0),
    ],
)  # fmt: skip
def test_a_probe_reaches_a_router_of_its_uplink(check: str, routes: list[str], count: int) -> None:
    documents = [uplink(check), router(*routes, uplink="apps-api")]
    reported = found("UPL218", *documents)
    assert len(reported) == count
    assert all("/h" not in diagnostic.message for diagnostic in reported)  # a query may be secret


def test_a_router_of_another_uplink_does_not_count() -> None:
    routers = [
        router("match: Path(`/x`)", uplink="apps-api"),
        router("match: Path(`/h`)", uplink="other", name="q"),
    ]
    [diagnostic] = found("UPL218", uplink("path: /h"), *routers)
    assert [each.location.span.line for each in diagnostic.related] == [11]


@pytest.mark.parametrize(
    ("match", "check", "message"),
    [
        ("Host(`eu.example.com`) && Path(`/h`)", "path: /h", None),
        ("Path(`/h`)", "path: /h", None),
        ("Host(`app.example.com`) && Path(`/h`)", "path: /h", "; set its hostname"),
        ("Host(`app.example.com`)", "path: /h, hostname: app.example.com", None),
        ("Host(`app.example.com`) && Path(`/x`)", "path: /h", "; route its path, or change"),
        ("Host(`app.example.com`)", "mode: grpc", "; set its hostname"),
    ],
)
def test_a_probe_has_the_host_of_the_childs_address(
    match: str, check: str, message: str | None
) -> None:
    listed = ParentConfig({"eu": Child("https://EU.example.com:9443")})
    child = cluster(uplink(check), router(f"match: '{match}'", uplink="apps-api"))
    fleet = Fleet(Cluster("parent", parent_config=listed), {"eu": evolve(child, name="eu")})
    reported = [d.message for d in rules.check(fleet) if d.code == "UPL218"]
    assert len(reported) == (message is not None)
    assert all(message is not None and message in each for each in reported)
    assert [d.code for d in rules.check_cluster(child) if d.code == "UPL218"] == (
        ["UPL218"] if message is not None and "route" in message else []
    )
