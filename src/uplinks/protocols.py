"""What others may write: the shapes that this package asks for, and nothing else.

Rules of this file:

1. A protocol is a shape, not a base class: nobody has to inherit from it.
2. As few methods as will do.
"""

from __future__ import annotations

from typing import Protocol, runtime_checkable

from uplinks.health import Outcome
from uplinks.model import HealthCheck

__all__ = ["Prober", "Scheduler"]


@runtime_checkable
class Scheduler(Protocol):
    """An order of indices, for ``Selector(targets, scheduler=...)``.

    The selector hands out the indices: 0, 1, 2, … in the order in which targets
    are added; the index of a removed target goes to the next one added. One
    scheduler serves one selector.

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
        """Take an index's weight: 0 means that it may not be picked at present.

        Called once for each index whose share changes, whether by its weight,
        its status, or because it comes or goes. What it raises is raised by the
        call that made the change, which stands.
        """

    def next_index(self) -> int:
        """Give an index whose weight is above 0; there is one when this is called.

        Any other answer (another type, out of range, an index of weight 0) is
        refused: the pick raises `uplinks.errors.InvalidScheduler`, and neither
        picks nor counts anything. What this raises itself is raised by the pick.
        """
        ...


@runtime_checkable
class Prober(Protocol):
    """Someone who asks a child how it is.

    The caller enforces the deadline by cancelling: a prober has no time-out of
    its own and stops cleanly when it is cancelled. Many probes may run at once,
    all in one event loop.

    >>> class Optimist:
    ...     async def probe(self, url, check):
    ...         return Outcome.PASS
    ...     async def close(self):
    ...         pass
    >>> isinstance(Optimist(), Prober)
    True
    """

    async def probe(self, url: str, check: HealthCheck) -> Outcome:
        """Ask once: `Outcome.PASS`, or `Outcome.fail` with a short reason without secrets.

        ``url`` is the child's address. For a child with a ``serversTransport`` a
        third argument follows, its `uplinks.model.ServersTransport`; a prober that
        does not take it, or cannot connect as it says, fails the probe. What a
        prober raises is a bug.
        """
        ...

    async def close(self) -> None:
        """Let go of all connections."""
