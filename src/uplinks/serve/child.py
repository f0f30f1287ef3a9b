"""A child's API: the document that its parents poll, over HTTP.

Rules of this file:

1. What is served is the last document of manifests without errors. While the manifests
   have errors, or cannot be read, it stays, and ``/healthz`` and the log say so.
2. A document is written once per change, and an unchanged one is not sent again (``ETag``).
3. Header values of health checks are in the document, and nowhere else: neither in the log
   nor in ``/healthz``. Without a token or client certificates, only this host can connect.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterable
from typing import Final

from attrs import field, frozen

from uplinks import advertisements
from uplinks.adapters.sources import Failure, Snapshot, Source
from uplinks.adapters.tokens import Token
from uplinks.diagnostics import Report
from uplinks.errors import CannotAdvertise, InvalidCertificates, MissingExtra
from uplinks.serve.http import ServerTls, handle_signals, is_authorized, matches

try:
    from aiohttp import web
except ImportError as error:
    raise MissingExtra("serve") from error

__all__ = ["ChildServer", "Publication", "make_app"]

_REREAD: Final = 30.0  # s between two looks at the files of the certificate
_DRAIN: Final = 5.0  # s for requests in flight when the server ends


@frozen
class Publication:
    """What a child publishes: a document, and what is wrong with newer manifests.

    ``report`` has the errors of manifests that were not published, ``reason`` says why
    they cannot be read. A publication never changes; `updated` makes the next one.

    >>> Publication().stale, Publication().updated(Failure("no such folder")).stale
    (False, True)
    """

    body: bytes | None = field(default=None, repr=False)
    etag: str = ""
    uplinks: int = 0
    report: Report | None = None
    reason: str | None = None

    @property
    def stale(self) -> bool:
        """Whether the manifests are newer than the document, or unreadable."""
        return self.report is not None or self.reason is not None

    def updated(self, update: Snapshot | Failure) -> Publication:
        """Return the publication after an update of the manifests.

        Complexity: O(n log n) for n objects.
        """
        if isinstance(update, Failure):
            return Publication(self.body, self.etag, self.uplinks, reason=update.reason)
        try:
            body = advertisements.write_document(update.cluster)
        except CannotAdvertise as problem:
            return Publication(self.body, self.etag, self.uplinks, report=problem.report)
        etag = f'"{hashlib.sha256(body).hexdigest()[:32]}"'
        return Publication(body, etag, len(update.cluster.uplinks))


def make_app(publication: Callable[[], Publication], token: Token | None = None) -> web.Application:
    """Make the application: the document at `uplinks.advertisements.PATH`, and ``/healthz``.

    Requests for the document need the ``token``, if there is one. It is read for each request
    and compared in constant time.
    """

    async def document(request: web.Request) -> web.Response:
        if not is_authorized(token, request.headers.get("Authorization", "")):
            raise web.HTTPUnauthorized(headers={"WWW-Authenticate": "Bearer"})
        now = publication()
        if now.body is None:
            text = "the manifests have errors, or are not read yet\n"
            raise web.HTTPServiceUnavailable(text=text, headers={"Retry-After": "5"})
        headers = {"ETag": now.etag, "Cache-Control": "no-cache"}
        if matches(request.headers.get("If-None-Match", ""), now.etag):
            return web.Response(status=304, headers=headers)
        return web.Response(body=now.body, content_type=advertisements.MEDIA_TYPE, headers=headers)

    async def healthz(_: web.Request) -> web.Response:
        now = publication()
        errors = 0 if now.report is None else len(now.report.errors)
        state = {
            "status": "stale" if now.stale else "ok",
            "published": now.body is not None,
            "uplinks": now.uplinks,
            "errors": errors,
            "readable": now.reason is None,
        }
        return web.json_response(state)

    app = web.Application()
    app.router.add_get(advertisements.PATH, document)
    app.router.add_get("/healthz", healthz)
    return app


class ChildServer:
    """Serve what a source says, until `stop` or a signal.

    ``log`` receives lines for people. SIGHUP reads the source and the certificate again,
    SIGTERM and SIGINT end the server.
    """

    def __init__(
        self,
        source: Source,
        log: Callable[[str], None],
        *,
        host: str = "127.0.0.1",
        port: int = 0,
        token: Token | None = None,
        tls: ServerTls | None = None,
        pause: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._source = source
        self._log = log
        self._host, self._port = host, port
        self._token = token
        self._tls = tls
        self._context = None if tls is None else tls.context()
        self._pause = pause
        self._publication = Publication()
        self._stopped = asyncio.Event()
        self._reload = asyncio.Event()

    @property
    def publication(self) -> Publication:
        """What is published now."""
        return self._publication

    def stop(self) -> None:
        """End `run`."""
        self._stopped.set()

    def reload(self) -> None:
        """Read the source and the certificate again."""
        self._reload.set()
        self._renew()

    async def run(self) -> None:
        """Serve until stopped. Raises: OSError if the address cannot be used."""
        runner = web.AppRunner(
            make_app(lambda: self._publication, self._token),
            access_log=None,
            shutdown_timeout=_DRAIN,
        )
        await runner.setup()
        try:
            with handle_signals(self.stop, self.reload):
                site = web.TCPSite(runner, self._host, self._port, ssl_context=self._context)
                await site.start()
                self._announce(runner.addresses)
                await self._until_stopped()
        finally:
            await runner.cleanup()

    def _announce(self, addresses: Iterable[tuple[str, int]]) -> None:
        scheme = "http" if self._tls is None else "https"
        for host, port, *_ in addresses:
            shown = f"[{host}]" if ":" in host else host
            self._log(f"listening on {scheme}://{shown}:{port}{advertisements.PATH}")

    async def _until_stopped(self) -> None:
        tasks = [asyncio.ensure_future(self._follow())]
        if self._tls is not None:
            tasks.append(asyncio.ensure_future(self._renew_often()))
        stopped = asyncio.ensure_future(self._stopped.wait())
        try:
            done, _ = await asyncio.wait([*tasks, stopped], return_when="FIRST_COMPLETED")
            for task in done - {stopped}:
                task.result()  # a defect ends the server
        finally:
            for task in (*tasks, stopped):
                task.cancel()
            await asyncio.gather(*tasks, stopped, return_exceptions=True)

    async def _follow(self) -> None:
        """Publish what the source says; start it again after `reload`."""
        while True:
            self._reload.clear()
            following = asyncio.ensure_future(self._publish())
            again = asyncio.ensure_future(self._reload.wait())
            try:
                await asyncio.wait([following, again], return_when="FIRST_COMPLETED")
                if following.done():
                    following.result()
            finally:
                following.cancel()
                again.cancel()
                await asyncio.gather(following, again, return_exceptions=True)

    async def _publish(self) -> None:
        updates = self._source.updates()
        try:
            async for update in updates:
                before = self._publication
                self._publication = await asyncio.to_thread(before.updated, update)
                self._say(before, self._publication)
        finally:
            if isinstance(updates, AsyncGenerator):
                await updates.aclose()

    def _say(self, before: Publication, now: Publication) -> None:
        kept = "the last document stays" if now.body is not None else "nothing is published"
        if now.reason is not None:
            self._log(f"{self._source.name} {now.reason}; {kept}")
        elif now.report is not None:
            for each in now.report.errors:
                self._log(str(each))
            self._log(f"the manifests have errors; {kept}")
        elif now.etag != before.etag or before.stale:
            plural = "" if now.uplinks == 1 else "s"
            self._log(f"publishing {now.uplinks} uplink{plural}")

    async def _renew_often(self) -> None:
        """Load a renewed certificate."""
        before = self._tls.stamps() if self._tls else []
        while self._tls is not None:
            await self._pause(_REREAD)
            now = self._tls.stamps()
            if now != before:
                before = now
                self._renew()

    def _renew(self) -> None:
        if self._tls is None or self._context is None:
            return
        try:
            self._tls.load(self._context)
        except InvalidCertificates as problem:
            self._log(f"{problem}; the one before stays in use")
