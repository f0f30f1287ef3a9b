"""What the compiled selector holds on to: nothing that it has let go of, whatever calls back.

Counted are references and objects, not bytes or time, so every run counts the same.
Only the compiled one is asked where it is the one that counts references itself.
"""

from __future__ import annotations

import gc
import pickle
import random
import sys
import threading
import weakref
from array import array
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import Any

import pytest

from uplinks.balance import Selector
from uplinks.errors import InvalidScheduler, UplinksError

ORDERS = ["fair", "edf", "smooth", "failover", "random"]


class Target:
    """A target whose references are counted; it is hashed and compared by its name."""

    def __init__(self, name: str) -> None:
        self.name = name

    def __hash__(self) -> int:
        return hash(self.name)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Target) and self.name == other.name


def made(order: str, targets: list[Target]) -> Selector:
    weights = [5, 3, 0]
    dice = random.Random(1)  # noqa: S311 - reproducible
    return Selector(list(zip(targets, weights, strict=True)), scheduler=order, rng=dice)


def there_and_back(selector: Any, new: Target, old: Target) -> None:
    selector.replace(old, new)
    selector.replace(new, old)


def nest(selector: Any) -> None:
    inner = Selector([(Target("x"), 1)])
    selector.add(inner, 2)
    selector.pick_many(9)
    inner.set_up(Target("x"), False)
    selector.pick(exclude=[inner])
    selector.remove(inner)


def copies(selector: Any) -> None:
    type(selector).restore(selector.snapshot()).pick()
    pickle.loads(pickle.dumps(selector)).pick()  # noqa: S301 - our own bytes


def damaged(selector: Any) -> None:
    snapshot = selector.snapshot()
    changes: tuple[dict[str, Any], ...] = (
        {"up": [True]},
        {"columns": {}},
        {"targets": snapshot["targets"][:1] * 3},
    )
    for change in changes:
        with suppress(UplinksError):
            type(selector).restore({**snapshot, **change})


def raised(act: Callable[[], object]) -> None:
    """Do what is refused, and let go of the refusal."""
    try:
        act()
    except (UplinksError, TypeError, ValueError, OverflowError):
        return
    pytest.fail("not refused")


OPERATIONS: dict[str, Callable[[Any, Target, Target], object]] = {
    "pick": lambda s, _a, _z: s.pick(),
    "next": lambda s, _a, _z: next(s),
    "iter": lambda s, _a, _z: iter(s),
    "pick_many": lambda s, _a, _z: s.pick_many(20),
    "pick_into": lambda s, _a, _z: s.pick_into(array("I", bytes(80))),
    "exclude": lambda s, a, z: s.pick(exclude=[a, z]),
    "add, remove": lambda s, _a, z: (s.add(z, 3), s.pick(), s.remove(z)),
    "set_weight": lambda s, a, _z: (s.set_weight(a, 7), s.set_weight(a, 5)),
    "set_up": lambda s, a, _z: (s.set_up(a, False), s.pick(), s.set_up(a, True)),
    "update": lambda s, a, _z: (s.update({a: 9}), s.update({a: 5})),
    "replace": lambda s, a, z: there_and_back(s, z, a),
    "rows": lambda s, _a, _z: s.rows(),
    "targets": lambda s, _a, _z: s.targets,
    "views": lambda s, _a, _z: (s.weights, s.states, s.counts),
    "questions": lambda s, a, z: (len(s), a in s, z in s, s.eligible, s.period(), repr(s)),
    "sizeof": lambda s, _a, _z: sys.getsizeof(s),
    "check": lambda s, _a, _z: s._check(),
    "nest": lambda s, _a, _z: nest(s),
    "a weight refused": lambda s, a, _z: raised(lambda: s.set_weight(a, -1)),
    "a target unknown": lambda s, _a, z: raised(lambda: s.remove(z)),
    "a target twice": lambda s, a, _z: raised(lambda: s.add(Target(a.name), 1)),
    "a replacement refused": lambda s, a, z: raised(lambda: s.replace(z, a)),
    "an update refused": lambda s, a, z: raised(lambda: s.update({a: 1, z: 1})),
    "an exclusion refused": lambda s, a, _z: raised(lambda: s.pick(exclude=[a, []])),
    "a buffer refused": lambda s, _a, _z: raised(lambda: s.pick_into(array("i", [0]))),
    "all excluded": lambda s, _a, _z: raised(lambda: s.pick(exclude=list(s.weights))),
    "a cycle": lambda s, _a, _z: raised(lambda: s.add(s, 1)),
    "too many picks": lambda s, _a, _z: raised(lambda: s.pick_many(-1)),
}
COPIES: dict[str, Callable[[Any, Target, Target], object]] = {
    "copies": lambda s, _a, _z: copies(s),
    "damaged copies": lambda s, _a, _z: damaged(s),
    "state": lambda s, _a, _z: s._state(),
}


