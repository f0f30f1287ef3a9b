"""A simulation as text: tables, and the shares over time as a line of blocks."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from typing import Final

from uplinks.cli.console import Ink, printable
from uplinks.cli.findings import counted
from uplinks.cli.simulate import telling
from uplinks.cli.simulate.telling import Named, clock, percent
from uplinks.cli.tables import Column, table
from uplinks.durations import format_duration
from uplinks.simulate import Failure, Simulation, Window

__all__ = ["compared", "told"]

PHASES: Final = (
    Column("from"),
    Column("to"),
    Column("child"),
    Column("state"),
    Column("requests", number=True),
    Column("share", number=True),
    Column("ideal", number=True),
    Column("failed", number=True),
)
FAILURES: Final = (
    Column("child"),
    Column("fails at"),
    Column("noticed after", number=True),
    Column("bound", number=True),
    Column("well at"),
    Column("back after", number=True),
    Column("bound", number=True),
)
COMPARED: Final = (
    Column("policy"),
    Column("failed", number=True),
    Column("unserved", number=True),
    Column("noticed after", number=True),
    Column("bound", number=True),
    Column("back after", number=True),
    Column("bound", number=True),
    Column("times down", number=True),
    Column("probes", number=True),
)
MOST_ROWS: Final = 40
WIDE: Final = 60
BLOCKS: Final = " ▁▂▃▄▅▆▇█"
PLAIN: Final = " .:-=+*#@"


def told(run: Simulation, ink: Ink, encoding: str) -> str:
    """Write everything about one simulation."""
    parts = [
        f"{title(run)}\n",
        _phases(run.phases, ink),
        _sparks(run, encoding),
        _failures(run.failures, ink),
        f"{_lost(run)}\n{_verdict([run], ink)}\n",
    ]
    return "\n".join(part for part in parts if part)


def title(run: Simulation) -> str:
    """Say what was simulated."""
    scenario = run.scenario
    return (
        f"{printable(scenario.service)}: {counted(run.requests, 'request')} in "
        f"{format_duration(scenario.duration)}, {telling.rate(scenario.rate)} a second"
    )


def compared(runs: Sequence[Named], ink: Ink, encoding: str) -> str:
    """Write simulations side by side."""
    rows = [telling.summary(each) for each in runs]
    sparks = [f"{each.name}\n{_sparks(each.run, encoding)}" for each in runs]
    ends = _verdict([each.run for each in runs], ink)
    return "\n".join([f"{title(runs[0].run)}\n", table(COMPARED, rows, ink), *sparks, f"{ends}\n"])


def _phases(phases: Sequence[Window], ink: Ink) -> str:
    rows: list[list[str]] = []
    for shown, phase in enumerate(phases):
        mine = [
            [
                share.child,
                telling.standing(phase.condition, share.child),
                str(share.requests),
                percent(share.share),
                percent(share.ideal),
                str(share.failures),
            ]
            for share in phase.shares
        ]
        if phase.unserved:
            share = percent(Fraction(phase.unserved, phase.requests))
            mine.append(["(nobody)", "", str(phase.unserved), share, "", str(phase.unserved)])
        if rows and len(rows) + len(mine) > MOST_ROWS:
            more = f"... and {counted(len(phases) - shown, 'phase')} more: --format json has all\n"
            return table(PHASES, rows, ink) + more
        # What is the same for the whole phase stands once, beside its first row.
        leads = [[clock(phase.begins), clock(phase.ends)]] + [["", ""]] * (len(mine) - 1)
        rows += [lead + row for lead, row in zip(leads, mine, strict=False)]
    return table(PHASES, rows, ink)


def _sparks(run: Simulation, encoding: str) -> str:
    """Draw each child's share over time, and that of the requests that failed."""
    try:
        BLOCKS.encode(encoding)
        blocks = BLOCKS
    except UnicodeError:
        blocks = PLAIN
    cells = list(telling.cells(run.windows, -(-run.scenario.duration // WIDE)))
    lines = [
        (printable(child), [Fraction(c.picks.get(child, 0), c.requests or 1) for c in cells])
        for child in run.children
    ]
    failed = [Fraction(sum(c.failed.values()) + c.unserved, c.requests or 1) for c in cells]
    if any(failed):
        lines.append(("failed", failed))
    wide = max((len(name) for name, _ in lines), default=0)
    full = len(blocks) - 1
    # Rounded up, so that what is there is seen.
    drawn = [
        f"{name.ljust(wide)}  {''.join(blocks[-(-share * full // 1)] for share in shares)}"
        for name, shares in lines
    ]
    return "".join(f"{line.rstrip()}\n" for line in drawn)


def _failures(failures: Sequence[Failure], ink: Ink) -> str:
    if not failures:
        return ""
    rows = [telling.failure(each) for each in failures[:MOST_ROWS]]
    more = len(failures) - len(rows)
    rest = f"... and {counted(more, 'failure')} more: --format json has all\n" if more else ""
    return table(FAILURES, rows, ink) + rest


def _lost(run: Simulation) -> str:
    if not run.unserved:
        return f"{run.failed} of {counted(run.requests, 'request')} failed."
    return (
        f"{run.failed} of {counted(run.requests, 'request')} failed; "
        f"{run.unserved} of those found nobody."
    )


def _verdict(runs: Sequence[Simulation], ink: Ink) -> str:
    words = telling.verdict(runs)
    return ink("good" if all(run.kept for run in runs) else "error", words)
