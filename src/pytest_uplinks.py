"""The fixtures of `uplinks.testing`, for pytest.

Rules of this file:

1. It stands outside the package: pytest imports it in every run, and neither
   time nor coverage may be lost where no fixture is used. So fixtures import.
"""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Iterator
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from uplinks.testing import FakeChild, ScriptedProber, VirtualLoop
    from uplinks.testing.grpc_child import FakeGrpcChild


@pytest.fixture
def uplinks_loop() -> Iterator[VirtualLoop]:
    """A loop with virtual time; it is closed after the test."""
    from uplinks.testing import VirtualLoop  # noqa: PLC0415 - rule 1

    loop = VirtualLoop()
    yield loop
    loop.close()


@pytest.fixture
def uplinks_run(uplinks_loop: VirtualLoop) -> Callable[[Coroutine[Any, Any, Any]], Any]:
    """Run a coroutine to its end in `uplinks_loop`."""
    from uplinks.testing import in_virtual_time  # noqa: PLC0415 - rule 1

    return lambda main: in_virtual_time(main, uplinks_loop)


@pytest.fixture
def uplinks_prober() -> ScriptedProber:
    """A prober that passes until it is given a script."""
    from uplinks.testing import ScriptedProber  # noqa: PLC0415 - rule 1

    return ScriptedProber()


@pytest.fixture
def uplinks_child() -> Callable[[str], FakeChild]:
    """Make a child on the loopback; enter it with ``async with``."""
    from uplinks.testing import FakeChild  # noqa: PLC0415 - rule 1

    return FakeChild


@pytest.fixture
def uplinks_grpc_child() -> Callable[[str], FakeGrpcChild]:
    """Make a child on the loopback that is asked over gRPC; enter it with ``async with``."""
    from uplinks.testing.grpc_child import FakeGrpcChild  # noqa: PLC0415 - rule 1

    return FakeGrpcChild
