# A recorded period: the indices in the order in which they were picked, in one,
# two or four bytes each. Beside each entry there may be its rank: how often the
# same index stands before it, modulo 256. What is left of the rank follows from
# the place, where nobody is further than MOST_OFF from its share: elsewhere ranks
# are not asked. And in which of 32 parts of the period an index stands is kept by
# index, as a bit each: so that only one or two are looked through for it.

from libc.stdint cimport int8_t, int64_t, uint8_t, uint16_t, uint32_t, uint64_t
from libc.stdlib cimport free, realloc
from libc.string cimport memmove


cdef enum:
    MOST_OFF = 126  # picks: one less than a signed byte holds, as the share is rounded


ctypedef fused Width:
    uint8_t
    uint16_t
    uint32_t


cdef struct Table:              # the entries follow, and behind them the parts and the ranks
    Py_ssize_t pins             # who holds it; changed under the GIL only
    uint32_t *parts             # by index
    uint8_t *ranks
    Py_ssize_t indices          # how many have parts; 0: there are neither parts nor ranks


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


cdef inline size_t before_parts(uint64_t room, uint8_t width) noexcept nogil:
    """Bytes of so many entries, and of what aligns what follows."""
    return (room * width + 3) & ~<size_t> 3


cdef inline size_t table_size(uint64_t room, uint8_t width, Py_ssize_t indices) noexcept nogil:
    """Bytes of a table with room for so many entries."""
    return (
        sizeof(Table) + before_parts(room, width) + indices * sizeof(uint32_t) + (room if indices else 0)
    )


cdef inline Table *lengthened(
    Table *table, uint64_t old, uint64_t new, uint8_t width, Py_ssize_t indices
) noexcept nogil:
    """Memory for so many entries, with what was in the old table; NULL, and the old stays, without.

    If there is no old one, the new has parts of so many indices, and ranks; of 0, neither.
    """
    cdef bint fresh = table is NULL
    cdef Table *longer
    cdef char *before
    cdef char *after
    cdef size_t kept
    if not fresh:
        indices = table.indices
    longer = <Table *> realloc(table, table_size(new, width, indices))
    if longer is NULL:
        return NULL
    kept = indices * sizeof(uint32_t)
    before = <char *> entries(longer) + before_parts(old, width)
    after = <char *> entries(longer) + before_parts(new, width)
    if fresh:
        longer.pins = 1
        longer.indices = indices
    elif indices:
        # The last first: all move towards the end.
        memmove(after + kept, before + kept, old)
        memmove(after, before, kept)
    longer.parts = <uint32_t *> after
    longer.ranks = <uint8_t *> after + kept
    return longer


cdef inline size_t table_memory(Table *table, uint64_t room, uint8_t width) noexcept nogil:
    """Bytes held by a table, which may be none."""
    return table_size(room, width, table.indices) if table is not NULL else 0


cdef inline uint8_t bits_of_part(uint64_t period) noexcept nogil:
    """So many places, as a power of two, that a period has at most 32 parts."""
    cdef uint8_t bits = 0
    while period > <uint64_t> 32 << bits:
        bits += 1
    return bits


cdef inline uint64_t last_of(
    const Width *entries, uint64_t begin, uint64_t end, Width index
) noexcept nogil:
    """One more than the last place of an index in a stretch; 0 if there is none."""
    cdef Width found = 0
    cdef int k
    # So many at a time need no branch each.
    while begin + 64 <= end:
        for k in range(64):
            found |= entries[end - 64 + k] == index
        if found:
            break
        end -= 64
    while begin < end and entries[end - 1] != index:
        end -= 1
    return end if begin < end else 0


cdef inline uint64_t picks_before(
    Table *table,
    uint8_t width,
    uint64_t end,
    uint32_t index,
    uint32_t parts,
    uint8_t part_bits,
    uint64_t quota,
    uint64_t period,
) noexcept nogil:
    """How often an index stands before a place: the nearest part that has it is looked through."""
    cdef uint64_t begin = end >> part_bits << part_bits
    cdef uint64_t place = 0
    while end:
        if parts >> (begin >> part_bits) & 1:
            if width == 1:
                place = last_of(<uint8_t *> entries(table), begin, end, <uint8_t> index)
            elif width == 2:
                place = last_of(<uint16_t *> entries(table), begin, end, <uint16_t> index)
            else:
                place = last_of(<uint32_t *> entries(table), begin, end, index)
            if place:
                return rank(table, place - 1, quota, period) + 1
        end = begin
        begin -= <uint64_t> 1 << part_bits
    return 0


cdef inline void unpin(Table *table) noexcept nogil:
    if table is not NULL:
        table.pins -= 1
        if table.pins == 0:
            free(table)
