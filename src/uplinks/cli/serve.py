"""``uplinks serve``: a live parent for Traefik and Envoy."""

from __future__ import annotations

import argparse
import asyncio
import gc
import logging
import os
import secrets
from collections.abc import Callable
from typing import TYPE_CHECKING, Final

from uplinks.cli import COMMANDS, findings, listening
from uplinks.cli.console import CLEAN, Console, UsageError
from uplinks.durations import format_duration, parse_duration
from uplinks.errors import InvalidCertificates, InvalidDuration, MissingExtra, UplinksError
from uplinks.naming import nearest

if TYPE_CHECKING:
    from uplinks.adapters.sources import Source
    from uplinks.model import Cluster, ParentConfig

__all__ = ["add", "run"]

_PORT: Final = 9090
_SECOND: Final = 1_000_000_000


def add(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command."""
    parser = commands.add_parser(
        "serve",
        help=COMMANDS["serve"],
        description="Run a live parent: follow the parent's manifests and its children, probe the "
        "children, and serve the configuration for Traefik's HTTP provider (/traefik), Envoy's "
        "endpoints (--eds-folder), the state (/api/state, /metrics) and a page to look at (/).",
        allow_abbrev=False,
    )
    parser.add_argument(
        "parent",
        metavar="PARENT",
        help="the parent's folder or file, which lists the children; or a folder with parent/ "
        "and children/",
    )
    parser.add_argument(
        "--child",
        metavar="NAME=SOURCE",
        action="append",
        default=[],
        type=_child,
        help="where a child's uplinks come from: folder:PATH or http(s)://ADDRESS, its API; by "
        "default its folder in children/, or else the API at its listed address",
    )
    parser.add_argument(
        "--child-token-file",
        metavar="NAME=FILE",
        action="append",
        default=[],
        type=_child,
        help="the file with the bearer token for a child's API",
    )
    parser.add_argument(
        "--eds-folder", metavar="FOLDER", help="write Envoy's endpoints to this folder"
    )
    for name, default, meaning in (
        ("grace", "1m", "how long a child that suddenly offers nothing keeps what it offered"),
        ("patience", "10s", "how long the first documents wait for sources that do not answer"),
        ("drain", "5s", "how long to go on after SIGTERM"),
    ):
        parser.add_argument(
            f"--{name}",
            metavar="TIME",
            type=_duration,
            default=parse_duration(default),
            help=f"{meaning} (default: {default})",
        )
    parser.add_argument(
        "--own-provider",
        metavar="NAME",
        default="kubernetescrd",
        help="the provider that has the cluster's own services and middlewares "
        "(default: %(default)s)",
    )
    parser.add_argument(
        "--uplink-header",
        metavar="NAME",
        default="X-Uplink",
        help="the request header that names the uplink (default: %(default)s)",
    )
    listening.add(parser, _PORT)
    parser.set_defaults(run=run)


def _child(text: str) -> tuple[str, str]:
    name, equals, source = text.partition("=")
    if not (name and equals and source):
        raise argparse.ArgumentTypeError(f"must be NAME=VALUE, got {text!r}")
    return name, source


def _duration(text: str) -> int:
    try:
        duration = parse_duration(text)
    except InvalidDuration as problem:
        raise argparse.ArgumentTypeError(str(problem)) from None
    if duration < 0:
        raise argparse.ArgumentTypeError(f"must not be negative, got {format_duration(duration)}")
    return duration


def run(arguments: argparse.Namespace, console: Console) -> int:
    """Serve until a signal ends it; the parent's manifests must be without errors."""
    where = listening.parse(arguments)
    try:
        from uplinks.adapters.sources import source_of  # noqa: PLC0415 - an extra
        from uplinks.render import TraefikOptions  # noqa: PLC0415 - not for --help
        from uplinks.rules import check_cluster  # noqa: PLC0415 - as above
        from uplinks.serve.live import LiveOptions  # noqa: PLC0415 - as above
        from uplinks.serve.logs import JsonFormatter  # noqa: PLC0415 - as above
        from uplinks.serve.parent import ParentServer, ServerOptions  # noqa: PLC0415 - an extra
    except MissingExtra as problem:
        raise UsageError(str(problem)) from None
    path, cluster = _parent(arguments.parent)
    report = check_cluster(cluster, role="parent")
    if report.errors:
        console.err.write(findings.as_text(report, console.styler(console.err)))
        return findings.status(report)
    options = ServerOptions(
        where.host,
        where.port,
        where.is_loopback,
        where.token,
        where.tls,
        arguments.eds_folder,
        arguments.drain / _SECOND,
    )
    try:
        live = LiveOptions(
            arguments.grace,
            arguments.patience,
            arguments.eds_folder is not None,
            TraefikOptions("http", arguments.own_provider, arguments.uplink_header),
        )
        own = source_of(f"folder:{path}", "parent")
        make_source = _sources(arguments, cluster)
    except UplinksError as problem:
        raise UsageError(str(problem)) from None
    handler = logging.StreamHandler(console.err)
    handler.setFormatter(JsonFormatter())
    log = logging.getLogger()  # libraries log as well
    log.addHandler(handler)
    logging.getLogger("uplinks").setLevel(logging.INFO)
    gc.enable()  # a server does not end soon, unlike other commands
    server = ParentServer(
        cluster,
        own,
        make_source,
        options,
        live,
        start=secrets.randbits(32),
    )
    try:
        asyncio.run(server.run())
    except (InvalidCertificates, OSError) as problem:
        reason = getattr(problem, "strerror", None) or problem
        raise UsageError(f"cannot serve at {where.host}:{where.port}: {reason}") from None
    finally:
        log.removeHandler(handler)
    return CLEAN


def _parent(given: str) -> tuple[str, Cluster]:
    """Find the parent's manifests in a fleet's folder, or take the path itself."""
    from uplinks.adapters.files import PARENT, is_fleet, load_cluster  # noqa: PLC0415 - as above

    path = os.path.join(given, PARENT) if is_fleet(given) else given  # noqa: PTH118 - as given
    cluster = load_cluster("parent", [path])
    if cluster.parent_config is None and not cluster.diagnostics:
        raise UsageError(
            f"{path} lists no children: hub.providers.multicluster.children is missing"
        )
    return path, cluster


def _sources(
    arguments: argparse.Namespace, cluster: Cluster
) -> Callable[[str, ParentConfig], Source]:
    """Return what makes the source of a child. Raises: UsageError, InvalidSource."""
    from uplinks.adapters.files import CHILDREN  # noqa: PLC0415 - not for --help
    from uplinks.adapters.sources import source_of  # noqa: PLC0415 - an extra
    from uplinks.adapters.tokens import FileToken  # noqa: PLC0415 - not for --help
    from uplinks.model import ParentConfig  # noqa: PLC0415 - as above

    tokens = {name: FileToken(path) for name, path in arguments.child_token_file}
    given = dict(arguments.child)

    def make(child: str, config: ParentConfig) -> Source:
        folder = os.path.join(arguments.parent, CHILDREN, child)  # noqa: PTH118 - as it was given
        text = given.get(child)
        if text is None and os.path.isdir(folder):  # noqa: PTH112 - as above
            text = f"folder:{folder}"
        if text is None:
            text = config.children[child].address
        return source_of(text, child, config=config, token=tokens.get(child))

    config = cluster.parent_config or ParentConfig()
    for name in [*given, *tokens]:
        if name not in config.children:
            near = nearest(name, config.children)
            hint = "" if near is None else f"; did you mean {near!r}?"
            raise UsageError(f"the parent lists no child {name!r}{hint}")
    for name in given:
        make(name, config)  # refuses what can never be a source
    return make
