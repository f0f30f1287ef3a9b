"""Load the Hypothesis profile and provide both selectors to the tests."""

from __future__ import annotations

import gc
import os
import sys
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests import profiles

profiles.load()

if os.environ.get("UPLINKS_TRACE") == "1":
    # The tracer runs Python code in sections that no thread can interrupt in other builds, so
    # a thread keeps the interpreter until it waits.
    sys.setswitchinterval(10**6)


def pytest_ignore_collect(collection_path: Path) -> bool | None:
    """Leave bulk tests to the ``ci`` profile, unless their file is named on the command line."""
    bulk = collection_path.name.endswith("_bulk.py")
    return True if bulk and profiles.NAME != "ci" else None


def pytest_collection_finish() -> None:
    """Run a Hypothesis test before the first freeze.

    The first one of a thread searches the heap for a reference to its random generator, and on
    Python 3.14 it finds none in frozen objects.
    """

    @settings(max_examples=1, database=None)
    @given(st.none())
    def first(_: None) -> None:
        pass

    first()


@pytest.fixture(scope="module", autouse=True)
def freeze() -> None:
    """Collect the garbage of earlier modules, and exclude the rest from later collections.

    Some tests collect thousands of times, and would walk every module and test each time.
    """
    gc.collect()
    gc.freeze()


# Session scope: Hypothesis refuses function-scoped fixtures, and a class has no state.
@pytest.fixture(scope="session", params=["compiled", "reference"])
def make_selector(request: pytest.FixtureRequest) -> Any:
    """Return the selector class under test: first the compiled one, then its specification."""
    from uplinks.balance import ReferenceSelector, Selector

    return {"compiled": Selector, "reference": ReferenceSelector}[request.param]
