"""A retry budget: how many retries a service may add to its requests.

Without one, clients that retry multiply the load on children that are failing
because of their load. The budget limits retries to a share of the requests of
the last window, plus a minimum so that quiet services may retry at all. A request
that no child has received adds no load, so its retry is free.
"""

from __future__ import annotations

from collections import deque
from datetime import timedelta
from typing import Final

from attrs import field, frozen
from attrs.validators import ge, instance_of

from uplinks.durations import to_nanoseconds

__all__ = ["Budget", "RetryBudget"]

_SLICES: Final = 10  # of a window: old requests leave the window in tenths


def _window(value: str | timedelta | int) -> int:
    window = to_nanoseconds(value, "window")
    if window <= 0:
        raise ValueError(f"window must be above 0, got {value!r}")
    return window


@frozen
class RetryBudget:
    """Limit the retries of a service within a window.

    - ``percent``: retries allowed for each 100 requests. By default half, so that
      one child of two may fail all its requests.
    - ``minimum``: retries allowed in any case.
    - ``window``: a duration.

    Law: at most ``minimum + percent / 100 * requests`` retries within any
    window, counted in tenths of it.

    >>> RetryBudget(percent=50, minimum=10, window="10s").window
    10000000000

    Source: Finagle's ``RetryBudget``; Envoy's ``retry_budget``.
    """

    percent: int = field(default=50, validator=[instance_of(int), ge(0)])
    minimum: int = field(default=10, validator=[instance_of(int), ge(0)])
    window: int = field(default=10_000_000_000, converter=_window)


class Budget:
    """What is left of a retry budget. Complexity: O(1) amortized.

    >>> budget = Budget(RetryBudget(percent=50, minimum=0, window="10s"))
    >>> budget.request(now=0), budget.request(now=0)
    (None, None)
    >>> budget.retry(now=1), budget.retry(now=2)
    (True, False)
    """

    __slots__ = ("_limit", "_requests", "_retries", "_slices", "granted")

    def __init__(self, limit: RetryBudget) -> None:
        self._limit = limit
        self._slices: deque[list[int]] = deque()  # number, requests, retries
        self._requests = self._retries = 0
        self.granted = 0
        """How many retries were taken so far."""

    def request(self, now: int) -> None:
        """Count a request (its first attempt)."""
        self._slice(now)[1] += 1
        self._requests += 1

    def retry(self, now: int, *, free: bool = False) -> bool:
        """Take a retry from the budget; ``False`` if it is used up. A ``free`` one only counts."""
        if free:
            self.granted += 1
            return True
        current = self._slice(now)
        limit = self._limit
        if 100 * (self._retries + 1 - limit.minimum) > limit.percent * self._requests:
            return False
        current[2] += 1
        self._retries += 1
        self.granted += 1
        return True

    def _slice(self, now: int) -> list[int]:
        number = now * _SLICES // self._limit.window
        slices = self._slices
        while slices and slices[0][0] <= number - _SLICES:
            _, requests, retries = slices.popleft()
            self._requests -= requests
            self._retries -= retries
        if not slices or slices[-1][0] < number:
            slices.append([number, 0, 0])
        return slices[-1]
