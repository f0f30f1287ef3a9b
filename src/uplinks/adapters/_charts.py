"""Helm charts and kustomizations: folders that another program turns into manifests.

Rules of this file:

1. The files of such a folder are sources, not manifests: they are never read as they are.
   A kustomization that only lists files beside it changes nothing, so its files are read.
2. A rendering is text by file. Helm says from which template each document comes;
   of a kustomization, the object's kind and name find the file.
3. What is not rendered is an error for those who need every manifest; `uplinks check`
   reports it as information.
4. The program runs without a shell and without input, and is ended after `SECONDS`, or
   when it writes more than a manifest may have. `kubectl kustomize` may download bases
   that the kustomization names by URL.
"""

# pathlib rewrites paths (./a becomes a), and a file keeps the name it was given.
# ruff: noqa: PTH100, PTH112, PTH113, PTH118, PTH123, PTH208

from __future__ import annotations

import os
import re
from collections.abc import Collection, Iterable, Iterator
from itertools import pairwise
from typing import Any, Final

from attrs import frozen

from uplinks import manifest
from uplinks.adapters._folders import CHART_FILES
from uplinks.diagnostics import Diagnostic, Location, Severity
from uplinks.manifest import Limits
from uplinks.rules import NOT_RENDERED

__all__ = [
    "SECONDS",
    "Chart",
    "Unrendered",
    "chart_in",
    "content",
    "covered_by",
    "is_template",
    "not_rendered",
    "render",
    "template_not_rendered",
]

SECONDS: Final = 60
"""How long a program may take to render one folder."""

_CHART: Final = CHART_FILES[0]
_KUSTOMIZATIONS: Final = CHART_FILES[1:]
_MANIFESTS: Final = (".yaml", ".yml")
# With these keys alone, a kustomization is a list of files.
_PLAIN_KEYS: Final = frozenset({"apiVersion", "kind", "metadata", "resources"})
_FOLDERS: Final = ("resources", "bases", "components")
_ACTION: Final = re.compile(
    rb"\{\{-?\s*(?:(?:if|else|end|range|with|define|include|template)\b"
    rb"|[$]?\.(?:Values|Release|Chart|Capabilities|Files|Template)\b)"
)
_SOURCE: Final = re.compile(r"^# Source: (.+?)\s*$", re.MULTILINE)
_SEPARATOR: Final = re.compile(r"^---(?=\s|$)", re.MULTILINE)
_KIND: Final = re.compile(r"^kind: *(\S+)", re.MULTILINE)
_NAME: Final = re.compile(r"^metadata:\n(?: +.*\n)*?  name: *(\S+)", re.MULTILINE)
_LONGEST_REASON: Final = 200
_LOG_HEAD: Final = re.compile(r'^[EFIW]\d{4} .*?"command failed" err=<?', re.MULTILINE)
_WARNING: Final = re.compile(r"(?:# *)?warning|[IW]\d{4} ", re.IGNORECASE)


@frozen
class Chart:
    """A Helm chart or a kustomization.

    ``folder`` and ``file`` (``Chart.yaml`` or the kustomization) are named as the user
    named them.
    """

    folder: str
    file: str

    @property
    def is_helm(self) -> bool:
        """True for a Helm chart, false for a kustomization."""
        return os.path.basename(self.file) == _CHART  # noqa: PTH119 - a name, not a path

    @property
    def kind(self) -> str:
        """The kind of the folder, in words."""
        return "Helm chart" if self.is_helm else "kustomization"

    @property
    def command(self) -> tuple[str, ...]:
        """The program that renders the folder, with its arguments."""
        start = ("helm", "template") if self.is_helm else ("kubectl", "kustomize")
        return (*start, self.folder)


class Unrendered(Exception):
    """A folder could not be rendered. ``installed``: its program was found."""

    def __init__(self, reason: str, *, installed: bool) -> None:
        super().__init__(reason)
        self.installed = installed


def chart_in(folder: str, names: Collection[str]) -> Chart | None:
    """Return the chart or kustomization that a folder is, by the names in it.

    Complexity: O(1), and O(bytes) of a kustomization. Raises nothing.
    """
    for name in (_CHART, *_KUSTOMIZATIONS):
        file = os.path.join(folder, name)
        if name in names and os.path.isfile(file):
            chart = Chart(folder, file)
            return chart if chart.is_helm or not _is_plain(chart) else None
    return None


