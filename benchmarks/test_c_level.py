"""Picks from another extension, without the GIL."""

from __future__ import annotations

import subprocess
from platform import machine
from re import MULTILINE, search
from shutil import which
from typing import Any

import pytest
from benchmarks.cases import SIZES, long_weights, make, targets, weights

from uplinks import _wrr

SECTION = "from Cython by cimport / [].__len__()"


@pytest.mark.parametrize("n", SIZES)
def test_a_steady_pick(n: int, bench: Any, outside: Any) -> None:
    shares = weights(n)
    driver = outside(shares)
    driver.run(make(shares).period())
    # A call into C is 15 to 20 ns; a quarter of it is less than 5.
    bench.time(SECTION, "next_index(), steady", n, driver.run, limit=0.25)


@pytest.mark.parametrize("n", SIZES)
def test_a_pick_that_is_not_recorded(n: int, bench: Any, outside: Any) -> None:
    driver = outside(long_weights(n))
    driver.run(4 * n)
    bench.time(SECTION, "next_index(), not yet periodic", n, driver.run)


@pytest.mark.parametrize("n", SIZES)
def test_a_change(n: int, bench: Any, outside: Any) -> None:
    shares = weights(n)
    driver = outside(shares)
    driver.run(n)
    subject = lambda times: driver.flap(n // 2, shares[n // 2], times)  # noqa: E731 - a loop
    bench.time(SECTION, "change() and next_index()", n, subject)


@pytest.fixture(scope="module")
def machine_code() -> list[str]:
    """Return the compiled module's functions, each with its name in the first line."""
    objdump = which("objdump")
    if objdump is None or machine() != "x86_64":
        pytest.skip("no objdump, or the instruction has another name")
    assert _wrr.__file__ is not None
    command = [objdump, "--disassemble", "--no-show-raw-insn", _wrr.__file__]
    done = subprocess.run(command, capture_output=True, text=True, check=True)  # noqa: S603 - no input
    return done.stdout.split("\n\n")


@pytest.mark.parametrize("name", ["(?:one_)?pick", "decide"])
def test_the_next_target_is_fetched(name: str, machine_code: list[str]) -> None:
    """A compiler may remove a call that only prefetches, and no gate would show it.

    `pick` calls `one_pick`, or contains it.
    """
    functions = [each for each in machine_code if search(rf"[0-9_]{name}>:$", each, MULTILINE)]

    assert any("prefetch" in each for each in functions)


@pytest.mark.parametrize("n", SIZES[:4])
def test_the_schedule_is_that_of_the_selector(n: int, outside: Any) -> None:
    selector, names = make(weights(n)), targets(n)

    expected = [selector.pick() for _ in range(2 * selector.period())]

    assert [names[i] for i in outside(weights(n)).first(len(expected))] == expected
