"""A change that ends a replay: nobody is brought to the present before its turn.

What is left of the replay is met target by target, amid picks and further changes. The
specification brings all to the present at once: both must pick alike, whatever comes
between, and without being looked at, since a look brings all to the present too.
"""

from __future__ import annotations

import random
import sys
from collections import Counter
from collections.abc import Iterator
from typing import Any

import pytest

from uplinks.balance import ReferenceSelector, Selector

RUNS = 150


def pair(shares: list[int]) -> tuple[Selector, Any]:
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
    """Give a pair that has replayed a part of a period, again and again."""
    most = roll.choice([1, 3, 10, 60, 500])
    one, two = pair([roll.randint(1, most) for _ in range(roll.choice([1, 2, 3, 5, 9, 20]))])
    for _ in range(6):
        if one.eligible and one.period() < 2000:
            pick_alike(one, two, one.period() * roll.randint(1, 2) + roll.randrange(one.period()))
        yield one, two


@pytest.mark.parametrize("seed", range(RUNS))
def test_what_is_left_of_a_replay_is_met_as_if_all_had_been_at_once(seed: int) -> None:
    roll = random.Random(seed)  # noqa: S311 - the same each time is the point
    for one, two in amid_replays(roll):
        for _ in range(roll.randint(1, 8)):
            both(one, two, *churn(roll, one))
            if one.eligible:
                pick_alike(one, two, roll.choice([0, 1, 1, 2, 7, 40]))
        if roll.random() < 0.5:
            assert one.counts == two.counts
            one._check()
            two._check()


def test_who_is_met_late_opens_next_as_if_it_had_been_met_at_once() -> None:
    one, two = pair([297, 495, 19, 274, 840])
    pick_alike(one, two, 2759)
    both(one, two, "set_up", 0, False)
    pick_alike(one, two, 2)
    both(one, two, "set_up", 4, False)
    both(one, two, "set_up", 3, False)

    pick_alike(one, two, 600)


@pytest.mark.parametrize("n", [257, 300])
def test_entries_of_two_bytes(n: int) -> None:
    one, two = pair([1 + i % 3 for i in range(n)])
    pick_alike(one, two, one.period() + one.period() // 2)
    both(one, two, "set_up", n - 1, False)
    both(one, two, "set_weight", 5, 7)

    pick_alike(one, two, one.period() + 3)
    assert one.counts == two.counts


def test_targets_that_need_wider_keys_come_while_some_are_still_to_be_met() -> None:
    one, two = pair([3, 5, 7, 1])
    pick_alike(one, two, 16 + 9)
    both(one, two, "set_up", 1, False)
    for target in range(4, 40):
        both(one, two, "add", target, target)
        pick_alike(one, two, 1)

    pick_alike(one, two, one.period() + 50)


def test_more_changes_than_are_looked_up_one_by_one() -> None:
    one, two = pair([1 + i for i in range(60)])
    pick_alike(one, two, one.period() + 700)
    for target in range(0, 60, 2):
        both(one, two, "set_weight", target, 61)

    pick_alike(one, two, 3000)
    assert one.counts == two.counts


@pytest.mark.parametrize(("size", "light"), [(200, 1), (200, 3), (200, 60), (600, 60)])
def test_windows_that_open_all_at_once_open_as_one_by_one(size: int, light: int) -> None:
    """Who comes and leaves leaves the others ahead, or behind; few or many have had their share."""
    one, two = pair([5 + i % 7 for i in range(size - light)] + [1] * light + [2])
    pick_alike(one, two, one.period())
    for _ in range(1_200 // size):
        for target in (0, size):
            both(one, two, "set_up", target, True)
            pick_alike(one, two, one.period() // 2)
            both(one, two, "set_up", target, False)
            pick_alike(one, two, 1)
    one._check()

    assert one.counts == two.counts


@pytest.mark.parametrize("changes", range(1, 23))
def test_who_waited_for_a_periods_end_has_had_nothing_of_the_next(changes: int) -> None:
    """Periods are numbered anew in what is restored: numbers as small as indices."""
    one, two = pair([1] * 21)
    pick_alike(one, two, 10)
    both(one, two, "set_up", 20, False)
    pick_alike(one, two, 19)
    one = Selector.restore(one.snapshot())
    for k in range(changes):
        both(one, two, "set_up", 20, k % 2 == 0)

    one._check()
    pick_alike(one, two, 2 * one.period())


def test_counts_are_complete_while_some_are_still_to_be_met() -> None:
    selector = Selector([("a", 5), ("b", 3), ("c", 1)])
    picks = selector.pick_many(3 * 9 + 4)
    selector.set_up("a", False)
    picks += selector.pick_many(1)

    assert selector.counts == Counter(picks)


def test_a_snapshot_while_some_are_still_to_be_met_goes_on_alike() -> None:
    selector = Selector([(i, 1 + i) for i in range(9)])
    selector.pick_many(selector.period() + 20)
    selector.set_up(4, False)
    selector.pick()

    copied = Selector.restore(selector.snapshot())

    assert copied.pick_many(200) == selector.pick_many(200)


def test_what_is_left_is_held_until_all_are_met_and_then_given_back() -> None:
    selector = Selector([(i, 90) for i in range(99)] + [(99, 1)])
    period = selector.period()
    before = sys.getsizeof(selector)
    selector.pick_many(period + 1)
    replaying = sys.getsizeof(selector)
    selector.set_up(0, False)

    assert before + 2 * period <= replaying <= sys.getsizeof(selector) + 1024
    selector.pick_many(selector.period() - 1)
    assert sys.getsizeof(selector) < before + 5 * period


def far_behind(n: int) -> tuple[Any, Any]:
    """Give a pair whose heavy target has lost what others took with them when they left."""
    one, two = pair([2000, *[1] * (n - 1)])
    pick_alike(one, two, 1)
    for new in range(n, 3 * n):
        gone = one.pick(exclude=[0])
        assert gone == two.pick(exclude=[0])
        both(one, two, "remove", gone)
        both(one, two, "add", new, 1)
    return one, two


@pytest.mark.parametrize("n", [20, 150, 400])
@pytest.mark.parametrize("replayed", [False, True])
@pytest.mark.parametrize("heavy", [False, True])
def test_a_target_that_is_many_picks_behind(n: int, *, replayed: bool, heavy: bool) -> None:
    """Of 400, the heavy one is more than 128 picks off in the table: more than a rank tells."""
    one, two = far_behind(n)
    if replayed:
        pick_alike(one, two, one.period())
        one = Selector.restore(one.snapshot())
    pick_alike(one, two, n // 2)
    both(one, two, "set_weight", *((0, 1999) if heavy else (3 * n - 1, 2)))

    pick_alike(one, two, 3000)
    assert one.counts == two.counts


def test_counts_of_a_replay_in_which_a_target_was_many_picks_behind() -> None:
    one, two = far_behind(400)
    pick_alike(one, two, one.period() + 149)
    both(one, two, "set_weight", 0, 1999)

    assert one.counts == two.counts
    pick_alike(one, two, 3000)
    assert one.counts == two.counts


def test_the_light_are_not_picked_much_before_their_turn() -> None:
    """Everybody is open when a replay has ended: that must not bring the light forward in a row."""
    shares = [1000, *[1] * 50]
    selector = Selector(list(enumerate(shares)))
    selector.pick_many(selector.period() + 400)
    selector.set_weight(0, 900)

    picks = selector.pick_many(950)

    light = [sum(1 for target in picks[:t] if target) for t in range(len(picks) + 1)]
    assert all(abs(count * 950 - t * 50) <= 2 * 950 for t, count in enumerate(light))
