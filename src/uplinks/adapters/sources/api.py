"""A cluster from a child's API, polled: ``pip install 'uplinks[serve]'``.

Rules of this file:

1. A child is not trusted. Its answer is limited in size and time, read without
   decompression, and never passed on. A redirect is followed only within its origin.
2. A poll starts ``interval`` after the end of the one before, and takes at most
   ``timeout``. So a change is seen within ``interval`` and twice ``timeout``.
3. The connection is made as the child's ``serversTransport`` says; authorities, client
   certificate and token are read again when their files change.
4. No reason has a token, nor what the child or OpenSSL said.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncGenerator, Awaitable, Callable
from typing import Any, Final

from attrs import frozen

from uplinks import advertisements
from uplinks.adapters._http_client import (
    ERRORS,
    describe_error,
    make_context,
    make_message,
    make_options,
    open_session,
    send,
)
from uplinks.adapters.sources import Failure, Snapshot
from uplinks.adapters.tokens import Token
from uplinks.addresses import problem_with_address, without_userinfo
from uplinks.advertisements import DocumentLimits, DocumentReader
from uplinks.errors import InvalidSource, InvalidToken
from uplinks.model import HealthCheck, ParentConfig, ServersTransport
from uplinks.probing import HttpRequest, Refused, http_request, redirected

__all__ = ["ApiSource"]

_SECOND: Final = 1_000_000_000
_BUFFER: Final = 65_536
_LARGE: Final = 65_536  # bytes; a larger document is read in a thread
_ETAG: Final = re.compile(r'(?:W/)?"[!\x23-\x7e]{0,200}"')
_DENIED: Final = (401, 403)


@frozen
class _Answer:
    """A child's answer to a poll; without a body, its document is unchanged."""

    body: bytes | None
    etag: str | None = None


class ApiSource:
    """A `uplinks.adapters.sources.Source`: the document that a child serves.

    ``url`` is the child's address; without a path, the document's is added. ``interval``
    and ``timeout`` are nanoseconds. ``transport`` is the child's ``serversTransport``,
    ``token`` its bearer token. ``pause`` waits a number of seconds.

    A snapshot is yielded when the document has changed, and when it is unchanged after a
    `Failure`. A failure is yielded when its reason is new.

    Raises: InvalidSource for a URL that is no address.

    >>> ApiSource("https://eu.example.com:9443", "eu").name
    'https://eu.example.com:9443/.well-known/uplinks.json'
    """

    def __init__(
        self,
        url: str,
        cluster: str = "",
        *,
        interval: int = ParentConfig().poll_interval,
        timeout: int = ParentConfig().poll_timeout,
        transport: ServersTransport | None = None,
        token: Token | None = None,
        limits: DocumentLimits | None = None,
        pause: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._address, self._path = _split(url)
        self._cluster = cluster
        self._interval = interval / _SECOND
        self._timeout = timeout / _SECOND
        self._transport = transport
        self._token = token
        self._limits = limits or DocumentLimits()
        self._pause = pause
        self._tls = make_context(None, insecure=False)

    @property
    def name(self) -> str:
        """The URL of the document, without a query."""
        return without_userinfo(self._address + self._path)

    async def updates(self) -> AsyncGenerator[Snapshot | Failure]:
        """Poll until the iterator is closed."""
        reader = DocumentReader(self.name, self._cluster, self._limits)
        latest: Snapshot | None = None
        body = etag = failure = None
        loop = asyncio.get_running_loop()
        async with open_session(loop, self._tls, keeps=True, buffer=_BUFFER) as session:
            while True:
                answer = await self._poll(session, etag)
                if isinstance(answer, Failure):
                    if answer != failure:
                        failure = answer
                        yield answer
                else:
                    changed = answer.body is not None and answer.body != body
                    if answer.body is not None:
                        etag = answer.etag
                        if changed:
                            body = answer.body
                            latest = Snapshot(await _read(reader, body))
                    if latest is not None and (changed or failure is not None):
                        failure = None
                        yield latest
                await self._pause(self._interval)

    async def _poll(self, session: Any, etag: str | None) -> _Answer | Failure:
        try:
            async with asyncio.timeout(self._timeout):
                return await self._ask(session, etag)
        except TimeoutError:
            return Failure("no answer in time")
        except InvalidToken as problem:
            return Failure(str(problem))
        except ERRORS as error:
            return Failure(describe_error(error))

    async def _ask(self, session: Any, etag: str | None) -> _Answer | Failure:
        headers = {"Accept": advertisements.MEDIA_TYPE, "Accept-Encoding": "identity"}
        if self._token is not None:
            headers["Authorization"] = f"Bearer {self._token.read()}"
        if etag is not None:
            headers["If-None-Match"] = etag
        request = http_request(self._address, HealthCheck(path=self._path, headers=headers))
        options = make_options(self._transport)
        while isinstance(request, HttpRequest) and not isinstance(options, Refused):
            answer = await send(session, make_message(request), options)
            try:
                following = redirected(request, answer.status, answer.headers.get("Location"))
                if following is None:
                    return await self._document(answer, asked=etag)
            finally:
                answer.close()
            request = following
        refused = options if isinstance(options, Refused) else request
        return Failure(refused.reason if isinstance(refused, Refused) else "no request")

    async def _document(self, answer: Any, asked: str | None) -> _Answer | Failure:
        if answer.status == 304 and asked is not None:  # noqa: PLR2004 - Not Modified
            return _Answer(None)
        if answer.status in _DENIED:
            return Failure(f"status {answer.status}: the token or certificate is not accepted")
        if answer.status != 200:  # noqa: PLR2004 - OK
            return Failure(f"status {answer.status}, not 200")
        if answer.headers.get("Content-Encoding", "identity").lower() != "identity":
            return Failure("the document is compressed")
        body = bytearray()
        async for part in answer.content.iter_any():
            body += part
            if len(body) > self._limits.size:
                return Failure(f"the document has more than {self._limits.size} bytes")
        etag = answer.headers.get("ETag", "")
        return _Answer(bytes(body), etag if _ETAG.fullmatch(etag) else None)


async def _read(reader: DocumentReader, body: bytes) -> Any:
    if len(body) <= _LARGE:
        return reader.read(body)
    return await asyncio.to_thread(reader.read, body)


def _split(url: str) -> tuple[str, str]:
    """Split a URL into an address and the path of the document. Raises: InvalidSource."""
    start = url.find("/", url.find("://") + 3)
    address, path = (url, "") if start < 0 else (url[:start], url[start:])
    problem = problem_with_address(address)
    if problem is None and path not in {"", "/"}:
        refused = http_request(address, HealthCheck(path=path))
        problem = refused.reason if isinstance(refused, Refused) else None
    if problem is not None:
        raise InvalidSource(without_userinfo(url), problem)
    return address, path if path not in {"", "/"} else advertisements.PATH
