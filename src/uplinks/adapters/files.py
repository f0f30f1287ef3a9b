"""From files and folders to clusters and fleets.

Rules of this file:

1. A fleet is a folder with ``parent/`` and ``children/<name>/``; any other
   folder, and any file, is one cluster alone.
2. A cluster's manifests are its ``*.yaml``, ``*.yml`` and ``*.json`` files, at
   any depth, in the order of their names. What is hidden is not read.
3. What cannot be read is a diagnostic (UPL012), and so is a place where
   nothing is (UPL011); reading goes on with the next file.
4. Files are called what the user called them: the path as given, and what was
   found below it.
5. Nothing is read twice and nothing is read for ever: each real folder is
   entered once however many links lead to it, below a folder only regular
   files are opened, and no more of a file is read than the limit allows.
6. Whoever passes ``texts`` is given what was read, by the name that findings
   call it, and so need not open anything again.
"""

# pathlib rewrites paths (./a becomes a), and a file keeps the name it was given.
# ruff: noqa: PTH112, PTH116, PTH118, PTH123, PTH208

from __future__ import annotations

import os
import stat
from collections.abc import Iterable, Iterator, Mapping, MutableMapping

from uplinks.diagnostics import Diagnostic, Location, Severity
from uplinks.manifest import Limits
from uplinks.model import Cluster, Fleet
from uplinks.reading import Manifests, make_cluster, make_fleet, parse_manifests

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
    "load_fleet_from",
    "load_stream",
    "not_regular",
]

NOTHING_FOUND = "UPL011"
UNREADABLE = "UPL012"

PARENT = "parent"
CHILDREN = "children"
SUFFIXES = (".yaml", ".yml", ".json")

AnyPath = str | os.PathLike[str]
Texts = MutableMapping[str, bytes]


def is_fleet(path: AnyPath) -> bool:
    """Tell a fleet from one cluster alone: a fleet has ``parent/`` or ``children/``.

    Complexity: O(1). Raises nothing.

    >>> is_fleet("no/such/folder")
    False

    Source: this library's; the page has no word on files.
    """
    return any(os.path.isdir(os.path.join(path, side)) for side in (PARENT, CHILDREN))


def fleets_in(path: AnyPath) -> tuple[str, ...]:
    """Name the folders in a folder that are whole fleets, in order.

    Whole: with ``parent/`` and ``children/``, since a cluster's own folders may
    be called anything. A fleet is not looked into, and neither is what is deeper.
    Complexity: O(f log f) for f entries. Raises nothing.

    >>> fleets_in("no/such/folder")
    ()

    Source: this library's; the page has no word on files.
    """
    root = os.fspath(path)
    if is_fleet(root) or not os.path.isdir(root):
        return ()
    below = [os.path.join(root, name) for name in _names(root, "", [])]
    sides = (PARENT, CHILDREN)
    return tuple(p for p in below if all(os.path.isdir(os.path.join(p, side)) for side in sides))


def load(path: AnyPath, texts: Texts | None = None) -> Fleet | Cluster:
    """Read whatever is there: a fleet, or else one cluster alone.

    The cluster of a file or a plain folder has no name. It never raises for
    what is on the disk. Complexity: O(bytes).

    >>> load("no/such/file.yaml").diagnostics[0].code
    'UPL012'

    Source: this library's; the page has no word on files.
    """
    return load_fleet(path, texts) if is_fleet(path) else load_cluster("", [path], texts=texts)


def load_fleet(path: AnyPath, texts: Texts | None = None) -> Fleet:
    """Read a fleet: a folder with ``parent/`` and ``children/<name>/``.

    A side that is missing, or a folder without a manifest, is a finding among
    the diagnostics of the cluster concerned. It never raises for what is on
    the disk.

    >>> load_fleet("no/such/folder").parent.diagnostics[0].code
    'UPL012'

    Source: reference page, "Complete Example", for what belongs to whom.
    """
    root = os.fspath(path)
    parent = os.path.join(root, PARENT)
    folder = os.path.join(root, CHILDREN)
    if not is_fleet(root):
        problem = _problem_with_folder(root) or _nothing(
            root, f"it has neither {PARENT}/ nor {CHILDREN}/; one cluster alone is no fleet"
        )
        return make_fleet(make_cluster(PARENT, [], [problem]))
    found: list[Diagnostic] = []
    children: dict[str, AnyPath] = {}
    if os.path.isdir(folder):
        children = _children(folder, found)
    else:
        found.append(_nothing(folder, f"a fleet has {CHILDREN}/<name>/ beside {PARENT}/"))
    if os.path.isdir(parent):
        return load_fleet_from(parent, children, found, texts=texts)
    found.append(_nothing(parent, f"a fleet has {PARENT}/ beside {CHILDREN}/", PARENT))
    clusters = [load_cluster(name, [child], texts=texts) for name, child in children.items()]
    return make_fleet(make_cluster(PARENT, [], found), clusters)


def load_fleet_from(
    parent: AnyPath,
    children: Mapping[str, AnyPath],
    diagnostics: Iterable[Diagnostic] = (),
    *,
    texts: Texts | None = None,
) -> Fleet:
    """Read a fleet of which every cluster has its own path, a file or a folder.

    ``children`` maps each child's name, as the parent's configuration knows
    it, to its path; ``diagnostics`` are findings made on the way.

    >>> sorted(load_fleet_from("p", {"eu": "e", "us": "u"}).children)
    ['eu', 'us']

    Source: reference page, "Complete Example", for what belongs to whom.
    """
    return make_fleet(
        load_cluster(PARENT, [parent], diagnostics, texts=texts),
        [load_cluster(name, [path], texts=texts) for name, path in children.items()],
    )


