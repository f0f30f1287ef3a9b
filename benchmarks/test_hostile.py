"""What `uplinks check` costs for a megabyte made to hurt, start-up included.

The reference is a megabyte that nobody made to hurt, of which only the events of
PyYAML's C parser are taken, in a process of its own. A kind stands for one way to
make a text dear; some go past a limit of the reader, some stay just below it.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import pytest
from benchmarks.conftest import TOLERANCE, until_kept
from benchmarks.test_check import BIN, PARSER, UPLINK, paired

SECTION: Final = "check: a megabyte made to hurt, start-up included"
ROW: Final = "of PyYAML's C events for an ordinary megabyte"
SIZE: Final = 1_000_000
SAMPLES: Final = 1  # a kind; there are many
LIMIT: Final = 8

UPLINK_HEAD: Final = """\
apiVersion: hub.traefik.io/v1alpha1
kind: Uplink
metadata: {name: api, namespace: apps}
"""
ROUTE_HEAD: Final = """\
apiVersion: traefik.io/v1alpha1
kind: IngressRoute
metadata: {name: api, namespace: apps}
"""
LIST_HEAD: Final = "apiVersion: v1\nkind: List\nitems:\n"
BROKEN: Final = f"""\
---
{UPLINK_HEAD}spec:
  weight: -1
  wieght: 012
  healthCheck: {{interval: x, mode: y, scheme: z, path: //h, status: 9, headers: {{Host: a}}}}
"""


def full(text: str) -> str:
    """Repeat a text until it is a megabyte."""
    return text * (SIZE // len(text))


def padded(text: str) -> str:
    """Make it a megabyte: how many nodes a text may have depends on its size."""
    return f"{text}\n#{'x' * (SIZE - len(text) - 2)}"


def each(write: str, count: int) -> str:
    """Write a pattern with each number."""
    return "".join(write % number for number in range(count))


KINDS: Final[dict[str, Callable[[], str]]] = {
    "a flow list": lambda: f"[{full('1,')}]",
    "empty mappings": lambda: f"[{full('{},')}]",
    "open brackets": lambda: full("["),
    "short lines": lambda: each("k%d: b\n", SIZE // 10),
    "dashes": lambda: full("- - - -\n"),
    "documents": lambda: full("---\nhub: {a: b}\n"),
    "comments": lambda: "a: b\n" + full("#\n"),
    "suppressions": lambda: "a: b\n" + full(" # uplinks: ignore[UPL104]\n"),
    "unknown suppressions": lambda: "a: b\n" + full("# uplinks: ignore[A, B, C, D]\n"),
    "one long scalar": lambda: f"a: {full('b')}",
    "escapes": lambda: '["' + full("\\u0041") + '"]',
    "anchors": lambda: full("- &a b\n"),
    "tags": lambda: full("- !!str b\n"),
    "quotes": lambda: "[" + full("'',") + "]",
    "ambiguous scalars": lambda: f"[{full('yes, ')}]",
    "a key again and again": lambda: full("a: b\n"),
    "a finding at the end": lambda: padded(each("- a%d\n", 100_000) + "- yes"),
    "objects without a name": lambda: (
        LIST_HEAD + full("- {apiVersion: hub.traefik.io/v1alpha1, kind: Uplink}\n")
    ),
    "one object again and again": lambda: full(f"---\n{UPLINK_HEAD}spec: {{weight: 1}}\n"),
    "everything wrong": lambda: full(BROKEN),
    "unknown fields": lambda: padded(f"{UPLINK_HEAD}spec: {{{each('wei%d: a, ', 50_000)}}}"),
    "invalid headers": lambda: padded(
        f"{UPLINK_HEAD}spec: {{healthCheck: {{path: /, headers: {{{each('h %d: a, ', 60_000)}}}}}}}"
    ),
    "wrong items": lambda: padded(f"{UPLINK_HEAD}spec: {{entryPoints: [{'1,' * 120_000}]}}"),
    "unknown uplinks": lambda: padded(
        f"{ROUTE_HEAD}spec: {{routes: [{{match: a, services: ["
        f"{each('{name: a%d@multicluster, kind: TraefikService}, ', 17_000)}]}}]}}\n"
        f"---\n{UPLINK_HEAD}"
    ),
    "children": lambda: padded(
        "hub: {providers: {multicluster: {children: {"
        + each("c%d: {address: 'http://a', adress: b}, ", 15_000)
        + "}}}}"
    ),
}


@pytest.fixture(scope="module")
def ordinary(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """The command that takes the events of a megabyte of uplinks."""
    root = tmp_path_factory.mktemp("ordinary")
    uplinks = (UPLINK.format(number=number, team=number % 10) for number in range(2_000))
    (root / "uplinks.yaml").write_text("---\n".join(uplinks)[:SIZE].rpartition("---\n")[0])
    (root / "parser.py").write_text(PARSER)
    (root / "names").write_text(str(root / "uplinks.yaml"))
    return [sys.executable, str(root / "parser.py"), str(root / "names")]


@pytest.mark.parametrize("kind", KINDS)
def test_a_megabyte_made_to_hurt_costs_little(
    kind: str, ordinary: list[str], tmp_path: Path, bench: Any
) -> None:
    text = KINDS[kind]()
    assert SIZE * 0.9 < len(text) <= SIZE * 1.1
    file = tmp_path / "hostile.yaml"
    file.write_text(text)
    subject = [str(BIN / "uplinks"), "check", "--fail-on", "never", str(file)]
    most = LIMIT * TOLERANCE
    ratio, seconds = until_kept(most, lambda: paired(subject, ordinary, SAMPLES))
    bench.keep(SECTION, kind, "seconds", seconds)
    bench.keep(SECTION, kind, ROW, ratio, limit=most, goal=LIMIT)
