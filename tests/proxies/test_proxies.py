"""The selector beside real proxies: the same shares, and gaps within the same bounds.

Each scheduler has an order of its own; it is compared where ours is named after it.
"""

from __future__ import annotations

from collections import Counter
from fractions import Fraction
from typing import Any

import pytest
from tests.proxies.conftest import PERIODS, Case, Measure
from tests.proxies.drivers import Envoy, Haproxy, Nginx, Proxy
from tests.proxies.measures import (
    furthest_count,
    inexact_windows,
    longest_gap,
    orders,
    turned,
    windows,
)

ALL_UP = [Case(vector, None) for vector in ((5, 1, 1), (90, 10), (7, 5, 3, 1))]
CASES = [Case(up.vector, down) for up in ALL_UP for down in (None, *up.weights)]
PROXIES: tuple[type[Proxy], ...] = (Nginx, Haproxy, Envoy)

each_case = pytest.mark.parametrize("case", CASES, ids=str)
each_proxy = pytest.mark.parametrize("proxy", PROXIES, ids=lambda proxy: proxy.name)


def picks(make_selector: Any, case: Case, scheduler: str) -> list[str]:
    selector = make_selector(case.weights.items(), scheduler=scheduler)
    if case.down is not None:
        selector.set_up(case.down, False)
    return [selector.pick() for _ in range(case.length)]


def widest_gap(order: list[str], case: Case) -> Fraction:
    """Return the longest gap of any target, in fair distances W/w of that target."""
    period = sum(case.fair.values())
    return max(
        Fraction(longest_gap(order, target) * count, period) for target, count in case.fair.items()
    )


@each_case
@each_proxy
def test_a_proxy_picks_by_weight_in_every_period(
    measure: Measure, proxy: type[Proxy], case: Case
) -> None:
    order = measure(proxy, case)
    periods = len(list(windows(order, sum(case.fair.values()))))

    assert set(order) == set(case.fair)
    assert furthest_count(order, case.fair) <= proxy.counts_within
    assert inexact_windows(order, case.fair) <= proxy.inexact_within * periods


@each_case
@each_proxy
def test_a_proxy_keeps_its_gap_bound(measure: Measure, proxy: type[Proxy], case: Case) -> None:
    assert widest_gap(measure(proxy, case), case) <= proxy.gap_within


@each_case
@each_proxy
def test_the_selector_shares_as_the_proxy_does(
    make_selector: Any, measure: Measure, proxy: type[Proxy], case: Case
) -> None:
    ours = Counter(picks(make_selector, case, "fair"))
    theirs = Counter(measure(proxy, case))

    assert ours == {target: PERIODS * count for target, count in case.fair.items()}
    assert max(abs(ours[target] - theirs[target]) for target in ours) <= proxy.counts_within


@each_case
@pytest.mark.parametrize(
    ("scheduler", "like"), [("fair", PROXIES), ("smooth", [Nginx]), ("edf", [Envoy])]
)
def test_the_selector_is_exact_and_keeps_the_gap_bounds(
    make_selector: Any, case: Case, scheduler: str, like: list[type[Proxy]]
) -> None:
    order = picks(make_selector, case, scheduler)

    assert inexact_windows(order, case.fair) == 0
    assert widest_gap(order, case) <= min(proxy.gap_within for proxy in like)


@pytest.mark.parametrize("case", ALL_UP, ids=str)
def test_smooth_picks_as_nginx_does(make_selector: Any, measure: Measure, case: Case) -> None:
    assert picks(make_selector, case, "smooth") == measure(Nginx, case)


def test_the_order_of_nginx(measure: Measure) -> None:
    assert "".join(measure(Nginx, ALL_UP[0])) == "aabacaa" * PERIODS


def test_the_order_of_haproxy(measure: Measure) -> None:
    assert "".join(measure(Haproxy, ALL_UP[0])) == "aaabaac" * PERIODS


# Of (7, 5, 3, 1) Envoy has several orders, as its floats break the ties.
@pytest.mark.parametrize(("case", "order"), [(ALL_UP[0], "aaaaabc"), (ALL_UP[1], "aaaaaaaaab")])
def test_edf_is_the_order_of_envoy(
    make_selector: Any, measure: Measure, case: Case, order: str
) -> None:
    ours = picks(make_selector, case, "edf")

    # A random start: where in the order it begins is no part of the order.
    assert orders(ours, case.fair) == {turned(order)}
    assert orders(measure(Envoy, case), case.fair) == {turned(order)}
