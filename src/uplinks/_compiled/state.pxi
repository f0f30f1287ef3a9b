# A selector as plain data, and what must hold between two operations.


cdef object do_state(Selector self, object before, object second):
    cdef Entry entry
    cdef bint held
    flush([self])  # the state does not say what a Python scheduler has not received yet
    if before is not None:
        before()
    held = hold_gc()
    try:
        up = {entry.index: entry.up for entry in self.entries()}
        return list(self.held), up, self.scheduler.state()
    finally:
        release_gc(held)


cdef object do_load(Selector self, object scheduler, object data):
    cdef Scheduler fresh = scheduler
    cdef list targets = list(data[0])
    cdef dict up = dict(data[1])
    cdef dict state = data[2]
    cdef dict index = {}
    cdef list inner = []
    cdef list touched = []
    cdef Entry entry
    cdef bint held
    fresh.load(state)
    expect(fresh.state() == state, "state: it differs once it is loaded")
    expect(fresh.size == len(targets) and fresh.alive == len(up), "number of targets")
    for i, status in up.items():
        expect(type(i) is int and 0 <= i < fresh.size and fresh.flags[i] & ALIVE, "index")
        expect(type(status) is bool, "status")
        entry = Entry()
        entry.index, entry.order, entry.up = i, len(index), status
        expect(index.setdefault(targets[i], entry) is entry, "target: it occurs twice")
        if isinstance(targets[i], Selector):
            inner.append((targets[i], (ref(self), entry)))
    held = hold_gc()
    try:
        expect(not self.held and not self.index and not fresh.taken, "selector: it is in use")
        expect(not any([node is self for target, _ in inner for node in (<Selector> target).below()]), "cycle")
        self.added = len(index)
        self.index = index
        self.held = [targets[i] if fresh.flags[i] & ALIVE else None for i in range(fresh.size)]
        self.nested = len(inner)
        for target, above in inner:
            (<Selector> target).parents.append(above)
        adopt(self, fresh)
        self.notify_parents(touched)
        check_node(self)
    finally:
        release_gc(held)


cdef object do_check(Selector self, object first, object second):
    cdef bint held = hold_gc()
    try:
        for node in self.below():
            check_node(node)
    finally:
        release_gc(held)


cdef int check_node(Selector node) except -1:
    """Raise `ValueError` unless what a selector keeps agrees, without the selectors in it."""
    cdef Scheduler scheduler = node.scheduler
    cdef Entry entry
    cdef Py_ssize_t nested = 0
    scheduler.check()
    expect(scheduler.failure is None, "failure: it was never raised")
    expect(len(node.held) == scheduler.size, "number of targets")
    present = [(target, entry) for target, entry in list(node.index.items()) if entry.index >= 0]
    expect(len(present) == scheduler.alive, "index")
    for target, entry in present:
        expect(0 <= entry.index < scheduler.size and node.held[entry.index] is target, "index")
        if isinstance(target, Selector):
            nested += 1
            above = [pair for pair in (<Selector> target).parents if pair[1] is entry]
            expect(len(above) == 1 and above[0][0]() is node, "parents")
        expect(scheduler.flags[entry.index] & ~CHANGED == (ALIVE | UP if node.passable(entry) else ALIVE), "status")
    expect(node.nested == nested, "number of nested selectors")
    expect(node.was_eligible == (scheduler.members > 0), "eligibility")
    return 0
