"""Laws of the document in which a child advertises its uplinks."""

from __future__ import annotations

import copy
import json
import random
from typing import Any

from attrs import evolve
from hypothesis import example, given
from hypothesis import strategies as st
from jsonschema import Draft7Validator
from tests.laws.test_json_schema_laws import VALUES

from uplinks import rules
from uplinks.advertisements import DocumentReader, read_document, write_document
from uplinks.errors import CannotAdvertise
from uplinks.located import LocatedList, LocatedMap, Origin
from uplinks.manifest.fragments import fragments_of, read_fragment
from uplinks.model import Cluster
from uplinks.schema.advertisements import (
    Item,
    advertisement_schema,
    read_item,
    write_item,
)
from uplinks.services import advertise
from uplinks.testing import strategies

VALIDATOR = Draft7Validator(advertisement_schema())
UPLINKS = strategies.uplinks()
SECRET = "S3cr3tS3cr3t"  # noqa: S105 - must not appear in any output


@st.composite
def children(draw: st.DrawFn) -> Cluster:
    fleet = draw(strategies.fleets(max_children=1))
    return next(iter(fleet.children.values()), Cluster("eu"))


def shuffled(cluster: Cluster, seed: int) -> Cluster:
    order = random.Random(seed)  # noqa: S311 - any order
    uplinks, routers = list(cluster.uplinks), list(cluster.routers)
    order.shuffle(uplinks)
    order.shuffle(routers)
    return evolve(cluster, uplinks=uplinks, routers=routers)


@given(children(), st.integers())
def test_reading_gives_what_was_written(child: Cluster, seed: int) -> None:
    data = write_document(child)
    read = read_document(data, "https://eu", child.name)

    assert read.diagnostics == ()
    assert advertise(read) == advertise(child)
    assert write_document(read) == data == write_document(shuffled(child, seed))
    VALIDATOR.validate(json.loads(data))
    assert not rules.check_cluster(read, role="child").errors


@given(strategies.broken_fleets())
def test_a_document_is_written_exactly_of_a_child_without_errors(drawn: Any) -> None:
    fleet, _ = drawn
    for child in fleet.children.values():
        try:
            data = write_document(child)
        except CannotAdvertise:
            continue
        read = read_document(data, cluster=child.name)
        assert advertise(read) == advertise(child)


# --- any document -----------------------------------------------------------


@st.composite
def spoiled(draw: st.DrawFn) -> bytes:
    """Write a document and change some of its values, or of its bytes."""
    items = [write_item(Item(each, ["apps/r"])) for each in draw(st.lists(UPLINKS, max_size=2))]
    hub = {"uplinkEntryPoints": {"up": {"address": ":9443"}}, "providers": {"multicluster": {}}}
    tree: Any = copy.deepcopy({"version": 1, "hub": hub, "uplinks": items})
    for _ in range(draw(st.integers(0, 3))):
        node = tree
        for _ in range(draw(st.integers(0, 5))):
            keys = list(node) if isinstance(node, dict) else range(len(node))
            inner = [key for key in keys if isinstance(node[key], dict | list) and node[key]]
            if not inner:
                break
            node = node[draw(st.sampled_from(inner))]
        value = draw(VALUES)
        if isinstance(node, list):
            node.append(value)
        else:
            node[draw(st.sampled_from([*node, "extra", "status", "spec"]))] = value
    text = json.dumps(tree, indent=draw(st.sampled_from([None, 1])))
    cut = draw(st.integers(0, len(text)) | st.just(len(text)))
    return text[:cut].encode()


@given(spoiled() | st.binary())
@example(b'{"version": 1, "uplinks": [{"metadata": {"name": "\\ud800"}}]}')
@example(b'{"version": 1, "uplinks": [NaN, Infinity]}')
def test_no_document_raises_and_every_place_lies_within_it(data: bytes) -> None:
    read = read_document(data, "https://eu", "eu")

    lines = data.decode("utf-8", "replace").replace("\r\n", "\n").split("\n")
    for each in rules.check_cluster(read, role="child"):
        line, column, *_ = each.location.span
        assert 1 <= line <= len(lines) + data.count(b"\r")
        assert 1 <= column <= len(data) + 1
        assert each.location.file == "https://eu"


@given(st.lists(spoiled(), min_size=1, max_size=4))
def test_reading_again_is_reading(documents: list[bytes]) -> None:
    reader = DocumentReader("https://eu", "eu")

    for data in documents:
        first, again = read_document(data, "https://eu", "eu"), reader.read(data)
        assert again == first
        for old, new in zip(first.uplinks, again.uplinks, strict=True):
            assert new.origin.locate("spec") == old.origin.locate("spec")


def plain(node: Any) -> Any:
    if isinstance(node, LocatedMap):
        return {key: plain(value) for key, value in node.items()}
    return [plain(each) for each in node] if isinstance(node, LocatedList) else node


@given(spoiled())
def test_both_readings_of_a_fragment_are_equal_where_it_is_exact(data: bytes) -> None:
    read = fragments_of(data, "uplinks", "https://eu")

    for fragment in (*read.fields.values(), *read.items):
        if fragment.exact:
            tree = read_fragment(fragment)
            assert [plain(each.tree()) for each in tree.documents] == [fragment.value]


@given(spoiled())
def test_the_schema_refuses_what_the_reader_refuses(data: bytes) -> None:
    try:
        tree = json.loads(data)
    except ValueError:
        return
    read = read_document(data)
    report = rules.check_cluster(read)
    shape = [d for d in report.errors if d.code.startswith("UPL0") and d.code != "UPL010"]
    if shape:
        assert not VALIDATOR.is_valid(tree)


# --- secrets ----------------------------------------------------------------


@given(strategies.uplinks(), st.sampled_from(["Authorization", "X Y", "", "Host"]), VALUES)
def test_no_header_value_is_shown(uplink: Any, name: str, extra: Any) -> None:
    node = write_item(Item(uplink))
    headers = {name: f"Bearer {SECRET}", "X-Extra": extra}
    node.setdefault("spec", {})["healthCheck"] = {"path": "/", "headers": headers, "status": extra}
    _, problems = read_item(node, Origin())
    read = read_document(json.dumps({"version": 1, "uplinks": [node]}).encode(), "https://eu")

    assert SECRET not in repr(problems)
    assert SECRET not in repr(read)
    assert SECRET not in repr(rules.check_cluster(read))
