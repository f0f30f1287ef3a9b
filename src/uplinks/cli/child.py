"""``uplinks child``: serve a child's uplinks to its parents."""

from __future__ import annotations

import argparse
import asyncio
import gc
import ipaddress
import os
from typing import TYPE_CHECKING

from uplinks.cli import COMMANDS
from uplinks.cli.console import CLEAN, Console, UsageError, printable
from uplinks.errors import InvalidCertificates, InvalidToken, MissingExtra

if TYPE_CHECKING:
    from uplinks.adapters.sources import Source
    from uplinks.adapters.tokens import Token
    from uplinks.serve.child import ServerTls

__all__ = ["add", "run"]

_MAX_PORT = 65535


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
    parser.add_argument(
        "--listen",
        metavar="HOST:PORT",
        type=_endpoint,
        default=("127.0.0.1", 9080),
        help="where to listen (default: 127.0.0.1:9080); a host without authentication must be "
        "a loopback address",
    )
    access = parser.add_argument_group("authentication of parents")
    tokens = access.add_mutually_exclusive_group()
    tokens.add_argument("--token-file", metavar="FILE", help="require the bearer token in a file")
    tokens.add_argument(
        "--token-env", metavar="NAME", help="require the bearer token in an environment variable"
    )
    access.add_argument(
        "--tls-certificate", metavar="FILE", help="serve HTTPS with this certificate (PEM)"
    )
    access.add_argument("--tls-key", metavar="FILE", help="the certificate's private key")
    access.add_argument(
        "--client-ca", metavar="FILE", help="require client certificates of these authorities"
    )
    access.add_argument(
        "--without-authentication",
        action="store_true",
        help="allow other hosts to connect without a token or a client certificate: something "
        "in front authenticates them",
    )
    parser.set_defaults(run=run)


def _endpoint(text: str) -> tuple[str, int]:
    host, _, port = text.rpartition(":")
    host = host.removeprefix("[").removesuffix("]")
    if not host or not (port.isascii() and port.isdigit()) or int(port) > _MAX_PORT:
        raise argparse.ArgumentTypeError(f"must be HOST:PORT, got {text!r}")
    return host, int(port)


def run(arguments: argparse.Namespace, console: Console) -> int:
    """Serve until a signal ends it."""
    token, tls = _token(arguments), _tls(arguments)
    host, port = arguments.listen
    authenticates = token is not None or (tls is not None and tls.client_ca is not None)
    if not (authenticates or arguments.without_authentication or _is_loopback(host)):
        raise UsageError(
            f"{host} is not a loopback address, so others could read the headers of health checks; "
            "use --token-file, --token-env or --client-ca"
        )
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
        await ChildServer(source, log, host=host, port=port, token=token, tls=tls).run()

    try:
        asyncio.run(serve())
    except (InvalidCertificates, OSError) as problem:
        reason = getattr(problem, "strerror", None) or problem
        raise UsageError(f"cannot serve at {host}:{port}: {reason}") from None
    return CLEAN


def _source(manifests: str, context: str | None) -> Source:
    if context is None:
        from uplinks.adapters.sources import source_of  # noqa: PLC0415 - an extra

        return source_of(f"folder:{manifests}")
    from uplinks.adapters.sources.kubernetes import KubernetesSource  # noqa: PLC0415 - an extra

    return KubernetesSource(context, files=[manifests])


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _token(arguments: argparse.Namespace) -> Token | None:
    from uplinks.adapters.tokens import FileToken, VariableToken  # noqa: PLC0415 - not for --help

    token: Token
    if arguments.token_file is not None:
        token = FileToken(arguments.token_file)
    elif arguments.token_env is not None:
        token = VariableToken(arguments.token_env)
    else:
        return None
    try:
        token.read()
    except InvalidToken as problem:
        raise UsageError(str(problem)) from None
    return token


def _tls(arguments: argparse.Namespace) -> ServerTls | None:
    certificate, key, client_ca = arguments.tls_certificate, arguments.tls_key, arguments.client_ca
    if certificate is None and key is None and client_ca is None:
        return None
    if certificate is None or key is None:
        raise UsageError("TLS needs --tls-certificate and --tls-key")
    try:
        from uplinks.serve.child import ServerTls  # noqa: PLC0415 - an extra
    except MissingExtra as problem:
        raise UsageError(str(problem)) from None
    return ServerTls(certificate, key, client_ca)
