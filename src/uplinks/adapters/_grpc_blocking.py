"""The calls of `uplinks.adapters.grpc.UplinksChannel`, one class for each kind."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, Self

import grpc

from uplinks.adapters._exchange import Exchange
from uplinks.adapters._grpc_calls import Calls, Deadline, Method
from uplinks.parent import Attempt

__all__ = ["StreamStream", "StreamUnary", "UnaryStream", "UnaryUnary"]


class _Method(Method):
    """A method that is called in the caller's thread."""

    def _start(self) -> Exchange:
        for channel in self._calls.pools.idle():
            channel.close()
        return super()._start()

    def _unary(self, request: Any, given: dict[str, Any]) -> tuple[Any, Any]:
        """Call for one answer, and on other children while that fails."""
        exchange, deadline = self._start(), Deadline(given.get("timeout"))
        for attempt in exchange:
            try:
                method = self._on(attempt, exchange)
                response, call = method.with_call(
                    request, **self._calls.arguments(attempt, given, deadline)
                )
            except BaseException as problem:
                if not self._calls.lost(exchange, problem, deadline):
                    raise
                continue
            exchange.end()
            return response, call
        raise AssertionError  # the last attempt returns or raises

    def _future(self, request: Any, given: dict[str, Any]) -> Any:
        exchange = self._start()
        exchange.stop()  # the caller does not wait, so it is not repeated
        attempt = next(iter(exchange))
        try:
            arguments = self._calls.arguments(attempt, given, Deadline(given.get("timeout")))
            future = self._on(attempt, exchange).future(request, **arguments)
        except BaseException as problem:
            exchange.end(problem)
            raise

        def end(done: Any) -> None:
            exchange.end(None if done.code() is grpc.StatusCode.OK else done)

        future.add_done_callback(end)
        return future

    def _stream(self, request: Any, given: dict[str, Any]) -> _Answers:
        deadline = Deadline(given.get("timeout"))

        def call(attempt: Attempt, exchange: Exchange) -> Any:
            method = self._on(attempt, exchange)
            return method(request, **self._calls.arguments(attempt, given, deadline))

        return _Answers(self._calls, self._start(), deadline, call)


class UnaryUnary(_Method, grpc.UnaryUnaryMultiCallable):  # type: ignore[misc,unused-ignore]
    """One request, one answer."""

    kind, repeatable = "unary_unary", True

    def __call__(self, request: Any, *arguments: Any, **options: Any) -> Any:
        """Call, and return the answer."""
        return self._unary(request, Calls.given(arguments, options))[0]

    def with_call(self, request: Any, *arguments: Any, **options: Any) -> tuple[Any, Any]:
        """Call, and return the answer and the `grpc.Call`."""
        return self._unary(request, Calls.given(arguments, options))

    def future(self, request: Any, *arguments: Any, **options: Any) -> Any:
        """Call one child, and return a future."""
        return self._future(request, Calls.given(arguments, options))


class StreamUnary(_Method, grpc.StreamUnaryMultiCallable):  # type: ignore[misc,unused-ignore]
    """A stream of requests, one answer."""

    kind, repeatable = "stream_unary", False

    def __call__(self, request_iterator: Any, *arguments: Any, **options: Any) -> Any:
        """Call, and return the answer."""
        return self._unary(request_iterator, Calls.given(arguments, options))[0]

    def with_call(self, request_iterator: Any, *arguments: Any, **options: Any) -> tuple[Any, Any]:
        """Call, and return the answer and the `grpc.Call`."""
        return self._unary(request_iterator, Calls.given(arguments, options))

    def future(self, request_iterator: Any, *arguments: Any, **options: Any) -> Any:
        """Call one child, and return a future."""
        return self._future(request_iterator, Calls.given(arguments, options))


class UnaryStream(_Method, grpc.UnaryStreamMultiCallable):  # type: ignore[misc,unused-ignore]
    """One request, a stream of answers."""

    kind, repeatable = "unary_stream", True

    def __call__(self, request: Any, *arguments: Any, **options: Any) -> Any:
        """Call, and return an iterator of answers that is a `grpc.Call` too."""
        return self._stream(request, Calls.given(arguments, options))


class StreamStream(_Method, grpc.StreamStreamMultiCallable):  # type: ignore[misc,unused-ignore]
    """A stream of requests, a stream of answers."""

    kind, repeatable = "stream_stream", False

    def __call__(self, request_iterator: Any, *arguments: Any, **options: Any) -> Any:
        """Call, and return an iterator of answers that is a `grpc.Call` too."""
        return self._stream(request_iterator, Calls.given(arguments, options))


class _Answers:
    """A stream of answers; the lease of its child lasts until it ends or is cancelled."""

    def __init__(
        self,
        calls: Calls,
        exchange: Exchange,
        deadline: Deadline,
        call: Callable[[Attempt, Exchange], Any],
    ) -> None:
        self._calls = calls
        self._exchange = exchange
        self._deadline = deadline
        self._make = call
        self._attempts: Iterator[Attempt] = iter(exchange)
        self._call: Any = None
        self._begun = False
        self._begin()

    def __iter__(self) -> Self:
        return self

    def __next__(self) -> Any:
        while True:
            try:
                answer = next(self._call)
            except StopIteration:
                self._exchange.end()
                raise
            except BaseException as problem:  # noqa: BLE001 - raised again if no attempt follows
                self._lost(problem)
                self._begin()
                continue
            if not self._begun:
                self._begun = True
                self._exchange.stop()  # a part of the answer has been passed on
            return answer

    def __getattr__(self, name: str) -> Any:
        return getattr(self._call, name)

    def cancel(self) -> bool:
        """Cancel the call."""
        self._exchange.abandon()
        return bool(self._call.cancel())

    def _begin(self) -> None:
        """Call the next child."""
        while True:
            attempt = next(self._attempts)
            try:
                self._call = self._make(attempt, self._exchange)
            except BaseException as problem:  # noqa: BLE001 - raised again if no attempt follows
                self._lost(problem)
                continue
            return

    def _lost(self, problem: BaseException) -> None:
        """End an attempt that raised. Raises: the same, if no other attempt follows."""
        if not self._calls.lost(self._exchange, problem, self._deadline):
            raise problem
