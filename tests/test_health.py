"""The machine's face: bounds attained exactly, phases, overload, refusals, the table."""

from __future__ import annotations

import pickle
import re
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import pytest

from uplinks.durations import Nanoseconds
from uplinks.errors import DuplicateTarget, UnknownTarget
from uplinks.health import (
    TRANSITIONS,
    Cause,
    Health,
    HealthPolicy,
    Ignored,
    Outcome,
    Overloaded,
    Probe,
    State,
    Token,
    Transition,
    detection_bound,
    effective_interval,
    recovery_bound,
)
from uplinks.model import HealthCheck, PassiveHealthCheck

SVG = "{http://www.w3.org/2000/svg}"
PASS, FAIL = Outcome.PASS, Outcome.fail("status 503")
TIMES = [(10, 6, 3), (10, 10, 10), (4, 7, 9), (1, 2, 5), (7, 3, 1)]  # interval, unhealthy, timeout


def check(interval: int = 10, unhealthy: int = 10, timeout: int = 3, **more: Any) -> HealthCheck:
    times = [Nanoseconds(time) for time in (interval, unhealthy, timeout)]
    return HealthCheck(interval=times[0], unhealthy_interval=times[1], timeout=times[2], **more)


def one(each: HealthCheck | None = None, passive: Any = None, **policy: Any) -> Health:
    health = Health(HealthPolicy(start_window=0, **policy))
    health.add("a", check() if each is None else each, passive, 0)
    return health


# --- bounds -----------------------------------------------------------------


def time_until(
    state: State, change: int, each: HealthCheck, policy: HealthPolicy, *, slow: bool
) -> int:
    """Drive one target with a prompt driver; return how long after a change it is in the state.

    Up to ``change`` its probes keep it where it is, after it they do not, nor does
    one that is under way then. Those after it take all the time they may; those
    before it too, if ``slow``.
    """
    health = Health(policy)
    health.add("a", each, None, 0)
    good = state is State.UP
    flight: Probe | None = None
    for now in range(change + 1_000):
        wanted = good is (now > change)
        events = []
        if flight is not None and wanted and now == flight.deadline:
            events = health.report(flight, PASS, now)
        events += health.expire(now)
        for event in events:
            if now > change and isinstance(event, Transition) and event.after is state:
                return now - change
        for flight in health.due(now):
            if now <= change and not slow:
                health.report(flight, PASS if wanted else FAIL, now)
        health._check()
    raise AssertionError("never")


@pytest.mark.parametrize("times", TIMES)
@pytest.mark.parametrize("threshold", [1, 2, 3])
def test_the_detection_bound_is_attained_and_never_exceeded(
    times: tuple[int, int, int], threshold: int
) -> None:
    policy = HealthPolicy(unhealthy_threshold=threshold, start_window=0)
    each = check(*times)
    bound = detection_bound(each, policy)
    moments = range(60, 60 + 3 * each.interval)
    took = [
        [time_until(State.DOWN, moment, each, policy, slow=slow) for moment in moments]
        for slow in (False, True)
    ]

    assert max(took[0]) == bound
    assert max(took[1]) <= bound
    assert bound == times[0] + (threshold - 1) * max(times[0], times[2]) + times[2]


@pytest.mark.parametrize("times", TIMES)
@pytest.mark.parametrize("threshold", [1, 2, 3])
def test_the_recovery_bound_is_attained_and_never_exceeded(
    times: tuple[int, int, int], threshold: int
) -> None:
    policy = HealthPolicy(healthy_threshold=threshold, start_window=0)
    each = check(*times)
    bound = recovery_bound(each, policy)
    moments = range(60, 60 + 3 * each.unhealthy_interval)
    took = [
        [time_until(State.UP, moment, each, policy, slow=slow) for moment in moments]
        for slow in (False, True)
    ]

    assert max(took[0]) == bound
    assert max(took[1]) <= bound
    assert bound == times[1] + (threshold - 1) * max(times[1], times[2]) + times[2]


def test_a_driver_that_is_late_adds_just_its_lateness() -> None:
    health = one(check(10, 10, 3))
    [probe] = health.due(0)
    health.report(probe, PASS, 0)
    start = health.next_wakeup()
    assert start is not None
    [probe] = health.due(start + 2)
    assert probe.deadline == start + 2 + 3
    [event] = health.expire(probe.deadline + 1)

    assert isinstance(event, Transition)
    assert (event.after, event.at) == (State.DOWN, start + 6)


# --- time -------------------------------------------------------------------


