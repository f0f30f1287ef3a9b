"""The picture of a simulation: SVG, with nothing from outside.

Rules of this file:

1. Every lane has its words, and whatever is drawn is told when it is pointed at.
2. Text that came from outside is escaped where it is written, in `_text` and in titles.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from fractions import Fraction
from html import escape
from itertools import groupby
from typing import Final

from attrs import evolve, frozen

from uplinks.cli.console import printable
from uplinks.cli.simulate import telling
from uplinks.cli.simulate.looks import COLOURS, STYLE, legend, patterns, swatch
from uplinks.cli.simulate.telling import Cell, Mark, clock, seconds
from uplinks.durations import format_duration
from uplinks.simulate import Failure, Simulation

__all__ = ["alone", "drawn"]

LETTER: Final = 6.6  # how wide one is, on average
NARROW: Final = 600
LANE: Final = 22
AREA: Final = 190
MOST_SPANS: Final = 400


@frozen
class Frame:
    """Where things are: a picture so wide, time from left to right."""

    width: int
    left: int
    until: int
    top: int = 0

    @property
    def narrow(self) -> bool:
        """Whether it is for a telephone."""
        return self.width < NARROW

    @property
    def right(self) -> int:
        return self.width - 16

    def x(self, time: int) -> float:
        """Say where a time (ns) is."""
        return self.left + (self.right - self.left) * min(time, self.until) / self.until

    def y(self, share: Fraction) -> float:
        """Say how high a share is."""
        return self.top + AREA - float(share) * AREA


def alone(run: Simulation) -> str:
    """Draw a picture that stands alone, with its title and legend."""
    body = drawn(run, 960, "alone", title=True)
    return body.replace(">", f' xmlns="http://www.w3.org/2000/svg"><style>{STYLE}</style>', 1)


def drawn(run: Simulation, width: int, key: str, *, title: bool = False) -> str:
    """Draw shares over time and a lane for each child, so wide. ``key`` is unique in a page."""
    children = run.children
    longest = max([len(child) for child in children] + [6])
    left = min(200, max(60, round(longest * LETTER) + 18))
    frame = Frame(width, 48 if width < NARROW else left, run.scenario.duration)
    parts: list[str] = []
    y = 12
    if title:
        y = _title(parts, run)
    marks = telling.marks(run.scenario.happenings, frame.until)
    rows = _marks(frame, marks)
    y += 15 * (max((row for row, _, _ in rows), default=-1) + 1) + 8
    top = y
    frame = evolve(frame, top=top)
    parts += _area(frame, run, key)
    y = top + AREA + 12
    bounded = {name for f in run.failures if f.detection_bound for name in f.child.split(", ")}
    room = LANE + (22 if frame.narrow else 8)
    heights = [room + 10 * (child in bounded) for child in children]
    bottom = y + sum(heights)
    for row, x, mark in rows:
        parts.append(f'<path class="mark" d="M{x:.1f} {top - 4 - 15 * row}V{bottom - 6}"/>')
        if row >= 0:
            words = f"{mark.child} {mark.words}"
            anchor = _anchor(frame, x, words)
            how = f'class="dim halo" text-anchor="{anchor}"'
            parts.append(_text(x, top - 7 - 15 * row, words, how))
    for i, height in enumerate(heights):
        parts += _lane(frame, run, i, y, key)
        y += height
    parts += _axis(frame, y)
    y += 24
    if title:
        y = _legend(parts, run, frame, y)
    else:
        parts += _hover(frame, run)
    label = escape(_label(run), quote=True)
    head = (
        f'<svg class="chart" viewBox="0 0 {width} {y + 4}" role="img" aria-label="{label}">'
        f"{patterns(key, len(children))}"
        f'<rect class="ground" width="{width}" height="{y + 4}"/>'
    )
    return head + "".join(parts) + "</svg>"


# --- parts ------------------------------------------------------------------


def _title(parts: list[str], run: Simulation) -> int:
    scenario = run.scenario
    parts.append(_text(16, 24, printable(scenario.service), 'class="title"'))
    words = (
        f"{run.requests:,} requests in {format_duration(scenario.duration)}, "
        f"{run.failed:,} failed. {telling.verdict([run])}"
    )
    parts.append(_text(16, 43, words, 'class="dim"'))
    return 58


def _marks(frame: Frame, marks: Sequence[Mark]) -> list[tuple[int, float, Mark]]:
    """Say in which row the words of each mark have room: -1 in none."""
    ends = [0.0, 0.0, 0.0]
    found = []
    for mark in marks:
        x, words = frame.x(mark.at), f"{mark.child} {mark.words}"
        size = len(words) * LETTER
        begins = {"start": x, "end": x - size}.get(_anchor(frame, x, words), x - size / 2)
        free = [i for i, end in enumerate(ends) if end + 10 <= begins]
        row = free[0] if free and size < frame.right - 16 else -1
        if row >= 0:
            ends[row] = begins + size
        found.append((row, x, mark))
    return found


def _anchor(frame: Frame, x: float, words: str) -> str:
    half = len(words) * LETTER / 2
    if x - half < 8:  # noqa: PLR2004 - a margin
        return "start"
    return "end" if x + half > frame.width - 8 else "middle"


def _area(frame: Frame, run: Simulation, key: str) -> Iterator[str]:
    """Stack the shares; what failed of a child's lies over its own in stripes."""
    cells = [c for c in telling.cells(run.windows, _finest(run)) if c.requests]
    for part in range(5):
        y = frame.top + AREA * part / 4
        yield f'<path class="grid" d="M{frame.left} {y:g}H{frame.right}"/>'
        words = f"{100 - 25 * part} %"
        yield _text(frame.left - 6, y + 4, words, 'class="dim" text-anchor="end"')
    floors = [Fraction(0)] * len(cells)
    for i, child in enumerate(run.children):
        steps = [Fraction(cell.picks.get(child, 0), cell.requests) for cell in cells]
        yield _band(frame, cells, floors, steps, f'class="c{i % len(COLOURS)}"')
        failed = [Fraction(cell.failed.get(child, 0), cell.requests) for cell in cells]
        if any(failed):
            yield _band(frame, cells, floors, failed, f'fill="url(#{key}-fails)"')
        floors = [floor + step for floor, step in zip(floors, steps, strict=True)]
        ceiling = [(cell, floor) for cell, floor in zip(cells, floors, strict=True)]
        yield _line(frame, ceiling)
    if run.unserved:
        steps = [Fraction(cell.unserved, cell.requests) for cell in cells]
        yield _band(frame, cells, floors, steps, 'class="nobody"')


