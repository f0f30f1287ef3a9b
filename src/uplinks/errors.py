"""What can go wrong, as exceptions.

Rules of this file:

1. Every exception derives from `UplinksError` *and* from the built-in that a
   caller would expect, so ``except ValueError`` keeps working.
2. The message says what was wrong, what was got and what is allowed; the same
   facts are attributes, so nobody has to parse a message.
3. A message has a length: whatever was given is shown cut off if it is long.
4. Exceptions are for the caller's mistake. What is wrong in a user's manifest
   is a `uplinks.Diagnostic`, never an exception.
"""

from __future__ import annotations

from collections.abc import Hashable
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
    "InvalidWeight",
    "MissingExtra",
    "NameCollision",
    "NoEligibleTarget",
    "SelectorCycle",
    "UnknownChild",
    "UnknownService",
    "UnknownTarget",
    "UnusablePlugin",
    "UplinksError",
    "ValidationError",
    "shown",
]


class UplinksError(Exception):
    """The root of everything this package raises on purpose."""


_LONGEST_TEXT: Final = 60
_LONGEST_REPR: Final = 240


def shown(got: object) -> str:
    """Show what was given, as ``repr`` does, but never at any length.

    A text may have megabytes, and Python refuses to print an int of more than
    4300 digits. Raises nothing.

    >>> shown("api"), shown("a" * 1000)[-13:], shown(10**1000)
    ("'api'", '… (1000 long)', 'an int of 3322 bits')
    """
    if isinstance(got, int) and got.bit_length() > 3 * _LONGEST_TEXT:
        return f"an int of {got.bit_length()} bits"
    if isinstance(got, str | bytes) and len(got) > _LONGEST_TEXT:
        return f"{got[:_LONGEST_TEXT]!r}… ({len(got)} long)"
    try:
        return _cut(repr(got))
    except Exception:  # noqa: BLE001 - somebody else's repr; an error must not hide behind it
        return f"a {type(got).__name__}"


def _cut(text: str) -> str:
    return text if len(text) <= _LONGEST_REPR else f"{text[:_LONGEST_REPR]}…"


class InvalidDuration(UplinksError, ValueError):
    """A text or number is not a duration.

    Attributes: ``got`` (what was given), ``reason`` (what is wrong with it).
    """

    def __init__(self, got: object, reason: str) -> None:
        super().__init__(
            f"invalid duration {shown(got)}: {reason}; "
            "write seconds (30) or a Go duration (1m30s, 1.5s, 500ms)"
        )
        self.got = got
        self.reason = reason

    def __reduce__(self) -> tuple[object, ...]:
        return type(self), (self.got, self.reason)


class InvalidName(UplinksError, ValueError):
    """A name breaks its grammar.

    Attributes: ``kind`` (which sort of name), ``got``, ``reason``.
    """

    def __init__(self, kind: str, got: object, reason: str) -> None:
        super().__init__(f"invalid {kind} {shown(got)}: {_cut(reason)}")
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
        super().__init__(f"invalid address {shown(got)} of child {shown(child)}: {reason}")
        self.child = child
        self.got = got
        self.reason = reason

    def __reduce__(self) -> tuple[object, ...]:
        return type(self), (self.child, self.got, self.reason)


class ValidationError(UplinksError, ValueError):
    """Input was refused as a whole; ``report`` holds every finding."""

    def __init__(self, report: Report) -> None:
        first = next(iter(report.errors), None)
        summary = f"{len(report.errors)} error(s)"
        super().__init__(summary if first is None else f"{summary}, first: {first}")
        self.report = report

    def __reduce__(self) -> tuple[object, ...]:
        return type(self), (self.report,)


class CannotAdvertise(UplinksError, ValueError):
    """A child's manifests have errors, so nothing of the child is advertised.

    Attributes: ``child``, ``report``.
    """

    def __init__(self, child: str, report: Report) -> None:
        errors = report.errors
        count = "1 error" if len(errors) == 1 else f"{len(errors)} errors"
        first = "".join(f", first: {error}" for error in errors[:1])
        super().__init__(f"cannot advertise child {shown(child)}: {count}{first}")
        self.child = child
        self.report = report

    def __reduce__(self) -> tuple[object, ...]:
        return type(self), (self.child, self.report)


