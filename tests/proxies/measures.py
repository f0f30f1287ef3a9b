"""What is measured of an order of picks: counts in every period, gaps, the order itself."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from itertools import pairwise
from math import gcd


def fair_counts(weights: Mapping[str, int]) -> dict[str, int]:
    """Return how often each target is picked in one period: its weight over the gcd."""
    unit = gcd(*weights.values())
    return {target: weight // unit for target, weight in weights.items()}


def windows(picks: Sequence[str], period: int) -> Iterator[Sequence[str]]:
    """Yield every run of one period, wherever it begins."""
    return (picks[at : at + period] for at in range(len(picks) - period + 1))


def furthest_count(picks: Sequence[str], fair: Mapping[str, int]) -> int:
    """Return how far any count in any period is from the fair one."""
    return max(
        abs(window.count(target) - count)
        for window in windows(picks, sum(fair.values()))
        for target, count in fair.items()
    )


def inexact_windows(picks: Sequence[str], fair: Mapping[str, int]) -> int:
    """Return in how many periods some count is not the fair one."""
    return sum(Counter(window) != fair for window in windows(picks, sum(fair.values())))


def longest_gap(picks: Sequence[str], target: str) -> int:
    """Return the most picks from one of a target to its next: 1 is back to back."""
    at = [place for place, picked in enumerate(picks) if picked == target]
    return max(after - before for before, after in pairwise(at))


def orders(picks: Sequence[str], fair: Mapping[str, int]) -> set[str]:
    """Return the orders of all exact periods, each turned to begin with its least rotation."""
    exact = (w for w in windows(picks, sum(fair.values())) if Counter(w) == fair)
    return {turned("".join(window)) for window in exact}


def turned(order: str) -> str:
    """Return the least rotation, so that orders compare wherever they were begun."""
    return min(order[at:] + order[:at] for at in range(len(order)))
