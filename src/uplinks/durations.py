"""Durations: parsed from a string or seconds to ``int`` nanoseconds, and formatted.

Rules of this file:

1. A duration is an ``int`` of nanoseconds within a signed 64-bit integer, the
   range of Go's ``time.Duration``.
2. An ``int``, or a string that is a base-10 integer, is a number of seconds. Any
   other string is parsed like Go's ``time.ParseDuration``, bit for bit: a day, a
   blank, or a bare ``1.5`` is an error.
3. The range is checked before a number is built, so that a string of millions of
   digits takes linear time.
4. Sign and zero have no meaning here. The caller decides what a negative interval
   or a zero timeout stands for.
"""

from __future__ import annotations

import re
from datetime import timedelta
from functools import lru_cache
from typing import Final

from uplinks.errors import InvalidDuration, quote

__all__ = ["Nanoseconds", "format_duration", "parse_duration", "respell_duration", "to_nanoseconds"]

_MICROSECOND: Final = 1_000
_MILLISECOND: Final = 1_000_000
_SECOND: Final = 1_000_000_000
_MINUTE: Final = 60 * _SECOND
_HOUR: Final = 60 * _MINUTE

_UNITS: Final = {
    "ns": 1,
    "us": _MICROSECOND,
    "\u00b5s": _MICROSECOND,  # the micro sign
    "\u03bcs": _MICROSECOND,  # the Greek letter mu
    "ms": _MILLISECOND,
    "s": _SECOND,
    "m": _MINUTE,
    "h": _HOUR,
}

_SMALL: Final = ((_MILLISECOND, "ms"), (_MICROSECOND, "\u00b5s"), (1, "ns"))

_MIN: Final = -(2**63)
_MAX: Final = 2**63 - 1
_MAX_DIGITS: Final = 19  # of 2**63

_INTEGER: Final = re.compile(r"([-+]?)([0-9]+)")
# One number with its unit. Any group may match nothing; `_term` checks them, so that
# the reason can be exact.
_TERM: Final = re.compile(r"([0-9]*)(?:\.([0-9]*))?([^0-9.]*)")

_WORD: Final = re.compile(r"\s{0,20}\S{0,20}\s?")

_LONGEST_RESPELT: Final = 40
_SPELT_TERM: Final = re.compile(r" *([0-9]+(?:\.[0-9]+)?) *([A-Za-z\u00b5\u03bc]*) *")
# An upper-case M may be a month, so it is not here.
_WORDS: Final = {
    "d": "d",
    "day": "d",
    "days": "d",
    "hr": "h",
    "hrs": "h",
    "hour": "h",
    "hours": "h",
    "min": "m",
    "mins": "m",
    "minute": "m",
    "minutes": "m",
    "s": "s",
    "sec": "s",
    "secs": "s",
    "second": "s",
    "seconds": "s",
    "h": "h",
    "ms": "ms",
    "msec": "ms",
    "millis": "ms",
    "millisecond": "ms",
    "milliseconds": "ms",
}

# Longer texts are not cached.
_SHORT: Final = 16

_OVERFLOW: Final = "it does not fit into 64 bits of nanoseconds (about 292 years)"


def parse_duration(value: str | int) -> int:
    """Parse a duration and return nanoseconds.

    An ``int`` or a string with a base-10 integer (with optional sign and leading
    zeros) is seconds. Any other string is a Go duration: an optional sign, then
    decimal numbers, each with a unit ``ns``, ``us`` (or ``µs``), ``ms``, ``s``,
    ``m`` or ``h``. Fractions of a nanosecond are truncated as in Go.

    Law: ``parse_duration(format_duration(x)) == x`` for every 64-bit ``x``.
    Complexity: O(length).

    Raises `InvalidDuration` for everything else, ``bool`` and ``float``
    included, and for what does not fit into 64 bits of nanoseconds.

    >>> parse_duration("1m30s"), parse_duration(90), parse_duration("90")
    (90000000000, 90000000000, 90000000000)
    >>> parse_duration("-.5s")
    -500000000
    >>> parse_duration("1d")
    Traceback (most recent call last):
        ...
    uplinks.errors.InvalidDuration: invalid duration '1d': unknown unit 'd'; write seconds (30) or a Go duration (1m30s, 1.5s, 500ms)

    Source: reference page, "Health Check Fields"; Go ``time.ParseDuration``.
    """  # noqa: E501 - a traceback is one line
    if isinstance(value, str):
        integer = _INTEGER.fullmatch(value)
        if integer is None:
            return (_parse_short if len(value) <= _SHORT else _parse_go)(value)
        sign, digits = integer.groups()
        nanoseconds = _bounded_int(value, digits) * _SECOND
        return _in_range(value, -nanoseconds if sign == "-" else nanoseconds)
    # A value of a manifest may have any type, whatever the signature says.
    given: object = value
    if isinstance(given, bool) or not isinstance(given, int):
        raise InvalidDuration(given, f"a {type(given).__name__} is neither an integer nor a string")
    return _in_range(given, given * _SECOND)


