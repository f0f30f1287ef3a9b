"""Many picks at once: lists, and indices in a buffer."""

from __future__ import annotations

import threading
from array import array
from collections import Counter
from typing import Any

import pytest

from uplinks.balance import Selector
from uplinks.errors import NoEligibleTarget

ORDERS = ["fair", "edf", "smooth", "failover", "random"]


def indices(selector: Any, k: int) -> list[int]:
    buffer = array("I", bytes(4 * k))
    selector.pick_into(buffer)
    return list(buffer)


# -- pick_many -------------------------------------------------------------------


@pytest.mark.parametrize("scheduler", ORDERS)
def test_many_picks_equal_single_ones(make_selector: Any, scheduler: str) -> None:
    one, two = (
        make_selector([("a", 5), ("b", 1), ("c", 2)], scheduler=scheduler, rng=3) for _ in range(2)
    )

    for k in (0, 1, 3, 7, 8, 9, 200):
        assert one.pick_many(k) == [two.pick() for _ in range(k)]
    assert one.counts == two.counts


def test_picking_none_is_always_possible(make_selector: Any) -> None:
    assert make_selector().pick_many(0) == []
    with pytest.raises(NoEligibleTarget):
        make_selector().pick_many(1)


@pytest.mark.parametrize(
    ("k", "failure"),
    [(-1, ValueError), (-(10**9), ValueError), (1.0, TypeError), ("3", TypeError)],
)
def test_a_bad_number_of_picks_changes_nothing(make_selector: Any, k: Any, failure: Any) -> None:
    selector = make_selector([("a", 2), ("b", 1)])
    with pytest.raises(failure):
        selector.pick_many(k)
    assert selector.pick_many(3) == ["a", "b", "a"]


@pytest.mark.parametrize("k", [2**61, 2**63 - 1, 2**63, 10**30])
def test_more_than_memory_holds_is_refused(k: int) -> None:
    selector = Selector([("a", 2), ("b", 1)])
    with pytest.raises((MemoryError, OverflowError)):
        selector.pick_many(k)
    assert selector.pick_many(3) == ["a", "b", "a"]


def test_many_picks_descend(make_selector: Any) -> None:
    inner = make_selector([("x", 1), ("y", 1)])
    top = make_selector([(inner, 2), ("z", 1)])

    assert Counter(top.pick_many(12)) == {"x": 4, "y": 4, "z": 4}


# -- pick_into -------------------------------------------------------------------


@pytest.mark.parametrize("scheduler", ORDERS)
@pytest.mark.parametrize("weights", [[5, 1, 2], [3], [1] * 7, [1] * 300, [0, 2, 0, 1]])
def test_a_buffer_gets_the_indices_of_the_same_picks(
    make_selector: Any, scheduler: str, weights: list[int]
) -> None:
    one, two = (
        make_selector(list(enumerate(weights)), scheduler=scheduler, rng=3) for _ in range(2)
    )
    period = one.period() or 10

    for k in (0, 1, 2, period - 1, period, 1, period + 1, 3 * period, 7 * period + 2, 5):
        assert indices(one, k) == two.pick_many(k)
    assert one.counts == two.counts
    assert one.pick_many(period) == two.pick_many(period)


@pytest.mark.parametrize("n", [256, 257, 65_536, 65_537])
def test_indices_of_every_width(n: int) -> None:
    selector = Selector([(i, 1) for i in range(n)])

    assert indices(selector, 3 * n + 5) == [*range(n)] * 3 + [*range(5)]
    assert selector.pick() == 5


@pytest.mark.parametrize(("n", "picks"), [(256, 10), (256, 1000), (65_536, 1000)])
def test_indices_become_wider_while_a_period_is_recorded(n: int, picks: int) -> None:
    selector = Selector([(i, 1) for i in range(n)])
    selector.pick_many(picks)
    selector.add(n, 1)

    assert Counter(selector.pick_many(n + 1)) == dict.fromkeys(range(n + 1), 1)
    assert Counter(indices(selector, 2 * n + 2)) == dict.fromkeys(range(n + 1), 2)
    selector.remove(n)
    assert Counter(indices(selector, 2 * n)) == dict.fromkeys(range(n), 2)


def test_targets_gives_the_target_of_each_index(make_selector: Any) -> None:
    selector = make_selector([("a", 1), ("b", 1), ("c", 1)])
    selector.remove("b")
    assert selector.targets == ("a", None, "c")
    selector.add("d", 1)
    assert selector.targets == ("a", "d", "c")

    assert Counter(selector.targets[i] for i in indices(selector, 9)) == {"a": 3, "c": 3, "d": 3}


