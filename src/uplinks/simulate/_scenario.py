"""What is to be simulated, as data.

Rules of this file:

1. A scenario holds everything that the result depends on: the same scenario
   gives the same result. Times are nanoseconds from its beginning.
2. What happens to a child happens to its address: children that share one
   share its troubles.
"""

from __future__ import annotations

from collections.abc import Iterable
from fractions import Fraction
from typing import Any, Final

from attrs import evolve, field, frozen

from uplinks.health import HealthPolicy
from uplinks.model import Advertisement, Cluster, Fleet
from uplinks.simulate._arrivals import SECOND

__all__ = [
    "MOST_REQUESTS",
    "Advertise",
    "Driver",
    "Flap",
    "Happening",
    "Outage",
    "Scenario",
    "SetWeight",
    "Slow",
    "Trouble",
    "Withdraw",
    "retimed",
]

MOST_REQUESTS: Final = 10**11
"""How many requests a scenario may have."""

_MOST_SWITCHES: Final = 1_000_000
_FASTEST: Final = SECOND  # requests a second: no two arrive at one time


def _whole(value: object, what: str, least: int = 0) -> None:
    if isinstance(value, bool) or not isinstance(value, int):
        raise TypeError(f"{what} is an int, not {type(value).__name__}")
    if value < least:
        raise ValueError(f"{what} is {value}; {least} or more is allowed")


def _span(begins: object, ends: object) -> None:
    _whole(begins, "the beginning")
    _whole(ends, "the end")
    if begins >= ends:  # type: ignore[operator]  # both are ints by now
        raise ValueError(f"it begins at {begins} ns and so cannot end at {ends} ns")


@frozen
class Outage:
    """A child is out: requests to it fail, and so do its probes.

    It refuses at once; or it ``hangs``, so that each probe takes its whole
    time-out. Out from ``begins`` up to, and without, ``ends``.

    Units: nanoseconds. Raises: ValueError unless 0 <= begins < ends.

    >>> Outage("eu", 30 * SECOND, 90 * SECOND).hangs
    False
    """

    child: str
    begins: int
    ends: int
    hangs: bool = False

    def __attrs_post_init__(self) -> None:
        _span(self.begins, self.ends)


@frozen
class Flap:
    """A child goes out again and again: for ``out`` (ns) at the beginning of each ``period``.

    Raises: ValueError unless 0 <= begins < ends and 0 < out < period.
    """

    child: str
    begins: int
    ends: int
    period: int
    out: int

    def __attrs_post_init__(self) -> None:
        _span(self.begins, self.ends)
        _whole(self.out, "the time out", 1)
        _whole(self.period, "the period", self.out + 1)


@frozen
class Slow:
    """A child answers its probes only after ``latency`` (ns); ``fails``: and no request.

    Raises: ValueError unless 0 <= begins < ends and 0 <= latency.
    """

    child: str
    begins: int
    ends: int
    latency: int
    fails: bool = False

    def __attrs_post_init__(self) -> None:
        _span(self.begins, self.ends)
        _whole(self.latency, "the latency")


@frozen
class SetWeight:
    """A child offers all its uplinks again, with another weight."""

    child: str
    at: int
    weight: int

    def __attrs_post_init__(self) -> None:
        _whole(self.at, "the time")
        _whole(self.weight, "the weight")


@frozen
class Advertise:
    """A child offers something else; or, with ``None``, once more what its manifests say."""

    child: str
    at: int
    advertisements: tuple[Advertisement, ...] | None = None

    def __attrs_post_init__(self) -> None:
        _whole(self.at, "the time")


@frozen
class Withdraw:
    """A child offers nothing any more."""

    child: str
    at: int

    def __attrs_post_init__(self) -> None:
        _whole(self.at, "the time")


Trouble = Outage | Flap | Slow
"""What a child suffers; the parent is not told."""

Happening = Trouble | SetWeight | Advertise | Withdraw
"""What happens in a scenario."""


