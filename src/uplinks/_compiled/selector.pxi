# The selector: targets over a scheduler, picked one at a time or in batches.


cdef inline void look_ahead(Scheduler scheduler, list held) noexcept:
    """Fetch a target that is picked soon, and twice as early its place: thousands do not fit the cache."""
    cdef uint64_t soon = scheduler.at + AHEAD
    if not scheduler.replaying:
        if scheduler.likely < scheduler.size:
            prefetch(<void *> PyList_GET_ITEM(held, scheduler.likely))
    elif soon + AHEAD < scheduler.period:
        prefetch(PySequence_Fast_ITEMS(held) + scheduler.table[soon + AHEAD])
        prefetch(<void *> PyList_GET_ITEM(held, scheduler.table[soon]))


def with_fast_next(type cls not None):
    """Give a subclass of `Selector` the C slot of `next` back, which its class statement replaced."""
    if not issubclass(cls, Selector) or cls.__next__ is not Selector.__next__:
        raise TypeError(f"a subclass of Selector with the same __next__ is required, got {cls.__name__}")
    (<TypeSlots *> <void *> cls).tp_iternext = (<TypeSlots *> <void *> Selector).tp_iternext
    return cls


@cython.final
cdef class Entry:
    """A target's place in a selector."""

    cdef Py_ssize_t index       # -1: not, or no longer, a target
    cdef uint64_t order         # of insertion
    cdef bint up
    cdef int excluded           # from how many picks that are being made

    def __cinit__(self):
        self.index = -1
        self.up = True