def counted(objects: list[Any]) -> list[int]:
    """How many references there are to each, and how many objects in all."""
    gc.collect()
    return [*map(sys.getrefcount, objects), len(gc.get_objects())]


@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize("name", [*OPERATIONS, *COPIES])
def test_no_operation_keeps_or_drops_anything(order: str, name: str) -> None:
    if name in COPIES and order == "random":
        order = "fair"  # whose state is not ours to copy
    targets, stranger = [Target("a"), Target("b"), Target("c")], Target("z")
    selector = made(order, targets)
    act = {**OPERATIONS, **COPIES}[name]
    everything = [*targets, stranger, selector, Selector, type(selector)]
    for _ in range(3):
        act(selector, targets[0], stranger)

    before = counted(everything)
    for _ in range(30):
        act(selector, targets[0], stranger)
    after = counted(everything)

    assert after[:-1] == before[:-1]
    # A list more or less is pytest's; thirty would be ours.
    assert abs(after[-1] - before[-1]) < 15
    selector._check()


@pytest.mark.parametrize("order", ORDERS)
def test_a_selector_that_ends_lets_go_of_everything(order: str) -> None:
    targets = [Target("a"), Target("b"), Target("c")]
    before = counted(targets)
    for _ in range(20):
        selector = made(order, targets)
        selector.pick_many(30)
        outer = Selector([(selector, 1)])
        outer.pick_many(9)
        outer.remove(selector)
        del selector, outer

    assert counted(targets)[:-1] == before[:-1]


class Foreign:
    """A scheduler that raises, or answers what is no index."""

    def set_weight(self, _index: int, weight: int) -> None:
        if weight == 4:
            raise ValueError("own")

    def next_index(self) -> Any:
        return "none"


def test_what_a_foreign_scheduler_does_wrong_is_let_go_of() -> None:
    foreign, target = Foreign(), Target("a")
    selector = Selector([(target, 1)], scheduler=foreign)
    inner = Selector([(selector, 1)])

    def act() -> None:
        for ask in (selector.pick, inner.pick, lambda: selector.pick_many(2)):
            with pytest.raises(InvalidScheduler):
                ask()
        raised(lambda: selector.set_weight(target, 4))
        selector.set_weight(target, 1)

    act()
    before = counted([foreign, target])
    for _ in range(50):
        act()
    assert counted([foreign, target])[:-1] == before[:-1]


def test_a_cycle_through_a_scheduler_is_collected(make_selector: Any) -> None:
    foreign: Any = Foreign()
    foreign.selector = make_selector([("a", 1)], scheduler=foreign)
    gone = weakref.ref(foreign)
    del foreign
    gc.collect()

    assert gone() is None


def test_a_cycle_through_a_failure_nobody_was_told_is_collected() -> None:
    class Late(Foreign):
        def set_weight(self, _index: int, _weight: int) -> None:
            raise self.failure  # type: ignore[attr-defined] # set below

    late: Any = Late()
    late.failure = ValueError("own")
    with pytest.raises(ValueError, match="own"):
        late.selector = Selector([("a", 1)], scheduler=late)
    late.failure.late = late
    late.failure.__traceback__ = None
    gone = weakref.ref(late)
    del late
    gc.collect()

    assert gone() is None


# -- targets that call back ----------------------------------------------------------


class Caller:
    """A target that calls back whenever it is hashed, compared, or let go of."""

    act: Callable[[], object] | None = None

    def __init__(self, name: str) -> None:
        self.name = name

    def call(self) -> None:
        act, Caller.act = Caller.act, None
        if act is not None:
            act()
            Caller.act = act

    def __hash__(self) -> int:
        self.call()
        return 7

    def __eq__(self, other: object) -> bool:
        self.call()
        return isinstance(other, Caller) and self.name == other.name

    def __del__(self) -> None:
        self.call()


@pytest.fixture
def _silent() -> Iterator[None]:
    yield
    Caller.act = None


