"""The compiled selector and its specification give the same answers, whatever is done to them.

After each step, half of the runs compare the counts and call `_check`, which raises unless
everything that is kept agrees. The other half does so only now and then, so that a defect
cannot hide behind what `counts` or `_check` do.
"""

from __future__ import annotations

import pickle
from array import array
from typing import Any

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from uplinks.balance import ReferenceSelector, Selector
from uplinks.errors import UplinksError

KINDS = (Selector, ReferenceSelector)
SNAPSHOT = ("fair", "failover", "random")
PICKLED = (*SNAPSHOT, "edf", "smooth", "python")

targets = st.integers(0, 8)
legal = st.sampled_from([0, 1, 2, 3, 5, 60, 1000, 2**31 - 1])
shares = st.one_of(legal, st.integers(0, 12), st.sampled_from([-1, 2**31, True, 1.0]))


class Turns:
    """A Python scheduler that takes turns, and learns nothing from requests."""

    def __init__(self) -> None:
        self.weights: dict[int, int] = {}
        self.last = -1

    def set_weight(self, index: int, weight: int) -> None:
        self.weights[index] = weight

    def next_index(self) -> int:
        members = sorted(i for i, w in self.weights.items() if w)
        self.last = next((i for i in members if i > self.last), members[0])
        return self.last


def label(target: Any) -> Any:
    return "nested" if isinstance(target, KINDS) else target


def inner_selector(selector: Any) -> Any:
    return next((t for t in selector.targets if isinstance(t, KINDS)), None)


