"""Drive a parent in asyncio: the only event loop and the only clock of this library.

Rules of this file:

1. Every call to the parent is made under one lock and with the clock's time.
   Picks need no lock: a selector is consistent between any two calls.
2. A prober may raise, hang or return nonsense: that is a failed probe, and the
   loop goes on. A probe is cancelled at its deadline; the machine decides what
   that means, and does not count it as a failure if the driver itself was late.
3. Listeners and logging are called in the loop, without the lock, in the order
   of events. A listener that raises is logged.
4. No task and no thread outlives the driver, except a probe that cannot be
   cancelled; it is abandoned after `GRACE` seconds.
"""

from __future__ import annotations

import asyncio
import logging
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from typing import Final, Protocol, Self

from uplinks.adapters._probers import Probers
from uplinks.addresses import without_userinfo
from uplinks.balance import Selector
from uplinks.health import Event, Outcome, Overloaded, Probe, State, Transition
from uplinks.model import Advertisement, ParentConfig
from uplinks.parent import Endpoint, Lease, Parent, Target
from uplinks.protocols import Prober

__all__ = ["GRACE", "Driver", "Listener"]

GRACE: Final = 1.0
"""How long (s) a driver waits at its end for cancelled probes."""

_NANOSECONDS: Final = 1_000_000_000
_PUNCTUAL: Final = 5_000_000  # ns by which an unblocked loop may be late
_TURNS: Final = (
    20  # of the loop: enough to get from a socket through a protocol, a stream and a few tasks
)
_LOG: Final = logging.getLogger("uplinks")


class Listener(Protocol):
    """A receiver of events. Its methods run in the driver's loop and must be quick."""

    def on_event(self, event: Event) -> None:
        """Receive a transition or an overload."""

    def on_probe(self, probe: Probe, outcome: Outcome, duration: int) -> None:
        """Receive how a probe ended, ``duration`` nanoseconds after its start."""


