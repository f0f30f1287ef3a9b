"""The schedulers and the selector in plain Python: specification and oracle.

Rules of this package:

1. It is written to be read. Every pick looks at every target: O(n), and slow.
2. It makes the same decisions as the compiled `_wrr`, pick for pick, and tests compare the two.
3. It imports nothing of `uplinks` and knows only integers and opaque objects. The face
   (`balance`) names the failures.
"""

from __future__ import annotations

from uplinks._wrr_reference.fair import RECORD_LIMIT, FairScheduler
from uplinks._wrr_reference.hashing import stable_hash
from uplinks._wrr_reference.orders import FailoverScheduler, ForeignScheduler, RandomScheduler
from uplinks._wrr_reference.scheduler import Scheduler
from uplinks._wrr_reference.selector import Selector

__all__ = [
    "RECORD_LIMIT",
    "FailoverScheduler",
    "FairScheduler",
    "ForeignScheduler",
    "RandomScheduler",
    "Scheduler",
    "Selector",
    "stable_hash",
]
