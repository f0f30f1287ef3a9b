"""A pick, compared with the cheapest call of a C function."""

from __future__ import annotations

from itertools import cycle
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
from benchmarks.measure import Loop, calls, nexts

from uplinks import Selector

SECTION = "a pick / [].__len__()"
DOWN = "a pick / a pick with all up"


@pytest.mark.parametrize("n", SIZES)
def test_a_steady_pick(n: int, bench: Any) -> None:
    subject = calls(steady(weights(n)).pick)
    bench.time(SECTION, "pick(), steady", n, subject, limit=1.5)


@pytest.mark.parametrize("n", SIZES)
def test_a_pick_outside_a_recorded_period(n: int, bench: Any) -> None:
    selector = make(long_weights(n))
    assert selector.period() > RECORD_LIMIT

    # Start after every target's first window has opened: the first n picks cost more.
    subject = calls(warm(selector, 4 * n).pick)
    bench.time(
        SECTION,
        "pick(), not yet periodic",
        n,
        subject,
        limit=2.5 if n <= 1_000 else 5,
        goal=2 if n <= 1_000 else None,
    )


@pytest.mark.parametrize("n", SIZES[2:])
def test_a_pick_in_the_first_period(n: int, bench: Any) -> None:
    """The first half of a period, which includes recording it, of a fresh selector each time."""
    shares = weights(n)
    picks = max(1, min(10_000, make(shares).period() // 2))
    count = max(1, 10_000 // picks)
    fresh: list[Any] = []

    def prepare() -> None:
        # The first pick allocates the table; it is not timed.
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
def test_a_pick_outside_a_recorded_period_with_targets_down(
    n: int, situation: str, bench: Any
) -> None:
    shares = long_weights(n)
    subject = calls(warm(make(shares, situation), 4 * n).pick)
    reference = calls(warm(make(shares), 4 * n).pick)
    bench.time(DOWN, f"{situation}, not yet periodic", n, subject, reference, limit=1.3)


@pytest.mark.parametrize("n", [10, 100])
def test_a_nested_pick(n: int, bench: Any) -> None:
    """A selector of n selectors of n targets each: two picks in one call."""
    inner: list[tuple[Any, int]] = [
        (Selector([(f"{i}/{name}", 1) for name in targets(n)]), i + 1) for i in range(n)
    ]
    outer = Selector[Any](inner)
    subject = calls(warm(outer, outer.period() * n).pick)
    bench.time(SECTION, "pick(), nested once, n x n targets", n, subject)


def keywords(selector: Any, **how: Any) -> Loop:
    """Call ``pick`` with keyword arguments."""

    def loop(times: int) -> None:
        pick = selector.pick
        for _ in range(times):
            pick(**how)

    return loop


@pytest.mark.parametrize("n", SIZES)
def test_a_pick_that_excludes(n: int, bench: Any) -> None:
    """The pick of a retry: any target except the one that has just failed."""
    selector = steady(weights(n))
    subject = keywords(selector, exclude=(selector.pick(),))
    bench.time(SECTION, "pick(exclude=[target])", n, subject)


@pytest.mark.parametrize("n", SIZES)
def test_a_sticky_pick(n: int, bench: Any) -> None:
    subject = keywords(make(weights(n)), key="session-17")
    bench.time(SECTION, "pick(key=string)", n, subject)


@pytest.mark.parametrize("n", SIZES)
def test_a_random_pick(n: int, bench: Any) -> None:
    subject = calls(warm(make(long_weights(n), scheduler="random", rng=1), 10).pick)
    limit = 2.5 if n <= 1_000 else None
    bench.time(SECTION, 'pick(), scheduler="random"', n, subject, limit=limit)


@pytest.mark.parametrize("n", SIZES)
@pytest.mark.parametrize("scheduler", ["edf", "smooth"])
def test_the_python_schedulers(n: int, scheduler: str, bench: Any) -> None:
    subject = calls(warm(make(long_weights(n), scheduler=scheduler), 10).pick)
    bench.time(SECTION, f'pick(), scheduler="{scheduler}"', n, subject)
