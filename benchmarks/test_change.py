"""A change and the pick after it."""

from __future__ import annotations

from array import array
from collections.abc import Iterable
from itertools import cycle, islice
from random import Random
from typing import Any

import pytest
from benchmarks.cases import SIZES, make, pairs, steady, targets, warm, weights
from benchmarks.measure import Loop, calls

from uplinks import Selector

SECTION = "a change and a pick / [].__len__()"


def limit(n: int) -> int:
    return 100 if n <= 1_000 else 1_000


def changes(method: Any, pick: Any, arguments: Iterable[tuple[object, ...]]) -> Loop:
    turns_of = list(arguments)
    turns = cycle(turns_of)

    def loop(times: int) -> None:
        for each in islice(turns, times):
            method(*each)
            pick()

    # The first picks of a fresh selector open every target's window.
    loop(len(turns_of))
    return loop


def in_any_order(n: int) -> list[int]:
    order = list(range(n))
    Random(7).shuffle(order)  # noqa: S311 - the same each time is the point
    return order


@pytest.mark.parametrize("n", SIZES)
def test_a_change_of_status(n: int, bench: Any) -> None:
    names, selector = targets(n), make(weights(n))
    flaps = [(names[i], up) for i in in_any_order(n) for up in (False, True)]
    subject = changes(selector.set_up, selector.pick, flaps)
    bench.time(SECTION, "set_up() and pick()", n, subject, limit=limit(n))


@pytest.mark.parametrize("n", SIZES)
def test_a_change_of_weight(n: int, bench: Any) -> None:
    names, shares = targets(n), weights(n)
    selector = make(shares)
    flaps = [(names[i], shares[i] + more) for i in in_any_order(n) for more in (1, 0)]
    subject = changes(selector.set_weight, selector.pick, flaps)
    bench.time(SECTION, "set_weight() and pick()", n, subject, limit=limit(n))


@pytest.mark.parametrize("n", SIZES)
def test_a_target_that_comes_and_goes(n: int, bench: Any) -> None:
    selector = warm(make(weights(n)), n)
    add, remove, pick = selector.add, selector.remove, selector.pick

    def subject(times: int) -> None:
        for _ in range(times):
            add("one more", 50)
            pick()
            remove("one more")
            pick()

    bench.time(SECTION, "add() or remove(), and pick()", n, subject, per=2, limit=limit(n))


@pytest.mark.parametrize("n", SIZES)
def test_the_first_change_after_a_replay(n: int, bench: Any) -> None:
    """The dearest point of a replay, half a period in; one change each of many selectors.

    It takes O(n + period/2), and cannot happen again before a whole period has been picked.
    """
    name, selectors = targets(n)[0], [steady(weights(n)) for _ in range(64 if n <= 1_000 else 4)]
    period = selectors[0].period()
    half = array("I", bytes(4 * (period // 2)))

    def prepare() -> None:
        for selector in selectors:
            # Record a period anew, whatever came before, and replay half of it.
            selector.set_up(name, False)
            selector.set_up(name, True)
            warm(selector, period)
            selector.pick_into(half)

    def subject(times: int) -> None:
        for selector in selectors[:times]:
            selector.set_up(name, False)
            selector.pick()

    how: dict[str, Any] = {"prepare": prepare, "operations": len(selectors)}
    bench.time(SECTION, "set_up() that ends a replay, and pick()", n, subject, **how)


@pytest.mark.parametrize("n", SIZES)
def test_an_update_of_every_weight(n: int, bench: Any) -> None:
    names, shares = targets(n), weights(n)
    selector = make(shares)
    before = dict(zip(names, shares, strict=True))
    after = {name: 101 - share for name, share in before.items()}
    subject = changes(selector.update, selector.pick, [(after,), (before,)])
    bench.time(SECTION, "update() of all, per target", n, subject, per=n)


@pytest.mark.parametrize("n", SIZES)
def test_making_a_selector(n: int, bench: Any) -> None:
    both = pairs(n)
    subject = calls(lambda: Selector(both).pick())
    bench.time(SECTION, "Selector(targets) and pick(), per target", n, subject, per=n)
