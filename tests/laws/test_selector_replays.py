"""A change that ends a replay: the picks after it, the counts, and the laws.

A replay reads a recorded period and moves no target. A change first moves every target to the
point that the replay has reached. The specification does so pick by pick, and both must pick
alike. What is compared and what is not differs between the tests, because `counts` and `_check`
read the state.
"""

from __future__ import annotations

import random
import sys
from collections import Counter
from collections.abc import Iterator
from math import gcd
from typing import Any

import pytest
from tests.profiles import scaled

from uplinks.balance import ReferenceSelector, Selector

SEEDS = scaled(150)


def pair(shares: list[int]) -> tuple[Selector[int], Any]:
    return Selector(list(enumerate(shares))), ReferenceSelector(list(enumerate(shares)))


def pick_alike(one: Any, two: Any, picks: int) -> None:
    assert one.pick_many(picks) == two.pick_many(picks)


def both(one: Any, two: Any, method: str, *arguments: Any) -> None:
    for each in (one, two):
        getattr(each, method)(*arguments)


def churn(roll: random.Random, one: Any) -> tuple[Any, ...]:
    some = [target for target, _, _ in one.rows()]
    target, weight = roll.choice(some), roll.choice([0, 1, 3, 60, 1000])
    return roll.choice(
        [
            ("set_up", target, False),
            ("set_up", target, True),
            ("set_weight", target, weight),
            ("remove", target) if len(some) > 1 else ("set_weight", target, 2),
            ("add", max(some) + 1, weight),
            ("update", {each: roll.randint(1, 9) for each in some}),
        ]
    )


def amid_replays(roll: random.Random) -> Iterator[tuple[Any, Any]]:
    """Give a pair that has replayed a part of a period, six times."""
    most = roll.choice([1, 3, 10, 60, 500])
    one, two = pair([roll.randint(1, most) for _ in range(roll.choice([1, 2, 3, 5, 9, 20]))])
    for _ in range(6):
        if one.eligible and one.period() < 2000:
            pick_alike(one, two, one.period() * roll.randint(1, 2) + roll.randrange(one.period()))
        yield one, two


@pytest.mark.parametrize("seed", range(SEEDS))
def test_picks_after_a_replay_are_those_of_the_specification(seed: int) -> None:
    roll = random.Random(seed)  # noqa: S311 - reproducible
    for one, two in amid_replays(roll):
        for _ in range(roll.randint(1, 8)):
            both(one, two, *churn(roll, one))
            if one.eligible:
                pick_alike(one, two, roll.choice([0, 1, 1, 2, 7, 40]))
        if roll.random() < 0.5:
            assert one.counts == two.counts
            one._check()
            two._check()


@pytest.mark.parametrize("part", [0, 1, 0.25, 0.5, 0.75, -1])
@pytest.mark.parametrize("some", [[5, 3, 1], [90, 10], [297, 495, 19, 274, 840], [1] * 7])
def test_a_change_at_any_point_of_a_replay(some: list[int], part: float) -> None:
    """What is left of the period is counted where that is shorter than what was replayed."""
    one, two = pair(some)
    period = one.period()
    at = part if part in {0, 1, -1} else round(part * period)
    pick_alike(one, two, 2 * period + int(at))
    both(one, two, "set_up", 0, False)
    pick_alike(one, two, 7)
    both(one, two, "set_up", 0, True)

    pick_alike(one, two, period + 5)
    assert one.counts == two.counts
    one._check()


