"""What the compiled selector keeps alive, and what Python code that runs meanwhile can do to it.

The tests count references and objects, not bytes or time, so every run counts the same. Most
concern the compiled selector only, because it is the one that counts references itself.
"""

from __future__ import annotations

import gc
import pickle
import sys
import sysconfig
import threading
import weakref
from array import array
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import Any

import pytest
from tests.profiles import scaled

from uplinks.balance import Selector
from uplinks.errors import InvalidScheduler, InvalidSnapshot, UplinksError

SNAPSHOT = ["fair", "failover", "random"]
ORDERS = [*SNAPSHOT, "edf", "smooth", "python"]


class Target(str):
    """A string that can be referenced weakly, and whose references are counted."""

    __slots__ = ("__weakref__",)


class Turns:
    """A Python scheduler that takes turns, and has every method of the protocol."""

    def __init__(self) -> None:
        self.weights: dict[int, int] = {}
        self.turn = 0
        self.calls = 0

    def set_weight(self, index: int, weight: int) -> None:
        self.weights[index] = weight

    def next_index(self) -> int:
        self.turn += 1
        eligible = [i for i, weight in self.weights.items() if weight]
        return eligible[self.turn % len(eligible)]

    def ended(self, index: int, ok: Any, nanoseconds: int) -> None:
        self.calls += 1


def made(order: str, targets: Any, weights: list[int]) -> Selector[Any]:
    """Make a selector of a mapping of the targets."""
    shares = dict(zip(targets, weights, strict=True))
    return Selector(shares, scheduler=Turns() if order == "python" else order, rng=1)


def there_and_back(selector: Any, new: Target, old: Target) -> None:
    selector.replace(old, new)
    selector.replace(new, old)


def nest(selector: Any) -> None:
    inner = Selector({Target("x"): 1})
    selector.add(inner, 2)
    selector.pick_many(9)
    inner.set_up(Target("x"), False)
    selector.pick(exclude=[inner])
    selector.remove(inner)


def copies(selector: Any) -> None:
    with suppress(InvalidSnapshot):  # of a Python scheduler
        type(selector).restore(selector.snapshot()).pick()
    pickle.loads(pickle.dumps(selector)).pick()  # noqa: S301 - our own bytes


def damaged(selector: Any) -> None:
    try:
        snapshot = selector.snapshot()
    except InvalidSnapshot:
        return
    changes: tuple[dict[str, Any], ...] = (
        {"up": [True]},
        {"state": {}},
        {"state": {**snapshot["state"], "weight": [1]}},
        {"targets": snapshot["targets"][:1] * 3},
    )
    for change in changes:
        with suppress(UplinksError):
            type(selector).restore({**snapshot, **change})


def unkeyed(selector: Any) -> None:
    target = (Target("z"), 1.5)
    selector.add(target, 1)
    raised(lambda: selector.pick(key="x"))
    selector.remove(target)


def raised(act: Callable[[], object]) -> None:
    """Do what is refused, and drop the exception."""
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
    "key": lambda s, _a, _z: [s.pick(key=k) for k in ("x", b"x", 7, ("x", 7))],
    "key, exclude": lambda s, a, z: s.pick(key="x", exclude=[a, z]),
    "ended": lambda s, a, z: (s.ended(a, True, 10**12), s.ended(z, False, 10**12)),
    "a mapping": lambda s, _a, z: type(s)({z: 2, Target("y"): 1}, start=10**12).pick(),
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
    "a target twice": lambda s, a, _z: raised(lambda: s.add(Target(a), 1)),
    "a replacement refused": lambda s, a, z: raised(lambda: s.replace(z, a)),
    "an update refused": lambda s, a, z: raised(lambda: s.update({a: 1, z: 1})),
    "an exclusion refused": lambda s, a, _z: raised(lambda: s.pick(exclude=[a, []])),
    "a key refused": lambda s, _a, _z: raised(lambda: s.pick(key=1.5)),
    "a target without a key": lambda s, _a, _z: unkeyed(s),
    "an end refused": lambda s, a, _z: raised(lambda: s.ended(a, True, "x")),
    "a mapping refused": lambda s, a, z: raised(lambda: type(s)({a: 1, z: -1})),
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
    """Count the references to each object, and all objects."""
    gc.collect()
    return [*map(sys.getrefcount, objects), len(gc.get_objects())]


@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize("name", [*OPERATIONS, *COPIES])
def test_no_operation_keeps_or_drops_a_reference(order: str, name: str) -> None:
    targets, stranger = [Target("a"), Target("b"), Target("c")], Target("z")
    selector = made(order, targets, [5, 3, 0])
    act = {**OPERATIONS, **COPIES}[name]
    everything = [*targets, stranger, selector, Selector, type(selector)]
    for _ in range(3):
        act(selector, targets[0], stranger)

    before = counted(everything)
    for _ in range(30):
        act(selector, targets[0], stranger)
    after = counted(everything)

    assert after[:-1] == before[:-1]
    # pytest makes a few objects; one for each of the thirty calls would be the selector's.
    assert abs(after[-1] - before[-1]) < 15
    selector._check()


