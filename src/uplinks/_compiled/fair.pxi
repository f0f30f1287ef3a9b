# The fair scheduler.
#
# Each eligible target of weight w owns a chain of jobs, one a pick, each 1/w long. Lags, w * (clock -
# start), sum to the debt: what targets that have left were ahead. With W the sum of the eligible weights,
# n their number and d = 1 / (2n - 2):
#
#     pick     clock += 1/W; while the debt is more than one pick, 1/2W, which pays half a pick of it. Of
#              the targets that have not had their share of this period, take the one whose open window
#              [start + d/w, start + (1 - d)/w] closes first; if no window is open, the one whose window
#              opens first. Its next job starts where this one ends.
#     leave    the debt becomes the sum of the remaining lags
#     join     start min(debt, 1 pick)/w after the clock, also on return: what it was ahead is in the debt
#     weight   keep lead or lag in picks, at most two
#
# Where the debt would be below 0, or a change would move it by more than four picks, the clock moves
# instead. A target that is three units of virtual time behind is set two behind, so everything fits 64 bits.
#
# Invariant: sum of w * start + debt = W * clock, in integers, with remainders, so nothing drifts. Complexity:
# a pick O(log n) amortized in two tournaments, which find the window that closes first and the one that
# opens first; a change O(log n). Every change begins a period, in which each target gets its weight over
# the gcd: a target that has had its share is withheld until the period ends. The first period is recorded
# and replayed: a pick is an array read then. A change leaves the replay at once, in O(n + period/2). All
# periods repeat the first, so each begins with the debt that the first one began with.
#
# Source: R. Tijdeman, "The chairman assignment problem", Discrete Mathematics 32 (1980) 323-330. The
# specification is `_wrr_reference/fair.py`.

@cython.final
cdef class FairScheduler(Scheduler):
    """Weighted round robin that is exact in every period and optimally smooth."""

    def __cinit__(self):
        self.extra = sizeof(Job) + sizeof(uint32_t) + sizeof(uint64_t)
        self.clock = ORIGIN
        self.stamp = 1
        self.pristine = True
        self.stale = True
        self.pace.scale = SCALE
        self.pace.index = 3

    def __dealloc__(self):
        free(self.divisors)
        free(self.jobs)
        free_windows(&self.windows)

    cdef Py_ssize_t decide(self) noexcept nogil:
        cdef uint32_t i
        cdef int64_t due
        cdef Job *job
        cdef First first
        if not self.total:
            return -1
        if self.stale:
            lay_out(self)
        if self.at < self.slow:
            advance_clock(self, 1)
        else:
            self.clock += self.tick
            self.clock_rest += self.tick_rest
            if self.clock_rest >= self.total:
                self.clock_rest -= self.total
                self.clock += 1
        due = <int64_t> (WAITS | self.clock >> 1 | self.pace.index)
        # In a variable: stored and read again at once, it would stall.
        first = self.windows.first
        # If no window is open, the one that opens first is taken.
        while first.opens <= due or first.closes >= WITHHELD:
            i = <uint32_t> (<uint64_t> first.opens & self.pace.index)
            job = self.jobs + i
            if job.stamp == self.stamp and job.picked * self.divisor >= job.weight:
                set_window(&self.windows, i, self.windows.key[i] ^ (WAITS | WITHHELD))
                job.stamp = self.last_withheld  # the stamp is a link now
                self.last_withheld = i + 1
                first = self.windows.first
            else:
                first = opened(&self.windows, first, i, closing(job, i, &self.pace))
        i = <uint32_t> (first.closes & self.pace.index)
        job = self.jobs + i
        first = awaited(&self.windows, first, i, opening_of_next(job, i, &self.pace))
        self.windows.first = first
        self.likely = <uint32_t> (first.closes & self.pace.index)
        if self.size > CACHED:
            prefetch(self.jobs + self.likely)
            prefetch(self.windows.key + self.likely)
            prefetch(self.jobs + (<uint64_t> first.opens & self.pace.index))
        next_job(job, &self.pace)
        if job.stamp == self.stamp:
            job.picked += 1
        else:
            self.made[i] += job.picked
            job.picked = 1
            job.stamp = self.stamp
        if self.recording:
            record(self, i)
        self.at += 1
        if self.at == self.period:
            end_period(self)
        return i

    cdef void prepare_change(self) noexcept nogil:
        self.pristine = self.pristine and self.at == 0
        if self.replaying and not self.pristine:
            leave_replay(self)
        self.slow -= min(self.slow, self.at)
        count_replayed(self)
        release_withheld(self)
        rebase(self)

    cdef void changed(self, Py_ssize_t i, uint32_t before) noexcept nogil:
        update_divisor(self, i)
        count_shares(self)
        begin_period(self)
        self.stale = self.pristine
        if not self.pristine:
            move(self, i, before)

    cdef list counts(self):
        cdef Py_ssize_t i
        cdef uint64_t k
        count_replayed(self)
        cdef list found = [self.made[i] + self.jobs[i].picked for i in range(self.size)]
        for k in range(self.at if self.replaying else 0):
            found[<Py_ssize_t> self.table[k]] += 1
        return [made & 0xFFFFFFFFFFFFFFFF for made in found]

    cdef int extend(self, Py_ssize_t old, Py_ssize_t new) except -1:
        cdef Windows *windows = &self.windows
        cdef Py_ssize_t i
        cdef size_t nodes = nodes_over(<uint32_t> new) + 1  # as there may be no memory for nothing
        windows.key = <uint64_t *> grown(windows.key, new, sizeof(uint64_t))
        windows.closing = <uint64_t *> grown(windows.closing, nodes, sizeof(uint64_t))
        windows.opening = <int64_t *> grown(windows.opening, nodes, sizeof(int64_t))
        self.jobs = <Job *> grown(self.jobs, new, sizeof(Job))
        self.divisors = <uint32_t *> grown(self.divisors, new, sizeof(uint32_t))
        memset(self.jobs + old, 0, (new - old) * sizeof(Job))
        memset(self.divisors, 0, new * sizeof(uint32_t))
        widen_windows(windows, <uint32_t> new)
        self.room = new
        for i in range(0, self.size, 2):
            update_divisor(self, i)
        return 0

    cdef size_t memory(self):
        cdef size_t tables = 4 * nodes_over(<uint32_t> self.room) + self.recordable
        return Scheduler.memory(self) + tables * sizeof(uint32_t)

    cdef void appear(self, Py_ssize_t i) noexcept nogil:
        self.jobs[i].picked = 0
        if i > <Py_ssize_t> self.pace.index:
            self.pace.index = 2 * self.pace.index + 1
            restart(self)

    cdef dict state(self):
        return fair_state(self)

    cdef int load(self, dict state) except -1:
        return load_fair(self, state)

    cdef int check(self) except -1:
        return check_fair(self)


