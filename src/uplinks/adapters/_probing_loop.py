"""The driver's loop: start what is due, sleep, dispatch events.

Rules of this file:

1. A prober may raise, hang or return a wrong type: that is a failed probe, and
   the loop continues. A probe is cancelled at its deadline; the machine decides what
   that means, and does not count it as a failure if the driver itself was late.
2. Listeners and logging are called in the loop, without the lock, in the order
   of events. An exception is logged and stops nothing.
3. The loop is supervised: every failure in it is logged, and it continues.
"""

from __future__ import annotations

import asyncio
import logging
import sys
import threading
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Final, Protocol

from uplinks.adapters._probers import Probers
from uplinks.adapters._threads import RESTART
from uplinks.addresses import without_userinfo
from uplinks.durations import format_duration
from uplinks.health import Bounded, Event, Outcome, Overloaded, Probe, State
from uplinks.model import HealthCheck
from uplinks.parent import Endpoint, Parent

__all__ = ["GRACE", "Listener", "ProbingLoop"]

GRACE: Final = 1.0
"""How long (s) a driver waits at its end for cancelled probes."""

NANOSECONDS: Final = 1_000_000_000
_PUNCTUAL: Final = 5_000_000  # ns by which an unblocked loop may be late
_TURNS: Final = 20  # of the loop: enough to get from a socket through a protocol and a few tasks
_BURST: Final = 64  # probes started in one turn: thousands at once would block the loop
_LOG: Final = logging.getLogger("uplinks")


class Listener(Protocol):
    """A receiver of events. Its methods run in the driver's loop and must be quick."""

    def on_event(self, event: Event) -> None:
        """Receive a transition or an overload."""

    def on_probe(self, probe: Probe, outcome: Outcome, duration: int) -> None:
        """Receive how a probe ended, ``duration`` nanoseconds after its start."""


class ProbingLoop:
    """Probe a parent's children within one event loop, from `start` to `stop`.

    Every call to the parent is made under ``lock``. ``notify`` is called after
    events were dispatched.
    """

    def __init__(
        self,
        parent: Parent,
        probers: Probers,
        lock: threading.RLock,  # type: ignore[valid-type,unused-ignore]
        *,
        clock: Callable[[], int],
        listeners: tuple[Listener, ...],
        notify: Callable[[], None],
    ) -> None:
        self._parent = parent
        self._probers = probers
        self._lock = lock
        self._clock = clock
        self._listeners = listeners
        self._notify = notify
        self._loop = asyncio.get_running_loop()
        self._wake = asyncio.Event()
        self._tasks: set[asyncio.Task[None]] = set()
        self._asleep_until: int | None = None
        self._running = self._loop.create_task(self._supervise(), name="uplinks driver")

    def wake(self) -> None:
        """Wake the loop, from any thread, if it would sleep too long."""
        if self._parent.events or self._parent.next_wakeup() != self._asleep_until:
            with suppress(RuntimeError):  # the loop has been closed since
                self._loop.call_soon_threadsafe(self._wake.set)

    async def stop(self) -> None:
        """End the loop and its probes, and dispatch the events left."""
        try:
            self._running.cancel()
            await asyncio.wait([self._running])
            if not self._running.cancelled():
                self._running.exception()  # retrieve it: it was raised in the loop already
        finally:
            await self._end_probes()
            self._dispatch()
            await self._probers.close(GRACE)

    async def _end_probes(self) -> None:
        tasks = set(self._tasks)
        for task in tasks:
            task.cancel()
        if tasks:
            _, unending = await asyncio.wait(tasks, timeout=GRACE)
            if unending:
                _LOG.error("%d probes do not end when cancelled: they are abandoned", len(unending))
        self._tasks.clear()

    # The loop

    async def _supervise(self) -> None:
        task = asyncio.current_task()
        assert task is not None  # noqa: S101 - it runs as a task
        while True:
            try:
                await self._turn()
            except asyncio.CancelledError:
                if task.cancelling():
                    raise
            except Exception:  # noqa: BLE001 - supervised: probing must go on
                with _report_errors("the driver's loop"):
                    _LOG.critical("the driver's loop failed and continues", exc_info=True)
                await asyncio.sleep(RESTART)

    async def _turn(self) -> None:
        self._wake.clear()
        if self._asleep_until is not None and self._clock() - self._asleep_until > _PUNCTUAL:
            # Answers that arrived while the loop was blocked count before deadlines do.
            for _ in range(2 * _TURNS):
                await asyncio.sleep(0)
        with self._lock:
            probes = self._parent.due(self._clock(), most=_BURST)
            self._asleep_until = wakeup = self._parent.next_wakeup()
        for probe in probes:
            task = self._loop.create_task(self._probe(probe))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
        self._dispatch()
        wait = None if wakeup is None else max(0, wakeup - self._clock()) / NANOSECONDS
        with suppress(TimeoutError):
            async with asyncio.timeout(wait):
                await self._wake.wait()

    async def _probe(self, probe: Probe) -> None:
        endpoint = probe.target
        assert isinstance(endpoint, Endpoint)  # noqa: S101 - Parent.due gives nothing else
        started = self._clock()
        try:
            async with asyncio.timeout(None) as limit:
                with _expire_at(limit, (probe.deadline - started) / NANOSECONDS):
                    outcome = await self._ask(endpoint.url, probe)
        except TimeoutError:
            outcome = Outcome.TIMEOUT
        # The machine itself ends an expired probe: see `Parent.due`.
        if not limit.expired():
            with self._lock:
                now = self._clock()
                # A probe gets here after its deadline only if the loop was late.
                if now - probe.deadline <= self._parent.policy.max_lateness:
                    now = min(now, probe.deadline)
                self._parent.report(probe, outcome, now)
            self._wake.set()
        duration = self._clock() - started
        for listener in self._listeners:
            with _report_errors(type(listener).__name__):
                listener.on_probe(probe, outcome, duration)

    async def _ask(self, url: str, probe: Probe) -> Outcome:
        if len(self._tasks) > 2 * self._parent.policy.concurrency:
            return Outcome.fail("too many probes have not ended")
        try:
            return await self._probers.ask(url, probe)
        except (KeyboardInterrupt, SystemExit) as problem:
            if threading.current_thread() is threading.main_thread():
                raise  # it may be the user's Ctrl-C
            _LOG.error("the prober for mode %r failed: %r", probe.check.mode, problem)
            return Outcome.fail(f"the prober failed: {type(problem).__name__}")

    # Events

    def _dispatch(self) -> None:
        with self._lock:
            events = self._parent.events.drain()
            services = [self._services(event) for event in events]
        for event, names in zip(events, services, strict=True):
            with _report_errors("logging"):
                _log(event, names)
            for listener in self._listeners:
                with _report_errors(type(listener).__name__):
                    listener.on_event(event)
        if events:
            self._notify()

    def _services(self, event: Event) -> tuple[str, ...]:
        target = None if isinstance(event, Overloaded) else event.target
        return self._parent.services_at(target) if isinstance(target, Endpoint) else ()


