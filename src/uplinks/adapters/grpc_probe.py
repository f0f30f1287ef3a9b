"""Probes over gRPC, on grpcio: ``pip install 'uplinks[grpc]'``.

Rules of this file:

1. `uplinks.probing` decides which server is called and by which name,
   `uplinks.health_reply` what a reply means. This file makes the call.
2. There is no time-out here: the caller cancels. Name resolution, connection,
   TLS and call all happen within `GrpcProber.probe`.
3. A channel is kept only while its calls are answered. A failed channel waits
   longer and longer before it reconnects; a new one does not wait, so a
   recovered child passes at the next probe. If a kept connection has just been
   closed, the call is made once more, on a new one.
4. The environment has no effect: no proxy, no configuration from DNS, no retry
   by gRPC itself.
5. Messages of the server and of gRPC are not passed on: they may show secrets.

Source: the gRPC health checking protocol; reference page, "Health Check Fields".
"""

from __future__ import annotations

import asyncio
import os
import ssl
from collections import OrderedDict
from functools import lru_cache
from pathlib import Path
from typing import Final, NamedTuple

import uplinks
from uplinks.adapters._grpc import Identity, target_of
from uplinks.adapters._tls import UnusableTransport
from uplinks.errors import InvalidCertificates, MissingExtra
from uplinks.health import Outcome
from uplinks.health_reply import InvalidReply, ServingStatus, read_status
from uplinks.model import HealthCheck, ServersTransport
from uplinks.probing import GrpcCall, Refused, grpc_call

try:
    import grpc
    from grpc import aio
except ImportError as error:
    raise MissingExtra("grpc") from error

__all__ = ["GrpcProber"]

_CHECK: Final = "/grpc.health.v1.Health/Check"
_REQUEST: Final = b""  # a HealthCheckRequest whose service is ""

_REMEMBERED: Final = 4096  # calls that are cached
_MOST_CHANNELS: Final = 512  # half of the connections that many systems let a process open
_MILLISECOND: Final = 1_000_000  # ns
_MOST_MILLISECONDS: Final = 2**31 - 1
_LONGEST_REPLY: Final = 4096  # bytes; a status takes two

_OPTIONS: Final = (
    ("grpc.enable_http_proxy", 0),
    ("grpc.enable_retries", 0),
    ("grpc.service_config_disable_resolution", 1),
    # Otherwise channels to one address share a connection and its back-off.
    ("grpc.use_local_subchannel_pool", 1),
    ("grpc.max_receive_message_length", _LONGEST_REPLY),
)

# The messages of gRPC for a failed connection, and the reasons given here. gRPC does not promise
# them; without a match the reason is "no connection".
_CONNECTION: Final = (
    ("Hostname Verification Check failed", "certificate: name mismatch"),
    ("certificate has expired", "certificate: expired"),
    ("certificate is not yet valid", "certificate: not yet valid"),
    ("CERTIFICATE_VERIFY_FAILED", "certificate: not accepted"),
    ("handshake failed", "TLS failed"),
    ("errors resolving", "name not resolved"),
    ("Failed parsing HTTP/2", "no HTTP/2"),
    ("Connection refused", "connection refused"),
    ("Connection reset", "connection reset"),
    ("Socket closed", "connection closed without an answer"),
)


