@cython.final
cdef class FairScheduler(Scheduler):
    """Law: every period gives each index its weight over the gcd, and while
    nothing changes no index is further than 1 - 1/(2n-2) from its share.

    A pick takes, of the jobs whose window has opened, the one whose window
    closes first. `_wrr_reference` says what that means, in few lines; here two
    tournaments find both (`_windows`), a period that has been picked is
    replayed, and a change touches one job.

    Windows are compared in grains of 2**(bits + 1) units, `bits` of a key being
    the index. From a fresh start a pick is a power of two of units: as long as
    that is a grain or more, which up to 2**14 targets it always is, nothing is
    lost by it.
    """

    def __cinit__(self):
        self.pace.scale = SCALE
        self.clock = ORIGIN
        self.stamp = 1
        self.bits = 2
        self.pace.mask = 3
        self.ranked = True

    def __dealloc__(self):
        unpin(self.past.table)
        free(self.jobs)
        free_windows(&self.windows)

    cdef int extend(self, Py_ssize_t old, Py_ssize_t new) except -1:
        cdef Windows *windows = &self.windows
        # One at least: memory for nothing may be none.
        cdef size_t nodes = nodes_over(<uint32_t> new) + 1
        windows.key = <uint64_t *> grown(windows.key, new, sizeof(uint64_t))
        windows.closing = <uint64_t *> grown(windows.closing, nodes, sizeof(uint64_t))
        windows.opening = <int64_t *> grown(windows.opening, nodes, sizeof(int64_t))
        self.jobs = <Job *> grown(self.jobs, new, sizeof(Job))
        memset(self.jobs + old, 0, (new - old) * sizeof(Job))
        widen_windows(windows, <uint32_t> new)
        return 0

    cdef size_t memory(self):
        return (
            Scheduler.memory(self)
            + self.room * (sizeof(Job) + sizeof(uint64_t))
            + 2 * nodes_over(<uint32_t> self.room) * sizeof(uint64_t)
            + table_memory(self.past.table, self.past.period, self.past.width)
        )

    cdef void appear(self, Py_ssize_t i) noexcept nogil:
        memset(self.jobs + i, 0, sizeof(Job))
        if self.size > <Py_ssize_t> 1 << self.bits:
            self.repack()

    # -- plain data ---------------------------------------------------------------

    cdef dict columns(self):
        cdef Py_ssize_t i
        self.meet_all()
        cdef dict columns = Scheduler.columns(self)
        columns["scale"] = self.pace.scale
        columns["clock"] = self.clock
        columns["clock_rest"] = self.clock_rest
        columns["owed"] = self.owed
        columns["delay"] = self.delay
        columns["end"] = [self.jobs[i].end for i in range(self.size)]
        columns["rest"] = [self.jobs[i].rest for i in range(self.size)]
        columns["unit"] = [self.jobs[i].weight for i in range(self.size)]
        columns["window"] = [self.windows.key[i] for i in range(self.size)]
        return columns

    cdef list counts(self):
        self.meet_all()
        return Scheduler.counts(self)

    cdef uint64_t decided(self, Py_ssize_t i) noexcept nogil:
        return self.made[i] + self.jobs[i].picked

    cdef list picked_in_period(self):
        cdef Py_ssize_t i
        return [
            self.jobs[i].picked
            if self.jobs[i].stamp == self.stamp or self.waits_for_end(<uint32_t> i)
            else 0
            for i in range(self.size)
        ]

    cdef void count_replayed(self) noexcept nogil:
        """A period was replayed so many times, and the next has not begun."""
        cdef Py_ssize_t i
        for i in range(self.size):
            if self.eligible(i):
                self.made[i] += self.laps * (self.weight[i] // self.divisor)
        self.laps = 0

    cdef int load_columns(self, dict columns) except -1:
        """Take over a state, if it is one that picks could have led to."""
        cdef Py_ssize_t i
        cdef Job *job
        Scheduler.load_columns(self, columns)
        cdef list picked = column(columns, "picked", self.size)
        cdef list end = column(columns, "end", self.size)
        cdef list rest = column(columns, "rest", self.size)
        cdef list unit = column(columns, "unit", self.size)
        cdef list window = column(columns, "window", self.size)
        expect(not self.stale or self.pristine and self.at == 0 and not self.replaying, "stale")
        self.pace.scale = columns["scale"]
        self.clock = columns["clock"]
        self.clock_rest = columns["clock_rest"]
        self.owed = columns["owed"]
        self.delay = columns["delay"]
        expect(0 <= self.owed <= MOST_OWED, "owed")
        expect(self.delay <= 2 * SCALE, "delay")
        expect(SCALE >> 1 <= self.pace.scale <= SCALE, "scale")
        expect(ORIGIN <= self.clock < HORIZON + SCALE, "clock")
        expect(self.clock_rest < max(<uint64_t> 1, self.total), "clock_rest")
        expect(self.replaying or sum(picked) == self.at, "picked")
        self.begun()
        self.load_marks()
        for i in range(self.size):
            job = self.jobs + i
            job.end = end[i]
            job.rest = rest[i]
            job.weight = unit[i]
            job.picked = picked[i] if self.eligible(i) else 0
            self.made[i] -= job.picked
            job.stamp = self.stamp
            self.windows.key[i] = window[i]
            expect(job.end < self.clock + 4 * SCALE, "end")
            expect(job.rest < <uint32_t> 1 << 31, "rest")
            expect(job.weight < <uint32_t> 1 << 31, "unit")
            if self.stale:
                continue
            if not self.eligible(i):
                expect(self.windows.key[i] == NONE, "window")
                continue
            expect(job.weight == self.weight[i], "unit")
            expect(job.rest < job.weight, "rest")
            # Nobody is ahead by more than a few picks; who stays while others leave that are
            # ahead falls behind by as much time as the longest job takes, and a few picks.
            job.length = self.pace.scale // job.weight
            expect(job.end <= self.clock + 5 * job.length + SLACK, "end")
            expect(self.clock <= job.end + 3 * job.length + 2 * SCALE + SLACK, "end")
            # No window, of this job or the next, is where a key's time cannot be.
            expect(job.end < 7 * SCALE, "end")
            expect(closing(job, <uint32_t> i, &self.pace) < WITHHELD, "end")
            expect(opening_of_next(job, <uint32_t> i, &self.pace) >> 62 == 2, "end")
            expect(<uint64_t> job.picked * self.divisor <= self.weight[i], "picked")
            if self.replaying:
                expect(self.windows.key[i] == NONE, "window")
                continue
            self.check_window(<uint32_t> i)
        if self.size:
            set_all_windows(&self.windows)
        return 0

    cdef int load_marks(self) except -1:
        """Note beside a table what is noted while it is recorded."""
        cdef uint64_t k
        cdef Py_ssize_t i
        cdef uint64_t at = self.at
        cdef list seen = [0] * self.size
        for k in range(self.period if self.replaying else at if self.recording else 0):
            i = entry(self.table, self.width, k)
            self.at = k
            self.mark(<uint32_t> i, seen[i])
            seen[i] += 1
        self.at = at
        return 0

    cdef int check_window(self, uint32_t i) except -1:
        """See that the key of an index is its own, and of a time."""
        cdef uint64_t key = self.windows.key[i]
        cdef uint64_t last = (self.clock + 4 * SCALE) >> (self.bits + 1)
        expect(key < WAITS | WITHHELD and key != NONE, "window")
        # Who has had its share is not open, or a period could end without another's.
        expect(key >> 62 or not self.spent(i), "window")
        expect(key & self.pace.mask == i, "window")
        expect((key & (WITHHELD - 1)) >> self.bits <= last, "window")
        if key & WITHHELD:
            expect(self.spent(i), "window")
            self.note_withheld(i)
        return 0

    cdef uint64_t jump(self, uint64_t picks, list counts) except? 0:
        cdef Py_ssize_t i
        self.lay_out()
        self.clock += picks * self.tick
        for i in range(self.size):
            if self.eligible(i):
                whole, rest = divmod(counts[i] * int(self.pace.scale), int(self.weight[i]))
                self.jobs[i].end = ORIGIN + <uint64_t> whole
                self.jobs[i].rest = <uint32_t> rest
        self.replant()
        self.pristine = False
        return picks

    # -- a pick -----------------------------------------------------------------

    cdef Py_ssize_t decide(self) noexcept nogil:
        cdef uint32_t i
        cdef uint32_t handled = 0
        cdef int64_t due
        cdef Job *job
        cdef First first
        if not self.total:
            return -1
        if self.stale:
            self.lay_out()
        self.clock += self.tick
        self.clock_rest += self.tick_rest
        if self.clock_rest >= self.total:
            self.clock_rest -= self.total
            self.clock += 1
        due = <int64_t> (WAITS | (self.clock - self.delay) >> 1 | self.pace.mask)
        if self.past.left:
            self.meet()
        # In a variable: stored and read again at once, they would be waited for.
        first = self.windows.first
        # If no window has opened, the one that opens first is taken.
        while first.opens <= due or first.closes >= WITHHELD:
            i = <uint32_t> (<uint64_t> first.opens & self.pace.mask)
            handled += 1
            if handled > FEW and handled > self.size >> 4:
                handled = 0
                self.open_all(due)
                first = self.windows.first
            elif self.spent(i):
                set_window(&self.windows, i, self.windows.key[i] ^ (WAITS | WITHHELD))
                self.note_withheld(i)
                first = self.windows.first
            else:
                first = opened(&self.windows, first, i, closing(self.jobs + i, i, &self.pace))
        i = <uint32_t> (first.closes & self.pace.mask)
        job = self.jobs + i
        first = awaited(&self.windows, first, i, opening_of_next(job, i, &self.pace))
        self.windows.first = first
        self.likely = <uint32_t> (first.closes & self.pace.mask)
        if self.size > CACHED:
            self.fetch(<uint32_t> self.likely)
            self.fetch(<uint32_t> (<uint64_t> first.opens & self.pace.mask))
        next_job(job, &self.pace)
        if job.stamp == self.stamp:
            job.picked += 1
        else:
            self.made[i] += job.picked
            job.picked = 1
            job.stamp = self.stamp
        if self.recording:
            self.record(i)
            if self.recording:
                self.mark(i, job.picked - 1)
        self.at += 1
        if self.at == self.period:
            self.over()
        return i

    cdef void fetch(self, uint32_t i) noexcept nogil:
        """Have at hand what a pick asks first of an index, if it is one."""
        if i < self.size:
            prefetch(self.jobs + i)
            prefetch(self.windows.key + i)

    cdef void mark(self, uint32_t i, uint32_t before) noexcept nogil:
        """Note beside the table how often an index stands before this place, and in which part."""
        cdef uint64_t most = MOST_OFF * self.total
        cdef uint64_t off
        if not self.at:
            self.part_bits = bits_of_part(self.period)
            self.strays = False
        # Times W, which is below 2**58: less than it may be wraps round, and is also too much.
        off = before * self.total - self.at * self.weight[i] + most
        self.strays = self.strays or off > 2 * most
        self.table.ranks[self.at] = <uint8_t> before
        self.table.parts[i] = (self.table.parts[i] if before else 0) | <uint32_t> 1 << (
            self.at >> self.part_bits
        )

    cdef bint spent(self, uint32_t i) noexcept nogil:
        """Has a target had its share of this period?"""
        cdef Job *job = self.jobs + i
        return job.stamp == self.stamp and <uint64_t> job.picked * self.divisor >= job.weight

    cdef bint waits_for_end(self, uint32_t i) noexcept nogil:
        return self.windows.key[i] >> 62 == 1 and self.windows.key[i] != NONE

    cdef void note_withheld(self, uint32_t i) noexcept nogil:
        """A target waits for the period's end. Its stamp is known, and says who else does."""
        self.jobs[i].stamp = self.last_withheld
        self.last_withheld = i + 1

    cdef void release_withheld(self) noexcept nogil:
        """The period is over: O(log n) each, O(n) at most.

        One by one they are dearer than to open, since both winners are found anew.
        """
        cdef uint32_t many = 0
        cdef uint32_t i
        cdef uint32_t next = self.last_withheld
        while next:
            i = next - 1
            next = self.jobs[i].stamp
            self.windows.key[i] ^= WAITS | WITHHELD
            many += 1
        next = self.last_withheld
        self.last_withheld = 0
        while next:
            i = next - 1
            next = self.jobs[i].stamp
            self.jobs[i].stamp = 0
            if many <= self.size >> 5:
                set_window(&self.windows, i, self.windows.key[i])
        if many > self.size >> 5:
            set_all_windows(&self.windows)

    cdef void open_all(self, int64_t due) noexcept nogil:
        """Open every window that is due, and withhold all who are to be: O(n), so that no pick costs more."""
        cdef uint64_t *key = self.windows.key
        cdef uint32_t i
        for i in range(self.size):
            if not key[i] & WAITS:
                continue
            if self.spent(i):
                key[i] ^= WAITS | WITHHELD
                self.note_withheld(i)
            elif <int64_t> key[i] <= due:
                key[i] = closing(self.jobs + i, i, &self.pace)
        set_all_windows(&self.windows)

    # -- a change ---------------------------------------------------------------

    cdef void settle(self, Py_ssize_t i) noexcept nogil:
        """Bring the clock to a whole unit, and back before it could overflow."""
        self.release_withheld()
        if self.clock_rest:
            self.owed += <int64_t> ((self.total - self.clock_rest) >> FINE)
            self.clock_rest = 0
            self.clock += 1
        if self.clock >= HORIZON:
            self.rebase()
        if self.past.left and self.unmet(i):
            self.look_up(<uint32_t> i)

    cdef int64_t behind(self, Moment start, uint32_t weight) noexcept nogil:
        """How far a target is behind whose job begins then, in 2**-36 picks; below 0 it is ahead."""
        # In two parts: eight picks behind are 2**63 units of its weight.
        cdef int64_t late = <int64_t> (self.clock - start.whole)
        cdef int64_t fine = late & ((<int64_t> 1 << FINE) - 1)
        return (late >> FINE) * weight + ((fine * weight - <int64_t> start.rest) >> FINE)

    cdef void level(self) noexcept nogil:
        """Bring the clock to where the targets are on the whole; see the reference."""
        self.delay = 0
        if not self.total:
            self.owed = 0
        elif self.owed < 0:
            self.clock += self.time(<uint64_t> -self.owed) + 1
            self.owed = 0
        else:
            self.owed = min(self.owed, MOST_OWED)
            self.delay = self.time(<uint64_t> self.owed)

    cdef uint64_t time(self, uint64_t amount) noexcept nogil:
        """How long it takes all to be given so much; two units of virtual time at most."""
        cdef uint64_t whole = amount // self.total
        cdef uint64_t rest = amount % self.total
        cdef uint64_t total = self.total
        if whole >= 2 * SCALE >> FINE:
            return 2 * SCALE
        if total >= <uint64_t> 1 << 39:
            rest >>= 12
            total >>= 12
        return (whole << FINE) + (rest << FINE) // total

    cdef void begun(self) noexcept nogil:
        self.next_stamp()
        self.pace.shifts = 2 * self.members - 2 if self.members > 1 else 0
        self.pace.reciprocal = <uint64_t> -1 // self.pace.shifts if self.pace.shifts else 0
        if self.total:
            self.tick = self.pace.scale // self.total
            self.tick_rest = self.pace.scale % self.total

    cdef void over(self) noexcept nogil:
        """A period is over: what was withheld in it is waiting again."""
        self.release_withheld()
        self.end_period()
        # Early, so that the change that ends a replay need not do it.
        if self.clock >= HORIZON - SCALE:
            self.rebase()
        if self.replaying:
            clear_windows(&self.windows)

    cdef void moved(self, Py_ssize_t i, uint32_t before, bint will) noexcept nogil:
        cdef Job *job = self.jobs + i
        cdef uint32_t weight = self.weight[i]
        cdef int64_t whole = <int64_t> (2 * self.pace.scale)
        cdef int64_t ahead, old, bound, least
        cdef Moment start
        if before:
            start = beginning(job, &self.pace)
            self.owed -= self.behind(start, before)
            ahead = <int64_t> start.whole - <int64_t> self.clock + (start.rest > 0)
        else:
            # What it missed while away is gone.
            ahead = max(<int64_t> job.end - <int64_t> self.clock, 0)
        if will:
            # It stays ahead or behind by as many picks as it was.
            old = job.weight if job.weight else weight
            bound = whole // old
            least = -bound - (bound * old != whole)
            ahead = max(least, min(bound, ahead)) * old
            ahead = (ahead + weight - 1) // weight if ahead > 0 else -((-ahead) // <int64_t> weight)
        start.whole = <uint64_t> (<int64_t> self.clock + ahead)
        start.rest = 0
        if will:
            self.owed += self.behind(start, weight)
            set_window(
                &self.windows, <uint32_t> i, begin_job(job, start, weight, <uint32_t> i, &self.pace)
            )
        else:
            job.end = start.whole
            job.rest = 0
            set_window(&self.windows, <uint32_t> i, NONE)
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

        A pick is a power of two of units, so that every comparison is exact.
        """
        cdef Py_ssize_t i
        self.tick = 1
        while 2 * self.tick * self.total <= SCALE:
            self.tick *= 2
        self.pace.scale = self.tick * self.total
        self.tick_rest = 0
        self.clock = ORIGIN
        self.clock_rest = 0
        self.owed = 0
        self.delay = 0
        for i in range(self.size):
            self.jobs[i].end = ORIGIN
            self.jobs[i].rest = 0
        self.stale = False
        self.replant()

    cdef void replant(self) noexcept nogil:
        """Let every eligible target begin where it has come to, and wait for its window."""
        cdef Py_ssize_t i
        cdef Moment start
        for i in range(self.size):
            start.whole = self.jobs[i].end
            start.rest = self.jobs[i].rest
            self.windows.key[i] = (
                begin_job(self.jobs + i, start, self.weight[i], <uint32_t> i, &self.pace)
                if self.eligible(i)
                else NONE
            )
        set_all_windows(&self.windows)

    cdef void repack(self) noexcept nogil:
        """Give the index more bits of each key, and the time less: twice that of one more."""
        cdef uint8_t more = 0
        cdef uint64_t key, kind, time
        cdef Py_ssize_t i
        self.meet_all()
        while self.size > <Py_ssize_t> 1 << (self.bits + more):
            more += 1
        for i in range(self.size):
            if self.windows.key[i] == NONE:
                continue
            key = self.windows.key[i]
            kind = key & (WAITS | WITHHELD)
            time = (key & (WITHHELD - 1)) >> self.bits
            if kind:  # of an opening, which is rounded up
                time += (<uint64_t> 1 << more) - 1
            self.windows.key[i] = kind | time >> more << (self.bits + more) | i
        self.bits += more
        self.pace.mask = (<uint64_t> 1 << self.bits) - 1
        set_all_windows(&self.windows)

    # -- the end of a replay ------------------------------------------------------
    #
    # While a period is replayed, clock and jobs stand where it began, and nobody has a
    # window. After a change everybody is open, and due when it would have been picked
    # next. So the table itself says who is due when, and nobody is brought to the
    # present before its turn.

    cdef void leave_replay(self) noexcept nogil:
        """Bring the clock to where the replay has come; the targets follow as they are met.

        The clock's product is taken in two steps of ten bits, so that it fits 64.
        """
        cdef Past *past = &self.past
        cdef Py_ssize_t i
        cdef uint64_t k
        cdef uint64_t high = (self.at >> 10) * self.tick_rest
        cdef uint64_t rest = (
            self.clock_rest + ((high % self.total) << 10) + (self.at & 1023) * self.tick_rest
        )
        self.clock += self.at * self.tick + ((high // self.total) << 10) + rest // self.total
        self.clock_rest = rest % self.total
        past.table = self.table
        past.width = self.width
        past.left_at = self.at
        past.at = self.at
        past.clock = self.clock
        past.clock_rest = self.clock_rest
        past.tick = self.tick
        past.tick_rest = self.tick_rest
        past.total = self.total
        past.divisor = self.divisor
        past.period = self.period
        past.laps = self.laps
        past.counted = self.strays
        past.part_bits = self.part_bits
        past.looked_up = 0
        past.met = 0
        past.left = <uint32_t> self.members
        self.laps = 0
        self.table = NULL
        self.table_room = 0
        if past.counted:
            # Ranks say too little: all are counted, and met, O(n) and a period.
            for i in range(self.size):
                self.made[i] += self.jobs[i].picked
                self.jobs[i].picked = 0
            for k in range(past.left_at):
                self.jobs[entry(past.table, past.width, k)].picked += 1
            self.meet_all()

    cdef bint unmet(self, Py_ssize_t i) noexcept nogil:
        return self.windows.key[i] == NONE and self.eligible(i)

    cdef void meet(self) noexcept nogil:
        """Meet those who are due before, or with, the best of those met before.

        Who stands later in the table is due later, so that nobody else need be known.
        """
        while self.past.left and self.past.met <= self.windows.first.closes:
            self.meet_next()

    cdef void meet_all(self) noexcept nogil:
        while self.past.left:
            self.meet_next()

    cdef void meet_next(self) noexcept nogil:
        """Read on in the table up to somebody who has not been met."""
        cdef Past *past = &self.past
        cdef uint64_t place, quota
        cdef uint32_t i
        while True:
            if past.at == past.period:
                past.at = 0
            place = past.at
            i = <uint32_t> entry(past.table, past.width, place)
            past.at += 1
            past.clock += past.tick
            past.clock_rest += past.tick_rest
            if past.clock_rest >= past.total:
                past.clock_rest -= past.total
                past.clock += 1
            if self.unmet(i):
                break
        if past.counted:
            quota = self.jobs[i].picked
            self.jobs[i].picked = 0
            self.bring_up(i, quota)
        else:
            quota = self.weight[i] // past.divisor
            self.bring_up(i, quota if place < past.left_at else rank(past.table, place, quota, past.period))
        past.met = key_of_closing(past.clock, 0, self.pace.mask)
        set_window(&self.windows, i, past.met | i)

    cdef void look_up(self, uint32_t i) noexcept nogil:
        """Bring a target to the present that changes before it is met.

        One or two of 32 parts of the table are looked through for it. After many such
        changes it costs no more to meet all.
        """
        cdef Past *past = &self.past
        cdef uint64_t quota = self.weight[i] // past.divisor
        past.looked_up += 1
        if past.looked_up > 16:
            self.meet_all()
            return
        self.bring_up(
            i,
            picks_before(
                past.table,
                past.width,
                past.left_at,
                i,
                past.table.parts[i],
                past.part_bits,
                quota,
                past.period,
            ),
        )

    cdef void bring_up(self, uint32_t i, uint64_t picks) noexcept nogil:
        """Enter what a target was given in the replay, so much of it in the last period."""
        cdef Past *past = &self.past
        cdef Job *job = self.jobs + i
        cdef uint32_t weight = job.weight
        cdef uint64_t rest = job.rest + picks * (self.pace.scale - job.length * weight)
        job.end += picks * job.length + rest // weight
        job.rest = <uint32_t> (rest % weight)
        self.made[i] += past.laps * (weight // past.divisor) + picks
        past.left -= 1
        if not past.left:
            unpin(past.table)
            past.table = NULL

    cdef void rebase(self) noexcept nogil:
        """Take the same from the clock and all tags, so that none overflows."""
        # A whole number of grains, whatever a grain is.
        cdef uint64_t shift = (self.clock - ORIGIN) >> 32 << 32
        cdef uint64_t less = shift >> (self.bits + 1) << self.bits
        cdef uint64_t least, time
        cdef Py_ssize_t i
        self.meet_all()
        self.clock -= shift
        for i in range(self.size):
            # A window closes half a job before its job's end, at most.
            least = self.jobs[i].length // 2 + 4 if self.eligible(i) else 0
            if self.jobs[i].end > least:
                self.jobs[i].end -= min(shift, self.jobs[i].end - least)
            if self.windows.key[i] != NONE:
                time = self.windows.key[i] & (WITHHELD - 1) & ~self.pace.mask
                self.windows.key[i] -= min(less, time)
        set_all_windows(&self.windows)
