# What the selector's methods do inside the lock.
#
# Each first calls what may run Python code (`__hash__` and `__eq__` of targets), then checks what that may
# have changed, then acts in C with the garbage collector held, and last calls the Python schedulers that
# wait for new weights. Locals release their references at the end.


cdef object do_pick(Selector self, object first, object second):
    return one_pick(self)


cdef object do_pick_many(Selector self, object found, object second):
    cdef list targets = found
    cdef Py_ssize_t j
    for j in range(len(targets)):
        targets[j] = one_pick(self)
    return targets


cdef object do_pick_into(Selector self, object buffer, object second):
    cdef Scheduler scheduler = self.scheduler
    cdef uint32_t[::1] out = buffer
    cdef Py_ssize_t i
    cdef uint64_t size = <uint64_t> out.shape[0]
    cdef uint64_t done = 0
    cdef uint64_t run, whole, start
    if self.nested:
        raise ValueError("pick_into returns indices, which do not name the targets of nested selectors")
    while done < size and not scheduler.replaying:
        i = scheduler.next_index()
        if i < 0:
            raise self.failure_of_pick()
        out[done] = <uint32_t> i
        done += 1
    start = done
    while done < size:
        whole = (done - start) // scheduler.period * scheduler.period
        if whole:  # copy the whole periods written so far: that doubles them
            run = min(size - done, whole)
            memcpy(&out[done], &out[done - whole], run * sizeof(uint32_t))
        else:
            run = min(size - done, scheduler.period - scheduler.at)
            memcpy(&out[done], scheduler.table + scheduler.at, run * sizeof(uint32_t))
        done += run
        scheduler.laps += (scheduler.at + run) // scheduler.period
        scheduler.at = (scheduler.at + run) % scheduler.period


cdef object do_pick_carefully(Selector self, object exclude, object key):
    """Pick with some targets excluded, by key, or both."""
    cdef list nodes = self.below()
    cdef list found = []
    cdef list touched = []
    cdef uint64_t hashed = 0
    cdef Py_ssize_t i = -1
    cdef Selector node, last
    cdef Entry entry
    cdef object target = None
    if key is not None:
        hashed = self._hash(key)
        for node in nodes:
            learn_tokens(node)
    for node in nodes:
        for excluded in exclude:
            entry = node.index.get(excluded)
            if entry is not None:
                found.append((node, entry))
    for node, entry in found:
        entry.excluded += 1
        change(node, entry, touched)
    last = self.descend(&hashed if key is not None else NULL, &i)
    if i >= 0:
        target = last.held[i]
    for node, entry in found:
        entry.excluded -= 1
        change(node, entry, touched)
    flush(touched)
    if i < 0:
        raise last.failure_of_pick()
    return target


cdef int change(Selector node, Entry entry, list touched, int64_t weight=-1) except -1:
    """Bring the scheduler up to date with an entry, if it is a target, and change its weight if given."""
    cdef bint held = hold_gc()
    cdef Scheduler scheduler = node.scheduler
    if entry.index >= 0:
        weight = scheduler.weight[entry.index] if weight < 0 else weight
        scheduler.change(entry.index, <uint32_t> weight, node.passable(entry))
        node.notify_parents(touched)
    release_gc(held)
    return 0


cdef int flush(list touched) except -1:
    """Give Python schedulers the weights that have changed."""
    cdef Selector node
    for node in touched:
        if isinstance(node.scheduler, ForeignScheduler):
            (<ForeignScheduler> node.scheduler).flush()
    return 0


cdef uint32_t checked_weight(Selector self, object weight) except? 0xFFFFFFFF:
    if type(weight) is not int or not 0 <= weight <= 0x7FFFFFFF:
        raise self._failure("weight", weight)
    return weight


cdef object do_add(Selector self, object target, object weight):
    cdef uint32_t share = checked_weight(self, weight)
    cdef Entry entry = Entry()
    cdef Entry known
    cdef object above = (ref(self), entry)
    cdef list touched = []
    cdef bint held, cycle
    known = self.index.setdefault(target, entry)
    if known is not entry:
        if known.index >= 0:
            raise self._failure("duplicate-target", target)
        self.index[target] = entry  # left behind by an addition that failed
    held = hold_gc()
    try:
        cycle = isinstance(target, Selector) and any([node is self for node in (<Selector> target).below()])
        if not cycle:
            if self.scheduler.vacant < 0:
                self.held.append(None)
            try:
                self.scheduler.reserve_one()
            except BaseException:
                self.held.pop()
                raise
            entry.index = self.scheduler.add()
            self.added += 1
            entry.order = self.added
            self.held[entry.index] = target
            if isinstance(target, Selector):
                self.nested += 1
                (<Selector> target).parents.append(above)
            self.scheduler.change(entry.index, share, self.passable(entry))
            self.notify_parents(touched)
    finally:
        release_gc(held)
        if entry.index < 0:
            self.index.pop(target, None)
    if cycle:
        raise self._failure("cycle")
    flush(touched)


cdef object do_remove(Selector self, object target, object second):
    cdef Entry entry = self.index.pop(target, None)
    cdef list touched = []
    cdef Py_ssize_t i, k
    cdef object removed
    cdef bint held
    if entry is None or entry.index < 0:
        raise self._failure("unknown-target", target)
    held = hold_gc()
    i = entry.index
    entry.index = -1
    removed = self.held[i]
    self.held[i] = None
    if i < self.tokens:
        self.token[i] = 0
    if isinstance(removed, Selector):
        self.nested -= 1
        above = (<Selector> removed).parents
        for k in range(len(above)):
            if above[k][1] is entry:
                del above[k]
                break
    self.scheduler.remove(i)
    self.notify_parents(touched)
    release_gc(held)
    flush(touched)


