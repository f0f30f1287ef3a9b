"""The fair scheduler, as a specification.

Each eligible target of weight w owns a chain of *jobs*, one a pick, each 1/w long; ``start`` is
where its current job starts. Lags, ``w * (clock - start)``, always sum to the *debt*: what targets
that have left were ahead. With W the sum of the eligible weights, n their number and
d = 1 / (2n - 2):

- pick: advance the clock by 1/W, or by half as much while the debt is more than one pick; then
  the pick pays half a pick of it. A job may be picked in its *window*, from ``start + d/w`` to
  ``start + (1 - d)/w``. Of the targets that have not had their share of this period, take the
  one whose open window closes first; if no window is open, the one whose window opens first.
  Its next job starts where this one ends.
- leave: the debt becomes the sum of the remaining lags.
- join: a target takes over the debt, but at most one pick: it starts that much divided by w after
  the clock, also when it comes back. What it was ahead when it left is in the debt.
- weight change: keep the lead or lag in picks, at most two.

A change moves the clock instead where the debt would be below 0, and by what it changes the sum
of the lags beyond four picks. A target that falls three units of virtual time behind is set two
behind.

Every change begins a new period. The first period is recorded and then replayed. All periods
repeat it, so each begins with the debt that the first one began with.

Time is counted in integer units, ``scale`` of them a unit of virtual time. Fractions are kept
as remainders, so nothing is rounded but the start of a target that joins or changes weight
(up, to a whole unit) and the comparison of windows (`_grain`).

Source: R. Tijdeman, "The chairman assignment problem", Discrete Mathematics 32 (1980) 323-330,
for the windows; I. Stoica and H. Abdel-Wahab, "Earliest Eligible Virtual Deadline First"
(1995), for lags that sum to zero.
"""

from __future__ import annotations

from collections import Counter
from math import gcd
from typing import Final

from uplinks._wrr_reference.scheduler import Scheduler, ceil_div, expect

__all__ = ["RECORD_LIMIT", "FairScheduler"]

RECORD_LIMIT: Final = 1 << 20
"""The longest period, in picks, that is recorded and replayed."""

_SCALE: Final = 1 << 59
_KEPT: Final = 2  # picks of lead or lag that a weight change keeps
_SHIFT: Final = 4  # picks by which a change may change the debt
_MOST_SLOW: Final = 1 << 30  # the debt is not increased beyond so many half picks
_LATE: Final = 3 * _SCALE  # more than this behind the clock, a target is set _LEFT behind it
_LEFT: Final = 2 * _SCALE
_FARTHEST: Final = 5 * _SCALE  # from the clock to any start


