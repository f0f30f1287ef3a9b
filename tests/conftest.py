"""What every test may rely on: the profiles of Hypothesis, and both selectors.

Profile ``dev`` (the default) draws fresh examples each time; ``ci`` draws the
same ones on every run; ``instrumented`` fewer of those, for builds whose picks
cost a hundred times as much. None has a deadline: a busy machine is not a bug.
Choose with the environment variable ``HYPOTHESIS_PROFILE``.
"""

from __future__ import annotations

import gc
import os
import sys
from typing import Any

import pytest
from hypothesis import settings

settings.register_profile("dev", deadline=None, print_blob=True)
settings.register_profile("ci", deadline=None, derandomize=True, print_blob=True)
settings.register_profile("instrumented", settings.get_profile("ci"), max_examples=10)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "dev"))


if os.environ.get("UPLINKS_TRACE") == "1":
    # A traced line runs Python code, where another thread could come in between: amid what is one
    # step in any other build. So a thread runs here until it waits.
    sys.setswitchinterval(10**6)


def pytest_collection_finish() -> None:
    """Let the garbage collector look only at what the tests make, not each time at all of them."""
    gc.collect()
    gc.freeze()


# Session scope: Hypothesis refuses function-scoped fixtures, rightly, and a class has no state.
@pytest.fixture(scope="session", params=["compiled", "reference"])
def make_selector(request: pytest.FixtureRequest) -> Any:
    """Return the selector class under test: first the compiled one, then its specification."""
    from uplinks.balance import ReferenceSelector, Selector

    return {"compiled": Selector, "reference": ReferenceSelector}[request.param]
