"""The schedulers and the selector in plain Python: specification and oracle.

Rules of this file:

1. It is written to be read. Every pick looks at every target: O(n), and slow.
2. It makes the same decisions as the compiled `_wrr`, pick for pick, and the
   tests hold the two against each other. Where they differ, one is wrong.
3. It imports nothing of this package, and knows only integers and opaque
   objects. What a failure is called is the face's business (`balance`).
"""

from __future__ import annotations

from uplinks._wrr_reference.fair import RECORD_LIMIT, FairScheduler
from uplinks._wrr_reference.orders import (
    EdfScheduler,
    FailoverScheduler,
    ForeignScheduler,
    RandomScheduler,
    SmoothScheduler,
)
from uplinks._wrr_reference.scheduler import Scheduler
from uplinks._wrr_reference.selector import Selector

__all__ = [
    "RECORD_LIMIT",
    "EdfScheduler",
    "FailoverScheduler",
    "FairScheduler",
    "ForeignScheduler",
    "RandomScheduler",
    "Scheduler",
    "Selector",
    "SmoothScheduler",
]
