"""Which targets are up: outcomes of probes and requests in, probes and transitions out.

Rules of this package:

1. A target's state changes in one place only, by a look-up in `TRANSITIONS`.
   A transition that is not in the table cannot happen.
2. No I/O, no clock, no randomness: time is an argument, in integer nanoseconds
   of a monotonic clock, and never runs backwards inside.
3. A probe is identified by its token. An outcome counts only while its token is
   in flight; all others are ignored and counted.
4. A target with a check has exactly one probe in flight or exactly one due time.
5. Slots have a fixed rate, however long a probe takes. Missed slots are merged
   into one; none is replayed.
6. A refused call raises and changes nothing, not even the time.

The time from a target's failure to its removal is bounded: `detection_bound`.

Source: reference page, "Health Check Fields" and "Health Check Behavior".
"""

from __future__ import annotations

from uplinks.health._bounds import detection_bound, effective_interval, recovery_bound
from uplinks.health._budget import Budget, RetryBudget
from uplinks.health._failures import FailureClassifier
from uplinks.health._machine import Health, check_times
from uplinks.health._states import TRANSITIONS, Cause, State
from uplinks.health._values import (
    Bounded,
    Event,
    HealthPolicy,
    Ignored,
    Outcome,
    Overloaded,
    Probe,
    Token,
    Transition,
    Verdict,
)

__all__ = [
    "TRANSITIONS",
    "Bounded",
    "Budget",
    "Cause",
    "Event",
    "FailureClassifier",
    "Health",
    "HealthPolicy",
    "Ignored",
    "Outcome",
    "Overloaded",
    "Probe",
    "RetryBudget",
    "State",
    "Token",
    "Transition",
    "Verdict",
    "check_times",
    "detection_bound",
    "effective_interval",
    "recovery_bound",
]
