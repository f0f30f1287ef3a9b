# The C-level face of the schedulers, for embedding by `cimport uplinks._wrr`.
#
# `add` returns an index, `change` sets its weight and whether it may be picked, `next_index` returns
# the next one (-1: none may be picked; -2: see `failure`, only where Python code decides). The last
# two need no GIL; a caller without it makes sure that nothing else uses the scheduler meanwhile.

cimport cython
from libc.stdint cimport int64_t, uint8_t, uint32_t, uint64_t

from uplinks._compiled.jobs cimport Job, Moment, Pace
from uplinks._compiled.windows cimport Windows


cdef class Scheduler:
    cdef readonly Py_ssize_t size       # indices handed out so far, vacant ones included
    cdef Py_ssize_t room                # indices that fit the memory; a multiple of four
    cdef Py_ssize_t alive               # indices that are not vacant
    cdef Py_ssize_t members             # eligible indices
    cdef uint64_t total                 # the sum of their weights
    cdef Py_ssize_t vacant              # the index removed last, -1 if there is none
    cdef Py_ssize_t likely              # an index that probably comes next; a hint
    cdef size_t extra                   # bytes that the order keeps for each index
    cdef bint taken                     # a selector picks from it
    cdef uint32_t *weight
    cdef uint8_t *flags
    cdef uint64_t *made                 # picks, without those that `counts` adds; next vacant index + 1
    cdef object failure                 # what Python code raised, for the caller to raise
    # A replay, which only the fair order has; here, so that reading it needs no call.
    cdef bint replaying                 # `table` holds the whole period
    cdef uint32_t *table                # the indices of a recorded period
    cdef uint64_t period                # picks after which the order repeats; 0: never, or none
    cdef uint64_t at                    # picks made in this period
    cdef uint64_t laps                  # periods replayed since the last change

    cdef int reserve(self, Py_ssize_t room) except -1
    cdef int reserve_one(self) except -1
    cdef Py_ssize_t add(self) except -1
    cdef void remove(self, Py_ssize_t i) noexcept nogil
    cdef void change(self, Py_ssize_t i, uint32_t weight, bint up) noexcept nogil
    cdef uint32_t share(self, Py_ssize_t i) noexcept nogil
    cdef Py_ssize_t decide(self) noexcept nogil
    cdef int extend(self, Py_ssize_t old, Py_ssize_t new) except -1
    cdef void appear(self, Py_ssize_t i) noexcept nogil
    cdef void prepare_change(self) noexcept nogil
    cdef void changed(self, Py_ssize_t i, uint32_t before) noexcept nogil
    cdef list counts(self)
    cdef size_t memory(self)
    cdef dict state(self)
    cdef int load(self, dict state) except -1
    cdef int check(self) except -1

    @cython.final
    cdef inline bint eligible(self, Py_ssize_t i) noexcept nogil:
        return self.flags[i] & 3 == 3 and self.weight[i] > 0

    @cython.final
    cdef inline Py_ssize_t next_index(self) noexcept nogil:
        cdef Py_ssize_t i
        if not self.replaying:
            return self.decide()
        i = self.table[self.at]
        self.at += 1
        if self.at == self.period:
            self.at = 0
            self.laps += 1
        return i


@cython.final
cdef class FairScheduler(Scheduler):
    cdef uint64_t clock         # whole units; clock_rest / total more
    cdef uint64_t clock_rest
    cdef uint64_t debt          # at most one pick of the debt, times scale
    cdef uint64_t slow          # half picks that the debt is more: it is slow picks of a period that pay them
    cdef uint64_t tick          # scale // total
    cdef uint64_t tick_rest     # scale % total
    cdef uint64_t divisor       # the gcd of the eligible weights
    cdef uint32_t *divisors     # its tree
    cdef uint32_t stamp         # the number of this period
    cdef uint32_t last_withheld # 1 + the index withheld last until the period ends; 0: none is
    cdef bint pristine          # all targets were exactly on schedule when this period started
    cdef bint stale             # to be laid out anew before the next pick
    cdef bint recording         # `table` receives this period
    cdef uint64_t recordable    # entries that fit the memory of `table`
    cdef Pace pace
    cdef Job *jobs
    cdef Windows windows
