"""A change below a live parent, with its rendering, among few and among many children."""

from __future__ import annotations

from itertools import cycle
from typing import Any

import pytest
from benchmarks.measure import Loop

from uplinks.adapters.sources import Snapshot
from uplinks.model import Child, ChildConfig, Cluster, ParentConfig, Uplink, UplinkEntryPoint
from uplinks.serve.live import Live, LiveOptions

SECTION = "live parent: a snapshot with one changed uplink, below so many children / below 10"
OFFERED = 10
ENTRY = ChildConfig({"up": UplinkEntryPoint(":9443", as_default=True)}, multicluster=True)


def snapshot(child: str, weight: int = 1) -> Snapshot:
    """Ten uplinks of a child's own, the first with this weight."""
    uplinks = [Uplink(f"{child}-{i}", "apps", weight=1 if i else weight) for i in range(OFFERED)]
    return Snapshot(Cluster(child, uplinks, child_config=ENTRY))


def changing(n: int) -> Loop:
    """Read a snapshot of one child of n, and render what it changes."""
    names = [f"child-{i}" for i in range(n)]
    listed = {name: Child(f"https://{name}.example.com") for name in names}
    live = Live(Cluster("parent", parent_config=ParentConfig(listed)), 0, LiveOptions(patience=0))
    for name in names:
        live.receive(name, snapshot(name), 0)
    live.render()
    snapshots = cycle([snapshot(names[0], 2), snapshot(names[0], 3)])

    def loop(times: int) -> None:
        for _ in range(times):
            live.receive(names[0], next(snapshots), 1)
            live.render()

    return loop


@pytest.mark.parametrize("n", [100, 1_000])
def test_a_changed_uplink(n: int, bench: Any) -> None:
    bench.time(SECTION, "receive() and render()", n, changing(n), changing(10))
