"""Attempts of one request, each on another child, while the last one failed."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from types import TracebackType
from typing import Any, Self

from uplinks._leases import Lease, Leases
from uplinks.balance import Selector
from uplinks.errors import NoEligibleTarget
from uplinks.health import Budget

__all__ = ["Attempt", "Attempts"]


class Attempt:
    """One attempt: a `Lease` whose failure another attempt may repair.

    Leaving the block with an exception that is a failure of the child ends the
    attempt quietly if there is another one; otherwise the exception is raised.
    """

    __slots__ = ("_attempts", "_lease", "_target", "number")

    def __init__(self, attempts: Attempts, lease: Lease, target: Any, number: int) -> None:
        self._attempts = attempts
        self._lease = lease
        self._target = target
        self.number = number
        """1 for the first attempt."""

    def __repr__(self) -> str:
        return f"<Attempt {self.number} on {self._target!r}>"

    def __enter__(self) -> Self:
        self._lease._begin(self._target)  # noqa: SLF001 - made for this
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        problem: BaseException | None,
        traceback: TracebackType | None,
    ) -> bool:
        self._lease.__exit__(kind, problem, traceback)
        return bool(self._lease.failed) and self._attempts.plan_next() and kind is not None

    @property
    def target(self) -> Any:
        """The child service that was picked."""
        return self._target

    @property
    def url(self) -> str:
        """Where the request goes."""
        url: str = self._target.url
        return url

    @property
    def child(self) -> str:
        """The name of the child that was picked."""
        name: str = self._target.child
        return name

    @property
    def failed(self) -> bool | None:
        """Whether the attempt failed: ``True``, ``False``, or ``None`` if that is not known."""
        return self._lease.failed

    @property
    def name(self) -> str:
        """The name of the child service that was picked."""
        name: str = self._target.name
        return name

    @property
    def last(self) -> bool:
        """Whether no further attempt is allowed, even if this one fails."""
        return not self._attempts.retries_left

    def status(self, code: int) -> None:
        """Let an HTTP status decide whether the attempt failed."""
        self._lease.status(code)

    def succeed(self) -> None:
        """Count the attempt as a success, whatever is raised."""
        self._lease.succeed()

    def fail(self, reason: object = "") -> None:
        """Count the attempt as a failure, though nothing is raised."""
        self._lease.fail(reason)

    def ignore(self) -> None:
        """Let the attempt say nothing about its target."""
        self._lease.ignore()


class Attempts:
    """An iterator over the attempts of one request; see `Parent.attempts`."""

    def __init__(
        self,
        leases: Leases,
        selector: Selector[Any],
        budget: Budget,
        *,
        lock: AbstractContextManager[object],
        clock: Callable[[], int],
        retries: int,
    ) -> None:
        if isinstance(retries, bool) or not isinstance(retries, int) or retries < 0:
            raise ValueError(f"retries must be an integer of at least 0, got {retries!r}")
        self._leases = leases
        self._selector = selector
        self._budget = budget
        self._lock = lock  # threads share the budget of a service
        self._clock = clock
        self._tried: list[Any] = []
        self._next: Any = None
        self.retries_left = retries
        self.unsent = False
        """Whether no part of the last attempt was sent, so that its retry adds no load."""

    def __iter__(self) -> Self:
        return self

    def __next__(self) -> Attempt:
        if not self._tried:
            with self._lock:
                self._budget.request(self._clock())
            self._next = self._selector.pick()
        if self._next is None:
            raise StopIteration
        target, self._next = self._next, None
        self._tried.append(target)
        return Attempt(self, self._leases.lease(), target, len(self._tried))

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> Attempt:
        try:
            return next(self)
        except StopIteration:
            raise StopAsyncIteration from None

    @property
    def planned(self) -> bool:
        """Whether the last attempt has failed and another one follows."""
        return self._next is not None

    def stop(self) -> None:
        """Allow no further attempt: what failed cannot be repeated."""
        self.retries_left = 0

    def plan_next(self) -> bool:
        """Pick the child of the next attempt; ``False`` if there is none."""
        if not self.retries_left or self._next is not None:
            return False
        try:
            target = self._selector.pick(exclude=self._tried)
        except NoEligibleTarget:
            return False
        with self._lock:
            if not self._budget.retry(self._clock(), free=self.unsent):
                return False
        self.unsent = False
        self.retries_left -= 1
        self._next = target
        return True
