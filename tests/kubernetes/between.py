"""A proxy on the loopback between a source and an API server, which a test can disturb."""

from __future__ import annotations

import asyncio
import ssl
from typing import Self

import aiohttp
from aiohttp import web
from tests.kubernetes.server import ApiServer


class Between:
    """Passes requests on as they are, and remembers them."""

    def __init__(self, server: ApiServer) -> None:
        self._server = server
        self._transports: set[asyncio.Transport] = set()
        self._asked = asyncio.Event()
        self.requests: list[str] = []
        self.ages = False
        """Whether the next watch of uplinks asks for the oldest version of all."""

    async def __aenter__(self) -> Self:
        trusted = ssl.create_default_context(cafile=self._server.certificate)
        self._client = aiohttp.ClientSession(connector=aiohttp.TCPConnector(ssl=trusted))
        app = web.Application()
        app.router.add_get("/{path:.*}", self._pass_on)
        self._runner = web.AppRunner(app, handler_cancellation=True)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", 0).start()
        self.url = f"http://127.0.0.1:{self._runner.addresses[0][1]}"
        return self

    async def __aexit__(self, *_: object) -> None:
        self.cut()
        await self._client.close()
        await self._runner.cleanup()

    def cut(self) -> None:
        """Cut off all connections of the source."""
        for transport in self._transports:
            transport.abort()
        self._transports.clear()

    async def until(self, *expected: str) -> None:
        """Wait for the next requests for uplinks, in this order."""
        while self.requests[: len(expected)] != list(expected):
            self._asked.clear()
            await self._asked.wait()
        del self.requests[: len(expected)]

    async def _pass_on(self, request: web.Request) -> web.StreamResponse:
        assert request.transport is not None
        self._transports.add(request.transport)
        query = dict(request.query)
        if request.path.endswith("/uplinks"):
            self.requests.append("watch" if "watch" in query else "list")
            self._asked.set()
            if self.ages and "watch" in query:
                self.ages, query["resourceVersion"] = False, "1"
        headers = {"Authorization": request.headers["Authorization"]}
        url = self._server.url + request.path
        try:
            async with self._client.get(url, params=query, headers=headers) as answer:
                passed = web.StreamResponse(status=answer.status)
                passed.content_type = answer.content_type
                await passed.prepare(request)
                async for part in answer.content.iter_any():
                    await passed.write(part)
                return passed
        except aiohttp.ClientError:
            request.transport.abort()
            raise web.HTTPBadGateway from None
