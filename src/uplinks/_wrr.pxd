# The C-level face of the schedulers, for embedding by `cimport uplinks._wrr`.
#
# A scheduler deals in indices: `add` gives one, `change` sets its weight and
# whether it may be picked, `next_index` says which comes next (-1: none may;
# -2: see `failure`, only where Python code is asked). `next_index` and `change`
# need no GIL; whoever calls them without it sees to it that nobody else uses
# the same scheduler meanwhile.

cimport cython
from libc.stdint cimport int64_t, uint8_t, uint16_t, uint32_t, uint64_t

from uplinks._jobs cimport Job, Moment, Pace
from uplinks._tables cimport Table, entry
from uplinks._windows cimport Windows
from uplinks._winners cimport Tree


cdef class Scheduler:
    cdef readonly Py_ssize_t size       # indices handed out so far, free ones included
    cdef Py_ssize_t room                # indices there is memory for; a multiple of four
    cdef Py_ssize_t members             # eligible indices
    cdef uint64_t total                 # the sum of their weights
    cdef uint64_t divisor               # the gcd of their weights
    cdef uint64_t period                # total // divisor
    cdef uint64_t at                    # picks made in this period
    cdef uint64_t laps                  # periods replayed since the last change
    cdef Py_ssize_t likely              # an index that may well come next; a hint
    cdef bint taken                     # does a selector pick from it?
    cdef bint replays                   # is a period worth recording?
    cdef bint replaying                 # a whole period stands in `table`
    cdef bint recording                 # this period is being written there
    cdef bint pristine                  # nobody was ahead or behind when this period began
    cdef bint stale                     # to be laid out anew before the next pick
    cdef bint ranked                    # does `table` keep ranks and parts? Then there is no `picked`
    cdef uint8_t width                  # bytes an entry of `table`
    cdef Table *table
    cdef uint64_t table_room
    cdef uint32_t *weight
    cdef uint8_t *flags
    cdef uint32_t *divisors             # gcd tree over the eligible weights
    cdef uint32_t *picked               # in this period, where the algorithm keeps it here
    cdef uint64_t *made                 # ever, without what is being replayed; see `decided`
    cdef list free
    cdef object failure                 # what Python code raised, to be raised by the caller

    cdef int reserve(self, Py_ssize_t room) except -1
    cdef int extend(self, Py_ssize_t old, Py_ssize_t new) except -1
    cdef Py_ssize_t add(self) except -1
    cdef int remove(self, Py_ssize_t i) except -1
    cdef void change(self, Py_ssize_t i, uint32_t weight, bint up) noexcept nogil
    cdef Py_ssize_t decide(self) noexcept nogil
    cdef uint64_t cycle(self) noexcept nogil
    cdef void appear(self, Py_ssize_t i) noexcept nogil
    cdef void settle(self, Py_ssize_t i) noexcept nogil
    cdef void begun(self) noexcept nogil
    cdef void moved(self, Py_ssize_t i, uint32_t before, bint will) noexcept nogil
    cdef void announce(self, Py_ssize_t i) noexcept nogil
    cdef void lay_out(self) noexcept nogil
    cdef void leave_replay(self) noexcept nogil
    cdef void begin(self) noexcept nogil
    cdef void end_period(self) noexcept nogil
    cdef void record(self, Py_ssize_t i) noexcept nogil
    cdef void drop_table(self) noexcept nogil
    cdef void count_replayed(self) noexcept nogil
    cdef void update_divisor(self, Py_ssize_t i) noexcept nogil
    cdef uint32_t share(self, Py_ssize_t i) noexcept nogil
    cdef uint64_t jump(self, uint64_t picks, list counts) except? 0
    cdef uint64_t decided(self, Py_ssize_t i) noexcept nogil
    cdef list counts(self)
    cdef void forget(self) noexcept nogil
    cdef size_t memory(self)
    cdef list picked_in_period(self)
    cdef int check_table(self) except -1
    cdef dict columns(self)
    cdef int load_columns(self, dict columns) except -1

    @cython.final
    cdef inline bint eligible(self, Py_ssize_t i) noexcept nogil:
        return self.flags[i] == 3 and self.weight[i] > 0

    @cython.final
    cdef inline Py_ssize_t next_index(self) noexcept nogil:
        cdef Py_ssize_t i
        if not self.replaying:
            return self.decide()
        i = entry(self.table, self.width, self.at)
        self.at += 1
        if self.at == self.period:
            self.at = 0
            self.laps += 1
        return i


