from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from uplinks import parsing, rules
from uplinks.diagnostics import Severity
from uplinks.model import (
    ChildConfig,
    Cluster,
    IngressRoute,
    StaticConfig,
    TraefikService,
    Uplink,
    UplinkEntryPoint,
)
from uplinks.parsing import (
    check_manifests,
    join_clusters,
    make_cluster,
    make_fleet,
    parse_manifests,
)
from uplinks.rules import check_cluster
from uplinks.schema import Manifests

UPLINK = """\
apiVersion: hub.traefik.io/v1alpha1
kind: Uplink
metadata:
  name: api-workload
  namespace: apps
spec:
  weight: 10
"""

ROUTE = """\
apiVersion: traefik.io/v1alpha1
kind: IngressRoute
metadata:
  name: api-route
  namespace: apps
  annotations:
    hub.traefik.io/router.uplinks: apps-api-workload
spec:
  routes:
    - match: PathPrefix(`/api`)
      kind: Rule
      services:
        - name: api-service
          port: 8080
"""

SERVICE = """\
apiVersion: traefik.io/v1alpha1
kind: TraefikService
metadata:
  name: api
  namespace: apps
spec:
  weighted:
    services:
      - name: a@multicluster
        kind: TraefikService
"""

CHILD = """\
hub:
  uplinkEntryPoints:
    multicluster:
      address: ":9443"
      asDefault: true
"""

PARENT = """\
hub:
  providers:
    multicluster:
      children:
        eu:
          address: https://eu.example.com:9443
"""

BOTH = CHILD + PARENT.removeprefix("hub:\n")


def test_all_documents_of_a_text_are_read_in_order() -> None:
    read = parse_manifests(f"{UPLINK}---\n{ROUTE}---\n{SERVICE}---\n{CHILD}", source="f.yaml")

    kinds = [type(resource) for resource in read.resources]
    assert kinds == [Uplink, IngressRoute, TraefikService, StaticConfig]
    assert read.diagnostics == ()
    assert read.skipped == 0


def test_places_carry_the_source_and_the_cluster() -> None:
    (uplink,) = parse_manifests(UPLINK, source="f.yaml", cluster="eu").resources

    location = uplink.origin.locate("spec", "weight")

    assert (location.cluster, location.file) == ("eu", "f.yaml")
    assert (location.span.line, location.span.column) == (7, 11)


def test_what_means_nothing_here_is_counted() -> None:
    read = parse_manifests("apiVersion: v1\nkind: ConfigMap\n---\n" + UPLINK)

    assert read.skipped == 1
    assert len(read.resources) == 1


def test_a_bad_document_does_not_hide_a_good_one() -> None:
    text = UPLINK + "---\na: 1\na: 2\nkind: Uplink\nb: *x\n---\n" + ROUTE

    read = parse_manifests(text, source="f.yaml")

    assert [type(r) for r in read.resources] == [Uplink, IngressRoute]
    assert {d.code for d in read.diagnostics} >= {"UPL002", "UPL003"}
    assert all(d.location.file == "f.yaml" for d in read.diagnostics)


@given(st.text() | st.binary())
def test_no_text_makes_it_raise(text: str | bytes) -> None:
    assert isinstance(parse_manifests(text, source="f.yaml"), Manifests)


def test_a_cluster_sorts_what_was_read_by_kind() -> None:
    texts = [parse_manifests(text) for text in (ROUTE, UPLINK, SERVICE, CHILD, UPLINK)]

    cluster = make_cluster("eu", texts)

    assert cluster.name == "eu"
    assert [u.owner for u in cluster.uplinks] == ["apps/api-workload"] * 2  # a rule reports it
    assert [r.name for r in cluster.routers] == ["api-route"]
    assert [s.name for s in cluster.traefik_services] == ["api"]
    assert cluster.child_config is not None
    assert cluster.child_config.default_entry_points == ("multicluster",)
    assert cluster.parent_config is None
    assert cluster.diagnostics == ()


