# The fair scheduler as plain data, for snapshots and checks.


cdef dict fair_state(FairScheduler scheduler):
    """Begin a period, so that nothing but the jobs and the clock need be kept; return these."""
    cdef Py_ssize_t i
    cdef list jobs
    cdef dict state
    scheduler.prepare_change()
    begin_period(scheduler)
    scheduler.stale = scheduler.pristine
    if not scheduler.stale:
        replant(scheduler)
    state = Scheduler.state(scheduler)
    jobs = [job_of(scheduler, i) for i in range(scheduler.size)]
    for i, name in enumerate(("start", "rest", "unit")):
        state[name] = [job[i] for job in jobs]
    state["pristine"] = scheduler.pristine
    state["scale"] = scheduler.pace.scale
    state["clock"] = scheduler.clock
    state["clock_rest"] = scheduler.clock_rest
    return state


cdef tuple job_of(FairScheduler scheduler, Py_ssize_t i):
    """Return where a target's job starts and the weight that it was computed with."""
    cdef Moment start
    if scheduler.stale or not scheduler.jobs[i].weight or not scheduler.flags[i] & ALIVE:
        return 0, 0, 0
    start = beginning(scheduler.jobs + i, &scheduler.pace)
    return start.whole, start.rest, scheduler.jobs[i].weight


cdef int load_fair(FairScheduler scheduler, dict state) except -1:
    """Take over a state, if changes and picks can lead to it."""
    cdef Py_ssize_t i
    cdef Py_ssize_t size = len(state["flags"])
    cdef list start = column(state, "start", size)
    cdef list rest = column(state, "rest", size)
    cdef list unit = column(state, "unit", size)
    cdef Moment moment
    Scheduler.load(scheduler, state)
    for i in range(size):
        update_divisor(scheduler, i)
    expect(type(state["pristine"]) is bool and (size or state["pristine"]), "pristine")
    scheduler.pristine = scheduler.stale = state["pristine"]
    scheduler.pace.scale = state["scale"]
    scheduler.clock = state["clock"]
    scheduler.clock_rest = state["clock_rest"]
    expect(SCALE >> 1 <= scheduler.pace.scale <= SCALE, "scale")
    expect(ORIGIN - SCALE <= scheduler.clock < ORIGIN + 4 * SCALE, "clock")
    expect(scheduler.clock_rest < max(<uint64_t> 1, scheduler.total), "clock_rest")
    count_shares(scheduler)
    begin_period(scheduler)
    for i in range(size):
        moment = Moment(start[i], rest[i])
        expect(unit[i] < <uint32_t> 1 << 31 and moment.rest < max(1, unit[i]), "rest")
        expect(scheduler.stale or not scheduler.eligible(i) or unit[i] == scheduler.weight[i], "unit")
        if unit[i]:
            begin_job(scheduler.jobs + i, moment, unit[i], <uint32_t> i, &scheduler.pace)
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
    cdef list quotas
    cdef list recorded = [0] * scheduler.size
    Scheduler.check(scheduler)
    balance = 0
    for i in range(scheduler.size):
        divisor = gcd(divisor, scheduler.share(i))
        if scheduler.eligible(i) and not scheduler.stale:
            start = beginning(scheduler.jobs + i, &scheduler.pace)
            expect(start.whole - scheduler.clock + SPREAD <= 2 * SPREAD, "start")
            balance += int(scheduler.weight[i]) * int(start.whole) + int(start.rest)
    expect(scheduler.divisor == divisor, "divisor of the weights")
    expect(scheduler.period == (scheduler.total // divisor if divisor else 0), "period")
    clock = int(scheduler.total) * int(scheduler.clock) + int(scheduler.clock_rest)
    expect(scheduler.stale or balance == (clock if scheduler.total else 0), "clock: it is not the average")
    if scheduler.recording or scheduler.replaying:
        for k in range(scheduler.period if scheduler.replaying else scheduler.at):
            recorded[scheduler.table[k]] += 1
        quotas = [scheduler.share(i) // divisor if divisor else 0 for i in range(scheduler.size)]
        expect(all([k <= quota for k, quota in zip(recorded, quotas)]), "table")
        expect(not scheduler.replaying or recorded == quotas, "table")
    return 0
