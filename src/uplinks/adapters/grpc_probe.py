"""Probes over gRPC, on grpcio: ``pip install 'uplinks[grpc]'``.

Rules of this file:

1. The question is ``grpc.health.v1.Health/Check`` for the service ``""``, which
   is the whole server. ``SERVING`` is the only answer that passes.
2. There is no time-out here: the caller cancels.
3. Nothing is tried twice, and a connection that failed is not used again: a
   child that comes back passes at the first probe.
4. Nothing ambient: no proxy of the environment.
5. No message of a server is passed on: reasons are those of this file.

Source: reference page, "Health Check Fields"; the gRPC health checking protocol.
"""

from __future__ import annotations

import asyncio
import os
from collections import OrderedDict
from pathlib import Path
from typing import Any, Final

from attrs import define

from uplinks.errors import InvalidCertificates, MissingExtra
from uplinks.health import Outcome
from uplinks.health_reply import InvalidReply, ServingStatus, read_status
from uplinks.model import HealthCheck
from uplinks.probing import Refused, Server, server_of

try:
    import grpc
except ImportError as error:
    raise MissingExtra("grpc") from error

__all__ = ["GrpcProber"]

_METHOD: Final = "/grpc.health.v1.Health/Check"
_ALL_SERVICES: Final = b""  # a HealthCheckRequest whose service is ""
_KEPT: Final = 4096  # channels; those used longest ago are closed
_LARGEST: Final = 4096  # bytes of a reply

_OPTIONS: Final = (
    ("grpc.enable_http_proxy", 0),
    ("grpc.enable_retries", 0),
    ("grpc.max_receive_message_length", _LARGEST),
    ("grpc.max_metadata_size", 16_384),
    # Channels to one server share nothing, so that none waits for what another one failed at.
    ("grpc.use_local_subchannel_pool", 1),
)


@define(eq=False)
class _Channel:
    """A channel, and how many probes use it at present."""

    channel: Any
    ask: Any
    users: int = 0
    retired: bool = False


class GrpcProber:
    """A `uplinks.protocols.Prober` for the mode ``grpc``.

    An ``https`` address is asked over TLS: its certificate is verified against
    ``ca_file``, a PEM bundle that replaces the built-in one. Certificates are
    always verified; grpcio knows no other way. The check's ``hostname`` is the
    ``:authority``, which over TLS the certificate must bear, too.

    One prober serves any number of targets and probes at once, within one event
    loop; connections are kept until `close`, after which it may be used anew.

    Raises: InvalidCertificates for a bundle that cannot be read.

    >>> import asyncio
    >>> async def ask():
    ...     prober = GrpcProber()
    ...     try:
    ...         return await prober.probe("127.0.0.1", HealthCheck(mode="grpc"))
    ...     finally:
    ...         await prober.close()
    >>> asyncio.run(ask()).reason
    'the address cannot be asked: it does not start with http:// or https://'
    """

    def __init__(self, *, ca_file: str | os.PathLike[str] | None = None) -> None:
        self._roots = None if ca_file is None else _roots(ca_file)
        self._channels: OrderedDict[tuple[Server, str | None], _Channel] = OrderedDict()
        self._loop: asyncio.AbstractEventLoop | None = None

    async def probe(self, url: str, check: HealthCheck) -> Outcome:
        """Ask the child at ``url`` once. Cancel it at the deadline.

        Raises: RuntimeError when another event loop's connections are still open.
        """
        server = server_of(url, check)
        if isinstance(server, Refused):
            return Outcome.fail(server.reason)
        key = (server, check.hostname)
        channel = self._channel(key)
        channel.users += 1
        await self._close_oldest()
        outcome = None
        try:
            status = read_status(await channel.ask(_ALL_SERVICES))
            passed = status is ServingStatus.SERVING
            outcome = Outcome.PASS if passed else Outcome.fail(f"status {status.name}")
        except InvalidReply as problem:
            return Outcome.fail(f"no reply of a health check: {problem}")
        except grpc.RpcError as problem:
            return Outcome.fail(_reason(problem.code()))
        finally:
            channel.users -= 1
            if outcome is None:  # failed or cancelled: the next probe connects anew
                self._retire(key, channel)
            if channel.retired and not channel.users:
                await channel.channel.close()
        return outcome

    async def close(self) -> None:
        """Close all connections. A later probe opens new ones."""
        channels, self._channels, self._loop = self._channels, OrderedDict(), None
        for channel in channels.values():
            channel.retired = True
            await channel.channel.close()

    def _channel(self, key: tuple[Server, str | None]) -> _Channel:
        loop = asyncio.get_running_loop()
        if self._channels and self._loop is not loop:
            raise RuntimeError("this prober is open in another event loop; close it there first")
        self._loop = loop
        channel = self._channels.get(key)
        if channel is None:
            channel = self._channels[key] = self._open(*key)
        else:
            self._channels.move_to_end(key)
        return channel

    def _open(self, server: Server, hostname: str | None) -> _Channel:
        options = [*_OPTIONS, *([("grpc.default_authority", hostname)] if hostname else [])]
        channel = (
            grpc.aio.secure_channel(
                server.authority, grpc.ssl_channel_credentials(self._roots), options
            )
            if server.tls
            else grpc.aio.insecure_channel(server.authority, options)
        )
        return _Channel(channel, channel.unary_unary(_METHOD))

    async def _close_oldest(self) -> None:
        while len(self._channels) > _KEPT:
            key, oldest = next(iter(self._channels.items()))
            self._retire(key, oldest)
            if not oldest.users:
                await oldest.channel.close()

    def _retire(self, key: tuple[Server, str | None], channel: _Channel) -> None:
        channel.retired = True
        if self._channels.get(key) is channel:
            del self._channels[key]


def _reason(code: Any) -> str:
    known = {
        grpc.StatusCode.UNAVAILABLE: "it cannot be reached, or its certificate is not accepted",
        grpc.StatusCode.UNIMPLEMENTED: "it has no health check: UNIMPLEMENTED",
        grpc.StatusCode.RESOURCE_EXHAUSTED: "its reply is too large, or it has no resources",
    }
    return known.get(code) or f"status {getattr(code, 'name', 'unknown')}"


def _roots(file: str | os.PathLike[str]) -> bytes:
    try:
        roots = Path(file).read_bytes()
    except OSError as error:
        raise InvalidCertificates(file, error.strerror or "it cannot be read") from error
    if b"-----BEGIN CERTIFICATE-----" not in roots:
        raise InvalidCertificates(file, "it holds no certificate")
    return roots