class FairScheduler(Scheduler):
    """Weighted round robin that is exact in every period and optimally smooth."""

    def __init__(self) -> None:
        super().__init__()
        self.scale = _SCALE
        self.clock = 0  # whole units; clock_rest / total more
        self.clock_rest = 0
        self.debt = 0  # at most one pick of the debt, times scale
        self.slow = (
            0  # half picks that the debt is more: it is slow picks of a period that pay them
        )
        self.total = 0
        self.divisor = 0
        self.shifts = 0  # 2n - 2
        self.start: list[int] = []  # the current job starts at start + rest / weight
        self.rest: list[int] = []
        self.opens: list[int] = []
        self.closes: list[int] = []  # while the window is open
        self.opened: list[bool] = []
        self.picked: list[int] = []  # in this period
        self.at = 0  # picks made in this period
        self.recording: list[int] = []
        self.recorded = False
        self.pristine = True  # all targets were exactly on schedule when this period started

    def check(self) -> None:
        super().check()
        members = self.members()
        quota = {i: self.weight[i] // gcd(*(self.weight[j] for j in members)) for i in members}
        expect(self.total == sum(self.weight[i] for i in members), "total")
        expect(self.divisor == gcd(*(self.weight[i] for i in members)), "divisor")
        expect(self.shifts == max(0, 2 * len(members) - 2), "shifts")
        expect(_SCALE // 2 <= self.scale <= _SCALE, "scale")
        expect(0 <= self.clock_rest < max(1, self.total), "clock_rest")
        expect(0 <= self.at < max(1, self.period()), "at")
        expect(set(self.recording) <= set(members), "recording")
        if self.recorded:
            expect(Counter(self.recording) == quota, "recording")
            expect(not any(self.picked), "picked")
        else:
            expect(len(self.recording) == min(self.at, RECORD_LIMIT), "recording")
            expect(sum(self.picked) == self.at, "picked")
            recorded = Counter(self.recording)
            expect(all(recorded[i] <= k for i, k in enumerate(self.picked)), "picked")
        for i, k in enumerate(self.picked):
            expect(0 <= k <= quota.get(i, 0), "picked")
        for i in members:
            self._check_job(i)
        expect(self.scale % 2 == 0, "scale")
        expect(0 <= self.slow <= _MOST_SLOW + 2 * _SHIFT, "slow")
        expect((self.scale // 2 if self.slow else -1) < self.debt <= self.scale, "debt")
        balance = self.debt + (self.slow - self._paid()) * (self.scale // 2)
        balance += sum(self.weight[i] * self.start[i] + self.rest[i] for i in members)
        expect(not members or balance == self.total * self.clock + self.clock_rest, "clock")

    def _check_job(self, i: int) -> None:
        length = self.scale // self.weight[i]
        expect(0 <= self.rest[i] < self.weight[i], "rest")
        expect(abs(self.start[i] - self.clock) <= _FARTHEST, "start")
        expect(0 <= self.opens[i] - self.start[i] <= length + 2, "opens")
        if self.opened[i]:
            expect(0 <= self.closes[i] - self.start[i] <= length + 2, "closes")

    # -- a pick -------------------------------------------------------------

    def _decide(self) -> int:
        if not self.total:
            return -1
        period = self.total // self.divisor
        was_recorded = self.recorded
        if was_recorded:
            i = self.recording[self.at]
        else:
            self._tick(2 if self.at >= self.slow else 1)
            i = self._choose()
            self._advance(i)
            self.picked[i] += 1
            if self.at < RECORD_LIMIT:
                self.recording.append(i)
        self.at += 1
        if self.at == period:
            if not was_recorded:
                self._tick(self._paid())
            self.at = 0
            self.picked = [0] * len(self.picked)
            self.recorded = len(self.recording) == period
            if not self.recorded:
                self.recording = []
        return i

    def _tick(self, half_picks: int) -> None:
        units = half_picks * (self.scale // 2)
        whole, self.clock_rest = divmod(units + self.clock_rest, self.total)
        self.clock += whole

    def _paid(self) -> int:
        """Return how many half picks of the debt this period has paid since the jobs were moved."""
        return 0 if self.recorded else min(self.slow, self.at)

    def _choose(self) -> int:
        grain = _grain(len(self.weight))
        candidates = [
            i
            for i in range(len(self.weight))
            if self.eligible(i) and self.picked[i] < self.weight[i] // self.divisor
        ]
        waiting = [(ceil_div(self.opens[i], grain), i) for i in candidates if not self.opened[i]]
        for time, i in waiting:
            if time <= self.clock // grain:
                self.closes[i] = self._closing(i)
                self.opened[i] = True
        opened = [(self.closes[i] // grain, i) for i in candidates if self.opened[i]]
        return min(opened or waiting)[1]

    def _advance(self, i: int, picks: int = 1) -> None:
        """Move a target on to the start of a later job."""
        whole, self.rest[i] = divmod(picks * self.scale + self.rest[i], self.weight[i])
        self._place(i, self.start[i] + whole)

    def _place(self, i: int, start: int) -> None:
        """Start a job; its window is not open yet."""
        shifts, rest = self.shifts, self.rest[i]
        inset = (
            ceil_div(rest * shifts + self.scale, shifts * self.weight[i]) if shifts else rest > 0
        )
        self.start[i] = start
        self.opens[i] = start + inset
        self.opened[i] = False

    def _closing(self, i: int) -> int:
        whole, rest = divmod(self.scale + self.rest[i], self.weight[i])
        inset = self.scale - rest * self.shifts
        return (
            self.start[i]
            + whole
            - (ceil_div(inset, self.shifts * self.weight[i]) if self.shifts else 0)
        )

    # -- a change -----------------------------------------------------------

    def _appear(self, i: int) -> None:
        is_new = i == len(self.opened)
        if is_new:
            for column in (self.start, self.rest, self.opens, self.closes, self.picked):
                column.append(0)
            self.opened.append(False)
        if is_new and _grain(i) < _grain(i + 1):
            self.restart()

    def _moving(self) -> None:
        self.pristine = self.pristine and self.at == 0
        paid = min(self.slow, self.at)
        self.slow -= paid
        if self.recorded and not self.pristine:
            self._tick(2 * self.at - paid)
            for i, picks in Counter(self.recording[: self.at]).items():
                self._advance(i, picks)
            for i in self.members():
                self._advance(i, 0)

    def restart(self) -> None:
        self._moving()
        self._begin_period()
        for i in self.members():
            self._advance(i, 0)

    def _begin_period(self) -> None:
        self.at = 0
        self.picked = [0] * len(self.picked)
        self.recording = []
        self.recorded = False

    def _moved(self, i: int, before: int) -> None:
        weights = [self.weight[j] for j in self.members()]
        self.total = sum(weights)
        self.divisor = gcd(*weights)
        self.shifts = max(0, 2 * len(weights) - 2)
        self._begin_period()
        if self.pristine:
            self._lay_out()
        else:
            self._move(i, before)

    def _lay_out(self) -> None:
        """Let every target start now. A pick is a power of two of units: comparisons are exact."""
        self.clock = self.clock_rest = self.debt = self.slow = 0
        self.start = [0] * len(self.start)
        self.rest = [0] * len(self.rest)
        if self.total:
            self.scale = self.total << (_SCALE // self.total).bit_length() - 1
        for i in self.members():
            self._place(i, 0)

    def _move(self, i: int, old: int) -> None:
        """Take a target out of the schedule, put it into the schedule, or both."""
        now = self.clock + (self.clock_rest > 0)
        weight = self.weight[i] if self.eligible(i) else 0
        ahead = self.start[i] + (self.rest[i] > 0) - now
        lags = 0  # by how much the sum of the lags changes
        if old:
            lags = old * (self.start[i] - self.clock) + self.rest[i]
        if weight:
            if old:
                kept = _KEPT * self.scale // old
                ahead = ceil_div(max(-kept, min(kept, ahead)) * old, weight)
            else:
                ahead = ceil_div(self.scale if self.slow else self.debt, weight)
            lags += weight * (self.clock - now - ahead)
            self.rest[i] = 0
            self._place(i, now + ahead)
        self._balance(lags)
        while (late := self._latest()) is not None:
            start, rest = self.start[late], self.rest[late]
            self.rest[late] = 0
            self._place(late, self.clock - _LEFT)
            self._balance(self.weight[late] * (start + _LEFT - self.clock) + rest)

    def _latest(self) -> int | None:
        """Return the target whose window closes, or else opens, first, if it is too far behind."""
        grain = _grain(len(self.weight))
        opened = [(self.closes[i] // grain, i) for i in self.members() if self.opened[i]]
        waiting = [
            (ceil_div(self.opens[i], grain), i) for i in self.members() if not self.opened[i]
        ]
        for _, i in [min(keys) for keys in (opened, waiting) if keys]:
            if self.clock - self.start[i] > _LATE:
                return i
        return None

    def _balance(self, lags: int) -> None:
        """Add to the sum of the lags: the debt takes what it may, the clock moves by the rest."""
        rest = min(self.clock_rest, max(0, self.total - 1))
        lags += rest - self.clock_rest
        half, most = self.scale // 2, _SHIFT * self.scale
        taken = max(-most, min(most if self.slow < _MOST_SLOW else 0, lags))
        debt = max(0, self.debt + self.slow * half + taken) if self.total else 0
        left = lags - (debt - self.debt - self.slow * half)
        self.slow = max(0, ceil_div(debt - self.scale, half))
        self.debt = debt - self.slow * half
        moved, self.clock_rest = divmod(rest - left, max(1, self.total))
        if self.total:
            self.clock += moved
        else:
            self.clock_rest = 0

    def _jump(self, picks: int, counts: list[int]) -> None:
        self.clock = self.clock_rest = self.debt = self.slow = 0
        self._tick(2 * picks)
        for i in self.members():
            self._advance(i, counts[i])
        self.at = 0
        self.pristine = False


def _grain(targets: int) -> int:
    """Return the number of units within which two times count as equal when compared."""
    return 2 << max(2, (targets - 1).bit_length())
