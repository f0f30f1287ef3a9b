"""The inputs of a command: fleets and single clusters.

Rules of this file:

1. An input is a folder, a file, or ``-`` for standard input; or the parent and each
   child have a path of their own, one of which may be ``-``.
   A command may also read clusters from Kubernetes (`contexts`).
2. A stream, a file, and a folder without ``parent/`` and ``children/`` are a single
   cluster. Only `check` accepts one.
3. A folder of fleets is refused: the user chooses one of them.
4. A pattern that the shell did not expand (``'apps/**/*.yaml'``) is expanded here, unless
   a file has that name. A pattern without a match is a diagnostic.
"""

from __future__ import annotations

import argparse
import glob
import os
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import cache, partial
from typing import TYPE_CHECKING, Final

from attrs import field, frozen

from uplinks import naming
from uplinks.adapters._folders import SUFFIXES
from uplinks.adapters.files import (
    NOTHING_FOUND,
    PARENT,
    UNREADABLE,
    AnyPath,
    Texts,
    fleets_in,
    is_fleet,
    load,
    load_cluster,
    load_fleet,
    load_stream,
    not_regular,
)
from uplinks.cli.console import UsageError
from uplinks.diagnostics import Diagnostic, Location, Severity
from uplinks.errors import join_names
from uplinks.manifest import Limits
from uplinks.model import Cluster, Fleet
from uplinks.parsing import join_clusters, make_fleet
from uplinks.schema import DEFAULT_NAMESPACE

if TYPE_CHECKING:
    from uplinks.cli.source import Source

__all__ = [
    "Place",
    "add_contexts",
    "add_fleet",
    "add_namespace",
    "add_places",
    "add_render",
    "make_place",
    "make_texts",
    "read_fleet",
    "read_folder",
    "read_places",
    "unreadable",
]

STREAM = "-"
STDIN: Final = "<stdin>"
"""The file name of standard input in findings."""

_NO_INPUT: Final = "a FLEET is required, or --parent PATH and a --child NAME=PATH for each child"


@frozen
class Place:
    """What was read from one input, and its texts by file.

    ``sources`` are the texts that were scanned so far. ``read`` reads the input, and
    takes the files that it has already from the given texts.
    """

    subject: Fleet | Cluster
    texts: Texts = field(factory=Texts, repr=False)
    sources: dict[str, Source] = field(factory=dict, repr=False)
    read: Callable[[Texts], Fleet | Cluster] | None = field(default=None, repr=False)

    @property
    def clusters(self) -> tuple[Cluster, ...]:
        """All clusters of the input."""
        return self.subject.clusters if isinstance(self.subject, Fleet) else (self.subject,)

    def again(self, changed: Mapping[str, bytes]) -> Place:
        """Read the input once more, with other texts for some of its files."""
        if self.read is None:
            return self
        known = {name: changed.get(name, data) for name, data in self.texts.items()}
        own = {name: data for name, data in known.items() if name not in self.texts.templates}
        return make_place(self.read, self.texts.again(own))


def make_place(read: Callable[[Texts], Fleet | Cluster], texts: Texts) -> Place:
    """Read an input."""
    return Place(read(texts), texts, read=read)


