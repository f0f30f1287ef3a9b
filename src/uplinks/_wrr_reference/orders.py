"""The other orders: failover, smooth, deadlines, chance, and somebody else's."""

from __future__ import annotations

from collections.abc import Callable
from operator import index
from typing import Any

from uplinks._wrr_reference.scheduler import Scheduler, ceil_div, expect

__all__ = [
    "EdfScheduler",
    "FailoverScheduler",
    "ForeignScheduler",
    "RandomScheduler",
    "SmoothScheduler",
]


class FailoverScheduler(Scheduler):
    """Always the first eligible index, in the order of the indices."""

    def period(self) -> int:
        return int(self.any_eligible())

    def _decide(self) -> int:
        return min(self.members(), default=-1)


class SmoothScheduler(Scheduler):
    """Credit each its weight, take the one with most, which pays the total."""

    def __init__(self) -> None:
        super().__init__()
        self.credit: list[int] = []
        self.at = 0
        self.pristine = True

    def _appear(self, i: int) -> None:
        if i == len(self.credit):
            self.credit.append(0)
        self.credit[i] = 0

    def check(self) -> None:
        super().check()
        expect(all(abs(credit) < 1 << 62 for credit in self.credit), "credit")
        expect(0 <= self.at < max(1, self.period()), "at")

    def _moving(self) -> None:
        self.pristine = self.pristine and self.at == 0
        self.at = 0

    def _moved(self, i: int, *, was: bool, will: bool) -> None:
        if self.pristine:
            self.credit = [0] * len(self.credit)

    def _jump(self, picks: int, counts: list[int]) -> int:
        total = sum(self.weight[i] for i in self.members())
        for i in self.members():
            self.credit[i] = picks * self.weight[i] - counts[i] * total
        self.pristine = False
        return picks

    def _decide(self) -> int:
        members = self.members()
        if not members:
            return -1
        for i in members:
            self.credit[i] += self.weight[i]
        best = min(members, key=lambda i: (-self.credit[i], i))
        self.credit[best] -= sum(self.weight[i] for i in members)
        self.at = (self.at + 1) % self.period()
        return best


class EdfScheduler(Scheduler):
    """Take the earliest deadline, the lower index of equals; move it on by 1 / weight.

    Deadlines are kept as floor and rest in units of 2**-62.
    """

    UNIT = 1 << 62

    def __init__(self) -> None:
        super().__init__()
        self.clock = 0
        self.deadline: list[int] = []
        self.rest: list[int] = []
        self.unit: list[int] = []
        self.at = 0
        self.pristine = True

    def _appear(self, i: int) -> None:
        for column in (self.deadline, self.rest, self.unit):
            if i == len(column):
                column.append(0)

    def check(self) -> None:
        super().check()
        expect(self.clock >= 0, "clock")
        expect(0 <= self.at < max(1, self.period()), "at")
        for i in self.members():
            unit = self.unit[i]
            expect(unit == self.weight[i], "unit")
            expect(0 <= self.rest[i] < unit, "rest")
            # A changed weight may have rounded it up, by less than the old one.
            latest = self.clock + self.UNIT // unit + (1 << 32)
            expect(self.clock <= self.deadline[i] <= latest, "deadline")

    def _moving(self) -> None:
        self.pristine = self.pristine and self.at == 0
        self.at = 0

    def _moved(self, i: int, *, was: bool, will: bool) -> None:
        if self.pristine:
            self.clock = 0
            for j in self.members():
                self._join(j)
        elif was and will:
            left = (self.deadline[i] - self.clock) * self.unit[i]
            self.unit[i], self.rest[i] = self.weight[i], 0
            self.deadline[i] = self.clock + ceil_div(left, self.unit[i])
        elif will:
            self._join(i)

    def _jump(self, picks: int, counts: list[int]) -> int:
        members = self.members()
        total = sum(self.weight[i] for i in members)
        sooner = picks - min(picks, len(members))
        taken = {i: sooner * self.weight[i] // total for i in members}
        clock = max(t * self.UNIT // self.weight[i] for i, t in taken.items())
        for i, t in taken.items():
            whole, self.rest[i] = divmod((t + 1) * self.UNIT, self.weight[i])
            self.deadline[i] = whole - clock
        self.clock = 0
        self.pristine = False
        return sum(taken.values())

    def _join(self, i: int) -> None:
        self.unit[i], self.rest[i] = self.weight[i], 0
        self.deadline[i] = self.clock
        self._extend(i)

    def _extend(self, i: int) -> None:
        whole, self.rest[i] = divmod(self.UNIT + self.rest[i], self.unit[i])
        self.deadline[i] += whole

    def _decide(self) -> int:
        members = self.members()
        if not members:
            return -1
        i = min(members, key=lambda i: (self.deadline[i], i))
        self.clock = self.deadline[i]
        self._extend(i)
        self.at = (self.at + 1) % self.period()
        if self.pristine and self.at == 0:
            # As at the beginning: said in whole units again.
            self.clock = 0
            for j in members:
                self._join(j)
        return i


class RandomScheduler(Scheduler):
    """Draw each pick anew: an alias table in integers, two draws a pick."""

    def __init__(self, generator: Any) -> None:
        super().__init__()
        self.randrange = generator.randrange

    def period(self) -> int:
        return 0

    def _decide(self) -> int:
        members = self.members()
        if not members:
            return -1
        total = sum(self.weight[i] for i in members)
        try:
            column: int = self.randrange(len(members))
            height: int = self.randrange(total)
            # The generator is no good, or has changed this very scheduler.
            members = self.members()
            total = sum(self.weight[i] for i in members)
            if not 0 <= column < len(members) or not 0 <= height < total:
                raise RuntimeError("the generator gave a number that is out of range")
        except BaseException as error:  # noqa: BLE001 - whoever picks gets it
            self.failure = error
            return -2
        own, alias = list(members), list(members)
        cut = [self.weight[i] * len(members) for i in members]
        small = [k for k, c in enumerate(cut) if c < total]
        large = [k for k, c in enumerate(cut) if c >= total]
        while small:
            less, more = small.pop(), large[-1]
            alias[less] = own[more]
            cut[more] -= total - cut[less]
            if cut[more] < total:
                small.append(large.pop())
        return own[column] if height < cut[column] else alias[column]


class ForeignScheduler(Scheduler):
    """Whatever another object says, as long as it is an eligible index."""

    def __init__(self, inner: Any, refusal: Callable[[Any, Any], Exception]) -> None:
        super().__init__()
        self.inner = inner
        self.refusal = refusal

    def period(self) -> int:
        return 0

    def _moved(self, i: int, *, was: bool, will: bool) -> None:
        try:
            self.inner.set_weight(i, self.weight[i] if will else 0)
        except BaseException as error:  # noqa: BLE001 - whoever changes gets it
            self.failure = error

    def _decide(self) -> int:
        if not self.any_eligible():
            return -1
        try:
            answer = self.inner.next_index()
            try:
                i = index(answer)
            except TypeError:
                i = -1
            if not 0 <= i < len(self.weight) or not self.eligible(i):
                raise self.refusal(self.inner, answer)
        except BaseException as error:  # noqa: BLE001 - whoever picks gets it
            self.failure = error
            return -2
        return i
