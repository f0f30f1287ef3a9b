"""The parent's endpoints over HTTP.

Rules of this file:

1. Only ``/traefik`` and ``/envoy`` contain secrets (values of headers of health
   checks); they need the token, if there is one. Nothing here changes anything.
2. Before the parent is ready a proxy gets status 503, and keeps what it has.
3. A server that listens on the loopback interface answers requests for it only, so that
   no web page can read it by a name of its own for 127.0.0.1.
"""

from __future__ import annotations

import asyncio
import ipaddress
import json
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Final

from uplinks.adapters.tokens import Token
from uplinks.errors import MissingExtra, UplinksError
from uplinks.render import EnvoyOptions, to_envoy
from uplinks.serve import page
from uplinks.serve.http import is_authorized, matches

try:
    from aiohttp import web
except ImportError as error:
    raise MissingExtra("serve") from error

if TYPE_CHECKING:
    from uplinks.serve.parent import ParentServer

__all__ = ["make_app"]

_MOST_STREAMS: Final = 100
_KEEP_ALIVE: Final = 15.0  # s
_PERIOD: Final = 0.5  # s between two messages of a stream, at least
_HEADERS: Final = {
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-cache",
}

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


def make_app(server: ParentServer, token: Token | None, *, loopback: bool) -> web.Application:
    """Make the application of a server; ``loopback``: only this host can connect."""
    endpoints = _Endpoints(server, token)
    app = web.Application(middlewares=[_guard(loopback=loopback)])
    app.router.add_get("/", endpoints.page)
    app.router.add_get("/traefik", endpoints.traefik)
    app.router.add_get("/envoy", endpoints.envoy)
    app.router.add_get("/api/state", endpoints.state)
    app.router.add_get("/api/events", endpoints.events)
    app.router.add_get("/metrics", endpoints.metrics)
    app.router.add_get("/healthz", endpoints.healthz)
    app.router.add_get("/readyz", endpoints.readyz)
    return app


def _guard(*, loopback: bool) -> Any:
    @web.middleware
    async def guard(request: web.Request, handler: Handler) -> web.StreamResponse:
        if loopback and not _names_loopback(request.host):
            raise web.HTTPMisdirectedRequest(text="this server answers for localhost only\n")
        response = await handler(request)
        if not response.prepared:
            for name, value in _HEADERS.items():
                response.headers.setdefault(name, value)
        return response

    return guard


def _names_loopback(host: str) -> bool:
    name = host.rpartition(":")[0] if host.rpartition(":")[2].isdigit() else host
    name = name.removeprefix("[").removesuffix("]")
    try:
        return ipaddress.ip_address(name).is_loopback
    except ValueError:
        return name.lower() == "localhost"


class _Endpoints:
    def __init__(self, server: ParentServer, token: Token | None) -> None:
        self._server = server
        self._token = token
        self._streams = 0

    async def page(self, _: web.Request) -> web.Response:
        headers = {"Content-Security-Policy": page.POLICY}
        return web.Response(text=page.PAGE, content_type="text/html", headers=headers)

    def _authorize(self, request: web.Request) -> None:
        if not is_authorized(self._token, request.headers.get("Authorization", "")):
            raise web.HTTPUnauthorized(headers={"WWW-Authenticate": "Bearer"})

    async def traefik(self, request: web.Request) -> web.StreamResponse:
        """Serve the document for Traefik's HTTP provider."""
        self._authorize(request)
        body = self._server.live.traefik
        if body is None:
            raise _unready()
        etag = f'"{body.etag}"'
        if matches(request.headers.get("If-None-Match", ""), etag):
            return web.Response(status=304, headers={"ETag": etag})
        response = web.StreamResponse(headers={"ETag": etag, **_HEADERS})
        response.content_type = "application/json"
        response.content_length = body.size
        with suppress(ConnectionError):  # the client has gone
            await response.prepare(request)
            for chunk in body.chunks():
                await response.write(chunk)
            await response.write_eof()
        return response

    async def envoy(self, request: web.Request) -> web.Response:
        """Serve a bootstrap for Envoy, which follows the EDS files."""
        self._authorize(request)
        server = self._server
        if server.eds is None:
            text = "Envoy's endpoints are not written; start with --eds-folder\n"
            raise web.HTTPNotFound(text=text)
        if not server.live.ready:
            raise _unready()
        options = EnvoyOptions(
            eds_folder=server.eds.path, uplink_header=server.live.options.traefik.uplink_header
        )
        try:
            bootstrap = to_envoy(server.live.parent.services, server.live.cluster, options)
        except UplinksError as problem:
            raise web.HTTPConflict(text=f"{problem}\n") from None
        return web.json_response(bootstrap)

    async def state(self, request: web.Request) -> web.Response:
        """Serve the state as JSON: all of it, or at most ``limit`` uplinks that ``match``."""
        limit = request.query.get("limit", "")
        if limit and not (limit.isascii() and limit.isdigit() and len(limit) < 10):  # noqa: PLR2004
            raise web.HTTPBadRequest(text=f"limit must be an integer, got {limit!r}\n")
        most = int(limit) if limit else None
        state = self._server.describe(request.query.get("match", ""), most)
        return web.json_response(state)

    async def events(self, request: web.Request) -> web.StreamResponse:
        """Stream what changes, as server-sent events."""
        if self._streams >= _MOST_STREAMS:
            raise web.HTTPServiceUnavailable(text="too many streams\n")
        last = request.headers.get("Last-Event-ID", "")
        seen = int(last) if last.isascii() and last.isdigit() else self._server.live.history.number
        response = web.StreamResponse(headers=_HEADERS)
        response.content_type = "text/event-stream"
        self._streams += 1
        try:
            with suppress(ConnectionError):  # the client has gone
                await response.prepare(request)
                await self._stream(response, seen)
        finally:
            self._streams -= 1
        return response

    async def _stream(self, response: web.StreamResponse, seen: int) -> None:
        server, version = self._server, -1
        while not server.stopping:
            if version == server.live.version:
                if not await server.wait_for_news(_KEEP_ALIVE):
                    await response.write(b": still here\n\n")
                continue
            version = server.live.version
            events = server.live.history.events(after=seen)
            seen = server.live.history.number
            data = json.dumps({"version": version, "events": events})
            await response.write(f"id: {seen}\ndata: {data}\n\n".encode())
            await asyncio.sleep(_PERIOD)

    async def metrics(self, _: web.Request) -> web.Response:
        """Serve metrics for Prometheus."""
        text, media_type = self._server.metrics.render()
        return web.Response(body=text, headers={"Content-Type": media_type})

    async def healthz(self, _: web.Request) -> web.Response:
        """Answer that the process is alive."""
        return web.Response(text="ok\n")

    async def readyz(self, _: web.Request) -> web.Response:
        """Answer whether the documents are served, and the process does not stop."""
        if self._server.draining:
            raise web.HTTPServiceUnavailable(text="draining\n")
        if self._server.live.traefik is None:
            raise _unready()
        return web.Response(text="ready\n")


def _unready() -> web.HTTPException:
    text = "not every source has answered yet\n"
    return web.HTTPServiceUnavailable(text=text, headers={"Retry-After": "1"})
