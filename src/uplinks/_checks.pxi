# What must hold between two operations, for tests to ask after each; a pick never asks.


cdef int check_scheduler(Scheduler scheduler) except -1:
    """See that what is kept for speed agrees with what it follows from."""
    cdef Py_ssize_t i, members = 0
    cdef uint64_t k, total = 0
    cdef uint32_t divisor = 0
    cdef list recorded = [0] * scheduler.size
    cdef Scheduler copy
    for i in range(scheduler.size):
        expect(scheduler.flags[i] in (0, ALIVE, ALIVE | UP), "flags")
        if scheduler.eligible(i):
            members += 1
            total += scheduler.weight[i]
            divisor = gcd(divisor, scheduler.weight[i])
    expect(scheduler.members == members and scheduler.total == total, "the sum of the weights")
    expect(scheduler.divisor == divisor, "the divisor of the weights")
    expect(scheduler.room == 0 or scheduler.divisors[1] == divisor, "the divisor of the weights")
    expect(scheduler.period == (total // divisor if divisor else 0), "the period")
    expect(not (scheduler.recording and scheduler.replaying), "recording")
    expect(scheduler.failure is None, "a failure that nobody was told")
    if scheduler.recording:
        for k in range(scheduler.at):
            recorded[entry(scheduler.table, scheduler.width, k)] += 1
        expect(recorded == scheduler.picked_in_period(), "picked")
    # The rest is what a snapshot must be like, which is seen to where it is taken over.
    if not isinstance(scheduler, (RandomScheduler, ForeignScheduler)):
        copy = type(scheduler)()
        copy.load_columns(scheduler.columns())
        expect(copy.columns() == scheduler.columns(), "a copy")
    return 0


cdef int check_selector(Selector node) except -1:
    """The same of a selector, without those that it holds."""
    cdef Entry entry
    cdef Py_ssize_t nested = 0
    cdef bint passable
    cdef list above
    check_scheduler(node.scheduler)
    expect(len(node.held) == node.scheduler.size, "held")
    expect(len(node.held) == len(node.index) + len(node.scheduler.free), "index")
    for target, entry in list(node.index.items()):
        expect(0 <= entry.index and node.held[entry.index] is target, "index")
        passable = entry.up
        if isinstance(target, Selector):
            nested += 1
            passable = passable and (<Selector> target).scheduler.members > 0
            above = [pair for pair in (<Selector> target).parents if pair[1] is entry]
            expect(len(above) == 1 and above[0][0]() is node, "parents")
        expect(node.scheduler.flags[entry.index] == (ALIVE | UP if passable else ALIVE), "up")
    for i in node.scheduler.free:
        expect(node.held[i] is None, "held")
    expect(node.nested == nested, "nested")
    expect(node.was_eligible == (node.scheduler.members > 0), "eligible")
    return 0
