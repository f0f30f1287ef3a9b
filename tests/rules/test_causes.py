"""One cause gives one diagnostic, and correct manifests give none."""

from __future__ import annotations

from typing import Any

import attrs
import pytest

from uplinks import rules
from uplinks.diagnostics import Diagnostic
from uplinks.model import (
    UPLINKS_ANNOTATION,
    Cluster,
    Fleet,
    HealthCheck,
    IngressRoute,
    PassiveHealthCheck,
    Route,
    ServiceReference,
    TraefikService,
    Uplink,
    Weighted,
)
from uplinks.parsing import make_cluster, parse_manifests

SECOND = 1_000_000_000


def fleet_of(**children: Uplink) -> Fleet:
    names = {name.replace("_", "-"): uplink for name, uplink in children.items()}
    return Fleet(Cluster("p"), {name: Cluster(name, uplinks=[u]) for name, u in names.items()})


def service(name: str, *names: str, namespace: str = "apps") -> TraefikService:
    used = [ServiceReference(used, kind="TraefikService") for used in names]
    return TraefikService(name, namespace, weighted=Weighted(used))


def checked(check: HealthCheck) -> list[Diagnostic]:
    uplink = Uplink("api", "apps", health_check=check)
    return list(rules.check_cluster(Cluster("eu", uplinks=[uplink])))


def coded(fleet: Fleet) -> list[str]:
    return sorted({d.code for d in rules.check(fleet)} - {"UPL407", "UPL409", "UPL412"})


def test_a_derived_name_that_another_uplink_has_is_not_renamed() -> None:
    uplinks = [Uplink("b", "a", expose_name="x"), Uplink("y", "z", expose_name="a-b")]
    router = IngressRoute(
        "r", "n", [Route("Path(`/`)")], annotations={UPLINKS_ANNOTATION: "x, a-b"}
    )
    used = [ServiceReference(f"{n}@multicluster", kind="TraefikService") for n in ("a-b", "x")]
    parent = Cluster("p", routers=[IngressRoute("r", "n", [Route("Path(`/`)", services=used)])])

    assert coded(Fleet(parent, {"c": Cluster("c", uplinks, [router])})) == []


def test_an_uplink_is_unused_only_if_every_name_was_understood() -> None:
    uplinks = [Uplink("a", "n"), Uplink("b", "n")]

    def codes(annotation: str) -> list[str]:
        router = IngressRoute(
            "r", "n", [Route("Path(`/`)")], annotations={UPLINKS_ANNOTATION: annotation}
        )
        return [d.code for d in rules.check_cluster(Cluster("c", uplinks, [router]))]

    assert codes("n-a") == ["UPL111"]
    assert codes("n-a,n-bb") == ["UPL303"]
    assert codes("n-a,") == ["UPL305"]
    assert codes("n-a,n-b") == []


def test_names_are_composed_through_other_services() -> None:
    fleet = fleet_of(
        c=Uplink("a", "n", expose_name="x"),
        d=Uplink("a", "n", expose_name="y"),
    )
    used = [
        service("top", "inner", "y@multicluster"),
        service("inner", "apps-innermost@kubernetescrd"),
        service("innermost", "x-c@multicluster"),
    ]

    assert coded(fleet) == ["UPL404"]
    for missing in range(3):
        some = [s for i, s in enumerate(used) if i != missing]
        parent = Cluster("p", traefik_services=some)
        assert "UPL404" in coded(Fleet(parent, fleet.children))
    assert coded(Fleet(Cluster("p", traefik_services=used), fleet.children)) == []


def test_different_checks_are_told_apart_by_what_is_written() -> None:
    def fields(**change: Any) -> list[str]:
        first = HealthCheck(path="/", interval=20 * SECOND)
        second = attrs.evolve(first, **{"unhealthy_interval": 0} | change)
        found = rules.check(
            fleet_of(
                c=Uplink("a", "n", health_check=first), d=Uplink("a", "n", health_check=second)
            )
        )
        return [d.message for d in found if d.code == "UPL403"]

    assert fields(hostname="x", port=1, scheme="http", headers={"A": "b"}) == []
    assert ["in interval;" in message for message in fields(interval=30 * SECOND)] == [True]
    assert [
        "in interval, unhealthyInterval;" in m
        for m in fields(interval=30 * SECOND, unhealthy_interval=SECOND)
    ] == [True]
    assert ["in path, status;" in m for m in fields(path="/x", status=204)] == [True]


def test_a_passive_check_takes_a_child_out_as_well() -> None:
    active = Uplink("a", "n", health_check=HealthCheck(path="/"))
    passive = Uplink("a", "n", passive_health_check=PassiveHealthCheck())

    assert coded(fleet_of(c=active, d=passive)) == ["UPL502"]  # in Traefik it does not
    assert coded(fleet_of(c=active, d=Uplink("a", "n"))) == ["UPL411"]


@pytest.mark.parametrize(
    ("name", "is_one"),
    [
        ("Authorization", True),
        ("Proxy-Authorization", True),
        ("cookie", True),
        ("X-API-Key", True),
        ("X-Vault-Token", True),
        ("X_Auth_Secret", True),
        ("Accept", False),
        ("X-Health-Check", False),
        ("X-Author", False),
        ("X-Tokens-Left", False),
    ],
)
def test_credentials_are_told_by_their_names(name: str, is_one: bool) -> None:  # noqa: FBT001
    check = HealthCheck(path="/", scheme="http", headers={name: "S3cr3t"})

    assert [d.code for d in checked(check)] == ["UPL214"] * is_one
    assert checked(HealthCheck(path="/", scheme="https", headers={name: "S3cr3t"})) == []


def test_a_difference_that_has_another_cause_is_not_reported_again() -> None:
    def found(check: str) -> list[str]:
        one, other = (
            make_cluster(
                name,
                [
                    parse_manifests(
                        "apiVersion: hub.traefik.io/v1alpha1\nkind: Uplink\n"
                        f"metadata: {{name: api, namespace: apps}}\nspec:\n  healthCheck: {text}\n",
                        source=name,
                    )
                ],
            )
            for name, text in [("c", "{path: /x, interval: 10s}"), ("d", check)]
        )
        return coded(Fleet(Cluster("p"), {"c": one, "d": other}))

    assert found("{path: /y, interval: 10s}") == ["UPL403"]
    assert found("{path: //y, interval: 10s}") == ["UPL209"]
    assert found("{path: /x, interval: 1d}") == ["UPL201"]
    assert found("{path: /x, intervall: 10s}") == ["UPL005"]
    assert found("5") == ["UPL006"]
    assert found("") == ["UPL411"]
