"""Follow sources, each in a task of its own, whatever they do.

Rules of this file:

1. A source that ends or raises is logged, reported as a failure, and followed again
   after a pause. It stops nothing else.
2. Snapshots are read in one other thread, one after the other, so that large ones do
   not hold up the loop.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping
from concurrent.futures import Executor
from typing import Any, Final

from uplinks.adapters.sources import Failure, Source
from uplinks.serve.reading import PARENT, Reading, read

__all__ = ["Following"]

RETRY: Final = 1.0
"""The pause (s) before a source that has ended or raised is followed again."""

_LOG: Final = logging.getLogger("uplinks.serve")

Take = Callable[[str, Reading | Failure], None]


class Following:
    """The tasks that follow sources by name; ``take`` receives what each says."""

    def __init__(
        self, take: Take, executor: Executor, pause: Callable[[float], Awaitable[Any]]
    ) -> None:
        self._take = take
        self._executor = executor
        self._pause = pause
        self._sources: dict[str, Source] = {}
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._ended: set[asyncio.Task[None]] = set()

    def sync(self, sources: Mapping[str, Source]) -> None:
        """Follow these sources and no others; one that is the same object goes on."""
        for name, source in self._sources.items():
            if sources.get(name) is not source:
                self._end(name)
        for name, source in sources.items():
            if name not in self._tasks:
                self._tasks[name] = asyncio.ensure_future(self._follow(name, source))
        self._sources = dict(sources)

    def restart(self) -> None:
        """Read all sources again."""
        sources = self._sources
        self.sync({})
        self.sync(sources)

    async def stop(self) -> None:
        """Follow no source any more."""
        self.sync({})
        await asyncio.gather(*self._ended, return_exceptions=True)

    def _end(self, name: str) -> None:
        task = self._tasks.pop(name)
        task.cancel()
        self._ended.add(task)
        task.add_done_callback(self._ended.discard)

    async def _follow(self, name: str, source: Source) -> None:
        while True:
            try:
                await self._take_all(name, source)
                problem = "the source has ended"
            except Exception as error:  # noqa: BLE001 - supervised: the others must go on
                _LOG.exception("the source of %s failed and is followed again", name)
                problem = f"the source failed: {type(error).__name__}"
            self._take(name, Failure(problem))
            await self._pause(RETRY)

    async def _take_all(self, name: str, source: Source) -> None:
        loop = asyncio.get_running_loop()
        role: Any = "parent" if name == PARENT else "child"
        updates = source.updates()
        try:
            async for update in updates:
                reading = await loop.run_in_executor(self._executor, read, update, role)
                self._take(name, reading)
        finally:
            if isinstance(updates, AsyncGenerator):
                await updates.aclose()
