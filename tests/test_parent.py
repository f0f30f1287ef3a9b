from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable
from typing import Any

import pytest

from uplinks.balance import Selector
from uplinks.errors import (
    InvalidAddress,
    InvalidWeight,
    NameCollision,
    NoEligibleTarget,
    SelectorCycle,
    ServiceRequired,
    UnknownChild,
    UnknownService,
    ValidationError,
)
from uplinks.model import (
    Advertisement,
    Child,
    ChildConfig,
    ChildService,
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
from uplinks.parent import Parent

CONFIG = ParentConfig({name: Child(f"https://{name}:9443") for name in ("eu", "us", "ap")})
API = "apps-api@multicluster"


def offer(weight: int = 1, uplink: str = "apps-api", **fields: object) -> Advertisement:
    return Advertisement(uplink, "apps/api", ["up"], weight, **fields)  # type: ignore[arg-type]


def named(uplink: str, weight: int = 1) -> Advertisement:
    return Advertisement(uplink, f"apps/{uplink}", ["up"], weight, exposed=True)


def reference(name: str, weight: int = 1, kind: str = "TraefikService") -> ServiceReference:
    return ServiceReference(name, kind, weight=weight)


def weighted(name: str, *references: ServiceReference) -> TraefikService:
    return TraefikService(name, "apps", weighted=Weighted(references))


def failover(name: str, service: str, fallback: str) -> TraefikService:
    return TraefikService(name, "apps", failover=Failover(reference(service), reference(fallback)))


def two() -> Parent:
    parent = Parent(CONFIG)
    parent.advertise("eu", [offer(3)], 0)
    parent.advertise("us", [offer(1)], 0)
    return parent


def picks(selector: Selector[Any], count: int) -> dict[str, int]:
    """Count picks by child, or by name for the parent's own Service."""
    picked = (selector.pick() for _ in range(count))
    return dict(Counter(getattr(target, "child", target.name) for target in picked))


# What is materialized


def test_a_parent_begins_with_no_service() -> None:
    parent = Parent(CONFIG)

    assert len(parent.services) == 0
    with pytest.raises(UnknownService):
        parent.selector(API)


def test_an_uplink_becomes_a_weighted_service_and_a_direct_one_for_each_child() -> None:
    parent = two()

    assert list(parent.services) == [
        "apps-api-eu@multicluster",
        "apps-api-us@multicluster",
        "apps-api@multicluster",
    ]
    assert picks(parent.selector(API), 400) == {"eu": 300, "us": 100}
    assert picks(parent.selector("apps-api-us@multicluster"), 10) == {"us": 10}


def test_a_pick_says_where_to_go() -> None:
    picked = two().selector("apps-api-eu@multicluster").pick()

    assert isinstance(picked, ChildService)
    assert (picked.child, picked.url) == ("eu", "https://eu:9443")


def test_an_unknown_service_is_named_with_a_near_one() -> None:
    with pytest.raises(UnknownService) as caught:
        two().selector("apps-apy@multicluster")

    assert caught.value.suggestion == API


def test_a_selector_begins_where_start_says() -> None:
    firsts = []
    for start in range(4):
        parent = Parent(CONFIG, start=start)
        parent.advertise("eu", [offer(3)], 0)
        parent.advertise("us", [offer(1)], 0)
        firsts.append(parent.selector(API).pick().child)

    assert Counter(firsts) == {"eu": 3, "us": 1}


# Advertisements that change


def test_selectors_keep_their_identity_and_follow() -> None:
    parent = two()
    selector = parent.selector(API)

    parent.advertise("ap", [offer(4)], 1)
    assert parent.selector(API) is selector
    assert picks(selector, 800) == {"eu": 300, "us": 100, "ap": 400}

    parent.advertise("eu", [offer(1)], 2)
    assert dict(selector.weights) == {t: {"ap": 4}.get(t.child, 1) for t in selector.weights}

    parent.withdraw("ap", 3)
    assert picks(selector, 10) == {"eu": 5, "us": 5}
    assert parent.selector(API) is selector


def test_the_same_offer_again_does_not_disturb_the_schedule() -> None:
    plain, disturbed = two(), two()
    one, other = plain.selector(API), disturbed.selector(API)

    expected, seen = [], []
    for step in range(50):
        expected.append(one.pick().child)
        disturbed.advertise("eu", [offer(3)], step)
        seen.append(other.pick().child)

    assert expected == seen


def test_a_child_that_withdraws_leaves_an_empty_selector_that_can_fill_again() -> None:
    parent = Parent(CONFIG)
    parent.advertise("eu", [offer()], 0)
    selector = parent.selector(API)

    parent.withdraw("eu", 1)
    assert len(selector) == 0
    with pytest.raises(NoEligibleTarget):
        selector.pick()
    with pytest.raises(UnknownService):
        parent.selector(API)

    parent.advertise("us", [offer()], 2)
    assert parent.selector(API) is selector
    assert picks(selector, 2) == {"us": 2}


def test_down_survives_a_new_offer_and_not_a_withdrawal() -> None:
    parent = two()
    selector = parent.selector(API)
    parent.set_up("eu", False, 1)

    parent.advertise("eu", [offer(7, health_check=HealthCheck(path="/health"))], 2)
    assert not parent.is_up("apps-api-eu@multicluster")
    assert picks(selector, 10) == {"us": 10}
    assert {t.health_check for t in selector.weights if t.child == "eu"} == {
        HealthCheck(path="/health")
    }

    parent.withdraw("eu", 3)
    parent.advertise("eu", [offer(1)], 4)
    assert parent.is_up("apps-api-eu@multicluster")
    assert picks(selector, 10) == {"eu": 5, "us": 5}


def test_a_refused_offer_changes_nothing() -> None:
    parent = two()
    selector = parent.selector(API)
    services, weights = parent.services, dict(selector.weights)

    with pytest.raises(NameCollision):
        parent.advertise("ap", [Advertisement("apps-api", "apps-api/", ["up"])], 5)
    with pytest.raises(NameCollision):
        parent.advertise("eu", [offer(9), named("apps-api-us")], 5)
    with pytest.raises(InvalidWeight):
        parent.advertise("eu", [offer(-1)], 5)
    with pytest.raises(UnknownChild) as caught:
        parent.advertise("eux", [offer()], 5)

    assert caught.value.suggestion == "eu"
    assert parent.services is services
    assert dict(selector.weights) == weights
    assert parent.now == 0


def test_an_unknown_child_cannot_withdraw() -> None:
    with pytest.raises(UnknownChild):
        two().withdraw("mars", 0)


def test_a_weight_of_zero_is_there_and_never_picked() -> None:
    parent = two()
    parent.advertise("us", [offer(0)], 1)

    assert picks(parent.selector(API), 10) == {"eu": 10}
    # Asked for by name, a child is what it is: the weight belongs to the sharing.
    assert picks(parent.selector("apps-api-us@multicluster"), 1) == {"us": 1}


# Up and down


def test_a_child_down_is_down_in_all_its_services() -> None:
    parent = two()
    parent.advertise("us", [offer(1), named("other")], 1)
    other, direct = parent.selector("other@multicluster"), "apps-api-us@multicluster"

    parent.set_up("us", False, 2)

    assert picks(parent.selector(API), 8) == {"eu": 8}
    assert not other.eligible
    assert not parent.selector(direct).eligible  # made after the change
    assert not parent.is_up(direct)

    parent.set_up("us", True, 3)

    assert picks(parent.selector(API), 8) == {"eu": 6, "us": 2}
    assert other.eligible
    assert parent.selector(direct).eligible


def test_one_child_service_may_be_down_alone() -> None:
    parent = two()
    parent.advertise("us", [offer(1), named("other")], 1)

    parent.set_up("apps-api-us@multicluster", False, 2)

    assert picks(parent.selector(API), 8) == {"eu": 8}
    assert picks(parent.selector("other@multicluster"), 2) == {"us": 2}


def test_only_a_child_or_its_service_can_be_down() -> None:
    parent = two()

    with pytest.raises(UnknownChild):
        parent.set_up("mars", False, 0)
    with pytest.raises(UnknownService) as caught:
        parent.set_up("apps-api-uss@multicluster", False, 0)
    with pytest.raises(UnknownService):
        parent.set_up(API, False, 0)
    with pytest.raises(UnknownService):
        parent.is_up(API)

    assert caught.value.suggestion == "apps-api-us@multicluster"
    parent.set_up("ap", False, 0)  # listed, and offers nothing


def test_time_never_runs_backwards() -> None:
    parent = two()

    parent.set_up("eu", False, 9)
    parent.set_up("eu", True, 5)

    assert parent.now == 9


# Composed services


def composed(*services: TraefikService) -> Parent:
    parent = Parent(CONFIG, services)
    parent.advertise("eu", [named("a", 3)], 0)
    parent.advertise("us", [named("b"), named("a", 1)], 0)
    return parent


def test_a_weighted_service_shares_among_services() -> None:
    parent = composed(
        weighted("api", reference("a@multicluster", 3), reference("b@multicluster", 1))
    )

    selector = parent.selector("apps-api@kubernetescrd")

    assert parent.selector("apps-api@kubernetescrd") is selector
    assert parent.selector("a@multicluster") in selector
    assert picks(selector, 160) == {"eu": 90, "us": 30 + 40}


def test_health_goes_upward() -> None:
    parent = composed(
        weighted("top", reference("inner"), reference("b@multicluster")),
        weighted("inner", reference("a-eu@multicluster")),
    )
    top = parent.selector("apps-top@kubernetescrd")
    assert picks(top, 10) == {"eu": 5, "us": 5}

    parent.set_up("eu", False, 1)
    assert picks(top, 10) == {"us": 10}

    parent.set_up("us", False, 2)
    assert not top.eligible

    parent.set_up("eu", True, 3)
    assert picks(top, 10) == {"eu": 10}


def test_a_failover_uses_the_fallback_only_while_the_main_one_is_down() -> None:
    parent = composed(failover("api", "a-eu@multicluster", "b@multicluster"))
    selector = parent.selector("apps-api@kubernetescrd")

    assert picks(selector, 10) == {"eu": 10}
    parent.set_up("eu", False, 1)
    assert picks(selector, 10) == {"us": 10}
    parent.set_up("eu", True, 2)
    assert picks(selector, 10) == {"eu": 10}


def test_a_failover_to_itself_is_the_service_alone() -> None:
    parent = composed(failover("api", "b@multicluster", "b@multicluster"))

    assert picks(parent.selector("apps-api@kubernetescrd"), 3) == {"us": 3}


def test_the_same_service_twice_has_the_sum_of_the_weights() -> None:
    parent = composed(
        weighted(
            "api",
            reference("a-eu@multicluster", 1),
            reference("b@multicluster", 2),
            reference("a-eu@multicluster", 1),
        )
    )

    assert picks(parent.selector("apps-api@kubernetescrd"), 40) == {"eu": 20, "us": 20}


def test_a_composed_service_may_be_named_with_its_provider() -> None:
    parent = composed(
        weighted("api", reference("apps-inner@kubernetescrd")),
        weighted("inner", reference("b@multicluster")),
    )

    assert picks(parent.selector("apps-api@kubernetescrd"), 3) == {"us": 3}


def test_a_namespace_in_a_reference_is_used() -> None:
    parent = composed(
        TraefikService("inner", "other", weighted=Weighted([reference("b@multicluster")])),
        weighted("api", ServiceReference("inner", "TraefikService", namespace="other")),
    )

    assert picks(parent.selector("apps-api@kubernetescrd"), 3) == {"us": 3}


def test_the_parents_own_service_is_a_target_that_is_always_up() -> None:
    parent = composed(
        weighted(
            "api", reference("b@multicluster", 3), ServiceReference("local", port=8080, weight=1)
        )
    )
    selector = parent.selector("apps-api@kubernetescrd")

    assert picks(selector, 8) == {"us": 6, "local": 2}
    parent.set_up("us", False, 1)
    assert selector.pick() == ServiceReference("local", namespace="apps", port=8080)


def test_an_unresolved_reference_is_refused_each_time_with_a_near_name() -> None:
    parent = composed(weighted("api", reference("b@multicluster"), reference("ab@multicluster")))

    for _ in range(2):
        with pytest.raises(UnknownService) as caught:
            parent.selector("apps-api@kubernetescrd")
        assert caught.value.name == "ab@multicluster"
        assert caught.value.suggestion in {"a@multicluster", "b@multicluster"}


def test_a_reference_that_gets_lost_is_refused_and_can_come_back() -> None:
    parent = composed(weighted("api", reference("b@multicluster"), reference("a@multicluster")))
    selector = parent.selector("apps-api@kubernetescrd")

    parent.withdraw("us", 1)
    with pytest.raises(UnknownService):
        parent.selector("apps-api@kubernetescrd")
    assert picks(selector, 4) == {"eu": 4}  # the selector given out still works

    parent.advertise("us", [named("b")], 2)
    assert parent.selector("apps-api@kubernetescrd") is selector
    assert picks(selector, 10) == {"eu": 5, "us": 5}


def test_a_kubernetes_service_has_no_provider() -> None:
    parent = composed(weighted("api", reference("b@multicluster", kind="Service")))

    with pytest.raises(UnknownService):
        parent.selector("apps-api@kubernetescrd")


def test_a_cycle_is_refused() -> None:
    parent = composed(
        weighted("one", reference("two")),
        failover("two", "b@multicluster", "one"),
        weighted("self", reference("self")),
    )

    for name in ("one", "two", "self"):
        with pytest.raises(SelectorCycle):
            parent.selector(f"apps-{name}@kubernetescrd")


def test_composed_services_may_be_deep() -> None:
    depth = 1100  # deeper than Python recurses
    services = [weighted(f"a{level}", reference(f"a{level + 1}")) for level in range(depth)]

    parent = composed(*services, weighted(f"a{depth}", reference("a@multicluster")))

    assert parent.selector("apps-a0@kubernetescrd").eligible


def test_composed_services_may_be_tangled() -> None:
    depth = 40  # 2 to the 40 ways down
    services = [
        weighted(f"{side}{level}", reference(f"a{level + 1}"), reference(f"b{level + 1}"))
        for level in range(depth)
        for side in "ab"
    ]
    ends = [weighted(f"{side}{depth}", reference(f"{side}@multicluster")) for side in "ab"]

    parent = composed(*services, *ends)

    assert parent.selector("apps-a0@kubernetescrd").eligible


def test_a_diamond_is_no_cycle() -> None:
    parent = composed(
        weighted("top", reference("left"), reference("right")),
        weighted("left", reference("bottom")),
        weighted("right", reference("bottom")),
        weighted("bottom", reference("b@multicluster")),
    )

    assert picks(parent.selector("apps-top@kubernetescrd"), 4) == {"us": 4}


def test_two_composed_services_of_one_name_are_refused() -> None:
    first = TraefikService("c", "a-b", weighted=Weighted())
    second = TraefikService("b-c", "a", weighted=Weighted())

    with pytest.raises(NameCollision) as caught:
        Parent(CONFIG, [first, second])

    assert caught.value.collisions == {
        "a-b-c@kubernetescrd": ("TraefikService a-b/c", "TraefikService a/b-c")
    }


def test_a_service_of_another_type_cannot_be_picked_from() -> None:
    parent = composed(TraefikService("mirror", "apps"))

    assert parent.composed == {}
    with pytest.raises(UnknownService):
        parent.selector("apps-mirror@kubernetescrd")


# Routes


def router(*references: ServiceReference) -> IngressRoute:
    return IngressRoute("r", "apps", [Route("Host(`x`)", services=references)])


def test_a_route_with_one_service_is_that_service_whatever_its_weight() -> None:
    parent = composed()

    assert parent.route(router(reference("b@multicluster", 0))) is parent.selector("b@multicluster")
    own = parent.route(router(ServiceReference("local", weight=0)))
    assert own.pick() == ServiceReference("local", namespace="apps")


def test_a_route_with_several_services_is_weighted() -> None:
    parent = composed()
    route = router(reference("a-eu@multicluster", 3), reference("b@multicluster"))

    selector = parent.route(route)

    assert parent.route(route) is selector
    assert picks(selector, 8) == {"eu": 6, "us": 2}


def test_a_route_without_a_service_has_no_target() -> None:
    with pytest.raises(NoEligibleTarget):
        composed().route(router()).pick()


def test_a_route_that_is_not_there_is_refused() -> None:
    with pytest.raises(IndexError):
        composed().route(router(), 1)


# From a fleet


def test_a_fleet_makes_a_parent() -> None:
    from uplinks.model import ChildConfig, UplinkEntryPoint

    entry = ChildConfig({"up": UplinkEntryPoint(":9443", as_default=True)})
    children = {
        name: Cluster(name, uplinks=[Uplink("api", "apps", weight=w)], child_config=entry)
        for name, w in (("eu", 3), ("us", 1), ("unlisted", 1))
    }
    own = weighted("api", reference(API))
    fleet = Fleet(Cluster("parent", parent_config=CONFIG, traefik_services=[own]), children)

    parent = Parent.from_fleet(fleet, strict=False)

    assert repr(parent) == "<Parent of 3 children, 3 services, 1 composed>"
    assert parent.config is CONFIG
    assert picks(parent.selector("apps-api@kubernetescrd"), 4) == {"eu": 3, "us": 1}


def test_a_fleet_without_a_configuration_makes_a_parent_without_services() -> None:
    assert len(Parent.from_fleet(Fleet(Cluster("parent")), strict=False).services) == 0


@pytest.mark.parametrize("now", [1.5, "1", None, True])
def test_time_is_an_int_and_nothing_changes_without_one(now: Any) -> None:
    parent = two()
    before = dict(parent.services)

    with pytest.raises(TypeError, match="now must be an integer of nanoseconds, got "):
        parent.advertise("ap", [offer()], now)
    with pytest.raises(TypeError, match="now must be an integer of nanoseconds, got "):
        parent.withdraw("eu", now)
    with pytest.raises(TypeError, match="now must be an integer of nanoseconds, got "):
        parent.set_up("eu", False, now)

    assert dict(parent.services) == before
    assert parent.is_up("apps-api-eu@multicluster")


HALF = 2**30


def test_weights_of_one_target_may_sum_up_past_the_largest_if_a_gcd_can_be_divided_out() -> None:
    references = [reference(API, 2 * HALF - 2), reference(API, 2 * HALF - 2)]
    own = [ServiceReference("own", weight=2 * HALF - 2)]
    parent = Parent(CONFIG, [weighted("w", *references, *own)])
    parent.advertise("eu", [offer()], 0)

    selector = parent.selector("apps-w@kubernetescrd")

    assert list(selector.weights.values()) == [2, 1]


def test_a_sum_of_weights_that_is_too_large_is_refused_with_the_sum() -> None:
    references = [reference(API, 2**31 - 1), reference(API, 2**31 - 1)]
    parent = Parent(CONFIG, [weighted("w", *references, ServiceReference("own", weight=1))])
    parent.advertise("eu", [offer()], 0)

    with pytest.raises(InvalidWeight, match=str(2**32 - 2)):
        parent.selector("apps-w@kubernetescrd")


def test_a_bad_weight_is_not_hidden_by_a_good_one_of_the_same_target() -> None:
    parent = Parent(CONFIG, [weighted("w", reference(API, -1), reference(API, 2))])
    parent.advertise("eu", [offer()], 0)

    with pytest.raises(InvalidWeight, match="-1"):
        parent.selector("apps-w@kubernetescrd")


def test_a_fallback_is_not_weighed() -> None:
    both = Failover(reference(API, 2**31 - 1), reference(API, 2**31 - 1))
    parent = Parent(CONFIG, [TraefikService("f", "apps", failover=both)])
    parent.advertise("eu", [offer()], 0)

    assert parent.selector("apps-f@kubernetescrd").pick().child == "eu"


# Several children at once


def test_several_children_advertise_in_one_step() -> None:
    parent = two()
    selector = parent.selector(API)

    parent.advertise_all({"eu": [], "ap": [offer(2)]}, 1)

    assert picks(selector, 30) == {"us": 10, "ap": 20}


def test_a_name_may_change_its_owner_in_one_step() -> None:
    first, second = (Advertisement("x-y-z", owner, ["up"]) for owner in ("x-y/z", "x/y-z"))
    parent = Parent(CONFIG)
    parent.advertise_all({"eu": [first], "us": [first]}, 0)
    selector = parent.selector("x-y-z@multicluster")

    with pytest.raises(NameCollision):
        parent.advertise("eu", [second], 1)
    parent.advertise_all({"eu": [second], "us": [second]}, 2)

    assert picks(selector, 4) == {"eu": 2, "us": 2}


def test_a_step_with_one_bad_child_changes_none() -> None:
    parent = two()
    services = parent.services

    with pytest.raises(UnknownChild):
        parent.advertise_all({"ap": [offer()], "apx": [offer()]}, 1)
    with pytest.raises(InvalidWeight):
        parent.advertise_all({"ap": [offer()], "us": [offer(-1)]}, 1)

    assert parent.services is services


@pytest.mark.parametrize("together", [True, False])
def test_many_children_of_one_uplink_cost_one_step_each(together: bool) -> None:  # noqa: FBT001 - a case
    names = [f"child-{i}" for i in range(2_000)]
    parent = Parent(ParentConfig({name: Child(f"https://{name}:9443") for name in names}))
    parent.advertise(names[0], [offer()], 0)
    selector = parent.selector(API)

    if together:
        parent.advertise_all({name: [offer()] for name in names}, 1)
    else:
        for name in names:
            parent.advertise(name, [offer()], 1)

    assert len(selector) == 2_000
    assert len(parent.services[API].children) == 2_000  # type: ignore[union-attr]


# Without manifests


def test_a_parent_of_addresses_has_one_service() -> None:
    check = HealthCheck(path="/health", interval="5s")
    parent = Parent.of(
        {"eu": ("https://eu.example.com", 3), "us": "https://us.example.com/v1/"},
        health_check=check,
    )

    assert picks(parent.selector(), 8) == {"eu": 6, "us": 2}
    assert {t.url for t in parent.selector().weights} == {
        "https://eu.example.com",
        "https://us.example.com/v1",
    }
    probes = {p.target.url: p.check.path for p in parent.due(10**12)}  # type: ignore[attr-defined]
    assert probes == {
        "https://eu.example.com": "/health",
        "https://us.example.com": "/v1/health",
    }


def test_an_update_replaces_the_children_and_keeps_the_state_of_those_that_stay() -> None:
    parent = Parent.of({"eu": "https://eu", "us": "https://us"})
    selector = parent.selector()
    parent.set_up("eu", False, 1)

    parent.update({"eu": "https://eu", "ap": ("https://ap", 2)}, 2)
    assert picks(selector, 4) == {"ap": 4}
    assert not parent.is_up("default-eu@multicluster")

    parent.update({}, 3)
    assert parent.selector() is selector
    with pytest.raises(NoEligibleTarget, match="there are no targets"):
        selector.pick()

    parent.update({"eu": "https://eu"}, 4)
    assert picks(selector, 1) == {"eu": 1}


@pytest.mark.parametrize(
    ("children", "kind", "message"),
    [
        (["https://eu"], TypeError, "children must be a mapping like {'eu': 'https://eu.example"),
        ({"eu": 5}, TypeError, "child 'eu' must be an address or a pair of address and weight"),
        ({"eu": ("https://eu", "3")}, TypeError, "child 'eu' must be an address or a pair of"),
        ({"eu": ("https://eu", True)}, TypeError, "child 'eu' must be an address or a pair of"),
        ({5: "https://eu"}, TypeError, "a child's name must be a string, got int"),
        ({"eu": "eu.example"}, InvalidAddress, "invalid address 'eu.example' of child 'eu'"),
        ({"eu": "https://me:pw@eu"}, InvalidAddress, "it has a user or password"),
        ({"eu": "https://eu/a?b=c"}, InvalidAddress, "it has a query or fragment"),
        ({"eu": ("https://eu", -1)}, InvalidWeight, "-1"),
    ],
)
def test_wrong_children_are_refused_and_change_nothing(
    children: Any, kind: type[Exception], message: str
) -> None:
    parent = Parent.of({"us": "https://us"})

    with pytest.raises(kind, match=re.escape(message)) as caught:
        parent.update(children, 1)
    with pytest.raises(kind, match=re.escape(message)):
        Parent.of(children)

    assert "pw" not in str(caught.value)
    assert picks(parent.selector(), 1) == {"us": 1}


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"health_check": "/health"}, "health_check must be a HealthCheck, got str"),
        ({"health_check": {"path": "/"}}, "health_check must be a HealthCheck, got dict"),
        (
            {"passive_health_check": HealthCheck()},
            "passive_health_check must be a PassiveHealthCheck, got HealthCheck",
        ),
        ({"policy": {"slow_start": "1m"}}, "policy must be a HealthPolicy, got dict"),
        ({"service": 5}, "service must be a string, got int"),
        ({"start": "1"}, "start must be an integer, got str"),
    ],
)
def test_arguments_of_other_types_are_refused(arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(TypeError, match=f"^{message}$"):
        Parent.of({"eu": "https://eu"}, **arguments)


def test_only_a_parent_made_of_addresses_can_be_updated() -> None:
    with pytest.raises(TypeError, match=r"Parent\.of; use advertise or reload_fleet"):
        two().update({"eu": "https://eu"}, 1)


def test_a_mapping_is_no_configuration_and_the_error_says_what_to_use() -> None:
    with pytest.raises(TypeError, match=r"got dict; for plain addresses use Parent\.of"):
        Parent({"eu": "https://eu"})  # type: ignore[arg-type]
    with pytest.raises(TypeError, match=r"child 'eu' must be a Child, got str"):
        Parent(ParentConfig({"eu": "https://eu"}))  # type: ignore[dict-item]


def test_a_name_may_be_left_out_where_there_is_one_service() -> None:
    parent = two()
    assert parent.selector() is parent.selector(API)

    parent.amend("eu", [named("web")], now=1)
    with pytest.raises(ServiceRequired, match="2 services: 'apps-api@multicluster', 'web@multi"):
        parent.selector()
    with pytest.raises(ServiceRequired, match="the parent has no services"):
        Parent(CONFIG).selector()


# Fleets


def fleet_of(
    *services: TraefikService, uplinks: Iterable[str] = ("a", "b"), address: str = "https://eu"
) -> Fleet:
    config = ParentConfig({"eu": Child(address)})
    parent = Cluster("parent", parent_config=config, traefik_services=services)
    points = ChildConfig({"up": UplinkEntryPoint(":9443", as_default=True)}, multicluster=True)
    offered = [Uplink(name, "apps", expose_name=name) for name in uplinks]
    return Fleet(parent, {"eu": Cluster("eu", uplinks=offered, child_config=points)})


def test_a_fleet_with_errors_is_refused_with_its_report() -> None:
    broken = fleet_of(uplinks=["a", "a"])

    with pytest.raises(ValidationError) as caught:
        Parent.from_fleet(broken)

    assert caught.value.report.errors
    parent = Parent.from_fleet(fleet_of())
    with pytest.raises(ValidationError):
        parent.reload_fleet(broken, 1)
    assert len(parent.services) == 4


def test_a_reloaded_fleet_is_served_in_one_step() -> None:
    split = weighted("split", reference("a@multicluster", 3), reference("b@multicluster"))
    parent = Parent.from_fleet(fleet_of(split))
    selector = parent.selector("apps-split@kubernetescrd")
    selector.pick_many(4)
    assert {t.uplink_name for t in selector.pick_many(4)} == {"a", "b"}

    only_b = weighted("split", reference("b@multicluster"))
    parent.reload_fleet(fleet_of(only_b, uplinks=["b"], address="https://eu.example.org"), 1)

    assert parent.selector("apps-split@kubernetescrd") is selector
    assert {t.uplink_name for t in selector.pick_many(4)} == {"b"}
    assert {t.url for t in selector.pick_many(4)} == {"https://eu.example.org"}
    with pytest.raises(UnknownService):
        parent.selector("a@multicluster")


def test_a_composed_service_may_change_its_kind_go_and_come_back() -> None:
    split = weighted("x", reference("a@multicluster"), reference("b@multicluster"))
    ordered = failover("x", "b@multicluster", "a@multicluster")
    parent = Parent.from_fleet(fleet_of(split))
    selector = parent.selector("apps-x@kubernetescrd")

    parent.reload_fleet(fleet_of(ordered), 1)
    assert {t.uplink_name for t in selector.pick_many(4)} == {"b"}
    parent.set_up("b-eu@multicluster", False, 2)
    assert {t.uplink_name for t in selector.pick_many(4)} == {"a"}

    parent.reload_fleet(fleet_of(), 3)
    assert not selector.eligible
    with pytest.raises(UnknownService):
        parent.selector("apps-x@kubernetescrd")

    parent.reload_fleet(fleet_of(split), 4)
    parent.set_up("b-eu@multicluster", True, 5)
    assert parent.selector("apps-x@kubernetescrd") is selector
    assert {t.uplink_name for t in selector.pick_many(4)} == {"a", "b"}


def test_two_composed_services_may_swap_who_refers_to_whom() -> None:
    leaf = reference("a@multicluster")
    before = [weighted("x", reference("apps-y@kubernetescrd")), weighted("y", leaf)]
    after = [weighted("x", leaf), weighted("y", reference("apps-x@kubernetescrd"))]
    parent = Parent.from_fleet(fleet_of(*before))
    x, y = (parent.selector(f"apps-{name}@kubernetescrd") for name in "xy")

    parent.reload_fleet(fleet_of(*after), 1)
    assert (*x.weights, *y.weights) == (parent.selector("a@multicluster"), x)

    parent.reload_fleet(fleet_of(*before), 2)
    assert (*x.weights, *y.weights) == (y, parent.selector("a@multicluster"))


def test_a_reference_that_gets_lost_in_a_reload_leaves_no_target_until_it_is_back() -> None:
    parent = Parent.from_fleet(fleet_of(weighted("x", reference("a@multicluster"))))
    selector = parent.selector("apps-x@kubernetescrd")
    lost = weighted("x", reference("z@multicluster"))

    parent.reload_fleet(fleet_of(lost), 1, strict=False)
    assert not selector.eligible
    with pytest.raises(UnknownService):
        parent.selector("apps-x@kubernetescrd")

    parent.amend("eu", [named("z")], now=2)
    assert parent.selector("apps-x@kubernetescrd") is selector
    assert {t.uplink_name for t in selector.pick_many(2)} == {"z"}
