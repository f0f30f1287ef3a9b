"""The grammars of names, hosts, paths and headers, each defined once.

A pattern is the text of a regular expression without anchors, in the subset that
Python's ``re`` and ECMA-262 share (no lookaround, no named groups): the JSON Schema
carries the same text. Match it as a whole.

Go decides what is valid, as Traefik runs on it: ``httpguts`` for headers and
``isDomainName`` for hosts, so that ``_`` is a letter of a host name. Kubernetes
decides about the names of its objects.
"""

from __future__ import annotations

import re
from typing import Final

__all__ = [
    "AUTHORITY",
    "CHILD_NAME",
    "CONTROL",
    "EXPOSE_NAME",
    "LABEL",
    "MAX_AUTHORITY",
    "MAX_LABEL",
    "MAX_NAME",
    "MAX_PORT",
    "MAX_STATUS",
    "MIN_STATUS",
    "OWNED_HEADERS",
    "PATH",
    "TOKEN",
    "any_case",
    "is_authority",
    "is_field_name",
    "is_header_value",
    "is_owned_header",
    "is_path",
    "is_port",
    "is_status",
    "is_token",
    "problem_with_path",
]

LABEL: Final = "[a-z0-9](?:[-a-z0-9]*[a-z0-9])?"
"""A Kubernetes object's name or namespace (RFC 1123), of at most `MAX_LABEL` characters."""

EXPOSE_NAME: Final = "[a-z0-9](?:[-a-z0-9.]*[a-z0-9])?"
"""An uplink name (``exposeName`` of the Uplink CRD), of at most `MAX_NAME` characters."""

CHILD_NAME: Final = "[A-Za-z0-9](?:[-A-Za-z0-9._]*[A-Za-z0-9])?"
"""A child's name, of at most `MAX_NAME` characters."""

MAX_LABEL: Final = 63
MAX_NAME: Final = 253

MIN_STATUS: Final = 100
MAX_STATUS: Final = 599
MAX_PORT: Final = 65535

TOKEN: Final = r"[-!#$%&'*+.^_`|~0-9A-Za-z]+"  # noqa: S105 - no password
"""A method or a header's name (RFC 9110 section 5.6.2)."""

CONTROL: Final = r"[\x00-\x08\x0a-\x1f\x7f]"
"""A character that no header's value may have: a control character but the tab."""

OWNED_HEADERS: Final = frozenset(
    {
        "connection",
        "content-length",
        "expect",
        "host",
        "keep-alive",
        "proxy-connection",
        "te",
        "trailer",
        "transfer-encoding",
        "upgrade",
    }
)
"""The headers that belong to the client or to one connection, in lower case."""

_ESCAPE: Final = "%[0-9A-Fa-f]{2}"
PATH: Final = rf'/(?:(?:[!"$&-.0-\[\]-~]|{_ESCAPE})(?:[!"$&-\[\]-~]|{_ESCAPE})*)?'
"""A path with an optional query: one ``/`` first, printable ASCII without ``\\`` and ``#``."""

_HOST_LABEL: Final = "[A-Za-z0-9_](?:[-A-Za-z0-9_]{0,61}[A-Za-z0-9_])?"
_BYTE: Final = "(?:25[0-5]|2[0-4][0-9]|1[0-9]{2}|[1-9]?[0-9])"
_HEX: Final = "[0-9A-Fa-f]{1,4}"
_LAST: Final = rf"(?:{_HEX}:{_HEX}|(?:{_BYTE}\.){{3}}{_BYTE})"
# RFC 3986 section 3.2.2: eight groups, or at most `n` before `::` and the rest behind.
_IPV6: Final = "|".join(
    [
        f"(?:{_HEX}:){{6}}{_LAST}",
        f"::(?:{_HEX}:){{5}}{_LAST}",
        *(f"(?:(?:{_HEX}:){{0,{n}}}{_HEX})?::(?:{_HEX}:){{{4 - n}}}{_LAST}" for n in range(5)),
        f"(?:(?:{_HEX}:){{0,5}}{_HEX})?::{_HEX}",
        f"(?:(?:{_HEX}:){{0,6}}{_HEX})?::",
    ]
)
_PORT: Final = (
    "0*(?:[1-9][0-9]{0,3}|[1-5][0-9]{4}|6[0-4][0-9]{3}|65[0-4][0-9]{2}|655[0-2][0-9]|6553[0-5])"
)
AUTHORITY: Final = rf"(?:{_HOST_LABEL}(?:\.{_HOST_LABEL})*\.?|\[(?:{_IPV6})\])(?::{_PORT})?"
"""A host name, IPv4 address or bracketed IPv6 address, and an optional port."""

