"""``uplinks demo``: a failover on real sockets. What needs an extra is imported on use."""

from __future__ import annotations

import argparse
import asyncio
import logging
import os
import time
from typing import TYPE_CHECKING, Final

from uplinks.cli import COMMANDS
from uplinks.cli.console import CLEAN, FINDINGS, UNUSABLE, Console, Styler
from uplinks.cli.tables import Column, table

if TYPE_CHECKING:
    from uplinks.cli.demo.failover import Result
    from uplinks.cli.demo.live import Step

__all__ = ["add", "run"]

COLUMNS: Final = (
    Column("service"),
    Column("stopped"),
    Column("detected after", number=True),
    Column("bound", number=True),
    Column("requests lost", number=True),
    Column("sent later", number=True),
    Column("recovered after", number=True),
    Column("bound", number=True),
    Column("split after"),
)

LIVE_COLUMNS: Final = (
    Column("what happens"),
    Column("seen after", number=True),
    Column("bound", number=True),
    Column("requests lost", number=True),
    Column("split after"),
)


def add(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command."""
    parser = commands.add_parser(
        "demo",
        help=COMMANDS["demo"],
        description="Start HTTP and gRPC children on the loopback, send requests, stop one child "
        "of each kind and start it again. Then let a live parent (uplinks serve) follow two "
        "children; one is killed and brought back, the other gets a new weight. Report how long "
        "each takes compared to its bound. Takes about fifteen seconds.",
        allow_abbrev=False,
    )
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace, console: Console) -> int:  # noqa: ARG001 - there are none
    """Write the results; a bound that was exceeded is a finding."""
    from uplinks.errors import MissingExtra  # noqa: PLC0415 - rarely needed

    # The C part of grpc reads this when it is loaded; a stopped server is no error here.
    os.environ.setdefault("GRPC_VERBOSITY", "ERROR")
    try:
        from uplinks.cli.demo import failover, live  # noqa: PLC0415 - needs extras
    except MissingExtra:
        console.complain("the demo needs two extras: pip install 'uplinks[serve,grpc]'")
        return UNUSABLE
    started = time.monotonic()
    terminal = console.err.isatty()

    def progress(text: str) -> None:
        if terminal:
            console.err.write(f"\r\x1b[K{time.monotonic() - started:5.1f} s  {text}")
            console.err.flush()

    # The table has all that the driver would log.
    logging.getLogger("uplinks").addHandler(logging.NullHandler())
    gateway = ""
    results: list[Result] = []
    steps: list[Step] = []
    try:
        results = asyncio.run(failover.run_all(progress))
        gateway, steps = asyncio.run(live.run_live(progress))
    except TimeoutError:
        pass
    finally:
        if terminal:
            console.err.write("\r\x1b[K")
    styler = console.styler(console.out)
    if results:
        console.out.write(_format(results, styler))
    if not steps:
        console.complain("what should have happened did not happen in time")
        return FINDINGS
    console.out.write(f"\nA live parent, with requests through {gateway}:\n\n")
    console.out.write(_format_steps(steps, styler))
    kept = all(r.within_bounds for r in results) and all(s.within_bounds for s in steps)
    console.out.write(
        f"\n{styler('good', 'Every bound was kept.')}\n"
        if kept
        else f"\n{styler('error', 'A bound was exceeded.')}\n"
    )
    return CLEAN if kept else FINDINGS


def _format(results: list[Result], styler: Styler) -> str:
    rows = [
        [
            result.service,
            result.stopped,
            _seconds(result.detection),
            _seconds(result.detection_bound),
            str(result.lost),
            str(result.sent_later),
            _seconds(result.recovery),
            _seconds(result.recovery_bound),
            ", ".join(f"{child} {number}" for child, number in result.split.items()),
        ]
        for result in results
    ]
    return table(COLUMNS, rows, styler)


def _format_steps(steps: list[Step], styler: Styler) -> str:
    rows = [
        [
            step.what,
            _seconds(step.after),
            _seconds(step.bound),
            str(step.lost),
            ", ".join(f"{child} {number}" for child, number in step.split.items()),
        ]
        for step in steps
    ]
    return table(LIVE_COLUMNS, rows, styler)


def _seconds(nanoseconds: int) -> str:
    return f"{nanoseconds / 1e9:.2f} s"
