"""What the strategies promise of what they draw."""

from __future__ import annotations

from hypothesis import given

from uplinks import check_manifests
from uplinks.diagnostics import Severity
from uplinks.testing.strategies import broken_manifests, manifests


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
