"""Schedulers written in Python: the orders that come with the package, and the protocol."""

from __future__ import annotations

import random
import sys
from collections import Counter
from collections.abc import Callable
from fractions import Fraction
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from uplinks import schedulers
from uplinks.errors import InvalidScheduler, NoEligibleTarget
from uplinks.schedulers import Edf, Scheduler, Smooth

weights = st.lists(st.integers(1, 40), min_size=1, max_size=8)
steps = st.lists(
    st.tuples(
        st.integers(0, 5), st.sampled_from([0, 0, 1, 2, 7, 40, 2**31 - 1]), st.integers(0, 9)
    ),
    max_size=25,
)


def picks(scheduler: Scheduler, k: int) -> list[int]:
    return [scheduler.next_index() for _ in range(k)]


def loaded(scheduler: Any, some: list[int]) -> Any:
    for i, weight in enumerate(some):
        scheduler.set_weight(i, weight)
    return scheduler


# -- edf ---------------------------------------------------------------------------


class ExactEdf:
    """Earliest deadline first in fractions."""

    def __init__(self) -> None:
        self.now = Fraction(0)
        self.deadline: dict[int, Fraction] = {}
        self.weight: dict[int, int] = {}

    def set_weight(self, index: int, weight: int) -> None:
        left = Fraction(1)
        if index in self.deadline:
            left = (self.deadline.pop(index) - self.now) * self.weight[index]
        self.weight[index] = weight
        if weight:
            self.deadline[index] = self.now + left / weight

    def next_index(self) -> int:
        return self.follow(min(self.deadline, key=lambda i: (self.deadline[i], i)))

    def follow(self, index: int) -> int:
        """Pick an index, whether or not it is the first."""
        self.now = self.deadline[index]
        self.deadline[index] += Fraction(1, self.weight[index])
        return index


@given(some=weights)
def test_edf_is_exact_from_a_fresh_start(some: list[int]) -> None:
    assert picks(loaded(Edf(), some), 300) == picks(loaded(ExactEdf(), some), 300)


@given(some=st.lists(st.sampled_from([1, 2, 2**30, 2**31 - 2, 2**31 - 1]), min_size=2, max_size=6))
def test_edf_is_exact_with_the_largest_weights(some: list[int]) -> None:
    assert picks(loaded(Edf(), some), 300) == picks(loaded(ExactEdf(), some), 300)


@given(some=weights, churn=steps)
def test_edf_takes_the_earliest_deadline_through_changes(some: list[int], churn: Any) -> None:
    """A change rounds one deadline by less than a unit of 2**-62; nothing else is rounded."""
    edf, exact = loaded(Edf(), some), loaded(ExactEdf(), some)
    for changes, (index, weight, k) in enumerate(churn, 1):
        for scheduler in (edf, exact):
            scheduler.set_weight(index, weight)
        for _ in range(k if exact.deadline else 0):
            picked = edf.next_index()
            earliest = min(exact.deadline.values())
            assert exact.deadline[picked] - earliest <= Fraction(40 * changes, 2**62)
            exact.follow(picked)


def test_edf_scales_what_is_left_when_a_weight_changes() -> None:
    edf = loaded(Edf(), [1, 1])
    assert picks(edf, 2) == [0, 1]  # both have their next deadline at 2, and it is 1
    edf.set_weight(1, 4)  # a quarter of the way is left: 1.25, 1.5, 1.75, 2

    assert picks(edf, 8) == [1, 1, 1, 0, 1, 1, 1, 1]


def test_edf_forgets_what_changes_without_picks_leave_behind() -> None:
    edf = loaded(Edf(), [3, 1, 1])
    for k in range(1000):
        edf.set_weight(1 + k % 2, 0)
        edf.set_weight(1 + k % 2, 1)

    assert len(edf._heap) <= 14
    assert Counter(picks(edf, 5)) == {0: 3, 1: 1, 2: 1}


def test_edf_lets_an_index_that_comes_back_begin_anew() -> None:
    edf = loaded(Edf(), [4, 1])
    assert picks(edf, 3) == [0, 0, 0]
    edf.set_weight(1, 0)
    assert picks(edf, 4) == [0] * 4  # the last deadline is 7/4
    edf.set_weight(1, 1)  # due at 11/4

    assert picks(edf, 5) == [0, 0, 0, 0, 1]


