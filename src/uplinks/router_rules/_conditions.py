"""The conditions that matchers put on a request, and when one implies another.

A condition answers True, False, or ``None`` where the request leaves it open.
`implies` is cautious: it is True only if no request can meet the first condition
and fail the second.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING, Final, Literal

from attrs import field, frozen

if TYPE_CHECKING:  # few rules need the engine of regular expressions
    from uplinks.router_rules._regexp import Program

__all__ = ["Condition", "Request", "always", "any_of", "excludes", "implies"]

# What a client or a proxy may add by itself.
_OPEN_HEADERS: Final = frozenset(
    {"accept", "accept-encoding", "connection", "content-length", "content-type", "forwarded"}
    | {"te", "traceparent", "tracestate", "user-agent", "via", "x-real-ip", "x-uplink"}
)
_RESERVED: Final = frozenset(f"%{ord(char):02X}" for char in ":/?#[]@!$&'()*+,;=%")
_ENCODED: Final = re.compile(r"%[0-9A-Fa-f]{2}")


def _lower(headers: Mapping[str, str]) -> Mapping[str, str]:
    return {name.lower(): value for name, value in headers.items()}


@frozen
class Request:
    """What is known of a request; ``None`` leaves a part open.

    ``path`` is without the query; ``host`` without the port. ``headers`` are all
    that is sent, except those that a client or proxy adds by itself.

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
        """The path that Traefik compares: decoded, except for reserved characters."""
        if self.path is None or "%" not in self.path:
            return self.path
        octets = self.path.encode("utf-8", "surrogateescape").decode("latin-1")
        decoded = _ENCODED.sub(_decode, octets)
        return decoded.encode("latin-1").decode("utf-8", "surrogateescape")


def _decode(found: re.Match[str]) -> str:
    return found[0] if found[0] in _RESERVED else chr(int(found[0][1:], 16))


Kind = Literal[
    "path",  # the whole path
    "prefix",  # the beginning of the path
    "path regexp",  # a regular expression anywhere in the path
    "host",  # the host in lower case, or "*.domain" for one more label, or "*"
    "exact host",  # the same without wildcards, in syntax v2
    "host regexp",  # a regular expression anywhere in the host
    "method",  # the method in capitals
    "header",  # the name in lower case, and the value
    "header regexp",  # the name, and a regular expression anywhere in the value
    "query",  # the name, and the value
    "client",  # a CIDR block with the client's address
    "any",  # one of `parts`: the arguments of one matcher in syntax v2
    "open",  # known by its arguments only
]


@frozen
class Condition:
    """What one matcher asks of a request; equal conditions are equal objects."""

    kind: Kind
    value: str
    name: str = ""
    program: Program | None = field(default=None, eq=False, repr=False)
    parts: tuple[Condition, ...] = ()

    def matches(self, request: Request) -> bool | None:
        """Whether a request meets the condition, or ``None`` if that is open."""
        return _MATCHES[self.kind](self, request)

    def has_host(self, host: str) -> bool:
        """Whether a host in lower case matches; a final full stop does not count."""
        wanted, got = self.value.removesuffix("."), host.removesuffix(".")
        if self.kind == "host" and wanted.startswith("*"):
            _, dot, rest = got.partition(".")
            return f"*{dot}{rest}" == wanted
        return wanted == got

    def finds(self, text: str | None) -> bool | None:
        """Whether the regular expression matches; ``None`` if the string is not known."""
        return None if text is None or self.program is None else self.program.matches(text)


def any_of(conditions: tuple[Condition, ...]) -> Condition:
    """Join conditions; a single one stays as it is."""
    return conditions[0] if len(conditions) == 1 else Condition("any", "", parts=conditions)


def _path(condition: Condition, request: Request) -> bool | None:
    path = request.routing_path
    return None if path is None else path == condition.value


def _prefix(condition: Condition, request: Request) -> bool | None:
    path = request.routing_path
    return None if path is None else path.startswith(condition.value)


def _host(condition: Condition, request: Request) -> bool | None:
    if condition.kind == "host" and condition.value == "*":
        return True
    return None if request.host is None else condition.has_host(request.host.strip().lower())


