"""What happened lately: the health of each endpoint over the last hour, and the last events."""

from __future__ import annotations

from collections import deque
from collections.abc import Collection
from typing import Any, Final

from attrs import define, field

from uplinks.addresses import without_userinfo
from uplinks.health import Event, State, Transition
from uplinks.parent import Endpoint

__all__ = ["HOUR", "History"]

HOUR: Final = 3600 * 1_000_000_000
_MOST_CHANGES: Final = 200  # of an endpoint; an older one is forgotten first
_MOST_EVENTS: Final = 100

_Key = tuple[str, str]


@define
class _Lane:
    endpoint: Endpoint
    changes: deque[tuple[int, State]] = field(factory=lambda: deque(maxlen=_MOST_CHANGES))


class History:
    """A bounded memory of events. Times are nanoseconds of the monotonic clock.

    Complexity: O(1) an event.
    """

    def __init__(self) -> None:
        self._lanes: dict[_Key, _Lane] = {}
        self._events: deque[dict[str, Any]] = deque(maxlen=_MOST_EVENTS)
        self._number = 0

    @property
    def number(self) -> int:
        """How many events there were."""
        return self._number

    def add(self, event: Event, uplinks: Collection[str]) -> None:
        """Remember an event; ``uplinks`` are those that it concerns."""
        if not isinstance(event, Transition) or not isinstance(event.target, Endpoint):
            return
        endpoint, key = event.target, _key(event.target)
        self._number += 1
        self._events.append(
            {
                "number": self._number,
                "at": event.at,
                "url": without_userinfo(endpoint.url),
                "check": key[1],
                "before": event.before.value,
                "after": event.after.value,
                "cause": event.cause.value,
                "reason": event.reason,
                "uplinks": len(uplinks),
            }
        )
        lane = self._lanes.get(key)
        if lane is None:
            lane = self._lanes[key] = _Lane(endpoint)
        lane.endpoint = endpoint
        if not lane.changes or lane.changes[-1][1] is not event.after:
            lane.changes.append((event.at, event.after))
        # The last change before the hour says how the hour began.
        while len(lane.changes) > 1 and lane.changes[1][0] <= event.at - HOUR:
            lane.changes.popleft()
        if event.after is State.GONE:
            self._forget(event.at)

    def _forget(self, now: int) -> None:
        """Forget the endpoints that are gone for an hour."""
        old = [
            key
            for key, lane in self._lanes.items()
            if lane.changes[-1][1] is State.GONE and lane.changes[-1][0] <= now - HOUR
        ]
        for key in old:
            del self._lanes[key]

    def events(self, after: int = 0) -> list[dict[str, Any]]:
        """Return the last events, oldest first, with numbers above ``after``."""
        return [event for event in self._events if event["number"] > after]

    def lanes(self, most: int | None = None) -> list[dict[str, Any]]:
        """Return the health of endpoints, in the order of their addresses."""
        return [
            {
                "url": without_userinfo(lane.endpoint.url),
                "check": key[1],
                "changes": [{"at": at, "state": state.value} for at, state in lane.changes],
            }
            for key, lane in sorted(self._lanes.items())[:most]
        ]


def _key(endpoint: Endpoint) -> _Key:
    """Return what people tell endpoints apart by: the address, and what is asked there."""
    check = endpoint.check
    if check is None:
        return endpoint.url, "passive"
    where = f" at port {check.port}" if check.port else ""
    name = f" as {check.hostname}" if check.hostname else ""
    asked = "gRPC" if check.mode == "grpc" else f"{check.method} {check.path or '/'}"
    return endpoint.url, f"{asked}{where}{name}"
