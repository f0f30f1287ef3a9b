"""The matchers of Traefik's router rules: one row a matcher, for syntax v3 and v2.

To add a matcher, write a function that builds its condition (a class of
``_conditions.py``) and a row in `MATCHERS`. The function raises `InvalidArgument`
for an argument that Traefik refuses.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Final, Literal

from attrs import frozen

from uplinks.naming import nearest
from uplinks.router_rules import _templates as templates
from uplinks.router_rules._conditions import Condition, any_of
from uplinks.router_rules._syntax import Call, InvalidRegexp, Problem

if TYPE_CHECKING:
    from uplinks.router_rules._regexp import Program

__all__ = ["MATCHERS", "RuleSyntax", "build", "weak_points"]

RuleSyntax = Literal["v3", "v2"]
Arguments = tuple[str, ...]


class InvalidArgument(ValueError):
    """Traefik refuses the argument number ``index``, or a ``part`` of it."""

    def __init__(self, reason: str, index: int = 0, part: tuple[int, int] | None = None) -> None:
        super().__init__(reason)
        self.reason = reason
        self.index = index
        self.part = part


@frozen
class Matcher:
    """A matcher: the counts of arguments it takes (``None``: any) and its condition."""

    name: str
    counts: tuple[int, ...] | None
    build: Callable[[Arguments], Condition]


# --- v3 -----------------------------------------------------------------------


def _ascii(text: str, index: int = 0) -> str:
    if not text.isascii():
        raise InvalidArgument("must be ASCII; write an international name in its xn-- form", index)
    return text


def _compile(pattern: str) -> Program:
    from uplinks.router_rules._regexp import compile_regexp  # noqa: PLC0415 - few rules need it

    return compile_regexp(pattern)


def _regexp(pattern: str, index: int = 0) -> Program:
    try:
        return _compile(pattern)
    except InvalidRegexp as error:
        reason = f"is not a valid regular expression: {error.reason}"
        raise InvalidArgument(reason, index, (error.start, error.end)) from None


def _client_ip(arguments: Arguments) -> Condition:
    for index, text in enumerate(arguments):
        if not _is_network(text):
            raise InvalidArgument("must be an IP address or a CIDR block", index)
    return any_of(tuple(Condition("client", text) for text in arguments))


def _is_network(text: str) -> bool:
    """Whether Go reads an address or a CIDR block, which has no zone and no netmask."""
    import ipaddress  # noqa: PLC0415 - few rules have addresses

    address, slash, length = text.partition("/")
    if "%" in text or (slash and not re.fullmatch(r"[0-9]{1,3}", length)):
        return False
    try:
        ipaddress.ip_address(address)
        ipaddress.ip_network(text, strict=False)
    except ValueError:
        return False
    return True


def _method(arguments: Arguments) -> Condition:
    return any_of(tuple(Condition("method", text.upper()) for text in arguments))


def _host(arguments: Arguments) -> Condition:
    if arguments[0] != "*":
        _ascii(arguments[0])
    return Condition("host", arguments[0].lower())


def _host_regexp(arguments: Arguments) -> Condition:
    return Condition("host regexp", _ascii(arguments[0]), program=_regexp(arguments[0]))


def _slash(text: str, index: int = 0) -> str:
    if not text.startswith("/"):
        raise InvalidArgument("must start with '/'", index)
    return text


def _path(arguments: Arguments) -> Condition:
    return Condition("path", _slash(arguments[0]))


def _path_prefix(arguments: Arguments) -> Condition:
    return Condition("prefix", _slash(arguments[0]))


def _path_regexp(arguments: Arguments) -> Condition:
    return Condition("path regexp", arguments[0], program=_regexp(arguments[0]))


def _header(arguments: Arguments) -> Condition:
    return Condition("header", arguments[1], arguments[0].lower())


def _header_regexp(arguments: Arguments) -> Condition:
    return Condition("header regexp", arguments[1], arguments[0].lower(), _regexp(arguments[1], 1))


def _query(arguments: Arguments) -> Condition:
    return Condition("query", arguments[1] if len(arguments) > 1 else "", arguments[0])


def _query_regexp(arguments: Arguments) -> Condition:
    if len(arguments) > 1:
        _regexp(arguments[1], 1)
        return _open("QueryRegexp", arguments)
    return _query(arguments)


# --- v2: any number of arguments, templates with {name:pattern} ----------------


def _template(text: str, index: int, kind: templates.Kind) -> Condition:
    try:
        pattern = templates.to_regexp(text, kind)
        program = _compile(pattern)
    except InvalidRegexp as error:
        raise InvalidArgument(f"is not a valid template: {error.reason}", index) from None
    return Condition("host regexp" if kind == "host" else "path regexp", pattern, program=program)


def _open(name: str, arguments: Arguments) -> Condition:
    return Condition("open", name, parts=tuple(Condition("open", text) for text in arguments))


def _paths_v2(kind: templates.Kind) -> Callable[[Arguments], Condition]:
    def build(arguments: Arguments) -> Condition:
        texts = enumerate(arguments)
        return any_of(tuple(_template(_slash(text, i), i, kind) for i, text in texts))

    return build


def _host_v2(arguments: Arguments) -> Condition:
    texts = enumerate(arguments)
    return any_of(tuple(Condition("exact host", _ascii(text, i).lower()) for i, text in texts))


def _host_regexp_v2(arguments: Arguments) -> Condition:
    texts = enumerate(arguments)
    return any_of(tuple(_template(_ascii(text, i), i, "host") for i, text in texts))


def _pairs(arguments: Arguments) -> None:
    if len(arguments) % 2:
        raise InvalidArgument("has a name without a value", len(arguments) - 1)


def _headers_v2(arguments: Arguments) -> Condition:
    _pairs(arguments)
    return _open("Headers", arguments)


def _headers_regexp_v2(arguments: Arguments) -> Condition:
    _pairs(arguments)
    for index in range(1, len(arguments), 2):
        _regexp(arguments[index], index)
    return _open("HeadersRegexp", arguments)


def _query_v2(arguments: Arguments) -> Condition:
    parts = [part for text in arguments for part in text.split("=", 1)]
    if len(parts) % 2:
        raise InvalidArgument("must have the form name=value", len(arguments) - 1)
    names: set[str] = set()
    for name, value in zip(parts[::2], parts[1::2], strict=True):
        template = f"{name}={value}"
        _template(template, 0, "query")
        variables = templates.variables(template)
        if names & set(variables):
            raise InvalidArgument("has the same variable in two templates")
        names |= set(variables)
    return _open("Query", arguments)


MATCHERS: Final[Mapping[RuleSyntax, tuple[Matcher, ...]]] = {
    "v3": (
        Matcher("ClientIP", (1,), _client_ip),
        Matcher("Header", (2,), _header),
        Matcher("HeaderRegexp", (2,), _header_regexp),
        Matcher("Host", (1,), _host),
        Matcher("HostRegexp", (1,), _host_regexp),
        Matcher("Method", (1,), _method),
        Matcher("Path", (1,), _path),
        Matcher("PathPrefix", (1,), _path_prefix),
        Matcher("PathRegexp", (1,), _path_regexp),
        Matcher("Query", (1, 2), _query),
        Matcher("QueryRegexp", (1, 2), _query_regexp),
    ),
    "v2": (
        Matcher("ClientIP", None, _client_ip),
        Matcher("Headers", None, _headers_v2),
        Matcher("HeadersRegexp", None, _headers_regexp_v2),
        Matcher("Host", None, _host_v2),
        Matcher("HostHeader", None, _host_v2),
        Matcher("HostRegexp", None, _host_regexp_v2),
        Matcher("Method", None, _method),
        Matcher("Path", None, _paths_v2("path")),
        Matcher("PathPrefix", None, _paths_v2("prefix")),
        Matcher("Query", None, _query_v2),
    ),
}


def _spellings(name: str) -> tuple[str, ...]:
    """The spellings that Traefik accepts: as it is, lower, upper, and capitalized."""
    return name, name.lower(), name.upper(), name.capitalize()


_BY_SPELLING: Final[Mapping[RuleSyntax, Mapping[str, Matcher]]] = {
    syntax: {spelling: matcher for matcher in table for spelling in _spellings(matcher.name)}
    for syntax, table in MATCHERS.items()
}
_TCP: Final = frozenset({"ALPN", "HostSNI", "HostSNIRegexp"})
_RENAMED: Final = {"Headers": "Header", "HeadersRegexp": "HeaderRegexp", "HostHeader": "Host"}
_RENAMED_V2: Final = {"Header": "Headers", "HeaderRegexp": "HeadersRegexp"}


def build(call: Call, syntax: RuleSyntax) -> Condition | Problem:
    """Build the condition of a matcher, or the reason why Traefik refuses it."""
    matcher = _BY_SPELLING[syntax].get(call.name)
    if matcher is None:
        return _unknown(call, syntax)
    if not call.arguments:
        return Problem(call.start, call.end, f"{matcher.name} needs an argument")
    for text, span in zip(call.arguments, call.spans, strict=True):
        if not text:
            return Problem(*span, f"an argument of {matcher.name} must not be empty")
    if matcher.counts is not None and len(call.arguments) not in matcher.counts:
        return _wrong_count(call, matcher)
    try:
        return matcher.build(call.arguments)
    except InvalidArgument as error:
        start, end = call.spans[error.index]
        written = call.arguments[error.index]
        if error.part is not None and end - start == len(written) + 2:
            start, end = start + 1 + error.part[0], start + 1 + max(error.part)
        return Problem(start, end, f"the argument of {matcher.name} {error.reason}")


def _unknown(call: Call, syntax: RuleSyntax) -> Problem:
    name, end = call.name, call.start + len(call.name)
    if name in _TCP:
        return Problem(call.start, end, f"{name} is a matcher of TCP routers only")
    renamed = (_RENAMED if syntax == "v3" else _RENAMED_V2).get(name)
    if renamed is not None:
        other = "v2" if syntax == "v3" else "v3"
        message = f"{name} is syntax {other}; write {renamed} in syntax {syntax}"
        return Problem(call.start, end, message, renamed)
    names = [matcher.name for matcher in MATCHERS[syntax]]
    if name in {matcher.name for matcher in MATCHERS["v3"]}:
        return Problem(call.start, end, f"{name} exists in syntax v3 only")
    folded = {known.lower(): known for known in names}
    near = folded.get(name.lower()) or nearest(name, names) or _by_beginning(name, names)
    message = f"unknown matcher {name if len(name) < _LONGEST else name[:_LONGEST] + '…'!r}"
    return Problem(call.start, end, message, near)


_LONGEST: Final = 40


def _by_beginning(name: str, names: list[str]) -> str | None:
    """Suggest a matcher whose first word is the same, as for ``PathStartsWith``."""
    words = re.findall(r"[A-Z][a-z]+", name[:_LONGEST])
    similar = {"StartsWith": "Prefix", "BeginsWith": "Prefix", "Regex": "Regexp"}
    rest = "".join(words[1:])
    first = words[0] if words else ""
    wanted = first + similar.get(rest, rest)
    return wanted if wanted in names else None


def _wrong_count(call: Call, matcher: Matcher) -> Problem:
    counts = matcher.counts or ()
    got, allowed = len(call.arguments), " or ".join(map(str, counts))
    plural = "" if allowed == "1" else "s"
    message = f"{matcher.name} takes {allowed} argument{plural}, got {got}"
    if counts == (1,):
        parts = [f"{matcher.name}(`{text}`)" for text in call.arguments]
        rewritten = f"({' || '.join(parts)})"
        if got <= 3 and len(rewritten) < 100 and "`" not in "".join(call.arguments):  # noqa: PLR2004 - a line
            return Problem(call.start, call.end, f"{message}; join matchers with '||'", rewritten)
        message += "; join matchers with '||'"
    return Problem(call.start, call.end, message)


# --- accepted, but without effect ----------------------------------------------

# {name} or {name:pattern}, but not \p{Latin} or \x{41}.
_VARIABLE: Final = re.compile(
    r"(?<!\\[pPx])\{[A-Za-z_]\w*(?::[^{}]*(?:\{[^{}]*\}[^{}]*)*)?\}", re.ASCII
)
_LITERAL_BRACES: Final = "syntax v3 takes {…} literally"


def weak_points(call: Call, syntax: RuleSyntax) -> Problem | None:
    """Find an argument that Traefik accepts although the matcher then matches nothing."""
    matcher = _BY_SPELLING[syntax].get(call.name)
    if matcher is None or syntax != "v3" or not call.arguments:
        return None
    first, name = call.arguments[0], matcher.name
    message: str | None = None
    if name in {"Path", "PathPrefix"} and _VARIABLE.search(first):
        message = f"{name} matches no path: {_LITERAL_BRACES}; use PathRegexp"
    elif name in {"HostRegexp", "PathRegexp"} and _VARIABLE.search(first):
        message = f"{name} matches nothing: {_LITERAL_BRACES}; write the regular expression alone"
    elif name in {"Path", "PathPrefix"} and ("?" in first or "#" in first):
        message = f"{name} matches no path: a path has no query and no fragment; use Query"
    elif name == "Host" and ("{" in first or "/" in first):
        message = f"Host matches no host: {first[:_LONGEST]!r} is not a host name"
    elif name == "Host" and re.search(r":[0-9]+$", first) and first.count(":") == 1:
        message = "Host matches no host: Traefik compares without the port"
    elif name == "Host" and "*" in first[1:]:
        message = "Host matches no host: '*' stands only for the first label; use HostRegexp"
    elif name == "Query" and len(call.arguments) == 1 and "=" in first:
        key, _, value = first.partition("=")
        message = f"Query compares the name {first[:_LONGEST]!r}; write Query(`{key}`, `{value}`)"
        message = message if len(message) < 150 and "`" not in first else "Query takes a name here"  # noqa: PLR2004 - a line
    elif name in {"Header", "HeaderRegexp"} and first.lower() == "host":
        message = f"{name} matches nothing: Traefik keeps no Host header; use Host"
    return None if message is None else Problem(*call.spans[0], message, refused=False)
