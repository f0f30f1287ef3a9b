"""A whole world: children with backends and APIs, ``uplinks serve`` as a process, and a gateway.

Children and sources fail as the test says. A client sends one request after another, and an
observer compares everything that is served with what the sources have said.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import random
import sys
from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp

from uplinks.adapters.sources.folder import FolderSource
from uplinks.cli.demo.gateways import Ask
from uplinks.errors import NoEligibleTarget
from uplinks.serve.child import ChildServer
from uplinks.testing import Condition, FakeChild

LIMIT = 60  # s
GRACE = "700ms"
STATIC = {
    "hub": {
        "uplinkEntryPoints": {"up": {"address": "127.0.0.1:9443", "asDefault": True}},
        "providers": {"multicluster": {}},
    }
}


def uplink(weight: int) -> dict[str, Any]:
    return {
        "apiVersion": "hub.traefik.io/v1alpha1",
        "kind": "Uplink",
        "metadata": {"name": "shop", "namespace": "apps"},
        "spec": {
            "weight": weight,
            "healthCheck": {"path": "/health", "interval": "300ms", "timeout": "1s"},
        },
    }


class Child:
    """A child: its backend, its manifests, and its API."""

    def __init__(self, name: str, folder: Path) -> None:
        self.name = name
        self.backend = FakeChild(name)
        self.folder = folder / name
        self.said: set[int] = set()
        """Every weight that its manifests ever had."""
        self.weight = 0
        """Its weight now; 0 if it offers nothing."""
        self.port = 0
        self._server: ChildServer | None = None
        self._running: asyncio.Future[None] | None = None

    @property
    def is_up(self) -> bool:
        return self.backend.condition is Condition.HEALTHY

    def write(self, *manifests: dict[str, Any]) -> None:
        text = "\n---\n".join(map(json.dumps, (STATIC, *manifests)))
        new = self.folder / "new"
        new.write_text(text, "utf-8")
        new.rename(self.folder / "child.yaml")

    def offer(self, weight: int) -> None:
        self.weight = weight
        self.said.add(weight)
        self.write(uplink(weight))

    async def start_api(self) -> None:
        heard = asyncio.get_running_loop().create_future()

        def log(line: str) -> None:
            if line.startswith("listening on ") and not heard.done():
                heard.set_result(int(line.split(":")[2].partition("/")[0]))

        self._server = ChildServer(FolderSource(self.folder, self.name), log, port=self.port)
        self._running = asyncio.ensure_future(self._server.run())
        self.port = await heard

    async def stop_api(self) -> None:
        if self._server is not None and self._running is not None:
            self._server.stop()
            await self._running
            self._server = None

    @property
    def has_api(self) -> bool:
        return self._server is not None


class World:
    """Everything that runs."""

    def __init__(self, url: str, children: list[Child], session: aiohttp.ClientSession) -> None:
        self.url = url
        self.children = {child.name: child for child in children}
        self.documents = 0
        """How many documents were compared with what the sources said."""
        self._session = session
        self._answers: list[str | None] = []
        self._changed = asyncio.Event()

    # Always

    async def send(self, ask: Ask) -> None:
        """Send one request after another."""
        while True:
            try:
                async with asyncio.timeout(1):  # a child may hang
                    self._answers.append(await ask())
            except (aiohttp.ClientError, OSError, TimeoutError, NoEligibleTarget):
                self._answers.append(None)
            self._changed.set()
            await asyncio.sleep(0.002)

    async def observe(self) -> None:
        """Compare every document with what the sources have said."""
        while True:
            async with self._session.get(f"{self.url}/traefik") as answer:
                document = await answer.json()
            self._compare(document["http"]["services"])
            self.documents += 1
            await asyncio.sleep(0.02)

    def _compare(self, services: dict[str, Any]) -> None:
        direct = {f"apps-shop-{name}": child for name, child in self.children.items()}
        assert services.keys() <= {"apps-shop", *direct}
        for name, child in direct.items():
            for server in services.get(name, {}).get("loadBalancer", {}).get("servers", []):
                assert server == {"url": child.backend.url}
        entries = services.get("apps-shop", {}).get("weighted", {}).get("services", [])
        for entry in entries:
            assert entry["weight"] in direct[entry["name"].removesuffix("@http")].said

    async def ready(self) -> None:
        """Wait for the first document."""
        while True:
            async with self._session.get(f"{self.url}/readyz") as answer:
                if answer.status == 200:
                    return
            await asyncio.sleep(0.02)

    # After a change

    async def settle(self, followed: Callable[[dict[str, int]], Any]) -> dict[str, int]:
        """Wait until the parent serves what is true now, and the gateway follows; return that."""
        expected = {c.name: c.weight for c in self.children.values() if c.is_up and c.weight}
        while await self._served() != expected:  # noqa: ASYNC110 - another process has the state
            await asyncio.sleep(0.02)
        await followed(expected)
        return expected

    async def _served(self) -> dict[str, int]:
        async with self._session.get(f"{self.url}/api/state") as answer:
            state = await answer.json()
        weights = state["services"].get("apps-shop@multicluster", {})
        up = {t["service"]: t["child"] for t in state["targets"] if t["up"]}
        return {up[name]: weight for name, weight in weights.items() if name in up}

    async def answers(self, number: int) -> Counter[str | None]:
        """Wait for so many further requests; count who answered."""
        start = len(self._answers) + 1  # one may be under way since before
        while len(self._answers) < start + number:
            self._changed.clear()
            await self._changed.wait()
        return Counter(self._answers[start : start + number])

    @property
    def sent(self) -> int:
        return len(self._answers)

    @property
    def lost(self) -> int:
        return self._answers.count(None)


@asynccontextmanager
async def living(folder: Path) -> AsyncIterator[World]:
    """Start three children and ``uplinks serve``, with a session for all requests."""
    async with contextlib.AsyncExitStack() as stack:
        stack.enter_context(contextlib.chdir(folder))
        await stack.enter_async_context(asyncio.timeout(LIMIT))
        children = []
        for name, weight in (("eu", 5), ("us", 3), ("asia", 2)):
            child = Child(name, folder)
            child.folder.mkdir()
            child.offer(weight)
            await stack.enter_async_context(child.backend)
            await child.start_api()
            stack.push_async_callback(child.stop_api)
            children.append(child)
        multicluster = {
            "pollInterval": "100ms",
            "pollTimeout": "3s",
            "children": {child.name: {"address": child.backend.url} for child in children},
        }
        parent = {"hub": {"providers": {"multicluster": multicluster}}}
        (folder / "parent.json").write_text(json.dumps(parent), "utf-8")
        url = await stack.enter_async_context(_serving(children))
        session = await stack.enter_async_context(aiohttp.ClientSession(trust_env=False))
        world = World(url, children, session)
        await world.ready()
        yield world


@asynccontextmanager
async def _serving(children: list[Child]) -> AsyncIterator[str]:
    sources = [f"--child={c.name}=http://127.0.0.1:{c.port}" for c in children]
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "uplinks", "serve", "parent.json", *sources),
        *("--listen", "127.0.0.1:0", "--eds-folder", "eds", "--grace", GRACE, "--drain", "0s"),
        stderr=asyncio.subprocess.PIPE,
    )
    assert process.stderr is not None
    addresses: list[Any] = []
    while not addresses:
        line = await process.stderr.readline()
        assert line, "uplinks serve has ended"
        addresses = json.loads(line).get("addresses", [])
    reading = asyncio.ensure_future(process.stderr.read())
    try:
        yield f"http://127.0.0.1:{addresses[0][1]}"
    finally:
        process.terminate()
        status = await process.wait()
        log = (await reading).decode()
        assert status == 0, log
        assert "Traceback" not in log, log


async def attend(
    world: World, ask: Ask, seed: int, steps: int, followed: Callable[[dict[str, int]], Any]
) -> None:
    """Send requests and observe the documents while the world lives through its faults."""
    tasks = [asyncio.ensure_future(each) for each in (world.send(ask), world.observe())]
    try:
        made = await live_through(world, seed, steps, followed)
    finally:
        for task in tasks:
            task.cancel()
        ended = await asyncio.gather(*tasks, return_exceptions=True)
    assert [each for each in ended if not isinstance(each, asyncio.CancelledError)] == []
    assert made.total() == steps
    assert world.documents > steps
    assert world.lost < world.sent / 2


async def live_through(
    world: World, seed: int, steps: int, followed: Callable[[dict[str, int]], Any]
) -> Counter[str]:
    """Let children and sources fail at random; after each step, no request may be lost.

    ``followed`` waits until the gateway follows the weights of the children that are up.
    Returns how often each fault was made.
    """
    draw = random.Random(seed)  # noqa: S311 - a seeded test
    made: Counter[str] = Counter()
    for _ in range(steps):
        child = draw.choice(list(world.children.values()))
        others = [c for c in world.children.values() if c is not child and c.is_up and c.weight]
        faults = ["weight", "nonsense", "api"] + ["backend", "nothing"] * bool(others)
        fault = draw.choice(faults)
        made[fault] += 1
        if fault == "weight":
            child.offer(draw.choice([1, 2, 3, 7]))
        elif fault == "nonsense" and child.weight:
            # It is refused, and what was offered before stays.
            child.write(uplink(-1), {"kind": "Uplink"}, {"apiVersion": 3})
        elif fault == "nothing":
            child.weight = 0
            child.write()
        elif fault == "api":
            await (child.stop_api() if child.has_api else child.start_api())
        elif fault == "backend":
            back = [Condition.HEALTHY] if not child.is_up else []
            bad = [Condition.UNHEALTHY, Condition.REFUSE, Condition.SLOW] if child.is_up else []
            await child.backend.become(draw.choice(back or bad))
        if not child.has_api and fault in {"weight", "nothing"}:
            await child.start_api()  # otherwise the parent could not know
        expected = await world.settle(followed)
        total = sum(expected.values())
        answers = await world.answers(4 * total)
        assert set(answers) == set(expected), (fault, child.name, expected)
        for name, weight in expected.items():
            assert abs(answers[name] - 4 * weight) <= 1, (fault, child.name, expected, answers)
    return made
