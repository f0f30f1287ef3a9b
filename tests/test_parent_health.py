"""The parent takes failing children out and brings them back: driven by hand, in virtual time."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable

import pytest

from uplinks import (
    Advertisement,
    HealthCheck,
    HealthPolicy,
    NoEligibleTarget,
    Outcome,
    Parent,
    ParentConfig,
    PassiveHealthCheck,
    Probe,
    Transition,
)
from uplinks.errors import InvalidAddress, UnknownService
from uplinks.health import Cause, State, detection_bound, recovery_bound
from uplinks.model import Child
from uplinks.parent import Endpoint, EventStream

SECOND = 1_000_000_000
CHECK = HealthCheck(path="/health", interval=10 * SECOND, timeout=3 * SECOND)
PASSIVE = PassiveHealthCheck(failure_window=4 * SECOND, max_failed_attempts=2)
EU, US = "https://eu.example.com:9443", "https://us.example.com:9443"
FAILED = Outcome.fail("status 503")


def parent_of(start_window: int = SECOND) -> Parent:
    children = {"eu": Child(EU), "us": Child(US)}
    return Parent(ParentConfig(children), policy=HealthPolicy(start_window=start_window))


def api(
    check: HealthCheck | None = CHECK,
    passive: PassiveHealthCheck | None = None,
    name: str = "api",
    weight: int = 1,
) -> Advertisement:
    return Advertisement(
        name,
        f"apps/{name}",
        ["multicluster"],
        weight=weight,
        health_check=check,
        passive_health_check=passive,
    )


def answers(fails: Callable[[Probe, int], bool]) -> Callable[[Probe, int], Outcome]:
    return lambda probe, now: FAILED if fails(probe, now) else Outcome.PASS


def drive(parent: Parent, until: int, answer: Callable[[Probe, int], Outcome]) -> list[Probe]:
    """Do what a driver does, each answer at once, up to and including a moment."""
    asked: list[Probe] = []
    while (wakeup := parent.next_wakeup()) is not None and wakeup <= until:
        now = max(wakeup, parent.now)
        for probe in parent.due(now):
            asked.append(probe)
            parent.report(probe, answer(probe, now), now)
    return asked


def shares(parent: Parent, name: str = "api@multicluster", picks: int = 100) -> dict[str, int]:
    picked = [target.child for target in parent.selector(name).pick_many(picks)]
    return {child: picked.count(child) for child in dict.fromkeys(picked)}


def endpoint(event: object) -> Endpoint:
    assert isinstance(event, Transition | Probe)
    assert isinstance(event.target, Endpoint)
    return event.target


def transitions(parent: Parent) -> list[tuple[str, State, Cause]]:
    events = [e for e in parent.events.drain() if isinstance(e, Transition)]
    return [(endpoint(e).url, e.after, e.cause) for e in events]


def test_a_failing_child_is_taken_out_and_comes_back_within_the_bounds() -> None:
    parent = parent_of(start_window=0)
    for child in ("eu", "us"):
        parent.advertise(child, [api(weight=90 if child == "eu" else 10)], now=0)
    fell, rose = 25 * SECOND, 61 * SECOND
    drive(parent, fell - 1, answers(lambda *_: False))
    assert shares(parent) == {"eu": 90, "us": 10}
    assert transitions(parent) == [
        (EU, State.UNKNOWN, Cause.ADDED),
        (US, State.UNKNOWN, Cause.ADDED),
        (EU, State.UP, Cause.PASSED),
        (US, State.UP, Cause.PASSED),
    ]

    answer = answers(lambda probe, now: endpoint(probe).url == EU and fell <= now < rose)
    drive(parent, rose - 1, answer)
    assert shares(parent) == {"us": 100}
    [down] = parent.events.drain()
    assert isinstance(down, Transition)
    assert (endpoint(down).url, down.after, down.reason) == (EU, State.DOWN, "status 503")
    assert down.at - fell <= detection_bound(CHECK, parent.policy)
    assert parent.services_at(endpoint(down)) == ("api-eu@multicluster",)

    drive(parent, rose + recovery_bound(CHECK, parent.policy), answer)
    [up] = parent.events.drain()
    assert isinstance(up, Transition)
    assert (up.after, up.cause, up.streak) == (State.UP, Cause.RECOVERED, 1)
    assert shares(parent) == {"eu": 90, "us": 10}


def test_a_probe_without_an_answer_fails_at_its_deadline_to_the_nanosecond() -> None:
    parent = parent_of(start_window=0)
    parent.advertise("eu", [api()], now=0)
    [probe] = parent.due(0)
    assert (probe.deadline, parent.next_wakeup()) == (3 * SECOND, 3 * SECOND)
    parent.due(3 * SECOND - 1)
    assert parent.is_up("api-eu@multicluster")
    parent.due(3 * SECOND)
    assert not parent.is_up("api-eu@multicluster")


def test_an_answer_at_the_deadline_counts() -> None:
    parent = parent_of(start_window=0)
    parent.advertise("eu", [api()], now=0)
    [probe] = parent.due(0)
    parent.report(probe, Outcome.PASS, probe.deadline)
    assert parent.is_up("api-eu@multicluster")
    assert parent.ignored.late == 0


def test_services_that_share_address_and_checks_are_probed_once() -> None:
    parent = parent_of(start_window=0)
    parent.advertise("eu", [api(name=f"api-{i}") for i in range(50)], now=0)
    [probe] = parent.due(0)
    assert probe.target == Endpoint(EU, CHECK)
    assert len(parent.services_at(endpoint(probe))) == 50
    parent.report(probe, FAILED, 1)
    assert not any(parent.is_up(f"api-{i}-eu@multicluster") for i in range(50))
    assert len(transitions(parent)) == 2


def test_a_selector_made_later_knows_who_is_down() -> None:
    parent = parent_of(start_window=0)
    parent.advertise("eu", [api()], now=0)
    parent.report(parent.due(0)[0], FAILED, 1)
    with pytest.raises(NoEligibleTarget):
        parent.selector("api@multicluster").pick()


def test_a_service_without_a_check_is_always_up() -> None:
    parent = parent_of()
    parent.advertise("eu", [api(check=None)], now=0)
    assert parent.next_wakeup() is None
    assert parent.is_up("api-eu@multicluster")


def test_the_same_offer_again_keeps_the_probe_under_way() -> None:
    parent = parent_of(start_window=0)
    parent.advertise("eu", [api()], now=0)
    [probe] = parent.due(0)
    parent.advertise("eu", [api()], now=1)
    assert parent.next_wakeup() == probe.deadline
    parent.report(probe, FAILED, 2)
    assert not parent.is_up("api-eu@multicluster")


def test_another_check_keeps_the_state_and_asks_anew() -> None:
    parent = parent_of(start_window=0)
    parent.advertise("eu", [api()], now=0)
    parent.report(parent.due(0)[0], FAILED, 1)
    other = HealthCheck(path="/ready", interval=10 * SECOND)
    parent.advertise("eu", [api(check=other)], now=2)
    assert not parent.is_up("api-eu@multicluster")
    [probe] = parent.due(2)
    assert probe.check == other
    parent.report(probe, Outcome.PASS, 3)
    assert parent.is_up("api-eu@multicluster")


def test_a_service_that_leaves_its_fellows_takes_their_state_along() -> None:
    parent = parent_of(start_window=0)
    parent.advertise("eu", [api(name="a"), api(name="b"), api(name="c")], now=0)
    parent.report(parent.due(0)[0], FAILED, 1)
    other = HealthCheck(path="/ready", interval=10 * SECOND)
    third = HealthCheck(path="/third", interval=10 * SECOND)
    parent.advertise("eu", [api(name="a"), api(other, name="b"), api(third, name="c")], now=2)
    assert not any(parent.is_up(f"{name}-eu@multicluster") for name in "abc")
    asked = parent.due(2)
    assert {probe.check.path for probe in asked} == {"/ready", "/third"}
    for probe in asked:
        parent.report(probe, Outcome.PASS, 3)
    assert [parent.is_up(f"{name}-eu@multicluster") for name in "abc"] == [False, True, True]
    parent._engine.watch.health._check()


def test_all_fellows_leaving_for_two_checks_take_their_state_along() -> None:
    parent = parent_of(start_window=0)
    parent.advertise("eu", [api(name="a"), api(name="b")], now=0)
    parent.report(parent.due(0)[0], FAILED, 1)
    parent.advertise(
        "eu",
        [api(HealthCheck(path="/1"), name="a"), api(HealthCheck(path="/2"), name="b")],
        now=2,
    )
    assert not any(parent.is_up(f"{name}-eu@multicluster") for name in "ab")
    parent._engine.watch.health._check()


def test_a_withdrawn_service_leaves_nothing_behind() -> None:
    parent = parent_of(start_window=0)
    parent.advertise("eu", [api()], now=0)
    [probe] = parent.due(0)
    parent.withdraw("eu", now=1)
    parent.report(probe, FAILED, 2)
    assert parent.ignored.stale == 1
    assert parent.next_wakeup() is None
    assert transitions(parent)[-1] == (EU, State.GONE, Cause.REMOVED)


def test_set_up_and_the_checks_must_both_agree() -> None:
    parent = parent_of(start_window=0)
    parent.advertise("eu", [api()], now=0)
    parent.set_up("eu", False, now=0)
    parent.report(parent.due(0)[0], Outcome.PASS, 1)
    assert not parent.is_up("api-eu@multicluster")
    parent.set_up("eu", True, now=2)
    assert shares(parent) == {"eu": 100}
    parent.report(parent.due(10 * SECOND)[0], FAILED, 10 * SECOND)
    parent.set_up("eu", True, now=11 * SECOND)
    assert not parent.is_up("api-eu@multicluster")


def test_a_refused_offer_changes_nothing_not_even_the_time() -> None:
    parent = parent_of(start_window=0)
    parent.advertise("eu", [api()], now=0)
    before = (parent.services, parent.next_wakeup(), len(parent.events))
    with pytest.raises(ValueError, match="above 0"):
        parent.advertise("eu", [api(HealthCheck(interval=-1))], now=5)
    assert (parent.services, parent.next_wakeup(), len(parent.events)) == before
    assert parent.now == 0


# Requests as a check


def test_failed_leases_take_a_child_out_until_the_window_is_over() -> None:
    parent = parent_of()
    parent.advertise("eu", [api(None, PASSIVE)], now=0)
    moment = 100
    parent.due(moment)
    for _ in range(2):
        with pytest.raises(ConnectionError), parent.lease("api@multicluster"):
            raise ConnectionError
    with pytest.raises(NoEligibleTarget), parent.lease("api@multicluster"):
        raise AssertionError
    assert parent.next_wakeup() == moment + PASSIVE.failure_window
    parent.due(moment + PASSIVE.failure_window)
    assert shares(parent) == {"eu": 100}


def test_after_failed_requests_only_an_active_check_brings_a_child_back() -> None:
    parent = parent_of(start_window=0)
    parent.advertise("eu", [api(CHECK, PASSIVE)], now=0)
    parent.report(parent.due(0)[0], Outcome.PASS, 0)
    for now in (1, 2):
        parent.observe("api-eu@multicluster", ok=False, now=now)
    assert not parent.is_up("api-eu@multicluster")
    [probe] = parent.due(9 * SECOND)  # long after the passive check's window
    assert not parent.is_up("api-eu@multicluster")
    parent.report(probe, Outcome.PASS, 9 * SECOND)
    assert parent.is_up("api-eu@multicluster")


@pytest.mark.parametrize(
    "problem", [asyncio.CancelledError, KeyboardInterrupt, GeneratorExit, ValueError]
)
def test_an_exception_that_is_no_failure_of_the_child_does_not_count(
    problem: type[BaseException],
) -> None:
    parent = parent_of()
    parent.advertise("eu", [api(None, PassiveHealthCheck())], now=0)
    with pytest.raises(problem), parent.lease("api@multicluster"):
        raise problem
    assert parent.is_up("api-eu@multicluster")


def test_a_lease_can_be_overruled() -> None:
    parent = parent_of()
    parent.advertise("eu", [api(None, PassiveHealthCheck())], now=0)
    lease = parent.lease("api@multicluster")
    for say in (lease.succeed, lease.ignore):
        with contextlib.suppress(TimeoutError), lease:
            say()
            raise TimeoutError
        assert parent.is_up("api-eu@multicluster")
    with lease:
        lease.fail()
    assert not parent.is_up("api-eu@multicluster")


def test_a_lease_is_for_one_request_at_a_time() -> None:
    parent = parent_of()
    parent.advertise("eu", [api()], now=0)
    lease = parent.lease("api@multicluster")
    with lease, pytest.raises(RuntimeError, match="in use"), lease:
        raise AssertionError
    with lease:
        assert (lease.child, lease.url) == ("eu", lease.target.url)


def test_a_request_to_a_service_that_is_gone_since_is_no_news() -> None:
    parent = parent_of()
    parent.advertise("eu", [api(None, PassiveHealthCheck())], now=0)
    lease = parent.lease("api@multicluster")
    with lease:
        parent.withdraw("eu", now=1)
        lease.fail()
    with pytest.raises(UnknownService):
        parent.observe("api-eu@multicluster", ok=False, now=2)


# Events


def test_the_stream_counts_what_it_drops() -> None:
    stream = EventStream(room=3)
    transition = Transition("a", State.UP, State.DOWN, Cause.FELL, 1, 0, 5)
    for _ in range(5):
        stream.append(transition)
    assert (len(stream), stream.dropped) == (3, 2)
    assert stream.drain() == [transition] * 3
    assert (len(stream), stream.dropped) == (0, 2)


def test_a_child_that_moves_while_it_is_probed_is_unknown_again() -> None:
    parent = Parent(ParentConfig({"eu": Child("https://eu.example.com")}))
    check = HealthCheck(path="/health")
    parent.advertise("eu", [Advertisement("api", "apps/api", ["m"], health_check=check)], 0)
    selector = parent.selector("api@multicluster")
    [probe] = parent.due(SECOND)
    parent.report(probe, Outcome.fail("no"), SECOND)
    [again] = parent.due(parent.next_wakeup() or 0)
    assert not selector.eligible

    parent.reload(ParentConfig({"eu": Child("https://eu.example.org")}), parent.now)

    assert selector.pick().url == "https://eu.example.org"
    parent.report(again, Outcome.fail("no"), parent.now)
    assert parent.is_up("api-eu@multicluster")
    assert parent.ignored.stale == 1


def test_a_list_that_is_refused_changes_nothing() -> None:
    config = ParentConfig({"eu": Child("https://eu.example.com")})
    parent = Parent(config)
    parent.advertise("eu", [Advertisement("api", "apps/api", ["m"])], 0)

    with pytest.raises(InvalidAddress):
        parent.reload(ParentConfig({"eu": Child("eu"), "us": Child("https://us")}), 1)

    assert (parent.config, len(parent.services)) == (config, 2)


def panicking(threshold: int) -> Parent:
    """Four children with a check, of the weights 3, 2, 1 and 0; none has been asked yet."""
    children = {name: Child(f"https://{name}.example.com") for name in "abcd"}
    policy = HealthPolicy(panic_threshold=threshold, start_window=0)
    parent = Parent(ParentConfig(children), policy=policy)
    for name, weight in zip("abcd", (3, 2, 1, 0), strict=True):
        offer = Advertisement("api", "apps/api", ["m"], weight=weight, health_check=CHECK)
        parent.advertise(name, [offer], 0)
    return parent


def ask_all(parent: Parent, *failing: str) -> None:
    """Let each of the four be asked once."""
    asked = 0
    while asked < 4:
        wakeup = parent.next_wakeup()
        assert wakeup is not None
        for probe in parent.due(wakeup):
            assert isinstance(probe.target, Endpoint)
            fails = probe.target.url.removeprefix("https://")[0] in failing
            parent.report(probe, FAILED if fails else Outcome.PASS, parent.now)
            asked += 1


@pytest.mark.parametrize("asked_first", [True, False])
@pytest.mark.parametrize(
    ("threshold", "down", "expected"),
    [
        (0, "ab", {"c": 60}),
        (33, "ab", {"c": 60}),  # a third is not below 33 %
        (34, "ab", {"a": 30, "b": 20, "c": 10}),
        (34, "a", {"b": 40, "c": 20}),
        (100, "c", {"a": 30, "b": 20, "c": 10}),
        (100, "d", {"a": 30, "b": 20, "c": 10}),
        (1, "abc", {"a": 30, "b": 20, "c": 10}),
    ],
)
def test_while_too_few_are_up_all_are_picked(
    threshold: int, down: str, expected: dict[str, int], *, asked_first: bool
) -> None:
    parent = panicking(threshold)
    if asked_first:
        assert shares(parent, picks=60) == {"a": 30, "b": 20, "c": 10}

    ask_all(parent, *down)

    assert shares(parent, picks=60) == expected
    assert [parent.is_up(f"api-{name}@multicluster") for name in down] == [False] * len(down)
    ask_all(parent)
    assert shares(parent, picks=60) == {"a": 30, "b": 20, "c": 10}


def test_a_panic_never_picks_a_held_out_target() -> None:
    parent = panicking(50)
    ask_all(parent, "a", "b", "c")

    parent.set_up("a", False, parent.now)

    assert shares(parent, picks=60) == {"b": 40, "c": 20}


def test_a_panic_follows_what_is_offered() -> None:
    parent = panicking(50)
    ask_all(parent, "a", "b")
    assert shares(parent, picks=60) == {"a": 30, "b": 20, "c": 10}

    parent.withdraw("a", parent.now)  # one of two is up: not below 50 %

    assert shares(parent, picks=60) == {"c": 60}


@pytest.mark.parametrize("threshold", [-1, 101])
def test_a_panic_threshold_is_a_percentage(threshold: int) -> None:
    with pytest.raises(ValueError, match="panic_threshold"):
        HealthPolicy(panic_threshold=threshold)


# Very many services, very many targets


def test_selectors_of_very_many_services_follow_in_steps() -> None:
    parent = parent_of(start_window=0)
    offers = [api(name=f"uplink-{i}") for i in range(2_500)]
    parent.advertise("eu", offers, now=0)
    selectors = [parent.selector(f"uplink-{i}@multicluster") for i in range(2_500)]
    parent.report(parent.due(0)[0], Outcome.fail("no"), 0)
    assert not parent.is_up("uplink-2499-eu@multicluster")

    steps = 0
    while parent.next_wakeup() == 0:
        steps += 1
        assert parent.due(0) == []
    assert 2 <= steps <= 5
    assert not any(selector.eligible for selector in selectors)


def test_a_driver_may_start_fewer_probes_at_once() -> None:
    config = ParentConfig({f"c{i}": Child(f"https://c{i}.example.com") for i in range(10)})
    parent = Parent(config, policy=HealthPolicy(start_window=0))
    parent.advertise_all({child: [api()] for child in config.children}, now=0)

    started = [parent.due(0, most=4) for _ in range(4)]

    assert [len(probes) for probes in started] == [4, 4, 2, 0]
    assert len({probe.target for probes in started for probe in probes}) == 10
