"""How children really are, which nobody tells the parent.

Rules of this file:

1. It is a function of time, known beforehand from the scenario's data.
2. A probe is answered as soon as it has lasted as long as its child's latency
   is at that moment, and passes unless the child is out then. So what is
   under way when a child fails, fails; and what hangs when it recovers, passes.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Iterator
from typing import Final

from attrs import frozen

from uplinks.simulate._scenario import Flap, Outage, Slow, Trouble

__all__ = ["Truth", "Weather", "chance"]

_WHOLE: Final = (1 << 64) - 1


@frozen
class Truth:
    """How a child is: whether requests succeed, when (ns) probes are answered, whether they pass.

    A latency of ``None`` is that of a child that never answers.
    """

    serves: bool = True
    latency: int | None = 0
    passes: bool = True

    def fails(self, timeout: int | None) -> bool:
        """Whether probes with this time-out fail; without one, whether requests do."""
        if timeout is None:
            return not self.serves
        return not self.passes or self.latency is None or self.latency > timeout


_FINE: Final = Truth()
_REFUSES: Final = Truth(serves=False, passes=False)
_HANGS: Final = Truth(serves=False, latency=None, passes=False)


class Weather:
    """The truth of one address over time.

    Complexity: O(m log m) for m switches; a question is O(log m).

    >>> weather = Weather([Outage("eu", 10, 20), Slow("eu", 15, 30, latency=7)], until=100)
    >>> weather.times
    [0, 10, 20, 30]
    >>> weather.at(25).latency, weather.failing(timeout=5), weather.failing(timeout=9)
    (7, [(10, 30)], [(10, 20)])
    """

    def __init__(self, troubles: Iterable[Trouble], until: int) -> None:
        self.times: list[int] = [0]
        self._truths: list[Truth] = [_FINE]
        switches: dict[int, list[tuple[bool, Trouble]]] = {}
        for trouble in troubles:
            for begins, ends in _spans(trouble, until):
                switches.setdefault(begins, []).append((True, trouble))
                switches.setdefault(ends, []).append((False, trouble))
        active: list[Trouble] = []
        for time in sorted(switches):
            for begins, trouble in switches[time]:
                (active.append if begins else active.remove)(trouble)
            truth = _truth(active)
            if time == 0:
                self._truths[0] = truth
            elif truth != self._truths[-1]:
                self.times.append(time)
                self._truths.append(truth)

    def at(self, time: int) -> Truth:
        """Tell the truth of a moment (ns)."""
        return self._truths[bisect_right(self.times, time) - 1]

    def answer(self, started: int, deadline: int) -> tuple[int, bool] | None:
        """Tell when (ns) a probe is answered and whether it passes; ``None`` if not in time."""
        i = bisect_right(self.times, started) - 1
        begins = started
        while begins <= deadline:
            truth = self._truths[i]
            ends = self.times[i + 1] if i + 1 < len(self.times) else deadline + 1
            if truth.latency is not None:
                answered = max(begins, started + truth.latency)
                if answered <= deadline and answered < ends:
                    return answered, truth.passes
            i, begins = i + 1, ends
        return None

    def slowest(self, timeout: int) -> int:
        """Tell the longest latency (ns) of a probe that passes."""
        return max(t.latency or 0 for t in (_FINE, *self._truths) if not t.fails(timeout))

    def failing(self, timeout: int | None) -> list[tuple[int, int | None]]:
        """Tell from when to when (ns) it fails; the last may have no end."""
        spans: list[tuple[int, int | None]] = []
        begun: int | None = None
        for time, truth in zip(self.times, self._truths, strict=True):
            fails = truth.fails(timeout)
            if fails and begun is None:
                begun = time
            elif not fails and begun is not None:
                spans.append((begun, time))
                begun = None
        return spans if begun is None else [*spans, (begun, None)]


def _spans(trouble: Trouble, until: int) -> Iterator[tuple[int, int]]:
    if not isinstance(trouble, Flap):
        yield trouble.begins, trouble.ends
        return
    for begins in range(trouble.begins, min(trouble.ends, until), trouble.period):
        yield begins, min(begins + trouble.out, trouble.ends)


def _truth(active: Iterable[Trouble]) -> Truth:
    """Join troubles: to refuse outweighs to hang, and that to be slow."""
    truth = _FINE
    slow: list[Slow] = []
    for trouble in active:
        if isinstance(trouble, Slow):
            slow.append(trouble)
        elif isinstance(trouble, Outage) and trouble.hangs:
            truth = _HANGS if truth is _FINE else truth
        else:
            truth = _REFUSES
    if truth is _FINE and slow:
        fails = any(each.fails for each in slow)
        return Truth(serves=not fails, latency=max(each.latency for each in slow))
    return truth


def chance(seed: int, *facts: int) -> int:
    """Draw 64 bits: the same for the same facts, and no order of asking matters.

    >>> chance(1, 2) == chance(1, 2), chance(1, 2) == chance(1, 3)
    (True, False)

    Source: the finalizer of SplitMix64.
    """
    bits = 0
    for fact in (seed, *facts):
        bits = (bits ^ fact) + 0x9E37_79B9_7F4A_7C15 & _WHOLE
        bits = (bits ^ bits >> 30) * 0xBF58_476D_1CE4_E5B9 & _WHOLE
        bits = (bits ^ bits >> 27) * 0x94D0_49BB_1331_11EB & _WHOLE
        bits ^= bits >> 31
    return bits
