"""The laws over a million picks each, of the compiled selector, from fixed seeds.

A target leads most right after a pick of it, and lags most right before one. So it is enough to
check the picked target at these two moments, and all targets at the end. Fractions are
multiplied out, so that all comparisons are of integers.
"""

from __future__ import annotations

import random
from array import array
from collections import Counter
from collections.abc import Iterator, Sequence
from fractions import Fraction
from math import gcd
from typing import Any, Final

import pytest

from uplinks.balance import Selector

PICKS: Final = 1_000_000


def dice(seed: int) -> random.Random:
    return random.Random(seed)  # noqa: S311 - reproducible


def some_weights(roll: random.Random) -> list[int]:
    """Equal, coprime, one heavy among many light, a few sizes, or any."""
    n = roll.randint(2, 30)
    return roll.choice(
        [
            [roll.randint(1, 99)] * n,
            [roll.choice([2, 3, 5, 7, 11, 13, 31]) for _ in range(n)],
            [roll.randint(2, 400), *[1] * n],
            [roll.choice([0, 1, 10, 100]) for _ in range(n)] + [1, 1],
            [roll.randint(1, 200) for _ in range(n)],
        ]
    )


def indices(selector: Any, k: int) -> array[int]:
    buffer = array("I", bytes(4 * k))
    selector.pick_into(buffer)
    return buffer


def shares(selector: Any) -> dict[int, int]:
    return {i: weight for i, weight, up in selector.rows() if up and weight}


def off_by_at_most(
    picks: Sequence[int], weights: dict[int, int], least: tuple[int, int], most: tuple[int, int]
) -> bool:
    """Whether every target lags and leads its share by no more than these fractions."""
    total = sum(weights.values())
    (lag, lag_parts), (lead, lead_parts) = least, most
    lag, lead = lag * total, lead * total
    picked = dict.fromkeys(weights, 0)
    for t, i in enumerate(picks):
        weight, count = weights[i], picked[i]
        picked[i] = count + 1
        if (t * weight - count * total) * lag_parts > lag:
            return False
        if ((count + 1) * total - (t + 1) * weight) * lead_parts > lead:
            return False
    t = len(picks)
    return all((t * w - picked[i] * total) * lag_parts <= lag for i, w in weights.items())


def churn(selector: Any, roll: random.Random, targets: Sequence[int]) -> int:
    """Change one of the targets at random; return which."""
    i = roll.choice(targets)
    if i not in selector:
        selector.add(i, roll.choice([0, 1, 3, 40]))
    elif roll.random() < 0.2:
        selector.remove(i)
    elif roll.random() < 0.6:
        selector.set_up(i, roll.random() < 0.6)
    else:
        selector.set_weight(i, roll.choice([0, 1, 2, 7, 50, 1000]))
    return i


def selectors(seed: int) -> Iterator[tuple[Any, random.Random]]:
    roll = dice(seed)
    while True:
        start = roll.randrange(10**9)
        yield Selector(list(enumerate(some_weights(roll))), start=start % 5000), roll


