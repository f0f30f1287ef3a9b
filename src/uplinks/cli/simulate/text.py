"""A simulation as text: tables, and the shares over time as lines of blocks."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from fractions import Fraction
from typing import Final

from uplinks.cli.console import Styler, printable
from uplinks.cli.findings import counted
from uplinks.cli.simulate import wording
from uplinks.cli.simulate.wording import NamedRun
from uplinks.cli.tables import Column, table
from uplinks.durations import format_duration
from uplinks.simulate import Failure, Simulation, Window

__all__ = ["format_comparison", "format_run"]

TEXT_COLUMNS: Final = frozenset(
    {"from", "to", "child", "state", "fails at", "ends at", "policy", "engine"}
)
MAX_ROWS: Final = 40
MAX_CHILDREN: Final = 12
# How many of more children than that have rows of their own.
_FEW: Final = 3
CHART_WIDTH: Final = 60
BLOCKS: Final = " ▁▂▃▄▅▆▇█"
ASCII_BLOCKS: Final = " .:-=+*#@"


def format_run(
    run: Simulation, styler: Styler, encoding: str, other: Simulation | None = None
) -> str:
    """Format the whole report of one simulation; ``other`` has another engine."""
    difference = None if other is None else wording.format_difference(run, other)
    last = [_failed_requests(run), _verdict([run], styler), *run.notes, difference]
    shown = _children(run)
    parts = [
        f"{_title(run)}, engine {run.scenario.engine}\n",
        _phases(run.phases, shown, styler),
        _chart(run, shown, encoding),
        _failures(run.failures, styler),
        "".join(f"{line}\n" for line in last if line),
    ]
    return "\n".join(part for part in parts if part)


def format_comparison(runs: Sequence[NamedRun], styler: Styler, encoding: str) -> str:
    """Format several simulations side by side."""
    rows = [wording.row_of_comparison(each) for each in runs]
    charts = [
        f"{printable(each.name)}\n{_chart(each.run, _children(each.run), encoding)}"
        for each in runs
    ]
    first, *others = [each.run for each in runs]
    differences = (wording.format_difference(first, other) for other in others)
    last = [_verdict([first, *others], styler), *first.notes, *differences]
    lines = "".join(f"{line}\n" for line in last if line)
    heading = f"{_title(first)}\n"
    return "\n".join([heading, _table(wording.COMPARISON, rows, styler), *charts, lines])


def _title(run: Simulation) -> str:
    scenario = run.scenario
    return (
        f"{printable(scenario.service)}: {counted(run.requests, 'request')} in "
        f"{format_duration(scenario.duration)}, {wording.format_rate(scenario.rate)} a second"
    )


def _table(headings: Sequence[str], rows: Sequence[Sequence[str]], styler: Styler) -> str:
    columns = [Column(heading, number=heading not in TEXT_COLUMNS) for heading in headings]
    return table(columns, rows, styler)


def _children(run: Simulation) -> tuple[str, ...]:
    """Choose the children with rows of their own: all, or of many those that have trouble."""
    if len(run.children) <= MAX_CHILDREN:
        return run.children
    failing = {child for phase in run.phases for child in phase.state.failing}
    down = {child for phase in run.phases for child in phase.state.down}
    ranked = sorted(run.children, key=lambda child: (child not in failing, child not in down))
    return tuple(sorted(ranked[:_FEW]))


def _phases(phases: Sequence[Window], shown: Collection[str], styler: Styler) -> str:
    """Format the phases; if there are too many, those with failed requests come first."""
    tables = [wording.rows_of_phase(phase, shown) for phase in phases]
    ranked = sorted(range(len(phases)), key=lambda at: not phases[at].failures)
    chosen: set[int] = set()
    left = MAX_ROWS
    for at in ranked:
        left -= len(tables[at])
        if left < 0 and chosen:
            break
        chosen.add(at)
    rows: list[tuple[str, ...]] = []
    for at in sorted(chosen):
        # The span of a phase stands in its first row only.
        first, *others = tables[at] or [()]
        rows += [first, *(("", "", *row[2:]) for row in others)] if first else []
    more = len(phases) - len(chosen)
    rest = f"... and {counted(more, 'more phase')}: --format json has all\n" if more else ""
    return _table(wording.PHASES, rows, styler) + rest


def _chart(run: Simulation, shown: Collection[str], encoding: str) -> str:
    """Draw the share of each child to show over time, and that of the failed requests."""
    try:
        BLOCKS.encode(encoding)
        blocks = BLOCKS
    except UnicodeError:
        blocks = ASCII_BLOCKS
    cells = list(wording.merge_windows(run.windows, -(-run.scenario.duration // CHART_WIDTH)))
    lines = [
        (printable(child), [Fraction(c.picks.get(child, 0), c.requests or 1) for c in cells])
        for child in run.children
        if child in shown
    ]
    if hidden := [child for child in run.children if child not in shown]:
        picks = [sum(c.picks.get(child, 0) for child in hidden) for c in cells]
        shares = [Fraction(n, c.requests or 1) for n, c in zip(picks, cells, strict=True)]
        lines.append((counted(len(hidden), "other"), shares))
    failed = [Fraction(sum(c.failed.values()) + c.unserved, c.requests or 1) for c in cells]
    if any(failed):
        lines.append(("failed", failed))
    width = max((len(name) for name, _ in lines), default=0)
    full = len(blocks) - 1
    # Rounded up, so that every share above 0 is visible.
    drawn = [
        f"{name.ljust(width)}  {''.join(blocks[-(-share * full // 1)] for share in shares)}"
        for name, shares in lines
    ]
    return "".join(f"{line.rstrip()}\n" for line in drawn)


def _failures(failures: Sequence[Failure], styler: Styler) -> str:
    if not failures:
        return ""
    rows = [wording.row_of_failure(each) for each in failures[:MAX_ROWS]]
    more = len(failures) - len(rows)
    rest = f"... and {counted(more, 'more failure')}: --format json has all\n" if more else ""
    return _table(wording.FAILURES, rows, styler) + rest


def _failed_requests(run: Simulation) -> str:
    text = f"{run.failed} of {counted(run.requests, 'request')} failed"
    return f"{text}; {run.unserved} of them had no target." if run.unserved else f"{text}."


def _verdict(runs: Sequence[Simulation], styler: Styler) -> str:
    style = "good" if all(run.within_bounds for run in runs) else "error"
    return styler(style, wording.verdict(runs))
