"""A gRPC child on the loopback: ``pip install 'uplinks[testing,grpc]'``."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from typing import Any, Final

from uplinks.errors import MissingExtra

try:
    import grpc
    from grpc import aio
except ImportError as error:
    raise MissingExtra("testing,grpc") from error

from uplinks.health_reply import ServingStatus
from uplinks.testing._child import FakeChild

__all__ = ["FakeGrpcChild"]

_CHECK: Final = "/grpc.health.v1.Health/Check"
_SERVER: Final = (b"", b"\x0a\x00")  # a HealthCheckRequest whose service is "", in both ways


class FakeGrpcChild(FakeChild):
    """A `FakeChild` that implements the gRPC health checking protocol.

    ``HEALTHY`` replies SERVING and ``UNHEALTHY`` NOT_SERVING, to ``Check`` for
    the server as a whole. Another service is NOT_FOUND, another method
    UNIMPLEMENTED. ``handlers`` add services of the test; they answer in every
    condition except ``REFUSE``. ``paths`` lists the methods called, such as
    ``/grpc.health.v1.Health/Check``.

    Raises: as `FakeChild`.

    >>> import asyncio
    >>> from uplinks.adapters.grpc_probe import GrpcProber
    >>> from uplinks.model import HealthCheck
    >>> async def ask():
    ...     prober = GrpcProber()
    ...     async with FakeGrpcChild("eu") as child:
    ...         outcome = await prober.probe(child.url, HealthCheck(mode="grpc"))
    ...     await prober.close()
    ...     return outcome.verdict.name, child.paths
    >>> asyncio.run(ask())
    ('PASS', ['/grpc.health.v1.Health/Check'])

    Source: the gRPC health checking protocol.
    """

    def __init__(
        self, name: str = "child", *, handlers: Sequence[grpc.GenericRpcHandler] = ()
    ) -> None:
        super().__init__(name)
        self._handlers = (_Health(self._remember, self._healthy), *handlers)

    async def _open(self) -> tuple[int, Callable[[], Awaitable[object]]]:
        # Otherwise another server could share the port and answer in its place.
        server = aio.server(handlers=self._handlers, options=(("grpc.so_reuseport", 0),))
        port = server.add_insecure_port(f"127.0.0.1:{self.port}")
        await server.start()
        return port, partial(server.stop, None)


class _Health(grpc.GenericRpcHandler):  # type: ignore[misc,unused-ignore]
    """The health service. As the first handler it sees every call."""

    def __init__(
        self, remember: Callable[[str], None], healthy: Callable[[], Awaitable[bool]]
    ) -> None:
        self._remember = remember
        self._healthy = healthy

    def service(self, handler_call_details: Any) -> Any:
        self._remember(handler_call_details.method)
        if handler_call_details.method != _CHECK:
            return None
        return grpc.unary_unary_rpc_method_handler(self._check)

    async def _check(self, request: bytes, context: Any) -> bytes:
        if request not in _SERVER:
            await context.abort(grpc.StatusCode.NOT_FOUND)
        healthy = await self._healthy()
        return _reply(ServingStatus.SERVING if healthy else ServingStatus.NOT_SERVING)


def _reply(status: ServingStatus) -> bytes:
    """Write a ``HealthCheckResponse``: its only field is the first, a number."""
    return bytes([1 << 3, status])
