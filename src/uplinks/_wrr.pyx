# cython: language_level=3, wraparound=False, cdivision=True, auto_pickle=False, autotestdict=False, freethreading_compatible=True
#
# wraparound: indices are never negative where something is subscripted.
# cdivision: every divisor is a weight or a sum of weights above 0.
# auto_pickle: a selector is restored from a snapshot, never from its memory.
# freethreading_compatible: every public operation is one critical section.
# Bounds checks are switched in setup.py: off, but in a debug build.
"""The compiled schedulers and selector: the only code that runs once a pick.

Rules of this file and of all that it includes:

1. They import nothing of this package, and know only integers and opaque
   objects. `_wrr_reference` is their specification: pick for pick the same.
2. Integers only. Every sum and product fits 64 bits: weights are below 2**31,
   indices below 2**20, so a total is below 2**51; `scale` is at most 2**60,
   the clock and all tags stay below 2**63 (`rebase`).
3. Eligibility is settled when it changes. A pick never skips.
4. No module-level state. Code of a target (`__eq__`, `__hash__`, `__del__`)
   runs only before a change has begun or after it is complete.
"""

cimport cython
from cpython.list cimport PyList_GET_ITEM
from libc.stdint cimport int64_t, uint8_t, uint16_t, uint32_t, uint64_t
from libc.stdlib cimport free, malloc, realloc
from libc.string cimport memcpy, memset

from uplinks._jobs cimport (
    Job,
    Moment,
    beginning,
    begin_job,
    closing,
    key_of_closing,
    next_job,
    opening_of_next,
)
from uplinks._tables cimport (
    MOST_OFF,
    Table,
    bits_of_part,
    entries,
    entry,
    lengthened,
    picks_before,
    rank,
    table_memory,
    unpin,
)
from uplinks._windows cimport (
    NONE,
    WAITS,
    WITHHELD,
    First,
    Windows,
    awaited,
    clear_windows,
    free_windows,
    nodes_over,
    opened,
    set_all_windows,
    set_window,
    widen_windows,
)
from uplinks._winners cimport NEVER, enter, first, free_tree, grow_tree, leave, plant

from weakref import ref

cdef extern from *:
    """
    #define UPLINKS_RECORD_LIMIT ((uint64_t) 1 << 20)
    #define UPLINKS_SCALE ((uint64_t) 1 << 60)
    #define UPLINKS_ORIGIN (((uint64_t) 1 << 61) + ((uint64_t) 1 << 32))
    #define UPLINKS_HORIZON ((uint64_t) 1 << 62)
    #define UPLINKS_SLACK ((uint64_t) 1 << 33)
    #define UPLINKS_MOST_OWED ((int64_t) 1 << 61)
    static inline void uplinks_prefetch(const void *p) {
    #if defined(__GNUC__)
        __builtin_prefetch(p, 1);
        /* But for this it does nothing, to GCC, nor does what calls only it: all of that is left out. */
        __asm__ __volatile__("");
    #else
        (void) p;
    #endif
    }
    """
    # The longest period, in picks, that is recorded and replayed: 2 to 5 MiB, without ranks 1 to 4.
    const uint64_t RECORD_LIMIT "UPLINKS_RECORD_LIMIT"
    # Units in one of the fair scheduler's virtual time, at most.
    const uint64_t SCALE "UPLINKS_SCALE"
    # Where its clock begins: no tag is further back than two jobs.
    const uint64_t ORIGIN "UPLINKS_ORIGIN"
    # Where clock and tags are set back; a period is far shorter than what is left then.
    const uint64_t HORIZON "UPLINKS_HORIZON"
    # More than all roundings of a change together.
    const uint64_t SLACK "UPLINKS_SLACK"
    # In 2**-36 picks: a sum that takes millions of targets to leave, and that fits.
    const int64_t MOST_OWED "UPLINKS_MOST_OWED"
    # Fetch what will be read soon, and mostly written to; where the compiler can.
    void prefetch "uplinks_prefetch"(const void *p) noexcept nogil

