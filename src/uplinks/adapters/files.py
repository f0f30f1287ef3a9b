"""Read clusters and fleets from files and folders.

Rules of this file:

1. A fleet is a folder with ``parent/`` and ``children/<name>/``; any other folder, and
   any file, is a single cluster.
2. A cluster's manifests are its ``*.yaml``, ``*.yml``, ``*.json`` and ``*.toml`` files, at
   any depth, in the order of their names. Hidden files and folders are not read, nor is
   TOML that mentions neither uplinks nor the multicluster provider: most is of other tools.
3. An unreadable file is a diagnostic (UPL012), and so is a path without any document
   (UPL011); reading continues with the next file.
4. A diagnostic names a file by the given path, plus the file's path below it.
5. Each real folder is entered once, however many links lead to it. Below a folder only
   regular files are opened, and no more of a file is read than the limit allows.
6. ``texts``, if given, receives the bytes of each file by its name, so that callers
   need not read it again. A file that it has already is taken from there.
7. A chart or a kustomization is left out, or rendered if ``texts`` says how
   (see `uplinks.adapters._charts`). Below a folder, text of another program that cannot be
   parsed as a manifest is only noted.
"""

# pathlib rewrites paths (./a becomes a), and a file keeps the name it was given.
# ruff: noqa: PTH112, PTH116, PTH118, PTH123

from __future__ import annotations

import os
import re
import stat
from collections.abc import Iterable
from functools import partial
from typing import TYPE_CHECKING, Final

from attrs import evolve

from uplinks.adapters._folders import (
    SUFFIXES,
    TOML,
    UNREADABLE,
    Texts,
    error,
    names_in,
    not_regular,
    unreadable,
    walk,
)
from uplinks.diagnostics import Diagnostic, Severity
from uplinks.manifest import UNREAD, Limits
from uplinks.model import Cluster, Fleet
from uplinks.parsing import make_cluster, make_fleet, parse_manifests
from uplinks.schema import DEFAULT_NAMESPACE, Manifests

if TYPE_CHECKING:
    from uplinks.adapters._charts import Chart

__all__ = [
    "NOTHING_FOUND",
    "UNREADABLE",
    "AnyPath",
    "Texts",
    "fleets_in",
    "is_fleet",
    "load",
    "load_cluster",
    "load_fleet",
    "load_stream",
    "not_regular",
]

NOTHING_FOUND = "UPL011"

PARENT = "parent"
CHILDREN = "children"
_OURS = (b"uplink", b"multicluster")

_OWN_WORDS: Final = re.compile(
    rb"apiVersion|traefik\.(?:io|containo\.us)|uplink|multicluster|\bhub\b", re.IGNORECASE
)

_TEMPLATE: Final = re.compile(rb"\{[{%]|<%")

AnyPath = str | os.PathLike[str]


def is_fleet(path: AnyPath) -> bool:
    """Return whether a path is a fleet, a folder with ``parent/`` or ``children/``.

    Complexity: O(1). Raises nothing.

    >>> is_fleet("no/such/folder")
    False

    Source: this library's; the page does not mention files.
    """
    return any(os.path.isdir(os.path.join(path, side)) for side in (PARENT, CHILDREN))


def fleets_in(path: AnyPath) -> tuple[str, ...]:
    """Return the folders in a folder that are complete fleets, sorted by name.

    A complete fleet has ``parent/`` and ``children/``: one of them alone may be a
    cluster's own folder. Fleets and deeper folders are not searched.
    Complexity: O(f log f) for f entries. Raises nothing.

    >>> fleets_in("no/such/folder")
    ()

    Source: this library's; the page does not mention files.
    """
    root = os.fspath(path)
    if not os.path.isdir(root) or is_fleet(root):
        return ()
    below = [os.path.join(root, name) for name in names_in(root, "", [])]
    sides = (PARENT, CHILDREN)
    return tuple(p for p in below if all(os.path.isdir(os.path.join(p, side)) for side in sides))


def load(
    path: AnyPath, texts: Texts | None = None, *, namespace: str = DEFAULT_NAMESPACE
) -> Fleet | Cluster:
    """Read a fleet, or else a single cluster.

    The cluster of a file or an ordinary folder has no name. ``namespace`` is that of
    objects without one. No file raises.
    Complexity: O(bytes).

    >>> load("no/such/file.yaml").diagnostics[0].code
    'UPL012'

    Source: this library's; the page does not mention files.
    """
    if is_fleet(path):
        return load_fleet(path, texts, namespace=namespace)
    return load_cluster("", [path], texts=texts, namespace=namespace)


