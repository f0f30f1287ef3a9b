"""The seeded simulations of health, of a parent and of a live parent, a million events each."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from tests.laws import test_health_model as health
from tests.laws import test_live_simulation_laws as live
from tests.laws import test_parent_simulation_laws as parent

EVENTS = 1_000_000
PARTS = 10


@pytest.mark.parametrize("part", range(PARTS))
@pytest.mark.parametrize(
    ("simulate", "per_seed"),
    [
        (health.simulate, health.PER_SEED),
        (parent.simulate, parent.PER_SEED),
        (live.simulate, live.PER_SEED),
    ],
    ids=["health", "parent", "live"],
)
def test_a_million_events(simulate: Callable[[int], object], per_seed: int, part: int) -> None:
    seeds = EVENTS // per_seed // PARTS
    for seed in range(part * seeds, (part + 1) * seeds):
        simulate(seed)
