from __future__ import annotations

import sys
from types import FrameType

import pytest

from uplinks.cli.excerpt import WIDTH, excerpts
from uplinks.diagnostics import Location, Span


def shown(
    text: str | bytes, line: int, column: int, end: int | None = None, encoding: str = "utf-8"
) -> list[str]:
    data = text.encode() if isinstance(text, str) else text
    span = Span(line, column, line, column + 1 if end is None else end)
    place = Location(file="f", span=span)
    return excerpts({"f": data}, encoding, [place])(place)


@pytest.mark.parametrize(
    ("text", "place", "lines"),
    [
        ("spec:\n  weight: -1\n", (2, 11, 13), ["  weight: -1", "          ^^"]),
        ("spec:\r\n  weight: -1\r\n", (2, 11, 13), ["  weight: -1", "          ^^"]),
        ("spec:\r  weight: -1", (2, 11, 13), ["  weight: -1", "          ^^"]),
        ("\ufeffweight: -1", (1, 9, 11), ["weight: -1", "        ^^"]),
        ('{\t"weight": -1}', (1, 13, 15), ['{    "weight": -1}', "               ^^"]),
        ("{name: 日本, weight: -1}", (1, 19, 21), ["{name: 日本, weight: -1}", " " * 20 + "^^"]),
        ("name: 日本", (1, 7, 9), ["name: 日本", "      ^^^^"]),
        ("name: e\u0301e", (1, 7, 10), ["name: e\u0301e", "      ^^"]),
        ("name: x", (1, 8, 8), ["name: x", "       ^"]),
        ("name: x", (1, 1, 99), ["name: x", "^^^^^^^"]),
    ],
)
def test_the_caret_stands_below_what_is_meant(
    text: str, place: tuple[int, int, int], lines: list[str]
) -> None:
    number = place[0]

    assert shown(text, *place) == ["  |", f"{number} | {lines[0]}", f"  | {lines[1]}"]


def test_many_lines_are_shown_by_their_first() -> None:
    shown = [Location(file=name, span=Span(9, 1, 9, 1)) for name in ("f", "other")]
    excerpt = excerpts({"f": b"spec:\n  weight: -1\n"}, "utf-8", shown)

    assert excerpt(Location(file="f", span=Span(1, 1, 2, 13)))[1:] == ["1 | spec:", "  | ^^^^^"]


@pytest.mark.parametrize(
    ("text", "line"),
    [("", 1), ("a: 1\n\n", 2), ("a: 1\n", 9), (b"\xff", 1), ("   \n", 1)],
)
def test_what_has_no_line_has_no_excerpt(text: str | bytes, line: int) -> None:
    assert shown(text, line, 1) == []


def test_a_file_that_was_not_read_has_no_excerpt() -> None:
    assert excerpts({}, "utf-8", [Location(file="f")])(Location(file="f")) == []


@pytest.mark.parametrize("at", [1, 60, 150, 295])
def test_a_long_line_is_cut_around_the_caret(at: int) -> None:
    text = "name: [" + "".join(chr(ord("a") + n % 26) for n in range(300)) + "]"

    _, line, caret = shown(text, 1, at, at + 3)

    line, caret = line.removeprefix("1 | "), caret.removeprefix("  | ")
    assert len(line) <= WIDTH + 6
    start = caret.index("^")
    assert line[start : start + 3] == text[at - 1 : at + 2]
    assert caret.count("^") == 3
    assert line.startswith("...") == (at > 50)
    assert line.endswith("...") == (at < 250)


def test_a_range_past_the_cut_is_underlined_to_the_cut() -> None:
    _, line, caret = shown("name: " + "x" * 1000, 1, 7, 1007)

    assert len(caret) - len("  | ") <= WIDTH
    assert caret.count("^") == WIDTH - 6
    assert line.endswith("...")


def test_wide_characters_are_counted_when_a_line_is_cut() -> None:
    _, line, caret = shown("name: " + "日" * 200 + "x", 1, 107, 108)

    before = line.removeprefix("1 | ")[: (caret.removeprefix("  | ").index("^") - 3) // 2 + 3]
    assert before == "..." + "日" * 25
    assert caret.count("^") == 2


def test_what_a_terminal_cannot_show_is_escaped_and_counted() -> None:
    _, line, caret = shown("{name: ö, weight: -1}", 1, 19, 21, encoding="ascii")

    assert line == "1 | {name: \\xf6, weight: -1}"
    assert caret == "  | " + " " * 21 + "^^"


def test_a_control_character_does_not_reach_the_terminal() -> None:
    _, line, caret = shown("{name: \u202ex, weight: -1}", 1, 20, 22)

    assert line == "1 | {name: \\u202ex, weight: -1}"
    assert caret == "  | " + " " * 24 + "^^"


def test_a_secret_is_masked_and_the_caret_keeps_its_place() -> None:
    text = "{headers: {X-Token: s3cr3t}, weight: -1}"

    assert shown(text, 1, 38, 40) == [
        "  |",
        "1 | {headers: {X-Token: ***}, weight: -1}",
        "  |                                   ^^",
    ]
    assert shown(text, 1, 21, 27)[2] == "  | " + " " * 20 + "^^^"


def test_what_a_line_costs_does_not_depend_on_its_length() -> None:
    place = Location(file="f.yaml", span=Span(1, 1500, 1, 1501))
    texts = {"f.yaml": ("entryPoints: [" + "é, " * 1000 + "]").encode()}
    show = excerpts(texts, "utf-8", [place])
    cells = 0

    def count(frame: FrameType, event: str, _: object) -> None:
        nonlocal cells
        cells += event == "call" and frame.f_code.co_name == "_cell"

    before = sys.getprofile()
    sys.setprofile(count)
    try:
        lines = show(place)
    finally:
        sys.setprofile(before)

    assert cells == 2 * WIDTH
    assert lines == [
        "  |",
        "1 | ..." + ", é" * 33 + ",...",
        "  | " + " " * 53 + "^",
    ]


def test_of_a_long_line_only_what_is_near_is_laid_out() -> None:
    secret = "{headers: {X-Token: " + "s" * 1000 + "}, weight: -1}" + " " * 1000

    assert shown(secret, 1, 1031, 1033) == [
        "  |",
        "1 | ...***}, weight: -1}" + " " * 83 + "...",
        "  | " + " " * 16 + "^^",
    ]


def test_no_text_is_looked_through_behind_the_last_place_that_is_shown() -> None:
    texts = {"f.yaml": b"spec:\n  weight: -1\n  exposeName: A\n"}
    places = [Location(file="f.yaml", span=Span(line, 3, line, 4)) for line in (2, 3)]
    show = excerpts(texts, "utf-8", places[:1])

    assert [show(place)[1:2] for place in places] == [["2 |   weight: -1"], []]
