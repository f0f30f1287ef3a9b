from __future__ import annotations

from uplinks.cli.console import Styler
from uplinks.cli.tables import Column, table

PLAIN = Styler(coloured=False)


def test_columns_are_as_wide_as_their_widest_cell() -> None:
    text = table([Column("a"), Column("long heading"), Column("n", number=True)], [
        ["wide cell", "x", "1"],
        ["", "yy", "100"],
    ], PLAIN)  # fmt: skip

    assert text == (
        "A          LONG HEADING    N\nwide cell  x               1\n           yy            100\n"
    )


def test_no_line_ends_in_spaces() -> None:
    text = table([Column("a"), Column("b")], [["x", ""], ["", ""]], PLAIN)

    assert text == "A  B\nx\n\n"


def test_wide_and_combining_characters_are_counted_as_they_are_shown() -> None:
    text = table(
        [Column("a"), Column("b")], [["日本", "x"], ["e\u0301", "x"], ["abcd", "x"]], PLAIN
    )

    assert text.splitlines()[1:] == ["日本  x", "e\u0301     x", "abcd  x"]


def test_a_cell_cannot_break_its_line() -> None:
    assert table([Column("a")], [["x\ny"]], PLAIN) == "A\nx\\ny\n"


def test_only_the_headings_are_coloured() -> None:
    assert table([Column("a")], [["x"]], Styler(coloured=True)) == "\x1b[1mA\x1b[0m\nx\n"
