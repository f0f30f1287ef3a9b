"""An event loop in virtual time: it never sleeps, and is exact to the nanosecond."""

from __future__ import annotations

import asyncio
import selectors
from collections.abc import Coroutine
from typing import Any, TypeVar

T = TypeVar("T")


class _Skipping(selectors.SelectSelector):
    """A selector that advances the time instead of waiting."""

    now = 0

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        ready = super().select(0)
        if not ready and timeout is None:
            raise RuntimeError("all tasks are waiting and no timer is set: nothing will happen")
        if not ready and timeout is not None:
            self.now += max(0, round(timeout * 1e9))
        return ready


class VirtualLoop(asyncio.SelectorEventLoop):
    """An event loop whose time advances only when no task can run.

    Units: `clock` and `oversleep` in nanoseconds, from 0. When all tasks wait
    and no timer is set, it raises RuntimeError instead of waiting for ever.
    Not for sockets: input from outside takes no virtual time.

    >>> loop = VirtualLoop()
    >>> in_virtual_time(asyncio.sleep(3600), loop)
    >>> loop.clock()
    3600000000000
    """

    def __init__(self) -> None:
        self._skipping = _Skipping()
        super().__init__(self._skipping)

    def time(self) -> float:
        """Return the time in seconds, for asyncio."""
        return self._skipping.now / 1e9

    def clock(self) -> int:
        """Return the time in nanoseconds, for a driver."""
        return self._skipping.now

    def oversleep(self, nanoseconds: int) -> None:
        """Block the loop: only time passes."""
        self._skipping.now += nanoseconds


def in_virtual_time(main: Coroutine[Any, Any, T], loop: VirtualLoop) -> T:
    """Run a coroutine and close the loop. Raises: RuntimeError if a task is left.

    >>> in_virtual_time(asyncio.sleep(60, "a minute later"), VirtualLoop())
    'a minute later'
    """
    try:
        result = loop.run_until_complete(main)
        left = asyncio.all_tasks(loop)
        if left:
            raise RuntimeError(f"tasks are left: {sorted(task.get_name() for task in left)}")
        return result
    finally:
        loop.close()
