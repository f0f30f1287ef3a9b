"""Waiting for a change of a driver's parent: in a thread, or in an event loop."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from types import TracebackType

from uplinks._leases import Lease
from uplinks.errors import NoEligibleTarget

__all__ = ["Changes", "WaitingLease"]


class Changes:
    """Wakes all waiting threads and tasks when `notify` is called, from any thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._waiting: set[Callable[[], object]] = set()

    def notify(self) -> None:
        """Wake all waiters. Complexity: O(waiters); one test if there are none."""
        if self._waiting:
            with self._lock:
                waiting = tuple(self._waiting)
            for wake in waiting:
                with suppress(RuntimeError):  # its loop has been closed
                    wake()

    def until(self, condition: Callable[[], bool], seconds: float | None) -> bool:
        """Block until a condition holds or ``seconds`` have passed; return whether it holds."""
        changed = threading.Event()
        self._add(changed.set)
        try:
            deadline = None if seconds is None else time.monotonic() + seconds
            while not condition():
                left = None if deadline is None else deadline - time.monotonic()
                if left is not None and left <= 0:
                    return False
                changed.wait(left)
                changed.clear()
            return True
        finally:
            self._remove(changed.set)

    async def until_async(self, condition: Callable[[], bool], seconds: float | None) -> bool:
        """Wait until a condition holds or ``seconds`` have passed; return whether it holds."""
        loop, changed = asyncio.get_running_loop(), asyncio.Event()

        def wake() -> None:
            loop.call_soon_threadsafe(changed.set)

        self._add(wake)
        try:
            async with asyncio.timeout(seconds):
                while not condition():
                    await changed.wait()
                    changed.clear()
        except TimeoutError:
            return condition()
        else:
            return True
        finally:
            self._remove(wake)

    def _add(self, wake: Callable[[], object]) -> None:
        with self._lock:
            self._waiting.add(wake)

    def _remove(self, wake: Callable[[], object]) -> None:
        with self._lock:
            self._waiting.discard(wake)


class WaitingLease:
    """A lease that waits up to ``seconds`` for an eligible target.

    ``with`` blocks its thread, ``async with`` only its task. Either gives the
    `Lease`. Raises: NoEligibleTarget if there is none in time.
    """

    def __init__(self, lease: Lease, changes: Changes, seconds: float | None) -> None:
        self._lease = lease
        self._changes = changes
        self._seconds = seconds
        self._problem: NoEligibleTarget | None = None

    def _entered(self) -> bool:
        try:
            self._lease.__enter__()
        except NoEligibleTarget as problem:
            self._problem = problem
            return False
        return True

    def __enter__(self) -> Lease:
        if not self._changes.until(self._entered, self._seconds):
            raise self._failure()
        return self._lease

    def __exit__(
        self,
        kind: type[BaseException] | None,
        problem: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._lease.__exit__(kind, problem, traceback)

    async def __aenter__(self) -> Lease:
        if not await self._changes.until_async(self._entered, self._seconds):
            raise self._failure()
        return self._lease

    async def __aexit__(self, *exception: object) -> None:
        self._lease.__exit__(*exception)  # type: ignore[arg-type]

    def _failure(self) -> NoEligibleTarget:
        assert self._problem is not None  # noqa: S101 - entering has failed at least once
        return self._problem
