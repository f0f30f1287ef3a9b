"""Both selectors: picks with exclusions or a key, updates, replacements, and counts."""

from __future__ import annotations

from collections import Counter
from itertools import pairwise
from typing import Any

import pytest

from uplinks.balance import ReferenceSelector, Selector
from uplinks.errors import DuplicateTarget, InvalidWeight, NoEligibleTarget, UnknownTarget

ORDERS = ["fair", "edf", "smooth", "failover", "random"]


# -- pick(exclude=) --------------------------------------------------------------


@pytest.mark.parametrize("scheduler", ORDERS)
def test_excluded_targets_are_passed_over_by_one_pick(make_selector: Any, scheduler: str) -> None:
    selector = make_selector([("a", 50), ("b", 2), ("c", 1)], scheduler=scheduler, rng=3)

    for _ in range(40):
        assert selector.pick(exclude=["a"]) in {"b", "c"}
        assert selector.pick(exclude=iter(("b", "a", "a"))) == "c"
        assert selector.pick(exclude={"b": None, "c": None}) == "a"
    assert selector.rows() == [("a", 50, True), ("b", 2, True), ("c", 1, True)]
    assert selector.counts["a"] == 40


def test_excluding_nothing_or_unknown_targets_is_an_ordinary_pick(make_selector: Any) -> None:
    one = make_selector([("a", 5), ("b", 1), ("c", 1)])
    two = make_selector([("a", 5), ("b", 1), ("c", 1)])

    for exclude in ([], ["z"], {"y", 7}, (), b"".split(), None) * 5:
        assert one.pick(exclude=exclude) == two.pick()


def test_excluding_all_targets_says_so_and_lasts_for_one_pick(make_selector: Any) -> None:
    selector = make_selector([("a", 5), ("b", 1)])
    selector.set_up("b", False)

    with pytest.raises(
        NoEligibleTarget, match="of 2 targets, 1 is down and 1 is excluded"
    ) as raised:
        selector.pick(exclude=["a"])
    assert (raised.value.targets, raised.value.down, raised.value.excluded) == (2, 1, 1)
    assert dict(selector.states) == {"a": True, "b": False}
    assert selector.pick(exclude=["b"]) == "a"
    assert dict(selector.states) == {"a": True, "b": False}


@pytest.mark.parametrize("exclude", ["a", b"a", "", 5, [[]], ["b", {}]])
def test_a_refused_exclusion_changes_nothing(make_selector: Any, exclude: Any) -> None:
    selector = make_selector([("a", 5), ("b", 1)])

    with pytest.raises(TypeError):
        selector.pick(exclude=exclude)
    assert dict(selector.counts) == {"a": 0, "b": 0}
    assert Counter(selector.pick_many(6)) == {"a": 5, "b": 1}


def test_exclusion_reaches_any_depth(make_selector: Any) -> None:
    leaf = make_selector([("x", 1), ("y", 1)])
    middle = make_selector([(leaf, 3), ("z", 1)])
    top = make_selector([(middle, 9), ("w", 1)])

    assert {top.pick(exclude=["x"]) for _ in range(40)} == {"w", "y", "z"}
    assert {top.pick(exclude=["x", "y"]) for _ in range(40)} == {"w", "z"}
    assert {top.pick(exclude=["x", "y", "z"]) for _ in range(5)} == {"w"}
    assert {top.pick(exclude=[leaf, "w"]) for _ in range(5)} == {"z"}
    assert {top.pick(exclude=[middle]) for _ in range(5)} == {"w"}
    with pytest.raises(NoEligibleTarget):
        top.pick(exclude=["x", "y", "z", "w"])
    assert {top.pick() for _ in range(60)} == {"w", "x", "y", "z"}
    for selector in (leaf, middle, top):
        assert all(up for _, _, up in selector.rows())
        assert selector.eligible