@contextmanager
def _expire_at(limit: asyncio.Timeout, seconds: float) -> Iterator[None]:
    """Expire a time-out in ``seconds``, but after the answers that have arrived by then.

    A blocked loop finds timers and sockets due at once. An answer takes a few turns of the loop
    from its socket to the waiting task, a timer none: the timer would always win.
    """
    loop = asyncio.get_running_loop()
    when = loop.time() + seconds
    handle: asyncio.Handle

    def end(turns: int) -> None:
        nonlocal handle
        if turns and loop.time() - when > _PUNCTUAL / NANOSECONDS:
            handle = loop.call_soon(end, turns - 1)
        else:
            limit.reschedule(loop.time())

    handle = loop.call_at(when, end, _TURNS)
    try:
        yield
    finally:
        handle.cancel()


@contextmanager
def _report_errors(name: str) -> Iterator[None]:
    """Log the exception of a listener; print it if logging itself fails.

    A listener is called, not awaited, so its `CancelledError` does not cancel the loop.
    """
    try:
        yield
    except (Exception, asyncio.CancelledError):  # noqa: BLE001 - foreign code
        try:
            _LOG.exception("a listener failed: %s", name)
        except Exception:  # noqa: BLE001 - a filter or handler of the application
            traceback.print_exc(file=sys.stderr)


def _times(check: HealthCheck) -> str:
    interval, unhealthy, timeout = map(
        format_duration, (check.interval, check.unhealthy_interval, check.timeout)
    )
    return f"interval {interval}, unhealthyInterval {unhealthy}, timeout {timeout}"


def _log(event: Event, services: tuple[str, ...]) -> None:
    if isinstance(event, Overloaded):
        _LOG.warning(
            "probes cannot keep up: the effective interval is %.3fs",
            event.effective_interval / NANOSECONDS,
            extra={"effective_interval": event.effective_interval, "at": event.at},
        )
        return
    endpoint = event.target
    url = without_userinfo(endpoint.url) if isinstance(endpoint, Endpoint) else ""
    if isinstance(event, Bounded):
        _LOG.warning(
            "the times of a health check of %s are out of bounds: %s; it is probed with %s",
            url,
            _times(event.asked),
            _times(event.check),
            extra={"url": url, "services": services, "at": event.at},
        )
        return
    levels = {State.DOWN: logging.WARNING, State.UP: logging.INFO}
    reason = f": {event.reason}" if event.reason else ""
    _LOG.log(
        levels.get(event.after, logging.DEBUG),
        "%s is %s (%s%s); affects %s",
        url,
        event.after.value,
        event.cause.value,
        reason,
        "1 service" if len(services) == 1 else f"{len(services)} services",
        extra={
            "url": url,
            "services": services,
            "before": event.before.value,
            "after": event.after.value,
            "cause": event.cause.value,
            "streak": event.streak,
            "generation": event.generation,
            "at": event.at,
            "reason": event.reason,
        },
    )
