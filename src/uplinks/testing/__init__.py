"""Tools for testing a service that uses uplinks: ``pip install 'uplinks[testing]'``.

No tool sleeps: time is virtual, or an event is awaited. This library's own tests
use the same tools. Only `uplinks.testing.strategies` needs Hypothesis, only
`uplinks.testing.grpc_child` grpcio, and only the fixtures pytest.
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
