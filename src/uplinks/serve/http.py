"""What the servers of this package share: TLS, tokens, conditions, signals."""

from __future__ import annotations

import asyncio
import contextlib
import hmac
import signal
import ssl
from collections.abc import Callable, Iterator
from pathlib import Path

from attrs import frozen

from uplinks.adapters.tokens import Token
from uplinks.errors import InvalidCertificates, InvalidToken

__all__ = ["ServerTls", "handle_signals", "is_authorized", "matches"]


@frozen
class ServerTls:
    """The files of a server's certificate and key, and of the authorities of its clients.

    With ``client_ca`` every client must have a certificate.
    """

    certificate: str
    key: str
    client_ca: str | None = None

    def context(self) -> ssl.SSLContext:
        """Make the context. Raises: InvalidCertificates."""
        try:
            context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH, cafile=self.client_ca)
        except (ssl.SSLError, OSError):
            raise InvalidCertificates(self.client_ca, "it is not a PEM bundle") from None
        if self.client_ca is not None:
            context.verify_mode = ssl.CERT_REQUIRED
        self.load(context)
        return context

    def load(self, context: ssl.SSLContext) -> None:
        """Load the certificate and key for later connections. Raises: InvalidCertificates."""
        try:
            # A key with a pass phrase must not block the process at a prompt.
            context.load_cert_chain(self.certificate, self.key, password=lambda: b"")
        except (ssl.SSLError, OSError, ValueError):
            reason = "it cannot be read, or does not match its key"
            raise InvalidCertificates(self.certificate, reason) from None

    def stamps(self) -> list[object]:
        """Return what changes when a file is replaced."""
        return [_stamp(name) for name in (self.certificate, self.key)]


def _stamp(name: str) -> object:
    with contextlib.suppress(OSError):
        found = Path(name).stat()
        return found.st_mtime_ns, found.st_size, found.st_ino
    return None


def is_authorized(token: Token | None, header: str) -> bool:
    """Return whether an Authorization header has the token, if there is one."""
    if token is None:
        return True
    scheme, _, given = header.partition(" ")
    try:
        expected = token.read()
    except InvalidToken:
        return False
    same = hmac.compare_digest(given.strip().encode("utf-8", "replace"), expected.encode())
    return scheme.lower() == "bearer" and same


def matches(condition: str, etag: str) -> bool:
    """Compare as ``If-None-Match`` asks for: weakly."""
    tags = (each.strip().removeprefix("W/") for each in condition.split(","))
    return any(each in ("*", etag) for each in tags)


@contextlib.contextmanager
def handle_signals(stop: Callable[[], None], reload: Callable[[], None]) -> Iterator[None]:
    """Stop on SIGTERM and SIGINT, reload on SIGHUP, where the running loop can handle signals."""
    loop = asyncio.get_running_loop()
    handlers = {signal.SIGTERM: stop, signal.SIGINT: stop}
    if hasattr(signal, "SIGHUP"):
        handlers[signal.SIGHUP] = reload
    added = []
    for number, handler in handlers.items():
        # Only the main thread can handle signals, and not on every system.
        with contextlib.suppress(NotImplementedError, RuntimeError, ValueError):
            loop.add_signal_handler(number, handler)
            added.append(number)
    try:
        yield
    finally:
        for number in added:
            loop.remove_signal_handler(number)
