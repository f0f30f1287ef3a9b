"""A short run of every target, with the same inputs each time.

A long one, led by what it covers: ``python -m tests.fuzz`` (see its ``--help``).
"""

from __future__ import annotations

import pytest
from tests.fuzz.mutation import TOKENS, mutated
from tests.fuzz.targets import SEEDS, TARGETS

COUNTS = {"loader": 1_000, "headers": 1_000}


@pytest.mark.parametrize("name", TARGETS)
def test_no_input_breaks_a_law(name: str) -> None:
    for data in mutated(SEEDS[name], COUNTS.get(name, 5_000), seed=7):
        TARGETS[name](data)


@pytest.mark.parametrize("name", TARGETS)
def test_a_token_without_end_is_no_harm(name: str) -> None:
    for token in TOKENS:
        TARGETS[name](token * (20_000 // len(token)))


def test_inputs_are_the_same_each_time_and_not_all_alike() -> None:
    once, again = (list(mutated(SEEDS["loader"], 200, seed=7)) for _ in range(2))

    assert once == again
    assert len(set(once)) > 150
