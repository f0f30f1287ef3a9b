from __future__ import annotations

from fractions import Fraction

import pytest

from uplinks.balance import Selector
from uplinks.errors import UnknownChild, UnknownService
from uplinks.model import (
    Advertisement,
    Child,
    Failover,
    ParentConfig,
    ServiceReference,
    TraefikService,
    Weighted,
)
from uplinks.parent import Parent
from uplinks.simulate import Outage, Share, Window, ideal_shares, simulate

CONFIG = ParentConfig({name: Child(f"https://{name}:9443") for name in ("eu", "us")})
API = "api@multicluster"


def make_parent(*services: TraefikService, eu: int = 1, us: int = 1) -> Parent:
    parent = Parent(CONFIG, services)
    for child, weight in (("eu", eu), ("us", us)):
        offers = [
            Advertisement("api", "apps/api", ["up"], weight),
            Advertisement(f"api-only-{child}", "apps/only", ["up"], exposed=True),
        ]
        parent.advertise(child, offers, 0)
    return parent


def counts(windows: tuple[Window, ...]) -> list[list[int]]:
    return [[share.requests for share in window.shares] for window in windows]


def test_before_during_and_after_an_outage() -> None:
    simulation = simulate(make_parent(), API, 9000, [Outage("eu", 3000, 6000)])

    half = Fraction(1, 2)
    assert simulation.windows == (
        Window(0, 3000, (), (Share("eu", 1500, half, half), Share("us", 1500, half, half))),
        Window(
            3000,
            6000,
            ("eu",),
            (
                Share("eu", 0, Fraction(0), Fraction(0)),
                Share("us", 3000, Fraction(1), Fraction(1)),
            ),
        ),
        Window(6000, 9000, (), (Share("eu", 1500, half, half), Share("us", 1500, half, half))),
    )
    assert simulation.failures == 0


def test_without_an_outage_there_is_one_window() -> None:
    simulation = simulate(make_parent(eu=90, us=10), API, 1000)

    assert counts(simulation.windows) == [[900, 100]]
    assert [share.ideal for share in simulation.windows[0].shares] == [
        Fraction(9, 10),
        Fraction(1, 10),
    ]


def test_requests_that_find_nothing_are_counted() -> None:
    outages = [Outage("eu", 10, 30), Outage("us", 20, 40)]

    simulation = simulate(make_parent(), API, 50, outages)

    assert counts(simulation.windows) == [[5, 5], [0, 10], [0, 0], [10, 0], [5, 5]]
    assert [w.down for w in simulation.windows] == [(), ("eu",), ("eu", "us"), ("us",), ()]
    assert [w.failures for w in simulation.windows] == [0, 0, 10, 0, 0]
    assert simulation.failures == 10
    assert {share.ideal for share in simulation.windows[2].shares} == {Fraction(0)}


def test_outages_of_one_child_may_touch_and_overlap() -> None:
    outages = [Outage("eu", 10, 30), Outage("eu", 20, 40), Outage("eu", 40, 50)]

    simulation = simulate(make_parent(), API, 60, outages)

    assert [w.down for w in simulation.windows] == [(), *[("eu",)] * 4, ()]
    assert counts(simulation.windows)[-1] == [5, 5]


def test_an_outage_may_begin_at_once_and_outlast_the_requests() -> None:
    parent = make_parent()

    simulation = simulate(parent, API, 10, [Outage("eu", 0, 99)])

    assert counts(simulation.windows) == [[0, 10]]
    assert parent.is_up("api-eu@multicluster")


def test_an_outage_after_the_last_request_changes_nothing() -> None:
    assert counts(simulate(make_parent(), API, 10, [Outage("eu", 50, 99)]).windows) == [[5, 5]]


def test_no_request_makes_no_window() -> None:
    assert simulate(make_parent(), API, 0, [Outage("eu", 0, 5)]).windows == ()


def test_a_failover_sends_everything_to_the_first_that_is_up() -> None:
    service = TraefikService(
        "api",
        "apps",
        failover=Failover(
            ServiceReference("api-only-eu@multicluster", "TraefikService"),
            ServiceReference("api-only-us@multicluster", "TraefikService"),
        ),
    )
    outages = [Outage("eu", 10, 20), Outage("us", 15, 30)]

    windows = simulate(make_parent(service), "apps-api@kubernetescrd", 30, outages).windows

    assert counts(windows) == [[10, 0], [0, 5], [0, 0], [10, 0]]
    assert [[share.ideal for share in window.shares] for window in windows] == [
        [1, 0],
        [0, 1],
        [0, 0],
        [1, 0],
    ]


def test_one_child_by_two_ways_is_one_child() -> None:
    service = TraefikService(
        "api",
        "apps",
        weighted=Weighted(
            [
                ServiceReference(API, "TraefikService", weight=2),
                ServiceReference("api-only-eu@multicluster", "TraefikService", weight=1),
                ServiceReference("local", weight=1),
            ]
        ),
    )

    (window,) = simulate(make_parent(service), "apps-api@kubernetescrd", 400).windows

    assert window.shares == (
        Share("apps/local", 100, Fraction(1, 4), Fraction(1, 4)),
        Share("eu", 200, Fraction(1, 2), Fraction(1, 2)),
        Share("us", 100, Fraction(1, 4), Fraction(1, 4)),
    )


@pytest.mark.parametrize(("first", "last"), [(-1, 5), (5, 5), (6, 5)])
def test_an_outage_ends_after_it_begins(first: int, last: int) -> None:
    with pytest.raises(ValueError, match="an outage is from a request to a later one"):
        Outage("eu", first, last)


def test_what_the_parent_does_not_know_is_refused() -> None:
    with pytest.raises(UnknownChild):
        simulate(make_parent(), API, 10, [Outage("ue", 0, 5)])
    with pytest.raises(UnknownService):
        simulate(make_parent(), "apy@multicluster", 10)
    with pytest.raises(ValueError, match="-1"):
        simulate(make_parent(), API, -1)


def test_an_ideal_share_of_zero_weight_is_zero() -> None:
    assert ideal_shares(Selector([("a", 0), ("b", 0)])) == {"a": 0, "b": 0}
    assert ideal_shares(Selector([])) == {}
