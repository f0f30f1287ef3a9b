# One lock for each connected set of selectors.
#
# A pick goes down and a change goes up, so a lock for each selector would be taken in both orders.
# When a selector is added to another one, one of their locks replaces the other, for good. An
# operation takes the lock that is in use and looks once more whether it still is. With the GIL, C code
# that runs no Python code is atomic by itself, and the lock costs nothing. Without it, the lock is a
# critical section. A scheduler written in Python adds a recursive lock to its set, because other
# threads run while Python code does.

ctypedef object (*Operation)(Selector, object, object)


@cython.final
cdef class Lock:
    """What guards a connected set of selectors."""

    cdef Lock above             # the lock that replaces this one; None: it is in use itself
    cdef object threads         # excludes other threads while Python code runs; None without
    cdef bint indirect          # has either of both


cdef Lock lock_in_use(Lock lock):
    while lock.above is not None:
        lock = lock.above
    return lock


cdef object guarded(Selector selector, Operation operation, object first, object second):
    """Run an operation alone in its set of selectors."""
    cdef Lock lock
    while True:
        lock = lock_in_use(selector.lock)
        if lock.threads is not None:
            with lock.threads:
                with cython.critical_section(lock):
                    if lock.above is None:
                        return operation(selector, first, second)
        else:
            with cython.critical_section(lock):
                if not lock.indirect:
                    return operation(selector, first, second)


cdef int unite(Selector one, Selector other) except -1:
    """Let two selectors share a lock."""
    cdef Lock first, second
    while True:
        first, second = lock_in_use(one.lock), lock_in_use(other.lock)
        if first is second:
            return 0
        if second.threads is not None and (first.threads is None or id(second) < id(first)):
            first, second = second, first
        # Always in the same order, so that two threads cannot wait for each other.
        with first.threads or RLock(), second.threads or RLock():
            with cython.critical_section(first, second):
                if first.above is None and second.above is None:
                    second.above = first
                    second.indirect = True
                    return 0
