"""A client middleware for aiohttp: ``pip install 'uplinks[http]'``."""

from __future__ import annotations

import asyncio
from typing import Any

from uplinks.adapters._exchange import Exchange, Host, Route, limit, transport_of
from uplinks.adapters._tls import UnusableTransport, ssl_context
from uplinks.adapters.driver import Driver
from uplinks.errors import MissingExtra
from uplinks.parent import Attempt

try:
    from aiohttp import (
        BytesPayload,
        ClientConnectionError,
        ClientConnectorError,
        ClientHandlerType,
        ClientRequest,
        ClientResponse,
        ConnectionTimeoutError,
    )
    from yarl import URL
except ImportError as error:
    raise MissingExtra("http") from error

__all__ = ["UplinksMiddleware"]


class UplinksMiddleware:
    """Send each request of a session to a child that is up.

    The scheme, host and port of a request's URL are replaced by those of the
    child; a base path of the child comes before its path. Bodies are streamed
    both ways. A redirect is followed through the children, too.

    - ``service``: as for `Driver.lease`.
    - ``retries``: how many further children a failed request is sent to. It is
      repeated if its method is idempotent and its body is no stream, or if it
      could not be sent. A failing status is repeated in the same way.
    - ``host``: whether the header ``Host`` is the child's, or that of the request.
    - ``uplink_header``: a header to hold the uplink's name, such as ``X-Uplink``.

    TLS settings are those of a child's ``serversTransport``: authorities, server
    name, client certificate, ``insecureSkipVerify``; without one, those of the
    session. A ``responseHeaderTimeout`` begins to count when the connection is
    requested, with the ``dialTimeout`` on top; without one, the session limits
    the time to connect.

    Raises: NoEligibleTarget for a request when no child is up; as the session.

    >>> import asyncio, aiohttp
    >>> from uplinks import Driver
    >>> driver = Driver.of({"eu": "https://eu.example.com", "us": "https://us.example.com"})
    >>> async def session():
    ...     async with aiohttp.ClientSession(middlewares=[UplinksMiddleware(driver)]):
    ...         pass
    >>> asyncio.run(session())
    """

    def __init__(
        self,
        driver: Driver,
        service: str | None = None,
        *,
        retries: int = 2,
        host: Host = "child",
        uplink_header: str | None = None,
    ) -> None:
        self._route = Route(
            driver, service, retries=retries, host=host, uplink_header=uplink_header
        )

    async def __call__(self, request: ClientRequest, handler: ClientHandlerType) -> ClientResponse:
        """Send a request to a child, and to others while it fails."""
        path = request.url.raw_path_qs
        repeatable = not request.body or isinstance(request.body, BytesPayload)
        exchange = self._route.exchange(request.method, repeatable=repeatable)
        own = request.ssl, request.server_hostname
        for attempt in exchange:
            request.url = URL(self._route.url(attempt, path), encoded=True)
            request.headers.update(self._route.headers(attempt))
            try:
                _secure(request, attempt, own)
                async with asyncio.timeout(_time_limit(attempt)):
                    response = await handler(request)
            except BaseException as problem:
                if not exchange.lost(problem, sent=_sent(problem)):
                    raise
                continue
            if not exchange.answered(response.status):
                _end_with_body(response, exchange)
                return response
            response.close()
        raise AssertionError  # the last attempt returns or raises


class _Unusable(ClientConnectionError):
    """A child's ``serversTransport`` cannot be used."""


def _secure(request: ClientRequest, attempt: Attempt, own: tuple[Any, str | None]) -> None:
    """Set how the connection of an attempt is secured. Raises: ClientConnectionError."""
    transport = transport_of(attempt)
    try:
        context, name = (
            own
            if transport is None
            else (ssl_context(transport), own[1] or transport.server_name or None)
        )
    except UnusableTransport as problem:
        raise _Unusable(str(problem)) from None
    request._ssl = context  # noqa: SLF001 - aiohttp has no other way
    request.server_hostname = name


def _time_limit(attempt: Attempt) -> float | None:
    """Return how long (s) a child may take until the head of its answer."""
    transport = transport_of(attempt)
    if transport is None or not transport.forwarding_timeouts.response_header_timeout:
        return None
    timeouts = transport.forwarding_timeouts
    return limit(None, timeouts.dial_timeout + timeouts.response_header_timeout)


def _sent(problem: BaseException) -> bool:
    """Return whether a part of the request may have been sent."""
    return not isinstance(problem, ClientConnectorError | ConnectionTimeoutError | _Unusable)


def _end_with_body(response: ClientResponse, exchange: Exchange) -> None:
    """End an exchange when its answer gives the connection back."""

    def end() -> None:
        exchange.end(response.content.exception())

    if response.connection is None:
        end()
    else:
        response.connection.add_callback(end)