def covered_by(charts: Iterable[Chart]) -> set[str]:
    """Return the real folders that kustomizations name, so that no other reader needs to.

    Complexity: O(bytes) of the kustomizations. Raises nothing.
    """
    covered = set()
    for chart in charts:
        if not chart.is_helm:
            for path in _listed(_fields(chart.file), _FOLDERS):
                target = os.path.realpath(os.path.join(chart.folder, path))
                if os.path.isdir(target):
                    covered.add(target)
    return covered


def is_template(data: bytes) -> bool:
    """Return whether text that cannot be parsed has actions of Helm's template language.

    >>> is_template(b"{{- if .Values.enabled }}"), is_template(b"a: {{ b: c }}")
    (True, False)
    """
    return _ACTION.search(data) is not None


def not_rendered(chart: Chart, cluster: str, reason: str = "") -> Diagnostic:
    """Report a folder whose manifests were not read.

    >>> not_rendered(Chart("apps/web", "apps/web/Chart.yaml"), "eu").message
    'a Helm chart is not read; use --render, or the output of: helm template apps/web'
    """
    import shlex  # noqa: PLC0415 - most folders are no charts

    what = f"a {chart.kind} is not read; "
    use = f"{reason}; install it, or use" if reason else "use --render, or"
    message = f"{what}{use} the output of: {shlex.join(chart.command)}"
    return Diagnostic(NOT_RENDERED, Severity.ERROR, message, Location(cluster, chart.file))


def template_not_rendered(file: str, cluster: str) -> Diagnostic:
    """Report a file that is a template outside of any chart."""
    message = "a Helm template is not read; use the output of helm template"
    return Diagnostic(NOT_RENDERED, Severity.ERROR, message, Location(cluster, file))


def render(chart: Chart) -> dict[str, str]:
    """Render a folder, and return the manifests by the file that they come from.

    Raises: Unrendered if the program is missing, fails, or takes too long or too much.
    """
    import shutil  # noqa: PLC0415 - few runs render

    program, *arguments = chart.command
    found = shutil.which(program)
    if found is None:
        raise Unrendered(f"{program} was not found", installed=False)
    arguments[-1] = os.path.abspath(chart.folder)
    text = _run([found, *arguments], program)
    sources = _by_template(text, chart) if chart.is_helm else _by_object(text, chart)
    parts: dict[str, str] = {}
    for source, document in sources:
        parts[source] = parts.get(source, "") + document
    return parts


# --- programs ---------------------------------------------------------------


def _run(command: list[str], program: str) -> str:
    import contextlib  # noqa: PLC0415 - few runs render
    import signal  # noqa: PLC0415 - the same
    import subprocess  # noqa: PLC0415 - the same
    import tempfile  # noqa: PLC0415 - the same
    import threading  # noqa: PLC0415 - the same

    most = Limits().size
    late = threading.Event()
    with tempfile.TemporaryFile() as errors:
        try:
            process = subprocess.Popen(  # noqa: S603 - the user asked for it, and no shell runs
                command,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=errors,
                start_new_session=True,
            )
        except OSError as error:
            reason = f"{program} cannot be run: {error.strerror}"
            raise Unrendered(reason, installed=True) from None

        def end() -> None:
            # A program of its own that it started keeps the pipe open.
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)

        def end_late() -> None:
            late.set()
            end()

        timer = threading.Timer(SECONDS, end_late)
        timer.start()
        with process:
            assert process.stdout is not None  # noqa: S101 - it is a pipe
            try:
                data = process.stdout.read(most + 1)
                if len(data) > most:
                    end()
                status = process.wait()
            except BaseException:
                end()
                raise
            finally:
                timer.cancel()
        errors.seek(0)
        said = errors.read(4 * _LONGEST_REASON).decode("utf-8", "replace")
    if late.is_set():
        raise Unrendered(f"{program} took longer than {SECONDS} s", installed=True)
    if len(data) > most:
        raise Unrendered(f"{program} wrote more than {most} bytes", installed=True)
    if status:
        reason = _reason(said)
        shown = f": {reason}" if reason else ""
        raise Unrendered(f"{program} failed with status {status}{shown}", installed=True)
    return data.decode("utf-8", "replace")


