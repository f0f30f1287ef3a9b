"""Addresses of children: URLs of a scheme, a host and perhaps a port.

Rules of this file:

1. An address is judged as it is written and kept as it is written.
2. A user or password in an address is refused, and is never shown.
"""

from __future__ import annotations

import re
from typing import Final
from urllib.parse import urlsplit

__all__ = ["problem_with_address", "without_userinfo"]

_HOST: Final = re.compile(r"[A-Za-z0-9](?:[-A-Za-z0-9._]*[A-Za-z0-9.])?|\[[0-9A-Fa-f:.]+\]")


def problem_with_address(address: str) -> str | None:
    """Say why a child's address cannot be a server URL, or ``None``.

    Allowed is ``http`` or ``https``, a host, perhaps a port from 1 to 65535,
    and at most ``/`` as a path: what a request asks for comes from the request.
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
        return "its host or port is malformed; a port is 1 to 65535"
    host = parts.netloc if port is None else parts.netloc.rpartition(":")[0]
    extras = parts.path not in {"", "/"} or "?" in address or "#" in address
    problems = (
        ("@" in parts.netloc, "it has a user or password"),
        (extras, "it has a path, query or fragment; only a host and a port are allowed"),
        (port == 0 or host.endswith(":"), "its port is empty or 0; 1 to 65535 is allowed"),
        (_HOST.fullmatch(host) is None, "it has no valid host"),
    )
    return next((problem for wrong, problem in problems if wrong), None)


def without_userinfo(address: str) -> str:
    """Mask the user and password of an address, so that it may be shown.

    >>> without_userinfo("https://me:secret@eu.example.com/")
    'https://***@eu.example.com/'
    >>> without_userinfo("https://eu.example.com/")
    'https://eu.example.com/'

    Source: RFC 3986 section 3.2.1.
    """
    head, slashes, rest = address.partition("://")
    authority, slash, tail = rest.partition("/")
    _, at, host = authority.rpartition("@")
    return f"{head}{slashes}***@{host}{slash}{tail}" if at else address
