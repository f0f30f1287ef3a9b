"""What a finding may show of a text, which may hold credentials anywhere.

Rules of this file:

1. A value is shown only if it is one of a few known words, or stands in a
   field of ours that holds a number. Elsewhere a number may be a password.
2. A name below ``headers`` is shown only if it can be the name of a header: a
   value that stands where the name should be is not shown either.
3. Advice never makes it worse: where a number belongs, nobody is told to quote.
4. Of a whole line, only the values of fields that we know are shown.
"""

from __future__ import annotations

import re
from typing import Final

from uplinks.manifest._scalars import WORDS

__all__ = [
    "MASK",
    "advice",
    "can_be_a_name",
    "has_known_value",
    "in_headers",
    "masked",
    "names_anything",
]

MASK: Final = "***"

Path = tuple[str | int, ...]

_SECRET: Final = frozenset({"headers", "data", "stringdata"})
_TOKEN: Final = re.compile(r"[-!#$%&'*+.^_`|~0-9A-Za-z]+")
_NUMBERS: Final = frozenset(
    {
        "failureWindow",
        "interval",
        "maxFailedAttempts",
        "pollInterval",
        "pollTimeout",
        "port",
        "priority",
        "status",
        "timeout",
        "unhealthyInterval",
        "weight",
    }
)
_NUMBERS_IN: Final = frozenset(
    {"failover", "fallback", "healthCheck", "multicluster", "passiveHealthCheck", "service", "spec"}
)
_NAMES_ANYTHING: Final = frozenset({"children", "uplinkEntryPoints"})
_SHOWN: Final = frozenset(
    {
        "address",
        "annotations",
        "apiVersion",
        "asDefault",
        "certResolver",
        "children",
        "domains",
        "entryPoints",
        "errors",
        "exposeName",
        "failover",
        "failureWindow",
        "fallback",
        "followRedirects",
        "healthCheck",
        "highestRandomWeight",
        "hostname",
        "hub",
        "hub.traefik.io/router.uplinks",
        "ingressClassName",
        "interval",
        "items",
        "kind",
        "main",
        "match",
        "maxFailedAttempts",
        "metadata",
        "method",
        "middlewares",
        "mirroring",
        "mirrors",
        "mode",
        "multicluster",
        "name",
        "namespace",
        "nativeLB",
        "observability",
        "options",
        "parentRefs",
        "passHostHeader",
        "passiveHealthCheck",
        "path",
        "percent",
        "pollInterval",
        "pollTimeout",
        "port",
        "priority",
        "providers",
        "routes",
        "sans",
        "scheme",
        "secretName",
        "serversTransport",
        "service",
        "services",
        "spec",
        "status",
        "store",
        "strategy",
        "syntax",
        "timeout",
        "tls",
        "unhealthyInterval",
        "uplinkEntryPoints",
        "uplinks/ignore",
        "weight",
        "weighted",
    }
)
_NAME: Final = re.compile(r"[-A-Za-z0-9_./~]+")
_BOOLEANS: Final = frozenset({"asDefault", "followRedirects"})
_YES: Final = frozenset({"y", "yes", "on"})
_DECIMAL: Final = re.compile(r"\+?0*([0-9][0-9_]*)")
_LONGEST_SHOWN: Final = 40


def has_known_value(name: str) -> bool:
    """Tell whether what stands in a field may be shown, its name being all that is known.

    >>> has_known_value("weight"), has_known_value("headers"), has_known_value("wieght")
    (True, False, False)
    """
    return name in _SHOWN


def names_anything(field: str | None) -> bool:
    """Tell whether the keys below a field are names that somebody has chosen."""
    return field in _NAMES_ANYTHING


def can_be_a_name(text: str) -> bool:
    """Tell whether a key may be shown: it reads like the name of a field or a header."""
    return _NAME.fullmatch(text) is not None


def in_headers(path: Path) -> bool:
    """Tell whether a path leads below ``headers``."""
    return any(isinstance(step, str) and step.lower() == "headers" for step in path[:-1])


def masked(path: Path) -> Path:
    """Mask in a path what stands in the place of a header's name but cannot be one.

    Complexity: O(length).

    >>> masked(("headers", "X-Token")), masked(("headers", "Bearer abc"))
    (('headers', 'X-Token'), ('headers', '***'))

    Source: RFC 9110 section 5.6.2.
    """
    return tuple(
        MASK
        if in_headers(path[: at + 1]) and isinstance(step, str) and not _TOKEN.fullmatch(step)
        else step
        for at, step in enumerate(path)
    )


def advice(text: str, path: Path) -> tuple[str | None, str, str | None]:
    """Say what to show of an ambiguous scalar, what to do about it, and what to write.

    The first and the last are ``None`` for what may be a credential.
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
    if field in _NUMBERS and (isinstance(within, int) or within in _NUMBERS_IN):
        if len(text) > _LONGEST_SHOWN:
            return None, "write a plain number", None
        decimal = _DECIMAL.fullmatch(text)
        suggestion = None if decimal is None else decimal[1].replace("_", "")
        return text, "write a plain number", suggestion
    if text not in WORDS:
        return None, "quote it", None
    if field in _BOOLEANS:
        return text, "write true or false", "true" if text.lower() in _YES else "false"
    return text, "quote it", f'"{text}"'
