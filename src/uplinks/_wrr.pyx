# cython: language_level=3, wraparound=False, cdivision=True, auto_pickle=False, autotestdict=False
#
# wraparound: indices are never negative where something is subscripted.
# cdivision: every divisor is a weight or a sum of weights above 0.
# auto_pickle: a selector is restored from a snapshot, never from its memory.
# Bounds checks are switched in setup.py: off, but in a debug build.
"""The compiled schedulers and selector: the only code that runs once a pick.

Rules of this file:

1. It imports nothing of this package, and knows only integers and opaque
   objects. `_wrr_reference` is its specification: pick for pick the same.
2. Integers only. Every sum and product below fits 64 bits: weights are below
   2**31, indices below 2**20, so a total is below 2**51; `scale` is at most
   2**60, the clock and all tags below 2**63 (`rebase`).
3. Eligibility is settled when it changes. A pick never skips.
4. No module-level state. Code of a target (`__eq__`, `__hash__`, `__del__`)
   runs only before a change has begun or after it is complete.
"""

cimport cython
from libc.stdint cimport int64_t, uint8_t, uint16_t, uint32_t, uint64_t
from libc.stdlib cimport calloc, free, malloc, realloc
from libc.string cimport memset

from uplinks._winners cimport NEVER, first, free_tree, grow_tree, plant, set_key

from weakref import ref

cdef extern from *:
    """
    #define UPLINKS_RECORD_LIMIT ((uint64_t) 1 << 20)
    #define UPLINKS_SCALE ((uint64_t) 1 << 60)
    #define UPLINKS_ORIGIN (((uint64_t) 1 << 61) + ((uint64_t) 1 << 32))
    #define UPLINKS_HORIZON ((uint64_t) 1 << 62)
    static inline uint64_t uplinks_high_product(uint64_t a, uint64_t b) {
    #if defined(__SIZEOF_INT128__)
        return (uint64_t) (((unsigned __int128) a * b) >> 64);
    #else
        uint64_t low = (a & 0xFFFFFFFF) * (b & 0xFFFFFFFF);
        uint64_t left = (a >> 32) * (b & 0xFFFFFFFF) + (low >> 32);
        uint64_t right = (a & 0xFFFFFFFF) * (b >> 32) + (left & 0xFFFFFFFF);
        return (a >> 32) * (b >> 32) + (left >> 32) + (right >> 32);
    #endif
    }
    """
    # The longest period, in picks, that is recorded and replayed: 1 to 4 MiB.
    const uint64_t RECORD_LIMIT "UPLINKS_RECORD_LIMIT"
    # Units in one of virtual time, at most.
    const uint64_t SCALE "UPLINKS_SCALE"
    # Where the clock begins: no tag is further back than two jobs.
    const uint64_t ORIGIN "UPLINKS_ORIGIN"
    # Where clock and tags are set back; a period is far shorter than what is left then.
    const uint64_t HORIZON "UPLINKS_HORIZON"
    # The upper half of a product of 128 bits.
    uint64_t high_product "uplinks_high_product"(uint64_t a, uint64_t b) nogil

cdef enum:
    UP = 1
    ALIVE = 2
    MOST = 1 << 20  # targets


