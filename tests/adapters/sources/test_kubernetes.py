from __future__ import annotations

import asyncio
import gc
import json
import sys
from collections.abc import AsyncGenerator, Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
from tests.adapters.sources.api_servers import (
    ROUTES,
    SERVICES,
    UPLINKS,
    ApiServer,
    bookmark,
    event,
    expired,
    kubeconfig,
    page,
    raw,
    served,
    status,
    uplink,
    watch,
)

from uplinks.adapters.files import Texts
from uplinks.adapters.sources import Failure, Snapshot, _api_server
from uplinks.adapters.sources import kubernetes as source_module
from uplinks.adapters.sources.kubernetes import (
    IN_CLUSTER,
    KubernetesSource,
    Wanted,
    read_contexts,
)
from uplinks.model import ChildConfig, Cluster, ParentConfig, UplinkEntryPoint

Update = Snapshot | Failure
Updates = AsyncGenerator[Update]
NO_UPLINKS = "nothing found: it has no Uplink, no IngressRoute, no TraefikService"


def run(
    folder: Path,
    main: Callable[[ApiServer, Updates], Awaitable[None]],
    script: Callable[[ApiServer], None] = lambda _: None,
) -> list[float]:
    """Follow a scripted API server; give the pauses that the source made."""
    pauses: list[float] = []

    async def pause(seconds: float) -> None:
        pauses.append(seconds)
        await asyncio.sleep(0)

    async def follow() -> None:
        async with asyncio.timeout(20), ApiServer(folder) as server:
            script(server)
            source = KubernetesSource("eu", "eu", jitter=lambda: 1.0, pause=pause)
            updates = source.updates()
            try:
                await main(server, updates)
            finally:
                await updates.aclose()

    try:
        asyncio.run(follow())
    finally:
        gc.collect()
    return pauses


