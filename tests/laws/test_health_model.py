"""The health machine against its definition, step by step.

`Model` is the definition: no heap, no lazy deletion, one look at everything at
each step. `Twin` does the same to both and compares all that can be seen: what
is returned, states, streaks, counters, and the next wake-up to the nanosecond.
A seeded simulation and a stateful test drive it here; the exhaustive search and
the planted bugs in the files beside this one.
"""

from __future__ import annotations

import random
from typing import Any

import pytest
from attrs import evolve
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from uplinks.errors import UplinksError
from uplinks.health import Health, HealthPolicy, Outcome, Overloaded, Verdict
from uplinks.model import HealthCheck, PassiveHealthCheck

GOLDEN = 0x9E37_79B9_7F4A_7C15
PASS, FAIL = Outcome.PASS, Outcome.fail("no")


class Row:
    """What the definition needs to know of a target."""

    def __init__(self, check: Any, passive: Any, phase: int, now: int) -> None:
        self.check, self.passive, self.phase = check, passive, phase
        self.state, self.generation, self.since = "unknown", 0, now
        self.history: list[bool] = []  # outcomes of this generation since the last transition
        self.failed: list[int] = []  # times of requests that failed since a success or transition
        self.flight: int | None = None
        self.last = (-1, "")  # the sequence of the last probe, and how that ended
        self.base = 0  # the slot at or before the last start
        self.due: tuple[int, int] | None = None  # and the order in which due times were given
        self.release: tuple[int, int] | None = None

    @property
    def interval(self) -> int:
        return int(self.check.unhealthy_interval if self.state == "down" else self.check.interval)

    def trailing(self, *, passed: bool) -> int:
        count = 0
        while count < len(self.history) and self.history[-1 - count] is passed:
            count += 1
        return count

    @property
    def streak(self) -> int:
        return self.trailing(passed=self.state == "down")


