# Two tournaments over the same keys: which window closes first of those that are open, and which
# opens first of those that are not.
#
# A key is 64 bits: the kind of its index (2), a time (42), and the index itself (20), which need not
# be looked up then and settles ties. A unit of a key's time is a *grain*, 2**21 units. The kinds are
# chosen so that one comparison finds each of the two winners, and the other kinds lose it:
#
#     kind               bits     unsigned     signed
#     open, closes at    00       wins         between
#     withheld, or none  01       between      loses
#     waits, opens at    10       loses        wins
#
# Each node is the best of four, and each level is stored after the one below it. Which of four
# wins is as good as random, so nothing branches on it. A change of a key costs O(log n): per level
# the node on its path and the three beside it. Where a key can only get better in one of the
# tournaments, not even these are read.

from libc.stdint cimport int64_t, uint32_t, uint64_t
from libc.stdlib cimport free


cdef extern from *:
    """
    #define UPLINKS_WITHHELD ((uint64_t) 1 << 62)
    #define UPLINKS_WAITS ((uint64_t) 1 << 63)
    #define UPLINKS_NONE (((uint64_t) 1 << 63) - 1)
    #define UPLINKS_INDEX (((uint64_t) 1 << 20) - 1)
    #define UPLINKS_TIME (UPLINKS_WITHHELD - 1 - UPLINKS_INDEX)
    """
    const uint64_t WITHHELD "UPLINKS_WITHHELD"
    const uint64_t WAITS "UPLINKS_WAITS"
    const uint64_t NONE "UPLINKS_NONE"      # of an index that is not scheduled
    const uint64_t INDEX "UPLINKS_INDEX"    # the bits of a key that are the index
    const uint64_t TIME "UPLINKS_TIME"      # the bits of a key that are the time


cdef enum:
    MOST_LEVELS = 9             # above 2**20 keys


ctypedef fused Key:             # closings are compared as unsigned numbers, openings as signed ones
    uint64_t
    int64_t


cdef struct First:              # the winners of all
    uint64_t closes
    int64_t opens


cdef struct Windows:
    uint64_t *key               # by index
    uint64_t *closing           # the winner of each four, level by level
    int64_t *opening
    uint32_t room               # a multiple of four
    uint32_t levels
    uint32_t level[MOST_LEVELS] # where each level begins
    First first


cdef inline Key best(Key a, Key b) noexcept nogil:
    return a if a < b else b


cdef inline Key others(const Key *row, uint32_t i) noexcept nogil:
    """Return the best of the three beside the one at i."""
    return best(row[i ^ 1], best(row[i ^ 2], row[i ^ 3]))


cdef inline Key improve(Key *nodes, const Windows *windows, uint32_t i, Key value, Key first) noexcept nogil:
    """Give an index a value in a tournament in which it had none; return the winner."""
    cdef uint32_t k
    for k in range(windows.levels):
        i >>= 2
        nodes[windows.level[k] + i] = best(nodes[windows.level[k] + i], value)
    return best(first, value)


cdef inline Key change(const Key *keys, Key *nodes, const Windows *windows, uint32_t i, Key value) noexcept nogil:
    """Give an index any value in a tournament; return the winner."""
    cdef uint32_t k
    cdef Key winner = best(value, others(keys, i))
    for k in range(windows.levels):
        i >>= 2
        nodes[windows.level[k] + i] = winner
        winner = best(winner, others(nodes, windows.level[k] + i))
    return winner


cdef inline First opened(Windows *windows, First first, uint32_t i, uint64_t key) noexcept nogil:
    """Open the window of a waiting index; return the new winners without storing them."""
    windows.key[i] = key
    first.opens = change(<int64_t *> windows.key, windows.opening, windows, i, <int64_t> key)
    first.closes = improve(windows.closing, windows, i, key, first.closes)
    return first


cdef inline First awaited(Windows *windows, First first, uint32_t i, uint64_t key) noexcept nogil:
    """Let an index wait whose window was open; return the new winners without storing them."""
    windows.key[i] = key
    first.closes = change(windows.key, windows.closing, windows, i, key)
    first.opens = improve(windows.opening, windows, i, <int64_t> key, first.opens)
    return first


cdef inline void set_window(Windows *windows, uint32_t i, uint64_t key) noexcept nogil:
    """Change a key of any kind to one of any kind."""
    windows.key[i] = key
    windows.first.closes = change(windows.key, windows.closing, windows, i, key)
    windows.first.opens = change(<int64_t *> windows.key, windows.opening, windows, i, <int64_t> key)


cdef inline uint32_t fours(uint32_t size) noexcept nogil:
    """Return the length of the level above: a multiple of four, or 1 for the top."""
    size >>= 2
    return (size + 3) & ~<uint32_t> 3 if size > 1 else 1


cdef inline uint32_t nodes_over(uint32_t room) noexcept nogil:
    """Return the number of nodes of each tournament."""
    cdef uint32_t nodes = 0
    cdef uint32_t size = fours(room)
    while size > 1:
        nodes += size
        size = fours(size)
    return nodes


cdef inline Key build(const Key *row, Key *nodes, Windows *windows) noexcept nogil:
    """Rebuild a tournament; return the winner."""
    cdef uint32_t length = windows.room
    cdef uint32_t size = fours(length)
    cdef uint32_t done = 0
    cdef uint32_t i
    windows.levels = 0
    while size > 1:
        windows.level[windows.levels] = done
        windows.levels += 1
        for i in range(size):
            nodes[done + i] = best(row[4 * i], others(row, 4 * i)) if 4 * i < length else <Key> NONE
        row = nodes + done
        done += size
        length, size = size, fours(size)
    return best(row[0], others(row, 0))


cdef inline void set_all_windows(Windows *windows) noexcept nogil:
    """Rebuild both tournaments after keys were changed directly: O(n)."""
    windows.first.closes = build(windows.key, windows.closing, windows)
    windows.first.opens = build(<int64_t *> windows.key, windows.opening, windows)


cdef inline void widen_windows(Windows *windows, uint32_t room) noexcept nogil:
    """Cover more indices, for which memory was allocated; none of them is scheduled yet."""
    cdef uint32_t i
    for i in range(windows.room, room):
        windows.key[i] = NONE
    windows.room = room
    set_all_windows(windows)


cdef inline void free_windows(Windows *windows) noexcept nogil:
    free(windows.key)
    free(windows.closing)
    free(windows.opening)