@pytest.fixture(autouse=True)
def _kubeconfig(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("KUBECONFIG", str(tmp_path / "kubeconfig"))


def weights(update: Update) -> dict[str, int]:
    assert isinstance(update, Snapshot), update
    return {each.uplink_name: each.weight for each in update.cluster.uplinks}


async def until(updates: Updates, expected: dict[str, int]) -> None:
    """Take updates until one has these uplinks and weights."""
    async for update in updates:
        if isinstance(update, Snapshot) and weights(update) == expected:
            return


# --- lists and watches ------------------------------------------------------


def test_it_lists_all_pages_and_then_follows_each_change(tmp_path: Path) -> None:
    def script(server: ApiServer) -> None:
        server.scripts[UPLINKS] += [
            page(uplink("b", weight=2), version="5", following="p2"),
            page(uplink("a", weight=1), version="5"),
        ]

    async def main(server: ApiServer, updates: Updates) -> None:
        assert weights(await anext(updates)) == {"apps-a": 1, "apps-b": 2}
        push = server.pushed[UPLINKS].put_nowait
        push(event("MODIFIED", uplink("a", "6", weight=7)))
        assert weights(await anext(updates)) == {"apps-a": 7, "apps-b": 2}
        push(event("DELETED", uplink("b", "7")))
        assert weights(await anext(updates)) == {"apps-a": 7}
        push(event("ADDED", uplink("c", "8", weight=3)))
        assert weights(await anext(updates)) == {"apps-a": 7, "apps-c": 3}
        assert server.asked(UPLINKS) == ["list", "list from p2", "watch 5"]
        assert {each["Authorization"] for each in server.headers} == {"Bearer t0ken"}

    assert run(tmp_path, main, script) == []


def test_nothing_is_said_before_every_kind_has_answered(tmp_path: Path) -> None:
    async def late(server: ApiServer, request: Any) -> Any:
        await server.until(UPLINKS, ["list", "watch 1"])
        return await page()(server, request)

    def script(server: ApiServer) -> None:
        server.scripts[UPLINKS].append(page(uplink("a")))
        server.scripts[SERVICES].append(late)

    async def main(server: ApiServer, updates: Updates) -> None:
        assert weights(await anext(updates)) == {"apps-a": 1}
        assert server.asked(SERVICES)[:1] == ["list"]

    run(tmp_path, main, script)


def test_a_watch_goes_on_from_the_last_bookmark(tmp_path: Path) -> None:
    def script(server: ApiServer) -> None:
        changed = event("ADDED", uplink("b", "4"))
        server.scripts[UPLINKS] += [page(uplink("a")), watch(changed, bookmark("9"), end=True)]

    async def main(server: ApiServer, updates: Updates) -> None:
        await until(updates, {"apps-a": 1, "apps-b": 1})
        server.pushed[UPLINKS].put_nowait(event("ADDED", uplink("c", "10")))
        await until(updates, {"apps-a": 1, "apps-b": 1, "apps-c": 1})
        assert server.asked(UPLINKS) == ["list", "watch 1", "watch 9"]

    assert run(tmp_path, main, script) == [0.5]


def test_a_watch_that_is_cut_off_goes_on_without_a_word(tmp_path: Path) -> None:
    def script(server: ApiServer) -> None:
        changed = event("ADDED", uplink("b", "4"))
        server.scripts[UPLINKS] += [page(uplink("a")), watch(changed, cut=True)]

    async def main(server: ApiServer, updates: Updates) -> None:
        seen = [await anext(updates) for _ in range(2)]
        server.pushed[UPLINKS].put_nowait(event("ADDED", uplink("c", "5")))
        seen.append(await anext(updates))
        assert [type(update) for update in seen] == [Snapshot] * 3
        assert weights(seen[-1]) == {"apps-a": 1, "apps-b": 1, "apps-c": 1}
        assert server.asked(UPLINKS) == ["list", "watch 1", "watch 4"]

    assert run(tmp_path, main, script) == []


@pytest.mark.parametrize("gone", [watch(expired()), status(410, "gone")], ids=["event", "status"])
def test_after_410_the_kind_is_listed_again(tmp_path: Path, gone: Any) -> None:
    def script(server: ApiServer) -> None:
        first = page(uplink("a"), uplink("b"))
        server.scripts[UPLINKS] += [first, gone, page(uplink("a"), uplink("c", "8"), version="9")]

    async def main(server: ApiServer, updates: Updates) -> None:
        first = await anext(updates)
        second = await anext(updates)
        assert (weights(first), weights(second)) == (
            {"apps-a": 1, "apps-b": 1},
            {"apps-a": 1, "apps-c": 1},
        )
        # What has not changed is not read again.
        assert first.cluster.uplinks[0] is second.cluster.uplinks[0]  # type: ignore[union-attr]
        server.pushed[UPLINKS].put_nowait(event("DELETED", uplink("a", "10")))
        assert weights(await anext(updates)) == {"apps-c": 1}
        assert server.asked(UPLINKS) == ["list", "watch 1", "list", "watch 9"]

    run(tmp_path, main, script)


def test_a_server_that_always_says_410_is_not_asked_without_pauses(tmp_path: Path) -> None:
    def script(server: ApiServer) -> None:
        for _ in range(4):
            server.scripts[UPLINKS] += [page(uplink("a")), watch(expired())]
        server.scripts[UPLINKS].append(page(uplink("b")))

    async def main(server: ApiServer, updates: Updates) -> None:
        await until(updates, {"apps-b": 1})

    assert run(tmp_path, main, script) == [0.5, 1.0, 2.0, 4.0]


def test_a_page_that_has_expired_begins_the_list_again(tmp_path: Path) -> None:
    def script(server: ApiServer) -> None:
        server.scripts[UPLINKS] += [
            page(uplink("a"), following="p2"),
            status(410, "the continue parameter is too old"),
            page(uplink("b"), version="7"),
        ]

    async def main(server: ApiServer, updates: Updates) -> None:
        assert weights(await anext(updates)) == {"apps-b": 1}
        await server.until(UPLINKS, ["list", "list from p2", "list", "watch 7"])

    assert run(tmp_path, main, script) == [0.5]


# --- failures ---------------------------------------------------------------


def test_a_restarted_server_is_stale_until_it_answers_again(tmp_path: Path) -> None:
    def script(server: ApiServer) -> None:
        server.scripts[UPLINKS].append(page(uplink("a")))

    async def main(server: ApiServer, updates: Updates) -> None:
        assert weights(await anext(updates)) == {"apps-a": 1}
        await server.stop()
        failure = await anext(updates)
        assert isinstance(failure, Failure)
        assert "connection" in failure.reason.lower()
        await server.start()
        server.pushed[UPLINKS].put_nowait(event("ADDED", uplink("b", "2")))
        async for update in updates:
            if isinstance(update, Snapshot) and len(weights(update)) == 2:
                break
        assert set(server.asked(UPLINKS)[1:]) == {"watch 1"}

    pauses = run(tmp_path, main, script)
    assert pauses[:1] == [0.5]


def test_pauses_double_up_to_half_a_minute_and_a_reason_is_said_once(tmp_path: Path) -> None:
    def script(server: ApiServer) -> None:
        server.scripts[UPLINKS] += [status(503, "starting")] * 9 + [page(uplink("a"))]

    async def main(server: ApiServer, updates: Updates) -> None:
        assert await anext(updates) == Failure("uplinks.hub.traefik.io: starting")
        assert weights(await anext(updates)) == {"apps-a": 1}

    assert run(tmp_path, main, script) == [0.5, 1.0, 2.0, 4.0, 8.0, 16.0, 30.0, 30.0, 30.0]


def test_half_of_each_pause_is_chance() -> None:
    chances = iter([0.0, 0.5])
    source = KubernetesSource("eu", "eu", jitter=lambda: next(chances))

    assert [source._delay(1), source._delay(3)] == [0.25, 1.5]


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        (raw(b"<html>"), "the answer is not JSON"),
        (raw(b"[" * 100_000), "the answer is not JSON"),
        (raw(b"{}"), "the answer is not a list of objects"),
        (raw(b'{"items": {}, "metadata": {"resourceVersion": "1"}}'), "the answer is not a list"),
        (page({"metadata": {}}), "the answer has an object without a version"),
        (page(5), "the answer has an object without a version"),
        (raw(b"", 302, Location="/elsewhere"), "the answer is 302 Found"),
        (status(401, "Unauthorized"), "Unauthorized"),
        (status(500, "two\nlines"), "two lines"),
        (raw(b"\xff", 500), "the answer is 500 Internal Server Error"),
    ],
)
def test_an_answer_that_cannot_be_used_is_a_failure(
    tmp_path: Path, answer: Any, reason: str
) -> None:
    def script(server: ApiServer) -> None:
        server.scripts[UPLINKS].append(answer)

    async def main(server: ApiServer, updates: Updates) -> None:
        failure = await anext(updates)
        assert isinstance(failure, Failure)
        assert failure.reason.startswith(f"uplinks.hub.traefik.io: {reason}")

    run(tmp_path, main, script)