def test_an_exclusion_holds_in_every_place_of_a_shared_selector(make_selector: Any) -> None:
    shared = make_selector([("x", 1), ("y", 1)])
    left, right = make_selector([(shared, 1)]), make_selector([(shared, 1)])
    top = make_selector([(left, 1), (right, 1)])

    assert {top.pick(exclude=["x"]) for _ in range(6)} == {"y"}
    assert Counter(top.pick_many(8)) == {"x": 4, "y": 4}


def test_a_target_that_was_excluded_many_times_does_not_burst(make_selector: Any) -> None:
    selector = make_selector([("a", 1), ("b", 1), ("c", 1)])
    for _ in range(50):
        selector.pick(exclude=["a"])

    picks = selector.pick_many(30)

    assert Counter(picks) == {"a": 10, "b": 10, "c": 10}
    assert all(one != other for one, other in pairwise(picks))


# -- pick(key=) -------------------------------------------------------------------


@pytest.mark.parametrize("scheduler", ORDERS)
def test_a_key_gives_the_same_target_and_does_not_move_the_schedule(
    make_selector: Any, scheduler: str
) -> None:
    targets = {"a": 5, "b": 3, "c": 0, "d": 2}
    one, two = (make_selector(targets, scheduler=scheduler, rng=3) for _ in range(2))

    sticky = {k: one.pick(key=k) for k in range(300)}
    assert one.pick_many(25) == two.pick_many(25)
    assert sticky == {k: one.pick(key=k) for k in range(300)}
    assert sticky == {k: two.pick(key=k) for k in range(300)}
    assert one.pick_many(25) == two.pick_many(25)
    assert set(sticky.values()) == {"a", "b", "d"}
    assert sum(one.counts.values()) == 650


def test_keys_give_the_same_targets_in_every_process_and_implementation() -> None:
    keys: list[Any] = ["", "é", b"", b"e", 0, -1, 2**70, (), ("a", 1, (b"x",)), True]
    targets: dict[Any, int] = {"a": 1, b"a": 1, 1: 1, ("a", 1): 1}
    for make in (Selector, ReferenceSelector):
        selector = make(targets)
        assert [list(targets).index(selector.pick(key=k)) for k in keys] == EXPECTED


EXPECTED = [2, 3, 1, 1, 3, 3, 3, 0, 3, 1]
"""Which target each key gives: fixed for all versions, so that sessions survive upgrades."""


def test_a_removed_target_moves_only_its_own_keys(make_selector: Any) -> None:
    selector = make_selector({f"t{i}": 1 + i for i in range(8)})
    before = {k: selector.pick(key=k) for k in range(1000)}
    selector.remove("t7")
    selector.set_up("t6", False)
    after = {k: selector.pick(key=k) for k in range(1000)}

    moved = {before[k] for k in before if after[k] != before[k]}
    assert moved == {"t6", "t7"}
    selector.set_up("t6", True)
    selector.add("t7", 8)
    assert {k: selector.pick(key=k) for k in range(1000)} == before


def test_an_added_target_gets_its_share_of_the_keys_from_all_others(make_selector: Any) -> None:
    """Among 4,000 keys, each share is within five standard deviations."""
    selector = make_selector({"a": 1, "b": 2, "c": 3})
    before = {k: selector.pick(key=k) for k in range(4000)}
    selector.add("d", 4)
    after = {k: selector.pick(key=k) for k in range(4000)}

    assert all(after[k] in {before[k], "d"} for k in before)
    for found, total in ((before, 6), (after, 10)):
        for target, weight in {"a": 1, "b": 2, "c": 3}.items():
            share = weight / total
            count = sum(each == target for each in found.values())
            assert abs(count - 4000 * share) <= 5 * (4000 * share * (1 - share)) ** 0.5


