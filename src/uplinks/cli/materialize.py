"""``uplinks materialize``: what a parent, or a child, makes of a fleet.

Nothing is written for a fleet with errors: an empty or half file would take
every service away from the proxy that reads it.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any, Final

from attrs import asdict

from uplinks import render, rules
from uplinks.cli import COMMANDS, findings, inputs, output
from uplinks.cli.console import CLEAN, Console, Styler, UsageError
from uplinks.cli.tables import Column, table
from uplinks.durations import format_duration
from uplinks.errors import InvalidName
from uplinks.model import (
    ChildService,
    Cluster,
    Fleet,
    HealthCheck,
    Services,
    WeightedService,
)
from uplinks.naming import nearest
from uplinks.parent import Parent

__all__ = ["add", "health_summary", "run"]

COLUMNS = (
    Column("service"),
    Column("kind"),
    Column("weight", number=True),
    Column("url"),
    Column("health check"),
)
STREAM: Final = "-"


def add(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command and its arguments."""
    parser = commands.add_parser(
        "materialize",
        help=COMMANDS["materialize"],
        description="Show the services that a parent generates from what its children advertise, "
        "or write the configuration of a proxy that serves them.",
        allow_abbrev=False,
    )
    inputs.add_fleet(parser)
    parser.add_argument(
        "--for-child",
        metavar="NAME",
        help="write a child's half: its uplink routers or its entry points",
    )
    written = parser.add_argument_group("how it is written")
    written.add_argument(
        "--format",
        choices=(*_PARENT, *_CHILD_ONLY),
        default="table",
        help="table (default); json: the table as data; traefik: Traefik's dynamic "
        "configuration, with the values of health-check headers; traefik-static and "
        "traefik-arguments: the entry points of --for-child; envoy and envoy-eds: Envoy's "
        "bootstrap and its EDS files",
    )
    written.add_argument(
        "--output",
        metavar="FILE",
        help="write to a file, whole or not at all; envoy-eds to a folder of files",
    )
    names = parser.add_argument_group("names in Traefik's configuration")
    names.add_argument(
        "--provider",
        choices=("file", "http"),
        default="file",
        help="the provider that reads the output (default: file)",
    )
    names.add_argument(
        "--own-provider",
        metavar="NAME",
        default=_DEFAULTS.own_provider,
        help="the provider that has the cluster's own services and middlewares "
        "(default: %(default)s)",
    )
    names.add_argument(
        "--uplink-header",
        metavar="NAME",
        default=_DEFAULTS.uplink_header,
        help="the request header that names the uplink (default: %(default)s)",
    )
    parser.add_argument(
        "--eds-folder",
        metavar="FOLDER",
        default=_ENVOY.eds_folder,
        help="the folder in which Envoy finds its EDS files (default: %(default)s)",
    )
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace, console: Console) -> int:
    """Write what was asked for; or, when the fleet has errors, only those."""
    options = _options(arguments)
    fleet = inputs.read_fleet(arguments)
    child = _child(arguments, fleet)
    report = rules.check(fleet)
    if not report.ok:
        from uplinks.cli import causes  # noqa: PLC0415 - a sound fleet needs none

        causes.write_refusal(report, console)
        return findings.status(report)
    findings.write_tally(report, console)
    to_file = arguments.output not in (None, STREAM)
    if child is not None:
        text = _CHILD[arguments.format](child, options)
    else:
        services = Parent.from_fleet(fleet, strict=False).services
        if arguments.format in _ENVOY_FORMATS:
            limits = render.envoy_limits(services, fleet.parent)
            console.err.writelines(f"warning: {name}: {limit}\n" for name, limit in limits.items())
        if arguments.format == _EDS and to_file:
            documents = render.to_envoy_endpoints(services, fleet.parent)
            files = {name: _json(document) for name, document in documents.items()}
            output.write_folder(arguments.output, files)
            return CLEAN
        text = _parents(arguments, services, fleet.parent, options, console.styler(console.out))
    if to_file:
        output.write(arguments.output, text)
    else:
        console.out.write(text)
    return CLEAN


def _options(arguments: argparse.Namespace) -> render.TraefikOptions:
    try:
        return render.TraefikOptions(
            arguments.provider, arguments.own_provider, arguments.uplink_header
        )
    except InvalidName as problem:
        raise UsageError(str(problem)) from None


def _child(arguments: argparse.Namespace, fleet: Fleet) -> Cluster | None:
    """Find the child that was named. Raises: UsageError, also for a format it does not have."""
    name, form = arguments.for_child, arguments.format
    if name is None:
        if form in _CHILD_ONLY:
            raise UsageError(f"--format {form} is a child's; name it with --for-child NAME")
        return None
    if form not in _CHILD:
        raise UsageError(f"--for-child needs a --format: {', '.join(_CHILD)}")
    if name not in fleet.children:
        near = nearest(name, fleet.children)
        hint = "" if near is None else f"; did you mean {near!r}?"
        raise UsageError(f"the fleet has no child {name!r}{hint}")
    return fleet.children[name]


_DEFAULTS: Final = render.TraefikOptions()

_ENVOY: Final = render.EnvoyOptions()
_EDS: Final = "envoy-eds"
_ENVOY_FORMATS: Final = ("envoy", _EDS)
_PARENT: Final = ("table", "json", "traefik", *_ENVOY_FORMATS)


def _parents(
    arguments: argparse.Namespace,
    services: Services,
    parent: Cluster,
    options: render.TraefikOptions,
    styler: Styler,
) -> str:
    """Write what a parent makes of a fleet, in one of the formats of `_PARENT`."""
    match arguments.format:
        case "traefik":
            return render.dump(render.to_traefik(services, parent, options))
        case "envoy":
            envoy = render.EnvoyOptions(
                eds_folder=arguments.eds_folder, uplink_header=options.uplink_header
            )
            return _json(render.to_envoy(services, parent, envoy))
        case "envoy-eds":
            return _json(render.to_envoy_endpoints(services, parent))
        case "json":
            return _json({"services": _data(services)})
        case _:
            return _table(services, styler)


_CHILD: Final[Mapping[str, Callable[[Cluster, render.TraefikOptions], str]]] = MappingProxyType(
    {
        "traefik": lambda child, options: render.dump(render.child_to_traefik(child, options)),
        "traefik-static": lambda child, _: render.dump(render.uplink_entry_points(child)),
        "traefik-arguments": lambda child, _: "".join(
            f"{argument}\n" for argument in render.to_arguments(render.uplink_entry_points(child))
        ),
    }
)
_CHILD_ONLY: Final = tuple(name for name in _CHILD if name not in _PARENT)


def _json(data: object) -> str:
    return json.dumps(data, indent=2) + "\n"


def _table(services: Services, styler: Styler) -> str:
    rows = []
    for service in services.weighted:
        passed_on = "passed on from its children" if service.health_check else "-"
        rows.append([service.name, "weighted", "", "", passed_on])
        for entry in service.children:
            child = services[entry.name]
            assert isinstance(child, ChildService)  # noqa: S101 - materialize's law
            health = health_summary(child.health_check)
            rows.append([f"  {child.name}", "child", str(entry.weight), child.url, health])
    return table(COLUMNS, rows, styler) if rows else "nothing is advertised\n"


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
    if isinstance(service, ChildService) and service.servers_transport is not None:
        certificates = data["servers_transport"]["certificates"]
        # A key may be written in the manifest itself.
        certificates = [{**each, "key_file": "***"} for each in certificates]
        data["servers_transport"] = {**data["servers_transport"], "certificates": certificates}
    return data
