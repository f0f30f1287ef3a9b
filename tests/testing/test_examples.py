"""`uplinks.testing._examples`: an example laid over the base fleet."""

from __future__ import annotations

import pytest

from uplinks import rules
from uplinks.model import Cluster, Fleet, Uplink
from uplinks.testing import _examples

STATIC = """\
hub:
  uplinkEntryPoints:
    multicluster:
      address: ":9443"
      asDefault: true
  providers:
    multicluster: {}
"""
PARENT = """\
hub:
  providers:
    multicluster:
      children:
        child-1:
          address: https://child-1.example.com:9443
"""


def test_the_rest_of_an_uplink_replaces_the_uplink_of_the_base_fleet() -> None:
    assert _examples.files("UPL103", bad=True) == {
        "parent/traefik.yaml": PARENT,
        "children/child-1/traefik.yaml": STATIC,
        "children/child-1/apps.yaml": (
            "apiVersion: hub.traefik.io/v1alpha1\n"
            "kind: Uplink\n"
            "metadata:\n"
            "  name: api-workload\n"
            "  namespace: apps\n"
            "spec:\n"
            "  weight: -1 # UPL103\n"
        ),
    }


def test_a_part_of_a_router_is_completed_beside_the_uplink_of_the_base_fleet() -> None:
    uplink, router, *others = _examples.files("UPL301", bad=True)[
        "children/child-1/apps.yaml"
    ].split("---\n")

    assert others == []
    assert "name: api-workload\n" in uplink
    assert router == (
        "apiVersion: traefik.io/v1alpha1\n"
        "kind: IngressRoute\n"
        "metadata:\n"
        "  name: api\n"
        "  namespace: apps\n"
        "  annotations:\n"
        '    hub.traefik.io/router.uplinks: "apps-api-workload"\n'
        "spec:\n"
        "  entryPoints: # UPL301\n"
        "    - websecure\n"
        "  routes:\n"
        "    - match: PathPrefix(`/api`)\n"
        "      kind: Rule\n"
        "      services: [{name: api, port: 8080}]\n"
    )


def test_a_comment_places_documents_and_the_parent_lists_all_children() -> None:
    files = _examples.files("UPL403", bad=True)

    assert sorted(files) == [
        "children/child-1/apps.yaml",
        "children/child-1/traefik.yaml",
        "children/child-2/apps.yaml",
        "children/child-2/traefik.yaml",
        "parent/traefik.yaml",
    ]
    assert (
        "child-2: " in files["parent/traefik.yaml"] or "child-2:\n" in files["parent/traefik.yaml"]
    )
    assert not any("# child-" in text for text in files.values())


def test_a_static_configuration_replaces_the_one_of_its_cluster() -> None:
    text = _examples.files("UPL410", bad=True)["children/child-1/traefik.yaml"]

    assert text == "hub: # UPL410\n  providers:\n    multicluster: {}\n"


def test_marks_are_one_for_each_code_at_the_end_of_a_line() -> None:
    texts = {"a.yaml": "a: 1 # UPL101 UPL102\nb: 2 # UPL103 is a comment\nc: 3 # UPL104\n"}

    assert list(_examples.marks(texts)) == [
        ("a.yaml", 1, "UPL101"),
        ("a.yaml", 1, "UPL102"),
        ("a.yaml", 3, "UPL104"),
    ]


def test_fleets_are_joined_under_one_parent() -> None:
    one = _examples.fleet("UPL103", bad=False)
    other = Fleet(Cluster("other"), {"eu": Cluster("eu", uplinks=[Uplink("a", "b")])})

    joined = _examples.beside(other, one)

    assert sorted(joined.children) == ["child-1", "eu"]
    assert joined.parent.name == "other"
    assert joined.parent.parent_config == one.parent.parent_config


@pytest.mark.parametrize("code", _examples.codes())
def test_one_text_of_a_cluster_has_the_mark(code: str) -> None:
    text = _examples.text_of(code)

    assert code in {mark for _, _, mark in _examples.marks({"": text})}
    assert rules.find(code).bad.count(f"# {code}") >= 1
