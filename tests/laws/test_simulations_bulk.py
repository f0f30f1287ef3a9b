"""The seeded simulations of the health machine and of the parent, a million events each."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from tests.laws import test_health_model as health
from tests.laws import test_parent_simulation_laws as parent

EVENTS = 1_000_000
PARTS = 10


@pytest.mark.parametrize("part", range(PARTS))
@pytest.mark.parametrize(
    ("simulate", "per_seed"),
    [(health.simulate, health.PER_SEED), (parent.simulate, parent.PER_SEED)],
    ids=["health", "parent"],
)
def test_a_million_events(simulate: Callable[[int], object], per_seed: int, part: int) -> None:
    seeds = EVENTS // per_seed // PARTS
    for seed in range(part * seeds, (part + 1) * seeds):
        simulate(seed)
