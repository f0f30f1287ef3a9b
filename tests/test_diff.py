from __future__ import annotations

from collections.abc import Mapping
from fractions import Fraction

import pytest
from attrs import evolve

from uplinks.diff import Difference, FieldChange, RiskKind, ServiceChange, ShareChange, diff
from uplinks.model import (
    Child,
    ChildConfig,
    Cluster,
    Failover,
    Fleet,
    HealthCheck,
    IngressRoute,
    ParentConfig,
    Route,
    ServiceReference,
    TraefikService,
    Uplink,
    UplinkEntryPoint,
    Weighted,
)

STATIC = ChildConfig({"up": UplinkEntryPoint(":9443", as_default=True)}, multicluster=True)
WEIGHTED = "apps-api@multicluster"
API = Uplink("api", "apps")


def fleet(
    offers: Mapping[str, Uplink],
    *services: TraefikService,
    routes: tuple[IngressRoute, ...] = (),
    urls: Mapping[str, str] | None = None,
) -> Fleet:
    listed = {n: Child((urls or {}).get(n, f"https://{n}.example.com")) for n in ("eu", "us")}
    return Fleet(
        Cluster("parent", (), routes, services, None, ParentConfig(listed)),
        {name: Cluster(name, [uplink], child_config=STATIC) for name, uplink in offers.items()},
    )


def weights(**given: int) -> dict[str, Uplink]:
    return {name: evolve(API, weight=weight) for name, weight in given.items()}


def change(difference: Difference, name: str) -> ServiceChange:
    return next(each for each in difference.changes if each.name == name)


def kinds(difference: Difference, name: str) -> list[RiskKind]:
    return [risk.kind for risk in change(difference, name).risks]


def reference(name: str, weight: int = 1) -> ServiceReference:
    return ServiceReference(name, kind="TraefikService", weight=weight)


def test_shares_are_exact_and_a_jump_is_more_than_the_limit() -> None:
    old, new = fleet(weights(eu=2, us=1)), fleet(weights(eu=1, us=2))
    third = Fraction(1, 3)
    found = change(diff(old, new, jump=third), WEIGHTED)
    assert found.fields == (
        FieldChange("weight of eu", "2", "1"),
        FieldChange("weight of us", "1", "2"),
    )
    assert found.shares == (
        ShareChange("eu", 2 * third, third),
        ShareChange("us", third, 2 * third),
    )
    assert found.risks == ()
    assert kinds(diff(old, new, jump=third - Fraction(1, 10**9)), WEIGHTED) == [RiskKind.JUMP] * 2


def test_weights_of_the_same_proportion_change_no_share() -> None:
    found = diff(fleet(weights(eu=2, us=1)), fleet(weights(eu=4, us=2)))
    assert not found.risky
    assert [s.before - s.after for s in change(found, WEIGHTED).shares] == [0, 0]


def test_losing_the_last_child_is_a_risk() -> None:
    found = diff(fleet(weights(eu=1)), fleet({}))
    assert [(e.name, e.action) for e in found.changes] == [
        ("apps-api-eu@multicluster", "removed"),
        (WEIGHTED, "removed"),
    ]
    assert kinds(found, WEIGHTED) == [RiskKind.LAST_CHILD]


def test_all_weights_at_0_is_a_risk() -> None:
    assert kinds(diff(fleet(weights(eu=1)), fleet(weights(eu=0))), WEIGHTED) == [RiskKind.ALL_ZERO]
    assert kinds(diff(fleet({}), fleet(weights(eu=0))), WEIGHTED) == [RiskKind.ALL_ZERO]
    assert not diff(fleet(weights(eu=0)), fleet(weights(eu=0))).changes


def test_removing_a_check_is_a_risk_and_header_values_are_hidden() -> None:
    secret = HealthCheck(path="/h", headers={"Authorization": "one-secret"})
    other = HealthCheck(path="/h", headers={"Authorization": "other-secret"})
    old = fleet({"eu": evolve(API, health_check=secret)})
    name = "apps-api-eu@multicluster"
    assert kinds(diff(old, fleet({"eu": API})), name) == [RiskKind.CHECK_REMOVED]
    found = diff(old, fleet({"eu": evolve(API, health_check=other)}))
    assert change(found, name).fields == (
        FieldChange("health check header Authorization", "***", "***"),
    )
    assert "secret" not in repr(diff(old, fleet({"eu": API}))) + repr(found)


def test_a_changed_address_is_a_risk() -> None:
    name = "apps-api-eu@multicluster"
    found = diff(fleet(weights(eu=1)), fleet(weights(eu=1), urls={"eu": "https://b"}))
    assert change(found, name).fields == (
        FieldChange("url", "https://eu.example.com", "https://b"),
    )
    assert kinds(found, name) == [RiskKind.ADDRESS]


