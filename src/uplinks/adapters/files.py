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
   need not read it again.
"""

# pathlib rewrites paths (./a becomes a), and a file keeps the name it was given.
# ruff: noqa: PTH112, PTH116, PTH118, PTH123, PTH208

from __future__ import annotations

import os
import stat
from collections.abc import Iterable, Iterator, MutableMapping

from uplinks.diagnostics import Diagnostic, Location, Severity
from uplinks.manifest import Limits
from uplinks.model import Cluster, Fleet
from uplinks.parsing import make_cluster, make_fleet, parse_manifests
from uplinks.schema import DEFAULT_NAMESPACE, Manifests

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
UNREADABLE = "UPL012"

PARENT = "parent"
CHILDREN = "children"
TOML = ".toml"
SUFFIXES = (".yaml", ".yml", ".json", TOML)
_OURS = (b"uplink", b"multicluster")

AnyPath = str | os.PathLike[str]
Texts = MutableMapping[str, bytes]


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
    below = [os.path.join(root, name) for name in _names(root, "", [])]
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
        files = list(_walk(path, name, found)) if os.path.isdir(path) else [path]
        read = [each for file in files for each in _read(file, name, found, texts, namespace)]
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
        texts[source] = data
    manifests = parse_manifests(data, source=source, cluster=name, namespace=namespace)
    found = [_nothing(source, _why_empty([source]), name)] if _is_empty(manifests) else []
    return make_cluster(name, [manifests], found)


def _read(
    path: str, cluster: str, found: list[Diagnostic], texts: Texts | None, namespace: str
) -> list[Manifests]:
    # Read one byte more than the limit, so that the parser detects the excess, and request
    # no more than the file's size, because allocating the buffer is the main cost.
    most = Limits().size + 1
    try:
        with open(path, "rb", buffering=0) as file:
            size = os.fstat(file.fileno()).st_size
            data: bytes = file.read(min(size + 1, most)) or b""
            # A pipe or a device has no size.
            while len(data) < most and (
                part := file.read(min(len(data) + 65536, most - len(data)))
            ):
                data += part
    except (OSError, ValueError) as error:
        found.append(_unreadable(path, error, cluster))
        return []
    if path.endswith(TOML) and not any(word in data.lower() for word in _OURS):
        return [Manifests(skipped=1)]
    if texts is not None:
        texts[path] = data
    return [parse_manifests(data, source=path, cluster=cluster, namespace=namespace)]


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
    for name in _names(folder, "", found):
        path = os.path.join(folder, name)
        if os.path.isdir(path):
            children[name] = path
        elif name.endswith(SUFFIXES) and not name.endswith(TOML):
            reason = f"it belongs to no child, move it to {CHILDREN}/<name>/"
            found.append(_error(UNREADABLE, path, f"not read: {reason}"))
    if not children and not found:
        found.append(_nothing(folder, "it has no folder of a child", PARENT))
    return children


def _walk(folder: str, cluster: str, found: list[Diagnostic]) -> Iterator[str]:
    """Yield the manifests below a folder, in the order of their names."""
    entered: set[tuple[int, int]] = set()
    waiting = [folder]
    while waiting:
        path = waiting.pop()
        try:
            status = os.stat(path)
        except OSError as error:
            found.append(_unreadable(path, error, cluster))
            continue
        identity = (status.st_dev, status.st_ino)
        if stat.S_ISDIR(status.st_mode):
            if identity not in entered:
                entered.add(identity)
                names = _names(path, cluster, found)
                inside = (os.path.join(path, name) for name in reversed(names))
                waiting += (p for p in inside if p.endswith(SUFFIXES) or os.path.isdir(p))
        elif stat.S_ISREG(status.st_mode):
            yield path
        else:
            found.append(not_regular(path, cluster))


def _names(folder: str, cluster: str, found: list[Diagnostic]) -> list[str]:
    try:
        return sorted(name for name in os.listdir(folder) if not name.startswith("."))
    except OSError as error:
        found.append(_unreadable(folder, error, cluster))
        return []


def not_regular(path: str, cluster: str = "") -> Diagnostic:
    """Report a path that is neither a file nor a folder: a pipe, a socket, a device.

    >>> str(not_regular("pipe.yaml"))
    'pipe.yaml:1:1: error UPL012: cannot be read: not a regular file'
    """
    return _error(UNREADABLE, path, "cannot be read: not a regular file", cluster)


def _problem_with_folder(path: str) -> Diagnostic | None:
    try:
        is_folder = stat.S_ISDIR(os.stat(path).st_mode)
    except (OSError, ValueError) as error:
        return _unreadable(path, error)
    return None if is_folder else _error(UNREADABLE, path, "cannot be read: a fleet is a folder")


def _unreadable(path: str, error: OSError | ValueError, cluster: str = "") -> Diagnostic:
    # A ValueError is a NUL in the path.
    reason = error.strerror if isinstance(error, OSError) else None
    return _error(UNREADABLE, path, f"cannot be read: {reason or error}", cluster)


def _nothing(path: str, reason: str, cluster: str = "") -> Diagnostic:
    return _error(NOTHING_FOUND, path, f"nothing found: {reason}", cluster)


def _error(code: str, path: str, message: str, cluster: str = "") -> Diagnostic:
    # An empty path is shown as ''.
    return Diagnostic(code, Severity.ERROR, message, Location(cluster, path or "''"))
