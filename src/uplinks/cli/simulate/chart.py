"""The picture of a simulation: one self-contained SVG.

Strings from outside are escaped where they are written, in `_text` and in titles.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from fractions import Fraction
from html import escape
from itertools import groupby
from typing import Final

from attrs import evolve, frozen

from uplinks.cli.console import printable
from uplinks.cli.simulate import wording
from uplinks.cli.simulate.style import (
    CHILD_STATES,
    COLOURS,
    STYLE,
    define_patterns,
    legend,
    render_swatch,
)
from uplinks.cli.simulate.wording import Cell, Mark, format_seconds, format_time
from uplinks.durations import format_duration
from uplinks.simulate import Failure, Simulation

__all__ = ["render_chart", "render_svg"]

LETTER: Final = 6.6  # average width
NARROW: Final = 600
LANE: Final = 22
AREA: Final = 190
MARGIN: Final = 8
MARK_ROWS: Final = 3
MAX_CELLS: Final = 400


@frozen
class Frame:
    """The coordinates of a picture; time runs from left to right."""

    width: int
    left: int
    until: int
    top: int = 0

    @property
    def narrow(self) -> bool:
        """Whether the picture is for a phone."""
        return self.width < NARROW

    @property
    def right(self) -> int:
        """The end of the time axis."""
        return self.width - 2 * MARGIN

    def x(self, time: int) -> float:
        """Return the x coordinate of a time (ns)."""
        return self.left + (self.right - self.left) * min(time, self.until) / self.until

    def y(self, share: Fraction) -> float:
        """Return the y coordinate of a share."""
        return self.top + AREA - float(share) * AREA


def render_svg(run: Simulation) -> str:
    """Render a picture that stands on its own, with title and legend."""
    body = render_chart(run, 960, "alone", title=True)
    return body.replace(">", f' xmlns="http://www.w3.org/2000/svg"><style>{STYLE}</style>', 1)


def render_chart(run: Simulation, width: int, key: str, *, title: bool = False) -> str:
    """Render the shares over time and a lane for each child; ``key`` is unique in a page."""
    children = run.children
    longest = max([len(child) for child in children] + [6])
    left = min(200, max(60, round(longest * LETTER) + 18))
    frame = Frame(width, 48 if width < NARROW else left, run.scenario.duration)
    parts: list[str] = []
    y = _title(parts, run) if title else 12
    marks = _place_marks(frame, wording.event_marks(run.scenario.events, frame.until))
    y += 15 * (max((row for row, _, _ in marks), default=-1) + 1) + 8
    frame = evolve(frame, top=y)
    parts += _area(frame, run, key)
    y = frame.top + AREA + 12
    bounded = {name for f in run.failures if f.detection_bound for name in f.child.split(", ")}
    room = LANE + (22 if frame.narrow else 8)
    heights = [room + 10 * (child in bounded) for child in children]
    parts += _marks(frame, marks, y + sum(heights) - 6)
    for i, height in enumerate(heights):
        parts += _lane(frame, run, i, y, key)
        y += height
    parts += _axis(frame, y)
    y += 24
    if title:
        y = _legend(parts, run, frame, y)
    else:
        parts += _tooltips(frame, run)
    label = escape(_label(run), quote=True)
    head = (
        f'<svg class="chart" viewBox="0 0 {width} {y + 4}" role="img" aria-label="{label}">'
        f"{define_patterns(key, len(children))}"
        f'<rect class="ground" width="{width}" height="{y + 4}"/>'
    )
    return head + "".join(parts) + "</svg>"


# --- title and events -------------------------------------------------------


def _title(parts: list[str], run: Simulation) -> int:
    scenario = run.scenario
    parts.append(_text(16, 24, printable(scenario.service), 'class="title"'))
    text = (
        f"{run.requests:,} requests in {format_duration(scenario.duration)}, engine "
        f"{scenario.engine}: {run.failed:,} failed. {wording.verdict([run])}"
    )
    parts.append(_text(16, 43, text, 'class="dim"'))
    return 58


def _place_marks(frame: Frame, marks: Sequence[Mark]) -> list[tuple[int, float, Mark]]:
    """Return the row of each mark's text, -1 where there is no room, with its x coordinate."""
    row_ends = [0.0] * MARK_ROWS
    placed = []
    for mark in marks:
        x, text = frame.x(mark.at), f"{mark.child} {mark.text}"
        size = len(text) * LETTER
        start = {"start": x, "end": x - size}.get(_anchor(frame, x, text), x - size / 2)
        free = [i for i, end in enumerate(row_ends) if end + 10 <= start]
        row = free[0] if free and size < frame.right - 2 * MARGIN else -1
        if row >= 0:
            row_ends[row] = start + size
        placed.append((row, x, mark))
    return placed


