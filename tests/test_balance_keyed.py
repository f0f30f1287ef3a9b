"""`pick(key=...)`: a key keeps its target, and a change moves as few keys as possible."""

from __future__ import annotations

import os
import random
import subprocess
import sys
from collections import Counter
from math import sqrt
from typing import Any, Final

import pytest

from uplinks._wrr_reference import stable_hash
from uplinks.balance import ReferenceSelector, Selector
from uplinks.errors import NoEligibleTarget

WEIGHTS: Final = {"a": 1, "b": 2, "c": 5, "d": 1, "e": 11}
KEYS: Final = range(1000)

PRINT_PICKS: Final = """
from uplinks import Selector
selector = Selector({"a": 3, b"b": 2, 7: 1, ("c", 1): 4})
keys = [*range(50), *map(str, range(50)), *(("k", b"x", i) for i in range(50)), b"", "", 2**100, -5]
print([selector.pick(key=key) for key in keys])
"""


def assign(selector: Any, **options: Any) -> dict[int, Any]:
    return {key: selector.pick(key=key, **options) for key in KEYS}


def moves(before: dict[int, Any], after: dict[int, Any]) -> set[tuple[Any, Any]]:
    """Return from where to where keys have moved."""
    return {(before[key], after[key]) for key in KEYS if before[key] != after[key]}


def test_a_key_gives_the_same_target_in_every_process() -> None:
    outputs = {
        subprocess.run(
            [sys.executable, "-c", PRINT_PICKS],
            capture_output=True,
            text=True,
            check=True,
            env={**os.environ, "PYTHONHASHSEED": seed},
        ).stdout
        for seed in ("0", "1", "4294967295")
    }
    assert len(outputs) == 1
    (output,) = outputs
    assert all(target in output for target in ("'a'", "b'b'", "7", "('c', 1)"))


def test_the_assignment_of_some_keys_is_a_part_of_the_contract(make_selector: Any) -> None:
    selector = make_selector({"eu": 2, "us": 1, "ap": 1})
    picks = {key: selector.pick(key=key) for key in ("alice", "bob", 17, b"x", ("t", 1))}
    assert picks == {"alice": "eu", "bob": "us", 17: "us", b"x": "eu", ("t", 1): "eu"}


def test_neither_the_order_of_targets_nor_earlier_picks_matter(make_selector: Any) -> None:
    selector = make_selector(WEIGHTS)
    shuffled = make_selector(dict(reversed(WEIGHTS.items())))
    shuffled.pick_many(13)
    shuffled.set_up("c", False)
    shuffled.set_up("c", True)
    assert assign(selector) == assign(shuffled)


def test_types_are_distinct_keys(make_selector: Any) -> None:
    selector = make_selector(dict.fromkeys(range(100), 1))
    keys = "1", 1, b"1", ("1",), (1,), ((1,),), ("1", ""), ("", "1")
    tokens = {stable_hash(key) for key in keys}
    assert len(tokens) == len(keys)
    assert len({selector.pick(key=key) for key in keys}) > 4


@pytest.mark.parametrize("target", WEIGHTS)
def test_removing_a_target_moves_only_its_keys(make_selector: Any, target: str) -> None:
    selector = make_selector(WEIGHTS)
    before = assign(selector)
    excluded = assign(selector, exclude=[target])
    selector.set_up(target, False)
    down = assign(selector)
    selector.set_up(target, True)
    selector.set_weight(target, 0)
    without_weight = assign(selector)
    selector.remove(target)
    removed = assign(selector)

    assert removed == down == without_weight == excluded
    assert moves(before, removed) == {(target, other) for other in WEIGHTS if other != target}
    assert all((removed[key] != before[key]) == (before[key] == target) for key in KEYS)


def test_adding_a_target_moves_only_the_keys_that_it_gains(make_selector: Any) -> None:
    selector = make_selector(WEIGHTS)
    before = assign(selector)
    selector.add("new", 4)
    assert moves(before, assign(selector)) == {(other, "new") for other in WEIGHTS}
    selector.remove("new")
    assert assign(selector) == before


def test_a_weight_change_moves_keys_one_way_only(make_selector: Any) -> None:
    selector = make_selector(WEIGHTS)
    before = assign(selector)
    selector.set_weight("b", 9)
    more = assign(selector)
    selector.set_weight("b", 1)
    less = assign(selector)
    others = WEIGHTS.keys() - {"b"}
    assert moves(before, more) == {(other, "b") for other in others}
    assert moves(before, less) == {("b", other) for other in others}


