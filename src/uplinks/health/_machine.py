"""The machine: outcomes of probes and requests in, probes and transitions out.

Rules of this file:

1. A target's state changes in `Health._apply` only, by looking `TRANSITIONS` up.
2. A probe is known by its token. An outcome counts only while its token is the
   one in flight; everything else is ignored and counted.
3. What is refused raises and changes nothing, not even the time.
"""

from __future__ import annotations

from collections.abc import Hashable
from heapq import heappop

from attrs import evolve

from uplinks.errors import DuplicateTarget, UnknownTarget
from uplinks.health._invariants import check
from uplinks.health._queue import Queue, Record
from uplinks.health._slots import GOLDEN, WHOLE, Slots, interval_of
from uplinks.health._states import KNOWN, TRANSITIONS, Cause, State
from uplinks.health._values import (
    Event,
    HealthPolicy,
    Ignored,
    Outcome,
    Probe,
    Token,
    Transition,
    Verdict,
)
from uplinks.model import HealthCheck, PassiveHealthCheck

__all__ = ["Health"]


class Health(Slots):
    """The states of many targets, and when to ask each of them next.

    ``salt`` is any integer: parents with different salts ask at different moments.

    A driver does this whenever `next_wakeup` says, and after each report:
    `expire`, then start what `due` gives. Methods return what happened; nobody
    is called back.

    Complexity: O(log n) amortized for each probe, outcome and change.

    >>> health = Health(HealthPolicy(start_window=0))
    >>> check = HealthCheck(interval=10, timeout=3)
    >>> _ = health.add("eu", check, None, now=0)
    >>> [probe] = health.due(now=0)
    >>> [transition] = health.report(probe, Outcome.fail("status 503"), now=2)
    >>> transition.before.value, transition.after.value, transition.cause.value
    ('unknown', 'down', 'fell')
    >>> health.is_up("eu"), health.next_wakeup()
    (False, 6)

    Law: those of ``docs/health.md``; tests in ``tests/laws/test_health_*.py``.
    """

    def __init__(self, policy: HealthPolicy | None = None, *, salt: int = 0) -> None:
        super().__init__(HealthPolicy() if policy is None else policy, salt)
        self._records: dict[Hashable, Record] = {}
        self._releases = Queue()  # when passive checks let go
        self._stale = self._duplicate = self._late = self._overslept = 0

    def __repr__(self) -> str:
        return f"<Health of {len(self._records)} targets, {len(self._flights)} probes in flight>"

    def __len__(self) -> int:
        return len(self._records)

    def __contains__(self, target: object) -> bool:
        return target in self._records

    # Asking

    @property
    def policy(self) -> HealthPolicy:
        """What was decided for all targets."""
        return self._policy

    @property
    def now(self) -> int:
        """The latest time that anybody told, in nanoseconds."""
        return self._now

    @property
    def in_flight(self) -> int:
        """How many probes are under way, those included whose outcome will not count."""
        return len(self._flights)

    @property
    def ignored(self) -> Ignored:
        """How many outcomes did not count so far."""
        return Ignored(self._stale, self._duplicate, self._late, self._overslept)

    @property
    def overloaded(self) -> int | None:
        """The effective interval (ns) that was told last; ``None`` once nobody waits."""
        return self._effective

    def state(self, target: Hashable) -> State:
        """Tell a target's state. Raises: UnknownTarget."""
        return self._record(target).state

    def is_up(self, target: Hashable) -> bool:
        """Tell whether a target may be picked. Raises: UnknownTarget."""
        state = self._record(target).state
        return state is State.UP or (state is State.UNKNOWN and self._policy.serve_unknown)

    def next_wakeup(self) -> int | None:
        """Tell when (ns) something is to be done; perhaps a time that is over.

        ``None``: not before somebody reports, observes or changes something.
        """
        if self._unheard is not None:
            return self._now
        deadlines = self._deadlines
        while deadlines and deadlines[0] & WHOLE not in self._flights:
            heappop(deadlines)
        times = [self._releases.first(), deadlines[0] >> 64 if deadlines else None]
        if len(self._flights) < self._policy.concurrency:
            times.append(self._due.first())
        return min((time for time in times if time is not None), default=None)

    # Changing

    def add(
        self,
        target: Hashable,
        check: HealthCheck | None,
        passive: PassiveHealthCheck | None,
        now: int,
        *,
        like: Hashable = None,
    ) -> list[Event]:
        """Take a target. Its first probe is due within the start window.

        With ``like``, it begins in the state of that target, which stands at
        the same address.

        Raises: DuplicateTarget; UnknownTarget for ``like``; ValueError for a
        check that is never or always due.
        """
        if target in self._records:
            raise DuplicateTarget(target)
        known = State.UNKNOWN if like is None else self._record(like).state
        watched = check is not None or passive is not None
        _validate(check, passive)
        now = self._tell(now)
        self._phase = self._phase + GOLDEN & WHOLE
        record = self._records[target] = Record(target, self._phase)
        record.check, record.passive = check, passive
        events: list[Event] = []
        cause = KNOWN.get(known, Cause.ADDED) if watched else Cause.ADDED
        self._apply(record, cause, 0, "", events)
        self._begin(record)
        if record.state is State.DOWN and check is None and passive is not None:
            self._releases.put(record, now + passive.failure_window)
        return events

    def rename(self, target: Hashable, name: Hashable) -> None:
        """Know a target by another name from now on. All that is known of it stays.

        A probe under way counts, though it carries the old name.
        Complexity: O(1). Raises: UnknownTarget; DuplicateTarget.
        """
        record = self._record(target)
        if name in self._records:
            raise DuplicateTarget(name)
        del self._records[target]
        record.target = name
        self._records[name] = record

    def remove(self, target: Hashable, now: int) -> list[Event]:
        """Forget a target. A probe under way keeps its place until it ends.

        Raises: UnknownTarget.
        """
        record = self._record(target)
        self._tell(now)
        events: list[Event] = []
        self._apply(record, Cause.REMOVED, 0, "", events)
        del self._records[target]
        record.flight = None
        self._due.discard(record)
        self._releases.discard(record)
        return events

    def reconfigure(
        self,
        target: Hashable,
        check: HealthCheck | None,
        passive: PassiveHealthCheck | None,
        now: int,
        *,
        address_changed: bool = False,
    ) -> list[Event]:
        """Watch a target otherwise.

        Another address makes it unknown. Another question (anything in the
        check but its times) begins a new generation: the state is kept, the
        streak and a probe under way are not. Other times or another passive
        check keep everything, and no due time moves away.

        Raises: UnknownTarget; ValueError as `add`.
        """
        record = self._record(target)
        _validate(check, passive)
        self._tell(now)
        material = address_changed or _question(check) != _question(record.check)
        watched = record.check is not None or record.passive is not None
        old, record.check, record.passive = record.check, check, passive
        events: list[Event] = []
        if check is None and passive is None and watched and not address_changed:
            self._apply(record, Cause.UNWATCHED, 0, "", events)
        elif material:
            cause = Cause.MOVED if address_changed else Cause.CHANGED
            self._apply(record, cause, 0, "", events)
        self._releases.discard(record)  # before its key becomes one of a due time
        if material:
            self._renew(record, old)
        elif check is not None and record.flight is None:
            self._hasten(record, record.base + interval_of(record))
        if address_changed or passive is None:
            record.failures.clear()
        if record.state is State.DOWN and check is None and passive is not None:
            self._releases.put(record, record.since + passive.failure_window)
        return events

    # Probing

    def due(self, now: int) -> list[Probe]:
        """Start what is due, most overdue first, as far as concurrency goes.

        Each probe given is in flight from now on, until it is reported or its
        deadline is over; by then the driver must have ended it.
        Complexity: O(log n) a probe.
        """
        now = self._tell(now)
        free = self._policy.concurrency - len(self._flights)
        probes = [self._start(record, now) for record in self._due.pop(now, free)]
        waiting = self._due.first() if len(probes) == free else None
        if waiting is not None and waiting <= now:
            self._queued = now
        else:
            self._queued = self._effective = None
        return probes

    def expire(self, now: int) -> list[Event]:
        """End probes whose deadline is over, and passive windows.

        A probe that ran out of time has failed, unless the driver is so late
        that it could not have heard the answer.
        Complexity: O(log n) for each that ends.
        """
        now = self._tell(now)
        events = [] if self._unheard is None else self._overload()
        deadlines, until = self._deadlines, now + 1 << 64
        while deadlines and deadlines[0] < until:
            flight = self._flights.pop(heappop(deadlines) & WHOLE, None)
            if flight is not None and flight[1].flight is flight[0]:
                self._run_out(flight[1], flight[0], events)
        for record in self._releases.pop(now, len(self._releases.records)):
            self._apply(record, Cause.WINDOW_OVER, 0, "", events)
        return events

    def report(self, probe: Probe, outcome: Outcome, now: int) -> list[Event]:
        """Say how a probe ended.

        Law: counts once, and only while the probe is in flight for a target
        that has not been removed, moved or asked otherwise since.
        Complexity: O(log n).
        Raises: TypeError; ValueError for a probe that this machine never gave.
        """
        if not isinstance(probe, Probe) or not isinstance(outcome, Outcome):
            raise TypeError(f"a Probe and an Outcome are wanted, not {probe!r} and {outcome!r}")
        token = probe.token
        if not 0 <= token.sequence < self._sequence:
            raise ValueError(f"a probe that was never given: {token!r}")
        now = self._tell(now)
        events = [] if self._unheard is None else self._overload()
        flight = self._flights.get(token.sequence)
        if flight is None or (flight[0] is not probe and flight[0].token != token):
            self._ignore(token)
            return events
        del self._flights[token.sequence]
        known, record = flight
        if record.flight is not known:
            self._stale += 1
        elif now > known.deadline:
            self._late += 1
            self._run_out(record, known, events)
        else:
            record.reported = True
            self._judge(record, outcome, events)
        return events

    def observe(self, target: Hashable, ok: bool, now: int) -> list[Event]:  # noqa: FBT001 - the parent's face
        """Say how a request to a target ended. Only its passive check cares.

        A success forgets earlier failures. As many failures in a row as the
        check allows, within less than its window, take the target down; then
        the active check brings it back, or without one the end of the window.
        Complexity: O(1) amortized.
        Raises: UnknownTarget.
        """
        record = self._record(target)
        now = self._tell(now)
        events: list[Event] = []
        passive, failures = record.passive, record.failures
        if passive is None or record.state is State.DOWN:
            return events
        if ok:
            failures.clear()
            return events
        failures.append(now)
        while now - failures[0] >= passive.failure_window:
            failures.popleft()
        if len(failures) >= passive.max_failed_attempts:
            self._apply(record, Cause.REQUESTS_FAILED, len(failures), "", events)
            if record.check is None:
                self._releases.put(record, now + passive.failure_window)
            elif record.flight is None:
                self._hasten(record, record.base + record.check.unhealthy_interval)
        return events

    # The engine

    def _apply(
        self, record: Record, cause: Cause, streak: int, reason: str, events: list[Event]
    ) -> None:
        """Change a target's state: the only place that does."""
        before = record.state
        after = TRANSITIONS[before][cause]
        if after is before:
            return
        record.state = after
        record.since = self._now
        record.streak = 0
        record.failures.clear()
        events.append(
            Transition(
                record.target, before, after, cause, streak, record.generation, self._now, reason
            )
        )

    def _judge(self, record: Record, outcome: Outcome, events: list[Event]) -> None:
        """Count an outcome, and say when to ask again."""
        record.flight = None
        verdict, state = outcome.verdict, record.state
        if verdict is Verdict.LATE:
            self._overslept += 1
            self._apply(record, Cause.LATE, 0, outcome.reason, events)
            self._set_due(record, self._now)  # nothing was learned: ask again at once
            return
        passed = verdict is Verdict.PASS
        if passed is not (state is State.DOWN):
            record.streak = 0
            cause, streak = (Cause.PASSED, 1) if passed else (Cause.FAILED, 0)
        else:
            record.streak = streak = record.streak + 1
            policy = self._policy
            wanted = policy.healthy_threshold if passed else policy.unhealthy_threshold
            if streak < wanted:
                cause = Cause.PASSED if passed else Cause.FAILED
            else:
                cause = Cause.RECOVERED if passed else Cause.FELL
        if TRANSITIONS[state][cause] is not state:
            self._apply(record, cause, streak, outcome.reason, events)
        self._set_due(record, record.base + interval_of(record))

    def _run_out(self, record: Record, probe: Probe, events: list[Event]) -> None:
        late = self._now - probe.deadline > self._policy.max_lateness
        record.reported = False
        self._judge(record, Outcome.LATE if late else Outcome.TIMEOUT, events)

    def _ignore(self, token: Token) -> None:
        """Count an outcome that comes when its probe has ended already."""
        record = self._records.get(token.target)
        if record is None or (record.generation, record.sequence) != token[1:]:
            self._stale += 1
        elif record.reported:
            self._duplicate += 1
        else:
            self._late += 1

    # Small change
    def _record(self, target: Hashable) -> Record:
        try:
            return self._records[target]
        except KeyError:
            raise UnknownTarget(target) from None

    def _check(self) -> None:
        """Assert what must always hold. Complexity: O(n)."""
        check(self)


def _validate(check: HealthCheck | None, passive: PassiveHealthCheck | None) -> None:
    if check is not None and min(check.interval, check.unhealthy_interval, check.timeout) <= 0:
        raise ValueError("a check's intervals and its timeout must be above 0")
    if passive is not None and min(passive.failure_window, passive.max_failed_attempts) <= 0:
        raise ValueError("a passive check's window and attempts must be above 0")


def _question(check: HealthCheck | None) -> HealthCheck | None:
    """Take a check without its times: what is asked, not when."""
    return check and evolve(check, interval=1, unhealthy_interval=1, timeout=1)
