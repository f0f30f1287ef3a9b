"""One request of a client library: its attempts, which of them are repeated, and its end.

Rules of this file:

1. A failed request is repeated on another child if its method is idempotent and
   its body can be sent again; any other only if nothing of it was sent.
2. A lease lasts until the answer's body has ended. A connection lost in the
   middle of a body counts against the child, and the request is not repeated:
   the caller has a part of the answer already.
3. A child's ``serversTransport`` comes before the settings of the client.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, Final, Literal
from urllib.parse import urlsplit

from uplinks.adapters.driver import Driver
from uplinks.grammar import is_token
from uplinks.model import ServersTransport
from uplinks.parent import Attempt

__all__ = ["Exchange", "Route", "limit", "transport_of"]

_NANOSECONDS: Final = 1_000_000_000
_IDEMPOTENT: Final = frozenset({"GET", "HEAD", "OPTIONS", "TRACE", "PUT", "DELETE"})

Host = Literal["child", "request"]


def transport_of(attempt: Attempt) -> ServersTransport | None:
    """Return how connections to an attempt's child are made; ``None``: as the client decides."""
    transport: ServersTransport | None = getattr(attempt.target, "servers_transport", None)
    return transport


def limit(own: float | None, nanoseconds: int) -> float | None:
    """Return the shorter time-out (s) of a client's own and a transport's; 0 ns means no limit."""
    if not nanoseconds:
        return own
    seconds = nanoseconds / _NANOSECONDS
    return seconds if own is None else min(own, seconds)


class Route:
    """The route of a client's requests; see the adapters for its arguments."""

    def __init__(
        self,
        driver: Driver,
        service: str | None,
        *,
        retries: int,
        host: Host,
        uplink_header: str | None,
    ) -> None:
        if not isinstance(driver, Driver):
            raise TypeError(f"driver must be a Driver, got {type(driver).__name__}")
        if host not in {"child", "request"}:
            raise ValueError(f"host must be 'child' or 'request', got {host!r}")
        if isinstance(retries, bool) or not isinstance(retries, int) or retries < 0:
            raise ValueError(f"retries must be an integer of at least 0, got {retries!r}")
        if uplink_header is not None and not is_token(uplink_header):
            raise ValueError(f"uplink_header must be the name of a header, got {uplink_header!r}")
        self._driver = driver
        self._service = service
        self._retries = retries
        self._host = host
        self._uplink_header = uplink_header

    def exchange(self, method: str, *, repeatable: bool) -> Exchange:
        """Start a request. ``repeatable``: whether its body can be sent again."""
        return self.start(repeatable=repeatable and method.upper() in _IDEMPOTENT)

    def start(self, *, repeatable: bool) -> Exchange:
        """Start a request. ``repeatable``: whether it is safe to send it again."""
        attempts = self._driver.attempts(self._service, retries=self._retries)
        return Exchange(attempts, repeatable=repeatable)

    def headers(self, attempt: Attempt) -> dict[str, str]:
        """Return the headers that this route sets: ``Host``, and the uplink's name."""
        headers = {}
        if self._host == "child":
            headers["Host"] = urlsplit(attempt.url).netloc
        if self._uplink_header is not None:
            headers[self._uplink_header] = attempt.target.uplink_name
        return headers

    @staticmethod
    def url(attempt: Attempt, path_and_query: str) -> str:
        """Return a child's URL with the path and query of a request, their encoding unchanged."""
        return attempt.url.rstrip("/") + path_and_query


class Exchange:
    """A request in progress: iterate over its attempts, and report how each ended.

    Every attempt is already entered. Exactly one of `lost`, `answered` and
    `end` follows each; after `answered` returned ``False``, `end` ends it.
    """

    def __init__(self, attempts: Any, *, repeatable: bool) -> None:
        self._attempts = attempts
        self._repeatable = repeatable
        self._attempt: Attempt | None = None
        self.release: Callable[[], None] | None = None
        """Called once when the present attempt ends."""

    def __iter__(self) -> Iterator[Attempt]:
        for attempt in self._attempts:
            attempt.__enter__()
            self._attempt = attempt
            yield attempt

    def lost(self, problem: BaseException, *, sent: bool) -> bool:
        """End an attempt without an answer; return whether another one follows.

        ``sent``: whether a part of the request may have reached the child.
        """
        if sent and not self._repeatable:
            self._attempts.stop()
        self._attempts.unsent = not sent
        self.end(problem)
        return bool(self._attempts.planned)

    def answered(self, status: int) -> bool:
        """Judge an answer; return whether another attempt follows, which drops this answer."""
        attempt = self._attempt
        assert attempt is not None  # noqa: S101 - an attempt was yielded
        attempt.status(status)
        if not attempt.failed:
            return False
        if not self._repeatable:
            self._attempts.stop()
        self.end()
        return bool(self._attempts.planned)

    def stop(self) -> None:
        """Allow no further attempt."""
        self._attempts.stop()

    def abandon(self) -> None:
        """End the attempt without a statement about its child: the caller gave up."""
        if self._attempt is not None:
            self._attempt.ignore()
        self.end()

    def end(self, problem: BaseException | None = None) -> None:
        """End the attempt, when its answer's body ends or with the exception that prevented it."""
        attempt, self._attempt = self._attempt, None
        if attempt is None:
            return  # it has ended already
        if attempt.failed is False:
            self._attempts.stop()  # a part of the answer has been passed on
        attempt.__exit__(None if problem is None else type(problem), problem, None)
        release, self.release = self.release, None
        if release is not None:
            release()
