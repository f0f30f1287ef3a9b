"""The page's "Complete Example" and "Health Check with Failover", from files to picks."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

from uplinks import ChildService, Parent, WeightedService, advertise, check
from uplinks.adapters.files import load_fleet
from uplinks.model import WeightedChild
from uplinks.simulate import Outage, Scenario, simulate

EXAMPLES = Path(__file__).parents[2] / "examples"
SECOND = 1_000_000_000
BANKING = "banking-banking-api@multicluster"


def test_no_example_has_an_error() -> None:
    for name in ("banking", "weighted", "failover"):
        assert [str(d) for d in check(load_fleet(EXAMPLES / name)).errors] == []


def test_a_child_advertises_its_uplink_with_its_router() -> None:
    (offer,) = advertise(load_fleet(EXAMPLES / "banking").children["child-1"])

    assert offer.uplink_name == "banking-banking-api"
    assert offer.entry_points == ("multicluster",)
    assert offer.weight == 10
    assert offer.routers == ("banking/banking-route",)


def test_the_parent_has_one_weighted_service_and_two_direct_ones() -> None:
    services = Parent.from_fleet(load_fleet(EXAMPLES / "banking")).services

    assert dict(services) == {
        BANKING: WeightedService(
            BANKING,
            "banking-banking-api",
            (
                WeightedChild("banking-banking-api-child-1@multicluster", 10),
                WeightedChild("banking-banking-api-child-2@multicluster", 10),
            ),
        ),
        **{
            f"banking-banking-api-child-{n}@multicluster": ChildService(
                f"banking-banking-api-child-{n}@multicluster",
                "banking-banking-api",
                f"child-{n}",
                f"https://child{n}.example.com:9443",
            )
            for n in (1, 2)
        },
    }


def test_the_parents_router_leads_to_the_weighted_service() -> None:
    fleet = load_fleet(EXAMPLES / "banking")
    parent = Parent.from_fleet(fleet)

    selector = parent.route(fleet.parent.routers[0])

    assert selector is parent.selector(BANKING)
    assert Counter(selector.pick().url for _ in range(10)) == {
        "https://child1.example.com:9443": 5,
        "https://child2.example.com:9443": 5,
    }


def test_traffic_moves_to_the_remaining_child_and_back() -> None:
    parent = Parent.from_fleet(load_fleet(EXAMPLES / "banking"))
    selector = parent.selector(BANKING)
    got = []
    for up in (True, False, True):
        parent.set_up("child-1", up, now=1)
        picked = Counter(target.child for target in selector.pick_many(3000))
        got.append([picked["child-1"], picked["child-2"]])

    assert got == [[1500, 1500], [0, 3000], [1500, 1500]]


def test_a_failing_cluster_is_taken_out_and_comes_back_within_the_bounds() -> None:
    fleet = load_fleet(EXAMPLES / "failover")
    outage = Outage("eu", 120 * SECOND, 300 * SECOND)

    run = simulate(Scenario(fleet, "apps-api-workload@kubernetescrd", 100, 600 * SECOND, [outage]))

    [failure] = run.failures
    assert [[share.requests for share in phase.shares] for phase in run.phases] == [
        [12000, 0],
        [619, 0],
        [0, 17381],
        [0, 619],
        [29381, 0],
    ]
    assert (failure.detection_bound, failure.recovery_bound) == (13 * SECOND, 13 * SECOND)
    assert failure.within_bounds


def test_when_eu_becomes_unavailable_all_traffic_goes_to_us() -> None:
    fleet = load_fleet(EXAMPLES / "failover")
    parent = Parent.from_fleet(fleet)
    selector = parent.route(fleet.parent.routers[0])
    assert selector is parent.selector("apps-api-workload@kubernetescrd")

    parent.set_up("eu", False, now=1)
    assert Counter(selector.pick().child for _ in range(100)) == {"us": 100}

    parent.set_up("eu", True, now=2)
    assert Counter(selector.pick().child for _ in range(100)) == {"eu": 100}


def test_different_expose_names_share_no_weighted_service() -> None:
    services = Parent.from_fleet(load_fleet(EXAMPLES / "failover")).services

    assert [service.name for service in services.weighted] == [
        "api-workload-eu@multicluster",
        "api-workload-us@multicluster",
    ]