cdef class Scheduler:
    """Which index comes next. Algorithms are subclasses; see `_wrr.pxd`."""

    def __cinit__(self):
        self.free = []

    def __dealloc__(self):
        free(self.weight)
        free(self.flags)
        free(self.table)

    cdef int reserve(self, Py_ssize_t room) except -1:
        """See to it that there is memory for so many indices."""
        cdef void *grown
        if room <= self.room:
            return 0
        if room > MOST:
            raise OverflowError(f"a scheduler holds at most {MOST} targets")
        room = max(4, (room + 3) // 4 * 4)
        grown = realloc(self.weight, room * sizeof(uint32_t))
        if grown is NULL:
            raise MemoryError
        self.weight = <uint32_t *> grown
        grown = realloc(self.flags, room)
        if grown is NULL:
            raise MemoryError
        self.flags = <uint8_t *> grown
        memset(self.weight + self.room, 0, (room - self.room) * sizeof(uint32_t))
        memset(self.flags + self.room, 0, room - self.room)
        self.room = room
        return 0

    cdef Py_ssize_t add(self) except -1:
        """Give an index that is up and has weight 0."""
        cdef Py_ssize_t i
        if self.free:
            i = self.free.pop()
        else:
            if self.size == self.room:
                self.reserve(min(MOST, self.size + self.size // 2 + 2) if self.size < MOST else MOST + 1)
            i = self.size
            self.size += 1
        self.weight[i] = 0
        self.flags[i] = UP | ALIVE
        return i

    cdef int remove(self, Py_ssize_t i) except -1:
        """Take an index back. It is the next one that `add` gives."""
        self.free.append(i)
        self.change(i, self.weight[i], False)
        self.flags[i] = 0
        return 0

    cdef void change(self, Py_ssize_t i, uint32_t weight, bint up) noexcept nogil:
        """Set the weight of an index and whether it may be picked."""
        cdef bint was = self.eligible(i)
        cdef bint will = up and weight > 0
        if (was or will) and (weight != self.weight[i] or up != (self.flags[i] & UP)):
            self.changed(i, weight, up)
        self.weight[i] = weight
        self.flags[i] = ALIVE | (UP if up else 0)

    cdef void changed(self, Py_ssize_t i, uint32_t weight, bint up) noexcept nogil:
        """Adapt the schedule to a change; weight and flags still hold the old state."""

    cdef Py_ssize_t decide(self) noexcept nogil:
        """The next index when nothing is recorded, -1 when nothing is eligible."""
        return -1

    cdef uint64_t cycle(self) noexcept nogil:
        """The number of picks after which the schedule repeats; 0 if none is possible."""
        return self.period


@cython.final
cdef class FailoverScheduler(Scheduler):
    """Law: always the first eligible index, in the order of the indices."""

    def __cinit__(self):
        self.first = -1

    cdef void changed(self, Py_ssize_t i, uint32_t weight, bint up) noexcept nogil:
        cdef Py_ssize_t j
        cdef bint was = self.eligible(i)
        cdef bint will = up and weight > 0
        self.members += will - was
        self.first = -1
        for j in range(self.size):
            if (will if j == i else self.eligible(j)):
                self.first = j
                break
        self.period = 1 if self.members else 0

    cdef Py_ssize_t decide(self) noexcept nogil:
        return self.first


cdef uint32_t gcd(uint32_t a, uint32_t b) noexcept nogil:
    cdef uint32_t c
    while b:
        c = a % b
        a = b
        b = c
    return a


@cython.final
cdef class FairScheduler(Scheduler):
    """Law: every period gives each index its weight over the gcd, and while
    nothing changes no index is further than 1 - 1/(2n-2) from its share.

    A pick takes, of the jobs whose window has opened, the one whose window
    closes first. `_wrr_reference` says what that means, in few lines; here two
    winner trees find both, a period that has been picked is replayed, and a
    change touches one job.
    """

    def __cinit__(self):
        self.scale = SCALE
        self.clock = ORIGIN
        self.stamp = 1
        self.pristine = True
        self.stale = True

    def __dealloc__(self):
        free(self.jobs)
        free_tree(&self.opening)
        free_tree(&self.closing)
        free(self.divisors)
        free(self.withheld)

    cdef int reserve(self, Py_ssize_t room) except -1:
        cdef Py_ssize_t old = self.room
        Scheduler.reserve(self, room)
        if self.room > old:
            try:
                self.grow(old)
            except MemoryError:
                self.room = old
                raise
        return 0

    cdef int grow(self, Py_ssize_t old) except -1:
        cdef Py_ssize_t room = self.room
        cdef uint32_t leaves = 4
        cdef Py_ssize_t i
        cdef void *grown
        grown = realloc(self.jobs, room * sizeof(Job))
        if grown is NULL:
            raise MemoryError
        self.jobs = <Job *> grown
        grown = realloc(self.divisors, room * sizeof(uint32_t))
        if grown is NULL:
            raise MemoryError
        self.divisors = <uint32_t *> grown
        grown = realloc(self.withheld, room * sizeof(uint32_t))
        if grown is NULL:
            raise MemoryError
        self.withheld = <uint32_t *> grown
        while leaves < room:
            leaves *= 2
        if leaves > self.opening.room and not (
            grow_tree(&self.opening, leaves) and grow_tree(&self.closing, leaves)
        ):
            raise MemoryError
        memset(self.jobs + old, 0, (room - old) * sizeof(Job))
        memset(self.divisors, 0, room * sizeof(uint32_t))
        for i in range(0, self.size, 2):
            self.update_divisor(i)
        return 0

    cdef Py_ssize_t add(self) except -1:
        cdef Py_ssize_t i = Scheduler.add(self)
        memset(self.jobs + i, 0, sizeof(Job))
        return i

    # -- a pick -----------------------------------------------------------------

    cdef Py_ssize_t decide(self) noexcept nogil:
        cdef uint32_t i
        if not self.total:
            return -1
        if self.stale:
            self.lay_out()
        self.clock += self.tick
        self.clock_rest += self.tick_rest
        if self.clock_rest >= self.total:
            self.clock_rest -= self.total
            self.clock += 1
        while True:
            i = first(&self.opening)
            if self.opening.key[i] > self.clock:
                break
            set_key(&self.opening, i, NEVER)
            if self.spent(i):
                self.withhold(i)
            else:
                set_key(&self.closing, i, self.closing_time(i))
        i = first(&self.closing)
        if self.closing.key[i] != NEVER:
            set_key(&self.closing, i, NEVER)
        else:
            # No window has opened: take the one that opens first.
            i = first(&self.opening)
            while self.spent(i):
                set_key(&self.opening, i, NEVER)
                self.withhold(i)
                i = first(&self.opening)
        self.advance(i)
        set_key(&self.opening, i, self.opening_time(i))
        if self.recording:
            self.record(i)
        self.at += 1
        if self.at == self.period:
            self.end_period()
        return i

    cdef void advance(self, Py_ssize_t i) noexcept nogil:
        """Go on to the next job of a target."""
        cdef Job *job = self.jobs + i
        cdef uint64_t rest = job.rest + (self.scale - job.length * job.unit)
        job.start += job.length
        if rest >= job.unit:
            rest -= job.unit
            job.start += 1
        job.rest = <uint32_t> rest
        if job.stamp != self.stamp:
            job.stamp = self.stamp
            job.picked = 0
        job.picked += 1

    cdef uint64_t opening_time(self, Py_ssize_t i) noexcept nogil:
        """When the window of the current job opens: ceil(start + scale / slices)."""
        cdef Job *job = self.jobs + i
        cdef uint64_t slices = self.shifts * job.unit
        cdef uint64_t inset, rest
        if not slices:
            return job.start + (job.rest > 0)
        inset = self.inset(job.length)
        rest = self.scale - inset * slices + job.rest * self.shifts  # below 2 * slices
        return job.start + inset + (rest > 0) + (rest > slices)

    cdef uint64_t closing_time(self, Py_ssize_t i) noexcept nogil:
        """When the window of the current job closes: floor(end - scale / slices)."""
        cdef Job *job = self.jobs + i
        cdef uint64_t rest = job.rest + (self.scale - job.length * job.unit)
        cdef uint64_t end = job.start + job.length
        cdef uint64_t slices = self.shifts * job.unit
        cdef uint64_t inset
        if rest >= job.unit:
            rest -= job.unit
            end += 1
        if not slices:
            return end
        inset = self.inset(job.length)
        return end - inset - (self.scale - inset * slices > rest * self.shifts)

    cdef uint64_t inset(self, uint64_t length) noexcept nogil:
        """length // shifts, without a division: the reciprocal gives it or one less."""
        cdef uint64_t share = high_product(length, self.reciprocal)
        return share + (length - share * self.shifts >= self.shifts)

    cdef bint spent(self, Py_ssize_t i) noexcept nogil:
        """Has a target had its share of this period?"""
        cdef Job *job = self.jobs + i
        return job.stamp == self.stamp and job.picked * self.divisor >= job.unit

    cdef void withhold(self, Py_ssize_t i) noexcept nogil:
        self.withheld[self.held] = <uint32_t> i
        self.held += 1

    cdef void release_withheld(self) noexcept nogil:
        cdef uint32_t i
        while self.held:
            self.held -= 1
            i = self.withheld[self.held]
            set_key(&self.opening, i, self.opening_time(i))

    # -- the record -------------------------------------------------------------

    cdef void record(self, Py_ssize_t i) noexcept nogil:
        cdef void *grown
        if self.at == self.table_room:
            self.table_room = min(self.period, 4 * self.table_room if self.table_room else 256)
            grown = realloc(self.table, self.table_room * self.width)
            if grown is NULL:
                self.recording = False
                return
            self.table = grown
        if self.width == 1:
            (<uint8_t *> self.table)[self.at] = <uint8_t> i
        elif self.width == 2:
            (<uint16_t *> self.table)[self.at] = <uint16_t> i
        else:
            (<uint32_t *> self.table)[self.at] = <uint32_t> i

    cdef void end_period(self) noexcept nogil:
        self.at = 0
        self.next_stamp()
        self.release_withheld()
        if self.recording:
            self.recording = False
            self.replaying = True
        elif self.clock >= HORIZON:
            self.rebase()

    # -- a change ---------------------------------------------------------------

    cdef void changed(self, Py_ssize_t i, uint32_t weight, bint up) noexcept nogil:
        cdef bint was = self.eligible(i)
        cdef bint will = up and weight > 0
        cdef Job *job = self.jobs + i
        cdef int64_t ahead = 0
        cdef int64_t old, bound
        self.settle()
        if was:
            self.members -= 1
            self.total -= self.weight[i]
        if will:
            self.members += 1
            self.total += weight
        if not self.pristine:
            ahead = <int64_t> (job.start + (job.rest > 0)) - <int64_t> self.clock
            if not was and (ahead < 0 or not job.unit):
                ahead = 0  # what it missed while away is gone
            if will:
                # It stays ahead or behind by as many picks as it was.
                old = job.unit if job.unit else weight
                bound = <int64_t> (2 * self.scale) // old
                if ahead > bound:
                    ahead = bound
                elif ahead < -bound - (bound * old != <int64_t> (2 * self.scale)):
                    ahead = -bound - (bound * old != <int64_t> (2 * self.scale))
                ahead *= old
                ahead = (ahead + weight - 1) // weight if ahead > 0 else -((-ahead) // <int64_t> weight)
            job.start = <uint64_t> (<int64_t> self.clock + ahead)
            job.rest = 0
        if will:
            job.unit = weight
            job.length = self.scale // weight
        self.weight[i] = weight
        self.flags[i] = ALIVE | (UP if up else 0)
        self.update_divisor(i)
        self.begin()
        if self.pristine:
            return
        set_key(&self.closing, <uint32_t> i, NEVER)
        set_key(&self.opening, <uint32_t> i, self.opening_time(i) if will else NEVER)

    cdef void settle(self) noexcept nogil:
        """Leave the replay, and bring the clock to a whole unit."""
        self.pristine = self.pristine and self.at == 0
        if self.pristine:
            return
        if self.replaying:
            self.leave_replay()
        self.release_withheld()
        if self.clock_rest:
            self.clock_rest = 0
            self.clock += 1
        if self.clock >= HORIZON:
            self.rebase()

    cdef void begin(self) noexcept nogil:
        """Begin a period with the targets that are eligible now."""
        self.divisor = self.divisors[1]
        self.period = self.total // self.divisor if self.divisor else 0
        self.shifts = 2 * self.members - 2 if self.members > 1 else 0
        self.reciprocal = <uint64_t> -1 // self.shifts if self.shifts else 0
        if self.total:
            self.tick = self.scale // self.total
            self.tick_rest = self.scale % self.total
        self.stale = self.pristine
        self.at = 0
        self.next_stamp()
        self.replaying = False
        self.recording = self.period <= RECORD_LIMIT
        self.width = 1 if self.size <= 256 else 2 if self.size <= 65536 else 4
        if self.table_room * self.width > 1024:
            free(self.table)
            self.table = NULL
            self.table_room = 0

    cdef void next_stamp(self) noexcept nogil:
        cdef Py_ssize_t i
        self.stamp += 1
        if self.stamp == 0:
            self.stamp = 1
            for i in range(self.size):
                self.jobs[i].stamp = 0

    cdef void lay_out(self) noexcept nogil:
        """Let every target begin at the same moment: nobody is ahead or behind.

        The total divides the scale, so that every comparison is exact.
        """
        cdef Py_ssize_t i
        self.scale = SCALE // self.total * self.total
        self.tick = self.scale // self.total
        self.tick_rest = 0
        self.clock = ORIGIN
        self.clock_rest = 0
        self.held = 0
        for i in range(self.size):
            self.jobs[i].start = ORIGIN
            self.jobs[i].rest = 0
            if self.eligible(i):
                self.jobs[i].unit = self.weight[i]
                self.jobs[i].length = self.scale // self.weight[i]
        self.stale = False
        self.replant()

    cdef void replant(self) noexcept nogil:
        """Let every eligible target wait for its window."""
        cdef Py_ssize_t i
        for i in range(self.size):
            self.closing.key[i] = NEVER
            self.opening.key[i] = self.opening_time(i) if self.eligible(i) else NEVER
        plant(&self.opening)
        plant(&self.closing)

    cdef void leave_replay(self) noexcept nogil:
        """Bring clock and jobs to where the replay has come.

        They stand at the period's end. The clock's product is taken in two
        steps of ten bits, so that it fits 64.
        """
        cdef uint64_t k, high, rest
        cdef Py_ssize_t i
        cdef Job *job
        for i in range(self.size):
            self.jobs[i].picked = 0
        for k in range(self.at):
            if self.width == 1:
                i = (<uint8_t *> self.table)[k]
            elif self.width == 2:
                i = (<uint16_t *> self.table)[k]
            else:
                i = (<uint32_t *> self.table)[k]
            self.jobs[i].picked += 1
        for i in range(self.size):
            if self.eligible(i):
                job = self.jobs + i
                rest = job.rest + job.picked * (self.scale - job.length * job.unit)
                job.start += job.picked * job.length + rest // job.unit
                job.rest = <uint32_t> (rest % job.unit)
        high = (self.at >> 10) * self.tick_rest
        rest = self.clock_rest + ((high % self.total) << 10) + (self.at & 1023) * self.tick_rest
        self.clock += self.at * self.tick + ((high // self.total) << 10) + rest // self.total
        self.clock_rest = rest % self.total
        self.replant()

    cdef void rebase(self) noexcept nogil:
        """Take the same from the clock and all tags, so that none overflows."""
        cdef uint64_t shift = self.clock - ORIGIN
        cdef Py_ssize_t i
        self.clock = ORIGIN
        for i in range(self.size):
            self.jobs[i].start -= min(shift, self.jobs[i].start)
            if self.opening.key[i] != NEVER:
                self.opening.key[i] -= min(shift, self.opening.key[i])
            if self.closing.key[i] != NEVER:
                self.closing.key[i] -= min(shift, self.closing.key[i])

    cdef void update_divisor(self, Py_ssize_t i) noexcept nogil:
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


@cython.final
cdef class Entry:
    """A target's place in a selector."""

    def __cinit__(self):
        self.index = -1
        self.up = True


cdef class Selector:
    """Targets over a scheduler. The face adds the names of the failures."""

    def __cinit__(self, *args, **kwargs):
        self.targets = []
        self.index = {}
        self.parents = []

    def __init__(self, Scheduler scheduler not None):
        if self.scheduler is not None:
            raise TypeError("a selector is made once")
        if scheduler.size:
            raise ValueError("a scheduler serves one selector only")
        self.scheduler = scheduler

    def _failure(self, kind, *facts):
        raise NotImplementedError

    # -- picks ------------------------------------------------------------------

    def pick(self):
        """Pick the next target.

        A target that is a selector is descended into. Atomic: nothing of
        another thread comes between. Complexity: O(1) once a period of at most
        2**20 picks has been seen, until then O(log n) amortized.

        Raises: `NoEligibleTarget` if nothing may be picked.

        >>> from uplinks import Selector
        >>> Selector([("a", 1)]).pick()
        'a'
        """
        cdef Selector node = self
        cdef Py_ssize_t i
        cdef object target
        while True:
            i = node.scheduler.next_index()
            if i < 0:
                raise node.nothing_eligible()
            target = node.targets[i]
            if not node.nested or not isinstance(target, Selector):
                return target
            node = <Selector> target

    def __iter__(self):
        return self

    def __next__(self):
        cdef Py_ssize_t i
        if not self.nested:
            i = self.scheduler.next_index()
            if i >= 0:
                return self.targets[i]
        return self.pick()

    # -- changes ----------------------------------------------------------------

    def add(self, target, weight=1):
        """Add a target that is up; it joins the schedule neither ahead nor behind.

        Units: ``weight`` from 0 to 2**31 - 1. Complexity: O(log n).

        Raises: `InvalidWeight`, `DuplicateTarget`, `SelectorCycle` (a selector
        that would contain itself), `OverflowError` past 2**20 targets. Nothing
        is changed then.

        >>> from uplinks import Selector
        >>> selector = Selector()
        >>> selector.add("a", 3)
        >>> "a" in selector, len(selector)
        (True, 1)
        """
        cdef uint32_t share = self.checked_weight(weight)
        cdef Entry entry = Entry()
        cdef bint nests = isinstance(target, Selector)
        if nests and (<Selector> target).holds(self):
            raise self._failure("cycle")
        if self.index.setdefault(target, entry) is not entry:
            raise self._failure("duplicate-target", target)
        # No code but ours runs from here on.
        try:
            entry.index = self.scheduler.add()
        except BaseException:
            self.index.pop(target, None)
            raise
        if entry.index == len(self.targets):
            self.targets.append(target)
        else:
            self.targets[entry.index] = target
        if nests:
            self.nested += 1
            (<Selector> target).parents.append((ref(self), entry))
            self.refresh(entry)
        self.scheduler.change(entry.index, share, self.scheduler.flags[entry.index] & UP)
        self.settle()

    def remove(self, target):
        """Take a target out. Complexity: O(log n).

        Raises: `UnknownTarget`.

        >>> from uplinks import Selector
        >>> selector = Selector([("a", 1), ("b", 1)])
        >>> selector.remove("a")
        >>> selector.pick()
        'b'
        """
        cdef Entry entry = self.index.pop(target, None)
        cdef Py_ssize_t i
        cdef Selector below
        if entry is None or entry.index < 0:
            raise self._failure("unknown-target", target)
        i = entry.index
        entry.index = -1
        # The target is let go of last: its end may run code of its own.
        held = self.targets[i]
        self.targets[i] = None
        self.scheduler.remove(i)
        if isinstance(held, Selector):
            below = <Selector> held
            self.nested -= 1
            below.parents = [pair for pair in below.parents if pair[1] is not entry]
        self.settle()

    def set_weight(self, target, weight):
        """Change a target's weight; it stays ahead or behind by as much as it was.

        Units: ``weight`` from 0 to 2**31 - 1; 0 is never picked.
        Complexity: O(log n); O(n) when it ends a replay.

        Raises: `InvalidWeight`, `UnknownTarget`. Nothing is changed then.

        >>> from uplinks import Selector
        >>> selector = Selector([("a", 1), ("b", 1)])
        >>> selector.set_weight("a", 0)
        >>> [selector.pick(), selector.pick()]
        ['b', 'b']
        """
        cdef uint32_t share = self.checked_weight(weight)
        cdef Entry entry = self.find(target)
        self.scheduler.change(entry.index, share, self.scheduler.flags[entry.index] & UP)
        self.settle()

    def set_up(self, target, up):
        """Say whether a target is up. What is down is not picked.

        Law: a target that comes back has no claim on what it missed, and
        leads its share since then by at most 1 while nothing else changes
        (tests/laws/test_selector_laws.py).
        Complexity: O(log n); O(n) when it ends a replay.

        Raises: `UnknownTarget`.

        >>> from uplinks import Selector
        >>> selector = Selector([("a", 9), ("b", 1)])
        >>> selector.set_up("a", False)
        >>> selector.pick()
        'b'
        """
        cdef bint status = up
        cdef Entry entry = self.find(target)
        entry.up = status
        self.refresh(entry)
        self.settle()

    # -- questions --------------------------------------------------------------

    @property
    def eligible(self):
        """Whether a pick would find a target. Complexity: O(1).

        >>> from uplinks import Selector
        >>> Selector([("a", 0)]).eligible
        False
        """
        return self.scheduler.members > 0

    def period(self):
        """Give the number of picks after which the schedule repeats, 0 if none is possible.

        Complexity: O(1).

        >>> from uplinks import Selector
        >>> Selector([("a", 90), ("b", 10)]).period()
        10
        """
        return self.scheduler.cycle()

    def __len__(self):
        return len(self.index)

    def __contains__(self, target):
        return target in self.index

    def rows(self):
        """List target, weight and status of each target, in order of insertion.

        Complexity: O(n).

        >>> from uplinks import Selector
        >>> Selector([("a", 90), ("b", 10)]).rows()
        [('a', 90, True), ('b', 10, True)]
        """
        cdef Entry entry
        cdef list found = []
        for entry in list(self.index.values()):
            if entry.index >= 0:
                found.append(
                    (self.targets[entry.index], self.scheduler.weight[entry.index], entry.up)
                )
        return found

    # -- inside -----------------------------------------------------------------

    cdef uint32_t checked_weight(self, object weight) except? 0xFFFFFFFF:
        if type(weight) is not int or not 0 <= weight <= 0x7FFFFFFF:
            raise self._failure("weight", weight)
        return weight

    cdef Entry find(self, object target):
        cdef Entry entry = self.index.get(target)
        if entry is None or entry.index < 0:
            raise self._failure("unknown-target", target)
        return entry

    cdef bint holds(self, Selector other) except -1:
        """Is the other selector this one, or somewhere below it?"""
        cdef set found = set()
        cdef list left = [self]
        cdef Selector node
        while left:
            node = left.pop()
            if node is other:
                return True
            if id(node) not in found:
                found.add(id(node))
                if node.nested:
                    left.extend([t for t in node.targets if isinstance(t, Selector)])
        return False

    cdef int refresh(self, Entry entry) except -1:
        """Hand on to the scheduler whether a target may be picked."""
        cdef object target = self.targets[entry.index]
        cdef bint passable = entry.up
        if passable and isinstance(target, Selector):
            passable = (<Selector> target).scheduler.members > 0
        self.scheduler.change(entry.index, self.scheduler.weight[entry.index], passable)
        return 0

    cdef int settle(self) except -1:
        """Tell the selectors above when this one begins or ceases to be eligible."""
        cdef list left
        cdef Selector node, parent
        cdef Entry entry
        if not self.parents:
            self.was_eligible = self.scheduler.members > 0
            return 0
        left = [self]
        while left:
            node = left.pop()
            if node.was_eligible == (node.scheduler.members > 0):
                continue
            node.was_eligible = node.scheduler.members > 0
            for reference, entry in node.parents:
                parent = reference()
                if parent is not None and entry.index >= 0:
                    parent.refresh(entry)
                    left.append(parent)
        return 0

    cdef object nothing_eligible(self):
        rows = self.rows()
        without_weight = sum([weight == 0 for _, weight, _ in rows])
        return self._failure(
            "nothing-eligible", len(rows), without_weight, len(rows) - without_weight
        )
