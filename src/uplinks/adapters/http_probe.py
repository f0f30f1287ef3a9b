"""Probes over HTTP, on aiohttp: ``pip install 'uplinks[http]'``.

Rules of this file:

1. `uplinks.probing` decides what is sent, and where a redirect may lead. This
   file sends it and describes the answer in a few words.
2. There is no time-out here: the caller cancels. Name resolution, connection,
   TLS, redirects and headers all happen within `HttpProber.probe`.
3. Status and headers are enough, so a body is never waited for. A connection is
   kept only if the whole answer has arrived, else it is closed.
4. The environment has no effect: no proxy, no netrc, no cookies, and no header
   that is not configured.
5. Messages of aiohttp and OpenSSL are not passed on: they may show secrets.

Source: reference page, "Health Check Fields" and "Health Check Behavior".
"""

from __future__ import annotations

import asyncio
import errno
import os
import ssl
from functools import lru_cache
from types import MappingProxyType
from typing import Any, Final, NamedTuple, Self

from attrs import evolve

import uplinks
from uplinks.adapters._tls import UnusableTransport, ssl_context
from uplinks.errors import InvalidCertificates, MissingExtra
from uplinks.health import Outcome
from uplinks.model import HealthCheck, ServersTransport
from uplinks.probing import HttpRequest, Refused, http_request, redirected

try:
    import aiohttp
    from multidict import CIMultiDict
    from yarl import URL
except ImportError as error:
    raise MissingExtra("http") from error

# Below the check for the extra: it imports aiohttp.
from uplinks.adapters._http_connections import MOST_INTERIM, InterimAnswers, connector

__all__ = ["HttpProber"]

# As long as Go's client keeps one; an interval of 30s must not lose it.
_IDLE: Final = 90.0
_SECOND: Final = 1_000_000_000
_REMEMBERED: Final = 4096  # requests that are cached
_BUFFER: Final = 4096  # bytes of a body that are read, at most twice, before reading pauses

_AUTOMATIC: Final = ("Accept", "Accept-Encoding", "Content-Type")

# A kept connection may be closed just as a request is sent. aiohttp sends these again; for
# others no connection is kept.
_SENT_AGAIN: Final = frozenset({"GET", "HEAD", "OPTIONS", "TRACE", "PUT", "DELETE"})

_CERTIFICATE: Final = MappingProxyType(
    {
        9: "not yet valid",
        10: "expired",
        18: "self-signed",
        19: "unknown issuer",  # the root of the chain is not trusted
        20: "unknown issuer",
        21: "unknown issuer",
        62: "hostname mismatch",
        64: "IP address mismatch",
    }
)
_OS_ERRORS: Final = MappingProxyType(
    {
        errno.ECONNREFUSED: "connection refused",
        errno.ECONNRESET: "connection reset",
        errno.EPIPE: "connection reset",
        errno.EHOSTUNREACH: "host unreachable",
        errno.ENETUNREACH: "network unreachable",
        errno.ETIMEDOUT: "connection timed out",
        errno.EMFILE: "too many open files",
        errno.ENFILE: "too many open files",
    }
)


class _Method(str):
    """A method with its case kept; aiohttp would convert it to upper case."""

    __slots__ = ()

    def upper(self) -> Self:
        return self


