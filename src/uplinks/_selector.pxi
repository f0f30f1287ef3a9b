# What is called once in a while: changes, questions, snapshots.


def with_fast_next(type cls not None):
    """Give a subclass of `Selector` back what Python takes from it: a fast `next`.

    A class statement gives the subclass a slot that looks `__next__` up by name.
    """
    (<TypeSlots *> <void *> cls).tp_iternext = (<TypeSlots *> <void *> Selector).tp_iternext
    return cls


cdef class Selector(Picker):
    """Targets that come, go and change. The face adds the names of the failures."""

    # -- changes ----------------------------------------------------------------

    @cython.critical_section
    def add(self, target, weight=1):
        """Add a target that is up; it joins the schedule neither ahead nor behind.

        Units: ``weight`` from 0 to 2**31 - 1. Complexity: O(log n) amortized.

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
        """Take a target out. Complexity: O(log n) amortized.

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
        Complexity: O(log n) amortized; O(n) when it ends a replay of "edf" or "smooth".

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
        Complexity: O(log n) amortized; O(n) when it ends a replay of "edf" or "smooth".

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

        Nobody sees a state in between. Complexity: O(k log n) amortized for k targets.

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
        if counts is not None:
            picks -= self.scheduler.jump(picks, counts)
        for k in range(picks):
            self.scheduler.next_index()
            self.check_failure()
        self.scheduler.forget()

    def __sizeof__(self):
        return object.__sizeof__(self) + object.__sizeof__(self.scheduler) + self.scheduler.memory()

    # -- plain data -------------------------------------------------------------

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
        scheduler.taken = True
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
