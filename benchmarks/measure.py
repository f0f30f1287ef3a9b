"""Measure costs as ratios.

1. A cost is a ratio to a reference that is called the same way, in the same process, just before
   and just after. Nanoseconds depend on the machine, its load and its clock; ratios hardly do.
2. Time is the CPU time of this process. A result is the median of the paired ratios, with half
   their interquartile range as its spread.
3. Every loop has its own bytecode, because the interpreter specializes bytecode to the called
   function, and two functions in one loop would slow each other down.
4. A loop is what a user would write: nothing is subtracted for the loop itself.
"""

from __future__ import annotations

import gc
from collections.abc import Callable, Iterator
from itertools import repeat
from statistics import median, quantiles
from time import process_time_ns
from types import FunctionType
from typing import Any, Final

from attrs import frozen

__all__ = ["NO_OP", "Loop", "Ratio", "calls", "method_calls", "nexts", "paired"]

Loop = Callable[[int], object]
"""Runs an operation the given number of times."""

_SAMPLES: Final = 15
_DURATION: Final = 2_000_000  # ns of CPU time for a sample
_LONG: Final = 20_000_000  # ns; a longer operation is a sample by itself, and _FEW are enough
_FEW: Final = 3
_ESTIMATES: Final = 40


def _own(loop: Any, subject: object) -> Loop:
    """Return the loop with its own bytecode."""
    return FunctionType(loop.__code__.replace(), loop.__globals__, loop.__name__, (subject,))


def calls(function: Callable[[], object]) -> Loop:
    """Call a function that was looked up once: ``pick = selector.pick``, then ``pick()``."""

    def loop(times: int, function: Callable[[], object] = function) -> None:
        for _ in repeat(None, times):
            function()

    return _own(loop, function)


def nexts(iterator: Iterator[object]) -> Loop:
    """Call ``next(iterator)``."""

    def loop(times: int, iterator: Iterator[object] = iterator) -> None:
        for _ in repeat(None, times):
            next(iterator)

    return _own(loop, iterator)


def method_calls(subject: Any, name: str) -> Loop:
    """Look the method up each time: ``selector.pick()``."""

    def loop(times: int, subject: Any = subject) -> None:
        for _ in repeat(None, times):
            subject.method()

    code = loop.__code__
    names = tuple(name if each == "method" else each for each in code.co_names)
    return FunctionType(code.replace(co_names=names), globals(), name, (subject,))


NO_OP: Final = calls([].__len__)
"""The cheapest call of a C function."""


@frozen
class Ratio:
    """A cost, measured against a reference."""

    value: float
    spread: float  # half the interquartile range of the paired ratios
    nanoseconds: float  # of one operation, the median; depends on the machine
    samples: int


def _cost(loop: Loop, times: int) -> float:
    began = process_time_ns()
    loop(times)
    return (process_time_ns() - began) / times


def _times(loop: Loop) -> tuple[int, int]:
    """Return how often a sample runs the operation, and how many samples to take.

    Start-up costs, such as filling a cache, are over when two successive estimates agree.
    """
    times, cost = 1, _cost(loop, 1)
    for _ in range(_ESTIMATES):
        if cost > _LONG:
            return 1, _FEW
        wanted = max(1, min(4 * times, round(_DURATION / max(1, cost))))
        stable = times <= 2 * wanted and wanted <= 2 * times
        times, cost = wanted, _cost(loop, wanted)
        if stable and cost * times > _DURATION / 4:
            break
    return max(1, round(_DURATION / max(1, cost))), _SAMPLES


def paired(
    subject: Loop,
    reference: Loop = NO_OP,
    *,
    per: float = 1,
    samples: int = _SAMPLES,
    operations: int = 0,
    prepare: Callable[[], object] | None = None,
) -> Ratio:
    """Measure a subject against a reference, bracketing each sample of it.

    ``per`` is the number of units that one operation processes. ``prepare`` runs before each
    sample and is not timed; with it, a sample consists of ``operations`` operations.
    """
    times, enough = (operations, samples) if operations else _times(subject)
    reference_times, _ = _times(reference)
    ratios, costs = [], []
    collecting = gc.isenabled()
    gc.disable()
    try:
        for _ in range(min(samples, enough)):
            if prepare is not None:
                prepare()
            before = _cost(reference, reference_times)
            cost = _cost(subject, times) / per
            after = _cost(reference, reference_times)
            ratios.append(2 * cost / (before + after))
            costs.append(cost)
    finally:
        if collecting:
            gc.enable()
    low, _, high = quantiles(ratios, n=4)
    return Ratio(median(ratios), (high - low) / 2, median(costs), len(ratios))