def _marks(frame: Frame, marks: Sequence[tuple[int, float, Mark]], bottom: int) -> Iterator[str]:
    for row, x, mark in marks:
        y = frame.top - 4 - 15 * row
        yield f'<path class="mark" d="M{x:.1f} {y}V{bottom}"/>'
        if row >= 0:
            text = f"{mark.child} {mark.text}"
            anchor = _anchor(frame, x, text)
            yield _text(x, y - 3, text, f'class="dim halo" text-anchor="{anchor}"')


def _anchor(frame: Frame, x: float, text: str) -> str:
    half = len(text) * LETTER / 2
    if x - half < MARGIN:
        return "start"
    return "end" if x + half > frame.width - MARGIN else "middle"


# --- shares -----------------------------------------------------------------


def _area(frame: Frame, run: Simulation, key: str) -> Iterator[str]:
    """Stack the shares; stripes mark the failed part of each."""
    cells = [c for c in wording.merge_windows(run.windows, _cell_width(run)) if c.requests]
    for part in range(5):
        y = frame.top + AREA * part / 4
        yield f'<path class="grid" d="M{frame.left} {y:g}H{frame.right}"/>'
        label = f"{100 - 25 * part} %"
        yield _text(frame.left - 6, y + 4, label, 'class="dim" text-anchor="end"')
    floors = [Fraction(0)] * len(cells)
    for i, child in enumerate(run.children):
        shares = [Fraction(cell.picks.get(child, 0), cell.requests) for cell in cells]
        yield _band(frame, cells, floors, shares, f'class="c{i % len(COLOURS)}"')
        failed = [Fraction(cell.failed.get(child, 0), cell.requests) for cell in cells]
        if any(failed):
            yield _band(frame, cells, floors, failed, f'fill="url(#{key}-fails)"')
        floors = [floor + share for floor, share in zip(floors, shares, strict=True)]
        yield _edge(frame, list(zip(cells, floors, strict=True)))
    if run.unserved:
        shares = [Fraction(cell.unserved, cell.requests) for cell in cells]
        yield _band(frame, cells, floors, shares, 'class="unserved"')


