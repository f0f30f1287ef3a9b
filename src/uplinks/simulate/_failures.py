"""Which failures were noticed when, and what was promised.

Rules of this file:

1. What is so comes from the weather, what the parent noticed from its own
   events. Neither is worked out again.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from attrs import frozen

from uplinks.health import State, Transition, detection_bound, recovery_bound
from uplinks.parent import Endpoint
from uplinks.simulate._result import Failure
from uplinks.simulate._scenario import Scenario
from uplinks.simulate._world import Weather

__all__ = ["Watched", "failures"]


@frozen
class Watched:
    """An endpoint of the service, from when to when (ns) it was one, and whether down at first.

    One that replaces another at its address takes over what is known of that.
    """

    endpoint: Endpoint
    child: str
    services: tuple[str, ...]
    begins: int
    ends: int
    down: bool


def failures(
    scenario: Scenario,
    watched: Sequence[Watched],
    weathers: Mapping[str, Weather],
    transitions: Mapping[Endpoint, Sequence[Transition]],
    probed: Sequence[Endpoint],
) -> list[Failure]:
    """List the failures of a scenario by time. ``probed`` is whatever was ever watched."""
    waits = _waits(scenario, probed)
    found = [
        failure
        for each in watched
        if each.endpoint.url in weathers
        for failure in _of(
            scenario, each, weathers[each.endpoint.url], transitions.get(each.endpoint, ()), waits
        )
    ]
    return sorted(found, key=lambda failure: (failure.begins, failure.child, failure.services))


def _of(
    scenario: Scenario,
    watched: Watched,
    weather: Weather,
    transitions: Sequence[Transition],
    waits: int | None,
) -> Iterator[Failure]:
    check = watched.endpoint.check
    transitions = [each for each in transitions if each.at >= watched.begins]
    bounds = _bounds(scenario, watched.endpoint, weather, waits)
    spans = weather.failing(None if check is None else check.timeout)
    spans = [
        (max(begins, watched.begins), ends if ends is None or ends < watched.ends else None)
        for begins, ends in spans
        if begins < watched.ends and (ends is None or ends > watched.begins)
    ]
    for i, (begins, ends) in enumerate(spans):
        over = spans[i + 1][0] if i + 1 < len(spans) else watched.ends
        late = over if ends is None else min(over, ends + 2 * scenario.driver.latest + 1)
        first = State.DOWN if watched.down else State.UNKNOWN
        noticed = _noticed(transitions, first, begins, late)
        recovered = None
        if noticed is not None and ends is not None:
            recovered = _recovered(transitions, ends, over)
        yield Failure(
            watched.child,
            watched.services,
            begins,
            ends,
            noticed,
            recovered,
            *bounds,
            over=over,
        )


def _state(transitions: Sequence[Transition], first: State, time: int) -> State:
    """Tell the state just before a time."""
    state = first
    for transition in transitions:
        if transition.at >= time:
            break
        state = transition.after
    return state


def _noticed(
    transitions: Sequence[Transition], first: State, begins: int, until: int
) -> int | None:
    if _state(transitions, first, begins) is State.DOWN:
        return begins
    falls = (t.at for t in transitions if t.after is State.DOWN and begins <= t.at < until)
    return next(falls, None)


def _recovered(transitions: Sequence[Transition], ends: int, over: int) -> int | None:
    """Tell when it was up for good: a driver may notice the failure after its end."""
    rises = (t.at for t in transitions if t.after is State.UP and ends <= t.at < over)
    up = next(rises, None)
    if up is None and _state(transitions, State.DOWN, ends) is State.UP:
        return ends
    return up


def _waits(scenario: Scenario, endpoints: Sequence[Endpoint]) -> int | None:
    """Tell how long (ns) a probe may wait for others, at most; ``None``: without end."""
    checks = [each.check for each in endpoints if each.check is not None]
    rounds = -(-len(checks) // scenario.policy.concurrency) if checks else 1
    if rounds == 1:
        return 0
    longest = max(check.timeout for check in checks) + 2 * scenario.driver.latest
    shortest = min(min(check.interval, check.unhealthy_interval) for check in checks)
    if len(checks) * longest > scenario.policy.concurrency * shortest:
        return None
    return (rounds - 1) * longest


def _bounds(
    scenario: Scenario, endpoint: Endpoint, weather: Weather, waits: int | None
) -> tuple[int | None, int | None]:
    """Give what is promised for detection and recovery, as ``docs/health.md`` has it."""
    policy, driver, check = scenario.policy, scenario.driver, endpoint.check
    if check is None or waits is None or driver.latest > policy.max_lateness:
        return None, None
    detection = detection_bound(check, policy) + _more(
        check.interval, check.timeout, policy.unhealthy_threshold, 2 * driver.latest + waits
    )
    recovery = recovery_bound(check, policy, endpoint.passive) + _more(
        check.unhealthy_interval, check.timeout, policy.healthy_threshold, 2 * driver.latest + waits
    )
    # A pass that is noticed after its deadline is none.
    heard = weather.slowest(check.timeout) + driver.latest <= check.timeout
    return detection, recovery if heard and not driver.lost else None


def _more(interval: int, timeout: int, threshold: int, delay: int) -> int:
    """Tell how much (ns) later it may be when each probe may take so much longer.

    Slots lie at a fixed rate, so that only the last probe's delay counts, unless
    one probe may last until after the next one's slot.
    """
    return delay if timeout + delay <= interval else threshold * delay
