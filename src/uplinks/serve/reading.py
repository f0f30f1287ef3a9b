"""What a source says, read and judged; and what is known of each source.

Reading a cluster costs O(its objects), so it may run in another thread. The rest is cheap.
"""

from __future__ import annotations

from typing import Any, Final, Literal

from attrs import define, frozen

from uplinks.adapters.sources import Failure, Snapshot
from uplinks.diagnostics import Report
from uplinks.model import Advertisement, Cluster
from uplinks.rules import check_cluster
from uplinks.services import check_offer

__all__ = ["PARENT", "Reading", "SourceState", "read"]

PARENT: Final = ""
"""The name of the parent's own source; no child can have it."""


@frozen
class Reading:
    """A snapshot with its report, and what the cluster offers if there is no error."""

    cluster: Cluster
    report: Report
    offer: tuple[Advertisement, ...] = ()


def read(
    update: Snapshot | Failure | Reading, role: Literal["child", "parent"] = "child"
) -> Reading | Failure:
    """Read an update of a source; a reading and a failure stay as they are.

    Law: a pure function. Complexity: O(n log n) for n objects. Raises nothing.

    >>> from uplinks.model import Uplink
    >>> reading = read(Snapshot(Cluster("eu", uplinks=[Uplink("api", "apps", weight=-1)])))
    >>> reading.report.ok, [each.code for each in reading.report.errors]
    (False, ['UPL410', 'UPL103'])
    """
    if not isinstance(update, Snapshot):
        return update
    if role == "parent":
        return Reading(update.cluster, check_cluster(update.cluster, role="parent"))
    report, offer = check_offer(update.cluster)
    return Reading(update.cluster, report, offer)


@define
class SourceState:
    """What is known of one source. Times are nanoseconds of the monotonic clock."""

    name: str = ""
    has_answered: bool = False
    """Whether it gave a snapshot or a failure since the start."""
    error: str | None = None
    """Why what it said last is not served, or that it cannot be read; without secrets."""
    error_since: int | None = None
    read_at: int | None = None
    """When it was last read without an error."""
    emptied_at: int | None = None
    """Since when it offers nothing although something of it is served."""

    def succeed(self, now: int) -> None:
        """Note a snapshot that is served."""
        self.has_answered, self.read_at = True, now
        self.error = self.error_since = None

    def fail(self, reason: str, now: int) -> None:
        """Note that it cannot be read, or that its snapshot is refused."""
        self.has_answered = True
        self.error = reason
        if self.error_since is None:
            self.error_since = now

    @property
    def is_stale(self) -> bool:
        """Whether what it says now is not what is served."""
        return self.error is not None or self.emptied_at is not None

    def describe(self) -> dict[str, Any]:
        """Describe it as plain data."""
        return {
            "source": self.name,
            "answered": self.has_answered,
            "stale": self.is_stale,
            "error": self.error,
            "error_since": self.error_since,
            "read_at": self.read_at,
            "emptied_at": self.emptied_at,
        }
