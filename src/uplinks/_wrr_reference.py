"""The schedulers and the selector in plain Python: specification and oracle.

Rules of this file:

1. It is written to be read. Every pick looks at every target: O(n), and slow.
2. It makes the same decisions as the compiled `_wrr`, pick for pick, and the
   tests hold the two against each other. Where they differ, one is wrong.
3. It imports nothing of this package, and knows only integers and opaque
   objects. What a failure is called is the face's business (`balance`).

The fair scheduler
------------------

Time is virtual and counted in integer units; ``scale`` units are one unit of
virtual time. A pick moves the clock by ``scale / W``, W being the sum of the
eligible weights. A target of weight w owns a chain of *jobs*, one a pick, each
``scale / w`` long, the next beginning where the last ended. A job may be
picked within a window that is narrower than the job by a share of
``1 / (2n - 2)`` at either end (Tijdeman 1980). A pick takes, of the jobs whose
window has opened, the one whose window closes first; if none has opened, the
one that opens first. No target gets more than its share of a period before
the period is over, which makes every period exact whatever came before.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterator
from math import gcd
from typing import Any, Final
from weakref import ref

__all__ = ["RECORD_LIMIT", "FailoverScheduler", "FairScheduler", "Scheduler", "Selector"]

RECORD_LIMIT: Final = 1 << 20
"""The longest period, in picks, that is recorded and replayed."""

_SCALE: Final = 1 << 60


def _ceil(a: int, b: int) -> int:
    return -(-a // b)


class Scheduler:
    """Which index comes next. An index is a place in the order of insertion.

    A removed index is handed out again by the next `add`, the one removed
    last first.
    """

    def __init__(self) -> None:
        self.weight: list[int] = []
        self.up: list[bool] = []
        self.alive: list[bool] = []
        self.free: list[int] = []

    def eligible(self, i: int) -> bool:
        return self.alive[i] and self.up[i] and self.weight[i] > 0

    def any_eligible(self) -> bool:
        return any(map(self.eligible, range(len(self.weight))))

    def add(self, weight: int) -> int:
        if self.free:
            i = self.free.pop()
            self.alive[i] = True
        else:
            i = len(self.weight)
            self.weight.append(0)
            self.up.append(False)
            self.alive.append(True)
        self.weight[i] = 0
        self.up[i] = True
        self._appear(i)
        self._change(i, weight, up=True)
        return i

    def remove(self, i: int) -> None:
        self._change(i, self.weight[i], up=False)
        self.alive[i] = False
        self.free.append(i)

    def set_weight(self, i: int, weight: int) -> None:
        self._change(i, weight, up=self.up[i])

    def set_eligible(self, i: int, up: bool) -> None:  # noqa: FBT001 - the C face's shape
        self._change(i, self.weight[i], up=up)

    def period(self) -> int:
        """The number of picks after which the schedule repeats; 0 if none is possible."""
        weights = [self.weight[i] for i in range(len(self.weight)) if self.eligible(i)]
        return sum(weights) // gcd(*weights) if weights else 0

    def _appear(self, i: int) -> None:
        """Prepare what a scheduler keeps for a new index."""

    def _change(self, i: int, weight: int, *, up: bool) -> None:
        self.weight[i] = weight
        self.up[i] = up

    def next_index(self) -> int:
        """The next index, or -1 when nothing is eligible."""
        raise NotImplementedError


class FailoverScheduler(Scheduler):
    """Always the first eligible index, in the order of the indices."""

    def period(self) -> int:
        return int(self.any_eligible())

    def next_index(self) -> int:
        return next((i for i in range(len(self.weight)) if self.eligible(i)), -1)


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
        self.closes: list[int | None] = []  # None while the window has not opened
        self.picked: list[int] = []  # in this period
        self.at = 0  # picks made in this period
        self.recording: list[int] = []
        self.recorded = False
        self.pristine = True  # did this period begin with nobody ahead or behind?

    def _appear(self, i: int) -> None:
        for column in (self.start, self.rest, self.unit, self.opens, self.picked):
            if i == len(column):
                column.append(0)
        if i == len(self.closes):
            self.closes.append(None)
        self.start[i] = self.rest[i] = self.unit[i] = 0

    # -- a pick -------------------------------------------------------------

    def next_index(self) -> int:
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
        for i in candidates:
            if self.closes[i] is None and self.opens[i] <= self.clock:
                self.closes[i] = self._close(i)
        opened = [(close, i) for i in candidates if (close := self.closes[i]) is not None]
        if opened:
            return min(opened)[1]
        return min((self.opens[i], i) for i in candidates)[1]

    def _advance(self, i: int) -> None:
        whole, self.rest[i] = divmod(self.scale + self.rest[i], self.weight[i])
        self.start[i] += whole
        self.picked[i] += 1
        self._cut(i)

    def _cut(self, i: int) -> None:
        """Give the job that target i is at its window."""
        w, shifts = self.weight[i], self.shifts
        if shifts:
            inset = _ceil(self.rest[i] * shifts + self.scale, shifts * w)
        else:
            inset = self.rest[i] > 0
        self.opens[i] = self.start[i] + inset
        self.closes[i] = None

    def _close(self, i: int) -> int:
        w, shifts = self.weight[i], self.shifts
        whole, rest = divmod(self.scale + self.rest[i], w)
        end = self.start[i] + whole
        return end - _ceil(self.scale - rest * shifts, shifts * w) if shifts else end

    # -- a change -----------------------------------------------------------

    def _change(self, i: int, weight: int, *, up: bool) -> None:
        was, will = self.eligible(i), up and weight > 0
        if not (was or will) or (weight, up) == (self.weight[i], self.up[i]):
            self.weight[i], self.up[i] = weight, up
            return
        self._settle()
        ahead = self.start[i] + (self.rest[i] > 0) - self.clock
        if not was:
            ahead = max(0, ahead)  # what it missed while away is gone
        if will:
            # It stays ahead or behind by as many picks as it was.
            old = self.unit[i] or weight
            ahead = max(-2 * self.scale // old, min(2 * self.scale // old, ahead))
            ahead = _ceil(ahead * old, weight)
            self.unit[i] = weight
        self.start[i], self.rest[i] = self.clock + ahead, 0
        self.weight[i], self.up[i] = weight, up
        self._begin(i if will else None)

    def _settle(self) -> None:
        """Leave the replay, and bring the clock to a whole unit."""
        if self.recorded:
            for i in self.recording[: self.at]:
                self._tick()
                self._advance(i)
            for i in range(len(self.weight)):
                if self.eligible(i):
                    self._cut(i)
        self.pristine = self.pristine and self.at == 0
        self.clock += self.clock_rest > 0
        self.clock_rest = 0

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
            # Nobody is ahead or behind: a scale that the total divides makes
            # every comparison exact.
            self.scale = _SCALE // self.total * self.total
            for i in range(len(self.weight)):
                self.start[i] = self.clock
                self.rest[i] = 0
            for i in members:
                self.unit[i] = self.weight[i]
                self._cut(i)
        elif changed is not None:
            self._cut(changed)


class Selector:
    """Targets over a scheduler. The face adds the names of the failures."""

    def __init__(self, scheduler: Scheduler) -> None:
        self._scheduler = scheduler
        self._targets: list[Any] = []
        self._index: dict[Hashable, int] = {}
        self._up: list[bool] = []
        self._parents: list[ref[Selector]] = []
        self._was_eligible = False

    def _failure(self, kind: str, *facts: object) -> Exception:
        raise NotImplementedError

    # -- picks --------------------------------------------------------------

    def pick(self) -> Any:
        node = self
        while True:
            i = node._scheduler.next_index()
            if i < 0:
                raise node._nothing_eligible()
            target = node._targets[i]
            if not isinstance(target, Selector):
                return target
            node = target

    def __iter__(self) -> Iterator[Any]:
        return self

    def __next__(self) -> Any:
        return self.pick()

    # -- changes ------------------------------------------------------------

    def add(self, target: Hashable, weight: int = 1) -> None:
        self._check_weight(weight)
        if target in self._index:
            raise self._failure("duplicate-target", target)
        if isinstance(target, Selector):
            if target._contains(self):
                raise self._failure("cycle")
            target._parents.append(ref(self))
        i = self._scheduler.add(0)
        if i == len(self._targets):
            self._targets.append(target)
            self._up.append(True)
        self._targets[i] = target
        self._up[i] = True
        self._index[target] = i
        if isinstance(target, Selector):
            self._scheduler.set_eligible(i, target.eligible)
        self._scheduler.set_weight(i, weight)
        self._settle()

    def remove(self, target: Hashable) -> None:
        i = self._find(target)
        held = self._targets[i]
        del self._index[target]
        self._targets[i] = None
        self._scheduler.remove(i)
        if isinstance(held, Selector):
            held._parents = [p for p in held._parents if p() is not self]
        self._settle()

    def set_weight(self, target: Hashable, weight: int) -> None:
        self._check_weight(weight)
        self._scheduler.set_weight(self._find(target), weight)
        self._settle()

    def set_up(self, target: Hashable, up: bool) -> None:  # noqa: FBT001 - reads as a word
        i = self._find(target)
        self._up[i] = bool(up)
        self._refresh(i)
        self._settle()

    # -- questions ----------------------------------------------------------

    @property
    def eligible(self) -> bool:
        return self._scheduler.any_eligible()

    def period(self) -> int:
        return self._scheduler.period()

    def __len__(self) -> int:
        return len(self._index)

    def __contains__(self, target: Hashable) -> bool:
        return target in self._index

    def rows(self) -> list[tuple[Any, int, bool]]:
        """Target, weight and status of each target, in order of insertion."""
        weight = self._scheduler.weight
        return [(target, weight[i], self._up[i]) for target, i in self._index.items()]

    # -- inside -------------------------------------------------------------

    def _check_weight(self, weight: object) -> None:
        if type(weight) is not int or not 0 <= weight < 1 << 31:
            raise self._failure("weight", weight)

    def _find(self, target: Hashable) -> int:
        i = self._index.get(target)
        if i is None:
            raise self._failure("unknown-target", target)
        return i

    def _contains(self, other: Selector) -> bool:
        found: set[int] = set()
        left: list[Any] = [self]
        while left:
            node = left.pop()
            if node is other:
                return True
            if id(node) not in found:
                found.add(id(node))
                left.extend(t for t in node._index if isinstance(t, Selector))
        return False

    def _refresh(self, i: int) -> None:
        target = self._targets[i]
        passable = not isinstance(target, Selector) or target.eligible
        self._scheduler.set_eligible(i, self._up[i] and passable)

    def _settle(self) -> None:
        """Tell the selectors above when this one begins or ceases to be eligible."""
        left: list[Selector] = [self]
        while left:
            node = left.pop()
            if node.eligible is node._was_eligible:
                continue
            node._was_eligible = node.eligible
            for parent in [p() for p in node._parents]:
                if parent is not None:
                    parent._refresh(parent._index[node])
                    left.append(parent)

    def _nothing_eligible(self) -> Exception:
        rows = self.rows()
        without_weight = sum(weight == 0 for _, weight, _ in rows)
        return self._failure(
            "nothing-eligible", len(rows), without_weight, len(rows) - without_weight
        )
