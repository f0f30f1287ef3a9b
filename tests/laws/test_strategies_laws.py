"""What the strategies promise of what they draw."""

from __future__ import annotations

import attrs
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from uplinks import check, check_manifests, model
from uplinks.diagnostics import Severity
from uplinks.model import Fleet
from uplinks.testing.strategies import broken_fleets, broken_manifests, fleets, manifests, values


def errors(text: str) -> set[str]:
    found = check_manifests(text).diagnostics
    return {finding.code for finding in found if finding.severity is Severity.ERROR}


@given(manifests())
def test_valid_manifests_have_no_error(text: str) -> None:
    assert errors(text) == set()


@given(broken_manifests())
def test_broken_manifests_have_the_one_error_they_name(drawn: tuple[str, str]) -> None:
    text, code = drawn
    assert errors(text) == {code}


@given(fleets())
def test_valid_fleets_have_no_error(fleet: Fleet) -> None:
    assert check(fleet).ok


@given(broken_fleets())
def test_broken_fleets_have_the_error_they_name(drawn: tuple[Fleet, str]) -> None:
    fleet, code = drawn
    found = check(fleet).diagnostics
    assert {each.code for each in found if each.severity is Severity.ERROR} == {code}


CLASSES = [
    each
    for each in map(vars(model).get, model.__all__)
    if isinstance(each, type) and attrs.has(each)
]


# Whether what is drawn is valid, is for the laws above to say.
@pytest.mark.parametrize("kind", CLASSES)
@settings(max_examples=10)
@given(st.data())
def test_every_class_of_the_model_has_values(kind: type, data: st.DataObject) -> None:
    assert type(data.draw(values(kind))) is kind
