"""``uplinks schema``: the shape of an Uplink or a child's document, for validators and clusters."""

from __future__ import annotations

import argparse
import json

from uplinks.adapters import plugins
from uplinks.cli import COMMANDS
from uplinks.cli.console import CLEAN, Console
from uplinks.schema import custom_resource_definition, json_schema
from uplinks.schema.advertisements import advertisement_schema

__all__ = ["add", "run"]


def add(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command and its arguments."""
    parser = commands.add_parser(
        "schema",
        help=COMMANDS["schema"],
        description="Write the JSON Schema (draft 7) of an Uplink on standard output.",
        epilog="For editors with yaml-language-server, put this on the first line of a manifest: "
        "# yaml-language-server: $schema=uplink.schema.json",
        allow_abbrev=False,
    )
    instead = parser.add_mutually_exclusive_group()
    instead.add_argument(
        "--advertisement",
        action="store_true",
        help="the schema of the document that a child serves to its parents, instead",
    )
    instead.add_argument(
        "--crd",
        action="store_true",
        help="the CustomResourceDefinition instead, as YAML for kubectl apply; for clusters "
        "without Traefik Hub, which brings its own",
    )
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace, console: Console) -> int:
    """Write the schema, or the definition with the modes of all installed probers."""
    if arguments.crd:
        from uplinks.render import dump  # noqa: PLC0415 - the schemas need none

        console.out.write(dump(custom_resource_definition(plugins.modes())))
        return CLEAN
    schema = advertisement_schema() if arguments.advertisement else json_schema()
    console.out.write(json.dumps(schema, indent=2) + "\n")
    return CLEAN
