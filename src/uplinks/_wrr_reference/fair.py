"""The fair scheduler.

Time is virtual and counted in integer units; ``scale`` units are one unit of
virtual time. A pick moves the clock by ``scale / W``, W being the sum of the
eligible weights. A target of weight w owns a chain of *jobs*, one a pick, each
``scale / w`` long, the next beginning where the last ended. A job may be
picked within a window that is narrower than the job by a share of
``1 / (2n - 2)`` at either end (Tijdeman 1980). A pick takes, of the jobs whose
window has opened, the one whose window closes first; if none has opened, the
one that opens first. No target gets more than its share of a period before
the period is over, which makes every period exact whatever came before.

The clock never goes back. When somebody leaves who was behind, the others are
ahead on the whole by what he left to them, and the clock goes forward by that
(`_level`); when somebody leaves who was ahead, they are behind, and windows
open later by that until it is made up for.
"""

from __future__ import annotations

from collections import Counter
from math import gcd
from typing import Final

from uplinks._wrr_reference.scheduler import Scheduler, ceil_div, expect

__all__ = ["RECORD_LIMIT", "FairScheduler"]

RECORD_LIMIT: Final = 1 << 20
"""The longest period, in picks, that is recorded and replayed."""

_SCALE: Final = 1 << 60
_FINE: Final = 24
_SLACK: Final = 1 << 33
"""More than all roundings of a change together."""
_MOST_OWED: Final = 1 << 61
"""In 2**-36 picks: a sum that takes millions of targets to leave, and that fits 64 bits."""


