"""Addresses of children: URLs of a scheme, a host and an optional port.

Rules of this file:

1. An address is checked and kept as written.
2. A user, password, query or fragment in an address is refused, and is never
   shown, however malformed the address is.
"""

from __future__ import annotations

import re
from typing import Final
from urllib.parse import urlsplit

from uplinks import grammar

__all__ = [
    "endpoint",
    "is_plain",
    "listening_port",
    "problem_with_address",
    "server",
    "without_userinfo",
]

_START: Final = re.compile(r"[A-Za-z][-A-Za-z0-9+.]*://|(?:https?:)?/*", re.IGNORECASE)
_LISTENING: Final = re.compile(r".*:([0-9]{1,5})(?:/[a-z]+)?", re.IGNORECASE)
_AT: Final = re.compile("@|%40")  # an escaped one may hide a password as well


def problem_with_address(address: str) -> str | None:
    """Explain why a child's address cannot be a server URL, or return ``None``.

    An address has the scheme ``http`` or ``https``, a host, an optional port from
    1 to 65535, and no path but ``/``: the path comes from the request.
    Complexity: O(length).

    >>> problem_with_address("https://child1.example.com:9443") is None
    True
    >>> problem_with_address("child1.example.com:9443")
    'it does not start with http:// or https://'

    Source: RFC 3986 section 3; reference page, "Complete Example".
    """
    # Before urlsplit, which quietly drops tabs, line breaks and outer spaces.
    if any(character <= " " or character == "\x7f" for character in address):
        return "it has a space or a control character"
    if not address.lower().startswith(("http://", "https://")):
        return "it does not start with http:// or https://"
    try:
        parts = urlsplit(address)
        port = parts.port
    except ValueError:
        return "its host or port is malformed; a port must be between 1 and 65535"
    host = parts.netloc if port is None else parts.netloc.rpartition(":")[0]
    extras = parts.path not in {"", "/"} or "?" in address or "#" in address
    problems = (
        ("@" in parts.netloc, "it has a user or password"),
        (extras, "it has a path, query or fragment; remove it"),
        (
            port == 0 or host.endswith(":"),
            "its port is empty or 0; a port must be between 1 and 65535",
        ),
        (not grammar.is_authority(parts.netloc), "it has no valid host"),
    )
    return next((problem for wrong, problem in problems if wrong), None)


def is_plain(address: str) -> bool:
    """Check whether an address is without TLS, so that others can read the traffic.

    Complexity: O(length).

    >>> is_plain("http://eu.example.com"), is_plain("https://eu.example.com")
    (True, False)

    Source: RFC 9110 section 4.2.
    """
    return address.lower().startswith("http://")


def server(url: str) -> str:
    """Return the part of a URL that names the server: without the path, if there is one.

    A final ``/`` alone stays, as addresses are kept as they are written.
    Complexity: O(length).

    >>> server("https://eu.example.com:9443/v1"), server("https://eu.example.com/")
    ('https://eu.example.com:9443', 'https://eu.example.com/')

    Source: RFC 3986 section 3.
    """
    start = url.find("/", url.find("://") + 3)
    return url if start < 0 or start == len(url) - 1 else url[:start]


def endpoint(address: str) -> tuple[str, str, int] | None:
    """Give scheme, host and port of a valid address, or ``None`` for an invalid one.

    Law: two addresses have the same endpoint exactly if, by their texts, both lead
    to the same server. Complexity: O(length).

    >>> endpoint("https://EU.example.com.:443/") == endpoint("https://eu.example.com")
    True

    Source: RFC 3986 section 6.2.
    """
    if problem_with_address(address) is not None:
        return None
    parts = urlsplit(address)
    port = parts.port or (80 if is_plain(address) else 443)
    return parts.scheme, (parts.hostname or "").removesuffix("."), port


def listening_port(address: str) -> int | None:
    """Give the port of an entry point's address, or ``None`` if it has no valid one.

    Complexity: O(length).

    >>> listening_port(":9443"), listening_port("[::]:9443/tcp"), listening_port("banana")
    (9443, 9443, None)

    Source: Traefik, ``entryPoints.address``: ``[host]:port[/protocol]``.
    """
    match = _LISTENING.fullmatch(address)
    port = 0 if match is None else int(match[1])
    return port if grammar.is_port(port) else None


def without_userinfo(address: str) -> str:
    """Mask the possible secrets in an address.

    These are everything between the scheme and the last ``@``, wherever that is, as
    a malformed address has no reliable parts, and the query and fragment.
    Law: the mask does not depend on whether the address is valid.
    Complexity: O(length).

    >>> without_userinfo("https://me:secret@eu.example.com/")
    'https://***@eu.example.com/'
    >>> without_userinfo("me:sec/ret@eu"), without_userinfo("https://eu/?token=secret")
    ('***@eu', 'https://eu/?***')
    >>> without_userinfo("https://eu.example.com/")
    'https://eu.example.com/'

    Source: RFC 3986 sections 3.2.1, 3.4 and 3.5.
    """
    start = _START.match(address)
    scheme = start[0] if start else ""
    *before, rest = _AT.split(address[len(scheme) :])
    shown = re.sub(r"(?s)([?#]).+", r"\1***", rest)
    return f"{scheme}***@{shown}" if before else f"{scheme}{shown}"