def test_a_cluster_keeps_findings_and_counts() -> None:
    bad = parse_manifests("a: 1\na: 2\n", source="bad.yaml")
    other = parse_manifests("kind: ConfigMap\napiVersion: v1\n")

    cluster = make_cluster("eu", [bad, other, other])

    assert cluster.diagnostics == bad.diagnostics
    assert cluster.skipped == 2 + bad.skipped


def test_the_two_parts_of_a_static_configuration_may_stand_apart() -> None:
    apart = make_cluster("middle", [parse_manifests(CHILD), parse_manifests(PARENT)])
    together = make_cluster("middle", [parse_manifests(BOTH)])

    assert apart.child_config is not None
    assert apart.parent_config is not None
    assert list(apart.parent_config.children) == ["eu"]
    assert apart.child_config.uplink_entry_points == together.child_config.uplink_entry_points  # type: ignore[union-attr]
    assert apart.parent_config == together.parent_config
    assert apart.diagnostics == together.diagnostics == ()


@pytest.mark.parametrize(
    ("text", "what", "line"),
    [(CHILD, "entry point 'multicluster'", 3), (PARENT, "child 'eu'", 5)],
)
def test_parts_that_contradict_each_other_are_a_finding(text: str, what: str, line: int) -> None:
    other = text.replace("9443", "9444")
    texts = [parse_manifests(text, "a.yaml", "x"), parse_manifests("\n" + other, "b.yaml", "x")]

    cluster = make_cluster("x", texts)

    (finding,) = cluster.diagnostics
    assert (finding.code, finding.severity) == ("UPL010", Severity.ERROR)
    assert finding.message == (
        f"{what} is declared twice with different addresses; the first one is used"
    )
    assert finding.location.file == "b.yaml"
    assert finding.location.span.line == line + 1
    assert [str(r.location).partition(":")[2].partition(":")[0] for r in finding.related] == [
        str(line)
    ]
    alone = make_cluster("x", texts[:1])
    assert (cluster.child_config, cluster.parent_config) == (
        alone.child_config,
        alone.parent_config,
    )


@pytest.mark.parametrize("text", [CHILD, PARENT, BOTH])
def test_parts_that_say_the_same_are_joined(text: str) -> None:
    texts = [parse_manifests(text, "a.yaml"), parse_manifests(text, "b.yaml")]

    twice, once = make_cluster("", texts), make_cluster("", texts[:1])

    assert twice == once


def test_parts_of_one_configuration_are_joined_with_their_places() -> None:
    first = "hub: {uplinkEntryPoints: {a: {address: ':1/tcp'}}}"
    second = "\nhub: {uplinkEntryPoints: {a: {asDefault: true, address: ':1'}, b: {}}}"
    third = "\n\nhub: {providers: {multicluster: {pollInterval: 3s}}}"
    texts = [parse_manifests(t, f"{i}.yaml") for i, t in enumerate((first, second, third))]

    config = make_cluster("", texts).child_config

    points = {"a": UplinkEntryPoint(":1/tcp", as_default=True), "b": UplinkEntryPoint()}
    assert config == ChildConfig(points, multicluster=True)
    places = [config.origin.locate("hub", "uplinkEntryPoints", name, key=True) for name in "ab"]
    assert [str(place) for place in places] == ["0.yaml:1:27", "1.yaml:2:64"]
    assert config.origin.value_at("hub", "uplinkEntryPoints", "b") == {}
    assert [part.document.file for part in config.origin.parts] == ["0.yaml", "1.yaml", "2.yaml"]


def test_the_parts_of_a_cluster_are_joined() -> None:
    texts = [parse_manifests(text) for text in (CHILD, UPLINK, PARENT, ROUTE, "a: 1")]

    joined = join_clusters([make_cluster("eu", [text]) for text in texts])

    assert joined == make_cluster("eu", texts)


def test_a_cluster_needs_a_part() -> None:
    with pytest.raises(ValueError, match="a cluster needs a part"):
        join_clusters([])


