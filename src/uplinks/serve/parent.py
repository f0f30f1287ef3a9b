"""The live parent at work: sources, probes, endpoints, files and signals in one loop.

Rules of this file:

1. All changes are made in the loop's thread, through the driver, so that it starts the
   probes that are due.
2. Rendering is done in steps of a few milliseconds, so that probes stay punctual.
3. Times are of a monotonic clock: a jump of the system's time changes nothing.
"""

from __future__ import annotations

import asyncio
import gc
import logging
import time
from collections.abc import Awaitable, Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import Any, Final

from attrs import frozen

from uplinks.adapters.driver import Driver
from uplinks.adapters.sources import Failure, Source
from uplinks.adapters.tokens import Token
from uplinks.diagnostics import Report
from uplinks.errors import MissingExtra, UplinksError
from uplinks.health import Event, HealthPolicy, Outcome, Probe
from uplinks.model import Child, Cluster, ParentConfig
from uplinks.protocols import Prober
from uplinks.rules import check
from uplinks.serve.eds import EdsFolder
from uplinks.serve.following import Following
from uplinks.serve.http import ServerTls, handle_signals
from uplinks.serve.live import Live, LiveOptions
from uplinks.serve.metrics import ServeMetrics
from uplinks.serve.reading import PARENT, Reading
from uplinks.serve.server import make_app
from uplinks.serve.view import describe

try:
    from aiohttp import web
except ImportError as error:
    raise MissingExtra("serve") from error

__all__ = ["ParentServer", "ServerOptions"]

_NANOSECONDS: Final = 1_000_000_000
_STEP: Final = 16  # uplinks rendered in one turn of the loop
_MOST_CHECKED: Final = 20_000
"""Uplinks up to which the whole fleet is checked; of more, each cluster on its own."""
_REST: Final = 10  # times the duration of a check until the next one
_LOG: Final = logging.getLogger("uplinks.serve")

SourceOf = Callable[[str, ParentConfig], Source]
"""Makes the source of a child. Raises: UplinksError."""


@frozen
class ServerOptions:
    """Where a parent serves. ``drain`` is in seconds; a port of 0 is chosen by the kernel."""

    host: str = "127.0.0.1"
    port: int = 9090
    loopback: bool = True
    token: Token | None = None
    tls: ServerTls | None = None
    eds_folder: str | None = None
    drain: float = 5.0