def _reason(said: str) -> str:
    """Give the reason on one line, without the frame of a log and the warnings before it."""
    lines = [line.strip() for line in _LOG_HEAD.sub("", said).splitlines()]
    kept = [line for line in lines if line not in ("", ">")]
    wrong = [line for line in kept if not _WARNING.match(line)] or kept
    return " ".join(wrong)[:_LONGEST_REASON].rstrip()


# --- from a rendering to files ----------------------------------------------


def _documents(text: str) -> Iterator[str]:
    """Split text before each document marker."""
    starts = [match.start() for match in _SEPARATOR.finditer(text)]
    bounds = [0, *(start for start in starts if start), len(text)]
    for begin, end in pairwise(bounds):
        part = text[begin:end]
        if part.strip():
            yield part if part.endswith("\n") else f"{part}\n"


def _by_template(text: str, chart: Chart) -> Iterator[tuple[str, str]]:
    source = chart.file
    for document in _documents(text):
        match = _SOURCE.search(document)
        # The first folder is the chart's name, which its own folder may not have.
        path = None if match is None else match[1].partition("/")[2]
        if path is not None:
            inside = os.path.normpath(path)
            file = os.path.join(chart.folder, inside)
            is_there = not inside.startswith((os.pardir, os.sep)) and os.path.isfile(file)
            source = file if is_there else chart.file
        yield source, document


def _by_object(text: str, chart: Chart) -> Iterator[tuple[str, str]]:
    files = {identity: file for file in _resources(chart) for identity in _identities(file)}
    for document in _documents(text):
        found = _identity(document)
        yield (chart.file if found is None else files.get(found, chart.file)), document


def _resources(chart: Chart) -> Iterator[str]:
    """Yield the files that a kustomization lists, also through folders that it lists."""
    waiting, seen = [chart], set[str]()
    while waiting:
        each = waiting.pop()
        if os.path.realpath(each.file) in seen:
            continue
        seen.add(os.path.realpath(each.file))
        for path in _listed(_fields(each.file), _FOLDERS):
            target = os.path.normpath(os.path.join(each.folder, path))
            if os.path.isfile(target):
                yield target
            names = _KUSTOMIZATIONS if os.path.isdir(target) else ()
            inside = (os.path.join(target, name) for name in names)
            waiting += (Chart(target, file) for file in inside if os.path.isfile(file))


def _identities(file: str) -> set[tuple[str, str]]:
    text = content(file).decode("utf-8", "replace")
    return {found for each in _documents(text) if (found := _identity(each)) is not None}


def _identity(document: str) -> tuple[str, str] | None:
    """Find kind and name of an object in block style, as kustomize writes it."""
    kind, name = _KIND.search(document), _NAME.search(document)
    return None if kind is None or name is None else (kind[1], name[1].strip("\"'"))


# --- kustomizations ---------------------------------------------------------


def _is_plain(chart: Chart) -> bool:
    """Return whether reading the files beside a kustomization is the same as rendering it."""
    content = _fields(chart.file)
    listed = _listed(content, ("resources",))
    names = {*(path.removeprefix("./") for path in listed)}
    beside = {
        name
        for name in os.listdir(chart.folder)
        if name.endswith(_MANIFESTS) and name not in _KUSTOMIZATIONS
    }
    return _PLAIN_KEYS.issuperset(content) and bool(names) and names == beside


def _fields(file: str) -> dict[str, Any]:
    documents = manifest.read(content(file)).documents
    root = documents[0].root if documents else None
    return root if isinstance(root, dict) else {}


def content(file: str) -> bytes:
    """Read a file, or nothing if it cannot be read."""
    try:
        with open(file, "rb") as stream:
            return stream.read(Limits().size)
    except OSError:
        return b""


def _listed(content: dict[str, Any], keys: Iterable[str]) -> list[str]:
    lists = (content.get(key) for key in keys)
    return [path for each in lists if isinstance(each, list) for path in each if _is_path(path)]


def _is_path(value: object) -> bool:
    return isinstance(value, str) and bool(value) and "\0" not in value
