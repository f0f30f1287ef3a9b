"""Orders written in Python, and the protocol for your own.

``Selector(targets, scheduler=...)`` takes any object with the methods of `Scheduler`. `Edf` and
`Smooth` are two of them, and show how short one can be; ``scheduler="edf"`` and
``scheduler="smooth"`` make them. The compiled orders, ``"fair"``, ``"failover"`` and ``"random"``,
are many times faster.
"""

from __future__ import annotations

from heapq import heappop, heappush
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

    # A signal handler may use the selector between any two steps of a method, so a job is either in
    # the heap or local to one call. A weight is a list of one integer, so that each time it is set
    # it is another object: the jobs of earlier ones are out of date.

    def __init__(self) -> None:
        self._now = 0
        # Deadline, index, weight, base and count; the deadline is base + count/weight.
        self._heap: list[tuple[int, int, list[int], int, int]] = []
        self._weight: dict[int, list[int]] = {}
        self._deadline: dict[int, int] = {}

    def set_weight(self, index: int, weight: int) -> None:
        """Set an index's weight; 0 removes it from the order."""
        left = _UNIT
        old = self._weight.get(index)
        if old:
            left = (self._deadline[index] - self._now) * old[0]
        if not weight:
            self._weight.pop(index, None)
        else:
            new = self._weight[index] = [weight]
            self._push(index, new, self._now + left // weight - _UNIT // weight, 1)
        if len(self._heap) > 2 * len(self._weight) + 8:  # mostly out of date
            jobs, self._heap = self._heap, []
            for job in jobs:
                if self._weight.get(job[1]) is job[2]:
                    heappush(self._heap, job)

    def _push(self, index: int, weight: list[int], base: int, count: int) -> None:
        deadline = self._deadline[index] = base + count * _UNIT // weight[0]
        heappush(self._heap, (deadline, index, weight, base, count))

    def next_index(self) -> int:
        """Return the index with the earliest deadline."""
        while self._heap:
            deadline, index, weight, base, count = heappop(self._heap)
            if self._weight.get(index) is weight:
                self._now = deadline
                self._push(index, weight, base, count + 1)
                return index
        return next(iter(self._weight))  # its job is in the hands of the pick that was interrupted


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
        self._credit.setdefault(index, 0)
        if weight:
            self._weight[index] = weight
        else:
            self._weight.pop(index, None)

    def next_index(self) -> int:
        """Return the index with most credit."""
        credit = self._credit
        weights = dict(self._weight)  # at once: a signal handler may change it
        for index, weight in weights.items():
            credit[index] += weight
        best = min(weights, key=lambda index: (-credit[index], index))
        credit[best] -= sum(weights.values())
        return best
