"""Every fuzz target on thousands of mutated inputs, the same on every run."""

from __future__ import annotations

import pytest
from tests.fuzz.mutation import mutate
from tests.fuzz.targets import SEEDS, TARGETS

COUNTS = {"loader": 1_000, "headers": 1_000}  # the slow ones
COUNT = 5_000


@pytest.mark.parametrize("name", TARGETS)
def test_no_mutated_input_breaks_a_law(name: str) -> None:
    for data in mutate(SEEDS[name], COUNTS.get(name, COUNT), seed=7):
        TARGETS[name](data)