def test_composed_services_and_routes_have_shares_and_dangling_references() -> None:
    failover = TraefikService(
        "fo",
        "apps",
        failover=Failover(
            reference("apps-api-eu@multicluster"), reference("apps-api-us@multicluster")
        ),
    )
    split = TraefikService(
        "split", "apps", weighted=Weighted([reference("fo", 3), reference(WEIGHTED)])
    )
    router = IngressRoute("r", "apps", [Route("Path(`/`)", services=[reference("split")])])
    both = fleet(weights(eu=1, us=1), failover, split, routes=(router,))
    half = fleet(weights(eu=1, us=3), failover, split, routes=(router,))
    moved = change(diff(both, half), "route apps/r: Path(`/`)")
    assert moved.shares == (
        ShareChange("eu", Fraction(7, 8), Fraction(13, 16)),
        ShareChange("us", Fraction(1, 8), Fraction(3, 16)),
    )
    gone = diff(both, fleet(weights(us=1), failover, split, routes=(router,)))
    for name in ("apps-fo@kubernetescrd", "apps-split@kubernetescrd", "route apps/r: Path(`/`)"):
        assert kinds(gone, name) == [RiskKind.DANGLING]


def served(*, composed: bool = True, routed: bool = True, weight: int = 1) -> Fleet:
    split = TraefikService("split", "apps", weighted=Weighted([reference(WEIGHTED)]))
    route = Route("Path(`/`)", services=[reference(WEIGHTED)])
    local = Route("Path(`/local`)", services=[ServiceReference("web", port=80)])
    routers = (IngressRoute("r", "apps", [route, local]),) if routed else ()
    services = [split] if composed else []
    return fleet(weights(eu=weight), *services, routes=routers)


def test_removing_a_serving_service_is_a_risk() -> None:
    without = diff(served(), served(composed=False, routed=False))
    assert [(e.name, e.action, [risk.kind for risk in e.risks]) for e in without.changes] == [
        ("apps-split@kubernetescrd", "removed", [RiskKind.REMOVED]),
        ("route apps/r: Path(`/`)", "removed", [RiskKind.REMOVED]),
        ("route apps/r: Path(`/local`)", "removed", [RiskKind.REMOVED]),
    ]
    assert kinds(diff(served(), served(composed=False)), "apps-split@kubernetescrd") == [
        RiskKind.REMOVED
    ]


def test_removing_an_idle_service_is_no_risk() -> None:
    gone = diff(served(weight=0), served(weight=0, composed=False, routed=False))
    name = "route apps/r: Path(`/`)"
    assert (kinds(gone, "apps-split@kubernetescrd"), kinds(gone, name)) == ([], [])
    dangling = TraefikService("split", "apps", weighted=Weighted([reference("none@multicluster")]))
    assert not diff(fleet(weights(eu=1), dangling), fleet(weights(eu=1))).risky
    # A child service is removed with its child; the weighted service carries the risk.
    assert (
        kinds(diff(fleet(weights(eu=1, us=1)), fleet(weights(us=1))), "apps-api-eu@multicluster")
        == []
    )


def test_a_route_with_another_match_is_removed_and_added() -> None:
    def routed(match: str) -> Fleet:
        route = Route(match, services=[reference(WEIGHTED)])
        return fleet(weights(eu=1), routes=(IngressRoute("r", "apps", [route]),))

    found = diff(routed("Path(`/a`)"), routed("Path(`/b`)"))
    assert [(e.action, [risk.kind for risk in e.risks]) for e in found.changes] == [
        ("removed", [RiskKind.REMOVED]),
        ("added", []),
    ]


@pytest.mark.parametrize("jump", [Fraction(-1, 100), Fraction(101, 100)])
def test_a_jump_must_be_between_0_and_1(jump: Fraction) -> None:
    with pytest.raises(ValueError, match="jump must be between 0 and 1, got "):
        diff(fleet({}), fleet({}), jump=jump)


def test_a_route_is_identified_by_its_match_and_not_by_its_position() -> None:
    def router(*pairs: tuple[str, str]) -> tuple[IngressRoute, ...]:
        routes = [Route(f"Path(`{path}`)", services=[reference(name)]) for path, name in pairs]
        return (IngressRoute("r", "apps", routes),)

    eu, us = (f"apps-api-{child}@multicluster" for child in ("eu", "us"))
    offers = weights(eu=1, us=1)
    old = fleet(offers, routes=router(("/a", eu), ("/b", us)))
    new = fleet(offers, routes=router(("/c", us), ("/b", us), ("/a", eu), ("/a", us)))
    found = diff(old, new)
    assert [(e.name, e.action) for e in found.changes] == [
        ("route apps/r: Path(`/a`) (2)", "added"),
        ("route apps/r: Path(`/c`)", "added"),
    ]
    assert not found.risky


def test_a_name_may_pass_from_a_weighted_service_to_a_child_and_back() -> None:
    old, new = fleet({"eu": evolve(API, name="api-eu")}), fleet(weights(eu=1, us=1))
    name = "apps-api-eu@multicluster"
    for one, other, kind in ((old, new, "child"), (new, old, "weighted")):
        found = change(diff(one, other), name)
        assert (found.kind, found.action, found.risks) == (kind, "changed", ())
        assert found.shares == (ShareChange("eu", Fraction(1), Fraction(1)),)
    assert FieldChange("kind", "weighted", "child") in change(diff(old, new), name).fields


