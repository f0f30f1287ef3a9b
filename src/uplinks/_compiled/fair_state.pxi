# The fair scheduler as plain data, for snapshots and checks.


cdef dict fair_state(FairScheduler scheduler):
    cdef Py_ssize_t i
    cdef uint64_t k
    cdef bint kept = scheduler.replaying or scheduler.recording
    cdef bint derived = scheduler.replaying or scheduler.stale  # windows follow from the jobs then
    cdef dict state
    cdef list starts = []
    cdef Moment start
    scheduler.count_replayed()
    state = Scheduler.state(scheduler)
    for i in range(scheduler.size):
        start = Moment(0, 0)
        if has_job(scheduler, i):
            start = beginning(scheduler.jobs + i, &scheduler.pace)
        starts.append((start.whole, start.rest))
    state["scale"] = scheduler.pace.scale
    state["clock"] = scheduler.clock
    state["clock_rest"] = scheduler.clock_rest
    state["at"] = scheduler.at
    state["pristine"] = scheduler.pristine
    state["stale"] = scheduler.stale
    state["recording"] = scheduler.recording
    state["replaying"] = scheduler.replaying
    state["start"] = [whole for whole, _ in starts]
    state["rest"] = [rest for _, rest in starts]
    state["unit"] = [
        scheduler.jobs[i].weight if has_job(scheduler, i) else 0 for i in range(scheduler.size)
    ]
    state["window"] = [
        scheduler.windows.key[i] if scheduler.eligible(i) and not derived else NONE
        for i in range(scheduler.size)
    ]
    state["picked"] = [
        0 if scheduler.replaying else picked_now(scheduler, i) for i in range(scheduler.size)
    ]
    state["table"] = [
        entries(scheduler.table)[k]
        for k in range((scheduler.period if scheduler.replaying else scheduler.at) if kept else 0)
    ]
    return state


cdef bint has_job(FairScheduler scheduler, Py_ssize_t i):
    return scheduler.jobs[i].weight and scheduler.flags[i] & ALIVE and not scheduler.stale


cdef bint is_withheld(FairScheduler scheduler, Py_ssize_t i):
    return scheduler.windows.key[i] >> 62 == 1 and scheduler.windows.key[i] != NONE


cdef uint32_t picked_now(FairScheduler scheduler, Py_ssize_t i):
    """Return the picks of an index in this period."""
    cdef Job *job = scheduler.jobs + i
    counts = scheduler.eligible(i) and (job.stamp == scheduler.stamp or is_withheld(scheduler, i))
    return job.picked if counts else 0


cdef int load_fair(FairScheduler scheduler, dict state) except -1:
    """Take over a state, if changes and picks can lead to it."""
    cdef Py_ssize_t i
    cdef Py_ssize_t size = len(state["flags"])
    cdef dict columns = {}
    for name in ("start", "rest", "unit", "window", "picked"):
        columns[name] = column(state, name, size)
    for name in ("pristine", "stale", "recording", "replaying"):
        expect(type(state[name]) is bool, name)
    Scheduler.load(scheduler, state)
    for i in range(size):
        scheduler.update_divisor(i)
    scheduler.divisor = scheduler.divisors[1] if size else 0
    scheduler.period = scheduler.total // scheduler.divisor if scheduler.divisor else 0
    scheduler.pace.scale = state["scale"]
    scheduler.pace.shifts = 2 * scheduler.members - 2 if scheduler.members > 1 else 0
    scheduler.pace.reciprocal = <uint64_t> -1 // scheduler.pace.shifts if scheduler.pace.shifts else 0
    expect(SCALE >> 1 <= scheduler.pace.scale <= SCALE, "scale")
    scheduler.begin_period()
    scheduler.clock = state["clock"]
    scheduler.clock_rest = state["clock_rest"]
    scheduler.pristine = state["pristine"]
    scheduler.stale = state["stale"]
    expect(ORIGIN - 2 * SCALE <= scheduler.clock <= ORIGIN + 5 * SCALE, "clock")
    expect(scheduler.clock_rest < max(<uint64_t> 1, scheduler.total), "clock_rest")
    load_table(scheduler, state)
    expect(not scheduler.stale or scheduler.pristine and scheduler.at == 0 and not scheduler.replaying, "stale")
    expect(scheduler.stale or not scheduler.pristine or scheduler.total, "stale")
    expect(scheduler.replaying or sum(columns["picked"]) == scheduler.at, "picked")
    for i in range(size):
        load_job(
            scheduler, <uint32_t> i, columns["start"][i], columns["rest"][i], columns["unit"][i],
            columns["picked"][i], columns["window"][i],
        )
    if size:
        set_all_windows(&scheduler.windows)
    check_fair(scheduler)
    return 0


