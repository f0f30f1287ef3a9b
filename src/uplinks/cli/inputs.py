"""What a command reads: a fleet, or one cluster alone.

Rules of this file:

1. A place is a folder, a file, or ``-`` for standard input; or a parent and
   its children each have a path of their own.
2. A stream, a file, and a folder without ``parent/`` and ``children/`` are one
   cluster alone. Only `check` can do something with that.
"""

from __future__ import annotations

import argparse
import sys

from uplinks.adapters.files import (
    UNREADABLE,
    is_fleet,
    load,
    load_fleet,
    load_fleet_from,
    load_stream,
)
from uplinks.diagnostics import Report
from uplinks.manifest import Limits
from uplinks.model import Cluster, Fleet

__all__ = ["Unusable", "add_fleet", "add_places", "read_fleet", "read_places", "unreadable"]

STREAM = "-"


class Unusable(Exception):
    """The command line makes no sense, or leads to nothing that can be used."""


def add_places(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of a command that reads any number of places."""
    parser.add_argument(
        "fleet",
        metavar="FLEET",
        nargs="*",
        help="a folder with parent/ and children/NAME/; or one cluster: a folder, a file, or - "
        "for standard input",
    )
    _add_paths(parser)


def add_fleet(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of a command that needs a whole fleet."""
    parser.add_argument(
        "fleet", metavar="FLEET", nargs="?", help="a folder with parent/ and children/NAME/"
    )
    _add_paths(parser)


def _add_paths(parser: argparse.ArgumentParser) -> None:
    paths = parser.add_argument_group("a fleet in several places, instead of FLEET")
    paths.add_argument("--parent", metavar="PATH", help="the parent's folder or file")
    paths.add_argument(
        "--child",
        metavar="NAME=PATH",
        action="append",
        default=[],
        type=_child,
        help="a child's name, as the parent lists it, and its folder or file; repeatable",
    )


def _child(text: str) -> tuple[str, str]:
    name, equals, path = text.partition("=")
    if not (name and equals and path):
        raise argparse.ArgumentTypeError(f"{text!r} is not NAME=PATH")
    return name, path


def read_places(arguments: argparse.Namespace) -> list[Fleet | Cluster]:
    """Read every place that was named.

    Raises: Unusable when none was, or when they contradict each other.
    """
    if arguments.parent is not None or arguments.child:
        return [_read_paths(arguments)]
    if not arguments.fleet:
        raise Unusable("name a FLEET, or a --parent and a --child NAME=PATH for each child")
    if arguments.fleet.count(STREAM) > 1:
        raise Unusable("standard input (-) can be read only once")
    return [_read_stream() if path == STREAM else load(path) for path in arguments.fleet]


def read_fleet(arguments: argparse.Namespace) -> Fleet:
    """Read the one fleet that was named.

    Raises: Unusable, also for what is one cluster alone.
    """
    if arguments.parent is not None or arguments.child:
        return _read_paths(arguments)
    if arguments.fleet is None:
        raise Unusable("name a FLEET, or a --parent and a --child NAME=PATH for each child")
    fleet = load_fleet(arguments.fleet)
    readable = all(d.code != UNREADABLE for d in fleet.parent.diagnostics)
    if arguments.fleet == STREAM or (readable and not is_fleet(arguments.fleet)):
        raise Unusable(
            f"{arguments.fleet} is one cluster alone; a fleet has parent/ and children/NAME/"
        )
    return fleet


def _read_paths(arguments: argparse.Namespace) -> Fleet:
    if arguments.fleet:
        raise Unusable("name a FLEET or its --parent and --child, not both")
    if arguments.parent is None:
        raise Unusable("a --child needs a --parent")
    names = [name for name, _ in arguments.child]
    for name in names:
        if names.count(name) > 1:
            raise Unusable(f"two children are called {name}")
    return load_fleet_from(arguments.parent, dict(arguments.child))


def _read_stream() -> Cluster:
    # One byte more than allowed, so that the reader sees it is too much.
    return load_stream(sys.stdin.buffer.read(Limits().size + 1), source="<stdin>")


def unreadable(report: Report) -> bool:
    """Tell whether a file or folder could not be read."""
    return any(finding.code == UNREADABLE for finding in report)
