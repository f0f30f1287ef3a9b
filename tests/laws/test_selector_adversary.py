"""Adversaries against laws 3 and 4: changes that are chosen to harm one target.

An adversary sees everything: it fails the target furthest ahead, lets new targets come, be picked
and leave, and changes weights, all against one target that stays. `Wait` and `watch` hold the
bounds of docs/selector.md against it, in exact fractions.
"""

from __future__ import annotations

import random
from fractions import Fraction
from itertools import pairwise
from math import floor
from typing import Any, Final

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from uplinks.balance import ReferenceSelector, Selector

WEIGHTS: Final = {
    "small": (1, 1, 2, 3, 7, 30),
    "spread": (1, 10, 100, 1000, 1_000_000),
    "limit": (1, 2, 3, 2**30, 2**31 - 1),
}
STAYS: Final = 0
EXAMPLES: Final = max(5, settings().max_examples // 4)


class Duel:
    """The compiled selector, with its specification beside it to look at the clock."""

    def __init__(self, weights: list[int]) -> None:
        self.compiled: Any = Selector(list(enumerate(weights)))
        self.reference: Any = ReferenceSelector(list(enumerate(weights)))
        self.next = len(weights)
        self.setback = Fraction(0)  # by how much changes have set the clock back
        self.moved = False  # whether the target that stays, or one that lags, was moved

    @property
    def scheduler(self) -> Any:
        return self.reference._scheduler

    def clock(self) -> Fraction:
        """The clock, as the next change would leave it."""
        scheduler = self.scheduler
        if not scheduler.total:
            return Fraction(0)
        units = scheduler.clock * scheduler.total + scheduler.clock_rest
        if scheduler.recorded:
            at = scheduler.at
            units += (2 * at - min(scheduler.slow, at)) * scheduler.scale // 2
        return Fraction(units, scheduler.total * scheduler.scale)

    def start(self, target: int) -> Fraction:
        scheduler, i = self.scheduler, self.reference._index[target]
        units = scheduler.start[i] * scheduler.weight[i] + scheduler.rest[i]
        if scheduler.recorded:
            units += scheduler.recording[: scheduler.at].count(i) * scheduler.scale
        return Fraction(units, scheduler.weight[i] * scheduler.scale)

    def lags(self) -> dict[int, Fraction]:
        """Lags of the eligible targets, in picks."""
        clock = self.clock()
        return {t: w * (clock - self.start(t)) for t, w in self.shares().items()}

    def step(self) -> Fraction:
        """By how much of a pick the next one advances the clock; it pays the rest of the debt."""
        return Fraction(1, 2) if self.scheduler.at < self.scheduler.slow else Fraction(1)

    def withheld(self, target: int) -> bool:
        """Whether a target has had its share of this period."""
        scheduler, i = self.scheduler, self.reference._index[target]
        if scheduler.recorded:
            had = scheduler.recording[: scheduler.at].count(i)
        else:
            had = scheduler.picked[i]
        return bool(had == scheduler.weight[i] // scheduler.divisor)

    def shares(self) -> dict[int, int]:
        return {t: w for t, w, up in self.reference.rows() if up and w}

    def pick(self) -> int:
        picked: int = self.compiled.pick()
        assert self.reference.pick() == picked
        return picked

    def change(self, name: str, *arguments: Any) -> None:
        before, start = self.clock(), self.start(STAYS)
        for selector in (self.compiled, self.reference):
            getattr(selector, name)(*arguments)
        if not self.scheduler.pristine and self.scheduler.total:
            self.setback += max(Fraction(0), before - self.clock())
            self.moved |= name == "set_weight" or start != self.start(STAYS)

    def attack(self, roll: random.Random, choices: tuple[int, ...]) -> None:
        """Make a change that is chosen against the target that stays."""
        kind = roll.random()
        if kind < 0.25:
            self.change("add", self.next, roll.choice(choices))
            self.next += 1
            return
        states = dict(self.reference.states)
        others = [target for target in states if target != STAYS]
        if not others:
            return
        target = roll.choice(others)
        lags = {t: lag for t, lag in self.lags().items() if t != STAYS}
        if lags and roll.random() < 0.6:
            target = roll.choice((min, max))(lags, key=lags.__getitem__)
        if kind < 0.45:
            self.change("remove", target)
        elif kind < 0.75:
            self.change("set_up", target, not states[target])
        else:
            self.change("set_weight", target, roll.choice(choices))


class Wait:
    """The wait of the target that stays, since its last pick, and what law 4 allows.

    With its lead then, at most (lead + 1) Wmax/w picks bring its lag to one pick, besides those
    that pay the debt or make up for a clock that was set back. From there on every pick is an
    overdue one of another target, unless the target has had its share of the period.
    """

    def __init__(self, duel: Duel) -> None:
        self.duel = duel
        self.weight: int = duel.reference.weights[STAYS]
        self.worst = Fraction(0)  # the longest wait, as (picks - 2) w / Wmax
        self.begin()

    def begin(self) -> None:
        self.lead = -self.duel.lags()[STAYS]
        self.early = self.late = self.most = 0
        self.paid = self.duel.setback = Fraction(0)
        self.overdue: int | None = None

    def pick(self) -> None:
        duel, total = self.duel, self.duel.scheduler.total
        self.most = max(self.most, total)
        step = duel.step()
        self.paid += 1 - step
        lags = {
            t: lag + step * w / total
            for (t, w), lag in zip(duel.shares().items(), duel.lags().values(), strict=True)
        }
        if lags.pop(STAYS) <= 1:
            self.early += 1
            self.overdue = None
        else:
            if self.overdue is None or duel.moved:
                self.late, duel.moved = 0, False
                self.overdue = sum(floor(lag + Fraction(1, 2)) for lag in lags.values() if lag > 0)
            self.late += not duel.withheld(STAYS)
        turns = max(Fraction(0), self.lead + 1) / self.weight + duel.setback
        assert self.early <= self.most * turns + self.paid
        assert self.late <= (self.overdue or 0) + 1
        waited = self.early + self.late
        self.worst = max(self.worst, Fraction((waited - 2) * self.weight, self.most))
        if duel.pick() == STAYS:
            self.begin()


def live(duel: Duel, roll: random.Random, choices: tuple[int, ...], picks: int) -> Fraction:
    """Attack between picks; return the longest wait beyond 2 picks, in turns of Wmax/w."""
    wait = Wait(duel)
    for _ in range(picks):
        for _ in range(roll.choice((0, 1, 1, 2, 3))):
            duel.attack(roll, choices)
        wait.pick()
    return wait.worst


def storm(roll: random.Random, rounds: int) -> Fraction:
    """Let crowds come, leave while ahead or behind, and return; return the longest wait."""
    choices = (1, 1, 1, 2, 5, 20, 50, 100, 1000)
    crowds = [[roll.choice(choices)] * roll.choice((1, 5, 20, 50)) for _ in range(2)]
    duel = Duel([roll.choice(choices), *crowds[0], *crowds[1]])
    wait = Wait(duel)
    for _ in range(rounds):
        kind, states = roll.random(), dict(duel.reference.states)
        ahead = {t: lag < 0 for t, lag in duel.lags().items() if t != STAYS}
        if kind < 0.5:
            side = kind < 0.35
            for target in [t for t, leads in ahead.items() if leads == side]:
                duel.change("set_up", target, False)
        elif kind < 0.8 and len(states) < 120:
            weight = roll.choice(choices)
            for _ in range(roll.choice((1, 5, 30))):
                duel.change("add", duel.next, weight)
                duel.next += 1
        else:
            down = [target for target, up in states.items() if not up]
            for target in roll.sample(down, min(len(down), roll.choice((1, 5, 20)))):
                duel.change("set_up", target, True)
        for _ in range(roll.choice((1, 5, 20, 50))):
            wait.pick()
    return wait.worst


def fail_and_return(duel: Duel, target: int, away: int) -> None:
    """Let a target fail and come back."""
    if not duel.reference.weights[target]:
        duel.change("set_weight", target, 1)
    duel.change("set_up", target, False)
    for _ in range(away if duel.reference.eligible else 0):
        duel.pick()
    duel.change("set_up", target, True)


def watch(duel: Duel, target: int) -> tuple[Fraction, Fraction]:
    """Check law 3 for two periods; return the furthest off, and the turns to the first pick."""
    shares = duel.shares()
    total = sum(shares.values())
    counts = dict.fromkeys(shares, 0)
    furthest, first, paid = Fraction(0), Fraction(0), Fraction(0)
    at_first = duel.lags()
    for t in range(1, min(2 * total, 300) + 1):
        paid += 1 - duel.step()
        counts[duel.pick()] += 1
        if duel.scheduler.at == 0:  # each period begins with the debt of the first
            paid = Fraction(0)
        if not counts[target]:
            first = Fraction(t - 1) * shares[target] / total
        assert counts[target] - Fraction(t * shares[target], total) <= 1
        lags = duel.lags()
        for i, weight in shares.items():
            off = counts[i] - Fraction(t * weight, total)
            assert off == at_first[i] - lags[i] - paid * weight / total
            furthest = max(furthest, abs(off))
    assert first <= 2
    return furthest, first


def duels(kind: str, seed: int) -> tuple[Duel, random.Random, tuple[int, ...]]:
    roll = random.Random(f"{kind} {seed}")  # noqa: S311 - reproducible
    choices = WEIGHTS[kind]
    return Duel([roll.choice(choices) for _ in range(roll.randint(2, 7))]), roll, choices


@settings(max_examples=EXAMPLES)
@given(st.sampled_from(sorted(WEIGHTS)), st.integers(0, 2**32))
def test_laws_3_and_4_against_a_random_adversary(kind: str, seed: int) -> None:
    duel, roll, choices = duels(kind, seed)
    live(duel, roll, choices, roll.randint(0, 40))
    target = roll.choice(list(duel.reference.weights))
    fail_and_return(duel, target, roll.choice((0, 1, 2, 5, 20)))
    watch(duel, target)
    duel.compiled._check()
    duel.reference._check()


@settings(max_examples=max(3, EXAMPLES // 8))
@given(st.integers(0, 2**32))
def test_law_4_against_crowds(seed: int) -> None:
    storm(random.Random(seed), 12)  # noqa: S311 - reproducible


@settings(max_examples=EXAMPLES)
@given(st.sampled_from(sorted(WEIGHTS)), st.integers(0, 2**32))
def test_law_3_where_only_one_target_went_nothing_is_off_by_three(kind: str, seed: int) -> None:
    duel, roll, _ = duels(kind, seed)
    for _ in range(roll.randint(0, 30)):
        duel.pick()
    target = roll.choice(list(duel.reference.weights))
    fail_and_return(duel, target, roll.randint(0, 30))
    furthest, _ = watch(duel, target)
    assert furthest < 3


def wait_of_steady(make: Any, rounds: int, canary: int) -> tuple[int, int]:
    """Let new targets come, be picked and leave; return the longest waits, without and with it."""
    selector = make({"steady": 1})
    waited = longest = 0
    for number in range(rounds):
        selector.add(number, canary)
        waited = 0 if selector.pick() == "steady" else waited + 1
        longest = max(longest, waited)
        selector.remove(number)
    return longest, allowed_wait(canary)


def allowed_wait(other: int) -> int:
    """Return 2 Wmax/w + 2 for a target of weight 1 beside another one."""
    return 2 * (other + 1) + 2


@pytest.mark.parametrize("canary", [1, 10, 100, 1000])
def test_law_4_canaries_one_after_another_starve_nothing(make_selector: Any, canary: int) -> None:
    """The next canary takes over the lead that the last one left with."""
    longest, allowed = wait_of_steady(make_selector, 2 * allowed_wait(canary), canary)
    assert longest + 1 <= allowed


def test_law_4_a_target_that_flaps_starves_nothing(make_selector: Any) -> None:
    selector = make_selector({"steady": 1, "flaps": 100})
    waited = longest = 0
    for _ in range(400):
        waited = 0 if selector.pick() == "steady" else waited + 1
        longest = max(longest, waited)
        selector.set_up("flaps", False)
        selector.set_up("flaps", True)
    assert longest + 1 <= allowed_wait(100)


@pytest.mark.parametrize("heavy", [500, 1000, 5000])
def test_law_4_targets_that_leave_together_while_ahead_delay_nothing(
    make_selector: Any, heavy: int
) -> None:
    """Each of the 25 is half a pick ahead: the clock runs slower until that is paid."""
    selector = make_selector([("heavy", heavy), *((i, 1) for i in range(50))])
    for target in set(selector.pick_many((heavy + 50) // 2)) - {"heavy"}:
        selector.set_up(target, False)
    picks = ["heavy", *selector.pick_many(2 * selector.period())]
    turns = [t for t, target in enumerate(picks) if target == "heavy"]
    assert max(b - a for a, b in pairwise(turns)) <= 4


def test_law_4_many_canaries_at_once_starve_nothing(make_selector: Any) -> None:
    steady = {f"steady {i}" for i in range(50)}
    selector = make_selector([(target, 1) for target in sorted(steady)])
    missing = set(steady)
    for number in range(21):  # 2 Wmax/w + 2 is 2102
        canaries = [(number, k) for k in range(100)]
        for canary in canaries:
            selector.add(canary, 10)
        missing -= set(selector.pick_many(100))
        for canary in canaries:
            selector.remove(canary)
    assert not missing


def test_law_4_a_lead_that_many_targets_took_over_delays_nothing(make_selector: Any) -> None:
    selector = make_selector({"a": 1000, "b": 1000})
    selector.pick()
    selector.remove("a")
    for light in range(20):
        selector.add(light, 1)
        selector.set_up(light, False)
    for light in range(20):
        selector.set_up(light, True)
    selector.add("new", 1000)
    assert selector.pick_many(200).index("new") + 1 <= 6


@pytest.mark.parametrize("canary", [1, 10, 1000])
def test_law_3_after_many_canaries(make_selector: Any, canary: int) -> None:
    """A canary that comes under a new name, is picked and leaves harms no target that returns."""
    selector = make_selector({"a": 1000, "b": 1000, "c": 10})
    for number in range(12):
        selector.add(number, canary)
        while selector.pick() != number:
            pass
        selector.remove(number)
    selector.set_up("a", False)
    selector.pick()
    selector.set_up("a", True)
    picks = selector.pick_many(201)
    assert picks.index("a") + 1 <= 6
    for target, weight in (("a", 1000), ("b", 1000), ("c", 10)):
        count = 0
        for t, picked in enumerate(picks, 1):
            count += picked == target
            assert abs(count - Fraction(t * weight, 2010)) <= 2


def leave_behind(selector: Any, targets: int, weight: int, rounds: int) -> None:
    """Let new targets leave while they lag, after they have become as light as the steady one.

    The lag of a target that leaves is forgotten, so the clock moves on, away from the steady
    target, which gets its one pick of each period and cannot catch up.
    """
    live: list[int] = []
    number = 0
    for _ in range(rounds):
        selector.update(dict.fromkeys(live, weight))
        while len(live) < targets:
            selector.add(number, weight)
            live.append(number)
            number += 1
        selector.pick_many(selector.period() - 1 - targets // 2)
        selector.update(dict.fromkeys(live, 1))
        state, index = selector._state()[2], {t: i for i, t in enumerate(selector.targets)}
        for i in [i for i in live if state["start"][index[i]] < state["clock"]]:
            selector.remove(i)
            live.remove(i)
        selector._check()


@pytest.mark.parametrize(("targets", "weight"), [(12, 20), (40, 20), (30, 100)])
def test_no_start_gets_further_from_the_clock_than_64_bits_allow(
    make_selector: Any, targets: int, weight: int
) -> None:
    leave_behind(make_selector({"steady": 1}), targets, weight, 12)
