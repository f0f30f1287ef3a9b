"""Wording that all reports of a simulation share.

Names come from manifests, so the reports make them printable; a page escapes them as well.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence
from fractions import Fraction
from typing import Final

from attrs import frozen

from uplinks.cli.console import printable
from uplinks.cli.findings import counted
from uplinks.durations import format_duration
from uplinks.health import State
from uplinks.simulate import (
    Advertise,
    Failure,
    Fault,
    Flap,
    Outage,
    ScenarioEvent,
    ServiceState,
    SetWeight,
    Share,
    Simulation,
    Window,
)

__all__ = [
    "COMPARISON",
    "FAILURES",
    "PHASES",
    "Cell",
    "Mark",
    "NamedRun",
    "child_state",
    "count_times_down",
    "event_marks",
    "format_difference",
    "format_percent",
    "format_rate",
    "format_seconds",
    "format_time",
    "longest",
    "merge_windows",
    "row_of_comparison",
    "row_of_failure",
    "rows_of_phase",
    "verdict",
]

PHASES: Final = ("from", "to", "child", "state", "requests", "share", "ideal", "failed")
FAILURES: Final = (
    "child", "fails at", "detected after", "bound", "ends at", "recovered after", "bound",
)  # fmt: skip
COMPARISON: Final = (
    "policy", "engine", "failed", "unserved", "detected after", "bound", "recovered after", "bound",
    "times down", "probes",
)  # fmt: skip


@frozen
class NamedRun:
    """A simulation and the name of its policy."""

    name: str
    run: Simulation


@frozen
class Cell:
    """A span of a picture, with the requests and failures of each child."""

    start: int
    end: int
    picks: dict[str, int]
    failed: dict[str, int]
    unserved: int

    @property
    def requests(self) -> int:
        """The number of requests."""
        return sum(self.picks.values()) + self.unserved


@frozen
class Mark:
    """An event in a few words."""

    at: int
    child: str
    text: str


def merge_windows(windows: Iterable[Window], width: int) -> Iterator[Cell]:
    """Merge windows into cells of at least ``width`` (ns)."""
    cell: Cell | None = None
    for window in windows:
        picks = {share.child: share.requests for share in window.shares}
        failed = {share.child: share.failures for share in window.shares if share.failures}
        if cell is None:
            cell = Cell(window.start, window.end, picks, failed, window.unserved)
        else:
            cell = Cell(
                cell.start,
                window.end,
                _add(cell.picks, picks),
                _add(cell.failed, failed),
                cell.unserved + window.unserved,
            )
        if cell.end - cell.start >= width:
            yield cell
            cell = None
    if cell is not None:
        yield cell


def _add(one: dict[str, int], two: dict[str, int]) -> dict[str, int]:
    return {name: one.get(name, 0) + two.get(name, 0) for name in {**one, **two}}


def child_state(state: ServiceState, child: str) -> str:
    """Name a child's state: its condition, and whether the parent has it marked down."""
    failing, down = child in state.failing, child in state.down
    if failing:
        return "failing, marked down" if down else "failing, not detected"
    if down:
        return "healthy, marked down"
    return "slow" if child in state.slow else "up"


def event_marks(events: Iterable[ScenarioEvent], until: int) -> list[Mark]:
    """Describe the events before a time (ns), in order."""
    marks = [mark for event in events for mark in _marks_of(event)]
    return sorted((m for m in marks if m.at < until), key=lambda mark: (mark.at, mark.child))


def _marks_of(event: ScenarioEvent) -> Iterator[Mark]:
    child = printable(event.child)
    if isinstance(event, Fault):
        if isinstance(event, Outage):
            text = "hangs" if event.hangs else "fails"
        else:
            text = "flaps" if isinstance(event, Flap) else "is slow"
        yield Mark(event.start, child, text)
        yield Mark(event.end, child, "is healthy")
    elif isinstance(event, SetWeight):
        yield Mark(event.at, child, f"weight {event.weight}")
    else:
        text = "advertises" if isinstance(event, Advertise) else "withdraws"
        yield Mark(event.at, child, text)


def longest(times: Iterable[tuple[int | None, int | None]]) -> tuple[int | None, int | None]:
    """Return the longest time with its bound."""
    known = [(time, bound) for time, bound in times if time is not None]
    return max(known, key=lambda pair: pair[0], default=(None, None))


