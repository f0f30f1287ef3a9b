"""Laws of fixes: an edit changes its line only, breaks nothing, and is needed once."""

from __future__ import annotations

from collections.abc import Sequence

from hypothesis import given
from hypothesis import strategies as st

from uplinks import check_manifests
from uplinks.adapters.files import Texts, load_stream
from uplinks.cli import fixes
from uplinks.cli.findings import catalogue
from uplinks.cli.formats import Result
from uplinks.cli.inputs import Place, make_place
from uplinks.diagnostics import Report, Severity
from uplinks.manifest import UNREAD
from uplinks.rules import check_cluster
from uplinks.testing.strategies import broken_manifests

NAME = "a.yaml"
DAMAGE = st.sampled_from(
    [
        "wieght: 5",
        "weight: '5'",
        "timeout: 10 s",
        'x: "',
        "? ",
        "- ",
        "exposName: a",
        "<<: *a",
        "\ufeff",
    ]
)


def judge(places: Sequence[Place]) -> Result:
    found = [d for place in places for each in place.clusters for d in check_cluster(each)]
    return Result(Report(found), catalogue(), {})


def fixed(text: bytes) -> tuple[bytes, fixes.Fixed]:
    place = make_place(lambda texts: load_stream(text, NAME, texts=texts), Texts())
    done = fixes.fix([place], judge([place]), judge)
    return done.places[0].texts[NAME], done


def check(text: bytes) -> None:
    new, done = fixed(text)
    before, after = text.split(b"\n"), new.split(b"\n")
    changed = {at for at, (a, b) in enumerate(zip(before, after, strict=True), 1) if a != b}

    assert changed <= {edit.span.line for edit in done.edits}
    unread = [sum(d.code in UNREAD for d in check_manifests(each)) for each in (text, new)]
    assert unread[1] <= unread[0]
    assert fixed(new)[0] == new


@given(broken_manifests())
def test_fixing_a_mistake_breaks_nothing_and_is_needed_once(drawn: tuple[str, str]) -> None:
    check(drawn[0].encode())


@given(broken_manifests("UPL005", "UPL006", "UPL008", "UPL201"), st.data())
def test_so_does_fixing_a_damaged_text(drawn: tuple[str, str], data: st.DataObject) -> None:
    lines = drawn[0].split("\n")
    at = data.draw(st.integers(0, len(lines)))
    indent = " " * data.draw(st.integers(0, 4))
    lines.insert(at, indent + data.draw(DAMAGE))

    check("\n".join(lines).encode())


@given(broken_manifests("UPL005"))
def test_a_misspelt_field_is_an_error_before_and_none_after(drawn: tuple[str, str]) -> None:
    new, done = fixed(drawn[0].encode())

    assert done.edits
    left = [d for d in check_manifests(new) if d.code == "UPL005"]
    assert [d for d in left if d.severity is Severity.ERROR and d.fix is not None] == []
