"""The request of a probe, made from a child's address and its health check.

Rules of this file:

1. Pure: it opens and resolves nothing and raises nothing. A check that no
   request can be made for gives a `Refused` with a short reason.
2. The server is the child's address, with the check's scheme and port. No field
   that a child controls (path, hostname, redirect) leads to another server.
3. ``hostname`` sets the ``Host`` header only. TLS asks for the host of the
   address and verifies the certificate against it: the parent chose the address,
   and a child must not choose which certificate identifies it.
4. A redirect is followed only to the server of the request, as the address or
   the ``Host`` header names it. So no header reaches another server.
5. No reason and no repr shows a header's value, a query or a user.

Source: reference page, "Health Check Fields"; RFC 9110; RFC 3986.
"""

from __future__ import annotations

import re
from typing import Final
from urllib.parse import urljoin, urlsplit

from attrs import evolve, field, frozen

from uplinks import grammar
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
_REDIRECTS: Final = frozenset({301, 302, 303, 307, 308})
_KEEP_METHOD: Final = frozenset({307, 308})

_LOCATION: Final = re.compile(r"[!-\[\]-~]+")


@frozen
class Refused:
    """Why no request is made, in a few words without secrets."""

    reason: str


@frozen
class Server:
    """The server that a probe connects to: ``host`` is a name or an IP address, no brackets.

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
        """The server as a URL without a path; the scheme's default port is left out.

        >>> Server("eu.example.com", 443, tls=True).url
        'https://eu.example.com'
        """
        return f"{'https' if self.tls else 'http'}://{self.written_host}"

    @property
    def written_host(self) -> str:
        """The value of a ``Host`` header."""
        usual = self.port == _SCHEMES["https" if self.tls else "http"]
        return self._host if usual else self.authority

    @property
    def _host(self) -> str:
        return f"[{self.host}]" if ":" in self.host else self.host


@frozen
class HttpRequest:
    """One request of a probe. A repr shows neither its headers' values nor its query.

    ``host`` is the ``Host`` header, ``headers`` are the configured ones in their
    order, ``status`` is the only status that passes. ``follows`` is how many more
    redirects may be followed: at 0 the next one fails; with ``None`` a redirect is
    judged by its own status.
    """

    url: str = field(repr=lambda url: repr(without_userinfo(url)))
    method: str
    host: str
    headers: tuple[Header, ...]
    status: int
    follows: int | None


def server_of(url: str, check: HealthCheck) -> Server | Refused:
    """Give the server of a probe: the child's address with the check's scheme and port.

    ``url`` is the child's address. A scheme or port that is unset in the check is
    the address's; an address without a port has its scheme's default.

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
        return Refused(f"invalid address: {problem}")
    parts = urlsplit(url)
    scheme = check.scheme or parts.scheme
    if scheme not in _SCHEMES:
        return Refused("the scheme must be http or https")
    port = check.port or parts.port or _SCHEMES[scheme]
    if not grammar.is_port(port):
        return Refused(f"the port must be between 1 and {grammar.MAX_PORT}")
    return Server(parts.hostname or "", port, tls=scheme == "https")


def http_request(url: str, check: HealthCheck) -> HttpRequest | Refused:
    """Make the first request of a probe.

    ``url`` is the child's address. An unset path is ``/``. Checks need not come
    from manifests, so an error by the rules is refused here too.

    Law: a check is refused exactly if a rule finds an error in what its request is
    made of, and no repr shows a header's value (``tests/laws/test_probing_laws.py``).
    Complexity: O(length). Raises nothing.

    >>> check = HealthCheck(path="/health", hostname="api.example.com", headers={"X-Key": "abc"})
    >>> request = http_request("https://eu.example.com:9443", check)
    >>> request.url, request.host, request.headers
    ('https://eu.example.com:9443/health', 'api.example.com', (Header(name='X-Key', value='***'),))
    >>> http_request("https://eu.example.com", HealthCheck(path="//evil.example.com"))
    Refused(reason="the path must start with one '/'; '//' names another host")

    Source: reference page, "Health Check Fields".
    """
    server = server_of(url, check)
    if isinstance(server, Refused):
        return server
    problem = _problem_with_request(check)
    if problem is not None:
        return Refused(problem)
    return HttpRequest(
        url=server.url + (check.path or "/"),
        method=check.method,
        host=check.hostname or server.written_host,
        headers=check.headers,
        status=check.status,
        follows=MAX_REDIRECTS if check.follow_redirects else None,
    )


def _problem_with_request(check: HealthCheck) -> str | None:
    path = grammar.problem_with_path(check.path or "/")
    if path is not None:
        return f"the path {path}"
    names, values = [h.name for h in check.headers], [h.value for h in check.headers]
    problems = (
        (grammar.is_token(check.method), "the method must be an HTTP token"),
        (
            grammar.is_status(check.status),
            f"the status must be between {grammar.MIN_STATUS} and {grammar.MAX_STATUS}",
        ),
        (_is_host(check.hostname), "the hostname must be a host with an optional port"),
        (all(map(grammar.is_token, names)), "a header's name must be an HTTP token"),
        (
            all(map(grammar.is_header_value, values)),
            "a header's value must not contain a control character",
        ),
        (not any(map(grammar.is_owned_header, names)), "a header is one that the probe writes"),
    )
    return next((reason for right, reason in problems if not right), None)


@frozen
class GrpcCall:
    """One call of a probe: the server and the ``:authority`` of the call."""

    server: Server
    authority: str


def grpc_call(url: str, check: HealthCheck) -> GrpcCall | Refused:
    """Make the call of a probe in gRPC mode.

    ``hostname`` sets the authority only, as it sets ``Host`` over HTTP. Over TLS
    its port is left out, as gRPC accepts another name only without one. Path,
    method, status, headers and redirects belong to HTTP and have no effect.

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
        return Refused("the hostname must be a host with an optional port")
    if server.tls and urlsplit(f"//{check.hostname}").port is not None:
        return GrpcCall(server, check.hostname.rpartition(":")[0])
    return GrpcCall(server, check.hostname)


def redirected(
    request: HttpRequest, status: int, location: str | None
) -> HttpRequest | Refused | None:
    """Give the request that follows a redirect, or why there is none; ``None`` for a last answer.

    An answer is the last, judged by its own status, if it is no redirect (301,
    302, 303, 307, 308), has no ``Location``, or redirects are not followed. A
    redirect is followed, at most ten times, while scheme, host and port stay those
    of the request. Host and port may also be those of the ``Host`` header, the
    name that the server was addressed by. After 301, 302 and 303 the method is
    GET, unless it is HEAD; 307 and 308 keep it.

    Law: scheme, host, port, ``Host`` and headers of the next request are those of
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
    """Resolve a location on the server that sent it: its path and query."""
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


def _is_host(hostname: str | None) -> bool:
    return not hostname or grammar.is_authority(hostname)
