# The other orders: failover, random, and orders written in Python.


@cython.final
cdef class FailoverScheduler(Scheduler):
    """Always the eligible index that was added first. A pick is O(1), a change O(n)."""

    cdef uint64_t *order        # of insertion
    cdef uint64_t added
    cdef Py_ssize_t first_eligible

    def __cinit__(self):
        self.first_eligible = -1
        self.extra = sizeof(uint64_t)

    def __dealloc__(self):
        free(self.order)

    cdef int extend(self, Py_ssize_t old, Py_ssize_t new) except -1:
        self.order = <uint64_t *> grown(self.order, new, sizeof(uint64_t))
        memset(self.order + old, 0, (new - old) * sizeof(uint64_t))
        return 0

    cdef void appear(self, Py_ssize_t i) noexcept nogil:
        self.added += 1
        self.order[i] = self.added

    cdef void changed(self, Py_ssize_t i, uint32_t before) noexcept nogil:
        cdef Py_ssize_t j
        self.period = self.members > 0
        self.first_eligible = -1
        for j in range(self.size):
            if self.eligible(j):
                if self.first_eligible < 0 or self.order[j] < self.order[self.first_eligible]:
                    self.first_eligible = j

    cdef Py_ssize_t decide(self) noexcept nogil:
        if self.first_eligible >= 0:
            self.made[self.first_eligible] += 1
        return self.first_eligible

    cdef dict state(self):
        cdef Py_ssize_t i
        return {**Scheduler.state(self), "order": [self.order[i] for i in range(self.size)]}

    cdef int load(self, dict state) except -1:
        cdef Py_ssize_t i
        Scheduler.load(self, state)
        cdef list order = column(state, "order", self.size)
        expect(len(set(order)) == self.size, "order")
        for i in range(self.size):
            self.order[i] = order[i]
            self.added = max(self.added, self.order[i])
        self.changed(0, 0)
        return 0


cdef struct Column:             # of Walker's alias method: below the cut its own index, above it the alias
    uint64_t cut
    uint32_t alias
    uint32_t stacked


@cython.final
cdef class RandomScheduler(Scheduler):
    """Each pick is drawn anew: an index with exactly the chance of its share.

    One column of height total for each index is shared with at most one other index. The columns are
    built at the first pick after a change, in O(n). The generator is SplitMix64, from a seed.
    """

    cdef uint64_t seed          # of the generator, as it is now
    cdef bint stale             # the columns do not match the weights
    cdef Column *columns

    def __cinit__(self, seed=0):
        self.seed = <uint64_t> (int(seed) & 0xFFFFFFFFFFFFFFFF)
        self.extra = sizeof(Column)

    def __dealloc__(self):
        free(self.columns)

    cdef int extend(self, Py_ssize_t old, Py_ssize_t new) except -1:
        self.columns = <Column *> grown(self.columns, new, sizeof(Column))
        return 0

    cdef void appear(self, Py_ssize_t i) noexcept nogil:
        self.stale = True

    cdef void changed(self, Py_ssize_t i, uint32_t before) noexcept nogil:
        self.stale = True

    cdef uint64_t draw(self, uint64_t bound) noexcept nogil:
        """Return a number below a bound, each with the same chance (Lemire, 2019)."""
        cdef uint64_t number
        while True:
            self.seed += <uint64_t> 0x9E3779B97F4A7C15
            number = mix(self.seed)
            if number * bound >= bound or number * bound >= (0 - bound) % bound:
                return high_product(number, bound)

    cdef Py_ssize_t decide(self) noexcept nogil:
        cdef Py_ssize_t i
        if not self.total:
            return -1
        if self.stale:
            self.lay_out()
        i = <Py_ssize_t> self.draw(<uint64_t> self.size)
        if self.draw(self.total) >= self.columns[i].cut:
            i = self.columns[i].alias
        self.made[i] += 1
        return i

    cdef void lay_out(self) noexcept nogil:
        # Two stacks in one array: columns that are too small are filled from those that are too large.
        cdef Column *column = self.columns
        cdef uint32_t i, less, more
        cdef uint32_t small = 0
        cdef uint32_t large = <uint32_t> self.size
        for i in range(<uint32_t> self.size):
            column[i].cut = <uint64_t> self.share(i) * <uint64_t> self.size
            column[i].alias = i
            if column[i].cut < self.total:
                column[small].stacked = i
                small += 1
            else:
                large -= 1
                column[large].stacked = i
        while small:
            small -= 1
            less, more = column[small].stacked, column[large].stacked
            column[less].alias = more
            column[more].cut -= self.total - column[less].cut
            if column[more].cut < self.total:
                large += 1
                column[small].stacked = more
                small += 1
        self.stale = False

    cdef dict state(self):
        return {**Scheduler.state(self), "seed": self.seed}

    cdef int load(self, dict state) except -1:
        self.seed = state["seed"]
        return Scheduler.load(self, state)


cdef inline uint64_t mix(uint64_t z) noexcept nogil:
    """Spread 64 bits over 64 bits; the output function of SplitMix64."""
    z = (z ^ z >> 30) * <uint64_t> 0xBF58476D1CE4E5B9
    z = (z ^ z >> 27) * <uint64_t> 0x94D049BB133111EB
    return z ^ z >> 31


@cython.final
cdef class ForeignScheduler(Scheduler):
    """Whatever a Python scheduler says, as long as it is an eligible index.

    `inner` has `set_weight(index, weight)`, with weight 0 for an index that may not be picked, and
    `next_index()`. It is called between changes, never within one: changed indices are marked.
    `refusal(inner, answer)` makes the exception for an answer that is no such index.
    """

    cdef object inner
    cdef object refusal
    cdef bint behind            # some indices are marked as CHANGED
    cdef uint64_t changes       # made so far

    def __cinit__(self, inner, refusal):
        self.inner = inner
        self.refusal = refusal

    cdef void changed(self, Py_ssize_t i, uint32_t before) noexcept nogil:
        self.flags[i] |= CHANGED
        self.behind = True
        self.changes += 1

    cdef int flush(self) except -1:
        """Give the changed weights to the Python scheduler, in order of index; raise what it raises."""
        cdef Py_ssize_t i = 0
        cdef uint32_t given
        while self.behind and i < self.size:
            if self.flags[i] & CHANGED:
                self.flags[i] &= ~CHANGED
                given = self.share(i)
                self.inner.set_weight(i, given)
                if self.share(i) != given:
                    self.changed(i, given)  # a signal handler gave it another weight meanwhile
                i = -1  # it may have changed any of them
            i += 1
        self.behind = False
        return 0

    cdef Py_ssize_t decide(self) noexcept nogil:
        cdef Py_ssize_t i = -1
        with gil:
            try:
                while i < 0 and self.members:
                    self.flush()
                    i = answer(self, self.changes)
            except BaseException as error:
                self.failure = error
                return -2
        if i >= 0:
            self.made[i] += 1
        return i


cdef Py_ssize_t answer(ForeignScheduler scheduler, uint64_t changes) except -2:
    """Return the next index; -1 if a change that was made meanwhile forbids it."""
    cdef Py_ssize_t i = -1
    cdef object found = scheduler.inner.next_index()
    try:
        i = found
    except (TypeError, OverflowError):
        pass  # and so no index
    # Only now: its `__index__` may have changed what is eligible.
    if 0 <= i < scheduler.size and scheduler.eligible(i):
        return i
    if scheduler.changes == changes:
        raise scheduler.refusal(scheduler.inner, found)
    return -1
