"""The examples run, and the README shows them as they are."""

from __future__ import annotations

import asyncio
import importlib.util
import shutil
import subprocess
import sys
from collections import Counter
from itertools import count
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from aiohttp.test_utils import TestClient, TestServer
from tests.adapters.children import Child
from yarl import URL

from uplinks import Selector
from uplinks.testing.server import Server, answer

ROOT = Path(__file__).parent.parent
TESTED = ROOT / "examples" / "tested"
SERVICE = ROOT / "examples" / "service" / "service.py"
FASTAPI = ROOT / "examples" / "fastapi" / "app.py"
PEAK_EWMA = ROOT / "examples" / "peak_ewma.py"

PARENT = """
hub:
  providers:
    multicluster:
      children:
"""
CHILD = """
hub:
  uplinkEntryPoints:
    multicluster: {address: ":9443", asDefault: true}
  providers:
    multicluster: {}
"""
UPLINK = """
apiVersion: hub.traefik.io/v1alpha1
kind: Uplink
metadata: {name: api, namespace: apps}
spec:
  healthCheck: {path: /health, interval: 20ms, timeout: 10s}
"""


def example(path: Path = SERVICE) -> ModuleType:
    spec = importlib.util.spec_from_file_location(path.stem, path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def write_fleet(folder: Path, **urls: str) -> None:
    (folder / "parent").mkdir()
    (folder / "parent" / "traefik.yaml").write_text(
        PARENT + "".join(f"        {name}: {{address: '{url}'}}\n" for name, url in urls.items())
    )
    for name in urls:
        child = folder / "children" / name
        child.mkdir(parents=True)
        (child / "traefik.yaml").write_text(CHILD)
        (child / "uplink.yaml").write_text(UPLINK)


def test_the_readme_shows_the_service_as_it_is() -> None:
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    body = SERVICE.read_text(encoding="utf-8").split('"""\n\n', 1)[1]
    assert f"```python\n{body}```" in readme


def test_the_service_goes_on_while_a_child_is_down_and_shares_when_it_is_back(
    tmp_path: Path,
) -> None:
    async def main() -> None:
        healthy = True

        def eu(head: bytes) -> bytes:
            return answer(200 if healthy else 503, body=b"eu")

        async with Server(eu) as one, Server(answer(200, body=b"us")) as two:
            write_fleet(tmp_path, eu=one.url, us=two.url)
            app = example().application(str(tmp_path), "apps-api@multicluster")
            async with TestClient(TestServer(app)) as client:

                async def ask(number: int) -> Counter[str]:
                    found: Counter[str] = Counter()
                    for _ in range(number):
                        async with client.get("/orders") as response:
                            found[await response.text()] += 1
                    return found

                assert await ask(10) == {"eu": 5, "us": 5}
                healthy = False
                while "eu" in await ask(4):
                    pass
                assert await ask(10) == {"us": 10}
                healthy = True
                while "eu" not in await ask(4):
                    pass
                assert await ask(10) == {"eu": 5, "us": 5}

    asyncio.run(asyncio.wait_for(main(), 60))


@pytest.mark.parametrize(
    ("variant", "failed", "reason"),
    [
        ("service.py", 0, "1 passed"),
        ("service_with_a_bug.py", 1, "AssertionError: an order went to a child that is down"),
    ],
)
def test_the_test_of_a_service_finds_the_planted_bug(
    tmp_path: Path, variant: str, failed: int, reason: str
) -> None:
    shutil.copy(TESTED / variant, tmp_path / "service.py")
    shutil.copy(TESTED / "test_service.py", tmp_path)
    command = [sys.executable, "-m", "pytest", "-q", "-W", "error", "-p", "no:cacheprovider"]
    ran = subprocess.run(command, capture_output=True, text=True, check=False, cwd=tmp_path)
    assert ran.returncode == failed, ran.stdout + ran.stderr
    assert reason in ran.stdout


def test_a_fastapi_service_forwards_to_a_child_that_is_up(tmp_path: Path) -> None:
    async def main() -> list[tuple[int, bytes]]:
        async with Server(answer(200, body=b"from eu")) as eu:
            write_fleet(tmp_path, eu=eu.url)
            app = example(FASTAPI).application(str(tmp_path), "apps-api@multicluster")
            async with app.router.lifespan_context(app):
                there = await asked(app, "/orders", b"id=7")
                app.state.driver.set_up("eu", False)
                down = await asked(app, "/orders")
            assert b"GET /orders?id=7 HTTP/1.1" in b"".join(eu.heads)
            return [there, down]

    assert asyncio.run(main()) == [(200, b"from eu"), (503, b'{"detail":"no child is up"}')]


def send_requests(selector: Any, latency: dict[str, int], number: int) -> list[str]:
    """Pick, and end each request at once, after its target's latency in nanoseconds."""
    picks = []
    for _ in range(number):
        picks.append(selector.pick())
        selector.ended(picks[-1], True, latency[picks[-1]])
    return picks


def test_peak_ewma_gives_a_slow_child_fewer_picks() -> None:
    now, ticks = 0, count()
    clock = lambda: now + next(ticks)  # noqa: E731 - reads the variable above
    scheduler = example(PEAK_EWMA).PeakEwma(half_life=100_000, seed=1, clock=clock)
    selector = Selector({"eu": 1, "us": 1, "ap": 1}, scheduler=scheduler)
    slow = Counter(send_requests(selector, {"eu": 5000, "us": 100, "ap": 100}, 900))
    # Drawn twice in one of nine picks, and then the only choice.
    assert 60 < slow["eu"] < 140
    assert slow["us"] + slow["ap"] == 900 - slow["eu"]

    now += 100_000 * 20  # half-lives later, the slow answers are forgotten
    even = Counter(send_requests(selector, dict.fromkeys(("eu", "us", "ap"), 100), 900))
    assert all(150 < even[child] < 400 for child in ("eu", "us", "ap"))


def test_peak_ewma_avoids_a_child_with_outstanding_or_failed_requests() -> None:
    scheduler = example(PEAK_EWMA).PeakEwma(seed=2, clock=lambda: 0)
    selector = Selector({"eu": 1, "us": 1}, scheduler=scheduler)
    send_requests(selector, {"eu": 100, "us": 100}, 20)
    # None of these ends: the choice between two different targets evens out what is outstanding.
    outstanding = Counter(selector.pick_many(400))
    assert abs(outstanding["eu"] - outstanding["us"]) < 20
    for child, number in outstanding.items():
        for _ in range(number):
            selector.ended(child, child == "us", 100)
    picks = Counter(send_requests(selector, {"eu": 100, "us": 100}, 400))
    assert 60 < picks["eu"] < 140  # both draws in a quarter of the picks


def test_peak_ewma_is_deterministic_with_a_seed_and_keeps_what_an_excluded_child_learned() -> None:
    def run() -> list[str]:
        scheduler = example(PEAK_EWMA).PeakEwma(seed=3, clock=lambda: 0)
        selector = Selector({"eu": 3, "us": 1}, scheduler=scheduler)
        picks = send_requests(selector, {"eu": 900, "us": 100}, 50)
        assert selector.pick(exclude=["eu"]) == "us"
        selector.ended("us", True, 100)
        picks += send_requests(selector, {"eu": 900, "us": 100}, 200)
        selector._check()
        return picks

    picks = run()
    assert picks == run()
    assert 80 < picks[50:].count("eu") < 140  # drawn twice in 9 of 16 picks


async def asked(app: Any, path: str, query: bytes = b"") -> tuple[int, bytes]:
    """Send a request to an application as a server would, by ASGI."""
    sent: list[dict[str, Any]] = []

    body_received = False

    async def receive() -> dict[str, Any]:
        nonlocal body_received
        if body_received:
            await asyncio.Event().wait()  # the client stays connected
        body_received = True
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message: dict[str, Any]) -> None:
        sent.append(message)

    scope = {
        "type": "http",
        "http_version": "1.1",
        "method": "GET",
        "scheme": "http",
        "path": path,
        "raw_path": path.encode(),
        "query_string": query,
        "headers": [],
        "server": ("localhost", 80),
        "app": app,
    }
    await app(scope, receive, send)
    body = b"".join(message.get("body", b"") for message in sent)
    return sent[0]["status"], body


