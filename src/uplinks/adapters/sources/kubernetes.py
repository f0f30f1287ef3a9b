"""Clusters from Kubernetes: ``pip install 'uplinks[kubernetes]'``.

The kinds that are read are listed, then watched. The API server lets a client read them with::

    apiGroups: [hub.traefik.io]   resources: [uplinks]                          verbs: [list, watch]
    apiGroups: [traefik.io]       resources: [ingressroutes, traefikservices]   verbs: [list, watch]

Rules of this file:

1. One object is one JSON text, read as a manifest, and named ``context/namespace/kind/name`` in
   diagnostics. It has the fields that its author wrote: no managed fields, no status, and no copy
   of itself in an annotation.
2. A watch goes on where the last one ended. After 410 (the version is too old) the kind is listed
   again, and objects with the same version are not read again.
3. A kind that may not be read (403) is a diagnostic; the last objects of it are kept, and the other
   kinds go on. A kind that the API server does not know (404) has no objects; one that it knew
   is doubted first, since a server that starts knows less than it serves.
4. Whatever else fails is tried again, after a pause that doubles up to `LONGEST_PAUSE`. The source
   says so only if a new attempt failed as well.
5. Kubernetes has no object with Traefik's static configuration. It comes from files; without one a
   child counts as exposed, with the entry points that its uplinks name.
"""

from __future__ import annotations

import asyncio
import json
import random
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterable, Mapping
from typing import Any, Final, Literal

from attrs import define, evolve, field, frozen

from uplinks import manifest
from uplinks.adapters.files import NOTHING_FOUND, UNREADABLE, AnyPath, Texts, load_cluster
from uplinks.adapters.sources import Failure, Snapshot
from uplinks.adapters.sources._api_server import (
    FORBIDDEN,
    GONE,
    IN_CLUSTER,
    NOT_FOUND,
    ApiError,
    Connection,
    connect,
)
from uplinks.diagnostics import Diagnostic, Location, Severity
from uplinks.errors import join_names
from uplinks.located import Document, Origin
from uplinks.model import ChildConfig, Cluster, Uplink, UplinkEntryPoint
from uplinks.parsing import make_cluster, parse_manifests
from uplinks.schema import Manifests, structure, watched_kinds

__all__ = ["IN_CLUSTER", "KubernetesSource", "Wanted", "read_contexts"]

LONGEST_PAUSE: Final = 30.0
"""Seconds between attempts, at most."""

FIRST_PAUSE: Final = 0.5
DOUBTED: Final = 3
"""So often a kind may be unknown before its last objects are taken to be gone, too."""

MOST_OBJECTS: Final = 200_000
"""The limit of objects of one kind."""

_APPLIED: Final = "kubectl.kubernetes.io/last-applied-configuration"
_AUTHORED: Final = ("name", "namespace", "labels", "annotations")
# Reading an object takes a fraction of a millisecond, and other tasks wait for it.
_AT_ONCE: Final = 50

Role = Literal["child", "parent"]