cdef int load_table(FairScheduler scheduler, dict state) except -1:
    cdef bint replaying = state["replaying"]
    cdef object recorded = state["table"]
    expect(type(recorded) is list and all([type(index) is int for index in recorded]), "table")
    expect(not (replaying and state["recording"]), "recording")
    scheduler.recording = replaying or state["recording"]
    expect(not scheduler.recording or scheduler.period <= RECORD_LIMIT, "recording")
    expect(scheduler.recording or not recorded, "table")
    expect(<uint64_t> len(recorded) <= scheduler.period, "table")
    for index in recorded:
        expect(0 <= index < scheduler.size and scheduler.eligible(index), "table")
        scheduler.record(index)
        if not scheduler.recording:
            raise MemoryError
        scheduler.at += 1
    scheduler.at = state["at"]
    expect(scheduler.at < max(<uint64_t> 1, scheduler.period), "at")
    if replaying:
        expect(scheduler.period and <uint64_t> len(recorded) == scheduler.period, "table")
        scheduler.recording = False
        scheduler.replaying = True
    else:
        expect(not scheduler.recording or <uint64_t> len(recorded) == scheduler.at, "table")
    return 0


cdef int load_job(
    FairScheduler scheduler, uint32_t i, uint64_t whole, uint32_t rest, uint32_t unit, uint32_t picked, uint64_t key
) except -1:
    cdef Job *job = scheduler.jobs + i
    expect(unit < <uint32_t> 1 << 31 and rest < max(<uint32_t> 1, unit), "rest")
    scheduler.windows.key[i] = NONE
    if unit:
        expect(whole - scheduler.clock + SPREAD <= 2 * SPREAD or not scheduler.eligible(i), "start")
        begin_job(job, Moment(whole, rest), unit, i, &scheduler.pace)
    if not scheduler.eligible(i) or scheduler.stale:
        return 0
    expect(unit == scheduler.weight[i], "unit")
    if scheduler.replaying:
        return 0
    job.picked = picked
    job.stamp = scheduler.stamp
    scheduler.windows.key[i] = key
    expect(key < WAITS | WITHHELD and key != NONE and key & scheduler.pace.mask == i, "window")
    # Within two jobs of the start, as it opens and closes within one of it.
    expect(((key & (WITHHELD - 1)) << 1) - whole + SPREAD <= 2 * SPREAD, "window")
    expect(picked <= job.weight // scheduler.divisor, "picked")
    # A spent target is not open, or a period could end without another's share.
    expect(key >> 62 or not scheduler.spent(i), "window")
    if key & WITHHELD:
        expect(scheduler.spent(i), "window")
        scheduler.withhold(i)
    return 0


cdef int check_fair(FairScheduler scheduler) except -1:
    """Raise `ValueError` unless everything that is kept agrees."""
    cdef Py_ssize_t i
    cdef uint64_t k
    cdef uint32_t divisor = 0
    cdef Moment start
    cdef list picked = [picked_now(scheduler, i) for i in range(scheduler.size)]
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
    expect(scheduler.room == 0 or scheduler.divisors[1] == divisor, "divisor of the weights")
    expect(scheduler.period == (scheduler.total // divisor if divisor else 0), "period")
    expect(not (scheduler.recording and scheduler.replaying), "recording")
    expect(
        scheduler.stale
        or not scheduler.total
        or balance == int(scheduler.total) * int(scheduler.clock) + int(scheduler.clock_rest),
        "clock: it is not the average of the starts",
    )
    if scheduler.recording or scheduler.replaying:
        for k in range(scheduler.period if scheduler.replaying else scheduler.at):
            recorded[entries(scheduler.table)[k]] += 1
        if scheduler.replaying:
            picked = [scheduler.share(i) // divisor for i in range(scheduler.size)]
        expect(recorded == picked, "table")
    return 0
