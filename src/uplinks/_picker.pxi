# Picks, one or many, and how selectors hear of those that they hold.


cdef void copy(
    uint32_t *out, Py_ssize_t size, Table *table, uint8_t width, uint64_t at, uint64_t period
) noexcept nogil:
    """Write a stretch of a schedule that repeats, beginning anywhere in it."""
    cdef Py_ssize_t done = 0
    cdef Py_ssize_t k, run, back
    cdef uint8_t *narrow
    cdef uint16_t *middle
    cdef uint32_t *wide
    while done < size:
        if done >= <Py_ssize_t> period:
            # Whole periods have been written already: copying them doubles them.
            back = done // <Py_ssize_t> period * <Py_ssize_t> period
            run = min(size - done, back)
            memcpy(out + done, out + done - back, run * sizeof(uint32_t))
            done += run
            continue
        run = min(size - done, <Py_ssize_t> (period - at))
        if width == 1:
            narrow = <uint8_t *> entries(table) + at
            for k in range(run):
                out[done + k] = narrow[k]
        elif width == 2:
            middle = <uint16_t *> entries(table) + at
            for k in range(run):
                out[done + k] = middle[k]
        else:
            wide = <uint32_t *> entries(table) + at
            for k in range(run):
                out[done + k] = wide[k]
        done += run
        at = 0


cdef inline void look_ahead(Scheduler scheduler, list held) noexcept:
    """Fetch a target that will be picked soon: thousands do not fit the cache.

    Its place in the list is fetched twice as early, so that nothing waits for that either.
    """
    cdef uint64_t soon = scheduler.at + AHEAD
    if scheduler.size <= CACHED:
        return
    if not scheduler.replaying:
        if scheduler.likely < scheduler.size:
            prefetch(<void *> PyList_GET_ITEM(held, scheduler.likely))
    elif soon + AHEAD < scheduler.period:
        prefetch(slot(held, entry(scheduler.table, scheduler.width, soon + AHEAD)))
        prefetch(<void *> PyList_GET_ITEM(held, entry(scheduler.table, scheduler.width, soon)))


@cython.final
cdef class Entry:
    """A target's place in a selector."""

    def __cinit__(self):
        self.index = -1
        self.up = True