class Nanoseconds(int):
    """A number of nanoseconds that may be below a millisecond.

    Constructors refuse a plain ``5``, which is nearly always meant as seconds.
    A manifest may well have an interval of 100µs, and a test one of 3 ns.
    """

    __slots__ = ()


def to_nanoseconds(value: str | timedelta | int, field: str, *, least: int = _MILLISECOND) -> int:
    """Convert a duration given in Python: ``"5s"``, a `timedelta`, or integer nanoseconds.

    ``field`` names the value in errors. A value above 0 must be at least
    ``least`` (ns), unless it is a `Nanoseconds`. 0 and negative values pass: the
    field decides what they mean.

    Raises: TypeError for another type; ValueError for a value that is too
    small; InvalidDuration for a string that is not a duration.

    >>> from datetime import timedelta
    >>> to_nanoseconds("5s", "interval"), to_nanoseconds(timedelta(seconds=5), "interval")
    (5000000000, 5000000000)
    >>> to_nanoseconds(5, "interval")
    Traceback (most recent call last):
        ...
    ValueError: interval must be at least 1ms, got 5ns; for 5 seconds write '5s'
    """
    given: object = value
    if isinstance(given, Nanoseconds):
        return given
    if isinstance(given, str):
        nanoseconds = parse_duration(given)
    elif isinstance(given, timedelta):
        seconds = given.days * 86_400 + given.seconds
        nanoseconds = seconds * _SECOND + given.microseconds * _MICROSECOND
    elif isinstance(given, int) and not isinstance(given, bool):
        nanoseconds = given
    else:
        raise TypeError(
            f"{field} must be a duration like '5s', a timedelta or integer nanoseconds, "
            f"got {quote(given)}"
        )
    if not _MIN <= nanoseconds <= _MAX:
        raise InvalidDuration(given, _OVERFLOW)
    if 0 < nanoseconds < least:
        seconds_meant = f"; for {given} seconds write '{given}s'" if isinstance(given, int) else ""
        raise ValueError(
            f"{field} must be at least {format_duration(least)}, "
            f"got {format_duration(nanoseconds)}{seconds_meant}"
        )
    return nanoseconds


def format_duration(nanoseconds: int) -> str:
    """Format a duration as Go does.

    Below one second the largest of ``ns``, ``µs``, ``ms`` that gives a number
    of at least 1; from one second on ``1h2m3.5s``, without leading zero units.

    Law: ``parse_duration(format_duration(x)) == x`` for every 64-bit ``x``.
    Complexity: O(1).

    Raises `InvalidDuration` for values that are not an ``int``, ``bool`` included,
    and for numbers that do not fit into 64 bits.

    >>> format_duration(90_000_000_000), format_duration(1_500_000_000), format_duration(0)
    ('1m30s', '1.5s', '0s')
    >>> format_duration(1_500), format_duration(-3_600_000_000_000)
    ('1.5µs', '-1h0m0s')

    Source: Go ``time.Duration.String``.
    """
    given: object = nanoseconds
    if isinstance(given, bool) or not isinstance(given, int):
        raise InvalidDuration(given, f"a {type(given).__name__} is not an int of nanoseconds")
    if not _MIN <= nanoseconds <= _MAX:
        raise InvalidDuration(nanoseconds, _OVERFLOW)
    sign = "-" if nanoseconds < 0 else ""
    rest = abs(nanoseconds)
    if 0 < rest < _SECOND:
        unit, suffix = next(small for small in _SMALL if rest >= small[0])
        return f"{sign}{_decimal(rest, unit)}{suffix}"
    minutes, rest = divmod(rest, _MINUTE)
    hours, minutes = divmod(minutes, 60)
    before = f"{hours}h{minutes}m" if hours else f"{minutes}m" if minutes else ""
    return f"{sign}{before}{_decimal(rest, _SECOND)}s"


