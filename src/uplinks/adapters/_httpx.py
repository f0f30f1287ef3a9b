"""The common part of the transports for httpx2 and httpx, which have the same interface."""

from __future__ import annotations

import ssl
from collections.abc import AsyncIterator, Iterator
from functools import partial
from types import ModuleType
from typing import Any, ClassVar, Final

from uplinks.adapters._exchange import Exchange, Host, Route, limit, transport_of
from uplinks.adapters._pools import Pools
from uplinks.adapters._tls import UnusableTransport, ssl_context
from uplinks.adapters.driver import Driver
from uplinks.model import ServersTransport
from uplinks.parent import Attempt

__all__ = ["Body", "Transport"]

_NANOSECONDS: Final = 1_000_000_000


class Body:
    """An answer's body, which ends the lease of its child when it ends."""

    def __init__(self, stream: Any, exchange: Exchange) -> None:
        self._stream = stream
        self._exchange = exchange

    def __iter__(self) -> Iterator[bytes]:
        try:
            yield from self._stream
        except BaseException as problem:
            self._exchange.end(problem)
            raise
        self._exchange.end()

    def close(self) -> None:
        """Close the connection's stream."""
        self._stream.close()
        self._exchange.end()

    async def __aiter__(self) -> AsyncIterator[bytes]:
        try:
            async for chunk in self._stream:
                yield chunk
        except BaseException as problem:
            self._exchange.end(problem)
            raise
        self._exchange.end()

    async def aclose(self) -> None:
        """Close the connection's stream."""
        await self._stream.aclose()
        self._exchange.end()


class Transport:
    """Both transports of a library. ``library`` is its module, ``body`` its `Body` class."""

    library: ClassVar[ModuleType]
    body: ClassVar[type[Body]]

    def __init__(
        self,
        driver: Driver,
        service: str | None = None,
        *,
        transport: Any = None,
        retries: int = 2,
        host: Host = "child",
        uplink_header: str | None = None,
    ) -> None:
        self._route = Route(
            driver, service, retries=retries, host=host, uplink_header=uplink_header
        )
        self._transport = transport
        self._given = transport is not None
        self._blocking, self._asynchronous = Pools(), Pools()

    def handle_request(self, request: Any) -> Any:
        """Send a request to a child, and to others while it fails."""
        exchange = self._exchange(request)
        for each in self._blocking.idle():
            each.close()
        for attempt in exchange:
            try:
                inner = self._inner("HTTPTransport", self._blocking, attempt, exchange)
                directed = self._directed(request, attempt)
                response = inner.handle_request(directed)
            except BaseException as problem:
                if not exchange.lost(problem, sent=self._sent(problem)):
                    raise
                continue
            if not exchange.answered(response.status_code):
                return self._wrapped(request, directed, response, exchange)
            response.close()
        raise AssertionError  # the last attempt returns or raises

    async def handle_async_request(self, request: Any) -> Any:
        """Send a request to a child, and to others while it fails."""
        exchange = self._exchange(request)
        for each in self._asynchronous.idle():
            await each.aclose()
        for attempt in exchange:
            try:
                inner = self._inner("AsyncHTTPTransport", self._asynchronous, attempt, exchange)
                directed = self._directed(request, attempt)
                response = await inner.handle_async_request(directed)
            except BaseException as problem:
                if not exchange.lost(problem, sent=self._sent(problem)):
                    raise
                continue
            if not exchange.answered(response.status_code):
                return self._wrapped(request, directed, response, exchange)
            await response.aclose()
        raise AssertionError  # the last attempt returns or raises

    def close(self) -> None:
        """Close all connections."""
        for each in (self._transport, *self._blocking.all()):
            if each is not None:
                each.close()

    async def aclose(self) -> None:
        """Close all connections."""
        for each in (self._transport, *self._asynchronous.all()):
            if each is not None:
                await each.aclose()

    def _inner(self, kind: str, pools: Pools, attempt: Attempt, exchange: Exchange) -> Any:
        """Return the transport for an attempt. Raises: ConnectError."""
        transport = None if self._given else transport_of(attempt)
        if transport is None:
            if self._transport is None:
                self._transport = getattr(self.library, kind)()
            return self._transport
        try:
            context = ssl_context(transport)  # another one when a file has changed
        except UnusableTransport as problem:
            raise self.library.ConnectError(str(problem)) from None
        pool = pools.take((transport, context), partial(self._pool, kind, transport, context))
        exchange.release = partial(pools.give_back, pool)
        return pool.connections

    def _pool(self, kind: str, transport: ServersTransport, context: ssl.SSLContext) -> Any:
        limits = self.library.Limits(
            max_keepalive_connections=max(0, transport.max_idle_conns_per_host or 200),
            keepalive_expiry=transport.forwarding_timeouts.idle_conn_timeout / _NANOSECONDS or None,
        )
        return getattr(self.library, kind)(verify=context, limits=limits)

    def _exchange(self, request: Any) -> Exchange:
        repeatable = isinstance(request.stream, self.library.ByteStream)
        return self._route.exchange(request.method, repeatable=repeatable)

    def _directed(self, request: Any, attempt: Attempt) -> Any:
        headers = request.headers.copy()
        for name, value in self._route.headers(attempt).items():
            headers[name] = value
        return self.library.Request(
            request.method,
            self._route.url(attempt, request.url.raw_path.decode("ascii")),
            headers=headers,
            stream=request.stream,
            extensions=_extensions(request.extensions, transport_of(attempt)),
        )

    def _sent(self, problem: BaseException) -> bool:
        kinds = (self.library.ConnectError, self.library.ConnectTimeout, self.library.PoolTimeout)
        return not isinstance(problem, kinds)

    def _wrapped(self, request: Any, directed: Any, response: Any, exchange: Exchange) -> Any:
        # The time-out of a transport is for the head of the answer, the client's for its body.
        if "timeout" in directed.extensions:
            own = request.extensions.get("timeout", {}).get("read")
            directed.extensions["timeout"]["read"] = own
        return self.library.Response(
            response.status_code,
            headers=response.headers,
            stream=self.body(response.stream, exchange),
            extensions=response.extensions,
        )


def _extensions(own: Any, transport: ServersTransport | None) -> dict[str, Any]:
    """Return a request's extensions with the server name and the time-outs of a transport."""
    if transport is None:
        return dict(own)
    extensions, timeouts = dict(own), transport.forwarding_timeouts
    if transport.server_name and "sni_hostname" not in own:
        extensions["sni_hostname"] = transport.server_name
    given = own.get("timeout", {})
    extensions["timeout"] = {
        **given,
        "connect": limit(given.get("connect"), timeouts.dial_timeout),
        "read": limit(given.get("read"), timeouts.response_header_timeout),
    }
    return extensions