cdef void release_withheld(FairScheduler self) noexcept nogil:
    """Let all withheld targets wait for their windows: O(log n) each."""
    cdef uint32_t i
    while self.last_withheld:
        i = self.last_withheld - 1
        self.last_withheld = self.jobs[i].stamp
        self.jobs[i].stamp = 0
        set_window(&self.windows, i, self.windows.key[i] ^ (WAITS | WITHHELD))


cdef void count_shares(FairScheduler self) noexcept nogil:
    """Derive what follows from the weights."""
    self.divisor = self.divisors[1] if self.size else 0
    self.period = self.total // self.divisor if self.divisor else 0
    self.pace.shifts = 2 * self.members - 2 if self.members > 1 else 0
    self.pace.reciprocal = <uint64_t> -1 // self.pace.shifts if self.pace.shifts else 0


cdef void move(FairScheduler self, Py_ssize_t i, uint32_t before) noexcept nogil:
    """Take a target out of the schedule, put it into the schedule, or both."""
    cdef Job *job = self.jobs + i
    cdef uint32_t weight = self.share(i)
    cdef uint64_t now = self.clock + (self.clock_rest > 0)
    cdef uint64_t opening = NONE
    cdef int64_t kept, ahead = 0, lag = 0
    cdef Moment start = Moment(self.clock, 0)
    cdef Moment old
    if before:
        start = beginning(job, &self.pace)
        ahead = <int64_t> (start.whole - now) + (start.rest > 0)
    old = start
    if weight:
        if before:
            kept = <int64_t> (KEPT * self.pace.scale // before)
            ahead = max(-kept, min(kept, ahead)) * before
            # divided, rounding up
            ahead = (ahead + weight - 1) // weight if ahead > 0 else -(-ahead // <int64_t> weight)
        else:
            ahead = <int64_t> (((self.pace.scale if self.slow else self.debt) + weight - 1) // weight)
        start = Moment(now + <uint64_t> ahead, 0)
        lag = <int64_t> weight * <int64_t> (self.clock - start.whole)
        opening = begin_job(job, start, weight, <uint32_t> i, &self.pace)
    set_window(&self.windows, <uint32_t> i, opening)
    balance(self, before, <int64_t> (old.whole - self.clock), lag + old.rest)
    while catch_up(self, self.windows.first.closes) or catch_up(self, <uint64_t> self.windows.first.opens):
        pass


cdef bint catch_up(FairScheduler self, uint64_t key) noexcept nogil:
    """Set the target of a key two units behind the clock if it is more than three behind; tell if so."""
    cdef uint32_t i = <uint32_t> (key & self.pace.index)
    cdef Job *job = self.jobs + i
    cdef Moment old
    if key & WITHHELD:
        return False  # there is none
    old = beginning(job, &self.pace)
    if <int64_t> (self.clock - old.whole) <= <int64_t> (3 * SCALE):
        return False
    key = begin_job(job, Moment(self.clock - 2 * SCALE, 0), job.weight, i, &self.pace)
    set_window(&self.windows, i, key)
    balance(self, job.weight, <int64_t> (old.whole + 2 * SCALE - self.clock), old.rest)
    return True


cdef void balance(FairScheduler self, uint32_t weight, int64_t distance, int64_t more) noexcept nogil:
    """Add weight * distance + more to the sum of the lags: to the debt, the rest by moving the clock."""
    cdef int64_t total = <int64_t> self.total
    cdef int64_t half = <int64_t> self.pace.scale // 2
    cdef int64_t most = 2 * SHIFT * half
    cdef int64_t fits = (<int64_t> 1 << 62) // max(<uint32_t> 1, weight)
    cdef int64_t sign = -1 if distance > 0 else 1
    cdef int64_t taken, owed, halves, moved, rest
    cdef uint64_t left = 0
    if not total:
        self.clock_rest = self.debt = self.slow = 0
        return
    if <int64_t> self.clock_rest >= total:
        more -= <int64_t> self.clock_rest - total + 1
        self.clock_rest = <uint64_t> total - 1
    if -fits < distance < fits:
        more += weight * distance
        distance = 0
    # A product that does not fit is far more than the debt takes.
    taken = min(most, more) if distance == 0 else -sign * most
    taken = max(-most, taken if self.slow < MOST_SLOW else min(0, taken))
    owed = <int64_t> self.debt + taken
    # More than one pick by so many half picks, rounded up: at least -10, which are added and taken off.
    halves = max(-<int64_t> self.slow, (owed + 9 * half - 1) // half - 10)
    self.slow += <uint64_t> halves
    owed -= halves * half
    self.debt = <uint64_t> max(<int64_t> 0, owed)
    more -= taken - min(<int64_t> 0, owed)
    moved = sign * <int64_t> divide_product(<uint64_t> (-sign * distance), weight, self.total, &left)
    rest = <int64_t> self.clock_rest - more + sign * <int64_t> left
    self.clock += <uint64_t> (moved + rest // total - (rest % total < 0))  # rounded down
    self.clock_rest = <uint64_t> (rest % total + (total if rest % total < 0 else 0))


cdef void advance_clock(FairScheduler self, uint32_t halves) noexcept nogil:
    """Advance the clock by so many half picks."""
    cdef uint64_t rest = 0
    self.clock += divide_product(self.pace.scale // 2, halves, self.total, &rest)
    self.clock_rest += rest
    if self.clock_rest >= self.total:
        self.clock_rest -= self.total
        self.clock += 1


cdef void update_divisor(FairScheduler self, Py_ssize_t i) noexcept nogil:
    """Bring the gcd tree up to date after a share has changed: O(log n)."""
    cdef Py_ssize_t node = (self.room + i) >> 1
    cdef uint32_t value = gcd(self.share(i), self.share(i ^ 1))
    while self.divisors[node] != value:
        self.divisors[node] = value
        if node == 1:
            return
        value = gcd(value, self.divisors[node ^ 1])
        node >>= 1


cdef void begin_period(FairScheduler self) noexcept nogil:
    cdef Py_ssize_t i
    self.at = 0
    self.replaying = False
    self.recording = self.period <= RECORD_LIMIT
    if self.recordable > 1024:
        free(self.table)
        self.table = NULL
        self.recordable = 0
    if self.total:
        self.tick = self.pace.scale // self.total
        self.tick_rest = self.pace.scale % self.total
    self.stamp += 1
    if self.stamp == 0:
        self.stamp = 1
        for i in range(self.size):
            self.jobs[i].stamp = 0


cdef void end_period(FairScheduler self) noexcept nogil:
    release_withheld(self)
    if self.slow:  # the next period begins with the same debt
        advance_clock(self, <uint32_t> min(self.slow, self.at))
    if self.recording:
        self.at = 0
        self.recording = False
        self.replaying = True
    else:
        begin_period(self)
    rebase(self)


cdef void restart(FairScheduler self) noexcept nogil:
    """Begin a period without a change."""
    self.prepare_change()
    begin_period(self)
    self.stale = self.pristine
    if not self.stale:
        replant(self)


cdef void record(FairScheduler self, uint32_t i) noexcept nogil:
    cdef uint64_t room
    cdef void *longer
    if self.at == self.recordable:
        room = min(self.period, max(<uint64_t> 256, 4 * self.recordable))
        longer = realloc(self.table, room * sizeof(uint32_t))
        if longer is NULL:
            self.recording = False  # not enough memory: go on deciding
            return
        self.table = <uint32_t *> longer
        self.recordable = room
    self.table[self.at] = i


cdef void leave_replay(FairScheduler self) noexcept nogil:
    """Move the clock and every job from where the period began to where the replay is.

    The shorter part of the period is counted: what was replayed of it, or what is left of it.
    """
    cdef Py_ssize_t i
    cdef uint64_t k
    cdef Job *job
    cdef bint late = self.at > self.period // 2
    count_picked(self)
    for k in range(self.at if late else 0, self.period if late else self.at):
        self.jobs[self.table[k]].picked += 1
    for i in range(self.size):
        if self.eligible(i):
            job = self.jobs + i
            if late:
                job.picked = <uint32_t> (job.weight // self.divisor) - job.picked
            skip_jobs(job, job.picked, &self.pace)
    advance_clock(self, <uint32_t> (2 * self.at - min(self.slow, self.at)))
    replant(self)


cdef void count_picked(FairScheduler self) noexcept nogil:
    """Add the picks of this period to those made before it."""
    cdef Py_ssize_t i
    for i in range(self.size):
        if self.flags[i] & ALIVE:
            self.made[i] += self.jobs[i].picked
        self.jobs[i].picked = 0


cdef void count_replayed(FairScheduler self) noexcept nogil:
    """Count the periods that were replayed as picks."""
    cdef Py_ssize_t i
    if self.laps:
        for i in range(self.size):
            self.made[i] += self.laps * (self.share(i) // self.divisor)
        self.laps = 0


cdef void lay_out(FairScheduler self) noexcept nogil:
    """Let every target start now. A pick is a power of two of units, so comparisons are exact."""
    cdef Py_ssize_t i
    cdef Moment start = Moment(ORIGIN, 0)
    self.tick = 1
    while 2 * self.tick * self.total <= SCALE:
        self.tick *= 2
    self.pace.scale = self.tick * self.total
    self.tick_rest = 0
    self.clock = ORIGIN
    self.clock_rest = self.debt = self.slow = 0
    for i in range(self.size):
        if self.eligible(i):
            begin_job(self.jobs + i, start, self.weight[i], <uint32_t> i, &self.pace)
    self.stale = False
    replant(self)


cdef void replant(FairScheduler self) noexcept nogil:
    """Let every eligible target wait for the window of its current job."""
    cdef Py_ssize_t i
    cdef Job *job
    for i in range(self.size):
        job = self.jobs + i
        self.windows.key[i] = NONE
        if self.eligible(i):
            self.windows.key[i] = begin_job(
                job, beginning(job, &self.pace), job.weight, <uint32_t> i, &self.pace
            )
    set_all_windows(&self.windows)


cdef void rebase(FairScheduler self) noexcept nogil:
    """Move the clock back to its origin, and all times with it: O(n), once in four units or more."""
    cdef Py_ssize_t i
    # A whole number of grains of any size; modulo 2**64, as the clock may be behind.
    cdef uint64_t shift = (self.clock - ORIGIN) & ~(2 * <uint64_t> MOST - 1)
    cdef uint64_t less = <uint64_t> (<int64_t> shift >> 1)
    if self.clock - ORIGIN + SCALE < 5 * SCALE:
        return
    self.clock -= shift
    for i in range(self.size):
        if self.eligible(i):
            self.jobs[i].end -= shift
            if self.windows.key[i] != NONE:
                self.windows.key[i] -= less
    set_all_windows(&self.windows)
