"""The selector's laws, as numbered in docs/selector.md, on both implementations.

Bounds are exact, in fractions.
"""

from __future__ import annotations

from collections import Counter
from fractions import Fraction
from math import gcd
from typing import Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from tests.profiles import scaled

from uplinks._face import _shares

small = st.integers(0, 12)
weights = st.one_of(
    st.lists(st.integers(1, 60), min_size=1, max_size=9),
    st.builds(lambda w, n: [w] * n, st.integers(1, 2**31 - 1), st.integers(1, 9)),
    st.builds(lambda w, n: [w] + [1] * n, st.integers(1, 300), st.integers(1, 30)),
    st.lists(st.sampled_from([2, 3, 5, 7, 11, 13, 31]), min_size=2, max_size=6),
    st.lists(st.sampled_from([0, 0, 1, 4, 6]), min_size=2, max_size=8).filter(any),
)
huge = st.lists(st.sampled_from([1, 2, 2**30, 2**31 - 2, 2**31 - 1]), min_size=2, max_size=7)
changes = st.lists(
    st.tuples(
        st.integers(0, 6),
        st.sampled_from(["down", "up", "up", "weight"]),
        st.sampled_from([0, 1, 2, 7, 50, 1000]),
        st.sampled_from([0, 1, 1, 2, 5, 40]),
    ),
    max_size=30,
)


def eligible_weights(selector: Any) -> dict[Any, int]:
    return {target: weight for target, weight, up in selector.rows() if up and weight}


def change(selector: Any, target: int, what: str, weight: int) -> None:
    if what == "weight":
        selector.set_weight(target, weight)
    else:
        selector.set_up(target, what == "up")


def pick_some(selector: Any, k: int) -> None:
    for _ in range(k if selector.eligible else 0):
        selector.pick()


def numbered(some: list[int]) -> list[tuple[int, int]]:
    return list(enumerate(some))


