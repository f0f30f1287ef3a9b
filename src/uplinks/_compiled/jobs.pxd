# The arithmetic of jobs: where a job starts and ends, and when its window opens and closes.
#
# A job of weight w is scale / w units long and starts where the previous one ended. Its window
# is shorter than the job, at both ends, by scale / slices, with slices = shifts * w and
# shifts = 2n - 2. The end is kept exactly, as end + rest / w; an opening is rounded up to a whole
# unit, a closing down. Only a change divides: the reciprocal of `shifts` gives length // shifts,
# or one less, and the remainder tells which.
#
# A window's opening or closing is a *key* of 64 bits, which orders by time, then by index; see
# `windows`.

from libc.stdint cimport int64_t, uint32_t, uint64_t

from uplinks._compiled.windows cimport WAITS, WITHHELD


cdef extern from *:
    """
    #if defined(_MSC_VER)
    #include <intrin.h>
    #endif
    static inline uint64_t uplinks_high_product(uint64_t a, uint64_t b) {
    #if defined(_MSC_VER)
        return __umulh(a, b);
    #else
        return (uint64_t) (((unsigned __int128) a * b) >> 64);
    #endif
    }
    """
    # The upper half of a product of 128 bits.
    uint64_t high_product "uplinks_high_product"(uint64_t a, uint64_t b) nogil


cdef struct Job:
    uint64_t end            # end + rest / weight
    uint64_t length         # scale // weight
    uint32_t rest
    uint32_t weight         # that the job was computed with
    uint32_t picked         # in the period of this stamp; not in `made` yet
    uint32_t stamp          # of a withheld index: 1 + the next withheld index, 0 for the last


cdef struct Pace:           # what all jobs have in common
    uint64_t scale          # units in one of virtual time
    uint64_t shifts         # 2 * members - 2
    uint64_t reciprocal     # of shifts, times 2**64, rounded down
    uint64_t index          # the bits of a key that are the index: 2**b - 1


cdef struct Moment:         # whole + rest / weight; whole is modulo 2**64, for differences
    uint64_t whole
    uint32_t rest


cdef inline uint64_t key_of_opening(uint64_t time, uint32_t i, const Pace *pace) noexcept nogil:
    """Rounded up to a grain."""
    return WAITS | key_of_closing(time + 2 * pace.index + 1, i, pace)


cdef inline uint64_t key_of_closing(uint64_t time, uint32_t i, const Pace *pace) noexcept nogil:
    return (time >> 1 & (WITHHELD - 1) & ~pace.index) | i


cdef inline void next_job(Job *job, const Pace *pace) noexcept nogil:
    """Go on to the next job."""
    cdef uint32_t weight = job.weight
    cdef uint64_t rest = job.rest + (pace.scale - job.length * weight)
    cdef uint64_t carry = rest >= weight
    job.end += job.length + carry
    job.rest = <uint32_t> (rest - (weight & -carry))


cdef inline void skip_jobs(Job *job, uint32_t picks, const Pace *pace) noexcept nogil:
    """Go on by so many jobs, fewer than 2**20."""
    cdef uint32_t weight = job.weight
    cdef uint64_t rest = job.rest + picks * (pace.scale - job.length * weight)
    job.end += picks * job.length + rest // weight
    job.rest = <uint32_t> (rest % weight)


cdef inline Moment beginning(const Job *job, const Pace *pace) noexcept nogil:
    """Where the current job starts."""
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
        return key_of_opening(job.end + (job.rest > 0), i, pace)
    inset = high_product(job.length, pace.reciprocal)
    left = pace.scale - inset * slices + job.rest * pace.shifts  # below 3 * slices
    inset += (left > 0) + (left > slices) + (left > 2 * slices)
    return key_of_opening(job.end + inset, i, pace)


cdef inline uint64_t closing(const Job *job, uint32_t i, const Pace *pace) noexcept nogil:
    """When the window of the current job closes, as a key: floor(end + rest / weight - scale / slices)."""
    cdef uint64_t slices = pace.shifts * job.weight
    cdef uint64_t inset
    cdef int64_t left
    if not slices:
        return key_of_closing(job.end, i, pace)
    inset = high_product(job.length, pace.reciprocal)
    # Above -slices, and below 2 * slices.
    left = <int64_t> (pace.scale - inset * slices) - <int64_t> (job.rest * pace.shifts)
    return key_of_closing(job.end - inset - (left > 0) - (left > <int64_t> slices), i, pace)


cdef inline uint64_t begin_job(
    Job *job, Moment start, uint32_t weight, uint32_t i, const Pace *pace
) noexcept nogil:
    """Start a job at a moment; return when its window opens, as a key."""
    cdef uint64_t key
    job.weight = weight
    job.length = pace.scale // weight
    job.end = start.whole
    job.rest = start.rest
    key = opening_of_next(job, i, pace)
    next_job(job, pace)
    return key


cdef inline uint64_t divide_product(
    uint64_t amount, uint32_t weight, uint64_t total, uint64_t *rest
) noexcept nogil:
    """Give amount * weight // total and the remainder, for totals below 2**51, by long division."""
    cdef uint64_t quotient = 0
    cdef uint64_t left = 0
    cdef int shift
    for shift in range(60, -1, -12):
        left = (left << 12) + weight * (amount >> shift & 0xFFF)
        quotient = (quotient << 12) + left // total
        left %= total
    rest[0] = left
    return quotient