class ParentServer:
    """Follow the sources of a parent and its children, and serve what is made of them.

    ``cluster`` are the parent's own manifests, ``own`` is their source; ``source_of``
    makes those of the children. ``start`` spreads the probes of several replicas.

    `run` serves until `stop` or SIGTERM; SIGHUP reads all sources again.
    """

    def __init__(
        self,
        cluster: Cluster,
        own: Source,
        source_of: SourceOf,
        options: ServerOptions,
        live: LiveOptions,
        *,
        policy: HealthPolicy | None = None,
        start: int = 0,
        probers: Mapping[str, Prober] | None = None,
        clock: Callable[[], int] = time.monotonic_ns,
        pause: Callable[[float], Awaitable[Any]] = asyncio.sleep,
    ) -> None:
        self.live: Final = Live(cluster, clock(), live, policy=policy, start=start)
        self.eds: Final = (
            None if options.eds_folder is None else EdsFolder(options.eds_folder, pause)
        )
        self.metrics: Final = ServeMetrics(self.live)
        self.draining = False
        self.stopping = False
        self.addresses: list[tuple[str, int]] = []
        """Where it listens, host and port."""
        self._options = options
        self._own = own
        self._source_of = source_of
        self._clock = clock
        self._pause = pause
        self._driver = Driver(
            self.live.parent, probers, clock=clock, listeners=[self, self.metrics.events]
        )
        self._context = None if options.tls is None else options.tls.context()
        self._report = Report()
        self._sources: dict[str, tuple[Child, Source]] = {}
        self._changed = asyncio.Event()
        self._rendered = asyncio.Event()
        self._read = asyncio.Event()
        self._news = asyncio.Event()
        self._stop = asyncio.Event()
        self._following: Following | None = None

    # Running

    async def run(self) -> None:
        """Serve until stopped. Raises: OSError if the address cannot be used."""
        app = make_app(self, self._options.token, loopback=self._options.loopback)
        runner = web.AppRunner(app, access_log=None, shutdown_timeout=1.0)
        await runner.setup()
        with ThreadPoolExecutor(1, "uplinks-reading") as executor:
            try:
                with handle_signals(self.stop, self.reload):
                    await self._listen(runner)
                    async with self._driver:
                        await self._work(executor)
            finally:
                self.stopping = True
                self._announce()
                await runner.cleanup()

    async def _listen(self, runner: web.AppRunner) -> None:
        options = self._options
        site = web.TCPSite(runner, options.host, options.port, ssl_context=self._context)
        await site.start()
        self.addresses = [(host, port) for host, port, *_ in runner.addresses]
        _LOG.info("listening", extra={"addresses": self.addresses})

    def stop(self) -> None:
        """Drain, then end `run`."""
        self.draining = True
        self._stop.set()

    def reload(self) -> None:
        """Read all sources again."""
        _LOG.info("reading all sources again")
        if self._following is not None:
            self._following.restart()
            self._sync()

    async def _work(self, executor: ThreadPoolExecutor) -> None:
        """Follow, render, write and check until stopped; a defect in any of them ends all."""
        self._following = Following(self._take, executor, self._pause)
        self._sync()
        jobs = [self._render(), self._check(executor)]
        jobs += [] if self.eds is None else [self._write(self.eds)]
        tasks = [asyncio.ensure_future(job) for job in jobs]
        stopped = asyncio.ensure_future(self._drain())
        try:
            done, _ = await asyncio.wait([*tasks, stopped], return_when="FIRST_COMPLETED")
            for task in done:
                task.result()
        finally:
            await self._following.stop()
            for task in (*tasks, stopped):
                task.cancel()
            await asyncio.gather(*tasks, stopped, return_exceptions=True)

    async def _drain(self) -> None:
        """Go on for a while after the signal: proxies and probes must notice first."""
        await self._stop.wait()
        _LOG.info("draining", extra={"seconds": self._options.drain})
        await self._pause(self._options.drain)

    # Sources

    def _sync(self) -> None:
        """Follow the sources of the children that are listed now."""
        assert self._following is not None  # noqa: S101 - running
        config = self.live.parent.config
        for name, child in config.children.items():
            known = self._sources.get(name)
            if known is None or known[0] != child:
                try:
                    self._sources[name] = child, self._source_of(name, config)
                except UplinksError as problem:
                    self._sources.pop(name, None)
                    self._take(name, Failure(str(problem)))
        for name in self._sources.keys() - config.children.keys():
            del self._sources[name]
        for name, (_, source) in self._sources.items():
            self.live.sources[name].name = source.name
        self.live.own.name = self._own.name
        sources = {name: source for name, (_, source) in self._sources.items()}
        self._following.sync({PARENT: self._own, **sources})

    def _take(self, name: str, reading: Reading | Failure) -> None:
        """Take what a source says."""
        live = self.live
        if name == PARENT:
            state = live.own
        elif name in live.sources:
            state = live.sources[name]
        else:
            return  # it is no longer listed
        before = state.error
        if name == PARENT:
            self._driver.change(lambda now: live.receive_parent(reading, now))
            self._sync()
        else:
            self._driver.change(lambda now: live.receive(name, reading, now))
        if state.error != before:
            _log_source(name, state.error)
        self._changed.set()
        self._read.set()

    # What follows from a change

    def on_event(self, event: Event) -> None:
        """Take an event of the driver."""
        self.live.on_event(event)
        self._changed.set()

    def on_probe(self, probe: Probe, outcome: Outcome, duration: int) -> None:
        """Ignore single probes."""

    async def _render(self) -> None:
        frozen = False
        while True:
            self._changed.clear()
            self._driver.change(self.live.expire)
            while not self.live.render(_STEP):  # noqa: ASYNC110 - other tasks take turns
                await asyncio.sleep(0)
            self._rendered.set()
            self._announce()
            if self.live.ready and not frozen:
                # The fleet itself need not be searched for garbage again and again.
                gc.freeze()
                frozen = True
                _LOG.info("ready", extra={"uplinks": len(self.live.parent.uplinks)})
            wakeup = self.live.next_wakeup()
            wait = None if wakeup is None else max(0, wakeup - self._clock()) / _NANOSECONDS
            with suppress(TimeoutError):
                async with asyncio.timeout(wait):
                    await self._changed.wait()

    async def _write(self, folder: EdsFolder) -> None:
        while True:
            await self._rendered.wait()
            self._rendered.clear()
            if self.live.ready and self.live.endpoints is not None:
                await folder.write(self.live.endpoints)

    async def _check(self, executor: ThreadPoolExecutor) -> None:
        """Check the whole fleet after changes, in another thread, at most a tenth of the time."""
        loop = asyncio.get_running_loop()
        while True:
            await self._read.wait()
            while not self.live.ready:  # what has not answered yet is not missing
                await self.wait_for_news(1.0)
            self._read.clear()
            started = self._clock()
            if len(self.live.parent.uplinks) > _MOST_CHECKED:
                self._report = Report(d for each in self.live.reports() for d in each)
            else:
                self._report = await loop.run_in_executor(executor, check, self.live.fleet())
            self.live.version += 1
            self._announce()
            await self._pause(max(1.0, _REST * (self._clock() - started) / _NANOSECONDS))

    # What is shown

    def describe(self, match: str, most: int | None) -> dict[str, Any]:
        """Describe the state as plain data."""
        state = describe(self.live, self._clock(), self._report, match=match, most=most)
        eds = self.eds
        state["eds"] = None if eds is None else {"folder": eds.path, "error": eds.error}
        state["draining"] = self.draining
        return state

    def _announce(self) -> None:
        """Wake everything that waits for news."""
        self._news.set()
        self._news = asyncio.Event()

    async def wait_for_news(self, seconds: float) -> bool:
        """Wait until something has changed; return whether it has."""
        try:
            async with asyncio.timeout(seconds):
                await self._news.wait()
        except TimeoutError:
            return False
        return True


def _log_source(name: str, error: str | None) -> None:
    extra = {"child": name} if name != PARENT else {"parent": True}
    if error is None:
        _LOG.info("the source is read again", extra=extra)
    else:
        _LOG.warning("the source cannot be used: %s", error, extra={**extra, "error": error})
