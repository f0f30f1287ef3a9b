"""The active health check of one load balancer in Traefik.

Two loops probe its servers: one those that are up, at ``interval``, and one those that are down,
at ``unhealthyInterval``. Each has a ticker that starts with the configuration, so the first probe
is one interval late. At a tick, a loop probes the servers in its queue one after the other; each
result moves its server to the queue of its state. Of the ticks meanwhile a loop keeps one.

Source: Traefik v3.7, ``pkg/healthcheck``, measured as ``docs/simulate.md`` says.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable

from attrs import define, field

from uplinks.simulate._traefik._services import Server

__all__ = ["HealthChecker"]

Probe = Callable[[Server, int], tuple[int, bool]]
"""Probes a server at a time (ns). Returns when the probe ends, and whether it passes."""


@define
class _Loop:
    interval: int
    next_tick: int
    queue: list[Server] = field(factory=list)
    waiting: deque[Server] = field(factory=deque)
    probing: Server | None = None
    end: int = 0
    passes: bool = False

    @property
    def moment(self) -> int:
        return self.next_tick if self.probing is None else self.end

    def tick(self, time: int) -> None:
        self.next_tick += ((time - self.next_tick) // self.interval + 1) * self.interval
        self.waiting.extend(self.queue)
        self.queue.clear()

    def probe_next(self, probe: Probe, time: int) -> None:
        self.probing = self.waiting.popleft() if self.waiting else None
        if self.probing is not None:
            self.end, self.passes = probe(self.probing, time)


class HealthChecker:
    """The loops of one load balancer, whose configuration is loaded at ``time`` (ns).

    ``mark`` is called with each result. Complexity: O(1) for each tick and each probe.
    """

    def __init__(
        self,
        servers: Iterable[Server],
        intervals: tuple[int, int],
        time: int,
        probe: Probe,
        mark: Callable[[Server, int, bool], None],
    ) -> None:
        up, down = intervals
        self._up = _Loop(up, time + up, list(servers))
        self._down = _Loop(down, time + down)
        self._probe, self._mark = probe, mark

    @property
    def next_moment(self) -> int:
        """The time (ns) at which `advance` has something to do."""
        return min(self._up.moment, self._down.moment)

    def advance(self, time: int) -> None:
        """Do all that is due: at one time, ticks come before results."""
        while due := [loop for loop in (self._up, self._down) if loop.moment <= time]:
            idle = [loop for loop in due if loop.probing is None]
            for loop in idle or due:
                if loop.probing is None:
                    loop.tick(time)
                else:
                    self._mark(loop.probing, time, loop.passes)
                    (self._up if loop.passes else self._down).queue.append(loop.probing)
                loop.probe_next(self._probe, time)