class KubernetesSource:
    """One cluster, read from its API server and followed; a `uplinks.adapters.sources.Source`.

    ``context`` is one of the kubeconfig, or `IN_CLUSTER`; ``cluster`` names the cluster.
    ``files`` have manifests that are not in Kubernetes: the static configuration.
    ``jitter`` gives numbers from 0 up to 1, ``pause`` waits for so many seconds.

    Raises: nothing. While the API server cannot be read, it yields a `Failure`.

    >>> KubernetesSource("kind-eu", "eu").name
    'context:kind-eu'

    Source: Kubernetes, "API Concepts", for lists, watches and bookmarks.
    """

    def __init__(
        self,
        context: str,
        cluster: str = "",
        files: Iterable[AnyPath] = (),
        *,
        jitter: Callable[[], float] = random.random,
        pause: Callable[[float], Awaitable[object]] = asyncio.sleep,
    ) -> None:
        self._cluster = cluster
        self._context = context
        self._files = tuple(files)
        self._jitter = jitter
        self._pause = pause

    @property
    def name(self) -> str:
        """``context:`` and the name of the context."""
        return f"context:{self._context}"

    async def updates(self) -> AsyncGenerator[Snapshot | Failure]:
        """Yield the cluster as it is now, and again after each change."""
        own = load_cluster(self._cluster, self._files) if self._files else Cluster(self._cluster)
        wanted = Wanted(own, self._context)
        kinds = _kinds(self._cluster, self._context)
        changed = asyncio.Event()
        tasks = [asyncio.create_task(self._follow(kind, changed.set)) for kind in kinds]
        for task in tasks:
            task.add_done_callback(lambda _: changed.set())
        said: str | None = None
        try:
            while True:
                await changed.wait()
                changed.clear()
                for task in tasks:
                    if task.done():
                        task.result()  # only an exception ends it
                failure = next((kind.failure for kind in kinds if kind.failure is not None), None)
                if failure is None and all(kind.answered for kind in kinds):
                    yield Snapshot(_join(wanted, kinds))
                elif failure is not None and failure != said:
                    yield Failure(failure)
                said = failure
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def _follow(self, kind: _Kind, changed: Callable[[], None]) -> None:
        """List and watch one kind for ever; ``changed`` is called after each change."""
        misses = 0
        while True:
            listed = kind.heard = False
            try:
                async with connect(self._context) as connection:
                    if kind.version is None:
                        await kind.read(connection)
                        listed = True
                        if kind.failure is None and kind.refusal is None:
                            changed()
                    while True:
                        await kind.watch(connection, changed)
                        await self._pause(self._delay(1))
            except ApiError as error:
                # A list that is too old at once is no progress.
                progress = kind.heard or (listed and error.status != GONE)
                misses = 0 if progress else misses + 1
                # A kind may be listed and not be watched.
                if kind.note(error, misses) or (listed and kind.refusal is not None):
                    changed()
            if misses:
                await self._pause(self._delay(misses))

    def _delay(self, misses: int) -> float:
        """Give the pause after so many attempts in vain, in seconds: half of it is chance."""
        longest = min(LONGEST_PAUSE, FIRST_PAUSE * 2.0 ** min(misses - 1, 16))
        return longest * (1 + self._jitter()) / 2


