"""What a probe asks: from a child's address and its health check to a request.

Rules of this file:

1. Pure: nothing is opened, nothing is resolved. What cannot be asked is a
   `Refused`, a value with a short reason; nothing is raised.
2. The server is the child's address, with the check's scheme and port. Nothing
   that a child may write (a path, a hostname, a redirect) leads to another one.
3. ``hostname`` is the ``Host`` header and no more. The name that TLS asks for,
   and holds the certificate against, is the address's: it is the parent's
   word, and a child must not choose which certificate it is recognized by.
4. A redirect is followed only to where the request went, as the address or the
   ``Host`` header names it. So no header can get to anybody else.
5. No reason and no repr shows a header's value, a query or a user.

Source: reference page, "Health Check Fields"; RFC 9110; RFC 3986.
"""

from __future__ import annotations

import re
from typing import Final
from urllib.parse import urljoin, urlsplit

from attrs import evolve, field, frozen

from uplinks.addresses import problem_with_address, without_userinfo
from uplinks.model import Header, HealthCheck

__all__ = [
    "MAX_REDIRECTS",
    "GrpcCall",
    "HttpRequest",
    "Refused",
    "Server",
    "grpc_call",
    "http_request",
    "redirected",
    "server_of",
]

MAX_REDIRECTS: Final = 10

_SCHEMES: Final = {"http": 80, "https": 443}
_HIGHEST_PORT: Final = 65535
_REDIRECTS: Final = frozenset({301, 302, 303, 307, 308})
_KEEP_METHOD: Final = frozenset({307, 308})

