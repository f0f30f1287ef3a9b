"""A change of what is offered, among few uplinks and among many."""

from __future__ import annotations

from itertools import cycle
from typing import Any

import pytest
from benchmarks.measure import Loop

from uplinks import Advertisement, Parent, ParentConfig
from uplinks.model import Child

SECTION = "parent: a changed uplink, among so many / among 10"
CHILDREN = ("eu", "us")
CONFIG = ParentConfig({name: Child(f"https://{name}.example.com") for name in CHILDREN})


def offer(i: int, weight: int = 1) -> Advertisement:
    return Advertisement(f"apps-{i}", f"apps/{i}", ["multicluster"], weight=weight)


def amending(n: int) -> Loop:
    """Change the weight of one uplink of n, that is picked from."""
    parent = Parent(CONFIG)
    for child in CHILDREN:
        parent.advertise(child, [offer(i) for i in range(n)], 0)
    parent.selector("apps-0@multicluster")
    weights = cycle((2, 3))

    def loop(times: int) -> None:
        for _ in range(times):
            parent.amend("eu", [offer(0, next(weights))], now=0)

    return loop


@pytest.mark.parametrize("n", [100, 10_000])
def test_a_changed_uplink(n: int, bench: Any) -> None:
    bench.time(SECTION, "amend()", n, amending(n), amending(10), limit=1.5)


def advertising(n: int) -> Loop:
    """Tell of a new child each time, until there are n."""
    names = [f"child-{i}" for i in range(n)]
    config = ParentConfig({name: Child(f"https://{name}.example.com") for name in names})
    offers = [Advertisement(f"apps-{i}", f"apps/{i}", ["up"]) for i in range(n)]

    def loop(times: int) -> None:
        for _ in range(times):
            parent = Parent(config)
            for name, ad in zip(names, offers, strict=True):
                parent.advertise(name, [ad], 0)

    return loop


def test_children_that_come_one_by_one(bench: Any) -> None:
    """Linear: ten times as many children, ten times the time."""
    section = "parent: children that advertise one by one, each / of 100"
    how: dict[str, Any] = {"operations": 1, "per": 10}
    bench.time(
        section, "advertise()", 1_000, advertising(1_000), advertising(100), limit=1.5, **how
    )