@pytest.mark.parametrize("make", [Edf, Smooth])
def test_an_index_that_comes_and_goes_without_a_pick_is_picked_once_each_time_it_is_due(
    make: Any,
) -> None:
    scheduler = loaded(make(), [1, 1])
    for _ in range(50):
        scheduler.set_weight(1, 0)
        scheduler.set_weight(1, 1)

    assert picks(scheduler, 6) == [0, 1] * 3


# -- smooth ------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("some", "order"),
    [
        # As nginx documents it, and as it answers on loopback: see docs/selector.md.
        ([5, 1, 1], "aabacaa"),
        ([90, 10], "aaaaabaaaa"),
        ([7, 5, 3, 1], "abcabadabcabacba"),
        ([1, 1, 1], "abc"),
    ],
)
def test_smooth_is_the_order_of_nginx(some: list[int], order: str) -> None:
    scheduler = loaded(Smooth(), some)

    for _ in range(3):
        assert "".join("abcd"[i] for i in picks(scheduler, len(order))) == order


@given(some=weights, churn=steps)
def test_smooth_keeps_the_sum_of_all_credit_at_zero(some: list[int], churn: Any) -> None:
    smooth = loaded(Smooth(), some)
    for index, weight, k in churn:
        smooth.set_weight(index, weight)
        eligible = smooth._weight
        for _ in range(k if eligible else 0):
            before = dict(smooth._credit)
            picked = smooth.next_index()
            gained = {i: before[i] + eligible[i] for i in eligible}
            assert picked == min(gained, key=lambda i: (-gained[i], i))
            assert smooth._credit[picked] == gained[picked] - sum(eligible.values())
        assert sum(smooth._credit.values()) == 0


@pytest.mark.parametrize("make", [Edf, Smooth])
@given(some=weights)
def test_every_period_is_exact(make: Any, some: list[int]) -> None:
    scheduler = loaded(make(), some)

    for _ in range(3):
        assert Counter(picks(scheduler, sum(some))) == dict(enumerate(some))


# -- the protocol ----------------------------------------------------------------------


class Recorder:
    """A scheduler that takes turns and records its calls."""

    def __init__(self) -> None:
        self.calls: list[tuple[Any, ...]] = []
        self.weights: dict[int, int] = {}
        self.on_weight: Callable[[int, int], object] | None = None
        self.on_pick: Callable[[], object] | None = None
        self.turn = 0

    def set_weight(self, index: int, weight: int) -> None:
        self.calls.append((index, weight))
        self.weights[index] = weight
        act, self.on_weight = self.on_weight, None
        if act is not None:
            act(index, weight)

    def next_index(self) -> int:
        act, self.on_pick = self.on_pick, None
        if act is not None:
            act()
        eligible = [i for i in sorted(self.weights) if self.weights[i]]
        self.turn += 1
        return eligible[self.turn % len(eligible)]

    def taken(self) -> list[tuple[Any, ...]]:
        """Return the calls since the last time."""
        calls, self.calls = self.calls, []
        return calls


class Listener(Recorder):
    """One that also learns from requests."""

    def ended(self, index: int, ok: Any, nanoseconds: Any) -> None:
        self.calls.append(("ended", index, ok, nanoseconds))


@pytest.mark.parametrize("made", [Edf(), Smooth(), Recorder(), Listener()])
def test_the_protocol_can_be_checked_at_run_time(made: Any) -> None:
    assert isinstance(made, Scheduler)
    assert not isinstance(object(), Scheduler)


def test_an_object_without_the_methods_is_refused(make_selector: Any) -> None:
    for wrong in (object(), Scheduler, [], type("Half", (), {"next_index": lambda _: 0})()):
        if wrong is Scheduler:
            continue  # a class has the methods, as functions
        with pytest.raises(InvalidScheduler, match="an object with set_weight and next_index"):
            make_selector([("a", 1)], scheduler=wrong)


def test_each_changed_weight_arrives_once_and_before_the_next_pick(make_selector: Any) -> None:
    order = Recorder()
    selector = make_selector([("a", 5), ("b", 0)], scheduler=order)
    assert order.taken() == [(0, 5)]  # weight 0 is where each index begins
    selector.set_weight("a", 5)
    selector.set_up("b", False)
    selector.set_up("a", True)
    assert order.taken() == []  # no share has changed
    selector.set_up("a", False)
    assert order.taken() == [(0, 0)]
    selector.set_weight("a", 7)
    assert order.taken() == []
    selector.set_up("a", True)
    assert order.taken() == [(0, 7)]
    selector.set_up("b", True)
    selector.set_weight("b", 3)
    assert order.taken() == [(1, 3)]
    selector.update({"b": 4, "a": 8})
    assert sorted(order.taken()) == [(0, 8), (1, 4)]
    selector.replace("a", "A")
    assert order.taken() == []
    selector.remove("b")
    assert order.taken() == [(1, 0)]
    selector.add("c", 2)
    assert order.taken() == [(1, 2)]


