from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from uplinks.health import Budget, RetryBudget

SECOND = 1_000_000_000


def test_the_minimum_is_allowed_without_any_requests() -> None:
    budget = Budget(RetryBudget(percent=0, minimum=2, window="10s"))

    assert [budget.retry(0) for _ in range(3)] == [True, True, False]


def test_a_free_retry_is_counted_but_not_charged() -> None:
    budget = Budget(RetryBudget(percent=0, minimum=1))

    assert [budget.retry(0, free=True) for _ in range(3)] == [True] * 3
    assert [budget.retry(0) for _ in range(2)] == [True, False]
    assert budget.granted == 4


def test_one_child_of_two_may_fail_all_its_requests() -> None:
    budget = Budget(RetryBudget(minimum=0))
    for number in range(1000):
        budget.request(number)
        if number % 2:
            assert budget.retry(number)


def test_a_retry_is_a_share_of_the_requests_of_the_window() -> None:
    budget = Budget(RetryBudget(percent=20, minimum=0, window="10s"))
    for _ in range(10):
        budget.request(0)

    assert [budget.retry(SECOND) for _ in range(3)] == [True, True, False]
    assert not budget.retry(10 * SECOND)  # the requests have left the window

    for _ in range(5):
        budget.request(11 * SECOND)
    assert [budget.retry(11 * SECOND) for _ in range(2)] == [True, False]


@given(
    percent=st.integers(0, 150),
    minimum=st.integers(0, 5),
    steps=st.lists(st.tuples(st.integers(0, 30), st.booleans()), max_size=60),
)
def test_no_window_has_more_retries_than_the_budget(
    percent: int, minimum: int, steps: list[tuple[int, bool]]
) -> None:
    limit = RetryBudget(percent=percent, minimum=minimum, window=100_000_000)
    budget, now = Budget(limit), 0
    requests: list[int] = []
    retries: list[int] = []
    for step, is_request in steps:
        now += step
        tenth = now  # a tenth of the window is ten of these units
        if is_request:
            budget.request(now * 1_000_000)
            requests.append(tenth)
            continue
        first = (tenth // 10 - 9) * 10
        allowed = minimum + percent * sum(r >= first for r in requests) / 100
        taken = budget.retry(now * 1_000_000)
        assert taken is (sum(r >= first for r in retries) + 1 <= allowed)
        if taken:
            retries.append(tenth)


@pytest.mark.parametrize(
    "fields", [{"percent": -1}, {"minimum": 1.5}, {"window": 0}, {"window": "soon"}, {"window": 5}]
)
def test_a_wrong_budget_is_refused(fields: dict[str, Any]) -> None:
    with pytest.raises((TypeError, ValueError)):
        RetryBudget(**fields)
