"""The connections of HTTP probes: bounds on what a child sends, and name resolution.

A child is not trusted. It cannot keep the loop busy with interim answers, and
data that it sends outside a request is never read as an answer.
"""

from __future__ import annotations

import asyncio
import socket
import threading
from contextlib import suppress
from functools import partial
from typing import Any, Final

import aiohttp
from aiohttp.abc import AbstractResolver, ResolveResult
from aiohttp.client_proto import ResponseHandler

__all__ = ["MOST_INTERIM", "DaemonResolver", "InterimAnswers", "connector"]

MOST_INTERIM: Final = 5  # as Go's client
_MOST_BYTES: Final = 65_536  # of all heads together, before the final answer's head is complete
_SLICE: Final = 16_384  # bytes parsed at a time, so that a flood is detected early
_MOST_LOOKUPS: Final = 64


class InterimAnswers(aiohttp.ClientError):
    """A child sent too many interim answers, or too much before its answer."""


class _Protocol(ResponseHandler):
    """A connection that bounds interim answers and refuses unsolicited answers."""

    _waiting = False  # for the head of the final answer
    _refused = False
    _interim = _received = 0
    _body: Any = None

    def set_response_params(self, **parameters: Any) -> None:
        """Start waiting for an answer."""
        self._waiting, self._interim, self._received = True, 0, 0
        super().set_response_params(**parameters)

    def data_received(self, data: bytes) -> None:
        """Receive bytes from a child, up to the bounds."""
        if not self._waiting and (self._body is None or self._body.is_eof()):
            self.abort()  # no request is in flight: a late answer, or a second one
            return
        while self._waiting and data and self.transport is not None:
            head, data = data[:_SLICE], data[_SLICE:]
            self._received += len(head)
            super().data_received(head)
            if self._waiting and self._received > _MOST_BYTES:
                self._refuse()
        if data and self.transport is not None:
            super().data_received(data)

    def feed_data(self, data: Any, *arguments: Any) -> None:
        """Receive the head of an answer."""
        if self._refused:
            return
        message, body = data
        if 100 <= message.code < 200 and message.code != 101:  # noqa: PLR2004 - HTTP's interim answers
            self._interim += 1
            if self._interim > MOST_INTERIM:
                self._refuse()
                return
        else:
            self._waiting, self._body = False, body
        super().feed_data(data, *arguments)

    def _refuse(self) -> None:
        self._refused, transport = True, self.transport
        self.set_exception(InterimAnswers())
        if transport is not None:
            transport.abort()
            self.transport = None


def connector(loop: asyncio.AbstractEventLoop, **options: Any) -> aiohttp.TCPConnector:
    """Make a connector whose connections are bounded."""
    made = aiohttp.TCPConnector(resolver=DaemonResolver(), **options)
    factory: Any = partial(_Protocol, loop=loop)
    made._factory = factory  # noqa: SLF001 - aiohttp has no other way
    return made


class DaemonResolver(AbstractResolver):
    """Resolve names in daemon threads, so that a hanging resolver cannot stop a process's exit.

    ``loop.getaddrinfo`` uses the loop's executor, and the interpreter joins its
    threads at exit.
    """

    def __init__(self) -> None:
        self._slots = asyncio.Semaphore(_MOST_LOOKUPS)

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        """Return the addresses of a host. Raises: OSError."""
        loop = asyncio.get_running_loop()
        await self._slots.acquire()
        found: asyncio.Future[list[Any]] = loop.create_future()

        def finish(infos: list[Any] | None, problem: OSError | None) -> None:
            self._slots.release()
            if found.done():
                return
            if problem is not None:
                found.set_exception(problem)
            else:
                found.set_result(infos or [])

        def look_up() -> None:
            infos, problem = None, None
            try:
                infos = socket.getaddrinfo(
                    host, port, family, socket.SOCK_STREAM, 0, socket.AI_ADDRCONFIG
                )
            except OSError as error:
                problem = error
            except UnicodeError as error:
                problem = OSError(str(error))
            with suppress(RuntimeError):  # the loop has been closed since
                loop.call_soon_threadsafe(finish, infos, problem)

        threading.Thread(target=look_up, name="uplinks resolver", daemon=True).start()
        return [_result(host, info) for info in await found]

    async def close(self) -> None:
        """Do nothing: no name is cached."""


def _result(host: str, info: Any) -> ResolveResult:
    family, _, protocol, _, address = info
    scope = f"%{address[3]}" if family == socket.AF_INET6 and address[3] else ""
    return ResolveResult(
        hostname=host,
        host=address[0] + scope,
        port=address[1],
        family=family,
        proto=protocol,
        flags=socket.AI_NUMERICHOST | socket.AI_NUMERICSERV,
    )
