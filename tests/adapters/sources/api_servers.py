"""An API server on the loopback that answers as a test says, and remembers what it was asked."""

from __future__ import annotations

import asyncio
import base64
import json
import threading
from collections import defaultdict, deque
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Self

import trustme
from aiohttp import web

Json = dict[str, Any]
Answer = Callable[["ApiServer", web.Request], Awaitable[web.StreamResponse]]

# A context of TLS with one authority takes a tenth of the time of one with all known to the system.
AUTHORITY = base64.b64encode(trustme.CA().cert_pem.bytes()).decode()

UPLINKS = "uplinks"
ROUTES = "ingressroutes"
SERVICES = "traefikservices"


def uplink(name: str, version: str = "1", **spec: Any) -> Json:
    """Write an uplink as the API server gives it."""
    return {
        "apiVersion": "hub.traefik.io/v1alpha1",
        "kind": "Uplink",
        "metadata": {
            "name": name,
            "namespace": "apps",
            "uid": "7f6a",
            "resourceVersion": version,
            "managedFields": [{"manager": "kubectl", "operation": "Apply"}],
        },
        "spec": spec,
    }


def event(kind: str, item: Json) -> bytes:
    """Write one line of a watch."""
    return json.dumps({"type": kind, "object": item}).encode() + b"\n"


def bookmark(version: str) -> bytes:
    return event("BOOKMARK", {"kind": "Uplink", "metadata": {"resourceVersion": version}})


def expired() -> bytes:
    return event("ERROR", {"kind": "Status", "code": 410, "message": "too old resource version"})


def page(*items: Any, version: str = "1", following: str = "") -> Answer:
    """Answer a list with one page."""
    metadata = {"resourceVersion": version, **({"continue": following} if following else {})}
    body = {"kind": "List", "metadata": metadata, "items": list(items)}
    return raw(json.dumps(body).encode())


def status(code: int, message: str = "") -> Answer:
    """Refuse a request, as the API server does."""
    return raw(json.dumps({"kind": "Status", "message": message}).encode(), code)


def raw(body: bytes, code: int = 200, **headers: str) -> Answer:
    async def answer(server: ApiServer, request: web.Request) -> web.StreamResponse:
        return web.Response(body=body, status=code, headers=headers)

    return answer


def watch(*lines: bytes, end: bool = False, cut: bool = False) -> Answer:
    """Answer a watch with events; then end it, or cut it off, or go on with what is pushed."""

    async def answer(server: ApiServer, request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        for line in lines:
            await response.write(line)
        if cut:
            assert request.transport is not None
            request.transport.abort()
        elif not end:
            while True:
                line = await server.pushed[_resource(request)].get()
                await response.write(line)
        return response

    return answer


class ApiServer:
    """Each resource answers by its script, then with no objects and a watch that goes on."""

    def __init__(self, folder: Path) -> None:
        self.scripts: dict[str, deque[Answer]] = defaultdict(deque)
        self.pushed: dict[str, asyncio.Queue[bytes]] = defaultdict(asyncio.Queue)
        self.requests: list[str] = []
        self.headers: list[dict[str, str]] = []
        self._asked = asyncio.Event()
        self.kubeconfig = folder / "kubeconfig"
        self._port = 0
        self._runner: web.AppRunner | None = None
        self._transports: set[asyncio.Transport] = set()

    def asked(self, resource: str) -> list[str]:
        """Give the requests for one resource, without its name."""
        return [asked[len(resource) + 1 :] for asked in self.requests if asked.startswith(resource)]

    async def until(self, resource: str, expected: list[str]) -> None:
        """Wait for these requests for one resource."""
        while self.asked(resource)[: len(expected)] != expected:
            self._asked.clear()
            await self._asked.wait()

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.stop()

    async def start(self) -> None:
        """Start, on the same port as before."""
        app = web.Application()
        app.router.add_get("/{path:.*}", self._answer)
        self._runner = web.AppRunner(app, handler_cancellation=True, shutdown_timeout=0)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", self._port, reuse_address=True)
        await site.start()
        self._port = self._runner.addresses[0][1]
        self.kubeconfig.write_text(json.dumps(kubeconfig(f"http://127.0.0.1:{self._port}")))

    async def stop(self) -> None:
        """Stop at once, in the middle of every answer."""
        assert self._runner is not None
        for site in list(self._runner.sites):
            await site.stop()
        for transport in self._transports:
            transport.abort()
        self._transports.clear()
        await self._runner.cleanup()

    async def _answer(self, request: web.Request) -> web.StreamResponse:
        query, resource = request.query, _resource(request)
        assert request.transport is not None
        self._transports.add(request.transport)
        is_watch = "watch" in query
        words = [f"watch {query['resourceVersion']}"] if is_watch else ["list"]
        words += [f"from {query['continue']}"] if "continue" in query else []
        self.requests.append(" ".join([resource, *words]))
        self.headers.append(dict(request.headers))
        self._asked.set()
        script = self.scripts[resource]
        given = script.popleft() if script else (watch() if is_watch else page())
        return await given(self, request)


@contextmanager
def served(folder: Path, **answers: Answer) -> Iterator[ApiServer]:
    """Run an API server in a thread of its own, with the first answer of some resources."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever)
    thread.start()

    async def start() -> ApiServer:
        server = ApiServer(folder)
        for resource, answer in answers.items():
            server.scripts[resource].append(answer)
        await server.start()
        return server

    server = asyncio.run_coroutine_threadsafe(start(), loop).result()
    try:
        yield server
    finally:
        asyncio.run_coroutine_threadsafe(server.stop(), loop).result()
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()


def _resource(request: web.Request) -> str:
    return request.path.rpartition("/")[2]


def kubeconfig(server: str, **user: Any) -> Json:
    """Write a kubeconfig with one context, ``eu``."""
    cluster = {"server": server, "certificate-authority-data": AUTHORITY}
    return {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": "one", "cluster": cluster}],
        "users": [{"name": "reader", "user": user or {"token": "t0ken"}}],
        "contexts": [{"name": "eu", "context": {"cluster": "one", "user": "reader"}}],
    }
