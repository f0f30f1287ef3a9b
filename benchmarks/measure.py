"""Costs as ratios: how a time is measured here.

Rules of this file:

1. A cost is a ratio to a reference that is called in the same way, in the same
   process, just before and just after. Machines are shared and clocks change
   their speed: nanoseconds say how it was that day, ratios say what is so.
2. Time is the CPU time of this process. The median of the paired ratios counts;
   half their interquartile range is told beside it.
3. Every loop has bytecode of its own: the interpreter specializes bytecode to
   what it calls, and two subjects in one loop would spoil it for each other.
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
"""Does a thing so many times."""

_SAMPLES: Final = 15
_DURATION: Final = 2_000_000  # ns of CPU time a sample should last
_LONG: Final = 20_000_000  # ns from which on a single operation is a sample, and few will do
_FEW: Final = 3
_ESTIMATES: Final = 40


def _own(loop: Any, subject: object) -> Loop:
    """Give the loop bytecode that nobody else runs."""
    return FunctionType(loop.__code__.replace(), loop.__globals__, loop.__name__, (subject,))


def calls(function: Callable[[], object]) -> Loop:
    """Call what was looked up once: ``pick = selector.pick``, then ``pick()``."""

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
"""The least that a call into C costs."""


@frozen
class Ratio:
    """A cost, measured against a reference."""

    value: float
    spread: float  # half the interquartile range of the paired ratios
    nanoseconds: float  # of one operation, in the median: a figure of the day
    samples: int


def _cost(loop: Loop, times: int) -> float:
    began = process_time_ns()
    loop(times)
    return (process_time_ns() - began) / times


def _times(loop: Loop) -> tuple[int, int]:
    """How often to run the loop in a sample, and how many samples to take.

    What is dear only at first, a table being laid out or a cache being filled, is over
    when two estimates in a row agree.
    """
    times, cost = 1, _cost(loop, 1)
    for _ in range(_ESTIMATES):
        if cost > _LONG:
            return 1, _FEW
        wanted = max(1, min(4 * times, round(_DURATION / max(1, cost))))
        settled = times <= 2 * wanted and wanted <= 2 * times
        times, cost = wanted, _cost(loop, wanted)
        if settled and cost * times > _DURATION / 4:
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

    ``per`` is how many things one operation does. With ``prepare``, what it does
    before each sample is not timed, and a sample is so many ``operations``.
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
