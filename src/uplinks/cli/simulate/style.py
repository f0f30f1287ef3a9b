"""The style of the picture: colours, patterns, and the legend.

Colours are CSS classes, so that a page and a picture on its own look the same, in light and dark
mode. They start with those of Okabe and Ito, which are safe for colour-blind readers; warm colours
are kept for failures, which also differ by their pattern.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from uplinks.cli.simulate import wording
from uplinks.simulate import Simulation

__all__ = ["CHILD_STATES", "COLOURS", "STYLE", "define_patterns", "legend", "render_swatch"]

COLOURS: Final = (
    "#0072b2", "#56b4e9", "#009e73", "#7a5fb0", "#cc79a7", "#b5c334", "#35528a", "#7fcdbb",
)  # fmt: skip

STYLE: Final = (
    ".chart{font:12px system-ui,-apple-system,'Segoe UI',sans-serif}"
    ".chart text{fill:#24292f}.chart .dim{fill:#59636e}"
    ".chart .title{font-size:15px;font-weight:600}"
    ".chart .ground{fill:#fff}.chart .grid{stroke:#d9dee3;fill:none}"
    ".chart .mark{stroke:#59636e;stroke-dasharray:3 3;fill:none}"
    ".chart .bound{stroke:#24292f;stroke-width:1.5;fill:none}.chart .edge{stroke:#fff;fill:none}"
    ".chart .lane{fill:#eef1f4}.chart .fails{fill:#d55e00}"
    ".chart .unserved{fill:#8c2d04}"
    ".chart .halo{stroke:#fff;stroke-width:3px;paint-order:stroke}"
    ".chart .down{fill:#8b949e}"
    ".chart .hover{fill:transparent}.chart .hover:hover{fill:#24292f;fill-opacity:.12}"
    ".chart .stripe{stroke:#d55e00;stroke-width:5}.chart .wait{stroke:#8b949e;stroke-width:4}"
    + "".join(f".chart .c{i}{{fill:{colour}}}" for i, colour in enumerate(COLOURS))
    + "@media (prefers-color-scheme:dark){"
    ".chart text{fill:#e6edf3}.chart .dim{fill:#9aa4af}.chart .ground{fill:#0d1117}"
    ".chart .grid{stroke:#30363d}.chart .mark{stroke:#9aa4af}.chart .bound{stroke:#e6edf3}"
    ".chart .halo{stroke:#0d1117}.chart .edge{stroke:#0d1117}"
    ".chart .lane{fill:#21262d}.chart .down{fill:#6e7681}"
    ".chart .wait{stroke:#6e7681}.chart .hover:hover{fill:#fff;fill-opacity:.16}}"
)

CHILD_STATES: Final = {
    "failing, not detected": ("fails", "failing, still receiving requests"),
    "failing, marked down": ("down", "failing, marked down"),
    "healthy, marked down": ("waits", "healthy, still marked down"),
    "slow": ("slow", "slow to answer probes"),
}
"""The class and the legend of each state but "up"."""

SQUARE: Final = '<rect class="{}" width="8" height="8"/>'


def legend(run: Simulation) -> Iterator[tuple[str, str]]:
    """Yield the classes in the picture of a simulation, with their meaning."""
    for i, child in enumerate(run.children):
        yield f"c{i % len(COLOURS)}", child
    present = {
        wording.child_state(window.state, child)
        for window in run.windows
        for child in window.state.children
    }
    for state, (name, meaning) in CHILD_STATES.items():
        if state in present:
            yield name, meaning
    if run.unserved:
        yield "unserved", "no eligible target"


def render_swatch(name: str, key: str, x: float = 0, y: int = 0) -> str:
    """Render a class of `legend` as a small square; ``key`` is unique in a page."""
    if name in {"waits", "slow"}:
        ground = SQUARE.format("lane" if name == "waits" else "c0")
        pattern, fill = _pattern(f"{key}-{name}", "wait", ground), f'fill="url(#{key}-{name})"'
    else:
        pattern, fill = "", f'class="{name}"'
    return f'{pattern}<rect {fill} x="{x:.1f}" y="{y}" width="14" height="14" rx="3"/>'


def _pattern(name: str, stripe: str, ground: str = "") -> str:
    return (
        f'<pattern id="{name}" width="8" height="8" patternUnits="userSpaceOnUse" '
        f'patternTransform="rotate(45)">{ground}<path class="{stripe}" d="M2 0V8"/></pattern>'
    )


def define_patterns(key: str, children: int) -> str:
    """Define the patterns of a picture; ``key`` is unique in a page."""
    grounds = {"waits": "lane", **{f"slow{i}": f"c{i}" for i in range(min(children, len(COLOURS)))}}
    patterns = [_pattern(f"{key}-fails", "stripe")]
    for name, ground in grounds.items():
        patterns.append(_pattern(f"{key}-{name}", "wait", SQUARE.format(ground)))
    return f"<defs>{''.join(patterns)}</defs>"
