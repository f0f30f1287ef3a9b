"""What of a text may be shown, and where its comments are."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from uplinks.cli.source import Source, look_through

SECRET = "s3cr3t"  # noqa: S105 - it is none


def visible(text: str | bytes) -> str:
    source = look_through(text)
    return "\n".join(_line(source, number) for number in range(1, 60)).rstrip()


def _line(source: Source, number: int) -> str:
    line, shown, at = source.line(number), "", 0
    for begin, end in source.hidden(number):
        shown += line[at:begin] + "***"
        at = end
    return shown + line[at:]


@pytest.mark.parametrize(
    "text",
    [
        "headers: {X-Token: s3cr3t}",
        "headers:\n  X-Token: s3cr3t",
        "headers:\n  X-Token: 's3cr3t'",
        "headers:\n  X-Token: |\n    s3cr3t\n    s3cr3t",
        "headers:\n  X-Token:\n    more: {deep: [s3cr3t]}",
        "headers:\n- s3cr3t\n- {name: X, value: s3cr3t}",
        "headers: {s3cr3t}",
        "headers: {Bearer s3cr3t}",
        "headers: {? Bearer s3cr3t : x}",
        "headers: s3cr3t",
        "Headers: {X: s3cr3t}",
        "heders: {X: s3cr3t}",
        "spec:\n  headers:\n   A: x\n  B: s3cr3t",
        "headers:\n  A: x\n B: s3cr3t",
        "headers:\n  A: x\nB: s3cr3t",
        'headers:\n  A: "s3cr3t',
        "headers: {A: s3cr3t",
        "headers:\n  A: *s3cr3t",
        "headers:\n  A: !s3cr3t x",
        "name: &s3cr3t x",
        "address: https://me:s3cr3t@eu.example.com",
        "address: me:s3cr3t@eu.example.com",
        "address: https://eu.example.com/?token=s3cr3t",
        "children: {eu: s3cr3t@eu}",
        "path: /health?token=s3cr3t",
        "match: Header(`X-Token`, `s3cr3t`)",
        "match: Query(`token`, `s3cr3t`)",
        "data: {password: s3cr3t}",
        "stringData:\n  name: s3cr3t",
        "metadata:\n  annotations:\n    other: s3cr3t",
        'metadata:\n  annotations:\n    other: \'{"spec": "s3cr3t"}\'',
        "weight: 5 # s3cr3t",
        "# s3cr3t",
        '{headers: {"X": "s3cr3t"}, "weight": 5}',
        "[" * 200 + "s3cr3t",
        "\t- s3cr3t",
    ],
)
def test_a_secret_is_never_shown(text: str) -> None:
    assert SECRET not in visible(text)
    assert SECRET not in visible(text.encode("utf-16"))
    assert SECRET not in visible(f"kind: Uplink\n---\n{text}\n")


@pytest.mark.parametrize(
    "text",
    [
        "spec:\n  weight: -1\n  wieght:",
        "metadata: {name: api, namespace: apps}",
        "hub:\n  providers:\n    multicluster:\n      children:\n        eu: {address: 'https://eu'}",
        "metadata:\n  annotations:\n    hub.traefik.io/router.uplinks: a, b",
        "services:\n- name: api@multicluster\n  kind: TraefikService",
        "- {name: a, kind: b}",
        "match: Host(`a.example.com`) && PathPrefix(`/api`)",
    ],
)
def test_what_is_no_secret_is_shown(text: str) -> None:
    assert visible(text) == text


def test_behind_what_cannot_be_read_nothing_is_shown() -> None:
    assert visible("name: api\nweight: [1}\nname: 5 @\nx: %y").startswith("name: api\nweight: [1")
    assert "%y" not in visible("name: api\nx: %y\nname: @")


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
    for number in range(-1, 70):
        hidden = source.hidden(number)
        assert hidden == sorted(hidden)
        assert all(0 <= begin < end <= len(source.line(number)) for begin, end in hidden)
        assert all(a[1] < b[0] for a, b in pairwise(hidden))


FIELDS = st.sampled_from(["headers", "Headers", "data", "spec", "weight", "annotations", "x"])
VALUES = st.recursive(
    st.just(SECRET),
    lambda inner: (
        st.lists(inner, min_size=1, max_size=2)
        | st.dictionaries(
            st.sampled_from(["a", "name", "X-Y", "spec"]), inner, min_size=1, max_size=2
        )
    ),
    max_leaves=4,
)


@given(st.lists(FIELDS, max_size=3), VALUES, st.sampled_from([None, True]), st.integers(0, 40))
def test_below_headers_no_value_is_shown(
    fields: list[str],
    value: object,
    style: bool | None,  # noqa: FBT001 - drawn, not passed
    cut: int,
) -> None:
    import yaml

    tree: object = {"headers": value}
    for field in fields:
        tree = {field: tree}
    text = yaml.safe_dump(tree, default_flow_style=style)

    assert SECRET not in visible(text)
    assert SECRET not in visible(text[: len(text) - cut])


def test_no_more_is_looked_through_than_is_read() -> None:

    few, many = (look_through("entryPoints:\n" + "- a\n" * n + "# b") for n in (9, 300_001))

    assert [comment.text for comment in few.comments()] == ["# b"]
    assert few.hidden(10) == []
    assert many.hidden(300_002) == [(0, 3)]