@pytest.mark.parametrize("line", [b"<html>\n", b"5\n", b'{"type": "ADDED", "object": {}}\n'])
def test_a_watch_that_cannot_be_used_changes_nothing(tmp_path: Path, line: bytes) -> None:
    def script(server: ApiServer) -> None:
        server.scripts[UPLINKS] += [page(uplink("a")), watch(line), watch(line)]

    async def main(server: ApiServer, updates: Updates) -> None:
        assert weights(await anext(updates)) == {"apps-a": 1}
        assert isinstance(await anext(updates), Failure)
        assert weights(await anext(updates)) == {"apps-a": 1}

    run(tmp_path, main, script)


@pytest.mark.parametrize("unit", ["list", "event", "objects", "seconds"])
def test_everything_that_is_read_has_a_limit(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, unit: str
) -> None:
    long = uplink("long", exposeName="x" * 2000)
    reasons = {
        "list": "the answer has more than 1000 bytes",
        "event": "an event has more than 1000 bytes",
        "objects": "more than 1 uplinks",
        "seconds": "no complete answer within 0.01 s",
    }
    if unit in {"list", "event"}:
        monkeypatch.setattr(_api_server, "MOST_BYTES", 1000)
    elif unit == "objects":
        monkeypatch.setattr(source_module, "MOST_OBJECTS", 1)
    else:
        monkeypatch.setattr(_api_server, "LIST_SECONDS", 0.01)

    def script(server: ApiServer) -> None:
        server.scripts[UPLINKS] += {
            "list": [page(long)],
            "event": [page(uplink("a")), *[watch(event("ADDED", long))] * 2],
            "objects": [page(uplink("a"), uplink("b"))],
            "seconds": [watch()],  # its end never comes
        }[unit]

    async def main(server: ApiServer, updates: Updates) -> None:
        async for update in updates:
            if isinstance(update, Failure):
                break
        assert update == Failure(f"uplinks.hub.traefik.io: {reasons[unit]}")

    run(tmp_path, main, script)