INSIDE: dict[str, Callable[[Any], object]] = {
    "pick": lambda s: s.pick_many(3),
    "fill": lambda s: s.pick_into(array("I", bytes(40))),
    "grow": lambda s: [s.add(f"many {k}", 1) for k in range(9)],
    "shrink": lambda s: [s.remove(t) for t, _, _ in s.rows() if isinstance(t, str)],
    "down": lambda s: [s.set_up(t, False) for t, _, _ in s.rows() if isinstance(t, str)],
    "snapshot": lambda s: s.snapshot(),
    "look": lambda s: (s.counts, s.weights, s.targets, s.eligible),
    "collect": lambda _s: gc.collect(1),
}
OUTSIDE: dict[str, Callable[[Any], object]] = {
    "add": lambda s: s.add(Caller("new"), 3),
    "add again": lambda s: s.add(Caller("two"), 3),
    "remove": lambda s: s.remove(Caller("two")),
    "weigh": lambda s: s.set_weight(Caller("two"), 7),
    "down": lambda s: s.set_up(Caller("two"), False),
    "update": lambda s: s.update({Caller("one"): 4, Caller("two"): 5}),
    "replace": lambda s: s.replace(Caller("two"), Caller("2")),
    "exclude": lambda s: s.pick(exclude=[Caller("one"), Caller("two")]),
    "contains": lambda s: Caller("two") in s,
    "restore": lambda s: type(s).restore(s.snapshot()),
}


@pytest.mark.usefixtures("_silent")
@pytest.mark.parametrize("inside", INSIDE)
@pytest.mark.parametrize("outside", OUTSIDE)
@pytest.mark.parametrize("order", ["fair", "edf", "smooth"])
def test_targets_that_call_back_at_any_moment(order: str, outside: str, inside: str) -> None:
    targets: list[Any] = [(Caller("one"), 2), ("plain", 1), (Caller("two"), 3), ("other", 1)]
    selector = Selector(targets, scheduler=order)
    del targets

    def act() -> None:
        # What was removed or added meanwhile is refused with a failure of ours.
        with suppress(UplinksError):
            INSIDE[inside](selector)

    Caller.act = act
    with suppress(UplinksError):
        OUTSIDE[outside](selector)
    with suppress(UplinksError):
        OUTSIDE[outside](selector)
    Caller.act = None

    selector._check()
    rows = selector.rows()
    selector.update({target: 1 for target, _, _ in rows})
    for target, _, _ in rows:
        selector.set_up(target, True)
    named = Counter(map(id, selector.pick_many(2 * len(rows))))
    if order == "fair":
        assert named == {id(target): 2 for target, _, _ in rows}
    # The others bring along who is ahead and who is behind.
    assert named.keys() <= {id(target) for target, _, _ in rows}


@pytest.mark.usefixtures("_silent")
def test_the_end_of_a_selector_may_use_another() -> None:
    other = Selector([("a", 2), ("b", 1)])
    picked: list[str] = []
    selector = Selector([(Caller(f"t{i}"), 1) for i in range(5)])
    Caller.act = lambda: picked.append(other.pick())
    before = len(picked)
    del selector
    gc.collect()
    Caller.act = None

    assert len(picked) - before == 5
    other._check()


# -- threads -------------------------------------------------------------------------


def together(*work: Callable[[], None]) -> list[BaseException]:
    """Run each in a thread of its own, begun at once; give what they raise."""
    failures: list[BaseException] = []
    start = threading.Barrier(len(work))

    def run(act: Callable[[], None]) -> None:
        try:
            start.wait()
            act()
        except BaseException as error:  # noqa: BLE001 - given to whoever asked
            failures.append(error)

    threads = [threading.Thread(target=run, args=(act,)) for act in work]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return failures


@pytest.mark.parametrize("order", ["fair", "edf", "smooth", "failover"])
def test_everything_at_once_from_many_threads(order: str) -> None:
    selector = Selector([(i, 1 + i % 5) for i in range(40)], scheduler=order)
    inner = Selector([("x", 1), ("y", 2)])
    top = Selector([(selector, 2), (inner, 1)])
    found: list[Counter[int]] = []

    def picks() -> None:
        mine: Counter[int] = Counter()
        for k in range(300):
            mine.update([selector.pick()])
            mine.update(selector.pick_many(k % 40))
            mine.update(t for t in [top.pick()] if isinstance(t, int))
            buffer = array("I", bytes(4 * (k % 90)))
            selector.pick_into(buffer)
            mine.update(buffer)
        found.append(mine)

    def changes() -> None:
        for k in range(600):
            selector.set_up(k % 39, k % 3 > 0)
            selector.set_weight(k * 7 % 39, k % 30)
            inner.set_up("x", k % 2 == 0)

    def copies() -> None:
        for _ in range(60):
            Selector.restore(selector.snapshot())._check()
            _ = selector.counts, selector.rows(), selector.targets
            pickle.loads(pickle.dumps(inner)).pick()  # noqa: S301 - our own bytes

    failures = together(picks, changes, copies, picks, changes, copies)

    assert failures == []
    top._check()
    total = sum(found, Counter())
    assert {i: total[i] for i in range(40)} == dict(selector.counts)
