"""A transport for httpx: ``pip install 'uplinks[httpx]'``."""

from __future__ import annotations

from types import ModuleType
from typing import ClassVar

from uplinks.adapters._httpx import Body, Transport
from uplinks.errors import MissingExtra

try:
    import httpx
except ImportError as error:
    raise MissingExtra("httpx") from error

__all__ = ["AsyncUplinksTransport", "UplinksTransport"]


class _Body(Body, httpx.SyncByteStream, httpx.AsyncByteStream):
    pass


class UplinksTransport(Transport, httpx.BaseTransport, httpx.AsyncBaseTransport):
    """Send each request to a child that is up, for ``Client`` and ``AsyncClient`` alike.

    Arguments, rules and errors are those of
    `uplinks.adapters.httpx2.UplinksTransport`.

    >>> from uplinks import Driver
    >>> driver = Driver.of({"eu": "https://eu.example.com", "us": "https://us.example.com"})
    >>> client = httpx.Client(transport=UplinksTransport(driver), base_url="http://any")
    >>> client.close()
    """

    library: ClassVar[ModuleType] = httpx
    body: ClassVar[type[Body]] = _Body


AsyncUplinksTransport = UplinksTransport
"""The same class: it is both transports."""
