"""Both selectors by example: picks, changes, and refusals."""

from __future__ import annotations

import doctest
import gc
import pickle
import threading
import weakref
from collections import Counter
from typing import Any

import pytest
from tests import profiles

from uplinks import _wrr, balance
from uplinks.errors import (
    DuplicateTarget,
    InvalidScheduler,
    InvalidWeight,
    NoEligibleTarget,
    SelectorCycle,
    UnknownTarget,
    UplinksError,
)


def take(selector: Any, k: int) -> list[Any]:
    return [selector.pick() for _ in range(k)]


def test_the_selector_is_the_compiled_one() -> None:
    assert balance.IMPLEMENTATION == "compiled"
    assert issubclass(balance.Selector, _wrr.Selector)
    assert balance.Selector.pick is _wrr.Selector.pick
    assert balance.Selector.__next__ is _wrr.Selector.__next__


@pytest.mark.parametrize("name", ["pick", "pick_many", "pick_into"])
def test_the_examples_of_the_compiled_methods(name: str) -> None:
    (test,) = doctest.DocTestFinder().find(getattr(_wrr.Selector, name), name, globs={})

    assert doctest.DocTestRunner().run(test) == doctest.TestResults(0, len(test.examples))
    assert test.examples


# -- picks --------------------------------------------------------------------


def test_ninety_to_ten_through_a_failure(make_selector: Any) -> None:
    selector = make_selector([("child-1", 90), ("child-2", 10)])

    assert Counter(take(selector, 100)) == {"child-1": 90, "child-2": 10}
    assert Counter(take(selector, 100)) == {"child-1": 90, "child-2": 10}
    selector.set_up("child-1", False)
    assert Counter(take(selector, 137)) == {"child-2": 137}
    selector.set_up("child-1", True)
    for _ in range(3):
        assert Counter(take(selector, 100)) == {"child-1": 90, "child-2": 10}


def test_the_order_of_five_one_one(make_selector: Any) -> None:
    assert "".join(take(make_selector([("a", 5), ("b", 1), ("c", 1)]), 14)) == "aabaaca" * 2


def test_equal_weights_take_turns_in_the_order_of_insertion(make_selector: Any) -> None:
    assert "".join(take(make_selector([(c, 7) for c in "badc"]), 8)) == "badcbadc"


def test_iteration_picks(make_selector: Any) -> None:
    selector = make_selector([("a", 2), ("b", 1)])

    assert iter(selector) is selector
    assert [next(selector) for _ in range(3)] == ["a", "b", "a"]


def test_start_is_a_place_in_the_period(make_selector: Any) -> None:
    targets = [("a", 5), ("b", 1), ("c", 1)]
    period = "aabaaca"

    for start in (-15, -1, 0, 1, 6, 7, 10**30):
        offset = start % 7
        assert "".join(take(make_selector(targets, start=start), 7)) == (
            period[offset:] + period[:offset]
        )


def test_a_start_at_which_two_windows_close(make_selector: Any) -> None:
    """One of the two jobs is picked by then, and the other one by the first pick."""
    selector = make_selector({"light": 1, "heavy": 2**31 - 1}, start=2**30)

    assert selector.pick_many(3) == ["heavy"] * 3
    selector._check()


def test_weight_zero_is_never_picked(make_selector: Any) -> None:
    selector = make_selector([("a", 0), ("b", 3), ("c", 0)])

    assert set(take(selector, 50)) == {"b"}
    selector.set_weight("a", 3)
    assert Counter(take(selector, 50)) == {"a": 25, "b": 25}


def test_failover_takes_the_first_that_is_up(make_selector: Any) -> None:
    selector = make_selector([("main", 1), ("spare", 1), ("last", 1)], scheduler="failover")

    assert take(selector, 2) == ["main", "main"]
    selector.set_up("main", False)
    assert take(selector, 2) == ["spare", "spare"]
    selector.set_up("spare", False)
    assert take(selector, 2) == ["last", "last"]
    selector.set_up("main", True)
    assert take(selector, 2) == ["main", "main"]


