"""Who is up: outcomes of probes and requests in, probes and transitions out.

Rules of this file:

1. A target's state changes in one place only, by looking `TRANSITIONS` up.
   What is not in the table cannot happen.
2. No I/O, no clock, no chance: time is an argument, in integer nanoseconds of
   a monotonic clock, and never runs backwards inside.
3. A probe is known by its token. An outcome counts only while its token is the
   one in flight; everything else is ignored and counted.
4. A target with a check has exactly one probe in flight or exactly one due time.
5. Slots lie at a fixed rate, whatever a probe takes. Slots that are missed
   become one; none is replayed.
6. What is refused raises and changes nothing, not even the time.

The time from a target's failure to its removal is bounded: `detection_bound`.

Source: reference page, "Health Check Fields" and "Health Check Behavior".
"""

from __future__ import annotations

from collections import deque
from collections.abc import Hashable, Mapping
from enum import StrEnum
from heapq import heapify, heappop, heappush
from types import MappingProxyType
from typing import ClassVar, Final, NamedTuple

from attrs import evolve, field, frozen
from attrs.validators import ge, instance_of

from uplinks.errors import DuplicateTarget, UnknownTarget
from uplinks.model import HealthCheck, PassiveHealthCheck

__all__ = [
    "TRANSITIONS",
    "Cause",
    "Event",
    "Health",
    "HealthPolicy",
    "Ignored",
    "Outcome",
    "Overloaded",
    "Probe",
    "State",
    "Token",
    "Transition",
    "Verdict",
    "detection_bound",
    "diagram",
    "effective_interval",
    "recovery_bound",
]

SECOND: Final = 1_000_000_000
_GOLDEN: Final = 0x9E37_79B9_7F4A_7C15  # 2**64 over the golden ratio
_WHOLE: Final = (1 << 64) - 1
_ROOM: Final = 64  # entries that a heap may hold in vain before it is made anew


class State(StrEnum):
    """What is known of a target."""

    GONE = "gone"  # not, not yet or no longer a target
    UNKNOWN = "unknown"  # neither a pass nor enough failures since it came or moved
    UP = "up"
    DOWN = "down"


class Cause(StrEnum):
    """What may happen to a target. In a `Transition`: what made it."""

    ADDED = "added"
    KNOWN_UP = "known to be up"  # added with what another target at its address had shown
    KNOWN_DOWN = "known to be down"
    PASSED = "passed"  # a probe passed
    RECOVERED = "recovered"  # a probe passed, the last that was needed
    FAILED = "failed"  # a probe failed or ran out of time
    FELL = "fell"  # a probe failed, the last that was needed
    LATE = "late"  # a probe says nothing: its driver was late
    REQUESTS_FAILED = "requests failed"  # as many as the passive check allows
    WINDOW_OVER = "window over"  # nothing but the passive check watches it
    CHANGED = "changed"  # another question is asked
    MOVED = "moved"  # another address is asked
    UNWATCHED = "unwatched"  # neither check is left
    REMOVED = "removed"


TRANSITIONS: Final[Mapping[State, Mapping[Cause, State]]] = MappingProxyType(
    {
        State.GONE: {
            Cause.ADDED: State.UNKNOWN,
            Cause.KNOWN_UP: State.UP,
            Cause.KNOWN_DOWN: State.DOWN,
        },
        State.UNKNOWN: {
            Cause.PASSED: State.UP,
            Cause.FAILED: State.UNKNOWN,
            Cause.FELL: State.DOWN,
            Cause.LATE: State.UNKNOWN,
            Cause.REQUESTS_FAILED: State.DOWN,
            Cause.CHANGED: State.UNKNOWN,
            Cause.MOVED: State.UNKNOWN,
            Cause.UNWATCHED: State.UNKNOWN,
            Cause.REMOVED: State.GONE,
        },
        State.UP: {
            Cause.PASSED: State.UP,
            Cause.FAILED: State.UP,
            Cause.FELL: State.DOWN,
            Cause.LATE: State.UP,
            Cause.REQUESTS_FAILED: State.DOWN,
            Cause.CHANGED: State.UP,
            Cause.MOVED: State.UNKNOWN,
            Cause.UNWATCHED: State.UP,
            Cause.REMOVED: State.GONE,
        },
        State.DOWN: {
            Cause.PASSED: State.DOWN,
            Cause.RECOVERED: State.UP,
            Cause.FAILED: State.DOWN,
            Cause.LATE: State.DOWN,
            Cause.WINDOW_OVER: State.UP,
            Cause.CHANGED: State.DOWN,
            Cause.MOVED: State.UNKNOWN,
            Cause.UNWATCHED: State.UNKNOWN,
            Cause.REMOVED: State.GONE,
        },
    }
)
"""The state after, by the state before and what happens. What is missing cannot happen."""


