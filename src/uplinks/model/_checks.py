"""Health checks of children: active ones by probes, passive ones by real requests."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import timedelta
from typing import Final

from attrs import field, frozen

from uplinks.diagnostics import MASK
from uplinks.durations import to_nanoseconds
from uplinks.errors import quote

__all__ = ["DEFAULT_INTERVAL", "DEFAULT_TIMEOUT", "Header", "HealthCheck", "PassiveHealthCheck"]

SECOND: Final = 1_000_000_000
DEFAULT_INTERVAL: Final = 30 * SECOND
DEFAULT_TIMEOUT: Final = 5 * SECOND
DEFAULT_FAILURE_WINDOW: Final = 10 * SECOND


@frozen
class Header:
    """One header of a health check. The value is never part of a repr.

    >>> Header("Authorization", "Bearer abc")
    Header(name='Authorization', value='***')
    """

    name: str
    value: str = field(repr=lambda _: repr(MASK))


def _headers(
    value: Mapping[str, str] | Iterable[Header | tuple[str, str]],
) -> tuple[Header, ...]:
    if isinstance(value, str | bytes):
        # It is not shown, as it may be a credential.
        raise TypeError(f"headers must be a mapping or pairs, got {type(value).__name__}")
    return tuple(map(_header, value.items() if isinstance(value, Mapping) else value))


def _header(item: object) -> Header:
    match item:
        case Header():
            return item
        case (str(name), str(text)):
            return Header(name, text)
        case _:
            raise TypeError(f"a header must be a pair of str, got {type(item).__name__}")


# Go clients write 0 and "" for fields that are not set.


def _text(value: str | None) -> str | None:
    return value or None


def _mode(value: str) -> str:
    return value or "http"


def _method(value: str) -> str:
    return value or "GET"


def _status(value: int) -> int:
    return _integer(value, "status") or 200


def _port(value: int | None) -> int | None:
    return None if value is None else _integer(value, "port") or None


def _integer(value: int, name: str) -> int:
    if isinstance(value, bool) or not isinstance(value, int):
        raise TypeError(f"{name} must be an integer, got {quote(value)}")
    return value


Duration = str | timedelta | int


def _interval(value: Duration) -> int:
    return to_nanoseconds(value, "interval") or DEFAULT_INTERVAL


def _unhealthy_interval(value: Duration) -> int:
    return to_nanoseconds(value, "unhealthy_interval")


def _timeout(value: Duration) -> int:
    return to_nanoseconds(value, "timeout") or DEFAULT_TIMEOUT


def _failure_window(value: Duration) -> int:
    return to_nanoseconds(value, "failure_window") or DEFAULT_FAILURE_WINDOW


def _max_failed_attempts(value: int) -> int:
    return _integer(value, "max_failed_attempts") or 1


@frozen
class HealthCheck:
    """How a parent probes the children that advertise an uplink.

    ``interval``, ``unhealthy_interval`` and ``timeout`` are durations: ``"5s"``,
    a `datetime.timedelta`, or integer nanoseconds of at least 1 ms. They are
    kept as integer nanoseconds; 0 means unset and becomes the default. ``scheme``,
    ``port`` and ``hostname`` are ``None`` when they come from the child's address.
    ``headers`` is a mapping, or `Header` objects or pairs of name and value.

    Raises: TypeError, ValueError for a value of another type, or a duration
    below 1 ms.

    >>> check = HealthCheck(path="/health", interval="10s")
    >>> check.unhealthy_interval == check.interval, check.timeout, check.status
    (True, 5000000000, 200)

    Source: reference page, "Health Check Fields".
    """

    path: str | None = field(default=None, converter=_text)
    scheme: str | None = field(default=None, converter=_text)
    mode: str = field(default="http", converter=_mode)
    method: str = field(default="GET", converter=_method)
    status: int = field(default=200, converter=_status)
    port: int | None = field(default=None, converter=_port)
    interval: int = field(default=DEFAULT_INTERVAL, converter=_interval)
    unhealthy_interval: int = field(default=0, converter=_unhealthy_interval)
    timeout: int = field(default=DEFAULT_TIMEOUT, converter=_timeout)
    hostname: str | None = field(default=None, converter=_text)
    follow_redirects: bool = True
    headers: tuple[Header, ...] = field(default=(), converter=_headers)

    def __attrs_post_init__(self) -> None:
        if not self.unhealthy_interval:
            object.__setattr__(self, "unhealthy_interval", self.interval)

    def passes_in_traefik(self, address: str) -> bool:
        """Whether open-source Traefik can pass this check of a child at an address.

        It probes gRPC in plain text only, so a check over TLS never passes there.

        >>> HealthCheck(mode="grpc").passes_in_traefik("https://eu.example.com:9443")
        False
        >>> HealthCheck(mode="grpc", scheme="http", port=9000).passes_in_traefik("https://eu")
        True

        Source: Traefik v3.7, ``pkg/healthcheck``.
        """
        scheme = self.scheme or address.partition(":")[0].lower()
        return self.mode != "grpc" or scheme != "https"


@frozen
class PassiveHealthCheck:
    """How real requests take a child out: so many failures within a window.

    ``failure_window`` is a duration as in `HealthCheck` (0 means the default, 10s),
    ``max_failed_attempts`` in requests (0 means the default, 1).

    >>> PassiveHealthCheck()
    PassiveHealthCheck(failure_window=10000000000, max_failed_attempts=1)

    Source: the ``passiveHealthCheck`` field of the Uplink CRD.
    """

    failure_window: int = field(default=DEFAULT_FAILURE_WINDOW, converter=_failure_window)
    max_failed_attempts: int = field(default=1, converter=_max_failed_attempts)
