# Two tournaments over the same keys: which window closes first of those that
# have opened, and which opens first of those that have not.
#
# A key is 64 bits: what its index does, a time, and the index itself, which so
# need not be looked up and settles ties. The kinds are chosen so that one
# comparison finds each of both winners, and the other kinds lose it:
#
#     kind               bits     unsigned     signed
#     open, closes at    00       wins         between
#     withheld, or none  01       between      loses
#     waits, opens at    10       loses        wins
#
# Four share a node, and each level is laid out after the one below it. What
# wins is as good as random, so nothing branches on it. A change of a key takes
# O(log n): a node on its path and the three beside it, a level. Where a key can
# only get better for one tournament, not even these are asked.

from libc.stdint cimport int64_t, uint32_t, uint64_t
from libc.stdlib cimport free


cdef extern from *:
    """
    #define UPLINKS_WITHHELD ((uint64_t) 1 << 62)
    #define UPLINKS_WAITS ((uint64_t) 1 << 63)
    #define UPLINKS_NONE (((uint64_t) 1 << 63) - 1)
    """
    const uint64_t WITHHELD "UPLINKS_WITHHELD"
    const uint64_t WAITS "UPLINKS_WAITS"
    const uint64_t NONE "UPLINKS_NONE"      # of an index that is not in the schedule


cdef struct Windows:
    uint64_t *key               # by index
    uint64_t *closing           # the winner of each four, level by level
    int64_t *opening
    uint32_t room               # a multiple of four
    uint64_t closes_first       # the winners of all
    int64_t opens_first


cdef inline uint64_t lower(uint64_t a, uint64_t b) noexcept nogil:
    return a if a < b else b


cdef inline int64_t sooner(int64_t a, int64_t b) noexcept nogil:
    return a if a < b else b


cdef inline uint64_t best_closing(
    const uint64_t *row, uint32_t i, uint64_t best
) noexcept nogil:
    """The best of four, the one at i being known already."""
    return lower(best, lower(row[i ^ 1], lower(row[i ^ 2], row[i ^ 3])))


cdef inline int64_t best_opening(const int64_t *row, uint32_t i, int64_t best) noexcept nogil:
    return sooner(best, sooner(row[i ^ 1], sooner(row[i ^ 2], row[i ^ 3])))


cdef inline uint32_t fours(uint32_t size) noexcept nogil:
    """How long the level above is: a multiple of four; 1 is the top."""
    size >>= 2
    return (size + 3) & ~<uint32_t> 3 if size > 1 else 1


cdef inline void open_window(Windows *windows, uint32_t i, uint64_t value) noexcept nogil:
    """Let an index that waits be open."""
    cdef uint64_t *closing = windows.closing
    cdef int64_t *opening = windows.opening
    cdef uint32_t size = fours(windows.room)
    cdef int64_t best = <int64_t> value
    windows.key[i] = value
    best = best_opening(<int64_t *> windows.key, i, best)
    while size > 1:
        i >>= 2
        opening[i] = best
        closing[i] = lower(closing[i], value)
        best = best_opening(opening, i, best)
        opening += size
        closing += size
        size = fours(size)
    windows.opens_first = best
    windows.closes_first = lower(windows.closes_first, value)


cdef inline void await_window(Windows *windows, uint32_t i, uint64_t value) noexcept nogil:
    """Let an index that is open wait."""
    cdef uint64_t *closing = windows.closing
    cdef int64_t *opening = windows.opening
    cdef uint32_t size = fours(windows.room)
    cdef uint64_t best = value
    windows.key[i] = value
    best = best_closing(windows.key, i, best)
    while size > 1:
        i >>= 2
        closing[i] = best
        opening[i] = sooner(opening[i], <int64_t> value)
        best = best_closing(closing, i, best)
        opening += size
        closing += size
        size = fours(size)
    windows.closes_first = best
    windows.opens_first = sooner(windows.opens_first, <int64_t> value)


cdef inline void set_window(Windows *windows, uint32_t i, uint64_t value) noexcept nogil:
    """Change a key, whatever it was."""
    cdef uint64_t *closing = windows.closing
    cdef int64_t *opening = windows.opening
    cdef uint32_t size = fours(windows.room)
    cdef uint64_t closes = value
    cdef int64_t opens = <int64_t> value
    windows.key[i] = value
    closes = best_closing(windows.key, i, closes)
    opens = best_opening(<int64_t *> windows.key, i, opens)
    while size > 1:
        i >>= 2
        closing[i] = closes
        opening[i] = opens
        closes = best_closing(closing, i, closes)
        opens = best_opening(opening, i, opens)
        closing += size
        opening += size
        size = fours(size)
    windows.closes_first = closes
    windows.opens_first = opens


cdef inline void set_all_windows(Windows *windows) noexcept nogil:
    """Make both tournaments right, after keys were set without them."""
    cdef const uint64_t *below = windows.key
    cdef const int64_t *sooner_below = <const int64_t *> windows.key
    cdef uint64_t *closing = windows.closing
    cdef int64_t *opening = windows.opening
    cdef uint32_t length = windows.room
    cdef uint32_t size = fours(length)
    cdef uint32_t i
    while size > 1:
        for i in range(size):
            if 4 * i < length:
                closing[i] = best_closing(below, 4 * i, below[4 * i])
                opening[i] = best_opening(sooner_below, 4 * i, sooner_below[4 * i])
            else:
                closing[i] = NONE
                opening[i] = <int64_t> NONE
        below = closing
        sooner_below = opening
        closing += size
        opening += size
        length = size
        size = fours(size)
    windows.closes_first = best_closing(below, 0, below[0])
    windows.opens_first = best_opening(sooner_below, 0, sooner_below[0])


cdef inline uint32_t nodes_over(uint32_t room) noexcept nogil:
    """How many nodes each tournament has over so many keys."""
    cdef uint32_t nodes = 0
    cdef uint32_t size = fours(room)
    while size > 1:
        nodes += size
        size = fours(size)
    return nodes


cdef inline void clear_windows(Windows *windows) noexcept nogil:
    """Take all indices out."""
    cdef uint32_t nodes = nodes_over(windows.room)
    cdef uint32_t i
    for i in range(windows.room):
        windows.key[i] = NONE
    for i in range(nodes):
        windows.closing[i] = NONE
        windows.opening[i] = <int64_t> NONE
    windows.closes_first = NONE
    windows.opens_first = <int64_t> NONE


cdef inline void widen_windows(Windows *windows, uint32_t room) noexcept nogil:
    """Take more indices in, for which there is memory; they are in no schedule yet."""
    cdef uint32_t i
    for i in range(windows.room, room):
        windows.key[i] = NONE
    windows.room = room
    set_all_windows(windows)


cdef inline void free_windows(Windows *windows) noexcept nogil:
    free(windows.key)
    free(windows.closing)
    free(windows.opening)