cdef class Picker:
    """Targets over a scheduler, as far as picking them goes; they may be selectors."""

    def __cinit__(self, *args, **kwargs):
        self.held = []
        self.index = {}
        self.parents = []
        self.scheduler = Scheduler()  # which picks nothing, until there is a better one

    def __init__(self, Scheduler scheduler not None):
        if type(self.scheduler) is not Scheduler or self.held:
            raise TypeError("a selector is made once")
        if scheduler.size or scheduler.taken:
            raise ValueError("a scheduler serves one selector only")
        scheduler.taken = True
        self.scheduler = scheduler

    def _failure(self, kind, *facts):
        raise NotImplementedError

    # -- picks ------------------------------------------------------------------

    @cython.critical_section
    def pick(self, *, exclude=None):
        """Pick the next target.

        A target that is a selector is descended into. ``exclude`` is a
        collection of targets, at any depth, to be passed over this once, for
        a retry on another one: they are down for this pick and up again after
        it, and so a new period begins. Atomic: nothing of another thread comes
        between. Complexity: O(1) once a period of at most 2**20 picks has been
        seen, until then O(log n) amortized; O(log n) for each that is excluded.

        Raises: `NoEligibleTarget` if nothing may be picked.

        >>> from uplinks import Selector
        >>> selector = Selector([("a", 9), ("b", 1)])
        >>> selector.pick(), selector.pick(exclude=["a"])
        ('a', 'b')
        """
        cdef Py_ssize_t i
        if exclude is None and not self.nested:
            i = self.scheduler.next_index()
            if i >= 0:
                look_ahead(self.scheduler, self.held)
                return self.held[i]
            self.check_failure()
        if exclude is None:
            return self.descend()
        return self.pick_without(exclude)

    def __iter__(self):
        return self

    @cython.critical_section
    def __next__(self):
        cdef Py_ssize_t i
        if not self.nested:
            i = self.scheduler.next_index()
            if i >= 0:
                look_ahead(self.scheduler, self.held)
                return self.held[i]
            self.check_failure()
        return self.descend()

    @cython.critical_section
    def pick_many(self, Py_ssize_t k):
        """Pick k targets: the same as k picks, at once.

        Complexity: that of k picks, without the calls.

        Raises: `NoEligibleTarget`, `ValueError` for a negative k.

        >>> from uplinks import Selector
        >>> Selector([("a", 2), ("b", 1)]).pick_many(4)
        ['a', 'b', 'a', 'a']
        """
        cdef Py_ssize_t i, j
        cdef list found
        if k < 0:
            raise ValueError(f"cannot pick {k} targets: 0 or more is allowed")
        if self.nested:
            return [self.descend() for _ in range(k)]
        if k and not self.scheduler.members:
            raise self.nothing_eligible()
        found = [None] * k
        for j in range(k):
            i = self.scheduler.next_index()
            if i < 0:
                self.check_failure()
                raise self.nothing_eligible()
            look_ahead(self.scheduler, self.held)
            found[j] = self.held[i]
        return found

    @cython.critical_section
    def pick_into(self, uint32_t[::1] buffer not None):
        """Pick as many indices as a buffer has room for; `targets` says what they are.

        ``buffer`` is writable, contiguous and of unsigned 32-bit items
        (``array("I")``, a NumPy array). The GIL is released while a recorded
        period is copied; what is copied is taken before, so that other
        threads go on where it ends. Complexity: that of the picks.

        Raises: `NoEligibleTarget`; `ValueError` or `TypeError` for another
        buffer, and for a selector that holds selectors.

        >>> from array import array
        >>> from uplinks import Selector
        >>> selector, buffer = Selector([("a", 2), ("b", 1)]), array("I", bytes(16))
        >>> selector.pick_into(buffer)
        >>> [selector.targets[i] for i in buffer]
        ['a', 'b', 'a', 'a']
        """
        cdef Scheduler scheduler = self.scheduler
        cdef Py_ssize_t k = 0
        cdef Py_ssize_t i
        cdef Py_ssize_t size = buffer.shape[0]
        cdef uint64_t at, period, left
        cdef uint8_t width
        cdef Table *table
        if self.nested:
            raise ValueError("pick_into gives indices, which do not name what nested selectors pick")
        while k < size:
            if not scheduler.replaying:
                i = scheduler.next_index()
                if i < 0:
                    self.check_failure()
                    raise self.nothing_eligible()
                buffer[k] = <uint32_t> i
                k += 1
                continue
            table, width, at, period = (
                scheduler.table, scheduler.width, scheduler.at, scheduler.period
            )
            left = at + <uint64_t> (size - k)
            scheduler.laps += left // period
            scheduler.at = left % period
            table.pins += 1
            with nogil:
                copy(&buffer[k], size - k, table, width, at, period)
            unpin(table)
            return

    cdef object descend(self):
        """Pick, through selectors of any depth."""
        cdef Picker node = self
        cdef Py_ssize_t i
        while True:
            i = node.scheduler.next_index()
            if i < 0:
                node.check_failure()
                raise node.nothing_eligible()
            target = node.held[i]
            if not isinstance(target, Picker):
                return target
            node = <Picker> target

    cdef object pick_without(self, exclude):
        cdef Picker node
        cdef Entry entry
        cdef list found = []
        if isinstance(exclude, (str, bytes)):
            raise TypeError(f"exclude is a collection of targets, not {type(exclude).__name__}")
        exclude = list(exclude)
        for node in self.below():
            for target in exclude:
                entry = node.index.get(target)
                if entry is not None:
                    found.append((node, entry))
        # No code but ours runs from here on.
        for node, entry in found:
            if entry.index >= 0:
                node.scheduler.change(entry.index, node.scheduler.weight[entry.index], False)
                node.settle()
        try:
            return self.descend()
        finally:
            for node, entry in found:
                if entry.index >= 0:
                    node.refresh(entry)
                    node.settle()

    # -- inside -----------------------------------------------------------------

    cdef uint32_t checked_weight(self, object weight) except? 0xFFFFFFFF:
        if type(weight) is not int or not 0 <= weight <= 0x7FFFFFFF:
            raise self._failure("weight", weight)
        return weight

    cdef Entry find(self, object target):
        cdef Entry entry = self.index.get(target)
        if entry is None or entry.index < 0:
            raise self._failure("unknown-target", target)
        return entry

    cdef list below(self):
        """This selector and all that are in it, at any depth, each once."""
        cdef list found = [self]
        cdef set seen = {id(self)}
        cdef Picker node
        for node in found:  # which grows meanwhile
            if node.nested:
                for target in node.held:
                    if isinstance(target, Picker) and id(target) not in seen:
                        seen.add(id(target))
                        found.append(target)
        return found

    cdef int enter(self, target, uint32_t weight, bint up) except -1:
        cdef Entry entry = Entry()
        cdef bint nests = isinstance(target, Picker)
        if nests and any([node is self for node in (<Picker> target).below()]):
            raise self._failure("cycle")
        if self.index.setdefault(target, entry) is not entry:
            raise self._failure("duplicate-target", target)
        # No code but ours runs from here on.
        try:
            entry.index = self.scheduler.add()
        except BaseException:
            self.index.pop(target, None)
            raise
        entry.up = up
        if entry.index == len(self.held):
            self.held.append(target)
        else:
            self.held[entry.index] = target
        if nests:
            self.nested += 1
            (<Picker> target).parents.append((ref(self), entry))
        self.refresh(entry)
        self.scheduler.change(entry.index, weight, self.scheduler.flags[entry.index] & UP)
        self.settle()
        return 0

    cdef int check_failure(self) except -1:
        """Raise what Python code below the scheduler has raised."""
        cdef object failure = self.scheduler.failure
        if failure is not None:
            self.scheduler.failure = None
            raise failure
        return 0

    cdef int refresh(self, Entry entry) except -1:
        """Hand on to the scheduler whether a target may be picked."""
        cdef object target = self.held[entry.index]
        cdef bint passable = entry.up
        if passable and isinstance(target, Picker):
            passable = (<Picker> target).scheduler.members > 0
        self.scheduler.change(entry.index, self.scheduler.weight[entry.index], passable)
        return 0

    cdef int settle(self) except -1:
        """Tell the selectors above when this one begins or ceases to be eligible."""
        cdef list left
        cdef Picker node, parent
        cdef Entry entry
        if not self.parents:
            self.was_eligible = self.scheduler.members > 0
            return 0
        left = [self]
        while left:
            node = left.pop()
            if node.was_eligible == (node.scheduler.members > 0):
                continue
            node.was_eligible = node.scheduler.members > 0
            for reference, entry in node.parents:
                parent = reference()
                if parent is not None and entry.index >= 0:
                    parent.refresh(entry)
                    left.append(parent)
        return 0

    cdef object nothing_eligible(self):
        rows = self.rows()
        without_weight = sum([weight == 0 for _, weight, _ in rows])
        return self._failure(
            "nothing-eligible", len(rows), without_weight, len(rows) - without_weight
        )