class HttpProber:
    """An `uplinks.protocols.Prober` for the mode ``http``.

    Certificates are verified: against ``ca_file``, a PEM bundle that replaces
    the system's, or else against the system's. ``insecure=True`` verifies
    nothing; it is for tests of your own. A child's ``serversTransport`` comes
    first: its authorities, server name, client certificates, TLS versions,
    ``insecureSkipVerify``, and its time-outs to connect and to answer.

    One prober serves any number of targets and probes at once, within one event
    loop. Connections are kept, and belong to that loop until `close`;
    afterwards another loop may use the prober.

    Law: no secret is in a reason, a log or a repr
    (``tests/adapters/test_http_probe.py``).
    Raises: InvalidCertificates for a bundle that cannot be read; ValueError for a
    bundle together with ``insecure``.

    >>> import asyncio
    >>> async def ask():
    ...     prober = HttpProber()
    ...     try:
    ...         return await prober.probe("http://127.0.0.1", HealthCheck(path="//elsewhere"))
    ...     finally:
    ...         await prober.close()
    >>> asyncio.run(ask()).reason
    "the path must start with one '/'; '//' names another host"
    """

    def __init__(
        self, *, ca_file: str | os.PathLike[str] | None = None, insecure: bool = False
    ) -> None:
        self._tls = _tls(ca_file, insecure=insecure)
        self._insecure = insecure
        self._ca_file = None if ca_file is None else os.fspath(ca_file)
        self._sessions: dict[bool, aiohttp.ClientSession] = {}  # by whether they keep connections
        self._loop: asyncio.AbstractEventLoop | None = None
        # The same requests are made again and again.
        self._request = lru_cache(_REMEMBERED)(http_request)
        self._message = lru_cache(_REMEMBERED)(_message)

    async def probe(
        self, url: str, check: HealthCheck, transport: ServersTransport | None = None
    ) -> Outcome:
        """Probe the child at ``url`` once, following redirects within its origin.

        The first answer that is not followed as a redirect decides: its status must
        be the check's. Cancel the call at the deadline; that closes the connection.

        Raises: RuntimeError when another event loop's connections are still open.
        """
        request = self._request(url, check)
        if isinstance(request, Refused):
            return Outcome.fail(request.reason)
        options = self._options(transport)
        if isinstance(options, Refused):
            return Outcome.fail(options.reason)
        return await self._follow(request, options)

    async def _follow(self, request: HttpRequest, options: dict[str, Any]) -> Outcome:
        """Send a request, and one more for each redirect."""
        opened = self._sessions
        while True:
            if self._sessions is not opened:
                return Outcome.fail("the prober was closed")
            session = self._session(keeps=request.method in _SENT_AGAIN)
            try:
                status, location = await _send(session, self._message(request), options)
            except (aiohttp.ClientError, OSError, ValueError) as error:
                return Outcome.fail(_reason(error))
            following = redirected(request, status, location)
            if following is None:
                break
            if isinstance(following, Refused):
                return Outcome.fail(following.reason)
            request = following
        if status == request.status:
            return Outcome.PASS
        return Outcome.fail(f"status {status}, not {request.status}")

    def _options(self, transport: ServersTransport | None) -> dict[str, Any] | Refused:
        """Return aiohttp's options for connections to one child."""
        if transport is None:
            return {}
        timeouts = transport.forwarding_timeouts
        if self._insecure:
            transport = evolve(transport, insecure_skip_verify=True)
        try:
            context = ssl_context(transport, self._ca_file)
        except UnusableTransport as problem:
            return Refused(str(problem))
        return {
            "ssl": context,
            "server_hostname": transport.server_name or None,
            "timeout": aiohttp.ClientTimeout(
                total=None,
                sock_connect=timeouts.dial_timeout / _SECOND or None,
                sock_read=timeouts.response_header_timeout / _SECOND or None,
            ),
        }

    async def close(self) -> None:
        """Close all connections. A later probe opens new ones."""
        sessions, self._sessions, self._loop = self._sessions, {}, None
        for session in sessions.values():
            await session.close()

    def _session(self, *, keeps: bool) -> aiohttp.ClientSession:
        loop = asyncio.get_running_loop()
        if self._sessions and self._loop is not loop:
            raise RuntimeError("this prober is open in another event loop; close it there first")
        if keeps not in self._sessions:
            self._loop = loop
            self._sessions[keeps] = aiohttp.ClientSession(
                connector=connector(
                    loop,
                    ssl=self._tls,
                    limit=0,
                    use_dns_cache=False,
                    force_close=not keeps,
                    keepalive_timeout=_IDLE if keeps else None,
                ),
                cookie_jar=aiohttp.DummyCookieJar(),
                timeout=aiohttp.ClientTimeout(total=None, sock_connect=None),
                skip_auto_headers=_AUTOMATIC,
                auto_decompress=False,
                trust_env=False,
                read_bufsize=_BUFFER,
            )
        return self._sessions[keeps]


class _Message(NamedTuple):
    """A request in the form that aiohttp takes."""

    method: str
    url: URL
    headers: CIMultiDict[str]


async def _send(
    session: aiohttp.ClientSession, message: _Message, options: dict[str, Any]
) -> tuple[int, str | None]:
    """Send a request; return the status and the location of the answer."""
    method, url, headers = message
    if url.scheme != "https":
        options = {**options, "server_hostname": None}
    response = await session.request(method, url, headers=headers, allow_redirects=False, **options)
    # Has no effect on a connection whose answer is complete: that one is kept.
    response.close()
    return response.status, response.headers.get("Location")


def _message(request: HttpRequest) -> _Message:
    headers = CIMultiDict({"Host": request.host})
    # aiohttp would replace a header that is spelled differently, but adds one spelled the same.
    spelled: dict[str, str] = {}
    for header in request.headers:
        headers.add(spelled.setdefault(header.name.lower(), header.name), header.value)
    headers.setdefault("User-Agent", f"uplinks/{uplinks.__version__}")
    return _Message(_Method(request.method), URL(request.url, encoded=True), headers)


def _tls(ca_file: str | os.PathLike[str] | None, *, insecure: bool) -> ssl.SSLContext:
    if insecure and ca_file is not None:
        raise ValueError("an insecure prober verifies nothing, so it needs no ca_file")
    try:
        context = ssl.create_default_context(cafile=ca_file)
    except ssl.SSLError:
        raise InvalidCertificates(ca_file, "it is not a PEM bundle of certificates") from None
    except OSError as error:
        raise InvalidCertificates(ca_file, error.strerror or "it cannot be read") from None
    if insecure:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    context.set_alpn_protocols(["http/1.1"])
    return context


def _reason(error: Exception) -> str:
    """Describe an error in a few words."""
    match error:
        case aiohttp.ClientConnectorCertificateError(certificate_error=cause):
            code = getattr(cause, "verify_code", 0)
            words = f"certificate: {_CERTIFICATE.get(code, f'not accepted (OpenSSL error {code})')}"
        case aiohttp.ClientConnectorDNSError() | UnicodeError():
            words = "name not resolved"
        case ssl.SSLError():
            words = "TLS failed"
        case aiohttp.ConnectionTimeoutError():
            words = "connection timed out"
        case aiohttp.ServerTimeoutError():
            words = "no answer in time"
        case OSError(errno=int(number)) if number in _OS_ERRORS:
            words = _OS_ERRORS[number]
        case InterimAnswers():
            words = f"more than {MOST_INTERIM} interim answers"
        case aiohttp.ClientResponseError():
            words = "no valid HTTP answer"
        case aiohttp.ServerDisconnectedError():
            words = "connection closed without an answer"
        case _:
            words = "connection failed"
    return words
