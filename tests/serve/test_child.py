"""A child's API over real sockets: who is answered, and with what."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import ssl
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Self

import aiohttp
import pytest
import trustme
from tests.adapters.servers import run

from uplinks.adapters.sources import Failure, Snapshot
from uplinks.adapters.sources.api import ApiSource
from uplinks.adapters.sources.folder import FolderSource
from uplinks.adapters.tokens import FileToken
from uplinks.advertisements import PATH, read_document
from uplinks.errors import InvalidCertificates
from uplinks.model import (
    ChildConfig,
    ClientCertificate,
    Cluster,
    ServersTransport,
    Uplink,
    UplinkEntryPoint,
)
from uplinks.serve.child import ChildServer, Publication
from uplinks.serve.http import ServerTls

AUTHORITY = trustme.CA()
OTHER = trustme.CA()
CONFIG = ChildConfig({"up": UplinkEntryPoint(":9443", as_default=True)})
UNREADABLE = Failure("cannot be read: No such file or directory")
BROKEN = Snapshot(Cluster("", [Uplink("api", "apps", weight=-1)], child_config=CONFIG))


def snapshot(*names: str) -> Snapshot:
    return Snapshot(Cluster("", [Uplink(name, "apps") for name in names], child_config=CONFIG))


class Feed:
    """A source that says what the test says."""

    name = "children/eu"

    def __init__(self, *updates: Snapshot | Failure) -> None:
        self.queue: asyncio.Queue[Snapshot | Failure] = asyncio.Queue()
        self.readings = 0
        self.read = asyncio.Event()
        for update in updates:
            self.queue.put_nowait(update)

    async def updates(self) -> AsyncGenerator[Snapshot | Failure]:
        self.readings += 1
        self.read.set()
        while True:
            yield await self.queue.get()


class Running:
    """A server that runs, its log, and a client of it."""

    def __init__(self, source: Any, **options: Any) -> None:
        self.lines: list[str] = []
        self._logged = asyncio.Condition()
        self._notified: set[asyncio.Task[None]] = set()
        self.server = ChildServer(source, self._log, **options)
        self.url = ""

    async def __aenter__(self) -> Self:
        self.task = asyncio.ensure_future(self.server.run())
        await self.logged("listening on ")
        self.url = self.lines[0].removeprefix("listening on ").removesuffix(PATH)
        return self

    async def __aexit__(self, *exception: object) -> None:
        self.server.stop()
        await self.task

    def _log(self, line: str) -> None:
        self.lines.append(line)
        task = asyncio.ensure_future(self._notify())
        self._notified.add(task)
        task.add_done_callback(self._notified.discard)

    async def _notify(self) -> None:
        async with self._logged:
            self._logged.notify_all()

    async def logged(self, start: str, times: int = 1) -> None:
        """Wait until so many lines start like this."""
        async with asyncio.timeout(60), self._logged:
            await self._logged.wait_for(
                lambda: sum(line.startswith(start) for line in self.lines) >= times
            )

    async def get(self, path: str = PATH, **headers: str) -> tuple[int, Any, bytes]:
        async with (
            aiohttp.ClientSession() as session,
            session.get(self.url + path, headers=headers) as answer,
        ):
            return answer.status, answer.headers, await answer.read()


def uplinks_of(body: bytes) -> list[str]:
    return [uplink.name for uplink in read_document(body).uplinks]


# --- the document -----------------------------------------------------------


def test_the_document_is_served_with_its_etag() -> None:
    async def main() -> None:
        feed = Feed(snapshot("api"))
        async with Running(feed) as child:
            await child.logged("publishing 1 uplink")
            status, headers, body = await child.get()
            assert (status, uplinks_of(body)) == (200, ["api"])
            assert headers["Content-Type"] == "application/json"
            assert headers["Cache-Control"] == "no-cache"
            etag = headers["ETag"]
            for condition in (etag, f"W/{etag}", f'"x", {etag}', "*"):
                status, headers, body = await child.get(**{"If-None-Match": condition})
                assert (status, headers["ETag"], body) == (304, etag, b"")
            feed.queue.put_nowait(snapshot("api", "web"))
            await child.logged("publishing 2 uplinks")
            status, headers, body = await child.get(**{"If-None-Match": etag})
            assert (status, uplinks_of(body)) == (200, ["api", "web"])
            assert headers["ETag"] != etag

    run(main())


def test_equal_manifests_have_equal_bytes_and_one_etag() -> None:
    first, second = (Publication().updated(snapshot(*names)) for names in ("ab", "ba"))

    assert (first.body, first.etag) == (second.body, second.etag)


def test_only_the_document_and_its_health_are_there() -> None:
    async def main() -> None:
        async with Running(Feed(snapshot("api"))) as child:
            assert [(await child.get(path))[0] for path in ("/", PATH + "/", "/healthz")] == [
                404,
                404,
                200,
            ]
            async with aiohttp.ClientSession() as session:
                async with session.post(child.url + PATH, data=b"x") as answer:
                    assert answer.status == 405
                async with session.head(child.url + PATH) as answer:
                    assert answer.status == 200

    run(main())


# --- manifests with errors --------------------------------------------------


def test_the_last_good_document_stays_and_it_is_said() -> None:
    async def main() -> list[str]:
        feed = Feed(snapshot("api"))
        async with Running(feed) as child:
            await child.logged("publishing")
            _, headers, good = await child.get()
            for update, end in (
                (BROKEN, "the manifests have errors"),
                (UNREADABLE, "children/eu cannot be read"),
            ):
                feed.queue.put_nowait(update)
                await child.logged(end)
                status, now, body = await child.get()
                assert (status, now["ETag"], body) == (200, headers["ETag"], good)
            feed.queue.put_nowait(snapshot("api"))
            await child.logged("publishing", 2)
            return child.lines[1:]

    message = "spec.weight of uplink apps/api must be an integer between 0 and 2147483647, got -1"
    assert run(main()) == [
        "publishing 1 uplink",
        f"<text>:1:1: error UPL103: {message}",
        "the manifests have errors; the last document stays",
        "children/eu cannot be read: No such file or directory; the last document stays",
        "publishing 1 uplink",
    ]


def test_nothing_is_served_before_there_is_a_document() -> None:
    async def main() -> None:
        feed = Feed(BROKEN)
        async with Running(feed) as child:
            await child.logged("the manifests have errors; nothing is published")
            status, headers, _ = await child.get()
            assert (status, headers["Retry-After"]) == (503, "5")
            feed.queue.put_nowait(snapshot("api"))
            await child.logged("publishing")
            assert (await child.get())[0] == 200

    run(main())


def test_healthz_says_whether_the_document_is_stale() -> None:
    async def main() -> list[Any]:
        states = []
        feed = Feed()
        async with Running(feed) as child:
            for update, end in (
                (None, "listening"),
                (snapshot("api"), "publishing"),
                (BROKEN, "the manifests have errors"),
                (UNREADABLE, "children/eu cannot be read"),
            ):
                if update is not None:
                    feed.queue.put_nowait(update)
                await child.logged(end)
                status, _, body = await child.get("/healthz")
                assert status == 200
                states.append(json.loads(body))
        return states

    keys = ("status", "published", "uplinks", "errors", "readable")
    assert [tuple(state[key] for key in keys) for state in run(main())] == [
        ("ok", False, 0, 0, True),
        ("ok", True, 1, 0, True),
        ("stale", True, 1, 1, True),
        ("stale", True, 1, 0, False),
    ]


# --- authentication ---------------------------------------------------------


def test_a_token_is_required_for_the_document_only(tmp_path: Path) -> None:
    file = tmp_path / "token"
    file.write_text("right\n")

    async def main() -> None:
        async with Running(Feed(snapshot("api")), token=FileToken(str(file))) as child:
            await child.logged("publishing")
            for value, expected in (
                ("Bearer right", 200),
                ("bearer  right", 200),
                ("Bearer wrong", 401),
                ("Bearer", 401),
                ("Basic right", 401),
                ("Bearer right\u00e9", 401),
            ):
                status, headers, body = await child.get(Authorization=value)
                assert (value, status) == (value, expected)
                if expected == 401:
                    assert headers["WWW-Authenticate"] == "Bearer"
                    assert b"uplinks" not in body
            assert (await child.get())[0] == 401
            assert (await child.get("/healthz"))[0] == 200
            file.write_text("renewed")
            assert (await child.get(Authorization="Bearer right"))[0] == 401
            assert (await child.get(Authorization="Bearer renewed"))[0] == 200
            file.unlink()
            assert (await child.get(Authorization="Bearer renewed"))[0] == 401

    run(main())


def files(folder: Path, certificate: trustme.LeafCert, name: str) -> tuple[str, str]:
    chain, key = folder / f"{name}.pem", folder / f"{name}.key"
    certificate.cert_chain_pems[0].write_to_path(str(chain))
    certificate.private_key_pem.write_to_path(str(key))
    return str(chain), str(key)


def spoil(path: str) -> None:
    Path(path).write_text("nonsense")


@asynccontextmanager
async def polling(url: str, **transport: Any) -> AsyncIterator[Any]:
    updates = ApiSource(url, "eu", transport=ServersTransport(**transport)).updates()
    try:
        yield await anext(updates)
    finally:
        await updates.aclose()


def test_a_client_certificate_is_required(tmp_path: Path) -> None:
    server = files(tmp_path, AUTHORITY.issue_cert("127.0.0.1"), "server")
    root = tmp_path / "ca.pem"
    AUTHORITY.cert_pem.write_to_path(str(root))
    good = ClientCertificate(*files(tmp_path, AUTHORITY.issue_cert("parent"), "parent"))
    bad = ClientCertificate(*files(tmp_path, OTHER.issue_cert("parent"), "other"))

    async def main() -> None:
        tls = ServerTls(*server, client_ca=str(root))
        async with Running(Feed(snapshot("api")), tls=tls) as child:
            await child.logged("publishing")
            assert child.url.startswith("https://127.0.0.1:")
            async with polling(child.url, root_cas=[str(root)], certificates=[good]) as update:
                assert [uplink.name for uplink in update.cluster.uplinks] == ["api"]
            for certificates in ([], [bad]):
                async with polling(
                    child.url, root_cas=[str(root)], certificates=certificates
                ) as update:
                    assert isinstance(update, Failure)

    run(main())


def test_a_renewed_certificate_is_used(tmp_path: Path) -> None:
    server = files(tmp_path, OTHER.issue_cert("127.0.0.1"), "server")
    root = tmp_path / "ca.pem"
    AUTHORITY.cert_pem.write_to_path(str(root))
    looked = asyncio.Event()
    paused = asyncio.Event()

    async def pause(_: float) -> None:
        paused.set()
        await looked.wait()
        looked.clear()

    async def main() -> None:
        async with Running(Feed(snapshot("api")), tls=ServerTls(*server), pause=pause) as child:
            await child.logged("publishing")
            async with polling(child.url, root_cas=[str(root)]) as update:
                assert update == Failure("certificate: unknown issuer")
            await paused.wait()
            paused.clear()
            files(tmp_path, AUTHORITY.issue_cert("127.0.0.1"), "server")
            looked.set()
            await paused.wait()
            async with polling(child.url, root_cas=[str(root)]) as update:
                assert [uplink.name for uplink in update.cluster.uplinks] == ["api"]
            paused.clear()
            spoil(server[0])
            looked.set()
            await child.logged("cannot use certificates")
            async with polling(child.url, root_cas=[str(root)]) as update:
                assert [uplink.name for uplink in update.cluster.uplinks] == ["api"]

    run(main())


@pytest.mark.parametrize("field", ["certificate", "key", "client_ca"])
def test_certificates_that_cannot_be_used_are_refused(tmp_path: Path, field: str) -> None:
    certificate, key = files(tmp_path, AUTHORITY.issue_cert("127.0.0.1"), "server")
    names = {"certificate": certificate, "key": key, "client_ca": certificate}
    assert isinstance(ServerTls(**names).context(), ssl.SSLContext)
    bad = tmp_path / "bad.pem"
    bad.write_text("nonsense")

    for path in (str(bad), str(tmp_path / "missing")):
        with pytest.raises(InvalidCertificates):
            ServerTls(**{**names, field: path}).context()


# --- life -------------------------------------------------------------------


def hang_up(_: ChildServer) -> None:
    os.kill(os.getpid(), signal.SIGHUP)


@pytest.mark.parametrize("reload", [ChildServer.reload, hang_up])
def test_a_reload_reads_the_source_again(reload: Callable[[ChildServer], None]) -> None:
    async def main() -> int:
        feed = Feed(snapshot("api"))
        async with Running(feed) as child:
            await child.logged("publishing")
            feed.read.clear()
            reload(child.server)
            await feed.read.wait()
            feed.queue.put_nowait(snapshot("web"))
            await child.logged("publishing", 2)
            assert uplinks_of((await child.get())[2]) == ["web"]
        return feed.readings

    assert run(main()) == 2


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_it(number: signal.Signals) -> None:
    async def main() -> None:
        async with Running(Feed(snapshot("api"))) as child:
            os.kill(os.getpid(), number)
            async with asyncio.timeout(60):
                await child.task

    run(main())


def test_a_used_port_is_an_error() -> None:
    async def main() -> None:
        async with Running(Feed()) as child:
            port = int(child.url.rpartition(":")[2])
            with pytest.raises(OSError, match="address"):
                await ChildServer(Feed(), print, port=port).run()

    run(main())


def test_a_defect_of_a_source_ends_it() -> None:
    class Defect:
        name = "defect"

        async def updates(self) -> AsyncGenerator[Snapshot]:
            yield snapshot("api")
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        run(ChildServer(Defect(), print).run())


def test_a_folder_reaches_the_parent(tmp_path: Path) -> None:
    (tmp_path / "traefik.yaml").write_text(
        'hub: {uplinkEntryPoints: {up: {address: ":9443", asDefault: true}}}'
    )
    manifest = tmp_path / "api.yaml"
    text = (
        "apiVersion: hub.traefik.io/v1alpha1\nkind: Uplink\n"
        "metadata: {name: api, namespace: apps}\nspec: {weight: %s}\n"
    )

    async def main() -> list[Any]:
        manifest.write_text(text % 5)
        async with Running(FolderSource(tmp_path)) as child:
            await child.logged("publishing")
            updates = ApiSource(child.url, "eu", interval=10_000_000).updates()
            try:
                got: list[Any] = [await anext(updates)]
                manifest.write_text(text % "broken")
                await child.logged("the manifests have errors")
                manifest.write_text(text % 7)
                got.append(await anext(updates))
            finally:
                await updates.aclose()
        return [[uplink.weight for uplink in update.cluster.uplinks] for update in got]

    assert run(main()) == [[5], [7]]
