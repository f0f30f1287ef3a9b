"""Tests with a real Traefik, where a ``traefik`` is on the PATH.

With the environment variable ``UPLINKS_TRAEFIK=required``, as `make test-traefik`
sets it where it finds one, they fail without it instead of being skipped.
"""

from __future__ import annotations

import os

import pytest
from tests.traefik.driver import program


@pytest.fixture(scope="session", autouse=True)
def installed() -> None:
    """Skip what needs Traefik where it is not installed."""
    if program() is None:
        why = "traefik is not on the PATH: put a binary of open-source Traefik 3.7 there"
        if os.environ.get("UPLINKS_TRAEFIK") == "required":
            pytest.fail(why)
        pytest.skip(why)
