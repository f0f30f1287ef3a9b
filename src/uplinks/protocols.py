"""Protocols for extensions: schedulers and probers. No base class is needed."""

from __future__ import annotations

from typing import Protocol, runtime_checkable

from uplinks.health import Outcome
from uplinks.model import HealthCheck

__all__ = ["Prober", "Scheduler"]


@runtime_checkable
class Scheduler(Protocol):
    """An order of indices, for ``Selector(targets, scheduler=...)``.

    The selector assigns the indices: 0, 1, 2, … in the order in which targets are
    added; the next added target gets the index of a removed one. One scheduler
    serves one selector.

    >>> class Alternate:
    ...     def __init__(self):
    ...         self.weights, self.turn = {}, 0
    ...     def set_weight(self, index, weight):
    ...         self.weights[index] = weight
    ...     def next_index(self):
    ...         self.turn += 1
    ...         eligible = [i for i, weight in self.weights.items() if weight]
    ...         return eligible[self.turn % len(eligible)]
    >>> from uplinks import Selector
    >>> Selector([("a", 1), ("b", 1)], scheduler=Alternate()).pick_many(3)
    ['b', 'a', 'b']
    """

    def set_weight(self, index: int, weight: int) -> None:
        """Set the weight of an index: 0 means that it is not eligible.

        Called once for each index whose share changes, by its weight, its status,
        or because it is added or removed. An exception is raised by the call that
        made the change; the change is kept.
        """

    def next_index(self) -> int:
        """Return an index whose weight is above 0; there is at least one.

        For any other value (another type, out of range, an index of weight 0) the
        pick raises `uplinks.errors.InvalidScheduler` and counts nothing. An
        exception is raised by the pick.
        """
        ...


@runtime_checkable
class Prober(Protocol):
    """A prober checks the health of children.

    The caller enforces the timeout by cancelling: a prober has no timeout of its
    own and stops cleanly when it is cancelled. Many probes may run at once, all in
    one event loop.

    >>> class Optimist:
    ...     async def probe(self, url, check):
    ...         return Outcome.PASS
    ...     async def close(self):
    ...         pass
    >>> isinstance(Optimist(), Prober)
    True
    """

    async def probe(self, url: str, check: HealthCheck) -> Outcome:
        """Probe once: `Outcome.PASS`, or `Outcome.fail` with a short reason without secrets.

        ``url`` is the child's address. For a child with a ``serversTransport`` a
        third argument follows, its `uplinks.model.ServersTransport`; a prober that
        does not take it, or cannot connect as it says, fails the probe. An
        exception is a bug of the prober.
        """
        ...

    async def close(self) -> None:
        """Close all connections."""
