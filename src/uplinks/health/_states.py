"""The states of a target, and the one table of transitions between them.

A transition that is not in `TRANSITIONS` cannot happen: the machine looks it up
at each event. ``docs/_static/states.svg`` shows exactly this table.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from types import MappingProxyType
from typing import Final

__all__ = ["KNOWN", "TRANSITIONS", "Cause", "State"]


class State(StrEnum):
    """The state of a target."""

    GONE = "gone"  # not, not yet or no longer a target
    UNKNOWN = "unknown"  # neither a pass nor enough failures since it was added or moved
    UP = "up"
    DOWN = "down"


class Cause(StrEnum):
    """An event of a target; in a `Transition`, the cause of it."""

    ADDED = "added"
    KNOWN_UP = "known to be up"  # added in the state of another target at its address
    KNOWN_DOWN = "known to be down"
    PASSED = "passed"  # a probe passed
    RECOVERED = "recovered"  # a probe passed, the last one needed
    FAILED = "failed"  # a probe failed or ran out of time
    FELL = "fell"  # a probe failed, the last one needed
    LATE = "late"  # a probe without meaning: its driver was late
    REQUESTS_FAILED = "requests failed"  # as many as the passive check allows
    WINDOW_OVER = "window over"  # of a target with only a passive check
    CHANGED = "changed"  # its check asks another question
    MOVED = "moved"  # its address changed
    UNWATCHED = "unwatched"  # no check is left
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
"""The state after, by the state before and the cause. Missing entries cannot happen."""


KNOWN: Final[Mapping[State, Cause]] = MappingProxyType(
    {State.UP: Cause.KNOWN_UP, State.DOWN: Cause.KNOWN_DOWN}
)
"""The cause that adds a target in the state of another at its address."""
