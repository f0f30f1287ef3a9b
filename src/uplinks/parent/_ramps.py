"""Slow start: the weight of a target that has just come up grows in steps.

Definitions. A ramp begins when a service may be picked: at its first offer, on
recovery and on release. It lasts T, `HealthPolicy.slow_start`. After e ns it has
reached step

    k(e) = min(S, max(1, S * e // T)),  with S = 10 steps,

and its target has k/S of its weight w. Selectors hold integers: while the steps
of a weighted service's targets differ, each weight is w * k, and otherwise w.
Targets that all begin together keep their shares from the first pick on.

Laws (``tests/laws/test_slow_start_laws.py``): the weight never decreases during a
ramp; it changes at most S - 1 times, the last time at T; the picks of a target
lead the sum of its shares by at most 1.

Complexity: a step is O(targets of its service · log n).

Source: Envoy's slow start with aggression 1 and 10 % at least, in steps.
"""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from heapq import heappop, heappush
from typing import Final, TypeVar

from uplinks.model import MAX_WEIGHT

__all__ = ["STEPS", "Ramps", "ramped"]

STEPS: Final = 10

T = TypeVar("T", bound=Hashable)


class Ramps:
    """The ramps of services by name. ``duration`` (ns); 0: no ramps.

    >>> ramps = Ramps(duration=100)
    >>> ramps.note("a", up=True, now=0)
    >>> ramps.first(), ramps.due(20), ramps.step("a", 20), ramps.first()
    (20, ['a'], 2, 30)
    >>> ramps.step("a", 99), ramps.step("a", 100), ramps.end("a")
    (9, 10, 100)
    """

    def __init__(self, duration: int) -> None:
        self._duration = duration
        self._begun: dict[str, int] = {}  # of services that may be picked
        self._steps: list[tuple[int, str, int]] = []  # time, service, when its ramp began

    @property
    def active(self) -> bool:
        """Whether there are ramps at all."""
        return bool(self._duration)

    def note(self, name: str, now: int, *, up: bool) -> None:
        """Note whether a service may be picked: a ramp begins if it could not be before."""
        if not self._duration:
            return
        if not up:
            self._begun.pop(name, None)
        elif name not in self._begun:
            self._begun[name] = now
            self._push(name, now, 2)

    def forget(self, name: str) -> None:
        """Forget a service that is gone, or that is at another address."""
        self._begun.pop(name, None)

    def step(self, name: str, now: int) -> int:
        """Return the step that a service has reached, `STEPS` without a ramp."""
        begun = self._begun.get(name)
        if begun is None:
            return STEPS
        return min(STEPS, max(1, STEPS * (now - begun) // self._duration))

    def end(self, name: str) -> int | None:
        """Return when (ns) a service that may be picked has its full weight."""
        begun = self._begun.get(name)
        return None if begun is None else begun + self._duration

    def first(self) -> int | None:
        """Return when (ns) the next step is due."""
        while self._steps and self._begun.get(self._steps[0][1]) != self._steps[0][2]:
            heappop(self._steps)  # that ramp was given up
        return self._steps[0][0] if self._steps else None

    def due(self, now: int) -> list[str]:
        """Return the services that have reached another step by now."""
        names: list[str] = []
        while (first := self.first()) is not None and first <= now:
            _, name, begun = heappop(self._steps)
            names.append(name)
            step = self.step(name, now)
            if step < STEPS:
                self._push(name, begun, step + 1)
        return names

    def _push(self, name: str, begun: int, step: int) -> None:
        at = begun + -(-self._duration * step // STEPS)
        heappush(self._steps, (at, name, begun))


def ramped(weights: Mapping[T, int], steps: Mapping[T, int]) -> dict[T, int]:
    """Return the weights of a service's targets at their steps.

    ``steps`` are those of the targets that may be picked. Weights too large to be
    multiplied are rounded down instead, to at least 1.

    >>> ramped({"a": 3, "b": 1}, {"a": 10, "b": 2})
    {'a': 30, 'b': 2}
    >>> ramped({"a": 3, "b": 1}, {"a": 2, "b": 2})
    {'a': 3, 'b': 1}
    """
    if len(set(steps.values())) <= 1:
        return dict(weights)
    if max(weights.values()) * STEPS <= MAX_WEIGHT:
        return {target: w * steps.get(target, STEPS) for target, w in weights.items()}
    return {
        target: min(w, max(1, w * steps.get(target, STEPS) // STEPS))
        for target, w in weights.items()
    }
