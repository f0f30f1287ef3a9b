"""``uplinks explain``: what a code means, and which codes there are. It needs no network."""

from __future__ import annotations

import argparse
import json
import re
from typing import Any, Final

from uplinks.adapters import plugins
from uplinks.cli import COMMANDS
from uplinks.cli.check import catalogue
from uplinks.cli.console import CLEAN, Console, Ink, Unusable, printable
from uplinks.cli.selection import nearest_code
from uplinks.cli.tables import Column, table
from uplinks.rules import RETIRED, Rule, ShapeCode

__all__ = ["add", "run"]

VERSION: Final = 1
COLUMNS: Final = (Column("code"), Column("severity"), Column("what"))

_HEADING: Final = re.compile(r"#+ ")


def add(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command and its arguments."""
    parser = commands.add_parser(
        "explain",
        help=COMMANDS["explain"],
        description="Tell what codes mean: the whole page of each, or a list of all.",
        allow_abbrev=False,
    )
    parser.add_argument(
        "code", metavar="CODE", nargs="*", help="such as UPL301; all if there is none"
    )
    parser.add_argument(
        "--format", choices=("text", "json"), default="text", help="how to write (default: text)"
    )
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace, console: Console) -> int:
    """Write the pages that are asked for, or the list of all codes."""
    entries = catalogue(plugins.load_rules())
    asked = [_find(code, entries) for code in arguments.code]
    ink = console.ink(console.out)
    if arguments.format == "json":
        data = {
            "version": VERSION,
            "codes": [_as_data(entry) for entry in asked or entries.values()],
            "retired": list(RETIRED),
        }
        console.out.write(json.dumps(data, indent=2) + "\n")
    elif asked:
        console.out.write("\n".join(_readable(entry.page, ink) for entry in asked))
    else:
        rows = [(e.code, e.severity.value, printable(e.summary)) for e in entries.values()]
        console.out.write(table(COLUMNS, rows, ink))
    return CLEAN


def _find(code: str, entries: dict[str, Rule | ShapeCode]) -> Rule | ShapeCode:
    wanted = code.upper()
    if wanted in entries:
        return entries[wanted]
    if wanted in RETIRED:
        raise Unusable(f"{wanted} is retired; nothing reports it any more")
    near = nearest_code(code, entries)
    hint = f"; did you mean {near}?" if near else "; uplinks explain lists all"
    raise Unusable(f"no code {code!r}{hint}")


def _as_data(entry: Rule | ShapeCode) -> dict[str, Any]:
    return {
        "code": entry.code,
        "name": entry.name,
        "severity": entry.severity.value,
        "family": entry.family,
        "needs": entry.needs,
        "summary": entry.summary,
        "page": entry.page,
    }


def _readable(page: str, ink: Ink) -> str:
    """Set a page for a terminal: headings stand out, examples are indented."""
    lines = []
    example = False
    for line in map(printable, page.splitlines()):
        if line.startswith("```"):
            example = not example
        elif example:
            lines.append(f"    {line}".rstrip())
        elif heading := _HEADING.match(line):
            lines.append(ink("bold", line[heading.end() :]))
        else:
            lines.append(line)
    return "\n".join(lines) + "\n"