def test_many_targets_grow_and_shrink(make_selector: Any) -> None:
    n = 70
    selector = make_selector()
    for i in range(n):
        selector.add(i, 1 + i % 3)
    for i in range(0, n, 2):
        selector.remove(i)
    for i in range(0, n, 4):
        selector.add(i, 2)

    weights = {t: w for t, w, _ in selector.rows()}
    assert Counter(take(selector, selector.period())) == weights


def test_a_target_at_the_largest_weight_beside_the_smallest(make_selector: Any) -> None:
    heavy = 2**31 - 1
    selector = make_selector([("heavy", heavy), ("light", 1)])

    assert selector.period() == 2**31
    assert take(selector, 1000) == ["heavy"] * 1000
    selector.set_weight("heavy", 1)
    assert Counter(take(selector, 2)) == {"heavy": 1, "light": 1}


# -- nesting ------------------------------------------------------------------


def test_a_pick_descends(make_selector: Any) -> None:
    eu = make_selector([("eu-1", 1), ("eu-2", 1)])
    us = make_selector([("us-1", 1)])
    top = make_selector([(eu, 1), (us, 1)])

    assert Counter(take(top, 8)) == {"eu-1": 2, "eu-2": 2, "us-1": 4}


def test_health_passes_upward_through_any_depth(make_selector: Any) -> None:
    leaf = make_selector([("x", 1)])
    node = leaf
    # Both are deeper than the interpreter recurses.
    for _ in range(1500 if profiles.NAME == "default" else 3000):
        node = make_selector([(node, 1)])
    top = make_selector([(node, 1), ("y", 1)])

    assert Counter(take(top, 4)) == {"x": 2, "y": 2}
    leaf.set_up("x", False)
    assert take(top, 3) == ["y"] * 3
    leaf.set_up("x", True)
    assert Counter(take(top, 4)) == {"x": 2, "y": 2}


def test_a_nested_selector_that_is_empty_is_not_eligible(make_selector: Any) -> None:
    empty = make_selector()
    top = make_selector([(empty, 5), ("y", 1)])

    assert take(top, 3) == ["y"] * 3
    empty.add("x", 1)
    assert Counter(take(top, 6)) == {"x": 5, "y": 1}
    top.set_up(empty, False)
    assert take(top, 3) == ["y"] * 3


def test_a_selector_shared_by_two_notifies_both(make_selector: Any) -> None:
    shared = make_selector([("x", 1)])
    one = make_selector([(shared, 1), ("1", 1)])
    two = make_selector([(shared, 1), ("2", 1)])
    shared.set_up("x", False)

    assert (take(one, 2), take(two, 2)) == (["1", "1"], ["2", "2"])
    one.remove(shared)
    shared.set_up("x", True)
    assert (take(one, 2), Counter(take(two, 2))) == (["1", "1"], {"x": 1, "2": 1})


def test_cycles_are_refused(make_selector: Any) -> None:
    a, b, c = make_selector(), make_selector(), make_selector()
    a.add(b)
    b.add(c)
    for inner in (a, b, c):
        with pytest.raises(SelectorCycle):
            c.add(inner)
    assert len(c) == 0


# -- what is refused ----------------------------------------------------------


@pytest.mark.parametrize("weight", [-1, 2**31, 1.0, "5", True, None, 10**40])
def test_bad_weights_change_nothing(make_selector: Any, weight: Any) -> None:
    selector = make_selector([("a", 1)])
    with pytest.raises(InvalidWeight) as caught:
        selector.add("b", weight)
    assert caught.value.got is weight
    with pytest.raises(InvalidWeight):
        selector.set_weight("a", weight)
    with pytest.raises(InvalidWeight):
        make_selector([("a", weight)])

    assert selector.rows() == [("a", 1, True)]


