"""A live parent of a very large fleet: ``python -m benchmarks.live_scale [CHILDREN [UPLINKS]]``.

Prints memory, the time to the first document, and the cost of one change, in CPU time:
every child advertises the same uplinks. Then 1,000 children are probed each second, over
real connections, and the lateness of the probes is printed.
"""

from __future__ import annotations

import asyncio
import gc
import resource
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from attrs import evolve

from uplinks import HealthPolicy, Outcome, Parent
from uplinks.adapters.driver import Driver
from uplinks.adapters.sources import Snapshot
from uplinks.health import Event, Probe
from uplinks.model import (
    Advertisement,
    Child,
    ChildConfig,
    Cluster,
    HealthCheck,
    ParentConfig,
    Uplink,
    UplinkEntryPoint,
)
from uplinks.serve.live import Live, LiveOptions
from uplinks.serve.reading import Reading, read

SECOND = 1_000_000_000
CHECK = HealthCheck(path="/health", interval=SECOND, timeout=SECOND // 2)
ENTRY = ChildConfig({"up": UplinkEntryPoint(":9443", as_default=True)}, multicluster=True)
PROBED = 1_000
ROUNDS = 20  # s
OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"


def memory() -> float:
    """Return the resident memory in MB."""
    pages = int(Path("/proc/self/statm").read_text("ascii").split()[1])
    return pages * resource.getpagesize() / 1e6


@contextmanager
def figure(name: str) -> Iterator[None]:
    """Print the CPU time of a block."""
    started = time.process_time()
    yield
    print(f"{name:58} {time.process_time() - started:10.4f} s")


def snapshot(child: str, uplinks: int) -> Snapshot:
    offered = [Uplink(f"api-{i}", "apps", health_check=CHECK) for i in range(uplinks)]
    return Snapshot(Cluster(child, offered, child_config=ENTRY))


def fleet(children: int, uplinks: int) -> None:
    names = [f"child-{i:03}" for i in range(children)]
    listed = {name: Child(f"https://192.0.2.{i}:9443") for i, name in enumerate(names, 1)}
    cluster = Cluster("parent", parent_config=ParentConfig(listed))
    policy = HealthPolicy(start_window=0)
    live = Live(cluster, 0, LiveOptions(patience=0), policy=policy)
    before = memory()
    with figure("read the snapshot of a child (in another thread)"):
        reading = read(snapshot(names[0], uplinks))
    assert isinstance(reading, Reading)
    with figure("take what all children offer"):
        for name in names:
            offer = tuple(evolve(ad) for ad in reading.offer)
            live.receive(name, Reading(Cluster(name), reading.report, offer), 0)
    # One probe for each address, however many uplinks it serves.
    probes = live.parent.due(0)
    assert len(probes) == children
    for probe in probes:
        live.parent.report(probe, Outcome.PASS, 0)
    for event in live.parent.events.drain():
        live.on_event(event)
    with figure("render the first document"):
        live.render()
    assert live.traefik is not None
    print(f"{'size of the document':58} {live.traefik.size / 1e6:10.1f} MB")
    gc.collect()
    print(f"{'memory':58} {memory() - before:10.0f} MB")
    with figure("write the document to a client"):
        assert sum(map(len, live.traefik.chunks())) == live.traefik.size
    with figure("find one changed uplink in a child's snapshot"):
        offer = (evolve(reading.offer[0], weight=5), *(evolve(ad) for ad in reading.offer[1:]))
        live.receive(names[0], Reading(Cluster(names[0]), reading.report, offer), 1)
    with figure("render and publish one changed uplink"):
        live.render()
    events = live.parent.due(SECOND)
    for probe in events:
        failed = probe.target.url.endswith("192.0.2.1:9443")  # type: ignore[attr-defined]
        live.parent.report(probe, Outcome.fail("x") if failed else Outcome.PASS, SECOND)
    with figure("render and publish a child that fails with all its uplinks"):
        while live.parent.next_wakeup() == live.parent.now:
            live.parent.due(live.parent.now, most=0)
        for event in live.parent.events.drain():
            live.on_event(event)
        live.render()


class Lateness:
    """How late (ns) each probe started."""

    def __init__(self) -> None:
        self.all: list[int] = []
        self.failed = 0

    def on_event(self, event: Event) -> None:
        pass

    def on_probe(self, probe: Probe, outcome: Outcome, duration: int) -> None:
        self.all.append(time.monotonic_ns() - duration - probe.due)
        self.failed += outcome is not Outcome.PASS


async def probing() -> None:
    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while await reader.readuntil(b"\r\n\r\n"):
                writer.write(OK)
        except (OSError, asyncio.IncompleteReadError):
            writer.close()

    hosts = [f"127.1.{i // 200}.{i % 200 + 1}" for i in range(PROBED)]
    server = await asyncio.start_server(talk, hosts[0], 0)
    port = server.sockets[0].getsockname()[1]
    servers = [server, *[await asyncio.start_server(talk, host, port) for host in hosts[1:]]]
    listed = {f"child-{i}": Child(f"http://{host}:{port}") for i, host in enumerate(hosts)}
    parent = Parent(ParentConfig(listed))
    offer = Advertisement("api", "apps/api", ["up"], health_check=CHECK)
    parent.advertise_all({name: [offer] for name in listed}, time.monotonic_ns())
    lateness = Lateness()
    started = time.process_time()
    async with Driver(parent, listeners=[lateness]):
        await asyncio.sleep(ROUNDS)
    used = time.process_time() - started
    late = sorted(lateness.all)
    print(f"{'probes of 1,000 children, servers included':58} {len(late) / ROUNDS:10.0f} /s")
    print(f"{'CPU time of them':58} {100 * used / ROUNDS:10.0f} %")
    for percent in (50, 99, 100):
        at = min(len(late) - 1, len(late) * percent // 100)
        print(f"{f'lateness, percentile {percent}':58} {late[at] / 1e6:10.1f} ms")
    print(f"{'failed':58} {lateness.failed:10}")
    for each in servers:
        each.close()


def main() -> None:
    """Measure."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    given = [int(each) for each in sys.argv[1:]]
    children, uplinks = (given + [20, 50_000][len(given) :])[:2]
    print(f"{children} children, {uplinks:,} uplinks each")
    fleet(children, uplinks)
    asyncio.run(probing())


if __name__ == "__main__":
    main()
