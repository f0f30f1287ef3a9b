"""The command line: ``uplinks check``, ``uplinks materialize``, ``uplinks simulate`` and others.

Rules of this package:

1. One command is one file, with two functions: `add` (its arguments) and
   `run` (its work). No command knows another, and only the one that is asked
   for is imported.
2. Exit status, whatever the output format: 0 clean, 1 findings, 2 bad usage
   or input that could not be read. An interrupt is 130, a closed pipe 141.
3. Bad input never gives a traceback. A command that cannot do all of its work
   does none: findings go to standard error, nothing to standard output.
4. What was read is shown with its control characters escaped: a manifest must
   not be able to drive a terminal.
"""

from __future__ import annotations

import argparse
import gc
import importlib
import os
import signal
import sys
from collections.abc import Sequence
from pathlib import Path

import uplinks
from uplinks.cli.console import FINDINGS, UNUSABLE, Console, Unusable
from uplinks.errors import UnusablePlugin, UplinksError

__all__ = ["COMMANDS", "main", "make_parser"]

COMMANDS = (
    "check",
    "explain",
    "materialize",
    "diff",
    "simulate",
    "schema",
    "demo",
    "completion",
)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command and return its exit status.

    ``arguments`` are those after the program's name; by default the process's.

    >>> main(["--version"])
    uplinks 0.1.0
    0
    """
    _prepare_streams()
    # What a command makes, it keeps to its end: looking for cycles in it is for nothing.
    collecting = gc.isenabled()
    gc.disable()
    try:
        try:
            return _run(sys.argv[1:] if arguments is None else arguments)
        finally:
            sys.stdout.flush()
    except BrokenPipeError:
        _discard_output()
        return 128 + signal.SIGPIPE
    except OSError as problem:  # a full disk below standard output
        _discard_output()
        Console.standard().complain(problem.strerror or str(problem))
        return UNUSABLE
    except KeyboardInterrupt:
        return 128 + signal.SIGINT
    finally:
        if collecting:
            gc.enable()


def _prepare_streams() -> None:
    # Whoever starts a program may leave a stream closed; Python then has None.
    sys.stdin = sys.stdin or Path(os.devnull).open(encoding="utf-8")  # noqa: SIM115 - as long as the process
    sys.stdout = sys.stdout or Path(os.devnull).open("w", encoding="utf-8")  # noqa: SIM115 - as long as the process
    sys.stderr = sys.stderr or Path(os.devnull).open("w", encoding="utf-8")  # noqa: SIM115 - as long as the process
    for stream in (sys.stdout, sys.stderr):
        # A file name or a manifest may hold what the terminal cannot show.
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")


def _discard_output() -> None:
    # Python flushes once more at exit: what is left must have a place to go.
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _run(arguments: Sequence[str]) -> int:
    console = Console.standard()
    # Options of the program take no values, so this is the command if there is one.
    command = next((each for each in arguments if not each.startswith("-")), "")
    names = [command] if command in COMMANDS else COMMANDS
    try:
        parsed = make_parser(() if "--version" in arguments[:1] else names).parse_args(arguments)
    except SystemExit as exit_:  # argparse has said what there was to say
        return exit_.code if isinstance(exit_.code, int) else UNUSABLE
    try:
        status: int = parsed.run(parsed, console)
    except (Unusable, UnusablePlugin) as problem:
        console.complain(str(problem))
        return UNUSABLE
    except UplinksError as problem:
        console.complain(str(problem))
        return FINDINGS
    return status


def make_parser(names: Sequence[str]) -> argparse.ArgumentParser:
    """Make the parser of some of `COMMANDS`: only those are imported."""
    parser = argparse.ArgumentParser(
        prog="uplinks",
        description="Check, materialize, compare and simulate Traefik Hub multi-cluster uplinks.",
        epilog="Exit status: 0 clean, 1 findings, 2 bad usage or unreadable input.",
        allow_abbrev=False,
    )
    parser.add_argument("--version", action="version", version=f"uplinks {uplinks.__version__}")
    commands = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)
    for name in names:
        importlib.import_module(f"uplinks.cli.{name}").add(commands)
    return parser