cdef object do_update(Selector self, object weights, object second):
    cdef list found = []
    cdef list touched = []
    cdef Entry entry
    for target, value in weights.items():
        found.append((self.find(target), checked_weight(self, value), target))
    for entry, _, target in found:
        if entry.index < 0:  # removed by what `find` ran for a later target
            raise self._failure("unknown-target", target)
    for entry, weight, _ in found:
        change(self, entry, touched, weight)
    flush(touched)


cdef object do_set_up(Selector self, object target, object up):
    cdef list touched = []
    cdef Entry entry = self.find(target)
    entry.up = up
    change(self, entry, touched)
    flush(touched)


cdef object do_replace(Selector self, object target, object new):
    cdef Entry entry = self.find(target)
    cdef Entry fresh = Entry()
    cdef Entry known
    cdef object old
    if isinstance(new, Selector) or isinstance(self.held[entry.index], Selector):
        raise TypeError("a selector cannot be replaced, nor replace a target")
    known = self.index.setdefault(new, fresh)
    if known is not fresh:
        if known.index >= 0:
            raise self._failure("duplicate-target", new)
        self.index[new] = fresh  # left behind by an addition that failed
    if self.index.pop(target, None) is not entry or entry.index < 0:
        self.index.pop(new, None)
        raise self._failure("unknown-target", target)
    old = self.held[entry.index]
    self.held[entry.index] = new
    if entry.index < self.tokens:
        self.token[entry.index] = 0
    fresh.index, fresh.order, fresh.up = entry.index, entry.order, entry.up
    entry.index = -1


cdef object do_ended(Selector self, object target, object result):
    cdef Selector node
    cdef Entry entry
    for node in self.below():
        if isinstance(node.scheduler, ForeignScheduler):
            hook = getattr((<ForeignScheduler> node.scheduler).inner, "ended", None)
            entry = node.index.get(target)
            if hook is not None and entry is not None and entry.index >= 0:
                hook(entry.index, *result)


cdef object do_contain(Selector self, object target, object second):
    cdef Entry entry = self.index.get(target)
    return entry is not None and entry.index >= 0


cdef object do_rows(Selector self, object counted, object second):
    # Target, weight, status and, if asked for, number of picks, in order of insertion.
    cdef bint held = hold_gc()
    cdef Entry e
    cdef list entries = self.entries()
    cdef list counts
    try:
        counts = self.scheduler.counts() if counted else [None] * self.scheduler.size
        return [(self.held[e.index], self.scheduler.weight[e.index], e.up, counts[e.index]) for e in entries]
    finally:
        release_gc(held)


cdef object do_targets(Selector self, object first, object second):
    return tuple(self.held)


cdef object do_skip(Selector self, object picks, object counts):
    # Move on by so many picks without counting them; `counts` says how many each index gets, if known.
    cdef Scheduler scheduler = self.scheduler
    cdef list found
    cdef uint64_t k
    cdef Py_ssize_t i
    if counts is not None:
        column({"counts": counts}, "counts", scheduler.size)
        expect(isinstance(scheduler, FairScheduler), "scheduler: only the fair one can jump")
        expect(sum(counts) == picks < scheduler.period, "counts")
        for i in range(scheduler.size):
            # As every schedule has it: within a pick of the exact share.
            exact = picks * scheduler.share(i)
            expect(abs(counts[i] * int(scheduler.total) - exact) <= scheduler.total, "counts")
        jump(<FairScheduler> scheduler, picks, counts)
    for k in range(0 if counts is not None else picks):
        if scheduler.next_index() == -2:
            raise self.failure_of_pick()
    found = scheduler.counts()
    for i in range(scheduler.size):
        if scheduler.flags[i] & ALIVE:
            scheduler.made[i] -= <uint64_t> found[i]  # modulo 2**64: `counts` may add to it


cdef int learn_tokens(Selector self) except -1:
    """Hash the targets that are not hashed yet, in Python code, which may change this very selector."""
    cdef Scheduler scheduler = self.scheduler
    cdef Py_ssize_t i = 0
    while i < scheduler.size:
        if self.tokens < scheduler.size:
            self.token = <uint64_t *> grown(self.token, scheduler.room, sizeof(uint64_t))
            memset(self.token + self.tokens, 0, (scheduler.room - self.tokens) * sizeof(uint64_t))
            self.tokens = scheduler.room
        if self.token[i] == 0 and scheduler.flags[i] & ALIVE:
            target = self.held[i]
            hashed = self._hash(i if isinstance(target, Selector) else target)
            if self.held[i] is target:
                self.token[i] = hashed
        i += 1
    return 0


cdef Py_ssize_t closest(Selector self, uint64_t key) noexcept:
    """Return the eligible index with the least -ln(u) / weight, u being drawn from key and target."""
    cdef Scheduler scheduler = self.scheduler
    cdef Py_ssize_t i
    cdef Py_ssize_t best = -1
    cdef double score
    cdef double least = 0
    for i in range(scheduler.size):
        if scheduler.eligible(i) and i < self.tokens:
            score = -log(((mix(self.token[i] ^ key) >> 11) + 0.5) / 9007199254740992.0)
            score /= scheduler.weight[i]
            if best < 0 or score < least:
                best, least = i, score
    if best >= 0:
        scheduler.made[best] += 1
    return best
