"""Read clusters and fleets from files and folders.

Rules of this file:

1. A fleet is a folder with ``parent/`` and ``children/<name>/``; any other folder, and
   any file, is a single cluster.
2. A cluster's manifests are its ``*.yaml``, ``*.yml`` and ``*.json`` files, at any depth,
   in the order of their names. Hidden files and folders are not read.
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
# ruff: noqa: PTH112, PTH116, PTH118, PTH123, PTH208

from __future__ import annotations

import os
import re
import stat
from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Final

from attrs import evolve

from uplinks.diagnostics import Diagnostic, Location, Severity
from uplinks.manifest import UNREAD, Limits
from uplinks.model import Cluster, Fleet
from uplinks.parsing import make_cluster, make_fleet, parse_manifests
from uplinks.schema import Manifests

if TYPE_CHECKING:
    from uplinks.adapters._charts import Chart

__all__ = [
    "CHART_FILES",
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
SUFFIXES = (".yaml", ".yml", ".json")

CHART_FILES: Final = ("Chart.yaml", "kustomization.yaml", "kustomization.yml", "Kustomization")
"""The files that make a folder a Helm chart or a kustomization."""

_OWN_WORDS: Final = re.compile(
    rb"apiVersion|traefik\.(?:io|containo\.us)|uplink|multicluster|\bhub\b", re.IGNORECASE
)

_TEMPLATE: Final = re.compile(rb"\{[{%]|<%")

AnyPath = str | os.PathLike[str]


class Texts(dict[str, bytes]):
    """The texts of one input by file, and how its folders are read.

    ``is_excluded`` tells which files and folders below a folder are left out. ``render``
    gives the manifests that a chart or a kustomization stands for, by file; ``templates``
    receives what these files contain.

    >>> Texts({"a.yaml": b"kind: Uplink"}).templates
    {}
    """

    def __init__(
        self,
        known: Mapping[str, bytes] | None = None,
        *,
        is_excluded: Callable[[str], bool] | None = None,
        render: Callable[[Chart], dict[str, str]] | None = None,
    ) -> None:
        super().__init__(known or {})
        self.is_excluded = is_excluded
        self.render = render
        self.templates: dict[str, bytes] = {}

    def again(self, known: Mapping[str, bytes]) -> Texts:
        """Make one that reads in the same way and has the texts of some files already."""
        return Texts(known, is_excluded=self.is_excluded, render=self.render)


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


def load(path: AnyPath, texts: Texts | None = None) -> Fleet | Cluster:
    """Read a fleet, or else a single cluster.

    The cluster of a file or an ordinary folder has no name. No file raises.
    Complexity: O(bytes).

    >>> load("no/such/file.yaml").diagnostics[0].code
    'UPL012'

    Source: this library's; the page does not mention files.
    """
    return load_fleet(path, texts) if is_fleet(path) else load_cluster("", [path], texts=texts)


def load_fleet(path: AnyPath, texts: Texts | None = None) -> Fleet:
    """Read a fleet: a folder with ``parent/`` and ``children/<name>/``.

    A missing side, or a folder without a manifest, is a diagnostic of its cluster.
    No file raises.

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
        load_cluster(PARENT, parent, found, texts=texts),
        [load_cluster(name, [child], texts=texts) for name, child in children.items()],
    )