cdef extern from "Python.h":
    """
    #define uplinks_slot(list, i) ((void *) (((PyListObject *) (list))->ob_item + (i)))
    """
    # Where a list holds an item.
    void *slot "uplinks_slot"(list held, Py_ssize_t i)
    ctypedef struct TypeSlots "PyTypeObject":
        void *tp_iternext

cdef enum:
    UP = 1
    ALIVE = 2
    MOST = 1 << 20  # targets
    CACHED = 256  # targets that need not be fetched before
    AHEAD = 12  # picks: as long as memory takes to answer
    FEW = 16  # windows opened one by one in a pick, whatever n is
    FINE = 24  # bits by which an account of all targets is coarser than a unit


cdef uint32_t gcd(uint32_t a, uint32_t b) noexcept nogil:
    cdef uint32_t c
    while b:
        c = a % b
        a = b
        b = c
    return a


cdef void *grown(void *old, size_t count, size_t size) except NULL:
    """Memory for so many items, with what was in the old; which stays if there is none."""
    cdef void *new = realloc(old, count * size)
    if new is NULL:
        raise MemoryError
    return new


cdef class Scheduler:
    """Which index comes next. Algorithms are subclasses; see `_wrr.pxd`."""

    def __cinit__(self):
        self.free = []
        self.pristine = True
        self.stale = True
        self.replays = True

    def __dealloc__(self):
        free(self.weight)
        free(self.flags)
        free(self.divisors)
        free(self.picked)
        free(self.made)
        self.drop_table()

    # -- indices ----------------------------------------------------------------

    cdef int reserve(self, Py_ssize_t room) except -1:
        """See to it that there is memory for so many indices."""
        cdef Py_ssize_t old = self.room
        cdef Py_ssize_t new = max(4, (room + 3) // 4 * 4)
        cdef Py_ssize_t i
        if room <= old:
            return 0
        if room > MOST:
            raise OverflowError(f"a scheduler holds at most {MOST} targets")
        self.weight = <uint32_t *> grown(self.weight, new, sizeof(uint32_t))
        self.flags = <uint8_t *> grown(self.flags, new, 1)
        self.divisors = <uint32_t *> grown(self.divisors, new, sizeof(uint32_t))
        if not self.ranked:
            self.picked = <uint32_t *> grown(self.picked, new, sizeof(uint32_t))
            memset(self.picked + old, 0, (new - old) * sizeof(uint32_t))
        self.made = <uint64_t *> grown(self.made, new, sizeof(uint64_t))
        self.extend(old, new)
        memset(self.weight + old, 0, (new - old) * sizeof(uint32_t))
        memset(self.flags + old, 0, new - old)
        memset(self.made + old, 0, (new - old) * sizeof(uint64_t))
        memset(self.divisors, 0, new * sizeof(uint32_t))
        self.room = new
        for i in range(0, self.size, 2):
            self.update_divisor(i)
        return 0

    cdef int extend(self, Py_ssize_t old, Py_ssize_t new) except -1:
        """Make room for more in what a subclass keeps."""
        return 0

    cdef Py_ssize_t add(self) except -1:
        """Give an index that is up and has weight 0."""
        cdef Py_ssize_t i
        if self.free:
            i = self.free.pop()
        else:
            i = self.size
            if i == self.room:
                self.reserve(min(<Py_ssize_t> MOST, i + i // 8 + 4) if i < MOST else i + 1)
            self.size += 1
        self.weight[i] = 0
        self.flags[i] = UP | ALIVE
        self.made[i] = 0
        self.appear(i)
        return i

    cdef int remove(self, Py_ssize_t i) except -1:
        """Take an index back. It is the next one that `add` gives."""
        self.change(i, self.weight[i], False)
        # Last: what the change calls may add others, which must not get this index.
        self.flags[i] = 0
        self.free.append(i)
        return 0

    cdef void change(self, Py_ssize_t i, uint32_t weight, bint up) noexcept nogil:
        """Set the weight of an index and whether it may be picked."""
        cdef bint was = self.eligible(i)
        cdef bint will = up and weight > 0
        cdef uint32_t before = self.weight[i] if was else 0
        cdef bint same = weight == self.weight[i] or not (was or will)
        if same and was == will:
            self.weight[i] = weight
            self.flags[i] = ALIVE | (UP if up else 0)
            return
        self.pristine = self.pristine and self.at == 0
        if self.replaying:
            if self.pristine:
                self.count_replayed()
            else:
                self.leave_replay()
        if not self.pristine:
            self.settle(i)
        if was:
            self.members -= 1
            self.total -= self.weight[i]
        if will:
            self.members += 1
            self.total += weight
        self.weight[i] = weight
        self.flags[i] = ALIVE | (UP if up else 0)
        self.update_divisor(i)
        self.divisor = self.divisors[1]
        self.period = self.total // self.divisor if self.divisor else 0
        self.stale = self.pristine
        self.begin()
        if not self.pristine:
            self.moved(i, before, will)
        self.announce(i)

    cdef void update_divisor(self, Py_ssize_t i) noexcept nogil:
        """Make the gcd tree right again after a share has changed."""
        cdef Py_ssize_t node = (self.room + i) >> 1
        cdef uint32_t value = gcd(self.share(i), self.share(i ^ 1))
        while self.divisors[node] != value:
            self.divisors[node] = value
            if node == 1:
                return
            value = gcd(value, self.divisors[node ^ 1])
            node >>= 1

    cdef uint32_t share(self, Py_ssize_t i) noexcept nogil:
        return self.weight[i] if self.eligible(i) else 0

    # -- what an algorithm fills in -----------------------------------------------

    cdef Py_ssize_t decide(self) noexcept nogil:
        """The next index when nothing is recorded; -1: nothing is eligible; -2: `failure`."""
        return -1

    cdef uint64_t cycle(self) noexcept nogil:
        """The number of picks after which the schedule repeats; 0 if it never does."""
        return self.period

    cdef void appear(self, Py_ssize_t i) noexcept nogil:
        """An index is new."""

    cdef void settle(self, Py_ssize_t i) noexcept nogil:
        """A change of an index is about to come."""

    cdef void begun(self) noexcept nogil:
        """A period begins, because of a change or because one is over."""

    cdef void moved(self, Py_ssize_t i, uint32_t before, bint will) noexcept nogil:
        """An index has changed: what it weighed, 0 if it was not eligible, and whether it is."""

    cdef void announce(self, Py_ssize_t i) noexcept nogil:
        """The same, also when everything is to be laid out anew."""

    cdef void lay_out(self) noexcept nogil:
        """Begin from the beginning, with nobody ahead or behind."""

    cdef void leave_replay(self) noexcept nogil:
        """Go on by deciding, from where the replay has come."""

    # -- periods ------------------------------------------------------------------

    cdef void begin(self) noexcept nogil:
        cdef uint8_t width = 1 if self.size <= 256 else 2 if self.size <= 65536 else 4
        self.at = 0
        self.begun()
        self.replaying = False
        self.recording = self.replays and self.period <= RECORD_LIMIT
        if (
            width != self.width
            or self.table_room * width > 1024
            or self.table is not NULL
            and (self.table.pins > 1 or self.ranked and self.table.indices < self.size)
        ):
            self.drop_table()
        self.width = width

    cdef void end_period(self) noexcept nogil:
        self.at = 0
        self.begun()
        if self.recording:
            self.recording = False
            self.replaying = True

    cdef void record(self, Py_ssize_t i) noexcept nogil:
        cdef uint64_t room
        cdef Table *new
        if self.at == self.table_room:
            room = min(self.period, 4 * self.table_room if self.table_room else 256)
            new = lengthened(
                self.table, self.table_room, room, self.width, self.size if self.ranked else 0
            )
            if new is NULL:
                self.recording = False
                return
            self.table = new
            self.table_room = room
        if self.width == 1:
            (<uint8_t *> entries(self.table))[self.at] = <uint8_t> i
        elif self.width == 2:
            (<uint16_t *> entries(self.table))[self.at] = <uint16_t> i
        else:
            (<uint32_t *> entries(self.table))[self.at] = <uint32_t> i

    cdef void drop_table(self) noexcept nogil:
        unpin(self.table)
        self.table = NULL
        self.table_room = 0

    cdef void count_replayed(self) noexcept nogil:
        """Enter what was replayed into `made`, and this period's part of it into `picked`.

        O(n) and half a period at most: less than what was picked to come here.
        """
        cdef uint32_t *picked = self.picked
        cdef Table *table = self.table
        cdef uint8_t width = self.width
        cdef uint64_t k
        cdef Py_ssize_t i
        cdef uint32_t quota
        cdef bint late = self.at > self.period // 2
        # The shorter part of the period is counted: what is over, or what is left.
        cdef uint64_t begin = self.at if late else 0
        cdef uint64_t end = self.period if late else self.at
        memset(picked, 0, self.size * sizeof(uint32_t))
        for k in range(begin, end):
            picked[entry(table, width, k)] += 1
        for i in range(self.size):
            if self.eligible(i):
                quota = <uint32_t> (self.weight[i] // self.divisor)
                if late:
                    picked[i] = quota - picked[i]
                self.made[i] += self.laps * quota + picked[i]
        self.laps = 0

    cdef uint64_t jump(self, uint64_t picks, list counts) except? 0:
        """Take the picks of `counts` at once, and say how many these are."""
        return 0

    cdef uint64_t decided(self, Py_ssize_t i) noexcept nogil:
        """How often an index was picked, without what is being replayed."""
        return self.made[i]

    cdef list counts(self):
        """How often each index was picked, ever."""
        cdef Py_ssize_t i
        cdef uint64_t k
        cdef list found = [self.decided(i) for i in range(self.size)]
        if self.replaying:
            for i in range(self.size):
                if self.eligible(i):
                    found[i] += self.laps * (self.weight[i] // self.divisor)
            for k in range(self.at):
                found[entry(self.table, self.width, k)] += 1
        return found

    cdef void forget(self) noexcept nogil:
        """Count from here on. Only before a whole period has been picked."""
        cdef Py_ssize_t i
        for i in range(self.size):
            # Modulo 2**64, as every sum of the two is.
            self.made[i] -= self.decided(i)

    cdef list picked_in_period(self):
        cdef Py_ssize_t i
        return [self.picked[i] for i in range(self.size)]

    cdef dict columns(self):
        """The whole state as plain data; `load_columns` takes it back."""
        return columns_of(self)

    cdef int load_columns(self, dict columns) except -1:
        """Take over a state, if it is one that picks could have led to."""
        return load(self, columns)

    cdef int check_table(self) except -1:
        """See that a recorded period gives each index its share."""
        cdef Py_ssize_t i
        cdef uint64_t k
        cdef list found = [0] * self.size
        for k in range(self.period):
            found[entry(self.table, self.width, k)] += 1
        for i in range(self.size):
            expect(<uint32_t> found[i] * self.divisor == self.share(i), "table")
        return 0

    cdef size_t memory(self):
        """Bytes held besides the object itself."""
        return self.room * (
            (2 if self.ranked else 3) * sizeof(uint32_t) + sizeof(uint64_t) + 1
        ) + table_memory(self.table, self.table_room, self.width)


include "_columns.pxi"
include "_fair.pxi"
include "_edf.pxi"
include "_orders.pxi"
include "_picker.pxi"
include "_selector.pxi"
include "_checks.pxi"
