"""What a parent has to tell, kept until somebody asks.

Rules of this file:

1. Nobody is called back: who wants to know asks.
2. The stream is bounded. What finds no room pushes out the oldest, and is counted.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator

from uplinks.health import Event

__all__ = ["EventStream"]


class EventStream:
    """Events in the order in which they happened, the latest ``room`` of them.

    >>> from uplinks.health import Overloaded
    >>> stream = EventStream(room=2)
    >>> stream.extend(Overloaded(effective_interval=10, at=at) for at in range(3))
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
        """Go through the events, oldest first, and leave them where they are."""
        return iter(tuple(self._events))

    def __repr__(self) -> str:
        return f"<EventStream of {len(self._events)}, {self._dropped} dropped>"

    @property
    def dropped(self) -> int:
        """How many events found no room so far."""
        return self._dropped

    def extend(self, events: Iterable[Event]) -> None:
        """Add events. Complexity: O(events)."""
        for event in events:
            self._dropped += len(self._events) == self._events.maxlen
            self._events.append(event)

    def drain(self) -> list[Event]:
        """Take all events, oldest first. Complexity: O(events)."""
        events = list(self._events)
        self._events.clear()
        return events
