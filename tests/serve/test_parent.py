"""A parent that runs: real sockets, sources and probers that do what the test says."""

from __future__ import annotations

import asyncio
import json
import logging
import signal
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from aiohttp.test_utils import TestServer
from tests.serve.fleets import offering, parent_of, reference, route, uplink
from tests.serve.servers import LIMIT, QueueSource, brief, serving

from uplinks.adapters.files import load_fleet
from uplinks.adapters.sources import Failure, Snapshot
from uplinks.adapters.sources.api import ApiSource
from uplinks.adapters.sources.folder import FolderSource
from uplinks.adapters.tokens import VariableToken
from uplinks.health import Outcome
from uplinks.model import HealthCheck
from uplinks.parent import Parent
from uplinks.render import TraefikOptions, to_traefik
from uplinks.serve.child import ChildServer, make_app
from uplinks.serve.live import LiveOptions
from uplinks.testing import ScriptedProber

ROOT = Path(__file__).parents[2]
MILLISECOND = 1_000_000
EU, US = "https://192.0.2.1:9443", "https://192.0.2.2:9443"
QUICK = HealthCheck(path="/health", interval=20 * MILLISECOND, timeout=10 * MILLISECOND)


def two() -> dict[str, QueueSource]:
    """Two children, whose checks run often."""
    return {
        "eu": QueueSource("eu's", offering("eu", uplink(weight=9, check=QUICK))),
        "us": QueueSource("us's", offering("us", uplink(weight=1, check=QUICK))),
    }


def test_a_proxy_gets_503_until_every_source_has_answered() -> None:
    async def test() -> None:
        sources = {"eu": QueueSource("eu's", offering("eu", uplink())), "us": QueueSource("us's")}
        async with serving(sources) as client:
            await client.until(lambda: client.server.live.sources["eu"].has_answered)
            assert (await client.get("/traefik"))[0] == 503
            assert (await client.get("/readyz"))[0] == 503
            assert (await client.get("/healthz"))[0] == 200

            sources["us"].put(Failure("connection refused"))
            await client.ready()

            assert list(await client.services()) == ["apps-api", "apps-api-eu"]
            assert (await client.get("/readyz"))[0] == 200

    asyncio.run(test())


def test_the_document_has_a_tag_and_is_sent_once() -> None:
    async def test() -> None:
        async with serving(two()) as client:
            await client.ready()
            status, headers, text = await client.get("/traefik")
            assert (status, headers["Content-Type"]) == (200, "application/json")
            assert int(headers["Content-Length"]) == len(text.encode())

            again, _, nothing = await client.get("/traefik", If_None_Match=headers["ETag"])

            assert (again, nothing) == (304, "")

    asyncio.run(test())


def test_a_child_that_fails_leaves_the_document_and_returns() -> None:
    async def test() -> None:
        prober = ScriptedProber()
        async with serving(two(), prober=prober) as client:
            live = client.server.live
            await client.ready()
            prober.script(EU, Outcome.fail("status 503"))
            await client.until(lambda: not live.parent.is_up("apps-api-eu@multicluster"))
            await client.until(lambda: not live.parent.unknown)

            def entries() -> Any:
                body = json.loads(bytes(live.traefik or b"{}"))["http"]["services"]["apps-api"]
                return [each["name"] for each in body["weighted"]["services"]]

            await client.until(lambda: entries() == ["apps-api-us@http"])
            prober.script(EU, Outcome.PASS)
            await client.until(lambda: entries() == ["apps-api-eu@http", "apps-api-us@http"])

    asyncio.run(test())


