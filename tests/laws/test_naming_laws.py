"""The laws of names."""

from __future__ import annotations

import difflib

from hypothesis import assume, given
from hypothesis import strategies as st

from uplinks import naming

LABELS = st.from_regex(r"[a-z0-9]([-a-z0-9]{0,20}[a-z0-9])?", fullmatch=True)
UPLINK_NAMES = st.from_regex(r"[a-z0-9]([-a-z0-9.]{0,20}[a-z0-9])?", fullmatch=True)
TEXTS = st.text() | st.text("aB0-._@, \n", max_size=8)


@given(LABELS, LABELS, st.none() | UPLINK_NAMES)
def test_an_uplink_name_is_always_a_valid_one(
    namespace: str, name: str, expose: str | None
) -> None:
    assert naming.problem_with_expose_name(naming.uplink_name(namespace, name, expose)) is None


@given(UPLINK_NAMES, st.none() | LABELS)
def test_a_service_name_splits_into_name_and_provider(uplink: str, child: str | None) -> None:
    if child is None:
        service, name = naming.weighted_service_name(uplink), uplink
    else:
        service, name = naming.child_service_name(uplink, child), f"{uplink}-{child}"

    assert naming.split_service_reference(service) == (name, "multicluster")


@given(st.lists(UPLINK_NAMES, min_size=1, unique=True))
def test_the_annotation_is_read_back_as_written(names: list[str]) -> None:
    text = naming.format_uplinks_annotation(names)

    assert naming.parse_uplinks_annotation(text) == tuple(names)
    assert naming.parse_uplinks_annotation(text.replace(",", " , ")) == tuple(names)


@given(TEXTS)
def test_splitting_never_loses_an_element(text: str) -> None:
    assert len(naming.split_uplinks_annotation(text)) == text.count(",") + 1


@given(TEXTS)
def test_a_reference_joins_again(text: str) -> None:
    name, provider = naming.split_service_reference(text)

    assert text == (name if provider is None else f"{name}@{provider}")


@given(TEXTS)
def test_every_name_is_a_label_is_a_child_name(text: str) -> None:
    if naming.problem_with_name(text) is None:
        assert naming.problem_with_expose_name(text) is None
    if naming.problem_with_expose_name(text) is None:
        assert naming.problem_with_child_name(text) is None


@given(TEXTS)
def test_normalizing_twice_changes_nothing(text: str) -> None:
    once = naming.normalize(text)

    assert naming.normalize(once) == once
    assert not once.startswith("-")
    assert not once.endswith("-")
    assert "--" not in once


@given(TEXTS, st.lists(TEXTS, max_size=6))
def test_the_nearest_is_a_best_candidate_whatever_the_order(name: str, names: list[str]) -> None:
    assume(name)

    found = naming.nearest(name, names)

    assert found == naming.nearest(name, names[::-1])
    ratios = {
        candidate: difflib.SequenceMatcher(
            None, candidate.casefold(), name.casefold(), autojunk=False
        ).ratio()
        for candidate in names
        if candidate != name
    }
    if found is None:
        assert all(ratio < 0.6 for ratio in ratios.values())
    else:
        assert ratios[found] == max(ratios.values())
