"""The conditions that matchers put on a request, and when one implies another.

A condition answers True, False, or ``None`` where the request leaves it open.
`implies` is cautious: it is True only if no request can meet the first condition
and fail the second.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Mapping
from typing import Final
from urllib.parse import unquote_to_bytes

from attrs import field, frozen

from uplinks.router_rules._regexp import Program

__all__ = [
    "AnyOf",
    "Condition",
    "HeaderIs",
    "HeaderMatches",
    "HostIs",
    "HostMatches",
    "Inside",
    "MethodIs",
    "PathBegins",
    "PathIs",
    "PathMatches",
    "QueryIs",
    "Request",
    "Unknown",
    "always",
    "any_of",
    "excludes",
    "implies",
]

# What a client or a proxy may add by itself.
_OPEN_HEADERS: Final = frozenset(
    {"accept", "accept-encoding", "connection", "content-length", "content-type", "te"}
    | {"traceparent", "tracestate", "user-agent", "via", "x-uplink", "forwarded", "x-real-ip"}
)


def _lower(headers: Mapping[str, str]) -> Mapping[str, str]:
    return {name.lower(): value for name, value in headers.items()}


@frozen
class Request:
    """What is known of a request; ``None`` leaves a part open.

    ``path`` is without the query; ``host`` without the port. ``headers`` are all
    that is sent, but for those that a client or proxy adds by itself.

    >>> Request(path="/health%20check").routing_path
    '/health check'
    """

    method: str | None = None
    host: str | None = None
    path: str | None = None
    query: str | None = None
    headers: Mapping[str, str] = field(factory=dict, converter=_lower)

    @property
    def routing_path(self) -> str | None:
        """The path that Traefik compares: decoded, but for reserved characters."""
        if self.path is None:
            return None
        return (
            _ENCODED.sub(_decode, self.path.encode().decode("latin-1"))
            .encode("latin-1")
            .decode("utf-8", "surrogateescape")
        )


_RESERVED: Final = frozenset(f"%{ord(char):02X}" for char in ":/?#[]@!$&'()*+,;=%")
_ENCODED: Final = re.compile(r"%[0-9A-Fa-f]{2}")


def _decode(found: re.Match[str]) -> str:
    return found[0] if found[0] in _RESERVED else unquote_to_bytes(found[0]).decode("latin-1")


class Condition:
    """What one matcher asks of a request; equal conditions are equal objects."""

    def matches(self, request: Request) -> bool | None:
        """Whether a request meets the condition, or ``None`` if that is open."""
        raise NotImplementedError


@frozen
class Unknown(Condition):
    """A condition that is compared by its arguments and never decided."""

    arguments: tuple[str, ...]

    def matches(self, request: Request) -> bool | None:  # noqa: ARG002 - never decided
        return None


@frozen
class AnyOf(Condition):
    """A disjunction: the arguments of one matcher in syntax v2."""

    conditions: tuple[Condition, ...]

    def matches(self, request: Request) -> bool | None:
        found = [each.matches(request) for each in self.conditions]
        return True if True in found else None if None in found else False


def any_of(conditions: tuple[Condition, ...]) -> Condition:
    """Join conditions; a single one stays as it is."""
    return conditions[0] if len(conditions) == 1 else AnyOf(conditions)


@frozen
class PathIs(Condition):
    """The whole path."""

    path: str

    def matches(self, request: Request) -> bool | None:
        path = request.routing_path
        return None if path is None else path == self.path


@frozen
class PathBegins(Condition):
    """The beginning of the path."""

    path: str

    def matches(self, request: Request) -> bool | None:
        path = request.routing_path
        return None if path is None else path.startswith(self.path)


@frozen
class PathMatches(Condition):
    """A regular expression anywhere in the path."""

    pattern: str
    program: Program = field(eq=False, repr=False)

    def matches(self, request: Request) -> bool | None:
        path = request.routing_path
        return None if path is None else self.program.matches(path)


@frozen
class HostIs(Condition):
    """The host in lower case, ``*.domain`` for one more label, or ``*`` for any."""

    host: str
    wildcard: bool = True

    def matches(self, request: Request) -> bool | None:
        if self.wildcard and self.host == "*":
            return True
        return None if request.host is None else self.has(request.host.strip().lower())

    def has(self, host: str) -> bool:
        """Whether a host in lower case matches; a final full stop on either side is ignored."""
        wanted, got = self.host.removesuffix("."), host.removesuffix(".")
        if self.wildcard and wanted.startswith("*"):
            _, dot, rest = got.partition(".")
            return f"*{dot}{rest}" == wanted
        return wanted == got


@frozen
class HostMatches(Condition):
    """A regular expression anywhere in the host."""

    pattern: str
    program: Program = field(eq=False, repr=False)

    def matches(self, request: Request) -> bool | None:
        host = request.host
        return None if host is None else self.program.matches(host.strip().lower())


@frozen
class MethodIs(Condition):
    """The method in capitals."""

    method: str

    def matches(self, request: Request) -> bool | None:
        return None if request.method is None else request.method == self.method


@frozen
class HeaderIs(Condition):
    """A header with exactly this value; the name in lower case."""

    name: str
    value: str

    def matches(self, request: Request) -> bool | None:
        value = request.headers.get(self.name)
        return (
            (None if self.name in _OPEN_HEADERS else False)
            if value is None
            else value == self.value
        )


@frozen
class HeaderMatches(Condition):
    """A header whose value matches a regular expression; the name in lower case."""

    name: str
    pattern: str
    program: Program = field(eq=False, repr=False)

    def matches(self, request: Request) -> bool | None:
        value = request.headers.get(self.name)
        if value is None:
            return None if self.name in _OPEN_HEADERS else False
        return self.program.matches(value)


@frozen
class QueryIs(Condition):
    """A query parameter with exactly this value."""

    name: str
    value: str

    def matches(self, request: Request) -> bool | None:
        if request.query is None:
            return None
        return False if not request.query else None


@frozen
class Inside(Condition):
    """The client's address within a CIDR block."""

    network: str

    def matches(self, request: Request) -> bool | None:  # noqa: ARG002 - the client is never known
        return None

    @property
    def block(self) -> ipaddress.IPv4Network | ipaddress.IPv6Network:
        """The block as a network."""
        return ipaddress.ip_network(self.network, strict=False)