def assert_a_period_is_exact(selector: Any) -> None:
    shares = eligible_weights(selector)
    unit = gcd(*shares.values())

    assert selector.period() == sum(shares.values()) // unit
    picks = Counter(selector.pick() for _ in range(selector.period()))
    assert picks == {target: weight // unit for target, weight in shares.items()}


@given(some=weights, offset=st.integers(0, 500))
def test_law_1_every_period_is_exact(make_selector: Any, some: list[int], offset: int) -> None:
    selector = make_selector(numbered(some))
    assume(selector.period() < 3000)
    pick_some(selector, offset)

    for _ in range(3):
        assert_a_period_is_exact(selector)


@given(some=st.lists(small, min_size=7, max_size=7), churn=changes, offset=st.integers(0, 20))
def test_law_1_holds_at_once_after_any_change(
    make_selector: Any, some: list[int], churn: Any, offset: int
) -> None:
    selector = make_selector(numbered(some))
    for target, what, weight, k in churn:
        change(selector, target, what, weight)
        pick_some(selector, k)
    # From the change itself on, and from any later moment.
    change(selector, 0, "weight", 3)
    change(selector, 0, "up", 0)
    assert_a_period_is_exact(selector)
    pick_some(selector, offset)
    assert_a_period_is_exact(selector)


@given(some=weights, down=st.sets(st.integers(0, 30), max_size=5))
def test_law_2_no_target_is_off_by_more_than_the_best_possible_bound(
    make_selector: Any, some: list[int], down: set[int]
) -> None:
    selector = make_selector(numbered(some))
    for target in down:
        if target < len(some):
            selector.set_up(target, False)
    shares = eligible_weights(selector)
    assume(len(shares) >= 2)
    total = sum(shares.values())
    bound = 1 - Fraction(1, 2 * len(shares) - 2)

    picked = dict.fromkeys(shares, 0)
    for t in range(1, min(2 * selector.period(), 2500) + 1):
        picked[selector.pick()] += 1
        assert all(abs(picked[i] - Fraction(t * w, total)) <= bound for i, w in shares.items())


@given(some=huge)
def test_law_2_and_7_with_weights_up_to_the_largest(make_selector: Any, some: list[int]) -> None:
    selector = make_selector(numbered(some))
    total = sum(some)
    bound = 1 - Fraction(1, 2 * len(some) - 2)

    picked = [0] * len(some)
    for t in range(1, 400):
        picked[selector.pick()] += 1
        assert all(
            abs(c - Fraction(t * w, total)) <= bound for c, w in zip(picked, some, strict=True)
        )


def test_law_2_is_attained(make_selector: Any) -> None:
    """Two equal targets are half a pick off after every odd pick: no bound could be less."""
    selector = make_selector([("a", 1), ("b", 1)])

    assert selector.pick() == "a"
    assert abs(1 - Fraction(1, 2)) == 1 - Fraction(1, 2 * 2 - 2)


@given(some=st.lists(st.integers(1, 40), min_size=2, max_size=7), churn=changes, away=small)
def test_law_3_a_target_that_returns_does_not_burst(
    make_selector: Any, some: list[int], churn: Any, away: int
) -> None:
    selector = make_selector(numbered(some))
    last = len(some) - 1
    for target, what, weight, k in churn:
        if target < last:
            change(selector, target, what, weight)
            pick_some(selector, k)
    selector.set_up(last, False)
    pick_some(selector, away)
    selector.set_up(last, True)

    shares = eligible_weights(selector)
    total = sum(shares.values())
    picked = dict.fromkeys(shares, 0)
    for t in range(1, min(2 * selector.period(), 400) + 1):
        picked[selector.pick()] += 1
        assert picked[last] - Fraction(t * shares[last], total) <= 1
        if not churn:
            assert all(abs(picked[i] - Fraction(t * w, total)) < 3 for i, w in shares.items())


def test_law_3_a_target_returns_beside_two_that_are_ahead(make_selector: Any) -> None:
    selector = make_selector([("a", 3), ("b", 3), ("c", 5)])
    selector.pick_many(10)
    selector.set_up("c", False)
    selector.pick_many(2)
    selector.set_up("c", True)

    picks = selector.pick_many(11)
    leads = [picks[:t].count("c") - Fraction(t * 5, 11) for t in range(1, 12)]
    assert max(leads) <= 1


@given(some=st.lists(st.integers(1, 40), min_size=2, max_size=7), churn=changes)
def test_law_4_a_target_that_stays_is_not_starved(
    make_selector: Any, some: list[int], churn: Any
) -> None:
    selector = make_selector(numbered(some))
    stays, weight = len(some) - 1, some[-1]

    waited, most = 0, 0
    for target, what, new, k in churn * 3:
        if target < stays:
            change(selector, target, what, new)
        for _ in range(k):
            most = max(most, sum(eligible_weights(selector).values()))
            if selector.pick() == stays:
                waited, most = 0, 0
            else:
                waited += 1
                # It is picked within 2 Wmax/w + 2 picks.
                assert (waited - 1) * weight < 2 * most + 2 * weight


def first_pick(selector: Any, target: Any) -> int:
    """Return how many picks it takes until the target is picked."""
    return next(t for t in range(1, 10**6) if selector.pick() == target)


@pytest.mark.parametrize("canaries", [50, scaled(300)])
def test_law_4_a_target_returns_after_many_light_ones_have_come_and_gone(
    make_selector: Any, canaries: int
) -> None:
    """The others lead by what each canary left to them, which must not delay the return."""
    selector = make_selector([("a", 1000), ("b", 1000), ("c", 10)])
    for k in range(canaries):
        selector.add(k, 1)
        while selector.pick() != k:
            pass
        selector.remove(k)
    selector.set_up("a", False)
    selector.pick()
    selector.set_up("a", True)

    assert first_pick(selector, "a") <= 3  # 2 Wmax/w + 2 is 6
    picked = Counter({"a": 0, "b": 0, "c": 0})
    for t in range(1, 2 * selector.period() + 1):
        picked[selector.pick()] += 1
        shares = {"a": 1000, "b": 1000, "c": 10}
        assert all(abs(picked[i] * 2010 - t * w) <= 2 * 2010 for i, w in shares.items())


@given(
    some=st.lists(st.integers(1, 40), min_size=2, max_size=7),
    churn=changes,
    later=changes,
    away=small,
)
def test_law_4_a_target_that_returns_is_picked_soon_while_others_change(
    make_selector: Any, some: list[int], churn: Any, later: Any, away: int
) -> None:
    selector = make_selector(numbered(some))
    last, weight = len(some) - 1, some[-1]
    for target, what, new, k in churn:
        if target < last:
            change(selector, target, what, new)
            pick_some(selector, k)
    selector.set_up(last, False)
    pick_some(selector, away)
    selector.set_up(last, True)

    waited, most = 0, 0
    for target, what, new, k in [*later, (0, "up", 1, 10**9)]:
        if target < last:
            change(selector, target, what, new)
        most = max(most, sum(eligible_weights(selector).values()))
        for _ in range(k):
            if selector.pick() == last:
                return
            waited += 1
            assert (waited - 1) * weight < 2 * most + 2 * weight


@given(some=st.lists(small, min_size=7, max_size=7), churn=changes)
def test_law_5_only_the_eligible_are_picked(
    make_selector: Any, some: list[int], churn: Any
) -> None:
    selector = make_selector(numbered(some))
    for target, what, weight, k in churn:
        change(selector, target, what, weight)
        allowed = set(eligible_weights(selector))
        assert selector.eligible is bool(allowed)
        assert {selector.pick() for _ in range(k if allowed else 0)} <= allowed


def test_no_scheduler_can_bound_the_lead_under_arbitrary_removals(make_selector: Any) -> None:
    """An adversary that removes all targets not yet picked drives the last one's lead up.

    Each round gives half of the equal targets a pick while all of them are
    entitled to half of one; the other half then goes. The lead grows by at
    least one half a round, whatever the scheduler: no constant bounds it.
    """
    n = 64
    selector = make_selector([(i, 1) for i in range(n)])
    picked: Counter[int] = Counter()
    entitled = Fraction(0)
    left = set(range(n))
    while len(left) > 1:
        round_: Counter[int] = Counter(selector.pick() for _ in range(len(left) // 2))
        picked += round_
        entitled += Fraction(1, 2)
        keep = sorted(left, key=lambda i: picked[i], reverse=True)[: len(left) // 2]
        for i in left - set(keep):
            selector.remove(i)
        left = set(keep)

    assert picked[left.pop()] - entitled == 3


# -- law 6: the start ----------------------------------------------------------------


@pytest.mark.parametrize("scheduler", ["fair", "edf", "smooth"])
@given(some=weights)
def test_law_6_the_first_picks_of_all_starts_are_the_weights_exactly(
    make_selector: Any, scheduler: str, some: list[int]
) -> None:
    """The total variation between them, over all starts of a period, is 0."""
    targets = numbered(some)
    period = make_selector(targets).period()
    assume(period <= 60)
    unit = gcd(*some)

    firsts = Counter(
        make_selector(targets, scheduler=scheduler, start=start).pick() for start in range(period)
    )

    assert firsts == {i: w // unit for i, w in targets if w}


@pytest.mark.parametrize("scheduler", ["fair", "edf", "smooth", "failover"])
@given(some=weights, start=st.integers(-(10**30), 10**30))
def test_law_6_a_start_skips_picks(
    make_selector: Any, scheduler: str, some: list[int], start: int
) -> None:
    targets = numbered(some)
    selector = make_selector(targets, scheduler=scheduler)
    assume(selector.period() <= 300)
    pick_some(selector, start % selector.period())

    moved = make_selector(targets, scheduler=scheduler, start=start)

    assert moved.pick_many(50) == selector.pick_many(50)


@given(
    some=st.lists(st.sampled_from([1, 2, 3**9, 2**20, 2**31 - 1]), min_size=2, max_size=7),
    part=st.fractions(0, 1),
)
def test_law_2_and_6_a_start_that_is_too_far_to_be_picked_keeps_the_bound(
    make_selector: Any, some: list[int], part: Fraction
) -> None:
    """The bound counts from the origin of the schedule, `start` picks before the first one."""
    total = sum(some)
    far = int(part * total) % (total // gcd(*some))
    assume(far > 2**20)
    selector = make_selector(numbered(some), start=far)
    picked = _shares(make_selector(numbered(some)), far)
    assert sum(picked) == far
    bound = 1 - Fraction(1, 2 * len(some) - 2)

    for t in range(far, far + 60):
        assert all(
            abs(c - Fraction(t * w, total)) <= bound for c, w in zip(picked, some, strict=True)
        )
        picked[selector.pick()] += 1
