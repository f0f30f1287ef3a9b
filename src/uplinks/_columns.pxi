# What all schedulers keep, as plain data for snapshots.


cdef list column(dict columns, str name, Py_ssize_t size):
    """A column of a snapshot: a list with an int for each index."""
    cdef object found = columns[name]
    expect(type(found) is list and len(found) == size, name)
    expect(all([type(item) is int for item in found]), name)
    return found


cdef int expect(bint holds, str what) except -1:
    """See that a column of a snapshot holds what it can."""
    if not holds:
        raise ValueError(f"{what} cannot be")
    return 0


cdef dict columns_of(Scheduler scheduler):
    """The whole state of a scheduler as plain data; `load` takes it back."""
    cdef Py_ssize_t i
    cdef uint64_t k
    return {
        "weight": [scheduler.weight[i] for i in range(scheduler.size)],
        "flags": [scheduler.flags[i] for i in range(scheduler.size)],
        "made": [scheduler.decided(i) for i in range(scheduler.size)],
        "picked": scheduler.picked_in_period(),
        "free": list(scheduler.free),
        "at": scheduler.at,
        "laps": scheduler.laps,
        "pristine": scheduler.pristine,
        "stale": scheduler.stale,
        "replaying": scheduler.replaying,
        "recording": scheduler.recording,
        "table": [
            entry(scheduler.table, scheduler.width, k)
            for k in range(scheduler.period if scheduler.replaying else scheduler.at if scheduler.recording else 0)
        ],
    }


cdef int load(Scheduler scheduler, dict columns) except -1:
    """Take over a state, if it is one that picks could have led to."""
    cdef Py_ssize_t i
    cdef Py_ssize_t size = len(columns["flags"])
    cdef list weight = column(columns, "weight", size)
    cdef list flags = column(columns, "flags", size)
    cdef list made = column(columns, "made", size)
    cdef list picked = column(columns, "picked", size)
    expect(scheduler.size == 0 and not scheduler.taken, "a scheduler in use")
    scheduler.reserve(size)
    scheduler.size = size
    scheduler.free = list(column(columns, "free", len(columns["free"])))
    for name in ("pristine", "stale", "replaying", "recording"):
        expect(type(columns[name]) is bool, name)
    for i in range(scheduler.size):
        scheduler.weight[i] = weight[i]
        scheduler.flags[i] = flags[i]
        scheduler.made[i] = made[i]
        if not scheduler.ranked:
            scheduler.picked[i] = picked[i] if scheduler.eligible(i) else 0
        expect(scheduler.weight[i] < <uint32_t> 1 << 31, "weight")
        expect(scheduler.flags[i] in (0, ALIVE, ALIVE | UP), "flags")
        scheduler.appear(i)
        if scheduler.eligible(i):
            scheduler.members += 1
            scheduler.total += scheduler.weight[i]
        scheduler.update_divisor(i)
    expect(
        sorted(scheduler.free) == [i for i in range(scheduler.size) if scheduler.flags[i] == 0], "free"
    )
    scheduler.divisor = scheduler.divisors[1] if size else 0
    scheduler.period = scheduler.total // scheduler.divisor if scheduler.divisor else 0
    scheduler.width = 1 if scheduler.size <= 256 else 2 if scheduler.size <= 65536 else 4
    scheduler.pristine = columns["pristine"]
    scheduler.stale = columns["stale"]
    scheduler.recording = scheduler.replays and (columns["replaying"] or columns["recording"])
    expect(not scheduler.recording or scheduler.period <= RECORD_LIMIT, "recording")
    expect(<uint64_t> len(columns["table"]) <= scheduler.period, "table")
    for index in columns["table"]:
        expect(0 <= index < scheduler.size and scheduler.eligible(index), "table")
        if scheduler.recording:
            scheduler.record(index)
        scheduler.at += 1
    if scheduler.recording and not scheduler.table_room and columns["table"]:
        raise MemoryError
    scheduler.at = columns["at"]
    scheduler.laps = columns["laps"]
    expect(scheduler.at < max(<uint64_t> 1, scheduler.period), "at")
    if columns["replaying"]:
        expect(
            scheduler.recording and scheduler.period and <uint64_t> len(columns["table"]) == scheduler.period,
            "table",
        )
        scheduler.recording = False
        scheduler.replaying = True
        scheduler.check_table()
    else:
        expect(not scheduler.recording or <uint64_t> len(columns["table"]) == scheduler.at, "table")
    if size:
        scheduler.announce(0)
    return 0
