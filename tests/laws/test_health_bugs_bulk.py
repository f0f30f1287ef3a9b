"""The search of all states catches each bug that `test_health_bugs` plants."""

from __future__ import annotations

import pytest
from tests.laws import test_health_exhaustive as exhaustive
from tests.laws.test_health_bugs import BUGS

from uplinks.health import Health


@pytest.mark.parametrize("bug", BUGS, ids=lambda bug: bug.__name__)
def test_the_search_catches_it(bug: type[Health]) -> None:
    with pytest.raises((AssertionError, KeyError)):
        exhaustive.search_all(kind=bug)
