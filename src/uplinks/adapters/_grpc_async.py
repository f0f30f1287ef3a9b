"""The calls of `uplinks.adapters.grpc.AsyncUplinksChannel`, one class for each kind."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

from grpc import aio

from uplinks.adapters._exchange import Exchange
from uplinks.adapters._grpc_calls import Deadline, Method

__all__ = ["StreamStream", "StreamUnary", "UnaryStream", "UnaryUnary"]


class _Method(Method):
    """A method that is called in an event loop."""

    async def _begin(self) -> Exchange:
        for channel in self._calls.pools.idle():
            await channel.close()
        return self._start()

    async def _unary(self, request: Any, given: dict[str, Any]) -> Any:
        """Call for one answer, and on other children while that fails."""
        exchange, deadline = await self._begin(), Deadline(given.get("timeout"))
        for attempt in exchange:
            try:
                arguments = self._calls.arguments(attempt, given, deadline)
                response = await self._on(attempt, exchange)(request, **arguments)
            except BaseException as problem:
                if not self._calls.lost(exchange, problem, deadline):
                    raise
                continue
            exchange.end()
            return response
        raise AssertionError  # the last attempt returns or raises

    async def _stream(self, request: Any, given: dict[str, Any]) -> AsyncIterator[Any]:
        """Yield answers, of other children while the first one does not come."""
        exchange, deadline = await self._begin(), Deadline(given.get("timeout"))
        for attempt in exchange:
            try:
                arguments = self._calls.arguments(attempt, given, deadline)
                async for answer in self._on(attempt, exchange)(request, **arguments):
                    exchange.stop()  # a part of the answer is passed on
                    yield answer
            except BaseException as problem:
                if not self._calls.lost(exchange, problem, deadline):
                    raise
                continue
            exchange.end()
            return


class UnaryUnary(_Method, aio.UnaryUnaryMultiCallable):  # type: ignore[misc,unused-ignore]
    """One request, one answer."""

    kind, repeatable = "unary_unary", True

    def __call__(self, request: Any, **options: Any) -> Any:
        """Return a coroutine of the answer."""
        return self._unary(request, options)


class StreamUnary(_Method, aio.StreamUnaryMultiCallable):  # type: ignore[misc,unused-ignore]
    """A stream of requests, one answer."""

    kind, repeatable = "stream_unary", False

    def __call__(self, request_iterator: Any, **options: Any) -> Any:
        """Return a coroutine of the answer."""
        return self._unary(request_iterator, options)


class UnaryStream(_Method, aio.UnaryStreamMultiCallable):  # type: ignore[misc,unused-ignore]
    """One request, a stream of answers."""

    kind, repeatable = "unary_stream", True

    def __call__(self, request: Any, **options: Any) -> Any:
        """Return an asynchronous iterator of the answers."""
        return self._stream(request, options)


class StreamStream(_Method, aio.StreamStreamMultiCallable):  # type: ignore[misc,unused-ignore]
    """A stream of requests, a stream of answers."""

    kind, repeatable = "stream_stream", False

    def __call__(self, request_iterator: Any, **options: Any) -> Any:
        """Return an asynchronous iterator of the answers."""
        return self._stream(request_iterator, options)
