"""The orders of a selector: what each gives, and what a broken one cannot do."""

from __future__ import annotations

import copy
import random
from array import array
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import pytest

from uplinks.balance import ReferenceSelector, Selector
from uplinks.errors import InvalidScheduler, NoEligibleTarget, UnknownTarget

FIVE_ONE_ONE = [("a", 5), ("b", 1), ("c", 1)]


def text(selector: Any, k: int) -> str:
    return "".join(selector.pick_many(k))


# -- orders that repeat --------------------------------------------------------


@pytest.mark.parametrize(
    ("scheduler", "period"),
    [("fair", "aabaaca"), ("edf", "aaaaabc"), ("smooth", "aabacaa"), ("failover", "a")],
)
def test_the_order_of_five_one_one(make_selector: Any, scheduler: str, period: str) -> None:
    selector = make_selector(FIVE_ONE_ONE, scheduler=scheduler)

    assert text(selector, 4 * len(period)) == 4 * period
    assert selector.period() == len(period)
    for start in range(-1, 2 * len(period)):
        offset = start % len(period)
        moved = make_selector(FIVE_ONE_ONE, scheduler=scheduler, start=start)
        assert text(moved, len(period)) == period[offset:] + period[:offset]


@pytest.mark.parametrize("scheduler", ["edf", "smooth"])
@pytest.mark.parametrize("weights", [[7, 5, 3, 1], [90, 10], [4, 4, 4], [6, 0, 4], [1] * 300])
def test_every_period_is_exact(make_selector: Any, scheduler: str, weights: list[int]) -> None:
    selector = make_selector(list(enumerate(weights)), scheduler=scheduler)
    shares = {i: w * selector.period() // sum(weights) for i, w in enumerate(weights) if w}

    for _ in range(3):
        assert Counter(selector.pick_many(selector.period())) == shares


def test_smooth_is_nginx_order_through_changes(make_selector: Any) -> None:
    weights = [5, 3, 1, 9]
    selector = make_selector(list(enumerate(weights)), scheduler="smooth")
    credit, up = [0] * 4, [True] * 4

    def expected() -> int:
        members = [i for i in range(4) if up[i] and weights[i]]
        for i in members:
            credit[i] += weights[i]
        best = max(members, key=lambda i: (credit[i], -i))
        credit[best] -= sum(weights[i] for i in members)
        return best

    for step in range(60):
        assert [selector.pick() for _ in range(5)] == [expected() for _ in range(5)]
        i = step % 4
        if step % 3:
            up[i] = not up[i] or sum(up) == 1
            selector.set_up(i, up[i])
        else:
            weights[i] = 1 + step * 7 % 11
            selector.set_weight(i, weights[i])


def test_equal_deadlines_take_turns_in_the_order_of_insertion(make_selector: Any) -> None:
    assert text(make_selector([(c, 3) for c in "badc"], scheduler="edf"), 8) == "badcbadc"


@pytest.mark.parametrize("scheduler", ["edf", "smooth"])
def test_a_far_start_is_taken_modulo_65536(scheduler: str) -> None:
    targets = [("a", 2**31 - 1), ("b", 3**19), ("c", 0), ("d", 1)]
    far, near = (Selector(targets, scheduler=scheduler, start=start) for start in (2**40 + 7, 7))

    assert far.pick_many(50) == near.pick_many(50)


@pytest.mark.parametrize("scheduler", ["fair", "edf", "smooth"])
def test_single_picks_of_hundreds_of_targets(make_selector: Any, scheduler: str) -> None:
    selector = make_selector([(i, 1) for i in range(300)], scheduler=scheduler)

    for _ in range(2):
        assert [selector.pick() for _ in range(300)] == list(range(300))


# -- chance --------------------------------------------------------------------


@pytest.mark.parametrize(
    ("weights", "down"),
    [
        ([5, 1, 1], set()),
        ([1], set()),
        ([3, 0, 2], set()),
        ([1, 2, 3, 4, 5, 6, 7], {0, 3}),
        ([100, 1, 1, 1, 1], set()),
        ([7, 7, 7], {2}),
        ([2**31 - 1, 1, 2**31 - 1], set()),
    ],
)
def test_a_random_pick_has_the_chance_of_its_share(weights: list[int], down: set[int]) -> None:
    """Among 60,000 draws from a fixed seed, each count is within five standard deviations."""
    eligible = {i: w for i, w in enumerate(weights) if w and i not in down}
    total, draws = sum(eligible.values()), 60_000
    selector = Selector(list(enumerate(weights)), scheduler="random", rng=7)
    for i in down:
        selector.set_up(i, False)

    picks = Counter(selector.pick_many(draws))

    assert picks.keys() <= eligible.keys()
    assert selector.period() == 0
    for i, weight in eligible.items():
        share = weight / total
        assert abs(picks[i] - draws * share) <= 5 * (draws * share * (1 - share)) ** 0.5
    assert dict(selector.counts) == {i: picks[i] for i in range(len(weights))}


@pytest.mark.parametrize("rng", [random.Random(5), 5, -1, 2**64 + 5])  # noqa: S311 - reproducible
def test_a_seed_gives_the_same_picks_on_both(rng: Any) -> None:
    picks = []
    for make in (Selector, ReferenceSelector):
        selector = make(
            [(i, 1 + i * i) for i in range(9)], scheduler="random", rng=copy.deepcopy(rng)
        )
        first = selector.pick_many(300)
        selector.set_up(8, False)
        selector.set_weight(0, 40)
        selector.add("new", 0)
        picks.append(first + selector.pick_many(300))

    assert picks[0] == picks[1]
    assert 8 not in picks[0][300:]
    assert "new" not in picks[0]


def test_random_needs_a_seed(make_selector: Any) -> None:
    for rng in (None, object(), 5.0, "5", True):
        with pytest.raises(InvalidScheduler, match=r"an integer or a random\.Random"):
            make_selector([("a", 1)], scheduler="random", rng=rng)


# -- orders written in Python ------------------------------------------------------


class Foreign:
    """A Python scheduler that takes turns, unless its answer is given."""

    def __init__(self) -> None:
        self.weights: dict[int, int] = {}
        self.last = -1
        self.answer: Callable[[], Any] | None = None
        self.on_weight: Callable[[int, int], None] | None = None

    def set_weight(self, index: int, weight: int) -> None:
        self.weights[index] = weight
        if self.on_weight is not None:
            act, self.on_weight = self.on_weight, None
            act(index, weight)

    def next_index(self) -> Any:
        if self.answer is not None:
            act, self.answer = self.answer, None
            return act()
        members = sorted(i for i, w in self.weights.items() if w)
        self.last = next((i for i in members if i > self.last), members[0])
        return self.last


@pytest.fixture
def foreign() -> Foreign:
    return Foreign()


def test_a_python_order_is_followed(make_selector: Any, foreign: Foreign) -> None:
    selector = make_selector([("a", 5), ("b", 1), ("c", 0)], scheduler=foreign)

    assert text(selector, 4) == "abab"
    selector.set_weight("c", 2)
    selector.set_up("a", False)
    assert foreign.weights == {0: 0, 1: 1, 2: 2}
    assert text(selector, 4) == "cbcb"
    selector.remove("b")
    assert foreign.weights == {0: 0, 1: 0, 2: 2}
    selector.add("d", 4)
    assert foreign.weights == {0: 0, 1: 4, 2: 2}
    assert (text(selector, 2), selector.period()) == ("cd", 0)
    assert dict(selector.counts) == {"a": 2, "c": 3, "d": 1}


def test_a_python_order_is_not_called_when_nothing_is_eligible(
    make_selector: Any, foreign: Foreign
) -> None:
    selector = make_selector([("a", 0)], scheduler=foreign)
    foreign.answer = lambda: pytest.fail("called")

    with pytest.raises(NoEligibleTarget):
        selector.pick()


def thrown(error: BaseException) -> Any:
    raise error


@pytest.mark.parametrize(
    ("answer", "failure"),
    [
        (lambda: 3, InvalidScheduler),
        (lambda: -1, InvalidScheduler),
        (lambda: -2, InvalidScheduler),
        (lambda: 2, InvalidScheduler),  # has weight 0
        (lambda: 1, InvalidScheduler),  # is down
        (lambda: True, InvalidScheduler),  # is 1
        (lambda: 2**31, InvalidScheduler),
        (lambda: 10**40, InvalidScheduler),
        (lambda: -(10**40), InvalidScheduler),
        (lambda: 0.0, InvalidScheduler),
        (lambda: "0", InvalidScheduler),
        (lambda: None, InvalidScheduler),
        (lambda: thrown(KeyError("own")), KeyError),
        (lambda: thrown(TypeError("own")), TypeError),
        (lambda: thrown(KeyboardInterrupt()), KeyboardInterrupt),
    ],
)
def test_an_impossible_index_is_refused_and_changes_nothing(
    make_selector: Any, foreign: Foreign, answer: Callable[[], Any], failure: Any
) -> None:
    selector = make_selector([("a", 5), ("b", 1), ("c", 0)], scheduler=foreign)
    selector.set_up("b", False)

    for ask in (selector.pick, lambda: selector.pick_many(2), selector.__next__):
        foreign.answer = answer
        with pytest.raises(failure):
            ask()
        assert selector.pick() == "a"
        selector._check()
    assert dict(selector.counts) == {"a": 3, "b": 0, "c": 0}
    foreign.answer = answer
    with pytest.raises(failure):
        selector.pick_into(array("I", bytes(8)))
    assert dict(selector.counts) == {"a": 3, "b": 0, "c": 0}


def test_an_impossible_index_is_shown(make_selector: Any, foreign: Foreign) -> None:
    selector = make_selector([("a", 5)], scheduler=foreign)
    foreign.answer = lambda: "x" * 1000

    with pytest.raises(
        InvalidScheduler, match=r"next_index\(\) must return an index .* got 'x+'… \(1000 long\)"
    ) as raised:
        selector.pick()
    assert raised.value.got is foreign


def test_an_answer_is_checked_after_its_conversion_has_run(
    make_selector: Any, foreign: Foreign
) -> None:
    selector = make_selector([("a", 5), ("b", 1)], scheduler=foreign)

    class Meddler:
        def __index__(self) -> int:
            selector.set_up("a", False)
            return 0

    foreign.answer = Meddler
    assert selector.pick() == "b"  # it was called once more
    assert text(selector, 2) == "bb"
    selector._check()


def test_a_python_order_that_takes_the_last_target_down(
    make_selector: Any, foreign: Foreign
) -> None:
    selector = make_selector([("a", 5)], scheduler=foreign)

    def answer() -> Any:
        selector.set_up("a", False)
        selector.set_up("a", True)
        foreign.answer = lambda: selector.set_up("a", False) or 0
        return 0

    foreign.answer = answer
    with pytest.raises(NoEligibleTarget):
        selector.pick_many(3)
    with pytest.raises(NoEligibleTarget):
        selector.pick_many(1)
    assert dict(selector.counts) == {"a": 1}
    selector._check()


def test_a_failure_of_set_weight_is_raised_by_the_change(
    make_selector: Any, foreign: Foreign
) -> None:
    selector = make_selector([("a", 5), ("b", 1)], scheduler=foreign)

    changes: tuple[Callable[[], object], ...] = (
        lambda: selector.set_weight("a", 4),
        lambda: selector.set_up("a", False),
        lambda: selector.update({"b": 3}),
        lambda: selector.add("c", 1),
        lambda: selector.remove("c"),
    )
    for act in changes:
        foreign.on_weight = lambda _index, _weight: thrown(KeyError("own"))
        with pytest.raises(KeyError, match="own"):
            act()
    assert selector.rows() == [("a", 4, False), ("b", 3, True)]


ACTS: dict[str, Callable[[Any], object]] = {
    "pick": lambda s: s.pick(),
    "remove the last": lambda s: s.remove(s.rows()[-1][0]),
    "remove the first": lambda s: s.remove(s.rows()[0][0]),
    "add": lambda s: s.add(f"new {len(s.targets)}", 7),
    "add many": lambda s: [s.add(f"many {k}", 1) for k in range(40)],
    "weigh": lambda s: s.set_weight(s.rows()[-1][0], 0),
    "down": lambda s: s.set_up(s.rows()[0][0], False),
    "exclude": lambda s: s.pick(exclude=[s.rows()[0][0]]),
    "update": lambda s: s.update({t: w + 1 for t, w, _ in s.rows()}),
    "replace": lambda s: s.replace(s.rows()[0][0], "replaced"),
    "count": lambda s: s.counts,
}
OUTER: dict[str, Callable[[Any], object]] = {
    "pick": lambda s: s.pick(),
    "pick_many": lambda s: s.pick_many(3),
    "exclude": lambda s: s.pick(exclude=["a", "c"]),
    "add": lambda s: s.add("d", 3),
    "remove": lambda s: s.remove("c"),
    "weigh": lambda s: s.set_weight("c", 9),
    "down": lambda s: s.set_up("c", False),
    "update": lambda s: s.update({"a": 4, "b": 5, "c": 6}),
}


@pytest.mark.parametrize("inner", ACTS)
@pytest.mark.parametrize("outer", OUTER)
def test_a_python_order_that_calls_back_corrupts_nothing(
    make_selector: Any, foreign: Foreign, outer: str, inner: str
) -> None:
    """Called for an index or with a weight, it uses the selector, which is amid an operation."""
    selector = make_selector([("a", 5), ("b", 1), ("c", 2)], scheduler=foreign)

    def act() -> None:
        foreign.answer = foreign.on_weight = None
        ACTS[inner](selector)

    def answer() -> Any:
        act()
        return foreign.next_index()

    foreign.answer = answer
    foreign.on_weight = lambda _index, _weight: act()

    with suppress(NoEligibleTarget, UnknownTarget, InvalidScheduler):
        OUTER[outer](selector)

    foreign.answer = foreign.on_weight = None
    rows = selector.rows()
    assert {t for t in selector.targets if t is not None} == {target for target, _, _ in rows}
    selector.update({target: 3 for target, _, _ in rows})
    for target, _, _ in rows:
        selector.set_up(target, True)
    assert selector.targets.count(None) == len(selector.targets) - len(rows)
    received = {selector.targets[i] for i, w in foreign.weights.items() if w}
    assert received == set(selector.weights)
    assert Counter(selector.pick_many(2 * len(rows))) == dict.fromkeys(selector.weights, 2)


def test_a_python_order_may_check_the_selector_in_a_pick_that_excludes(
    make_selector: Any, foreign: Foreign
) -> None:
    selector = make_selector([("a", 5), ("b", 1)], scheduler=foreign)

    def answer() -> int:
        selector._check()
        selector.set_up("a", False)
        selector.set_up("a", True)
        selector._check()
        assert dict(selector.weights) == {"a": 5, "b": 1}
        return 1

    foreign.answer = answer
    assert selector.pick(exclude=["a"]) == "b"
    selector._check()
    assert selector.pick() == "a"


def test_a_pick_that_excludes_within_another_one_lifts_only_its_own(
    make_selector: Any, foreign: Foreign
) -> None:
    selector = make_selector([("a", 5), ("b", 1)], scheduler=foreign)
    inner = []

    def answer() -> int:
        foreign.answer = lambda: 1
        inner.append(selector.pick(exclude=["a"]))
        return 0

    foreign.answer = answer
    with pytest.raises(InvalidScheduler):  # "a" is still excluded
        selector.pick(exclude=["a"])
    assert inner == ["b"]
    assert selector.pick() == "a"
    selector._check()


def test_a_weight_that_was_overtaken_is_set_again(make_selector: Any) -> None:
    """As when a signal handler changes a weight while the scheduler receives another one."""
    received: list[tuple[int, int]] = []

    class Interrupted:
        def set_weight(self, index: int, weight: int) -> None:
            if weight == 7:
                selector.set_weight("a", 3)
            received.append((index, weight))

        def next_index(self) -> int:
            return 0

    selector = make_selector([("a", 5)], scheduler=Interrupted())
    selector.set_weight("a", 7)
    assert received == [(0, 5), (0, 3), (0, 7), (0, 3)]
    selector._check()
