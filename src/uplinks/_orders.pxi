# The other orders, one class each, its law on top.


@cython.final
cdef class SmoothScheduler(Scheduler):
    """Law: each pick credits every eligible index its weight and takes the one
    with most credit, the lower one of equals, which pays the total. The order
    of nginx; a pick costs O(n) until a period is recorded. Credits sum to 0 and
    stay below the total times the number of targets: far below 2**63.
    """

    def __dealloc__(self):
        free(self.credit)

    cdef int extend(self, Py_ssize_t old, Py_ssize_t new) except -1:
        self.credit = <int64_t *> grown(self.credit, new, sizeof(int64_t))
        return 0

    cdef size_t memory(self):
        return Scheduler.memory(self) + self.room * sizeof(int64_t)

    cdef void appear(self, Py_ssize_t i) noexcept nogil:
        self.credit[i] = 0

    cdef dict columns(self):
        cdef Py_ssize_t i
        cdef dict columns = Scheduler.columns(self)
        columns["credit"] = [self.credit[i] for i in range(self.size)]
        return columns

    cdef int load_columns(self, dict columns) except -1:
        cdef Py_ssize_t i
        Scheduler.load_columns(self, columns)
        cdef list credit = column(columns, "credit", self.size)
        for i in range(self.size):
            self.credit[i] = credit[i]
            expect(-(<int64_t> 1 << 62) < self.credit[i] < <int64_t> 1 << 62, "credit")
        return 0

    cdef uint64_t jump(self, uint64_t picks, list counts) except? 0:
        cdef Py_ssize_t i
        self.stale = False
        for i in range(self.size):
            self.credit[i] = 0
            if self.eligible(i):
                self.credit[i] = int(picks) * int(self.weight[i]) - counts[i] * int(self.total)
        self.pristine = False
        self.recording = False
        return picks

    cdef Py_ssize_t decide(self) noexcept nogil:
        cdef Py_ssize_t i
        cdef Py_ssize_t best = -1
        if not self.total:
            return -1
        if self.stale:
            self.lay_out()
        for i in range(self.size):
            if self.eligible(i):
                self.credit[i] += self.weight[i]
                if best < 0 or self.credit[i] > self.credit[best]:
                    best = i
        self.credit[best] -= <int64_t> self.total
        self.picked[best] += 1
        self.made[best] += 1
        if self.recording:
            self.record(best)
        self.at += 1
        if self.at == self.period:
            self.end_period()
        return best

    cdef void begun(self) noexcept nogil:
        memset(self.picked, 0, self.size * sizeof(uint32_t))
        self.replays = self.pristine

    cdef void lay_out(self) noexcept nogil:
        memset(self.credit, 0, self.size * sizeof(int64_t))
        self.stale = False

    cdef void leave_replay(self) noexcept nogil:
        cdef Py_ssize_t i
        self.count_replayed()
        for i in range(self.size):
            if self.eligible(i):
                self.credit[i] = <int64_t> (self.at * self.weight[i]) - <int64_t> (
                    self.picked[i] * self.total
                )