def count_times_down(run: Simulation) -> int:
    """Count how often a child was marked down."""
    return sum(transition.after is State.DOWN for transition in run.transitions)


def verdict(runs: Sequence[Simulation]) -> str:
    """State whether the bounds were kept."""
    if not all(run.within_bounds for run in runs):
        return "A bound was exceeded."
    if any(f.detection_bound is not None for run in runs for f in run.failures):
        return "Every bound was kept."
    return "No bound applies."


def format_difference(run: Simulation, other: Simulation) -> str | None:
    """State how many requests fail with another engine, unless as many do."""
    more = other.failed - run.failed
    if other.scenario.engine == run.scenario.engine or not more:
        return None
    number = f"{more} more" if more > 0 else f"{-more} fewer"
    text = (
        f"With the engine {other.scenario.engine}, {counted(other.failed, 'request')} would fail: "
        f"{number} than with {run.scenario.engine}."
    )
    return " ".join([text, *other.notes])


def rows_of_phase(phase: Window, shown: Collection[str] | None = None) -> list[tuple[str, ...]]:
    """Return a row of `PHASES` for each child, and one for the requests without a target.

    With ``shown`` only these children have a row of their own; one row sums up the others.
    """
    span = (format_time(phase.start), format_time(phase.end))
    own = [share for share in phase.shares if shown is None or share.child in shown]
    others = [share for share in phase.shares if not (shown is None or share.child in shown)]
    rows: list[tuple[str, ...]] = [
        (*span, share.child, child_state(phase.state, share.child), *_numbers([share]))
        for share in own
    ]
    if others:
        states = dict.fromkeys(child_state(phase.state, share.child) for share in others)
        state = next(iter(states)) if len(states) == 1 else counted(len(states), "state")
        rows.append((*span, counted(len(others), "other"), state, *_numbers(others)))
    if phase.unserved:
        unserved, part = f"{phase.unserved}", Fraction(phase.unserved, phase.requests)
        rows.append((*span, "(no target)", "", unserved, format_percent(part), "", unserved))
    return rows


def _numbers(shares: Sequence[Share]) -> tuple[str, ...]:
    """Sum up the requests, share, ideal share and failures of children."""
    return (
        f"{sum(share.requests for share in shares)}",
        format_percent(sum((share.share for share in shares), Fraction(0))),
        format_percent(sum((share.ideal for share in shares), Fraction(0))),
        f"{sum(share.failures for share in shares)}",
    )


def row_of_failure(failure: Failure) -> tuple[str, ...]:
    """Return the row of `FAILURES` for a failure."""
    return (
        failure.child,
        format_time(failure.start),
        format_seconds(failure.detection),
        format_seconds(failure.detection_bound),
        "-" if failure.end is None else format_time(failure.end),
        format_seconds(failure.recovery),
        format_seconds(failure.recovery_bound),
    )


def row_of_comparison(named: NamedRun) -> tuple[str, ...]:
    """Return the row of `COMPARISON` for a simulation."""
    run = named.run
    detected = longest((f.detection, f.detection_bound) for f in run.failures)
    recovered = longest((f.recovery, f.recovery_bound) for f in run.failures)
    times = map(format_seconds, (*detected, *recovered))
    counts = (str(number) for number in (run.failed, run.unserved))
    return (
        named.name,
        run.scenario.engine,
        *counts,
        *times,
        str(count_times_down(run)),
        str(run.probes),
    )


def format_percent(share: Fraction) -> str:
    """Format a share with two decimals."""
    return f"{float(share * 100):.2f} %"


def format_seconds(nanoseconds: int | None) -> str:
    """Format a duration in seconds with two decimals, so that durations line up."""
    return "-" if nanoseconds is None else f"{nanoseconds / 1e9:.2f} s"


def format_time(nanoseconds: int) -> str:
    """Format a point in time, to the millisecond."""
    return format_duration(nanoseconds // 1_000_000 * 1_000_000)


def format_rate(rate: Fraction) -> str:
    """Format a rate as it is given on the command line.

    >>> format_rate(Fraction(100)), format_rate(Fraction(1000, 60)), format_rate(Fraction(1, 2))
    ('100', '50/3', '0.5')
    """
    plain = f"{float(rate):g}"
    if rate.denominator == 1:
        return str(rate)
    return plain if Fraction(plain) == rate else str(rate)
