"""Leases and attempts: what they pick, what they report, and when they go on."""

from __future__ import annotations

import gc
import json
import pickle
from collections import Counter

import pytest

from uplinks import (
    HealthCheck,
    HealthPolicy,
    NoEligibleTarget,
    Outcome,
    Parent,
    PassiveHealthCheck,
)
from uplinks.health import FailureClassifier, RetryBudget, Transition
from uplinks.parent import Lease

PASSIVE = PassiveHealthCheck(failure_window="10s", max_failed_attempts=2)
CHILDREN = {"eu": "https://eu", "us": "https://us", "za": "https://za"}


def parent_of(passive: PassiveHealthCheck | None = PASSIVE, **policy: object) -> Parent:
    return Parent.of(
        CHILDREN,
        passive_health_check=passive,
        policy=HealthPolicy(**policy),  # type: ignore[arg-type]
    )


def is_up(parent: Parent, child: str) -> bool:
    return parent.is_up(f"default-{child}@multicluster")


def reasons(parent: Parent) -> list[str]:
    events = parent.events.drain()
    return [e.reason for e in events if isinstance(e, Transition) and e.after == "down"]


def fail(parent: Parent, child: str, times: int) -> None:
    others = [t for t in parent.selector().weights if t.child != child]
    for _ in range(times):
        with parent.lease(exclude=others) as lease:
            lease.status(503)


def test_a_status_is_judged_by_the_policy() -> None:
    parent = parent_of()

    with parent.lease() as lease:
        lease.status(404)
        assert lease.failed is False
    fail(parent, "us", 2)

    assert [is_up(parent, child) for child in CHILDREN] == [True, False, True]
    assert reasons(parent) == ["status 503"]


def test_a_clients_fault_never_takes_a_child_out() -> None:
    class NotFound(Exception):
        status_code = 404

    parent = parent_of(PassiveHealthCheck(max_failed_attempts=1))
    for _ in range(9):
        with pytest.raises(NotFound), parent.lease():
            raise NotFound

    assert all(is_up(parent, child) for child in CHILDREN)


def test_a_failure_may_have_a_reason_of_its_own() -> None:
    parent = parent_of(PassiveHealthCheck(max_failed_attempts=1))
    with parent.lease() as lease:
        lease.fail("checksum")

    assert lease.failed is True
    assert reasons(parent) == ["checksum"]


def test_a_success_clears_the_failures_before_it() -> None:
    parent = parent_of()
    for _ in range(3):
        fail(parent, "eu", 1)
        with parent.lease(exclude=[t for t in parent.selector().weights if t.child != "eu"]):
            pass

    assert is_up(parent, "eu")
    fail(parent, "eu", 2)
    assert not is_up(parent, "eu")


def test_a_lease_excludes_no_names() -> None:
    parent = Parent.of({"eu": "https://eu", "us": "https://us"})

    for names in ("eu", ["eu"], iter(["eu"])):
        with pytest.raises(TypeError, match=r"exclude must be a list of targets, such as \[lease"):
            parent.lease(exclude=names)  # type: ignore[arg-type]


def test_a_lease_excludes_targets() -> None:
    parent = parent_of()
    eu, us, za = sorted(parent.selector().weights, key=lambda t: list(CHILDREN).index(t.child))

    picked = Counter()  # type: ignore[var-annotated]
    for _ in range(6):
        with parent.lease(exclude=[eu, us]) as lease:
            picked[lease.child] += 1

    assert picked == {"za": 6}
    with pytest.raises(NoEligibleTarget), parent.lease(exclude=[eu, us, za]):
        raise AssertionError


def test_a_lease_is_made_by_a_parent() -> None:
    with pytest.raises(TypeError, match=r"made by Parent\.lease"):
        Lease()
    with pytest.raises(RuntimeError, match="not in use"):
        parent_of().lease().__exit__(None, None, None)