# --- what may not be read ---------------------------------------------------


def test_a_forbidden_kind_is_said_and_the_others_go_on(tmp_path: Path) -> None:
    def script(server: ApiServer) -> None:
        server.scripts[UPLINKS].append(page(uplink("a")))
        server.scripts[ROUTES] += [status(403, "not for you")] * 2

    async def main(server: ApiServer, updates: Updates) -> None:
        update = await anext(updates)
        assert weights(update) == {"apps-a": 1}
        assert isinstance(update, Snapshot)
        assert list(map(str, update.cluster.diagnostics)) == [
            (
                "eu/IngressRoute:1:1: warning UPL012: cannot be read: not for you; allow the verbs "
                "list and watch on ingressroutes.traefik.io"
            )
        ]
        # Once it may be read, that is over.
        update = await anext(updates)
        assert isinstance(update, Snapshot)
        assert update.cluster.diagnostics == ()

    assert run(tmp_path, main, script) == [0.5, 1.0]


def test_a_kind_that_becomes_forbidden_keeps_its_last_objects(tmp_path: Path) -> None:
    def script(server: ApiServer) -> None:
        server.scripts[UPLINKS] += [page(uplink("a")), status(403, "no longer"), status(403, "no")]

    async def main(server: ApiServer, updates: Updates) -> None:
        assert weights(await anext(updates)) == {"apps-a": 1}
        update = await anext(updates)
        assert weights(update) == {"apps-a": 1}
        assert isinstance(update, Snapshot)
        assert [d.severity.value for d in update.cluster.diagnostics] == ["error"]

    run(tmp_path, main, script)


def test_a_kind_that_the_server_does_not_know_has_no_objects(tmp_path: Path) -> None:
    def script(server: ApiServer) -> None:
        server.scripts[UPLINKS] += [raw(b"404 page not found", 404)] * 2
        server.scripts[UPLINKS].append(page(uplink("a")))

    async def main(server: ApiServer, updates: Updates) -> None:
        update = await anext(updates)
        assert isinstance(update, Snapshot)
        assert list(map(str, update.cluster.diagnostics)) == [
            (
                f"context:eu:1:1: error UPL011: {NO_UPLINKS}; its API server does not know "
                "uplinks.hub.traefik.io"
            )
        ]
        assert weights(await anext(updates)) == {"apps-a": 1}

    run(tmp_path, main, script)


def test_a_kind_that_is_no_longer_known_is_doubted_at_first(tmp_path: Path) -> None:
    unknown = raw(b"404 page not found", 404)

    def script(server: ApiServer) -> None:
        server.scripts[UPLINKS] += [page(uplink("a")), unknown, unknown, watch(end=True)]
        server.scripts[UPLINKS] += [unknown] * 6

    async def main(server: ApiServer, updates: Updates) -> None:
        assert weights(await anext(updates)) == {"apps-a": 1}
        failure = Failure("uplinks.hub.traefik.io: the answer is 404 Not Found")
        assert await anext(updates) == failure
        assert weights(await anext(updates)) == {"apps-a": 1}
        assert await anext(updates) == failure
        assert weights(await anext(updates)) == {}

    run(tmp_path, main, script)


# --- what is read of an object ----------------------------------------------


def test_diagnostics_point_into_the_object_as_its_author_wrote_it(tmp_path: Path) -> None:
    bad = uplink("a", weight=-1, healthCheck={"headers": {"Authorization": "Bearer s3cret"}})
    bad["status"] = {"s3cret": True}
    applied = "kubectl.kubernetes.io/last-applied-configuration"
    bad["metadata"]["annotations"] = {applied: json.dumps(bad), "team": "é"}
    texts = Texts()
    cluster = read_scripted(tmp_path, texts, uplinks=page(bad))

    location = cluster.uplinks[0].origin.locate("spec", "weight")
    assert str(location) == "eu/apps/Uplink/a:12:15"
    assert list(texts) == ["eu/apps/Uplink/a"]
    text = texts["eu/apps/Uplink/a"].decode()
    assert text.splitlines()[11] == '    "weight": -1,'
    bad.pop("status")
    bad["metadata"] = {"name": "a", "namespace": "apps", "annotations": {"team": "é"}}
    assert json.loads(text) == bad
    assert "s3cret" not in repr(cluster)


