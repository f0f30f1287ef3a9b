# cython: language_level=3
"""Another program's extension: it picks without the GIL, through nothing but the .pxd."""

from libc.stdint cimport uint32_t

from uplinks._wrr cimport EdfScheduler, FairScheduler, Scheduler


cdef class Driver:
    """A scheduler that no Python code stands between."""

    cdef Scheduler scheduler

    def __init__(self, str order, list weights):
        cdef Py_ssize_t i
        self.scheduler = FairScheduler() if order == "fair" else EdfScheduler()
        for weight in weights:
            i = self.scheduler.add()
            self.scheduler.change(i, weight, True)

    def fill(self, uint32_t[::1] picks):
        """Pick as many indices as there is room for; -1: nothing was eligible."""
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
        """Change an index, without the GIL too."""
        with nogil:
            self.scheduler.change(i, weight, up)
