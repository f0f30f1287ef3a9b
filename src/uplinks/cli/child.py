"""``uplinks child``: serve a child's uplinks to its parents."""

from __future__ import annotations

import argparse
import asyncio
import gc
import os
from typing import TYPE_CHECKING

from uplinks.cli import COMMANDS, listening
from uplinks.cli.console import CLEAN, Console, UsageError, printable
from uplinks.errors import InvalidCertificates, MissingExtra

if TYPE_CHECKING:
    from uplinks.adapters.sources import Source

__all__ = ["add", "run"]


def add(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command."""
    parser = commands.add_parser(
        "child",
        help=COMMANDS["child"],
        description="Serve the uplinks of a child's manifests to its parents, over HTTP. The "
        "manifests are read again when they change. While they have errors, the last document "
        "without errors is served.",
        allow_abbrev=False,
    )
    parser.add_argument("manifests", metavar="MANIFESTS", help="the child's folder or file")
    parser.add_argument(
        "--context",
        metavar="CONTEXT",
        help="also serve the uplinks in Kubernetes that this context of the kubeconfig reads; "
        "in-cluster is the service account of this pod. MANIFESTS has the static configuration, "
        "and is read once",
    )
    listening.add(parser, 9080)
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace, console: Console) -> int:
    """Serve until a signal ends it."""
    where = listening.parse(arguments)
    if not os.path.exists(arguments.manifests):  # noqa: PTH110 - the path as it was given
        raise UsageError(f"{arguments.manifests} cannot be read: no such file or folder")
    gc.enable()  # a server does not end soon, unlike other commands

    def log(line: str) -> None:
        console.err.write(f"uplinks: {printable(line)}\n")
        console.err.flush()

    try:
        from uplinks.serve.child import ChildServer  # noqa: PLC0415 - an extra

        source = _source(arguments.manifests, arguments.context)
    except MissingExtra as problem:
        raise UsageError(str(problem)) from None

    async def serve() -> None:
        await ChildServer(
            source, log, host=where.host, port=where.port, token=where.token, tls=where.tls
        ).run()

    try:
        asyncio.run(serve())
    except (InvalidCertificates, OSError) as problem:
        reason = getattr(problem, "strerror", None) or problem
        raise UsageError(f"cannot serve at {where.host}:{where.port}: {reason}") from None
    return CLEAN


def _source(manifests: str, context: str | None) -> Source:
    if context is None:
        from uplinks.adapters.sources import source_of  # noqa: PLC0415 - an extra

        return source_of(f"folder:{manifests}")
    from uplinks.adapters.sources.kubernetes import KubernetesSource  # noqa: PLC0415 - an extra

    return KubernetesSource(context, files=[manifests])