class Model:
    """The machine as it is defined, in the plainest way. Overload is not modelled."""

    def __init__(self, policy: HealthPolicy) -> None:
        self.policy = policy
        self.now = self.added = self.sequence = self.order = 0
        self.rows: dict[Any, Row] = {}
        self.flights: dict[int, tuple[Any, int, int]] = {}  # target, generation, deadline
        self.stale = self.duplicate = self.late = self.overslept = 0

    def tell(self, now: int) -> None:
        self.now = max(self.now, now)

    def schedule(self, row: Row, time: int) -> None:
        row.due = self.turned(time)

    def turned(self, time: int) -> tuple[int, int]:
        """Equal times come up in the order they were given."""
        self.order += 1
        return time, self.order

    def hasten(self, row: Row, time: int) -> None:
        if row.due is not None and time < row.due[0]:
            self.schedule(row, time)

    def turn(self, target: Any, after: str, cause: str, streak: int = 0) -> list[Any]:
        row = self.rows[target]
        before, row.state, row.since = row.state, after, self.now
        row.history, row.failed, row.release = [], [], None
        return [(target, before, after, cause, streak, row.generation, self.now)]

    def begin(self, row: Row) -> None:
        if row.check is not None:
            window = min(self.policy.start_window, row.check.interval)
            row.base = self.now + row.phase * row.check.interval // 2**64 - row.check.interval
            self.schedule(row, self.now + row.phase * window // 2**64)

    def add(self, target: Any, check: Any, passive: Any, like: Any = None) -> list[Any]:
        self.added += 1
        row = Row(check, passive, self.added * GOLDEN % 2**64, self.now)
        cause = "added"
        if like is not None and (check is not None or passive is not None):
            row.state = self.rows[like].state
            cause = "added" if row.state == "unknown" else f"known to be {row.state}"
        self.rows[target] = row
        self.begin(row)
        if row.state == "down" and check is None:
            row.release = self.turned(self.now + passive.failure_window)
        return [(target, "gone", row.state, cause, 0, 0, self.now)]

    def rename(self, target: Any, name: Any) -> list[Any]:
        """All stays, but what is not in flight any more is known by the old name only."""
        names = {each: each for each in self.rows} | {target: name}
        self.rows = {names[each]: row for each, row in self.rows.items()}
        flights = self.flights.items()
        self.flights = {s: (names.get(t, t), g, d) for s, (t, g, d) in flights}
        return []

    def remove(self, target: Any) -> list[Any]:
        row = self.rows.pop(target)
        return [(target, row.state, "gone", "removed", 0, row.generation, self.now)]

    def reconfigure(self, target: Any, check: Any, passive: Any, *, moved: bool) -> list[Any]:
        row = self.rows[target]
        old, row.check = row.check, check
        watched, row.passive = old is not None or row.passive is not None, passive
        events: list[Any] = []
        if moved and row.state != "unknown":
            events = self.turn(target, "unknown", "moved")
        elif row.state == "down" and watched and check is None and passive is None:
            events = self.turn(target, "unknown", "unwatched")
        if moved or timeless(check) != timeless(old):
            flew, row.flight = row.flight is not None, None
            row.generation, row.history = row.generation + 1, []
            if check is None:
                row.due = None
            elif old is None:
                self.begin(row)
            else:
                due = self.now + row.phase * min(self.policy.start_window, row.interval) // 2**64
                if flew:
                    self.schedule(row, min(due, max(self.now, row.base + row.interval)))
                else:
                    self.hasten(row, due)
        elif check is not None:
            self.hasten(row, row.base + row.interval)
        if moved or passive is None:
            row.failed = []
        alone = row.state == "down" and check is None
        row.release = self.turned(row.since + passive.failure_window) if alone else None
        return events

    def due(self) -> list[Any]:
        probes = []
        rows = [(row.due, target) for target, row in self.rows.items() if row.due is not None]
        for (time, _), target in sorted(rows, key=lambda each: each[0]):
            if time <= self.now and len(self.flights) < self.policy.concurrency:
                row = self.rows[target]
                while row.base + row.interval <= self.now:  # missed slots become one
                    row.base += row.interval
                row.due, row.flight, row.last = None, self.sequence, (self.sequence, "")
                deadline = self.now + row.check.timeout
                self.flights[self.sequence] = (target, row.generation, deadline)
                probes.append((target, row.check, row.generation, self.sequence, time, deadline))
                self.sequence += 1
        return probes

    def expire(self) -> list[Any]:
        events: list[Any] = []
        for sequence in sorted(self.flights, key=lambda each: (self.flights[each][2], each)):
            target, _, deadline = self.flights[sequence]
            if deadline <= self.now:
                del self.flights[sequence]
                row = self.rows.get(target)
                if row is not None and row.flight == sequence:
                    events += self.run_out(target, deadline)
        releases = [(r.release, t) for t, r in self.rows.items() if r.release is not None]
        for release, target in sorted(releases):
            if release[0] <= self.now:
                events += self.turn(target, "up", "window over")
        return events

    def run_out(self, target: Any, deadline: int) -> list[Any]:
        late = self.now - deadline > self.policy.max_lateness
        row = self.rows[target]
        row.last = (row.last[0], "run out")
        return self.judge(target, "late" if late else "timeout")

    def judge(self, target: Any, verdict: str) -> list[Any]:
        row = self.rows[target]
        row.flight = None
        events: list[Any] = []
        if verdict == "late":
            self.overslept += 1
            self.schedule(row, self.now)
            return events
        row.history = [*row.history[-3:], verdict == "pass"]
        passes, failures = row.trailing(passed=True), row.trailing(passed=False)
        if row.state == "unknown" and passes:
            events = self.turn(target, "up", "passed", 1)
        elif row.state == "down" and passes == self.policy.healthy_threshold:
            events = self.turn(target, "up", "recovered", passes)
        elif row.state != "down" and failures == self.policy.unhealthy_threshold:
            events = self.turn(target, "down", "fell", failures)
        self.schedule(row, row.base + row.interval)
        return events

    def report(self, token: Any, verdict: str) -> list[Any]:
        target, generation, sequence = token
        flight = self.flights.pop(sequence, None)
        target = target if flight is None else flight[0]
        row = self.rows.get(target)
        if row is None or row.generation != generation or row.last[0] != sequence:
            self.stale += 1
        elif flight is not None and self.now <= flight[2]:
            row.last = (sequence, "reported")
            return self.judge(target, verdict)
        elif flight is not None:
            self.late += 1
            return self.run_out(target, flight[2])
        elif row.last[1] == "reported":
            self.duplicate += 1
        else:
            self.late += 1
        return []

    def observe(self, target: Any, *, ok: bool) -> list[Any]:
        row = self.rows[target]
        if row.passive is None or row.state == "down":
            return []
        row.failed = [] if ok else [*row.failed, self.now]
        window = row.passive.failure_window
        counted = sum(self.now - time < window for time in row.failed)
        if ok or counted < row.passive.max_failed_attempts:
            return []
        events = self.turn(target, "down", "requests failed", counted)
        if row.check is None:
            row.release = self.turned(self.now + window)
        else:
            self.hasten(row, row.base + row.interval)
        return events

    def next_wakeup(self) -> int | None:
        times = [deadline for _, _, deadline in self.flights.values()]
        times += [r.release[0] for r in self.rows.values() if r.release is not None]
        if len(self.flights) < self.policy.concurrency:
            times += [r.due[0] for r in self.rows.values() if r.due is not None]
        return min(times, default=None)


def timeless(check: HealthCheck | None) -> HealthCheck | None:
    return check and evolve(check, interval=1, unhealthy_interval=1, timeout=1)


def shown(events: list[Any]) -> list[Any]:
    return [
        (e.target, e.before, e.after, e.cause, e.streak, e.generation, e.at)
        for e in events
        if not isinstance(e, Overloaded)
    ]


class Twin:
    """The machine and its definition, which must not differ in anything that can be seen."""

    def __init__(self, policy: HealthPolicy, kind: type[Health] = Health) -> None:
        self.health, self.model = kind(policy), Model(policy)
        self.given: list[Any] = []  # probes, the latest last

    def do(self, name: str, *arguments: Any, now: int) -> None:
        """Do the same to both. ``now`` may lie in the past."""
        health, model = self.health, self.model
        model.tell(now)
        if name == "due":
            probes = health.due(now)
            self.given = (self.given + probes)[-8:]
            assert [(p.target, p.check, *p.token[1:], *p[3:]) for p in probes] == model.due()
        elif name == "report":
            probe, outcome = arguments
            events = health.report(probe, outcome, now)
            assert shown(events) == model.report(probe.token, outcome.verdict)
        elif name == "observe":
            target, ok = arguments
            assert shown(health.observe(target, ok, now)) == model.observe(target, ok=ok)
        elif name == "add":
            target, check, passive, like = arguments
            events = health.add(target, check, passive, now, like=like)
            assert shown(events) == model.add(target, check, passive, like)
        elif name == "rename":
            health.rename(*arguments)
            model.rename(*arguments)
            assert shown(health.expire(now)) == model.expire()
        elif name == "reconfigure":
            target, check, passive, moved = arguments
            events = health.reconfigure(target, check, passive, now, address_changed=moved)
            assert shown(events) == model.reconfigure(target, check, passive, moved=moved)
        else:
            events = getattr(health, name)(*arguments, now)
            assert shown(events) == getattr(model, name)(*arguments)
        self.compare()

    def compare(self) -> None:
        health, model = self.health, self.model
        unheard = health._unheard is not None
        assert health.next_wakeup() == (model.now if unheard else model.next_wakeup())
        assert health.in_flight == len(model.flights)
        assert health.now == model.now
        ignored = (health._stale, health._duplicate, health._late, health._overslept)
        assert ignored == (model.stale, model.duplicate, model.late, model.overslept)
        assert len(health) == len(model.rows)
        for target, row in model.rows.items():
            record = health._records[target]
            assert record.state == row.state
            assert record.streak == row.streak
            assert record.generation == row.generation


# --- a seeded simulation with faults ----------------------------------------

ASKED = (None, *(HealthCheck(path=path) for path in ("/a", "/b")))
PASSIVES = (None, PassiveHealthCheck(30, 2), PassiveHealthCheck(7, 1))
TARGETS = ("a", "b", "c", "d", "e")
OUTCOMES = (PASS, PASS, PASS, FAIL, FAIL, Outcome.TIMEOUT, Outcome.LATE)
PER_SEED = 1_000


def a_check(rng: random.Random) -> HealthCheck | None:
    check = rng.choice((*ASKED, *ASKED[1:]))
    times = [rng.choice((3, 5, 10, 20)) for _ in range(3)]
    return check and evolve(check, interval=times[0], unhealthy_interval=times[1], timeout=times[2])


def a_time(rng: random.Random, twin: Twin) -> int:
    """When the driver does its next thing: mostly in time, at times late, asleep or in the past."""
    now, wakeup = twin.health.now, twin.health.next_wakeup()
    chance = rng.random()
    if chance < 0.5 and wakeup is not None:
        return wakeup
    if chance < 0.9:
        return now + rng.randrange(4)
    if chance < 0.97:
        return now - rng.randrange(50)
    return now + rng.choice((10, 100, 10_000))


def step(rng: random.Random, twin: Twin) -> None:
    now, chance = a_time(rng, twin), rng.random()
    target = rng.choice(TARGETS)
    if chance < 0.35:
        twin.do("due", now=now)
    elif chance < 0.5:
        twin.do("expire", now=now)
    elif chance < 0.85 and twin.given:
        # Of the last few probes: in or out of order, late, twice, or never.
        twin.do("report", rng.choice(twin.given), rng.choice(OUTCOMES), now=now)
    elif target not in twin.health:
        other = rng.choice((None, None, None, *twin.health._records))
        if chance < 0.9 and other is not None:
            twin.do("rename", other, target, now=now)
        else:
            twin.do("add", target, a_check(rng), rng.choice(PASSIVES), other, now=now)
    elif chance < 0.95:
        twin.do("observe", target, rng.random() < 0.3, now=now)
    elif chance < 0.96:
        twin.do("remove", target, now=now)
    else:
        check = twin.health._records[target].check if chance < 0.97 else a_check(rng)
        moved = rng.random() < 0.3
        twin.do("reconfigure", target, check, rng.choice(PASSIVES), moved, now=now)


def simulate(seed: int, events: int = PER_SEED, kind: type[Health] = Health) -> Health:
    """Replay a seed: ``python -c "...simulate(17)"`` fails where the test did."""
    rng = random.Random(seed)  # noqa: S311 - reproducible on purpose
    policy = HealthPolicy(
        healthy_threshold=rng.randint(1, 3),
        unhealthy_threshold=rng.randint(1, 3),
        start_window=rng.choice((0, 4, 10)),
        concurrency=rng.choice((1, 2, 5)),
        max_lateness=rng.choice((0, 2)),
    )
    twin = Twin(policy, kind)
    for i in range(events):
        try:
            step(rng, twin)
        except AssertionError as error:
            error.add_note(f"replay it: simulate(seed={seed}), step {i}")
            raise
    twin.health._check()
    return twin.health


def test_a_simulation_with_every_fault_follows_the_definition() -> None:
    machines = [simulate(seed) for seed in range(20)]

    for name in ("stale", "duplicate", "late", "overslept"):
        assert all(getattr(machine.ignored, name) for machine in machines[:5]), name


# --- the public face, stateful ----------------------------------------------

targets = st.sampled_from(TARGETS[:3])
times = st.sampled_from((3, 5, 10))
checks = st.none() | st.builds(
    HealthCheck,
    path=st.sampled_from(("/a", "/b")),
    interval=times,
    unhealthy_interval=times,
    timeout=times,
)
passives = st.sampled_from(PASSIVES)
steps = st.sampled_from((0, 0, 1, 3, 10, 100, -5))


class HealthFollowsItsDefinition(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.twin = Twin(
            HealthPolicy(
                healthy_threshold=2,
                unhealthy_threshold=3,
                start_window=4,
                concurrency=2,
                max_lateness=2,
            )
        )

    def attempt(self, name: str, *arguments: Any, step: int) -> None:
        """What is refused changes nothing, not even the time."""
        health = self.twin.health
        known = name in {"due", "expire", "report"} or arguments[0] in health
        if known is not (name == "add"):
            self.twin.do(name, *arguments, now=health.now + step)
            return
        before = (health.now, health.next_wakeup(), len(health))
        extra = {"add": "like", "reconfigure": "address_changed"}.get(name)
        named = {extra: arguments[-1]} if extra else {}
        given = [*arguments[:-1], health.now + step] if extra else [*arguments, health.now + step]
        with pytest.raises(UplinksError):
            getattr(health, name)(*given[: 2 if name == "rename" else None], **named)
        assert (health.now, health.next_wakeup(), len(health)) == before

    @rule(which=targets, check=checks, passive=passives, step=steps)
    def add(self, which: str, check: Any, passive: Any, step: int) -> None:
        self.attempt("add", which, check, passive, None, step=step)

    @rule(which=targets, other=targets, check=checks, passive=passives, step=steps)
    def add_like(self, which: str, other: str, check: Any, passive: Any, step: int) -> None:
        if other in self.twin.health:
            self.attempt("add", which, check, passive, other, step=step)

    @rule(which=targets, name=targets)
    def rename(self, which: str, name: str) -> None:
        if name not in self.twin.health:
            self.attempt("rename", which, name, step=0)

    @rule(which=targets, step=steps)
    def remove(self, which: str, step: int) -> None:
        self.attempt("remove", which, step=step)

    @rule(which=targets, check=checks, passive=passives, step=steps, moved=st.booleans())
    def reconfigure(self, which: str, check: Any, passive: Any, step: int, *, moved: bool) -> None:
        self.attempt("reconfigure", which, check, passive, moved, step=step)

    @rule(which=targets, ok=st.booleans(), step=steps)
    def observe(self, which: str, step: int, *, ok: bool) -> None:
        self.attempt("observe", which, ok, step=step)

    @rule(step=steps)
    def due(self, step: int) -> None:
        self.attempt("due", step=step)

    @rule()
    def wake(self) -> None:
        now = self.twin.health.next_wakeup()
        if now is not None:
            self.twin.do("expire", now=now)
            self.twin.do("due", now=now)

    @rule(which=st.integers(0, 7), verdict=st.sampled_from(Verdict), step=steps)
    def report(self, which: int, verdict: Verdict, step: int) -> None:
        if self.twin.given:
            probe = self.twin.given[which % len(self.twin.given)]
            self.attempt("report", probe, Outcome(verdict), step=step)

    @invariant()
    def sound(self) -> None:
        self.twin.health._check()


TestHealthFollowsItsDefinition = HealthFollowsItsDefinition.TestCase
