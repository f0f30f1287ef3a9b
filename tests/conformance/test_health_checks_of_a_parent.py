"""The page's table "Health Check Fields" at work: a manifest, a parent, its probe, a real server.

Each row: a child is up as long as what the row asks for is so, and out of rotation otherwise.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from attrs import evolve
from tests.adapters.grpc_servers import GrpcServer
from tests.adapters.servers import run, silent_until_left

from uplinks import NoEligibleTarget, Outcome, Parent, Probe, Transition, parse_manifests
from uplinks.adapters.driver import Driver
from uplinks.adapters.files import load_fleet
from uplinks.adapters.grpc_probe import GrpcProber
from uplinks.adapters.http_probe import HttpProber
from uplinks.health import State
from uplinks.model import (
    Child,
    ChildConfig,
    Cluster,
    Fleet,
    HealthCheck,
    ParentConfig,
    Uplink,
    UplinkEntryPoint,
)
from uplinks.parent import Endpoint
from uplinks.testing.server import Answer, Reader, Server, Writer, answer, by_path

SECOND = 1_000_000_000
FAILOVER = Path(__file__).parents[2] / "examples" / "failover"
STATIC = ChildConfig({"up": UplinkEntryPoint(":9443", as_default=True)}, multicluster=True)
SERVICE = "apps-api-workload-eu@multicluster"


def parent_of(address: str, written: str) -> Parent:
    """Read a check from a manifest, and bring it to a parent as a child's advertisement."""
    manifests = parse_manifests(
        "apiVersion: hub.traefik.io/v1alpha1\n"
        "kind: Uplink\n"
        "metadata: {name: api-workload, namespace: apps}\n"
        f"spec: {{healthCheck: {written}}}\n"
    )
    assert [str(d) for d in manifests.diagnostics if d.severity.value == "error"] == []
    uplinks = [each for each in manifests.resources if isinstance(each, Uplink)]
    child = Cluster("eu", uplinks=uplinks, child_config=STATIC)
    config = ParentConfig({"eu": Child(address)})
    return Parent.from_fleet(
        Fleet(Cluster("parent", parent_config=config), {"eu": child}), strict=False
    )


def started(parent: Parent) -> Probe:
    wakeup = parent.next_wakeup()
    assert wakeup is not None
    [probe] = parent.due(wakeup)
    return probe


async def probed(parent: Parent) -> Outcome:
    """Let the parent's next probe be made for real, and reported."""
    probe = started(parent)
    assert isinstance(probe.target, Endpoint)
    prober = GrpcProber() if probe.check.mode == "grpc" else HttpProber()
    try:
        outcome = await prober.probe(probe.target.url, probe.check)
    finally:
        await prober.close()
    parent.report(probe, outcome, parent.now)
    return outcome


def up_after(written: str, reply: Answer, address: str = "{url}") -> tuple[bool, list[str]]:
    """Whether a child with this check is up after a probe, and what its server was asked."""

    async def main() -> tuple[bool, list[str]]:
        async with Server(reply) as server:
            parent = parent_of(
                address.format(url=server.url, port=server.port),
                written.replace("PORT", str(server.port)),
            )
            await probed(parent)
            return parent.is_up(SERVICE), [head.decode() for head in server.heads]

    found: tuple[bool, list[str]] = run(main())
    return found


HOOPS = by_path(health=answer(302, "Location: /there"), there=answer(200))


@pytest.mark.parametrize(
    ("row", "written", "reply", "up"),
    [
        ("path", "{path: /healthz}", by_path(healthz=answer(200)), True),
        ("path", "{path: /other}", by_path(healthz=answer(200)), False),
        ("scheme", "{path: /, scheme: http}", answer(200), True),
        ("mode", "{path: /, mode: http}", answer(200), True),
        ("mode", "{path: /}", answer(200), True),
        ("status", "{path: /}", answer(200), True),
        ("status", "{path: /}", answer(204), False),
        ("status", "{path: /, status: 204}", answer(204), True),
        ("status", "{path: /, status: 204}", answer(200), False),
        ("followRedirects", "{path: /health}", HOOPS, True),
        ("followRedirects", "{path: /health, followRedirects: false}", HOOPS, False),
        ("followRedirects", "{path: /health, followRedirects: false, status: 302}", HOOPS, True),
    ],
)
def test_a_row_decides_whether_the_child_is_up(
    row: str, written: str, reply: Any, *, up: bool
) -> None:
    assert up_after(written, reply)[0] is up, row


def test_the_scheme_of_the_check_goes_before_that_of_the_address() -> None:
    address = "https://127.0.0.1:{port}"

    async def hang_up_on_a_handshake(_: Server, reader: Reader, writer: Writer) -> None:
        await reader.read(1)

    assert up_after("{path: /, scheme: http}", answer(200), address)[0]
    assert not up_after("{path: /}", hang_up_on_a_handshake, address)[0]


def test_the_port_of_the_check_goes_before_that_of_the_address() -> None:
    address = "http://127.0.0.1:1"

    assert up_after("{path: /, port: PORT}", answer(200), address)[0]
    assert not up_after("{path: /}", answer(200), address)[0]


@pytest.mark.parametrize(
    ("written", "line"),
    [
        ("{path: /}", "GET / HTTP/1.1"),
        ("{path: /, method: HEAD}", "HEAD / HTTP/1.1"),
        ("{path: /, hostname: api.eu.example.com}", "Host: api.eu.example.com"),
        ("{path: /, headers: {X-Health-Check: 'true'}}", "X-Health-Check: true"),
    ],
)
def test_what_a_row_asks_for_is_sent(written: str, line: str) -> None:
    up, [head] = up_after(written, answer(200))

    assert up
    assert line in head.split("\r\n")