_KNOWN: Final[Mapping[State, Cause]] = MappingProxyType(
    {State.UP: Cause.KNOWN_UP, State.DOWN: Cause.KNOWN_DOWN}
)


def diagram() -> str:
    """Draw `TRANSITIONS` as a Mermaid state diagram.

    >>> print(diagram().splitlines()[1])
        [*] --> unknown: added
    """
    lines = ["stateDiagram-v2"]
    for before, row in TRANSITIONS.items():
        causes: dict[State, list[str]] = {}
        for cause, after in row.items():
            causes.setdefault(after, []).append(cause.value)
        for after, names in causes.items():
            one, two = ("[*]" if s is State.GONE else s.value for s in (before, after))
            lines.append(f"    {one} --> {two}: {', '.join(names)}")
    return "\n".join(lines)


# --- values -----------------------------------------------------------------


def _at_least(least: int, default: int) -> int:
    return field(default=default, validator=[instance_of(int), ge(least)])


@frozen
class HealthPolicy:
    """What a parent decides for all its targets; their checks decide the rest.

    - ``healthy_threshold``: passes in a row that bring a target back up.
    - ``unhealthy_threshold``: failures in a row that take it down.
    - ``start_window`` (ns): first probes are spread over so much time, or over
      the interval where that is shorter. 0 starts all at once.
    - ``concurrency``: how many probes may be in flight together.
    - ``max_lateness`` (ns): a probe that is found past its deadline by more is
      not held against its target: the driver overslept.
    - ``serve_unknown``: whether a target counts as up before its first pass.

    Raises: TypeError, ValueError for thresholds or a concurrency below 1 and
    for negative times.

    >>> HealthPolicy(unhealthy_threshold=3).healthy_threshold
    1

    Source: thresholds of 1 are the reference page's.
    """

    healthy_threshold: int = _at_least(1, 1)
    unhealthy_threshold: int = _at_least(1, 1)
    start_window: int = _at_least(0, SECOND)
    concurrency: int = _at_least(1, 256)
    max_lateness: int = _at_least(0, SECOND // 4)
    serve_unknown: bool = field(default=True, kw_only=True, validator=instance_of(bool))


class Token(NamedTuple):
    """What a probe is known by. ``sequence`` is never used twice in a machine."""

    target: Hashable
    generation: int
    sequence: int


class Probe(NamedTuple):
    """An order to ask a target once, until ``deadline`` (ns) at the latest.

    ``due`` is when it should have started: later starts are the driver's
    lateness, or a wait for concurrency.
    """

    target: Hashable
    check: HealthCheck
    token: Token
    due: int
    deadline: int


class Verdict(StrEnum):
    """How a probe ended."""

    PASS = "pass"  # noqa: S105 - a verdict is no password
    FAIL = "fail"
    TIMEOUT = "timeout"  # counts as a failure
    LATE = "late"  # says nothing about the target: who asked was not there to hear


@frozen
class Outcome:
    """How a probe ended, and why in a few words that hold no secrets.

    >>> Outcome.PASS.verdict.value, Outcome.fail("status 503").reason
    ('pass', 'status 503')
    """

    verdict: Verdict = field(validator=instance_of(Verdict))
    reason: str = ""

    PASS: ClassVar[Outcome]
    TIMEOUT: ClassVar[Outcome]
    LATE: ClassVar[Outcome]

    @classmethod
    def fail(cls, reason: str) -> Outcome:
        """Say that a target answered wrongly, or not at all."""
        return cls(Verdict.FAIL, reason)


Outcome.PASS = Outcome(Verdict.PASS)
Outcome.TIMEOUT = Outcome(Verdict.TIMEOUT, "no answer in time")
Outcome.LATE = Outcome(Verdict.LATE, "the driver was late")


@frozen
class Transition:
    """A change of state. ``at`` in ns.

    ``streak`` is how many outcomes or requests in a row made it, 0 when none
    did. ``reason`` is the last one's.
    """

    target: Hashable
    before: State
    after: State
    cause: Cause
    streak: int
    generation: int
    at: int
    reason: str = ""


@frozen
class Overloaded:
    """Probes cannot keep up: a target was asked again only after ``effective_interval`` (ns)."""

    effective_interval: int
    at: int


Event = Transition | Overloaded
"""What the machine has to tell."""


@frozen
class Ignored:
    """How many outcomes did not count.

    ``stale``: of a target that is gone, moved or asked otherwise since;
    ``duplicate``: reported before; ``late``: past the deadline; ``overslept``:
    the driver was late, not the target.
    """

    stale: int = 0
    duplicate: int = 0
    late: int = 0
    overslept: int = 0


def detection_bound(check: HealthCheck, policy: HealthPolicy) -> int:
    """Bound the time (ns) from a target's failure to its transition to down.

    A target has failed when no probe passes any more. Law: attained, and never
    exceeded by more than the driver's lateness, as long as every due probe
    finds concurrency.

    >>> detection_bound(HealthCheck(), HealthPolicy()) // SECOND
    35
    """
    return _bound(check.interval, check.timeout, policy.unhealthy_threshold)


def recovery_bound(check: HealthCheck, policy: HealthPolicy) -> int:
    """Bound the time (ns) from when all probes pass again to the transition to up.

    >>> recovery_bound(HealthCheck(unhealthy_interval=5 * SECOND), HealthPolicy()) // SECOND
    10
    """
    return _bound(check.unhealthy_interval, check.timeout, policy.healthy_threshold)


def _bound(interval: int, timeout: int, threshold: int) -> int:
    return interval + (threshold - 1) * max(interval, timeout) + timeout


def effective_interval(check: HealthCheck, policy: HealthPolicy, targets: int) -> int:
    """Say how often (ns) each of so many equal targets is asked if none answers in time.

    Above the check's interval, the machine is overloaded in the worst case.

    >>> effective_interval(HealthCheck(), HealthPolicy(concurrency=100), 10_000) // SECOND
    500
    """
    rounds = -(-targets // policy.concurrency)
    return max(check.interval, rounds * check.timeout)


# --- the machine ------------------------------------------------------------


class _Queue:
    """Records by time, earliest first; equal times in the order they were put.

    A key is a time and a number that is never used twice, in one int: heaps of
    ints are quicker than heaps of tuples. A record that leaves before its time
    leaves its key in the heap, to be dropped when it comes up, or with all
    others when they are the most.
    """

    __slots__ = ("heap", "number", "records")

    def __init__(self) -> None:
        self.heap: list[int] = []
        self.records: dict[int, _Record] = {}  # by key; a key without a record is dropped
        self.number = 0

    def put(self, record: _Record, time: int) -> None:
        """Give a time to a record that has none."""
        self.number = number = self.number + 1
        record.key = key = time << 64 | number
        self.records[key] = record
        heappush(self.heap, key)
        if len(self.heap) > 2 * len(self.records) + _ROOM:
            self.heap = list(self.records)
            heapify(self.heap)

    def discard(self, record: _Record) -> None:
        if self.records.get(record.key) is record:  # its key may be one of another queue
            del self.records[record.key]

    def first(self) -> int | None:
        """Tell the earliest time."""
        heap = self.heap
        while heap and heap[0] not in self.records:
            heappop(heap)
        return heap[0] >> 64 if heap else None

    def pop(self, now: int, most: int) -> list[_Record]:
        """Take the earliest records whose time has come, but not more than so many."""
        taken: list[_Record] = []
        heap, until = self.heap, now + 1 << 64
        while heap and heap[0] < until and len(taken) < most:
            record = self.records.pop(heappop(heap), None)
            if record is not None:
                taken.append(record)
        return taken


class _Record:
    """What is kept of a target."""

    __slots__ = (
        "base",  # the latest slot at or before the last start
        "check",
        "due",  # when the next probe is due; of no meaning while one is in flight
        "failures",  # times of the requests that failed, of use to the passive check
        "flight",  # the probe in flight, if its outcome counts
        "generation",
        "key",  # where it stands in a queue, or stood
        "passive",
        "phase",  # where in its interval it stands, in 2**-64
        "ready",  # since when it has been waiting for that
        "reported",  # whether its last probe ended by a report
        "sequence",  # of its last probe
        "since",  # when it came into its state
        "started",  # when its last probe started
        "state",
        "streak",  # outcomes in a row that speak against its state
        "target",
    )

    def __init__(self, target: Hashable, phase: int) -> None:
        self.target = target
        self.phase = phase
        self.check: HealthCheck | None = None
        self.passive: PassiveHealthCheck | None = None
        self.state = State.GONE
        self.generation = self.streak = 0
        self.base = self.due = self.key = self.ready = self.since = 0
        self.started: int | None = None
        self.sequence = -1
        self.reported = False
        self.flight: Probe | None = None
        self.failures: deque[int] = deque()


class Health:
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
        self._policy = HealthPolicy() if policy is None else policy
        self._phase = salt * _GOLDEN & _WHOLE
        self._now = 0
        self._records: dict[Hashable, _Record] = {}
        # Probes in flight by sequence, also those whose outcome counts no more: they still run.
        self._flights: dict[int, tuple[Probe, _Record]] = {}
        self._due = _Queue()
        self._releases = _Queue()  # when passive checks let go
        self._deadlines: list[int] = []  # with sequences, as in a queue; also of what has ended
        self._sequence = 0
        self._queued: int | None = None  # when last a due probe found no concurrency
        self._effective: int | None = None
        self._unheard: Overloaded | None = None
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
        while deadlines and deadlines[0] & _WHOLE not in self._flights:
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
        self._phase = self._phase + _GOLDEN & _WHOLE
        record = self._records[target] = _Record(target, self._phase)
        record.check, record.passive = check, passive
        events: list[Event] = []
        cause = _KNOWN.get(known, Cause.ADDED) if watched else Cause.ADDED
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
            self._hasten(record, record.base + _interval(record))
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
            flight = self._flights.pop(heappop(deadlines) & _WHOLE, None)
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
        self, record: _Record, cause: Cause, streak: int, reason: str, events: list[Event]
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

    def _judge(self, record: _Record, outcome: Outcome, events: list[Event]) -> None:
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
        self._set_due(record, record.base + _interval(record))

    def _run_out(self, record: _Record, probe: Probe, events: list[Event]) -> None:
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

    def _overload(self) -> list[Event]:
        unheard, self._unheard = self._unheard, None
        return [unheard] if unheard else []

    # Slots

    def _begin(self, record: _Record) -> None:
        """Give a new target its slots: the first within the start window, then at its phase.

        Both are at the same share of window and interval, so the second comes
        an interval after the first at the latest.
        """
        check = record.check
        if check is None:
            return
        window = min(self._policy.start_window, check.interval)
        record.base = self._now + (record.phase * check.interval >> 64) - check.interval
        self._set_due(record, self._now + (record.phase * window >> 64))

    def _renew(self, record: _Record, old: HealthCheck | None) -> None:
        """Begin a generation: what was learned or asked before counts no more."""
        record.generation += 1
        record.streak = 0
        in_flight, record.flight = record.flight is not None, None
        check = record.check
        if check is None:
            self._due.discard(record)
        elif old is None:
            self._begin(record)
        else:
            # Spread like first probes, but no slot that was promised moves away: whoever
            # changes checks all the time must not keep them from being made.
            window = min(self._policy.start_window, _interval(record))
            due = self._now + (record.phase * window >> 64)
            if in_flight:
                self._set_due(record, min(due, max(self._now, record.base + _interval(record))))
            else:
                self._hasten(record, due)

    def _start(self, record: _Record, now: int) -> Probe:
        check = record.check
        assert check is not None  # noqa: S101 - only targets with a check are ever due
        interval = _interval(record)
        if self._queued is not None:
            self._queue_wait(record, now, interval)
        record.base += (now - record.base) // interval * interval
        record.started = now
        record.sequence = sequence = self._sequence
        self._sequence += 1
        target, deadline = record.target, now + check.timeout
        token = Token(target, record.generation, sequence)
        record.flight = probe = Probe(target, check, token, record.due, deadline)
        self._flights[sequence] = probe, record
        deadlines = self._deadlines
        heappush(deadlines, deadline << 64 | sequence)
        if len(deadlines) > 2 * len(self._flights) + _ROOM:
            deadlines[:] = [key for key in deadlines if key & _WHOLE in self._flights]
            heapify(deadlines)
        return probe

    def _queue_wait(self, record: _Record, now: int, interval: int) -> None:
        """Notice overload: a slot lost by waiting for others, not for the driver or the target."""
        ready = max(record.due, record.ready)
        if record.started is None or self._queued is None or ready > self._queued:
            return
        effective = now - record.started
        # Again only when it has doubled: an overload is no reason for a flood.
        known = 0 if self._effective is None else 2 * self._effective
        if now - ready >= interval and effective >= known:
            self._effective = effective
            self._unheard = Overloaded(effective, now)

    def _set_due(self, record: _Record, time: int) -> None:
        record.due, record.ready = time, self._now
        self._due.put(record, time)

    def _hasten(self, record: _Record, time: int) -> None:
        if time < record.due:
            self._due.discard(record)
            self._set_due(record, time)

    # Small change

    def _tell(self, now: int) -> int:
        if type(now) is not int:
            raise TypeError(f"time is an int of nanoseconds, not {now!r}")
        if now > self._now:  # noqa: PLR1730 - max() would take three times as long
            self._now = now
        return self._now

    def _record(self, target: Hashable) -> _Record:
        try:
            return self._records[target]
        except KeyError:
            raise UnknownTarget(target) from None

    def _check(self) -> None:
        """Assert what must always hold. Complexity: O(n)."""
        policy, flights = self._policy, self._flights
        due, releases = self._due.records, self._releases.records
        assert due.keys() <= set(self._due.heap)  # noqa: S101
        assert releases.keys() <= set(self._releases.heap)  # noqa: S101
        assert len(flights) <= policy.concurrency  # noqa: S101
        assert flights.keys() <= {key & _WHOLE for key in self._deadlines}  # noqa: S101
        for target, record in self._records.items():
            flying, down = record.flight is not None, record.state is State.DOWN
            wanted = policy.healthy_threshold if down else policy.unhealthy_threshold
            awaited = down and record.check is None
            facts = (
                record.target == target and record.state is not State.GONE,
                flying + (due.get(record.key) is record) == (record.check is not None),
                not flying or flights[record.sequence] == (record.flight, record),
                (releases.get(record.key) is record) == awaited,
                not awaited or record.passive is not None,
                0 <= record.streak < wanted,
                record.since <= self._now,
                record.check is None or record.base <= self._now,
            )
            assert all(facts), (target, facts)  # noqa: S101
        queued = sum(r.flight is None and r.check is not None for r in self._records.values())
        assert len(due) == queued  # noqa: S101 - nobody who is gone waits


def _validate(check: HealthCheck | None, passive: PassiveHealthCheck | None) -> None:
    if check is not None and min(check.interval, check.unhealthy_interval, check.timeout) <= 0:
        raise ValueError("a check's intervals and its timeout must be above 0")
    if passive is not None and min(passive.failure_window, passive.max_failed_attempts) <= 0:
        raise ValueError("a passive check's window and attempts must be above 0")


def _question(check: HealthCheck | None) -> HealthCheck | None:
    """Take a check without its times: what is asked, not when."""
    return check and evolve(check, interval=1, unhealthy_interval=1, timeout=1)


def _interval(record: _Record) -> int:
    check = record.check
    assert check is not None  # noqa: S101 - only asked for targets with a check
    return check.unhealthy_interval if record.state is State.DOWN else check.interval