def test_a_source_reads_the_same_objects_and_finds_their_places(tmp_path: Path) -> None:
    spec: Any = {"weight": 9, "healthCheck": {"path": "/é\U0001f642", "headers": {"A": "b"}}}
    objects = [uplink("good", **spec), uplink("bad", wieght=1)]

    async def main() -> Update:
        async with ApiServer(tmp_path) as server:
            server.scripts[UPLINKS].append(page(*objects))
            updates = KubernetesSource("eu", "eu").updates()
            first = await anext(updates)
            await updates.aclose()
            return first

    followed = asyncio.run(main())
    assert isinstance(followed, Snapshot)
    read = read_scripted(tmp_path, Texts(), uplinks=page(*objects))
    assert (followed.cluster, followed.cluster.diagnostics) == (read, read.diagnostics)
    for one, other in zip(followed.cluster.uplinks, read.uplinks, strict=True):
        for path in (("spec",), ("spec", "healthCheck", "headers", "A"), ("spec", "no")):
            assert one.origin.locate(*path) == other.origin.locate(*path)
            assert one.origin.value_at(*path) == other.origin.value_at(*path)


def test_half_of_a_surrogate_pair_harms_nothing(tmp_path: Path) -> None:
    half = uplink("a", weight=-1, healthCheck={"path": "/\ud800"})
    texts = Texts()
    cluster = read_scripted(tmp_path, texts, uplinks=page(half))

    assert str(cluster.uplinks[0].origin.locate("spec", "weight")) == "eu/apps/Uplink/a:9:15"
    assert b'"/?"' in texts["eu/apps/Uplink/a"]
    followed = read_scripted(tmp_path, uplinks=page(half))
    assert str(followed.uplinks[0].origin.locate("spec", "weight")) == "eu/apps/Uplink/a:9:15"


def test_an_object_that_is_nested_too_deep_is_a_finding(tmp_path: Path) -> None:
    deep: Any = []
    for _ in range(200):
        deep = [deep]
    cluster = read_scripted(tmp_path, uplinks=page(uplink("a", weight=deep)))

    assert [(each.code, each.location.file) for each in cluster.diagnostics] == [
        ("UPL004", "eu/apps/Uplink/a")
    ]


def read_scripted(
    folder: Path,
    texts: Texts | None = None,
    own: Cluster = Cluster("eu"),  # noqa: B008 - immutable
    context: str = "eu",
    **answers: Any,
) -> Cluster:
    """Read once from a scripted API server."""

    with served(folder, **answers):
        [cluster] = read_contexts([Wanted(own, context)], texts)
    return cluster


def test_without_a_configuration_a_child_has_the_entry_points_that_it_names(
    tmp_path: Path,
) -> None:
    named = page(uplink("a", entryPoints=["multi"]), uplink("b"))
    own = ChildConfig({"up": UplinkEntryPoint(":1")}, multicluster=True)

    assert read_scripted(tmp_path, uplinks=named).child_config == ChildConfig(
        {"multi": UplinkEntryPoint(":9443", as_default=True)}, multicluster=True
    )
    assert read_scripted(tmp_path, uplinks=page(uplink("b"))).child_config == ChildConfig(
        {"multicluster": UplinkEntryPoint(":9443", as_default=True)}, multicluster=True
    )
    given = read_scripted(tmp_path, own=Cluster("eu", child_config=own), uplinks=named)
    assert given.child_config == own


def test_a_source_adds_the_configuration_of_its_files(tmp_path: Path) -> None:
    file = tmp_path / "traefik.yaml"
    file.write_text(
        "hub: {uplinkEntryPoints: {up: {address: ':1'}}, providers: {multicluster: {}}}"
    )

    async def main() -> Update:
        async with ApiServer(tmp_path) as server:
            server.scripts[UPLINKS].append(page(uplink("a")))
            updates = KubernetesSource("eu", "eu", [file]).updates()
            first = await anext(updates)
            await updates.aclose()
            return first

    update = asyncio.run(main())
    assert isinstance(update, Snapshot)
    assert update.cluster.child_config == ChildConfig(
        {"up": UplinkEntryPoint(":1")}, multicluster=True
    )
    assert [each.owner for each in update.cluster.uplinks] == ["apps/a"]


