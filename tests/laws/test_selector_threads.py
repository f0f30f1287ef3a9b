"""Threads that share selectors: every pick is counted once, and every period stays exact.

The invariants are exact, so the tests mean the same with and without the GIL. Threads switch as
often as the interpreter allows.
"""

from __future__ import annotations

import random
import sys
import threading
from array import array
from collections import Counter
from collections.abc import Callable, Iterator
from math import gcd
from typing import Any, Final

import pytest

from uplinks import Advertisement, Parent, ParentConfig, Selector
from uplinks.adapters.driver import Driver
from uplinks.errors import NoEligibleTarget
from uplinks.model import Child

GIL: Final = "gil" if getattr(sys, "_is_gil_enabled", lambda: True)() else "free-threaded"
THREADS: Final = 4
ROUNDS: Final = 800
SCHEDULERS: Final = ["fair", "failover", "random", "edf", "smooth"]

pytestmark = pytest.mark.parametrize("build", [GIL])


@pytest.fixture(autouse=True)
def switch_often() -> Iterator[None]:
    """Switch threads as often as possible."""
    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    yield
    sys.setswitchinterval(interval)


def run(*workers: Callable[[random.Random], Any]) -> list[Any]:
    """Run the workers at once, each in a thread; return their results or raise a failure."""
    results: dict[int, Any] = {}
    failures: list[BaseException] = []
    start = threading.Barrier(len(workers))

    def work(number: int) -> None:
        start.wait()
        try:
            results[number] = workers[number](random.Random(number))  # noqa: S311 - reproducible
        except BaseException as failure:  # noqa: BLE001 - raised below
            failures.append(failure)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(len(workers))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if failures:
        raise failures[0]
    return [results[number] for number in range(len(workers))]


def merge(results: list[Counter[Any]]) -> Counter[Any]:
    total: Counter[Any] = Counter()
    for result in results:
        total.update(result)
    return total


