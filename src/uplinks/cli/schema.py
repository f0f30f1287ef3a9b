"""``uplinks schema``: the JSON Schema of an Uplink, for editors and validators."""

from __future__ import annotations

import argparse
import json

from uplinks.cli import COMMANDS
from uplinks.cli.console import CLEAN, Console
from uplinks.schema import json_schema

__all__ = ["add", "run"]


def add(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command; it has no arguments."""
    parser = commands.add_parser(
        "schema",
        help=COMMANDS["schema"],
        description="Write the JSON Schema (draft 7) of an Uplink on standard output.",
        epilog="In an editor with yaml-language-server, begin a manifest with: "
        "# yaml-language-server: $schema=uplink.schema.json",
        allow_abbrev=False,
    )
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace, console: Console) -> int:  # noqa: ARG001 - as every command
    """Write the schema."""
    console.out.write(json.dumps(json_schema(), indent=2) + "\n")
    return CLEAN
