"""For the tests of whoever uses uplinks: ``pip install 'uplinks[testing]'``.

Rules of this package:

1. Nobody waits: time is virtual, or an event is awaited.
2. What stands here is what this library's own tests use.
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