def assert_period_exact(selector: Any) -> None:
    """Check law 1 for what is eligible now, at this selector."""
    shares = {target: weight for target, weight, up in selector.rows() if up and weight}
    unit = gcd(*shares.values())
    before = selector.counts
    selector.pick_many(sum(shares.values()) // unit)
    after = selector.counts
    assert {t: after[t] - before[t] for t in shares} == {t: w // unit for t, w in shares.items()}


def make_nested(scheduler: str) -> tuple[Any, Any]:
    rng = 7 if scheduler == "random" else None
    inner = Selector({f"i{i}": 1 + i for i in range(8)}, scheduler=scheduler, rng=rng)
    targets: list[tuple[Any, int]] = [*((f"o{i}", 2 + i) for i in range(8)), (inner, 9)]
    return inner, Selector(targets, scheduler=scheduler, rng=rng)


@pytest.mark.parametrize("scheduler", ["fair", "edf", "smooth"])
@pytest.mark.parametrize("threads", [2, 4])
def test_threads_that_only_pick_share_whole_periods(
    build: str, scheduler: str, threads: int
) -> None:
    """So many picks as whole periods give each target its exact share, whichever thread asks."""
    weights = {f"t{i}": 1 + i % 5 for i in range(20)}
    selector = Selector(weights, scheduler=scheduler)
    picks = selector.period() * 10

    def pick(roll: random.Random) -> Counter[str]:
        found, left = Counter[str](), picks
        while left:
            number = min(left, roll.choice([1, 1, 2, 30]))
            if number == 1:
                found[roll.choice([selector.pick, selector.__next__])()] += 1
            else:
                found.update(selector.pick_many(number))
            left -= number
        return found

    total = merge(run(*[pick] * threads))
    assert total == {target: weight * 10 * threads for target, weight in weights.items()}
    assert dict(selector.counts) == dict(total)
    selector._check()


def churn(selector: Any, roll: random.Random, name: Any, own: list[Any], keep: Any) -> None:
    """Change the selector: targets of this thread come and go, shared ones change."""
    kind = roll.randrange(6)
    if kind == 0:
        own.append((name, roll.random()))
        selector.add(own[-1], roll.choice([0, 1, 3, 40]))
    elif kind == 1 and own:
        selector.remove(own.pop(roll.randrange(len(own))))
    elif kind == 2 and own:
        new = (name, roll.random())
        selector.replace(own[-1], new)
        own[-1] = new
    elif kind == 3:
        selector.set_up(roll.choice(keep), roll.random() < 0.7)
    elif kind == 4:
        selector.set_weight(roll.choice(keep), roll.randrange(0, 20))
    else:
        selector.update({target: roll.randrange(1, 9) for target in keep[:2]})


def read(selector: Any, roll: random.Random, permanent: list[Any]) -> None:
    kind = roll.randrange(5)
    if kind == 0:
        assert set(permanent) <= selector.counts.keys(), "a target is missing"
    elif kind == 1:
        rows = selector.rows()
        assert len(rows) == len({target for target, _, _ in rows}), "a target is listed twice"
    elif kind == 2:
        assert set(permanent) <= set(selector.targets), "a target is missing"
    elif kind == 3:
        assert all(target in selector for target in permanent)
    elif selector._scheduler_name in ("fair", "failover", "random"):
        restored: Any = Selector.restore(selector.snapshot())
        restored._check()


@pytest.mark.parametrize("scheduler", SCHEDULERS)
def test_every_pick_amid_changes_is_counted_once(build: str, scheduler: str) -> None:
    inner, outer = make_nested(scheduler)
    inners = [f"i{i}" for i in range(8)]
    outers = [f"o{i}" for i in range(8)]
    sets = ((inner, inners), (outer, [*outers, inner]))

    def work(roll: random.Random) -> Counter[Any]:
        found, name, own = Counter[Any](), roll.random(), ([], [])  # type: ignore[var-annotated]
        for _ in range(ROUNDS):
            level = roll.randrange(2)
            selector, permanent = sets[level]
            kind = roll.randrange(8)
            if kind < 3:
                churn(selector, roll, name, own[level], permanent[1:])
            elif kind == 3:
                read(selector, roll, permanent)
            elif kind == 4:
                excluded = roll.sample(permanent[1:], 3)
                picked = outer.pick(exclude=excluded)
                assert picked not in excluded
                found[picked] += 1
            elif kind == 5:
                found.update(selector.pick_many(roll.randrange(30)))
            else:
                found[roll.choice([selector.pick, selector.__next__])()] += 1
        for selector, names in zip((inner, outer), own, strict=True):
            for target in names:
                selector.remove(target)
        return found

    total = merge(run(*[work] * THREADS))

    inner._check()
    outer._check()
    counts = {**inner.counts, **outer.counts}
    assert counts.keys() == {*inners, *outers, inner}
    assert {target: counts[target] for target in (*inners, *outers)} == {
        target: total[target] for target in (*inners, *outers)
    }
    if scheduler == "fair":
        assert_period_exact(inner)
        assert_period_exact(outer)


@pytest.mark.parametrize("scheduler", ["fair", "failover", "random"])
def test_indices_picked_into_buffers_are_counted_once(build: str, scheduler: str) -> None:
    rng = 3 if scheduler == "random" else None
    names = [f"t{i}" for i in range(12)]
    selector = Selector({name: 1 + i for i, name in enumerate(names)}, scheduler=scheduler, rng=rng)

    def pick(roll: random.Random) -> Counter[int]:
        found = Counter[int]()
        for _ in range(ROUNDS):
            buffer = array("I", bytes(4 * roll.randrange(200)))
            selector.pick_into(buffer)
            found.update(buffer)
        return found

    def change(roll: random.Random) -> Counter[int]:
        for _ in range(ROUNDS):
            selector.set_up(roll.choice(names[1:]), roll.random() < 0.8)
            selector.set_weight(roll.choice(names[1:]), roll.randrange(1, 30))
            assert len(selector.counts) == len(names)
        return Counter()

    total = merge(run(pick, pick, change, change))
    assert dict(selector.counts) == {name: total[i] for i, name in enumerate(names)}
    selector._check()


def make_reentrant(selector_of: Callable[[], Any], calls: Any) -> type[Any]:
    """Make a class of targets whose ``__hash__`` and ``__eq__`` pick, change and read."""

    class Reentrant:
        def __init__(self, number: int) -> None:
            self.number = number

        def enter(self) -> None:
            roll = getattr(calls, "roll", None)
            if roll is None or roll.random() > 0.05:
                return
            calls.roll = None
            selector = selector_of()
            calls.found.append(selector.pick())
            selector.set_weight(selector.targets[1], roll.randrange(9))
            assert len(selector.rows()) >= 6
            calls.roll = roll

        def __hash__(self) -> int:
            self.enter()
            return self.number % 4

        def __eq__(self, other: object) -> bool:
            self.enter()
            return self is other

    return Reentrant


@pytest.mark.parametrize("scheduler", SCHEDULERS)
def test_targets_that_use_the_selector_while_it_compares_them(build: str, scheduler: str) -> None:
    calls = threading.local()
    reentrant = make_reentrant(lambda: selector, calls)
    permanent = [reentrant(number) for number in range(6)]
    rng = 3 if scheduler == "random" else None
    selector = Selector([(t, 1 + t.number) for t in permanent], scheduler=scheduler, rng=rng)

    def work(roll: random.Random) -> Counter[int]:
        # By identity: a Counter of the targets would call them.
        found: list[Any] = []
        calls.found, calls.roll = found, roll
        for number in range(ROUNDS // 2):
            new = reentrant(number)
            selector.add(new, roll.randrange(5))
            found += selector.pick_many(5)
            selector.set_up(roll.choice(permanent[1:]), roll.random() < 0.7)
            found.append(selector.pick(exclude=permanent[3:]))
            selector.remove(new)
        calls.roll = None
        return Counter(map(id, found))

    total = merge(run(*[work] * THREADS))
    selector._check()
    counts = {id(target): picks for target, picks in selector.counts.items()}
    assert counts == {id(target): total[id(target)] for target in permanent}


@pytest.mark.parametrize("scheduler", ["fair", "edf"])
def test_selectors_that_come_and_go_below_a_shared_one(build: str, scheduler: str) -> None:
    """Each thread hangs selectors of its own below one that all threads pick from."""
    top = Selector({"always": 1}, scheduler=scheduler)

    def work(roll: random.Random) -> Counter[str]:
        found = Counter[str]()
        name = f"n{roll.random()}"
        for _ in range(ROUNDS // 3):
            below: Any = Selector({name: 1, f"{name}b": 1}, scheduler=scheduler)
            top.add(below, 3)
            below.set_up(name, False)
            found.update(target if target == "always" else "below" for target in top.pick_many(5))
            below.set_up(f"{name}b", False)
            assert not below.eligible
            top.remove(below)
            below.set_up(name, True)
            assert below.pick() == name
        return found

    def list_nothing(_roll: random.Random) -> Counter[str]:
        for _ in range(ROUNDS):
            assert "always" in top.weights
        return Counter()

    total = merge(run(*[work] * 3, list_nothing))
    assert dict(top.counts) == {"always": total["always"]}
    assert total.total() == 3 * (ROUNDS // 3) * 5
    top._check()


def test_a_service_of_a_running_driver_counts_every_pick_of_every_thread(build: str) -> None:
    children = {f"c{i}": Child(f"https://c{i}.example.com") for i in range(5)}
    driver = Driver(Parent(ParentConfig(children)))

    def advertise(child: str, weight: int) -> None:
        driver.advertise(child, [Advertisement("api", "apps/api", ["m"], weight=weight)])

    with driver.in_thread():
        for child in children:
            advertise(child, 1)
        selector = driver.selector("api@multicluster")

        def pick(_roll: random.Random) -> int:
            made = 0
            for _ in range(ROUNDS):
                made += len(selector.pick_many(7))
                made += selector.pick() is not None
            return made

        def change(roll: random.Random) -> int:
            for _ in range(ROUNDS // 10):
                child = roll.choice(["c1", "c2", "c3"])
                driver.set_up(child, roll.random() < 0.6)
                advertise(child, roll.randrange(1, 9))
            return 0

        made = sum(run(pick, pick, change))
        assert sum(selector.counts.values()) == made == 2 * ROUNDS * 8
        for child in children:
            driver.set_up(child, True)
        assert_period_exact(selector)
        selector._check()


def test_a_selector_that_runs_empty_fails_picks_without_counting_them(build: str) -> None:
    inner: Any = Selector({"x": 1})
    outer: Any = Selector()
    outer.add(inner, 1)

    def flap(_roll: random.Random) -> int:
        for number in range(ROUNDS):
            inner.set_up("x", number % 2 == 0)
        inner.set_up("x", True)
        return 0

    def pick(_roll: random.Random) -> int:
        made = 0
        for _ in range(ROUNDS):
            try:
                made += outer.pick() == "x"
            except NoEligibleTarget:
                continue
        return made

    made = sum(run(pick, pick, flap))
    assert inner.counts == {"x": made}
    assert outer.counts == {inner: made}
    outer._check()
