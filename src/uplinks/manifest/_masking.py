"""What diagnostics may show of manifest text, which may hold credentials anywhere.

Rules of this file:

1. A value is shown only in a field of ours that holds a number. Elsewhere a number
   may be a password.
2. Below ``headers`` a name is shown only if it can be a header's name.
"""

from __future__ import annotations

from typing import Final

from uplinks import grammar
from uplinks.diagnostics import MASK
from uplinks.located import Path

__all__ = ["NUMBERS", "holds_number", "in_headers", "masked"]

NUMBERS: Final = frozenset(
    {
        "failureWindow", "interval", "maxFailedAttempts", "percent", "pollInterval",
        "pollTimeout", "port", "priority", "status", "timeout", "unhealthyInterval", "weight",
    }
)  # fmt: skip
"""The fields that hold a number or a duration."""

_SECRET: Final = frozenset({"headers", "data", "stringdata"})
_NUMBERS_IN: Final = frozenset(
    {
        "failover", "fallback", "healthCheck", "multicluster", "passiveHealthCheck", "service",
        "spec",
    }
)  # fmt: skip


def in_headers(path: Path) -> bool:
    """Check whether a path leads below ``headers``."""
    return any(isinstance(step, str) and step.lower() == "headers" for step in path[:-1])


def masked(path: Path) -> Path:
    """Mask each step of a path that is in the place of a header's name but cannot be one.

    Complexity: O(length).

    >>> masked(("headers", "X-Token")), masked(("headers", "Bearer abc"))
    (('headers', 'X-Token'), ('headers', '***'))

    Source: RFC 9110 section 5.6.2.
    """
    return tuple(
        MASK
        if isinstance(step, str) and in_headers(path[: at + 1]) and not grammar.is_token(step)
        else step
        for at, step in enumerate(path)
    )


def holds_number(path: Path) -> bool:
    """Check whether a path leads to a field of ours that holds a number.

    Complexity: O(length).

    >>> holds_number(("spec", "weight")), holds_number(("spec", "password"))
    (True, False)
    """
    if any(isinstance(step, str) and step.lower() in _SECRET for step in path):
        return False
    *above, field = ("", *path)
    within = above[-1] if above else ""
    return field in NUMBERS and (isinstance(within, int) or within in _NUMBERS_IN)