def test_without_a_hostname_the_host_is_the_address_s() -> None:
    _, [head] = up_after("{path: /}", answer(200))

    assert "Host: 127.0.0.1:" in head


@pytest.mark.parametrize(("reply", "up"), [(b"\x08\x01", True), (b"\x08\x02", False)])
def test_the_mode_grpc_asks_the_health_service(reply: bytes, *, up: bool) -> None:
    async def main() -> tuple[bool, list[tuple[str, bytes]]]:
        async with GrpcServer(reply) as server:
            parent = parent_of(server.url, "{mode: grpc}")
            await probed(parent)
            return parent.is_up(SERVICE), server.calls

    assert run(main()) == (up, [("/grpc.health.v1.Health/Check", b"")])


@pytest.mark.parametrize(
    ("written", "healthy", "unhealthy"),
    [
        ("{path: /}", 30, 30),
        ("{path: /, interval: 10s}", 10, 10),
        ("{path: /, interval: 10s, unhealthyInterval: 3s, timeout: 1s}", 10, 3),
    ],
)
def test_healthy_and_unhealthy_targets_are_asked_at_their_intervals(
    written: str, healthy: int, unhealthy: int
) -> None:
    parent, starts = parent_of("http://eu.example.com", written), []
    for outcome in [*[Outcome.PASS] * 3, *[Outcome.fail("status 503")] * 3]:
        probe = started(parent)
        starts.append(parent.now)
        parent.report(probe, outcome, parent.now)
    started(parent)
    starts.append(parent.now)

    gaps = [after - before for before, after in pairwise(starts)]
    # The first gap is the rest of an interval, by which children are spread.
    assert gaps[1:3] == [healthy * SECOND] * 2
    assert gaps[4:] == [unhealthy * SECOND] * 2


@pytest.mark.parametrize(("written", "seconds"), [("{path: /}", 5), ("{path: /, timeout: 3s}", 3)])
def test_who_has_not_answered_by_the_timeout_is_unhealthy(written: str, seconds: int) -> None:
    parent = parent_of("http://eu.example.com", written)
    probe = started(parent)
    begun = parent.now

    parent.due(begun + seconds * SECOND - 1)
    assert parent.is_up(SERVICE)
    parent.due(begun + seconds * SECOND)

    assert not parent.is_up(SERVICE)
    assert probe.deadline == begun + seconds * SECOND


class Turns:
    """Waits for the children to be up or down: a listener of the driver."""

    def __init__(self) -> None:
        self._turns: asyncio.Queue[tuple[str, State]] = asyncio.Queue()

    def on_event(self, event: object) -> None:
        if isinstance(event, Transition) and isinstance(event.target, Endpoint):
            self._turns.put_nowait((event.target.url, event.after))

    def on_probe(self, probe: Probe, outcome: Outcome, duration: int) -> None:
        pass

    async def turned(self, server: Server, state: State) -> None:
        while await self._turns.get() != (server.url, state):
            pass


def test_a_real_server_that_is_silent_is_cut_off_at_the_timeout() -> None:
    async def main() -> bool:
        async with Server(silent_until_left()) as server:
            parent, turns = parent_of(server.url, "{path: /, interval: 1s, timeout: 50ms}"), Turns()
            async with Driver(parent, listeners=[turns]):
                await turns.turned(server, State.DOWN)
                await server.left.wait()
                return parent.is_up(SERVICE)

    assert run(main()) is False


def test_the_failover_example_with_children_that_fail_and_come_back() -> None:
    """EU and US, composed on the parent, with their checks asked on the loopback."""
    replies = {"eu": answer(200), "us": answer(200)}

    async def main() -> tuple[list[Counter[str]], bytes]:
        seen = []
        async with Server(lambda _: replies["eu"]) as eu, Server(lambda _: replies["us"]) as us:
            parent, turns = on_the_loopback({"eu": eu, "us": us}), Turns()
            selector = parent.selector("apps-api-workload@kubernetescrd")

            def picked() -> Counter[str]:
                return Counter(selector.pick().child for _ in range(100))

            async with Driver(parent, listeners=[turns]):
                seen.append(picked())
                replies["eu"] = answer(503)
                await turns.turned(eu, State.DOWN)
                seen.append(picked())
                replies["us"] = answer(503)
                await turns.turned(us, State.DOWN)
                with pytest.raises(NoEligibleTarget):
                    selector.pick()
                replies["us"] = answer(200)
                await turns.turned(us, State.UP)
                seen.append(picked())
                replies["eu"] = answer(200)
                await turns.turned(eu, State.UP)
                seen.append(picked())
            return seen, eu.heads[0]

    seen, head = run(main())
    assert seen == [{"eu": 100}, {"us": 100}, {"us": 100}, {"eu": 100}]
    assert b"\r\nHost: api.eu.example.com\r\n" in head


def on_the_loopback(servers: dict[str, Server]) -> Parent:
    """The example's fleet, its children at these servers and asked every few milliseconds."""
    fleet = load_fleet(FAILOVER)
    children = {}
    for name, cluster in fleet.children.items():
        uplinks = [
            evolve(uplink, health_check=quickened(uplink.health_check, servers[name].port))
            for uplink in cluster.uplinks
        ]
        children[name] = evolve(cluster, uplinks=uplinks)
    config = ParentConfig({name: Child(server.url) for name, server in servers.items()})
    return Parent.from_fleet(
        Fleet(evolve(fleet.parent, parent_config=config), children), strict=False
    )


def quickened(check: HealthCheck | None, port: int) -> HealthCheck:
    assert check is not None
    assert (check.path, check.interval, check.timeout) == ("/health", 10 * SECOND, 3 * SECOND)
    quick = SECOND // 50
    return evolve(check, port=port, interval=quick, unhealthy_interval=quick)
