# cython: language_level=3
"""Pick without Python, as another extension does by `cimport uplinks._wrr`."""

from uplinks._wrr cimport FairScheduler


cdef class Outside:
    """A scheduler, driven without the GIL."""

    cdef FairScheduler scheduler

    def __init__(self, list weights):
        cdef Py_ssize_t i
        self.scheduler = FairScheduler()
        self.scheduler.reserve(len(weights))
        for weight in weights:
            i = self.scheduler.add()
            self.scheduler.change(i, weight, True)

    def first(self, Py_ssize_t picks):
        """List the next picks."""
        return [self.scheduler.next_index() for _ in range(picks)]

    def run(self, Py_ssize_t picks):
        """Pick repeatedly; return the sum of the indices, so that no pick is optimized away."""
        cdef FairScheduler scheduler = self.scheduler
        cdef Py_ssize_t total = 0
        cdef Py_ssize_t _
        with nogil:
            for _ in range(picks):
                total += scheduler.next_index()
        return total

    def flap(self, Py_ssize_t i, Py_ssize_t weight, Py_ssize_t changes):
        """Take an index down and up again, with a pick after each change."""
        cdef FairScheduler scheduler = self.scheduler
        cdef Py_ssize_t total = 0
        cdef Py_ssize_t k
        with nogil:
            for k in range(changes):
                scheduler.change(i, weight, k & 1)
                total += scheduler.next_index()
        return total
