"""The pytest plugin with the fixtures of `uplinks.testing`.

Pytest imports this module in every run, so it is outside the package and each
fixture imports what it needs: runs without them lose no time and no coverage.
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
    """An event loop with virtual time, closed after the test."""
    from uplinks.testing import VirtualLoop  # noqa: PLC0415 - imported on use

    loop = VirtualLoop()
    yield loop
    loop.close()


@pytest.fixture
def uplinks_run(uplinks_loop: VirtualLoop) -> Callable[[Coroutine[Any, Any, Any]], Any]:
    """A function that runs a coroutine to completion in `uplinks_loop`."""
    from uplinks.testing import in_virtual_time  # noqa: PLC0415 - imported on use

    return lambda main: in_virtual_time(main, uplinks_loop)


@pytest.fixture
def uplinks_prober() -> ScriptedProber:
    """A prober that passes every probe until it is given a script."""
    from uplinks.testing import ScriptedProber  # noqa: PLC0415 - imported on use

    return ScriptedProber()


@pytest.fixture
def uplinks_child() -> Callable[[str], FakeChild]:
    """The class of a fake child on the loopback interface; enter it with ``async with``."""
    from uplinks.testing import FakeChild  # noqa: PLC0415 - imported on use

    return FakeChild


@pytest.fixture
def uplinks_grpc_child() -> Callable[[str], FakeGrpcChild]:
    """The class of a fake child that answers gRPC probes; enter it with ``async with``."""
    from uplinks.testing.grpc_child import FakeGrpcChild  # noqa: PLC0415 - imported on use

    return FakeGrpcChild
