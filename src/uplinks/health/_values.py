"""The values that go into the health machine and come out of it.

Times are integer nanoseconds. No value shows a header: a probe's check masks
them, and reasons do not contain them.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable
from datetime import timedelta
from enum import StrEnum
from typing import Any, ClassVar, Final, NamedTuple

from attrs import evolve, field, frozen
from attrs.validators import instance_of

from uplinks.durations import to_nanoseconds
from uplinks.errors import quote
from uplinks.health._budget import RetryBudget
from uplinks.health._failures import FailureClassifier
from uplinks.health._states import Cause, State
from uplinks.model import HealthCheck

__all__ = [
    "Bounded",
    "Event",
    "HealthPolicy",
    "Ignored",
    "Outcome",
    "Overloaded",
    "Probe",
    "Token",
    "Transition",
    "Verdict",
]

SECOND: Final = 1_000_000_000


def _at_least(least: int, default: int, *, kw_only: bool = False) -> Any:
    return field(default=default, kw_only=kw_only, validator=_between(least, None))


def _percent(default: int) -> Any:
    return field(default=default, kw_only=True, validator=_between(0, 100))


def _between(least: int, most: int | None) -> Callable[[object, Any, object], None]:
    """Validate an integer field. Raises: TypeError, ValueError with its name and value."""
    allowed = f"of at least {least}" if most is None else f"from {least} to {most}"

    def validate(_: object, attribute: Any, value: object) -> None:
        message = f"{attribute.name} must be an integer {allowed}, got {quote(value)}"
        if isinstance(value, bool) or not isinstance(value, int):
            raise TypeError(message)
        if value < least or (most is not None and value > most):
            raise ValueError(message)

    return validate


def _of_class(expected: type) -> Callable[[object, Any, object], None]:
    """Validate the class of a field. Raises: TypeError with its name and value."""

    def validate(_: object, attribute: Any, value: object) -> None:
        if not isinstance(value, expected):
            raise TypeError(
                f"{attribute.name} must be of class {expected.__name__}, got {quote(value)}"
            )

    return validate


Duration = str | timedelta | int


def _time(name: str, value: Duration) -> int:
    duration = to_nanoseconds(value, name, least=0)
    if duration < 0:
        raise ValueError(f"{name} must be at least 0, got {value!r}")
    return duration


def _start_window(value: Duration) -> int:
    return _time("start_window", value)


def _max_lateness(value: Duration) -> int:
    return _time("max_lateness", value)


def _hold_down(value: Duration) -> int:
    return _time("hold_down", value)


def _max_hold_down(value: Duration) -> int:
    return _time("max_hold_down", value)


def _slow_start(value: Duration) -> int:
    return _time("slow_start", value)


def _min_interval(value: Duration) -> int:
    return _time("min_interval", value)


def _max_timeout(value: Duration) -> int:
    return _time("max_timeout", value)


def _rate_window(value: Duration) -> int:
    window = _time("rate_window", value)
    if not window:
        raise ValueError("rate_window must be above 0")
    return window


@frozen
class HealthPolicy:
    """A parent's decisions for all its targets; their checks decide the rest.

    - ``healthy_threshold``: passes in a row that bring a target back up.
    - ``unhealthy_threshold``: failures in a row that take it down.
    - ``start_window`` (ns): first probes are spread over this time, or over the
      interval if that is shorter. 0 starts all at once.
    - ``concurrency``: how many probes may be in flight together.
    - ``max_lateness`` (ns): a probe found past its deadline by more than this
      does not count as a failure: the driver overslept.
    - ``serve_unknown``: whether a target counts as up before its first pass.
    - ``panic_threshold`` (percent): a weighted service with fewer targets up
      sends requests to its down targets, too. 0: never.
    - ``hold_down``, ``max_hold_down``: the least time that a target stays down,
      and what it may grow to. It doubles with each fall, and halves with each
      ``max_hold_down`` that the target was up. 0: no least time.
    - ``failure_rate`` (percent): a target with a check falls when so many of at
      least ``rate_minimum`` requests within ``rate_window`` have failed. 0: never.
    - ``max_ejected`` (percent): of a weighted service's targets, at most so many
      are taken out by requests; later ones are still picked. At least one may be.
    - ``slow_start``: a target that comes up begins with a tenth of its weight, and
      has all of it after this time. 0: at once.
    - ``min_interval``, ``max_timeout``: the bounds of what a child may choose for
      the intervals and the timeout of its check. 0: no bound.
    - ``failures``: which requests count as failures of a child.
    - ``retry_budget``: how many retries a service may add to its requests.

    Times are durations: ``"1s"``, a `timedelta` or integer nanoseconds.

    Raises: TypeError, ValueError for thresholds or a concurrency below 1, for
    negative times and for a percentage that is not from 0 to 100.

    >>> HealthPolicy(unhealthy_threshold=3, hold_down="30s").healthy_threshold
    1

    Source: thresholds of 1 are the reference page's.
    """

    healthy_threshold: int = _at_least(1, 1)
    unhealthy_threshold: int = _at_least(1, 1)
    start_window: int = field(default=SECOND, converter=_start_window)
    concurrency: int = _at_least(1, 256)
    max_lateness: int = field(default=SECOND // 4, converter=_max_lateness)
    serve_unknown: bool = field(default=True, kw_only=True, validator=_of_class(bool))
    panic_threshold: int = _percent(0)
    hold_down: int = field(default=0, converter=_hold_down, kw_only=True)
    max_hold_down: int = field(default=300 * SECOND, converter=_max_hold_down, kw_only=True)
    failure_rate: int = _percent(0)
    rate_window: int = field(default=10 * SECOND, converter=_rate_window, kw_only=True)
    rate_minimum: int = _at_least(1, 20, kw_only=True)
    max_ejected: int = _percent(100)
    slow_start: int = field(default=0, converter=_slow_start, kw_only=True)
    min_interval: int = field(default=0, converter=_min_interval, kw_only=True)
    max_timeout: int = field(default=0, converter=_max_timeout, kw_only=True)
    failures: FailureClassifier = field(
        factory=FailureClassifier, kw_only=True, validator=_of_class(FailureClassifier)
    )
    retry_budget: RetryBudget = field(
        factory=RetryBudget, kw_only=True, validator=_of_class(RetryBudget)
    )

    def bounded(self, check: HealthCheck) -> HealthCheck:
        """Return a check with times within ``min_interval`` and ``max_timeout``.

        >>> policy = HealthPolicy(min_interval="1s", max_timeout="10s")
        >>> check = policy.bounded(HealthCheck(interval="10ms", timeout="1h"))
        >>> check.interval, check.timeout
        (1000000000, 10000000000)
        """
        if not (self.min_interval or self.max_timeout):
            return check
        bounded = evolve(
            check,
            interval=max(check.interval, self.min_interval),
            unhealthy_interval=max(check.unhealthy_interval, self.min_interval),
            timeout=min(check.timeout, self.max_timeout or check.timeout),
        )
        return check if bounded == check else bounded


class Token(NamedTuple):
    """The identity of a probe. ``sequence`` is unique in a machine."""

    target: Hashable
    generation: int
    sequence: int


class Probe(NamedTuple):
    """An order to probe a target once, until ``deadline`` (ns) at the latest.

    ``due`` is when it should have started: a later start is the driver's
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
    LATE = "late"  # no statement about the target: the driver was not there to receive it


