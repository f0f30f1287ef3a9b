"""The document in which a child advertises its uplinks."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

import pytest
from jsonschema import Draft7Validator

from uplinks import rules
from uplinks.advertisements import (
    DocumentLimits,
    DocumentReader,
    read_document,
    write_document,
)
from uplinks.diagnostics import Diagnostic
from uplinks.errors import CannotAdvertise
from uplinks.model import (
    UPLINKS_ANNOTATION,
    ChildConfig,
    Cluster,
    HealthCheck,
    IngressRoute,
    PassiveHealthCheck,
    Route,
    Uplink,
    UplinkEntryPoint,
)
from uplinks.schema.advertisements import advertisement_schema
from uplinks.services import advertise

FILE = "https://eu"
UP = {"name": "api", "namespace": "apps"}
CONFIG = ChildConfig(
    {"up": UplinkEntryPoint(":9443", as_default=True, rest={"http": {"tls": {}}})},
    multicluster=True,
)
CHECK = HealthCheck(path="/health", interval="10s", headers={"Authorization": "Bearer S3cr3t"})
CHILD = Cluster(
    "eu",
    uplinks=[
        Uplink("web", "apps", expose_name="web", entry_points=["up"], weight=0),
        Uplink("api", "apps", weight=10, health_check=CHECK, annotations={"note": "internal"}),
        Uplink("jobs", "apps", passive_health_check=PassiveHealthCheck(max_failed_attempts=3)),
    ],
    routers=[
        IngressRoute(
            "both",
            "apps",
            [Route("PathPrefix(`/secret-path`)")],
            annotations={UPLINKS_ANNOTATION: "web, apps-api"},
        ),
        IngressRoute("jobs", "apps", annotations={UPLINKS_ANNOTATION: "apps-jobs"}),
    ],
    child_config=CONFIG,
)
DOCUMENT = """\
{"version":1,"hub":{"uplinkEntryPoints":{"up":{"address":":9443","asDefault":true}},\
"providers":{"multicluster":{}}},"uplinks":[
{"metadata":{"name":"api","namespace":"apps"},"spec":{"entryPoints":["up"],"weight":10,\
"healthCheck":{"path":"/health","interval":"10s","headers":{"Authorization":"Bearer S3cr3t"}}},\
"status":{"routers":["apps/both"]}},
{"metadata":{"name":"jobs","namespace":"apps"},"spec":{"entryPoints":["up"],\
"passiveHealthCheck":{"maxFailedAttempts":3}},"status":{"routers":["apps/jobs"]}},
{"metadata":{"name":"web","namespace":"apps"},"spec":{"exposeName":"web","entryPoints":["up"],\
"weight":0},"status":{"routers":["apps/both"]}}
]}
"""


def text(*items: Any, **fields: Any) -> bytes:
    """Write a document with one item on a line."""
    lines = ",\n".join(json.dumps(item) for item in items)
    head = json.dumps({"version": 1, **fields})[:-1]
    return f'{head}, "uplinks": [\n{lines}\n]}}'.encode()


def found(data: bytes, limits: DocumentLimits | None = None) -> list[tuple[str, str, str]]:
    cluster = read_document(data, FILE, "eu", limits)
    for each in cluster.diagnostics:
        assert (each.location.cluster, each.location.file) == ("eu", FILE)
    return [
        (each.code, str(each.location).removeprefix(f"{FILE}:"), each.location.path)
        for each in cluster.diagnostics
    ]


def quoted(data: bytes, diagnostics: Iterable[Diagnostic]) -> list[tuple[str, str, str]]:
    """Give the text at the place of each diagnostic."""
    lines = data.decode().split("\n")
    found = []
    for each in diagnostics:
        line, column, end_line, end_column = each.location.span
        assert line == end_line
        found.append((each.code, lines[line - 1][column - 1 : end_column - 1], each.location.path))
    return found


# --- writing ----------------------------------------------------------------


def test_the_document_has_the_uplinks_and_their_entry_points_and_nothing_else() -> None:
    assert write_document(CHILD).decode() == DOCUMENT


def test_the_document_is_read_back_with_the_same_advertisements() -> None:
    read = read_document(DOCUMENT.encode(), FILE, "eu")

    assert read.diagnostics == ()
    assert advertise(read) == advertise(CHILD)
    # UPL218, about the matches of routes, stays with the child: its parent cannot see them.
    assert {each.code for each in rules.check_cluster(CHILD, role="child")} == {"UPL104", "UPL218"}
    assert {each.code for each in rules.check_cluster(read, role="child")} == {"UPL104"}
    assert write_document(read).decode() == DOCUMENT


def test_the_document_matches_its_schema() -> None:
    Draft7Validator.check_schema(advertisement_schema())
    Draft7Validator(advertisement_schema()).validate(json.loads(DOCUMENT))


def test_a_child_with_errors_has_no_document() -> None:
    with pytest.raises(CannotAdvertise):
        write_document(Cluster("eu", [Uplink("api", "apps", weight=-1)], child_config=CONFIG))


def test_a_child_without_uplinks_has_an_empty_document() -> None:
    data = write_document(Cluster("eu"))

    assert json.loads(data) == {
        "version": 1,
        "hub": {"uplinkEntryPoints": {}, "providers": {"multicluster": {}}},
        "uplinks": [],
    }
    assert read_document(data) == Cluster("", child_config=ChildConfig(multicluster=True))


# --- reading ----------------------------------------------------------------


def test_places_are_those_of_the_document() -> None:
    data = text(
        {"metadata": UP, "spec": {"entryPoints": ["up"], "weight": -1}},
        {"metadata": {**UP, "name": "web"}, "spec": {"entryPoints": ["donw"]}},
        hub={"uplinkEntryPoints": {"up": {"address": ":9443"}, "down": {"address": ":9444"}}},
    )
    read = read_document(data, FILE, "eu")

    assert read.diagnostics == ()
    report = rules.check_cluster(read, role="child")
    assert quoted(data, report) == [
        ("UPL103", "-1", "$.uplinks[0].spec.weight"),
        ("UPL108", '"donw"', "$.uplinks[1].spec.entryPoints[0]"),
    ]
    assert [str(each.location) for each in report] == ["https://eu:2:94", "https://eu:3:77"]
    assert [d.suggestion for d in report] == [None, "down"]


def test_everything_wrong_is_reported_at_its_place() -> None:
    data = text(
        {"metadata": UP, "spec": {"wieght": 5, "weight": "5"}},
        5,
        {"metadata": UP, "spec": {"healthCheck": {"interval": "1d"}}},
        {"metadata": UP, "status": {"routers": ["apps/r", "../r", 5]}},
        {"metadata": UP, "status": {"routers": "apps/r"}},
        {"metadata": UP, "status": []},
        hub={"uplinkEntryPoints": {"up": {"asDefault": "yes"}}},
        extra=True,
    )

    assert quoted(data, read_document(data, FILE, "eu").diagnostics) == [
        ("UPL005", '"extra"', "$.extra"),
        ("UPL006", '"yes"', "$.hub.uplinkEntryPoints.up.asDefault"),
        ("UPL006", '"5"', "$.uplinks[0].spec.weight"),
        ("UPL005", '"wieght"', "$.uplinks[0].spec.wieght"),
        ("UPL006", "5", "$.uplinks[1]"),
        ("UPL201", '"1d"', "$.uplinks[2].spec.healthCheck.interval"),
        ("UPL006", '"../r"', "$.uplinks[3].status.routers[1]"),
        ("UPL006", "5", "$.uplinks[3].status.routers[2]"),
        ("UPL006", '"apps/r"', "$.uplinks[4].status.routers"),
        ("UPL006", "[]", "$.uplinks[5].status"),
    ]


def test_an_unknown_field_is_ignored_with_a_warning() -> None:
    item = {"metadata": UP, "spec": {"weight": 5, "brandNew": {"a": [1]}}, "brandNew": 1}
    read = read_document(text(item), FILE, "eu")

    assert [(d.code, d.severity.value) for d in read.diagnostics] == [("UPL005", "warning")] * 2
    assert [uplink.weight for uplink in read.uplinks] == [5]


@pytest.mark.parametrize(
    ("version", "got"),
    [("2", "the integer 2"), ('"1"', "the string '1'"), ("true", "the boolean true")],
)
def test_another_version_is_refused_as_a_whole(version: str, got: str) -> None:
    data = f'{{"version": {version}, "uplinks": [{{"metadata": {json.dumps(UP)}}}]}}'
    read = read_document(data.encode(), FILE)

    message = (
        f"version must be 1, got {got}; update this parent, or the child, to a release with the "
        "same version"
    )
    assert [str(d) for d in read.diagnostics] == [f"{FILE}:1:13: error UPL015: {message}"]
    assert read.uplinks == ()


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (b"", [("UPL001", "1:1", "$")]),
        (b"null", [("UPL001", "1:1", "$")]),
        (b"[]", [("UPL001", "1:1", "$")]),
        (b"{}", [("UPL007", "1:1", "$.version")]),
        (b'{"version": null}', [("UPL007", "1:13", "$.version")]),
        (b"version: 1", [("UPL001", "1:1", "$")]),
        (b'{"version": 1,}', [("UPL001", "1:15", "$")]),
        (b'{"version": 1', [("UPL001", "1:14", "$")]),
        (b'{"version": 1} {}', [("UPL001", "1:16", "$")]),
        (b'{"version": 1, "uplinks": [{"a": }]}', [("UPL001", "1:34", "$")]),
        (b'{"version": 1, "uplinks": [\n{}\n{}]}', [("UPL001", "3:1", "$")]),
        (b'{"version": 1, "uplinks": [{"a": "\xff"}]}', [("UPL001", "1:35", "$")]),
        (b'{"version": 1, "uplinks": [{"a": "\n"}]}', [("UPL001", "1:35", "$")]),
        (b'{"version": 1, "version": 1}', [("UPL002", "1:16", "$")]),
        (b'{"version": 1, "uplinks": {}}', [("UPL006", "1:27", "$.uplinks")]),
        (b'{"version": 1, "hub": []}', [("UPL006", "1:23", "$.hub")]),
        (b'{"version": 1, "uplinks": null}', []),
        (b'{"version": 1, "uplinks": []}', []),
        (b'{"version": 1, "hub": null}', []),
    ],
)
def test_text_that_is_no_document(data: bytes, expected: list[tuple[str, str, str]]) -> None:
    assert found(data) == expected


def test_a_duplicate_key_of_an_item_is_an_error_with_both_places() -> None:
    data = b'{"version": 1, "uplinks": [\n{"metadata": {}, "spec": {"weight": 1, "weight": 2}}]}'
    read = read_document(data, FILE)

    [duplicate] = read.diagnostics
    assert str(duplicate).startswith("https://eu:2:40: error UPL002: ")
    assert [str(each.location) for each in duplicate.related] == ["https://eu:2:27"]
    assert [uplink.weight for uplink in read.uplinks] == [1]


@pytest.mark.parametrize("weight", ["1e1", "10.0"])
def test_a_number_means_what_it_means_in_a_manifest(weight: str) -> None:
    data = f'{{"version": 1, "uplinks": [{{"metadata": {{}}, "spec": {{"weight": {weight}}}}}]}}'
    read = read_document(data.encode())

    assert (read.diagnostics, [uplink.weight for uplink in read.uplinks]) == ((), [10])


# --- limits -----------------------------------------------------------------


def test_the_limits_are_exact() -> None:
    item = {"metadata": UP}
    data = text(item, item)

    assert found(data, DocumentLimits(size=len(data))) == []
    assert found(data, DocumentLimits(size=len(data) - 1)) == [("UPL004", "1:1", "$")]
    assert found(data, DocumentLimits(uplinks=2)) == []
    assert found(data, DocumentLimits(uplinks=1)) == [("UPL004", "3:1", "$")]


def test_a_document_over_a_limit_has_no_uplinks() -> None:
    read = read_document(text({"metadata": UP}, {"metadata": UP}), limits=DocumentLimits(uplinks=1))

    assert read.uplinks == ()


@pytest.mark.parametrize("depth", [101, 1_000, 100_000])
@pytest.mark.parametrize(("open_", "close"), ["[]", ('{"a":', "}")])
def test_deep_nesting_is_an_error(depth: int, open_: str, close: str) -> None:
    deep = open_ * depth + "1" + close * depth
    item = f'{{"metadata": {{}}, "extra": {deep}}}'

    for data in (
        f'{{"version": 1, "uplinks": [{item}]}}',
        f'{{"version": 1, "hub": {{"uplinkEntryPoints": {{"up": {deep}}}}}}}',
        f'{{"version": 1, "hub": {{"uplinkEntryPoints": {{"up": {{"rest": {deep}}}}}}}}}',
    ):
        assert [code for code, *_ in found(data.encode())] == ["UPL004"]


def test_a_huge_number_is_an_error_and_costs_nothing() -> None:
    digits = "9" * 1_000_000
    data = f'{{"version": 1, "uplinks": [{{"metadata": {{}}, "spec": {{"weight": {digits}}}}}]}}'

    assert [code for code, *_ in found(data.encode())] == ["UPL006"]


def test_errors_beyond_the_limit_end_the_reading() -> None:
    data = text(*[{"metadata": UP, "spec": {"weight": "5"}}] * 4)

    assert [(code, place) for code, place, _ in found(data, DocumentLimits(findings=2))] == [
        ("UPL006", "2:71"),
        ("UPL006", "3:71"),
        ("UPL004", "4:71"),
    ]


def test_warnings_beyond_the_limit_are_left_out_and_nothing_else() -> None:
    data = text(*[{"metadata": UP, "brandNew": 1}] * 4)
    read = read_document(data, FILE, limits=DocumentLimits(findings=2))

    assert [str(each) for each in read.diagnostics[2:]] == [
        f"{FILE}:1:1: warning UPL004: the document has 2 more diagnostics; they are left out"
    ]
    assert len(read.uplinks) == 4


def test_an_item_with_too_many_routers_is_an_error() -> None:
    routers = [f"apps/r{index}" for index in range(1001)]

    assert found(text({"metadata": UP, "status": {"routers": routers[:-1]}})) == []
    [(code, _, path)] = found(text({"metadata": UP, "status": {"routers": routers}}))
    assert (code, path) == ("UPL004", "$.uplinks[0].status.routers")


def test_different_routers_are_limited_over_the_whole_document() -> None:
    data = text(*({"metadata": UP, "status": {"routers": [f"apps/{r}", "apps/r"]}} for r in "ab"))

    assert found(data, DocumentLimits(routers=3)) == []
    assert found(data, DocumentLimits(routers=2)) == [("UPL004", "1:1", "$")]


@pytest.mark.parametrize("odd", [10**60, float("nan")])
def test_items_that_need_a_second_reading_are_limited(odd: Any) -> None:
    data = text(*[{"metadata": UP, "brandNew": odd}] * 4)

    codes = [code for code, *_ in found(data, DocumentLimits(places=3))]
    assert codes == ["UPL005", "UPL005", "UPL005", "UPL004"]
    assert "UPL004" not in [code for code, *_ in found(data, DocumentLimits(places=4))]


def test_a_pair_of_surrogates_needs_no_second_reading() -> None:
    check = {"path": "/", "headers": {"X-Note": "\U0001f600"}}
    data = text(*[{"metadata": UP, "spec": {"healthCheck": check}}] * 4)

    assert b"\\ud83d\\ude00" in data
    assert found(data, DocumentLimits(places=0)) == []
    header = read_document(data).uplinks[0].health_check
    assert header is not None
    assert header.headers[0].value == "\U0001f600"


# --- reading again ----------------------------------------------------------


def test_reading_again_gives_what_reading_for_the_first_time_gives() -> None:
    a, b = ({"metadata": {**UP, "name": name}, "spec": {"weight": 1}} for name in "ab")
    bad = {"metadata": UP, "spec": {"weight": "1"}}
    odd = {"metadata": UP, "brandNew": 1}
    reader = DocumentReader(FILE, "eu")

    for items in ([a, b], [b, a], [a, bad, odd], [odd, bad], [a], [], [a, a, b]):
        first, again = read_document(text(*items), FILE, "eu"), reader.read(text(*items))

        assert again == first
        for old, new in zip(first.uplinks, again.uplinks, strict=True):
            assert new.origin.locate("spec", "weight") == old.origin.locate("spec", "weight")


def test_what_did_not_change_is_not_read_again() -> None:
    reader = DocumentReader()
    before = reader.read(text(*({"metadata": {**UP, "name": name}} for name in "ab")))
    after = reader.read(text(*({"metadata": {**UP, "name": name}} for name in "ac")))

    assert after.uplinks[0] is before.uplinks[0]
    assert after.uplinks[1] == Uplink("c", "apps")


# --- secrets ----------------------------------------------------------------


def test_no_header_value_is_in_a_repr_or_a_diagnostic() -> None:
    bad = json.loads(DOCUMENT)
    bad["uplinks"][0]["spec"]["healthCheck"]["headers"] |= {"X-Key": ["S3cr3t"], "S3cr3t x": None}
    bad["S3cr3t x"] = 1
    for data in (DOCUMENT.encode(), json.dumps(bad).encode(), DOCUMENT.encode()[:250]):
        read = read_document(data, FILE)
        assert "S3cr3t" not in repr(read)
        assert "S3cr3t" not in repr([uplink.origin for uplink in read.uplinks])
        assert "S3cr3t" not in repr(rules.check_cluster(read))
