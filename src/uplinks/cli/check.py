"""``uplinks check``: everything that is wrong, with file, line and column."""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterable
from typing import TYPE_CHECKING

from uplinks import rules
from uplinks.cli import findings, inputs
from uplinks.cli.console import CLEAN, FINDINGS, UNUSABLE, Console
from uplinks.diagnostics import Report
from uplinks.model import Cluster, Fleet

if TYPE_CHECKING:
    from uplinks.cli.console import Ink

__all__ = ["add", "documents", "run", "status"]


def add(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command and its arguments."""
    parser = commands.add_parser(
        "check",
        help="find what is wrong in a fleet's manifests",
        description="Find what is wrong in the manifests of a fleet, or of one cluster.",
        allow_abbrev=False,
    )
    inputs.add_places(parser)
    parser.add_argument(
        "--format", choices=("text", "json"), default="text", help="how to write (default: text)"
    )
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace, console: Console) -> int:
    """Check every place and write all findings on standard output."""
    places = inputs.read_places(arguments)
    report = Report(finding for place in places for finding in _check(place))
    if arguments.format == "json":
        data = {"ok": report.ok, "read": _read(places), "findings": findings.as_data(report)}
        console.out.write(json.dumps(data, indent=2) + "\n")
    else:
        console.out.write(_text(places, report, console.ink(console.out)))
    return status(report)


def status(report: Report) -> int:
    """Turn a report into an exit status: what could not be read weighs most."""
    if inputs.unreadable(report):
        return UNUSABLE
    return CLEAN if report.ok else FINDINGS


def _check(place: Fleet | Cluster) -> Report:
    return rules.check(place) if isinstance(place, Fleet) else rules.check_cluster(place)


def _text(places: Iterable[Fleet | Cluster], report: Report, ink: Ink) -> str:
    read = _read(places)
    what = [
        findings.counted(read["children"], "child", "children"),
        findings.counted(read["uplinks"], "uplink"),
        findings.counted(read["documents"], "document"),
    ]
    if not any(isinstance(place, Fleet) for place in places):
        del what[0]
    tally = ink("good" if report.ok else "error", findings.tally(report))
    return f"{findings.as_text(report, ink)}{', '.join(what)}: {tally}\n"


def _read(places: Iterable[Fleet | Cluster]) -> dict[str, int]:
    clusters = [c for p in places for c in (p.clusters if isinstance(p, Fleet) else (p,))]
    return {
        "children": sum(len(place.children) for place in places if isinstance(place, Fleet)),
        "uplinks": sum(len(cluster.uplinks) for cluster in clusters),
        "documents": sum(documents(cluster) for cluster in clusters),
    }


def documents(cluster: Cluster) -> int:
    """Count what was read of a cluster; both parts of one configuration are one."""
    configs = {
        id(part.origin.document)
        for part in (cluster.child_config, cluster.parent_config)
        if part is not None
    }
    objects = (*cluster.uplinks, *cluster.routers, *cluster.traefik_services)
    return len(objects) + len(configs) + cluster.skipped