def test_unknown_duplicate_and_unhashable_targets(make_selector: Any) -> None:
    selector = make_selector([("a", 1)])
    attempts: tuple[Any, ...] = (
        lambda: selector.remove("b"),
        lambda: selector.set_up("b", True),
        lambda: selector.set_weight("b", 1),
    )
    for refused in attempts:
        with pytest.raises(UnknownTarget):
            refused()
    with pytest.raises(DuplicateTarget):
        selector.add("a", 2)
    with pytest.raises(TypeError):
        selector.add([], 2)

    assert selector.rows() == [("a", 1, True)]
    assert ("a" in selector, "b" in selector, len(selector)) == (True, False, 1)


PAIRS = r"targets must be pairs of a target and its weight, as in Selector\(\[\('a', 1\), .*, got "
EITHER = (
    "targets must be a mapping of targets to weights, or pairs of a target and its weight, got "
)


@pytest.mark.parametrize(
    ("targets", "message"),
    [
        (["a", "b"], f"{PAIRS}'a'"),
        (["ab"], f"{PAIRS}'ab'"),
        ([("a", 1), "b"], f"{PAIRS}'b'"),
        ([("a", 1, 2)], rf"{PAIRS}\('a', 1, 2\)"),
        ([None], f"{PAIRS}None"),
        ("abc", f"{EITHER}'abc'"),
        (5, f"{EITHER}5"),
        (None, f"{EITHER}None"),
    ],
)
def test_targets_of_another_shape(make_selector: Any, targets: Any, message: str) -> None:
    with pytest.raises(TypeError, match=f"^{message}$"):
        make_selector(targets)


def test_a_selector_is_a_target_and_no_collection_of_targets(make_selector: Any) -> None:
    inner = make_selector([("a", 1), ("b", 1)])

    for targets in (inner, [inner]):
        with pytest.raises(TypeError, match=r"^targets must be .*2 targets, 2 up>$"):
            make_selector(targets)
    assert inner.pick() == "a"


def test_new_weights_are_a_mapping(make_selector: Any) -> None:
    selector = make_selector([("a", 1)])
    for weights in (["a"], [("a", 2)], "a", None):
        with pytest.raises(TypeError, match=r"^weights must be a mapping of targets to weights"):
            selector.update(weights)

    assert selector.rows() == [("a", 1, True)]


def test_a_start_is_an_integer(make_selector: Any) -> None:
    for start in (1.5, "1", None):
        with pytest.raises(TypeError, match=f"^start must be an integer, got {start!r}$"):
            make_selector([("a", 1)], start=start)


def test_an_unknown_scheduler(make_selector: Any) -> None:
    for name in ("fare", None, 3):
        with pytest.raises(
            InvalidScheduler, match="use 'fair', 'failover', 'random', 'edf', 'smooth'"
        ):
            make_selector([("a", 1)], scheduler=name)


@pytest.mark.parametrize(
    ("targets", "down", "why"),
    [
        ([], [], "there are no targets"),
        ([("a", 0), ("b", 0)], [], "all 2 targets have weight 0"),
        ([("a", 1), ("b", 2)], ["a", "b"], "all 2 targets are down"),
        ([("a", 0), ("b", 2), ("c", 1)], ["b", "c"], "of 3 targets, 1 has weight 0 and 2 are down"),
    ],
)
def test_nothing_eligible_says_why(make_selector: Any, targets: Any, down: Any, why: str) -> None:
    selector = make_selector(targets)
    for target in down:
        selector.set_up(target, False)

    assert not selector.eligible
    for pick in (selector.pick, selector.__next__):
        with pytest.raises(NoEligibleTarget, match=f"^no eligible target: {why}$"):
            pick()
    selector.add("z", 1)
    assert selector.pick() == "z"


