"""``uplinks completion``, by shtab: ``pip install 'uplinks[completion]'``."""

from __future__ import annotations

import argparse
import re
from typing import Any, Final

from uplinks.cli import COMMANDS
from uplinks.cli.console import CLEAN, Console, Unusable

__all__ = ["add", "run"]

SHELLS: Final = ("bash", "zsh", "fish")
_FILES: Final = frozenset({"FLEET", "FILE", "NEW", "OLD", "OUT", "PATH"})
# Where many arguments are allowed, shtab lets zsh complete the first of them only.
_MANY: Final = re.compile(r'"\(\*\)::?(?=[^:])')


def add(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command and its argument."""
    parser = commands.add_parser(
        "completion",
        help=COMMANDS["completion"],
        description="Write a script that completes this command line in a shell. Needs an extra: "
        "pip install 'uplinks[completion]'.",
        epilog='In bash: eval "$(uplinks completion bash)". In zsh: write it to a file _uplinks '
        "in a folder of $fpath. In fish: uplinks completion fish | source.",
        allow_abbrev=False,
    )
    parser.add_argument("shell", choices=SHELLS, help="the shell")
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace, console: Console) -> int:
    """Write the script."""
    try:
        import shtab  # noqa: PLC0415 - an extra
    except ImportError:
        raise Unusable("completion is an extra: pip install 'uplinks[completion]'") from None
    from uplinks.cli import make_parser  # noqa: PLC0415 - the package that imports this

    parser = make_parser(COMMANDS)
    _complete_files(parser, shtab.FILE)
    script = shtab.complete(parser, arguments.shell)
    if arguments.shell == "zsh":
        script = _MANY.sub('"*:', script)
    console.out.write(script + "\n")
    return CLEAN


def _complete_files(parser: argparse.ArgumentParser, how: dict[str, Any]) -> None:
    """Mark what is a file or folder, in every command, as shtab wants it."""
    for action in parser._actions:  # noqa: SLF001 - argparse has no other way to walk a parser
        if isinstance(action, argparse._SubParsersAction):  # noqa: SLF001 - the same
            for below in action.choices.values():
                _complete_files(below, how)
        elif action.metavar in _FILES:
            marked: Any = action
            marked.complete = how
