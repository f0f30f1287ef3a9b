"""The other orders: failover, random, and orders written in Python."""

from __future__ import annotations

from collections.abc import Callable
from operator import index
from typing import Any

from uplinks._wrr_reference.hashing import BITS, mix
from uplinks._wrr_reference.scheduler import Scheduler, expect

__all__ = ["FailoverScheduler", "ForeignScheduler", "RandomScheduler"]


class FailoverScheduler(Scheduler):
    """Always the eligible index that was added first."""

    def __init__(self) -> None:
        super().__init__()
        self.order: list[int] = []

    def period(self) -> int:
        return int(self.any_eligible())

    def check(self) -> None:
        super().check()
        expect(len(set(self.order)) == len(self.order), "order")

    def _appear(self, i: int) -> None:
        if i == len(self.order):
            self.order.append(0)
        self.order[i] = max(self.order) + 1

    def _decide(self) -> int:
        return min(self.members(), key=self.order.__getitem__, default=-1)


class RandomScheduler(Scheduler):
    """Draw each pick anew: an alias table in integers, two draws a pick, from SplitMix64."""

    def __init__(self, seed: int = 0) -> None:
        super().__init__()
        self.seed = seed & BITS

    def period(self) -> int:
        return 0

    def check(self) -> None:
        super().check()
        expect(0 <= self.seed <= BITS, "seed")

    def _draw(self, bound: int) -> int:
        """Return a number below a bound, each with the same chance (Lemire, 2019)."""
        while True:
            self.seed = (self.seed + 0x9E3779B97F4A7C15) & BITS
            product = mix(self.seed) * bound
            if product & BITS >= (1 << 64) % bound:
                return product >> 64

    def _decide(self) -> int:
        size = len(self.weight)
        shares = [self.weight[i] if self.eligible(i) else 0 for i in range(size)]
        total = sum(shares)
        if not total:
            return -1
        cut = [share * size for share in shares]
        alias = list(range(size))
        small = [i for i in range(size) if cut[i] < total]
        large = [i for i in range(size) if cut[i] >= total]
        while small:
            less, more = small.pop(), large[-1]
            alias[less] = more
            cut[more] -= total - cut[less]
            if cut[more] < total:
                small.append(large.pop())
        i = self._draw(size)
        return i if self._draw(total) < cut[i] else alias[i]


class ForeignScheduler(Scheduler):
    """Whatever a Python scheduler says, as long as it is an eligible index."""

    def __init__(self, inner: Any, refusal: Callable[[Any, Any], Exception]) -> None:
        super().__init__()
        self.inner = inner
        self.refusal = refusal
        self.queue: list[int] = []
        self.changes = 0

    def period(self) -> int:
        return 0

    def flush(self) -> None:
        """Give the changed weights to the Python scheduler, in order of index."""
        while self.queue:
            i = min(self.queue)
            self.queue.remove(i)
            given = self._share(i)
            self.inner.set_weight(i, given)
            if self._share(i) != given and i not in self.queue:
                self.queue.append(i)  # a signal handler gave it another weight meanwhile

    def _share(self, i: int) -> int:
        return self.weight[i] if self.eligible(i) else 0

    def _moved(self, i: int, before: int) -> None:
        self.changes += 1
        if i not in self.queue:
            self.queue.append(i)

    def _decide(self) -> int:
        i = -1
        try:
            while i < 0 and self.any_eligible():
                self.flush()
                i = self._answer(self.changes)
        except BaseException as error:  # noqa: BLE001 - the caller of the pick raises it
            self.failure = error
            return -2
        return i

    def _answer(self, changes: int) -> int:
        """Return the next index; -1 if a change that was made meanwhile forbids it."""
        answer = self.inner.next_index()
        try:
            i = index(answer)
        except TypeError:
            i = -1
        if 0 <= i < len(self.weight) and self.eligible(i):
            return i
        if changes == self.changes:
            raise self.refusal(self.inner, answer)
        return -1