PLAIN = ROOT / "examples" / "plain" / "client.py"


def test_the_plain_client_avoids_a_child_that_fails() -> None:
    async def main() -> list[bytes]:
        with Child("eu", "fail") as eu, Child("us") as us:
            orders: list[bytes] = await example(PLAIN).orders(eu.url, us.url)
            return orders

    assert asyncio.run(asyncio.wait_for(main(), 60)) == [b"us"] * 4


def proxied(tmp_path: Path, *children: Child) -> TestClient[Any, Any]:
    write_fleet(tmp_path, **{child.name: child.url for child in children})
    return TestClient(TestServer(example().application(str(tmp_path), "apps-api@multicluster")))


def test_the_reverse_proxy_forwards_everything_but_the_hop_by_hop_headers(tmp_path: Path) -> None:
    async def main() -> tuple[int, dict[str, Any]]:
        with Child("eu") as eu:
            async with proxied(tmp_path, eu) as client:
                url = client.make_url("/").join(URL("/echo/a%2Fb/%3F?id=7", encoded=True))
                headers = {"X-Key": "1", "X-Hop": "2", "Connection": "X-Hop"}
                async with client.session.put(url, data=b"body", headers=headers) as response:
                    return response.status, await response.json(content_type=None)

    status, seen = asyncio.run(asyncio.wait_for(main(), 60))

    assert (status, seen["method"], seen["path"], seen["body"]) == (
        200,
        "PUT",
        "/echo/a%2Fb/%3F?id=7",
        "body",
    )
    assert seen["headers"]["x-key"] == "1"
    assert "x-hop" not in seen["headers"]


def test_the_reverse_proxy_answers_for_children_that_cannot(tmp_path: Path) -> None:
    async def main() -> list[int]:
        statuses = []
        with Child("eu", "drop") as eu:
            async with proxied(tmp_path, eu) as client:
                for headers in ({}, {"Upgrade": "websocket", "Connection": "Upgrade"}):
                    async with client.post("/orders", data=b"x", headers=headers) as response:
                        statuses.append(response.status)
                eu.stop()
                while statuses[-1] != 503:
                    async with client.get("/orders") as response:
                        statuses.append(response.status)
        return statuses

    statuses = asyncio.run(asyncio.wait_for(main(), 60))
    assert (statuses[0] in {502, 503}, statuses[1], statuses[-1]) == (True, 501, 503)
    assert set(statuses) <= {501, 502, 503}