def test_a_parent_with_its_configuration_needs_no_objects(tmp_path: Path) -> None:
    own = Cluster("parent", parent_config=ParentConfig())

    with served(tmp_path):
        wanted = [Wanted(own, "eu", "parent"), Wanted(Cluster("parent"), "eu", "parent")]
        configured, bare = read_contexts(wanted)

    assert configured == own
    assert [str(each) for each in bare.diagnostics] == [
        f"context:eu:1:1: error UPL011: {NO_UPLINKS}"
    ]


# --- contexts ---------------------------------------------------------------


def test_contexts_come_from_all_files_of_the_kubeconfig(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    other = tmp_path / "other"
    other.write_text(json.dumps(kubeconfig("http://127.0.0.1:1")).replace('"eu"', '"us"'))
    paths = f"{other}:{tmp_path / 'missing'}:{tmp_path / 'kubeconfig'}"
    monkeypatch.setenv("KUBECONFIG", paths)

    assert read_scripted(tmp_path, uplinks=page(uplink("a"))).uplinks[0].owner == "apps/a"
    unknown = read_scripted(tmp_path, context="asia")
    assert list(map(str, unknown.diagnostics)) == [
        (
            "context:asia:1:1: error UPL012: cannot be read: no context asia in the kubeconfig; "
            "the contexts are eu, us"
        )
    ]


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("5", "context eu cannot be read from the kubeconfig: AttributeError"),
        ("a: [", "context eu cannot be read from the kubeconfig: ParserError"),
        ('{"contexts": [], "clusters": []}', "no context eu in the kubeconfig; it has no contexts"),
        (
            json.dumps(kubeconfig("https://127.0.0.1:1", **{"client-certificate-data": "!"})),
            "the certificates of context eu cannot be used: TypeError",
        ),
    ],
)
def test_a_kubeconfig_that_cannot_be_used_is_a_finding(
    tmp_path: Path, text: str, reason: str
) -> None:
    (tmp_path / "kubeconfig").write_text(text)

    [cluster] = read_contexts([Wanted(Cluster("eu"), "eu")])
    assert [each.message for each in cluster.diagnostics] == [f"cannot be read: {reason}"]


def test_in_cluster_without_a_service_account_says_so() -> None:
    [cluster] = read_contexts([Wanted(Cluster("eu"), IN_CLUSTER)])

    assert [each.message for each in cluster.diagnostics] == [
        "cannot be read: no service account: this process does not run in a pod that has one"
    ]


@pytest.mark.parametrize("version", ["v1", "v1beta1"])
def test_a_credential_command_of_either_version_is_run(tmp_path: Path, version: str) -> None:
    program = (
        "import json, os; info = json.loads(os.environ.get('KUBERNETES_EXEC_INFO', '{}'));"
        "print(json.dumps({'status': {'token': info.get('apiVersion', 'older')}}))"
    )
    api = f"client.authentication.k8s.io/{version}"
    command = {"apiVersion": api, "command": sys.executable, "args": ["-c", program]}

    with served(tmp_path) as server:
        url = json.loads(server.kubeconfig.read_text())["clusters"][0]["cluster"]["server"]
        server.kubeconfig.write_text(json.dumps(kubeconfig(url, exec=command)))
        read_contexts([Wanted(Cluster("eu"), "eu")])

    expected = api if version == "v1" else "older"
    assert server.headers[-1]["Authorization"] == f"Bearer {expected}"


def test_what_a_credential_command_prints_is_never_shown(tmp_path: Path) -> None:
    api = "client.authentication.k8s.io/v1"
    program = "import sys; sys.exit('s3cret')"
    command = {"apiVersion": api, "command": sys.executable, "args": ["-c", program]}
    (tmp_path / "kubeconfig").write_text(json.dumps(kubeconfig("http://127.0.0.1:1", exec=command)))

    [cluster] = read_contexts([Wanted(Cluster("eu"), "eu")])
    assert [each.message for each in cluster.diagnostics] == [
        (
            "cannot be read: there are no credentials for context eu: a token file is missing, or "
            "the command of its user failed"
        )
    ]
