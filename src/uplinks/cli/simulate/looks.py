"""How things look in a picture: colours, patterns, and what they mean.

Rules of this file:

1. Colours are classes, so that a page and a picture alone look alike, in the
   light and in the dark. They begin with those of Okabe and Ito, which
   colour-blind people can tell apart; warm ones are kept for what fails.
2. What is failing differs by its pattern, too.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from uplinks.cli.simulate import telling
from uplinks.simulate import Simulation

__all__ = ["COLOURS", "STYLE", "legend", "patterns", "swatch"]

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
    ".chart .nobody{fill:#8c2d04}"
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

LOOKS: Final = {
    "out, not noticed": ("fails", "fails, and gets requests"),
    "out, held down": ("down", "fails, and is held down"),
    "well, held down": ("waits", "is well, and still held down"),
    "slow": ("slow", "answers probes slowly"),
}


def legend(run: Simulation) -> Iterator[tuple[str, str]]:
    """Give the looks that a picture of this has, with their words: class, words."""
    for i, child in enumerate(run.children):
        yield f"c{i % len(COLOURS)}", child
    stands = {
        telling.standing(window.condition, child)
        for window in run.windows
        for child in window.condition.children
    }
    for standing, (look, words) in LOOKS.items():
        if standing in stands:
            yield look, words
    if run.unserved:
        yield "nobody", "nobody was eligible"


def swatch(look: str, key: str, x: float = 0, y: int = 0) -> str:
    """Draw a look of `legend` as a little square; ``key`` is unique in a page."""
    if look in {"waits", "slow"}:
        ground = "lane" if look == "waits" else "c0"
        pattern = _stripes(
            f"{key}-{look}", "wait", f'<rect class="{ground}" width="8" height="8"/>'
        )
        shown = f'fill="url(#{key}-{look})"'
    else:
        pattern, shown = "", f'class="{look}"'
    return f'{pattern}<rect {shown} x="{x:.1f}" y="{y}" width="14" height="14" rx="3"/>'


def _stripes(name: str, look: str, ground: str = "") -> str:
    return (
        f'<pattern id="{name}" width="8" height="8" patternUnits="userSpaceOnUse" '
        f'patternTransform="rotate(45)">{ground}<path class="{look}" d="M2 0V8"/></pattern>'
    )


def patterns(key: str, children: int) -> str:
    """Define the patterns of a picture; ``key`` is unique in a page."""
    grounds = {"waits": "lane", **{f"slow{i}": f"c{i}" for i in range(min(children, len(COLOURS)))}}
    drawn = [_stripes(f"{key}-fails", "stripe")]
    for name, ground in grounds.items():
        rect = f'<rect class="{ground}" width="8" height="8"/>'
        drawn.append(_stripes(f"{key}-{name}", "wait", rect))
    return f"<defs>{''.join(drawn)}</defs>"