cdef class Selector:
    """Targets over a scheduler. The Python face documents the methods and names the failures."""

    cdef object __weakref__
    cdef Scheduler scheduler
    cdef Lock lock
    cdef list held              # the targets by index; None where an index is vacant
    cdef dict index             # target -> Entry
    cdef uint64_t added         # entries made so far
    cdef list parents           # (weak reference to a selector above, Entry there)
    cdef Py_ssize_t nested      # how many targets are selectors
    cdef bint was_eligible      # as the selectors above know it
    cdef uint64_t *token        # by index: the hash of a target for keyed picks; 0: not known yet
    cdef Py_ssize_t tokens      # how many fit that memory

    def __cinit__(self, *args, **kwargs):
        self.held = []
        self.index = {}
        self.parents = []
        self.lock = Lock()
        self.scheduler = Scheduler()  # picks nothing, until there is a better one

    def __init__(self, Scheduler scheduler not None):
        if type(self.scheduler) is not Scheduler or self.held:
            raise TypeError("a selector is initialized once")
        if scheduler.size or scheduler.taken:
            raise ValueError("a scheduler serves one selector only")
        adopt(self, scheduler)

    def __dealloc__(self):
        free(self.token)

    def _failure(self, kind, *facts):
        raise NotImplementedError

    def _hash(self, value):
        raise NotImplementedError

    def pick(self, *, exclude=None, key=None):
        """Pick the next target; a target that is a selector is descended into.

        ``exclude`` is a collection of targets, at any depth, to pass over: they are down for this
        pick, and a new period begins. ``key`` (a string, bytes, an integer or a tuple of these, as
        the targets must be then) asks for a *sticky* pick: the same key gives the same target in
        every process. It is counted but does not move the schedule. Complexity: O(1) once a period
        of at most 2**20 picks has been seen, before O(log n) amortized; O(n) with a key.

        Raises: `NoEligibleTarget`; `TypeError` for a key or a target of another type.

        >>> from uplinks import Selector
        >>> selector = Selector([("a", 9), ("b", 1)])
        >>> selector.pick(), selector.pick(exclude=["a"]), selector.pick(key="session-17")
        ('a', 'b', 'a')
        """
        if exclude is None and key is None:
            if not FREE_THREADED and not self.lock.indirect:
                return one_pick(self)
            return guarded(self, do_pick, None, None)
        if isinstance(exclude, (str, bytes)):
            raise TypeError(f"exclude must be a collection of targets, got {type(exclude).__name__}")
        return guarded(self, do_pick_carefully, [] if exclude is None else list(exclude), key)

    def __iter__(self):
        return self

    def __next__(self):
        if not FREE_THREADED and not self.lock.indirect:
            return one_pick(self)
        return guarded(self, do_pick, None, None)

    def pick_many(self, Py_ssize_t k):
        """Pick k targets: the same as k picks, without the calls.

        Raises: `NoEligibleTarget`, `ValueError` for a negative k.

        >>> from uplinks import Selector
        >>> Selector([("a", 2), ("b", 1)]).pick_many(4)
        ['a', 'b', 'a', 'a']
        """
        if k < 0:
            raise ValueError(f"k must be 0 or more, got {k}")
        if k >= 1 << 59:  # CPython 3.13 without the GIL corrupts memory when it refuses such a list
            raise MemoryError
        return guarded(self, do_pick_many, [None] * k, None)

    def pick_into(self, uint32_t[::1] buffer not None):
        """Pick as many indices as a buffer holds; `targets` gives the target of each index.

        ``buffer`` is writable, contiguous and of unsigned 32-bit items.

        Raises: `NoEligibleTarget`; `ValueError` or `TypeError` for another buffer, and for a
        selector that contains selectors.

        >>> from array import array
        >>> from uplinks import Selector
        >>> selector, buffer = Selector([("a", 2), ("b", 1)]), array("I", bytes(16))
        >>> selector.pick_into(buffer)
        >>> [selector.targets[i] for i in buffer]
        ['a', 'b', 'a', 'a']
        """
        guarded(self, do_pick_into, buffer, None)

    # -- changes and queries, documented in `balance` --------------------------------

    def _add(self, target, weight):
        if isinstance(target, Selector):
            unite(self, target)
        guarded(self, do_add, target, weight)

    def _remove(self, target):
        guarded(self, do_remove, target, None)

    def _set_up(self, target, up):
        guarded(self, do_set_up, target, bool(up))

    def _update(self, weights):
        guarded(self, do_update, dict(weights), None)

    def _replace(self, target, new):
        guarded(self, do_replace, target, new)

    def _ended(self, target, ok, nanoseconds):
        guarded(self, do_ended, target, (bool(ok), int(nanoseconds)))

    @property
    def eligible(self):
        """Whether a pick would find a target. Complexity: O(1)."""
        return self.scheduler.members > 0  # one number, which needs no lock

    def _period(self):
        return self.scheduler.period  # one number, which needs no lock

    def __len__(self):
        return self.scheduler.alive  # one number, which needs no lock

    def __contains__(self, target):
        return guarded(self, do_contain, target, None)

    def _rows(self, bint counted=False):
        return guarded(self, do_rows, counted, None)

    @property
    def targets(self):
        """The targets by index, as `pick_into` gives them; None where an index is vacant."""
        return guarded(self, do_targets, None, None)

    def __sizeof__(self):
        own = object.__sizeof__(self) + object.__sizeof__(self.scheduler)
        return own + self.scheduler.memory() + self.tokens * sizeof(uint64_t)  # numbers, without a lock

    def _skip(self, uint64_t picks, list counts=None):
        guarded(self, do_skip, picks, counts)

    def _state(self, before=None):
        return guarded(self, do_state, before, None)

    def _load(self, Scheduler scheduler not None, list targets, dict up, dict state):
        for target in targets:
            if isinstance(target, Selector):
                unite(self, target)
        guarded(self, do_load, scheduler, (targets, up, state))

    def _check(self):
        guarded(self, do_check, None, None)

    cdef Selector descend(self, const uint64_t *key, Py_ssize_t *index):
        """Pick through selectors of any depth; return the last one and what `next_index` gives there."""
        cdef Selector node = self
        while True:
            if key is NULL:
                index[0] = node.scheduler.next_index()
            else:
                index[0] = closest(node, key[0])
            if index[0] < 0:
                return node
            target = node.held[index[0]]
            if not isinstance(target, Selector):
                return node
            node = <Selector> target

    cdef Entry find(self, object target):
        cdef Entry entry = self.index.get(target)
        if entry is None or entry.index < 0:
            raise self._failure("unknown-target", target)
        return entry

    cdef list below(self):
        """Return this selector and all that it contains, at any depth, each once."""
        cdef list found = [self]
        cdef set seen = {id(self)}
        cdef Selector node
        for node in found:  # which grows meanwhile
            if node.nested:
                for target in node.held:
                    if isinstance(target, Selector) and id(target) not in seen:
                        seen.add(id(target))
                        found.append(target)
        return found

    cdef list entries(self):
        """Return the entries in order of insertion. The caller holds the garbage collector."""
        cdef Entry entry
        # A copy: without the GIL another thread may finish an insertion that its own `__eq__` delayed.
        found = [(entry.order, entry) for entry in list(self.index.values()) if entry.index >= 0]
        found.sort()  # by order, which is unique; sorted already unless a target was replaced
        return [entry for _, entry in found]

    cdef bint passable(self, Entry entry) noexcept:
        """Tell whether a target may be picked, by its status and by what it contains."""
        cdef object target = self.held[entry.index]
        if not entry.up or entry.excluded:
            return False
        return not isinstance(target, Selector) or (<Selector> target).scheduler.members > 0

    cdef int notify_parents(self, list touched) except -1:
        """Tell the selectors above when this one begins or ceases to be eligible; add them to `touched`."""
        cdef Selector node, parent
        cdef Entry entry
        cdef Py_ssize_t k = len(touched)
        touched.append(self)
        while k < len(touched):
            node = touched[k]
            k += 1
            if node.was_eligible == (node.scheduler.members > 0):
                continue
            node.was_eligible = node.scheduler.members > 0
            for reference, entry in node.parents:
                parent = reference()
                if parent is not None and entry.index >= 0:
                    parent.scheduler.change(
                        entry.index, parent.scheduler.weight[entry.index], parent.passable(entry)
                    )
                    touched.append(parent)
        return 0

    cdef object failure_of_pick(self):
        """Return the exception for a pick that found no index."""
        cdef object failure = self.scheduler.failure
        if failure is not None:
            self.scheduler.failure = None
            return failure
        # Those that the pick excluded are eligible again.
        return self._failure("nothing-eligible", do_rows(self, None, None), self.scheduler.members)


cdef int adopt(Selector selector, Scheduler scheduler) except -1:
    """Give a selector its scheduler."""
    if isinstance(scheduler, ForeignScheduler):
        lock_in_use(selector.lock).threads = RLock()
        lock_in_use(selector.lock).indirect = True
    scheduler.taken = True
    selector.scheduler = scheduler
    return 0


cdef inline object one_pick(Selector selector):
    """Pick a target; the caller holds the lock, if one is needed."""
    cdef Py_ssize_t i
    if selector.nested:
        return deep_pick(selector)
    i = selector.scheduler.next_index()
    if i < 0:
        raise selector.failure_of_pick()
    if selector.scheduler.size > CACHED:
        look_ahead(selector.scheduler, selector.held)
    return selector.held[i]


cdef object deep_pick(Selector selector):
    cdef Py_ssize_t i = -1
    cdef Selector last = selector.descend(NULL, &i)
    if i < 0:
        raise last.failure_of_pick()
    return last.held[i]
