"""A transport for httpx2: ``pip install 'uplinks[httpx2]'``."""

from __future__ import annotations

from types import ModuleType
from typing import ClassVar

from uplinks.adapters._httpx import Body, Transport
from uplinks.errors import MissingExtra

try:
    import httpx2
except ImportError as error:
    raise MissingExtra("httpx2") from error

__all__ = ["AsyncUplinksTransport", "UplinksTransport"]


class _Body(Body, httpx2.SyncByteStream, httpx2.AsyncByteStream):
    pass


class UplinksTransport(Transport, httpx2.BaseTransport, httpx2.AsyncBaseTransport):
    """Send each request to a child that is up, for ``Client`` and ``AsyncClient`` alike.

    The scheme, host and port of a request's URL are replaced by those of the
    child; a base path of the child comes before its path. Bodies are streamed
    both ways.

    - ``service``: as for `Driver.lease`.
    - ``transport``: what sends the requests, with its own TLS settings, limits and
      proxies; by default ``httpx2.HTTPTransport()`` or its asynchronous counterpart,
      and one for each ``serversTransport`` of a child: authorities, server name,
      client certificate, ``insecureSkipVerify``. Its time-outs to connect and to
      answer apply in any case.
    - ``retries``: how many further children a failed request is sent to. It is
      repeated if its method is idempotent and its body is no stream, or if it
      could not be sent. A failing status is repeated in the same way.
    - ``host``: whether the header ``Host`` is the child's, or that of the request.
    - ``uplink_header``: a header to hold the uplink's name, such as ``X-Uplink``.

    Raises: NoEligibleTarget for a request when no child is up; as the transport.

    >>> from uplinks import Driver
    >>> driver = Driver.of({"eu": "https://eu.example.com", "us": "https://us.example.com"})
    >>> client = httpx2.Client(transport=UplinksTransport(driver), base_url="http://any")
    >>> client.close()
    """

    library: ClassVar[ModuleType] = httpx2
    body: ClassVar[type[Body]] = _Body


AsyncUplinksTransport = UplinksTransport
"""The same class: it is both transports."""
