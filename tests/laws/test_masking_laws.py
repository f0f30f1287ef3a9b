"""Law of masking: whatever happens to a text, no output shows the value of a header."""

from __future__ import annotations

import contextlib
import io
import json
import sys
from collections.abc import Callable
from unittest.mock import patch

from hypothesis import example, given
from hypothesis import strategies as st

from uplinks.cli import main
from uplinks.cli.formats import FORMATS

SECRET = "kx9Zsecret7q"  # noqa: S105 - a mark to look for

VALUES = st.sampled_from(
    [
        [SECRET],
        [f"Bearer {SECRET}"],
        [f"Basic {SECRET}=="],
        [f"user:{SECRET}"],
        [f"session={SECRET}; path=/"],
        [f'Digest username="me", response="{SECRET}"'],
        [f"https://me:{SECRET}@eu.example.com/"],
        [f"name: {SECRET}"],
        [f"weight: 5 {SECRET}"],
        [f"a # {SECRET}"],
        ["-----BEGIN PRIVATE KEY-----", f"MIIB{SECRET}+/x", "-----END PRIVATE KEY-----"],
        ["-----BEGIN CERTIFICATE-----", f"{SECRET}/x==", f"name: {SECRET}"],
    ]
)
NAMES = st.sampled_from(["Authorization", "X-Token", "Cookie", "name", "address"])


def _block(mark: str) -> Callable[[str, list[str]], list[str]]:
    return lambda name, lines: [f"{name}: {mark}", *(f"  {line}" for line in lines)]


def _joined(form: str) -> Callable[[str, list[str]], list[str]]:
    return lambda name, lines: form.format(name, " ".join(lines)).split("\n")


SHAPES: list[Callable[[str, list[str]], list[str]]] = [
    *map(_block, ["|", ">", "|-", ">-", "|2", "", "!!str |", "&a >-"]),
    *map(
        _joined,
        [
            "{}: {}",
            "{}: '{}'",
            '{}: "{}"',
            "{}:\n  '{}'",
            "{}: &a {}",
            "{}: !!str {}",
            "{}: *{}",
            "{}: [{}]",
            "? {}\n: {}",
            "- {}: {}",
            "- name: {}\n  value: {}",
            "- {} {}",
            "{{{}: {}}}",
            "{{{} {}}}",
        ],
    ),
    lambda name, lines: json.dumps({name: "\n".join(lines)}, indent=1).split("\n"),
]


@st.composite
def texts(draw: st.DrawFn) -> str:
    """Write an Uplink with a header, in any shape, and damage up to two places in it."""
    header = draw(st.sampled_from(SHAPES))(draw(NAMES), draw(VALUES))
    lines = [
        "apiVersion: hub.traefik.io/v1alpha1",
        "kind: Uplink",
        "metadata: {name: api, namespace: apps}",
        "spec:",
        "  healthCheck:",
        draw(
            st.sampled_from(
                ["    path: /h", "    timeout: 3s", "    mode: http", "    method: GET"]
            )
        ),
        f"    {draw(st.sampled_from(['headers', 'heders', 'Headers']))}:",
        *(f"      {line}" for line in header),
        "  weight: 1",
    ]
    for _ in range(draw(st.integers(0, 2))):
        at = draw(st.integers(4, len(lines) - 1))
        line = lines[at]
        cut = draw(st.integers(0, len(line)))
        lines[at : at + 1] = draw(
            st.sampled_from(
                [
                    [" " * draw(st.integers(0, 10)) + line.strip()],
                    ["\t" + line],
                    [
                        line[:cut]
                        + draw(st.sampled_from(list("\"'{}[]:#,&*!|>\t\n?%@`-")))
                        + line[cut:]
                    ],
                    [line[:cut] + line[cut + 1 :]],
                    [line, line],
                    [line[:cut]],
                    [],
                ]
            )
        )
        if len(lines) < 5:
            break
    return draw(st.sampled_from(["\n", "\r\n"])).join(lines)


def output(text: str, form: str) -> str:
    out = io.StringIO()
    with (
        patch.object(sys, "stdin", io.TextIOWrapper(io.BytesIO(text.encode()))),
        contextlib.redirect_stdout(out),
        contextlib.redirect_stderr(out),
    ):
        main(["check", "-", "--diff"] if form == "diff" else ["check", "-", "--format", form])
    return out.getvalue()


@given(texts(), st.sampled_from([*FORMATS, *["text"] * 3, *["diff"] * 2]))
@example(
    "kind: Uplink\nspec:\n  healthCheck:\n    headers:\n      Authorization: >-\n"
    f"   Bearer {SECRET}\n",
    "text",
)
@example(
    "apiVersion: hub.traefik.io/v1alpha1\nkind: Uplink\nmetadata: {name: api, namespace: apps}\n"
    f"spec: {{wieght: 5, healthCheck: {{heders: {{X: {SECRET}}}, path: /}}}}\n",
    "diff",
)
def test_no_output_shows_the_value_of_a_header(text: str, form: str) -> None:
    assert SECRET not in output(text, form)