@define(eq=False)
class _Kind:
    """The objects of one kind as they are known, each with its version."""

    cluster: str
    context: str
    kind: str
    api: str
    plural: str
    texts: Texts | None = None
    objects: dict[tuple[str, str], tuple[str, Manifests]] = field(factory=dict)
    version: str | None = None
    answered: bool = False
    heard: bool = False
    failure: str | None = None
    refusal: str | None = None
    served: bool = True

    @property
    def path(self) -> str:
        return f"/apis/{self.api}/{self.plural}"

    @property
    def resource(self) -> str:
        return f"{self.plural}.{self.api.partition('/')[0]}"

    async def read(self, connection: Connection) -> None:
        """List all objects. Nothing changes unless the list is complete."""
        found: dict[tuple[str, str], tuple[str, Manifests]] = {}
        version = ""
        async for items, version in connection.pages(self.path):  # noqa: B007 - the last one is kept
            for at, item in enumerate(items):
                if at % _AT_ONCE == 0:
                    await asyncio.sleep(0)
                key, entry = self._entry(item)
                found[key] = entry
            if len(found) > MOST_OBJECTS:
                raise ApiError(0, f"more than {MOST_OBJECTS} {self.plural}")
        self.objects, self.version = found, version
        self.answered = self.served = True

    async def watch(self, connection: Connection, changed: Callable[[], None]) -> None:
        """Follow the changes since the last version that is known, until the watch ends."""

        def opened() -> None:
            if self.failure is not None or self.refusal is not None:
                self.failure = self.refusal = None
                changed()

        def take(event: str, item: dict[str, Any]) -> None:
            if event == "BOOKMARK":
                self.version = _version(item)
            else:
                key, entry = self._entry(item)
                if event == "DELETED":
                    self.objects.pop(key, None)
                else:
                    self.objects[key] = entry
                self.version = entry[0]
                changed()
            self.heard = True

        assert self.version is not None  # noqa: S101 - it was listed
        await connection.watch(self.path, self.version, opened, take)

    def note(self, error: ApiError, misses: int) -> bool:
        """Take note of an error, and tell whether that changes anything for others."""
        before = (self.failure, self.refusal, self.answered, self.served)
        if error.status == GONE:
            self.version = None
        elif error.status == FORBIDDEN:
            self.version, self.failure, self.refusal, self.answered = None, None, error.reason, True
        elif error.status == NOT_FOUND and (misses > DOUBTED or not self.objects):
            self.version, self.failure, self.refusal, self.answered = None, None, None, True
            self.objects, self.served = {}, False
        elif misses:
            self.failure = f"{self.resource}: {error.reason}"
        return before != (self.failure, self.refusal, self.answered, self.served)

    def _entry(self, item: Any) -> tuple[tuple[str, str], tuple[str, Manifests]]:
        """Read one object, unless the version that is known is the same."""
        version = _version(item)
        name, namespace = (str(item["metadata"].get(key, "")) for key in ("name", "namespace"))
        key = (namespace, name)
        known = self.objects.get(key)
        if known is not None and known[0] == version:
            return key, known
        file = "/".join(filter(None, (self.context, namespace, self.kind, name)))
        try:
            manifests = self._read(_written(item, self.api, self.kind), file)
        except RecursionError:
            raise ApiError(0, f"{file} has too many levels of nesting") from None
        return key, (version, manifests)

    def _read(self, written: dict[str, Any], file: str) -> Manifests:
        """Read an object as a manifest. Its text is written only where a place in it is needed."""
        if self.texts is None:
            manifests = structure([Document(written, file=file, cluster=self.cluster)])
            if not manifests.diagnostics:
                origin = Origin(Document(_Tree(written), file=file, cluster=self.cluster))
                resources = tuple(evolve(each, origin=origin) for each in manifests.resources)
                return evolve(manifests, resources=resources)
        text = _text_of(written)
        if self.texts is not None:
            self.texts[file] = text
        return parse_manifests(text, file, self.cluster)

    def diagnostics(self) -> list[Diagnostic]:
        if self.refusal is None:
            return []
        # What a child offers is known without its routers and services.
        severity = Severity.ERROR if self.kind == "Uplink" else Severity.WARNING
        message = (
            f"cannot be read: {self.refusal}; allow the verbs list and watch on {self.resource}"
        )
        file = f"{self.context}/{self.kind}"
        return [Diagnostic(UNREADABLE, severity, message, Location(self.cluster, file))]


def _version(item: Any) -> str:
    try:
        version = item["metadata"]["resourceVersion"]
    except (KeyError, TypeError):
        version = None
    if not isinstance(version, str):
        raise ApiError(0, "the answer has an object without a version")
    return version


class _Tree:
    """The located tree of an object, made when it is asked for. Most objects are fine."""

    __slots__ = ("_tree", "_written")

    def __init__(self, written: dict[str, Any]) -> None:
        self._written = written
        self._tree: Any = None

    def __call__(self) -> Any:
        if self._tree is None:
            documents = manifest.read(_text_of(self._written)).documents
            # Beyond the limits of text there are no places.
            self._tree = documents[0].root if documents else self._written
        return self._tree


def _written(item: Mapping[str, Any], api: str, kind: str) -> dict[str, Any]:
    """Give what the author of an object wrote."""
    metadata = {key: item["metadata"][key] for key in _AUTHORED if key in item["metadata"]}
    annotations = metadata.get("annotations")
    if isinstance(annotations, dict):
        metadata["annotations"] = {k: v for k, v in annotations.items() if k != _APPLIED}
    written = {"apiVersion": api, "kind": kind, "metadata": metadata}
    if "spec" in item:
        written["spec"] = item["spec"]
    return written


def _text_of(written: dict[str, Any]) -> bytes:
    # Half of a surrogate pair, which only JSON can express, becomes a question mark.
    return json.dumps(written, indent=2, ensure_ascii=False).encode("utf-8", "replace")


