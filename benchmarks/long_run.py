"""Check the laws of the fair scheduler on 10**9 compiled picks with churn.

``python benchmarks/long_run.py [picks] [seed]`` makes selectors of 3 to 1,000 targets and changes
them: one target is added, removed, goes down, comes up or gets another weight. A fifth of the
changes are bursts of 20, with 0 to 5 picks between them. After each burst or single change come
one or more whole periods, picked by `pick_into`. All picks are counted here, in integers:

law 1: every period since the change gives each target exactly its share;
law 3: in the first 2,000 picks since the change a target that has come back, or is new, leads
       by at most 1; how far targets are off is only reported;
law 4: in these picks each target is picked within 2 Wmax / w + 2 picks of its last one, of its
       return or of a change of its own weight, Wmax being the largest W meanwhile; others may
       have changed in between;
law 5: only eligible targets are picked;
and the selector's own counts are the same.
"""

from __future__ import annotations

import random
import sys
from array import array
from collections import Counter
from collections.abc import Sequence
from math import gcd
from time import perf_counter
from typing import Any, Final

from attrs import Factory, define

from uplinks import Selector

LONGEST: Final = 400_000
"""Picks that fit the buffer. Longer periods are left out."""

FIRST: Final = 2_000
"""Picks after a change that are checked one by one."""


@define
class Worst:
    """The largest values seen, as a user would state them."""

    off: float = 0  # picks from the share since the last change
    lead: float = 0  # picks, of a target that came back
    wait: float = 0  # (picks waited - 2) * w / Wmax
    period: int = 0


