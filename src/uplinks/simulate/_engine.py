"""What an engine does for the main loop: it routes requests and decides which children are up."""

from __future__ import annotations

from collections.abc import Collection, Hashable, Iterable, Mapping, Sequence
from fractions import Fraction
from typing import Protocol

from uplinks.errors import UnknownChild
from uplinks.health import Event
from uplinks.model import Advertisement, Child, HealthCheck, TraefikService
from uplinks.naming import nearest
from uplinks.parent import Parent
from uplinks.simulate._scenario import Fault, Scenario
from uplinks.simulate._timeline import Condition, Timeline

__all__ = ["Bounds", "Engine", "Watched", "build_timelines"]

Bounds = tuple[int | None, int | None]
"""The bounds (ns) of detection and recovery; ``None``: there is none."""


class Watched(Hashable, Protocol):
    """A target with a health check, active or passive."""

    @property
    def url(self) -> str:
        """Its address."""

    @property
    def check(self) -> HealthCheck | None:
        """Its active check."""


class Engine(Protocol):
    """A proxy in virtual time.

    The main loop calls `send` up to a time, then `advertise` for changes at that time, then
    `advance`. What `send` and `advance` change shows in `fingerprint`.
    """

    parent: Parent
    timelines: dict[str, Timeline]
    unserved: int
    probes: int
    notes: list[str]

    @property
    def endpoints(self) -> Sequence[Watched]:
        """The watched targets of the service."""

    def describe(self, endpoint: Watched) -> tuple[str, tuple[str, ...], bool]:
        """Return the children and services of an endpoint, and whether it is marked down."""

    def bounds(self, endpoint: Watched) -> Bounds:
        """Return the bounds of detection and recovery."""

    def fingerprint(self) -> Hashable:
        """Return a value that changes whenever the next picks may."""

    def children(self, time: int) -> dict[str, tuple[Condition, bool]]:
        """Return the condition of each child, and whether it is marked up."""

    def shares(self, time: int) -> dict[str, Fraction]:
        """Return the ideal share of each child."""

    def counts(self) -> dict[str, int]:
        """Count the requests of each child so far."""

    def advertise(self, child: str, offers: tuple[Advertisement, ...], time: int) -> None:
        """Replace what a child advertises."""

    def recompose(self, services: Iterable[TraefikService], time: int) -> None:
        """Serve TraefikServices with other weights."""

    def next_moment(self, end: int) -> int:
        """Return when `advance` has something to do, ``end`` at the latest."""

    def advance(self, time: int) -> None:
        """Finish and start probes, and whatever else is due."""

    def drain(self) -> list[Event]:
        """Return the events since the last call."""

    def prepare(self, receiving: Collection[str]) -> None:
        """Take note of which children receive requests from now on."""

    def send(self, until: int) -> int | None:
        """Send the requests that arrive before a time, or fewer if one of them changes the state.

        Returns the time of the change.
        """


def build_timelines(scenario: Scenario, children: Mapping[str, Child]) -> dict[str, Timeline]:
    """Return the timeline of each address with faults.

    Raises: UnknownChild for an event of a child that the parent does not list.
    """
    faults: dict[str, list[Fault]] = {}
    for event in scenario.events:
        if event.child not in children:
            raise UnknownChild(event.child, nearest(event.child, children))
        if isinstance(event, Fault):
            faults.setdefault(children[event.child].address, []).append(event)
    return {url: Timeline(each, scenario.duration) for url, each in faults.items()}