def test_weights_arrive_in_order_of_index(make_selector: Any) -> None:
    order = Recorder()
    selector = make_selector({f"t{i}": 1 for i in range(6)}, scheduler=order)
    order.taken()
    selector.update({f"t{i}": 2 + i for i in (3, 0, 5, 1, 4, 2)})

    assert order.taken() == [(i, 2 + i) for i in range(6)]


def test_an_excluded_target_is_given_back_its_weight(make_selector: Any) -> None:
    order = Recorder()
    selector = make_selector([("a", 5), ("b", 2)], scheduler=order)
    order.taken()

    assert [selector.pick(exclude=["a"]) for _ in range(3)] == ["b"] * 3
    assert order.taken() == [(0, 0), (0, 5)] * 3
    with pytest.raises(NoEligibleTarget, match="all 2 targets are excluded"):
        selector.pick(exclude=["a", "b"])
    assert order.weights == {0: 5, 1: 2}
    assert {selector.pick() for _ in range(4)} == {"a", "b"}


def test_a_pick_by_key_does_not_use_the_order(make_selector: Any) -> None:
    order = Recorder()
    order.on_pick = lambda: pytest.fail("next_index was called")
    selector = make_selector([("a", 5), ("b", 2)], scheduler=order)

    found = Counter(selector.pick(key=k) for k in range(70))
    assert found == dict(selector.counts)
    assert found["a"] > found["b"] > 0


def test_weights_arrive_after_the_whole_change(make_selector: Any) -> None:
    """A scheduler sees the selector as it is after the change, at any depth."""
    inner_order, top_order = Recorder(), Recorder()
    inner = make_selector([("x", 1)], scheduler=inner_order)
    top = make_selector([("y", 4), (inner, 3)], scheduler=top_order)
    inner_order.taken(), top_order.taken()
    seen: list[Any] = []
    look = lambda *_: seen.append((inner.rows(), inner.eligible, top.states[inner]))  # noqa: E731
    inner_order.on_weight = top_order.on_weight = look
    inner.set_up("x", False)

    assert seen == [([("x", 1, False)], False, True)] * 2
    assert (inner_order.taken(), top_order.taken()) == ([(0, 0)], [(1, 0)])
    assert top.pick_many(3) == ["y"] * 3
    inner.set_up("x", True)
    assert (inner_order.taken(), top_order.taken()) == ([(0, 1)], [(1, 3)])
    top._check()


class Own(Exception):
    """Raised by a scheduler of the tests."""


def refuse(*_: Any) -> None:
    raise Own


@pytest.mark.parametrize(
    ("act", "rows"),
    [
        (lambda s: s.set_weight("a", 4), [("a", 4, True), ("b", 1, True)]),
        (lambda s: s.set_up("a", False), [("a", 5, False), ("b", 1, True)]),
        (lambda s: s.update({"a": 2, "b": 3}), [("a", 2, True), ("b", 3, True)]),
        (lambda s: s.add("c", 7), [("a", 5, True), ("b", 1, True), ("c", 7, True)]),
        (lambda s: s.remove("a"), [("b", 1, True)]),
    ],
)
def test_what_set_weight_raises_is_raised_by_the_change_and_the_change_stands(
    make_selector: Any, act: Any, rows: Any
) -> None:
    order = Recorder()
    selector = make_selector([("a", 5), ("b", 1)], scheduler=order)
    order.on_weight = refuse

    with pytest.raises(Own):
        act(selector)
    assert selector.rows() == rows
    selector._check()
    # What has not arrived yet arrives before the next pick.
    index = {target: i for i, target in enumerate(selector.targets)}
    picked = set(selector.pick_many(20))
    assert picked == {target for target, weight, up in rows if up and weight}
    assert {i: w for i, w in order.weights.items() if w} == {
        index[target]: weight for target, weight, up in rows if up and weight
    }
    selector._check()


