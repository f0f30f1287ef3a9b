"""The model: what a value accepts, and what its repr may show."""

from __future__ import annotations

from typing import Any

import pytest

from uplinks.model import Child, ChildService, Header, HealthCheck, Route, Uplink

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
