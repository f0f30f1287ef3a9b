# cython: language_level=3, auto_pickle=False, autotestdict=False, freethreading_compatible=True
"""Leases: the compiled part of a request, so that entering and leaving one costs a few no-ops.

Algorithm. A `Leases` makes the leases of one service. A lease picks on entering
and links itself into a ring of active leases. On leaving it unlinks itself;
a success that nothing watches ends there, everything else goes to `finish`.

    enter   target = pick()                                O(1) beside the pick
    leave   success, and target.url is not in `failing`    O(1)
            otherwise finish(target, verdict, reason)      Python

`failing` maps the URLs of targets with remembered failures: only there does a
success matter, since it clears them. `Observed.always` sends every success to
`finish`, for checks that count them.

The ring holds raw pointers, so an abandoned lease does not stay active: it
unlinks itself when it is deallocated. Every change of a ring is one critical
section of its `Leases`. A lease is not tracked by the collector: what it holds does not refer back
to it.
"""

cimport cython

cdef enum Verdict:
    UNSET
    ANSWERED  # by a status that is no failure: a lost connection may still follow
    PASSED
    FAILED
    IGNORED


@cython.final
cdef class Observed:
    """What the outcome of a request matters to: shared by all services of a parent.

    Attributes: ``failing`` (a dict by target URL), ``always`` (every success counts).
    """

    cdef public dict failing
    cdef public bint always

    def __init__(self):
        self.failing = {}
        self.always = False

    def settled(self, target):
        """Return whether a success of this target changes nothing."""
        return not self.matters(target)

    cdef bint matters(self, target) except -1:
        """Return whether a success of this target has to be reported."""
        if self.always:
            return True
        return len(self.failing) > 0 and getattr(target, "url", None) in self.failing


cdef struct Link:
    Link* previous
    Link* following
    void* lease


@cython.final
cdef class Leases:
    """The leases of one service.

    ``pick`` returns a target, and takes ``exclude``. ``finish(target, ok,
    reason)`` receives the outcomes that matter. ``classifier`` judges statuses
    and exceptions.
    """

    cdef object pick, finish, classifier
    cdef Observed observed
    cdef Link ring
    cdef int lowest
    cdef readonly Py_ssize_t active

    def __cinit__(self):
        self.ring.previous = self.ring.following = &self.ring
        self.ring.lease = NULL

    def __init__(self, pick, finish, classifier, Observed observed not None):
        self.pick = pick
        self.finish = finish
        self.classifier = classifier
        self.observed = observed
        self.lowest = classifier.lowest

    def lease(self):
        """Make a lease."""
        cdef Lease lease = Lease.__new__(Lease)
        lease._leases = self
        return lease

    def excluding(self, exclude):
        """Make a lease that does not pick these targets."""
        cdef Lease lease = Lease.__new__(Lease)
        lease._leases = self
        lease._exclude = exclude
        return lease

    def targets(self):
        """Return the targets of the active leases. O(active leases)."""
        cdef Link* link
        cdef Py_ssize_t i = 0
        # Nothing is allocated during the walk: an allocation may collect garbage, and so run
        # code that changes the ring.
        cdef list found = [None] * self.active
        with cython.critical_section(self):
            link = self.ring.following
            while link is not &self.ring and i < len(found):
                found[i] = (<Lease> link.lease)._target
                link = link.following
                i += 1
        return found[:i]


@cython.final
@cython.freelist(64)
@cython.no_gc
cdef class Lease:
    """A target for the length of one request; see `uplinks.parent.Lease`."""

    cdef Leases _leases
    cdef Link _link
    cdef Verdict _verdict
    cdef object _target, _exclude
    cdef str _reason

    def __cinit__(self):
        self._verdict = UNSET
        self._link.previous = NULL

    def __init__(self):
        raise TypeError("leases are made by Parent.lease and Driver.lease")

    def __dealloc__(self):
        if self._link.previous is not NULL:
            self._unlink()

    def __repr__(self):
        return f"<Lease of {self._target!r}>"

    @property
    def target(self):
        """What was picked; ``None`` before the first block."""
        return self._target

    @property
    def url(self):
        """Where the request goes."""
        return self._target.url

    @property
    def child(self):
        """The name of the child that was picked."""
        return self._target.child

    @property
    def name(self):
        """The name of the service that was picked."""
        return self._target.name

    @property
    def reason(self):
        """Why the request failed, in a few words; empty unless it failed."""
        return self._reason if self._verdict == FAILED and self._reason is not None else ""

    @property
    def failed(self):
        """Whether the request failed: ``True``, ``False``, or ``None`` if that is not known."""
        if self._verdict == FAILED:
            return True
        return False if self._verdict == PASSED or self._verdict == ANSWERED else None

    def __enter__(self):
        if self._link.previous is not NULL:
            raise RuntimeError("this lease is in use: take one for each request")
        target = self._leases.pick() if self._exclude is None else (
            self._leases.pick(exclude=self._exclude))
        self._link_up(target)
        return self

    def _begin(self, target):
        """Enter with a target that is picked already."""
        self._link_up(target)

    cdef _link_up(self, target):
        cdef Link* ring = &self._leases.ring
        self._target = target
        self._verdict = UNSET
        with cython.critical_section(self._leases):
            self._link.lease = <void*> self
            self._link.previous = ring.previous
            self._link.following = ring
            ring.previous.following = &self._link
            ring.previous = &self._link
            self._leases.active += 1

    def __exit__(self, kind, problem, traceback):
        if self._link.previous is NULL:
            raise RuntimeError("this lease is not in use")
        self._unlink()
        if self._verdict == UNSET or self._verdict == ANSWERED:
            if kind is None:
                self._verdict = PASSED
            else:
                self._judge(problem)
        if self._verdict == PASSED:
            if not self._leases.observed.matters(self._target):
                return
            self._leases.finish(self._target, True, "")
        elif self._verdict == FAILED:
            self._leases.finish(self._target, False, self._reason)

    def status(self, int code):
        """Let an HTTP status decide whether the request failed.

        An exception that leaves the block afterwards is judged as well.
        """
        if code < self._leases.lowest:
            self._verdict = ANSWERED
        else:
            self._judge(code)
            if self._verdict == PASSED:
                self._verdict = ANSWERED

    def succeed(self):
        """Count the request as a success, whatever is raised."""
        self._verdict = PASSED

    def fail(self, reason=""):
        """Count the request as a failure, though nothing is raised."""
        self._verdict = FAILED
        self._reason = str(reason)

    def ignore(self):
        """Let the request say nothing about its target."""
        self._verdict = IGNORED

    cdef _judge(self, ending):
        failed = self._leases.classifier.is_failure(ending)
        if failed is None:
            self._verdict = PASSED if self._verdict == ANSWERED else IGNORED
        elif failed:
            self._verdict = FAILED
            self._reason = self._leases.classifier.reason(ending)
        else:
            self._verdict = PASSED

    cdef _unlink(self):
        with cython.critical_section(self._leases):
            self._link.previous.following = self._link.following
            self._link.following.previous = self._link.previous
            self._link.previous = self._link.following = NULL
            self._leases.active -= 1
