"""The TLS of connections to a child, from its ``serversTransport``.

Files are read again when they have changed, so renewed certificates are used.
Messages of OpenSSL are not passed on: they may contain secrets.
"""

from __future__ import annotations

import contextlib
import os
import ssl
import tempfile
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path
from types import MappingProxyType
from typing import Final, NamedTuple

from uplinks.model import ClientCertificate, ServersTransport

__all__ = ["Files", "UnusableTransport", "read_files", "ssl_context"]

_REMEMBERED: Final = 1024  # contexts that are cached; others are made again
_PEM: Final = "-----BEGIN"

_VERSIONS: Final = MappingProxyType(
    {
        "VersionTLS10": ssl.TLSVersion.TLSv1,
        "VersionTLS11": ssl.TLSVersion.TLSv1_1,
        "VersionTLS12": ssl.TLSVersion.TLSv1_2,
        "VersionTLS13": ssl.TLSVersion.TLSv1_3,
    }
)


class UnusableTransport(ConnectionError):
    """The reason why a transport cannot be used, in a few words without secrets."""


class Files(NamedTuple):
    """The contents of a transport's files: authorities, and client certificates with keys."""

    authorities: bytes | None
    certificates: tuple[tuple[bytes, bytes], ...]


def read_files(transport: ServersTransport) -> Files:
    """Read a transport's files, or return the cached contents if none has changed.

    Raises: UnusableTransport.
    """
    if transport.spiffe is not None or transport.peer_cert_uri:
        raise UnusableTransport("spiffe and peerCertURI are not supported")
    return _read(transport, _stamps(transport))


@lru_cache(_REMEMBERED)
def _read(
    transport: ServersTransport,
    stamps: tuple[object, ...],  # noqa: ARG001 - another key when a file has changed
) -> Files:
    roots = b"\n".join(_content(each, "rootCAs") for each in transport.root_cas)
    pairs = tuple(
        (_content(each.cert_file, "certFile"), _content(each.key_file, "keyFile"))
        for each in transport.certificates
    )
    return Files(roots or None, pairs)


def ssl_context(transport: ServersTransport, default_ca: str | None = None) -> ssl.SSLContext:
    """Make a client's context, or return the cached one if no file has changed.

    ``default_ca`` is a file of authorities, used if the transport names none; by
    default the system's are used. Raises: UnusableTransport.

    >>> ssl_context(ServersTransport(insecure_skip_verify=True)).verify_mode.name
    'CERT_NONE'
    """
    return _context(transport, default_ca, read_files(transport))


@lru_cache(_REMEMBERED)
def _context(transport: ServersTransport, default_ca: str | None, files: Files) -> ssl.SSLContext:
    authorities = files.authorities
    try:
        context = ssl.create_default_context(
            cafile=None if authorities else default_ca,
            cadata=authorities.decode("ascii", "replace") if authorities else None,
        )
        if transport.insecure_skip_verify:
            context.check_hostname = False
            context.verify_mode = ssl.CERT_NONE
        if transport.min_version:
            context.minimum_version = _VERSIONS[transport.min_version]
        if transport.max_version:
            context.maximum_version = _VERSIONS[transport.max_version]
    except (ssl.SSLError, OSError):
        raise UnusableTransport("rootCAs hold no PEM certificates") from None
    except (KeyError, ValueError):
        raise UnusableTransport("minVersion or maxVersion is not a TLS version") from None
    for certificate, key in files.certificates:
        _load(context, certificate, key)
    context.set_alpn_protocols(["http/1.1"])
    return context


def _load(context: ssl.SSLContext, certificate: bytes, key: bytes) -> None:
    # OpenSSL reads only files. Only the owner can read this one, and it is deleted at once.
    with _private_file(certificate + b"\n" + key) as path:
        try:
            # A key with a pass phrase must not block the process at a prompt.
            context.load_cert_chain(path, password=lambda: b"")
        except (ssl.SSLError, OSError, ValueError):
            raise UnusableTransport("a client certificate and its key do not match") from None


@contextlib.contextmanager
def _private_file(data: bytes) -> Iterator[str]:
    handle, path = tempfile.mkstemp(prefix="uplinks-")
    try:
        with open(handle, "wb") as file:  # noqa: PTH123 - a descriptor, not a path
            file.write(data)
        yield path
    finally:
        Path(path).unlink()


def _content(value: str, name: str) -> bytes:
    """Read a file, or return the value itself if it is PEM text."""
    if value.startswith(_PEM):
        return value.encode("utf-8", "replace")
    try:
        return Path(value).read_bytes()
    except (OSError, ValueError):
        raise UnusableTransport(f"a file of {name} cannot be read") from None


def _stamps(transport: ServersTransport) -> tuple[object, ...]:
    names = [*transport.root_cas, *(f for c in transport.certificates for f in _files(c))]
    return tuple(_stamp(name) for name in names if not name.startswith(_PEM))


def _files(certificate: ClientCertificate) -> tuple[str, str]:
    return certificate.cert_file, certificate.key_file


def _stamp(name: str) -> object:
    try:
        found = os.stat(name)  # noqa: PTH116 - the name may be anything
    except (OSError, ValueError):
        return None
    return found.st_mtime_ns, found.st_size, found.st_ino
