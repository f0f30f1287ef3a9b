"""The source, and the commands, with a real API server."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncGenerator, Awaitable, Callable
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from tests.kubernetes.between import Between
from tests.kubernetes.server import DEFINITIONS, ApiServer

from uplinks.adapters.sources import Failure, Snapshot, _api_server
from uplinks.adapters.sources.kubernetes import (
    IN_CLUSTER,
    KubernetesSource,
    Wanted,
    read_contexts,
)
from uplinks.cli import main as run_command
from uplinks.model import Cluster
from uplinks.schema import custom_resource_definition

Updates = AsyncGenerator[Snapshot | Failure]
CHECK = {"path": "/health", "interval": "10s", "timeout": "3s"}
ADMIN = "admin"


@pytest.fixture(autouse=True)
def _kubeconfig(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("KUBECONFIG", str(tmp_path / "kubeconfig"))


def follow(
    server: ApiServer,
    folder: Path,
    main: Callable[[Between, Updates], Awaitable[None]],
    token: str = ADMIN,
) -> None:
    """Follow a cluster through a proxy."""

    async def pause(_: float) -> None:
        await asyncio.sleep(0)

    async def follow_() -> None:
        async with asyncio.timeout(60), Between(server) as between:
            server.kubeconfig(folder / "kubeconfig", between.url, eu=token)
            updates = KubernetesSource("eu", "eu", pause=pause).updates()
            try:
                await main(between, updates)
            finally:
                await updates.aclose()

    asyncio.run(follow_())


def weights(update: Snapshot | Failure) -> dict[str, int] | str:
    if isinstance(update, Failure):
        return update.reason
    return {each.name: each.weight for each in update.cluster.uplinks}


async def until(updates: Updates, expected: dict[str, int]) -> None:
    async for update in updates:
        if weights(update) == expected:
            return


def test_it_lists_and_follows_each_change(server: ApiServer, tmp_path: Path) -> None:
    server.apply("a", weight=1)

    async def main(between: Between, updates: Updates) -> None:
        assert weights(await anext(updates)) == {"a": 1}
        await asyncio.to_thread(server.apply, "b", weight=2)
        assert weights(await anext(updates)) == {"a": 1, "b": 2}
        await asyncio.to_thread(server.apply, "a", weight=3)
        assert weights(await anext(updates)) == {"a": 3, "b": 2}
        await asyncio.to_thread(server.delete, "b")
        assert weights(await anext(updates)) == {"a": 3}
        assert between.requests == ["list", "watch"]

    follow(server, tmp_path, main)


def test_more_objects_than_a_page_are_all_read(server: ApiServer, tmp_path: Path) -> None:
    for number in range(501):
        server.apply(f"a{number}", weight=number)

    async def main(between: Between, updates: Updates) -> None:
        assert weights(await anext(updates)) == {f"a{number}": number for number in range(501)}
        await between.until("list", "list", "watch")

    follow(server, tmp_path, main)


def test_a_version_that_is_too_old_is_listed_again(server: ApiServer, tmp_path: Path) -> None:
    server.apply("a")

    async def main(between: Between, updates: Updates) -> None:
        await until(updates, {"a": 1})
        await between.until("list", "watch")
        between.ages = True
        between.cut()
        await asyncio.to_thread(server.apply, "b")
        await until(updates, {"a": 1, "b": 1})
        await between.until("watch", "list", "watch")

    follow(server, tmp_path, main)


def test_it_outlives_a_restart_and_misses_nothing(server: ApiServer, tmp_path: Path) -> None:
    server.apply("a")
    server.apply("b")

    async def main(between: Between, updates: Updates) -> None:
        await until(updates, {"a": 1, "b": 1})
        await asyncio.to_thread(server.kill)
        assert isinstance(await anext(updates), Failure)
        await asyncio.to_thread(server.start)
        await asyncio.to_thread(server.until_served)
        await asyncio.to_thread(server.apply, "c")
        await asyncio.to_thread(server.delete, "a")
        await until(updates, {"b": 1, "c": 1})

    follow(server, tmp_path, main)


def test_a_role_that_allows_uplinks_only_is_said(server: ApiServer, tmp_path: Path) -> None:
    server.apply("a")

    async def main(_: Between, updates: Updates) -> None:
        update = await anext(updates)
        assert isinstance(update, Snapshot)
        assert weights(update) == {"a": 1}
        assert [(str(d.location), d.severity.value) for d in update.cluster.diagnostics] == [
            ("eu/IngressRoute:1:1", "warning"),
            ("eu/TraefikService:1:1", "warning"),
        ]
        assert update.cluster.diagnostics[0].message == (
            "cannot be read: ingressroutes.traefik.io is forbidden: User "
            '"reader.uplinks" cannot list resource "ingressroutes" in API group "traefik.io" at '
            "the cluster scope; allow the verbs list and watch on ingressroutes.traefik.io"
        )
        await asyncio.to_thread(server.apply, "b")
        await until(updates, {"a": 1, "b": 1})

    follow(server, tmp_path, main, token="reader.uplinks")  # noqa: S106 - the server's own


def test_the_roles_of_the_documentation_are_enough(server: ApiServer, tmp_path: Path) -> None:
    server.apply("a")
    token = "reader.uplinks.ingressroutes.traefikservices"  # noqa: S105 - the server's own

    async def main(_: Between, updates: Updates) -> None:
        update = await anext(updates)
        assert isinstance(update, Snapshot)
        assert (weights(update), update.cluster.diagnostics) == ({"a": 1}, ())

    follow(server, tmp_path, main, token)


def test_in_a_pod_its_service_account_is_used(
    server: ApiServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    server.apply("a")
    address = urlsplit(server.url)
    for name, text in (
        ("token", "reader.uplinks.ingressroutes.traefikservices"),
        ("namespace", "uplinks"),
        ("ca.crt", server.certificate.read_text()),
    ):
        (tmp_path / name).write_text(text)
    monkeypatch.setattr(_api_server, "SERVICE_ACCOUNT", str(tmp_path))
    monkeypatch.setenv("KUBERNETES_SERVICE_HOST", str(address.hostname))
    monkeypatch.setenv("KUBERNETES_SERVICE_PORT", str(address.port))

    [cluster] = read_contexts([Wanted(Cluster("eu"), IN_CLUSTER)])
    assert [each.owner for each in cluster.uplinks] == ["apps/a"]
    assert cluster.diagnostics == ()


def test_without_valid_credentials_nothing_is_read(server: ApiServer, tmp_path: Path) -> None:
    async def main(_: Between, updates: Updates) -> None:
        failure = await anext(updates)
        assert isinstance(failure, Failure)
        assert failure.reason.endswith(": Unauthorized")

    follow(server, tmp_path, main, token="nobody")  # noqa: S106 - the server's own


def test_a_definition_may_come_later_and_go(server: ApiServer, tmp_path: Path) -> None:
    path = f"{DEFINITIONS}/uplinks.hub.traefik.io"

    async def main(_: Between, updates: Updates) -> None:
        async for update in updates:
            if isinstance(update, Snapshot):
                [nothing] = update.cluster.diagnostics
                assert nothing.message.endswith(", uplinks.hub.traefik.io")
                break
        await asyncio.to_thread(server.define, custom_resource_definition())
        await asyncio.to_thread(server.apply, "a")
        await until(updates, {"a": 1})

    assert server.call("DELETE", path)[0] == 200
    while server.call("GET", path)[0] == 200:
        pass
    follow(server, tmp_path, main)


def test_two_clusters_are_checked_and_simulated_as_one_fleet(
    server: ApiServer,
    other: ApiServer,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    files = [tmp_path / "eu", tmp_path / "us"]
    for file, each in zip(files, (server, other), strict=True):
        each.apply("api", weight=10, healthCheck=CHECK)
        each.kubeconfig(file, **{file.name: ADMIN})
    monkeypatch.setenv("KUBECONFIG", ":".join(map(str, files)))
    contexts = ["--context", "eu", "--context", "us"]

    status = run_command(["check", *contexts])
    assert (status, capsys.readouterr().out) == (
        0,
        "2 children, 2 uplinks, 2 documents: no findings\n",
    )

    service = ["--service", "apps-api@multicluster", "--fail", "eu@1m-2m", "--duration", "4m"]
    status = run_command(["simulate", *contexts, *service, "--format", "json"])
    run = json.loads(capsys.readouterr().out)
    assert (status, run["timesDown"], run["withinBounds"]) == (0, 1, True)
    [out] = [phase for phase in run["phases"] if phase["down"] and phase["failing"]]
    assert (out["down"], out["failed"]) == (["eu"], 0)
    assert {each["child"]: each["share"] for each in out["shares"] if each["share"]} == {"us": 1.0}
