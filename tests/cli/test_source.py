"""The lines and the comments of a text."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from uplinks.cli.source import look_through


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r", "\x85", "\u2028", "\u2029"])
def test_lines_are_counted_from_one(end: str) -> None:
    lines = look_through(f"\ufeffa: 1{end}{end}b: 2")

    assert [lines.line(number) for number in range(-1, 6)] == ["", "", "a: 1", "", "b: 2", "", ""]


def test_bytes_are_decoded_as_a_reader_decodes_them() -> None:
    assert look_through("a: ö".encode("utf-16")).line(1) == "a: ö"
    assert look_through(b"a: \xff").line(1) == "a: "


def test_comments_know_where_they_are() -> None:
    text = (
        "# one\n"
        "a: 'b # no' # two\n"
        "c: | # three\n"
        "  # no\n"
        "  d\n"
        "# four\n"
        "e: f#no\n"
        'g: "# no\n'
        '  # no" # five # still five\n'
        "h: [ # six\n"
        "  # seven\n"
        "]\n"
        "---\n"
        "%x # no\n"
    )

    comments = list(look_through(text).comments())

    assert [(c.text, c.line, c.column, c.alone, c.head) for c in comments[:7]] == [
        ("# one", 1, 1, True, True),
        ("# two", 2, 13, False, False),
        ("# three", 3, 6, False, False),
        ("# four", 6, 1, True, False),
        ("# five # still five", 9, 9, False, False),
        ("# six", 10, 6, False, False),
        ("# seven", 11, 3, True, False),
    ]


def test_the_head_ends_with_the_first_document() -> None:
    heads = [c.head for c in look_through("# a\n%YAML 1.1\n# b\n---\n# c\nd: e\n").comments()]

    assert heads == [True, True, False]


@given(st.text(alphabet="#'\"|>[]{}:,-? \n\r\t\u2028ab&*!%\\\ufeff", max_size=60))
def test_any_text_can_be_looked_through(text: str) -> None:
    source = look_through(text)

    for comment in source.comments():
        line = source.line(comment.line)
        assert line[comment.column - 1 :] == comment.text
        assert comment.text.startswith("#")


def test_no_more_is_parsed_than_a_reader_takes() -> None:

    few, many = ("entryPoints:\n" + "- a\n" * n + "- 'b # c'" for n in (9, 300_001))

    assert list(look_through(few).comments()) == []
    assert [comment.text for comment in look_through(many).comments()] == ["# c'"]
