"""Gateways that follow a live parent.

Envoy if it is installed; otherwise a few lines of Python that follow the document for
Traefik.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import shutil
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from uplinks.errors import MissingExtra
from uplinks.parent import Parent

try:
    import aiohttp
except ImportError as error:
    raise MissingExtra("serve") from error

__all__ = ["Ask", "document_gateway", "envoy_gateway", "gateway"]

Ask = Callable[[], Awaitable[str]]
"""Makes one request; returns the child that answered, or raises."""


@asynccontextmanager
async def gateway(
    session: aiohttp.ClientSession, url: str, folder: Path
) -> AsyncIterator[tuple[str, Ask]]:
    """Run a gateway that follows the parent; give its name and what makes a request."""
    await _until_ok(session, f"{url}/readyz")
    program = shutil.which("envoy") or shutil.which("envoy", path=str(Path(sys.executable).parent))
    if program is None:
        async with document_gateway(session, url) as ask:
            yield "the gateway in Python", ask
    else:
        async with envoy_gateway(session, url, folder, program) as ask:
            yield "Envoy", ask


@asynccontextmanager
async def envoy_gateway(
    session: aiohttp.ClientSession, url: str, folder: Path, program: str
) -> AsyncIterator[Ask]:
    """Run Envoy with the parent's bootstrap, on ports that the kernel chooses."""
    async with session.get(f"{url}/envoy") as answer:
        bootstrap = await answer.json()
    # The kernel chooses the ports of this Envoy.
    listener = bootstrap["static_resources"]["listeners"][0]
    for owner in (listener, bootstrap["admin"]):
        owner["address"]["socket_address"]["port_value"] = 0
    path, told = folder / "envoy.json", folder / "admin"
    path.write_text(json.dumps(bootstrap), "utf-8")
    process = await asyncio.create_subprocess_exec(
        *(program, "--config-path", str(path), "--admin-address-path", str(told)),
        *("--concurrency", "1", "--disable-hot-restart", "--log-level", "off"),
        stderr=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.DEVNULL,
    )
    try:
        while not (told.exists() and ":" in told.read_text("utf-8")):  # noqa: ASYNC110 - another process writes it
            await asyncio.sleep(0.02)
        admin = f"http://{told.read_text('utf-8')}"
        await _until_ok(session, f"{admin}/ready")
        async with session.get(f"{admin}/listeners?format=json") as answer:
            status = (await answer.json(content_type=None))["listener_statuses"][0]
        port = status["local_address"]["socket_address"]["port_value"]

        async def ask() -> str:
            async with session.get(f"http://127.0.0.1:{port}/shop") as answer:
                answer.raise_for_status()
                return await answer.text()

        yield ask
    finally:
        with contextlib.suppress(ProcessLookupError):
            process.terminate()
        await process.wait()


@asynccontextmanager
async def document_gateway(session: aiohttp.ClientSession, url: str) -> AsyncIterator[Ask]:
    """Follow the document for Traefik, and pick a child for each request."""
    parent = Parent.of({})

    async def follow() -> None:
        etag = ""
        while True:
            async with session.get(f"{url}/traefik", headers={"If-None-Match": etag}) as answer:
                if answer.status == 200:  # noqa: PLR2004 - OK
                    etag = answer.headers["ETag"]
                    parent.update(_servers(await answer.json()), time.monotonic_ns())
            await asyncio.sleep(0.02)

    async def ask() -> str:
        with parent.lease() as lease:
            async with session.get(f"{lease.url}/shop") as answer:
                answer.raise_for_status()
                return await answer.text()

    following = asyncio.ensure_future(follow())
    try:
        yield ask
    finally:
        following.cancel()
        await asyncio.gather(following, return_exceptions=True)


def _servers(document: Any) -> dict[str, tuple[str, int]]:
    """Return the children of the only uplink in a document, with address and weight."""
    services = document["http"]["services"]
    entries = services["apps-shop"].get("weighted", {}).get("services", [])
    found: dict[str, tuple[str, int]] = {}
    for entry in entries:
        (server,) = services[entry["name"].removesuffix("@http")]["loadBalancer"]["servers"]
        found[entry["name"].removesuffix("@http")] = server["url"], entry["weight"]
    return found


async def _until_ok(session: aiohttp.ClientSession, url: str) -> None:
    while True:
        with contextlib.suppress(aiohttp.ClientError):
            async with session.get(url) as answer:
                if answer.status == 200:  # noqa: PLR2004 - OK
                    return
        await asyncio.sleep(0.02)
