"""Which requests count against a child: statuses, exceptions and gRPC codes.

The answer to a request is one of three. A *failure* is the child's: an error
status, a lost connection, a time-out. A *success* is any other answer of the
child, also a refusal such as 404. An exception of another kind says nothing
about the child, and is *ignored*.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final

from attrs import field, frozen

__all__ = ["FailureClassifier"]

Statuses = Iterable[int | tuple[int, int]]

_EXCEPTIONS: Final = (
    ConnectionError,
    TimeoutError,
    "aiohttp.client_exceptions.ClientConnectionError",
    "aiohttp.client_exceptions.ClientPayloadError",
    "aiohttp.http_exceptions.HttpProcessingError",
    "http.client.HTTPException",
    "httpcore.NetworkError",
    "httpcore.ProtocolError",
    "httpcore.TimeoutException",
    "httpx.TransportError",
    "httpx2.TransportError",
    "requests.exceptions.ChunkedEncodingError",
    "requests.exceptions.ConnectionError",
    "requests.exceptions.Timeout",
    "socket.gaierror",
    "ssl.SSLError",
    "urllib.error.URLError",
    "urllib3.exceptions.HTTPError",
)
_GRPC_CODES: Final = ("DATA_LOSS", "DEADLINE_EXCEEDED", "INTERNAL", "UNAVAILABLE", "UNKNOWN")


def _several(values: Any, name: str) -> Iterable[Any]:
    """Refuse a single value; a string would be taken apart. Raises: TypeError."""
    if isinstance(values, str | bytes) or not isinstance(values, Iterable):
        raise TypeError(f"{name} must be a list, got {values!r}")
    return values


def _to_ranges(statuses: Statuses) -> tuple[tuple[int, int], ...]:
    ranges = []
    for each in _several(statuses, "statuses"):
        match each:
            case int(status) if not isinstance(status, bool):
                ranges.append((status, status))
            case (int(low), int(high)) if low <= high:
                ranges.append((low, high))
            case _:
                raise ValueError(
                    f"statuses must be integers or ranges like (500, 599), got {each!r}"
                )
    return tuple(ranges)


def _to_exceptions(kinds: Iterable[type[BaseException] | str]) -> frozenset[str]:
    names = set()
    for kind in _several(kinds, "exceptions"):
        if isinstance(kind, str):
            names.add(kind)
        elif isinstance(kind, type) and issubclass(kind, BaseException):
            names.add(_dotted(kind))
        else:
            raise TypeError(f"exceptions must be exception classes or dotted names, got {kind!r}")
    return frozenset(names)


def _to_names(names: Iterable[str]) -> frozenset[str]:
    return frozenset(_several(names, "grpc_codes"))


def _dotted(kind: type) -> str:
    return f"{kind.__module__}.{kind.__qualname__}"


@frozen
class FailureClassifier:
    """Decide whether a request failed, succeeded, or says nothing about its child.

    - ``statuses``: HTTP statuses that are failures, single ones or ranges with
      both ends.
    - ``exceptions``: exception classes that are failures, or their dotted names;
      subclasses count. The default names those of the standard library,
      aiohttp, httpx, httpx2, requests and urllib3 for lost connections and
      time-outs.
    - ``grpc_codes``: names of gRPC status codes that are failures.

    An exception with a status (``raise_for_status()``, a web framework's error)
    is judged by that status; an `grpc.RpcError` by its code.

    >>> classifier = FailureClassifier()
    >>> classifier.is_failure(503), classifier.is_failure(404)
    (True, False)
    >>> classifier.is_failure(TimeoutError("no answer"))
    True
    >>> classifier.is_failure(ValueError("not JSON")) is None
    True
    >>> FailureClassifier(statuses=[429, (500, 599)]).is_failure(429)
    True
    """

    statuses: tuple[tuple[int, int], ...] = field(default=((500, 599),), converter=_to_ranges)
    exceptions: frozenset[str] = field(default=_EXCEPTIONS, converter=_to_exceptions, repr=False)
    grpc_codes: frozenset[str] = field(default=_GRPC_CODES, converter=_to_names, repr=False)

    @property
    def lowest(self) -> int:
        """The lowest status that is a failure; above all statuses if there is none."""
        return min((low for low, _ in self.statuses), default=1000)

    def is_failure(self, ending: int | BaseException) -> bool | None:
        """Judge an HTTP status or an exception; ``None`` for one that says nothing.

        Complexity: O(ranges), or O(base classes of the exception).
        """
        if isinstance(ending, int):
            return any(low <= ending <= high for low, high in self.statuses)
        code = _grpc_code(ending)
        if code is not None:
            return code in self.grpc_codes
        status = _status(ending)
        if status is not None:
            return self.is_failure(status)
        return True if self._lost(type(ending)) else None

    def _lost(self, kind: type[BaseException]) -> bool:
        return not self.exceptions.isdisjoint(map(_dotted, kind.__mro__))

    @staticmethod
    def reason(ending: int | BaseException) -> str:
        """Describe a failure in a few words; messages may hold secrets, so there is none.

        >>> FailureClassifier.reason(503), FailureClassifier.reason(TimeoutError("secret"))
        ('status 503', 'TimeoutError')
        """
        if isinstance(ending, int):
            return f"status {ending}"
        code, status = _grpc_code(ending), _status(ending)
        if code is not None:
            return f"gRPC status {code}"
        return type(ending).__name__ if status is None else f"status {status}"


def _status(problem: BaseException) -> int | None:
    """Return the HTTP status of an exception that has one."""
    for owner in (getattr(problem, "response", None), problem):
        for name in ("status_code", "status", "code"):
            status: Any = getattr(owner, name, None)
            if isinstance(status, int) and 100 <= status <= 599:  # noqa: PLR2004 - HTTP's range
                return int(status)
    return None


def _grpc_code(problem: BaseException) -> str | None:
    """Return the name of the status code of a `grpc.RpcError`."""
    if not any(kind.__module__.partition(".")[0] == "grpc" for kind in type(problem).__mro__):
        return None
    code: Any = getattr(problem, "code", None)
    name = getattr(code(), "name", None) if callable(code) else None
    return name if isinstance(name, str) else None
