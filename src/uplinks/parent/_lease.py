"""A target for the length of one request.

Rules of this file:

1. How the request ended is said once, when it has ended.
2. A request that was given up says nothing about its target: only an
   `Exception` is a failure. `asyncio.CancelledError` and `KeyboardInterrupt` are none.
"""

from __future__ import annotations

from collections.abc import Callable
from types import TracebackType
from typing import Final

from uplinks.balance import Selector
from uplinks.model import ChildService, ServiceReference

__all__ = ["Lease"]

_UNSAID: Final = object()


class Lease:
    """Pick a target, and say afterwards how the request to it ended.

    Entering gives the target. Leaving says that it succeeded, or that it failed
    if an `Exception` comes by; `succeed`, `fail` and `ignore` overrule that.
    A lease may be entered again, one request after the other, and picks anew.

    Raises: NoEligibleTarget on entering; RuntimeError when entered twice at once.

    >>> from uplinks.model import Child, Advertisement, ParentConfig
    >>> from uplinks.parent import Parent
    >>> parent = Parent(ParentConfig({"eu": Child("https://eu.example.com:9443")}))
    >>> parent.advertise("eu", [Advertisement("api", "apps/api", ["multicluster"])], now=0)
    >>> lease = parent.lease("api@multicluster")
    >>> with lease as target:
    ...     print(target.url)  # send the request there; status 503 may be a failure, too
    ...     lease.fail()
    https://eu.example.com:9443
    """

    def __init__(self, selector: Selector, observe: Callable[[ChildService, bool], object]) -> None:
        self._selector = selector
        self._observe = observe
        self._target: ChildService | ServiceReference | None = None
        self._said: object = _UNSAID

    @property
    def target(self) -> ChildService | ServiceReference | None:
        """What was picked; ``None`` outside of the block."""
        return self._target

    def __enter__(self) -> ChildService | ServiceReference:
        if self._target is not None:
            raise RuntimeError("this lease is in use: take one for each request")
        target: ChildService | ServiceReference = self._selector.pick()
        self._target, self._said = target, _UNSAID
        return target

    def __exit__(
        self,
        kind: type[BaseException] | None,
        problem: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        target, self._target = self._target, None
        said = self._said
        if said is _UNSAID:
            gave_up = kind is not None and not issubclass(kind, Exception)
            said = None if gave_up else kind is None
        if said is not None and isinstance(target, ChildService):
            self._observe(target, bool(said))

    def succeed(self) -> None:
        """Count the request as a success, whatever is raised."""
        self._said = True

    def fail(self) -> None:
        """Count the request as a failure, though nothing is raised."""
        self._said = False

    def ignore(self) -> None:
        """Let the request say nothing about its target."""
        self._said = None
