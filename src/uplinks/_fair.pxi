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

    def __dealloc__(self):
        free(self.jobs)
        free(self.withheld)
        free_tree(&self.opening)
        free_tree(&self.closing)

    cdef int extend(self, Py_ssize_t old, Py_ssize_t new) except -1:
        cdef uint32_t leaves = 4
        while leaves < new:
            leaves *= 2
        if leaves > self.opening.room and not grow_tree(&self.opening, leaves):
            raise MemoryError
        if leaves > self.closing.room and not grow_tree(&self.closing, leaves):
            raise MemoryError
        self.withheld = <uint32_t *> grown(self.withheld, new, sizeof(uint32_t))
        self.jobs = <Job *> grown(self.jobs, new, sizeof(Job))
        memset(self.jobs + old, 0, (new - old) * sizeof(Job))
        return 0

    cdef size_t memory(self):
        return Scheduler.memory(self) + self.room * (sizeof(Job) + sizeof(uint32_t)) + (
            2 * self.opening.room * (sizeof(uint64_t) + sizeof(uint32_t))
        )

    cdef void appear(self, Py_ssize_t i) noexcept nogil:
        memset(self.jobs + i, 0, sizeof(Job))

    # -- plain data ---------------------------------------------------------------

    cdef dict columns(self):
        cdef Py_ssize_t i
        cdef dict columns = Scheduler.columns(self)
        columns["scale"] = self.scale
        columns["clock"] = self.clock
        columns["clock_rest"] = self.clock_rest
        columns["owed"] = self.owed
        columns["delay"] = self.delay
        columns["start"] = [self.jobs[i].start for i in range(self.size)]
        columns["rest"] = [self.jobs[i].rest for i in range(self.size)]
        columns["unit"] = [self.jobs[i].unit for i in range(self.size)]
        columns["opens"] = [self.opening.key[i] for i in range(self.size)]
        columns["closes"] = [self.closing.key[i] for i in range(self.size)]
        columns["withheld"] = [self.withheld[i] for i in range(self.held)]
        return columns

    cdef list picked_in_period(self):
        cdef Py_ssize_t i
        return [
            self.picked[i] if self.jobs[i].stamp == self.stamp else 0 for i in range(self.size)
        ]

    cdef int load_columns(self, dict columns) except -1:
        """Take over a state, if it is one that picks could have led to."""
        cdef Py_ssize_t i
        cdef Job *job
        Scheduler.load_columns(self, columns)
        cdef list picked = column(columns, "picked", self.size)
        cdef list start = column(columns, "start", self.size)
        cdef list rest = column(columns, "rest", self.size)
        cdef list unit = column(columns, "unit", self.size)
        cdef list opens = column(columns, "opens", self.size)
        cdef list closes = column(columns, "closes", self.size)
        cdef set withheld = set(columns["withheld"])
        expect(not self.stale or self.at == 0 and not self.replaying, "stale")
        self.scale = columns["scale"]
        self.clock = columns["clock"]
        self.clock_rest = columns["clock_rest"]
        self.owed = columns["owed"]
        self.delay = columns["delay"]
        expect(abs(self.owed) <= <int64_t> (self.members + 1) << 38, "owed")
        expect(self.delay <= 2 * SCALE, "delay")
        expect(SCALE >> 1 <= self.scale <= SCALE, "scale")
        expect(ORIGIN <= self.clock < HORIZON + SCALE, "clock")
        expect(self.clock_rest < max(<uint64_t> 1, self.total), "clock_rest")
        expect(self.replaying or sum(picked) == self.at, "picked")
        self.begun()
        self.held = 0
        for i in withheld:
            expect(0 <= i < self.size and self.eligible(i) and self.held < self.size, "withheld")
            expect(int(picked[i]) * self.divisor == self.weight[i], "withheld")
            self.withhold(i)
        for i in range(self.size):
            job = self.jobs + i
            job.start = start[i]
            job.rest = rest[i]
            job.unit = unit[i]
            job.stamp = self.stamp
            job.length = self.scale // max(<uint32_t> 1, job.unit)
            job.over = <uint32_t> (self.scale % max(<uint32_t> 1, job.unit))
            expect(job.rest < max(<uint32_t> 1, job.unit), "rest")
            expect(job.start < self.clock + 3 * SCALE, "start")
            self.opening.key[i] = opens[i]
            self.closing.key[i] = closes[i]
            if self.stale:
                continue
            for key in (self.opening.key[i], self.closing.key[i]):
                expect(key == NEVER or key < self.clock + 4 * SCALE, "window")
            if self.eligible(i):
                expect(job.unit == self.weight[i], "unit")
                # Nobody is ahead or behind by more than a few picks.
                expect(job.start <= self.clock + 4 * job.length + SLACK, "start")
                expect(self.clock <= job.start + 4 * job.length + SLACK, "start")
                expect(self.picked[i] * self.divisor <= self.weight[i], "picked")
                expect(
                    (self.opening.key[i] != NEVER) + (self.closing.key[i] != NEVER)
                    + (i in withheld) == 1,
                    "window",
                )
            else:
                expect(self.opening.key[i] == NEVER and self.closing.key[i] == NEVER, "window")
        if self.size:
            plant(&self.opening)
            plant(&self.closing)
        return 0

    cdef uint64_t jump(self, uint64_t picks, list counts) except? 0:
        cdef Py_ssize_t i
        self.lay_out()
        self.clock += picks * self.tick
        for i in range(self.size):
            if self.eligible(i):
                whole, rest = divmod(counts[i] * int(self.scale), int(self.weight[i]))
                self.jobs[i].start += <uint64_t> whole
                self.jobs[i].rest = <uint32_t> rest
        self.replant()
        self.pristine = False
        return picks

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
            if self.opening.key[i] > self.clock - self.delay:
                break
            leave(&self.opening, i)
            if self.spent(i):
                self.withhold(i)
            else:
                enter(&self.closing, i, self.closing_time(i))
        i = first(&self.closing)
        if self.closing.key[i] != NEVER:
            leave(&self.closing, i)
        else:
            # No window has opened: take the one that opens first.
            i = first(&self.opening)
            while self.spent(i):
                leave(&self.opening, i)
                self.withhold(i)
                i = first(&self.opening)
            leave(&self.opening, i)
        self.advance(i)
        enter(&self.opening, i, self.opening_time(i))
        self.likely = first(&self.closing)
        if self.recording:
            self.record(i)
        self.at += 1
        if self.at == self.period:
            self.over()
        return i

    cdef void advance(self, Py_ssize_t i) noexcept nogil:
        """Go on to the next job of a target."""
        cdef Job *job = self.jobs + i
        cdef uint64_t rest = <uint64_t> job.rest + job.over
        job.start += job.length
        if rest >= job.unit:
            rest -= job.unit
            job.start += 1
        job.rest = <uint32_t> rest
        if job.stamp != self.stamp:
            job.stamp = self.stamp
            self.picked[i] = 0
        self.picked[i] += 1
        self.made[i] += 1

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
        cdef uint64_t rest = <uint64_t> job.rest + job.over
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
        return job.stamp == self.stamp and self.picked[i] * self.divisor >= job.unit

    cdef void withhold(self, Py_ssize_t i) noexcept nogil:
        self.withheld[self.held] = <uint32_t> i
        self.held += 1

    cdef void release_withheld(self) noexcept nogil:
        cdef uint32_t i
        while self.held:
            self.held -= 1
            i = self.withheld[self.held]
            enter(&self.opening, i, self.opening_time(i))

    # -- a change ---------------------------------------------------------------

    cdef void settle(self) noexcept nogil:
        """Bring the clock to a whole unit, and back before it could overflow."""
        self.release_withheld()
        if self.clock_rest:
            self.owed += <int64_t> ((self.total - self.clock_rest) >> FINE)
            self.clock_rest = 0
            self.clock += 1
        if self.clock >= HORIZON:
            self.rebase()

    cdef int64_t behind(self, Py_ssize_t i) noexcept nogil:
        """How far a target is behind the clock, in 2**-36 picks; below 0 it is ahead."""
        cdef Job *job = self.jobs + i
        return (<int64_t> (self.clock - job.start) * job.unit - <int64_t> job.rest) >> FINE

    cdef void level(self) noexcept nogil:
        """Bring the clock to where the targets are on the whole; see the reference."""
        self.delay = 0
        if not self.total:
            self.owed = 0
        elif self.owed < 0:
            self.clock += self.time(<uint64_t> -self.owed) + 1
            self.owed = 0
        else:
            self.delay = min(self.time(<uint64_t> self.owed), 2 * SCALE)

    cdef uint64_t time(self, uint64_t amount) noexcept nogil:
        """How long it takes all to be given so much."""
        cdef uint64_t rest = amount % self.total
        cdef uint64_t total = self.total
        if total >= <uint64_t> 1 << 39:
            rest >>= 12
            total >>= 12
        return ((amount // self.total) << FINE) + (rest << FINE) // total

    cdef void begun(self) noexcept nogil:
        self.next_stamp()
        self.shifts = 2 * self.members - 2 if self.members > 1 else 0
        self.reciprocal = <uint64_t> -1 // self.shifts if self.shifts else 0
        if self.total:
            self.tick = self.scale // self.total
            self.tick_rest = self.scale % self.total

    cdef void over(self) noexcept nogil:
        """A period is over: what was withheld in it is waiting again."""
        self.end_period()
        self.release_withheld()
        if self.clock >= HORIZON:
            self.rebase()

    cdef void moved(self, Py_ssize_t i, bint was, bint will) noexcept nogil:
        cdef Job *job = self.jobs + i
        cdef uint32_t weight = self.weight[i]
        cdef int64_t ahead = <int64_t> (job.start + (job.rest > 0)) - <int64_t> self.clock
        cdef int64_t old, bound, least
        if was:
            self.owed -= self.behind(i)
        if not was and (ahead < 0 or not job.unit):
            ahead = 0  # what it missed while away is gone
        if will:
            # It stays ahead or behind by as many picks as it was.
            old = job.unit if job.unit else weight
            bound = <int64_t> (2 * self.scale) // old
            least = -bound - (bound * old != <int64_t> (2 * self.scale))
            ahead = max(least, min(bound, ahead)) * old
            ahead = (ahead + weight - 1) // weight if ahead > 0 else -((-ahead) // <int64_t> weight)
            job.unit = weight
            job.length = self.scale // weight
            job.over = <uint32_t> (self.scale % weight)
        job.start = <uint64_t> (<int64_t> self.clock + ahead)
        job.rest = 0
        if will:
            self.owed += self.behind(i)
        if self.closing.key[i] != NEVER:
            leave(&self.closing, <uint32_t> i)
        if self.opening.key[i] != NEVER:
            leave(&self.opening, <uint32_t> i)
        if will:
            enter(&self.opening, <uint32_t> i, self.opening_time(i))
        self.level()

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
        self.owed = 0
        self.delay = 0
        self.held = 0
        for i in range(self.size):
            self.jobs[i].start = ORIGIN
            self.jobs[i].rest = 0
            if self.eligible(i):
                self.jobs[i].unit = self.weight[i]
                self.jobs[i].length = self.scale // self.weight[i]
                self.jobs[i].over = <uint32_t> (self.scale % self.weight[i])
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
        cdef uint64_t high, rest
        cdef Py_ssize_t i
        cdef Job *job
        for i in range(self.size):
            if self.eligible(i):
                job = self.jobs + i
                rest = job.rest + <uint64_t> self.picked[i] * job.over
                job.start += self.picked[i] * job.length + rest // job.unit
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
