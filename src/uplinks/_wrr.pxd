# The C-level face of the schedulers, for embedding by `cimport uplinks._wrr`.
#
# A scheduler deals in indices: `add` gives one, `change` sets its weight and
# whether it may be picked, `next_index` says which comes next (-1: none may).
# `next_index` and `change` need no GIL; whoever calls them without it sees to
# it that nobody else uses the same scheduler meanwhile.

cimport cython
from libc.stdint cimport uint8_t, uint16_t, uint32_t, uint64_t

from uplinks._winners cimport Tree


cdef struct Job:
    uint64_t start      # where the current job begins: start + rest / unit
    uint64_t length     # scale // unit
    uint32_t rest
    uint32_t unit       # the weight that start and length were reckoned with
    uint32_t picked     # picks in the period numbered `stamp`
    uint32_t stamp


cdef class Scheduler:
    cdef readonly Py_ssize_t size       # indices handed out so far, free ones included
    cdef Py_ssize_t room                # indices there is memory for; even
    cdef Py_ssize_t members             # eligible indices
    cdef uint64_t total                 # the sum of their weights
    cdef uint64_t at                    # picks made in this period
    cdef uint64_t period                # total // gcd of the eligible weights
    cdef bint replaying                 # a whole period stands in `table`
    cdef uint8_t width                  # bytes an entry of `table`
    cdef void *table
    cdef uint32_t *weight
    cdef uint8_t *flags
    cdef list free

    cdef int reserve(self, Py_ssize_t room) except -1
    cdef Py_ssize_t add(self) except -1
    cdef int remove(self, Py_ssize_t i) except -1
    cdef void change(self, Py_ssize_t i, uint32_t weight, bint up) noexcept nogil
    cdef void changed(self, Py_ssize_t i, uint32_t weight, bint up) noexcept nogil
    cdef Py_ssize_t decide(self) noexcept nogil
    cdef uint64_t cycle(self) noexcept nogil

    @cython.final
    cdef inline bint eligible(self, Py_ssize_t i) noexcept nogil:
        return self.flags[i] == 3 and self.weight[i] > 0

    @cython.final
    cdef inline Py_ssize_t next_index(self) noexcept nogil:
        cdef Py_ssize_t i
        if not self.replaying:
            return self.decide()
        if self.width == 1:
            i = (<uint8_t *> self.table)[self.at]
        elif self.width == 2:
            i = (<uint16_t *> self.table)[self.at]
        else:
            i = (<uint32_t *> self.table)[self.at]
        self.at += 1
        if self.at == self.period:
            self.at = 0
        return i


cdef class FailoverScheduler(Scheduler):
    cdef Py_ssize_t first


cdef class FairScheduler(Scheduler):
    cdef uint64_t scale         # units in one of virtual time
    cdef uint64_t clock         # whole units; clock_rest / total more
    cdef uint64_t clock_rest
    cdef uint64_t tick          # scale // total
    cdef uint64_t tick_rest     # scale % total
    cdef uint64_t shifts        # 2 * members - 2
    cdef uint64_t reciprocal    # of shifts, times 2 ** 64
    cdef uint64_t divisor       # the gcd of the eligible weights
    cdef uint64_t table_room
    cdef uint32_t stamp         # the number of this period
    cdef bint recording
    cdef bint pristine          # nobody was ahead or behind when this period began
    cdef bint stale             # jobs are to be laid out anew before the next pick
    cdef Job *jobs
    cdef Tree opening           # when the windows open that have not
    cdef Tree closing           # when the windows close that have opened
    cdef uint32_t *divisors     # gcd tree over the eligible weights
    cdef uint32_t *withheld     # waiting for the period's end, their share being used up
    cdef Py_ssize_t held

    cdef int grow(self, Py_ssize_t room) except -1
    cdef void settle(self) noexcept nogil
    cdef void leave_replay(self) noexcept nogil
    cdef void begin(self) noexcept nogil
    cdef void lay_out(self) noexcept nogil
    cdef void replant(self) noexcept nogil
    cdef void next_stamp(self) noexcept nogil
    cdef uint32_t share(self, Py_ssize_t i) noexcept nogil
    cdef void rebase(self) noexcept nogil
    cdef uint64_t opening_time(self, Py_ssize_t i) noexcept nogil
    cdef uint64_t inset(self, uint64_t length) noexcept nogil
    cdef uint64_t closing_time(self, Py_ssize_t i) noexcept nogil
    cdef void advance(self, Py_ssize_t i) noexcept nogil
    cdef bint spent(self, Py_ssize_t i) noexcept nogil
    cdef void withhold(self, Py_ssize_t i) noexcept nogil
    cdef void release_withheld(self) noexcept nogil
    cdef void record(self, Py_ssize_t i) noexcept nogil
    cdef void end_period(self) noexcept nogil
    cdef void update_divisor(self, Py_ssize_t i) noexcept nogil


@cython.final
cdef class Entry:
    cdef Py_ssize_t index       # -1: not, or no longer, a target
    cdef bint up


cdef class Selector:
    cdef object __weakref__
    cdef Scheduler scheduler
    cdef list targets           # by index; None where an index is free
    cdef dict index             # target -> Entry
    cdef list parents           # (weak reference to a selector above, Entry there)
    cdef Py_ssize_t nested      # how many targets are selectors
    cdef bint was_eligible

    cdef Entry find(self, object target)
    cdef uint32_t checked_weight(self, object weight) except? 0xFFFFFFFF
    cdef bint holds(self, Selector other) except -1
    cdef int refresh(self, Entry entry) except -1
    cdef int settle(self) except -1
    cdef object nothing_eligible(self)
