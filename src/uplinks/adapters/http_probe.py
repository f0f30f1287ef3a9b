"""Probes over HTTP, on aiohttp: ``pip install 'uplinks[http]'``.

Rules of this file:

1. `uplinks.probing` decides what is sent, and where a redirect may lead. This
   file sends it and describes the answer in a few words.
2. There is no time-out here: the caller cancels. Name resolution, connection,
   TLS, redirects and headers all happen within `HttpProber.probe`.
3. Status and headers are enough, so a body is never waited for. A connection is
   kept only if the whole answer has arrived, else it is closed.
4. ``_http_client`` makes sessions and sends.

Source: reference page, "Health Check Fields" and "Health Check Behavior".
"""

from __future__ import annotations

import asyncio
import os
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Final

from uplinks.adapters._http_client import (
    ERRORS,
    describe_error,
    make_context,
    make_message,
    make_options,
    open_session,
    send,
)
from uplinks.health import Outcome
from uplinks.model import HealthCheck, ServersTransport
from uplinks.probing import HttpRequest, Refused, http_request, redirected

if TYPE_CHECKING:
    import aiohttp

__all__ = ["HttpProber"]

_REMEMBERED: Final = 4096  # requests that are cached
_BUFFER: Final = 4096  # bytes of a body that are read, at most twice, before reading pauses

# A kept connection may be closed just as a request is sent. aiohttp sends these again; for
# others no connection is kept.
_SENT_AGAIN: Final = frozenset({"GET", "HEAD", "OPTIONS", "TRACE", "PUT", "DELETE"})


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
        self._tls = make_context(ca_file, insecure=insecure)
        self._insecure = insecure
        self._ca_file = None if ca_file is None else os.fspath(ca_file)
        self._sessions: dict[bool, aiohttp.ClientSession] = {}  # by whether they keep connections
        self._loop: asyncio.AbstractEventLoop | None = None
        # The same requests are made again and again.
        self._request = lru_cache(_REMEMBERED)(http_request)
        self._message = lru_cache(_REMEMBERED)(make_message)

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
        options = make_options(transport, self._ca_file, insecure=self._insecure)
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
                answer = await send(session, self._message(request), options)
            except ERRORS as error:
                return Outcome.fail(describe_error(error))
            # Has no effect on a connection whose answer is complete: that one is kept.
            answer.close()
            following = redirected(request, answer.status, answer.headers.get("Location"))
            if following is None:
                break
            if isinstance(following, Refused):
                return Outcome.fail(following.reason)
            request = following
        if answer.status == request.status:
            return Outcome.PASS
        return Outcome.fail(f"status {answer.status}, not {request.status}")

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
            self._sessions[keeps] = open_session(loop, self._tls, keeps=keeps, buffer=_BUFFER)
        return self._sessions[keeps]
