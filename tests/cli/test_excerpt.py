from __future__ import annotations

import sys
from types import FrameType

import pytest

from uplinks.cli.excerpt import WIDTH, excerpts
from uplinks.diagnostics import Location, Span


def shown(
    text: str | bytes,
    line: int,
    column: int,
    end: int | None = None,
    *,
    encoding: str = "utf-8",
    path: str = "$",
) -> list[str]:
    data = text.encode() if isinstance(text, str) else text
    span = Span(line, column, line, column + 1 if end is None else end)
    return excerpts({"f": data}, encoding)(Location(file="f", span=span, path=path))


WEIGHT, NAME, POINT = "$.spec.weight", "$.metadata.name", "$.spec.entryPoints[0]"


@pytest.mark.parametrize(
    ("text", "place", "path", "lines"),
    [
        ("spec:\n  weight: -1\n", (2, 11, 13), WEIGHT, ["  weight: -1", "          ^^"]),
        ("spec:\r\n  weight: -1\r\n", (2, 11, 13), WEIGHT, ["  weight: -1", "          ^^"]),
        ("spec:\r  weight: -1", (2, 11, 13), WEIGHT, ["  weight: -1", "          ^^"]),
        ("\ufeffweight: -1", (1, 9, 11), WEIGHT, ["weight: -1", "        ^^"]),
        ('{\t"weight": -1}', (1, 13, 15), WEIGHT, ['{    "weight": -1}', " " * 15 + "^^"]),
        ("name: 日本", (1, 7, 9), NAME, ["name: 日本", "      ^^^^"]),
        ("name: e\u0301e", (1, 7, 10), NAME, ["name: e\u0301e", "      ^^"]),
        ("weight: 5", (1, 10, 10), WEIGHT, ["weight: 5", "         ^"]),
        ("weight: 5", (1, 1, 99), WEIGHT, ["weight: 5", "^^^^^^^^^"]),
        ("- 日本: api", (1, 7, 10), NAME, ["- ***: ***", "       ^^^"]),
    ],
)
def test_the_caret_is_below_the_range(
    text: str, place: tuple[int, int, int], path: str, lines: list[str]
) -> None:
    number = place[0]

    excerpt = shown(text, *place, path=path)

    assert excerpt == ["  |", f"{number} | {lines[0]}", f"  | {lines[1]}"]


def test_many_lines_are_shown_by_their_first() -> None:
    excerpt = excerpts({"f": b"spec:\n  weight: -1\n"}, "utf-8")

    assert excerpt(Location(file="f", span=Span(1, 1, 2, 13)))[1:] == ["1 | spec:", "  | ^^^^^"]


@pytest.mark.parametrize(
    ("text", "line"),
    [("", 1), ("a: 1\n\n", 2), ("a: 1\n", 9), (b"\xff", 1), ("   \n", 1)],
)
def test_an_empty_line_has_no_excerpt(text: str | bytes, line: int) -> None:
    assert shown(text, line, 1) == []


def test_a_file_that_was_not_read_has_no_excerpt() -> None:
    assert excerpts({}, "utf-8")(Location(file="f")) == []


@pytest.mark.parametrize("at", [1, 60, 150, 295])
def test_a_long_line_is_cut_around_the_caret(at: int) -> None:
    text = "," * at + "abc" + "," * (300 - at)

    _, line, caret = shown(text, 1, at + 1, at + 4, path=POINT)

    line, caret = line.removeprefix("1 | "), caret.removeprefix("  | ")
    assert len(line) <= WIDTH + 6
    start = caret.index("^")
    assert line[start : start + 3] == "abc"
    assert caret.count("^") == 3
    assert line.startswith("...") == (at > 50)
    assert line.endswith("...") == (at < 250)


def test_a_range_past_the_cut_is_underlined_to_the_cut() -> None:
    _, line, caret = shown("name: " + "x" * 1000, 1, 7, 1007, path=NAME)

    assert len(caret) - len("  | ") <= WIDTH
    assert caret.count("^") == WIDTH - 6
    assert line.endswith("...")


def test_wide_characters_are_counted_when_a_line_is_cut() -> None:
    _, line, caret = shown("name: " + "日" * 200, 1, 7, 207, path=NAME)

    assert line.removeprefix("1 | ") == "name: " + "日" * 47 + "..."
    assert caret.count("^") == 2 * 47


def test_characters_that_the_terminal_cannot_show_are_escaped_and_counted() -> None:
    _, line, caret = shown("name: öx", 1, 7, 9, encoding="ascii", path=NAME)

    assert line == "1 | name: \\xf6x"
    assert caret == "  | " + " " * 6 + "^^^^^"


def test_a_control_character_does_not_reach_the_terminal() -> None:
    _, line, caret = shown("name: \u202ex", 1, 7, 9, path=NAME)

    assert line == "1 | name: \\u202ex"
    assert caret == "  | " + " " * 6 + "^" * 7


def test_a_secret_is_masked_and_the_caret_keeps_its_place() -> None:
    text = "{headers: {X-Token: s3cr3t}, weight: -1}"

    assert shown(text, 1, 38, 40) == [
        "  |",
        "1 | {headers: {***: ***}, weight: -1}",
        "  |                               ^^",
    ]
    assert shown(text, 1, 12, 19, path="$.spec.healthCheck.headers.X-Token") == [
        "  |",
        "1 | {headers: {***: ***}, weight: -1}",
        "  |            ^^^",
    ]
    assert shown(text, 1, 12, 19, path='$.spec.healthCheck.headers["X-Token"]') == [
        "  |",
        "1 | {headers: {X-Token: ***}, weight: -1}",
        "  |            ^^^^^^^",
    ]
    assert shown(text, 1, 21, 27)[2] == "  | " + " " * 16 + "^^^"


def test_the_cost_of_a_line_does_not_depend_on_its_length() -> None:
    texts = {"f.yaml": ("entryPoints: [" + "é, " * 100_000 + "]").encode()}
    show = excerpts(texts, "utf-8")
    place = Location(file="f.yaml", span=Span(1, 1500, 1, 1501), path=POINT)
    show(place)
    calls = 0

    def count(frame: FrameType, event: str, _: object) -> None:
        nonlocal calls
        calls += event == "call"

    before = sys.getprofile()
    sys.setprofile(count)
    try:
        lines = show(place)
    finally:
        sys.setprofile(before)

    assert calls < 20 * WIDTH
    assert lines[1] == "1 | ..." + "***, " * 10 + "é, " + "***, " * 9 + "..."
    assert lines[2].count("^") == 1


def test_of_a_long_line_only_a_part_is_laid_out() -> None:
    secret = "{headers: {X-Token: " + "s" * 1000 + "}, weight: -1}" + " " * 1000

    assert shown(secret, 1, 1031, 1033) == [
        "  |",
        "1 | ...***}, weight: -1}" + " " * 83 + "...",
        "  | " + " " * 16 + "^^",
    ]