class GrpcProber:
    """An `uplinks.protocols.Prober` for the mode ``grpc``.

    It calls ``grpc.health.v1.Health/Check`` for the service ``""``; only SERVING
    passes, and a server without that service fails. Over TLS,
    certificates are verified for the host of the child's address: against
    ``ca_file``, a PEM bundle, or else against gRPC's own. gRPC cannot leave them
    unverified, so ``insecure=True`` is refused. A child's ``serversTransport``
    comes first: its authorities, server name and client certificate. A probe
    with ``insecureSkipVerify`` fails.

    One prober serves any number of targets and probes at once, within one event
    loop. Up to 512 idle connections are kept, the most recently used ones; they
    belong to that loop until `close`.

    Law: a recovered child passes at the next probe; no secret is in a reason
    (``tests/adapters/test_grpc_probe.py``).
    Raises: InvalidCertificates for a bundle that cannot be read; ValueError for
    ``insecure``.

    >>> import asyncio
    >>> async def ask():
    ...     prober = GrpcProber()
    ...     try:
    ...         return await prober.probe("grpc://127.0.0.1", HealthCheck(mode="grpc"))
    ...     finally:
    ...         await prober.close()
    >>> asyncio.run(ask()).reason
    'invalid address: it does not start with http:// or https://'

    Source: the gRPC health checking protocol.
    """

    def __init__(
        self, *, ca_file: str | os.PathLike[str] | None = None, insecure: bool = False
    ) -> None:
        if insecure:
            raise ValueError("gRPC cannot leave certificates unverified; give a ca_file instead")
        self._authorities = _certificates(ca_file)
        # The most recently used last.
        self._connections: OrderedDict[_ChannelKey, _Connection] = OrderedDict()
        self._loop: asyncio.AbstractEventLoop | None = None
        # The same calls are made again and again.
        self._call = lru_cache(_REMEMBERED)(grpc_call)

    async def probe(
        self, url: str, check: HealthCheck, transport: ServersTransport | None = None
    ) -> Outcome:
        """Call the child at ``url`` once; cancel it at the deadline.

        Complexity: one call, and a connection if none was kept.
        Raises: RuntimeError when another event loop's connections are still open.
        """
        call = self._call(url, check)
        if isinstance(call, Refused):
            return Outcome.fail(call.reason)
        try:
            key = _ChannelKey(call, check.timeout, Identity.of(transport, self._authorities))
        except UnusableTransport as problem:
            return Outcome.fail(str(problem))
        outcome, stale = await self._call_once(key)
        return (await self._call_once(key))[0] if stale else outcome

    async def close(self) -> None:
        """Close all connections; those in use are closed when their probes end.

        A later probe opens new ones.
        """
        connections, self._connections, self._loop = self._connections, OrderedDict(), None
        for connection in connections.values():
            if not connection.users:
                await connection.channel.close()

    async def _call_once(self, key: _ChannelKey) -> tuple[Outcome, bool]:
        """Make the call; also return whether a kept connection may just have been closed."""
        connection = self._take(key)
        kept, replied = connection.kept, False
        try:
            reply = await connection.check(_REQUEST)
            replied = True
        except aio.AioRpcError as error:
            stale = kept and error.code() is grpc.StatusCode.UNAVAILABLE
            return Outcome.fail(_reason(error, connection.channel)), stale
        finally:
            await self._give_back(key, connection, keep=replied)
        return _judge(reply), False

    def _take(self, key: _ChannelKey) -> _Connection:
        loop = asyncio.get_running_loop()
        if self._connections and self._loop is not loop:
            raise RuntimeError("this prober is open in another event loop; close it there first")
        self._loop = loop
        if key not in self._connections:
            self._connections[key] = _Connection(_channel(key))
        self._connections.move_to_end(key)
        connection = self._connections[key]
        connection.users += 1
        return connection

    async def _give_back(self, key: _ChannelKey, connection: _Connection, *, keep: bool) -> None:
        connection.users -= 1
        connection.kept = keep
        if not keep and self._connections.get(key) is connection:
            del self._connections[key]
        if not connection.users and self._connections.get(key) is not connection:
            await connection.channel.close()
        if len(self._connections) > _MOST_CHANNELS:
            for oldest, idle in self._connections.items():
                if not idle.users:
                    del self._connections[oldest]
                    await idle.channel.close()
                    break


class _ChannelKey(NamedTuple):
    """The properties that distinguish channels."""

    call: GrpcCall
    timeout: int  # ns
    identity: Identity


class _Connection:
    """A channel, its one method, its number of users, and whether its last call was answered."""

    __slots__ = ("channel", "check", "kept", "users")

    def __init__(self, channel: aio.Channel) -> None:
        self.channel = channel
        self.check: aio.UnaryUnaryMultiCallable[bytes, bytes] = channel.unary_unary(_CHECK)
        self.users = 0
        self.kept = False


def _channel(key: _ChannelKey) -> aio.Channel:
    server, authority = key.call.server, key.call.authority
    authorities, own, private_key, chain = key.identity
    if own and server.tls:
        # With a port gRPC accepts an authority only if the certificate is for it.
        authority = authority.removesuffix(f":{server.port}")
    patience = min(max(0, key.timeout) // _MILLISECOND + 1000, _MOST_MILLISECONDS)
    options = (
        *_OPTIONS,
        ("grpc.primary_user_agent", f"uplinks/{uplinks.__version__}"),
        ("grpc.default_authority", authority),
        # Otherwise gRPC may try to connect for 20 s. A little more than the deadline, which the
        # caller enforces.
        ("grpc.min_reconnect_backoff_ms", patience),
    )
    if not server.tls:
        return aio.insecure_channel(target_of(server), options)
    # The name to verify, instead of the authority's.
    credentials = grpc.ssl_channel_credentials(authorities, private_key, chain)
    name = ("grpc.ssl_target_name_override", own or server.host)
    return aio.secure_channel(target_of(server), credentials, (*options, name))


def _certificates(ca_file: str | os.PathLike[str] | None) -> bytes | None:
    if ca_file is None:
        return None
    try:
        # gRPC reports no error for a bundle without certificates, and then accepts no server.
        ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).load_verify_locations(ca_file)
        return Path(ca_file).read_bytes()
    except ssl.SSLError:
        raise InvalidCertificates(ca_file, "it is not a PEM bundle of certificates") from None
    except OSError as error:
        raise InvalidCertificates(ca_file, error.strerror or "it cannot be read") from None


def _judge(reply: bytes | None) -> Outcome:
    if reply is None:  # trailers alone, with the status OK
        return Outcome.fail("invalid reply: there is no message")
    try:
        status = read_status(reply)
    except InvalidReply as error:
        return Outcome.fail(f"invalid reply: {error}")
    passed = status is ServingStatus.SERVING
    return Outcome.PASS if passed else Outcome.fail(f"health status {status.name}")


def _reason(error: aio.AioRpcError, channel: aio.Channel) -> str:
    """Describe an error in a few words."""
    if channel.get_state() is not grpc.ChannelConnectivity.TRANSIENT_FAILURE:
        return f"gRPC status {error.code().name}"
    details = error.details() or ""
    return next((words for text, words in _CONNECTION if text in details), "no connection")
