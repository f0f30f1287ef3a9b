"""An event loop whose time is virtual: nobody waits, and every nanosecond counts."""

from __future__ import annotations

import asyncio
import selectors
from collections.abc import Coroutine
from typing import Any, TypeVar

T = TypeVar("T")


class _Skipping(selectors.SelectSelector):
    """Goes on in time where others would wait for it to pass."""

    now = 0

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        ready = super().select(0)
        if not ready and timeout is None:
            raise RuntimeError("everybody waits, and nothing will happen")
        if not ready and timeout is not None:
            self.now += max(0, round(timeout * 1e9))
        return ready


class VirtualLoop(asyncio.SelectorEventLoop):
    """An event loop whose time passes only when nothing else is to be done.

    Units: `clock` and `oversleep` in nanoseconds, from 0. When everybody waits
    and nothing will happen, it raises RuntimeError instead of waiting for ever.
    Not for sockets: what comes from outside takes no virtual time.

    >>> loop = VirtualLoop()
    >>> in_virtual_time(asyncio.sleep(3600), loop)
    >>> loop.clock()
    3600000000000
    """

    def __init__(self) -> None:
        self._skipping = _Skipping()
        super().__init__(self._skipping)

    def time(self) -> float:
        """Tell the time in seconds, for asyncio."""
        return self._skipping.now / 1e9

    def clock(self) -> int:
        """Tell the time in nanoseconds, for a driver."""
        return self._skipping.now

    def oversleep(self, nanoseconds: int) -> None:
        """Block: time passes, and nothing else happens."""
        self._skipping.now += nanoseconds


def in_virtual_time(main: Coroutine[Any, Any, T], loop: VirtualLoop) -> T:
    """Run to the end, close the loop, and see that no task is left: that is a RuntimeError.

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
