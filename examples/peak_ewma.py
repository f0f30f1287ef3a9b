"""Peak-EWMA with two choices: a scheduler that avoids slow and busy targets.

A pick draws two eligible targets in proportion to their weights and takes the one whose requests
are expected to cost less: its latency times the requests that are outstanding there, plus one.
The latency is an exponentially weighted moving average that rises to a peak at once and decays
with a half-life, so that one slow answer counts immediately and is forgotten over time.

    selector = Selector({"eu": 1, "us": 1}, scheduler=PeakEwma(half_life=10_000_000_000))
    child = selector.pick()
    ...                                            # send the request to the child
    selector.ended(child, ok=True, nanoseconds=elapsed)

Report every request that was picked, with its own duration, or the target seems busy for ever.
Sources: Twitter Finagle's "Peak EWMA"; M. Mitzenmacher, "The Power of Two Choices in Randomized
Load Balancing" (2001).
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from itertools import accumulate
from typing import Final

__all__ = ["PeakEwma"]

_FAILURE_COSTS: Final = 10
"""A failed request counts as one that took so many times as long."""


class PeakEwma:
    """Pick the cheaper of two random indices, by peak latency and outstanding requests.

    Args:
        half_life: the time in nanoseconds after which half of a peak is forgotten.
        seed: of the draws; the same seed and the same calls give the same picks.
        clock: returns the time in nanoseconds.

    """

    def __init__(
        self,
        half_life: int = 10_000_000_000,
        *,
        seed: int | None = None,
        clock: Callable[[], int] = time.monotonic_ns,
    ) -> None:
        self._half_life = half_life
        self._random = random.Random(seed)  # noqa: S311 - spreads load, keeps no secret
        self._clock = clock
        self._weights: dict[int, int] = {}  # of the eligible indices
        self._cumulative: list[int] | None = None
        self._latency: dict[int, float] = {}  # nanoseconds, at the time in `_updated`
        self._updated: dict[int, int] = {}
        self._outstanding: dict[int, int] = {}
        self._left: dict[int, int] = {}

    def set_weight(self, index: int, weight: int) -> None:
        """Set an index's weight; forget an index that was away for a half-life.

        An excluded target is away for one pick and keeps its history. The index of a removed
        target may come back as another target.
        """
        self._cumulative = None
        if weight:
            left = self._left.pop(index, None)
            if left is not None and self._clock() - left > self._half_life:
                for history in (self._latency, self._updated, self._outstanding):
                    history.pop(index, None)
            self._weights[index] = weight
        elif self._weights.pop(index, None):
            self._left[index] = self._clock()

    def next_index(self) -> int:
        """Draw two indices by weight and return the one that is expected to cost less."""
        if self._cumulative is None:
            self._cumulative = list(accumulate(self._weights.values()))
        draws = self._random.choices(list(self._weights), cum_weights=self._cumulative, k=2)
        now = self._clock()
        index = min(draws, key=lambda index: self._cost(index, now))
        self._outstanding[index] = self._outstanding.get(index, 0) + 1
        return index

    def ended(self, index: int, ok: bool, nanoseconds: int) -> None:  # noqa: FBT001 - the protocol
        """Learn from a request that has ended."""
        now = self._clock()
        self._outstanding[index] = max(0, self._outstanding.get(index, 0) - 1)
        took = nanoseconds if ok else nanoseconds * _FAILURE_COSTS
        average, share = self._decayed(index, now)
        self._latency[index] = max(took, average + (1 - share) * took)
        self._updated[index] = now

    def _cost(self, index: int, now: int) -> float:
        average, _ = self._decayed(index, now)
        return average * (self._outstanding.get(index, 0) + 1)

    def _decayed(self, index: int, now: int) -> tuple[float, float]:
        """Return what is left of the average latency by now, and which share that is."""
        share = 0.5 ** ((now - self._updated.get(index, now)) / self._half_life)
        return self._latency.get(index, 0.0) * share, share
