"""Traefik's weighted round robin (earliest deadline first), in exact integers.

Definitions. A member of weight w has the deadlines 1/w, 2/w, 3/w, ... All members' deadlines, in
order of time and then of index, are one fixed sequence. A pick takes the next deadline of a member
that is up; deadlines of members that are down are skipped and not made up for later. So the whole
state is a position in that sequence, and a bulk of picks is a search for the new position.

Traefik computes with floats and inserts members in random order, so ties may be broken otherwise
there; over a period the counts are equal.

Complexity: O(n log(n + L)) for n members and any number of picks, where L is the least common
multiple of the weights.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from math import lcm

__all__ = ["EarliestDeadlines"]


class EarliestDeadlines:
    """The schedule of members with these weights, all above 0.

    >>> schedule = EarliestDeadlines([3, 1])
    >>> [next(iter(schedule.take(1, {0, 1}))) for _ in range(8)]
    [0, 0, 0, 1, 0, 0, 0, 1]
    >>> schedule.take(8, {1}), schedule.take(8, {0, 1})
    ({1: 8}, {0: 6, 1: 2})

    Source: Traefik v3.7, ``pkg/server/service/loadbalancer/wrr``.
    """

    def __init__(self, weights: Sequence[int]) -> None:
        self._period = lcm(*weights)
        self._steps = [self._period // weight for weight in weights]
        self._deadline, self._index = 0, len(weights)  # the position: the last pick

    def take(self, picks: int, up: Collection[int]) -> dict[int, int]:
        """Make some picks, at least one, and count those of each member that is up."""
        steps = {i: self._steps[i] for i in sorted(up)}
        before = self._counts(steps)
        wanted = sum(before.values()) + picks
        periods = picks // sum(self._period // step for step in steps.values()) + 1
        low, high = self._deadline, self._deadline + periods * self._period
        while low < high:  # find the first time with enough deadlines
            middle = (low + high) // 2
            enough = _deadlines_until(middle, steps) >= wanted
            low, high = (low, middle) if enough else (middle + 1, high)
        self._deadline = low
        tied = [i for i, step in steps.items() if self._deadline % step == 0]
        self._index = tied[wanted - _deadlines_until(low, steps) - 1]
        after = self._counts(steps)
        return {i: count - before[i] for i, count in after.items() if count > before[i]}

    def _counts(self, steps: dict[int, int]) -> dict[int, int]:
        """Count the deadlines of members up to the position."""
        deadline, index = self._deadline, self._index
        return {
            i: deadline // step - (deadline % step == 0 and i > index) for i, step in steps.items()
        }


def _deadlines_until(time: int, steps: dict[int, int]) -> int:
    return sum(time // step for step in steps.values())
