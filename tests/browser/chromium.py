"""Load a page in headless Chromium, and read the screenshot pixel by pixel.

The browser has its own profile and reaches only the loopback, and exits before the test goes on.
The PNG reader supports what Chromium writes: eight bits a channel, not interlaced.
"""

from __future__ import annotations

import json
import shutil
import struct
import subprocess
import zlib
from html import escape
from pathlib import Path
from typing import Any

from attrs import frozen

NAMES = ("chromium", "chromium-browser", "google-chrome")
FLAGS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-extensions",
    "--disable-dev-shm-usage",
    "--hide-scrollbars",
    "--force-color-profile=srgb",
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",
)
TIMEOUT = 120  # s

MEASURE = """
<!doctype html><body style="margin:0">
<iframe id="f" style="border:0" width="WIDTH" height="4000" srcdoc="PAGE"></iframe>
<script>
onload = () => {
  const page = document.getElementById("f").contentDocument, view = page.defaultView;
  const shown = e => e.getClientRects().length > 0;
  const box = e => { const r = e.getBoundingClientRect();
                     return [r.left, r.top, r.right, r.bottom]; };
  const charts = [...page.querySelectorAll("svg[role=img]")].filter(shown);
  const found = {
    width: page.documentElement.scrollWidth,
    charts: charts.map(c => ({
      box: box(c),
      texts: [...c.querySelectorAll("text")].map(t => [t.textContent, ...box(t)]),
      size: charts.length && parseFloat(view.getComputedStyle(c).fontSize)
            * c.getBoundingClientRect().width / c.viewBox.baseVal.width })),
    resources: view.performance.getEntriesByType("resource").map(e => e.name),
    tables: [...page.querySelectorAll("table")].filter(shown).length,
  };
  document.body.innerHTML = "<pre></pre>";
  document.querySelector("pre").textContent = JSON.stringify(found);
};
</script>
"""


@frozen
class Picture:
    """Rows of pixels, each three bytes: red, green, blue."""

    width: int
    rows: list[bytes]

    def at(self, x: int, y: int) -> str:
        return "#" + self.rows[y][3 * x : 3 * x + 3].hex()

    def row(self, y: int) -> list[str]:
        return [self.at(x, y) for x in range(self.width)]


@frozen
class Chromium:
    """A browser program, and the folder of its profile and files."""

    program: str
    folder: Path

    @classmethod
    def find(cls, folder: Path) -> Chromium | None:
        programs = filter(None, map(shutil.which, NAMES))
        return next((cls(program, folder) for program in programs), None)

    def show(self, page: str, width: int, height: int, *, dark: bool = False) -> Picture:
        """Return a screenshot of a page in a window of this size."""
        shot = self.folder / "shot.png"
        shot.unlink(missing_ok=True)
        scheme = f"--blink-settings=preferredColorScheme={0 if dark else 1}"
        self._run(page, scheme, f"--window-size={width},{height}", f"--screenshot={shot}")
        return read_png(shot.read_bytes())

    def measure(self, page: str, width: int) -> Any:
        """Return the positions of charts and texts on a page of this width, in pixels."""
        wrapped = MEASURE.replace("WIDTH", str(width)).replace("PAGE", escape(page))
        written = self._run(wrapped, "--window-size=1200,4000", "--dump-dom")
        return json.loads(written.partition("<pre>")[2].partition("</pre>")[0])

    def _run(self, page: str, *arguments: str) -> str:
        file = self.folder / "page.html"
        file.write_text(page, encoding="utf-8")
        profile = self.folder / "profile"
        ran = subprocess.run(
            [self.program, *FLAGS, f"--user-data-dir={profile}", *arguments, file.as_uri()],
            capture_output=True,
            text=True,
            check=True,
            timeout=TIMEOUT,
        )
        return ran.stdout


def read_png(data: bytes) -> Picture:
    """Decode a PNG file. Source: the PNG specification, ISO/IEC 15948."""
    assert data.startswith(b"\x89PNG\r\n\x1a\n")
    at, packed, head = 8, b"", (0, 0, 0)
    while at < len(data):
        (length,) = struct.unpack_from(">I", data, at)
        kind, chunk = data[at + 4 : at + 8], data[at + 8 : at + 8 + length]
        if kind == b"IHDR":
            width, height, depth, colour, *_, interlaced = struct.unpack(">IIBBBBB", chunk)
            assert (depth, interlaced) == (8, 0)
            head = (width, height, {2: 3, 6: 4}[colour])
        elif kind == b"IDAT":
            packed += chunk
        at += 12 + length
    width, height, channels = head
    raw, stride = zlib.decompress(packed), width * channels
    above, rows = bytearray(stride), []
    for y in range(height):
        line = raw[y * (stride + 1) : (y + 1) * (stride + 1)]
        above = _unfiltered(line[0], bytearray(line[1:]), above, channels)
        rows.append(b"".join(above[i : i + 3] for i in range(0, stride, channels)))
    return Picture(width, rows)


def _unfiltered(kind: int, line: bytearray, above: bytearray, channels: int) -> bytearray:
    for i in range(len(line)):
        left = line[i - channels] if i >= channels else 0
        corner = above[i - channels] if i >= channels else 0
        if kind == 1:
            line[i] = line[i] + left & 255
        elif kind == 2:
            line[i] = line[i] + above[i] & 255
        elif kind == 3:
            line[i] = line[i] + (left + above[i]) // 2 & 255
        elif kind == 4:
            guess = left + above[i] - corner
            distances = [abs(guess - each) for each in (left, above[i], corner)]
            line[i] = line[i] + (left, above[i], corner)[distances.index(min(distances))] & 255
    return line