def test_the_state_has_sources_targets_and_findings_with_places() -> None:
    async def test() -> None:
        sources = two()
        async with serving(sources) as client:
            await client.ready()
            sources["us"].put(offering("us", uplink(weight=-1)))
            await client.until(lambda: client.server.live.sources["us"].error is not None)
            await client.until(lambda: len(client.server.describe("", None)["findings"]) > 1)

            state = await client.json("/api/state")

            assert state["services"]["apps-api@multicluster"] == {
                "apps-api-eu@multicluster": 9,
                "apps-api-us@multicluster": 1,
            }
            assert [target["child"] for target in state["targets"]] == ["eu", "us"]
            us = state["children"]["us"]
            assert (us["source"], us["stale"], us["uplinks"]) == ("us's", True, 1)
            worst = state["findings"][0]
            assert (worst["code"], worst["severity"], worst["line"]) == ("UPL103", "error", 1)
            assert {lane["url"] for lane in state["lanes"]} == {EU, US}

    asyncio.run(test())


def test_the_state_can_be_limited_to_what_matches() -> None:
    async def test() -> None:
        names = ("api", "api-v2", "web")
        source = QueueSource("eu's", offering("eu", *(uplink(name, check=None) for name in names)))
        async with serving({"eu": source}) as client:
            await client.ready()

            state = await client.json("/api/state?match=api&limit=1")

            assert list(state["services"]) == ["apps-api@multicluster"]
            assert (state["uplinks"], state["matching"], state["shown"]) == (3, 2, 1)
            assert (await client.get("/api/state?limit=-1"))[0] == 400
            assert (await client.get("/api/state?limit=x"))[0] == 400

    asyncio.run(test())


def test_a_stream_tells_what_changes() -> None:
    async def test() -> None:
        prober = ScriptedProber()
        async with serving(two(), prober=prober) as client, aiohttp.ClientSession() as session:
            await client.ready()
            async with session.get(f"{client.url}/api/events") as stream:
                assert stream.content_type == "text/event-stream"
                prober.script(EU, Outcome.fail("status 503"))
                async with asyncio.timeout(LIMIT):
                    async for line in stream.content:
                        if not line.startswith(b"data: "):
                            continue
                        events = json.loads(line[6:])["events"]
                        if any(e["after"] == "down" for e in events):
                            break
                (event,) = (e for e in events if e["after"] == "down")
                assert (event["url"], event["reason"], event["uplinks"]) == (EU, "status 503", 1)

    asyncio.run(test())