def test_an_object_without_a_namespace_is_in_the_one_passed_in() -> None:
    text = UPLINK.replace("  namespace: apps\n", "")

    default, given = parse_manifests(text), parse_manifests(text, namespace="shop")

    assert [uplink.owner for uplink in default.resources] == ["default/api-workload"]  # type: ignore[union-attr]
    assert [uplink.owner for uplink in given.resources] == ["shop/api-workload"]  # type: ignore[union-attr]
    assert default.diagnostics == given.diagnostics == ()
    assert check_manifests(text, namespace="A b").errors[0].code == "UPL102"


def test_a_fleet_knows_its_children_by_name() -> None:
    fleet = make_fleet(Cluster("parent"), [Cluster("us"), Cluster("eu")])

    assert fleet.children["eu"] == Cluster("eu")
    assert [cluster.name for cluster in fleet.clusters] == ["parent", "eu", "us"]


def test_two_children_cannot_have_one_name() -> None:
    with pytest.raises(ValueError, match="two children have the name 'eu'"):
        make_fleet(Cluster("parent"), [Cluster("eu"), Cluster("eu")])


@pytest.mark.parametrize("make", [bytes, bytearray, memoryview])
def test_bytes_of_any_kind_are_read(make: Callable[[bytes], bytes]) -> None:
    assert len(parse_manifests(make(UPLINK.encode())).resources) == 1


@pytest.mark.parametrize("text", [None, 5, [UPLINK]])
def test_what_is_no_text_is_a_type_error(text: Any) -> None:
    with pytest.raises(TypeError, match="a manifest must be str or bytes"):
        parse_manifests(text)


@pytest.mark.parametrize("hub", ["5", "null", "[]", "{}", "{providers: 5}"])
def test_a_configuration_of_which_nothing_is_kept_is_counted(hub: str) -> None:
    cluster = make_cluster("", [parse_manifests(f"hub: {hub}\n")])

    assert (cluster.child_config, cluster.parent_config, cluster.skipped) == (None, None, 1)


def test_an_empty_expose_name_is_reported() -> None:
    cluster = make_cluster("", [parse_manifests(UPLINK + "  exposeName: ''\n")])

    assert "UPL106" in {finding.code for finding in check_cluster(cluster)}


# --- texts made to be slow --------------------------------------------------

HEAD = UPLINK.partition("spec:")[0]


def many_unknown_fields(count: int) -> str:
    return f"{HEAD}spec:\n" + "".join(f"  field{i}: 1\n" for i in range(count))


def many_strange_objects(count: int) -> str:
    return "".join("---\napiVersion: traefik.io/v9\nkind: Uplink\n" for _ in range(count))


@pytest.mark.parametrize(
    ("write", "code"), [(many_unknown_fields, "UPL005"), (many_strange_objects, "UPL008")]
)
def test_findings_about_one_text_are_bounded(write: Callable[[int], str], code: str) -> None:
    most = parsing.MOST_FINDINGS
    # In a short text fewer are enough.
    long = "#" + "x" * 200 * most + "\n"

    exact = parse_manifests(long + write(most)).diagnostics
    over = parse_manifests(long + write(most + 1) + f"---\n{HEAD}")

    assert [d.code for d in exact] == [code] * most
    assert [d.code for d in over.diagnostics] == [code] * most + ["UPL004"]
    assert over.diagnostics[-1].location.span > over.diagnostics[-2].location.span
    # What stands behind that place is not read.
    assert len(over.resources) == (1 if code == "UPL005" else 0)