class Driver:
    """Probe a parent's children while a block runs.

    ``probers`` maps modes to probers. By default they are those of the entry
    points ``uplinks.probers``, made on first use and closed at the end.
    ``clock`` returns nanoseconds that never go backwards.

    ``async with driver:`` runs it in the running event loop, ``with
    driver.in_thread():`` in a thread of its own. Every method may be called from
    any thread. A parent has one driver at a time; a driver may be started again.

    >>> from uplinks import Advertisement, HealthCheck, Parent, ParentConfig
    >>> from uplinks.model import Child
    >>> class FailingProber:
    ...     async def probe(self, url, check):
    ...         return Outcome.fail("as expected")
    ...     async def close(self):
    ...         pass
    >>> parent = Parent(ParentConfig({"eu": Child("https://eu.example.com")}))
    >>> is_down = threading.Event()
    >>> class DownListener:
    ...     def on_event(self, event):
    ...         if getattr(event, "after", None) is State.DOWN:
    ...             is_down.set()
    ...     def on_probe(self, probe, outcome, duration):
    ...         pass
    >>> driver = Driver(parent, {"http": FailingProber()}, listeners=[DownListener()])
    >>> with driver.in_thread():
    ...     driver.advertise("eu", [Advertisement("api", "apps/api", ["multicluster"],
    ...                                           health_check=HealthCheck(path="/"))])
    ...     is_down.wait(10)
    True
    >>> parent.is_up("api-eu@multicluster")
    False

    Source: reference page, "Health Check Behavior".
    """

    def __init__(
        self,
        parent: Parent,
        probers: Mapping[str, Prober] | None = None,
        *,
        clock: Callable[[], int] = time.monotonic_ns,
        listeners: Iterable[Listener] = (),
    ) -> None:
        self._parent = parent
        self._probers = Probers(probers)
        self._clock = clock
        self._listeners = tuple(listeners)
        self._lock = threading.RLock()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._wake: asyncio.Event | None = None
        self._running: asyncio.Task[None] | None = None
        self._asleep_until: int | None = None
        self._tasks: set[asyncio.Task[None]] = set()

    def __repr__(self) -> str:
        return f"<Driver of {self._parent!r}, {'running' if self._loop else 'stopped'}>"

    @property
    def parent(self) -> Parent:
        """The parent. Read from it freely; change it through the driver."""
        return self._parent

    # The parent's methods, from any thread

    def advertise(self, child: str, advertisements: Iterable[Advertisement]) -> None:
        """Replace everything that a child offers. As `Parent.advertise`."""
        self._call(lambda now: self._parent.advertise(child, advertisements, now))

    def advertise_all(self, offers: Mapping[str, Iterable[Advertisement]]) -> None:
        """Replace what several children offer, in one step. As `Parent.advertise_all`."""
        self._call(lambda now: self._parent.advertise_all(offers, now))

    def amend(
        self,
        child: str,
        advertisements: Iterable[Advertisement] = (),
        *,
        gone: Iterable[str] = (),
    ) -> None:
        """Change a part of a child's offer. As `Parent.amend`."""
        self._call(lambda now: self._parent.amend(child, advertisements, gone=gone, now=now))

    def reload(self, config: ParentConfig) -> None:
        """List other children. As `Parent.reload`."""
        self._call(lambda now: self._parent.reload(config, now))

    def withdraw(self, child: str) -> None:
        """Remove everything that a child offered. As `Parent.withdraw`."""
        self._call(lambda now: self._parent.withdraw(child, now))

    def set_up(self, name: str, up: bool) -> None:  # noqa: FBT001 - as Parent.set_up
        """Hold a child out, or release it. As `Parent.set_up`."""
        self._call(lambda now: self._parent.set_up(name, up, now))

    def observe(self, target: Target | str, ok: bool) -> None:  # noqa: FBT001 - as Parent.set_up
        """Report how a request to a child service ended. As `Parent.observe`."""
        self._call(lambda now: self._parent.observe(target, ok, now))

    def selector(self, name: str) -> Selector:
        """Return the selector of a service. As `Parent.selector`."""
        with self._lock:
            return self._parent.selector(name)

    def lease(self, name: str) -> Lease:
        """Pick from a service for one request, and `observe` how it ended."""
        return Lease(self.selector(name), self.observe)

    def _call(self, change: Callable[[int], None]) -> None:
        with self._lock:
            change(self._clock())
            if self._parent.events or self._parent.next_wakeup() != self._asleep_until:
                self._wake_loop()

    def _wake_loop(self) -> None:
        loop, wake = self._loop, self._wake
        if loop is not None and wake is not None:
            with suppress(RuntimeError):  # the loop has been closed since
                loop.call_soon_threadsafe(wake.set)

    # Starting and stopping

    async def __aenter__(self) -> Self:
        with self._lock:
            if self._loop is not None:
                raise RuntimeError("this driver is already running")
            self._loop, self._wake = asyncio.get_running_loop(), asyncio.Event()
        self._running = self._loop.create_task(self._run(self._wake), name="uplinks driver")
        return self

    async def __aexit__(self, *exception: object) -> None:
        running, self._running = self._running, None
        assert running is not None  # noqa: S101 - entered
        try:
            running.cancel()
            with suppress(asyncio.CancelledError):
                await running
        finally:
            await self._end_probes()
            with self._lock:
                self._loop = self._wake = self._asleep_until = None
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

    @contextmanager
    def in_thread(self) -> Iterator[Self]:
        """Run in a thread of its own while the block runs.

        Raises: RuntimeError when the driver is already running.
        """
        started = threading.Event()
        loop = asyncio.new_event_loop()
        ended = asyncio.Event()
        problems: list[BaseException] = []

        async def main() -> None:
            async with self:
                started.set()
                await ended.wait()

        def run() -> None:
            try:
                loop.run_until_complete(main())
            except BaseException as problem:  # noqa: BLE001 - raised where it can be seen
                problems.append(problem)
            finally:
                started.set()
                loop.close()

        thread = threading.Thread(target=run, name="uplinks driver")
        thread.start()
        started.wait()
        try:
            if not problems:
                yield self
        finally:
            with suppress(RuntimeError):  # the loop has ended
                loop.call_soon_threadsafe(ended.set)
            thread.join()
        if problems:
            raise problems[0]

    # The loop

    async def _run(self, wake: asyncio.Event) -> None:
        loop = asyncio.get_running_loop()
        while True:
            wake.clear()
            if self._asleep_until is not None and self._clock() - self._asleep_until > _PUNCTUAL:
                # Answers that arrived while the loop was blocked count before deadlines do.
                for _ in range(2 * _TURNS):
                    await asyncio.sleep(0)
            with self._lock:
                probes = self._parent.due(self._clock())
                self._asleep_until = wakeup = self._parent.next_wakeup()
            for probe in probes:
                task = loop.create_task(self._probe(probe))
                self._tasks.add(task)
                task.add_done_callback(self._tasks.discard)
            self._dispatch()
            wait = None if wakeup is None else max(0, wakeup - self._clock()) / _NANOSECONDS
            with suppress(TimeoutError):
                async with asyncio.timeout(wait):
                    await wake.wait()

    async def _probe(self, probe: Probe) -> None:
        endpoint = probe.target
        assert isinstance(endpoint, Endpoint)  # noqa: S101 - Parent.due gives nothing else
        started = self._clock()
        try:
            async with asyncio.timeout(None) as limit:
                with _expire_at(limit, (probe.deadline - started) / _NANOSECONDS):
                    outcome = await self._ask(endpoint.url, probe)
        except TimeoutError:
            outcome = Outcome.TIMEOUT
        # An expired probe is ended by the machine itself: see `Parent.due`.
        if not limit.expired():
            with self._lock:
                now = self._clock()
                # A probe gets here after its deadline only if the loop was late.
                if now - probe.deadline <= self._parent.policy.max_lateness:
                    now = min(now, probe.deadline)
                self._parent.report(probe, outcome, now)
            self._wake_loop()
        duration = self._clock() - started
        for listener in self._listeners:
            with _log_errors(listener):
                listener.on_probe(probe, outcome, duration)

    async def _ask(self, url: str, probe: Probe) -> Outcome:
        if len(self._tasks) > 2 * self._parent.policy.concurrency:
            return Outcome.fail("too many probes have not ended")
        return await self._probers.ask(url, probe)

    # Events

    def _dispatch(self) -> None:
        with self._lock:
            events = self._parent.events.drain()
            services = [self._services(event) for event in events]
        for event, names in zip(events, services, strict=True):
            _log(event, names)
            for listener in self._listeners:
                with _log_errors(listener):
                    listener.on_event(event)

    def _services(self, event: Event) -> tuple[str, ...]:
        target = event.target if isinstance(event, Transition) else None
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
        if turns and loop.time() - when > _PUNCTUAL / _NANOSECONDS:
            handle = loop.call_soon(end, turns - 1)
        else:
            limit.reschedule(loop.time())

    handle = loop.call_at(when, end, _TURNS)
    try:
        yield
    finally:
        handle.cancel()


@contextmanager
def _log_errors(listener: Listener) -> Iterator[None]:
    """Log what a listener raises."""
    try:
        yield
    except Exception:  # noqa: BLE001 - a listener is foreign code
        _LOG.exception("a listener failed: %s", type(listener).__name__)


def _log(event: Event, services: tuple[str, ...]) -> None:
    if isinstance(event, Overloaded):
        _LOG.warning(
            "probes cannot keep up: the effective interval is %.3fs",
            event.effective_interval / _NANOSECONDS,
            extra={"effective_interval": event.effective_interval, "at": event.at},
        )
        return
    endpoint = event.target
    url = without_userinfo(endpoint.url) if isinstance(endpoint, Endpoint) else ""
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
