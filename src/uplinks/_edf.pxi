# The order of deadlines.


@cython.final
cdef class EdfScheduler(Scheduler):
    """Law: the index with the earliest deadline, the lower one of equals; a pick
    moves its deadline on by 1 / weight. The order of Envoy and Traefik, exact.

    Deadlines are kept in units of 2**-62, floor and rest. Two that differ do so
    by a unit at least, since weights are below 2**31: so the floors decide.
    """

    def __dealloc__(self):
        free(self.rest)
        free(self.unit)
        free_tree(&self.deadlines)

    cdef int extend(self, Py_ssize_t old, Py_ssize_t new) except -1:
        cdef uint32_t leaves = 4
        while leaves < new:
            leaves *= 2
        if leaves > self.deadlines.room and not grow_tree(&self.deadlines, leaves):
            raise MemoryError
        self.rest = <uint32_t *> grown(self.rest, new, sizeof(uint32_t))
        self.unit = <uint32_t *> grown(self.unit, new, sizeof(uint32_t))
        return 0

    cdef size_t memory(self):
        return Scheduler.memory(self) + self.room * 2 * sizeof(uint32_t) + (
            self.deadlines.room * (sizeof(uint64_t) + sizeof(uint32_t))
        )

    cdef dict columns(self):
        cdef Py_ssize_t i
        cdef dict columns = Scheduler.columns(self)
        columns["clock"] = self.clock
        columns["deadline"] = [
            self.deadlines.key[i] if self.eligible(i) else 0 for i in range(self.size)
        ]
        columns["rest"] = [self.rest[i] if self.eligible(i) else 0 for i in range(self.size)]
        return columns

    cdef int load_columns(self, dict columns) except -1:
        cdef Py_ssize_t i
        Scheduler.load_columns(self, columns)
        cdef list rest = column(columns, "rest", self.size)
        cdef list deadline = column(columns, "deadline", self.size)
        self.clock = columns["clock"]
        expect(self.clock < HORIZON, "clock")
        for i in range(self.size):
            self.unit[i] = max(1, self.weight[i])
            self.rest[i] = rest[i]
            self.deadlines.key[i] = deadline[i] if self.eligible(i) else NEVER
            if self.eligible(i) and not self.stale:
                expect(self.rest[i] < self.unit[i], "rest")
                # A changed weight may have rounded it up, by less than the old one.
                expect(
                    self.clock
                    <= self.deadlines.key[i]
                    <= self.clock + HORIZON // self.unit[i] + (<uint64_t> 1 << 32),
                    "deadline",
                )
        if self.size:
            plant(&self.deadlines)
        return 0

    cdef Py_ssize_t decide(self) noexcept nogil:
        cdef uint32_t i
        cdef Py_ssize_t j
        if not self.total:
            return -1
        if self.stale:
            self.lay_out()
        i = first(&self.deadlines)
        self.clock = self.deadlines.key[i]
        if self.clock >= 3 * SCALE:
            # Most of a unit of virtual time is over; no deadline is before this one.
            for j in range(self.size):
                if self.deadlines.key[j] != NEVER:
                    self.deadlines.key[j] -= self.clock
            self.clock = 0
        self.extend_deadline(i)
        self.likely = first(&self.deadlines)
        self.picked[i] += 1
        self.made[i] += 1
        if self.recording:
            self.record(i)
        self.at += 1
        if self.at == self.period:
            self.end_period()
        return i

    cdef uint64_t jump(self, uint64_t picks, list counts) except? 0:
        """Take all picks with a deadline up to a moment shortly before: a few are left."""
        cdef Py_ssize_t i
        cdef list moment = [0] * self.size
        cdef object clock = 0
        cdef uint64_t taken = 0
        cdef uint64_t sooner = picks - min(picks, <uint64_t> self.members)
        self.lay_out()
        for i in range(self.size):
            if self.eligible(i):
                moment[i] = int(sooner) * int(self.weight[i]) // int(self.total)
                taken += <uint64_t> moment[i]
                clock = max(clock, (moment[i] << 62) // int(self.weight[i]))
        for i in range(self.size):
            if self.eligible(i):
                whole, rest = divmod((moment[i] + 1) << 62, int(self.weight[i]))
                self.deadlines.key[i] = whole - clock
                self.rest[i] = rest
        plant(&self.deadlines)
        self.pristine = False
        self.recording = False
        return taken

    cdef void extend_deadline(self, uint32_t i) noexcept nogil:
        cdef uint64_t length = HORIZON // self.unit[i]
        cdef uint64_t rest = self.rest[i] + (HORIZON - length * self.unit[i])
        if rest >= self.unit[i]:
            rest -= self.unit[i]
            length += 1
        self.rest[i] = <uint32_t> rest
        length += self.deadlines.key[i]
        leave(&self.deadlines, i)
        enter(&self.deadlines, i, length)

    cdef void begun(self) noexcept nogil:
        memset(self.picked, 0, self.size * sizeof(uint32_t))
        # Only a period that began from the beginning is known to repeat. It
        # ends as it began, and is laid out anew to be in whole units again.
        self.replays = self.pristine
        self.stale = self.stale or self.pristine

    cdef void moved(self, Py_ssize_t i, uint32_t before, bint will) noexcept nogil:
        cdef uint64_t left
        if not will:
            leave(&self.deadlines, <uint32_t> i)
        elif before:
            # The same share of the way is still to go.
            left = (self.deadlines.key[i] - self.clock) * self.unit[i]
            self.unit[i] = self.weight[i]
            self.rest[i] = 0
            leave(&self.deadlines, <uint32_t> i)
            enter(
                &self.deadlines,
                <uint32_t> i,
                self.clock + (left + self.unit[i] - 1) // self.unit[i],
            )
        else:
            self.unit[i] = self.weight[i]
            self.rest[i] = 0
            self.deadlines.key[i] = self.clock
            self.extend_deadline(<uint32_t> i)

    cdef void lay_out(self) noexcept nogil:
        cdef Py_ssize_t i
        self.clock = 0
        memset(self.picked, 0, self.size * sizeof(uint32_t))
        for i in range(self.size):
            self.deadlines.key[i] = NEVER
            if self.eligible(i):
                self.unit[i] = self.weight[i]
                self.deadlines.key[i] = HORIZON // self.weight[i]
                self.rest[i] = <uint32_t> (HORIZON % self.weight[i])
        plant(&self.deadlines)
        self.stale = False

    cdef void leave_replay(self) noexcept nogil:
        """The period began at 0, and so each deadline follows from its picks."""
        cdef Py_ssize_t i
        cdef uint64_t rest
        self.count_replayed()
        self.clock = 0
        for i in range(self.size):
            if self.eligible(i) and self.picked[i]:
                rest = self.picked[i] * (HORIZON % self.unit[i])
                self.clock = max(
                    self.clock, self.picked[i] * (HORIZON // self.unit[i]) + rest // self.unit[i]
                )
        for i in range(self.size):
            if self.eligible(i):
                rest = (self.picked[i] + <uint64_t> 1) * (HORIZON % self.unit[i])
                self.deadlines.key[i] = (
                    (self.picked[i] + <uint64_t> 1) * (HORIZON // self.unit[i])
                    + rest // self.unit[i]
                    - self.clock
                )
                self.rest[i] = <uint32_t> (rest % self.unit[i])
        self.clock = 0
        plant(&self.deadlines)
