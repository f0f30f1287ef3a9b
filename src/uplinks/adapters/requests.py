"""An adapter for requests: ``pip install 'uplinks[requests]'``."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final
from urllib.parse import urlsplit

from uplinks.adapters._exchange import Exchange, Host, Route, limit, transport_of
from uplinks.adapters._tls import UnusableTransport, ssl_context
from uplinks.adapters.driver import Driver
from uplinks.errors import MissingExtra
from uplinks.model import ServersTransport

try:
    from requests import PreparedRequest, Response
    from requests.adapters import HTTPAdapter
    from requests.exceptions import ConnectionError as ConnectionLost
    from requests.exceptions import ConnectTimeout
    from urllib3.exceptions import MaxRetryError, NewConnectionError
except ImportError as error:
    raise MissingExtra("requests") from error

__all__ = ["UplinksAdapter"]

_TRANSPORT: Final = "_uplinks_transport"
"""The attribute of a request and of a pool that holds the child's transport."""


class UplinksAdapter(HTTPAdapter):
    """Send each request to a child that is up: mount it under a prefix of your own.

    The scheme, host and port of a request's URL are replaced by those of the
    child; a base path of the child comes before its path.

    - ``service``: as for `Driver.lease`.
    - ``retries``: how many further children a failed request is sent to. It is
      repeated if its method is idempotent and its body is no stream, or if it
      could not be sent. A failing status is repeated in the same way.
    - ``host``: whether the header ``Host`` is the child's, or that of the request.
    - ``uplink_header``: a header to hold the uplink's name, such as ``X-Uplink``.

    Further arguments are those of `requests.adapters.HTTPAdapter`. TLS settings
    are those of a child's ``serversTransport``: authorities, server name, client
    certificate, ``insecureSkipVerify``; without one, those of the session. Its
    time-outs to connect and to answer limit those of the session.

    Raises: NoEligibleTarget for a request when no child is up; as the session.

    >>> import requests
    >>> from uplinks import Driver
    >>> driver = Driver.of({"eu": "https://eu.example.com", "us": "https://us.example.com"})
    >>> with requests.Session() as session:
    ...     session.mount("http://api/", UplinksAdapter(driver))
    """

    def __init__(
        self,
        driver: Driver,
        service: str | None = None,
        *,
        retries: int = 2,
        host: Host = "child",
        uplink_header: str | None = None,
        **options: Any,
    ) -> None:
        super().__init__(**options)
        self._route = Route(
            driver, service, retries=retries, host=host, uplink_header=uplink_header
        )

    def send(
        self,
        request: PreparedRequest,
        stream: bool = False,  # noqa: FBT001, FBT002 - as HTTPAdapter
        timeout: Any = None,
        *arguments: Any,
        **options: Any,
    ) -> Response:
        """Send a request to a child, and to others while it fails."""
        body = request.body
        exchange = self._route.exchange(
            request.method or "GET", repeatable=body is None or isinstance(body, str | bytes)
        )
        for attempt in exchange:
            directed = request.copy()
            directed.url = self._route.url(attempt, request.path_url)
            directed.headers.setdefault("Host", urlsplit(request.url or "").netloc)
            directed.headers.update(self._route.headers(attempt))
            transport = transport_of(attempt)
            setattr(directed, _TRANSPORT, transport)
            limits = _limited(timeout, transport)
            try:
                response = super().send(directed, stream, limits, *arguments, **options)
            except BaseException as problem:
                if not exchange.lost(problem, sent=_sent(problem)):
                    raise
                continue
            if not exchange.answered(response.status_code):
                _restore(response, timeout, limits)
                response.raw = _Raw(response.raw, exchange)
                return response
            response.close()
        raise AssertionError  # the last attempt returns or raises

    def build_connection_pool_key_attributes(
        self, request: PreparedRequest, verify: Any, cert: Any = None
    ) -> tuple[Any, Any]:
        """Return the key of a connection's pool: of a child's own settings, if it has some."""
        host, usual = super().build_connection_pool_key_attributes(request, verify, cert)
        transport: ServersTransport | None = getattr(request, _TRANSPORT, None)
        if transport is None or host["scheme"] != "https":
            return host, usual
        try:
            secured: dict[str, Any] = {"ssl_context": ssl_context(transport)}
        except UnusableTransport as problem:
            raise _Unusable(str(problem), request=request) from None
        if transport.server_name:
            secured["server_hostname"] = transport.server_name
        return host, secured

    def get_connection_with_tls_context(
        self, request: PreparedRequest, *arguments: Any, **options: Any
    ) -> Any:
        """Return the pool for a request."""
        pool = super().get_connection_with_tls_context(request, *arguments, **options)
        setattr(pool, _TRANSPORT, getattr(request, _TRANSPORT, None))
        return pool

    def cert_verify(self, conn: Any, url: str, verify: Any, cert: Any) -> None:
        """Apply the session's TLS settings to a pool that has none of a child."""
        if getattr(conn, _TRANSPORT, None) is None:
            super().cert_verify(conn, url, verify, cert)  # type: ignore[no-untyped-call]


class _Unusable(ConnectionLost):
    """A child's ``serversTransport`` cannot be used."""


def _limited(timeout: Any, transport: ServersTransport | None) -> Any:
    """Return the time-outs (s) to connect and to answer; an object of urllib3 stays as it is."""
    if transport is None or not isinstance(timeout, int | float | tuple | None):
        return timeout
    connect, read = timeout if isinstance(timeout, tuple) else (timeout, timeout)
    timeouts = transport.forwarding_timeouts
    return (
        limit(connect, timeouts.dial_timeout),
        limit(read, timeouts.response_header_timeout),
    )


def _restore(response: Response, timeout: Any, limits: Any) -> None:
    """Give the body of an answer the client's time-out: a transport's is for the head."""
    if limits is timeout:
        return
    read = timeout[1] if isinstance(timeout, tuple) else timeout
    connection = getattr(response.raw, "connection", None)
    sock = getattr(connection, "sock", None)
    if sock is not None:
        sock.settimeout(read)


def _sent(problem: BaseException) -> bool:
    """Return whether a part of the request may have been sent."""
    if isinstance(problem, ConnectTimeout | _Unusable):
        return False
    cause = problem.args[0] if isinstance(problem, ConnectionLost) and problem.args else None
    return not (isinstance(cause, MaxRetryError) and isinstance(cause.reason, NewConnectionError))


class _Raw:
    """An answer's body, which ends the lease of its child when it ends."""

    def __init__(self, raw: Any, exchange: Exchange) -> None:
        self._raw = raw
        self._exchange = exchange

    def __getattr__(self, name: str) -> Any:
        return getattr(self._raw, name)

    def stream(self, *arguments: Any, **options: Any) -> Iterator[bytes]:
        """Read the body chunk by chunk."""
        try:
            yield from self._raw.stream(*arguments, **options)
        except BaseException as problem:
            self._exchange.end(problem)
            raise
        self._exchange.end()

    def read(self, *arguments: Any, **options: Any) -> Any:
        """Read from the body."""
        try:
            data = self._raw.read(*arguments, **options)
        except BaseException as problem:
            self._exchange.end(problem)
            raise
        if not data:
            self._exchange.end()
        return data

    def close(self) -> None:
        """Close the connection."""
        self._raw.close()
        self._exchange.end()

    def release_conn(self) -> None:
        """Give the connection back."""
        self._raw.release_conn()
        self._exchange.end()