@pytest.mark.parametrize("order", ORDERS)
def test_a_selector_that_is_freed_drops_everything(order: str) -> None:
    targets = [Target("a"), Target("b"), Target("c")]
    before = counted(targets)
    for _ in range(20):
        selector = made(order, targets, [5, 3, 0])
        selector.pick_many(30)
        outer = Selector({selector: 1})
        outer.pick_many(9)
        outer.pick(key="x")
        outer.ended(targets[0], True, 5)
        outer.remove(selector)
        del selector, outer

    assert counted(targets)[:-1] == before[:-1]


class Broken:
    """A scheduler that raises, or returns no index."""

    def set_weight(self, _index: int, weight: int) -> None:
        if weight == 4:
            raise ValueError("own")

    def next_index(self) -> Any:
        return "none"

    def ended(self, _index: int, _ok: Any, _nanoseconds: int) -> None:
        raise ValueError("own")


def test_what_a_broken_scheduler_raises_and_returns_is_freed() -> None:
    broken, target = Broken(), Target("a")
    selector = Selector([(target, 1)], scheduler=broken)
    inner: Selector[Target] = Selector([(selector, 1)])

    def act() -> None:
        for ask in (selector.pick, inner.pick, lambda: selector.pick_many(2)):
            with pytest.raises(InvalidScheduler):
                ask()
        raised(lambda: selector.set_weight(target, 4))
        raised(lambda: inner.ended(target, True, 5))
        assert inner.pick(key="x") is target
        selector.set_weight(target, 1)

    act()
    before = counted([broken, target])
    for _ in range(50):
        act()
    assert counted([broken, target])[:-1] == before[:-1]


def test_a_cycle_through_a_scheduler_is_collected(make_selector: Any) -> None:
    broken: Any = Broken()
    broken.selector = make_selector([("a", 1)], scheduler=broken)
    gone = weakref.ref(broken)
    del broken
    gc.collect()

    assert gone() is None


def test_a_cycle_through_a_failure_of_a_scheduler_is_collected() -> None:
    class Late(Broken):
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
    """A target that calls back whenever it is hashed, compared, or freed."""

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


def refused_key(selector: Any) -> None:
    with suppress(TypeError):  # a `Caller` has no bytes to hash
        selector.pick(key="x")


INSIDE: dict[str, Callable[[Any], object]] = {
    "pick": lambda s: s.pick_many(3),
    "fill": lambda s: s.pick_into(array("I", bytes(40))),
    "grow": lambda s: [s.add(f"many {k}", 1) for k in range(9)],
    "shrink": lambda s: [s.remove(t) for t, _, _ in s.rows() if isinstance(t, str)],
    "down": lambda s: [s.set_up(t, False) for t, _, _ in s.rows() if isinstance(t, str)],
    "snapshot": lambda s: s.snapshot(),
    "look": lambda s: (s.counts, s.weights, s.targets, s.eligible),
    "key": refused_key,
    "end": lambda s: s.ended("plain", True, 5),
    "reduce": lambda s: s.__reduce__(),
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
    "end": lambda s: s.ended(Caller("two"), True, 5),
    "key": refused_key,
    "contains": lambda s: Caller("two") in s,
    "restore": lambda s: type(s).restore(s.snapshot()),
}


@pytest.mark.usefixtures("_silent")
@pytest.mark.parametrize("inside", INSIDE)
@pytest.mark.parametrize("outside", OUTSIDE)
@pytest.mark.parametrize("order", ["fair", "failover", "random", "edf", "smooth", "python"])
def test_targets_that_call_back_at_any_moment(order: str, outside: str, inside: str) -> None:
    selector = made(order, [Caller("one"), "plain", Caller("two"), "other"], [2, 1, 3, 1])

    def act() -> None:
        # A target that was removed or added meanwhile is refused.
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
    # The other orders keep leads and lags, or have none.
    assert named.keys() <= {id(target) for target, _, _ in rows}


class Visitor:
    """Uses a selector from garbage collections and weak reference callbacks."""

    def __init__(self, selector: Any) -> None:
        self.selector = selector
        self.failures: list[BaseException] = []
        self.visits = 0
        self.busy = False

    def __call__(self, *_: object) -> None:
        if self.busy:
            return
        self.busy = True
        try:
            self.visit()
        except UplinksError:
            pass  # a target that the test has removed, for example
        except BaseException as error:  # noqa: BLE001 - the test raises it
            self.failures.append(error)
        finally:
            self.busy = False

    def visit(self) -> None:
        self.visits += 1
        selector = self.selector
        selector._check()
        rows = selector.rows()
        assert len(rows) == len(selector)
        assert {target for target, _, _ in rows} == {t for t in selector.targets if t is not None}
        if selector.eligible:
            selector.pick()
        if "visitor" in selector:
            selector.remove("visitor")
        else:
            selector.add("visitor", 1)
        if self.visits % 3 == 0 and "a" in selector:
            selector.set_up("a", not selector.states["a"])
        selector._check()