def test_documents_with_secrets_need_the_token(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TOKEN", "open-sesame")

    async def test() -> None:
        check = HealthCheck(path="/", headers={"Authorization": "hush"})
        source = QueueSource("eu's", offering("eu", uplink(check=check)))
        options: dict[str, Any] = {"token": VariableToken("TOKEN"), "eds_folder": "unused"}
        async with serving({"eu": source}, **options) as client:
            await client.ready()
            for path in ("/traefik", "/envoy"):
                assert (await client.get(path))[0] == 401
                assert (await client.get(path, Authorization="Bearer wrong"))[0] == 401
                status, _, text = await client.get(path, Authorization="Bearer open-sesame")
                assert (status, "hush" in text) == (200, True)
            for path in ("/", "/api/state", "/metrics", "/healthz", "/readyz"):
                status, _, text = await client.get(path)
                assert (status, "hush" in text) == (200, False)

    asyncio.run(test())


def test_a_loopback_server_answers_to_no_other_name() -> None:
    async def test() -> None:
        async with serving(two()) as client:
            for host in ("localhost:1", "127.0.0.1", "[::1]:80"):
                assert (await client.get("/healthz", Host=host))[0] == 200
            assert (await client.get("/healthz", Host="rebound.example.com"))[0] == 421
        async with serving(two(), loopback=False) as client:
            assert (await client.get("/healthz", Host="uplinks.example.com"))[0] == 200

    asyncio.run(test())


def test_a_source_that_raises_or_ends_is_followed_again(caplog: pytest.LogCaptureFixture) -> None:
    async def test() -> None:
        sources = two()
        async with serving(sources) as client:
            live = client.server.live
            await client.ready()
            before = live.traefik
            sources["eu"].put(RuntimeError("a defect"))
            await client.until(
                lambda: live.sources["eu"].error == "the source failed: RuntimeError"
            )
            await client.until(lambda: sources["eu"].started == 2)
            sources["eu"].put(None)
            await client.until(lambda: live.sources["eu"].error == "the source has ended")
            assert live.traefik == before

            sources["eu"].put(offering("eu", uplink(weight=5)))
            await client.until(lambda: live.sources["eu"].error is None)

            assert sources["us"].started == 1

    with caplog.at_level(logging.CRITICAL, "uplinks.serve"):
        asyncio.run(test())


def test_a_source_that_suddenly_offers_nothing_is_logged_once(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async def test() -> None:
        sources = two()
        async with serving(sources) as client:
            await client.ready()
            state = client.server.live.sources["eu"]
            for _ in range(2):
                sources["eu"].put(offering("eu"))
            sources["eu"].put(Failure("connection refused"))
            await client.until(lambda: state.error is not None)
            assert state.emptied_at is not None

    with caplog.at_level(logging.WARNING, "uplinks.serve"):
        asyncio.run(test())
    assert [r.getMessage() for r in caplog.records if "nothing" in r.getMessage()] == [
        "the source offers nothing; what it offered is served for another 1m0s"
    ]


def test_other_children_are_followed_when_the_parent_lists_them() -> None:
    async def test() -> None:
        sources, own = two(), QueueSource("parent's")
        async with serving(sources, parent_of("eu"), own=own) as client:
            await client.ready()
            assert list(await client.services()) == ["apps-api", "apps-api-eu"]

            router = route("api", reference("x@multicluster"))
            own.put(Snapshot(parent_of("eu", "us", routers=(router,))))
            await client.until(lambda: len(client.server.live.claims.offers) == 2)
            await client.until(lambda: not client.server.live.parent.unknown)
            services = await client.services()
            assert sorted(services) == ["apps-api", "apps-api-eu", "apps-api-us", "x"]
            own.put(Snapshot(parent_of("us")))
            await client.until(lambda: "eu" not in client.server.live.sources)

            assert sources["us"].started == 1

    asyncio.run(test())


def test_sighup_reads_every_source_again() -> None:
    async def test() -> None:
        sources, own = two(), QueueSource("parent's")
        async with serving(sources, own=own) as client:
            await client.ready()
            before = client.server.live.traefik
            signal.raise_signal(signal.SIGHUP)

            await client.until(lambda: [s.started for s in (own, *sources.values())] == [2, 2, 2])

            assert client.server.live.traefik == before

    asyncio.run(test())


def test_sigterm_drains_before_it_ends() -> None:
    async def test() -> None:
        go_on = asyncio.Event()

        async def pause(seconds: float) -> None:
            await (go_on.wait() if seconds == 0 else brief(seconds))

        async with serving(two(), pause=pause) as client:
            await client.ready()
            signal.raise_signal(signal.SIGTERM)
            await client.until(lambda: client.server.draining)

            assert (await client.get("/readyz"))[::2] == (503, "draining\n")
            assert (await client.get("/traefik"))[0] == 200
            go_on.set()

    asyncio.run(test())


def test_metrics_of_sources_and_documents() -> None:
    async def test() -> None:
        sources = two()
        async with serving(sources) as client:
            await client.ready()
            sources["us"].put(Failure("timed out"))
            await client.until(lambda: client.server.live.sources["us"].is_stale)

            _, headers, text = await client.get("/metrics")

            assert headers["Content-Type"].startswith("text/plain")
            lines = text.splitlines()
            assert 'uplinks_source_stale{child="eu"} 0.0' in lines
            assert 'uplinks_source_stale{child="us"} 1.0' in lines
            assert "uplinks_ready 1.0" in lines
            assert "uplinks_advertised 1.0" in lines
            assert any(line.startswith("uplinks_target_up{") for line in lines)

    asyncio.run(test())


# --- Envoy's files ----------------------------------------------------------------


def endpoints(folder: Path) -> dict[int, str]:
    """The weights of endpoints in an EDS file, with their status if it is set."""
    (resource,) = json.loads((folder / "apps-api.json").read_text("utf-8"))["resources"]
    return {
        each["load_balancing_weight"]: each.get("health_status", "")
        for locality in resource["endpoints"]
        for each in locality["lb_endpoints"]
    }


def test_envoys_files_follow_weights_and_health(tmp_path: Path) -> None:
    async def test() -> None:
        sources, prober, folder = two(), ScriptedProber(), tmp_path / "eds"
        live = LiveOptions(endpoints=True)
        async with serving(sources, prober=prober, live=live, eds_folder=str(folder)) as client:
            await client.until((folder / "apps-api.json").exists)
            assert endpoints(folder) == {9: "", 1: ""}
            sources["us"].put(offering("us", uplink(weight=4, check=QUICK)))
            await client.until(lambda: endpoints(folder) == {9: "", 4: ""})
            prober.script(EU, Outcome.fail("status 503"))
            await client.until(lambda: endpoints(folder) == {9: "UNHEALTHY", 4: ""})
            bootstrap = await client.json("/envoy")
            (cluster,) = bootstrap["static_resources"]["clusters"]
            source = cluster["eds_cluster_config"]["eds_config"]["path_config_source"]
            assert source["path"] == f"{folder}/apps-api.json"
            sources["us"].put(offering("us"))

        assert [path.name for path in folder.iterdir()] == ["apps-api.json"]

    asyncio.run(test())


def test_files_that_cannot_be_written_stay_until_they_can(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async def test() -> None:
        sources, folder, full = two(), tmp_path / "eds", tmp_path / "full"
        live = LiveOptions(endpoints=True)
        async with serving(sources, live=live, eds_folder=str(folder)) as client:
            eds = client.server.eds
            assert eds is not None
            await client.until((folder / "apps-api.json").exists)
            # In place of the folder there is a file: no user can write anything.
            folder.rename(full)
            folder.write_text("", "utf-8")
            sources["us"].put(offering("us", uplink(weight=4, check=QUICK)))
            await client.until(lambda: eds.error is not None)
            assert endpoints(full) == {9: "", 1: ""}
            assert (await client.json("/api/state"))["eds"]["error"] == eds.error

            folder.unlink()
            full.rename(folder)
            await client.until(lambda: eds.error is None)

            assert endpoints(folder) == {9: "", 4: ""}

    with caplog.at_level(logging.CRITICAL, "uplinks.serve"):
        asyncio.run(test())


def test_without_a_folder_there_is_no_bootstrap() -> None:
    async def test() -> None:
        async with serving(two()) as client:
            await client.ready()
            assert (await client.get("/envoy"))[0] == 404

    asyncio.run(test())


# --- discovery by API -------------------------------------------------------------


def test_the_complete_example_with_discovery_by_api() -> None:
    fleet = load_fleet(ROOT / "examples/banking")

    async def test() -> None:
        servers = {}
        for name in fleet.children:
            folder = ROOT / "examples/banking/children" / name
            servers[name] = ChildServer(FolderSource(folder, name), lambda _: None)
        apps = [
            TestServer(make_app(lambda server=server: server.publication))  # type: ignore[misc]
            for server in servers.values()
        ]
        for app in apps:
            await app.start_server()
        try:
            running = [asyncio.ensure_future(server.run()) for server in servers.values()]
            apis = {
                name: ApiSource(str(app.make_url("/")), name, interval=20 * MILLISECOND)
                for name, app in zip(servers, apps, strict=True)
            }
            async with serving(apis, fleet.parent) as client:
                await client.until(lambda: len(client.server.live.claims.offers) == 2)
                document = (await client.json("/traefik"))["http"]
            expected = to_traefik(
                Parent.from_fleet(fleet).services, fleet.parent, TraefikOptions("http")
            )
            assert document == expected["http"]
            (router,) = document["routers"].values()
            assert router["service"] == "banking-banking-api@http"
        finally:
            for server in servers.values():
                server.stop()
            await asyncio.gather(*running)
            for app in apps:
                await app.close()

    asyncio.run(test())