@frozen
class Outcome:
    """How a probe ended, and a short reason without secrets.

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
        """Return the outcome of a target that answered wrongly, or not at all."""
        return cls(Verdict.FAIL, reason)


Outcome.PASS = Outcome(Verdict.PASS)
Outcome.TIMEOUT = Outcome(Verdict.TIMEOUT, "no answer in time")
Outcome.LATE = Outcome(Verdict.LATE, "the driver was late")


@frozen
class Transition:
    """A change of state. ``at`` in ns.

    ``streak`` is the number of outcomes or requests in a row that made it, 0 if
    none did. ``reason`` is that of the last one.
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
    """Probes cannot keep up: a target was probed again only after ``effective_interval`` (ns)."""

    effective_interval: int
    at: int


@frozen
class Bounded:
    """A check asked for other times than the policy allows, and is made with ``check``.

    ``at`` in ns.
    """

    target: Hashable
    asked: HealthCheck
    check: HealthCheck
    at: int


Event = Transition | Overloaded | Bounded
"""An event of the machine."""


@frozen
class Ignored:
    """How many outcomes did not count.

    ``stale``: the target has been removed, moved or given another question since;
    ``duplicate``: reported before; ``late``: past the deadline; ``overslept``:
    the driver was late, not the target.
    """

    stale: int = 0
    duplicate: int = 0
    late: int = 0
    overslept: int = 0
