# The arithmetic of jobs: where each ends, and when its window opens and closes.
#
# A job is one pick of its target, scale / weight long, and begins where the one
# before it ended. Its window is narrower than the job at either end by
# scale / slices, with slices = shifts * weight and shifts = 2n - 2. Where a job
# ends is kept exactly, as end + rest / weight; an opening is rounded up to a
# whole unit, a closing down. Nothing is divided but where a weight is set: the
# reciprocal of `shifts` gives length // shifts, or one less, and what is left
# over tells which.

from libc.stdint cimport int64_t, uint32_t, uint64_t

from uplinks._windows cimport WAITS


cdef extern from *:
    """
    static inline uint64_t uplinks_high_product(uint64_t a, uint64_t b) {
    #if defined(__SIZEOF_INT128__)
        return (uint64_t) (((unsigned __int128) a * b) >> 64);
    #else
        uint64_t low = (a & 0xFFFFFFFF) * (b & 0xFFFFFFFF);
        uint64_t left = (a >> 32) * (b & 0xFFFFFFFF) + (low >> 32);
        uint64_t right = (a & 0xFFFFFFFF) * (b >> 32) + (left & 0xFFFFFFFF);
        return (a >> 32) * (b >> 32) + (left >> 32) + (right >> 32);
    #endif
    }
    """
    # The upper half of a product of 128 bits.
    uint64_t high_product "uplinks_high_product"(uint64_t a, uint64_t b) nogil


cdef struct Job:            # of an index that is not eligible, where the next one may begin
    uint64_t end            # end + rest / weight
    uint64_t length         # scale // weight
    uint32_t rest
    uint32_t weight         # that it is reckoned with; 0: it never was
    uint32_t picked         # in the period of this stamp
    uint32_t stamp          # of who waits for the period's end: 1 + who else does; 0: nobody else


cdef struct Pace:           # what all jobs are reckoned with
    uint64_t scale          # units in one of virtual time
    uint64_t shifts         # 2 * members - 2
    uint64_t reciprocal     # of shifts, times 2**64, rounded down
    uint64_t mask           # the bits of a key that are the index


cdef struct Moment:         # whole + rest / weight; whole is modulo 2**64, for differences
    uint64_t whole
    uint32_t rest


cdef inline uint64_t key_of_opening(uint64_t time, uint32_t i, uint64_t mask) noexcept nogil:
    """Rounded up to a grain, which is twice the room of an index."""
    return WAITS | (time + 2 * mask + 1) >> 1 & ~mask | i


cdef inline uint64_t key_of_closing(uint64_t time, uint32_t i, uint64_t mask) noexcept nogil:
    return time >> 1 & ~mask | i


cdef inline void next_job(Job *job, const Pace *pace) noexcept nogil:
    """Go on to the next job."""
    cdef uint32_t weight = job.weight
    cdef uint64_t rest = job.rest + (pace.scale - job.length * weight)
    cdef uint64_t carry = rest >= weight
    job.end += job.length + carry
    job.rest = <uint32_t> (rest - (weight & -carry))


cdef inline Moment beginning(const Job *job, const Pace *pace) noexcept nogil:
    """Where the current job begins."""
    cdef uint32_t weight = job.weight
    cdef uint64_t step = pace.scale - job.length * weight
    cdef uint64_t borrow = job.rest < step
    cdef Moment moment
    moment.whole = job.end - job.length - borrow
    moment.rest = <uint32_t> (job.rest - step + (weight & -borrow))
    return moment


cdef inline uint64_t opening_of_next(const Job *job, uint32_t i, const Pace *pace) noexcept nogil:
    """When the window of the next job opens, as a key: ceil(end + rest / weight + scale / slices)."""
    cdef uint64_t slices = pace.shifts * job.weight
    cdef uint64_t inset, left
    if not slices:
        return key_of_opening(job.end + (job.rest > 0), i, pace.mask)
    inset = high_product(job.length, pace.reciprocal)
    left = pace.scale - inset * slices + job.rest * pace.shifts  # below 3 * slices
    return key_of_opening(
        job.end + inset + (left > 0) + (left > slices) + (left > 2 * slices), i, pace.mask
    )


cdef inline uint64_t closing(const Job *job, uint32_t i, const Pace *pace) noexcept nogil:
    """When the window of the current job closes, as a key: floor(end + rest / weight - scale / slices)."""
    cdef uint64_t slices = pace.shifts * job.weight
    cdef uint64_t inset
    cdef int64_t left
    if not slices:
        return key_of_closing(job.end, i, pace.mask)
    inset = high_product(job.length, pace.reciprocal)
    # Above -slices, and below 2 * slices.
    left = <int64_t> (pace.scale - inset * slices) - <int64_t> (job.rest * pace.shifts)
    return key_of_closing(job.end - inset - (left > 0) - (left > <int64_t> slices), i, pace.mask)


cdef inline uint64_t begin_job(
    Job *job, Moment moment, uint32_t weight, uint32_t i, const Pace *pace
) noexcept nogil:
    """Let a job begin at a moment; give when its window opens, as a key."""
    cdef uint64_t key
    job.weight = weight
    job.length = pace.scale // weight
    job.end = moment.whole
    job.rest = moment.rest
    key = opening_of_next(job, i, pace)
    next_job(job, pace)
    return key
