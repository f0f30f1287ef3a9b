"""Probes over gRPC, on grpcio: ``pip install 'uplinks[grpc]'``.

Rules of this file:

1. Whom to call, and what they are called, is for `uplinks.probing`; what a
   reply means, for `uplinks.health_reply`. Here the call is made.
2. There is no time-out here: the caller cancels. All that a probe does (name,
   connection, TLS, call) happens within `GrpcProber.probe`.
3. A channel is kept only while its calls are replied to. Channels that failed
   wait longer and longer before they connect again; a new one does not wait,
   so a child that is back passes at the next probe. A connection that was kept
   may just have been closed: then the call is made once more, on a new one.
4. Nothing ambient: no proxy of the environment, no configuration out of DNS,
   no retry of gRPC's own.
5. No message of the server or of gRPC is passed on: it may show what is
   secret. Reasons are those of this file.

Source: the gRPC health checking protocol; reference page, "Health Check Fields".
"""

from __future__ import annotations

import asyncio
import os
import ssl
from collections import OrderedDict
from functools import lru_cache
from ipaddress import ip_address
from pathlib import Path
from typing import Final, NamedTuple

import uplinks
from uplinks.adapters._tls import UnusableTransport, read_files
from uplinks.errors import InvalidCertificates, MissingExtra
from uplinks.health import Outcome
from uplinks.health_reply import InvalidReply, ServingStatus, read_status
from uplinks.model import HealthCheck, ServersTransport
from uplinks.probing import GrpcCall, Refused, Server, grpc_call

try:
    import grpc
    from grpc import aio
except ImportError as error:
    raise MissingExtra("grpc") from error

__all__ = ["GrpcProber"]

_CHECK: Final = "/grpc.health.v1.Health/Check"
_REQUEST: Final = b""  # a HealthCheckRequest whose service is ""

_REMEMBERED: Final = 4096  # calls; others are only made anew
_MOST_CHANNELS: Final = 512  # each a connection: half of what many systems let a process open
_MILLISECOND: Final = 1_000_000  # ns
_MOST_MILLISECONDS: Final = 2**31 - 1
_LONGEST_REPLY: Final = 4096  # bytes; two say all

_OPTIONS: Final = (
    ("grpc.enable_http_proxy", 0),
    ("grpc.enable_retries", 0),
    ("grpc.service_config_disable_resolution", 1),
    # Otherwise channels of one address share a connection, and the wait after a failure.
    ("grpc.use_local_subchannel_pool", 1),
    ("grpc.max_receive_message_length", _LONGEST_REPLY),
)

# What gRPC says of a connection that did not come about, and what we do. These texts are no
# promise of gRPC; without a match it is "no connection".
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
    """A `uplinks.protocols.Prober` for the mode ``grpc``.

    It calls ``grpc.health.v1.Health/Check`` for the service ``""``; SERVING is
    all that passes, and a server without that service does not. Over TLS,
    certificates are verified for the host of the child's address: against
    ``ca_file``, a PEM bundle, or else against gRPC's own. gRPC cannot leave them
    unverified, so ``insecure=True`` is refused. A child's ``serversTransport``
    comes first: its authorities, server name and client certificate. A probe
    with ``insecureSkipVerify`` fails.

    One prober serves any number of targets and probes at once, within one event
    loop. Of the connections that nobody uses the latest used are kept, up to
    512, and belong to that loop until `close`.

    Law: a child that is back passes at the next probe; no secret is in a reason
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
        self._lines: OrderedDict[_Asked, _Line] = OrderedDict()  # the latest used last
        self._loop: asyncio.AbstractEventLoop | None = None
        # The same is asked again and again.
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
            asked = _Asked(call, check.timeout, _Identity.of(transport, self._authorities))
        except UnusableTransport as problem:
            return Outcome.fail(str(problem))
        outcome, stale = await self._ask(asked)
        return (await self._ask(asked))[0] if stale else outcome

    async def close(self) -> None:
        """Close all connections, those in use when their probes end.

        A later probe opens new ones.
        """
        lines, self._lines, self._loop = self._lines, OrderedDict(), None
        for line in lines.values():
            if not line.users:
                await line.channel.close()

    async def _ask(self, asked: _Asked) -> tuple[Outcome, bool]:
        """Make the call; tell also whether only a connection may have ended that was kept."""
        line = self._take(asked)
        kept, replied = line.kept, False
        try:
            reply = await line.check(_REQUEST)
            replied = True
        except aio.AioRpcError as error:
            stale = kept and error.code() is grpc.StatusCode.UNAVAILABLE
            return Outcome.fail(_reason(error, line.channel)), stale
        finally:
            await self._give_back(asked, line, keep=replied)
        return _judged(reply), False

    def _take(self, asked: _Asked) -> _Line:
        loop = asyncio.get_running_loop()
        if self._lines and self._loop is not loop:
            raise RuntimeError("this prober is open in another event loop; close it there first")
        self._loop = loop
        if asked not in self._lines:
            self._lines[asked] = _Line(_channel(asked))
        self._lines.move_to_end(asked)
        line = self._lines[asked]
        line.users += 1
        return line

    async def _give_back(self, asked: _Asked, line: _Line, *, keep: bool) -> None:
        line.users -= 1
        line.kept = keep
        if not keep and self._lines.get(asked) is line:
            del self._lines[asked]
        if not line.users and self._lines.get(asked) is not line:
            await line.channel.close()
        if len(self._lines) > _MOST_CHANNELS:
            for oldest, idle in self._lines.items():
                if not idle.users:
                    del self._lines[oldest]
                    await idle.channel.close()
                    break


class _Identity(NamedTuple):
    """Whose certificates a channel accepts, for which name, and which one it shows."""

    authorities: bytes | None
    name: str | None = None
    key: bytes | None = None
    chain: bytes | None = None

    @classmethod
    def of(cls, transport: ServersTransport | None, authorities: bytes | None) -> _Identity:
        """Read a child's transport. Raises: UnusableTransport."""
        if transport is None:
            return cls(authorities)
        if transport.insecure_skip_verify:
            raise UnusableTransport("gRPC cannot leave certificates unverified; set rootCAs")
        files = read_files(transport)
        chain, key = files.certificates[0] if files.certificates else (None, None)
        return cls(files.authorities or authorities, transport.server_name, key, chain)


