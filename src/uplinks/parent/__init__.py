"""A parent at work: advertisements in, selectors out. Still no I/O and no clock.

Rules of this package:

1. A refused call changes nothing.
2. A selector keeps its identity as long as the parent lives.
3. A target's state survives a new advertisement. Only a changed address makes
   a child service unknown again, which means up.
4. A child service is picked only while its checks and `Parent.set_up` both say
   up; in a weighted service in panic, while `Parent.set_up` does.
5. Time is an argument, in nanoseconds of a monotonic clock, and never runs
   backwards inside.
"""

from __future__ import annotations

from uplinks._leases import Lease
from uplinks.parent._attempts import Attempt, Attempts
from uplinks.parent._engine import Target
from uplinks.parent._events import EventStream
from uplinks.parent._parent import Parent
from uplinks.parent._sources import ChildAddress
from uplinks.parent._watch import Endpoint

__all__ = [
    "Attempt",
    "Attempts",
    "ChildAddress",
    "Endpoint",
    "EventStream",
    "Lease",
    "Parent",
    "Target",
]
