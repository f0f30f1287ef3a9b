"""How much the tests draw: the Hypothesis profiles, chosen with ``HYPOTHESIS_PROFILE``.

============  ========  ====================================================
profile       examples  use
============  ========  ====================================================
default             25  ``make test``: new random examples on every run, and
                        representative cases of the largest matrices
ci                 100  ``.ci/run``: the same examples on every run, and the
                        test files named ``test_*_bulk.py``
instrumented        10  builds of the selector that are a hundred times slower
============  ========  ====================================================

No profile has a deadline, because a busy machine is not a defect.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from typing import Final, TypeVar

from hypothesis import settings

__all__ = ["NAME", "load", "representative", "scaled"]

Case = TypeVar("Case")

NAME: Final = os.environ.get("HYPOTHESIS_PROFILE", "default")
EXAMPLES: Final = {"default": 25, "ci": 100, "instrumented": 10}


def load() -> None:
    """Load the chosen profile, before any test module is imported."""
    for name, examples in EXAMPLES.items():
        settings.register_profile(
            name,
            max_examples=examples,
            derandomize=name != "default",
            deadline=None,
            print_blob=True,
        )
    settings.load_profile(NAME)


def scaled(count: int) -> int:
    """Scale a number of examples, seeds or mutations to the profile; ``ci`` takes all of them."""
    return max(1, count * EXAMPLES[NAME] // EXAMPLES["ci"])


def representative(cases: Iterable[Case], chosen: Callable[[Case], bool]) -> list[Case]:
    """Return the chosen cases in the default profile, and all of them in every other one."""
    return [case for case in cases if NAME != "default" or chosen(case)]
