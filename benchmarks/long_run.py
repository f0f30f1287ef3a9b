"""Make 10**9 compiled picks with churn, and check the laws.

``python benchmarks/long_run.py [picks] [seed]``. Between changes the picks are taken by
`pick_into`, and each buffer is counted, in integers:

law 1, every period gives each target its share, from the change itself on;
law 3, no target leads or lags by more than 2 since the last change;
law 4, an eligible target is picked within 2 W / w + 2 picks of the last change;
law 5, only eligible targets are picked;
and the selector's own counts are those of the buffers, to the end.
"""

from __future__ import annotations

import random
import sys
from array import array
from collections import Counter
from math import gcd
from time import perf_counter
from typing import Any, Final

from uplinks import Selector

LONGEST: Final = 400_000
"""Picks in a buffer. No period here is longer."""


def change(selector: Any, roll: random.Random, size: int) -> int:
    """Change one target at random; return which."""
    i = roll.randrange(size)
    what = roll.random()
    if i not in selector:
        selector.add(i, roll.randint(0, 60))
    elif what < 0.1:
        selector.remove(i)
    elif what < 0.7:
        selector.set_up(i, not selector.states[i])
    else:
        selector.set_weight(i, roll.choice([0, 1, 2, 10, 60, 500]))
    return i


def shares(selector: Any) -> dict[int, int]:
    """Return the eligible weights by index."""
    index = {target: i for i, target in enumerate(selector.targets)}
    return {index[target]: weight for target, weight, up in selector.rows() if up and weight}


def expect(holds: bool, law: int, selector: Any) -> None:  # noqa: FBT001 - as in assert
    """Exit at a law that does not hold, and print the targets."""
    if not holds:
        sys.exit(f"law {law} does not hold: {selector.rows()}")


def check_the_beginning(picks: array[int], weights: dict[int, int], selector: Any) -> None:
    """Check laws 3 and 4 in the first picks after a change."""
    total = sum(weights.values())
    counted = dict.fromkeys(weights, 0)
    for t, i in enumerate(picks[:2000]):
        w, c = weights[i], counted[i]
        counted[i] = c + 1
        expect(t * w - c * total <= 2 * total, 3, selector)
        expect((c + 1) * total - (t + 1) * w <= 2 * total, 3, selector)
        expect(c > 0 or t * w <= 2 * total + 2 * w, 4, selector)


def stretch(selector: Any, buffer: array[int], made: Counter[Any], most: int) -> int:
    """Pick whole periods, as many as fit and are asked for; check the laws; return the picks."""
    weights = shares(selector)
    period: int = selector.period()
    unit = gcd(*weights.values())
    periods = min(most, len(buffer) // period)
    with memoryview(buffer)[: periods * period] as view:
        selector.pick_into(view)
        counted = Counter(view)
    expect(counted.keys() <= weights.keys(), 5, selector)
    expect(counted == {i: periods * w // unit for i, w in weights.items()}, 1, selector)
    first = Counter(buffer[:period])
    expect(first == {i: w // unit for i, w in weights.items()}, 1, selector)
    check_the_beginning(buffer[:period], weights, selector)
    targets = selector.targets
    for i, k in counted.items():
        made[targets[i]] += k
    return periods * period


def run(most: int, seed: int) -> None:
    """Make the picks, and print the figures."""
    roll = random.Random(seed)  # noqa: S311 - reproducible
    buffer = array("I", bytes(4 * LONGEST))
    made: Counter[Any] = Counter()
    done = changes = 0
    longest = 0
    began = perf_counter()
    while done < most:
        size = roll.choice([3, 12, 100, 1000])
        selector = Selector([(i, roll.randint(1, 60)) for i in range(size)])
        made.clear()
        for _ in range(300):
            i = change(selector, roll, size)
            changes += 1
            if i not in selector:
                del made[i]
            if 0 < selector.period() <= LONGEST:
                longest = max(longest, selector.period())
                # Most changes come soon after one another.
                done += stretch(selector, buffer, made, roll.choice([1, 1, 2, 3, LONGEST]))
        expect(selector.counts == {t: made[t] for t in selector.weights}, 1, selector)
    seconds = perf_counter() - began
    print(f"{done:,} picks, {changes:,} changes, periods of up to {longest:,}: {seconds:.0f} s")


if __name__ == "__main__":
    asked = [int(argument) for argument in sys.argv[1:]]
    run(*asked, *(10**9, 1)[len(asked) :])