def _finest(run: Simulation) -> int:
    """Give the least width (ns) of a cell; all windows stand for themselves if they are few."""
    few = len(run.windows) <= MOST_SPANS
    return 1 if few else -(-run.scenario.duration // MOST_SPANS)


def _band(
    frame: Frame,
    cells: Sequence[Cell],
    floors: Sequence[Fraction],
    steps: Sequence[Fraction],
    look: str,
) -> str:
    """Draw steps upon others, each stretch that is there as a closed path."""
    paths = []
    rows = zip(cells, floors, steps, strict=True)
    for there, group in groupby(rows, key=lambda row: row[2] > 0):
        if there:
            stretch = list(group)
            up = [(c, f + s) for c, f, s in stretch]
            down = [(c, f) for c, f, _ in reversed(stretch)]
            paths.append(f"M{_steps(frame, up)}L{_steps(frame, down, back=True)}Z")
    return f'<path {look} d="{"".join(paths)}"/>' if paths else ""


def _line(frame: Frame, heights: Sequence[tuple[Cell, Fraction]]) -> str:
    return f'<path class="edge" d="M{_steps(frame, heights)}"/>' if heights else ""


def _steps(frame: Frame, heights: Sequence[tuple[Cell, Fraction]], *, back: bool = False) -> str:
    points: list[tuple[float, float]] = []
    for cell, height in heights:
        y = frame.y(height)
        ends = (cell.ends, cell.begins) if back else (cell.begins, cell.ends)
        for time in ends:
            point = (frame.x(time), y)
            if len(points) > 1 and points[-1][1] == points[-2][1] == y:
                points[-1] = point  # the same height goes on
            elif not points or points[-1] != point:
                points.append(point)
    return " ".join(f"{x:.1f} {y:.1f}" for x, y in points)


def _lane(frame: Frame, run: Simulation, i: int, y: int, key: str) -> Iterator[str]:
    """Draw how a child stands over time, and the bounds below."""
    child = run.children[i]
    if frame.narrow:
        yield _text(frame.left, y + 10, _short(child, 40), "")
        y += 14
    else:
        yield _text(frame.left - 8, y + 15, _short(child, 26), 'text-anchor="end"')
    width = frame.right - frame.left
    yield f'<rect class="lane" x="{frame.left}" y="{y}" width="{width}" height="{LANE}" rx="3"/>'
    looks = {
        "up": f'class="c{i % len(COLOURS)}"',
        "slow": f'fill="url(#{key}-slow{i % len(COLOURS)})"',
        "out, not noticed": 'class="fails"',
        "out, held down": 'class="down"',
        "well, held down": f'fill="url(#{key}-waits)"',
    }
    # The short ones last: nothing that can be seen covers what could not.
    for standing, begins, ends in sorted(
        _stretches(run, child), key=lambda stretch: stretch[1] - stretch[2]
    ):
        x, size = frame.x(begins), max(1.0, frame.x(ends) - frame.x(begins))
        words = escape(f"{printable(child)}: {standing}, {clock(begins)} to {clock(ends)}")
        yield (
            f'<rect {looks[standing]} x="{x:.1f}" y="{y}" width="{size:.1f}" height="{LANE}">'
            f"<title>{words}</title></rect>"
        )
    mine = [failure for failure in run.failures if child in failure.child.split(", ")]
    yield from _bounds(frame, mine, y + LANE + 2)


def _stretches(run: Simulation, child: str) -> Iterator[tuple[str, int, int]]:
    """Join what stands alike; beyond what can be seen the worst of it counts."""
    finest = run.scenario.duration // 2000
    order = ["up", "slow", "well, held down", "out, held down", "out, not noticed"]
    last: tuple[str, int, int] | None = None
    for window in run.windows:
        if child not in window.condition.children:
            if last is not None:
                yield last
            last = None
            continue
        standing = telling.standing(window.condition, child)
        short = max(window.ends - window.begins, 0 if last is None else last[2] - last[1])
        if last is not None and (last[0] == standing or short < finest):
            last = (max(last[0], standing, key=order.index), last[1], window.ends)
            continue
        if last is not None:
            yield last
        last = (standing, window.begins, window.ends)
    if last is not None:
        yield last


def _bounds(frame: Frame, failures: Sequence[Failure], y: int) -> Iterator[str]:
    """Draw how long it may take until failures, and their ends, are noticed.

    Words stand where they have room up to the next one.
    """
    found = sorted(
        (frame.x(begins), frame.x(begins + bound), words, took, bound)
        for each in failures
        for words, begins, took, bound in (
            ("noticed", each.begins, each.detection, each.detection_bound),
            ("back", each.ends, each.recovery, each.recovery_bound),
        )
        if begins is not None and took is not None and bound is not None
    )
    nexts = [*(x for x, *_ in found[1:]), frame.right + 8.0]
    last = -9.0
    for (x, end, words, took, bound), room in zip(found, nexts, strict=False):
        if x - last < 1.5:  # noqa: PLR2004 - nobody could tell them apart
            continue
        last = x
        told = f"{words} after {seconds(took)} of at most {seconds(bound)}"
        path = f"M{x:.1f} {y}v6H{end:.1f}v-6"
        yield f'<path class="bound" d="{path}"><title>{told}</title></path>'
        shown = f"{words} {seconds(took)} ≤ {seconds(bound)}"
        if end + 8 + len(shown) * LETTER < room:
            yield _text(end + 4, y + 9, shown, 'class="dim halo" font-size="11"')


def _axis(frame: Frame, bottom: int) -> Iterator[str]:
    step = _step(frame.until, 4 if frame.narrow else 10)
    for time in range(0, frame.until + 1, step):
        x = frame.x(time)
        words = _tick(time)
        anchor = _anchor(frame, x, words)
        yield f'<path class="grid" d="M{x:.1f} {bottom - 4}v5"/>'
        yield _text(x, bottom + 14, words, f'class="dim" text-anchor="{anchor}"')


def _tick(time: int) -> str:
    """Write a round time in short: 5m rather than 5m0s."""
    words = format_duration(time)
    for long, short in (("m0s", "m"), ("h0m", "h")):
        words = words.removesuffix(long) + short if words.endswith(long) else words
    return words or "0s"


def _step(until: int, most: int) -> int:
    """Give a round distance (ns) of ticks, with so many at most."""
    second = 1_000_000_000
    rounds = [10**e * f for e in range(9) for f in (1, 2, 5)]
    rounds += [second * f for f in (1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800)]
    rounds += [3600 * second * f for f in (1, 2, 3, 6, 12)]
    day = 86_400 * second
    days = -(-until // (most * day)) * day
    return next((step for step in rounds if until // step <= most), days)


def _hover(frame: Frame, run: Simulation) -> Iterator[str]:
    """Let whoever points at a time read what happened then."""
    for cell in telling.cells(run.windows, -(-run.scenario.duration // 120)):
        shares = [
            f"{printable(child)}: {number:,}"
            + (f" ({cell.failed[child]:,} failed)" if cell.failed.get(child) else "")
            for child, number in cell.picks.items()
        ]
        shares += [f"nobody: {cell.unserved:,}"] if cell.unserved else []
        words = escape("\n".join([f"{clock(cell.begins)} to {clock(cell.ends)}", *shares]))
        x, size = frame.x(cell.begins), frame.x(cell.ends) - frame.x(cell.begins)
        yield (
            f'<rect class="hover" x="{x:.1f}" y="{frame.top}" width="{size:.1f}" height="{AREA}">'
            f"<title>{words}</title></rect>"
        )


def _legend(parts: list[str], run: Simulation, frame: Frame, y: int) -> int:
    x = 16.0
    for look, words in legend(run):
        shown = _short(words, 40)
        size = 36 + len(shown) * LETTER
        if x + size > frame.width - 8 and x > 16:  # noqa: PLR2004 - where a row begins
            x, y = 16.0, y + 20
        parts.append(swatch(look, "legend", x, y))
        parts.append(_text(x + 20, y + 12, shown, ""))
        x += size
    return y + 22


def _label(run: Simulation) -> str:
    """Say in words what a picture shows."""
    noticed, bound = telling.worst((f.detection, f.detection_bound) for f in run.failures)
    words = (
        f"Traffic of {printable(run.scenario.service)} over "
        f"{format_duration(run.scenario.duration)}: {run.failed} of {run.requests} requests failed"
    )
    if noticed is not None:
        words += f", failures were noticed after {seconds(noticed)} at most"
        words += "" if bound is None else f", of {seconds(bound)} promised"
    return f"{words}. The tables have all figures."


def _short(text: str, most: int) -> str:
    text = printable(text)
    return text if len(text) <= most else f"{text[: most - 1]}…"


def _text(x: float, y: float, text: str, how: str) -> str:
    return f'<text x="{x:.1f}" y="{y:g}" {how}>{escape(text)}</text>'
