"""The quality of the order. The fair order has its laws as gates, the others are for comparison.

Everything is counted, nothing is timed: the figures are the same on every machine.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from fractions import Fraction
from itertools import groupby
from random import Random
from typing import Any, Final

import pytest
from benchmarks.cases import targets, weights
from benchmarks.peers import ALL

from uplinks import Selector

OURS: Final = "uplinks.Selector"
OTHERS: Final = {
    'uplinks, scheduler="edf"': "edf",
    'uplinks, scheduler="smooth"': "smooth",
    'uplinks, scheduler="random"': "random",
}
REBUILT: Final = "heapq, rebuilt at a change"
BY_HAND: Final = ("itertools.cycle, expanded list", "interleaved (LVS), by hand")
NAMES: Final = (OURS, *OTHERS, *BY_HAND)
VECTORS: Final = {
    "5,1,1": (5, 1, 1),
    "90,10": (90, 10),
    "100,1x10": (100, *[1] * 10),
    "100,1x100": (100, *[1] * 100),
    "50,50,1x20": (50, 50, *[1] * 20),
    "7,5,3,1": (7, 5, 3, 1),
    "10x12": (10,) * 12,
    "1..100 x100": tuple(weights(100)),
}
REPLICAS: Final = 20_000


def make(name: str, shares: Sequence[int], start: int = 0) -> Any:
    names = targets(len(shares))
    both = list(zip(names, shares, strict=True))
    if name == OURS:
        return Selector(both, start=start)
    if name in OTHERS:
        chance: dict[str, Any] = {"rng": 1} if OTHERS[name] == "random" else {}
        return Selector(both, scheduler=OTHERS[name], **chance)
    return ALL[name](names, shares)


def indices(maker: Any, picks: int) -> Iterator[int]:
    for _ in range(picks):
        yield int(maker.pick().rpartition("-")[2])


def deviation(order: Sequence[int], shares: Sequence[int]) -> Fraction:
    """Return the largest distance of any target from its share, in picks.

    A target is furthest ahead just after a pick of its own, furthest behind just before one.
    """
    total, counts, most = sum(shares), [0] * len(shares), 0
    for t, i in enumerate(order):
        due = t * shares[i]
        most = max(most, due - counts[i] * total, (counts[i] + 1) * total - due - shares[i])
        counts[i] += 1
    for i, share in enumerate(shares):
        most = max(most, abs(len(order) * share - counts[i] * total))
    return Fraction(most, total)


def longest_run(order: Sequence[int]) -> int:
    return max(sum(1 for _ in group) for _, group in groupby(order))


@pytest.mark.parametrize("vector", VECTORS)
@pytest.mark.parametrize("name", NAMES)
def test_deviation(name: str, vector: str, bench: Any) -> None:
    shares = VECTORS[vector]
    order = list(indices(make(name, shares), 2 * sum(shares)))
    n = len(shares)
    law = 1 - Fraction(1, 2 * n - 2)
    found = deviation(order, shares)
    if name == OURS:
        assert found <= law
    bench.keep("largest deviation from the share, in picks", name, vector, float(found))


@pytest.mark.parametrize("n", [2, 3, 5, 10, 20, 50, 100, 200, 500, 1_000])
@pytest.mark.parametrize("name", NAMES)
def test_deviation_where_one_weight_is_half_of_all(name: str, n: int, bench: Any) -> None:
    shares = (n - 1, *[1] * (n - 1))
    order = list(indices(make(name, shares), 2 * sum(shares)))
    found = deviation(order, shares)
    if name == OURS:
        assert found <= 1 - Fraction(1, 2 * n - 2)
    section = "largest deviation, weights n-1, 1, ..., 1"
    bench.keep(section, name, f"n={n:,}", float(found))


@pytest.mark.parametrize("name", NAMES)
def test_a_target_returns(name: str, bench: Any) -> None:
    """Weights 40, 10, 10, 10, 10; the first is away for five periods, at any point of one."""
    shares = (40, 10, 10, 10, 10)
    total = sum(shares)
    lead, run = Fraction(0), 0
    for before in range(total):
        maker = make(name, shares)
        for _ in indices(maker, before):
            pass
        maker.set_up("child-0", False)
        for _ in indices(maker, 5 * total):
            pass
        maker.set_up("child-0", True)
        since = list(indices(maker, 2 * total))
        count = 0
        for t, i in enumerate(since, 1):
            count += i == 0
            lead = max(lead, count - Fraction(t * shares[0], total))
        run = max(run, longest_run(since))
    section = "a heavy target returns"
    limit = 1 if name == OURS else None
    bench.keep(section, name, "lead", float(lead), limit=limit)
    bench.keep(section, name, "longest run", run)


@pytest.mark.parametrize("every", [20, 200])
@pytest.mark.parametrize("name", [*NAMES, REBUILT])
def test_others_come_and_go(name: str, every: int, bench: Any) -> None:
    """Ten targets of weight 100, ten of 10, and one more that comes or goes again and again.

    The figure is the share that the ten light ones get, in fair shares: 1 is right.
    """
    shares = (*[100] * 10, *[10] * 10, 10)
    maker = make(name, shares)
    counts: Counter[int] = Counter()
    fair = 0.0
    for turn in range(4_000 // every * 5):
        up = turn % 2 == 0
        maker.set_up("child-20", up)
        counts.update(indices(maker, every))
        fair += every * 100 / (1_110 if up else 1_100)
    share = sum(counts[i] for i in range(10, 20)) / fair
    bench.keep("share of the light while another comes and goes", name, f"every {every}", share)
    if name == OURS:
        assert abs(share - 1) <= 0.01


@pytest.mark.parametrize("vector", ["5,1,1", "90,10", "100,1x10", "7,5,3,1"])
@pytest.mark.parametrize("name", [OURS, *OTHERS])
def test_first_picks_of_many_replicas(name: str, vector: str, bench: Any) -> None:
    """Total variation between the first picks of 20,000 replicas and the weights.

    The replicas of the fair order begin at a random ``start``; "edf" and "smooth" have none here.
    """
    shares = VECTORS[vector]
    total = sum(shares)
    random = Random(11)  # noqa: S311 - the same each time is the point
    if name == OURS:
        starts = [random.randrange(1 << 32) for _ in range(REPLICAS)]
        first = Counter(next(indices(make(name, shares, start), 1)) for start in starts)
    elif "random" in name:
        first = Counter(indices(make(name, shares), REPLICAS))
    else:
        first = Counter(indices(make(name, shares), 1))
    picks = first.total()
    distance = sum(abs(first[i] / picks - share / total) for i, share in enumerate(shares)) / 2
    # 0.01 is the law; with 20,000 replicas chance alone is below that.
    limit = 0.01 if name == OURS else None
    bench.keep("first picks: total variation from the weights", name, vector, distance, limit=limit)