def test_active_leases_are_counted_and_abandoned_ones_are_not() -> None:
    parent = parent_of()
    with parent.lease() as one, parent.lease() as other:
        assert {one.child, other.child} == {"eu", "us"}
        assert [parent.in_flight(child) for child in CHILDREN] == [1, 1, 0]
    assert parent.in_flight("eu") == 0

    abandoned = parent.lease()
    abandoned.__enter__()
    assert sum(map(parent.in_flight, CHILDREN)) == 1
    del abandoned
    gc.collect()
    assert sum(map(parent.in_flight, CHILDREN)) == 0


# Attempts


def test_an_attempt_that_fails_is_followed_by_one_on_another_child() -> None:
    parent = parent_of()
    tried = []
    for attempt in parent.attempts(retries=2):
        with attempt:
            tried.append(attempt.child)
            raise ConnectionError
        if attempt.last:
            break

    assert tried[:2] == ["eu", "us"]


def test_the_last_exception_is_raised() -> None:
    tried = []
    with pytest.raises(TimeoutError, match="za"):  # noqa: PT012 - the loop raises
        for attempt in parent_of().attempts(retries=2):
            with attempt:
                tried.append(attempt.child)
                raise TimeoutError(attempt.child)

    assert tried == ["eu", "us", "za"]


def test_a_failing_status_is_followed_too_and_a_success_ends_it() -> None:
    answers = {"eu": 503, "us": 200}
    tried = []
    for attempt in parent_of().attempts():
        with attempt:
            attempt.status(answers[attempt.child])
            tried.append((attempt.number, attempt.child, attempt.url))

    assert tried == [(1, "eu", "https://eu"), (2, "us", "https://us")]


def test_there_are_no_more_attempts_than_children_or_retries() -> None:
    def attempts(retries: int) -> int:
        count = 0
        for attempt in parent_of().attempts(retries=retries):
            with attempt:
                count += 1
                attempt.fail()
        return count

    assert [attempts(retries) for retries in (0, 1, 2, 9)] == [1, 2, 3, 3]
    with pytest.raises(ValueError, match="retries must be an integer of at least 0, got -1"):
        parent_of().attempts(retries=-1)


def test_an_exception_that_is_no_failure_is_raised_at_once() -> None:
    attempts = 0
    with pytest.raises(ValueError, match="mine"):  # noqa: PT012 - the loop raises
        for attempt in parent_of().attempts():
            with attempt:
                attempts += 1
                raise ValueError("mine")

    assert attempts == 1


def test_without_an_eligible_child_there_is_no_attempt() -> None:
    parent = parent_of()
    for child in CHILDREN:
        parent.set_up(child, False, 1)

    with pytest.raises(NoEligibleTarget):
        next(parent.attempts())


def test_a_retry_needs_budget() -> None:
    parent = parent_of(None, retry_budget=RetryBudget(percent=0, minimum=3))

    def attempts() -> int:
        count = 0
        for attempt in parent.attempts(retries=2):
            with attempt:
                count += 1
                attempt.fail()
        return count

    assert [attempts() for _ in range(3)] == [3, 2, 1]


def test_attempts_report_each_child() -> None:
    parent = parent_of(PassiveHealthCheck(max_failed_attempts=1))
    for attempt in parent.attempts():
        with attempt:
            attempt.status(200 if attempt.child == "za" else 500)

    assert [is_up(parent, child) for child in CHILDREN] == [False, False, True]


def test_a_policy_decides_what_an_attempt_repeats() -> None:
    parent = parent_of(failures=FailureClassifier(statuses=[429]))
    statuses = iter([429, 503])
    seen = []
    for attempt in parent.attempts():
        with attempt:
            seen.append(next(statuses))
            attempt.status(seen[-1])

    assert seen == [429, 503]


# Limits of ejections


def test_at_most_a_share_of_the_targets_is_ejected_by_requests() -> None:
    parent = parent_of(PassiveHealthCheck(max_failed_attempts=1), max_ejected=34)

    fail(parent, "eu", 1)
    fail(parent, "us", 1)

    assert [is_up(parent, child) for child in CHILDREN] == [False, False, True]
    assert {t.child for t in parent.selector().pick_many(6)} == {"us", "za"}


def test_one_target_may_always_be_ejected() -> None:
    parent = parent_of(PassiveHealthCheck(max_failed_attempts=1), max_ejected=0)

    fail(parent, "eu", 1)

    assert {t.child for t in parent.selector().pick_many(6)} == {"us", "za"}