def test_what_a_scheduler_raises_in_a_pick_is_raised_by_the_pick(make_selector: Any) -> None:
    order = Recorder()
    selector = make_selector([("a", 5), ("b", 1)], scheduler=order)
    top = make_selector([(selector, 1)])
    for pick in (selector.pick, top.pick, lambda: top.pick(exclude=["b"]), top.__next__):
        order.on_pick = refuse
        before = dict(selector.counts)
        with pytest.raises(Own):
            pick()
        assert dict(selector.counts) == before
        assert dict(selector.states) == {"a": True, "b": True}
        top._check()
    assert set(top.pick_many(4)) == {"a", "b"}


# -- ended --------------------------------------------------------------------------------


def test_ended_reaches_each_scheduler_that_holds_the_target_at_any_depth(
    make_selector: Any,
) -> None:
    shared, left, top = Listener(), Listener(), Listener()
    deaf = Recorder()
    leaf = make_selector([("x", 1), ("y", 1)], scheduler=shared)
    one = make_selector([("y", 1), (leaf, 1)], scheduler=left)
    two = make_selector([("y", 1), (leaf, 1)], scheduler=deaf)
    fair = make_selector([(one, 1), (two, 1)])
    outer = make_selector([("z", 1), (fair, 1), ("y", 1)], scheduler=top)
    for order in (shared, left, top, deaf):
        order.taken()

    outer.ended("y", True, 5_000)

    assert shared.taken() == [("ended", 1, True, 5_000)]  # once, although two selectors hold it
    assert left.taken() == [("ended", 0, True, 5_000)]
    assert top.taken() == [("ended", 2, True, 5_000)]
    outer.ended("x", False, 7)
    assert (shared.taken(), left.taken(), top.taken()) == ([("ended", 0, False, 7)], [], [])
    one.ended("z", True, 7)
    assert (shared.taken(), left.taken(), top.taken()) == ([], [], [])
    assert deaf.taken() == []


def test_ended_ignores_targets_that_are_gone_and_orders_that_do_not_listen(
    make_selector: Any,
) -> None:
    order = Listener()
    selector = make_selector([("a", 1), ("b", 1)], scheduler=order)
    selector.remove("a")
    order.taken()
    for gone in ("a", "never", 7, None):
        selector.ended(gone, True, 1)
    assert order.taken() == []
    selector.replace("b", "B")
    selector.ended("b", True, 1)
    selector.ended("B", True, 1)
    assert order.taken() == [("ended", 1, True, 1)]
    for name in ("fair", "failover", "random", "edf", "smooth"):
        make_selector([("a", 1)], scheduler=name, rng=1).ended("a", True, 1)


def test_ended_passes_plain_values(make_selector: Any) -> None:
    order = Listener()
    selector = make_selector([("a", 1)], scheduler=order)
    order.taken()
    selector.ended("a", [], True)

    [(_, index, ok, nanoseconds)] = order.taken()
    assert [index, ok, nanoseconds] == [0, False, 1]
    assert [type(each) for each in (index, ok, nanoseconds)] == [int, bool, int]
    for wrong in ("5", None, [1]):
        with pytest.raises((TypeError, ValueError)):
            selector.ended("a", True, wrong if wrong != "5" else "five")
    with pytest.raises(TypeError):
        selector.ended([], True, 1)
    assert order.taken() == []


def test_ended_raises_what_the_hook_raises_and_may_use_the_selector(make_selector: Any) -> None:
    class Reacting(Recorder):
        act: Callable[[], object] = staticmethod(refuse)

        def ended(self, index: int, ok: Any, nanoseconds: Any) -> None:
            self.act()

    order = Reacting()
    selector = make_selector([("a", 1), ("b", 1)], scheduler=order)
    with pytest.raises(Own):
        selector.ended("a", True, 1)
    order.act = lambda: (selector.set_up("a", False), selector.pick())
    selector.ended("a", False, 1)
    assert dict(selector.states) == {"a": False, "b": True}
    order.act = lambda: selector.remove("b")
    selector.ended("b", True, 1)
    assert list(selector.weights) == ["a"]
    selector._check()


# -- schedulers that use the selector -----------------------------------------------------