def load_fleet(
    path: AnyPath, texts: Texts | None = None, *, namespace: str = DEFAULT_NAMESPACE
) -> Fleet:
    """Read a fleet: a folder with ``parent/`` and ``children/<name>/``.

    ``namespace`` is that of objects without one. A missing side, or a folder without a
    manifest, is a diagnostic of its cluster. No file raises.

    >>> load_fleet("no/such/folder").parent.diagnostics[0].code
    'UPL012'

    Source: reference page, "Complete Example", for the parts of a fleet.
    """
    root = os.fspath(path)
    if not is_fleet(root):
        problem = _problem_with_folder(root) or _nothing(
            root, f"a fleet has {PARENT}/ and {CHILDREN}/, this is a single cluster"
        )
        return make_fleet(make_cluster(PARENT, [], [problem]))
    found: list[Diagnostic] = []
    children = _children(os.path.join(root, CHILDREN), found)
    parent = [os.path.join(root, PARENT)]
    if not os.path.isdir(parent[0]):
        found.append(_nothing(parent[0], f"a fleet has {PARENT}/ beside {CHILDREN}/", PARENT))
        parent = []
    return make_fleet(
        load_cluster(PARENT, parent, found, texts=texts, namespace=namespace),
        [
            load_cluster(name, [child], texts=texts, namespace=namespace)
            for name, child in children.items()
        ],
    )


def load_cluster(
    name: str,
    paths: Iterable[AnyPath],
    diagnostics: Iterable[Diagnostic] = (),
    *,
    texts: Texts | None = None,
    namespace: str = DEFAULT_NAMESPACE,
) -> Cluster:
    """Read one cluster from files and folders; ``diagnostics`` are those found before.

    ``namespace`` is that of objects without one.

    Complexity: O(bytes), O(f log f) for the names of f files.

    >>> [str(d) for d in load_cluster("eu", ["nowhere.yaml"]).diagnostics]
    ['nowhere.yaml:1:1: error UPL012: cannot be read: No such file or directory']

    Source: this library's; the page does not mention files.
    """
    found = list(diagnostics)
    manifests: list[Manifests] = []
    for path in (os.fspath(path) for path in paths):
        before = len(found)
        named = not os.path.isdir(path)
        files, charts = ([path], []) if named else walk(path, name, found, texts)
        read_one = partial(_read, cluster=name, found=found, texts=texts, namespace=namespace)
        read = [each for file in files for each in read_one(file, named=named)]
        read += [
            each for chart in charts for each in _read_chart(chart, name, found, texts, namespace)
        ]
        if len(found) == before and all(map(_is_empty, read)):
            found.append(_nothing(path, _why_empty(files), name))
        manifests += read
    return make_cluster(name, manifests, found)


def load_stream(
    data: bytes,
    source: str = "-",
    name: str = "",
    *,
    texts: Texts | None = None,
    namespace: str = DEFAULT_NAMESPACE,
) -> Cluster:
    """Read one cluster from the bytes of a stream, named ``source`` in diagnostics.

    ``namespace`` is that of objects without one.
    Complexity: O(bytes).

    >>> [d.code for d in load_stream(b"").diagnostics]
    ['UPL011']

    Source: this library's; the page does not mention files.
    """
    if texts is not None:
        data = texts.setdefault(source, data)
    manifests = parse_manifests(data, source=source, cluster=name, namespace=namespace)
    found = [_nothing(source, _why_empty([source]), name)] if _is_empty(manifests) else []
    return make_cluster(name, [manifests], found)


def _read(
    path: str,
    cluster: str,
    found: list[Diagnostic],
    texts: Texts | None,
    namespace: str,
    *,
    named: bool,
) -> list[Manifests]:
    # Read one byte more than the limit, so that the parser detects the excess, and request
    # no more than the file's size, because allocating the buffer is the main cost.
    most = Limits().size + 1
    if texts is not None and path in texts:
        return [_parse(texts[path], path, cluster, namespace, named=named)]
    try:
        with open(path, "rb", buffering=0) as file:
            size = os.fstat(file.fileno()).st_size
            data: bytes = file.read(min(size + 1, most)) or b""
            # A pipe or a device has no size.
            while len(data) < most and (
                part := file.read(min(len(data) + 65536, most - len(data)))
            ):
                data += part
    except (OSError, ValueError) as problem:
        found.append(unreadable(path, problem, cluster))
        return []
    if path.endswith(TOML) and not any(word in data.lower() for word in _OURS):
        return [Manifests(skipped=1)]
    if texts is not None:
        texts[path] = data
    return [_parse(data, path, cluster, namespace, named=named)]