def _cell_width(run: Simulation) -> int:
    """Return the minimum width (ns) of a cell; few windows are drawn as they are."""
    return 1 if len(run.windows) <= MAX_CELLS else -(-run.scenario.duration // MAX_CELLS)


def _band(
    frame: Frame,
    cells: Sequence[Cell],
    floors: Sequence[Fraction],
    shares: Sequence[Fraction],
    fill: str,
) -> str:
    """Render shares on top of floors, each stretch above 0 as one closed path."""
    paths = []
    rows = zip(cells, floors, shares, strict=True)
    for present, group in groupby(rows, key=lambda row: row[2] > 0):
        if present:
            stretch = list(group)
            upper = [(cell, floor + share) for cell, floor, share in stretch]
            lower = [(cell, floor) for cell, floor, _ in reversed(stretch)]
            paths.append(f"M{_steps(frame, upper)}L{_steps(frame, lower, back=True)}Z")
    return f'<path {fill} d="{"".join(paths)}"/>' if paths else ""


def _edge(frame: Frame, heights: Sequence[tuple[Cell, Fraction]]) -> str:
    return f'<path class="edge" d="M{_steps(frame, heights)}"/>' if heights else ""


def _steps(frame: Frame, heights: Sequence[tuple[Cell, Fraction]], *, back: bool = False) -> str:
    points: list[tuple[float, float]] = []
    for cell, height in heights:
        y = frame.y(height)
        times = (cell.end, cell.start) if back else (cell.start, cell.end)
        for time in times:
            point = (frame.x(time), y)
            if len(points) > 1 and points[-1][1] == points[-2][1] == y:
                points[-1] = point  # extends a horizontal line
            elif not points or points[-1] != point:
                points.append(point)
    return " ".join(f"{x:.1f} {y:.1f}" for x, y in points)


# --- lanes ------------------------------------------------------------------


def _lane(frame: Frame, run: Simulation, i: int, y: int, key: str) -> Iterator[str]:
    """Render a child's states over time, with its bounds below."""
    child = run.children[i]
    if frame.narrow:
        yield _text(frame.left, y + 10, _short(child, 40), "")
        y += 14
    else:
        yield _text(frame.left - 8, y + 15, _short(child, 26), 'text-anchor="end"')
    width = frame.right - frame.left
    yield f'<rect class="lane" x="{frame.left}" y="{y}" width="{width}" height="{LANE}" rx="3"/>'
    fills = {state: f'class="{name}"' for state, (name, _) in CHILD_STATES.items()}
    fills["up"] = f'class="c{i % len(COLOURS)}"'
    fills["slow"] = f'fill="url(#{key}-slow{i % len(COLOURS)})"'
    fills["healthy, marked down"] = f'fill="url(#{key}-waits)"'
    # Long spans first, so that they cover no short one.
    for state, start, end in sorted(_spans(run, child), key=lambda span: span[1] - span[2]):
        x, size = frame.x(start), max(1.0, frame.x(end) - frame.x(start))
        title = escape(f"{printable(child)}: {state}, {format_time(start)} to {format_time(end)}")
        yield (
            f'<rect {fills[state]} x="{x:.1f}" y="{y}" width="{size:.1f}" height="{LANE}">'
            f"<title>{title}</title></rect>"
        )
    failures = [failure for failure in run.failures if child in failure.child.split(", ")]
    yield from _bounds(frame, failures, y + LANE + 2)


def _spans(run: Simulation, child: str) -> Iterator[tuple[str, int, int]]:
    """Join windows of one state; of spans too short to be seen the worst state counts."""
    shortest = run.scenario.duration // 2000
    severity = ["up", "slow", "healthy, marked down", "failing, marked down"]
    severity.append("failing, not detected")
    last: tuple[str, int, int] | None = None
    for window in run.windows:
        if child not in window.state.children:
            if last is not None:
                yield last
            last = None
            continue
        state = wording.child_state(window.state, child)
        length = max(window.end - window.start, 0 if last is None else last[2] - last[1])
        if last is not None and (last[0] == state or length < shortest):
            last = (max(last[0], state, key=severity.index), last[1], window.end)
            continue
        if last is not None:
            yield last
        last = (state, window.start, window.end)
    if last is not None:
        yield last


def _bounds(frame: Frame, failures: Sequence[Failure], y: int) -> Iterator[str]:
    """Render the bounds of detection and recovery, with text where there is room."""
    bounds = sorted(
        (frame.x(start), frame.x(start + bound), verb, took, bound)
        for each in failures
        for verb, start, took, bound in (
            ("detected", each.start, each.detection, each.detection_bound),
            ("recovered", each.end, each.recovery, each.recovery_bound),
        )
        if start is not None and took is not None and bound is not None
    )
    limits = [*(x for x, *_ in bounds[1:]), frame.right + 8.0]
    last = -9.0
    for (x, end, verb, took, bound), limit in zip(bounds, limits, strict=False):
        if x - last < 1.5:  # noqa: PLR2004 - too close to tell apart
            continue
        last = x
        title = f"{verb} after {format_seconds(took)}, bound {format_seconds(bound)}"
        path = f"M{x:.1f} {y}v6H{end:.1f}v-6"
        yield f'<path class="bound" d="{path}"><title>{title}</title></path>'
        text = f"{verb} {format_seconds(took)} ≤ {format_seconds(bound)}"
        if end + 8 + len(text) * LETTER < limit:
            yield _text(end + 4, y + 9, text, 'class="dim halo" font-size="11"')


# --- axis, tooltips, legend -------------------------------------------------


def _axis(frame: Frame, bottom: int) -> Iterator[str]:
    step = _tick_step(frame.until, 4 if frame.narrow else 10)
    for time in range(0, frame.until + 1, step):
        x = frame.x(time)
        text = _tick(time)
        anchor = _anchor(frame, x, text)
        yield f'<path class="grid" d="M{x:.1f} {bottom - 4}v5"/>'
        yield _text(x, bottom + 14, text, f'class="dim" text-anchor="{anchor}"')


def _tick(time: int) -> str:
    """Format a round time without zeros: 5m rather than 5m0s."""
    text = format_duration(time)
    for long, short in (("m0s", "m"), ("h0m", "h")):
        text = text.removesuffix(long) + short if text.endswith(long) else text
    return text or "0s"


def _tick_step(until: int, most: int) -> int:
    """Return the smallest round distance (ns) that gives at most so many ticks."""
    second = 1_000_000_000
    steps = [10**e * f for e in range(9) for f in (1, 2, 5)]
    steps += [second * f for f in (1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800)]
    steps += [3600 * second * f for f in (1, 2, 3, 6, 12)]
    day = 86_400 * second
    days = -(-until // (most * day)) * day
    return next((step for step in steps if until // step <= most), days)


def _tooltips(frame: Frame, run: Simulation) -> Iterator[str]:
    """Render invisible cells whose tooltips have the figures."""
    for cell in wording.merge_windows(run.windows, -(-run.scenario.duration // 120)):
        lines = [f"{format_time(cell.start)} to {format_time(cell.end)}"]
        for child, number in cell.picks.items():
            failed = f" ({cell.failed[child]:,} failed)" if cell.failed.get(child) else ""
            lines.append(f"{printable(child)}: {number:,}{failed}")
        if cell.unserved:
            lines.append(f"no target: {cell.unserved:,}")
        x, size = frame.x(cell.start), frame.x(cell.end) - frame.x(cell.start)
        yield (
            f'<rect class="hover" x="{x:.1f}" y="{frame.top}" width="{size:.1f}" height="{AREA}">'
            f"<title>{escape(chr(10).join(lines))}</title></rect>"
        )


def _legend(parts: list[str], run: Simulation, frame: Frame, y: int) -> int:
    left = 2.0 * MARGIN
    x = left
    for name, meaning in legend(run):
        text = _short(meaning, 40)
        size = 36 + len(text) * LETTER
        if x + size > frame.width - MARGIN and x > left:
            x, y = left, y + 20
        parts.append(render_swatch(name, "legend", x, y))
        parts.append(_text(x + 20, y + 12, text, ""))
        x += size
    return y + 22


def _label(run: Simulation) -> str:
    """Describe the picture for readers who do not see it."""
    detected, bound = wording.longest((f.detection, f.detection_bound) for f in run.failures)
    text = (
        f"Requests to {printable(run.scenario.service)} over "
        f"{format_duration(run.scenario.duration)}: {run.failed} of {run.requests} requests failed"
    )
    if detected is not None:
        text += f", failures were detected after at most {format_seconds(detected)}"
        text += "" if bound is None else f" (bound {format_seconds(bound)})"
    return f"{text}. The tables have all figures."


def _short(text: str, most: int) -> str:
    text = printable(text)
    return text if len(text) <= most else f"{text[: most - 1]}…"


def _text(x: float, y: float, text: str, attributes: str) -> str:
    return f'<text x="{x:.1f}" y="{y:g}" {attributes}>{escape(text)}</text>'