class NameCollision(UplinksError, ValueError):
    """Two different identities would share one service name.

    Attributes: ``collisions``, a mapping from the service name to the owners
    that claim it, each a sentence fragment, both sorted.
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

    Attributes: ``child``, ``suggestion`` (a near name, or ``None``).
    """

    def __init__(self, child: str, suggestion: str | None = None) -> None:
        hint = "" if suggestion is None else f"; did you mean {suggestion!r}?"
        super().__init__(f"the parent does not list a child {shown(child)}{hint}")
        self.child = child
        self.suggestion = suggestion

    def __reduce__(self) -> tuple[object, ...]:
        return type(self), (self.child, self.suggestion)


class UnknownService(UplinksError, LookupError):
    """No service has this name.

    Attributes: ``name``, ``suggestion`` (a near name, or ``None``).
    """

    def __init__(self, name: str, suggestion: str | None = None) -> None:
        hint = "" if suggestion is None else f"; did you mean {suggestion!r}?"
        super().__init__(f"no service {shown(name)}{hint}")
        self.name = name
        self.suggestion = suggestion

    def __reduce__(self) -> tuple[object, ...]:
        return type(self), (self.name, self.suggestion)


class NoEligibleTarget(UplinksError, LookupError):
    """A selector has nothing that may be picked.

    Attributes: ``targets`` (how many there are), ``without_weight`` (of those,
    how many have weight 0), ``down`` (of the rest, how many are not up).
    """

    def __init__(self, targets: int, without_weight: int, down: int) -> None:
        if targets == 0:
            why = "there are no targets"
        elif without_weight == targets:
            why = f"all {targets} targets have weight 0"
        elif without_weight == 0:
            why = f"all {targets} targets are down"
        else:
            why = f"of {targets} targets {without_weight} have weight 0 and {down} are down"
        super().__init__(f"no eligible target: {why}")
        self.targets = targets
        self.without_weight = without_weight
        self.down = down

    def __reduce__(self) -> tuple[object, ...]:
        return type(self), (self.targets, self.without_weight, self.down)


class UnknownTarget(UplinksError, LookupError):
    """A selector does not have this target. Attribute: ``target``."""

    def __init__(self, target: Hashable) -> None:
        super().__init__(f"unknown target {shown(target)}")
        self.target = target

    def __reduce__(self) -> tuple[object, ...]:
        return type(self), (self.target,)


class DuplicateTarget(UplinksError, ValueError):
    """A selector has this target already. Attribute: ``target``."""

    def __init__(self, target: Hashable) -> None:
        super().__init__(f"duplicate target {shown(target)}")
        self.target = target

    def __reduce__(self) -> tuple[object, ...]:
        return type(self), (self.target,)


class InvalidWeight(UplinksError, ValueError):
    """A weight is not an integer from 0 to 2**31 - 1. Attribute: ``got``."""

    def __init__(self, got: object) -> None:
        super().__init__(f"invalid weight {shown(got)}: an int from 0 to 2147483647 is allowed")
        self.got = got

    def __reduce__(self) -> tuple[object, ...]:
        return type(self), (self.got,)


class InvalidScheduler(UplinksError, ValueError):
    """A scheduler is unknown, or broke its contract. Attributes: ``got``, ``reason``."""

    def __init__(self, got: object, reason: str) -> None:
        super().__init__(f"invalid scheduler {shown(got)}: {reason}")
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
        super().__init__(f"cannot use certificates {shown(got)}: {_cut(reason)}")
        self.got = got
        self.reason = reason

    def __reduce__(self) -> tuple[object, ...]:
        return type(self), (self.got, self.reason)


class MissingExtra(UplinksError, ImportError):
    """A part needs packages that are not installed. Attribute: ``extra``."""

    def __init__(self, extra: str) -> None:
        super().__init__(f"this part is an extra: pip install 'uplinks[{extra}]'")
        self.extra = extra

    def __reduce__(self) -> tuple[object, ...]:
        return type(self), (self.extra,)


class UnusablePlugin(UplinksError, RuntimeError):
    """What another distribution brings cannot be used. Attributes: ``name``, ``reason``."""

    def __init__(self, name: str, reason: str) -> None:
        super().__init__(f"cannot use the plug-in {_cut(name)}: {_cut(reason)}")
        self.name = name
        self.reason = reason

    def __reduce__(self) -> tuple[object, ...]:
        return type(self), (self.name, self.reason)
