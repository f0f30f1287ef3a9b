"""The templates of rule syntax v2: ``{name}`` and ``{name:pattern}`` in paths, hosts, queries.

Source: the documentation of gorilla/mux, which Traefik uses for syntax v2.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final, Literal

from uplinks.router_rules._syntax import InvalidRegexp

__all__ = ["Kind", "to_regexp", "variables"]

Kind = Literal["path", "prefix", "host", "query"]
_DEFAULTS: Final = {"path": "[^/]+", "prefix": "[^/]+", "host": "[^.]+", "query": ".*"}


def to_regexp(template: str, kind: Kind) -> str:
    """Translate a template. Raises: InvalidRegexp.

    >>> to_regexp("/api/{id:[0-9]+}/x", "path")
    '^/api/(?P<v0>[0-9]+)/x$'
    """
    from uplinks.router_rules._regexp import compile_regexp, quote_meta  # noqa: PLC0415 - only v2

    parts = ["(?i)^" if kind == "host" else "^"]
    end = 0
    for number, (start, stop) in enumerate(_braces(template)):
        name, colon, pattern = template[start + 1 : stop - 1].partition(":")
        if not colon:
            pattern = _DEFAULTS[kind]
        if not name or not pattern:
            raise InvalidRegexp("a name or pattern is missing in braces", start, stop)
        compile_regexp(f"^{pattern}$")
        parts += [quote_meta(template[end:start]), f"(?P<v{number}>{pattern})"]
        end = stop
    parts.append(quote_meta(template[end:]))
    if kind == "query" and template.endswith("=") and template.count("=") == 1:
        parts.append(_DEFAULTS[kind])
    if kind != "prefix":
        parts.append("$")
    return "".join(parts)


def variables(template: str) -> tuple[str, ...]:
    """Name the variables of a valid template, in order."""
    return tuple(
        template[start + 1 : stop - 1].partition(":")[0] for start, stop in _braces(template)
    )


def _braces(template: str) -> Iterator[tuple[int, int]]:
    """Yield the outermost pairs of braces."""
    level = start = 0
    pairs = []
    for at, char in enumerate(template):
        if char == "{":
            level += 1
            start = at if level == 1 else start
        elif char == "}":
            level -= 1
            if level < 0:
                raise InvalidRegexp("the braces are unbalanced", at, at + 1)
            if level == 0:
                pairs.append((start, at + 1))
    if level:
        raise InvalidRegexp("the braces are unbalanced", start, len(template))
    yield from pairs
