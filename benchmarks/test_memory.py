"""Bytes per target, and per pick of a recorded period."""

from __future__ import annotations

import ctypes
import gc
import sys
import tracemalloc
from collections.abc import Callable
from itertools import cycle
from typing import Any

import pytest
from benchmarks.cases import make, pairs, steady, targets, weights

from uplinks import Selector

SECTION = "bytes per target"
SIZES = (100, 1_000, 10_000)
PER_TARGET = 64


class _Usage(ctypes.Structure):
    """The state of glibc's heap: `struct mallinfo2`."""

    _fields_ = tuple(
        (name, ctypes.c_size_t)
        for name in (
            *("arena", "ordblks", "smblks", "hblks", "hblkhd"),
            *("usmblks", "fsmblks", "uordblks", "fordblks", "keepcost"),
        )
    )


def allocated_in_c(make_it: Callable[[], object], n: int) -> float:
    """Measure the bytes that libc allocates for an object of size n, which needs no other memory.

    Many are made at once, because memory that malloc has kept from before is not counted.
    """
    many = max(1, 10_000 // n)
    try:
        usage = ctypes.CDLL(None).mallinfo2
    except (AttributeError, OSError, TypeError):
        pytest.skip("needs the malloc of glibc 2.33 or newer")
    usage.restype = _Usage

    def used() -> int:
        now = usage()
        return int(now.uordblks + now.hblkhd)

    gc.collect()
    before = used()
    made = [make_it() for _ in range(many)]
    after = used()
    del made
    return (after - before) / many


def allocated_in_python(make_it: Callable[[], object]) -> int:
    """Measure the bytes that Python allocates for an object."""
    gc.collect()
    tracemalloc.start()
    try:
        before, _ = tracemalloc.get_traced_memory()
        made = make_it()
        after, _ = tracemalloc.get_traced_memory()
        del made
    finally:
        tracemalloc.stop()
    return after - before


@pytest.mark.parametrize("n", SIZES)
def test_a_scheduler(n: int, bench: Any, outside: Any) -> None:
    """The scheduler alone, which is all that a pick reads."""
    shares = weights(n)
    size = allocated_in_c(lambda: outside(shares), n)
    bench.keep(SECTION, "scheduler, before a pick", f"n={n:,}", size / n, limit=PER_TARGET)


@pytest.mark.parametrize("n", SIZES)
def test_a_selector(n: int, bench: Any) -> None:
    """What the selector adds: the list, the dictionary and an entry for each target."""
    names = pairs(n)
    size = allocated_in_python(lambda: Selector(names))
    bench.keep(SECTION, "selector, without its scheduler", f"n={n:,}", size / n)


@pytest.mark.parametrize("n", SIZES)
def test_the_table(n: int, bench: Any, outside: Any) -> None:
    """A recorded period takes four bytes a pick."""
    shares = weights(n)
    period = make(shares).period()

    def recorded() -> Any:
        driver = outside(shares)
        driver.run(period + 1)
        return driver

    table = allocated_in_c(recorded, n) - allocated_in_c(lambda: outside(shares), n)
    section = "bytes per pick of a recorded period"
    # malloc rounds up to a page.
    limit = round(4 + 4_096 / period, 3)
    bench.keep(section, "table", f"n={n:,}", table / period, limit=limit)


@pytest.mark.parametrize("n", SIZES)
def test_a_selector_knows_its_size(n: int, outside: Any) -> None:
    shares = weights(n)
    scheduler = allocated_in_c(lambda: outside(shares), n)

    # malloc adds a few bytes to each block.
    assert sys.getsizeof(make(shares)) >= 0.95 * scheduler
    assert sys.getsizeof(steady(shares)) > sys.getsizeof(make(shares))


@pytest.mark.parametrize("n", SIZES)
def test_an_expanded_list(n: int, bench: Any) -> None:
    """What `itertools.cycle` needs to give the same shares."""
    names = targets(n)

    def expanded() -> object:
        return cycle([name for name, w in zip(names, weights(n), strict=True) for _ in range(w)])

    size = allocated_in_python(expanded)
    bench.keep(SECTION, "itertools.cycle, expanded list", f"n={n:,}", size / n)
