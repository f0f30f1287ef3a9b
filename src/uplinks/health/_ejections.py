"""When requests take a target down, and how long a target that falls stays down at least."""

from __future__ import annotations

from uplinks.health._queue import Record
from uplinks.health._rate import RequestRate
from uplinks.health._values import HealthPolicy

__all__ = ["count_request", "hold"]


def count_request(record: Record, policy: HealthPolicy, now: int, *, ok: bool) -> int:
    """Count a request; return how many failures take its target down, or 0."""
    passive, failures = record.passive, record.failures
    taken_down = 0
    if policy.failure_rate and (record.check is not None or passive is not None):
        record.rate = record.rate or RequestRate(policy.rate_window)
        requests, failed = record.rate.count(now, failed=not ok)
        if requests >= policy.rate_minimum and 100 * failed >= policy.failure_rate * requests:
            taken_down = failed
    if passive is None:
        return taken_down
    if ok:
        failures.clear()
        return taken_down
    failures.append(now)
    while now - failures[0] >= passive.failure_window:
        failures.popleft()
    return len(failures) if len(failures) >= passive.max_failed_attempts else taken_down


def hold(record: Record, policy: HealthPolicy, now: int, least: int) -> None:
    """Decide until when a target that falls now stays down: call it before its state changes."""
    if policy.hold_down:
        most = max(policy.hold_down, policy.max_hold_down)
        forgiven = (now - record.since) // most
        highest = (most // policy.hold_down).bit_length() + 1
        record.held_level = min(max(0, record.held_level - forgiven) + 1, highest)
        least = max(least, min(most, policy.hold_down << record.held_level - 1))
    record.held_until = now + least
