"""Python code that runs at the worst moment harms no selector.

Each run has an interpreter of its own, so that a crash names its run. It operates on selectors
while the interpreter collects garbage as often as it can, and while collector callbacks,
finalizers, weak reference callbacks, ``__hash__`` and ``__eq__`` of targets, signal handlers or
other threads operate on the same selectors. At the end it checks every selector, and compares the
picks that were returned with the counts.

A Python scheduler is Python code itself: what runs between two lines of it finds it half way, so
``edf`` takes part only where the selector decides when other code runs.
"""

from __future__ import annotations

import gc
import os
import random
import signal
import subprocess
import sys
import threading
import weakref
from array import array
from collections import Counter
from contextlib import suppress
from itertools import count
from typing import Any, Final

import pytest

from uplinks.balance import Selector
from uplinks.errors import UplinksError

# This file also runs as a script, which cannot import the module of the profiles.
DEFAULT: Final = os.environ.get("HYPOTHESIS_PROFILE", "default") == "default"
ROUNDS: Final = 40 if DEFAULT else 400
PERMANENT: Final = 4
SETTLED: Final = (UplinksError, TypeError, ValueError)
"""What an operation may raise when another one has changed the selector under it."""


class World:
    """A selector in a selector, and every operation on both."""

    def __init__(self, scheduler: str, seed: int, make_target: Any) -> None:
        self.roll = random.Random(seed)  # noqa: S311 - reproducible
        self.make_target = make_target
        self.rng: Any = 5 if scheduler == "random" else None
        self.scheduler = scheduler
        self.permanent = [make_target() for _ in range(PERMANENT)]
        self.inner = Selector(
            [(target, 1 + i) for i, target in enumerate(self.permanent[2:])],
            scheduler=scheduler,
            rng=self.rng,
        )
        self.outer = Selector(
            [*((target, 2 + i) for i, target in enumerate(self.permanent[:2])), (self.inner, 3)],
            scheduler=scheduler,
            rng=self.rng,
        )
        self.picked: list[int] = []  # only appended to, in one step
        self.operations = 0
        self.interruptions = 0
        self.depth = threading.local()

    def record(self, target: Any) -> None:
        self.picked.append(id(target))

    def operate(self, number: int | None = None) -> None:
        """Do one operation, chosen at random."""
        roll = self.roll
        selector = roll.choice((self.outer, self.inner))
        self.operations += 1
        with suppress(*SETTLED):
            self.change_or_read(selector, roll.randrange(16) if number is None else number)

    def change_or_read(self, selector: Any, number: int) -> None:  # noqa: C901, PLR0912 - a list
        roll = self.roll
        targets = [target for target, _, _ in selector.rows()]
        target = roll.choice(targets)
        removable = [t for t in targets if t not in self.permanent and t is not self.inner]
        if number == 0:
            self.record(selector.pick())
        elif number == 1:
            for picked in selector.pick_many(roll.randrange(20)):
                self.record(picked)
        elif number == 2:
            self.record(next(selector))
        elif number == 3:
            self.record(selector.pick(exclude=roll.sample(targets, roll.randint(0, len(targets)))))
        elif number == 4:
            selector.add(self.make_target(), roll.choice([0, 1, 7]))
        elif number == 5 and removable:
            selector.remove(roll.choice(removable))
        elif number == 6 and removable:
            selector.replace(roll.choice(removable), self.make_target())
        elif number == 7:
            selector.set_up(target, roll.random() < 0.7)
        elif number == 8:
            selector.set_weight(target, roll.choice([0, 1, 5, 1000]))
        elif number == 9:
            selector.update({t: roll.choice([1, 2, 9]) for t in targets[:3]})
        elif number == 10:
            assert all(selector.counts[t] >= 0 for t in self.permanent if t in targets)
        elif number == 11:
            rows = selector.rows()
            assert len(rows) == len({id(t) for t, _, _ in rows}), "a target is listed twice"
        elif number == 12 and self.scheduler != "edf":
            copy: Any = Selector.restore(selector.snapshot())
            copy._check()
        elif number == 13:
            nested = Selector([(self.make_target(), 1), (self.make_target(), 2)])
            selector.add(nested, 2)
            nested.set_up(nested.targets[0], False)
            selector.remove(nested)
        elif number == 14:
            selector.ended(target, True, 5)
            assert target in selector or target in removable, "a target is lost"
        elif number == 15 and selector is self.inner:
            self.pick_indices(selector)
        else:
            assert set(self.permanent) & set(selector.targets), "a target is lost"

    def pick_indices(self, selector: Any) -> None:
        """Pick from permanent targets only: another target may have taken an index meanwhile."""
        buffer = array("I", bytes(4 * 30))
        before = selector.targets
        selector.pick_into(buffer)
        for index in buffer:
            if index < len(before) and before[index] in self.permanent:
                self.record(before[index])

    def interrupt(self) -> None:
        """Operate amid another operation, unless already amid an interruption."""
        if getattr(self.depth, "value", 0) < 1:
            self.depth.value = getattr(self.depth, "value", 0) + 1
            try:
                self.interruptions += 1
                self.operate()
            finally:
                self.depth.value -= 1

    def check(self) -> None:
        """Compare everything, with nothing coming in between any more."""
        for selector in (self.outer, self.inner):
            selector._check()
        counts = {**self.outer.counts, **self.inner.counts}
        picked = Counter(self.picked)
        for target in self.permanent:
            assert counts[target] == picked[id(target)], "picks and counts differ"
        for selector in (self.outer, self.inner):
            for target, weight, _ in selector.rows():
                selector.set_up(target, True)
                selector.set_weight(target, max(1, weight % 10))
        period = self.outer.period()
        if self.scheduler == "fair":
            shares = {target: weight for target, weight, _ in self.outer.rows()}
            before = dict(self.outer.counts)
            self.outer.pick_many(period)
            unit = sum(shares.values()) // period
            for target, weight in shares.items():
                assert self.outer.counts[target] - before[target] == weight // unit
        self.outer._check()


