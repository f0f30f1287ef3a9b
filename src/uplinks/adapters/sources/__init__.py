"""Where clusters come from at run time.

A source yields everything it knows of one cluster, again after each change. It
never raises for bad data and never ends by itself: a snapshot with errors, or a
`Failure` while nothing can be read, leaves the decision to its consumer.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Protocol

from attrs import frozen

from uplinks.model import Cluster

__all__ = ["Failure", "Snapshot", "Source"]


@frozen
class Snapshot:
    """All that a source says of its cluster now; problems found are ``cluster.diagnostics``."""

    cluster: Cluster


@frozen
class Failure:
    """The source cannot be read now; its last snapshot is stale.

    ``reason`` is one line, without secrets.
    """

    reason: str


class Source(Protocol):
    """Where one cluster comes from."""

    @property
    def name(self) -> str:
        """What the source reads, for people: a path, a URL without user information, a context."""

    def updates(self) -> AsyncIterator[Snapshot | Failure]:
        """Yield the cluster as it is now, and again after each change.

        Closing the iterator releases all that it uses.
        """
