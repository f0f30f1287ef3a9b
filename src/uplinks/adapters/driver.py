"""Drive a parent: the only event loop and the only clock of this library.

Rules of this file:

1. Every call to the parent is made under one lock and with the clock's time.
   Picks, and leases whose outcome matters to no check, need no lock.
2. No task and no thread outlives the driver, except a probe that cannot be
   cancelled; it is abandoned after `GRACE` seconds.
"""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from datetime import timedelta
from typing import Any, Final, Literal, Self, overload

from uplinks._leases import Lease
from uplinks.adapters._probers import Probers
from uplinks.adapters._probing_loop import GRACE, NANOSECONDS, Listener, ProbingLoop
from uplinks.adapters._threads import LoopThread
from uplinks.adapters._waiting import Changes, WaitingLease
from uplinks.balance import Selector
from uplinks.durations import to_nanoseconds
from uplinks.health import Event, HealthPolicy, Outcome, Probe
from uplinks.model import (
    Advertisement,
    Fleet,
    HealthCheck,
    ParentConfig,
    PassiveHealthCheck,
    TraefikService,
)
from uplinks.parent import Attempts, ChildAddress, EventStream, Parent, Target
from uplinks.protocols import Prober

__all__ = ["GRACE", "Driver", "Listener"]

Duration = str | timedelta | int
Need = Literal["all", "majority", "one"]

_DRAIN_INTERVAL: Final = 0.01  # s; leases do not notify, so that they stay cheap