def test_a_failure_rate_counts_successes_of_leases() -> None:
    parent = parent_of(PassiveHealthCheck(max_failed_attempts=99), failure_rate=50, rate_minimum=4)
    others = [t for t in parent.selector().weights if t.child != "eu"]
    for status in (200, 200, 503):
        with parent.lease(exclude=others) as lease:
            lease.status(status)
    assert is_up(parent, "eu")

    with parent.lease(exclude=others) as lease:
        lease.status(503)

    assert not is_up(parent, "eu")


# The state as data


def test_the_state_says_what_is_out_why_and_since_when() -> None:
    check = HealthCheck(path="/health", interval="10s", timeout="3s")
    parent = Parent.of(
        {"eu": "https://eu", "us": "https://us"},
        health_check=check,
        passive_health_check=PASSIVE,
        policy=HealthPolicy(start_window=0),
    )
    for probe in parent.due(0):
        parent.report(probe, Outcome.PASS, 5)
    parent.due(7)
    fail(parent, "eu", 2)
    parent.set_up("us", False, 8)

    state = json.loads(json.dumps(parent.state()))

    assert state["now"] == 8
    assert state["services"] == {
        "default@multicluster": {"default-eu@multicluster": 1, "default-us@multicluster": 1}
    }
    eu, us = state["targets"]
    assert (eu["child"], eu["up"], eu["held_out"], eu["leases"]) == ("eu", False, False, 0)
    assert eu["check"] == {
        "state": "down",
        "cause": "requests failed",
        "reason": "status 503",
        "since": 7,
        "next_probe": eu["check"]["next_probe"],
        "down_until": 10_000_000_007,
    }
    assert eu["check"]["next_probe"] > 7
    assert (us["up"], us["held_out"], us["check"]["state"]) == (False, True, "up")


def test_the_state_counts_leases() -> None:
    parent = parent_of(None)
    with parent.lease() as lease:
        [leased] = [t for t in parent.state()["targets"] if t["leases"]]

    assert (leased["child"], leased["leases"], leased["check"]) == (lease.child, 1, None)


def test_a_parent_is_pickled_with_its_state() -> None:
    parent = parent_of()
    fail(parent, "eu", 2)
    fail(parent, "us", 1)
    parent.set_up("za", False, 1)
    with parent.lease():
        twin = pickle.loads(pickle.dumps(parent))  # noqa: S301 - our own bytes

    assert [is_up(twin, child) for child in CHILDREN] == [False, True, False]
    assert twin.in_flight("us") == 0
    fail(twin, "us", 1)
    assert not is_up(twin, "us")
    assert is_up(parent, "us")


def test_a_lease_says_what_was_picked_and_how_it_ended() -> None:
    parent = parent_of()
    others = [t for t in parent.selector().weights if t.child != "eu"]
    lease = parent.lease(exclude=others)
    assert lease.target is None
    with lease:
        assert (lease.child, lease.url, lease.reason) == ("eu", "https://eu", "")
        assert lease.name == "default-eu@multicluster"
        assert repr(lease) == f"<Lease of {lease.target!r}>"
        lease.fail("too slow")
        assert (lease.failed, lease.reason) == (True, "too slow")
        with pytest.raises(RuntimeError, match="in use"):
            lease.__enter__()
    with pytest.raises(RuntimeError, match="not in use"):
        lease.__exit__(None, None, None)


def fail_after(verdict: str, lease: Lease) -> None:
    with lease:
        getattr(lease, verdict)()
        raise ConnectionError


@pytest.mark.parametrize(("verdict", "failed"), [("succeed", False), ("ignore", None)])
def test_a_verdict_outweighs_what_is_raised(verdict: str, failed: object) -> None:
    parent = parent_of(PassiveHealthCheck(max_failed_attempts=1))
    lease = parent.lease()
    with pytest.raises(ConnectionError):
        fail_after(verdict, lease)

    assert lease.failed is failed
    assert all(is_up(parent, child) for child in CHILDREN)