class _Asked(NamedTuple):
    """What a channel is for."""

    call: GrpcCall
    timeout: int  # ns
    identity: _Identity


class _Line:
    """A channel, its one method, how many probes use it, and whether it was replied to."""

    __slots__ = ("channel", "check", "kept", "users")

    def __init__(self, channel: aio.Channel) -> None:
        self.channel = channel
        self.check: aio.UnaryUnaryMultiCallable[bytes, bytes] = channel.unary_unary(_CHECK)
        self.users = 0
        self.kept = False


def _channel(asked: _Asked) -> aio.Channel:
    server, authority = asked.call.server, asked.call.authority
    authorities, own, key, chain = asked.identity
    if own and server.tls:
        # With a port gRPC accepts an authority only if the certificate is for it.
        authority = authority.removesuffix(f":{server.port}")
    patience = min(max(0, asked.timeout) // _MILLISECOND + 1000, _MOST_MILLISECONDS)
    options = (
        *_OPTIONS,
        ("grpc.primary_user_agent", f"uplinks/{uplinks.__version__}"),
        ("grpc.default_authority", authority),
        # Otherwise a connection that nobody waits for any more may be tried for 20 s. A little
        # more than the deadline: that is for the caller to enforce.
        ("grpc.min_reconnect_backoff_ms", patience),
    )
    if not server.tls:
        return aio.insecure_channel(_target(server), options)
    # The name to verify; it would be the authority's otherwise.
    credentials = grpc.ssl_channel_credentials(authorities, key, chain)
    name = ("grpc.ssl_target_name_override", own or server.host)
    return aio.secure_channel(_target(server), credentials, (*options, name))


def _target(server: Server) -> str:
    """Write whom to connect to, with the kind of name: without it ``unix:`` would be a path."""
    try:
        return f"ipv{ip_address(server.host).version}:{server.authority}"
    except ValueError:
        return f"dns:///{server.authority}"


def _certificates(ca_file: str | os.PathLike[str] | None) -> bytes | None:
    if ca_file is None:
        return None
    try:
        # gRPC would say nothing of a bundle without certificates, and accept nobody.
        ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).load_verify_locations(ca_file)
        return Path(ca_file).read_bytes()
    except ssl.SSLError:
        raise InvalidCertificates(ca_file, "it is no PEM bundle of certificates") from None
    except OSError as error:
        raise InvalidCertificates(ca_file, error.strerror or "it cannot be read") from None


def _judged(reply: bytes) -> Outcome:
    try:
        status = read_status(reply)
    except InvalidReply as error:
        return Outcome.fail(f"invalid reply: {error}")
    passed = status is ServingStatus.SERVING
    return Outcome.PASS if passed else Outcome.fail(f"health status {status.name}")


def _reason(error: aio.AioRpcError, channel: aio.Channel) -> str:
    """Put what went wrong into a few words."""
    if channel.get_state() is not grpc.ChannelConnectivity.TRANSIENT_FAILURE:
        return f"gRPC status {error.code().name}"
    details = error.details() or ""
    return next((words for text, words in _CONNECTION if text in details), "no connection")
