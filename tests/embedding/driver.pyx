# cython: language_level=3
"""An extension of another program: it picks without the GIL, through the .pxd alone."""

from libc.stdint cimport uint32_t

from uplinks._wrr cimport FairScheduler, Scheduler


cdef class Driver:
    """A scheduler, called without any Python code in between; the fair one by default."""

    cdef Scheduler scheduler

    def __init__(self, list weights, Scheduler scheduler=None):
        cdef Py_ssize_t i
        self.scheduler = FairScheduler() if scheduler is None else scheduler
        for weight in weights:
            i = self.scheduler.add()
            self.scheduler.change(i, weight, True)

    def fill(self, uint32_t[::1] picks):
        """Pick as many indices as the buffer holds; return a number below 0 if a pick fails."""
        cdef Py_ssize_t k, i
        cdef Py_ssize_t last = 0
        with nogil:
            for k in range(picks.shape[0]):
                i = self.scheduler.next_index()
                if i < 0:
                    last = i
                    break
                picks[k] = <uint32_t> i
        return last

    def change(self, Py_ssize_t i, uint32_t weight, bint up):
        """Change an index, also without the GIL."""
        with nogil:
            self.scheduler.change(i, weight, up)
