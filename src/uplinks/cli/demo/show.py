"""What the demonstration does, and what it must find.

Rules of this file:

1. Everything is real: servers, sockets, probes, requests, the clock.
2. A promise is judged by the times of the parent's own events and of the
   requests; what is judged is what is shown.
"""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from typing import Any, Final

from attrs import define, field, frozen

from uplinks.adapters.driver import Driver
from uplinks.cli.demo.children import GrpcChild, HttpChild
from uplinks.errors import MissingExtra
from uplinks.health import (
    Event,
    HealthPolicy,
    Outcome,
    Probe,
    State,
    Transition,
    detection_bound,
    recovery_bound,
)
from uplinks.model import Advertisement, Child, ChildService, HealthCheck, ParentConfig
from uplinks.parent import Endpoint, Parent

try:
    import aiohttp
    import grpc
except ImportError as error:
    raise MissingExtra("http,grpc") from error

__all__ = ["INTERVAL", "TIMEOUT", "Finding", "show"]

MILLISECOND: Final = 1_000_000
INTERVAL: Final = 800 * MILLISECOND
TIMEOUT: Final = 400 * MILLISECOND
PATIENCE: Final = 15  # s for everything; then something is broken
PERIODS: Final = 20  # of the schedule, before the failure, during it and after it
PAUSE: Final = 0.01  # s between the requests of one client

Ask = Callable[[ChildService], Awaitable[object]]


@frozen
class Finding:
    """What was seen of one service. Times in nanoseconds."""

    service: str
    stopped: str
    noticed: int
    detection: int
    lost: int
    late: int
    back: int
    recovery: int
    wanted: dict[str, int]
    split: dict[str, int]

    @property
    def kept(self) -> bool:
        """Whether every promise was kept, but for what the driver itself was late."""
        slack = HealthPolicy().max_lateness
        return (
            self.noticed <= self.detection + slack
            and self.back <= self.recovery + slack
            and self.late == 0
            and self.split == self.wanted
        )


@define
class _Ear:
    """Hears of transitions, and wakes who waits for one."""

    moments: dict[tuple[str, State], int] = field(factory=dict)
    news: asyncio.Event = field(factory=asyncio.Event)

    def on_event(self, event: Event) -> None:
        if isinstance(event, Transition) and isinstance(event.target, Endpoint):
            self.moments[event.target.url, event.after] = event.at
            self.news.set()

    def on_probe(self, probe: Probe, outcome: Outcome, duration: int) -> None:
        """Nothing is made of single probes."""

    async def wait(self, url: str, state: State) -> int:
        while (url, state) not in self.moments:
            self.news.clear()
            await self.news.wait()
        return self.moments.pop((url, state))


@define
class _Client:
    """Sends one request after the other, and keeps the record."""

    driver: Driver
    service: str
    ask: Ask
    sent: list[tuple[int, str, bool]] = field(factory=list)

    async def request(self) -> None:
        begun = time.monotonic_ns()
        ok = False
        with self.driver.lease(self.service) as lease:
            target = lease.target
            assert isinstance(target, ChildService)  # noqa: S101 - nothing else is advertised
            try:
                await self.ask(target)
                ok = True
            except (OSError, aiohttp.ClientError, grpc.RpcError):
                pass  # what a user would have seen
        self.sent.append((begun, target.child, ok))
        await asyncio.sleep(PAUSE)

    async def requests(self, number: int) -> Counter[str]:
        for _ in range(number):
            await self.request()
        return Counter(child for _, child, _ in self.sent[-number:])

    async def until(self, moment: asyncio.Task[int]) -> int:
        while not moment.done():
            await self.request()
        return moment.result()


