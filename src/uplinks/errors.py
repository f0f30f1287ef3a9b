"""Exceptions of this package.

Rules of this file:

1. Every exception derives from `UplinksError` *and* from the built-in that a
   caller would expect, so ``except ValueError`` keeps working.
2. The message says what is wrong, the value and what would be valid. The same
   facts are attributes, so that a program need not parse a message.
3. Messages are short: a long value is shown truncated.
4. Exceptions are for mistakes of the caller. An error in a user's manifest is a
   `uplinks.Diagnostic`, never an exception.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from uplinks.diagnostics import Report

__all__ = [
    "CannotAdvertise",
    "DuplicateTarget",
    "InvalidAddress",
    "InvalidCertificates",
    "InvalidDuration",
    "InvalidName",
    "InvalidScheduler",
    "InvalidSnapshot",
    "InvalidSource",
    "InvalidToken",
    "InvalidWeight",
    "MissingExtra",
    "NameCollision",
    "NoEligibleTarget",
    "SelectorCycle",
    "ServiceRequired",
    "UnknownChild",
    "UnknownService",
    "UnknownTarget",
    "UnusablePlugin",
    "UplinksError",
    "ValidationError",
    "is_one_word",
    "join_names",
    "quote",
    "quote_word",
]


class UplinksError(Exception):
    """The base of all exceptions of this package."""


_LONGEST_TEXT: Final = 60
_LONGEST_REPR: Final = 240
_MOST_NAMES: Final = 10


def quote(got: object) -> str:
    """Format a value as ``repr`` does, but shortened.

    A string may have megabytes, and Python refuses to print an int of more than
    4300 digits. Raises nothing.

    >>> quote("api"), quote("a" * 1000)[-13:], quote(10**1000)
    ("'api'", '… (1000 long)', 'an int of 3322 bits')
    """
    if isinstance(got, int) and got.bit_length() > 3 * _LONGEST_TEXT:
        return f"an int of {got.bit_length()} bits"
    if isinstance(got, str | bytes) and len(got) > _LONGEST_TEXT:
        return f"{got[:_LONGEST_TEXT]!r}… ({len(got)} long)"
    try:
        return _cut(repr(got))
    except Exception:  # noqa: BLE001 - a repr that fails must not replace the error
        return f"a {type(got).__name__}"


def is_one_word(text: str) -> bool:
    """Check that a value has no space inside, and so is on one line.

    A message may show such a value. Wrong indentation joins the lines of a manifest to
    one value of several words, and the value of a header may be among them.

    >>> is_one_word("GETT"), is_one_word("GET - Bearer abc")
    (True, False)
    """
    return len(text.split(maxsplit=1)) <= 1


def quote_word(got: str) -> str:
    """Format a string of one word as `quote` does, and hide any other.

    A value of several words may contain a credential, see `is_one_word`.

    >>> quote_word("GETT"), quote_word("GET - Bearer abc")
    ("'GETT'", 'several words')
    """
    return quote(got) if is_one_word(got) else "several words"


def join_names(names: Iterable[str]) -> str:
    """Join names, sorted; of many, the first ones and the number of the others.

    >>> join_names(["b", "a"]), join_names([])
    ('a, b', 'none')
    >>> join_names(f"n{i:02}" for i in range(12))
    'n00, n01, n02, n03, n04, n05, n06, n07, n08, n09 and 2 more'
    """
    names = sorted(names)
    text = ", ".join(names[:_MOST_NAMES]) or "none"
    more = len(names) - _MOST_NAMES
    return f"{text} and {more} more" if more > 0 else text


def _cut(text: str) -> str:
    return text if len(text) <= _LONGEST_REPR else f"{text[:_LONGEST_REPR]}…"


def _summary(report: Report) -> str:
    errors = report.errors
    count = "1 error" if len(errors) == 1 else f"{len(errors)} errors"
    return "".join([count, *(f", first: {error}" for error in errors[:1])])


class InvalidDuration(UplinksError, ValueError):
    """A string or number is not a duration.

    Attributes: ``got`` (the value), ``reason`` (what is wrong with it).
    """

    def __init__(self, got: object, reason: str) -> None:
        super().__init__(
            f"invalid duration {quote(got)}: {reason}; "
            "write seconds (30) or a Go duration (1m30s, 1.5s, 500ms)"
        )
        self.got = got
        self.reason = reason

    def __reduce__(self) -> tuple[object, ...]:
        return type(self), (self.got, self.reason)


class InvalidName(UplinksError, ValueError):
    """A name breaks its grammar.

    Attributes: ``kind`` (of name), ``got`` (the value), ``reason``.
    """

    def __init__(self, kind: str, got: object, reason: str) -> None:
        super().__init__(f"invalid {kind} {quote(got)}: {_cut(reason)}")
        self.kind = kind
        self.got = got
        self.reason = reason

    def __reduce__(self) -> tuple[object, ...]:
        return type(self), (self.kind, self.got, self.reason)


class InvalidAddress(UplinksError, ValueError):
    """A child's address is not an ``http`` or ``https`` URL with a host.

    Attributes: ``child``, ``got``, ``reason``.
    """

    def __init__(self, child: str, got: object, reason: str) -> None:
        super().__init__(f"invalid address {quote(got)} of child {quote(child)}: {reason}")
        self.child = child
        self.got = got
        self.reason = reason

    def __reduce__(self) -> tuple[object, ...]:
        return type(self), (self.child, self.got, self.reason)


class ValidationError(UplinksError, ValueError):
    """Input was refused as a whole; ``report`` holds every diagnostic."""

    def __init__(self, report: Report) -> None:
        super().__init__(_summary(report))
        self.report = report

    def __reduce__(self) -> tuple[object, ...]:
        return type(self), (self.report,)


class CannotAdvertise(UplinksError, ValueError):
    """A child's manifests have errors, so nothing of the child is advertised.

    Attributes: ``child``, ``report``.
    """

    def __init__(self, child: str, report: Report) -> None:
        super().__init__(f"cannot advertise child {quote(child)}: {_summary(report)}")
        self.child = child
        self.report = report

    def __reduce__(self) -> tuple[object, ...]:
        return type(self), (self.child, self.report)


class NameCollision(UplinksError, ValueError):
    """Two different identities would share one service name.

    Attributes: ``collisions``, a mapping from the service name to descriptions of
    the owners that claim it, both sorted.
    """

    def __init__(self, collisions: dict[str, tuple[str, ...]]) -> None:
        super().__init__(
            "; ".join(
                f"service name {name!r} is claimed by {' and by '.join(owners)}"
                for name, owners in collisions.items()
            )
        )
        self.collisions = collisions

    def __reduce__(self) -> tuple[object, ...]:
        return type(self), (self.collisions,)


class UnknownChild(UplinksError, LookupError):
    """A parent does not list this child.

    Attributes: ``child``, ``suggestion`` (a similar name, or ``None``).
    """

    def __init__(self, child: str, suggestion: str | None = None) -> None:
        hint = "" if suggestion is None else f"; did you mean {suggestion!r}?"
        super().__init__(f"the parent does not list a child {quote(child)}{hint}")
        self.child = child
        self.suggestion = suggestion

    def __reduce__(self) -> tuple[object, ...]:
        return type(self), (self.child, self.suggestion)


class UnknownService(UplinksError, LookupError):
    """No service has this name.

    Attributes: ``name``, ``suggestion`` (a similar name, or ``None``).
    """

    def __init__(self, name: str, suggestion: str | None = None) -> None:
        hint = "" if suggestion is None else f"; did you mean {suggestion!r}?"
        super().__init__(f"no service {quote(name)}{hint}")
        self.name = name
        self.suggestion = suggestion

    def __reduce__(self) -> tuple[object, ...]:
        return type(self), (self.name, self.suggestion)


class ServiceRequired(UplinksError, ValueError):
    """A name was left out, though a parent does not have exactly one service.

    Attribute: ``services``, the names to choose from.
    """

    def __init__(self, services: tuple[str, ...]) -> None:
        some = ", ".join(map(repr, services[:5])) + (", …" if len(services) > 5 else "")  # noqa: PLR2004 - enough to recognize them
        super().__init__(
            f"name one of the parent's {len(services)} services: {some}"
            if services
            else "the parent has no services"
        )
        self.services = services

    def __reduce__(self) -> tuple[object, ...]:
        return type(self), (self.services,)


class NoEligibleTarget(UplinksError, LookupError):
    """A selector has no eligible target.

    Attributes: ``targets`` (how many there are), ``without_weight`` (of those, how many have
    weight 0), ``down`` (of the rest, how many are not up), ``excluded`` (of the rest, how many the
    pick excluded).

    >>> NoEligibleTarget(3, 1, 2)
    NoEligibleTarget('no eligible target: of 3 targets, 1 has weight 0 and 2 are down')
    """

    def __init__(self, targets: int, without_weight: int, down: int, excluded: int = 0) -> None:
        parts = [
            (without_weight, "has weight 0", "have weight 0"),
            (down, "is down", "are down"),
            (excluded, "is excluded", "are excluded"),
        ]
        parts = [part for part in parts if part[0]]
        if targets == 0:
            why = "there are no targets"
        elif len(parts) == 1:
            whole = "the only target" if targets == 1 else f"all {targets} targets"
            why = f"{whole} {parts[0][2 if targets > 1 else 1]}"
        else:
            reasons = " and ".join(f"{k} {one if k == 1 else many}" for k, one, many in parts)
            why = f"of {targets} targets, {reasons}"
        super().__init__(f"no eligible target: {why}")
        self.targets = targets
        self.without_weight = without_weight
        self.down = down
        self.excluded = excluded

    def __reduce__(self) -> tuple[object, ...]:
        return type(self), (self.targets, self.without_weight, self.down, self.excluded)


class UnknownTarget(UplinksError, LookupError):
    """A selector does not have this target. Attribute: ``target``."""

    def __init__(self, target: Hashable) -> None:
        super().__init__(f"unknown target {quote(target)}")
        self.target = target

    def __reduce__(self) -> tuple[object, ...]:
        return type(self), (self.target,)


class DuplicateTarget(UplinksError, ValueError):
    """A selector already has this target. Attribute: ``target``."""

    def __init__(self, target: Hashable) -> None:
        super().__init__(f"duplicate target {quote(target)}")
        self.target = target

    def __reduce__(self) -> tuple[object, ...]:
        return type(self), (self.target,)


class InvalidWeight(UplinksError, ValueError):
    """A weight is not an integer from 0 to 2**31 - 1. Attribute: ``got``."""

    def __init__(self, got: object) -> None:
        super().__init__(f"weight must be an integer from 0 to 2147483647, got {quote(got)}")
        self.got = got

    def __reduce__(self) -> tuple[object, ...]:
        return type(self), (self.got,)


class InvalidScheduler(UplinksError, ValueError):
    """A scheduler is unknown, or broke its contract. Attributes: ``got``, ``reason``."""

    def __init__(self, got: object, reason: str) -> None:
        super().__init__(f"invalid scheduler {quote(got)}: {reason}")
        self.got = got
        self.reason = reason

    def __reduce__(self) -> tuple[object, ...]:
        return type(self), (self.got, self.reason)


class SelectorCycle(UplinksError, ValueError):
    """A selector would contain itself, directly or through others."""

    def __init__(self) -> None:
        super().__init__("a selector cannot contain itself, directly or through others")

    def __reduce__(self) -> tuple[object, ...]:
        return type(self), ()


class InvalidSnapshot(UplinksError, ValueError):
    """A snapshot cannot be restored. Attribute: ``reason``."""

    def __init__(self, reason: str) -> None:
        super().__init__(f"invalid snapshot: {reason}")
        self.reason = reason

    def __reduce__(self) -> tuple[object, ...]:
        return type(self), (self.reason,)


class InvalidCertificates(UplinksError, ValueError):
    """A bundle of certificates cannot be used. Attributes: ``got``, ``reason``."""

    def __init__(self, got: object, reason: str) -> None:
        super().__init__(f"cannot use certificates {quote(got)}: {_cut(reason)}")
        self.got = got
        self.reason = reason

    def __reduce__(self) -> tuple[object, ...]:
        return type(self), (self.got, self.reason)


class InvalidSource(UplinksError, ValueError):
    """A value does not name a source of a cluster. Attributes: ``got``, ``reason``."""

    def __init__(self, got: str, reason: str) -> None:
        super().__init__(f"invalid source {quote_word(got)}: {reason}")
        self.got = got
        self.reason = reason

    def __reduce__(self) -> tuple[object, ...]:
        return type(self), (self.got, self.reason)


class InvalidToken(UplinksError, ValueError):
    """A bearer token cannot be used. Attributes: ``place`` (never the token), ``reason``."""

    def __init__(self, place: str, reason: str) -> None:
        super().__init__(f"cannot use the token of {_cut(place)}: {reason}")
        self.place = place
        self.reason = reason

    def __reduce__(self) -> tuple[object, ...]:
        return type(self), (self.place, self.reason)


class MissingExtra(UplinksError, ImportError):
    """A part needs packages that are not installed. Attribute: ``extra``."""

    def __init__(self, extra: str) -> None:
        super().__init__(f"this part is an extra: pip install 'uplinks[{extra}]'")
        self.extra = extra

    def __reduce__(self) -> tuple[object, ...]:
        return type(self), (self.extra,)


class UnusablePlugin(UplinksError, RuntimeError):
    """A plug-in of another distribution is unusable. Attributes: ``name``, ``reason``."""

    def __init__(self, name: str, reason: str) -> None:
        super().__init__(f"cannot use the plug-in {_cut(name)}: {_cut(reason)}")
        self.name = name
        self.reason = reason

    def __reduce__(self) -> tuple[object, ...]:
        return type(self), (self.name, self.reason)
