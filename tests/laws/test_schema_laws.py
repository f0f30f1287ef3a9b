"""The laws of the schema: nothing is lost on the way out and back, little to an error."""

from __future__ import annotations

import copy
from typing import Any

import attrs
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.profiles import scaled

from uplinks.durations import Nanoseconds
from uplinks.located import Document, field_path
from uplinks.model import Header, HealthCheck, PassiveHealthCheck, Uplink
from uplinks.schema import structure, unstructure
from uplinks.testing import strategies

INT64 = st.integers(-(2**63), 2**63 - 1).map(Nanoseconds)
TEXTS = st.text(max_size=4)
STRANGE_UPLINKS = st.builds(
    Uplink,
    name=TEXTS,
    namespace=st.text(min_size=1, max_size=4),
    expose_name=st.none() | TEXTS,
    entry_points=st.lists(TEXTS, max_size=3),
    weight=st.integers(),
    health_check=st.none()
    | st.builds(
        HealthCheck,
        path=st.none() | TEXTS,
        mode=TEXTS,
        status=st.integers(),
        port=st.none() | st.integers(),
        interval=INT64,
        unhealthy_interval=INT64,
        timeout=INT64,
        headers=st.dictionaries(TEXTS, TEXTS, max_size=2).map(
            lambda drawn: tuple(Header(name, text) for name, text in drawn.items())
        ),
    ),
    passive_health_check=st.none()
    | st.builds(PassiveHealthCheck, failure_window=INT64, max_failed_attempts=st.integers()),
    annotations=st.dictionaries(TEXTS, TEXTS, max_size=2),
)
WRONG = st.sampled_from([5, "5", 1.5, True, [], [5], {}, {"a": 1}, [[]], [None]])


def items_of(fleet: Any) -> list[Any]:
    """Give the objects of all clusters of a fleet."""
    return [
        item
        for cluster in fleet.clusters
        for item in (*cluster.uplinks, *cluster.routers, *cluster.traefik_services)
    ]


@given(strategies.resources() | STRANGE_UPLINKS)
def test_what_is_written_is_read_back(resource: Any) -> None:
    manifests = structure([Document(unstructure(resource))])

    assert manifests.resources == (resource,)
    assert [d for d in manifests.diagnostics if d.code != "UPL007"] == []


@given(strategies.resources())
def test_what_no_rule_calls_an_error_has_the_right_shape(resource: Any) -> None:
    assert structure([Document(unstructure(resource))]).diagnostics == ()


@given(strategies.resources())
def test_writing_twice_writes_the_same(resource: Any) -> None:
    written = unstructure(resource)
    (again,) = structure([Document(written)]).resources

    assert unstructure(again) == written


@given(strategies.fleets())
@settings(max_examples=scaled(10))
def test_a_list_is_the_same_as_its_items(fleet: Any) -> None:
    items = items_of(fleet)
    tree = {"apiVersion": "v1", "kind": "List", "items": [unstructure(item) for item in items]}

    assert structure([Document(tree)]).resources == tuple(items)


def places(node: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """List the paths of all nodes of a tree, the root first."""
    inner = (
        node.items()
        if isinstance(node, dict)
        else enumerate(node)
        if isinstance(node, list)
        else ()
    )
    return [path, *(p for step, item in inner for p in places(item, (*path, step)))]


def at(node: Any, path: tuple[Any, ...]) -> Any:
    for step in path:
        node = node[step]
    return node


@given(strategies.resources(), st.data())
def test_every_finding_about_a_broken_document_stands_on_a_place_in_it(
    resource: Any, data: st.DataObject
) -> None:
    tree = copy.deepcopy(unstructure(resource))
    for _ in range(data.draw(st.integers(1, 3))):
        path = data.draw(st.sampled_from(places(tree)))
        if not path:
            continue
        parent = at(tree, path[:-1])
        if data.draw(st.booleans()):
            # A copy: what is changed within it next must not be what others draw.
            parent[path[-1]] = copy.deepcopy(data.draw(WRONG))
        elif isinstance(parent, dict):
            parent[data.draw(st.sampled_from(["weigth", "foo", "rest", "origin"]))] = 1
        else:
            del parent[path[-1]]
    known = {field_path(path) for path in places(tree)}
    before = copy.deepcopy(tree)

    manifests = structure([Document(tree)])

    assert tree == before
    for diagnostic in manifests.diagnostics:
        path_text = diagnostic.location.path
        missing = diagnostic.code == "UPL007"
        above = path_text.rsplit(".", 1)[0]
        assert (above if missing else path_text) in known
    # What is left can be written and read again, without the errors.
    for left in manifests.resources:
        assert structure([Document(unstructure(left))]).resources == (left,)


@given(strategies.uplinks(), st.sampled_from(["weight", "entry_points", "expose_name"]))
def test_one_wrong_field_costs_one_finding_and_one_field(uplink: Uplink, name: str) -> None:
    written = {"weight": "weight", "entry_points": "entryPoints", "expose_name": "exposeName"}
    tree = unstructure(uplink)
    tree["spec"] = {**tree.get("spec", {}), written[name]: {"a": 1}}

    manifests = structure([Document(tree)])

    assert [(d.code, d.location.path) for d in manifests.diagnostics] == [
        ("UPL006", f"$.spec.{written[name]}")
    ]
    default = getattr(Uplink("", ""), name)
    assert manifests.resources == (attrs.evolve(uplink, **{name: default}),)
