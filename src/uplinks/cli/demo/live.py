"""The live road: children with their APIs, ``uplinks serve``, and a gateway that follows it."""

from __future__ import annotations

import asyncio
import contextlib
import json
import sys
import tempfile
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Final

from attrs import define, field, frozen

from uplinks.cli.demo.children import HttpChild
from uplinks.cli.demo.gateways import Ask, gateway
from uplinks.errors import MissingExtra, NoEligibleTarget
from uplinks.health import HealthPolicy, detection_bound, recovery_bound
from uplinks.model import HealthCheck

try:
    import aiohttp

    from uplinks.adapters.sources.folder import FolderSource
    from uplinks.serve.child import ChildServer
except ImportError as error:
    raise MissingExtra("serve") from error

__all__ = ["Step", "run_live"]

_MILLISECOND: Final = 1_000_000
_CHECK: Final = HealthCheck(path="/health", interval=400 * _MILLISECOND, timeout=300 * _MILLISECOND)
_POLL: Final = 300 * _MILLISECOND
_POLL_TIMEOUT: Final = 300 * _MILLISECOND
_FOLDER: Final = 250 * _MILLISECOND  # until a changed file is read
_SLACK: Final = HealthPolicy().max_lateness
_TIME_LIMIT: Final = 25  # s, for everything
_PAUSE: Final = 0.005  # s, between two requests
_PICKS: Final = 80

Progress = Callable[[str], None]


@frozen
class Step:
    """What was done, how long it took to take effect, and its bound. Times are nanoseconds."""

    what: str
    after: int
    bound: int
    lost: int
    split: dict[str, int]
    expected: dict[str, int]

    @property
    def within_bounds(self) -> bool:
        """Whether the bound was kept, and the shares are those of the weights."""
        names = {*self.split, *self.expected}
        # Envoy's schedule may be one pick ahead or behind.
        near = all(abs(self.split.get(n, 0) - self.expected.get(n, 0)) <= 1 for n in names)
        return near and self.after <= self.bound + _SLACK


async def run_live(progress: Progress) -> tuple[str, list[Step]]:
    """Run the live road; return the gateway's name and what was measured.

    Raises: TimeoutError when it takes far too long; MissingExtra.
    """
    with tempfile.TemporaryDirectory(prefix="uplinks-demo-") as folder:
        async with asyncio.timeout(_TIME_LIMIT), contextlib.AsyncExitStack() as stack:
            children = [_Child("eu", 3, Path(folder)), _Child("us", 1, Path(folder))]
            for child in children:
                await child.start()
                stack.push_async_callback(child.stop)
                progress(f"child {child.name} serves its uplinks at {child.api}")
            url = await stack.enter_async_context(_serving(Path(folder), children))
            progress(f"uplinks serve listens at {url}")
            session = await stack.enter_async_context(aiohttp.ClientSession(trust_env=False))
            name, ask = await stack.enter_async_context(gateway(session, url, Path(folder)))
            progress(f"{name} takes requests")
            client = _Client(ask)
            stack.push_async_callback(client.stop)
            return name, await _story(client, session, url, children, progress)


