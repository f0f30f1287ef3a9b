"""``uplinks materialize``: the services that a parent generates from its fleet."""

from __future__ import annotations

import argparse
import json
from typing import Any

from attrs import asdict

from uplinks import rules
from uplinks.cli import COMMANDS, findings, inputs
from uplinks.cli.console import CLEAN, Console, Ink
from uplinks.cli.tables import Column, table
from uplinks.durations import format_duration
from uplinks.model import ChildService, HealthCheck, Services, WeightedService
from uplinks.parent import Parent
from uplinks.traefik import dump, to_traefik

__all__ = ["add", "health_summary", "run"]

COLUMNS = (
    Column("service"),
    Column("kind"),
    Column("weight", number=True),
    Column("url"),
    Column("health check"),
)


def add(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command and its arguments."""
    parser = commands.add_parser(
        "materialize",
        help=COMMANDS["materialize"],
        description="Show the services that a parent generates from what its children advertise.",
        allow_abbrev=False,
    )
    inputs.add_fleet(parser)
    parser.add_argument(
        "--format",
        choices=("table", "traefik", "json"),
        default="table",
        help="table (default); traefik: Traefik's file format, with the values of "
        "health-check headers; json: the table as data",
    )
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace, console: Console) -> int:
    """Write the services; or, when the fleet has errors, only those."""
    fleet = inputs.read_fleet(arguments)
    report = rules.check(fleet)
    console.err.write(findings.as_text(report, console.ink(console.err)))
    if not report.ok:
        return findings.status(report)
    services = Parent.from_fleet(fleet, strict=False).services
    if arguments.format == "traefik":
        console.out.write(dump(to_traefik(services)))
    elif arguments.format == "json":
        console.out.write(json.dumps({"services": _data(services)}, indent=2) + "\n")
    else:
        console.out.write(_table(services, console.ink(console.out)))
    return CLEAN


def _table(services: Services, ink: Ink) -> str:
    rows = []
    for service in services.weighted:
        passed_on = "passed on from its children" if service.health_check else "-"
        rows.append([service.name, "weighted", "", "", passed_on])
        for entry in service.children:
            child = services[entry.name]
            assert isinstance(child, ChildService)  # noqa: S101 - materialize's law
            health = health_summary(child.health_check)
            rows.append([f"  {child.name}", "child", str(entry.weight), child.url, health])
    return table(COLUMNS, rows, ink) if rows else "nothing is advertised\n"


def health_summary(check: HealthCheck | None) -> str:
    """Say in one line how a child is probed. Header values are never shown.

    >>> health_summary(HealthCheck(path="/health", interval=10_000_000_000))
    'GET /health every 10s, timeout 5s, expects 200'
    >>> health_summary(None)
    '-'
    """
    if check is None:
        return "-"
    probe = "gRPC" if check.mode == "grpc" else f"{check.method} {check.path or '/'}"
    place = "".join(
        (
            f" over {check.scheme}" if check.scheme else "",
            f" at port {check.port}" if check.port else "",
            f" as {check.hostname}" if check.hostname else "",
        )
    )
    often = f" every {format_duration(check.interval)}"
    if check.unhealthy_interval != check.interval:
        often += f" ({format_duration(check.unhealthy_interval)} when down)"
    parts = [probe + place + often, f"timeout {format_duration(check.timeout)}"]
    if check.mode != "grpc":
        parts.append(f"expects {check.status}")
    if check.headers:
        parts.append(findings.counted(len(check.headers), "header"))
    return ", ".join(parts)


def _data(services: Services) -> list[dict[str, Any]]:
    return [_one(service) for service in services.values()]


def _one(service: WeightedService | ChildService) -> dict[str, Any]:
    kind = "weighted" if isinstance(service, WeightedService) else "child"
    data = {"kind": kind, **asdict(service)}
    if isinstance(service, ChildService) and service.health_check is not None:
        # Headers may be credentials: data that is shown has their names only.
        names = [header.name for header in service.health_check.headers]
        data["health_check"] = {**data["health_check"], "headers": names}
    return data
