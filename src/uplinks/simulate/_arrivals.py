"""Arrival times of requests, in integers."""

from __future__ import annotations

from fractions import Fraction
from typing import Final

__all__ = ["SECOND", "Arrivals"]

SECOND: Final = 1_000_000_000


class Arrivals:
    """Requests at a constant rate: request i arrives at floor(i / rate), the first one at 0.

    Law: ``before(t)`` requests i have ``at(i) < t``.
    Complexity: O(1).

    >>> third = Arrivals(Fraction(3))
    >>> [third.at(i) for i in range(4)], third.before(SECOND)
    ([0, 333333333, 666666666, 1000000000], 3)
    """

    def __init__(self, rate: Fraction) -> None:
        self._requests, self._time = rate.numerator, rate.denominator * SECOND

    def at(self, request: int) -> int:
        """Return the arrival time (ns) of a request, counted from 0."""
        return request * self._time // self._requests

    def before(self, time: int) -> int:
        """Count the requests that arrive before a time (ns)."""
        return -(-time * self._requests // self._time)
