"""A pick, against the least a call into C costs."""

from __future__ import annotations

from itertools import cycle
from random import Random
from typing import Any

import pytest
from benchmarks.cases import (
    RECORD_LIMIT,
    SITUATIONS,
    SIZES,
    long_weights,
    make,
    steady,
    targets,
    warm,
    weights,
)
from benchmarks.measure import calls, method_calls, nexts

from uplinks import Selector

SECTION = "a pick / [].__len__()"
DOWN = "a pick / a pick with all up"


@pytest.mark.parametrize("n", SIZES)
def test_a_steady_pick(n: int, bench: Any) -> None:
    subject = calls(steady(weights(n)).pick)
    bench.time(SECTION, "pick(), steady", n, subject, limit=1.5)


@pytest.mark.parametrize("n", SIZES)
def test_a_steady_pick_looked_up_each_time(n: int, bench: Any) -> None:
    subject, reference = steady(weights(n)), list[int]()
    bench.time(
        SECTION,
        "selector.pick() / list.__len__(), steady",
        n,
        method_calls(subject, "pick"),
        method_calls(reference, "__len__"),
        limit=1.5,
    )


@pytest.mark.parametrize("n", SIZES)
def test_a_pick_that_nothing_is_recorded_for(n: int, bench: Any) -> None:
    selector = make(long_weights(n))
    assert selector.period() > RECORD_LIMIT

    # Let all windows open once: what is measured is the course, not the start.
    subject = calls(warm(selector, 4 * n).pick)
    bench.time(SECTION, "pick(), not yet periodic", n, subject, limit=2 if n <= 1_000 else 5)


@pytest.mark.parametrize("n", SIZES[2:])
def test_a_pick_in_the_first_period(n: int, bench: Any) -> None:
    """A fresh selector each time, half a period of it: recording included."""
    shares = weights(n)
    picks = max(1, min(10_000, make(shares).period() // 2))
    count = max(1, 10_000 // picks)
    fresh: list[Any] = []

    def prepare() -> None:
        # What is allocated at the first pick is not what a pick costs.
        fresh[:] = [calls(warm(make(shares), 1).pick) for _ in range(count)]

    def subject(times: int) -> None:
        for loop in fresh[:times]:
            loop(picks)

    how: dict[str, Any] = {"prepare": prepare, "operations": count, "per": picks}
    bench.time(SECTION, "pick(), first half period", n, subject, **how)


@pytest.mark.parametrize("n", SIZES)
def test_next(n: int, bench: Any) -> None:
    bench.time(
        "next(selector) / next(itertools.cycle(list))",
        "next(selector), steady",
        n,
        nexts(steady(weights(n))),
        nexts(cycle(targets(n))),
        limit=1.3,
    )


@pytest.mark.parametrize("n", SIZES)
@pytest.mark.parametrize("situation", SITUATIONS[1:])
def test_a_steady_pick_with_targets_down(n: int, situation: str, bench: Any) -> None:
    shares = weights(n)
    subject, reference = calls(steady(shares, situation).pick), calls(steady(shares).pick)
    bench.time(DOWN, f"{situation}, steady", n, subject, reference, limit=1.3)


@pytest.mark.parametrize("n", SIZES)
@pytest.mark.parametrize("situation", SITUATIONS[1:])
def test_a_pick_with_targets_down_that_nothing_is_recorded_for(
    n: int, situation: str, bench: Any
) -> None:
    shares = long_weights(n)
    subject = calls(warm(make(shares, situation), 4 * n).pick)
    reference = calls(warm(make(shares), 4 * n).pick)
    bench.time(DOWN, f"{situation}, not yet periodic", n, subject, reference, limit=1.3)


@pytest.mark.parametrize("n", [10, 100])
def test_a_nested_pick(n: int, bench: Any) -> None:
    """So many selectors with so many targets each: two picks in one call."""
    inner = [(Selector([(f"{i}/{name}", 1) for name in targets(n)]), i + 1) for i in range(n)]
    outer = Selector(inner)
    subject = calls(warm(outer, outer.period() * n).pick)
    bench.time(SECTION, "pick(), nested once, n x n targets", n, subject)


@pytest.mark.parametrize("n", SIZES)
def test_a_pick_that_excludes(n: int, bench: Any) -> None:
    """What a retry asks for: any target but the one that has just failed."""
    selector = steady(weights(n))
    failed = (selector.pick(),)

    def subject(times: int) -> None:
        pick = selector.pick
        for _ in range(times):
            pick(exclude=failed)

    bench.time(SECTION, "pick(exclude=[target]), steady", n, subject)


@pytest.mark.parametrize("n", SIZES)
@pytest.mark.parametrize("scheduler", ["edf", "smooth", "random"])
def test_the_other_schedulers(n: int, scheduler: str, bench: Any) -> None:
    chance: dict[str, Any] = {"rng": Random(1)} if scheduler == "random" else {}  # noqa: S311 - the same each time
    selector = warm(make(long_weights(n), scheduler=scheduler, **chance), 2 * n)
    row = f'pick(), scheduler="{scheduler}", not yet periodic'
    bench.time(SECTION, row, n, calls(selector.pick))


@pytest.mark.parametrize("n", SIZES)
def test_ten_thousand_picks(n: int, benchmark: Any) -> None:
    """The figure of the day: divide by ten thousand."""
    loop = calls(steady(weights(n)).pick)
    benchmark.pedantic(loop, args=(10_000,), rounds=20, warmup_rounds=2)


def test_ten_thousand_calls_of_the_reference(benchmark: Any) -> None:
    benchmark.pedantic(calls([].__len__), args=(10_000,), rounds=20, warmup_rounds=2)
