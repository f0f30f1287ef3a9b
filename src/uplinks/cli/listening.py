"""Where a server listens, and whom it answers: arguments that servers share."""

from __future__ import annotations

import argparse
import ipaddress
from typing import TYPE_CHECKING

from attrs import frozen

from uplinks.cli.console import UsageError
from uplinks.errors import InvalidToken, MissingExtra

if TYPE_CHECKING:
    from uplinks.adapters.tokens import Token
    from uplinks.serve.http import ServerTls

__all__ = ["Listening", "add", "parse"]

_MAX_PORT = 65535


@frozen
class Listening:
    """An address, and how clients are authenticated."""

    host: str
    port: int
    token: Token | None
    tls: ServerTls | None

    @property
    def is_loopback(self) -> bool:
        """Whether only this host can connect."""
        try:
            return ipaddress.ip_address(self.host).is_loopback
        except ValueError:
            return self.host == "localhost"


def add(parser: argparse.ArgumentParser, port: int) -> None:
    """Add the arguments; ``port`` is the default."""
    parser.add_argument(
        "--listen",
        metavar="HOST:PORT",
        type=_endpoint,
        default=("127.0.0.1", port),
        help=f"where to listen (default: 127.0.0.1:{port}); a host without authentication must "
        "be a loopback address",
    )
    access = parser.add_argument_group("authentication of clients")
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


def _endpoint(text: str) -> tuple[str, int]:
    host, _, port = text.rpartition(":")
    host = host.removeprefix("[").removesuffix("]")
    if not host or not (port.isascii() and port.isdigit()) or int(port) > _MAX_PORT:
        raise argparse.ArgumentTypeError(f"must be HOST:PORT, got {text!r}")
    return host, int(port)


def parse(arguments: argparse.Namespace) -> Listening:
    """Read the arguments. Raises: UsageError, also if others could read secrets."""
    token, tls = _token(arguments), _tls(arguments)
    host, port = arguments.listen
    where = Listening(host, port, token, tls)
    authenticates = token is not None or (tls is not None and tls.client_ca is not None)
    if not (authenticates or arguments.without_authentication or where.is_loopback):
        raise UsageError(
            f"{where.host} is not a loopback address, so others could read the headers of health "
            "checks; use --token-file, --token-env or --client-ca"
        )
    return where


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
        from uplinks.serve.http import ServerTls  # noqa: PLC0415 - an extra
    except MissingExtra as problem:
        raise UsageError(str(problem)) from None
    return ServerTls(certificate, key, client_ca)
