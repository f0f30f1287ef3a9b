"""Keep the figures of a run, print them as tables, and write them to a file.

A figure belongs to a section, a row and a column. Sections, rows and columns keep the order in
which their first figures were added.
"""

from __future__ import annotations

import json
import os
import platform
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

from attrs import asdict, define, frozen

__all__ = ["Figure", "Report", "bounds", "format_number"]

NOTABLE = 1.25
"""The factor from which on a change is listed: twice the spread of a ratio on a shared machine."""


@frozen
class Figure:
    """One number of a table."""

    section: str
    row: str
    column: str
    value: float
    spread: float = 0
    nanoseconds: float = 0
    limit: float | None = None  # the run fails above it
    goal: float | None = None  # the aim, if it is stricter than the limit
    passed: bool = True

    @property
    def cell(self) -> str:
        """The value, marked ``!`` above the limit and ``~`` above the goal only."""
        mark = "" if self.goal is None or self.value <= self.goal else " ~"
        return format_number(self.value) + (mark if self.passed else " !")


def bounds(figures: Sequence[Figure]) -> str:
    """Format the limits and goals of a row as a table cell."""

    def span(values: list[float]) -> str:
        return "≤ " + " … ".join(f"{v:g}" for v in dict.fromkeys((min(values), max(values))))

    limits = [figure.limit for figure in figures if figure.limit is not None]
    goals = [figure.goal for figure in figures if figure.goal is not None]
    return (span(limits) if limits else "") + (f" (goal {span(goals)})" if goals else "")


def format_number(value: float) -> str:
    """Format a number in few characters.

    >>> [format_number(value) for value in (0, 0.0123, 0.98, 14.26, 138.8, 5477.0, 2.1e6)]
    ['0', '0.012', '0.98', '14.3', '139', '5.48k', '2.1M']
    """
    for bound, unit in ((1e6, "M"), (1e3, "k")):
        if abs(value) >= bound:
            return f"{value / bound:.3g}{unit}"
    return f"{value:.3f}" if 0 < abs(value) < 0.1 else f"{value:.3g}"


def _processor() -> str:
    info = Path("/proc/cpuinfo")
    if info.exists():
        for line in info.read_text(encoding="utf-8").splitlines():
            name, _, value = line.partition(":")
            if name.strip() == "model name":
                return value.strip()
    return platform.processor() or platform.machine()


@define
class Report:
    """The figures of a run."""

    figures: list[Figure]

    def sections(self) -> Iterator[tuple[str, Sequence[str], Sequence[tuple[str, list[Figure]]]]]:
        """Yield the name, the columns and the rows of each section."""
        for section in dict.fromkeys(figure.section for figure in self.figures):
            inside = [figure for figure in self.figures if figure.section == section]
            columns = tuple(dict.fromkeys(figure.column for figure in inside))
            rows = dict.fromkeys(figure.row for figure in inside)
            yield (
                section,
                columns,
                [(row, [figure for figure in inside if figure.row == row]) for row in rows],
            )

    def lines(self) -> Iterator[str]:
        """Yield the lines of the tables."""
        for section, columns, rows in self.sections():
            yield ""
            yield f"{section:<52}" + "".join(f"{column:>12}" for column in columns) + "   gate"
            for row, figures in rows:
                cells = {figure.column: figure.cell for figure in figures}
                line = f"  {row:<50}" + "".join(f"{cells.get(c, '-'):>12}" for c in columns)
                yield f"{line}   {bounds(figures)}".rstrip()

    def changes(self, before: Report) -> Iterator[str]:
        """Yield the figures that differ from an earlier run by more than `NOTABLE`."""
        known = {(f.section, f.row, f.column): f.value for f in before.figures}
        for figure in self.figures:
            old = known.get((figure.section, figure.row, figure.column))
            if old and not 1 / NOTABLE < figure.value / old < NOTABLE:
                place = f"{figure.section}: {figure.row}, {figure.column}"
                yield f"{place}: {format_number(old)} -> {format_number(figure.value)}"

    @classmethod
    def read(cls, path: Path) -> Report:
        """Read what `write` has written."""
        found = json.loads(path.read_text(encoding="utf-8"))
        return cls([Figure(**figure) for figure in found["figures"]])

    def write(self, path: Path) -> None:
        """Write the machine's description and the figures as JSON."""
        machine = {
            "date": datetime.now(UTC).date().isoformat(),
            "processor": _processor(),
            "cores": os.cpu_count(),
            "system": f"{platform.system()} {platform.machine()}",
            "python": f"{platform.python_implementation()} {platform.python_version()}",
            "peers": {name: version(name) for name in ("roundrobin", "elastic-transport")},
        }
        figures = [asdict(figure) for figure in self.figures]
        text = json.dumps({"machine": machine, "figures": figures}, indent=1, ensure_ascii=False)
        path.write_text(text + "\n", encoding="utf-8")
