"""Channels for gRPC over all children of a service: ``pip install 'uplinks[grpc]'``."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from types import ModuleType
from typing import Any, ClassVar, Self

from uplinks.adapters.driver import Driver
from uplinks.errors import MissingExtra

try:
    import grpc
    from grpc import aio
except ImportError as error:
    raise MissingExtra("grpc") from error

from uplinks.adapters import _grpc_async, _grpc_blocking
from uplinks.adapters._grpc_calls import Calls

__all__ = ["AsyncUplinksChannel", "UplinksChannel"]

Options = Sequence[tuple[str, Any]]


class _Channel:
    """What both channels share. ``_kinds`` is the module of their calls."""

    _kinds: ClassVar[ModuleType]
    _opening: ClassVar[ModuleType]

    def __init__(
        self,
        driver: Driver,
        service: str | None = None,
        *,
        retries: int = 2,
        idempotent: bool | Collection[str] = (),
        uplink_header: str | None = None,
        options: Options = (),
    ) -> None:
        self._calls = Calls(
            self._open,
            driver,
            service,
            retries=retries,
            idempotent=idempotent,
            uplink_header=uplink_header,
            options=options,
        )

    def unary_unary(self, method: str, *serializers: Any, **named: Any) -> Any:
        """Make a callable of one request and one answer."""
        return self._kinds.UnaryUnary(self._calls, method, *_both(serializers, named))

    def unary_stream(self, method: str, *serializers: Any, **named: Any) -> Any:
        """Make a callable of one request and a stream of answers."""
        return self._kinds.UnaryStream(self._calls, method, *_both(serializers, named))

    def stream_unary(self, method: str, *serializers: Any, **named: Any) -> Any:
        """Make a callable of a stream of requests and one answer."""
        return self._kinds.StreamUnary(self._calls, method, *_both(serializers, named))

    def stream_stream(self, method: str, *serializers: Any, **named: Any) -> Any:
        """Make a callable of a stream of requests and a stream of answers."""
        return self._kinds.StreamStream(self._calls, method, *_both(serializers, named))

    def _open(
        self, target: str, credentials: grpc.ChannelCredentials | None, options: Options
    ) -> Any:
        if credentials is None:
            return self._opening.insecure_channel(target, options)
        return self._opening.secure_channel(target, credentials, options)


class UplinksChannel(_Channel, grpc.Channel):  # type: ignore[misc,unused-ignore]
    """Send each call to a child that is up: a channel for generated stubs.

    A child has one channel, over TLS if its address is https. Its
    ``serversTransport`` gives authorities, server name and client certificate;
    gRPC cannot leave certificates unverified.

    - ``service``: as for `Driver.lease`.
    - ``retries``: how many further children a failed call is sent to. `FailureClassifier`
      decides by its status whether it has failed.
    - ``idempotent``: the methods that are safe to repeat, such as
      ``{"/shop.Orders/Get"}``, or ``True`` for all. Other calls are repeated only
      if no connection could be made. A stream of answers is repeated only before
      its first message; a stream of requests, or a call by ``future``, is not.
    - ``uplink_header``: the metadata key to hold the uplink's name.
    - ``options``: arguments of gRPC for the children's channels.

    A time-out is that of all attempts together. `subscribe` is not supported, as
    there are several channels.

    Raises: NoEligibleTarget for a call when no child is up; `grpc.RpcError`.

    >>> from uplinks import Driver
    >>> driver = Driver.of({"eu": "https://eu.example.com", "us": "https://us.example.com"})
    >>> with UplinksChannel(driver, idempotent={"/shop.Orders/Get"}) as channel:
    ...     get = channel.unary_unary("/shop.Orders/Get")  # or OrdersStub(channel)
    """

    _kinds: ClassVar[ModuleType] = _grpc_blocking
    _opening: ClassVar[ModuleType] = grpc

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    def subscribe(self, callback: Any, try_to_connect: Any = None) -> None:
        """Refuse: each child has a state of its own, see `Driver.events`."""
        raise NotImplementedError("each child has a channel of its own; read driver.events instead")

    def unsubscribe(self, callback: Any) -> None:
        """Do nothing: there are no subscriptions."""

    def close(self) -> None:
        """Close the channels of all children."""
        for channel in self._calls.pools.all():
            channel.close()


class AsyncUplinksChannel(_Channel, aio.Channel):  # type: ignore[misc,unused-ignore]
    """The same for ``grpc.aio``. Arguments, rules and errors are those of `UplinksChannel`.

    A call with one answer is a coroutine, one with a stream of answers an
    asynchronous iterator; both take requests as an argument. They have no other
    methods of gRPC's call objects.

    >>> import asyncio
    >>> from uplinks import Driver
    >>> driver = Driver.of({"eu": "https://eu.example.com", "us": "https://us.example.com"})
    >>> async def main():
    ...     async with AsyncUplinksChannel(driver) as channel:
    ...         get = channel.unary_unary("/shop.Orders/Get")  # or OrdersStub(channel)
    >>> asyncio.run(main())
    """

    _kinds: ClassVar[ModuleType] = _grpc_async
    _opening: ClassVar[ModuleType] = aio

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *exception: object) -> None:
        await self.close()

    def get_state(self, try_to_connect: bool = False) -> Any:  # noqa: FBT001, FBT002 - as aio.Channel
        """Refuse: each child has a state of its own, see `Driver.state`."""
        raise NotImplementedError("each child has a channel of its own; use driver.state()")

    async def wait_for_state_change(self, last_observed_state: Any) -> None:
        """Refuse: as `get_state`."""
        raise NotImplementedError("each child has a channel of its own; use driver.wait_until()")

    async def channel_ready(self) -> None:
        """Refuse: as `get_state`."""
        raise NotImplementedError("each child has a channel of its own; use driver.ready()")

    async def close(self, grace: float | None = None) -> None:
        """Close the channels of all children."""
        for channel in self._calls.pools.all():
            await channel.close(grace)


def _both(serializers: tuple[Any, ...], named: dict[str, Any]) -> tuple[Any, Any]:
    """Return serializer and deserializer; further arguments only speed up gRPC's own channels."""
    first, second, *_ = (*serializers, None, None)
    return (
        named.get("request_serializer", first),
        named.get("response_deserializer", second),
    )
