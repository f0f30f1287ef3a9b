"""``uplinks completion``: write a completion script for a shell, with shtab."""

from __future__ import annotations

import argparse
import re
from typing import Any, Final

from uplinks.cli import COMMANDS
from uplinks.cli.console import CLEAN, Console, UsageError

__all__ = ["add", "run"]

SHELLS: Final = ("bash", "zsh", "fish")
_FILES: Final = frozenset({"FLEET", "FILE", "NEW", "OLD", "OUT", "PATH"})
# For a repeatable argument, shtab makes zsh complete only the first value.
_MANY: Final = re.compile(r'"\(\*\)::?(?=[^:])')


def add(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command and its argument."""
    parser = commands.add_parser(
        "completion",
        help=COMMANDS["completion"],
        description="Write a completion script for a shell. "
        "Requires: pip install 'uplinks[completion]'.",
        epilog='In bash: eval "$(uplinks completion bash)". In zsh: write it to a file _uplinks '
        "in a folder of $fpath. In fish: uplinks completion fish | source.",
        allow_abbrev=False,
    )
    parser.add_argument("shell", choices=SHELLS, help="the shell to write for")
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace, console: Console) -> int:
    """Write the script."""
    try:
        import shtab  # noqa: PLC0415 - an extra
    except ImportError:
        raise UsageError("completion requires: pip install 'uplinks[completion]'") from None
    from uplinks.cli import make_parser  # noqa: PLC0415 - avoids an import cycle

    parser = make_parser(COMMANDS)
    _complete_files(parser, shtab.FILE)
    script = shtab.complete(parser, arguments.shell)
    if arguments.shell == "zsh":
        script = _MANY.sub('"*:', script)
    console.out.write(script + "\n")
    return CLEAN


def _complete_files(parser: argparse.ArgumentParser, how: dict[str, Any]) -> None:
    """Mark the arguments of every command that are files or folders."""
    for action in parser._actions:  # noqa: SLF001 - argparse has no public way to walk a parser
        if isinstance(action, argparse._SubParsersAction):  # noqa: SLF001 - the same
            for below in action.choices.values():
                _complete_files(below, how)
        elif action.metavar in _FILES:
            marked: Any = action
            marked.complete = how