def test_replacing_a_target_moves_only_its_keys_and_those_of_the_new_one(
    make_selector: Any,
) -> None:
    selector = make_selector(WEIGHTS)
    before = assign(selector)
    selector.replace("c", "new")
    after = assign(selector)
    fresh = make_selector({("new" if name == "c" else name): w for name, w in WEIGHTS.items()})
    assert after == assign(fresh)
    assert all("c" in pair or "new" in pair for pair in moves(before, after))


@pytest.mark.parametrize("weights", [WEIGHTS, dict.fromkeys(range(10), 1), {"x": 999, "y": 1}])
def test_shares_are_the_weights(weights: dict[Any, int]) -> None:
    selector, n = Selector(weights), 20_000
    found = Counter(selector.pick(key=key) for key in range(n))
    total = sum(weights.values())
    for target, weight in weights.items():
        share = weight / total
        assert abs(found[target] - n * share) <= 5 * sqrt(n * share * (1 - share))


def test_a_keyed_pick_counts_but_does_not_move_the_schedule(make_selector: Any) -> None:
    selector, plain = make_selector(WEIGHTS), make_selector(WEIGHTS)
    picks, keyed = [], Counter[str]()
    for number in range(70):
        keyed[selector.pick(key=number)] += 1
        picks.append(selector.pick())
    assert picks == plain.pick_many(70)
    assert dict(selector.counts) == dict(Counter(picks) + keyed)
    selector._check()


def test_a_key_descends_into_selectors(make_selector: Any) -> None:
    def build() -> tuple[Any, Any]:
        inner = make_selector({"x": 1, "y": 3})
        return inner, make_selector([("a", 2), (inner, 3), ("b", 1)])

    inner, outer = build()
    before = assign(outer)
    assert before == assign(build()[1])
    assert set(before.values()) == {"a", "b", "x", "y"}
    inner.set_up("x", False)
    assert moves(before, assign(outer)) == {("x", "y")}
    inner.set_up("y", False)
    assert moves(before, assign(outer)) == {(i, o) for i in "xy" for o in "ab"}
    inner.set_up("x", True)
    inner.set_up("y", True)
    assert assign(outer, exclude=["y"]) == {
        key: "x" if target == "y" else target for key, target in before.items()
    }
    assert sum(outer.counts.values()) == 4 * len(KEYS)


def test_random_selectors_give_the_same_targets_in_both_implementations() -> None:
    roll = random.Random(5)  # noqa: S311 - reproducible
    for _ in range(60):
        names = roll.sample([*range(6), "é", "", b"\0", ("t", 1), -(2**70)], roll.randint(1, 9))
        weights = {name: roll.choice([0, 1, 3, 1000, 2**31 - 1]) for name in names}
        weights[names[0]] = 1
        compiled, reference = Selector(weights), ReferenceSelector(weights)
        for selector in (compiled, reference):
            selector.set_up(names[-1], len(names) == 1)
        keys: list[Any] = [
            roll.choice([number, str(number), (number, b"x")]) for number in range(40)
        ]
        exclude = names[1:2]
        assert [compiled.pick(key=k, exclude=exclude) for k in keys] == [
            reference.pick(key=k, exclude=exclude) for k in keys
        ]
        assert compiled.counts == reference.counts


@pytest.mark.parametrize("key", [1.5, [1], {"a": 1}, ("a", 1.5), object(), ("a", [1])])
def test_a_key_of_another_type_is_refused(make_selector: Any, key: Any) -> None:
    selector = make_selector({"a": 1})
    with pytest.raises(TypeError, match="a pick by key needs a key and targets that are strings"):
        selector.pick(key=key)
    assert selector.counts == {"a": 0}


def test_a_target_of_another_type_is_refused_with_a_key_only(make_selector: Any) -> None:
    selector = make_selector([("a", 1), (frozenset("b"), 1)])
    with pytest.raises(TypeError, match="got frozenset"):
        selector.pick(key=1)
    assert set(selector.pick_many(2)) == {"a", frozenset("b")}
    selector.remove(frozenset("b"))
    assert selector.pick(key=1) == "a"


def test_without_an_eligible_target_a_keyed_pick_fails_as_any_other(make_selector: Any) -> None:
    selector = make_selector({"a": 1, "b": 1})
    with pytest.raises(NoEligibleTarget, match="all 2 targets are excluded"):
        selector.pick(key=1, exclude=["a", "b"])
    selector.set_up("a", False)
    selector.set_up("b", False)
    with pytest.raises(NoEligibleTarget, match="all 2 targets are down"):
        selector.pick(key=1)
    with pytest.raises(NoEligibleTarget):
        make_selector().pick(key=1)
    assert selector.counts == {"a": 0, "b": 0}
