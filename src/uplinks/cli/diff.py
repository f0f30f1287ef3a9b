"""``uplinks diff``: show what a change of manifests does to the parent."""

from __future__ import annotations

import argparse
import html
import json
import re
from collections.abc import Iterable, Iterator
from fractions import Fraction
from functools import partial
from typing import Any, Final

from uplinks import rules
from uplinks.cli import COMMANDS, findings, inputs
from uplinks.cli.console import CLEAN, FINDINGS, UNUSABLE, Console, Styler, printable
from uplinks.diagnostics import Report, Severity
from uplinks.diff import (
    JUMP,
    Cause,
    Difference,
    FieldChange,
    RiskKind,
    ServiceChange,
    ShareChange,
    diff,
    percent,
)
from uplinks.errors import UplinksError
from uplinks.model import Fleet

__all__ = ["add", "run"]

SIGNS: Final = {"added": "+", "removed": "-", "changed": "~"}
_MOST_NAMES: Final = 3
_LONGEST_NAME: Final = 120
_MOST_SHARES: Final = 8
_FEW_SHARES: Final = 5


def add(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command and its arguments."""
    parser = commands.add_parser(
        "diff",
        help=COMMANDS["diff"],
        description="Show what a change of manifests does to the parent: services, shares, risks.",
        epilog="Exit status: 0 no risk, 1 risks or findings, 2 bad usage or unreadable input.",
        allow_abbrev=False,
    )
    parser.add_argument("old", metavar="OLD", help="a folder with parent/ and children/NAME/")
    parser.add_argument("new", metavar="NEW", help="the same folder after the change")
    parser.add_argument(
        "--format",
        choices=("text", "json", "markdown"),
        default="text",
        help="output format; markdown is for pull request comments (default: text)",
    )
    parser.add_argument(
        "--jump",
        metavar="POINTS",
        type=_points,
        default=JUMP,
        help="percentage points that a share may move without being a risk (default: 20)",
    )
    inputs.add_render(parser)
    inputs.add_namespace(parser)
    parser.set_defaults(run=run)


def _points(text: str) -> Fraction:
    if not re.fullmatch(r"\d{1,3}(\.\d{1,6})?", text, re.ASCII) or Fraction(text) > 100:  # noqa: PLR2004 - percent
        raise argparse.ArgumentTypeError(f"must be a number from 0 to 100, got {text!r}")
    return Fraction(text) / 100


def run(arguments: argparse.Namespace, console: Console) -> int:
    """Write the difference, or the findings that prevent a comparison.

    Other findings in the new fleet are counted on standard error.
    """
    read = partial(inputs.read_folder, namespace=arguments.namespace, render=arguments.render)
    fleets = [read(path) for path in (arguments.old, arguments.new)]
    reports = [rules.check(fleet) for fleet in fleets]
    if any(inputs.unreadable(report) for report in reports):
        _write_findings(reports, console)
        return UNUSABLE
    difference = _compare(fleets[0], fleets[1], arguments.jump)
    if isinstance(difference, str):
        _write_findings(reports, console)
        console.complain(f"cannot compare: {difference}")
        return FINDINGS
    if len(reports[1]):
        place = printable(arguments.new)
        console.err.write(f"{place}: {findings.tally(reports[1])}; see uplinks check {place}\n")
    if arguments.format == "json":
        console.out.write(json.dumps(_document(difference), indent=2) + "\n")
    elif arguments.format == "markdown":
        console.out.write(_markdown(difference))
    else:
        console.out.write(_text(difference, console.styler(console.out)))
    return CLEAN if reports[1].ok and not difference.risky else FINDINGS


def _write_findings(reports: Iterable[Report], console: Console) -> None:
    from uplinks.cli import causes  # noqa: PLC0415 - fleets that can be compared need none

    for report in reports:
        styler = console.styler(console.err)
        console.err.write(causes.brief(report.diagnostics, styler, causes.SCREEN // 2))


def _compare(old: Fleet, new: Fleet, jump: Fraction) -> Difference | str:
    """Compare, or give the reason why the fleets cannot be compared."""
    read = (finding for fleet in (old, new) for c in fleet.clusters for finding in c.diagnostics)
    if any(finding.severity is Severity.ERROR for finding in read):
        return "an object that could not be read would look like a removed one"
    try:
        return diff(old, new, jump=jump)
    except UplinksError as error:
        return str(error)


# --- for people: one line a cause -------------------------------------------


def _text(difference: Difference, styler: Styler) -> str:
    causes = difference.causes
    lines = [styler("bold", _summary(causes))]
    for cause in causes:
        first = cause.first
        mark = "!" if first.risks else " "
        details = "; ".join([*_fields(first), *_shares(first), *_risks(first)])
        line = printable(f"{mark} {SIGNS[first.action]} {_names(cause)}: {details}".rstrip(": "))
        lines.append(styler("warning", line) if first.risks else line)
    return "".join(f"{line}\n" for line in lines)


def _summary(causes: tuple[Cause, ...]) -> str:
    """Count the risky lines and all lines.

    >>> _summary(())
    'no changes'
    """
    risks = sum(bool(cause.first.risks) for cause in causes)
    if not causes:
        return "no changes"
    changes = findings.counted(len(causes), "change")
    return f"{findings.counted(risks, 'risk')}, {changes}" if risks else f"no risks, {changes}"


def _names(cause: Cause) -> str:
    """Name the services and routes of a cause, the first ones of many, and their kinds."""
    names = [_short(each.name) for each in cause.changes[:_MOST_NAMES]]
    more = len(cause.changes) - _MOST_NAMES
    kinds = dict.fromkeys(each.kind for each in cause.changes)
    text = ", ".join(names) + (f" and {more} more" if more > 0 else "")
    return text if [*kinds] == ["route"] else f"{text} ({', '.join(kinds)})"


def _short(name: str) -> str:
    return name if len(name) <= _LONGEST_NAME else f"{name[:_LONGEST_NAME]}…"


def _fields(change: ServiceChange) -> Iterator[str]:
    """Format the fields, without those of a removed service or of a removed health check."""
    whole = {each.field: each.after for each in change.fields if "yes" in {each.before, each.after}}
    for each in () if change.action == "removed" else change.fields:
        title = next((title for title in whole if each.field.startswith(f"{title} ")), None)
        if each.field in whole:
            yield f"{each.field} {'added' if each.after else 'removed'}"
        elif title is None or whole[title]:
            yield _field(each, added=change.action == "added" or title is not None)


def _field(change: FieldChange, *, added: bool) -> str:
    before, after = (value or "none" for value in (change.before, change.after))
    if not added:
        return f"{change.field} {before} -> {after}"
    return change.field if after == "weight 1" else f"{change.field} {after}"


def _shares(change: ServiceChange) -> Iterator[str]:
    if change.shares:
        yield "shares " + ", ".join(_most_shares(change))


def _most_shares(change: ServiceChange) -> list[str]:
    """Format all shares; of many, those that change most."""
    shares = change.shares
    if len(shares) > _MOST_SHARES:
        moved = sorted(shares, key=_distance, reverse=True)
        kept = set(moved[:_FEW_SHARES])
        shares = tuple(each for each in shares if each in kept)
    hidden = len(change.shares) - len(shares)
    more = [f"{hidden} more"] if hidden else []
    return [*(_share(share, change) for share in shares), *more]


def _distance(share: ShareChange) -> Fraction:
    return abs(share.after - share.before)


def _share(share: ShareChange, change: ServiceChange) -> str:
    if change.action == "removed":
        return f"{share.child} {percent(share.before)}"
    if change.action == "added" or share.before == share.after:
        return f"{share.child} {percent(share.after)}"
    return f"{share.child} {percent(share.before)} -> {percent(share.after)}"


def _risks(change: ServiceChange) -> Iterator[str]:
    """Format the risks that the shares and fields do not show already."""
    for risk in change.risks:
        if risk.kind not in {RiskKind.JUMP, RiskKind.CHECK_REMOVED}:
            yield risk.message


def _markdown(difference: Difference) -> str:
    causes = difference.causes
    lines = [f"**{_summary(causes)}**"]
    if causes:
        lines += ["", "| | what | change | shares | risk |", "|---|---|---|---|---|"]
    for cause in causes:
        first = cause.first
        cells = [
            [_names(cause)],
            [*_fields(first)],
            _most_shares(first),
            [f"⚠ {risk.message}" for risk in first.risks],
        ]
        joined = ["<br>".join(map(_escaped, cell)) for cell in cells]
        lines.append(f"| {first.action} | {' | '.join(joined)} |")
    return "".join(f"{line}\n" for line in lines)


_ZERO_WIDTH_SPACE: Final = "\u200b"
# What GitHub and GitLab turn into links or pictures without markup: mentions and references
# (@team, #12, GH-12, !12), schemes, names that begin with www, mail addresses, :emoji:.
_LINKED: Final = re.compile(
    r"[@#](?=\w)|[!&$%~](?=\d)|:(?=//|[\w+-]+:)|\bwww(?=\.)|\b(?:mailto|xmpp)(?=:)|\bgh(?=-\d)",
    re.IGNORECASE,
)


def _escaped(text: str) -> str:
    """Escape text so that Markdown shows it as it is, without mentions and links.

    Links without markup are recognised after backslash escapes are resolved,
    so only another character between their parts prevents them.

    >>> _escaped("http://a.b").replace(_ZERO_WIDTH_SPACE, "<>")
    'http:<>//a.b'
    """
    apart = _LINKED.sub(rf"\g<0>{_ZERO_WIDTH_SPACE}", printable(text))
    return re.sub(r"([\\`*_{}\[\]()#|~!])", r"\\\1", html.escape(apart, quote=False))


# --- for programs -----------------------------------------------------------


def _document(difference: Difference) -> dict[str, Any]:
    return {
        "risky": difference.risky,
        "services": [_service(change) for change in difference.changes],
    }


def _service(change: ServiceChange) -> dict[str, Any]:
    return {
        "name": change.name,
        "kind": change.kind,
        "action": change.action,
        "fields": [{"field": f.field, "before": f.before, "after": f.after} for f in change.fields],
        "shares": [
            {"child": s.child, "before": str(s.before), "after": str(s.after)}
            for s in change.shares
        ],
        "risks": [{"kind": risk.kind.value, "message": risk.message} for risk in change.risks],
    }
