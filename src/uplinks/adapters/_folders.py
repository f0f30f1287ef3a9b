"""Which files of a folder are manifests, and which folders are charts.

Rules of this file:

1. Manifests are files with one of `SUFFIXES`, at any depth, in the order of their names.
   Hidden files and folders are not read.
2. Each real folder is entered once, however many links lead to it.
3. A chart's files are left out. So is what a kustomization includes from other folders.
"""

# pathlib rewrites paths (./a becomes a), and a file keeps the name it was given.
# ruff: noqa: PTH112, PTH116, PTH118, PTH208

from __future__ import annotations

import os
import stat
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Final

from uplinks.diagnostics import Diagnostic, Location, Severity

if TYPE_CHECKING:
    from uplinks.adapters._charts import Chart

__all__ = [
    "CHART_FILES",
    "SUFFIXES",
    "TOML",
    "UNREADABLE",
    "Texts",
    "error",
    "names_in",
    "not_regular",
    "unreadable",
    "walk",
]

UNREADABLE = "UPL012"

TOML = ".toml"
SUFFIXES = (".yaml", ".yml", ".json", TOML)

CHART_FILES: Final = ("Chart.yaml", "kustomization.yaml", "kustomization.yml", "Kustomization")
"""The files that make a folder a Helm chart or a kustomization."""


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


def walk(
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
        except OSError as problem:
            found.append(unreadable(path, problem, cluster))
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
    names = names_in(folder, cluster, found)
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


def names_in(folder: str, cluster: str, found: list[Diagnostic]) -> list[str]:
    """Give the names in a folder, sorted, without hidden ones."""
    try:
        return sorted(name for name in os.listdir(folder) if not name.startswith("."))
    except OSError as problem:
        found.append(unreadable(folder, problem, cluster))
        return []


def not_regular(path: str, cluster: str = "") -> Diagnostic:
    """Report a path that is neither a file nor a folder: a pipe, a socket, a device.

    >>> str(not_regular("pipe.yaml"))
    'pipe.yaml:1:1: error UPL012: cannot be read: not a regular file'
    """
    return error(UNREADABLE, path, "cannot be read: not a regular file", cluster)


def unreadable(path: str, problem: OSError | ValueError, cluster: str = "") -> Diagnostic:
    """Report a file or folder that cannot be read."""
    # A ValueError is a NUL in the path.
    reason = problem.strerror if isinstance(problem, OSError) else None
    return error(UNREADABLE, path, f"cannot be read: {reason or problem}", cluster)


def error(code: str, path: str, message: str, cluster: str = "") -> Diagnostic:
    """Report a file or folder as a whole."""
    # An empty path is shown as ''.
    return Diagnostic(code, Severity.ERROR, message, Location(cluster, path or "''"))
