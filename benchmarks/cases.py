"""Targets, weights, and selectors in a known state."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from itertools import islice
from random import Random
from typing import Any, Final

from uplinks import Selector

__all__ = [
    "RECORD_LIMIT",
    "SITUATIONS",
    "SIZES",
    "down",
    "long_weights",
    "make",
    "pairs",
    "steady",
    "targets",
    "warm",
    "weights",
]

SIZES: Final = (2, 10, 100, 1_000, 10_000)
RECORD_LIMIT: Final = 1 << 20
SITUATIONS: Final = ("all up", "heaviest half down", "only the lightest up")


def targets(n: int) -> list[str]:
    """Return n distinct names."""
    return [f"child-{i}" for i in range(n)]


def weights(n: int) -> list[int]:
    """Return weights from 1 to 100, the same each time; (90, 10) for two."""
    random = Random(42)  # noqa: S311 - the same each time is the point
    return [90, 10] if n == 2 else [random.randint(1, 100) for _ in range(n)]


def long_weights(n: int) -> list[int]:
    """Return weights in nearly the same proportions, with a period too long to be recorded."""
    return [weight * 1_000_003 + 2 * i + 1 for i, weight in enumerate(weights(n))]


def pairs(n: int) -> list[tuple[str, int]]:
    """Return targets and weights."""
    return list(zip(targets(n), weights(n), strict=True))


def down(shares: Sequence[int], situation: str) -> list[int]:
    """Return the indices that are down in a situation."""
    heaviest_first = sorted(range(len(shares)), key=lambda i: -shares[i])
    count = {"all up": 0, "heaviest half down": len(shares) // 2}
    return heaviest_first[: count.get(situation, len(shares) - 1)]


def make(shares: Sequence[int], situation: str = "all up", **options: Any) -> Any:
    """Return a selector in which some targets are down."""
    names = targets(len(shares))
    selector = Selector(list(zip(names, shares, strict=True)), **options)
    for i in down(shares, situation):
        selector.set_up(names[i], False)
    return selector


def warm(selector: Any, picks: int) -> Any:
    """Make so many picks."""
    deque(islice(selector, picks), maxlen=0)
    return selector


def steady(shares: Sequence[int], situation: str = "all up", **options: Any) -> Any:
    """Return a selector that has recorded its period and replays it."""
    selector = make(shares, situation, **options)
    assert selector.period() <= RECORD_LIMIT
    return warm(selector, selector.period())
