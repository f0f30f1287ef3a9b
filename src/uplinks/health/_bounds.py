"""Upper bounds for the time until a failure or a recovery is noticed.

The bounds are exact: each is attained, and exceeded only by the driver's own
lateness (``docs/health.md`` has the proof).
"""

from __future__ import annotations

from uplinks.health._values import HealthPolicy
from uplinks.model import HealthCheck, PassiveHealthCheck

__all__ = ["detection_bound", "effective_interval", "recovery_bound"]


def detection_bound(check: HealthCheck, policy: HealthPolicy) -> int:
    """Bound the time (ns) from a target's failure to its transition to down.

    A target has failed when no probe passes any more. Law: attained, and never
    exceeded by more than the driver's lateness, as long as every due probe
    finds concurrency.

    >>> detection_bound(HealthCheck(), HealthPolicy()) // 10**9
    35
    """
    return _bound(check.interval, check.timeout, policy.unhealthy_threshold)


def recovery_bound(
    check: HealthCheck, policy: HealthPolicy, passive: PassiveHealthCheck | None = None
) -> int:
    """Bound the time (ns) from when all probes pass again to the transition to up.

    A hold-down, and the window of a passive check beside the active one, come on top.

    >>> recovery_bound(HealthCheck(unhealthy_interval=5 * 10**9), HealthPolicy()) // 10**9
    10
    """
    held = max(policy.hold_down, policy.max_hold_down) if policy.hold_down else 0
    window = 0 if passive is None else passive.failure_window
    bound = _bound(check.unhealthy_interval, check.timeout, policy.healthy_threshold)
    return max(held, window) + bound


def _bound(interval: int, timeout: int, threshold: int) -> int:
    return interval + (threshold - 1) * max(interval, timeout) + timeout


def effective_interval(check: HealthCheck, policy: HealthPolicy, targets: int) -> int:
    """Return the interval (ns) at which each of ``targets`` is probed if none answers in time.

    Above the check's interval, the machine is overloaded in the worst case.

    >>> effective_interval(HealthCheck(), HealthPolicy(concurrency=100), 10_000) // 10**9
    500
    """
    rounds = -(-targets // policy.concurrency)
    return max(check.interval, rounds * check.timeout)
