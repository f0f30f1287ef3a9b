"""Write the figures of a run into the documentation: `python -m benchmarks.publish FILE`.

Tables replace the text between the markers in `docs/performance.md`; plots are written to
`docs/_static`.
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Mapping, Sequence
from html import escape
from itertools import pairwise
from math import ceil, floor, log10
from pathlib import Path
from typing import Any, Final

from benchmarks.report import Report, bounds, format_number

__all__ = ["main"]

DOCS: Final = Path(__file__).parent.parent / "docs"
MARKED: Final = re.compile(
    r"(<!-- table: (.+?)(?:; (\d+) largest)? -->\n).*?(<!-- end -->)", re.DOTALL
)
MACHINE: Final = re.compile(r"(<!-- machine -->\n).*?(<!-- end -->)", re.DOTALL)

OURS: Final = "#00664a"
COLOURS: Final = ("#0072b2", "#d55e00", "#b8860b", "#a4498c", "#222222", "#777777", "#8c510a")

Lines = Mapping[str, Sequence[tuple[float, float]]]


def table(report: Report, section: str, largest: int | None = None) -> str:
    """Format a section as a Markdown table with the gates in the last column.

    With ``largest``, keep only so many rows: those with the largest value in the last column.
    """
    found = {name: (columns, rows) for name, columns, rows in report.sections()}
    if section not in found:
        return "Not in this run.\n"
    columns, rows = found[section]
    if largest is not None:
        rows = sorted(rows, key=lambda row: -row[1][-1].value)[:largest]
    gated = any(figure.limit is not None for _, figures in rows for figure in figures)
    head = ["", *columns, *(["gate"] if gated else [])]
    lines = [head, ["---", *["--:"] * (len(head) - 1)]]
    for row, figures in rows:
        cells = {figure.column: figure for figure in figures}
        written = [cells[column].cell if column in cells else "-" for column in columns]
        gate = bounds(figures)
        lines.append([f"`{row}`", *written, *([gate] if gated else [])])
    return "".join(f"| {' | '.join(line)} |\n".replace("|  |", "| |") for line in lines)


def _ticks(low: float, high: float) -> list[float]:
    return [10.0**power for power in range(floor(log10(low)), ceil(log10(high)) + 1)]


def plot(title: str, across: str, up: str, lines: Lines) -> str:
    """Draw curves on logarithmic axes; the first one is `uplinks`."""
    width, height, left, right, top, bottom = 760, 440, 64, 218, 44, 48
    xs = [x for points in lines.values() for x, _ in points]
    ys = [y for points in lines.values() for _, y in points]
    ticks = _ticks(min(ys), max(ys))
    x0, x1 = log10(min(xs)), log10(max(xs))
    y0, y1 = log10(ticks[0]), log10(ticks[-1])

    def place(x: float, y: float) -> tuple[float, float]:
        return (
            left + (log10(x) - x0) / (x1 - x0) * (width - left - right),
            height - bottom - (log10(y) - y0) / (y1 - y0) * (height - top - bottom),
        )

    middle = (left + width - right) / 2, (top + height - bottom) / 2
    svg = f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" role="img"'
    turned = f'transform="translate(14 {middle[1]:.0f}) rotate(-90)"'
    parts = [
        svg + ' font-family="sans-serif" font-size="12" fill="#333">',
        f"<title>{escape(title)}</title>",
        f'<rect width="{width}" height="{height}" fill="#fff"/>',
        f'<text x="{left}" y="24" font-size="15" font-weight="bold">{escape(title)}</text>',
        f'<text x="{middle[0]:.0f}" y="{height - 8}" text-anchor="middle">{escape(across)}</text>',
        f'<text {turned} text-anchor="middle">{escape(up)}</text>',
    ]
    for tick in ticks:
        _, y = place(min(xs), tick)
        parts += [
            f'<path d="M{left} {y:.1f}H{width - right}" stroke="#ddd"/>',
            f'<text x="{left - 6}" y="{y + 4:.1f}" text-anchor="end">{format_number(tick)}</text>',
        ]
    for tick in sorted({min(xs), *(x for x in xs if log10(x).is_integer()), max(xs)}):
        x, y = place(tick, ticks[0])
        parts.append(
            f'<text x="{x:.1f}" y="{y + 18:.1f}" text-anchor="middle">{format_number(tick)}</text>'
        )
    return "\n".join([*parts, *_curves(lines, place, width - right, top), "</svg>\n"])


def _curves(lines: Lines, place: Any, edge: float, top: float) -> list[str]:
    parts, labels = [], []
    colours = dict(zip(lines, (OURS, *COLOURS), strict=False))
    # Draw our curve last, on top of the others.
    for name, points in reversed(list(lines.items())):
        drawn = [place(x, y) for x, y in points]
        path = "M" + "L".join(f"{x:.1f} {y:.1f}" for x, y in drawn)
        weight = 3.5 if colours[name] == OURS else 1.6
        parts.append(
            f'<path d="{path}" fill="none" stroke="{colours[name]}" stroke-width="{weight}"/>'
        )
        labels.append([drawn[-1][1], name, drawn[-1]])
    labels.sort(key=lambda label: label[0])
    labels[0][0] = max(labels[0][0], top)
    for above, below in pairwise(labels):
        below[0] = max(below[0], above[0] + 15)
    for y, name, (end, level) in labels:
        colour = colours[name]
        bold = "bold" if colour == OURS else "normal"
        leader = f"M{end:.1f} {level:.1f}L{edge + 10} {y:.1f}"
        text = f'x="{edge + 13}" y="{y + 4:.1f}" fill="{colour}" font-weight="{bold}"'
        parts += [
            f'<path d="{leader}" fill="none" stroke="{colour}" stroke-width="0.6"/>',
            f"<text {text}>{escape(name)}</text>",
        ]
    return parts


def _points(report: Report, section: str, rows: Sequence[str]) -> Lines:
    found: dict[str, list[tuple[float, float]]] = {row: [] for row in rows}
    for figure in report.figures:
        if figure.section == section and figure.row in found:
            n = float(figure.column.removeprefix("n=").replace(",", ""))
            found[figure.row].append((n, figure.value))
    return found


def main(path: Path) -> None:
    """Write the tables and the plots."""
    found = json.loads(path.read_text(encoding="utf-8"))
    report = Report.read(path)
    machine = found["machine"]
    peers = ", ".join(f"{name} {version}" for name, version in machine["peers"].items())
    description = (
        f"{machine['processor']}, {machine['cores']} cores, {machine['system']}; "
        f"{machine['python']}; {peers}; {machine['date']}.\n"
    )
    page = DOCS / "performance.md"
    text = page.read_text(encoding="utf-8")
    text = MACHINE.sub(lambda m: m[1] + "\n" + description + "\n" + m[2], text)
    text = MARKED.sub(
        lambda m: f"{m[1]}\n{table(report, m[2], int(m[3]) if m[3] else None)}\n{m[4]}", text
    )
    page.write_text(text, encoding="utf-8")

    static = DOCS / "_static"
    static.mkdir(exist_ok=True)
    cost = _points(
        report,
        "a pick with all up / [].__len__()",
        (
            "uplinks.Selector",
            "itertools.cycle, expanded list",
            "bisect and random()",
            "random.choices, weights=",
            "heapq, earliest deadline first",
            "roundrobin.weighted",
            "roundrobin.smooth_stateful",
            "elastic_transport.NodePool",
        ),
    )
    drawn = plot("Cost of a pick, all targets up", "targets", "times [].__len__()", cost)
    (static / "cost.svg").write_text(drawn, encoding="utf-8")
    deviation = _points(
        report,
        "largest deviation, weights n-1, 1, ..., 1",
        (
            "uplinks.Selector",
            'uplinks, scheduler="edf"',
            'uplinks, scheduler="smooth"',
            'uplinks, scheduler="random"',
            "itertools.cycle, expanded list",
            "interleaved (LVS), by hand",
        ),
    )
    title = "Largest deviation, one weight half of all"
    drawn = plot(title, "targets", "picks from the share", deviation)
    (static / "deviation.svg").write_text(drawn, encoding="utf-8")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