def test_a_short_text_has_fewer_findings() -> None:
    text = many_unknown_fields(3000)

    found = parse_manifests(text).diagnostics

    assert [d.code for d in found] == ["UPL005"] * (1000 + len(text) // 200) + ["UPL004"]


@pytest.mark.parametrize(
    ("write", "code", "path"),
    [
        (
            lambda n: f"{HEAD}spec: {{entryPoints: [{'1,' * n}]}}",
            "UPL006",
            "$.spec.entryPoints",
        ),
        (
            lambda n: (
                "hub: {providers: {multicluster: {children: {"
                + "".join(f"c{i}: {{}}," for i in range(n))
                + "}}}}"
            ),
            "UPL007",
            "$.hub.providers.multicluster.children",
        ),
    ],
)
def test_of_very_many_wrong_items_the_first_are_reported(
    write: Callable[[int], str], code: str, path: str
) -> None:
    exact, over = (parse_manifests(write(n).ljust(10**6)).diagnostics for n in (1000, 1002))

    assert [d.code for d in exact] == [code] * 1000
    assert [d.code for d in over] == [code] * 1000 + ["UPL004"]
    assert over[-1].location.path == path
    assert over[-1].message == (
        f"{path[2:]} has more than 1000 invalid items; the others were not checked"
    )


def test_of_very_many_near_misses_the_first_are_reported() -> None:
    def write(n: int) -> str:
        children = "".join(f"c{i}: {{address: 'https://c{i}', adress: a}}," for i in range(n))
        return f"hub: {{providers: {{multicluster: {{children: {{{children}}}}}}}}}".ljust(10**6)

    exact, over = (parse_manifests(write(n)).diagnostics for n in (1000, 1002))

    assert [d.code for d in exact] == ["UPL005"] * 1000
    assert [d.code for d in over] == ["UPL005"] * 1000 + ["UPL004"]
    assert over[-1].location.path == "$.hub.providers.multicluster.children.c1000.adress"


@pytest.mark.parametrize(
    ("write", "what"),
    [
        (lambda n: "[" + "1," * (n - 1) + "]", "keys and values"),
        (lambda n: "--- 1\n" * n, "documents"),
    ],
)
def test_no_text_is_as_dense_as_that(write: Callable[[int], str], what: str) -> None:
    free, each = {"keys and values": (25_000, 6), "documents": (1000, 64)}[what]
    size = 10**6
    most = free + size // each

    sound, dense = (
        parse_manifests(write(n) + "#" + "x" * (size - len(write(n)) - 1)).diagnostics
        for n in (most, most + 1)
    )

    assert sound == ()
    assert [d.message for d in dense] == [
        f"more than {most} {what}; the rest of the text was not read"
    ]


def test_of_a_rule_with_very_many_findings_the_first_are_kept() -> None:
    most = rules.MOST_OF_A_RULE
    names = [f"a{i}" for i in range(most + 2)]
    found = [
        check_cluster(Cluster("", [Uplink(name, "apps", weight=0) for name in names[:n]]))
        for n in (most, most + 2)
    ]

    assert [(d.code, d.severity.value) for d in found[0]] == [("UPL104", "warning")] * most
    assert sorted(d.message for d in found[1] if d.code == "UPL004") == [
        f"UPL104 is reported more than {most} times; the others are left out"
    ]
    assert (len(found[1]), found[1].ok) == (most + 1, True)


def test_a_mistyped_field_is_not_missing_as_well() -> None:
    text = "hub: {providers: {multicluster: {children: {eu: {adress: https://eu}, us: {}}}}}"

    found = parse_manifests(text).diagnostics

    assert [(d.code, d.location.path) for d in found] == [
        ("UPL007", "$.hub.providers.multicluster.children.us.address"),
        ("UPL005", "$.hub.providers.multicluster.children.eu.adress"),
    ]


@pytest.mark.parametrize(
    ("metadata", "codes"),
    [
        ("5", ["UPL006"]),
        ("{name: 5, namespace: apps}", ["UPL006"]),
        ("{name: api, namespace: [a]}", ["UPL006"]),
        ("{name: '', namespace: 1.5}", ["NAME", "UPL006"]),
        ("{}", ["NAME"]),
    ],
)
@pytest.mark.parametrize(
    ("head", "name"),
    [
        ("apiVersion: hub.traefik.io/v1alpha1\nkind: Uplink", "UPL101"),
        ("apiVersion: traefik.io/v1alpha1\nkind: IngressRoute", "UPL315"),
    ],
)
def test_an_identity_of_the_wrong_type_is_not_missing_as_well(
    metadata: str, codes: list[str], head: str, name: str
) -> None:
    spec = "{}" if head.endswith("Uplink") else "{routes: [{match: Path(`/`)}]}"
    found = check_manifests(f"{head}\nmetadata: {metadata}\nspec: {spec}\n")

    assert [d.code for d in found] == [{"NAME": name}.get(code, code) for code in codes]
