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
    """Fetch a target that will be picked soon: thousands do not fit the cache."""
    cdef uint64_t soon = scheduler.at + 12
    if scheduler.size <= 256:
        return
    if not scheduler.replaying:
        if scheduler.likely < scheduler.size:
            prefetch(<void *> PyList_GET_ITEM(held, scheduler.likely))
    elif soon < scheduler.period:
        prefetch(<void *> PyList_GET_ITEM(held, entry(scheduler.table, scheduler.width, soon)))


def with_fast_next(type cls not None):
    """Give a subclass of `Selector` back what Python takes from it: a fast `next`.

    A class statement gives the subclass a slot that looks `__next__` up by name.
    """
    (<TypeSlots *> <void *> cls).tp_iternext = (<TypeSlots *> <void *> Selector).tp_iternext
    return cls


@cython.final
cdef class Entry:
    """A target's place in a selector."""

    def __cinit__(self):
        self.index = -1
        self.up = True


cdef class Selector:
    """Targets over a scheduler. The face adds the names of the failures."""

    def __cinit__(self, *args, **kwargs):
        self.held = []
        self.index = {}
        self.parents = []
        self.scheduler = Scheduler()  # which picks nothing, until there is a better one

    def __init__(self, Scheduler scheduler not None):
        if type(self.scheduler) is not Scheduler or self.held:
            raise TypeError("a selector is made once")
        if scheduler.size:
            raise ValueError("a scheduler serves one selector only")
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
        cdef Selector node = self
        cdef Py_ssize_t i
        while True:
            i = node.scheduler.next_index()
            if i < 0:
                node.check_failure()
                raise node.nothing_eligible()
            target = node.held[i]
            if not isinstance(target, Selector):
                return target
            node = <Selector> target

    cdef object pick_without(self, exclude):
        cdef Selector node
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

    # -- changes ----------------------------------------------------------------

    @cython.critical_section
    def add(self, target, weight=1):
        """Add a target that is up; it joins the schedule neither ahead nor behind.

        Units: ``weight`` from 0 to 2**31 - 1. Complexity: O(log n).

        Raises: `InvalidWeight`, `DuplicateTarget`, `SelectorCycle` (a selector
        that would contain itself), `OverflowError` past 2**20 targets. Nothing
        is changed then.

        >>> from uplinks import Selector
        >>> selector = Selector()
        >>> selector.add("a", 3)
        >>> "a" in selector, len(selector)
        (True, 1)
        """
        self.enter(target, self.checked_weight(weight), True)
        self.check_failure()

    @cython.critical_section
    def remove(self, target):
        """Take a target out. Complexity: O(log n).

        Raises: `UnknownTarget`.

        >>> from uplinks import Selector
        >>> selector = Selector([("a", 1), ("b", 1)])
        >>> selector.remove("a")
        >>> selector.pick()
        'b'
        """
        cdef Entry entry = self.index.pop(target, None)
        cdef Py_ssize_t i
        cdef Selector below
        if entry is None or entry.index < 0:
            raise self._failure("unknown-target", target)
        i = entry.index
        entry.index = -1
        # The target is let go of last: its end may run code of its own.
        held = self.held[i]
        self.held[i] = None
        self.scheduler.remove(i)
        if isinstance(held, Selector):
            below = <Selector> held
            self.nested -= 1
            below.parents = [pair for pair in below.parents if pair[1] is not entry]
        self.settle()
        self.check_failure()

    @cython.critical_section
    def set_weight(self, target, weight):
        """Change a target's weight; it stays ahead or behind by as much as it was.

        Units: ``weight`` from 0 to 2**31 - 1; 0 is never picked.
        Complexity: O(log n); O(n) when it ends a replay.

        Raises: `InvalidWeight`, `UnknownTarget`. Nothing is changed then.

        >>> from uplinks import Selector
        >>> selector = Selector([("a", 1), ("b", 1)])
        >>> selector.set_weight("a", 0)
        >>> [selector.pick(), selector.pick()]
        ['b', 'b']
        """
        cdef uint32_t share = self.checked_weight(weight)
        cdef Entry entry = self.find(target)
        self.scheduler.change(entry.index, share, self.scheduler.flags[entry.index] & UP)
        self.settle()
        self.check_failure()

    @cython.critical_section
    def set_up(self, target, up):
        """Say whether a target is up. What is down is not picked.

        Law: a target that comes back has no claim on what it missed, and
        leads its share since then by at most 1 while nothing else changes
        (tests/laws/test_selector_laws.py).
        Complexity: O(log n); O(n) when it ends a replay.

        Raises: `UnknownTarget`.

        >>> from uplinks import Selector
        >>> selector = Selector([("a", 9), ("b", 1)])
        >>> selector.set_up("a", False)
        >>> selector.pick()
        'b'
        """
        cdef bint status = up
        cdef Entry entry = self.find(target)
        entry.up = status
        self.refresh(entry)
        self.settle()
        self.check_failure()

    @cython.critical_section
    def update(self, weights):
        """Set the weights of several targets in one step, given as a mapping.

        Nobody sees a state in between. Complexity: O(k log n) for k targets.

        Raises: `InvalidWeight`, `UnknownTarget`. Nothing is changed then.

        >>> from uplinks import Selector
        >>> selector = Selector([("a", 1), ("b", 1), ("c", 1)])
        >>> selector.update({"a": 3, "b": 0})
        >>> dict(selector.weights)
        {'a': 3, 'b': 0, 'c': 1}
        """
        cdef Entry entry
        cdef list found = []
        for target, weight in dict(weights).items():
            found.append((self.find(target), self.checked_weight(weight), target))
        for entry, _, target in found:
            if entry.index < 0:
                raise self._failure("unknown-target", target)
        for entry, weight, _ in found:
            # A scheduler written elsewhere may have called back and removed it.
            if entry.index >= 0:
                self.scheduler.change(
                    entry.index, <uint32_t> weight, self.scheduler.flags[entry.index] & UP
                )
        self.settle()
        self.check_failure()

    @cython.critical_section
    def replace(self, target, new):
        """Put another target in a target's place: with its weight, state and turn.

        Neither may be a selector. Complexity: O(1).

        Raises: `UnknownTarget`, `DuplicateTarget`, `TypeError` for selectors.
        Nothing is changed then.

        >>> from uplinks import Selector
        >>> selector = Selector([("a", 2), ("b", 1)])
        >>> selector.pick()
        'a'
        >>> selector.replace("b", "B")
        >>> selector.pick()
        'B'
        """
        cdef Entry entry = self.find(target)
        cdef Entry fresh = Entry()
        if isinstance(new, Selector) or isinstance(self.held[entry.index], Selector):
            raise TypeError("a selector cannot be replaced, nor replace a target")
        if self.index.setdefault(new, fresh) is not fresh:
            raise self._failure("duplicate-target", new)
        if self.index.pop(target, None) is not entry or entry.index < 0:
            self.index.pop(new, None)
            raise self._failure("unknown-target", target)
        fresh.index, fresh.up = entry.index, entry.up
        entry.index = -1
        old = self.held[fresh.index]  # let go of last: its end may run code of its own
        self.held[fresh.index] = new

    # -- questions --------------------------------------------------------------

    @property
    def eligible(self):
        """Whether a pick would find a target. Complexity: O(1).

        >>> from uplinks import Selector
        >>> Selector([("a", 0)]).eligible
        False
        """
        return self.scheduler.members > 0

    def period(self):
        """Give the number of picks after which the schedule repeats, 0 if none is possible.

        Complexity: O(1).

        >>> from uplinks import Selector
        >>> Selector([("a", 90), ("b", 10)]).period()
        10
        """
        return self.scheduler.cycle()

    def __len__(self):
        return len(self.index)

    def __contains__(self, target):
        return target in self.index

    @cython.critical_section
    def rows(self):
        """List target, weight and status of each target, in order of insertion.

        Complexity: O(n).

        >>> from uplinks import Selector
        >>> Selector([("a", 90), ("b", 10)]).rows()
        [('a', 90, True), ('b', 10, True)]
        """
        cdef Entry entry
        cdef list found = []
        for entry in list(self.index.values()):
            if entry.index >= 0:
                found.append(
                    (self.held[entry.index], self.scheduler.weight[entry.index], entry.up)
                )
        return found

    @property
    def targets(self):
        """The targets by index, as `pick_into` gives them; None where none is.

        Complexity: O(n).

        >>> from uplinks import Selector
        >>> Selector([("a", 1), ("b", 1)]).targets
        ('a', 'b')
        """
        return tuple(self.held)

    @cython.critical_section
    def _made(self):
        cdef Entry entry
        cdef list counts = self.scheduler.counts()
        cdef list found = []
        for entry in list(self.index.values()):
            if entry.index >= 0:
                found.append((self.held[entry.index], counts[entry.index]))
        return found

    def _reserve(self, Py_ssize_t targets):
        """Make room for so many targets at once, and for no more."""
        self.scheduler.reserve(targets)

    @cython.critical_section
    def _skip(self, uint64_t picks, list counts=None):
        """Move on by so many picks, of which `counts` says who had them."""
        cdef uint64_t k
        cdef Py_ssize_t i
        if counts is not None:
            picks -= self.scheduler.jump(picks, counts)
        for k in range(picks):
            self.scheduler.next_index()
            self.check_failure()
        self.scheduler.laps = 0
        for i in range(self.scheduler.size):
            self.scheduler.made[i] = 0

    def __sizeof__(self):
        return object.__sizeof__(self) + object.__sizeof__(self.scheduler) + self.scheduler.memory()

    @cython.critical_section
    def _state(self):
        """Targets by index with whether each is up, and the scheduler as plain data."""
        cdef Entry entry
        cdef list up = [None] * len(self.held)
        for entry in list(self.index.values()):
            if entry.index >= 0:
                up[entry.index] = entry.up
        return list(self.held), up, self.scheduler.columns()

    @cython.critical_section
    def _load(self, Scheduler scheduler not None, list targets, list up, dict columns):
        """Take over what `_state` gave, into a selector that is still empty."""
        cdef Entry entry
        cdef Selector below
        if self.held or len(targets) != len(up):
            raise ValueError("the targets do not fit")
        scheduler.load_columns(columns)
        expect(scheduler.columns() == columns, "what is taken over otherwise than given")
        if scheduler.size != len(targets):
            raise ValueError("the targets do not fit")
        for i in range(len(targets)):
            if type(up[i]) is not (type(None) if scheduler.flags[i] == 0 else bool):
                raise ValueError("up cannot be")
            if up[i] is None:
                continue
            entry = Entry()
            entry.index = i
            entry.up = up[i]
            if self.index.setdefault(targets[i], entry) is not entry:
                raise ValueError("a target stands twice")
        self.scheduler = scheduler
        self.held = [target if state is not None else None for target, state in zip(targets, up)]
        for entry in list(self.index.values()):
            if isinstance(self.held[entry.index], Selector):
                below = <Selector> self.held[entry.index]
                self.nested += 1
                below.parents.append((ref(self), entry))
        self.settle()
        check_selector(self)

    @cython.critical_section
    def _check(self):
        """Raise `ValueError` unless everything kept, here and below, agrees."""
        cdef Selector node
        for node in self.below():
            check_selector(node)

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
        cdef Selector node
        for node in found:  # which grows meanwhile
            if node.nested:
                for target in node.held:
                    if isinstance(target, Selector) and id(target) not in seen:
                        seen.add(id(target))
                        found.append(target)
        return found

    cdef int enter(self, target, uint32_t weight, bint up) except -1:
        cdef Entry entry = Entry()
        cdef bint nests = isinstance(target, Selector)
        if nests and any([node is self for node in (<Selector> target).below()]):
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
            (<Selector> target).parents.append((ref(self), entry))
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
        if passable and isinstance(target, Selector):
            passable = (<Selector> target).scheduler.members > 0
        self.scheduler.change(entry.index, self.scheduler.weight[entry.index], passable)
        return 0

    cdef int settle(self) except -1:
        """Tell the selectors above when this one begins or ceases to be eligible."""
        cdef list left
        cdef Selector node, parent
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