def test_a_share_may_jump_where_a_weighted_service_becomes_a_child() -> None:
    both = fleet({n: evolve(API, name="api-eu") for n in ("eu", "us")})
    assert kinds(diff(both, fleet(weights(eu=1))), "apps-api-eu@multicluster") == [
        RiskKind.JUMP,
        RiskKind.JUMP,
    ]


def test_the_order_of_a_repeated_service_does_not_matter() -> None:
    def split(*given: int) -> Fleet:
        listed = [reference(WEIGHTED, weight) for weight in given]
        router = IngressRoute("r", "apps", [Route("Path(`/`)", services=listed)])
        composed = TraefikService("split", "apps", weighted=Weighted(listed))
        return fleet(weights(eu=1, us=1), composed, routes=(router,))

    assert diff(split(1, 10, 2), split(2, 1, 10)) == Difference()
    assert diff(split(1, 2), split(1, 3)) != Difference()


def test_each_value_of_a_repeated_header_is_compared() -> None:
    def checked(first: str) -> Fleet:
        headers = [("X-Key", first), ("X-Key", "same")]
        return fleet({"eu": evolve(API, health_check=HealthCheck("/", headers=headers))})

    [changed] = diff(checked("one"), checked("two")).changes
    assert [(c.before, c.after) for c in changed.fields] == [("***", "***")]
    assert "one" not in repr(changed)


CHECK = HealthCheck(path="/h", interval=10_000_000_000)


def test_defaults_of_an_added_or_removed_check_are_left_out() -> None:
    without, checked = fleet({"eu": API}), fleet({"eu": evolve(API, health_check=CHECK)})
    name = "apps-api-eu@multicluster"
    assert change(diff(without, checked), name).fields == (
        FieldChange("health check", None, "yes"),
        FieldChange("health check path", None, "/h"),
        FieldChange("health check interval", None, "10s"),
    )
    assert len(change(diff(checked, without), name).fields) == 3


def test_a_field_that_leaves_its_default_shows_the_default() -> None:
    old = fleet({"eu": evolve(API, health_check=HealthCheck(path="/h"))})
    new = fleet({"eu": evolve(API, health_check=evolve(CHECK, timeout=1_000_000_000))})
    assert change(diff(old, new), "apps-api-eu@multicluster").fields == (
        FieldChange("health check interval", "30s", "10s"),
        FieldChange("health check timeout", "5s", "1s"),
    )


def test_equal_changes_are_one_cause_and_risky_causes_come_first() -> None:
    def many(eu: int, *extra: str) -> Fleet:
        uplinks = [Uplink(name, "apps", weight=eu) for name in "abc"]
        eu_cluster = Cluster("eu", uplinks, child_config=STATIC)
        us = [Uplink(name, "apps") for name in ("a", "b", "c", *extra)]
        base = fleet({})
        routes = [Route("Path(`/`)", services=[reference("apps-a@multicluster")])]
        return Fleet(
            evolve(base.parent, routers=(IngressRoute("r", "apps", routes),)),
            {"eu": eu_cluster, "us": Cluster("us", us, child_config=STATIC)},
        )

    found = diff(many(1), many(3, "d"))
    assert [[c.name for c in cause.changes] for cause in found.causes] == [
        [*(f"apps-{name}@multicluster" for name in "abc"), "route apps/r: Path(`/`)"],
        ["apps-d-us@multicluster"],
        ["apps-d@multicluster"],
    ]
    assert [bool(cause.first.risks) for cause in found.causes] == [True, False, False]


def test_a_withdrawn_child_is_one_cause_for_its_own_services() -> None:
    def children(*names: str) -> Fleet:
        uplinks = [Uplink(name, "apps") for name in "ab"]
        listed = fleet({}).parent
        return Fleet(listed, {n: Cluster(n, uplinks, child_config=STATIC) for n in names})

    causes = diff(children("eu", "us"), children("us")).causes
    assert [(cause.first.kind, cause.first.action, len(cause.changes)) for cause in causes] == [
        ("weighted", "changed", 2),
        ("child", "removed", 2),
    ]


def test_an_effect_with_two_possible_causes_stands_alone() -> None:
    def weighing(a: int, b: int) -> Fleet:
        routes = [Route("Path(`/`)", services=[reference("apps-a@multicluster")])]
        parent = evolve(fleet({}).parent, routers=(IngressRoute("r", "apps", routes),))
        eu = [Uplink("a", "apps"), Uplink("b", "apps", weight=2)]
        us = [Uplink("a", "apps", weight=a), Uplink("b", "apps", weight=b)]
        clusters = {"eu": eu, "us": us}
        return Fleet(
            parent, {n: Cluster(n, found, child_config=STATIC) for n, found in clusters.items()}
        )

    causes = diff(weighing(1, 2), weighing(3, 6)).causes  # both shares move from 1/2 to 3/4
    assert [[c.name for c in cause.changes] for cause in causes] == [
        ["apps-a@multicluster"],
        ["apps-b@multicluster"],
        ["route apps/r: Path(`/`)"],
    ]
