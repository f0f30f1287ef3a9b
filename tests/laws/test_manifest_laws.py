"""The laws of reading: total, placed, faithful."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

import yaml
from hypothesis import example, given
from hypothesis import strategies as st

from uplinks.diagnostics import Span
from uplinks.located import LocatedList, LocatedMap
from uplinks.manifest import Limits, read
from uplinks.manifest._scalars import resolve

BREAK = re.compile("\r\n|[\n\r\x85\u2028\u2029]")

# Pieces that YAML has a meaning for: joined at random they go further than random characters.
PIECES = st.sampled_from(
    [*"[]{},:?-|>&*!%@#'\"\\ \n\t\r~0_.<é😀\ufeff\x00\x85\u2028\ud800", ": ", "- ", "? ", "\n  ",
     "---\n", "...\n", "%TAG ! x", "%YAML 1.1\n", "a", "a: ", "yes", "012", "<<: ", "&a ", "*a ",
     "!!str ", "!t ", "!%ED%A0%80 ", "\\ud83d", "\\ude00", "\\x", '"a": ', "1:30", "null",
     "9" * 700]
)  # fmt: skip
HOSTILE = st.one_of(
    st.text(st.characters(exclude_categories=())),
    st.lists(PIECES, max_size=40).map("".join),
    st.binary(),
    st.lists(PIECES, max_size=20).map(lambda p: "".join(p).encode("utf-16", "surrogatepass")),
)


def spans(value: Any) -> Iterator[Span]:
    if isinstance(value, LocatedMap):
        assert value.marks.keys() == value.keys()
        yield value.span
        for key, child in value.items():
            yield from value.marks[key]
            yield from spans(child)
    elif isinstance(value, LocatedList):
        assert len(value.marks) == len(value)
        yield value.span
        for mark, child in zip(value.marks, value, strict=True):
            yield mark
            yield from spans(child)


def offset(text: str, line: int, column: int) -> int:
    """Where a place is in a text; the place must lie within it."""
    starts = [0, *(match.end() for match in BREAK.finditer(text))]
    assert 1 <= line <= len(starts)
    at = starts[line - 1] + column - 1
    assert starts[line - 1] <= at <= (starts[line] if line < len(starts) else len(text))
    return at


def cut(text: str, span: Span) -> str:
    start = offset(text, span.line, span.column)
    end = offset(text, span.end_line, span.end_column)
    assert start <= end
    return text[start:end]


def text_of(data: bytes | str) -> str:
    if isinstance(data, bytes):
        utf16 = data[:2] in (b"\xff\xfe", b"\xfe\xff")
        data = data.decode("utf-16" if utf16 else "utf-8", "replace")
    return data.removeprefix("\ufeff")


@given(HOSTILE)
@example("? a")
@example("---")
@example("a: |\n  x")
@example('"\\ud83d\\ude00')
def test_no_text_raises_and_every_place_lies_within_it(data: bytes | str) -> None:
    reading = read(data)

    text = text_of(data)
    for document in reading.documents:
        cut(text, document.span)
        for span in spans(document.root):
            cut(text, span)
    for diagnostic in reading.diagnostics:
        cut(text, diagnostic.location.span)
        for related in diagnostic.related:
            cut(text, related.location.span)


@given(
    HOSTILE,
    st.builds(
        Limits,
        size=st.integers(0, 100),
        depth=st.integers(0, 3),
        nodes=st.integers(0, 9),
        documents=st.integers(0, 3),
        key=st.integers(0, 3),
        directives=st.integers(0, 1),
        findings=st.integers(0, 3),
    ),
)
def test_no_limit_raises_and_at_most_one_is_passed(data: bytes | str, limits: Limits) -> None:
    reading = read(data, limits=limits)

    codes = [diagnostic.code for diagnostic in reading.diagnostics]
    assert "UPL004" not in codes[:-1]
    assert len(codes) <= limits.findings + 1


# No private characters: beside them, escaped surrogate pairs are refused. No U+0085: PyYAML writes
# it as it is, and reads it as a line end. No long ones: YAML ends a key at 1024 written characters.
TEXT = st.text(
    st.characters(exclude_categories=("Cs", "Co"), exclude_characters="\x85"), max_size=50
)
# PyYAML writes other booleans and numbers of Kubernetes (`n`, `0o7`) without quotes.
ODD = ("yes", "on", "null", "~", "", "12", "1.5", "0x10", "012")
PLAIN = TEXT.filter(lambda text: type(resolve(text)) is str)
FLOATS = st.floats(allow_nan=False, allow_infinity=False)
# Kubernetes reads longer integers as floating-point numbers.
INTEGERS = st.integers(-(2**63), 2**64 - 1)


def trees(text: st.SearchStrategy[str]) -> st.SearchStrategy[Any]:
    return st.recursive(
        st.none() | st.booleans() | INTEGERS | FLOATS | text,
        lambda inner: st.lists(inner, max_size=4) | st.dictionaries(text, inner, max_size=4),
        max_leaves=20,
    )


@given(
    trees(TEXT | st.sampled_from(ODD)),
    st.sampled_from([None, 1, "\t"]),
    st.sampled_from([(",", ":"), (", ", ": ")]),
)
@example({"😀": "😀\\ud83d"}, None, (",", ":"))
def test_what_json_writes_is_read_back(
    tree: Any, indent: int | str | None, separators: tuple[str, str]
) -> None:
    reading = read(json.dumps(tree, indent=indent, separators=separators))

    assert reading.diagnostics == ()
    assert [document.root for document in reading.documents] == [tree]


# PyYAML writes floats as YAML 1.1 does (`1.0e+20`), which JSON reads too.
@given(
    st.lists(trees(PLAIN | st.sampled_from(ODD)), min_size=1, max_size=3),
    st.fixed_dictionaries(
        {"default_flow_style": st.sampled_from([None, True, False]), "allow_unicode": st.booleans()}
    ),
)
def test_what_yaml_writes_is_read_back(
    trees: list[Any],
    style: dict[str, Any],
) -> None:
    reading = read(yaml.safe_dump_all(trees, explicit_start=True, **style))

    assert reading.diagnostics == ()
    assert [document.root for document in reading.documents] == trees


WORD = st.text(st.sampled_from("abcxzé😀-_./"), min_size=1).filter(
    lambda word: word[0] not in "-_./"
)


@given(
    st.dictionaries(WORD, st.lists(WORD | INTEGERS | st.booleans(), min_size=1), min_size=1),
    st.sampled_from(["\n", "\r\n", "\r", "\u2028"]),
    st.sampled_from(["", "\ufeff"]),
)
def test_the_source_at_a_scalars_place_is_the_scalar(
    tree: dict[str, list[Any]], newline: str, mark: str
) -> None:
    def written(value: Any) -> str:
        return str(value).lower() if isinstance(value, bool) else str(value)

    text = newline.join(
        line
        for key, values in tree.items()
        for line in (f"{key}: # {key}", *(f"  -   {written(value)} # end" for value in values))
    )

    [document] = read(mark + text).documents

    assert document.root == tree
    for key, values in document.root.items():
        key_span, value_span = document.root.marks[key]
        assert cut(text, key_span) == key
        assert value_span == values.span
        assert [cut(text, span) for span in values.marks] == [written(value) for value in values]
        assert cut(text, value_span).startswith("-   ")
        assert cut(text, value_span).endswith(written(values[-1]))
