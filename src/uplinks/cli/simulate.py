"""``uplinks simulate``: who gets the requests while children fail and return."""

from __future__ import annotations

import argparse
import json
import re
from fractions import Fraction
from typing import Any

from uplinks import rules
from uplinks.cli import findings, inputs
from uplinks.cli.check import status
from uplinks.cli.console import CLEAN, FINDINGS, Console, Ink, Unusable, printable
from uplinks.cli.tables import Column, table
from uplinks.errors import UnknownChild, UnknownService, UplinksError
from uplinks.parent import Parent
from uplinks.simulate import Outage, Simulation, Window, simulate

__all__ = ["add", "run"]

COLUMNS = (
    Column("requests"),
    Column("down"),
    Column("child"),
    Column("picked", number=True),
    Column("share", number=True),
    Column("ideal", number=True),
)
MOST_REQUESTS = 100_000_000
OUTAGE = re.compile(r"(?P<child>.+)@(?P<first>[0-9]{1,12})-(?P<last>[0-9]{1,12})", re.ASCII)


def add(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command and its arguments."""
    parser = commands.add_parser(
        "simulate",
        help="send requests through a service while children fail and return",
        description="Send requests through a service of the parent while children fail and "
        "return, and show each child's share before, during and after, next to the ideal one.",
        allow_abbrev=False,
    )
    inputs.add_fleet(parser)
    parser.add_argument(
        "--service",
        metavar="NAME",
        required=True,
        help="a service of the parent, such as apps-api@multicluster, or a TraefikService, "
        "such as apps-api@kubernetescrd",
    )
    parser.add_argument(
        "--requests", metavar="N", type=_requests, default=1000, help="how many (default: 1000)"
    )
    parser.add_argument(
        "--down",
        metavar="CHILD@FIRST-LAST",
        action="append",
        default=[],
        type=_outage,
        help="a child is down from request FIRST up to, and without, LAST; requests count "
        "from 0; repeatable",
    )
    parser.add_argument(
        "--start",
        metavar="N",
        type=int,
        default=0,
        help="where in its schedule each service begins (default: 0)",
    )
    parser.add_argument(
        "--format", choices=("table", "json"), default="table", help="how to write (default: table)"
    )
    parser.set_defaults(run=run)


def _requests(text: str) -> int:
    if not re.fullmatch(r"[0-9]{1,12}", text, re.ASCII) or not 0 < int(text) <= MOST_REQUESTS:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number from 1 to {MOST_REQUESTS}")
    return int(text)


def _outage(text: str) -> Outage:
    match = OUTAGE.fullmatch(text)
    if match is None:
        raise argparse.ArgumentTypeError(
            f"{text!r} is not CHILD@FIRST-LAST, such as child-1@3000-6000"
        )
    try:
        return Outage(match["child"], int(match["first"]), int(match["last"]))
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from None


def run(arguments: argparse.Namespace, console: Console) -> int:
    """Write the shares; or, when the fleet has errors, only those.

    What the command line names and is not there is bad usage. Whatever else
    cannot be built is the manifests' fault, also where no rule speaks of it.
    """
    fleet = inputs.read_fleet(arguments)
    report = rules.check(fleet)
    console.err.write(findings.as_text(report, console.ink(console.err)))
    if not report.ok:
        return status(report)
    try:
        parent = Parent.from_fleet(fleet, start=arguments.start)
        simulation = simulate(parent, arguments.service, arguments.requests, arguments.down)
    except UplinksError as problem:
        if _misnamed(problem, arguments.service):
            raise Unusable(str(problem)) from None
        console.err.write(f"{arguments.service} cannot be built: {printable(str(problem))}\n")
        return FINDINGS
    if arguments.format == "json":
        console.out.write(json.dumps(_data(simulation), indent=2) + "\n")
    else:
        console.out.write(_text(simulation, console.ink(console.out)))
    return CLEAN


def _misnamed(problem: UplinksError, service: str) -> bool:
    """Whether something on the command line is not there: a child, or the service."""
    if isinstance(problem, UnknownService):
        return problem.name == service
    return isinstance(problem, UnknownChild)


def _text(simulation: Simulation, ink: Ink) -> str:
    title = f"{simulation.service}: {findings.counted(simulation.requests, 'request')}"
    rows = [row for window in simulation.windows for row in _rows(window)]
    return f"{title}\n\n{table(COLUMNS, rows, ink)}"


def _rows(window: Window) -> list[list[str]]:
    size = window.last - window.first
    rows = [
        [share.child, str(share.requests), _percent(share.share), _percent(share.ideal)]
        for share in window.shares
    ]
    if window.failures:
        failed = _percent(Fraction(window.failures, size))
        rows.append(["(none eligible)", str(window.failures), failed, ""])
    # What is the same for the whole window stands once, beside its first row.
    leads = [[f"{window.first}-{window.last}", ", ".join(window.down) or "-"]]
    leads += [["", ""]] * (len(rows) - 1)
    return [lead + row for lead, row in zip(leads, rows, strict=False)]


def _percent(share: Fraction) -> str:
    return f"{float(share * 100):.2f} %"


def _data(simulation: Simulation) -> dict[str, Any]:
    return {
        "service": simulation.service,
        "requests": simulation.requests,
        "failures": simulation.failures,
        "windows": [
            {
                "first": window.first,
                "last": window.last,
                "down": list(window.down),
                "failures": window.failures,
                "shares": [
                    {
                        "child": share.child,
                        "requests": share.requests,
                        "share": float(share.share),
                        "ideal": float(share.ideal),
                    }
                    for share in window.shares
                ],
            }
            for window in simulation.windows
        ],
    }