async def _story(
    client: _Client,
    session: aiohttp.ClientSession,
    url: str,
    children: list[_Child],
    progress: Progress,
) -> list[Step]:
    eu, us = children
    await client.until(lambda: {"eu", "us"} <= set(client.names(0)))
    client.clear()
    await client.requests(_PICKS)
    steps = []

    began = time.monotonic_ns()
    await eu.stop()
    progress("eu is killed")
    await _until_state(session, url, "eu", up=False)
    detected = time.monotonic_ns() - began
    await asyncio.sleep(_SLACK / 1e9)  # what was under way may still fail
    lost = client.lost
    split = await client.requests(_PICKS)
    bound = detection_bound(_CHECK, HealthPolicy())
    steps.append(Step("eu is killed", detected, bound, lost, split, {"us": _PICKS}))

    client.clear()
    began = time.monotonic_ns()
    await eu.start()
    progress("eu is back")
    await client.until(lambda: "eu" in client.names(0))
    recovered = time.monotonic_ns() - began
    await client.requests(_PICKS)
    lost = client.lost
    expected = {"eu": _PICKS * 3 // 4, "us": _PICKS // 4}
    bound = recovery_bound(_CHECK, HealthPolicy())
    steps.append(
        Step("eu is back", recovered, bound, lost, await client.requests(_PICKS), expected)
    )

    client.clear()
    began = time.monotonic_ns()
    us.write(weight=9)
    progress("the weight of us is changed in its file")
    await _until_weight(session, url, "us", 9)
    changed = time.monotonic_ns() - began
    await asyncio.sleep(_SLACK / 1e9)
    await client.requests(_PICKS)
    expected = {"eu": _PICKS // 4, "us": _PICKS * 3 // 4}
    bound = _FOLDER + _POLL + 2 * _POLL_TIMEOUT
    split = await client.requests(_PICKS)
    steps.append(Step("us has weight 9", changed, bound, client.lost, split, expected))
    return steps


# --- the parts --------------------------------------------------------------------


class _Child:
    """A child: a backend, its manifests, and the API that advertises them."""

    def __init__(self, name: str, weight: int, folder: Path) -> None:
        self.name = name
        self._weight = weight
        self._backend = HttpChild(name)
        self._folder = folder / "children-of-the-demo" / name
        self._port = 0
        self._server: ChildServer | None = None
        self._running: asyncio.Future[None] | None = None

    @property
    def url(self) -> str:
        """Where its requests go."""
        return self._backend.url

    @property
    def api(self) -> str:
        """Where its parents poll."""
        return f"http://127.0.0.1:{self._port}"

    def write(self, weight: int) -> None:
        """Write its manifests."""
        self._folder.mkdir(parents=True, exist_ok=True)
        port = self._backend.port
        manifest = {
            "apiVersion": "hub.traefik.io/v1alpha1",
            "kind": "Uplink",
            "metadata": {"name": "shop", "namespace": "apps"},
            "spec": {
                "weight": weight,
                "healthCheck": {"path": "/health", "interval": "400ms", "timeout": "300ms"},
            },
        }
        static = {
            "hub": {
                "uplinkEntryPoints": {"up": {"address": f"127.0.0.1:{port}", "asDefault": True}},
                "providers": {"multicluster": {}},
            }
        }
        (self._folder / "uplink.json").write_text(json.dumps(manifest), "utf-8")
        (self._folder / "traefik.json").write_text(json.dumps(static), "utf-8")

    async def start(self) -> None:
        """Start both, on the ports of before."""
        await self._backend.start()
        self.write(self._weight)
        heard = asyncio.get_running_loop().create_future()

        def log(line: str) -> None:
            if line.startswith("listening on ") and not heard.done():
                heard.set_result(int(line.split(":")[2].partition("/")[0]))

        source = FolderSource(str(self._folder), self.name)
        self._server = ChildServer(source, log, port=self._port)
        self._running = asyncio.ensure_future(self._server.run())
        self._port = await heard

    async def stop(self) -> None:
        """Stop both, with all their connections."""
        await self._backend.stop()
        if self._server is not None and self._running is not None:
            self._server.stop()
            await self._running


@asynccontextmanager
async def _serving(folder: Path, children: list[_Child]) -> AsyncIterator[str]:
    """Run ``uplinks serve`` as a process; give its URL."""
    listed = {child.name: {"address": child.url} for child in children}
    multicluster = {
        "pollInterval": f"{_POLL // _MILLISECOND}ms",
        "pollTimeout": f"{_POLL_TIMEOUT // _MILLISECOND}ms",
        "children": listed,
    }
    parent = folder / "parent.json"
    parent.write_text(json.dumps({"hub": {"providers": {"multicluster": multicluster}}}), "utf-8")
    sources = [f"--child={child.name}={child.api}" for child in children]
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "uplinks", "serve", str(parent), *sources),
        *("--listen", "127.0.0.1:0", "--drain", "0s", "--eds-folder", str(folder / "eds")),
        stderr=asyncio.subprocess.PIPE,
    )
    assert process.stderr is not None  # noqa: S101 - a pipe
    reading: asyncio.Future[bytes] | None = None
    try:
        url = ""
        while not url:
            line = await process.stderr.readline()
            if not line:
                raise TimeoutError
            addresses = json.loads(line).get("addresses")
            url = f"http://127.0.0.1:{addresses[0][1]}" if addresses else ""
        reading = asyncio.ensure_future(process.stderr.read())
        yield url
    finally:
        with contextlib.suppress(ProcessLookupError):
            process.terminate()
        await process.wait()
        if reading is not None:
            await reading


@define
class _Client:
    """Sends one request after another and records which child answered."""

    _ask: Ask
    _answers: list[str | None] = field(factory=list)
    _changed: asyncio.Event = field(factory=asyncio.Event)
    _running: asyncio.Future[None] = field(init=False)

    def __attrs_post_init__(self) -> None:
        self._running = asyncio.ensure_future(self._run())

    async def _run(self) -> None:
        while True:
            try:
                self._answers.append(await self._ask())
            except (aiohttp.ClientError, OSError, NoEligibleTarget):
                self._answers.append(None)
            self._changed.set()
            await asyncio.sleep(_PAUSE)

    async def stop(self) -> None:
        self._running.cancel()
        await asyncio.gather(self._running, return_exceptions=True)

    @property
    def lost(self) -> int:
        return self._answers.count(None)

    def names(self, start: int) -> list[str]:
        return [name for name in self._answers[start:] if name is not None]

    def clear(self) -> None:
        self._answers.clear()

    async def until(self, condition: Callable[[], bool]) -> None:
        while not condition():
            self._changed.clear()
            await self._changed.wait()

    async def requests(self, number: int) -> dict[str, int]:
        """Wait for so many further requests; count them by the child that answered."""
        start = len(self._answers)
        await self.until(lambda: len(self._answers) >= start + number)
        return dict(sorted(Counter(self.names(start)[:number]).items()))


async def _until_state(session: aiohttp.ClientSession, url: str, child: str, *, up: bool) -> None:
    while True:
        async with session.get(f"{url}/api/state") as answer:
            state = await answer.json()
        if all(target["up"] is up for target in state["targets"] if target["child"] == child):
            return
        await asyncio.sleep(0.01)


async def _until_weight(session: aiohttp.ClientSession, url: str, child: str, weight: int) -> None:
    while True:
        async with session.get(f"{url}/api/state") as answer:
            state = await answer.json()
        if state["services"]["apps-shop@multicluster"][f"apps-shop-{child}@multicluster"] == weight:
            return
        await asyncio.sleep(0.01)