ACTS: dict[str, Callable[[Any], object]] = {
    "pick": lambda s: s.pick(),
    "pick by key": lambda s: s.pick(key="k"),
    "exclude": lambda s: s.pick(exclude=["b"]),
    "weigh": lambda s: s.set_weight("b", 9),
    "down": lambda s: s.set_up("b", False),
    "remove": lambda s: s.remove("b"),
    "add": lambda s: s.add("new", 3),
    "rows": lambda s: (s.rows(), s.counts, s.targets),
    "ended": lambda s: s.ended("a", True, 1),
}


@pytest.mark.parametrize("act", ACTS)
def test_a_scheduler_may_use_its_selector_in_set_weight(make_selector: Any, act: str) -> None:
    order = Recorder()
    selector = make_selector([("a", 5), ("b", 1)], scheduler=order)
    order.on_weight = lambda *_: ACTS[act](selector)
    selector.set_weight("a", 4)

    assert selector.weights["a"] == 4
    selector._check()
    eligible = {target for target, weight, up in selector.rows() if up and weight}
    assert set(selector.pick_many(12)) == eligible
    names = selector.targets
    assert {names[i]: w for i, w in order.weights.items() if w} == {
        target: weight for target, weight, up in selector.rows() if up and weight
    }


@pytest.mark.parametrize("act", ACTS)
def test_a_scheduler_may_use_its_selector_in_next_index(make_selector: Any, act: str) -> None:
    order = Recorder()
    selector = make_selector([("a", 5), ("b", 1)], scheduler=order)
    order.on_pick = lambda: ACTS[act](selector)
    picked = selector.pick()

    eligible = {target for target, weight, up in selector.rows() if up and weight}
    assert picked in eligible
    selector._check()
    assert set(selector.pick_many(12)) == eligible


@pytest.mark.parametrize("scheduler", ["edf", "smooth"])
def test_random_churn_leaves_every_period_exact_in_the_end(
    make_selector: Any, scheduler: str
) -> None:
    roll = random.Random(5)  # noqa: S311 - reproducible
    selector = make_selector({i: 1 + i for i in range(6)}, scheduler=scheduler)
    for _ in range(150):
        i = roll.randrange(6)
        selector.set_up(i, roll.random() < 0.6)
        selector.set_weight(i, roll.randrange(9))
        selector.pick_many(roll.randrange(5) if selector.eligible else 0)
    selector.update(dict.fromkeys(range(6), 2))
    for i in range(6):
        selector.set_up(i, True)
    selector._check()

    assert Counter(selector.pick_many(600)).keys() == set(range(6))
    picked = Counter(selector.pick_many(600))
    assert all(abs(picked[i] - 100) <= 6 for i in range(6))


# -- signal handlers ---------------------------------------------------------------


def interrupt(handler: Callable[[], None], step: int) -> Callable[..., Any]:
    """Return a trace function that calls a handler before one step of the schedulers' bytecode."""
    left = step

    def trace(frame: Any, event: str, _: Any) -> Any:
        nonlocal left
        if frame.f_code.co_filename != schedulers.__file__:
            return None
        frame.f_trace_opcodes = True
        left -= event == "opcode"
        if left == 0:
            left = -1
            handler()
        return trace

    return trace


@pytest.mark.parametrize("scheduler", ["edf", "smooth"])
@pytest.mark.parametrize("targets", [1, 3])
@pytest.mark.parametrize("change", ["pick", "flap", "weigh"])
def test_a_signal_handler_may_use_the_selector_at_any_step(
    make_selector: Any, scheduler: str, targets: int, change: str
) -> None:
    for step in range(1, 400):
        selector = make_selector([(i, i + 1) for i in range(targets)], scheduler=scheduler)
        selector.pick_many(2)
        handled: list[int] = []

        def handler(selector: Any = selector, handled: list[int] = handled) -> None:
            if change == "flap":
                selector.set_up(0, False)
                selector.set_up(0, True)
            elif change == "weigh":
                selector.update(dict.fromkeys(range(targets), 2))
            handled.append(selector.pick())

        before = sys.gettrace()
        sys.settrace(interrupt(handler, step))
        try:
            selector.set_weight(0, 3)
            picked = selector.pick_many(3)
        finally:
            sys.settrace(before)
        selector._check()
        assert sum(selector.counts.values()) == 5 + len(handled)
        period = selector.pick_many(6 * selector_total(selector))
        assert Counter(period[-selector_total(selector) :]) == dict(selector.weights), (
            step,
            picked,
        )
        if not handled:
            break
    else:
        pytest.fail("there are more steps")


def selector_total(selector: Any) -> int:
    return sum(selector.weights.values())