@define
class Run:
    """A selector, and what is known of it from its picks."""

    selector: Any
    size: int
    roll: random.Random
    buffer: array[int]
    worst: Worst
    picks: int = 0
    weights: dict[int, int] = Factory(dict)  # of the eligible targets
    total: int = 0
    made: Counter[int] = Factory(Counter)  # picks of each target
    since: dict[int, int] = Factory(dict)  # `picks` when a target's wait began
    largest: dict[int, int] = Factory(dict)  # the largest `total` since then
    returned: int | None = None  # the target that became eligible in the last change

    def require(self, law: int, left: int, right: int) -> None:
        """Stop unless left <= right."""
        if left > right:
            sys.exit(f"law {law} does not hold ({left} > {right}): {self.selector.rows()}")

    def change(self) -> None:
        """Change one target in any way."""
        selector, roll = self.selector, self.roll
        i = roll.randrange(self.size)
        kind = roll.random()
        if i not in selector:
            selector.add(i, roll.randint(0, 60))
        elif kind < 0.1:
            selector.remove(i)
            del self.made[i]
        elif kind < 0.7:
            selector.set_up(i, not selector.states[i])
        else:
            selector.set_weight(i, roll.choice([0, 1, 2, 10, 60, 500]))
        self.look(i)

    def look(self, changed: int | None) -> None:
        """Take over the eligible weights; the wait of a changed target begins anew."""
        before = self.weights
        self.weights = {t: weight for t, weight, up in self.selector.rows() if up and weight}
        self.total = sum(self.weights.values())
        self.returned = changed if changed in self.weights.keys() - before.keys() else None
        if changed in before:
            self.check_wait(changed, before[changed], self.picks)
        if changed is not None:
            self.since.pop(changed, None)
            self.largest.pop(changed, None)
        for target in self.weights:
            self.since.setdefault(target, self.picks)
            self.largest[target] = max(self.largest.get(target, 0), self.total)

    def check_wait(self, target: int, weight: int, number: int) -> None:
        """Check law 4 for a target at a pick of that number."""
        waited, largest = number - self.since[target] - 2, self.largest[target]
        self.require(4, waited * weight, 2 * largest)
        self.worst.wait = max(self.worst.wait, waited * weight / largest)

    def check_each(self, picks: Sequence[int], names: Sequence[int]) -> None:
        """Check laws 3, 4 and 5 of the first picks since a change."""
        total, lead, lag, led = self.total, 0, 0, 0
        counted = dict.fromkeys(self.weights, 0)
        for t, index in enumerate(picks):
            target = names[index]
            self.require(5, target not in counted, 0)
            weight, count = self.weights[target], counted[target]
            counted[target] = count + 1
            # A target lags most just before a pick of its own, and leads most just after it.
            lag = max(lag, t * weight - count * total)
            ahead = (count + 1) * total - (t + 1) * weight
            lead = max(lead, ahead)
            if target == self.returned:
                led = max(led, ahead)
            self.check_wait(target, weight, self.picks + t + 1)
            self.since[target] = self.picks + t + 1
            self.largest[target] = total
        self.require(3, led, total)
        self.worst.off = max(self.worst.off, lead / total, lag / total)
        self.worst.lead = max(self.worst.lead, led / total)

    def burst(self) -> None:
        """Change again and again, with a few picks between."""
        for _ in range(20):
            self.change()
            k = self.roll.randint(0, 5)
            if not k or not self.weights:
                continue
            with memoryview(self.buffer)[:k] as view:
                self.selector.pick_into(view)
                names = self.selector.targets
                self.check_each(view, names)
            self.made.update(names[index] for index in self.buffer[:k])
            self.picks += k

    def stretch(self, most: int) -> None:
        """Pick at most so many whole periods, and check them."""
        period: int = self.selector.period()
        unit = gcd(*self.weights.values())
        periods = min(most, len(self.buffer) // period)
        self.worst.period = max(self.worst.period, period)
        with memoryview(self.buffer)[: periods * period] as view:
            self.selector.pick_into(view)
            names = self.selector.targets
            self.check_each(view[:FIRST], names)
            for part, k in ((view[:period], 1), (view, periods)):
                counted = {names[index]: count for index, count in Counter(part).items()}
                self.require(5, len(counted.keys() - self.weights.keys()), 0)
                shares = {target: k * weight // unit for target, weight in self.weights.items()}
                self.require(1, counted != shares, 0)
            before = self.picks + (periods - 1) * period
            for t, index in enumerate(view[-period:], 1):
                self.since[names[index]] = before + t
        self.largest = dict.fromkeys(self.weights, self.total)
        self.made.update(counted)
        self.picks += periods * period

    def run(self, changes: int) -> int:
        """Make changes, each with the picks that follow; return how many changes were made."""
        made = 0
        self.look(None)
        for _ in range(changes):
            if self.roll.random() < 0.2:
                self.burst()
                made += 20
            self.change()
            made += 1
            if 0 < self.selector.period() <= LONGEST:
                # Most changes come soon after one another.
                self.stretch(self.roll.choice([1, 1, 2, 3, LONGEST]))
        counts = {target: self.made[target] for target in self.selector.weights}
        self.require(1, dict(self.selector.counts) != counts, 0)
        return made


def run(most: int, seed: int) -> None:
    """Pick so often, and print the figures."""
    roll = random.Random(seed)  # noqa: S311 - reproducible
    buffer = array("I", bytes(4 * LONGEST))
    worst = Worst()
    picks = changes = 0
    began = perf_counter()
    while picks < most:
        size = roll.choice([3, 12, 100, 1000])
        selector = Selector([(i, roll.randint(1, 60)) for i in range(size)])
        one = Run(selector, size, roll, buffer, worst)
        changes += one.run(300)
        picks += one.picks
    seconds = perf_counter() - began
    print(
        f"{picks:,} picks, {changes:,} changes, periods of up to {worst.period:,}, "
        f"{seconds:.0f} s; at most {worst.off:.3g} picks off, {worst.lead:.3g} ahead after a "
        f"return, a wait of {worst.wait:.3g} Wmax/w + 2"
    )


if __name__ == "__main__":
    asked = [int(argument) for argument in sys.argv[1:]]
    run(*asked, *(10**9, 1)[len(asked) :])