def test_a_failed_pick_describes_the_innermost_selector_it_reached(make_selector: Any) -> None:
    inner = make_selector([("x", 1)])
    top = make_selector([(inner, 1)])
    inner.set_up("x", False)

    with pytest.raises(NoEligibleTarget, match="the only target is down"):
        top.pick()


def test_every_failure_pickles() -> None:
    for error in (
        NoEligibleTarget(3, 1, 2),
        UnknownTarget("a"),
        DuplicateTarget("a"),
        InvalidWeight(-1),
        InvalidScheduler("x", "y"),
        SelectorCycle(),
    ):
        again = pickle.loads(pickle.dumps(error))  # noqa: S301 - our own bytes
        assert (type(again), str(again)) == (type(error), str(error))
        assert isinstance(error, UplinksError)


# -- views, memory, threads ---------------------------------------------------


def test_views_are_copies_and_read_only(make_selector: Any) -> None:
    selector = make_selector([("a", 1), ("b", 0)])
    weights, states = selector.weights, selector.states
    selector.set_weight("a", 5)
    selector.set_up("b", False)

    assert (dict(weights), dict(states)) == ({"a": 1, "b": 0}, {"a": True, "b": True})
    assert dict(selector.weights) == {"a": 5, "b": 0}
    assert dict(selector.states) == {"a": True, "b": False}
    with pytest.raises(TypeError):
        selector.weights["a"] = 3
    assert repr(selector).endswith("Selector: 2 targets, 1 up>")


def test_a_selector_inside_a_cycle_is_collected(make_selector: Any) -> None:
    class Holder:
        pass

    holder: Any = Holder()
    holder.selector = make_selector([(holder, 1)])
    holder.outer = make_selector([(holder.selector, 1)])
    gone = weakref.ref(holder.selector)
    del holder
    gc.collect()

    assert gone() is None


def test_an_outer_selector_is_not_kept_alive_by_what_it_holds(make_selector: Any) -> None:
    inner = make_selector([("x", 1)])
    outer = make_selector([(inner, 1)])
    gone = weakref.ref(outer)
    del outer
    gc.collect()

    assert gone() is None
    inner.set_up("x", False)
    inner.set_up("x", True)
    assert inner.pick() == "x"


class Intruder:
    """A target whose equality and end call back into its selector."""

    def __init__(self, name: str, act: Any) -> None:
        self.name = name
        self.act = act

    def __hash__(self) -> int:
        return 7

    def __eq__(self, other: object) -> bool:
        self.act()
        return isinstance(other, Intruder) and self.name == other.name

    def __del__(self) -> None:
        self.act()


def test_targets_that_call_back_corrupt_nothing(make_selector: Any) -> None:
    selector = make_selector([("plain", 1)])
    inside = False

    def act() -> None:
        nonlocal inside
        if inside:
            return
        inside = True
        try:
            selector.pick()
            selector.set_weight("plain", 1 + selector.period() % 5)
            if "extra" in selector:
                selector.remove("extra")
            else:
                selector.add("extra", 2)
        finally:
            inside = False

    for round_ in range(40):
        target = Intruder(f"t{round_ % 3}", act)
        try:
            selector.add(target, 1)
            selector.set_up(Intruder(f"t{round_ % 3}", act), round_ % 2 == 0)
        except DuplicateTarget:
            selector.remove(target)
        del target
    for target, _, _ in selector.rows():
        if isinstance(target, Intruder):
            target.act = lambda: None

    eligible = {t: w for t, w, up in selector.rows() if up}
    k = selector.period()
    unit = sum(eligible.values()) // k
    assert Counter(take(selector, k)) == {t: w // unit for t, w in eligible.items()}


def test_picks_of_many_threads_add_up() -> None:
    selector = balance.Selector([("a", 3), ("b", 2), ("c", 1)])
    found: list[Counter[str]] = []

    def work() -> None:
        found.append(Counter(take(selector, 6000)))

    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert sum(found, Counter()) == {"a": 24000, "b": 16000, "c": 8000}
