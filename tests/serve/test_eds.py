"""Envoy's EDS files: which uplinks have one."""

from __future__ import annotations

import asyncio
import logging
from pathlib import Path

import pytest
from tests.serve.fleets import offering, uplink
from tests.serve.servers import QueueSource, serving

from uplinks.adapters.sources import Snapshot
from uplinks.model import Child, Cluster, ParentConfig
from uplinks.serve.live import LiveOptions


def listing(**addresses: str) -> Cluster:
    listed = {name: Child(address) for name, address in addresses.items()}
    return Cluster("parent", parent_config=ParentConfig(listed))


def test_uplinks_that_envoy_does_not_follow_are_named(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async def test() -> None:
        sources = {
            "eu": QueueSource("eu's", offering("eu", uplink(), uplink("web"))),
            "us": QueueSource("us's", offering("us", uplink())),
        }
        own = QueueSource("parent's")
        cluster = listing(eu="https://192.0.2.1:9443", us="https://us.example.com:9443")
        live, folder = LiveOptions(endpoints=True), tmp_path / "eds"
        async with serving(sources, cluster, own=own, live=live, eds_folder=str(folder)) as client:
            await client.until((folder / "apps-web.json").exists)
            assert (await client.json("/api/state"))["eds"]["unfollowed"] == ["apps-api"]

            addresses = {"eu": "https://192.0.2.1:9443", "us": "https://192.0.2.2:9443"}
            own.put(Snapshot(listing(**addresses)))
            endpoints = client.server.live.endpoints
            assert endpoints is not None
            await client.until(lambda: not endpoints.unfollowed)

            assert (await client.json("/api/state"))["eds"]["unfollowed"] == []
            path = folder / "apps-api.json"
            await client.until(lambda: path.exists() and "192.0.2.2" in path.read_text("utf-8"))

    with caplog.at_level(logging.WARNING, "uplinks.serve"):
        asyncio.run(test())
    [record] = [r for r in caplog.records if "Envoy" in r.getMessage()]
    assert record.getMessage() == (
        "Envoy does not follow changes of 1 uplink: a child is not listed by IP address"
    )
    assert vars(record)["uplinks"] == ["apps-api"]