def _kinds(cluster: str, context: str, texts: Texts | None = None) -> list[_Kind]:
    return [
        _Kind(cluster, context, kind, api, plural, texts)
        for kind, (api, plural) in watched_kinds().items()
    ]


# --- clusters ---------------------------------------------------------------


@frozen
class Wanted:
    """A cluster to be read once: its context, and what is known of it from elsewhere.

    ``own`` has the cluster's name, and the manifests that are not in Kubernetes.
    """

    own: Cluster
    context: str
    role: Role = "child"


def read_contexts(wanted: Iterable[Wanted], texts: Texts | None = None) -> list[Cluster]:
    """Read clusters once, all at the same time.

    ``texts``, if given, receives the text of each object by its name, for excerpts. What cannot be
    read is a diagnostic (UPL012), and so is a cluster without any object (UPL011).

    Complexity: O(bytes). Raises: RuntimeError within a running event loop.
    """

    async def read() -> list[Cluster]:
        return await asyncio.gather(*(_read_once(each, texts) for each in wanted))

    return asyncio.run(read())


async def _read_once(wanted: Wanted, texts: Texts | None) -> Cluster:
    kinds = _kinds(wanted.own.name, wanted.context, texts)
    try:
        async with connect(wanted.context) as connection:
            for kind in kinds:
                try:
                    await kind.read(connection)
                except ApiError as error:
                    if error.status not in {FORBIDDEN, NOT_FOUND}:
                        raise
                    kind.note(error, misses=1)
    except ApiError as error:
        location = Location(wanted.own.name, f"context:{wanted.context}")
        message = f"cannot be read: {error.reason}"
        problem = Diagnostic(UNREADABLE, Severity.ERROR, message, location)
        return _join(wanted, (), [problem])
    return _join(wanted, kinds)


def _join(wanted: Wanted, kinds: Iterable[_Kind], problems: Iterable[Diagnostic] = ()) -> Cluster:
    """Make a cluster of its objects, and of what is known of it from elsewhere."""
    own, context = wanted.own, wanted.context
    manifests = [entry for kind in kinds for _, (_, entry) in sorted(kind.objects.items())]
    found = [*problems, *(each for kind in kinds for each in kind.diagnostics())]
    is_configured = wanted.role == "parent" and own.parent_config is not None
    if not manifests and not found and not is_configured:
        found = [_nothing(own.name, context, kinds)]
    read = make_cluster(own.name, manifests, found)
    uplinks = (*own.uplinks, *read.uplinks)
    config = own.child_config
    if config is None and wanted.role == "child":
        config = _assumed_config(
            uplinks, Document(None, file=f"context:{context}", cluster=own.name)
        )
    return evolve(
        own,
        uplinks=uplinks,
        routers=(*own.routers, *read.routers),
        traefik_services=(*own.traefik_services, *read.traefik_services),
        child_config=config,
        diagnostics=(*own.diagnostics, *read.diagnostics),
    )


def _nothing(cluster: str, context: str, kinds: Iterable[_Kind]) -> Diagnostic:
    message = f"nothing found: it has no {', no '.join(kind.kind for kind in kinds)}"
    unknown = [kind.resource for kind in kinds if not kind.served]
    if unknown:
        message += f"; its API server does not know {join_names(unknown)}"
    location = Location(cluster, f"context:{context}")
    return Diagnostic(NOTHING_FOUND, Severity.ERROR, message, location)


def _assumed_config(uplinks: Iterable[Uplink], place: Document) -> ChildConfig:
    """Assume a configuration that has what the uplinks name, and no more than that."""
    names = sorted({name for uplink in uplinks for name in uplink.entry_points})
    points = {
        name: UplinkEntryPoint(_ANY_ADDRESS, as_default=True) for name in names or (_ANY_NAME,)
    }
    return ChildConfig(points, multicluster=True, origin=Origin(place))


# Parents use the address that they list for the child, and nothing of its entry points.
_ANY_NAME: Final = "multicluster"
_ANY_ADDRESS: Final = ":9443"
