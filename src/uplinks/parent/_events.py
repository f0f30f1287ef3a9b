"""A bounded stream of events. There are no callbacks: a reader drains it."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator

from uplinks.health import Event

__all__ = ["EventStream"]


class EventStream:
    """The latest ``room`` events, oldest first. A new event drops the oldest when it is full.

    >>> from uplinks.health import Overloaded
    >>> stream = EventStream(room=2)
    >>> for at in range(3):
    ...     stream.append(Overloaded(effective_interval=10, at=at))
    >>> [event.at for event in stream], stream.dropped
    ([1, 2], 1)
    >>> len(stream.drain()), len(stream)
    (2, 0)
    """

    def __init__(self, room: int = 10_000) -> None:
        self._events: deque[Event] = deque(maxlen=room)
        self._dropped = 0

    def __len__(self) -> int:
        return len(self._events)

    def __iter__(self) -> Iterator[Event]:
        """Iterate over the events, oldest first, without removing them."""
        return iter(tuple(self._events))

    def __repr__(self) -> str:
        return f"<EventStream of {len(self._events)}, {self._dropped} dropped>"

    @property
    def dropped(self) -> int:
        """How many events were dropped so far."""
        return self._dropped

    def append(self, event: Event) -> None:
        """Add an event. Complexity: O(1)."""
        self._dropped += len(self._events) == self._events.maxlen
        self._events.append(event)

    def drain(self) -> list[Event]:
        """Take all events, oldest first. Complexity: O(events)."""
        events = list(self._events)
        self._events.clear()
        return events