def test_any_writable_contiguous_buffer_of_the_format(make_selector: Any) -> None:
    selector = make_selector([("a", 2), ("b", 1)])
    raw = bytearray(24)
    view = memoryview(raw).cast("I")

    selector.pick_into(view)
    assert list(view) == [0, 1, 0, 0, 1, 0]
    selector.pick_into(view[2:5])
    assert list(view) == [0, 1, 0, 1, 0, 0]
    selector.pick_into(view[:0])
    selector.pick_into(array("I"))
    assert list(selector.counts.values()) == [6, 3]


@pytest.mark.parametrize(
    "buffer",
    [
        array("i", bytes(16)),
        array("B", bytes(16)),
        array("H", bytes(16)),
        array("Q", bytes(16)),
        array("f", bytes(16)),
        bytearray(16),
        bytes(16),
        memoryview(array("I", bytes(16))).toreadonly(),
        memoryview(array("I", bytes(16)))[::2],
        memoryview(array("I", bytes(16)))[::-1],
        memoryview(bytearray(16)).cast("I", (2, 2)),
        [0, 0, 0],
        "text",
        None,
        5,
    ],
)
def test_any_other_buffer_is_refused_and_nothing_picked(make_selector: Any, buffer: Any) -> None:
    selector = make_selector([("a", 2), ("b", 1)])

    for _ in range(2):
        with pytest.raises((TypeError, ValueError, BufferError)):
            selector.pick_into(buffer)
        assert selector.pick_many(3) == ["a", "b", "a"]
    assert sum(selector.counts.values()) == 6


def test_a_selector_of_selectors_has_no_indices(make_selector: Any) -> None:
    inner = make_selector([("x", 1)])
    top = make_selector([(inner, 1), ("z", 1)])

    with pytest.raises(ValueError, match="nested"):
        top.pick_into(array("I", bytes(8)))
    top.remove(inner)
    assert indices(top, 2) == [1, 1]


def test_a_buffer_for_nothing_eligible(make_selector: Any) -> None:
    selector = make_selector([("a", 0)])

    selector.pick_into(array("I"))
    with pytest.raises(NoEligibleTarget):
        selector.pick_into(array("I", bytes(4)))


# -- threads ---------------------------------------------------------------------


def together(*work: Any) -> None:
    """Run each in a thread; raise the first failure."""
    failures: list[BaseException] = []

    def run(act: Any) -> None:
        try:
            act()
        except BaseException as error:  # noqa: BLE001 - raised again below
            failures.append(error)

    threads = [threading.Thread(target=run, args=(act,)) for act in work]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if failures:
        raise failures[0]


def test_buffers_filled_by_many_threads_hold_each_pick_once() -> None:
    selector = Selector([(i, 1 + i) for i in range(60)])
    period = selector.period()
    sizes = [1, 7, period - 1, period, period + 1, 3 * period + 2, 20_000, 50_000]
    found: list[Counter[int]] = []

    def work() -> None:
        mine: Counter[int] = Counter()
        for k in sizes * 3:
            mine.update(indices(selector, k))
        mine.update(selector.pick_many(2 * period - 3 * sum(sizes) % period))
        found.append(mine)

    together(*[work] * 6)

    total = sum(found, Counter())
    assert sum(total.values()) % period == 0
    assert total == {i: (1 + i) * (sum(total.values()) // period) for i in range(60)}
    assert dict(selector.counts) == total


def test_changes_beside_threads_that_pick_lose_nothing() -> None:
    selector = Selector([(i, 1 + i % 7) for i in range(300)])
    found: list[Counter[int]] = []

    def pick() -> None:
        mine: Counter[int] = Counter()
        for k in [1, 5000, 33, 20_000] * 10:
            mine.update(indices(selector, k))
            mine.update(selector.pick_many(k // 100))
            mine.update([selector.pick(exclude=[k % 300])])
        found.append(mine)

    def change() -> None:
        for k in range(600):
            selector.set_up(k % 299, k % 3 == 0)
            selector.set_weight(k * 7 % 299, k % 50)
            selector.update({k % 299: 1, 299: 5})

    together(pick, change, pick, change)

    assert dict(selector.counts) == {i: sum(f[i] for f in found) for i in range(300)}


def test_more_targets_than_the_cache_holds_are_picked_in_the_same_order() -> None:
    """Above 4,096 targets, memory is fetched ahead, while a period is recorded and replayed."""
    weights = {i: 1 + i % 2 for i in range(4200)}
    selector, buffer = Selector(weights), array("I", bytes(4 * 6300))
    Selector(weights).pick_into(buffer)
    assert [selector.pick() for _ in range(2 * 6300)] == 2 * buffer.tolist()
