"""``uplinks diff``: what a change of manifests does to the parent."""

from __future__ import annotations

import argparse
import html
import json
import re
from fractions import Fraction
from typing import Any

from uplinks import rules
from uplinks.cli import COMMANDS, findings, inputs
from uplinks.cli.console import CLEAN, FINDINGS, UNUSABLE, Console, Ink, printable
from uplinks.diagnostics import Severity
from uplinks.diff import JUMP, Change, Difference, Entry, diff, percent
from uplinks.errors import UplinksError
from uplinks.model import Fleet

__all__ = ["add", "run"]

SIGNS = {"added": "+", "removed": "-", "changed": "~"}


def add(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command and its arguments."""
    parser = commands.add_parser(
        "diff",
        help=COMMANDS["diff"],
        description="Show what a change of manifests does to the parent: services, shares, risks.",
        epilog="Exit status: 0 no risk, 1 risky changes or findings, 2 bad usage or unreadable.",
        allow_abbrev=False,
    )
    parser.add_argument("old", metavar="OLD", help="a folder with parent/ and children/NAME/")
    parser.add_argument("new", metavar="NEW", help="the folder as it is to be")
    parser.add_argument(
        "--format",
        choices=("text", "json", "markdown"),
        default="text",
        help="text (default); json; markdown, for a comment on a pull request",
    )
    parser.add_argument(
        "--jump",
        metavar="POINTS",
        type=_points,
        default=JUMP,
        help="by how many percentage points a share may change without being a risk (20)",
    )
    parser.set_defaults(run=run)


def _points(text: str) -> Fraction:
    if not re.fullmatch(r"\d{1,3}(\.\d{1,6})?", text, re.ASCII) or Fraction(text) > 100:  # noqa: PLR2004 - percent
        raise argparse.ArgumentTypeError(f"{text!r} is not a number from 0 to 100")
    return Fraction(text) / 100


def run(arguments: argparse.Namespace, console: Console) -> int:
    """Write the difference; or, where a fleet could be read in part only, what is wrong with it.

    Findings in the new fleet go to standard error beside the difference.
    """
    fleets = [inputs.read_folder(path) for path in (arguments.old, arguments.new)]
    reports = [rules.check(fleet) for fleet in fleets]
    shown = [findings.as_text(report, console.ink(console.err)) for report in reports]
    if any(inputs.unreadable(report) for report in reports):
        console.err.write("".join(shown))
        return UNUSABLE
    difference = _compare(fleets[0], fleets[1], arguments.jump)
    if isinstance(difference, str):
        console.err.write("".join(shown))
        console.complain(f"cannot compare: {difference}")
        return FINDINGS
    console.err.write(shown[1])
    if arguments.format == "json":
        console.out.write(json.dumps(_data(difference), indent=2) + "\n")
    elif arguments.format == "markdown":
        console.out.write(_markdown(difference))
    else:
        console.out.write(_text(difference, console.ink(console.out)))
    return CLEAN if reports[1].ok and not difference.risky else FINDINGS


def _compare(old: Fleet, new: Fleet, jump: Fraction) -> Difference | str:
    """Compare, or say why not."""
    read = (finding for fleet in (old, new) for c in fleet.clusters for finding in c.diagnostics)
    if any(finding.severity is Severity.ERROR for finding in read):
        return "what could not be read would look as if it were not there"
    try:
        return diff(old, new, jump=jump)
    except UplinksError as problem:
        return str(problem)


def _text(difference: Difference, ink: Ink) -> str:
    lines = []
    for entry in difference.entries:
        lines.append(ink("bold", f"{SIGNS[entry.what]} {printable(entry.name)} ({entry.kind})"))
        lines += [f"    {printable(_change(change))}" for change in _told(entry)]
        lines += [
            f"    share of {printable(share.child)}: "
            f"{percent(share.before)} -> {percent(share.after)}"
            for share in entry.shares
        ]
        lines += [ink("warning", f"    ! {printable(risk.message)}") for risk in entry.risks]
    return "".join(f"{line}\n" for line in lines or ["no change"])


def _told(entry: Entry) -> tuple[Change, ...]:
    """Leave out the fields of what is removed."""
    return () if entry.what == "removed" else entry.changes


def _change(change: Change) -> str:
    before = "none" if change.before is None else change.before
    after = "none" if change.after is None else change.after
    return f"{change.field}: {before} -> {after}"


def _markdown(difference: Difference) -> str:
    if not difference.entries:
        return "No change to the parent's services.\n"
    lines = ["| | service | change | shares | risk |", "|---|---|---|---|---|"]
    for entry in difference.entries:
        shares = [
            f"{share.child}: {percent(share.before)} → {percent(share.after)}"
            for share in entry.shares
        ]
        cells = [
            [f"{entry.name} ({entry.kind})"],
            [_change(change) for change in _told(entry)],
            shares,
            [f"⚠ {risk.message}" for risk in entry.risks],
        ]
        joined = ["<br>".join(map(_escaped, cell)) for cell in cells]
        lines.append(f"| {entry.what} | {' | '.join(joined)} |")
    return "".join(f"{line}\n" for line in lines)


def _escaped(text: str) -> str:
    """Write text that Markdown takes as text, and that mentions nobody.

    Mentions are looked for after escapes have been read: only another character stops them.
    """
    apart = re.sub(r"[@#](?=\w)", "\\g<0>\u200b", printable(text))
    return re.sub(r"([\\`*_{}\[\]()#|~!])", r"\\\1", html.escape(apart, quote=False))


def _data(difference: Difference) -> dict[str, Any]:
    return {"risky": difference.risky, "services": [_one(entry) for entry in difference.entries]}


def _one(entry: Entry) -> dict[str, Any]:
    return {
        "name": entry.name,
        "kind": entry.kind,
        "what": entry.what,
        "changes": [
            {"field": c.field, "before": c.before, "after": c.after} for c in entry.changes
        ],
        "shares": [
            {"child": s.child, "before": str(s.before), "after": str(s.after)} for s in entry.shares
        ],
        "risks": [{"kind": risk.kind.value, "message": risk.message} for risk in entry.risks],
    }
