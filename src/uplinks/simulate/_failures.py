"""When failures were detected and recovered, from the children's timelines and the transitions."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence

from attrs import frozen

from uplinks.health import State, Transition
from uplinks.simulate._engine import Bounds, Watched
from uplinks.simulate._result import Failure
from uplinks.simulate._timeline import Timeline

__all__ = ["Watch", "find_failures"]


@frozen
class Watch:
    """An endpoint of the service from ``start`` to ``end`` (ns); ``down``: marked down at first.

    An endpoint that replaces another one at its address inherits its state.
    """

    endpoint: Watched
    child: str
    services: tuple[str, ...]
    start: int
    end: int
    down: bool


def find_failures(
    watches: Sequence[Watch],
    timelines: Mapping[str, Timeline],
    transitions: Mapping[Watched, Sequence[Transition]],
    bounds: Callable[[Watched], Bounds],
    max_lateness: int,
) -> list[Failure]:
    """List the failures by time. ``max_lateness`` (ns) is the driver's."""
    found = [
        failure
        for watch in watches
        if watch.endpoint.url in timelines
        for failure in _failures_of(
            watch,
            timelines[watch.endpoint.url],
            transitions.get(watch.endpoint, ()),
            bounds(watch.endpoint),
            max_lateness,
        )
    ]
    return sorted(found, key=lambda failure: (failure.start, failure.child, failure.services))


def _failures_of(
    watch: Watch,
    timeline: Timeline,
    transitions: Sequence[Transition],
    bounds: Bounds,
    max_lateness: int,
) -> Iterator[Failure]:
    check = watch.endpoint.check
    transitions = [each for each in transitions if each.at >= watch.start]
    spans = [
        (max(start, watch.start), end if end is None or end < watch.end else None)
        for start, end in timeline.failing(None if check is None else check.timeout)
        if start < watch.end and (end is None or end > watch.start)
    ]
    initial = State.DOWN if watch.down else State.UNKNOWN
    for i, (start, end) in enumerate(spans):
        until = spans[i + 1][0] if i + 1 < len(spans) else watch.end
        # A late driver may detect a failure after its end.
        detectable = until if end is None else min(until, end + 2 * max_lateness + 1)
        detected = _detected(transitions, initial, start, detectable)
        recovered = None
        if detected is not None and end is not None:
            recovered = _recovered(transitions, end, until)
        yield Failure(
            watch.child,
            watch.services,
            start,
            end,
            detected,
            recovered,
            *bounds,
            observed_until=until,
        )


def _state_before(transitions: Sequence[Transition], initial: State, time: int) -> State:
    earlier = [each.after for each in transitions if each.at < time]
    return earlier[-1] if earlier else initial


def _detected(
    transitions: Sequence[Transition], initial: State, start: int, until: int
) -> int | None:
    if _state_before(transitions, initial, start) is State.DOWN:
        return start
    falls = (t.at for t in transitions if t.after is State.DOWN and start <= t.at < until)
    return next(falls, None)


def _recovered(transitions: Sequence[Transition], end: int, until: int) -> int | None:
    rises = (t.at for t in transitions if t.after is State.UP and end <= t.at < until)
    up = next(rises, None)
    if up is None and _state_before(transitions, State.DOWN, end) is State.UP:
        return end
    return up
