"""Measure each proxy once with each vector of weights, all up and each target down.

Where a program is not installed its tests are skipped; with the environment
variable ``UPLINKS_PROXIES=required``, as `make test-proxies` sets it, they fail.
"""

from __future__ import annotations

import functools
import os
from collections.abc import Callable

import pytest
from attrs import frozen
from tests.proxies.drivers import Proxy
from tests.proxies.measures import fair_counts
from tests.proxies.upstreams import serving

PERIODS = 60


@frozen
class Case:
    """What is asked: these weights, and which target is down, if any."""

    vector: tuple[int, ...]
    down: str | None

    def __str__(self) -> str:
        state = "all-up" if self.down is None else f"{self.down}-down"
        return f"{','.join(map(str, self.vector))}-{state}"

    @property
    def weights(self) -> dict[str, int]:
        return dict(zip("abcd", self.vector, strict=False))

    @property
    def fair(self) -> dict[str, int]:
        """How often each target that is up is picked in one period."""
        return fair_counts({t: weight for t, weight in self.weights.items() if t != self.down})

    @property
    def length(self) -> int:
        """How many picks are measured."""
        return PERIODS * sum(self.fair.values())


Measure = Callable[[type[Proxy], Case], list[str]]


@pytest.fixture(scope="session")
def measure(tmp_path_factory: pytest.TempPathFactory) -> Measure:
    """Return what makes a proxy pick, and remembers what it picked."""

    @functools.cache
    def measure_(proxy: type[Proxy], case: Case) -> list[str]:
        if proxy.program() is None:
            why = f"{proxy.name} is not installed: make test-proxies installs it"
            if os.environ.get("UPLINKS_PROXIES") == "required":
                pytest.fail(why)
            pytest.skip(why)
        folder = tmp_path_factory.mktemp(proxy.name)
        with serving(case.weights) as upstreams, proxy(folder, case.weights, upstreams) as running:
            if case.down is not None:
                # It fails in the middle of a schedule, not before there is one.
                running.picks(sum(case.vector) + 3)
                running.take_down(case.down)
            return running.picks(case.length)

    return measure_