class Plain:
    """A target of its own kind."""

    def __init__(self) -> None:
        self.me = self  # garbage that only the collector finds


class Hostile(Plain):
    """A target that interrupts when it is hashed or compared."""

    world: World | None = None

    def __init__(self) -> None:
        super().__init__()
        self.hash = next(NUMBERS) % 5  # so that targets are compared

    def __hash__(self) -> int:
        if Hostile.world is not None and Hostile.world.roll.random() < 0.05:
            Hostile.world.interrupt()
        return self.hash

    def __eq__(self, other: object) -> bool:
        if Hostile.world is not None and Hostile.world.roll.random() < 0.05:
            Hostile.world.interrupt()
        return self is other


class Finalized(Plain):
    """Garbage whose finalizer interrupts."""

    world: World | None = None

    def __del__(self) -> None:
        if Finalized.world is not None:
            Finalized.world.interrupt()


NUMBERS: Final = count()


def collect_always(threshold: int) -> None:
    """Collect at every allocation of a container, as far as the interpreter allows."""
    gc.collect()
    gc.set_threshold(threshold, 1, 1)


def run_with_collector(world: World, rounds: int) -> None:
    def interrupt(phase: str, _: dict[str, int]) -> None:
        if phase == "start":
            world.interrupt()

    gc.callbacks.append(interrupt)
    for number in range(rounds):
        collect_always(1 + number % 7)
        for operation in range(16):
            world.operate(operation)
    gc.callbacks.clear()


def run_with_finalizers(world: World, rounds: int) -> None:
    Finalized.world = world
    for number in range(rounds):
        collect_always(1 + number % 7)
        for operation in range(16):
            Finalized()
            world.operate(operation)
    Finalized.world = None


def run_with_references(world: World, rounds: int) -> None:
    references: list[Any] = []

    def watch() -> None:
        garbage = Plain()
        garbage.me = garbage
        references.append(weakref.ref(garbage, lambda _: world.interrupt()))

    for number in range(rounds):
        collect_always(1 + number % 7)
        for operation in range(16):
            watch()
            world.operate(operation)
        references += [  # called when a target is released
            weakref.ref(target, lambda _: world.interrupt())
            for target in world.inner.targets
            if target is not None and target not in world.permanent
        ]
        del references[:-50]


def run_with_targets(world: World, rounds: int) -> None:
    Hostile.world = world
    for _ in range(rounds):
        for operation in range(16):
            world.operate(operation)
    Hostile.world = None


def run_with_signals(world: World, rounds: int) -> None:
    signal.signal(signal.SIGALRM, lambda *_: world.interrupt())
    signal.setitimer(signal.ITIMER_REAL, 1e-4, 1e-4)
    for _ in range(rounds):
        for operation in range(16):
            world.operate(operation)
    while not world.interruptions:
        world.operate()
    signal.setitimer(signal.ITIMER_REAL, 0)


def run_with_threads(world: World, rounds: int) -> None:
    sys.setswitchinterval(1e-6)
    failures: list[BaseException] = []

    def work() -> None:
        try:
            for _ in range(rounds):
                for operation in range(16):
                    world.operate(operation)
                    if operation % 4 == 0:
                        world.interrupt()
        except BaseException as failure:  # noqa: BLE001 - raised by the main thread
            failures.append(failure)

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if failures:
        raise failures[0]


RUNS: Final = {
    "collector": (run_with_collector, Plain),
    "finalizer": (run_with_finalizers, Plain),
    "reference": (run_with_references, Plain),
    "targets": (run_with_targets, Hostile),
    "signals": (run_with_signals, Plain),
    "threads": (run_with_threads, Plain),
}


def main(kind: str, scheduler: str, rounds: int) -> None:
    run, make_target = RUNS[kind]
    world = World(scheduler, rounds, make_target)
    run(world, rounds)
    gc.set_threshold(700, 10, 10)
    gc.collect()
    world.check()
    print(world.interruptions, world.operations)  # noqa: T201 - for the test


CASES: Final = [
    *((kind, "fair") for kind in RUNS),
    *((kind, "edf") for kind in ("targets", "threads")),
]
if not DEFAULT:
    CASES.extend((kind, scheduler) for kind in RUNS for scheduler in ("failover", "random"))


@pytest.mark.parametrize(("kind", "scheduler"), CASES)
def test_hostile_timing_harms_nothing(kind: str, scheduler: str) -> None:
    run = [sys.executable, "-X", "faulthandler", __file__, kind, scheduler, str(ROUNDS)]
    done = subprocess.run(run, capture_output=True, text=True, check=False, timeout=600)
    assert done.returncode == 0, done.stderr[-3000:]
    interruptions, operations = map(int, done.stdout.split())
    assert operations > interruptions > 0


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], int(sys.argv[3]))