class Driver:
    """Probe a parent's children while a block runs.

    ``probers`` maps modes to probers. By default they are those of the entry
    points ``uplinks.probers``, made on first use and closed at the end.
    ``clock`` returns nanoseconds that never go backwards.

    ``async with driver:`` runs it in the running event loop, ``with
    driver.in_thread():`` in a thread of its own. Every method may be called from
    any thread. A parent has one driver at a time; a driver may be started again.

    >>> from uplinks import HealthCheck, Outcome
    >>> class FailingProber:
    ...     async def probe(self, url, check):
    ...         return Outcome.fail("as expected")
    ...     async def close(self):
    ...         pass
    >>> driver = Driver.of({"eu": "https://eu.example.com"}, health_check=HealthCheck(path="/"),
    ...                    probers={"http": FailingProber()})
    >>> with driver.in_thread():
    ...     driver.wait_until(lambda: not driver.selector().eligible, wait="10s")
    True

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
        if not isinstance(parent, Parent):
            raise TypeError(
                f"parent must be a Parent, got {type(parent).__name__}; "
                "for plain addresses use Driver.of({'eu': 'https://eu.example.com'})"
            )
        if probers is not None and not isinstance(probers, Mapping):
            raise TypeError(
                "probers must be a mapping like {'http': HttpProber()}, "
                f"got {type(probers).__name__}"
            )
        self._parent = parent
        self._probers = Probers(probers)
        self._clock = clock
        self._listeners = tuple(listeners)
        self._lock = threading.RLock()
        self._loop: ProbingLoop | None = None
        self._changes = Changes()
        self._events = EventStream()
        self._ready = parent._ready  # noqa: SLF001 - looked up once a request
        parent._attach(self._lock, clock, self._report)  # noqa: SLF001 - a driver is the parent's clock

    @classmethod
    def of(
        cls,
        children: Mapping[str, ChildAddress],
        *,
        health_check: HealthCheck | None = None,
        passive_health_check: PassiveHealthCheck | None = None,
        service: str = "default",
        policy: HealthPolicy | None = None,
        start: int = 0,
        scheduler: str = "fair",
        probers: Mapping[str, Prober] | None = None,
        clock: Callable[[], int] = time.monotonic_ns,
        listeners: Iterable[Listener] = (),
    ) -> Self:
        """Drive children at these addresses, without manifests. As `Parent.of`.

        >>> driver = Driver.of({"eu": ("https://eu.example.com", 3), "us": "https://us.example.com"})
        >>> with driver.lease() as lease:
        ...     lease.url
        'https://eu.example.com'
        """
        parent = Parent.of(
            children,
            health_check=health_check,
            passive_health_check=passive_health_check,
            service=service,
            policy=policy,
            start=start,
            scheduler=scheduler,
        )
        return cls(parent, probers, clock=clock, listeners=listeners)

    def __repr__(self) -> str:
        return f"<Driver of {self._parent!r}, {'running' if self._loop else 'stopped'}>"

    @property
    def parent(self) -> Parent:
        """The parent. Read from it freely; change it through the driver."""
        return self._parent

    @property
    def events(self) -> EventStream:
        """The latest transitions and overloads. A running driver drains `Parent.events` into it."""
        return self._events

    # Changing the parent

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

    def reload_fleet(self, fleet: Fleet, *, strict: bool = True) -> None:
        """Serve another fleet, in one step. As `Parent.reload_fleet`."""
        self._call(lambda now: self._parent.reload_fleet(fleet, now, strict=strict))

    def recompose(self, services: Iterable[TraefikService]) -> None:
        """Serve other composed services. As `Parent.recompose`."""
        self._call(lambda now: self._parent.recompose(services, now))

    def update(self, children: Mapping[str, ChildAddress]) -> None:
        """Replace the children of a driver made by `of`. As `Parent.update`."""
        self._call(lambda now: self._parent.update(children, now))

    def withdraw(self, child: str) -> None:
        """Remove everything that a child offered. As `Parent.withdraw`."""
        self._call(lambda now: self._parent.withdraw(child, now))

    def set_up(self, name: str, up: bool) -> None:  # noqa: FBT001 - as Parent.set_up
        """Hold a child out, or release it. As `Parent.set_up`."""
        self._call(lambda now: self._parent.set_up(name, up, now))

    def change(self, change: Callable[[int], None]) -> None:
        """Call a function that changes the parent, with the present time (ns).

        For several changes in one step. The function is called at once, under the
        lock that every other method takes.
        """
        self._call(change)

    def _call(self, change: Callable[[int], None]) -> None:
        with self._lock:
            change(self._clock())
            if self._loop is not None:
                self._loop.wake()
        self._changes.notify()

    # Requests

    def selector(self, name: str | None = None) -> Selector[Any]:
        """Return the selector of a service. As `Parent.selector`."""
        with self._lock:
            return self._parent.selector(name)

    @overload
    def lease(self, name: str | None = None, exclude: Iterable[Target] | None = None) -> Lease: ...
    @overload
    def lease(
        self, name: str | None = None, exclude: Iterable[Target] | None = None, *, wait: Duration
    ) -> WaitingLease: ...
    def lease(
        self,
        name: str | None = None,
        exclude: Iterable[Target] | None = None,
        wait: Duration | None = None,
    ) -> Lease | WaitingLease:
        """Pick from a service for one request, and `observe` its outcome. As `Parent.lease`.

        With ``wait`` (a duration), entering waits for an eligible target: ``with``
        blocks its thread, ``async with`` only its task.
        """
        if exclude is None and wait is None:
            leases = self._ready.get(name)
            if leases is not None:  # a change may clear it at any moment
                return leases.lease()
        lease = self._parent.lease(name, exclude=exclude)
        if wait is None:
            return lease
        return WaitingLease(lease, self._changes, _seconds(wait))

    def attempts(self, name: str | None = None, *, retries: int = 2) -> Attempts:
        """Attempt a request on further children while it fails. As `Parent.attempts`.

        ``for attempt in driver.attempts():`` and ``async for`` do the same.
        """
        return self._parent.attempts(name, retries=retries)

    def state(self) -> dict[str, Any]:
        """Describe the present state as plain data. As `Parent.state`."""
        return self._parent.state()

    def observe(
        self,
        target: Target | str,
        ok: bool,  # noqa: FBT001 - as Parent.observe
        *,
        reason: str = "",
    ) -> None:
        """Report how a request to a child service ended. As `Parent.observe`."""
        if not (ok and self._parent._is_settled(target)):  # noqa: SLF001 - spares the lock
            self._call(lambda now: self._parent.observe(target, ok, now, reason=reason))

    def _report(self, target: Target, ok: bool, reason: str) -> None:  # noqa: FBT001 - as a lease calls it
        self._call(lambda now: self._parent.observe(target, ok, now, reason=reason))

    # Waiting

    async def ready(
        self, name: str | None = None, *, need: Need = "all", wait: Duration | None = None
    ) -> bool:
        """Wait until a service's children have passed their first checks.

        ``need`` is how many of the service's targets: ``"all"``, ``"majority"``
        or ``"one"``. A target without an active check is ready at once; one that
        is down is not ready.

        Returns whether they are ready, which is false only after ``wait``.
        """
        enough = self._enough(name, need)
        return await self._changes.until_async(enough, _seconds(wait))

    def wait_ready(
        self, name: str | None = None, *, need: Need = "all", wait: Duration | None = None
    ) -> bool:
        """Block until a service's children have passed their first checks. As `ready`."""
        return self._changes.until(self._enough(name, need), _seconds(wait))

    def wait_until(self, condition: Callable[[], bool], wait: Duration | None = None) -> bool:
        """Block until a condition holds; check it again after each event and each change.

        Returns whether it holds, which is false only after ``wait``.
        """
        return self._changes.until(condition, _seconds(wait))

    async def drained(self, child: str, wait: Duration | None = None) -> bool:
        """Hold a child out, and wait until no lease on it is active.

        Returns whether none is active, which is false only after ``wait``. Release
        the child with `set_up`.
        """
        self.set_up(child, False)  # noqa: FBT003 - as Parent.set_up
        try:
            async with asyncio.timeout(_seconds(wait)):
                while self._parent.in_flight(child):  # noqa: ASYNC110 - see _DRAIN_INTERVAL
                    await asyncio.sleep(_DRAIN_INTERVAL)
        except TimeoutError:
            return not self._parent.in_flight(child)
        return True

    def _enough(self, name: str | None, need: Need) -> Callable[[], bool]:
        if need not in {"all", "majority", "one"}:
            raise ValueError(f"need must be 'all', 'majority' or 'one', got {need!r}")

        def enough() -> bool:
            with self._lock:
                ready, targets = self._parent.readiness(name)
            wanted = {"all": targets, "majority": targets // 2 + 1, "one": 1}[need]
            return targets > 0 and ready >= wanted

        return enough

    # Starting and stopping

    async def __aenter__(self) -> Self:
        with self._lock:
            if self._loop is not None:
                raise RuntimeError("this driver is already running")
            checks = (service.health_check for service in self._parent.services.direct)
            self._probers.load({check.mode for check in checks if check is not None})
            self._loop = ProbingLoop(
                self._parent,
                self._probers,
                self._lock,
                clock=self._clock,
                listeners=(_Recorder(self._events), *self._listeners),
                notify=self._changes.notify,
            )
        return self

    async def __aexit__(self, *exception: object) -> None:
        loop = self._loop
        assert loop is not None  # noqa: S101 - entered
        try:
            await loop.stop()
        finally:
            with self._lock:
                self._loop = None

    @contextmanager
    def in_thread(self) -> Iterator[Self]:
        """Run in a thread of its own while the block runs.

        A process forked inside the block has a driver too: it starts its own
        thread with the state at the fork.

        Raises: RuntimeError when the driver is already running.
        """
        thread = LoopThread(self, self._lock, self._abandon)
        try:
            thread.start()
            yield self
        finally:
            thread.stop()

    def _abandon(self) -> None:
        """Forget the loop and the connections of the process that has forked."""
        self._loop = None
        self._probers.in_use.clear()
        self._changes = Changes()


class _Recorder:
    """The listener that keeps a driver's events."""

    def __init__(self, stream: EventStream) -> None:
        self._stream = stream

    def on_event(self, event: Event) -> None:
        self._stream.append(event)

    def on_probe(self, probe: Probe, outcome: Outcome, duration: int) -> None:
        pass


def _seconds(wait: Duration | None) -> float | None:
    return None if wait is None else to_nanoseconds(wait, "wait") / NANOSECONDS
