"""The common part of the transports for httpx2 and httpx, which have the same interface."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from types import ModuleType
from typing import Any, ClassVar

from uplinks.adapters._exchange import Exchange, Host, Route
from uplinks.adapters.driver import Driver
from uplinks.parent import Attempt

__all__ = ["Body", "Transport"]


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

    def _inner(self, kind: str) -> Any:
        if self._transport is None:
            self._transport = getattr(self.library, kind)()
        return self._transport

    def handle_request(self, request: Any) -> Any:
        """Send a request to a child, and to others while it fails."""
        inner, exchange = self._inner("HTTPTransport"), self._exchange(request)
        for attempt in exchange:
            try:
                response = inner.handle_request(self._directed(request, attempt))
            except BaseException as problem:
                if not exchange.lost(problem, sent=self._sent(problem)):
                    raise
                continue
            if not exchange.answered(response.status_code):
                return self._wrapped(response, exchange)
            response.close()
        raise AssertionError  # the last attempt returns or raises

    async def handle_async_request(self, request: Any) -> Any:
        """Send a request to a child, and to others while it fails."""
        inner, exchange = self._inner("AsyncHTTPTransport"), self._exchange(request)
        for attempt in exchange:
            try:
                response = await inner.handle_async_request(self._directed(request, attempt))
            except BaseException as problem:
                if not exchange.lost(problem, sent=self._sent(problem)):
                    raise
                continue
            if not exchange.answered(response.status_code):
                return self._wrapped(response, exchange)
            await response.aclose()
        raise AssertionError  # the last attempt returns or raises

    def close(self) -> None:
        """Close the inner transport."""
        if self._transport is not None:
            self._transport.close()

    async def aclose(self) -> None:
        """Close the inner transport."""
        if self._transport is not None:
            await self._transport.aclose()

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
            extensions=request.extensions,
        )

    def _sent(self, problem: BaseException) -> bool:
        kinds = (self.library.ConnectError, self.library.ConnectTimeout, self.library.PoolTimeout)
        return not isinstance(problem, kinds)

    def _wrapped(self, response: Any, exchange: Exchange) -> Any:
        return self.library.Response(
            response.status_code,
            headers=response.headers,
            stream=self.body(response.stream, exchange),
            extensions=response.extensions,
        )
