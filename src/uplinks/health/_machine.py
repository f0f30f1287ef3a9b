"""The machine: outcomes of probes and requests in, probes and transitions out.

Rules of this file:

1. A target's state changes only in `Health._apply`, by a look-up in `TRANSITIONS`.
2. A probe is identified by its token. An outcome counts only while its token is
   in flight; all others are ignored and counted.
3. A refused call raises and changes nothing, not even the time.
"""

from __future__ import annotations

from collections.abc import Hashable
from typing import Any

from attrs import evolve

from uplinks.errors import DuplicateTarget, UnknownTarget
from uplinks.health._ejections import count_request, hold
from uplinks.health._invariants import check_invariants
from uplinks.health._queue import Queue, Record
from uplinks.health._schedule import ProbeSchedule
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

__all__ = ["Health", "check_times"]


class Health:
    """The states of many targets, and when to probe each of them next.

    ``salt`` is any integer: parents with different salts probe at different moments.

    A driver does this whenever `next_wakeup` says, and after each report:
    `expire`, then start what `due` gives. Methods return the events; there are
    no callbacks.

    Complexity: O(log n) amortized for each probe, outcome and change.

    >>> health = Health(HealthPolicy(start_window=0))
    >>> check = HealthCheck(interval=10_000_000, timeout=3_000_000)
    >>> _ = health.add("eu", check, None, now=0)
    >>> [probe] = health.due(now=0)
    >>> [transition] = health.report(probe, Outcome.fail("status 503"), now=2_000_000)
    >>> transition.before.value, transition.after.value, transition.cause.value
    ('unknown', 'down', 'fell')
    >>> health.is_up("eu"), health.next_wakeup()
    (False, 6180339)

    Law: those of ``docs/health.md``; tests in ``tests/laws/test_health_*.py``.
    """

    def __init__(self, policy: HealthPolicy | None = None, *, salt: int = 0) -> None:
        self._policy = HealthPolicy() if policy is None else policy
        self._schedule = ProbeSchedule(self._policy, salt)
        self._records: dict[Hashable, Record] = {}
        self._releases = Queue()  # when passive checks end
        self._stale = self._duplicate = self._late = self._overslept = 0

    def __repr__(self) -> str:
        return f"<Health of {len(self._records)} targets, {self.in_flight} probes in flight>"

    def __len__(self) -> int:
        return len(self._records)

    def __contains__(self, target: object) -> bool:
        return target in self._records

    # Asking

    @property
    def policy(self) -> HealthPolicy:
        """The policy for all targets."""
        return self._policy

    @property
    def now(self) -> int:
        """The latest time passed in, in nanoseconds."""
        return self._schedule.now

    @property
    def in_flight(self) -> int:
        """How many probes are in flight, including those whose outcome will not count."""
        return len(self._schedule.flights)

    @property
    def ignored(self) -> Ignored:
        """How many outcomes did not count so far."""
        return Ignored(self._stale, self._duplicate, self._late, self._overslept)

    @property
    def overloaded(self) -> int | None:
        """The effective interval (ns) last reported; ``None`` when no probe waits."""
        return self._schedule.effective_interval

    def state(self, target: Hashable) -> State:
        """Return a target's state. Raises: UnknownTarget."""
        return self._record(target).state

    def is_up(self, target: Hashable) -> bool:
        """Return whether a target may be picked. Raises: UnknownTarget."""
        state = self._record(target).state
        return state is State.UP or (state is State.UNKNOWN and self._policy.serve_unknown)

    def describe(self, target: Hashable) -> dict[str, Any]:
        """Describe a target and its last transition as plain data. Raises: UnknownTarget."""
        record = self._record(target)
        waits = record.check is not None and record.flight is None
        down = record.state is State.DOWN
        return {
            "state": record.state.value,
            "cause": record.cause.value,
            "reason": record.reason,
            "since": record.since,
            "next_probe": record.due if waits else None,
            "down_until": record.held_until if down and record.held_until > record.since else None,
        }

    def ejected_at(self, target: Hashable) -> int | None:
        """Return when (ns) requests took a target down; ``None`` if they did not."""
        record = self._records.get(target)
        return record.since if record is not None and record.ejected else None

    def remembers_failures(self, target: Hashable) -> bool:
        """Return whether a target has failed requests that a success would clear."""
        record = self._records.get(target)
        return record is not None and bool(record.failures)

    def next_wakeup(self) -> int | None:
        """Return when (ns) to call `expire` and `due` again; it may be in the past.

        ``None``: not before the next report, observation or change.
        """
        if self._schedule.overload is not None:
            return self._schedule.now
        release, probing = self._releases.first(), self._schedule.next_wakeup()
        if release is None or probing is None:
            return probing if release is None else release
        return min(release, probing)

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
        """Add a target. Its first probe is due within the start window.

        With ``like``, it starts in the state of that target, which is at the
        same address.

        Raises: DuplicateTarget; UnknownTarget for ``like``; ValueError for a
        check whose times are not above 0.
        """
        if target in self._records:
            raise DuplicateTarget(target)
        other = None if like is None else self._record(like)
        known = State.UNKNOWN if other is None else other.state
        watched = check is not None or passive is not None
        check_times(check, passive)
        now = self._schedule.advance(now)
        record = self._records[target] = Record(target, self._schedule.new_phase())
        record.check, record.passive = check, passive
        events: list[Event] = []
        cause = KNOWN.get(known, Cause.ADDED) if watched else Cause.ADDED
        self._apply(record, cause, 0, "", events)
        self._schedule.begin(record)
        if other is not None:
            record.held_level, record.held_until = other.held_level, other.held_until
        if record.state is State.DOWN and check is None and passive is not None:
            self._releases.put(record, max(now + passive.failure_window, record.held_until))
        return events

    def rename(self, target: Hashable, name: Hashable) -> None:
        """Identify a target by another name. Its whole record stays.

        A probe in flight still counts, though it carries the old name.
        Complexity: O(1). Raises: UnknownTarget; DuplicateTarget.
        """
        record = self._record(target)
        if name in self._records:
            raise DuplicateTarget(name)
        del self._records[target]
        record.target = name
        self._records[name] = record

    def remove(self, target: Hashable, now: int) -> list[Event]:
        """Forget a target. A probe in flight uses concurrency until it ends.

        Raises: UnknownTarget.
        """
        record = self._record(target)
        self._schedule.advance(now)
        events: list[Event] = []
        self._apply(record, Cause.REMOVED, 0, "", events)
        del self._records[target]
        record.flight = None
        self._schedule.due.discard(record)
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
        """Give a target other checks.

        A new address makes the target unknown. A new question (any field of the
        check except its times) starts a new generation: the state is kept, the
        streak and a probe in flight are not. New times or another passive check
        keep everything, and no due time moves away.

        Raises: UnknownTarget; ValueError as `add`.
        """
        record = self._record(target)
        check_times(check, passive)
        self._schedule.advance(now)
        material = address_changed or _question(check) != _question(record.check)
        watched = record.check is not None or record.passive is not None
        previous, record.check, record.passive = record.check, check, passive
        events: list[Event] = []
        if check is None and passive is None and watched and not address_changed:
            self._apply(record, Cause.UNWATCHED, 0, "", events)
        elif material:
            cause = Cause.MOVED if address_changed else Cause.CHANGED
            self._apply(record, cause, 0, "", events)
        self._releases.discard(record)  # before its key becomes one of a due time
        if material:
            self._schedule.renew(record, previous)
        elif check is not None and record.flight is None:
            slot = check.unhealthy_interval if record.state is State.DOWN else check.interval
            self._schedule.hasten(record, record.base + slot)
        if address_changed or passive is None:
            record.failures.clear()
        if address_changed:
            record.held_level, record.rate = 0, None
        if record.state is State.DOWN and check is None and passive is not None:
            self._releases.put(
                record, max(record.since + passive.failure_window, record.held_until)
            )
        return events

    # Probing

    def due(self, now: int, *, most: int | None = None) -> list[Probe]:
        """Start the due probes, most overdue first, up to the policy's concurrency.

        ``most`` limits how many start now; the others stay due.

        Each probe is in flight until it is reported or its deadline is over; by
        then the driver must have ended it.
        Complexity: O(log n) a probe.
        """
        return self._schedule.start_due(self._schedule.advance(now), most)

    def expire(self, now: int) -> list[Event]:
        """End the probes past their deadline, and the passive windows that are over.

        A probe that ran out of time has failed, unless the driver is so late
        that it could not have received the answer.
        Complexity: O(log n) for each that ends.
        """
        now = self._schedule.advance(now)
        events = self._schedule.take_overload()
        for record, probe in self._schedule.expired(now):
            self._time_out(record, probe, events)
        for record in self._releases.pop(now, len(self._releases.records)):
            self._apply(record, Cause.WINDOW_OVER, 0, "", events)
        return events

    def report(self, probe: Probe, outcome: Outcome, now: int) -> list[Event]:
        """Report how a probe ended.

        Law: counts once, and only while the probe is in flight for a target
        that has not been removed, moved or given another question since.
        Complexity: O(log n).
        Raises: TypeError; ValueError for a probe that this machine did not start.
        """
        if not isinstance(probe, Probe) or not isinstance(outcome, Outcome):
            raise TypeError(f"report needs a Probe and an Outcome, got {probe!r} and {outcome!r}")
        token = probe.token
        if not self._schedule.given(token.sequence):
            raise ValueError(f"this probe was not started here: {token!r}")
        now = self._schedule.advance(now)
        events = self._schedule.take_overload()
        flights = self._schedule.flights
        flight = flights.get(token.sequence)
        if flight is None or (flight[0] is not probe and flight[0].token != token):
            self._count_ignored(token)
            return events
        del flights[token.sequence]
        known, record = flight
        if record.flight is not known:
            self._stale += 1
        elif now > known.deadline:
            self._late += 1
            self._time_out(record, known, events)
        else:
            record.reported = True
            self._judge(record, outcome, events)
        return events

    def observe(
        self,
        target: Hashable,
        ok: bool,  # noqa: FBT001 - as Parent.observe
        now: int,
        *,
        reason: str = "",
    ) -> list[Event]:
        """Report how a request to a target ended. Only a passive check uses it.

        ``reason`` is that of a failure, in a few words without secrets.

        A success clears earlier failures. As many failures in a row as the
        check allows, within less than its window, take the target down for that
        window at least; then the next pass of an active check brings it back, or
        without one the end of the window. A failure rate, if the policy has one,
        takes a target with any check down likewise.
        Complexity: O(1) amortized.
        Raises: UnknownTarget.
        """
        record = self._record(target)
        now = self._schedule.advance(now)
        events: list[Event] = []
        if record.state is State.DOWN:
            return events
        streak = count_request(record, self._policy, now, ok=ok)
        if streak:
            window = 0 if record.passive is None else record.passive.failure_window
            hold(record, self._policy, now, window)
            self._apply(record, Cause.REQUESTS_FAILED, streak, reason, events)
            record.rate = None
            if record.check is None:
                self._releases.put(record, record.held_until)
            elif record.flight is None:
                self._schedule.hasten(record, record.base + record.check.unhealthy_interval)
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
        now = self._schedule.now
        record.state = after
        record.since = now
        record.streak = 0
        record.failures.clear()
        record.ejected = cause is Cause.REQUESTS_FAILED
        record.cause, record.reason = cause, reason
        events.append(
            Transition(record.target, before, after, cause, streak, record.generation, now, reason)
        )

    def _judge(self, record: Record, outcome: Outcome, events: list[Event]) -> None:
        """Count an outcome and schedule the next probe."""
        record.flight = None
        verdict, state = outcome.verdict, record.state
        if verdict is Verdict.LATE:
            self._overslept += 1
            self._apply(record, Cause.LATE, 0, outcome.reason, events)
            self._schedule.set_due(record, self._schedule.now)  # nothing learned: probe again now
            return
        passed = verdict is Verdict.PASS
        if passed is not (state is State.DOWN):
            record.streak = 0
            cause, streak = (Cause.PASSED, 1) if passed else (Cause.FAILED, 0)
        else:
            record.streak = streak = record.streak + 1
            policy = self._policy
            threshold = policy.healthy_threshold if passed else policy.unhealthy_threshold
            if streak < threshold:
                cause = Cause.PASSED if passed else Cause.FAILED
            elif not passed:
                cause = Cause.FELL
                hold(record, policy, self._schedule.now, 0)
            elif self._schedule.now < record.held_until:
                cause, record.streak = (
                    Cause.PASSED,
                    threshold - 1,
                )  # the next pass after that counts
            else:
                cause = Cause.RECOVERED
        if TRANSITIONS[state][cause] is not state:
            self._apply(record, cause, streak, outcome.reason, events)
        self._schedule.set_next_due(record)

    def _time_out(self, record: Record, probe: Probe, events: list[Event]) -> None:
        late = self._schedule.now - probe.deadline > self._policy.max_lateness
        record.reported = False
        self._judge(record, Outcome.LATE if late else Outcome.TIMEOUT, events)

    def _count_ignored(self, token: Token) -> None:
        """Count an outcome of a probe that has ended already."""
        record = self._records.get(token.target)
        if record is None or (record.generation, record.sequence) != token[1:]:
            self._stale += 1
        elif record.reported:
            self._duplicate += 1
        else:
            self._late += 1

    def _record(self, target: Hashable) -> Record:
        try:
            return self._records[target]
        except KeyError:
            raise UnknownTarget(target) from None

    def _check(self) -> None:
        """Assert the invariants. Complexity: O(n)."""
        check_invariants(self)


def check_times(check: HealthCheck | None, passive: PassiveHealthCheck | None) -> None:
    """Refuse checks that would always be due. Raises: ValueError."""
    if check is not None and min(check.interval, check.unhealthy_interval, check.timeout) <= 0:
        raise ValueError("a check's intervals and its timeout must be above 0")
    if passive is not None and min(passive.failure_window, passive.max_failed_attempts) <= 0:
        raise ValueError("a passive check's window and attempts must be above 0")


def _question(check: HealthCheck | None) -> HealthCheck | None:
    """Return a check without its times: what is asked, not when."""
    return check and evolve(check, interval=0, unhealthy_interval=0, timeout=0)
