"""Tools for the tests of programs that use uplinks: ``pip install 'uplinks[testing]'``.

Rules of this package:

1. No test sleeps: time is virtual, or an event is awaited.
2. Everything here is also used by this library's own tests.
3. Only `uplinks.testing.strategies` needs Hypothesis, only `uplinks.testing.grpc_child`
   grpcio, and only fixtures pytest.
"""

from uplinks.testing._child import Condition, FakeChild
from uplinks.testing._clock import VirtualLoop, in_virtual_time
from uplinks.testing._prober import HANG, After, ScriptedProber, Step

__all__ = [
    "HANG",
    "After",
    "Condition",
    "FakeChild",
    "ScriptedProber",
    "Step",
    "VirtualLoop",
    "in_virtual_time",
]
