"""The requests of a target within a window, and how many of them failed."""

from __future__ import annotations

from collections import deque
from typing import Final

__all__ = ["RequestRate"]

_SLICES: Final = 10  # of a window: old requests leave it in tenths


class RequestRate:
    """Count requests and failures within a window (ns). Complexity: O(1) amortized.

    Law: the counts are those of the present tenth of the window and the nine before it.

    >>> rate = RequestRate(window=10)
    >>> [rate.count(now, failed=now > 3) for now in (1, 3, 5)]
    [(1, 0), (2, 0), (3, 1)]
    >>> rate.count(12, failed=False)
    (3, 1)
    """

    __slots__ = ("_failures", "_requests", "_slices", "_window")

    def __init__(self, window: int) -> None:
        self._window = window
        self._slices: deque[list[int]] = deque()  # number, requests, failures
        self._requests = self._failures = 0

    def count(self, now: int, *, failed: bool) -> tuple[int, int]:
        """Count a request; return the requests and the failures within the window."""
        number = now * _SLICES // self._window
        slices = self._slices
        while slices and slices[0][0] <= number - _SLICES:
            _, requests, failures = slices.popleft()
            self._requests -= requests
            self._failures -= failures
        if not slices or slices[-1][0] < number:
            slices.append([number, 0, 0])
        slices[-1][1] += 1
        slices[-1][2] += failed
        self._requests += 1
        self._failures += failed
        return self._requests, self._failures