def respell_duration(text: str) -> str | None:
    """Respell a duration of which only the notation is wrong; ``None`` for anything else.

    Known are spaces, days, the names of units (``5 minutes``), upper-case units, and a
    fraction of seconds without a unit. Complexity: O(1), as longer texts are refused.

    >>> respell_duration("10 s"), respell_duration("1d"), respell_duration("1.5")
    ('10s', '24h', '1.5s')
    >>> respell_duration("5 minutes"), respell_duration("soon") is None
    ('5m', True)
    """
    if len(text) > _LONGEST_RESPELT or _SPELT_TERM.sub("", text):
        return None
    found = _SPELT_TERM.findall(text)
    terms = [_respell_term(number, word or "s" * (len(found) == 1)) for number, word in found]
    respelt = "".join(terms)
    if not all(terms):
        return None
    try:
        parse_duration(respelt)
    except InvalidDuration:
        return None
    return None if respelt == text else respelt


def _respell_term(number: str, word: str) -> str:
    unit = word if word in _UNITS else _WORDS.get(word.lower(), "")
    if unit == "d":
        return "" if "." in number else f"{int(number) * 24}h"
    return number + unit if unit else ""


def _decimal(nanoseconds: int, unit: int) -> str:
    whole, fraction = divmod(nanoseconds, unit)
    if not fraction:
        return str(whole)
    # `unit` is a power of ten: adding it keeps the fraction's leading zeros.
    return f"{whole}.{str(unit + fraction)[1:].rstrip('0')}"


def _parse_go(text: str) -> int:
    negative = text.startswith("-")
    position = 1 if text.startswith(("-", "+")) else 0
    if position == len(text):
        raise InvalidDuration(text, "it has no digits" if text else "it is empty")
    total = 0
    while position < len(text):
        term = _TERM.match(text, position)
        assert term is not None  # noqa: S101 - every group may be empty
        position = term.end()
        total += _term(text, term[1], term[2] or "", term[3])
        if total > _MAX + 1:
            raise InvalidDuration(text, _OVERFLOW)
    return _in_range(text, -total if negative else total)


@lru_cache(maxsize=256)  # a fleet repeats a few durations
def _parse_short(text: str) -> int:
    return _parse_go(text)


def _term(text: str, whole: str, fraction: str, unit: str) -> int:
    if not whole and not fraction:
        raise InvalidDuration(text, f"a digit is expected before {_short(unit)}")
    if not unit:
        raise InvalidDuration(text, "a unit is missing: ns, us, ms, s, m or h")
    scale = _UNITS.get(unit)
    if scale is None:
        raise InvalidDuration(text, f"unknown unit {_short(unit)}")
    return _bounded_int(text, whole) * scale + _fraction(fraction, scale)


def _bounded_int(text: str, digits: str) -> int:
    digits = digits.lstrip("0")
    if len(digits) > _MAX_DIGITS:
        raise InvalidDuration(text, _OVERFLOW)
    return int(digits or "0")


def _fraction(digits: str, unit: int) -> int:
    """Convert a fraction of a unit exactly as Go does.

    The only place with floats: Go multiplies in binary64, so
    ``0.3333333333333333333h`` is 20 minutes, while exact arithmetic would give one
    nanosecond less. For up to nine digits of seconds both agree.
    """
    numerator = 0
    scale = 1.0
    # Digits behind the 64th are less than a nanosecond of an hour.
    for digit in digits[:64]:
        following = numerator * 10 + int(digit)
        if numerator > _MAX // 10 or following > _MAX + 1:
            break
        numerator = following
        scale *= 10.0
    return int(float(numerator) * (float(unit) / scale))


def _in_range(got: str | int, nanoseconds: int) -> int:
    if not _MIN <= nanoseconds <= _MAX:
        raise InvalidDuration(got, _OVERFLOW)
    return nanoseconds


def _short(text: str) -> str:
    # Only the first word: wrongly indented lines of a manifest join to one value, and
    # a credential may be among them.
    start = _WORD.match(text)
    word = "" if start is None else start[0]
    return repr(text if word == text else f"{word.rstrip()}…")