def add_places(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of a command with any number of inputs."""
    parser.add_argument(
        "fleet",
        metavar="FLEET",
        nargs="*",
        help="a folder with parent/ and children/NAME/; or a single cluster: a folder, a file, or "
        "- for standard input; a pattern such as 'apps/**/*.yaml' selects files",
    )
    _add_paths(parser)


def add_namespace(parser: argparse.ArgumentParser) -> None:
    """Add the option for the namespace of objects without one."""
    parser.add_argument(
        "--namespace",
        metavar="NAME",
        default=DEFAULT_NAMESPACE,
        type=_namespace,
        help="the namespace of objects without one, as for kubectl and helm (default: "
        f"{DEFAULT_NAMESPACE})",
    )


def _namespace(text: str) -> str:
    problem = naming.problem_with_name(text)
    if problem is not None:
        raise argparse.ArgumentTypeError(f"{text!r} is no namespace: {problem}")
    return text


def add_fleet(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of a command that needs a whole fleet."""
    parser.add_argument(
        "fleet", metavar="FLEET", nargs="?", help="a folder with parent/ and children/NAME/"
    )
    _add_paths(parser)


def add_render(parser: argparse.ArgumentParser) -> None:
    """Add the option to read charts and kustomizations."""
    parser.add_argument(
        "--render",
        action="store_true",
        help="read what helm template and kubectl kustomize make of charts and kustomizations",
    )


def make_texts(patterns: Sequence[tuple[str, str]], *, render: bool) -> Texts:
    """Say how folders are read: ``patterns`` are left out, and charts rendered if wanted."""
    from uplinks.cli.selection import Excludes  # noqa: PLC0415 - most runs have no patterns

    excludes = Excludes(patterns) if patterns else None
    if not render:
        return Texts(is_excluded=excludes)
    from uplinks.adapters import _charts as charts  # noqa: PLC0415 - few runs render

    # Read again, a chart is not rendered again.
    return Texts(is_excluded=excludes, render=cache(charts.render))


def _configured(path: str, *, render: bool) -> Texts:
    """Say how the folders of a fleet are read, with the patterns of its configuration."""
    from uplinks.cli import config  # noqa: PLC0415 - a command that checks has read it

    file = config.find(path)
    if file is None:
        return make_texts((), render=render)
    from uplinks.adapters import plugins  # noqa: PLC0415 - most projects have no configuration
    from uplinks.cli import findings  # noqa: PLC0415 - it imports this module

    codes = findings.catalogue(plugins.load_rules())
    return make_texts(config.load(file, codes).exclude, render=render)


def _add_paths(parser: argparse.ArgumentParser) -> None:
    add_render(parser)
    add_namespace(parser)
    paths = parser.add_argument_group("a fleet in several places, instead of FLEET")
    paths.add_argument("--parent", metavar="PATH", help="the parent's folder or file, or -")
    paths.add_argument(
        "--child",
        metavar="NAME=PATH",
        action="append",
        default=[],
        type=_child,
        help="a child's name in the parent's configuration, and its folder or file, or -; "
        "repeatable, also for further paths of one child",
    )


def _child(text: str) -> tuple[str, str]:
    name, equals, path = text.partition("=")
    if not (name and equals and path):
        raise argparse.ArgumentTypeError(f"must be NAME=PATH, got {text!r}")
    return name, path


def add_contexts(parser: argparse.ArgumentParser) -> None:
    """Add the options of a command that reads contexts."""
    group = parser.add_argument_group(
        "clusters in Kubernetes, instead of FLEET or beside its paths"
    )
    group.add_argument(
        "--context",
        metavar="[NAME=]CONTEXT",
        action="append",
        default=[],
        type=_context,
        help="a child: the context of the kubeconfig that reads its uplinks and routers, and its "
        "name if that is another; in-cluster is the service account of this pod; repeatable",
    )
    group.add_argument(
        "--parent-context", metavar="CONTEXT", help="the context that reads the parent's objects"
    )


def _context(text: str) -> tuple[str, str]:
    name, equals, context = text.partition("=")
    if not (name and (context or not equals)):
        raise argparse.ArgumentTypeError(f"must be CONTEXT or NAME=CONTEXT, got {text!r}")
    return name, context or name


def read_places(arguments: argparse.Namespace, texts: Texts) -> list[Place]:
    """Read every input on the command line, each in the way of ``texts``.

    Raises: UsageError without any, if they contradict each other, or if one is a folder
    of fleets.
    """
    if _in_several_places(arguments):
        return [make_place(partial(_read_paths, arguments), texts.again({}))]
    if not arguments.fleet:
        raise UsageError(_NO_INPUT)
    _check_places(arguments.fleet)
    read = partial(_read_place, texts=texts, namespace=arguments.namespace)
    return [place for path in arguments.fleet for place in read(path)]


def _read_place(path: str, texts: Texts, namespace: str) -> Iterator[Place]:
    if path == STREAM:
        yield make_place(partial(_read_stream, "", namespace=namespace), texts.again({}))
    elif not glob.has_magic(path) or os.path.lexists(path):
        yield make_place(partial(load, path, namespace=namespace), texts.again({}))
    elif matches := _matches(path):
        for match in matches:
            if _is_excluded(match, path, texts):
                continue
            # Opening a pipe waits for its writer, and a pattern did not ask for it.
            if _is_special(match):
                yield Place(Cluster("", diagnostics=[not_regular(match)]))
            else:
                yield make_place(partial(load, match, namespace=namespace), texts.again({}))
    else:
        message = "nothing found: no file or folder matches this pattern"
        nothing = Diagnostic(NOTHING_FOUND, Severity.ERROR, message, Location(file=path))
        yield Place(Cluster("", diagnostics=[nothing]))


def _is_excluded(match: str, pattern: str, texts: Texts) -> bool:
    """Return whether a match, or a folder of it that the pattern did not name, is left out."""
    if texts.is_excluded is None:
        return False
    named = next(n for n, part in enumerate(pattern.split("/")) if glob.has_magic(part))
    parts = match.split("/")
    below = range(named + 1, len(parts) + 1)
    return any(texts.is_excluded("/".join(parts[:number])) for number in below)


def _is_special(path: str) -> bool:
    """Return whether a path is neither a file nor a folder, but exists."""
    return os.path.exists(path) and not (os.path.isfile(path) or os.path.isdir(path))  # noqa: PTH110, PTH112, PTH113


def _matches(pattern: str) -> list[str]:
    """Expand a pattern to manifests and folders; below ``**`` a folder's files are matches."""
    matches = sorted(glob.glob(pattern, recursive=True))  # noqa: PTH207 - names as they were given
    deep = "**" in pattern
    return [p for p in matches if (not deep if os.path.isdir(p) else p.endswith(SUFFIXES))]  # noqa: PTH112


def read_fleet(arguments: argparse.Namespace) -> Fleet:
    """Read the fleet on the command line.

    Raises: UsageError, also for a single cluster.
    """
    if _in_several_places(arguments):
        first = next((path for path in _paths(arguments) if path != STREAM), ".")
        return _read_paths(arguments, _configured(first, render=arguments.render))
    if arguments.fleet is None:
        raise UsageError(_NO_INPUT)
    if arguments.fleet == STREAM:
        raise UsageError(
            "standard input (-) is a single cluster, not a fleet; use --parent - or "
            "--child NAME=- beside the others"
        )
    return read_folder(arguments.fleet, arguments.namespace, render=arguments.render)


def _paths(arguments: argparse.Namespace) -> list[str]:
    return [path for path in (arguments.parent, *(path for _, path in arguments.child)) if path]


def read_folder(path: str, namespace: str = DEFAULT_NAMESPACE, *, render: bool = False) -> Fleet:
    """Read the fleet of a folder, without what its configuration excludes.

    Raises: UsageError for a single cluster, or a folder of fleets.
    """
    if path == STREAM:
        raise UsageError("standard input (-) is a single cluster; use a folder with a fleet")
    _check_places([path])
    fleet = load_fleet(path, _configured(path, render=render), namespace=namespace)
    readable = all(d.code != UNREADABLE for d in fleet.parent.diagnostics)
    if readable and not is_fleet(path):
        raise UsageError(f"{path} is a single cluster; a fleet has parent/ and children/NAME/")
    return fleet


def _read_paths(arguments: argparse.Namespace, texts: Texts | None = None) -> Fleet:
    if arguments.fleet:
        raise UsageError("FLEET cannot be combined with --parent, --child and contexts")
    if arguments.parent is None and not _has_contexts(arguments):
        raise UsageError("--child requires --parent")
    parents = [] if arguments.parent is None else [arguments.parent]
    _check_places([*parents, *(path for _, path in arguments.child)])
    by_child: dict[str, list[str]] = {}
    for name, path in arguments.child:
        by_child.setdefault(name, []).append(path)
    read = partial(_read_cluster, texts=texts, namespace=arguments.namespace)
    parent = read(PARENT, parents) if parents else Cluster(PARENT)
    fleet = make_fleet(parent, [read(name, paths) for name, paths in by_child.items()])
    if not _has_contexts(arguments):
        return fleet
    from uplinks.cli import contexts  # noqa: PLC0415 - files need none

    return contexts.read(fleet, arguments, texts)


def _has_contexts(arguments: argparse.Namespace) -> bool:
    # Not every command has these options.
    given = vars(arguments)
    return bool(given.get("context")) or given.get("parent_context") is not None


def _in_several_places(arguments: argparse.Namespace) -> bool:
    return arguments.parent is not None or arguments.child or _has_contexts(arguments)


def _check_places(paths: Sequence[str]) -> None:
    if "" in paths:
        raise UsageError("a path must not be empty; use a folder, a file, or - for standard input")
    if paths.count(STREAM) > 1:
        raise UsageError("standard input (-) can be read only once")
    for path in paths:
        if path != STREAM and (fleets := fleets_in(path)):
            names = join_names(fleets)
            raise UsageError(f"{path} is a folder of fleets, not a fleet or a cluster; use {names}")


def _read_cluster(
    name: str, paths: Sequence[AnyPath], texts: Texts | None, namespace: str
) -> Cluster:
    return join_clusters(
        [
            _read_stream(name, texts, namespace)
            if path == STREAM
            else load_cluster(name, [path], texts=texts, namespace=namespace)
            for path in paths
        ]
    )


def _read_stream(
    name: str = "", texts: Texts | None = None, namespace: str = DEFAULT_NAMESPACE
) -> Cluster:
    if texts is not None and STDIN in texts:
        data = texts[STDIN]
    else:
        # One byte more than allowed, so that the reader sees that it is too much.
        data = sys.stdin.buffer.read(Limits().size + 1)
    return load_stream(data, source=STDIN, name=name, texts=texts, namespace=namespace)


def unreadable(report: Iterable[Diagnostic]) -> bool:
    """Return whether an input is missing or could not be read."""
    return any(each.code in {NOTHING_FOUND, UNREADABLE} for each in report)
