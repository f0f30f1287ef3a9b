# What all schedulers share: indices, their weights, and whether they may be picked.


cdef uint32_t gcd(uint32_t a, uint32_t b) noexcept nogil:
    while b:
        a, b = b, a % b
    return a


cdef void *grown(void *old, size_t count, size_t size) except NULL:
    """Reallocate to so many items; without memory the old ones stay."""
    cdef void *new = realloc(old, count * size)
    if new is NULL:
        raise MemoryError
    return new


cdef class Scheduler:
    """Which index comes next. Orders are subclasses; see `_wrr.pxd`."""

    def __cinit__(self):
        self.vacant = -1

    def __dealloc__(self):
        free(self.weight)
        free(self.flags)
        free(self.made)
        free(self.table)

    cdef int reserve(self, Py_ssize_t room) except -1:
        """Allocate memory for so many indices."""
        cdef Py_ssize_t old = self.room
        cdef Py_ssize_t new = max(4, (room + 3) // 4 * 4)
        if room <= old:
            return 0
        if room > MOST:
            raise OverflowError(f"a selector holds at most {MOST} targets")
        self.weight = <uint32_t *> grown(self.weight, new, sizeof(uint32_t))
        self.flags = <uint8_t *> grown(self.flags, new, 1)
        self.made = <uint64_t *> grown(self.made, new, sizeof(uint64_t))
        memset(self.weight + old, 0, (new - old) * sizeof(uint32_t))
        memset(self.flags + old, 0, new - old)
        memset(self.made + old, 0, (new - old) * sizeof(uint64_t))
        self.extend(old, new)
        self.room = new
        return 0

    cdef int reserve_one(self) except -1:
        """Allocate memory for one more index, so that the next `add` cannot fail."""
        if self.vacant < 0 and self.size == self.room:
            return self.reserve(max(self.size + 1, min(<Py_ssize_t> MOST, self.size + self.size // 32 + 4)))
        return 0

    cdef Py_ssize_t add(self) except -1:
        """Return a new index, which is up and has weight 0; the one removed last comes first."""
        cdef Py_ssize_t i = self.vacant
        self.reserve_one()
        if i >= 0:
            self.vacant = <Py_ssize_t> self.made[i] - 1
        else:
            i = self.size
            self.size += 1
        self.alive += 1
        self.weight[i] = 0
        self.flags[i] = UP | ALIVE
        self.made[i] = 0
        self.appear(i)
        return i

    cdef void remove(self, Py_ssize_t i) noexcept nogil:
        """Take an index back."""
        self.change(i, self.weight[i], False)
        self.alive -= 1
        self.weight[i] = 0
        self.flags[i] &= CHANGED
        self.made[i] = self.vacant + 1  # the vacant indices are a chain
        self.vacant = i

    cdef void change(self, Py_ssize_t i, uint32_t weight, bint up) noexcept nogil:
        """Set the weight of an index and whether it may be picked."""
        cdef uint32_t before = self.share(i)
        cdef uint32_t after = weight if up else 0
        if before != after:
            self.prepare_change()
        self.members += (after > 0) - (before > 0)
        self.total += <int64_t> after - <int64_t> before
        self.weight[i] = weight
        self.flags[i] = self.flags[i] & CHANGED | ALIVE | (UP if up else 0)
        if before != after:
            self.changed(i, before)

    cdef uint32_t share(self, Py_ssize_t i) noexcept nogil:
        """Return the weight with which an index takes part now."""
        return self.weight[i] if self.eligible(i) else 0

    cdef Py_ssize_t decide(self) noexcept nogil:
        """Return the next index where no replay says it; see `next_index`."""
        return -1

    cdef int extend(self, Py_ssize_t old, Py_ssize_t new) except -1:
        """Allocate what this order keeps for each index."""
        return 0

    cdef void appear(self, Py_ssize_t i) noexcept nogil:
        """Prepare a new index."""

    cdef void prepare_change(self) noexcept nogil:
        """A share is about to change."""

    cdef void changed(self, Py_ssize_t i, uint32_t before) noexcept nogil:
        """A share has changed from what it was before."""

    cdef list counts(self):
        """Return how often each index was picked."""
        cdef Py_ssize_t i
        return [self.made[i] for i in range(self.size)]

    cdef size_t memory(self):
        """Return the bytes held besides the object itself."""
        return self.room * (sizeof(uint32_t) + sizeof(uint64_t) + 1 + self.extra)

    cdef dict state(self):
        """Return the whole state as plain data; `load` takes it back."""
        cdef Py_ssize_t i
        cdef Py_ssize_t vacant = self.vacant
        cdef list chain = []
        while vacant >= 0:
            chain.append(vacant)
            vacant = <Py_ssize_t> self.made[vacant] - 1
        return {
            "weight": [self.weight[i] for i in range(self.size)],
            "flags": [self.flags[i] & (UP | ALIVE) for i in range(self.size)],
            "made": [self.made[i] if self.flags[i] & ALIVE else 0 for i in range(self.size)],
            "vacant": chain,
        }

    cdef int load(self, dict state) except -1:
        """Take over a state, if changes and picks can lead to it."""
        cdef Py_ssize_t i
        cdef Py_ssize_t size = len(state["flags"])
        cdef list weight = column(state, "weight", size)
        cdef list flags = column(state, "flags", size)
        cdef list made = column(state, "made", size)
        cdef list vacant = column(state, "vacant", len(state["vacant"]))
        expect(self.size == 0 and not self.taken, "scheduler: it is in use")
        self.reserve(size)
        self.size = size
        for i in range(size):
            expect(0 <= weight[i] < <uint32_t> 1 << 31, "weight")
            expect(flags[i] in (0, ALIVE, ALIVE | UP), "flags")
            expect(flags[i] or not weight[i], "weight")
            self.weight[i] = weight[i]
            self.flags[i] = flags[i]
            self.made[i] = made[i]
            self.appear(i)
            self.alive += flags[i] != 0
            self.members += self.share(i) > 0
            self.total += self.share(i)
        expect(sorted(vacant) == [i for i in range(size) if not flags[i]], "vacant")
        for i in reversed(vacant):
            self.made[i] = self.vacant + 1
            self.vacant = i
        return 0

    cdef int check(self) except -1:
        """Raise `ValueError` unless what is kept for speed agrees with what it is derived from."""
        cdef Py_ssize_t i, members = 0, alive = 0
        cdef uint64_t total = 0
        for i in range(self.size):
            members += self.share(i) > 0
            alive += self.flags[i] & ALIVE != 0
            total += self.share(i)
        expect(self.members == members and self.alive == alive, "number of targets")
        expect(self.total == total, "sum of the weights")
        return 0