def test_a_key_with_exclusions_goes_where_it_would_go_without_the_target(
    make_selector: Any,
) -> None:
    inner = make_selector({"x": 2, "y": 1})
    selector = make_selector([("a", 5), ("b", 3), (inner, 4)])
    with_all = {k: selector.pick(key=k) for k in range(200)}
    without = {k: selector.pick(key=k, exclude=["a", "x"]) for k in range(200)}
    assert {k: v for k, v in without.items() if with_all[k] in {"b", "y"}} == {
        k: v for k, v in with_all.items() if v in {"b", "y"}
    }
    selector.set_up("a", False)
    inner.set_up("x", False)

    assert without == {k: selector.pick(key=k) for k in range(200)}
    assert set(without.values()) == {"b", "y"}


@pytest.mark.parametrize("key", [1.5, object(), [], {}, ("a", None), (1.5,)])
def test_a_refused_key_changes_nothing(make_selector: Any, key: Any) -> None:
    selector = make_selector({"a": 5, "b": 1})
    for exclude in (None, ["a"]):
        with pytest.raises(TypeError, match="a pick by key needs"):
            selector.pick(key=key, exclude=exclude)
    assert dict(selector.counts) == {"a": 0, "b": 0}
    assert Counter(selector.pick_many(6)) == {"a": 5, "b": 1}


def test_a_key_among_targets_of_another_type_is_refused(make_selector: Any) -> None:
    selector = make_selector([(1.5, 1), ("b", 1)])
    with pytest.raises(TypeError, match="got float"):
        selector.pick(key="k")
    selector.remove(1.5)
    assert selector.pick(key="k") == "b"
    selector.set_up("b", False)
    with pytest.raises(NoEligibleTarget, match="the only target is down"):
        selector.pick(key="k")


# -- update ------------------------------------------------------------------------


@pytest.mark.parametrize("scheduler", ORDERS)
def test_an_update_equals_single_changes_of_weight(make_selector: Any, scheduler: str) -> None:
    one, two = (
        make_selector([("a", 5), ("b", 1), ("c", 0)], scheduler=scheduler, rng=3) for _ in range(2)
    )
    for selector in (one, two):
        selector.pick_many(9)
    one.update({"c": 3, "a": 0, "b": 2})
    for target, weight in (("c", 3), ("a", 0), ("b", 2)):
        two.set_weight(target, weight)

    assert one.rows() == two.rows() == [("a", 0, True), ("b", 2, True), ("c", 3, True)]
    assert one.pick_many(40) == two.pick_many(40)


@pytest.mark.parametrize(
    ("weights", "failure"),
    [
        ({"a": 1, "b": -1}, InvalidWeight),
        ({"a": 1, "b": 2**31}, InvalidWeight),
        ({"a": 1, "b": True}, InvalidWeight),
        ({"a": 1, "b": 2.0}, InvalidWeight),
        ({"a": 1, "z": 2}, UnknownTarget),
        (5, TypeError),
        ([("a",)], TypeError),
        ([([], 1)], TypeError),
    ],
)
def test_an_update_that_is_refused_changes_nothing(
    make_selector: Any, weights: Any, failure: Any
) -> None:
    selector, other = (make_selector([("a", 5), ("b", 1)]) for _ in range(2))
    assert selector.pick_many(10) == other.pick_many(10)

    with pytest.raises(failure):
        selector.update(weights)
    assert selector.rows() == other.rows()
    assert selector.pick_many(20) == other.pick_many(20)


def test_an_empty_update_changes_nothing(make_selector: Any) -> None:
    selector = make_selector([("a", 2), ("b", 1)])
    assert selector.pick() == "a"
    selector.update({})
    assert selector.pick_many(2) == ["b", "a"]


def test_an_update_notifies_the_selectors_above(make_selector: Any) -> None:
    inner = make_selector([("x", 1), ("y", 1)])
    top = make_selector([(inner, 1), ("z", 1)])

    inner.update({"x": 0, "y": 0})
    assert set(top.pick_many(4)) == {"z"}
    inner.update({"x": 1})
    assert Counter(top.pick_many(4)) == {"x": 2, "z": 2}


