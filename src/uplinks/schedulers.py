"""Orders written in Python, and the protocol for your own.

``Selector(targets, scheduler=...)`` takes any object with the methods of `Scheduler`. `Edf` and
`Smooth` are two of them, and show how short one can be; ``scheduler="edf"`` and
``scheduler="smooth"`` make them. The compiled orders, ``"fair"``, ``"failover"`` and ``"random"``,
are many times faster.
"""

from __future__ import annotations

from heapq import heappop, heappush, heapreplace
from typing import Final, Protocol, runtime_checkable

__all__ = ["Edf", "Scheduler", "Smooth"]

_UNIT: Final = 1 << 62
"""Units in one of virtual time. Deadlines k/w that differ, differ by at least one unit."""


@runtime_checkable
class Scheduler(Protocol):
    """An order of indices, for ``Selector(targets, scheduler=...)``.

    The selector hands out the indices: 0, 1, 2, … in the order in which targets are added; the
    index of a removed target goes to the next target added. A scheduler serves one selector.

    The selector calls a scheduler under a lock, so no two calls overlap. A call may use the
    selector again, from the same thread. It must not wait for another thread that does.

    A scheduler that learns from requests has one more method, ``ended(index, ok, nanoseconds)``:
    a request to that index has ended, successfully or not, after so many nanoseconds. The user
    of the selector reports it with `Selector.ended`. `examples/peak_ewma.py` is such a scheduler.

    >>> class Alternate:
    ...     def __init__(self):
    ...         self.weights, self.turn = {}, 0
    ...     def set_weight(self, index, weight):
    ...         self.weights[index] = weight
    ...     def next_index(self):
    ...         self.turn += 1
    ...         eligible = [i for i, weight in self.weights.items() if weight]
    ...         return eligible[self.turn % len(eligible)]
    >>> from uplinks import Selector
    >>> Selector([("a", 1), ("b", 1)], scheduler=Alternate()).pick_many(3)
    ['b', 'a', 'b']
    """

    def set_weight(self, index: int, weight: int) -> None:
        """Set an index's weight: 0 means that it must not be picked at present.

        Called for each index whose share changes, by its weight, its status, or because its target
        comes or goes: after the change is complete and before the next pick. An exception is
        raised by the call that made the change, which stands.
        """

    def next_index(self) -> int:
        """Return an index whose weight is above 0; there is one when this is called.

        Any other answer (another type, out of range, an index of weight 0) makes the pick raise
        `uplinks.errors.InvalidScheduler` without counting a pick. The pick also raises what this
        method raises.
        """
        ...


class Edf:
    """Earliest deadline first: the order of Envoy and Traefik, in exact arithmetic.

    A pick takes the index with the earliest deadline, the lower index of equals, and moves its
    deadline on by 1/weight. An index that joins has its deadline 1/weight after the last one
    picked; a weight change scales what is left of the way to the deadline.

    Complexity: O(log n) amortized. An index is at most n - 1 picks from its share.

    >>> from uplinks import Selector
    >>> "".join(Selector([("a", 5), ("b", 1), ("c", 1)], scheduler="edf").pick_many(7))
    'aaaaabc'
    """

    def __init__(self) -> None:
        self._now = 0
        self._heap: list[tuple[int, int]] = []  # (deadline, index), with some that are out of date
        self._deadline: dict[int, int] = {}
        self._job: dict[int, tuple[int, int, int]] = {}  # deadline = base + count/weight

    def set_weight(self, index: int, weight: int) -> None:
        """Set an index's weight; 0 removes it from the order."""
        left, old = _UNIT, 1
        if index in self._deadline:
            left, old = self._deadline.pop(index) - self._now, self._job[index][2]
        if weight:
            deadline = self._now + left * old // weight
            self._job[index] = (deadline - _UNIT // weight, 1, weight)
            self._deadline[index] = deadline
            heappush(self._heap, (deadline, index))
        if len(self._heap) > 2 * len(self._deadline) + 8:  # mostly out of date
            self._heap = sorted((time, i) for i, time in self._deadline.items())

    def next_index(self) -> int:
        """Return the index with the earliest deadline."""
        while self._deadline.get(self._heap[0][1]) != self._heap[0][0]:
            heappop(self._heap)
        self._now, index = self._heap[0]
        base, count, weight = self._job[index]
        self._job[index] = base, count + 1, weight
        self._deadline[index] = base + (count + 1) * _UNIT // weight
        heapreplace(self._heap, (self._deadline[index], index))
        return index


class Smooth:
    """Smooth weighted round robin: the order of nginx.

    A pick credits each index its weight and takes the index with most credit, the lower index of
    equals, which pays the sum of the weights. An index that may not be picked keeps its credit.

    Complexity: O(n) a pick.

    >>> from uplinks import Selector
    >>> "".join(Selector([("a", 5), ("b", 1), ("c", 1)], scheduler="smooth").pick_many(7))
    'aabacaa'
    """

    def __init__(self) -> None:
        self._weight: dict[int, int] = {}
        self._credit: dict[int, int] = {}

    def set_weight(self, index: int, weight: int) -> None:
        """Set an index's weight; 0 removes it from the order."""
        self._weight.pop(index, None)
        if weight:
            self._weight[index] = weight
            self._credit.setdefault(index, 0)

    def next_index(self) -> int:
        """Return the index with most credit."""
        credit = self._credit
        for index, weight in self._weight.items():
            credit[index] += weight
        best = min(self._weight, key=lambda index: (-credit[index], index))
        credit[best] -= sum(self._weight.values())
        return best
