"""Protocols for extensions: schedulers and probers. No base class is needed."""

from __future__ import annotations

from typing import Protocol, runtime_checkable

from uplinks.health import Outcome
from uplinks.model import HealthCheck

__all__ = ["Prober"]


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