# -- replace -------------------------------------------------------------------------


@pytest.mark.parametrize("scheduler", ORDERS)
def test_a_replacement_takes_weight_state_and_turn(make_selector: Any, scheduler: str) -> None:
    one, two = (
        make_selector([("a", 5), ("b", 1), ("c", 2)], scheduler=scheduler, rng=3) for _ in range(2)
    )
    one.pick_many(5)
    two.pick_many(5)
    one.set_up("c", False)
    two.set_up("c", False)
    one.replace("a", "A")
    one.replace("c", "C")

    assert {t: (w, up) for t, w, up in one.rows()} == {
        "A": (5, True),
        "b": (1, True),
        "C": (2, False),
    }
    assert one.targets == ("A", "b", "C")
    one.set_up("C", True)
    two.set_up("c", True)
    assert [t.lower() for t in one.pick_many(30)] == two.pick_many(30)
    assert {t.lower(): c for t, c in one.counts.items()} == dict(two.counts)


def test_replacements_that_are_refused_change_nothing(make_selector: Any) -> None:
    inner = make_selector([("x", 1)])
    selector = make_selector([("a", 5), ("b", 1), (inner, 1)])
    rows = selector.rows()

    for target, new, failure in (
        ("z", "y", UnknownTarget),
        ("a", "b", DuplicateTarget),
        ("a", "a", DuplicateTarget),
        ("a", inner, TypeError),
        (inner, "y", TypeError),
        ("a", make_selector(), TypeError),
        ("a", [], TypeError),
        ([], "y", TypeError),
    ):
        with pytest.raises(failure):
            selector.replace(target, new)
        assert selector.rows() == rows
        assert selector.targets == ("a", "b", inner)
    assert Counter(selector.pick_many(7)) == {"a": 5, "b": 1, "x": 1}


# -- counts ----------------------------------------------------------------------------


@pytest.mark.parametrize("scheduler", ORDERS)
def test_counts_are_the_picks_made(make_selector: Any, scheduler: str) -> None:
    selector = make_selector([("a", 5), ("b", 3), ("c", 2)], scheduler=scheduler, rng=3)
    found: Counter[str] = Counter()

    def pick_and_compare(*sizes: int) -> None:
        for k in sizes:
            found.update(selector.pick_many(k))
            assert dict(selector.counts) == {t: found[t] for t in selector.weights}

    pick_and_compare(0, 1, 4, 5, 1, 3, 30, 77)  # recording, at its end, and replaying
    selector.set_weight("a", 1)
    pick_and_compare(0, 3, 3, 50)
    selector.set_up("b", False)
    pick_and_compare(1, 20)
    selector.remove("c")
    del found["c"]
    pick_and_compare(0, 7)
    selector.add("c", 4)
    pick_and_compare(0, 1, 40)
    found.update([selector.pick(exclude=["a"]) for _ in range(9)])
    pick_and_compare(0)
    selector.replace("c", "d")
    found["d"] = found.pop("c")
    pick_and_compare(0, 30)


def test_counts_begin_after_the_start(make_selector: Any) -> None:
    for start in (0, 3, 7, 2**40 + 3):
        selector = make_selector([("a", 5), ("b", 2)], start=start)
        assert dict(selector.counts) == {"a": 0, "b": 0}
        found = Counter(selector.pick_many(10))
        assert dict(selector.counts) == found


def test_counts_of_nested_selectors_add_up(make_selector: Any) -> None:
    inner = make_selector([("x", 2), ("y", 1)])
    top = make_selector([(inner, 3), ("z", 1)])

    found = Counter(top.pick_many(400))

    assert dict(top.counts) == {inner: 300, "z": 100}
    assert dict(inner.counts) == {"x": found["x"], "y": found["y"]} == {"x": 200, "y": 100}
    with pytest.raises(TypeError):
        top.counts["z"] = 0