async def show(progress: Callable[[str], None]) -> list[Finding]:
    """Let a child of each kind fail and come back under load, and say what was seen.

    Raises: TimeoutError when nothing is noticed for far too long; MissingExtra.
    """
    async with asyncio.timeout(PATIENCE), AsyncExitStack() as stack:
        kinds: dict[str, list[Any]] = {
            "web": [HttpChild("web-1"), HttpChild("web-2")],
            "quotes": [GrpcChild("quotes-1"), GrpcChild("quotes-2")],
        }
        for child in (child for children in kinds.values() for child in children):
            await child.start()
            stack.push_async_callback(child.stop)
            progress(f"{child.name} serves at {child.url}")
        parent, checks = _parent(kinds)
        ear = _Ear()
        driver = await stack.enter_async_context(Driver(parent, listeners=[ear]))
        session = await stack.enter_async_context(aiohttp.ClientSession(trust_env=False))
        asks = {"web": _over_http(session), "quotes": _over_grpc}
        return await asyncio.gather(
            *(
                _fail_over(
                    _Client(driver, f"shop-{kind}@multicluster", asks[kind]),
                    children[0],
                    ear,
                    checks[kind],
                    progress,
                )
                for kind, children in kinds.items()
            )
        )


def _parent(kinds: dict[str, list[Any]]) -> tuple[Parent, dict[str, HealthCheck]]:
    checks = {
        "web": HealthCheck(path="/health", interval=INTERVAL, timeout=TIMEOUT),
        "quotes": HealthCheck(mode="grpc", interval=INTERVAL, timeout=TIMEOUT),
    }
    config = ParentConfig({c.name: Child(c.url) for cs in kinds.values() for c in cs})
    parent = Parent(config)
    now = time.monotonic_ns()
    for kind, children in kinds.items():
        for child, weight in zip(children, (3, 1), strict=True):
            offer = Advertisement(
                f"shop-{kind}",
                f"shop/{kind}",
                ["multicluster"],
                weight=weight,
                health_check=checks[kind],
            )
            parent.advertise(child.name, [offer], now)
    return parent, checks


async def _fail_over(
    client: _Client,
    child: HttpChild | GrpcChild,
    ear: _Ear,
    check: HealthCheck,
    progress: Callable[[str], None],
) -> Finding:
    policy = client.driver.parent.policy
    up = asyncio.create_task(ear.wait(child.url, State.UP))
    await client.until(up)
    await client.requests(4 * PERIODS)

    down = asyncio.create_task(ear.wait(child.url, State.DOWN))
    await child.stop()
    stopped = time.monotonic_ns()
    progress(f"{child.name} is stopped; requests go on")
    noticed = await client.until(down)
    progress(f"{child.name} is taken out after {(noticed - stopped) / 1e9:.2f} s")
    await client.requests(4 * PERIODS)

    ear.moments.pop((child.url, State.UP), None)
    up = asyncio.create_task(ear.wait(child.url, State.UP))
    started = time.monotonic_ns()
    await child.start()
    progress(f"{child.name} is started again")
    back = await client.until(up)
    progress(f"{child.name} is back after {(back - started) / 1e9:.2f} s")
    split = await client.requests(4 * PERIODS)
    weights = {t.child: w for t, w in client.driver.selector(client.service).weights.items()}
    return Finding(
        service=client.service,
        stopped=child.name,
        noticed=max(0, noticed - stopped),
        detection=detection_bound(check, policy),
        lost=sum(not ok for _, _, ok in client.sent),
        late=sum(1 for at, name, _ in client.sent if name == child.name and noticed < at < started),
        back=max(0, back - started),
        recovery=recovery_bound(check, policy),
        wanted={name: PERIODS * weight for name, weight in sorted(weights.items())},
        split=dict(sorted(split.items())),
    )


def _over_http(session: aiohttp.ClientSession) -> Ask:
    async def ask(target: ChildService) -> object:
        async with session.get(target.url) as response:
            return await response.read()

    return ask


async def _over_grpc(target: ChildService) -> object:
    address = target.url.removeprefix("http://")
    options = (("grpc.enable_http_proxy", 0),)
    async with grpc.aio.insecure_channel(address, options=options) as channel:
        return await channel.unary_unary("/shop.Quotes/Get")(b"", timeout=2)
