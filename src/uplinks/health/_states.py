"""The states of a target, and the one table of what leads from which to which.

Rules of this file:

1. What is not in `TRANSITIONS` cannot happen. The machine looks it up at each
   event and decides nothing itself.
2. ``docs/_static/states.svg`` shows it, no more and no less.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from types import MappingProxyType
from typing import Final

__all__ = ["KNOWN", "TRANSITIONS", "Cause", "State"]


class State(StrEnum):
    """What is known of a target."""

    GONE = "gone"  # not, not yet or no longer a target
    UNKNOWN = "unknown"  # neither a pass nor enough failures since it came or moved
    UP = "up"
    DOWN = "down"


class Cause(StrEnum):
    """What may happen to a target. In a `Transition`: what made it."""

    ADDED = "added"
    KNOWN_UP = "known to be up"  # added with what another target at its address had shown
    KNOWN_DOWN = "known to be down"
    PASSED = "passed"  # a probe passed
    RECOVERED = "recovered"  # a probe passed, the last that was needed
    FAILED = "failed"  # a probe failed or ran out of time
    FELL = "fell"  # a probe failed, the last that was needed
    LATE = "late"  # a probe says nothing: its driver was late
    REQUESTS_FAILED = "requests failed"  # as many as the passive check allows
    WINDOW_OVER = "window over"  # nothing but the passive check watches it
    CHANGED = "changed"  # another question is asked
    MOVED = "moved"  # another address is asked
    UNWATCHED = "unwatched"  # neither check is left
    REMOVED = "removed"


TRANSITIONS: Final[Mapping[State, Mapping[Cause, State]]] = MappingProxyType(
    {
        State.GONE: {
            Cause.ADDED: State.UNKNOWN,
            Cause.KNOWN_UP: State.UP,
            Cause.KNOWN_DOWN: State.DOWN,
        },
        State.UNKNOWN: {
            Cause.PASSED: State.UP,
            Cause.FAILED: State.UNKNOWN,
            Cause.FELL: State.DOWN,
            Cause.LATE: State.UNKNOWN,
            Cause.REQUESTS_FAILED: State.DOWN,
            Cause.CHANGED: State.UNKNOWN,
            Cause.MOVED: State.UNKNOWN,
            Cause.UNWATCHED: State.UNKNOWN,
            Cause.REMOVED: State.GONE,
        },
        State.UP: {
            Cause.PASSED: State.UP,
            Cause.FAILED: State.UP,
            Cause.FELL: State.DOWN,
            Cause.LATE: State.UP,
            Cause.REQUESTS_FAILED: State.DOWN,
            Cause.CHANGED: State.UP,
            Cause.MOVED: State.UNKNOWN,
            Cause.UNWATCHED: State.UP,
            Cause.REMOVED: State.GONE,
        },
        State.DOWN: {
            Cause.PASSED: State.DOWN,
            Cause.RECOVERED: State.UP,
            Cause.FAILED: State.DOWN,
            Cause.LATE: State.DOWN,
            Cause.WINDOW_OVER: State.UP,
            Cause.CHANGED: State.DOWN,
            Cause.MOVED: State.UNKNOWN,
            Cause.UNWATCHED: State.UNKNOWN,
            Cause.REMOVED: State.GONE,
        },
    }
)
"""The state after, by the state before and what happens. What is missing cannot happen."""


KNOWN: Final[Mapping[State, Cause]] = MappingProxyType(
    {State.UP: Cause.KNOWN_UP, State.DOWN: Cause.KNOWN_DOWN}
)
"""What adds a target that another at its address speaks for."""