_TOKEN: Final = re.compile(r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+")
_PATH: Final = re.compile(r"/(?!/)(?:%[0-9A-Fa-f]{2}|[!\"$&-\[\]-~])*")
_LOCATION: Final = re.compile(r"[!-\[\]-~]+")
# Line breaks would begin another header, and a lone surrogate cannot be written.
_NO_VALUE: Final = re.compile(r"[\x00-\x08\x0a-\x1f\x7f\ud800-\udfff]")

_OWNED: Final = frozenset(
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


@frozen
class Refused:
    """Why something is not asked, in a few words without secrets."""

    reason: str


@frozen
class Server:
    """Whom a probe asks: ``host`` is a name or an IP address without brackets.

    >>> Server("::1", 9443, tls=True).authority
    '[::1]:9443'
    """

    host: str
    port: int
    tls: bool = field(kw_only=True)

    @property
    def authority(self) -> str:
        """Host and port, as gRPC and URLs write them."""
        return f"{self._host}:{self.port}"

    @property
    def url(self) -> str:
        """The server as a URL without a path; a port that goes without saying is left out.

        >>> Server("eu.example.com", 443, tls=True).url
        'https://eu.example.com'
        """
        return f"{'https' if self.tls else 'http'}://{self.written_host}"

    @property
    def written_host(self) -> str:
        """What a ``Host`` header says."""
        usual = self.port == _SCHEMES["https" if self.tls else "http"]
        return self._host if usual else self.authority

    @property
    def _host(self) -> str:
        return f"[{self.host}]" if ":" in self.host else self.host


@frozen
class HttpRequest:
    """One request of a probe. Its headers' values and its query are not part of a repr.

    ``host`` is the ``Host`` header, ``headers`` are the configured ones in their
    order, ``status`` is the only one that passes. ``follows`` says how many
    redirects may still be followed; 0 of them means that the next fails, and
    ``None`` that a redirect is an answer like any other.
    """

    url: str = field(repr=lambda url: repr(without_userinfo(url)))
    method: str
    host: str
    headers: tuple[Header, ...]
    status: int
    follows: int | None


def server_of(url: str, check: HealthCheck) -> Server | Refused:
    """Tell whom a probe asks: the child's address with the check's scheme and port.

    ``url`` is the child's address. What is unset in the check, or empty, is the
    address's; an address without a port has its scheme's.

    Law: the host is always the address's (``tests/laws/test_probing_laws.py``).
    Complexity: O(length). Raises nothing.

    >>> server_of("https://eu.example.com:9443", HealthCheck())
    Server(host='eu.example.com', port=9443, tls=True)
    >>> server_of("https://eu.example.com", HealthCheck(scheme="http", port=8080))
    Server(host='eu.example.com', port=8080, tls=False)

    Source: reference page, "Health Check Fields": "Uses uplink server scheme",
    "Uses uplink server port".
    """
    problem = problem_with_address(url)
    if problem is not None:
        return Refused(f"the address cannot be asked: {problem}")
    parts = urlsplit(url)
    scheme = check.scheme or parts.scheme
    if scheme not in _SCHEMES:
        return Refused("the scheme is neither http nor https")
    port = check.port or parts.port or _SCHEMES[scheme]
    if not 0 < port <= _HIGHEST_PORT:
        return Refused("the port is not from 1 to 65535")
    return Server(parts.hostname or "", port, tls=scheme == "https")


def http_request(url: str, check: HealthCheck) -> HttpRequest | Refused:
    """Make the first request of a probe.

    ``url`` is the child's address. A path that is unset, or empty, is ``/``.
    What the rules of manifests call an error is refused, since checks need not
    come from manifests.

    Law: what no rule calls an error is not refused, and no repr shows a header's
    value (``tests/laws/test_probing_laws.py``).
    Complexity: O(length). Raises nothing.

    >>> check = HealthCheck(path="/health", hostname="api.example.com", headers={"X-Key": "abc"})
    >>> request = http_request("https://eu.example.com:9443", check)
    >>> request.url, request.host, request.headers
    ('https://eu.example.com:9443/health', 'api.example.com', (Header(name='X-Key', value=***),))
    >>> http_request("https://eu.example.com", HealthCheck(path="//evil.example.com"))
    Refused(reason="the path is not a plain one that begins with one '/'")

    Source: reference page, "Health Check Fields".
    """
    server = server_of(url, check)
    if isinstance(server, Refused):
        return server
    problems = (
        (
            _PATH.fullmatch(check.path or "/"),
            "the path is not a plain one that begins with one '/'",
        ),
        (_TOKEN.fullmatch(check.method), "the method is no token"),
        (not check.hostname or _is_host(check.hostname), "the hostname is not a host"),
        (all(_TOKEN.fullmatch(h.name) for h in check.headers), "a header's name is no token"),
        (
            not any(_NO_VALUE.search(h.value) for h in check.headers),
            "a header's value has a line break or another control character",
        ),
        (
            not any(h.name.lower() in _OWNED for h in check.headers),
            "a header is one that the probe itself writes",
        ),
    )
    for right, reason in problems:
        if not right:
            return Refused(reason)
    return HttpRequest(
        url=server.url + (check.path or "/"),
        method=check.method,
        host=check.hostname or server.written_host,
        headers=check.headers,
        status=check.status,
        follows=MAX_REDIRECTS if check.follow_redirects else None,
    )


@frozen
class GrpcCall:
    """One call of a probe: whom, and what it calls them (``:authority``)."""

    server: Server
    authority: str


def grpc_call(url: str, check: HealthCheck) -> GrpcCall | Refused:
    """Make the call of a probe in gRPC mode.

    ``hostname`` is what ``Host`` is to HTTP: the authority, and no more. Over
    TLS it is without a port: there gRPC accepts another name only so. Path,
    method, status, headers and redirects are HTTP's, and have no effect.

    Complexity: O(length). Raises nothing.

    >>> grpc_call("https://eu.example.com:9443", HealthCheck(mode="grpc")).authority
    'eu.example.com:9443'
    >>> grpc_call("http://eu.example.com", HealthCheck(mode="grpc", hostname="api:80")).authority
    'api:80'

    Source: reference page, "Health Check Fields"; RFC 9113 section 8.3.1.
    """
    server = server_of(url, check)
    if isinstance(server, Refused):
        return server
    if not check.hostname:
        return GrpcCall(server, server.written_host)
    if not _is_host(check.hostname):
        return Refused("the hostname is not a host")
    if server.tls and urlsplit(f"//{check.hostname}").port is not None:
        return GrpcCall(server, check.hostname.rpartition(":")[0])
    return GrpcCall(server, check.hostname)


def redirected(
    request: HttpRequest, status: int, location: str | None
) -> HttpRequest | Refused | None:
    """Tell what to ask after an answer, or why not; ``None`` if the answer is the last.

    The last is every answer that is no redirect (301, 302, 303, 307, 308), has
    no ``Location``, or came while redirects are not followed: its own status is
    judged. A redirect is followed, at most ten times, while scheme, host and
    port stay those of the request; its host and port may also be written as in
    the ``Host`` header, since that is how the server knows itself. After 301,
    302 and 303 the method is GET, unless it is HEAD; 307 and 308 keep it.

    Law: scheme, host, port, ``Host`` and headers of what follows are those of
    the request (``tests/laws/test_probing_laws.py``).
    Complexity: O(length). Raises nothing.

    >>> request = http_request("https://eu.example.com", HealthCheck(path="/a/b"))
    >>> redirected(request, 302, "../live?deep").url
    'https://eu.example.com/live?deep'
    >>> redirected(request, 302, "https://us.example.com/live")
    Refused(reason='redirected to another host')
    >>> redirected(request, 503, None) is None
    True

    Source: RFC 9110 sections 10.2.2 and 15.4; WHATWG Fetch, "origin"; Go
    ``net/http`` for the methods.
    """
    if request.follows is None or status not in _REDIRECTS or not location:
        return None
    if request.follows == 0:
        return Refused(f"redirected more than {MAX_REDIRECTS} times")
    path = _path_within(request, location)
    if isinstance(path, Refused):
        return path
    keeps = status in _KEEP_METHOD or request.method == "HEAD"
    return evolve(
        request,
        url=_origin(request) + path,
        method=request.method if keeps else "GET",
        follows=request.follows - 1,
    )


def _origin(request: HttpRequest) -> str:
    return request.url[: request.url.index("/", len("https://"))]


def _path_within(request: HttpRequest, location: str) -> str | Refused:
    """Find the path and query of a location on the server that gave it."""
    if _LOCATION.fullmatch(location) is None:
        return Refused("redirected to a malformed location")
    try:
        target = urlsplit(urljoin(request.url, location))
        port = target.port
    except ValueError:
        return Refused("redirected to a malformed location")
    if "@" in target.netloc:
        return Refused("redirected to a location with a user or password")
    scheme = urlsplit(request.url).scheme
    if target.scheme != scheme:
        known = target.scheme in _SCHEMES
        return Refused(
            f"redirected from {scheme} to {target.scheme if known else 'another scheme'}"
        )
    usual = _SCHEMES[scheme]
    asked = {_host_and_port(host, usual) for host in (urlsplit(request.url).netloc, request.host)}
    if (target.hostname, usual if port is None else port) not in asked:
        same_host = target.hostname in {host for host, _ in asked}
        return Refused(f"redirected to another {'port' if same_host else 'host'}")
    return (target.path or "/") + (f"?{target.query}" if target.query else "")


def _host_and_port(authority: str, usual: int) -> tuple[str | None, int]:
    parts = urlsplit(f"//{authority}")
    return parts.hostname, parts.port or usual


def _is_host(hostname: str) -> bool:
    return "/" not in hostname and problem_with_address(f"http://{hostname}") is None
