"""What diagnostics of a text may show, as it may hold credentials anywhere.

Rules of this file:

1. A value is shown only if it is one of a few known words, or in a field of ours
   that holds a number. Elsewhere a number may be a password.
2. Below ``headers`` a name is shown only if it can be a header's name.
3. Advice never makes it worse: it does not suggest quotes where a number belongs.
"""

from __future__ import annotations

import re
from typing import Final

from uplinks import grammar
from uplinks.manifest._scalars import WORDS

__all__ = ["BOOLEANS", "MASK", "NUMBERS", "advice", "in_headers", "masked"]

MASK: Final = "***"

Path = tuple[str | int, ...]

NUMBERS: Final = frozenset(
    {
        "failureWindow", "interval", "maxFailedAttempts", "percent", "pollInterval",
        "pollTimeout", "port", "priority", "status", "timeout", "unhealthyInterval", "weight",
    }
)  # fmt: skip
"""The fields that hold a number or a duration."""

BOOLEANS: Final = frozenset({"asDefault", "followRedirects", "nativeLB", "passHostHeader"})
"""The fields that hold a boolean."""

_SECRET: Final = frozenset({"headers", "data", "stringdata"})
_NUMBERS_IN: Final = frozenset(
    {
        "failover", "fallback", "healthCheck", "multicluster", "passiveHealthCheck", "service",
        "spec",
    }
)  # fmt: skip
_YES: Final = frozenset({"y", "yes", "on"})
_DECIMAL: Final = re.compile(r"\+?0*([0-9][0-9_]*)")
_LONGEST_SHOWN: Final = 40


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


def advice(text: str, path: Path) -> tuple[str | None, str, str | None]:
    """Return what to show of an ambiguous scalar, what to do about it, and what to write.

    The first and the last are ``None`` for a possible credential.
    Complexity: O(length).

    >>> advice("yes", ("spec", "exposeName")), advice("012", ("spec", "weight"))
    (('yes', 'quote it', '"yes"'), ('012', 'write a plain number', '12'))
    >>> advice("012", ("spec", "password"))
    (None, 'quote it', None)
    """
    field = path[-1] if path else ""
    within = path[-2] if len(path) > 1 else ""
    if any(isinstance(step, str) and step.lower() in _SECRET for step in path):
        return None, "quote it", None
    if field in NUMBERS and (isinstance(within, int) or within in _NUMBERS_IN):
        if len(text) > _LONGEST_SHOWN:
            return None, "write a plain number", None
        decimal = _DECIMAL.fullmatch(text)
        suggestion = None if decimal is None else decimal[1].replace("_", "")
        return text, "write a plain number", suggestion
    if text not in WORDS:
        return None, "quote it", None
    if field in BOOLEANS:
        return text, "write true or false", "true" if text.lower() in _YES else "false"
    return text, "quote it", f'"{text}"'
