"""What all forms of a report say in the same words.

Rules of this file:

1. Text that came from outside is made printable here; a page escapes it besides.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from fractions import Fraction

from attrs import frozen

from uplinks.cli.console import printable
from uplinks.durations import format_duration
from uplinks.health import State
from uplinks.simulate import (
    Advertise,
    Condition,
    Failure,
    Flap,
    Happening,
    Outage,
    SetWeight,
    Simulation,
    Slow,
    Window,
)

__all__ = [
    "Cell",
    "Mark",
    "Named",
    "cells",
    "clock",
    "failure",
    "marks",
    "percent",
    "rate",
    "seconds",
    "standing",
    "summary",
    "times_down",
    "verdict",
    "worst",
]


@frozen
class Named:
    """A simulation, and what its policy is called."""

    name: str
    run: Simulation


@frozen
class Cell:
    """A stretch of time for a picture: each child's requests, those that failed, and nobody's."""

    begins: int
    ends: int
    picks: dict[str, int]
    failed: dict[str, int]
    unserved: int

    @property
    def requests(self) -> int:
        """How many arrived."""
        return sum(self.picks.values()) + self.unserved


@frozen
class Mark:
    """Something that happens, in few words."""

    at: int
    child: str
    words: str


def cells(windows: Iterable[Window], width: int) -> Iterator[Cell]:
    """Join windows until they are so wide (ns): what is shorter cannot be seen."""
    cell: Cell | None = None
    for window in windows:
        picks = {share.child: share.requests for share in window.shares}
        failed = {share.child: share.failures for share in window.shares if share.failures}
        if cell is None:
            cell = Cell(window.begins, window.ends, picks, failed, window.unserved)
        else:
            cell = Cell(
                cell.begins,
                window.ends,
                _sum(cell.picks, picks),
                _sum(cell.failed, failed),
                cell.unserved + window.unserved,
            )
        if cell.ends - cell.begins >= width:
            yield cell
            cell = None
    if cell is not None:
        yield cell


def _sum(one: dict[str, int], two: dict[str, int]) -> dict[str, int]:
    return {name: one.get(name, 0) + two.get(name, 0) for name in {**one, **two}}


def standing(condition: Condition, child: str) -> str:
    """Say how a child stands: as it is, and as the parent believes."""
    out, down = child in condition.out, child in condition.down
    if out:
        return "out, held down" if down else "out, not noticed"
    if down:
        return "well, held down"
    return "slow" if child in condition.slow else "up"


def marks(happenings: Iterable[Happening], until: int) -> list[Mark]:
    """Say what happens within a time, in its order."""
    found = [mark for each in happenings for mark in _marks(each)]
    return sorted((m for m in found if m.at < until), key=lambda mark: (mark.at, mark.child))


def _marks(happening: Happening) -> Iterator[Mark]:
    child = printable(happening.child)
    if isinstance(happening, Outage | Flap | Slow):
        if isinstance(happening, Outage):
            words = "hangs" if happening.hangs else "fails"
        else:
            words = "flaps" if isinstance(happening, Flap) else "is slow"
        yield Mark(happening.begins, child, words)
        yield Mark(happening.ends, child, "is well")
    elif isinstance(happening, SetWeight):
        yield Mark(happening.at, child, f"weight {happening.weight}")
    else:
        words = "advertises" if isinstance(happening, Advertise) else "withdraws"
        yield Mark(happening.at, child, words)


def worst(found: Iterable[tuple[int | None, int | None]]) -> tuple[int | None, int | None]:
    """Give the longest time of all, with its bound."""
    times = [(time, bound) for time, bound in found if time is not None]
    return max(times, key=lambda pair: pair[0], default=(None, None))


def times_down(run: Simulation) -> int:
    """Count how often a child was taken out."""
    return sum(change.after is State.DOWN for change in run.changes)


def verdict(runs: Sequence[Simulation]) -> str:
    """Say in a sentence whether the bounds were kept."""
    if not all(run.kept for run in runs):
        return "A bound was not kept."
    if any(f.detection_bound is not None for run in runs for f in run.failures):
        return "Every bound was kept."
    return "No bound applies."


def failure(found: Failure) -> tuple[str, ...]:
    """Say of a failure when it began, when it was noticed, and so for its end."""
    return (
        found.child,
        clock(found.begins),
        seconds(found.detection),
        seconds(found.detection_bound),
        "-" if found.ends is None else clock(found.ends),
        seconds(found.recovery),
        seconds(found.recovery_bound),
    )


def summary(named: Named) -> tuple[str, ...]:
    """Say in a row what is to be compared of a simulation."""
    run, found = named.run, named.run.failures
    noticed = worst((f.detection, f.detection_bound) for f in found)
    back = worst((f.recovery, f.recovery_bound) for f in found)
    times = map(seconds, (*noticed, *back))
    counts = (str(number) for number in (run.failed, run.unserved))
    return (named.name, *counts, *times, str(times_down(run)), str(run.probes))


def percent(share: Fraction) -> str:
    """Write a share, rounded down at the half."""
    return f"{float(share * 100):.2f} %"


def seconds(nanoseconds: int | None) -> str:
    """Write a time to be compared with others."""
    if nanoseconds is None:
        return "-"
    return f"{nanoseconds / 1e9:.2f} s"


def clock(nanoseconds: int) -> str:
    """Write a moment: to the millisecond."""
    return format_duration(nanoseconds // 1_000_000 * 1_000_000)


def rate(number: Fraction) -> str:
    """Write a rate as it would be typed.

    >>> rate(Fraction(100)), rate(Fraction(1000, 60)), rate(Fraction(1, 2))
    ('100', '50/3', '0.5')
    """
    plain = f"{float(number):g}"
    if number.denominator == 1:
        return str(number)
    return plain if Fraction(plain) == number else str(number)
