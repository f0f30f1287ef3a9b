# A winner tree: which index has the least key, the lower index of equals.
#
# The keys are the leaves, and each node holds the winner of the two below it;
# node 1 is the root. To enter and to leave cost O(log n), less for who does not
# win. Which of two wins is as good as random, so no branch depends on it in
# `leave`, which goes all the way. Without a key the key is NEVER, above all others.

from libc.stdint cimport uint32_t, uint64_t
from libc.stdlib cimport free, realloc


cdef extern from *:
    """
    #define UPLINKS_NEVER ((uint64_t) 1 << 63)
    """
    const uint64_t NEVER "UPLINKS_NEVER"


cdef struct Tree:
    uint64_t *key
    uint32_t *winner
    uint32_t room               # indices there is memory for; a power of two


cdef inline uint32_t first(const Tree *tree) noexcept nogil:
    """The index with the least key; any one if no index has a key."""
    return tree.winner[1]


cdef inline void enter(const Tree *tree, uint32_t i, uint64_t value) noexcept nogil:
    """Give a key to an index that has none: it rises as long as it wins."""
    cdef uint64_t *key = tree.key
    cdef uint32_t *winners = tree.winner
    cdef uint32_t node = (tree.room + i) >> 1
    cdef uint32_t winner
    key[i] = value
    while node:
        winner = winners[node]
        if key[winner] < value or (key[winner] == value and winner < i):
            return
        winners[node] = i
        node >>= 1


cdef inline void leave(const Tree *tree, uint32_t i) noexcept nogil:
    """Take its key from an index: where it had won, the best of the others do."""
    cdef uint64_t *key = tree.key
    cdef uint32_t *winners = tree.winner
    cdef uint32_t winner = i
    cdef uint32_t other = i ^ 1
    cdef uint64_t best = NEVER
    cdef uint64_t rival = key[other]
    cdef uint32_t node = tree.room + i
    cdef bint taken
    key[i] = NEVER
    while True:
        # An odd node is the right one of two: there the other wins a tie.
        taken = rival < best + (node & 1)
        winner = other if taken else winner
        best = rival if taken else best
        node >>= 1
        if winners[node] != i:
            return  # it had not won here, and so nowhere above
        winners[node] = winner
        if node == 1:
            return
        other = winners[node ^ 1]
        rival = key[other]


cdef inline void plant(const Tree *tree) noexcept nogil:
    """Make the whole tree right, after keys were set without it."""
    cdef uint32_t node = tree.room - 1
    cdef uint32_t left, right
    while node > 0:
        if 2 * node >= tree.room:
            left = 2 * node - tree.room
            right = left + 1
        else:
            left = tree.winner[2 * node]
            right = tree.winner[2 * node + 1]
        tree.winner[node] = right if tree.key[right] < tree.key[left] else left
        node -= 1


cdef inline bint grow_tree(Tree *tree, uint32_t room) noexcept nogil:
    """Make room for more indices; what is new has no key. False without memory."""
    cdef void *grown
    cdef uint32_t i
    grown = realloc(tree.key, room * sizeof(uint64_t))
    if grown is NULL:
        return False
    tree.key = <uint64_t *> grown
    grown = realloc(tree.winner, room * sizeof(uint32_t))
    if grown is NULL:
        return False
    tree.winner = <uint32_t *> grown
    for i in range(tree.room, room):
        tree.key[i] = NEVER
    tree.room = room
    plant(tree)
    return True


cdef inline void free_tree(Tree *tree) noexcept nogil:
    free(tree.key)
    free(tree.winner)