def load_cluster(
    name: str,
    paths: Iterable[AnyPath],
    diagnostics: Iterable[Diagnostic] = (),
    *,
    texts: Texts | None = None,
) -> Cluster:
    """Read one cluster from files and folders.

    Complexity: O(bytes), O(f log f) for the names of f files.

    >>> [str(d) for d in load_cluster("eu", ["nowhere.yaml"]).diagnostics]
    ['nowhere.yaml:1:1: error UPL012: cannot read it: No such file or directory']

    Source: this library's; the page has no word on files.
    """
    found = list(diagnostics)
    manifests: list[Manifests] = []
    for path in (os.fspath(path) for path in paths):
        before = len(found)
        files = list(_walk(path, name, found)) if os.path.isdir(path) else [path]
        read = [text for file in files for text in _read(file, name, found, texts)]
        if len(found) == before and all(map(_empty, read)):
            found.append(_nothing(path, _why_nothing(files), name))
        manifests += read
    return make_cluster(name, manifests, found)


def load_stream(
    data: bytes, source: str = "-", name: str = "", *, texts: Texts | None = None
) -> Cluster:
    """Read one cluster from the bytes of a stream, called ``source``.

    Complexity: O(bytes).

    >>> [d.code for d in load_stream(b"").diagnostics]
    ['UPL011']

    Source: this library's; the page has no word on files.
    """
    if texts is not None:
        texts[source] = data
    text = parse_manifests(data, source=source, cluster=name)
    found = [_nothing(source, _why_nothing([source]), name)] if _empty(text) else []
    return make_cluster(name, [text], found)


def _empty(text: Manifests) -> bool:
    return not (text.resources or text.diagnostics or text.skipped)


def _why_nothing(files: list[str]) -> str:
    if files:
        return "there is no document here"
    kinds = ", ".join(f"*{suffix}" for suffix in SUFFIXES)
    return f"there is no {kinds} file here or below"


def _children(folder: str, found: list[Diagnostic]) -> dict[str, AnyPath]:
    children: dict[str, AnyPath] = {}
    for name in _names(folder, "", found):
        path = os.path.join(folder, name)
        if os.path.isdir(path):
            children[name] = path
        elif name.endswith(SUFFIXES):
            reason = f"it belongs to no child: a child's files are below {CHILDREN}/<name>/"
            found.append(_error(UNREADABLE, path, f"cannot tell whose it is: {reason}"))
    if not children and not found:
        found.append(_nothing(folder, "there is no child's folder here", PARENT))
    return children


def _walk(folder: str, cluster: str, found: list[Diagnostic]) -> Iterator[str]:
    """Find the manifests below a folder, in the order of their names."""
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


def not_regular(path: str, cluster: str = "") -> Diagnostic:
    """Refuse what is neither a file nor a folder: a pipe, a socket, a device.

    >>> str(not_regular("pipe.yaml"))
    'pipe.yaml:1:1: error UPL012: cannot read it: not a regular file'
    """
    return _error(UNREADABLE, path, "cannot read it: not a regular file", cluster)


def _names(folder: str, cluster: str, found: list[Diagnostic]) -> list[str]:
    try:
        return sorted(name for name in os.listdir(folder) if not name.startswith("."))
    except OSError as error:
        found.append(_unreadable(folder, error, cluster))
        return []


def _read(path: str, cluster: str, found: list[Diagnostic], texts: Texts | None) -> list[Manifests]:
    try:
        data = _bytes(path)
    except OSError as error:
        found.append(_unreadable(path, error, cluster))
        return []
    except ValueError as error:  # a NUL in the path
        found.append(_error(UNREADABLE, path, f"cannot read it: {error}", cluster))
        return []
    if texts is not None:
        texts[path] = data
    return [parse_manifests(data, source=path, cluster=cluster)]


def _bytes(path: str) -> bytes:
    # One byte more than allowed, so that the reader sees it is too much; and no
    # more room than the file needs, since asking for room is what costs.
    most = Limits().size + 1
    with open(path, "rb", buffering=0) as file:
        data: bytes = file.read(min(os.fstat(file.fileno()).st_size + 1, most)) or b""
        # A pipe or a device has no size to go by.
        while len(data) < most and (more := file.read(min(len(data) + 65536, most - len(data)))):
            data += more
    return data


def _problem_with_folder(path: str) -> Diagnostic | None:
    try:
        if stat.S_ISDIR(os.stat(path).st_mode):
            return None
    except OSError as error:
        return _unreadable(path, error)
    except ValueError as error:
        return _error(UNREADABLE, path, f"cannot read it: {error}")
    return _error(UNREADABLE, path, "cannot read it: a fleet is a folder")


def _unreadable(path: str, error: OSError, cluster: str = "") -> Diagnostic:
    return _error(UNREADABLE, path, f"cannot read it: {error.strerror or error}", cluster)


def _nothing(path: str, reason: str, cluster: str = "") -> Diagnostic:
    return _error(NOTHING_FOUND, path, f"nothing found: {reason}", cluster)


def _error(code: str, path: str, message: str, cluster: str = "") -> Diagnostic:
    # A file without a name is called by what was given for it.
    return Diagnostic(code, Severity.ERROR, message, Location(cluster, path or "''"))