def test_law_1_every_period_is_exact() -> None:
    done = 0
    for selector, roll in selectors(1):
        for _ in range(4):
            weights, period = shares(selector), selector.period()
            if not 0 < period < 60_000:
                break
            unit = gcd(*weights.values())
            for ahead in (0, roll.randrange(period), 0):
                indices(selector, ahead)
                targets = selector.targets
                picks = [targets[i] for i in indices(selector, period)]
                assert Counter(picks) == {i: w // unit for i, w in weights.items()}
                done += ahead + period
            churn(selector, roll, range(5))
        if done >= PICKS:
            return


def test_law_2_no_target_is_off_by_more_than_the_best_possible_bound() -> None:
    done = 0
    for selector, _ in selectors(2):
        weights = shares(selector)
        parts = 2 * len(weights) - 2
        # From the origin of the schedule: the bound holds from there.
        fresh: Any = Selector(list(weights.items()))
        picks = [fresh.targets[i] for i in indices(fresh, min(2 * fresh.period(), 9000))]
        assert off_by_at_most(picks, weights, (parts - 1, parts), (parts - 1, parts))
        done += len(picks)
        if done >= PICKS:
            return


def returns() -> Iterator[tuple[list[int], dict[int, int], int]]:
    """Yield picks after a return, the eligible weights, and the target that has returned."""
    done = 0
    for selector, roll in selectors(3):
        n = len(selector)
        last = n - 1
        for _ in range(12):
            for _ in range(roll.randint(0, 6)):
                churn(selector, roll, range(last))
                done += len(indices(selector, roll.randint(0, 30) if selector.eligible else 0))
            selector.set_up(last, False)
            indices(selector, roll.randint(0, 200) if selector.eligible else 0)
            selector.set_weight(last, roll.choice([1, 5, 60]))
            selector.set_up(last, True)
            weights, targets = shares(selector), selector.targets
            picks = [targets[i] for i in indices(selector, min(2 * selector.period(), 1500))]
            yield picks, weights, last
            done += len(picks)
        if done >= PICKS:
            return


def test_law_3_after_a_return_no_target_is_off_by_more_than_two() -> None:
    for picks, weights, _ in returns():
        assert off_by_at_most(picks, weights, (2, 1), (2, 1))


def test_law_3_a_target_that_returns_leads_by_at_most_one() -> None:
    for picks, weights, last in returns():
        total = sum(weights.values())
        mine = [t for t, i in enumerate(picks, 1) if i == last]
        assert all(c * total - t * weights[last] <= total for c, t in enumerate(mine, 1))


def test_law_4_a_target_that_stays_is_not_starved() -> None:
    done = 0
    for selector, roll in selectors(4):
        stays = len(selector) - 1
        weight = roll.choice([1, 2, 9, 50])
        selector.set_weight(stays, weight)
        waited, most = 0, 0
        for _ in range(400):
            churn(selector, roll, range(stays))
            most = max(most, sum(shares(selector).values()))
            index = selector.targets.index(stays)
            for i in indices(selector, roll.choice([1, 1, 2, 3, 20, 200])):
                done += 1
                if i == index:
                    waited, most = 0, sum(shares(selector).values())
                else:
                    # It is picked within 2 Wmax/w + 2 picks.
                    waited += 1
                    assert (waited - 1) * weight < 2 * most + 2 * weight
        if done >= PICKS:
            return


def test_law_5_only_the_eligible_are_picked() -> None:
    done = 0
    for selector, roll in selectors(5):
        for _ in range(100):
            churn(selector, roll, range(len(selector) + 1))
            allowed = shares(selector).keys()
            k = roll.choice([1, 3, 50, 400]) if allowed else 0
            assert set(selector.pick_many(k)) <= allowed
            assert selector.eligible is bool(allowed)
            done += k
        if done >= PICKS:
            return


def test_law_6_the_first_picks_of_all_starts_are_the_weights() -> None:
    """The million is of the picks that the starts skip."""
    done = 0
    roll = dice(6)
    while done < PICKS:
        weights = dict(enumerate(some_weights(roll)))
        unit = gcd(*weights.values())
        period = sum(weights.values()) // unit
        if period > 800:
            continue
        shift = roll.randrange(-(10**12), 10**12)
        starts = range(shift, shift + period)
        firsts = Counter(Selector(weights.items(), start=start).pick() for start in starts)
        assert firsts == {i: w // unit for i, w in weights.items() if w}
        done += period * (period - 1) // 2


@pytest.mark.parametrize(
    ("scheduler", "start"),
    [
        *(("fair", start) for start in (1000, 2**20 - 1, 2**20)),
        *((order, start) for order in ("edf", "smooth") for start in (1000, 2**16 - 1)),
    ],
)
def test_law_6_a_start_in_a_long_period_skips_picks(scheduler: str, start: int) -> None:
    targets = [("a", 2**31 - 1), ("b", 3**19), ("c", 5**9), ("d", 1)]
    selector = Selector(targets, scheduler=scheduler)
    selector.pick_into(array("I", bytes(4 * start)))

    moved = Selector(targets, scheduler=scheduler, start=start)

    assert moved.pick_many(5000) == selector.pick_many(5000)


def test_law_6_far_starts_give_first_picks_like_the_weights() -> None:
    targets = [(0, 2**31 - 1), (1, 2**30), (2, 2**29 + 1)]
    total, n = sum(w for _, w in targets), 30_000
    roll = dice(6)
    firsts = Counter(Selector(targets, start=roll.randrange(total)).pick() for _ in range(n))

    distance = sum(abs(Fraction(firsts[i], n) - Fraction(w, total)) for i, w in targets) / 2
    assert distance < Fraction(1, 100)


def test_law_7_the_largest_weights_are_exact() -> None:
    most = 2**31 - 1
    for seed in range(10):
        roll = dice(70 + seed)
        choice = [1, 2, 3, 2**16 + 1, 2**30, most - 1, most]
        weights = {i: roll.choice(choice) for i in range(roll.randint(2, 9))}
        selector = Selector(weights.items())
        parts = 2 * len(weights) - 2
        picks = indices(selector, PICKS // 10)
        assert off_by_at_most(picks, weights, (parts - 1, parts), (parts - 1, parts))
        assert dict(selector.counts) == {i: picks.count(i) for i in weights}


@pytest.mark.parametrize("n", [60, 128])
def test_law_7_totals_up_to_2_38_are_exact(n: int) -> None:
    """The grains in which windows are compared lose nothing there."""
    parts = 2 * n - 2
    picks, weights = picks_of_heavy_targets(n)
    assert sum(weights.values()) <= 2**38
    assert off_by_at_most(picks, weights, (parts - 1, parts), (parts - 1, parts))


@pytest.mark.parametrize("n", [1000, 2**14])
def test_law_7_larger_totals_are_exact_to_a_grain(n: int) -> None:
    """A grain, in which windows count as equal, is at most 1/128 of the shortest job."""
    parts = 2 * n - 2
    picks, weights = picks_of_heavy_targets(n)
    assert sum(weights.values()) > 2**38
    bound = 1 - Fraction(1, parts) + Fraction(1, 128)
    assert off_by_at_most(picks, weights, bound.as_integer_ratio(), bound.as_integer_ratio())


def picks_of_heavy_targets(n: int) -> tuple[array[int], dict[int, int]]:
    roll = dice(n)
    less = [1, 1000, 2**30, 2**31 - 1]
    weights = {i: 2**31 - 1 - roll.randrange(roll.choice(less)) for i in range(n)}
    return indices(Selector(weights.items()), 50_000), weights


def test_law_7_a_clock_that_is_set_back_changes_nothing() -> None:
    """Many picks and changes set the clock back again and again; every period stays exact."""
    roll = dice(7)
    selector = Selector([(i, 1 + i) for i in range(6)])
    done = 0
    while done < PICKS:
        churn(selector, roll, range(1, 6))
        weights, period = shares(selector), selector.period()
        unit = gcd(*weights.values())
        picks = indices(selector, period)
        shared = {selector.targets[i]: count for i, count in Counter(picks).items()}
        assert shared == {i: w // unit for i, w in weights.items()}
        done += period + len(indices(selector, roll.randrange(period)))


def test_more_targets_than_there_are_indices() -> None:
    selector = Selector(dict.fromkeys(range(2**20), 0))
    with pytest.raises(OverflowError, match="at most 1048576 targets"):
        selector.add("one more")

    assert len(selector) == 2**20
    assert "one more" not in selector
    selector._check()
