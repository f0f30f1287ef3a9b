"""A driver's event loop in a thread of its own: started, supervised, stopped, and after a fork.

Rules of this file:

1. The thread is a daemon, and `stop` works at every stage of starting: Ctrl-C at
   any moment ends the process.
2. A loop that ends by itself is logged and started again after `RESTART` seconds.
3. A forked process has no thread. It starts its own, with the state at the fork.
"""

from __future__ import annotations

import asyncio
import logging
import os
import threading
import weakref
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager, suppress
from typing import Final

__all__ = ["RESTART", "LoopThread"]

RESTART: Final = 1.0
"""How long (s) a loop that has failed waits before it starts again."""

_LOG: Final = logging.getLogger("uplinks")


class LoopThread:
    """Run an asynchronous context in a loop of its own until `stop`.

    ``lock`` is held while the process forks, so the state that it guards is
    consistent in the child process. ``forked`` is called in the child process before its
    thread starts.
    """

    def __init__(
        self,
        context: AbstractAsyncContextManager[object],
        lock: threading.RLock,  # type: ignore[valid-type,unused-ignore]
        forked: Callable[[], None],
    ) -> None:
        self._context = context
        self._lock = lock
        self._forked = forked
        self._prepare()

    def _prepare(self) -> None:
        self._started = threading.Event()
        self._stopped = threading.Event()
        self._problem: BaseException | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._stop: asyncio.Event | None = None
        self._thread = threading.Thread(target=self._run, name="uplinks driver", daemon=True)

    def start(self) -> None:
        """Start the thread; return once the context is entered. Raises: what entering raises."""
        self._thread.start()
        self._started.wait()
        if self._problem is not None:
            raise self._problem
        _RUNNING.add(self)

    def stop(self) -> None:
        """Leave the context and end the thread, at any stage of its start."""
        _RUNNING.discard(self)
        self._stopped.set()
        loop, stop = self._loop, self._stop
        if loop is not None and stop is not None:
            with suppress(RuntimeError):  # the loop is closed already
                loop.call_soon_threadsafe(stop.set)
        if self._thread.ident is not None:
            self._thread.join()

    def _run(self) -> None:
        while not self._stopped.is_set():
            try:
                self._run_loop()
            except BaseException as problem:  # noqa: BLE001 - supervised: nothing may end it unseen
                if not self._started.is_set():
                    self._problem = problem
                    break
                _LOG.critical("the driver's loop failed (%s) and restarts", type(problem).__name__)
                self._stopped.wait(RESTART)
        self._started.set()

    def _run_loop(self) -> None:
        loop = asyncio.new_event_loop()
        try:
            loop.run_until_complete(self._main())
        finally:
            try:
                tasks = asyncio.all_tasks(loop)
                for task in tasks:
                    task.cancel()
                if tasks:
                    loop.run_until_complete(asyncio.wait(tasks, timeout=RESTART))
            finally:
                loop.close()

    async def _main(self) -> None:
        self._loop, self._stop = asyncio.get_running_loop(), asyncio.Event()
        if self._stopped.is_set():
            return
        async with self._context:
            self._started.set()
            await self._stop.wait()

    # Forks

    def before_fork(self) -> None:
        """Acquire the lock, so that no change is in progress."""
        self._lock.acquire()

    def after_fork(self, *, child: bool) -> None:
        """Release the lock; in the child process, start a new thread."""
        self._lock.release()
        if child:
            self._prepare()
            self._forked()
            _LOG.info("the process has forked: the driver starts a thread of its own here")
            self._thread.start()


_RUNNING: Final[weakref.WeakSet[LoopThread]] = weakref.WeakSet()


def _before() -> None:
    for thread in tuple(_RUNNING):
        thread.before_fork()


def _after(*, child: bool) -> None:
    for thread in tuple(_RUNNING):
        thread.after_fork(child=child)


if hasattr(os, "register_at_fork"):
    os.register_at_fork(
        before=_before,
        after_in_parent=lambda: _after(child=False),
        after_in_child=lambda: _after(child=True),
    )