cdef struct Past:           # what is left of a replay that a change has ended
    Table *table
    uint64_t left_at        # the place in it where the change came
    uint64_t at             # the place that is read next
    uint64_t clock          # of the pick before; whole units, and clock_rest / total more
    uint64_t clock_rest
    uint64_t tick
    uint64_t tick_rest
    uint64_t total
    uint64_t divisor
    uint64_t period
    uint64_t laps
    uint64_t met            # when the last one met is due, as a key without its index
    uint32_t left           # how many are still to be met
    uint8_t counted         # is `picked` what each had of it before the change?
    uint8_t part_bits
    uint8_t looked_up       # how many changed before they were met
    uint8_t width


@cython.final
cdef class FairScheduler(Scheduler):
    cdef uint64_t clock         # whole units; clock_rest / total more
    cdef uint64_t clock_rest
    cdef int64_t owed           # by how much all together are behind the clock, in 2**-36 picks
    cdef uint64_t delay         # how far behind the clock windows are opened, on that account
    cdef uint64_t tick          # scale // total
    cdef uint64_t tick_rest     # scale % total
    cdef uint32_t stamp         # the number of this period
    cdef uint8_t bits           # of a key, those that are the index
    cdef uint8_t part_bits      # of a place in the table, those within one of 32 parts
    cdef uint32_t last_withheld # 1 + who came last to wait for the period's end; 0: nobody waits
    cdef bint strays            # is anybody too far from its share in the table for its ranks?
    cdef Pace pace
    cdef Job *jobs
    cdef Windows windows
    cdef Past past

    cdef bint unmet(self, Py_ssize_t i) noexcept nogil
    cdef void meet(self) noexcept nogil
    cdef void meet_next(self) noexcept nogil
    cdef void meet_all(self) noexcept nogil
    cdef void look_up(self, uint32_t i) noexcept nogil
    cdef void bring_up(self, uint32_t i, uint64_t picks) noexcept nogil
    cdef void replant(self) noexcept nogil
    cdef void rebase(self) noexcept nogil
    cdef int64_t behind(self, Moment start, uint32_t weight) noexcept nogil
    cdef void level(self) noexcept nogil
    cdef uint64_t time(self, uint64_t amount) noexcept nogil
    cdef void over(self) noexcept nogil
    cdef void next_stamp(self) noexcept nogil
    cdef void repack(self) noexcept nogil
    cdef void fetch(self, uint32_t i) noexcept nogil
    cdef void mark(self, uint32_t i, uint32_t before) noexcept nogil
    cdef bint spent(self, uint32_t i) noexcept nogil
    cdef bint waits_for_end(self, uint32_t i) noexcept nogil
    cdef void note_withheld(self, uint32_t i) noexcept nogil
    cdef void open_all(self, int64_t due) noexcept nogil
    cdef void release_withheld(self) noexcept nogil
    cdef int load_marks(self) except -1
    cdef int check_window(self, uint32_t i) except -1


@cython.final
cdef class EdfScheduler(Scheduler):
    cdef uint64_t clock         # the deadline of the last pick
    cdef uint32_t *rest         # the deadline is key + rest / weight
    cdef uint32_t *unit         # the weight that the deadline was reckoned with
    cdef Tree deadlines

    cdef void extend_deadline(self, uint32_t i) noexcept nogil


@cython.final
cdef class SmoothScheduler(Scheduler):
    cdef int64_t *credit


@cython.final
cdef class RandomScheduler(Scheduler):
    cdef object randrange
    cdef uint64_t *cut          # column k: below the cut its own index, above it the alias
    cdef uint32_t *own
    cdef uint32_t *alias


@cython.final
cdef class FailoverScheduler(Scheduler):
    cdef Py_ssize_t first_eligible


@cython.final
cdef class ForeignScheduler(Scheduler):
    cdef object inner
    cdef object refusal         # (inner, answer) -> what to raise for an answer that is no index

    cdef Py_ssize_t checked(self, object answer) except -2


@cython.final
cdef class Entry:
    cdef Py_ssize_t index       # -1: not, or no longer, a target
    cdef bint up


cdef class Picker:
    cdef object __weakref__
    cdef Scheduler scheduler
    cdef list held              # the targets by index; None where an index is free
    cdef dict index             # target -> Entry
    cdef list parents           # (weak reference to a selector above, Entry there)
    cdef Py_ssize_t nested      # how many targets are selectors
    cdef bint was_eligible

    cdef object descend(self)
    cdef object pick_without(self, object exclude)
    cdef Entry find(self, object target)
    cdef uint32_t checked_weight(self, object weight) except? 0xFFFFFFFF
    cdef list below(self)
    cdef int enter(self, object target, uint32_t weight, bint up) except -1
    cdef int refresh(self, Entry entry) except -1
    cdef int settle(self) except -1
    cdef int check_failure(self) except -1
    cdef object nothing_eligible(self)


cdef class Selector(Picker):
    pass
