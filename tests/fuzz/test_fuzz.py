"""Every fuzz target on its seeds and on inputs of one repeated token.

``test_fuzz_bulk.py`` adds mutated inputs; ``python -m tests.fuzz`` runs for as long as you like.
"""

from __future__ import annotations

import pytest
from tests.fuzz.mutation import TOKENS, mutate
from tests.fuzz.targets import SEEDS, TARGETS


@pytest.mark.parametrize("name", TARGETS)
def test_seeds_and_repeated_tokens_break_no_law(name: str) -> None:
    for data in (*SEEDS[name], *(token * (20_000 // len(token)) for token in TOKENS)):
        TARGETS[name](data)


def test_mutation_is_reproducible_and_varied() -> None:
    once, again = (list(mutate(SEEDS["loader"], 200, seed=7)) for _ in range(2))

    assert once == again
    assert len(set(once)) > 150