def _parse(data: bytes, path: str, cluster: str, namespace: str, *, named: bool) -> Manifests:
    """Parse text; note a template, or text of another program, instead of reporting it."""
    manifests = parse_manifests(data, source=path, cluster=cluster, namespace=namespace)
    broken = [each for each in manifests.diagnostics if each.code in UNREAD]
    if not broken:
        return manifests
    from uplinks.adapters import _charts as charts  # noqa: PLC0415 - broken text is rare

    text = data.replace(b"\0", b"")  # UTF-16
    if charts.is_template(text):
        noted = [charts.template_not_rendered(path, cluster)]
    elif named or _OWN_WORDS.search(text) or not _is_foreign(path, text, broken):
        return manifests
    else:
        why = "; ignored, as nothing in the file is of Traefik or Kubernetes"
        noted = [
            evolve(each, severity=Severity.INFO, message=each.message + why) for each in broken
        ]
    others = [each for each in manifests.diagnostics if each.code not in UNREAD]
    return evolve(manifests, diagnostics=(*others, *noted), skipped=manifests.skipped + 1)


def _is_foreign(path: str, text: bytes, broken: Iterable[Diagnostic]) -> bool:
    """Tell whether another program may well read this: JSON with comments, templates, own tags.

    Any other YAML that is broken is broken for every program.
    """
    if path.endswith(".json") or _TEMPLATE.search(text):
        return True
    return not any(each.message.startswith("invalid YAML") for each in broken)


def _read_chart(
    chart: Chart, cluster: str, found: list[Diagnostic], texts: Texts | None, namespace: str
) -> list[Manifests]:
    """Read what a chart stands for, or report that it is not read."""
    from uplinks.adapters import _charts as charts  # noqa: PLC0415 - most folders are no charts

    if texts is None or texts.render is None:
        found.append(charts.not_rendered(chart, cluster))
        return []
    try:
        parts = texts.render(chart)
    except charts.Unrendered as problem:
        if problem.installed:
            found.append(error(UNREADABLE, chart.file, f"cannot be rendered: {problem}", cluster))
        else:
            found.append(charts.not_rendered(chart, cluster, str(problem)))
        return []
    read = []
    for file, text in parts.items():
        data = text.encode()
        texts.templates[file], texts[file] = charts.content(file), data
        read.append(parse_manifests(data, source=file, cluster=cluster, namespace=namespace))
    return read


def _is_empty(manifests: Manifests) -> bool:
    return not (manifests.resources or manifests.diagnostics or manifests.skipped)


def _why_empty(files: list[str]) -> str:
    if files:
        return "it has no document"
    kinds = ", ".join(f"*{suffix}" for suffix in SUFFIXES)
    return f"it has no {kinds} file, at any depth"


def _children(folder: str, found: list[Diagnostic]) -> dict[str, str]:
    if not os.path.isdir(folder):
        found.append(_nothing(folder, f"a fleet has {CHILDREN}/<name>/ beside {PARENT}/"))
        return {}
    children: dict[str, str] = {}
    for name in names_in(folder, "", found):
        path = os.path.join(folder, name)
        if os.path.isdir(path):
            children[name] = path
        elif name.endswith(SUFFIXES) and not name.endswith(TOML):
            reason = f"it belongs to no child, move it to {CHILDREN}/<name>/"
            found.append(error(UNREADABLE, path, f"not read: {reason}"))
    if not children and not found:
        found.append(_nothing(folder, "it has no folder of a child", PARENT))
    return children


def _problem_with_folder(path: str) -> Diagnostic | None:
    try:
        is_folder = stat.S_ISDIR(os.stat(path).st_mode)
    except (OSError, ValueError) as problem:
        return unreadable(path, problem)
    return None if is_folder else error(UNREADABLE, path, "cannot be read: a fleet is a folder")


def _nothing(path: str, reason: str, cluster: str = "") -> Diagnostic:
    return error(NOTHING_FOUND, path, f"nothing found: {reason}", cluster)
