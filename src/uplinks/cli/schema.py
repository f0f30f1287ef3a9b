"""``uplinks schema``: the JSON Schema of an Uplink or a child's document, for validators."""

from __future__ import annotations

import argparse
import json

from uplinks.cli import COMMANDS
from uplinks.cli.console import CLEAN, Console
from uplinks.schema import json_schema
from uplinks.schema.advertisements import advertisement_schema

__all__ = ["add", "run"]


def add(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command."""
    parser = commands.add_parser(
        "schema",
        help=COMMANDS["schema"],
        description="Write the JSON Schema (draft 7) of an Uplink on standard output.",
        epilog="For editors with yaml-language-server, put this on the first line of a manifest: "
        "# yaml-language-server: $schema=uplink.schema.json",
        allow_abbrev=False,
    )
    parser.add_argument(
        "--advertisement",
        action="store_true",
        help="the schema of the document that a child serves to its parents, instead",
    )
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace, console: Console) -> int:
    """Write the schema."""
    schema = advertisement_schema() if arguments.advertisement else json_schema()
    console.out.write(json.dumps(schema, indent=2) + "\n")
    return CLEAN
