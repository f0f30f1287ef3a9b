"""What goes into the health machine and what comes out of it, as frozen values.

Rules of this file:

1. A value has no behaviour. Times are integer nanoseconds.
2. No value shows a header: a probe's check masks them itself, and reasons are
   written without.
"""

from __future__ import annotations

from collections.abc import Hashable
from enum import StrEnum
from typing import ClassVar, Final, NamedTuple

from attrs import field, frozen
from attrs.validators import ge, instance_of, le

from uplinks.health._states import Cause, State
from uplinks.model import HealthCheck

__all__ = [
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
    - ``panic_threshold`` (percent): a weighted service of which fewer targets are
      up sends requests to those that are down, too. 0: never.

    Raises: TypeError, ValueError for thresholds or a concurrency below 1, for
    negative times and for a panic threshold that is not from 0 to 100.

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
    panic_threshold: int = field(
        default=0, kw_only=True, validator=[instance_of(int), ge(0), le(100)]
    )


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