@frozen
class Driver:
    """How well the parent's driver does its work.

    Whatever it does, the start of a probe or the notice of an end, it does
    ``lateness`` (ns) too late, and by up to ``jitter`` (ns) more, drawn from
    the scenario's seed. So large a share as ``lost`` of the probes gets no
    answer.

    >>> Driver(lost=Fraction(1, 100)).lateness
    0
    """

    lateness: int = 0
    jitter: int = 0
    lost: Fraction = field(default=Fraction(0), converter=Fraction)

    def __attrs_post_init__(self) -> None:
        _whole(self.lateness, "the lateness")
        _whole(self.jitter, "the jitter")
        if not 0 <= self.lost <= 1:
            raise ValueError(f"the share of lost probes is {self.lost}; 0 to 1 is allowed")

    @property
    def latest(self) -> int:
        """The most (ns) by which it is late."""
        return self.lateness + self.jitter


def _happenings(value: Iterable[Happening]) -> tuple[Happening, ...]:
    return tuple(value)


@frozen
class Scenario:
    """A fleet, its requests, and all that happens meanwhile.

    ``service`` takes ``rate`` requests a second, an int or a `Fraction`, for
    ``duration`` (ns). ``start`` and ``scheduler`` are the parent's. The result
    is cut at ``columns`` equal steps of time at least.

    Raises: TypeError, ValueError: for a rate that is not above 0 or above one
    a nanosecond, for more than 10**11 requests, and for flapping that switches
    more than a million times.

    >>> scenario = Scenario(Fleet(Cluster("parent")), "api@multicluster", 100, 60 * SECOND)
    >>> scenario.requests, scenario.width == SECOND
    (6000, True)
    """

    fleet: Fleet = field(repr=False)
    service: str
    rate: Fraction = field(converter=Fraction)
    duration: int
    happenings: tuple[Happening, ...] = field(default=(), converter=_happenings)
    policy: HealthPolicy = field(factory=HealthPolicy, kw_only=True)
    driver: Driver = field(factory=Driver, kw_only=True)
    scheduler: str = field(default="fair", kw_only=True)
    start: int = field(default=0, kw_only=True)
    seed: int = field(default=0, kw_only=True)
    columns: int = field(default=60, kw_only=True)

    def __attrs_post_init__(self) -> None:
        _whole(self.duration, "the duration", 1)
        _whole(self.columns, "the number of columns", 1)
        if not 0 < self.rate <= _FASTEST:
            raise ValueError(f"the rate is {self.rate}; above 0 and up to {_FASTEST} is allowed")
        if self.requests > MOST_REQUESTS:
            raise ValueError(f"these are {self.requests} requests; {MOST_REQUESTS} are allowed")
        flaps = [each for each in self.happenings if isinstance(each, Flap)]
        ends = ((min(f.ends, self.duration), f) for f in flaps)
        switches = sum(2 * (-(-max(0, end - f.begins) // f.period)) for end, f in ends)
        if switches > _MOST_SWITCHES:
            raise ValueError(f"flapping switches {switches} times; {_MOST_SWITCHES} is allowed")

    @property
    def requests(self) -> int:
        """How many requests arrive."""
        return -(-self.duration * self.rate.numerator // (self.rate.denominator * SECOND))

    @property
    def width(self) -> int:
        """The step (ns) at which the result is cut."""
        return -(-self.duration // self.columns)


def retimed(fleet: Fleet, **times: Any) -> Fleet:
    """Give all health checks of a fleet other times, to see what that would do.

    ``times`` are ``interval``, ``unhealthy_interval`` and ``timeout`` (ns). An
    unhealthy interval that follows the interval goes on to do so.

    Complexity: O(uplinks). Raises: TypeError for another name.

    >>> from uplinks.model import HealthCheck, Uplink
    >>> child = Cluster("eu", uplinks=[Uplink("api", "apps", health_check=HealthCheck())])
    >>> fleet = retimed(Fleet(Cluster("parent"), {"eu": child}), interval=5 * SECOND)
    >>> check = fleet.children["eu"].uplinks[0].health_check
    >>> check.interval // SECOND, check.unhealthy_interval // SECOND
    (5, 5)
    """
    if not times:
        return fleet
    children = {
        name: evolve(cluster, uplinks=_retimed(cluster, times))
        for name, cluster in fleet.children.items()
    }
    return evolve(fleet, children=children)


def _retimed(cluster: Cluster, times: dict[str, Any]) -> Iterable[Any]:
    for uplink in cluster.uplinks:
        check = uplink.health_check
        if check is None:
            yield uplink
            continue
        follows = check.unhealthy_interval == check.interval
        wanted = {"unhealthy_interval": 0, **times} if follows and "interval" in times else times
        yield evolve(uplink, health_check=evolve(check, **wanted))
