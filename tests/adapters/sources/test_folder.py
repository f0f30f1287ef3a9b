"""A watched folder: when it is read again, and what is said of it."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import AsyncIterator
from contextlib import aclosing
from pathlib import Path
from typing import Any

import pytest
from tests.adapters.servers import run

from uplinks.adapters.sources import Failure, Snapshot, source_of
from uplinks.adapters.sources.folder import FolderSource

UPLINK = (
    "apiVersion: hub.traefik.io/v1alpha1\nkind: Uplink\nmetadata: {name: %s, namespace: apps}\n"
)


def said(update: Snapshot | Failure) -> Any:
    if isinstance(update, Failure):
        return update.reason
    assert update.cluster.name == "eu"
    found = [each.code for each in update.cluster.diagnostics]
    return [uplink.name for uplink in update.cluster.uplinks], found


def write(folder: Path, *names: str) -> None:
    for name in names:
        (folder / f"{name}.yaml").write_text(UPLINK % name)


class Changes:
    """Changes that the test makes: each yields once, and none is waited for."""

    def __init__(self, *steps: Any) -> None:
        self.steps = steps
        self.closed = False

    async def __call__(self) -> AsyncIterator[None]:
        try:
            yield
            for step in self.steps:
                step()
                yield
        finally:
            self.closed = True


def updates_of(folder: Path, *steps: Any) -> list[Any]:
    changes = Changes(*steps)

    async def main() -> list[Any]:
        return [said(each) async for each in FolderSource(folder, "eu", changes=changes).updates()]

    got: list[Any] = run(main())
    assert changes.closed
    return got


def test_every_change_gives_the_whole_cluster(tmp_path: Path) -> None:
    write(tmp_path, "a")

    assert updates_of(
        tmp_path,
        lambda: write(tmp_path, "b"),
        (tmp_path / "a.yaml").unlink,
    ) == [(["a"], []), (["a", "b"], []), (["b"], [])]


def test_an_event_without_a_change_gives_nothing(tmp_path: Path) -> None:
    write(tmp_path, "a")

    assert updates_of(
        tmp_path,
        lambda: write(tmp_path, "a"),
        lambda: (tmp_path / "notes.txt").write_text("not a manifest"),
        lambda: (tmp_path / ".hidden.yaml").write_text("a: ["),
    ) == [(["a"], [])]


def test_bad_text_is_a_snapshot_with_errors(tmp_path: Path) -> None:
    write(tmp_path, "a")
    bad = tmp_path / "bad.yaml"

    assert updates_of(tmp_path, lambda: bad.write_text("a: ["), bad.unlink) == [
        (["a"], []),
        (["a"], ["UPL001"]),
        (["a"], []),
    ]


def test_an_empty_folder_is_a_cluster_without_manifests(tmp_path: Path) -> None:
    write(tmp_path, "a")

    assert updates_of(tmp_path, (tmp_path / "a.yaml").unlink) == [(["a"], []), ([], [])]


def test_no_folder_is_a_failure(tmp_path: Path) -> None:
    folder = tmp_path / "eu"

    assert updates_of(
        folder, folder.mkdir, lambda: write(folder, "a"), lambda: shutil.rmtree(folder)
    ) == [
        "cannot be read: No such file or directory",
        ([], []),
        (["a"], []),
        "cannot be read: No such file or directory",
    ]


def test_a_path_that_is_none_is_a_failure() -> None:
    assert updates_of(Path("a\0b")) == ["cannot be read: embedded null byte"]


def test_a_file_is_a_source_too(tmp_path: Path) -> None:
    write(tmp_path, "a")
    file = tmp_path / "a.yaml"

    assert updates_of(file, lambda: file.write_text(UPLINK % "b"), lambda: file.write_text("")) == [
        (["a"], []),
        (["b"], []),
        ([], ["UPL011"]),
    ]


def test_the_file_system_is_watched(tmp_path: Path) -> None:
    folder = tmp_path / "eu"
    folder.mkdir()

    async def main() -> list[Any]:
        got = []
        source = source_of(f"folder:{folder}", "eu")
        async with asyncio.timeout(60), aclosing(source.updates()) as updates:  # type: ignore[type-var] # a generator
            got.append(said(await anext(updates)))
            write(folder, "a")
            got.append(said(await anext(updates)))
            # As Kubernetes replaces the files of a mounted ConfigMap.
            (folder / "..new").mkdir()
            write(folder / "..new", "b")
            (folder / "b.yaml").symlink_to("..data/b.yaml")
            (folder / "..data").symlink_to("..new")
            got.append(said(await anext(updates)))
            shutil.rmtree(folder)
            got.append(said(await anext(updates)))
            folder.mkdir()
            write(folder, "c")
            got.append(said(await anext(updates)))
        return got

    assert run(main()) == [
        ([], []),
        (["a"], []),
        (["a", "b"], []),
        "cannot be read: No such file or directory",
        (["c"], []),
    ]


@pytest.mark.parametrize("name", ["children/eu", "children/eu.yaml"])
def test_its_name_is_the_path(name: str) -> None:
    assert source_of(f"folder:{name}").name == name
