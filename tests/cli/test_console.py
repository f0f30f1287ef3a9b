from __future__ import annotations

import io

import pytest

from uplinks.cli.console import Console, Styler, printable

COLOURED, PLAIN = Styler(coloured=True), Styler(coloured=False)


class _Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize(
    ("environment", "styler"),
    [
        ({}, COLOURED),
        ({"NO_COLOR": ""}, COLOURED),
        ({"NO_COLOR": "1"}, PLAIN),
        ({"TERM": "dumb"}, PLAIN),
        ({"TERM": "xterm"}, COLOURED),
    ],
)
def test_a_terminal_has_colours_unless_told_otherwise(
    monkeypatch: pytest.MonkeyPatch, environment: dict[str, str], styler: Styler
) -> None:
    for name in ("NO_COLOR", "TERM"):
        monkeypatch.delenv(name, raising=False)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    console = Console(_Terminal(), io.StringIO())

    assert console.styler(console.out) == styler
    assert console.styler(console.err) == PLAIN


def test_ink_wraps_a_text_and_leaves_nothing_alone() -> None:
    assert Styler(coloured=True)("error", "bad") == "\x1b[1;31mbad\x1b[0m"
    assert Styler(coloured=True)("error", "") == ""
    assert Styler(coloured=False)("error", "bad") == "bad"


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("plain größe", "plain größe"),
        ("a\nb\tc", "a\\nb\\tc"),
        ("\x1b]0;title\x07", "\\x1b]0;title\\x07"),
        ("right\u202eleft", "right\\u202eleft"),
        ("\udcff", "\\udcff"),
    ],
)
def test_what_would_drive_a_terminal_is_escaped(text: str, shown: str) -> None:
    assert printable(text) == shown