@pytest.mark.parametrize("n", [257, 300])
def test_hundreds_of_targets(n: int) -> None:
    one, two = pair([1 + i % 3 for i in range(n)])
    pick_alike(one, two, one.period() + one.period() // 2)
    both(one, two, "set_up", n - 1, False)
    both(one, two, "set_weight", 5, 7)

    pick_alike(one, two, one.period() + 3)
    assert one.counts == two.counts


def test_many_targets_are_added_after_a_replay() -> None:
    one, two = pair([3, 5, 7, 1])
    pick_alike(one, two, 16 + 9)
    both(one, two, "set_up", 1, False)
    for target in range(4, 40):
        both(one, two, "add", target, target)
        pick_alike(one, two, 1)

    pick_alike(one, two, one.period() + 50)


def test_many_changes_in_a_row_after_a_replay() -> None:
    one, two = pair([1 + i for i in range(60)])
    pick_alike(one, two, one.period() + 700)
    for target in range(0, 60, 2):
        both(one, two, "set_weight", target, 61)

    pick_alike(one, two, 3000)
    assert one.counts == two.counts


@pytest.mark.parametrize(("size", "light"), [(200, 60), (200, 1), (200, 3), (600, 60)][: scaled(4)])
def test_many_windows_that_open_at_once(size: int, light: int) -> None:
    """A target that comes and goes moves the clock, and with it many windows."""
    one, two = pair([5 + i % 7 for i in range(size - light)] + [1] * light + [2])
    pick_alike(one, two, one.period())
    for _ in range(scaled(1_200) // size + 1):
        for target in (0, size):
            both(one, two, "set_up", target, True)
            pick_alike(one, two, one.period() // 2)
            both(one, two, "set_up", target, False)
            pick_alike(one, two, 1)
    one._check()

    assert one.counts == two.counts


@pytest.mark.parametrize("changes", range(1, 23))
def test_a_withheld_target_takes_part_in_the_next_period(changes: int) -> None:
    """A restored selector numbers its periods from 1, so the numbers are as small as indices."""
    one, two = pair([1] * 21)
    pick_alike(one, two, 10)
    both(one, two, "set_up", 20, False)
    pick_alike(one, two, 19)
    one, two = (type(each).restore(each.snapshot()) for each in (one, two))
    for k in range(changes):
        both(one, two, "set_up", 20, k % 2 == 0)

    one._check()
    pick_alike(one, two, 2 * one.period())


def test_counts_after_a_replay_are_the_picks() -> None:
    selector = Selector([("a", 5), ("b", 3), ("c", 1)])
    picks = selector.pick_many(3 * 9 + 4)
    selector.set_up("a", False)
    picks += selector.pick_many(1)

    assert selector.counts == Counter(picks)


def test_a_snapshot_after_a_replay_picks_like_the_original() -> None:
    selector = Selector([(i, 1 + i) for i in range(9)])
    selector.pick_many(selector.period() + 20)
    selector.set_up(4, False)
    selector.pick()

    restored: Selector[int] = Selector.restore(selector.snapshot())

    assert restored.pick_many(200) == selector.pick_many(200)


def test_the_table_is_freed_by_the_change_that_ends_the_replay() -> None:
    selector = Selector([(i, 90) for i in range(99)] + [(99, 1)])
    period = selector.period()
    before = sys.getsizeof(selector)
    selector.pick_many(period + 1)
    replaying = sys.getsizeof(selector)
    selector.set_up(0, False)

    assert before + 4 * period <= replaying <= before + 4 * period + 1024
    assert before <= sys.getsizeof(selector) <= before + 1024


@pytest.mark.parametrize("n", [20, 150])
@pytest.mark.parametrize("replayed", [False, True])
@pytest.mark.parametrize("heavy", [False, True])
def test_light_targets_that_come_and_go_beside_a_heavy_one(
    n: int, *, replayed: bool, heavy: bool
) -> None:
    """The heavy target is excluded from each pick, so it falls behind as far as it may."""
    one, two = pair([2000, *[1] * (n - 1)])
    pick_alike(one, two, 1)
    for new in range(n, 3 * n):
        gone = one.pick(exclude=[0])
        assert gone == two.pick(exclude=[0])
        both(one, two, "remove", gone)
        both(one, two, "add", new, 1)
    if replayed:
        pick_alike(one, two, one.period() + n)
    both(one, two, "set_weight", *((0, 1999) if heavy else (3 * n - 1, 2)))

    pick_alike(one, two, 1000)
    assert one.counts == two.counts


def test_light_targets_are_not_picked_early_after_a_replay() -> None:
    selector = Selector(list(enumerate([1000, *[1] * 50])))
    selector.pick_many(selector.period() + 400)
    selector.set_weight(0, 900)

    picks = selector.pick_many(950)

    light = [sum(1 for target in picks[:t] if target) for t in range(len(picks) + 1)]
    assert all(abs(count * 950 - t * 50) <= 2 * 950 for t, count in enumerate(light))


# -- the laws, from a change that ends a replay ------------------------------------------


def check_the_laws(selector: Any, returned: set[int]) -> None:
    """Check laws 1, 3 and 5 over the next period: exact, no burst, eligible targets only."""
    weights = {target: weight for target, weight, up in selector.rows() if up and weight}
    total, unit = sum(weights.values()), gcd(*weights.values())
    picked = dict.fromkeys(weights, 0)
    for t, target in enumerate(selector.pick_many(selector.period()), 1):
        picked[target] += 1
        w, k = weights[target], picked[target]
        assert k * total - t * w <= (total if target in returned else 2 * total)
        assert (t - 1) * w - (k - 1) * total <= 2 * total
    assert picked == {target: weight // unit for target, weight in weights.items()}


@pytest.mark.parametrize("seed", range(scaled(100)))
def test_laws_1_3_and_5_hold_after_a_change_that_ends_a_replay(
    make_selector: Any, seed: int
) -> None:
    roll = random.Random(f"laws {seed}")  # noqa: S311 - reproducible
    some = [roll.randint(1, roll.choice([3, 40])) for _ in range(roll.randint(2, 8))]
    selector = make_selector(dict(enumerate(some)))
    for _ in range(6):
        if not selector.eligible or selector.period() > 500:
            break
        selector.pick_many(selector.period() + roll.randrange(selector.period()))
        down = {target for target, _, up in selector.rows() if not up}
        what, *arguments = churn(roll, selector)
        getattr(selector, what)(*arguments)
        if selector.eligible:
            back = {target for target in down if selector.states.get(target)}
            check_the_laws(selector, back)


@pytest.mark.parametrize("seed", range(scaled(100)))
def test_law_4_holds_through_changes_that_end_replays(make_selector: Any, seed: int) -> None:
    """A target that stays is picked within 2 Wmax/w + 2 picks."""
    roll = random.Random(f"law 4 {seed}")  # noqa: S311 - reproducible
    some = [roll.randint(1, 20) for _ in range(roll.randint(2, 6))]
    selector = make_selector(dict(enumerate(some)))
    stays, weight = len(some) - 1, some[-1]
    waited, most = 0, 0
    for _ in range(12):
        k = selector.period() + roll.randrange(selector.period()) if roll.random() < 0.6 else 2
        most = max(most, sum(w for _, w, up in selector.rows() if up))
        for target in selector.pick_many(min(k, 400)):
            waited += 1
            if target == stays:
                waited, most = 0, sum(w for _, w, up in selector.rows() if up)
            assert (waited - 1) * weight < 2 * most + 2 * weight
        i = roll.randrange(stays)
        if roll.random() < 0.5:
            selector.set_up(i, roll.random() < 0.5)
        else:
            selector.set_weight(i, roll.choice([0, 1, 5, 30]))
