"""The page's table "Configuration Options", row by row, and its basic examples."""

from __future__ import annotations

from pathlib import Path

import pytest

from uplinks import Cluster, Uplink, advertise, parse_manifests
from uplinks.errors import CannotAdvertise
from uplinks.model import ChildConfig, UplinkEntryPoint
from uplinks.rules import check_cluster

SNIPPETS = Path(__file__).parents[2] / "examples" / "snippets"
HEAD = "apiVersion: hub.traefik.io/v1alpha1\nkind: Uplink\nmetadata: "

TWO_DEFAULTS = ChildConfig(
    {
        "one": UplinkEntryPoint(":9443", as_default=True),
        "two": UplinkEntryPoint(":9444"),
        "three": UplinkEntryPoint(":9445", as_default=True),
    }
)


def read(text: str) -> Uplink:
    manifests = parse_manifests(text)
    assert [str(d) for d in manifests.diagnostics] == []
    (uplink,) = manifests.resources
    assert isinstance(uplink, Uplink)
    return uplink


def findings(text: str) -> set[str]:
    manifests = parse_manifests(text)
    uplinks = [r for r in manifests.resources if isinstance(r, Uplink)]
    cluster = Cluster("", uplinks=uplinks, diagnostics=manifests.diagnostics)
    return {d.code for d in check_cluster(cluster).errors}


def snippet(name: str) -> Uplink:
    return read((SNIPPETS / name).read_text("utf-8"))


def test_the_basic_example() -> None:
    assert snippet("uplink-basic.yaml") == Uplink("api-workload", "apps", weight=10)


def test_the_example_with_entry_points() -> None:
    uplink = snippet("uplink-entrypoints.yaml")

    assert uplink == Uplink("api-workload", "apps", entry_points=["multicluster"], weight=5)


def test_kind_must_be_uplink() -> None:
    assert parse_manifests("apiVersion: hub.traefik.io/v1alpha1\nkind: Uplonk\n").resources == ()


def test_a_name_is_required() -> None:
    assert findings(HEAD + "{namespace: apps}\n") != set()
    assert findings(HEAD + "{name: api, namespace: apps}\n") == set()


def test_a_namespace_is_that_of_the_manifest_else_the_one_it_is_applied_to() -> None:
    assert findings(HEAD + "{name: api}\n") == set()
    assert read(HEAD + "{name: api}\n").uplink_name == "default-api"


def test_an_expose_name_is_optional_and_replaces_the_name() -> None:
    head = HEAD + "{name: api, namespace: apps}\n"

    assert read(head).uplink_name == "apps-api"
    assert read(head + "spec: {exposeName: public-api}\n").uplink_name == "public-api"


def test_entry_points_are_none_by_default_and_then_the_childs_defaults() -> None:
    uplink = read(HEAD + "{name: api, namespace: apps}\n")
    child = Cluster("eu", uplinks=[uplink], child_config=TWO_DEFAULTS)

    assert uplink.entry_points == ()
    assert advertise(child)[0].entry_points == ("one", "three")


def test_entry_points_that_are_named_replace_the_defaults() -> None:
    uplink = read(HEAD + "{name: api, namespace: apps}\nspec: {entryPoints: [two]}\n")
    child = Cluster("eu", uplinks=[uplink], child_config=TWO_DEFAULTS)

    assert advertise(child)[0].entry_points == ("two",)


def test_without_a_default_entry_point_all_are_defaults() -> None:
    config = ChildConfig({"two": UplinkEntryPoint(":9444")})

    (offer,) = advertise(Cluster("eu", uplinks=[Uplink("api", "apps")], child_config=config))

    assert offer.entry_points == ("two",)


def test_without_an_entry_point_nothing_is_advertised() -> None:
    with pytest.raises(CannotAdvertise):
        advertise(Cluster("eu", uplinks=[Uplink("api", "apps")], child_config=ChildConfig()))


def test_a_weight_is_1_by_default() -> None:
    assert read(HEAD + "{name: api, namespace: apps}\n").weight == 1


@pytest.mark.parametrize(("weight", "valid"), [(-1, False), (0, True), (1, True), (90, True)])
def test_a_weight_is_at_least_0(weight: int, *, valid: bool) -> None:
    text = HEAD + f"{{name: api, namespace: apps}}\nspec: {{weight: {weight}}}\n"

    assert (findings(text) == set()) is valid


def test_there_is_no_health_check_by_default() -> None:
    assert read(HEAD + "{name: api, namespace: apps}\n").health_check is None