def _host_regexp(condition: Condition, request: Request) -> bool | None:
    return condition.finds(None if request.host is None else request.host.strip().lower())


def _method(condition: Condition, request: Request) -> bool | None:
    return None if request.method is None else request.method == condition.value


def _header(condition: Condition, request: Request) -> bool | None:
    value = request.headers.get(condition.name)
    if value is None:
        return None if condition.name in _OPEN_HEADERS else False
    return value == condition.value if condition.kind == "header" else condition.finds(value)


def _query(condition: Condition, request: Request) -> bool | None:  # noqa: ARG001 - as the others
    return False if request.query == "" else None


def _any(condition: Condition, request: Request) -> bool | None:
    found = [part.matches(request) for part in condition.parts]
    return True if True in found else None if None in found else False


def _open(condition: Condition, request: Request) -> bool | None:  # noqa: ARG001 - as the others
    return None


_MATCHES: Final[Mapping[Kind, Callable[[Condition, Request], bool | None]]] = MappingProxyType(
    {
        "path": _path,
        "prefix": _prefix,
        "path regexp": lambda condition, request: condition.finds(request.routing_path),
        "host": _host,
        "exact host": _host,
        "host regexp": _host_regexp,
        "method": _method,
        "header": _header,
        "header regexp": _header,
        "query": _query,
        "client": _open,
        "any": _any,
        "open": _open,
    }
)


# --- implication ----------------------------------------------------------------

_ANYTHING: Final = frozenset({"", ".*", "^.*", ".*$", "^.*$", ".+", "^.+", ".+$", "^.+$"})
_ALWAYS: Final[Mapping[Kind, frozenset[str]]] = MappingProxyType(
    {
        "prefix": frozenset({"/"}),
        "path regexp": _ANYTHING | {"^/", "^/.*", "^/.*$"},
        "host": frozenset({"*"}),
        "host regexp": _ANYTHING,
    }
)


def always(condition: Condition) -> bool:
    """Whether every request meets a condition: all have a path with "/" and a host."""
    return condition.value in _ALWAYS.get(condition.kind, ())


def implies(one: Condition, other: Condition) -> bool:  # noqa: PLR0911 - one a pair of kinds
    """Whether every request that meets one condition meets the other. Cautious.

    >>> implies(Condition("path", "/api/v1"), Condition("prefix", "/api"))
    True
    """
    if one == other or always(other):
        return True
    match one.kind, other.kind:
        case "path" | "prefix", "prefix":
            return one.value.startswith(other.value)
        case "path", "path regexp":
            return other.finds(one.value) is True
        case "host" | "exact host", "host" | "exact host":
            return "*" not in one.value and other.has_host(one.value)
        case "host" | "exact host", "host regexp":
            host = one.value.removesuffix(".")  # which a request may have all the same
            return "*" not in host and all(other.finds(each) is True for each in (host, f"{host}."))
        case "header", "header regexp":
            return one.name == other.name and other.finds(one.value) is True
        case "client", "client":
            return _is_inside(one.value, other.value)
        case _:
            return False


def _is_inside(inner: str, outer: str) -> bool:
    import ipaddress  # noqa: PLC0415 - few rules have addresses

    small, large = (ipaddress.ip_network(each, strict=False) for each in (inner, outer))
    return (
        small.version == large.version
        and large.prefixlen <= small.prefixlen
        and small.network_address in large
    )


def excludes(one: Condition, other: Condition) -> bool:
    """Whether no request meets both conditions. Cautious.

    >>> excludes(Condition("path", "/a"), Condition("prefix", "/b"))
    True
    """
    match one.kind, other.kind:
        case ("path", "path") | ("method", "method"):
            return one.value != other.value
        case "path", "prefix":
            return not one.value.startswith(other.value)
        case "prefix", "path":
            return not other.value.startswith(one.value)
        case "prefix", "prefix":
            return not (one.value.startswith(other.value) or other.value.startswith(one.value))
        case "host" | "exact host", "host" | "exact host":
            return "*" not in one.value + other.value and not other.has_host(one.value)
        case _:
            return False