class CompiledAgainstReference(RuleBasedStateMachine):
    """A chain of nested pairs; `pair` is the outermost. Each step acts on one pair."""

    @initialize(
        some=st.lists(shares.filter(lambda w: type(w) is int and 0 <= w < 2**31), max_size=6),
        scheduler=st.sampled_from([*PICKLED, "fair", "fair", "fair"]),
        start=st.one_of(st.just(0), st.integers(-500, 500), st.integers(0, 2**33)),
        mapping=st.booleans(),
        watched=st.booleans(),
    )
    def make(
        self, some: list[int], scheduler: str, start: int, *, mapping: bool, watched: bool
    ) -> None:
        self.watched = watched
        if scheduler in {"edf", "smooth"}:
            start %= 1000  # longer ones are made pick by pick
        self.depth = 0
        pairs = list(enumerate(some))
        self.pair = self.made(
            scheduler, dict(pairs) if mapping else pairs, start % 1500 if start < 0 else start
        )
        self.snapshots = scheduler in SNAPSHOT

    def made(self, scheduler: str, some: Any, start: int) -> tuple[Any, Any]:
        one, two = (
            kind(
                some,
                scheduler=Turns() if scheduler == "python" else scheduler,
                rng=3,
                start=start if self.near(some, start) else 0,
            )
            for kind in KINDS
        )
        return one, two

    def near(self, some: Any, start: int) -> bool:
        """Tell whether the specification gets there soon: pick by pick, or in one jump."""
        period = ReferenceSelector(some).period()
        return not period or not 2000 < start % period <= 2**20

    def both(self, act: Any, level: int = 0) -> Any:
        """Do the same to both, a number of levels further in."""
        answers = []
        for selector in self.pair:
            for _ in range(level):
                selector = inner_selector(selector) or selector  # noqa: PLW2901 - one step in
            try:
                answers.append(act(selector))
            except UplinksError as error:
                answers.append((type(error), str(error)))
            except (TypeError, ValueError) as error:
                answers.append(type(error))
        assert answers[0] == answers[1]
        return answers[0]

    levels = st.integers(0, 2)

    # -- picks

    @rule(k=st.sampled_from([1, 1, 2, 3, 10, 70]), level=levels)
    def pick(self, k: int, level: int) -> None:
        for _ in range(k):
            self.both(lambda s: s.pick(), level)

    @rule(keys=st.lists(st.one_of(st.integers(), st.text(max_size=3)), max_size=5), level=levels)
    def pick_by_key(self, keys: list[Any], level: int) -> None:
        for key in keys:
            self.both(lambda s, key=key: s.pick(key=key), level)

    @rule(key=st.integers(), some=st.lists(st.integers(0, 10), max_size=4), level=levels)
    def pick_by_key_without(self, key: int, some: list[int], level: int) -> None:
        self.both(lambda s: s.pick(key=key, exclude=some), level)

    @rule(which=targets, ok=st.booleans(), level=levels)
    def end_a_request(self, which: int, *, ok: bool, level: int) -> None:
        self.both(lambda s: s.ended(which, ok, 5), level)

    @rule(more=st.integers(0, 40))
    def pick_a_period_and_more(self, more: int) -> None:
        """Start a replay, which the next change ends somewhere."""
        period = self.pair[0].period()
        if period <= 2000:
            self.both(lambda s: s.pick_many((period + more) if s.eligible else 0))

    @rule(k=st.sampled_from([-1, 0, 1, 2, 9, 64, 200]), level=levels)
    def pick_many(self, k: int, level: int) -> None:
        self.both(lambda s: s.pick_many(k), level)

    @rule(k=st.sampled_from([0, 1, 2, 9, 64, 200]), level=levels)
    def pick_into(self, k: int, level: int) -> None:
        def fill(selector: Any) -> list[int]:
            buffer = array("I", bytes(4 * k))
            selector.pick_into(buffer)
            return list(buffer)

        self.both(fill, level)

    @rule(some=st.lists(st.integers(0, 10), max_size=4), nested=st.booleans(), level=levels)
    def pick_without(self, some: list[int], *, nested: bool, level: int) -> None:
        def act(selector: Any) -> Any:
            inner = inner_selector(selector)
            return selector.pick(exclude=[*some, *([inner] if nested and inner else [])])

        self.both(act, level)

    # -- changes

    @rule(which=targets, weight=shares, level=levels)
    def add(self, which: int, weight: Any, level: int) -> None:
        self.both(lambda s: s.add(which, weight), level)

    @rule(which=targets, level=levels)
    def remove(self, which: int, level: int) -> None:
        self.both(lambda s: s.remove(which), level)

    @rule(which=targets, up=st.booleans(), level=levels)
    def set_up(self, which: int, *, up: bool, level: int) -> None:
        self.both(lambda s: s.set_up(which, up), level)

    @rule(up=st.booleans(), weight=legal, level=levels)
    def change_the_nested(self, *, up: bool, weight: int, level: int) -> None:
        def act(selector: Any) -> None:
            inner = inner_selector(selector)
            if inner is not None:
                selector.set_up(inner, up)
                selector.set_weight(inner, weight)

        self.both(act, level)

    @rule(which=targets, weight=shares, level=levels)
    def set_weight(self, which: int, weight: Any, level: int) -> None:
        self.both(lambda s: s.set_weight(which, weight), level)

    @rule(weights=st.dictionaries(targets, shares, max_size=5), level=levels)
    def update(self, weights: dict[int, Any], level: int) -> None:
        self.both(lambda s: s.update(weights), level)

    @rule(weight=legal, level=levels)
    def update_all(self, weight: int, level: int) -> None:
        self.both(lambda s: s.update(dict.fromkeys(s.weights, weight)), level)

    @rule(which=targets, new=targets, level=levels)
    def replace(self, which: int, new: int, level: int) -> None:
        self.both(lambda s: s.replace(which, new), level)

    @precondition(lambda self: self.depth < 3)
    @rule(weight=st.integers(1, 3), scheduler=st.sampled_from(PICKLED))
    def nest(self, weight: int, scheduler: str) -> None:
        tops = self.made(scheduler, [], 0)
        for top, inner in zip(tops, self.pair, strict=True):
            top.add(inner, weight)
            top.add(7, 2)
        self.pair, self.depth = tops, self.depth + 1
        self.snapshots = self.snapshots and scheduler in SNAPSHOT

    # -- copies

    @rule(pickled=st.booleans())
    def continue_with_a_copy(self, *, pickled: bool) -> None:
        one, two = (
            type(s).restore(s.snapshot())
            if self.snapshots and not pickled
            else pickle.loads(pickle.dumps(s))  # noqa: S301 - our own bytes
            for s in self.pair
        )
        self.pair = one, two

    @precondition(lambda self: not self.snapshots)
    @rule()
    def take_no_snapshot(self) -> None:
        """Refused before or amid the selectors inside, which begin a new period then."""
        self.both(lambda s: s.snapshot())

    # -- what holds after each step

    @rule()
    def look(self) -> None:
        for level in range(self.depth + 1):
            self.both(lambda s: [(label(t), c) for t, c in s.counts.items()], level)
        for selector in self.pair:
            selector._check()

    @invariant()
    def alike(self) -> None:
        for level in range(self.depth + 1):
            self.both(lambda s: [(label(t), w, up) for t, w, up in s.rows()], level)
            self.both(lambda s: [label(t) for t in s.targets], level)
            self.both(lambda s: (len(s), s.eligible, s.period(), 3 in s, 9 in s), level)

    @invariant()
    def sound(self) -> None:
        if self.watched:
            self.look()

    def teardown(self) -> None:
        if hasattr(self, "pair"):
            self.look()


TestCompiledAgainstReference = CompiledAgainstReference.TestCase