MAX_AUTHORITY: Final = 260
"""The characters of the longest name that DNS has, a final dot and a port."""

_TOKEN: Final = re.compile(TOKEN)
_FIELD_NAME: Final = re.compile("[-A-Za-z0-9_./~]{1,80}")
_PATH: Final = re.compile(PATH)
# A lone surrogate is no control character, but cannot be encoded.
_NOT_IN_VALUE: Final = re.compile(rf"{CONTROL}|[\ud800-\udfff]")


def is_token(text: str) -> bool:
    """Check that a string is an HTTP token, as a method and a header's name must be.

    >>> is_token("X-Key"), is_token("X Key")
    (True, False)
    """
    return _TOKEN.fullmatch(text) is not None


def is_field_name(text: str) -> bool:
    """Check that a key reads like the name of a field, a header or an annotation.

    A message may show such a key. Any other may be a value in the place of a key.

    >>> is_field_name("wieght"), is_field_name("Bearer abc")
    (True, False)
    """
    return _FIELD_NAME.fullmatch(text) is not None


def is_header_value(text: str) -> bool:
    r"""Check that a header may have this value: one line, no control characters.

    >>> is_header_value("a\tb"), is_header_value("a\n")
    (True, False)
    """
    return _NOT_IN_VALUE.search(text) is None


def is_owned_header(name: str) -> bool:
    """Check whether the client itself writes a header, so that a manifest must not.

    >>> is_owned_header("HOST"), is_owned_header("X-Host")
    (True, False)
    """
    return name.lower() in OWNED_HEADERS


def is_status(status: int) -> bool:
    """Check that an HTTP response can have this status code."""
    return MIN_STATUS <= status <= MAX_STATUS


def is_port(port: int) -> bool:
    """Check that a TCP connection can be made to this port."""
    return 0 < port <= MAX_PORT


def is_authority(text: str) -> bool:
    """Check that a string is a host with an optional port, without user and password.

    Complexity: O(1), as at most `MAX_AUTHORITY` characters are read.

    >>> is_authority("_eu.example.com"), is_authority("[::1]:80"), is_authority("[:::]")
    (True, True, False)
    """
    # The pattern is the longest here and few commands need it: compiled at first use.
    return len(text) <= MAX_AUTHORITY and re.fullmatch(AUTHORITY, text) is not None


def is_path(text: str) -> bool:
    """Check that a string is the path, and perhaps query, of a request.

    >>> is_path("/health?deep"), is_path("//evil.example.com")
    (True, False)
    """
    return _PATH.fullmatch(text) is not None


def problem_with_path(path: str) -> str | None:
    """Explain why a string is not a path by `is_path`, or return ``None``.

    >>> problem_with_path("health")
    "must start with '/'"
    """
    if is_path(path):
        return None
    problems = (
        (not path.startswith("/"), "must start with '/'"),
        (path.startswith("//"), "must start with one '/'; '//' names another host"),
        ("\\" in path, r"must not contain '\'"),
        ("#" in path, "must not contain a fragment ('#'), as a request has none"),
        (not path.isascii() or not path.isprintable() or " " in path,
         "must not contain a space, a control character or a character outside ASCII"),
    )  # fmt: skip
    escape = "must have two hexadecimal digits after each '%'"
    return next((problem for wrong, problem in problems if wrong), escape)


def any_case(word: str) -> str:
    """Write the pattern that matches an ASCII word in any case.

    >>> any_case("te")
    '[Tt][Ee]'
    """
    return "".join(f"[{each.upper()}{each}]" if each.isalpha() else each for each in word)
