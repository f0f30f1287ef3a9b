# A recorded period: the indices in the order in which they were picked, in one,
# two or four bytes each. Beside each entry there may be its rank: how often the
# same index stands before it, modulo 256. What is left of the rank follows from
# the place, since nobody is further than a few picks from its share.

from libc.stdint cimport int8_t, int64_t, uint8_t, uint16_t, uint32_t, uint64_t
from libc.stdlib cimport free, realloc
from libc.string cimport memchr, memmove


cdef struct Table:              # the entries follow, and behind them the ranks
    Py_ssize_t pins             # who holds it; changed under the GIL only
    uint8_t *ranks


cdef inline void *entries(Table *table) noexcept nogil:
    return <void *> (table + 1)


cdef inline Py_ssize_t entry(Table *table, uint8_t width, uint64_t k) noexcept nogil:
    if width == 1:
        return (<uint8_t *> entries(table))[k]
    if width == 2:
        return (<uint16_t *> entries(table))[k]
    return (<uint32_t *> entries(table))[k]


cdef inline uint64_t rank(Table *table, uint64_t k, uint64_t quota, uint64_t period) noexcept nogil:
    """How often an index that has so many of a period's entries stands before this one of them."""
    cdef uint64_t near = k * quota // period
    return near + <uint64_t> <int64_t> <int8_t> <uint8_t> (table.ranks[k] - near)


cdef inline Table *lengthened(
    Table *table, uint64_t old, uint64_t new, uint8_t width, bint ranked
) noexcept nogil:
    """Memory for so many entries, with what was in the old; NULL, and the old stays, without."""
    cdef Table *longer = <Table *> realloc(table, sizeof(Table) + new * (width + ranked))
    if longer is NULL:
        return NULL
    if table is NULL:
        longer.pins = 1
    longer.ranks = <uint8_t *> entries(longer) + new * width
    if ranked and old:
        memmove(longer.ranks, <uint8_t *> entries(longer) + old * width, old)
    return longer


cdef inline uint64_t search(
    Table *table, uint8_t width, uint64_t begin, uint64_t end, uint32_t index
) noexcept nogil:
    """The first place of an index in a stretch; its end if there is none."""
    cdef uint8_t *narrow = <uint8_t *> entries(table)
    cdef uint16_t *middle = <uint16_t *> entries(table)
    cdef uint8_t *place
    cdef uint16_t short_index = <uint16_t> index
    cdef uint16_t found = 0
    cdef int k
    if begin == end:
        return end
    if width == 1:
        place = <uint8_t *> memchr(narrow + begin, <int> index, end - begin)
        return end if place is NULL else <uint64_t> (place - narrow)
    if width == 2:
        # So many at a time need no branch each.
        while begin + 64 <= end:
            for k in range(64):
                found |= middle[begin + k] == short_index
            if found:
                break
            begin += 64
    while begin < end and entry(table, width, begin) != index:
        begin += 1
    return begin


cdef inline void unpin(Table *table) noexcept nogil:
    if table is not NULL:
        table.pins -= 1
        if table.pins == 0:
            free(table)
