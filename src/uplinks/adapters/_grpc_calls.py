"""What the blocking and the asynchronous gRPC channel share: children's channels, and repetition.

Rules of this file:

1. A failed call is repeated on another child if the caller named its method as
   idempotent, or if it was not sent because no connection could be made. A call
   with a stream of requests is never repeated: its messages may be used up.
2. A stream of answers is repeated only before its first message.
3. A time-out is that of all attempts together, as with gRPC's own retries.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Sequence
from functools import partial
from typing import Any, ClassVar, Final

import grpc

from uplinks.adapters._exchange import Exchange, Route, transport_of
from uplinks.adapters._grpc import Identity, target_of
from uplinks.adapters._pools import Pools
from uplinks.adapters._tls import UnusableTransport
from uplinks.adapters.driver import Driver
from uplinks.model import HealthCheck
from uplinks.parent import Attempt
from uplinks.probing import Refused, server_of

__all__ = ["Calls", "Deadline", "Method", "Unusable"]

Options = Sequence[tuple[str, Any]]

_ARGUMENTS: Final = ("timeout", "metadata", "credentials", "wait_for_ready", "compression")
_ADDRESS: Final = HealthCheck(mode="grpc")
_OPTIONS: Final = (
    ("grpc.enable_retries", 0),  # the call goes to another child instead
    # A recovered child is used as soon as its probes pass: gRPC would wait up to two minutes.
    ("grpc.initial_reconnect_backoff_ms", 100),
    ("grpc.max_reconnect_backoff_ms", 1000),
)
# The messages of gRPC for a call that was not sent. It does not promise them; without a match the
# call counts as sent.
_UNSENT: Final = ("failed to connect to all addresses", "resolution failed", "errors resolving")


class Unusable(grpc.RpcError):  # type: ignore[misc,unused-ignore]
    """No channel to a child can be made."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self._reason = reason

    def code(self) -> grpc.StatusCode:
        """Return the status: the child is not available."""
        return grpc.StatusCode.UNAVAILABLE

    def details(self) -> str:
        """Return the reason."""
        return self._reason


class Deadline:
    """When a call must have ended, whatever its attempts."""

    def __init__(self, timeout: float | None) -> None:
        self._end = None if timeout is None else time.monotonic() + timeout

    def left(self) -> float | None:
        """Return how long (s) an attempt may take."""
        return None if self._end is None else max(0.0, self._end - time.monotonic())


class Calls:
    """The calls of one channel. ``open_channel`` takes a target, credentials and options."""

    def __init__(
        self,
        open_channel: Callable[[str, grpc.ChannelCredentials | None, Options], Any],
        driver: Driver,
        service: str | None,
        *,
        retries: int,
        idempotent: bool | Collection[str],
        uplink_header: str | None,
        options: Options,
    ) -> None:
        self._open = open_channel
        self._route = Route(
            driver, service, retries=retries, host="request", uplink_header=uplink_header
        )
        if isinstance(idempotent, str):
            raise TypeError("idempotent must be a boolean or a collection of method names, got str")
        self._idempotent = idempotent
        self._options = (*_OPTIONS, *options)
        self.pools = Pools()

    def start(self, method: str, *, repeatable: bool = True) -> Exchange:
        """Start a call; one that is not ``repeatable`` has one attempt."""
        known = self._idempotent
        safe = known if isinstance(known, bool) else method in known
        exchange = self._route.start(repeatable=safe)
        if not repeatable:
            exchange.stop()
        return exchange

    def channel(self, attempt: Attempt, exchange: Exchange) -> Any:
        """Return the channel to an attempt's child. Raises: Unusable."""
        server = server_of(attempt.url, _ADDRESS)
        if isinstance(server, Refused):
            raise Unusable(server.reason)
        identity = None
        if server.tls:
            try:
                identity = Identity.of(transport_of(attempt), None)
            except UnusableTransport as problem:
                raise Unusable(str(problem)) from None
        target = target_of(server)
        options = self._options
        if identity is not None and identity.name:
            options = (("grpc.ssl_target_name_override", identity.name), *options)
        make = partial(self._open, target, _credentials(identity), options)
        pool = self.pools.take((target, identity), make)
        exchange.release = partial(self.pools.give_back, pool)
        return pool.connections

    def arguments(
        self, attempt: Attempt, given: dict[str, Any], deadline: Deadline
    ) -> dict[str, Any]:
        """Return the arguments of an attempt's call."""
        metadata = [*(given.get("metadata") or ())]
        metadata += [(n.lower(), v) for n, v in self._route.headers(attempt).items()]
        return {**given, "timeout": deadline.left(), "metadata": metadata or None}

    @staticmethod
    def given(arguments: tuple[Any, ...], options: dict[str, Any]) -> dict[str, Any]:
        """Name the arguments of a call, in gRPC's order."""
        return {**dict(zip(_ARGUMENTS, arguments, strict=False)), **options}

    @staticmethod
    def lost(exchange: Exchange, problem: BaseException, deadline: Deadline) -> bool:
        """End an attempt that raised; return whether another one follows."""
        if deadline.left() == 0:
            exchange.stop()
        return exchange.lost(problem, sent=_sent(problem))


class Method:
    """A method on the channels of all children. Subclasses are gRPC's kinds of calls."""

    kind: ClassVar[str]
    repeatable: ClassVar[bool]

    def __init__(self, calls: Calls, method: str, *serializers: Any) -> None:
        self._calls = calls
        self._method = method
        self._serializers = serializers

    def _start(self) -> Exchange:
        return self._calls.start(self._method, repeatable=self.repeatable)

    def _on(self, attempt: Attempt, exchange: Exchange) -> Any:
        """Return the method on the channel of an attempt's child. Raises: Unusable."""
        channel = self._calls.channel(attempt, exchange)
        return getattr(channel, self.kind)(self._method, *self._serializers)


def _credentials(identity: Identity | None) -> grpc.ChannelCredentials | None:
    if identity is None:
        return None
    return grpc.ssl_channel_credentials(identity.authorities, identity.key, identity.chain)


def _sent(problem: BaseException) -> bool:
    """Return whether a part of the call may have been sent."""
    if isinstance(problem, Unusable):
        return False
    details = problem.details() if isinstance(problem, grpc.RpcError) else None
    return not any(text in (details or "") for text in _UNSENT)