@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize("name", [*OPERATIONS, *COPIES])
def test_a_garbage_collection_at_every_allocation_may_use_the_selector(
    order: str, name: str
) -> None:
    targets, stranger = [Target("a"), Target("b"), Target("c")], Target("z")
    selector = made(order, targets, [5, 3, 0])
    selector.pick_many(10)
    visitor = Visitor(selector)
    act = {**OPERATIONS, **COPIES}[name]
    threshold = gc.get_threshold()
    gc.callbacks.append(visitor)
    gc.set_threshold(1, 10**6, 10**6)
    try:
        for _ in range(4):
            with suppress(UplinksError, pytest.fail.Exception):  # what the visitor has done
                act(selector, targets[0], stranger)
    finally:
        gc.set_threshold(*threshold)
        gc.callbacks.remove(visitor)

    assert visitor.failures == []
    # Without the GIL, garbage is collected after many allocations only.
    assert visitor.visits > 0 or sysconfig.get_config_var("Py_GIL_DISABLED")
    selector._check()


@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize("nested", [False, True])
def test_a_weak_reference_callback_may_use_the_selector(order: str, *, nested: bool) -> None:
    selector = made(order, [Target("a"), Target("b")], [5, 3])
    visitor = Visitor(selector)
    references = []
    for k in range(20):
        target: Any = Selector({Target(f"x{k}"): 1}) if nested else Target(f"t{k}")
        references.append(weakref.ref(target, visitor))
        selector.add(target, 1 + k % 3)
        selector.pick()
        if nested or k % 2:
            selector.remove(target)
        else:
            selector.replace(target, f"u{k}")
        del target

    assert visitor.failures == []
    assert visitor.visits == 20
    assert all(reference() is None for reference in references)
    selector._check()


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
    """Run each in a thread, starting at the same time; return what they raise."""
    failures: list[BaseException] = []
    start = threading.Barrier(len(work))

    def run(act: Callable[[], None]) -> None:
        try:
            start.wait()
            act()
        except BaseException as error:  # noqa: BLE001 - returned to the test
            failures.append(error)

    threads = [threading.Thread(target=run, args=(act,)) for act in work]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return failures


@pytest.fixture
def _impatient() -> Iterator[None]:
    """Switch threads as often as possible."""
    interval = sys.getswitchinterval()
    if interval < 1:  # a traced build must not switch inside an operation
        sys.setswitchinterval(1e-6)
    yield
    sys.setswitchinterval(interval)


@pytest.mark.usefixtures("_impatient")
@pytest.mark.parametrize("order", ORDERS)
def test_everything_at_once_from_many_threads(order: str) -> None:
    """Every pick handed out is counted once, whatever other threads do."""
    selector = made(order, range(40), [1 + i % 5 for i in range(40)])
    inner = Selector({"x": 1, "y": 2})
    top = Selector([(selector, 2), (inner, 1)])
    found: list[Counter[Any]] = []
    rounds = scaled(300)

    def picks() -> None:
        mine: Counter[Any] = Counter()
        for k in range(rounds):
            mine.update([selector.pick(), selector.pick(key=k), top.pick(), top.pick(key=k)])
            mine.update([selector.pick(exclude=[k % 40]), top.pick(exclude=["x", k % 40])])
            mine.update(selector.pick_many(k % 40))
            top.ended(k % 40, True, k)
            buffer = array("I", bytes(4 * (k % 90)))
            selector.pick_into(buffer)
            mine.update(buffer)
        found.append(mine)

    def changes() -> None:
        for k in range(2 * rounds):
            selector.set_up(k % 39, k % 3 > 0)
            selector.set_weight(k * 7 % 39, k % 30)
            inner.set_up("x", k % 2 == 0)

    def copy() -> None:
        for _ in range(rounds // 5):
            if order in SNAPSHOT:
                Selector.restore(selector.snapshot())._check()
            elif order != "python":  # a test's class does not pickle under every import mode
                pickle.loads(pickle.dumps(selector))._check()  # noqa: S301 - our own bytes
            _ = selector.counts, selector.rows(), selector.targets
            pickle.loads(pickle.dumps(inner)).pick()  # noqa: S301 - our own bytes

    failures = together(picks, changes, copy, picks, changes, copy)

    assert failures == []
    top._check()
    total = sum(found, Counter())
    assert {i: total[i] for i in range(40)} == dict(selector.counts)
    assert {target: total[target] for target in "xy"} == dict(inner.counts)
    assert sum(dict(top.counts).values()) == 6 * rounds
