"""HTTP requests to children, on aiohttp: shared by the prober and the source of a child's API.

Rules of this file:

1. `uplinks.probing` decides what is sent, and where a redirect may lead. This file sends it.
2. There is no time-out here but those of a child's ``serversTransport``: the caller cancels.
3. The environment has no effect: no proxy, no netrc, no cookies, and no header that is
   not configured.
4. Messages of aiohttp and OpenSSL are not passed on: they may show secrets.
"""

from __future__ import annotations

import asyncio
import errno
import os
import ssl
from types import MappingProxyType
from typing import Any, Final, NamedTuple, Self

from attrs import evolve

import uplinks
from uplinks.adapters._tls import UnusableTransport, ssl_context
from uplinks.errors import InvalidCertificates, MissingExtra
from uplinks.model import ServersTransport
from uplinks.probing import HttpRequest, Refused

try:
    import aiohttp
    from multidict import CIMultiDict
    from yarl import URL
except ImportError as error:
    raise MissingExtra("http") from error

# Below the check for the extra: it imports aiohttp.
from uplinks.adapters._http_connections import MOST_INTERIM, InterimAnswers, connector

__all__ = [
    "ERRORS",
    "Message",
    "describe_error",
    "make_context",
    "make_message",
    "make_options",
    "open_session",
    "send",
]

ERRORS: Final = (aiohttp.ClientError, OSError, ValueError)
"""What a request may raise."""

# As long as Go's client keeps one; an interval of 30s must not lose it.
_IDLE: Final = 90.0
_SECOND: Final = 1_000_000_000

_AUTOMATIC: Final = ("Accept", "Accept-Encoding", "Content-Type")

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


class Message(NamedTuple):
    """A request in the form that aiohttp takes."""

    method: str
    url: URL
    headers: CIMultiDict[str]


def make_options(
    transport: ServersTransport | None, ca_file: str | None = None, *, insecure: bool = False
) -> dict[str, Any] | Refused:
    """Return aiohttp's options for connections to one child.

    ``ca_file`` has the authorities if the transport names none.
    """
    if transport is None:
        return {}
    timeouts = transport.forwarding_timeouts
    if insecure:
        transport = evolve(transport, insecure_skip_verify=True)
    try:
        context = ssl_context(transport, ca_file)
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


def open_session(
    loop: asyncio.AbstractEventLoop, tls: ssl.SSLContext, *, keeps: bool, buffer: int
) -> aiohttp.ClientSession:
    """Make a session. ``keeps``: connections are kept; ``buffer``: bytes read ahead of a body."""
    return aiohttp.ClientSession(
        connector=connector(
            loop,
            ssl=tls,
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
        read_bufsize=buffer,
    )


async def send(
    session: aiohttp.ClientSession, message: Message, options: dict[str, Any]
) -> aiohttp.ClientResponse:
    """Send a request and return its answer; redirects are not followed. Raises: `ERRORS`."""
    method, url, headers = message
    if url.scheme != "https":
        options = {**options, "server_hostname": None}
    return await session.request(method, url, headers=headers, allow_redirects=False, **options)


def make_message(request: HttpRequest) -> Message:
    """Convert a request to the form that aiohttp takes."""
    headers = CIMultiDict({"Host": request.host})
    # aiohttp would replace a header that is spelled differently, but adds one spelled the same.
    spelled: dict[str, str] = {}
    for header in request.headers:
        headers.add(spelled.setdefault(header.name.lower(), header.name), header.value)
    headers.setdefault("User-Agent", f"uplinks/{uplinks.__version__}")
    return Message(_Method(request.method), URL(request.url, encoded=True), headers)


def make_context(ca_file: str | os.PathLike[str] | None, *, insecure: bool) -> ssl.SSLContext:
    """Make the TLS of children without a transport. Raises: InvalidCertificates, ValueError."""
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


def describe_error(error: Exception) -> str:
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
        case aiohttp.ClientResponseError() | aiohttp.ClientPayloadError():
            words = "no valid HTTP answer"
        case aiohttp.ServerDisconnectedError():
            words = "connection closed without an answer"
        case _:
            words = "connection failed"
    return words