# --- implication ----------------------------------------------------------------

_ANYTHING: Final = frozenset({"", ".*", "^.*", ".*$", "^.*$", ".+", "^.+", ".+$", "^.+$"})
_ANY_PATH: Final = _ANYTHING | {"^/", "^/.*", "^/.*$"}


def always(condition: Condition) -> bool:
    """Whether every request meets a condition: all have a path with "/" and a host."""
    match condition:
        case PathBegins(path="/") | HostIs(host="*", wildcard=True):
            return True
        case PathMatches(pattern=pattern):
            return pattern in _ANY_PATH
        case HostMatches(pattern=pattern):
            return pattern in _ANYTHING
        case _:
            return False


def implies(one: Condition, other: Condition) -> bool:  # noqa: PLR0911 - one case a kind
    """Whether every request that meets one condition meets the other. Cautious.

    >>> implies(PathIs("/api/v1"), PathBegins("/api"))
    True
    """
    if one == other or always(other):
        return True
    match one, other:
        case PathIs(path=path) | PathBegins(path=path), PathBegins(path=prefix):
            return path.startswith(prefix)
        case PathIs(path=path), PathMatches(program=program):
            return program.matches(path) is True
        case HostIs(host=host), HostIs():
            return "*" not in host and other.has(host)
        case HostIs(host=host), HostMatches(program=program):
            names = (host.removesuffix("."), f"{host.removesuffix('.')}.")  # HostIs takes both
            return "*" not in host and all(program.matches(name) is True for name in names)
        case HeaderIs(name=name, value=value), HeaderMatches(name=same, program=program):
            return name == same and program.matches(value) is True
        case Inside(), Inside():
            inner, outer = one.block, other.block
            return inner.version == outer.version and inner.subnet_of(outer)  # type: ignore[arg-type]
        case _:
            return False


def excludes(one: Condition, other: Condition) -> bool:  # noqa: PLR0911 - as above
    """Whether no request meets both conditions. Cautious.

    >>> excludes(PathIs("/a"), PathBegins("/b"))
    True
    """
    match one, other:
        case PathIs(path=path), PathIs(path=another):
            return path != another
        case PathIs(path=path), PathBegins(path=prefix):
            return not path.startswith(prefix)
        case PathBegins(path=prefix), PathIs(path=path):
            return not path.startswith(prefix)
        case PathBegins(path=path), PathBegins(path=another):
            return not path.startswith(another) and not another.startswith(path)
        case HostIs(host=host), HostIs(host=another):
            return "*" not in host + another and not other.has(host)
        case MethodIs(method=method), MethodIs(method=another):
            return method != another
        case _:
            return False
