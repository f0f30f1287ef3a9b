"""``uplinks explain``: show the pages of codes, or the list of all codes. Works offline."""

from __future__ import annotations

import argparse
import json
import re
from typing import Any, Final

from uplinks.adapters import plugins
from uplinks.cli import COMMANDS
from uplinks.cli.console import CLEAN, Console, Styler, UsageError, printable
from uplinks.cli.findings import catalogue
from uplinks.cli.selection import nearest_code
from uplinks.cli.tables import Column, table
from uplinks.rules import RETIRED, Entry

__all__ = ["add", "run"]

VERSION: Final = 1
COLUMNS: Final = (Column("code"), Column("severity"), Column("what"))

_HEADING: Final = re.compile(r"#+ ")


def add(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command and its arguments."""
    parser = commands.add_parser(
        "explain",
        help=COMMANDS["explain"],
        description="Show the page of each code, or list all codes.",
        allow_abbrev=False,
    )
    parser.add_argument(
        "code", metavar="CODE", nargs="*", help="a code such as UPL301; without one, list all codes"
    )
    parser.add_argument(
        "--format", choices=("text", "json"), default="text", help="output format (default: text)"
    )
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace, console: Console) -> int:
    """Write the pages of the given codes, or the list of all codes."""
    entries = catalogue(plugins.load_rules())
    asked = [_find(code, entries) for code in arguments.code]
    styler = console.styler(console.out)
    if arguments.format == "json":
        data = {
            "version": VERSION,
            "codes": [_as_data(entry) for entry in asked or entries.values()],
            "retired": list(RETIRED),
        }
        console.out.write(json.dumps(data, indent=2) + "\n")
    elif asked:
        console.out.write("\n".join(_readable(entry.page, styler) for entry in asked))
    else:
        rows = [(e.code, e.severity.value, printable(e.summary)) for e in entries.values()]
        console.out.write(table(COLUMNS, rows, styler))
    return CLEAN


def _find(code: str, entries: dict[str, Entry]) -> Entry:
    wanted = code.upper()
    if wanted in entries:
        return entries[wanted]
    if wanted in RETIRED:
        raise UsageError(f"code {wanted} is retired and no longer reported")
    near = nearest_code(code, entries)
    hint = f"; did you mean {near}?" if near else "; run 'uplinks explain' to list all codes"
    raise UsageError(f"unknown code {code!r}{hint}")


def _as_data(entry: Entry) -> dict[str, Any]:
    return {
        "code": entry.code,
        "name": entry.name,
        "severity": entry.severity.value,
        "family": entry.family,
        "needs": entry.needs,
        "summary": entry.summary,
        "page": entry.page,
    }


def _readable(page: str, styler: Styler) -> str:
    """Format a page for a terminal, with bold headings and indented examples."""
    lines = []
    example = False
    for line in map(printable, page.splitlines()):
        if line.startswith("```"):
            example = not example
        elif example:
            lines.append(f"    {line}".rstrip())
        elif heading := _HEADING.match(line):
            lines.append(styler("bold", line[heading.end() :]))
        else:
            lines.append(line)
    return "\n".join(lines) + "\n"
