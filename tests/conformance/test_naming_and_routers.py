"""The page's sections "Uplink Naming" and "Referencing Uplinks from Routers"."""

from __future__ import annotations

from pathlib import Path

import pytest

from uplinks import (
    Advertisement,
    Cluster,
    IngressRoute,
    ParentConfig,
    Uplink,
    advertise,
    child_service_name,
    materialize,
    parse_manifests,
    parse_uplinks_annotation,
    uplink_name,
    weighted_service_name,
)
from uplinks.adapters.files import load_cluster
from uplinks.model import Child, ChildConfig, UplinkEntryPoint
from uplinks.rules import check_cluster

SNIPPETS = Path(__file__).parents[2] / "examples" / "snippets"

CHILD = ChildConfig({"multicluster": UplinkEntryPoint(":9443", as_default=True)})


def route(name: str) -> IngressRoute:
    (read,) = parse_manifests((SNIPPETS / name).read_text("utf-8")).resources
    assert isinstance(read, IngressRoute)
    return read


def test_a_name_is_the_namespace_and_the_name() -> None:
    assert uplink_name("apps", "api-workload") == "apps-api-workload"


def test_an_expose_name_overrides_it() -> None:
    assert uplink_name("apps", "api-workload", "api-workload-eu") == "api-workload-eu"


def test_the_services_of_the_pages_example() -> None:
    config = ParentConfig({"child-1": Child("https://child1.example.com:9443")})
    offer = Advertisement("apps-api-workload", "apps/api-workload", ["multicluster"])

    services = materialize(config, {"child-1": [offer]})

    assert set(services) == {
        "apps-api-workload@multicluster",
        "apps-api-workload-child-1@multicluster",
    }
    assert weighted_service_name("apps-api-workload") == "apps-api-workload@multicluster"
    assert (
        child_service_name("apps-api-workload", "child-1")
        == "apps-api-workload-child-1@multicluster"
    )


def test_an_annotation_is_a_list_with_commas() -> None:
    two = "apps-primary-uplink,apps-secondary-uplink"

    assert parse_uplinks_annotation(two) == ("apps-primary-uplink", "apps-secondary-uplink")
    assert route("route-two-uplinks.yaml").uplinks == parse_uplinks_annotation(two)


def test_a_router_is_advertised_through_each_uplink_that_it_names() -> None:
    uplinks = [Uplink("primary-uplink", "apps"), Uplink("secondary-uplink", "apps")]
    routers = [route("route-two-uplinks.yaml")]

    offers = advertise(Cluster("eu", uplinks=uplinks, routers=routers, child_config=CHILD))

    assert [(offer.uplink_name, offer.routers) for offer in offers] == [
        ("apps-primary-uplink", ("apps/api-route",)),
        ("apps-secondary-uplink", ("apps/api-route",)),
    ]


@pytest.mark.parametrize(
    ("file", "found"),
    [
        ("route-invalid-entrypoints.yaml", ("UPL301", 10, 3)),
        ("route-invalid-tls.yaml", ("UPL302", 16, 3)),
    ],
)
def test_the_incorrect_configurations_are_errors(file: str, found: tuple[str, int, int]) -> None:
    report = check_cluster(load_cluster("", [SNIPPETS / file]))

    assert [(d.code, d.location.span.line, d.location.span.column) for d in report.errors] == [
        found
    ]


def test_a_router_without_the_annotation_may_have_both() -> None:
    plain = IngressRoute("r", "apps", entry_points=("websecure",), tls={})

    assert check_cluster(Cluster("", routers=[plain])).ok
