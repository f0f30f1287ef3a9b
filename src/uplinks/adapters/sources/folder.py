"""A cluster from a folder or a file that is watched: ``pip install 'uplinks[serve]'``.

Rules of this file:

1. After any change everything is read again, so that no event needs to be understood:
   editors replace files, and Kubernetes replaces links.
2. Watching starts before the first reading, so no change falls between them.
3. A reading that gives the same as the one before is not passed on.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import os
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Iterable
from typing import Any, Final

from uplinks.adapters.files import NOTHING_FOUND, AnyPath, Texts, load_cluster
from uplinks.adapters.sources import Failure, Snapshot
from uplinks.errors import MissingExtra
from uplinks.model import Cluster

try:
    from watchfiles import awatch
except ImportError as error:
    raise MissingExtra("serve") from error

__all__ = ["FolderSource"]

_DEBOUNCE: Final = 200  # ms from the first event until a change is passed on, while more follow
_STEP: Final = 50  # ms without an event that end a change
_RESCAN: Final = 5000  # ms after which everything is read again: some file systems have no events
_RETRY: Final = 1.0  # s until a path that cannot be watched is tried again


class FolderSource:
    """A `uplinks.adapters.sources.Source`: the manifests of a folder, or of a file.

    ``cluster`` names the cluster. ``changes`` yields whenever the folder may have
    changed, first at once; by default the file system is watched.

    >>> FolderSource("children/eu", "eu").name
    'children/eu'
    """

    def __init__(
        self,
        path: AnyPath,
        cluster: str = "",
        *,
        changes: Callable[[], AsyncIterator[object]] | None = None,
    ) -> None:
        self._path = os.fspath(path)
        self._cluster = cluster
        self._changes = changes or self._watch

    @property
    def name(self) -> str:
        """The path."""
        return self._path

    async def updates(self) -> AsyncGenerator[Snapshot | Failure]:
        """Yield the cluster now and after each change; a `Failure` while there is no such path."""
        before = None
        changes: Any = self._changes()
        async with contextlib.aclosing(changes):
            async for _ in changes:
                digest, update = await asyncio.to_thread(self._read)
                if digest != before:
                    before = digest
                    yield update

    def _read(self) -> tuple[bytes, Snapshot | Failure]:
        """Read everything; return a digest of it as well."""
        try:
            os.stat(self._path)  # noqa: PTH116 - the path as it was given
        except (OSError, ValueError) as error:
            failure = Failure(f"cannot be read: {getattr(error, 'strerror', None) or error}")
            return _digest([failure.reason]), failure
        texts = Texts()
        cluster = load_cluster(self._cluster, [self._path], texts=texts)
        if not texts and all(each.code == NOTHING_FOUND for each in cluster.diagnostics):
            # An empty folder is the folder of a cluster without manifests.
            cluster = Cluster(self._cluster)
        problems = (str(each) for each in cluster.diagnostics)
        return _digest([*problems, *(part for item in texts.items() for part in item)]), Snapshot(
            cluster
        )

    async def _watch(self) -> AsyncGenerator[None]:
        while True:
            watching: Any = awatch(
                self._path,
                watch_filter=None,
                debounce=_DEBOUNCE,
                step=_STEP,
                rust_timeout=_RESCAN,
                yield_on_timeout=True,
            )
            watched = _identity(self._path)
            async with contextlib.aclosing(watching):
                try:
                    while _identity(self._path) == watched:  # else it is another folder now
                        upcoming = asyncio.ensure_future(anext(watching))
                        try:
                            await asyncio.sleep(0)  # the task starts to watch
                            yield
                            await upcoming
                        finally:
                            upcoming.cancel()
                            with contextlib.suppress(asyncio.CancelledError, OSError):
                                await upcoming
                except OSError:
                    yield
                    await asyncio.sleep(_RETRY)


def _identity(path: str) -> object:
    try:
        found = os.stat(path)  # noqa: PTH116 - the path as it was given
    except (OSError, ValueError):
        return None
    return found.st_dev, found.st_ino


def _digest(parts: Iterable[str | bytes]) -> bytes:
    digest = hashlib.sha256()
    for part in parts:
        data = part if isinstance(part, bytes) else part.encode("utf-8", "surrogateescape")
        digest.update(b"%d:" % len(data) + data)
    return digest.digest()
