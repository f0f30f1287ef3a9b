# cython: language_level=3, wraparound=False, cdivision=True, auto_pickle=False, autotestdict=False, freethreading_compatible=True
#
# wraparound, cdivision: subscripts are never negative, and divisors are above 0.
# auto_pickle: a selector is restored from a snapshot, never from its memory.
# Bounds checks are switched in setup.py: off, except in a debug build.
"""The compiled schedulers and selector: the only code that runs for each pick.

Rules of this file and of the files that it includes:

1. They import nothing of this package and know only integers and opaque objects.
   `_wrr_reference` specifies `FairScheduler` and `FailoverScheduler`: the same picks, one by one.
2. Integers only, except in the scores of keyed picks. Every sum and product fits 64 bits:
   weights are below 2**31, indices below 2**20, so a total is below 2**51.
3. No Python code runs between the first and the last step of a change or of a read: no `__hash__`,
   `__eq__` or `__del__`, no weak reference callback, no garbage collection, no other thread. Each operation
   calls what may run Python code first, checks again what that may have changed, and releases references
   last. One lock guards each connected set (`lock.pxi`).
"""

cimport cython
from cpython.list cimport PyList_GET_ITEM
from cpython.sequence cimport PySequence_Fast_ITEMS
from libc.math cimport log
from libc.stdint cimport int64_t, uint8_t, uint32_t, uint64_t
from libc.stdlib cimport free, realloc
from libc.string cimport memcpy, memset

from uplinks._compiled.jobs cimport (
    Job, Moment, begin_job, beginning, closing, divide_product, high_product, next_job,
    opening_of_next, skip_jobs,
)
from uplinks._compiled.windows cimport (
    NONE, WAITS, WITHHELD, First, Windows, awaited, free_windows, nodes_over, opened,
    set_all_windows, set_window, widen_windows,
)

from _thread import RLock
from weakref import ref

cdef extern from *:
    """
    #define UPLINKS_RECORD_LIMIT ((uint64_t) 1 << 20)
    #define UPLINKS_SCALE ((uint64_t) 1 << 59)
    #define UPLINKS_ORIGIN (6 * UPLINKS_SCALE)
    static inline void uplinks_prefetch(const void *p) {
    #if defined(__GNUC__)
        __builtin_prefetch(p, 1);
        /* Without this, GCC removes the call: to it, a function that only prefetches does nothing. */
        __asm__ __volatile__("");
    #else
        (void) p;
    #endif
    }
    #define uplinks_hold_gc() (PY_VERSION_HEX < 0x030C0000 && PyGC_Disable())
    #define uplinks_release_gc(held) ((void) ((held) && PyGC_Enable()))
    #ifdef Py_GIL_DISABLED
    #define UPLINKS_FREE_THREADED 1
    #else
    #define UPLINKS_FREE_THREADED 0
    #endif
    """
    # The longest period, in picks, that is recorded and replayed: 4 MiB.
    const uint64_t RECORD_LIMIT "UPLINKS_RECORD_LIMIT"
    # Units in one of the fair scheduler's virtual time, at most.
    const uint64_t SCALE "UPLINKS_SCALE"
    # Its clock is set back to here once it is a few units of virtual time away: all times are at most
    # five units from the clock, and so between 0 and 16 units: 2**63.
    const uint64_t ORIGIN "UPLINKS_ORIGIN"
    void prefetch "uplinks_prefetch"(const void *p) noexcept nogil
    # CPython 3.11 collects garbage whenever a container is allocated; later versions do so between
    # two instructions of Python code only.
    bint hold_gc "uplinks_hold_gc"() noexcept
    void release_gc "uplinks_release_gc"(bint held) noexcept
    const bint FREE_THREADED "UPLINKS_FREE_THREADED"

cdef extern from "Python.h":
    ctypedef struct TypeSlots "PyTypeObject":
        void *tp_iternext

cdef enum:
    UP = 1
    ALIVE = 2
    CHANGED = 4  # a Python scheduler has not been given this weight yet
    MOST = 1 << 20  # targets
    CACHED = 4096  # targets: up to here, all fit the cache
    AHEAD = 12  # picks: about as long as memory takes to answer
    KEPT = 2  # picks of lead or lag that a weight change keeps
    SHIFT = 4  # picks by which a change may change the debt
    MOST_SLOW = 1 << 30  # the debt is not increased beyond so many half picks


cdef int expect(bint holds, str what) except -1:
    """Raise `ValueError` unless a part of the state is possible."""
    if not holds:
        raise ValueError(f"impossible {what}")
    return 0


cdef list column(dict state, str name, Py_ssize_t size):
    """Read a column of a snapshot: a list with one integer for each index."""
    cdef object found = state[name]
    expect(type(found) is list and len(found) == size, name)
    expect(all([type(item) is int for item in found]), name)
    return found


include "_compiled/scheduler.pxi"
include "_compiled/fair.pxi"
include "_compiled/fair_state.pxi"
include "_compiled/orders.pxi"
include "_compiled/lock.pxi"
include "_compiled/selector.pxi"
include "_compiled/changes.pxi"
include "_compiled/state.pxi"
