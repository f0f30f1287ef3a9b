"""What all schedulers share: indices, their weights, and whether they may be picked."""

from __future__ import annotations

from collections.abc import Mapping
from math import gcd
from types import MappingProxyType
from typing import Final

__all__ = ["Scheduler", "ceil_div", "expect"]

# The types in a column, where they are not plain integers.
_KINDS: Final[Mapping[str, tuple[type, ...]]] = MappingProxyType(
    {"up": (bool,), "alive": (bool,), "opened": (bool,)}
)


def expect(holds: object, what: str) -> None:
    """Raise `ValueError` unless a part of the state is possible."""
    if not holds:
        raise ValueError(f"impossible {what}")


def ceil_div(a: int, b: int) -> int:
    """Divide, rounding up."""
    return -(-a // b)


class Scheduler:
    """Which index comes next. A removed index is handed out again, the last one first."""

    def __init__(self) -> None:
        self.weight: list[int] = []
        self.up: list[bool] = []
        self.alive: list[bool] = []
        self.free: list[int] = []
        self.made: list[int] = []
        self.failure: BaseException | None = None

    def eligible(self, i: int) -> bool:
        return self.alive[i] and self.up[i] and self.weight[i] > 0

    def members(self) -> list[int]:
        return [i for i in range(len(self.weight)) if self.eligible(i)]

    def any_eligible(self) -> bool:
        return bool(self.members())

    def add(self, weight: int) -> int:
        if self.free:
            i = self.free.pop()
            self.alive[i] = True
        else:
            i = len(self.weight)
            self.weight.append(0)
            self.up.append(False)
            self.alive.append(True)
            self.made.append(0)
        self.weight[i] = self.made[i] = 0
        self.up[i] = True
        self._appear(i)
        self._change(i, weight, up=True)
        return i

    def remove(self, i: int) -> None:
        self._change(i, self.weight[i], up=False)
        self.alive[i] = False
        self.weight[i] = 0
        self.free.append(i)

    def set_weight(self, i: int, weight: int) -> None:
        self._change(i, weight, up=self.up[i])

    def set_eligible(self, i: int, *, up: bool) -> None:
        self._change(i, self.weight[i], up=up)

    def period(self) -> int:
        """Return the number of picks after which the schedule repeats; 0 if none is possible."""
        weights = [self.weight[i] for i in self.members()]
        return sum(weights) // gcd(*weights) if weights else 0

    def next_index(self) -> int:
        """Return the next index, or -1 when nothing is eligible."""
        i = self._decide()
        if i >= 0:
            self.made[i] += 1
        return i

    def check(self) -> None:
        """Raise `ValueError` unless changes and picks can have led to this state."""
        n = len(self.weight)
        for name, column in vars(self).items():
            if isinstance(column, list):
                kinds = _KINDS.get(name, (int,))
                expect(all(type(item) in kinds for item in column), name)
                expect(len(column) == n or name in {"free", "recording", "queue"}, name)
        expect(all(0 <= w < 1 << 31 for w in self.weight), "weight")
        expect(all(0 <= m < 1 << 64 for m in self.made), "made")
        expect(all(a or not u for u, a in zip(self.up, self.alive, strict=True)), "up")
        expect(sorted(self.free) == [i for i in range(n) if not self.alive[i]], "free")
        expect(self.failure is None, "failure: it was never raised")

    def skip(self, picks: int, counts: list[int] | None) -> None:
        """Move on by so many picks, counting none; `counts` is how many of them each index gets."""
        if counts:
            self._jump(picks, counts)
        else:
            for _ in range(picks):
                self.next_index()
        self.made = [0] * len(self.made)

    def restart(self) -> None:
        """Begin a period, so that nothing of the present one need be kept in a snapshot."""

    def _jump(self, picks: int, counts: list[int]) -> None:
        """Make the picks of `counts` at once."""
        raise NotImplementedError

    def _appear(self, i: int) -> None:
        """Prepare a new index."""

    def _change(self, i: int, weight: int, *, up: bool) -> None:
        was, will = self.eligible(i), up and weight > 0
        same = weight == self.weight[i] or not (was or will)
        if same and was == will:
            self.weight[i], self.up[i] = weight, up
            return
        before = self.weight[i] if was else 0
        self._moving()
        self.weight[i], self.up[i] = weight, up
        self._moved(i, before)

    def _moving(self) -> None:
        """A share is about to change."""

    def _moved(self, i: int, before: int) -> None:
        """A share has changed; `before` is the weight with which the index was eligible, or 0."""

    def _decide(self) -> int:
        raise NotImplementedError
