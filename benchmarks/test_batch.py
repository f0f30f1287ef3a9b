"""Many picks in one call."""

from __future__ import annotations

from array import array
from typing import Any

import pytest
from benchmarks.cases import SIZES, long_weights, make, steady, warm, weights
from benchmarks.measure import calls

SECTION = "a pick in a batch of 4,096 / [].__len__()"
BATCH = 4_096


@pytest.mark.parametrize("n", SIZES)
def test_pick_into(n: int, bench: Any) -> None:
    selector = steady(weights(n))
    buffer = array("I", bytes(4 * BATCH))
    assert buffer.itemsize == 4

    subject = calls(lambda: selector.pick_into(buffer))
    bench.time(SECTION, "pick_into(buffer), steady", n, subject, per=BATCH, limit=1 / 20)


@pytest.mark.parametrize("n", SIZES)
def test_pick_into_outside_a_recorded_period(n: int, bench: Any) -> None:
    selector = warm(make(long_weights(n)), 4 * n)
    buffer = array("I", bytes(4 * BATCH))

    subject = calls(lambda: selector.pick_into(buffer))
    bench.time(SECTION, "pick_into(buffer), not yet periodic", n, subject, per=BATCH)


@pytest.mark.parametrize("n", SIZES)
def test_pick_many(n: int, bench: Any) -> None:
    selector = steady(weights(n))

    subject = calls(lambda: selector.pick_many(BATCH))
    bench.time(SECTION, "pick_many(k), steady", n, subject, per=BATCH)
