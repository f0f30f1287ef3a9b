"""The demonstration: real servers, sockets, probes, requests and time.

Times are those of the parent's events and of the requests.
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

__all__ = ["Result", "run_all"]

MILLISECOND: Final = 1_000_000
INTERVAL: Final = 800 * MILLISECOND
TIMEOUT: Final = 400 * MILLISECOND
TIME_LIMIT: Final = 15  # s, for everything
PERIODS: Final = 20  # of the schedule: before, during and after the failure
PAUSE: Final = 0.01  # s, between two requests of a client

Call = Callable[[ChildService], Awaitable[object]]


@frozen
class Result:
    """The measurements of one service. Times are nanoseconds."""

    service: str
    stopped: str
    detection: int
    detection_bound: int
    lost: int
    sent_later: int
    recovery: int
    recovery_bound: int
    expected_split: dict[str, int]
    split: dict[str, int]

    @property
    def within_bounds(self) -> bool:
        """Whether every bound was kept, apart from the driver's own lateness."""
        slack = HealthPolicy().max_lateness
        return (
            self.detection <= self.detection_bound + slack
            and self.recovery <= self.recovery_bound + slack
            and self.sent_later == 0
            and self.split == self.expected_split
        )


@define
class _Transitions:
    """Listens for transitions and wakes tasks that wait for one."""

    times: dict[tuple[str, State], int] = field(factory=dict)
    changed: asyncio.Event = field(factory=asyncio.Event)

    def on_event(self, event: Event) -> None:
        if isinstance(event, Transition) and isinstance(event.target, Endpoint):
            self.times[event.target.url, event.after] = event.at
            self.changed.set()

    def on_probe(self, probe: Probe, outcome: Outcome, duration: int) -> None:
        """Ignore single probes."""

    async def wait(self, url: str, state: State) -> int:
        while (url, state) not in self.times:
            self.changed.clear()
            await self.changed.wait()
        return self.times.pop((url, state))


@define
class _Client:
    """Sends one request after another and records them."""

    driver: Driver
    service: str
    call: Call
    sent: list[tuple[int, str, bool]] = field(factory=list)

    async def request(self) -> None:
        started = time.monotonic_ns()
        ok = False
        with self.driver.lease(self.service) as lease:
            target = lease.target
            assert isinstance(target, ChildService)  # noqa: S101 - nothing else is advertised
            try:
                await self.call(target)
                ok = True
            except (OSError, aiohttp.ClientError, grpc.RpcError):
                pass  # counted as lost
        self.sent.append((started, target.child, ok))
        await asyncio.sleep(PAUSE)

    async def requests(self, number: int) -> Counter[str]:
        for _ in range(number):
            await self.request()
        return Counter(child for _, child, _ in self.sent[-number:])

    async def until(self, transition: asyncio.Task[int]) -> int:
        while not transition.done():
            await self.request()
        return transition.result()


async def run_all(progress: Callable[[str], None]) -> list[Result]:
    """Stop and restart a child of each kind under load, and measure.

    Raises: TimeoutError when it takes far too long; MissingExtra.
    """
    async with asyncio.timeout(TIME_LIMIT), AsyncExitStack() as stack:
        kinds: dict[str, list[Any]] = {
            "web": [HttpChild("web-1"), HttpChild("web-2")],
            "quotes": [GrpcChild("quotes-1"), GrpcChild("quotes-2")],
        }
        for child in (child for children in kinds.values() for child in children):
            await child.start()
            stack.push_async_callback(child.stop)
            progress(f"{child.name} listens at {child.url}")
        parent, checks = _parent(kinds)
        transitions = _Transitions()
        driver = await stack.enter_async_context(Driver(parent, listeners=[transitions]))
        session = await stack.enter_async_context(aiohttp.ClientSession(trust_env=False))
        calls = {"web": _http_call(session), "quotes": _grpc_call}
        return await asyncio.gather(
            *(
                _fail_over(
                    _Client(driver, f"shop-{kind}@multicluster", calls[kind]),
                    children[0],
                    transitions,
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
            advertisement = Advertisement(
                f"shop-{kind}",
                f"shop/{kind}",
                ["multicluster"],
                weight=weight,
                health_check=checks[kind],
            )
            parent.advertise(child.name, [advertisement], now)
    return parent, checks


async def _fail_over(
    client: _Client,
    child: HttpChild | GrpcChild,
    transitions: _Transitions,
    check: HealthCheck,
    progress: Callable[[str], None],
) -> Result:
    policy = client.driver.parent.policy
    up = asyncio.create_task(transitions.wait(child.url, State.UP))
    await client.until(up)
    await client.requests(4 * PERIODS)

    down = asyncio.create_task(transitions.wait(child.url, State.DOWN))
    await child.stop()
    stopped = time.monotonic_ns()
    progress(f"{child.name} is stopped; requests go on")
    detected = await client.until(down)
    progress(f"{child.name} is marked down after {(detected - stopped) / 1e9:.2f} s")
    await client.requests(4 * PERIODS)

    transitions.times.pop((child.url, State.UP), None)
    up = asyncio.create_task(transitions.wait(child.url, State.UP))
    started = time.monotonic_ns()
    await child.start()
    progress(f"{child.name} is started again")
    recovered = await client.until(up)
    progress(f"{child.name} is marked up after {(recovered - started) / 1e9:.2f} s")
    split = await client.requests(4 * PERIODS)
    weights = {t.child: w for t, w in client.driver.selector(client.service).weights.items()}
    later = [at for at, name, _ in client.sent if name == child.name and detected < at < started]
    return Result(
        service=client.service,
        stopped=child.name,
        detection=max(0, detected - stopped),
        detection_bound=detection_bound(check, policy),
        lost=sum(not ok for _, _, ok in client.sent),
        sent_later=len(later),
        recovery=max(0, recovered - started),
        recovery_bound=recovery_bound(check, policy),
        expected_split={name: PERIODS * weight for name, weight in sorted(weights.items())},
        split=dict(sorted(split.items())),
    )


def _http_call(session: aiohttp.ClientSession) -> Call:
    async def call(target: ChildService) -> object:
        async with session.get(target.url) as response:
            return await response.read()

    return call


async def _grpc_call(target: ChildService) -> object:
    address = target.url.removeprefix("http://")
    options = (("grpc.enable_http_proxy", 0),)
    async with grpc.aio.insecure_channel(address, options=options) as channel:
        return await channel.unary_unary("/shop.Quotes/Get")(b"", timeout=2)