def load_cluster(
    name: str,
    paths: Iterable[AnyPath],
    diagnostics: Iterable[Diagnostic] = (),
    *,
    texts: Texts | None = None,
) -> Cluster:
    """Read one cluster from files and folders; ``diagnostics`` are those found before.

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
        files, charts = ([path], []) if named else _walk(path, name, found, texts)
        read = [each for file in files for each in _read(file, name, found, texts, named=named)]
        read += [each for chart in charts for each in _read_chart(chart, name, found, texts)]
        if len(found) == before and all(map(_is_empty, read)):
            found.append(_nothing(path, _why_empty(files), name))
        manifests += read
    return make_cluster(name, manifests, found)


def load_stream(
    data: bytes, source: str = "-", name: str = "", *, texts: Texts | None = None
) -> Cluster:
    """Read one cluster from the bytes of a stream, named ``source`` in diagnostics.

    Complexity: O(bytes).

    >>> [d.code for d in load_stream(b"").diagnostics]
    ['UPL011']

    Source: this library's; the page does not mention files.
    """
    if texts is not None:
        data = texts.setdefault(source, data)
    manifests = parse_manifests(data, source=source, cluster=name)
    found = [_nothing(source, _why_empty([source]), name)] if _is_empty(manifests) else []
    return make_cluster(name, [manifests], found)


def _read(
    path: str, cluster: str, found: list[Diagnostic], texts: Texts | None, *, named: bool
) -> list[Manifests]:
    # Read one byte more than the limit, so that the parser detects the excess, and request
    # no more than the file's size, because allocating the buffer is the main cost.
    most = Limits().size + 1
    if texts is not None and path in texts:
        return [_parse(texts[path], path, cluster, named=named)]
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
    if texts is not None:
        texts[path] = data
    return [_parse(data, path, cluster, named=named)]


def _parse(data: bytes, path: str, cluster: str, *, named: bool) -> Manifests:
    """Parse text; note a template, or text of another program, instead of reporting it."""
    manifests = parse_manifests(data, source=path, cluster=cluster)
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
    chart: Chart, cluster: str, found: list[Diagnostic], texts: Texts | None
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
            found.append(_error(UNREADABLE, chart.file, f"cannot be rendered: {problem}", cluster))
        else:
            found.append(charts.not_rendered(chart, cluster, str(problem)))
        return []
    read = []
    for file, text in parts.items():
        data = text.encode()
        texts.templates[file], texts[file] = charts.content(file), data
        read.append(parse_manifests(data, source=file, cluster=cluster))
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
    for name in _names(folder, "", found):
        path = os.path.join(folder, name)
        if os.path.isdir(path):
            children[name] = path
        elif name.endswith(SUFFIXES):
            reason = f"it belongs to no child, move it to {CHILDREN}/<name>/"
            found.append(_error(UNREADABLE, path, f"not read: {reason}"))
    if not children and not found:
        found.append(_nothing(folder, "it has no folder of a child", PARENT))
    return children


def _walk(
    folder: str, cluster: str, found: list[Diagnostic], texts: Texts | None
) -> tuple[list[str], list[Chart]]:
    """Find the manifests below a folder, in the order of their names, and the charts."""
    files: list[str] = []
    charts: list[Chart] = []
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
                waiting += reversed(_inside(path, cluster, found, texts, charts))
        elif stat.S_ISREG(status.st_mode):
            files.append(path)
        else:
            found.append(not_regular(path, cluster))
    return _without_covered(files, charts) if charts else (files, charts)


def _inside(
    folder: str,
    cluster: str,
    found: list[Diagnostic],
    texts: Texts | None,
    charts: list[Chart],
) -> list[str]:
    """Return the folders and manifests in a folder; if it is a chart, add it to ``charts``."""
    names = _names(folder, cluster, found)
    if texts is not None and texts.is_excluded is not None:
        names = [name for name in names if not texts.is_excluded(os.path.join(folder, name))]
    paths = [os.path.join(folder, name) for name in names]
    if not any(name in names for name in CHART_FILES):
        return [path for path in paths if path.endswith(SUFFIXES) or os.path.isdir(path)]
    from uplinks.adapters._charts import chart_in  # noqa: PLC0415 - most folders are no charts

    chart = chart_in(folder, names)
    if chart is None:
        return [path for path in paths if path.endswith(SUFFIXES) or os.path.isdir(path)]
    charts.append(chart)
    # A kustomization's other folders may be anything, a chart's are parts of it.
    return [] if chart.is_helm else [path for path in paths if os.path.isdir(path)]


def _without_covered(files: list[str], charts: list[Chart]) -> tuple[list[str], list[Chart]]:
    """Leave out what a kustomization includes from other folders."""
    from uplinks.adapters._charts import covered_by  # noqa: PLC0415 - as above

    covered = covered_by(charts)

    def is_covered(path: str) -> bool:
        real = os.path.realpath(path)
        return any(os.path.commonpath((real, folder)) == folder for folder in covered)

    kept = [chart for chart in charts if not is_covered(chart.folder)]
    return [file for file in files if not is_covered(file)], kept


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
