"""The model: what a value accepts, and what its repr may show."""

from __future__ import annotations

from typing import Any

import pytest

from uplinks.model import (
    Child,
    ChildConfig,
    ChildService,
    Cluster,
    Fleet,
    Header,
    HealthCheck,
    IngressRoute,
    ParentConfig,
    PassiveHealthCheck,
    Route,
    ServersTransport,
    TraefikService,
    Uplink,
    UplinkEntryPoint,
)

SECRET = "s3cr3t"  # noqa: S105 - the one that must not be shown


@pytest.mark.parametrize(
    "headers",
    [
        {"Authorization": SECRET},
        [("Authorization", SECRET)],
        [["Authorization", SECRET]],
        [Header("Authorization", SECRET)],
    ],
)
def test_headers_are_a_mapping_or_pairs(headers: Any) -> None:
    check = HealthCheck(headers=headers)

    assert check.headers == (Header("Authorization", SECRET),)
    assert SECRET not in repr(check)


IN_BRACKETS = "a list is required, got a string: put it in brackets"


@pytest.mark.parametrize(
    ("cls", "fields", "message"),
    [
        (HealthCheck, {"status": "200"}, "status must be an integer, got '200'"),
        (HealthCheck, {"port": 80.0}, "port must be an integer, got 80.0"),
        (
            PassiveHealthCheck,
            {"max_failed_attempts": "3"},
            "max_failed_attempts must be an integer, got '3'",
        ),
        (Uplink, {"name": "api", "namespace": "apps", "entry_points": "web"}, IN_BRACKETS),
        (ServersTransport, {"root_cas": "/tls/ca.pem"}, IN_BRACKETS),
    ],
)
def test_values_of_other_types_are_refused(cls: Any, fields: Any, message: str) -> None:
    with pytest.raises(TypeError, match=f"^{message}$"):
        cls(**fields)


@pytest.mark.parametrize(
    "headers",
    [
        SECRET,
        SECRET.encode(),
        [SECRET],
        [("Authorization",)],
        [("A", SECRET, "B")],
        [("A", 5)],
        {"A": 5},
        5,
    ],
)
def test_other_headers_are_refused_and_not_shown(headers: Any) -> None:
    with pytest.raises(TypeError) as caught:
        HealthCheck(headers=headers)

    assert SECRET not in str(caught.value)


def test_no_repr_shows_a_password_in_an_address() -> None:
    address = f"https://me:{SECRET}@eu"

    assert repr(Child(address)) == "Child(address='https://***@eu')"
    assert SECRET not in repr(ChildService("api-eu@multicluster", "api", "eu", address))
    assert Child(address).address == address
    assert repr(Child(5)) == "Child(address=5)"  # type: ignore[arg-type] # bad, but shown


def listing(**addresses: str) -> ParentConfig:
    return ParentConfig({name: Child(address) for name, address in addresses.items()})


POINTS = ChildConfig({"a": UplinkEntryPoint(":9443"), "b": UplinkEntryPoint(":9444/tcp")})
ON_A, ON_B, ON_ALL = (
    Uplink(name, "apps", entry_points=list(names))
    for name, names in (("x", "a"), ("y", "b"), ("z", ""))
)


@pytest.mark.parametrize(
    ("addresses", "offered"),
    [
        (("https://eu:9443", "https://eu:9444"), ("xz", "yz")),
        (("https://EU.:9443/", "https://eu:9444"), ("xz", "yz")),
        # One address says nothing of the entry points, and so does a port of none of them.
        (("https://eu:9443", "https://us:9444"), ("xyz", "xyz")),
        (("https://eu:9443", "http://eu:9444"), ("xyz", "xyz")),
        (("https://eu", "https://eu:9444"), ("xyz", "yz")),
        (("https://eu:9443", "nonsense"), ("xyz", "xyz")),
    ],
)
def test_a_cluster_listed_by_its_ports_offers_what_is_on_each(
    addresses: tuple[str, str], offered: tuple[str, str]
) -> None:
    cluster = Cluster("", uplinks=[ON_A, ON_B, ON_ALL], child_config=POINTS)
    parent = Cluster("parent", parent_config=listing(one=addresses[0], two=addresses[1]))

    found = Fleet(parent, {"one": cluster, "two": cluster}).offered()

    names = {child: "".join(each.name for each in uplinks) for child, uplinks in found.items()}
    assert names == {"one": offered[0], "two": offered[1]}


def test_what_only_another_child_lists_is_not_offered_to_the_parent() -> None:
    leaf = Cluster("leaf", uplinks=[ON_A])
    middle = Cluster("middle", uplinks=[ON_B], parent_config=listing(leaf="https://leaf"))
    children = {"leaf": leaf, "middle": middle}
    above = Fleet(Cluster("p", parent_config=listing(middle="https://middle")), children)
    both = listing(middle="https://middle", leaf="https://leaf")
    flat = Fleet(Cluster("p", parent_config=both), children)

    assert above.offered() == {"middle": (ON_B,)}
    assert flat.offered() == {"middle": (ON_B,), "leaf": (ON_A,)}
    assert [tier.offered() for tier in above.tiers()[1:]] == [{"leaf": (ON_A,)}]


@pytest.mark.parametrize("cls", [Uplink, IngressRoute, TraefikService])
def test_an_object_of_a_file_is_named_by_its_provider(cls: Any) -> None:
    assert cls("api", "apps").owner == "apps/api"
    assert cls("api", "").owner == "api@file"


def test_an_empty_expose_name_is_not_an_absent_one() -> None:
    assert Uplink("api", "apps").uplink_name == "apps-api"
    assert Uplink("api", "apps", expose_name="").uplink_name == ""


# --- values computed once -----------------------------------------------------


def test_routes_with_equal_matches_share_their_rule() -> None:
    one, other = Route("PathPrefix(`/shared`)"), Route("PathPrefix(`/shared`)")

    assert one.rule() is one.rule()
    assert one.rule() is other.rule()
    assert one.rule("v2") is not one.rule("v3")
    assert (one.rule("v2").syntax, one.rule().syntax) == ("v2", "v3")


def test_a_route_keeps_its_own_syntax() -> None:
    route = Route("Path(`/`)", rest={"syntax": "v2"})

    assert route.rule("v3").syntax == "v2"
