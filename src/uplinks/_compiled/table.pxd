# A recorded period: the indices in the order in which they were picked.

from libc.stdint cimport uint32_t, uint64_t
from libc.stdlib cimport free, realloc
from libc.string cimport memcpy


cdef struct Table:              # the entries follow
    Py_ssize_t pins             # how many use it; changed in the selector's lock only
    uint64_t room               # entries


cdef inline uint32_t *entries(Table *table) noexcept nogil:
    return <uint32_t *> (table + 1)


cdef inline Table *lengthen(Table *table, uint64_t room) noexcept nogil:
    """Give the table room for more entries; NULL, and the old one stays, if there is no memory."""
    cdef Table *longer = <Table *> realloc(table, sizeof(Table) + room * sizeof(uint32_t))
    if longer is not NULL:
        if table is NULL:
            longer.pins = 1
        longer.room = room
    return longer


cdef inline void unpin(Table *table) noexcept nogil:
    if table is not NULL:
        table.pins -= 1
        if table.pins == 0:
            free(table)


cdef inline void copy_schedule(
    uint32_t *out, uint64_t size, Table *table, uint64_t at, uint64_t period
) noexcept nogil:
    """Write a stretch of a schedule that repeats, from any point of it."""
    cdef uint64_t done = min(size, period - at)
    cdef uint64_t run, back
    memcpy(out, entries(table) + at, done * sizeof(uint32_t))
    if done < size:
        run = min(size - done, period)
        memcpy(out + done, entries(table), run * sizeof(uint32_t))
        done += run
    while done < size:
        # Copy the whole periods written so far: that doubles them.
        back = done // period * period
        run = min(size - done, back)
        memcpy(out + done, out + done - back, run * sizeof(uint32_t))
        done += run
