"""An adapter for requests: ``pip install 'uplinks[requests]'``."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

from uplinks.adapters._exchange import Exchange, Host, Route
from uplinks.adapters.driver import Driver
from uplinks.errors import MissingExtra

try:
    from requests import PreparedRequest, Response
    from requests.adapters import HTTPAdapter
    from requests.exceptions import ConnectionError as ConnectionLost
    from requests.exceptions import ConnectTimeout
    from urllib3.exceptions import MaxRetryError, NewConnectionError
except ImportError as error:
    raise MissingExtra("requests") from error

__all__ = ["UplinksAdapter"]


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
    are those of the session.

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

    def send(self, request: PreparedRequest, *arguments: Any, **options: Any) -> Response:
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
            try:
                response = super().send(directed, *arguments, **options)
            except BaseException as problem:
                if not exchange.lost(problem, sent=_sent(problem)):
                    raise
                continue
            if not exchange.answered(response.status_code):
                response.raw = _Raw(response.raw, exchange)
                return response
            response.close()
        raise AssertionError  # the last attempt returns or raises


def _sent(problem: BaseException) -> bool:
    """Return whether a part of the request may have been sent."""
    if isinstance(problem, ConnectTimeout):
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
