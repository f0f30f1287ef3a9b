# The fair scheduler as plain data, for snapshots and checks.


cdef dict fair_state(FairScheduler scheduler):
    """Begin a period, so that nothing but the jobs and the clock need be kept; return these."""
    cdef Py_ssize_t i
    cdef Moment begun
    cdef list start = [0] * scheduler.size
    cdef list rest = [0] * scheduler.size
    cdef dict state
    restart(scheduler)
    count_picked(scheduler)
    for i in range(scheduler.size):
        if scheduler.eligible(i) and not scheduler.stale:
            begun = beginning(scheduler.jobs + i, &scheduler.pace)
            start[i], rest[i] = begun.whole, begun.rest
    state = Scheduler.state(scheduler)
    state["start"], state["rest"] = start, rest
    state["pristine"] = scheduler.pristine
    state["scale"] = scheduler.pace.scale
    state["clock"] = scheduler.clock
    state["clock_rest"] = scheduler.clock_rest
    state["debt"] = scheduler.debt
    state["slow"] = scheduler.slow
    return state


cdef int load_fair(FairScheduler scheduler, dict state) except -1:
    """Take over a state, if changes and picks can lead to it."""
    cdef Py_ssize_t i
    cdef Py_ssize_t size = len(state["flags"])
    cdef list start = column(state, "start", size)
    cdef list rest = column(state, "rest", size)
    cdef Moment moment
    Scheduler.load(scheduler, state)
    for i in range(size):
        update_divisor(scheduler, i)
    expect(type(state["pristine"]) is bool and (size or state["pristine"]), "pristine")
    scheduler.pristine = scheduler.stale = state["pristine"]
    scheduler.pace.scale = state["scale"]
    scheduler.clock = state["clock"]
    scheduler.clock_rest = state["clock_rest"]
    scheduler.debt = state["debt"]
    scheduler.slow = state["slow"]
    expect(scheduler.slow <= MOST_SLOW + 8, "slow")
    expect(scheduler.debt <= scheduler.pace.scale, "debt")
    expect(not scheduler.slow or scheduler.debt > scheduler.pace.scale // 2, "debt")
    expect(SCALE >> 1 <= scheduler.pace.scale <= SCALE and scheduler.pace.scale % 2 == 0, "scale")
    expect(ORIGIN - SCALE <= scheduler.clock < ORIGIN + 4 * SCALE, "clock")
    expect(scheduler.clock_rest < max(<uint64_t> 1, scheduler.total), "clock_rest")
    count_shares(scheduler)
    begin_period(scheduler)
    for i in range(size):
        moment = Moment(start[i], rest[i])
        expect(moment.rest < max(<uint32_t> 1, scheduler.share(i)), "rest")
        if scheduler.eligible(i):
            begin_job(scheduler.jobs + i, moment, scheduler.weight[i], <uint32_t> i, &scheduler.pace)
    if not scheduler.stale:
        check_fair(scheduler)
        replant(scheduler)
    return 0


cdef int check_fair(FairScheduler scheduler) except -1:
    """Raise `ValueError` unless everything that is kept agrees."""
    cdef Py_ssize_t i
    cdef uint64_t k
    cdef uint32_t divisor = 0
    cdef Moment start
    cdef list quotas, recorded = [0] * scheduler.size
    Scheduler.check(scheduler)
    starts = 0
    for i in range(scheduler.size):
        divisor = gcd(divisor, scheduler.share(i))
        if scheduler.eligible(i) and not scheduler.stale:
            start = beginning(scheduler.jobs + i, &scheduler.pace)
            expect(start.whole - scheduler.clock + 5 * SCALE <= 10 * SCALE, "start")
            starts += int(scheduler.weight[i]) * int(start.whole) + int(start.rest)
    expect(scheduler.divisor == divisor, "divisor of the weights")
    expect(scheduler.period == (scheduler.total // divisor if divisor else 0), "period")
    clock = int(scheduler.total) * int(scheduler.clock) + int(scheduler.clock_rest)
    paid = 0 if scheduler.replaying else min(scheduler.slow, scheduler.at)
    starts += scheduler.debt + (scheduler.slow - paid) * int(scheduler.pace.scale // 2)
    expect(scheduler.stale or not scheduler.total or starts == clock, "clock")
    if scheduler.recording or scheduler.replaying:
        for k in range(scheduler.period if scheduler.replaying else scheduler.at):
            recorded[scheduler.table[k]] += 1
        quotas = [scheduler.share(i) // divisor if divisor else 0 for i in range(scheduler.size)]
        expect(all([k <= quota for k, quota in zip(recorded, quotas)]), "table")
        expect(not scheduler.replaying or recorded == quotas, "table")
    return 0


cdef int jump(FairScheduler self, uint64_t picks, list counts) except -1:
    """Make so many picks at once, of which each index gets its count."""
    cdef Py_ssize_t i
    cdef Moment start
    lay_out(self)
    self.clock += picks * self.tick
    for i in range(self.size):
        if self.eligible(i):
            whole, rest = divmod(counts[i] * int(self.pace.scale), int(self.weight[i]))
            start = Moment(ORIGIN + <uint64_t> whole, <uint32_t> rest)
            begin_job(self.jobs + i, start, self.weight[i], <uint32_t> i, &self.pace)
    replant(self)
    self.pristine = False
    return 0