@cython.final
cdef class RandomScheduler(Scheduler):
    """Law: each pick is drawn anew, an index with the chance of its share, exactly.

    Walker's alias method in integers: n columns of height total, each shared by
    at most two indices. `generator` has `randrange(k)`; it is asked for a column
    and for a height. A change costs O(n), at the next pick.
    """

    def __cinit__(self, generator):
        self.randrange = generator.randrange
        self.replays = False

    def __dealloc__(self):
        free(self.cut)
        free(self.own)
        free(self.alias)

    cdef int extend(self, Py_ssize_t old, Py_ssize_t new) except -1:
        self.cut = <uint64_t *> grown(self.cut, new, sizeof(uint64_t))
        self.own = <uint32_t *> grown(self.own, new, sizeof(uint32_t))
        self.alias = <uint32_t *> grown(self.alias, new, sizeof(uint32_t))
        return 0

    cdef size_t memory(self):
        return Scheduler.memory(self) + self.room * (2 * sizeof(uint32_t) + sizeof(uint64_t))

    cdef uint64_t cycle(self) noexcept nogil:
        return 0

    cdef void begun(self) noexcept nogil:
        self.stale = True

    cdef Py_ssize_t decide(self) noexcept nogil:
        cdef Py_ssize_t i
        cdef uint64_t column = 0
        cdef uint64_t height = 0
        if not self.total:
            return -1
        with gil:
            try:
                column = self.randrange(self.members)
                height = self.randrange(self.total)
                if column >= <uint64_t> self.members or height >= self.total:
                    # The generator is no good, or has changed this very scheduler.
                    raise RuntimeError("the generator gave a number that is out of range")
            except BaseException as error:
                self.failure = error
                return -2
        if self.stale:
            self.lay_out()
        i = self.own[column] if height < self.cut[column] else self.alias[column]
        self.made[i] += 1
        return i

    cdef void lay_out(self) noexcept nogil:
        # Columns too small are filled up from those too large. `picked`, which
        # means nothing here, holds both kinds: stacks that grow from either end.
        cdef Py_ssize_t i
        cdef uint32_t column = 0
        cdef uint32_t small = 0
        cdef uint32_t large = <uint32_t> self.members
        cdef uint32_t less, more
        for i in range(self.size):
            if self.eligible(i):
                self.own[column] = self.alias[column] = <uint32_t> i
                self.cut[column] = <uint64_t> self.weight[i] * <uint64_t> self.members
                if self.cut[column] < self.total:
                    self.picked[small] = column
                    small += 1
                else:
                    large -= 1
                    self.picked[large] = column
                column += 1
        while small:
            # There is one too large: the heights add up to total a column.
            small -= 1
            less = self.picked[small]
            more = self.picked[large]
            self.alias[less] = self.own[more]
            self.cut[more] -= self.total - self.cut[less]
            if self.cut[more] < self.total:
                large += 1
                self.picked[small] = more
                small += 1
        self.stale = False


@cython.final
cdef class FailoverScheduler(Scheduler):
    """Law: always the first eligible index, in the order of the indices."""

    def __cinit__(self):
        self.first_eligible = -1
        self.replays = False

    cdef uint64_t cycle(self) noexcept nogil:
        return self.members > 0

    cdef void announce(self, Py_ssize_t i) noexcept nogil:
        cdef Py_ssize_t j
        self.first_eligible = -1
        for j in range(self.size):
            if self.eligible(j):
                self.first_eligible = j
                return

    cdef Py_ssize_t decide(self) noexcept nogil:
        if self.first_eligible >= 0:
            self.made[self.first_eligible] += 1
        return self.first_eligible


@cython.final
cdef class ForeignScheduler(Scheduler):
    """Law: whatever `inner` says, as long as it is an eligible index.

    `inner` has `set_weight(index, weight)`, weight 0 meaning that the index may
    not be picked, and `next_index()`. `refusal(inner, answer)` makes the
    exception for an answer that is no such index.
    """

    def __cinit__(self, inner, refusal):
        self.inner = inner
        self.refusal = refusal
        self.replays = False

    cdef uint64_t cycle(self) noexcept nogil:
        return 0

    cdef void announce(self, Py_ssize_t i) noexcept nogil:
        with gil:
            try:
                self.inner.set_weight(i, self.share(i))
            except BaseException as error:
                self.failure = error

    cdef Py_ssize_t decide(self) noexcept nogil:
        cdef Py_ssize_t i = -2
        if not self.members:
            return -1
        with gil:
            try:
                i = self.checked(self.inner.next_index())
            except BaseException as error:
                self.failure = error
                return -2
        self.made[i] += 1
        return i

    cdef Py_ssize_t checked(self, object answer) except -2:
        cdef Py_ssize_t i = -1
        try:
            i = answer
        except (TypeError, OverflowError):
            pass  # and so no index
        # Its `__index__` may have changed what is eligible: look only now.
        if not 0 <= i < self.size or not self.eligible(i):
            raise self.refusal(self.inner, answer)
        return i