def test_missed_slots_become_one_and_the_rate_stays() -> None:
    health = one()
    [probe] = health.due(0)
    health.report(probe, PASS, 0)
    slot = health.next_wakeup()
    assert slot is not None
    [probe] = health.due(slot + 35)  # three more slots have gone by
    health.report(probe, PASS, slot + 35)

    assert health.due(slot + 35) == []
    assert health.next_wakeup() == slot + 40


def test_a_driver_that_slept_is_late_and_no_target_fails() -> None:
    health = one(max_lateness=2)
    [probe] = health.due(0)

    assert health.expire(1_000) == []
    assert health.report(probe, FAIL, 1_000) == []
    assert health.state("a") is State.UNKNOWN
    assert health.ignored == Ignored(late=1, overslept=1)
    assert [p.due for p in health.due(1_000)] == [1_000]  # asked again at once


def test_the_clock_never_runs_backwards_inside() -> None:
    health = one()
    [probe] = health.due(100)
    assert probe.deadline == 103
    assert health.expire(5) == []
    assert health.due(5) == []

    assert health.now == 100


def test_first_probes_are_spread_by_the_golden_ratio() -> None:
    """Whatever part of the window is looked at, it has its share, give or take a few."""
    window, n = 10_000_000, 10_000
    health = Health(HealthPolicy(start_window=window, concurrency=n), salt=7)
    for target in range(n):
        health.add(target, check(2 * window, 2 * window, 1), None, 0)
    starts = sorted(probe.due for probe in health.due(window))

    slices = [sum(i <= s * 1000 // window < i + 10 for s in starts) for i in range(0, 1000, 10)]
    assert starts[0] >= 0
    assert starts[-1] < window
    assert (min(slices) >= 98, max(slices) <= 102) == (True, True)


def test_another_salt_gives_other_moments() -> None:
    def first(salt: int) -> int | None:
        health = Health(HealthPolicy(start_window=10**9), salt=salt)
        health.add("a", HealthCheck(), None, 0)
        return health.next_wakeup()

    assert len({first(salt) for salt in range(20)}) == 20


# --- concurrency ------------------------------------------------------------


def overload(n: int, concurrency: int, end: int) -> tuple[list[Any], Health]:
    """Let every probe run out of time."""
    health = Health(HealthPolicy(start_window=0, concurrency=concurrency))
    for target in range(n):
        health.add(target, check(10, 10, 5), None, 0)
    events: list[Any] = []
    now: int | None = 0
    while now is not None and now < end:
        events += health.expire(now)
        assert health.in_flight + len(health.due(now)) <= concurrency
        now = health.next_wakeup()
    return [event for event in events if isinstance(event, Overloaded)], health


def test_overload_is_told_with_the_effective_interval() -> None:
    [event], health = overload(6, 2, 1_000)

    policy = HealthPolicy(concurrency=2)
    assert event.effective_interval == 15 == effective_interval(check(10, 10, 5), policy, 6)
    assert health.overloaded == 15


def test_what_keeps_up_is_not_overloaded() -> None:
    events, health = overload(4, 2, 1_000)

    assert events == []
    assert health.overloaded is None
    assert effective_interval(check(10, 10, 5), HealthPolicy(concurrency=2), 4) == 10


def test_the_most_overdue_comes_first() -> None:
    health = Health(HealthPolicy(start_window=10, concurrency=2))
    for target in "abcde":
        health.add(target, check(), None, 0)
    probes = []
    for _ in range(3):
        for probe in health.due(50):
            probes.append(probe.due)
            health.report(probe, PASS, 50)

    assert probes[:5] == sorted(probes[:5])


def test_a_probe_of_a_removed_target_keeps_its_place_until_it_ends() -> None:
    health = one(concurrency=1)
    [probe] = health.due(0)
    health.remove("a", 1)
    health.add("a", check(), None, 1)

    assert health.due(1) == []
    assert health.report(probe, PASS, 2) == []
    assert [p.token for p in health.due(2)] == [Token("a", 0, 1)]
    assert health.ignored == Ignored(stale=1)


# --- what decides -----------------------------------------------------------


def test_every_transition_says_what_made_it() -> None:
    health = one(check(10, 4, 3), unhealthy_threshold=2)
    [first] = health.due(0)
    assert health.report(first, FAIL, 0) == []
    now = health.next_wakeup()
    assert now is not None
    [second] = health.due(now)

    assert health.report(second, FAIL, now + 1) == [
        Transition("a", State.UNKNOWN, State.DOWN, Cause.FELL, 2, 0, now + 1, "status 503")
    ]
    assert health.next_wakeup() == now + 4


def test_an_unknown_target_is_served_as_the_policy_says() -> None:
    assert one().is_up("a")
    assert not one(serve_unknown=False).is_up("a")


def test_requests_take_a_target_down_and_the_window_brings_it_back() -> None:
    health = Health()
    health.add("a", None, PassiveHealthCheck(Nanoseconds(10), max_failed_attempts=2), 0)
    assert health.observe("a", False, 1) == []
    assert health.observe("a", False, 11) == []  # the first is out of the window
    [down] = health.observe("a", False, 12)
    assert isinstance(down, Transition)
    assert (down.cause, down.streak) == (Cause.REQUESTS_FAILED, 2)
    assert health.next_wakeup() == 22
    [up] = health.expire(22)

    assert isinstance(up, Transition)
    assert (up.cause, up.after) == (Cause.WINDOW_OVER, State.UP)


def test_a_success_between_failures_forgets_them() -> None:
    health = Health()
    health.add("a", None, PassiveHealthCheck(Nanoseconds(10), 2), 0)
    for ok in (False, True, False):
        assert health.observe("a", ok, 1) == []


def test_with_an_active_check_that_one_decides_recovery() -> None:
    health = one(check(10, 4, 3), PassiveHealthCheck(Nanoseconds(1), 1))
    [probe] = health.due(0)
    health.report(probe, PASS, 0)
    [_] = health.observe("a", False, 1)
    assert health.expire(3) == []
    now = health.next_wakeup()
    assert now is not None
    assert now <= 1 + 4
    [probe] = health.due(now)
    [up] = health.report(probe, PASS, now)

    assert isinstance(up, Transition)
    assert up.cause is Cause.RECOVERED


def test_a_target_without_checks_is_not_down_for_ever() -> None:
    health = one()
    [probe] = health.due(0)
    health.report(probe, FAIL, 0)
    [event] = health.reconfigure("a", None, None, 1)

    assert isinstance(event, Transition)
    assert (event.cause, event.after) == (Cause.UNWATCHED, State.UNKNOWN)
    assert health.next_wakeup() is None


def test_another_question_keeps_the_state_and_other_times_keep_the_streak() -> None:
    health = one(unhealthy_threshold=3)
    [probe] = health.due(0)
    health.report(probe, FAIL, 0)
    health.reconfigure("a", check(5, 5, 2), None, 1)
    assert health._records["a"].streak == 1
    health.reconfigure("a", check(5, 5, 2, path="/other"), None, 1)

    assert (health._records["a"].streak, health._records["a"].generation) == (0, 1)
    assert health.state("a") is State.UNKNOWN


def test_changes_without_end_do_not_keep_probes_from_being_made() -> None:
    health = Health(HealthPolicy(start_window=10))
    health.add("a", check(), None, 0)
    for now in range(1, 40):
        health.reconfigure("a", check(path=f"/{now}"), None, now)
        for probe in health.due(now):
            health.report(probe, PASS, now)

    assert health.state("a") is State.UP


# --- refusals ---------------------------------------------------------------


def test_what_is_refused_changes_nothing() -> None:
    health = one()
    [probe] = health.due(5)
    before = pickle.dumps(health)
    other = probe._replace(token=Token("a", 0, 99))
    for error, call in (
        (DuplicateTarget, lambda: health.add("a", None, None, 99)),
        (UnknownTarget, lambda: health.remove("b", 99)),
        (UnknownTarget, lambda: health.state("b")),
        (UnknownTarget, lambda: health.observe("b", True, 99)),
        (UnknownTarget, lambda: health.reconfigure("b", None, None, 99)),
        (ValueError, lambda: health.add("b", check(-1), None, 99)),
        (ValueError, lambda: health.reconfigure("a", check(1, 1, -1), None, 99)),
        (ValueError, lambda: health.add("b", None, PassiveHealthCheck(-1), 99)),
        (ValueError, lambda: health.report(other, PASS, 99)),
        (TypeError, lambda: health.report(probe, "pass", 99)),  # type: ignore[arg-type]
        (TypeError, lambda: health.report(probe, PASS, 9.5)),  # type: ignore[arg-type]
        (TypeError, lambda: health.due(True)),
        (TypeError, lambda: health.expire("now")),  # type: ignore[arg-type]
        (TypeError, lambda: health.remove("a", None)),  # type: ignore[arg-type]
    ):
        with pytest.raises(error):
            call()

    assert pickle.dumps(health) == before


@pytest.mark.parametrize(
    "wrong",
    [
        {"healthy_threshold": 0},
        {"unhealthy_threshold": 0},
        {"concurrency": 0},
        {"start_window": -1},
        {"max_lateness": -1},
    ],
)
def test_a_policy_must_make_sense(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=next(iter(wrong))):
        HealthPolicy(**wrong)


def test_a_policy_is_of_whole_numbers() -> None:
    with pytest.raises(TypeError):
        HealthPolicy(start_window=0.5)  # type: ignore[arg-type]


# --- the table --------------------------------------------------------------


def test_the_table_has_every_state_and_leads_only_to_states() -> None:
    assert list(TRANSITIONS) == list(State)
    assert {cause for row in TRANSITIONS.values() for cause in row} == set(Cause)


def grouped() -> dict[tuple[str, str], list[str]]:
    """Give the table as a picture shows it: one arrow for each way, with all that leads there."""
    arrows: dict[tuple[str, str], list[str]] = {}
    for before, row in TRANSITIONS.items():
        for cause, after in row.items():
            arrows.setdefault((before.value, after.value), []).append(cause.value)
    return arrows


def picture() -> ET.Element:
    path = Path(__file__).parent.parent / "docs" / "_static" / "states.svg"
    return ET.fromstring(path.read_text(encoding="utf-8"))  # noqa: S314 - our own file


def part(of: ET.Element, tag: str) -> ET.Element:
    [found] = of.findall(f"{SVG}{tag}")
    return found


def words(of: ET.Element) -> str:
    return " ".join("".join(of.itertext()).split())


def test_the_picture_has_the_arrows_of_the_table() -> None:
    arrows = picture().findall(f"{SVG}g[@class='leads']")
    shown = [
        ((a.attrib["data-from"], a.attrib["data-to"]), words(part(a, "text")).split(", "))
        for a in arrows
    ]

    assert shown == list(grouped().items())


def test_an_arrow_of_the_picture_goes_from_the_edge_of_its_state_to_that_of_the_next() -> None:
    boxes = {}
    for state in picture().findall(f"{SVG}g[@data-state]"):
        rect = part(state, "rect").attrib
        boxes[words(part(state, "text"))] = [int(rect[k]) for k in ("x", "y", "width", "height")]
        assert words(part(state, "text")) == state.attrib["data-state"]

    def on_the_edge(point: tuple[int, int], name: str) -> bool:
        x, y = point[0] - boxes[name][0], point[1] - boxes[name][1]
        width, height = boxes[name][2:]
        upright = x in {0, width} and 0 <= y <= height
        return upright or (y in {0, height} and 0 <= x <= width)

    assert list(boxes) == [state.value for state in State]
    for arrow in picture().findall(f"{SVG}g[@class='leads']"):
        first, last = ends(part(arrow, "path").attrib["d"])
        assert on_the_edge(first, arrow.attrib["data-from"]), arrow.attrib
        assert on_the_edge(last, arrow.attrib["data-to"]), arrow.attrib


def ends(path: str) -> tuple[tuple[int, int], tuple[int, int]]:
    """Read where a path begins and ends. All its steps are absolute: M, L, C, H or V."""
    x, y = 0, 0
    points = []
    for step, numbers in re.findall(r"([MLCHV])([\d ]+)", path):
        given = [int(number) for number in numbers.split()]
        x = given[0] if step == "H" else x if step == "V" else given[-2]
        y = given[0] if step == "V" else y if step == "H" else given[-1]
        points.append((x, y))
    return points[0], points[-1]


def test_the_picture_says_in_words_what_it_shows() -> None:
    root = picture()
    told = [
        f"From {before} to {after}: {', '.join(causes)}."
        for (before, after), causes in grouped().items()
    ]

    assert words(part(root, "desc")) == " ".join(told)
    assert root.attrib["role"] == "img"
    named = root.attrib["aria-labelledby"].split()
    assert named == [part(root, tag).attrib["id"] for tag in ("title", "desc")]


def test_the_page_shows_the_picture() -> None:
    page = (Path(__file__).parent.parent / "docs" / "health.md").read_text(encoding="utf-8")

    assert "](_static/states.svg)" in page


# Staying out long enough


def test_a_passing_probe_does_not_end_a_passive_ejection_before_its_window() -> None:
    health = one(check(10, 4, 3), PassiveHealthCheck(Nanoseconds(30), 1))
    [probe] = health.due(0)
    health.report(probe, Outcome.PASS, 0)
    [event] = health.observe("a", ok=False, now=5)
    assert isinstance(event, Transition)
    assert event.cause is Cause.REQUESTS_FAILED
    for now in range(5, 200):
        for probe in health.due(now):
            for event in health.report(probe, Outcome.PASS, now):
                assert event.cause is Cause.RECOVERED  # type: ignore[union-attr]
                assert 35 <= now < 35 + 4
                return
    raise AssertionError("it never came back")


def downs_of(policy: HealthPolicy, until: int) -> list[tuple[int, int]]:
    """When a target that passes for 5 after each recovery, and then fails once, is down."""
    health = Health(policy)
    health.add("a", check(1, 1, 1), None, 0)
    spans, up_since, down_since = [], 0, None
    for now in range(until):
        health.expire(now)
        for probe in health.due(now):
            fails = down_since is None and now - up_since >= 5
            for event in health.report(probe, Outcome.fail("x") if fails else Outcome.PASS, now):
                if isinstance(event, Transition) and event.after is State.DOWN:
                    down_since = now
                elif isinstance(event, Transition) and down_since is not None:
                    spans.append((down_since, now))
                    up_since, down_since = now, None
    return spans


def test_a_hold_down_doubles_with_each_fall_up_to_its_most() -> None:
    policy = HealthPolicy(start_window=0, hold_down=Nanoseconds(10), max_hold_down=Nanoseconds(50))

    assert [end - begin for begin, end in downs_of(policy, 400)][:5] == [10, 20, 40, 50, 50]


def test_a_hold_down_is_forgiven_by_time_up() -> None:
    policy = HealthPolicy(start_window=0, hold_down=Nanoseconds(2), max_hold_down=Nanoseconds(4))
    # It is up for 5 each time: one level is forgiven, one is added.

    assert {end - begin for begin, end in downs_of(policy, 100)} == {2}


def test_without_a_hold_down_the_first_pass_brings_a_target_back() -> None:
    assert {end - begin for begin, end in downs_of(HealthPolicy(start_window=0), 100)} == {1}


def test_a_failure_rate_takes_a_target_down_once_there_are_enough_requests() -> None:
    policy = HealthPolicy(
        start_window=0, failure_rate=50, rate_minimum=10, rate_window=Nanoseconds(100)
    )
    health = Health(policy)
    health.add("a", check(1000, 1000, 1), None, 0)
    fallen = [n for n in range(12) if health.observe("a", ok=n % 2 == 0, now=n)]

    assert fallen == [9]  # the tenth request: five of ten have failed


def test_a_failure_rate_forgets_what_has_left_its_window() -> None:
    policy = HealthPolicy(
        start_window=0, failure_rate=50, rate_minimum=4, rate_window=Nanoseconds(100)
    )
    health = Health(policy)
    health.add("a", check(1000, 1000, 1), None, 0)
    for now in (0, 1, 2):
        assert not health.observe("a", ok=False, now=now)
    assert not health.observe("a", ok=False, now=100)
    for now in (150, 151):
        assert not health.observe("a", ok=False, now=now)
    assert health.observe("a", ok=False, now=152)


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"hold_down": -1}, "hold_down must be at least 0, got -1"),
        ({"hold_down": 1.5}, "hold_down must be a duration like .*, got 1.5"),
        ({"failure_rate": 101}, "failure_rate must be an integer from 0 to 100, got 101"),
        ({"failure_rate": "40%"}, "failure_rate must be an integer from 0 to 100, got '40%'"),
        ({"rate_minimum": 0}, "rate_minimum must be an integer of at least 1, got 0"),
        ({"max_ejected": -1}, "max_ejected must be an integer from 0 to 100, got -1"),
        ({"concurrency": True}, "concurrency must be an integer of at least 1, got True"),
        ({"start_window": "soon"}, "invalid duration 'soon'"),
        ({"rate_window": True}, "rate_window must be a duration like .*, got True"),
        ({"serve_unknown": 1}, "serve_unknown must be of class bool, got 1"),
        ({"retry_budget": 5}, "retry_budget must be of class RetryBudget, got 5"),
    ],
)
def test_a_wrong_policy_is_refused(fields: dict[str, Any], message: str) -> None:
    with pytest.raises((TypeError, ValueError), match=f"^{message}"):
        HealthPolicy(**fields)


def test_bounds_include_what_holds_a_target_down() -> None:
    policy = HealthPolicy(hold_down="10s", max_hold_down="1m")
    passive = PassiveHealthCheck(failure_window="2m")
    plain = recovery_bound(HealthCheck(), HealthPolicy())

    assert recovery_bound(HealthCheck(), policy) == plain + 60 * 10**9
    assert recovery_bound(HealthCheck(), policy, passive) == plain + 120 * 10**9
