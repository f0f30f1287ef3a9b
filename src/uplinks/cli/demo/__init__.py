"""``uplinks demo``: a failover that happens, on real sockets.

Rules of this package:

1. `show` does it, `children` are the servers; here it is told.
2. What needs an extra is imported when the command runs.
"""

from __future__ import annotations

import argparse
import asyncio
import logging
import os
import time
from typing import TYPE_CHECKING

from uplinks.cli import COMMANDS
from uplinks.cli.console import CLEAN, FINDINGS, Console, Ink
from uplinks.cli.tables import Column, table

if TYPE_CHECKING:
    from uplinks.cli.demo.show import Finding

__all__ = ["add", "run"]

COLUMNS = (
    Column("service"),
    Column("stopped"),
    Column("noticed after", number=True),
    Column("bound", number=True),
    Column("requests lost", number=True),
    Column("sent there later", number=True),
    Column("back after", number=True),
    Column("bound", number=True),
    Column("split after"),
)


def add(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command."""
    parser = commands.add_parser(
        "demo",
        help=COMMANDS["demo"],
        description="Start children on the loopback, over HTTP and over gRPC, send requests, stop "
        "a child of each kind and start it again; say when that was noticed. Takes about six "
        "seconds.",
        allow_abbrev=False,
    )
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace, console: Console) -> int:  # noqa: ARG001 - there are none
    """Write what was seen; findings are promises that were not kept."""
    from uplinks.errors import MissingExtra  # noqa: PLC0415 - see the package's rules

    # A server that stops is no news here; the C part of grpc reads this when it is loaded.
    os.environ.setdefault("GRPC_VERBOSITY", "ERROR")
    try:
        from uplinks.cli.demo import show  # noqa: PLC0415 - see the package's rules
    except MissingExtra:
        console.complain("the demonstration needs two extras: pip install 'uplinks[http,grpc]'")
        return 2
    begun = time.monotonic()
    terminal = console.err.isatty()

    def progress(text: str) -> None:
        if terminal:
            console.err.write(f"\r\x1b[K{time.monotonic() - begun:5.1f} s  {text}")
            console.err.flush()

    # What the driver logs is what the table says.
    logging.getLogger("uplinks").addHandler(logging.NullHandler())
    try:
        found = asyncio.run(show.show(progress))
    except TimeoutError:
        found = []
    finally:
        if terminal:
            console.err.write("\r\x1b[K")
    if not found:
        console.complain("nothing was noticed for far too long")
        return FINDINGS
    console.out.write(_text(found, console.ink(console.out)))
    return CLEAN if all(finding.kept for finding in found) else FINDINGS


def _text(found: list[Finding], ink: Ink) -> str:
    rows = [
        [
            finding.service,
            finding.stopped,
            _seconds(finding.noticed),
            _seconds(finding.detection),
            str(finding.lost),
            str(finding.late),
            _seconds(finding.back),
            _seconds(finding.recovery),
            ", ".join(f"{child} {number}" for child, number in finding.split.items()),
        ]
        for finding in found
    ]
    verdict = (
        ink("good", "Every promise was kept.")
        if all(finding.kept for finding in found)
        else ink("error", "A promise was not kept.")
    )
    return f"{table(COLUMNS, rows, ink)}\n{verdict}\n"


def _seconds(nanoseconds: int) -> str:
    return f"{nanoseconds / 1e9:.2f} s"
