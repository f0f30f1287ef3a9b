"""The condition of each child over time, which only probes and requests reveal to the parent.

A probe is answered once it has lasted as long as its child's latency at that moment, and passes
unless the child is out then. So a probe in flight fails when its child goes out, and a probe that
hangs passes when its child recovers. A probe that is answered at the moment of a change is answered
before it: otherwise a fault that starts at a tick of the probes would be detected at once.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator
from typing import Final

from attrs import frozen

from uplinks.simulate._scenario import Fault, Flap, Outage, Slow

__all__ = ["HEALTHY", "Condition", "Timeline", "draw"]

_MASK: Final = (1 << 64) - 1


@frozen
class Condition:
    """Whether requests succeed, how long (ns) probes take, and whether they pass.

    A latency of ``None``: the child never answers.
    """

    serves: bool = True
    latency: int | None = 0
    passes: bool = True

    def fails(self, timeout: int | None) -> bool:
        """Tell whether probes with this timeout fail; with ``None``, whether requests do."""
        if timeout is None:
            return not self.serves
        return not self.passes or self.latency is None or self.latency > timeout


HEALTHY: Final = Condition()
_REFUSING: Final = Condition(serves=False, passes=False)
_HANGING: Final = Condition(serves=False, latency=None, passes=False)


class Timeline:
    """The condition of one address over time.

    Complexity: O(m log m) for m changes; a query is O(log m).

    >>> timeline = Timeline([Outage("eu", 10, 20), Slow("eu", 15, 30, latency=7)], until=100)
    >>> timeline.times
    [0, 10, 20, 30]
    >>> timeline.at(25).latency, timeline.failing(timeout=5), timeline.failing(timeout=9)
    (7, [(10, 30)], [(10, 20)])
    """

    def __init__(self, faults: Iterable[Fault], until: int) -> None:
        self.times: list[int] = [0]
        self._conditions: list[Condition] = [HEALTHY]
        changes: dict[int, list[tuple[bool, Fault]]] = {}
        for fault in faults:
            for start, end in _spans(fault, until):
                changes.setdefault(start, []).append((True, fault))
                changes.setdefault(end, []).append((False, fault))
        active: list[Fault] = []
        for time in sorted(changes):
            for starts, fault in changes[time]:
                (active.append if starts else active.remove)(fault)
            condition = _combine(active)
            if time == 0:
                self._conditions[0] = condition
            elif condition != self._conditions[-1]:
                self.times.append(time)
                self._conditions.append(condition)

    def at(self, time: int) -> Condition:
        """Return the condition at a time (ns)."""
        return self._conditions[bisect_right(self.times, time) - 1]

    def answer(self, started: int, deadline: int) -> tuple[int, bool] | None:
        """Return when (ns) a probe is answered and whether it passes; ``None``: not in time."""
        i = max(bisect_left(self.times, started) - 1, 0)
        start = started
        while start <= deadline:
            condition = self._conditions[i]
            end = self.times[i + 1] if i + 1 < len(self.times) else deadline + 1
            if condition.latency is not None:
                answered = max(start, started + condition.latency)
                if answered <= min(deadline, end):
                    return answered, condition.passes
            i, start = i + 1, end
        return None

    def max_latency(self, timeout: int) -> int:
        """Return the longest latency (ns) of a probe that passes."""
        return max(c.latency or 0 for c in (HEALTHY, *self._conditions) if not c.fails(timeout))

    def failing(self, timeout: int | None) -> list[tuple[int, int | None]]:
        """List the spans (ns) in which probes or requests fail; the last may be open-ended."""
        spans: list[tuple[int, int | None]] = []
        since: int | None = None
        for time, condition in zip(self.times, self._conditions, strict=True):
            fails = condition.fails(timeout)
            if fails and since is None:
                since = time
            elif not fails and since is not None:
                spans.append((since, time))
                since = None
        return spans if since is None else [*spans, (since, None)]


def _spans(fault: Fault, until: int) -> Iterator[tuple[int, int]]:
    if not isinstance(fault, Flap):
        yield fault.start, fault.end
        return
    for start in range(fault.start, min(fault.end, until), fault.period):
        yield start, min(start + fault.out, fault.end)


def _combine(active: Iterable[Fault]) -> Condition:
    """Combine faults: refusing outweighs hanging, and hanging outweighs slowness."""
    condition = HEALTHY
    slow: list[Slow] = []
    for fault in active:
        if isinstance(fault, Slow):
            slow.append(fault)
        elif isinstance(fault, Outage) and fault.hangs:
            condition = _HANGING if condition is HEALTHY else condition
        else:
            condition = _REFUSING
    if condition is HEALTHY and slow:
        fails = any(each.fails for each in slow)
        return Condition(serves=not fails, latency=max(each.latency for each in slow))
    return condition


def draw(seed: int, *facts: int) -> int:
    """Draw 64 pseudo-random bits that depend on the seed and the facts only.

    >>> draw(1, 2) == draw(1, 2), draw(1, 2) == draw(1, 3)
    (True, False)

    Source: the finalizer of SplitMix64.
    """
    bits = 0
    for fact in (seed, *facts):
        bits = (bits ^ fact) + 0x9E37_79B9_7F4A_7C15 & _MASK
        bits = (bits ^ bits >> 30) * 0xBF58_476D_1CE4_E5B9 & _MASK
        bits = (bits ^ bits >> 27) * 0x94D0_49BB_1331_11EB & _MASK
        bits ^= bits >> 31
    return bits
