"""The command line: ``uplinks check``, ``uplinks materialize``, ``uplinks simulate`` and others.

Rules of this package:

1. One command is one file, with two functions: `add` (its arguments) and
   `run` (its work). A run imports only the files of its own command, and
   ``--help`` and ``--version`` import none.
2. Exit status, in every output format: 0 clean, 1 findings, 2 bad usage or
   unreadable input. An interrupt is 130, a closed pipe 141.
3. Bad input never gives a traceback. A command that cannot do all of its work
   does none: findings go to standard error, nothing to standard output.
4. Text from a manifest is shown with its control characters escaped, so that it
   cannot control a terminal.
"""

from __future__ import annotations

import argparse
import gc
import importlib
import os
import sys

import uplinks

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence
    from typing import Any

__all__ = ["COMMANDS", "main", "make_parser"]

COMMANDS: Mapping[str, str] = {
    "check": "find errors in a fleet's manifests",
    "explain": "explain what a code means",
    "materialize": "show the services that a parent generates, or write a proxy's configuration",
    "diff": "show what a change of manifests does to the parent",
    "simulate": "simulate a fleet while children fail and recover",
    "child": "serve a child's uplinks to its parents",
    "serve": "run a live parent for Traefik and Envoy",
    "schema": "write the JSON Schema of an Uplink",
    "demo": "show a failover on real sockets",
    "completion": "write the completion script of a shell",
}
"""Each command, in the order of the help text, with its summary."""

_BAD_USAGE = 2


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command and return its exit status.

    ``arguments`` are those after the program's name; by default the process's.

    >>> main(["--version"])
    uplinks 0.2.0
    0
    """
    _prepare_streams()
    # A command keeps its objects until it ends, so collecting cycles would free nothing.
    collecting = gc.isenabled()
    gc.disable()
    try:
        try:
            return _run(sys.argv[1:] if arguments is None else arguments)
        finally:
            sys.stdout.flush()
    except BrokenPipeError:
        _discard_output()
        return _killed_by("SIGPIPE")
    except OSError as problem:  # a full disk below standard output
        _discard_output()
        return _complain(problem.strerror or str(problem))
    except KeyboardInterrupt:
        return _killed_by("SIGINT")
    finally:
        if collecting:
            gc.enable()


def _killed_by(name: str) -> int:
    import signal  # noqa: PLC0415 - few runs need it

    return 128 + int(signal.Signals[name])


def _complain(message: str) -> int:
    from uplinks.cli.console import Console  # noqa: PLC0415 - `--help` needs no console

    Console.standard().complain(message)
    return _BAD_USAGE


def _prepare_streams() -> None:
    # The process may have been started with a closed stream, which is None in Python.
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        if getattr(sys, name) is None:
            setattr(sys, name, open(os.devnull, mode, encoding="utf-8"))  # noqa: PTH123, SIM115 - as long as the process
    for stream in (sys.stdout, sys.stderr):
        # A file name or a manifest may hold characters that the terminal cannot show.
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")


def _discard_output() -> None:
    # Python flushes once more at exit, which must not fail again.
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _run(arguments: Sequence[str]) -> int:
    # Options of the program take no values, so this is the command if there is one.
    command = next((each for each in arguments if not each.startswith("-")), "")
    try:
        parsed = make_parser([command] if command in COMMANDS else ()).parse_args(arguments)
    except SystemExit as exit_:  # argparse has printed why
        return exit_.code if isinstance(exit_.code, int) else _BAD_USAGE
    # Every command imports both.
    from uplinks.cli.console import FINDINGS, Console, UsageError  # noqa: PLC0415
    from uplinks.errors import UnusablePlugin, UplinksError  # noqa: PLC0415

    try:
        status: int = parsed.run(parsed, Console.standard())
    except (UsageError, UnusablePlugin) as problem:
        return _complain(str(problem))
    except UplinksError as problem:
        _complain(str(problem))
        return FINDINGS
    return status


class _Formatter(argparse.HelpFormatter):
    """Measure the terminal when help is written, not whenever an argument is added.

    argparse makes a formatter for each argument, and measuring imports `shutil`.
    """

    def __init__(self, prog: str, **options: Any) -> None:
        super().__init__(prog, **{"width": 80, **options})

    def format_help(self) -> str:
        measured = argparse.HelpFormatter(self._prog)
        self._width, self._max_help_position = measured._width, measured._max_help_position  # noqa: SLF001 - of its own base
        return super().format_help()


class _Parser(argparse.ArgumentParser):
    """A parser whose parsers of commands have the same formatter."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**{"formatter_class": _Formatter, **options})


def make_parser(names: Collection[str]) -> argparse.ArgumentParser:
    """Make the parser with the arguments of some of `COMMANDS`; only those are imported."""
    parser = _Parser(
        prog="uplinks",
        description="Check, materialize, compare and simulate Traefik Hub multi-cluster uplinks.",
        epilog="Exit status: 0 clean, 1 findings, 2 bad usage or unreadable input.",
        allow_abbrev=False,
    )
    parser.add_argument("--version", action="version", version=f"uplinks {uplinks.__version__}")
    commands = parser.add_subparsers(
        prog=parser.prog, title="commands", metavar="COMMAND", required=True
    )
    for name, summary in COMMANDS.items():
        if name in names:
            importlib.import_module(f"uplinks.cli.{name}").add(commands)
        else:
            commands.add_parser(name, help=summary, add_help=False)
    return parser