class FairScheduler(Scheduler):
    """Weighted round robin that is exact in every period and optimally smooth."""

    def __init__(self) -> None:
        super().__init__()
        self.scale = _SCALE
        self.clock = 0  # whole units; clock_rest / total more
        self.clock_rest = 0
        self.total = 0
        self.divisor = 0
        self.shifts = 0  # 2n - 2
        self.start: list[int] = []  # where the current job begins: start + rest / weight
        self.rest: list[int] = []
        self.unit: list[int] = []  # the weight that `start` was last reckoned with
        self.opens: list[int] = []
        self.closes: list[int] = []  # while a window is open
        self.opened: list[bool] = []
        self.picked: list[int] = []  # in this period
        self.at = 0  # picks made in this period
        self.recording: list[int] = []
        self.recorded = False
        self.pristine = True  # did this period begin with nobody ahead or behind?
        self.owed = 0  # by how much all together are behind the clock, in 2**-36 picks
        self.delay = 0  # how far behind the clock windows are opened, on that account

    def _appear(self, i: int) -> None:
        for column in (self.start, self.rest, self.unit, self.opens, self.closes, self.picked):
            if i == len(column):
                column.append(0)
        if i == len(self.opened):
            self.opened.append(False)
        self.start[i] = self.rest[i] = self.unit[i] = 0

    def _jump(self, picks: int, counts: list[int]) -> int:
        self.owed = self.delay = 0
        self.clock = picks * (self.scale // self.total)
        for i in self.members():
            self.start[i], self.rest[i] = divmod(counts[i] * self.scale, self.weight[i])
            self._cut(i)
        self.pristine = False
        return picks

    def check(self) -> None:
        super().check()
        members = self.members()
        quota = {i: self.weight[i] // gcd(*(self.weight[j] for j in members)) for i in members}
        expect(self.total == sum(self.weight[i] for i in members), "total")
        expect(self.divisor == gcd(*(self.weight[i] for i in members)), "divisor")
        expect(self.shifts == max(0, 2 * len(members) - 2), "shifts")
        expect(_SCALE // 2 <= self.scale <= _SCALE, "scale")
        expect(self.clock >= 0, "clock")
        expect(0 <= self.clock_rest < max(1, self.total), "clock_rest")
        expect(0 <= self.owed <= _MOST_OWED, "owed")
        expect(0 <= self.delay <= 2 * _SCALE, "delay")
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

    def _check_job(self, i: int) -> None:
        """See that nobody is ahead by more than a few picks, or behind by much more than a job.

        Who stays while others leave that are ahead falls behind by as much time as the
        longest job takes, and a few picks.
        """
        length = self.scale // self.weight[i]
        expect(self.unit[i] == self.weight[i], "unit")
        expect(0 <= self.rest[i] < self.unit[i], "rest")
        few = 4 * length + _SLACK
        expect(-few - 2 * _SCALE <= self.start[i] - self.clock <= few, "start")
        if self.opened[i]:
            # Who is left of a replay may be due there within its job or not.
            expect(-few <= self.closes[i] - self.start[i] <= few + 2 * _SCALE, "window")
        else:
            expect(0 <= self.opens[i] - self.start[i] <= length + 2, "window")

    # -- a pick -------------------------------------------------------------

    def _decide(self) -> int:
        if not self.total:
            return -1
        if self.recorded:
            i = self.recording[self.at]
        else:
            self._tick()
            i = self._choose()
            self._advance(i)
            if self.at < RECORD_LIMIT:
                self.recording.append(i)
        self.at += 1
        if self.at == self.total // self.divisor:
            self.at = 0
            self.picked = [0] * len(self.picked)
            self.recorded = len(self.recording) == self.total // self.divisor
            if not self.recorded:
                self.recording = []
        return i

    def _tick(self) -> None:
        whole, rest = divmod(self.scale + self.clock_rest, self.total)
        self.clock += whole
        self.clock_rest = rest

    def _choose(self) -> int:
        candidates = [
            i
            for i in range(len(self.weight))
            if self.eligible(i) and self.picked[i] < self.weight[i] // self.divisor
        ]
        grain = self._grain()
        now = self.clock - self.delay
        waiting = [(ceil_div(self.opens[i], grain), i) for i in candidates if not self.opened[i]]
        for time, i in waiting:
            if time <= now // grain:
                self._open(i)
        opened = [(self.closes[i] // grain, i) for i in candidates if self.opened[i]]
        return min(opened or waiting)[1]

    def _grain(self) -> int:
        """So many units are as good as one when windows are compared."""
        return 2 << max(2, (len(self.weight) - 1).bit_length())

    def _advance(self, i: int) -> None:
        self.start[i], self.rest[i] = self._end(i)
        self.picked[i] += 1
        self._cut(i)

    def _cut(self, i: int) -> None:
        """See when the window opens of the job that target i is at."""
        self.opens[i] = self._opening(i)
        self.opened[i] = False

    def _open(self, i: int) -> None:
        """Open the window of target i; and see when it closes."""
        self.closes[i] = self._closing(i)
        self.opened[i] = True

    def _end(self, i: int) -> tuple[int, int]:
        whole, rest = divmod(self.scale + self.rest[i], self.weight[i])
        return self.start[i] + whole, rest

    def _opening(self, i: int) -> int:
        start, rest, shifts = self.start[i], self.rest[i], self.shifts
        if not shifts:
            return start + (rest > 0)
        return start + ceil_div(rest * shifts + self.scale, shifts * self.weight[i])

    def _closing(self, i: int) -> int:
        end, rest = self._end(i)
        shifts = self.shifts
        if not shifts:
            return end
        return end - ceil_div(self.scale - rest * shifts, shifts * self.weight[i])

    # -- a change -----------------------------------------------------------

    def _moved(self, i: int, *, was: bool, will: bool) -> None:
        weight = self.weight[i]
        if was:
            self.owed -= self._behind(i)
        ahead = self.start[i] + (self.rest[i] > 0) - self.clock
        if not was:
            ahead = max(0, ahead)  # what it missed while away is gone
        if will:
            # It stays ahead or behind by as many picks as it was.
            old = self.unit[i] or weight
            ahead = max(-2 * self.scale // old, min(2 * self.scale // old, ahead))
            ahead = ceil_div(ahead * old, weight)
            self.unit[i] = weight
        self.start[i], self.rest[i] = self.clock + ahead, 0
        if will:
            self.owed += self._behind(i)
        self._begin(i if will else None)
        self._level()

    def _behind(self, i: int) -> int:
        """How far a target is behind the clock, in 2**-36 picks; below 0 it is ahead."""
        return (self.unit[i] * (self.clock - self.start[i]) - self.rest[i]) >> _FINE

    def _level(self) -> None:
        """Bring the clock to where the targets are on the whole.

        If they are ahead of it, somebody has left a share to them, and it goes forward:
        else nobody's window would be open. If they are behind it, somebody has left with
        more than his share. It does not go back, so that who comes has no advantage of
        that; but windows open later, as if it had.
        """
        self.delay = 0
        if self.pristine or not self.total:
            self.owed = 0
        elif self.owed < 0:
            self.clock += self._time(-self.owed) + 1
            self.owed = 0
        else:
            self.owed = min(self.owed, _MOST_OWED)
            self.delay = self._time(self.owed)

    def _time(self, amount: int) -> int:
        """How long it takes all to be given so much; two units of virtual time at most."""
        whole, rest = divmod(amount, self.total)
        total = self.total
        if whole >= 2 * _SCALE >> _FINE:
            return 2 * _SCALE
        if total >= 1 << 39:
            rest, total = rest >> 12, total >> 12
        return (whole << _FINE) + (rest << _FINE) // total

    def _moving(self) -> None:
        """Leave the replay, and bring the clock to a whole unit."""
        if self.recorded:
            self._leave_replay()
        self.pristine = self.pristine and self.at == 0
        if self.clock_rest:
            self.owed += (self.total - self.clock_rest) >> _FINE
            self.clock += 1
            self.clock_rest = 0

    def _leave_replay(self) -> None:
        """Bring everybody to where the replay has come.

        Everybody is due when it would have been picked next, and may come before
        that where nobody else is due: its window is open, and closes then.
        """
        for i in self.recording[: self.at]:
            self._tick()
            self._advance(i)
        now = self.clock, self.clock_rest
        moments: dict[int, int] = {}
        for i in self.recording[self.at :] + self.recording[: self.at]:
            self._tick()
            moments.setdefault(i, self.clock)
        self.clock, self.clock_rest = now
        for i, moment in moments.items():
            self.closes[i] = moment
            self.opened[i] = True

    def _begin(self, changed: int | None) -> None:
        """Begin a period with the targets that are eligible now."""
        members = [i for i in range(len(self.weight)) if self.eligible(i)]
        weights = [self.weight[i] for i in members]
        self.total = sum(weights)
        self.divisor = gcd(*weights) if weights else 0
        self.shifts = max(0, 2 * len(members) - 2)
        self.at = 0
        self.picked = [0] * len(self.picked)
        self.recording = []
        self.recorded = False
        if self.pristine and members:
            # Nobody is ahead or behind: a pick that is a power of two of units
            # makes every comparison exact.
            self.scale = self.total << (_SCALE // self.total).bit_length() - 1
            self.clock = 0
            for i in range(len(self.weight)):
                self.start[i] = self.clock
                self.rest[i] = 0
            for i in members:
                self.unit[i] = self.weight[i]
                self._cut(i)
        elif changed is not None:
            self._cut(changed)
