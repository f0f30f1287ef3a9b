"""The page of a live parent, in a real browser, served by a real server."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from tests.browser import history
from tests.browser.chromium import Chromium, read_png
from tests.browser.devtools import Page, browsing
from tests.serve.fleets import offering, uplink
from tests.serve.servers import Client, QueueSource, serving

from uplinks.adapters.sources import Failure
from uplinks.diagnostics import Diagnostic, Location, Severity
from uplinks.health import Outcome
from uplinks.model import Child, Cluster, ParentConfig
from uplinks.testing import ScriptedProber

HOSTILE = "<img src=x onerror=document.title='owned'>"
SHOWN = "document.body && document.body.dataset.version"


@pytest.fixture
def program(tmp_path: Path) -> str:
    found = Chromium.find(tmp_path)
    if found is None:
        pytest.fail("chromium is not installed: make test-browser installs it")
    return found.program


@asynccontextmanager
async def an_hour_later(prober: ScriptedProber | None = None) -> AsyncIterator[Client]:
    now = history.NOW
    async with serving(
        history.sources(),
        history.parent(),
        prober=prober or ScriptedProber(),
        clock=lambda: now,
        prepare=history.live_through,
    ) as client:
        await client.ready()
        await client.until(lambda: client.server.live.sources["asia"].is_stale)
        await client.until(lambda: len(client.server.describe("", None)["findings"]) > 1)
        yield client


async def texts(page: Page, selector: str) -> list[str]:
    found = f"[...document.querySelectorAll({selector!r})].map(e => e.textContent)"
    listed: list[str] = await page.evaluate(found)
    return listed


def test_the_page_shows_services_shares_health_and_stale_sources(
    program: str, tmp_path: Path
) -> None:
    async def test() -> None:
        async with an_hour_later() as client, browsing(program, tmp_path) as page:
            await page.open(client.url, 1100, 900)
            await page.until(SHOWN)

            assert await texts(page, "#services h3") == ["apps-shop", "search"]
            assert await texts(page, "#services .card:first-child .number:not(.head)") == [
                "25 %",
                "75 %",
                "0 %",
            ]
            lanes = "[...document.querySelectorAll('.track[role=img]')].map(e => e.ariaLabel)"
            assert await page.evaluate(lanes) == [
                "up for 17 min, 2 times down in the last hour",
                "down for 6 min, 1 time down in the last hour",
                "up for 59 min, 0 times down in the last hour",
            ]
            asia, us = sorted(await texts(page, "#problems li"), key=lambda t: "us:" in t)
            assert "child asia" in asia
            assert "UPL103" in asia
            assert "child us: no answer in time" in us
            assert (await texts(page, "#live")) == ["live"]
            assert page.messages == []
            loaded = "performance.getEntriesByType('resource').map(e => new URL(e.name).pathname)"
            # The stream is listed once it has ended.
            assert set(await page.evaluate(loaded)) <= {"/api/state", "/api/events"}

    asyncio.run(test())


@pytest.mark.parametrize("width", [360, 414, 768, 1100])
def test_nothing_leaves_the_page_at_the_side(program: str, tmp_path: Path, width: int) -> None:
    async def test() -> None:
        async with an_hour_later() as client, browsing(program, tmp_path) as page:
            await page.open(client.url, width, 800)
            await page.until(SHOWN)

            assert await page.evaluate("document.documentElement.scrollWidth") <= width
            smallest = """Math.min(...[...document.querySelectorAll('main *')].filter(e =>
                e.childElementCount === 0 && e.textContent && e.getClientRects().length).map(e =>
                parseFloat(getComputedStyle(e).fontSize)))"""
            assert await page.evaluate(smallest) >= 12

    asyncio.run(test())


@pytest.mark.parametrize(("dark", "ground"), [(False, "#ffffff"), (True, "#0d1117")])
def test_light_and_dark(program: str, tmp_path: Path, *, dark: bool, ground: str) -> None:
    async def test() -> None:
        async with an_hour_later() as client, browsing(program, tmp_path) as page:
            await page.open(client.url, 800, 600, dark=dark)
            await page.until(SHOWN)
            assert read_png(await page.screenshot(whole=False)).at(0, 0) == ground

    asyncio.run(test())


def test_the_page_follows_what_happens(program: str, tmp_path: Path) -> None:
    async def test() -> None:
        prober = ScriptedProber()
        sources = {"eu": QueueSource("eu's", offering("eu", uplink(weight=9)))}
        async with serving(sources, prober=prober) as client, browsing(program, tmp_path) as page:
            await client.ready()
            await page.open(client.url, 800, 600)
            await page.until(SHOWN)
            assert await texts(page, "#children .state") == ["up to date"]

            sources["eu"].put(Failure("connection refused"))
            await page.until("document.querySelector('#children .state').textContent === 'stale'")
            sources["eu"].put(offering("eu", uplink(weight=5), uplink("web", 2)))
            await page.until("document.querySelectorAll('#services h3').length === 2")
            find = "byId('match').value = 'web'; byId('match').dispatchEvent(new Event('input'))"
            await page.evaluate(find)
            await page.until("document.querySelectorAll('#services h3').length === 1")
            assert await texts(page, "#services h3") == ["apps-web"]

    asyncio.run(test())


def test_hostile_text_is_inert(program: str, tmp_path: Path) -> None:
    place = Location("eu", HOSTILE)
    finding = Diagnostic("UPL103", Severity.ERROR, HOSTILE, place, suggestion=HOSTILE)
    long = "e" * 200
    config = ParentConfig({long: Child("https://192.0.2.1:9443")})

    async def test() -> None:
        source = QueueSource(HOSTILE, Failure(HOSTILE))
        parent = Cluster("parent", parent_config=config)
        prober = ScriptedProber(default=Outcome.fail(HOSTILE))
        async with (
            serving({long: source}, parent, prober=prober) as client,
            browsing(program, tmp_path) as page,
        ):
            await client.ready()
            source.put(offering(long, uplink()))
            await client.until(lambda: not client.server.live.sources[long].is_stale)
            client.server._report = type(client.server._report)([finding])
            source.put(Failure(HOSTILE))
            await client.until(lambda: client.server.live.sources[long].is_stale)
            await page.open(client.url, 400, 800)
            await page.until(SHOWN)

            shown: Any = await page.evaluate("document.body.textContent")
            assert shown.count(HOSTILE) >= 3
            assert await page.evaluate("document.documentElement.scrollWidth") <= 400
            assert await page.evaluate("document.querySelectorAll('img').length") == 0
            assert await page.evaluate("document.title") == "uplinks"
            # Even markup that got in could run nothing: the policy refuses it.
            inserted = f"document.body.insertAdjacentHTML('beforeend', {HOSTILE!r})"
            await page.evaluate(inserted)
            await page.evaluate("new Promise(done => setTimeout(done, 50))")
            assert await page.evaluate("document.title") == "uplinks"
            assert any("Content Security Policy" in each for each in page.messages)

    asyncio.run(test())
