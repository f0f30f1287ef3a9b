"""Drive a page that changes, over the DevTools protocol of a headless Chromium.

The browser has its own profile, resolves no names, and exits with the block.
"""

from __future__ import annotations

import asyncio
import base64
import itertools
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
from tests.browser.chromium import FLAGS

TIMEOUT = 60  # s


class Page:
    """One page of a browser."""

    def __init__(self, socket: aiohttp.ClientWebSocketResponse) -> None:
        self._socket = socket
        self._numbers = itertools.count(1)
        self._loaded = False
        self.messages: list[str] = []
        """What the page or the browser logged as an error, a refused resource among it."""

    async def call(self, method: str, **parameters: Any) -> Any:
        number = next(self._numbers)
        await self._socket.send_json({"id": number, "method": method, "params": parameters})
        while True:
            message = await self._socket.receive_json(timeout=TIMEOUT)
            if message.get("id") == number:
                assert "error" not in message, message
                return message["result"]
            self._note(message)

    def _note(self, message: dict[str, Any]) -> None:
        parameters = message.get("params", {})
        if message.get("method") == "Page.loadEventFired":
            self._loaded = True
        elif message.get("method") == "Log.entryAdded":
            self.messages.append(parameters["entry"]["text"])
        elif message.get("method") == "Runtime.exceptionThrown":
            self.messages.append(str(parameters["exceptionDetails"]))

    async def evaluate(self, expression: str) -> Any:
        """Evaluate an expression in the page; wait for a promise."""
        answer = await self.call(
            "Runtime.evaluate", expression=expression, returnByValue=True, awaitPromise=True
        )
        assert "exceptionDetails" not in answer, answer
        return answer["result"].get("value")

    async def until(self, condition: str) -> None:
        """Wait until an expression holds; the page looks at it whenever it changes."""
        await self.evaluate(
            f"""new Promise(done => {{
                const look = () => ({condition}) && (watch.disconnect(), done());
                const watch = new MutationObserver(look);
                watch.observe(document, {{subtree: true, childList: true, attributes: true,
                                          characterData: true}});
                look();
            }})"""
        )

    async def open(self, url: str, width: int, height: int, *, dark: bool = False) -> None:
        """Open a URL in a window of this size."""
        await self.call(
            "Emulation.setDeviceMetricsOverride",
            width=width,
            height=height,
            deviceScaleFactor=1,
            mobile=False,
        )
        self._loaded = False
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        await self.call("Emulation.setEmulatedMedia", features=[scheme])
        await self.call("Page.navigate", url=url)
        while not self._loaded:
            self._note(await self._socket.receive_json(timeout=TIMEOUT))

    async def screenshot(self, *, whole: bool = True) -> bytes:
        """Return the page as PNG."""
        answer = await self.call("Page.captureScreenshot", captureBeyondViewport=whole)
        return base64.b64decode(answer["data"])


@asynccontextmanager
async def browsing(program: str, folder: Path) -> AsyncIterator[Page]:
    """Start a browser with one empty page."""
    profile = folder / "profile"
    process = await asyncio.create_subprocess_exec(
        program,
        *FLAGS,
        f"--user-data-dir={profile}",
        "--remote-debugging-port=0",
        "about:blank",
        stderr=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.DEVNULL,
    )
    assert process.stderr is not None
    try:
        async with asyncio.timeout(TIMEOUT):
            place = b""
            while b"DevTools listening on" not in place:
                place = await process.stderr.readline()
                assert place, "the browser has ended"
        drained = asyncio.ensure_future(process.stderr.read())
        base = place.split(b"ws://")[1].split(b"/")[0].decode()
        async with aiohttp.ClientSession(trust_env=False) as session:
            async with session.get(f"http://{base}/json/list") as answer:
                (target,) = (each for each in await answer.json() if each["type"] == "page")
            async with session.ws_connect(target["webSocketDebuggerUrl"], max_msg_size=0) as socket:
                page = Page(socket)
                for domain in ("Page", "Runtime", "Log"):
                    await page.call(f"{domain}.enable")
                yield page
    finally:
        process.terminate()
        await process.wait()
    await drained
