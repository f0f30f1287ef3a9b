"""The input of a simulation: the same scenario always gives the same result.

All times are nanoseconds since the start of the scenario. A fault applies to its child's address,
so children that share an address share its faults.
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
    "ENGINES",
    "MAX_REQUESTS",
    "Advertise",
    "DriverModel",
    "Fault",
    "Flap",
    "OfferChange",
    "Outage",
    "Scenario",
    "ScenarioEvent",
    "SetWeight",
    "Slow",
    "Withdraw",
    "with_check_times",
]

ENGINES: Final = ("uplinks", "traefik", "traefik-file")
"""`uplinks.Parent`; open-source Traefik whose TraefikServices are Kubernetes resources; the same
with the file that `uplinks.to_traefik` writes."""

MAX_REQUESTS: Final = 10**11
"""The maximum number of requests in a scenario."""

_MAX_FLAPS: Final = 1_000_000
_MAX_RATE: Final = SECOND  # requests a second: no two arrive at the same time


def _check_integer(name: str, value: object, minimum: int = 0) -> None:
    if isinstance(value, bool) or not isinstance(value, int):
        raise TypeError(f"{name} must be an integer, got {type(value).__name__}")
    if value < minimum:
        raise ValueError(f"{name} must be at least {minimum}, got {value}")


def _check_span(start: object, end: object) -> None:
    _check_integer("start", start)
    _check_integer("end", end)
    if start >= end:  # type: ignore[operator]  # both are integers here
        raise ValueError(f"end must be after start ({start} ns), got {end} ns")


@frozen
class Outage:
    """A child fails requests and probes from ``start`` until ``end`` (ns, exclusive).

    It refuses connections; with ``hangs`` it does not answer, so each probe takes its whole
    timeout.

    Raises: ValueError unless 0 <= start < end.

    >>> Outage("eu", 30 * SECOND, 90 * SECOND).hangs
    False
    """

    child: str
    start: int
    end: int
    hangs: bool = False

    def __attrs_post_init__(self) -> None:
        _check_span(self.start, self.end)


@frozen
class Flap:
    """A child is out for the first ``out`` (ns) of each ``period`` (ns).

    Raises: ValueError unless 0 <= start < end and 0 < out < period.
    """

    child: str
    start: int
    end: int
    period: int
    out: int

    def __attrs_post_init__(self) -> None:
        _check_span(self.start, self.end)
        _check_integer("out", self.out, 1)
        _check_integer("period", self.period, self.out + 1)


@frozen
class Slow:
    """A child answers probes after ``latency`` (ns); with ``fails`` its requests fail as well.

    Raises: ValueError unless 0 <= start < end and 0 <= latency.
    """

    child: str
    start: int
    end: int
    latency: int
    fails: bool = False

    def __attrs_post_init__(self) -> None:
        _check_span(self.start, self.end)
        _check_integer("latency", self.latency)


@frozen
class SetWeight:
    """At a time (ns), a child gets another weight.

    It is the weight of all uplinks that the child advertises, and of each entry of the
    parent's weighted TraefikServices that leads to this child alone.
    """

    child: str
    at: int
    weight: int

    def __attrs_post_init__(self) -> None:
        _check_integer("at", self.at)
        _check_integer("weight", self.weight)


@frozen
class Advertise:
    """At a time (ns), a child advertises these uplinks; ``None``: those of its manifests."""

    child: str
    at: int
    advertisements: tuple[Advertisement, ...] | None = None

    def __attrs_post_init__(self) -> None:
        _check_integer("at", self.at)


@frozen
class Withdraw:
    """At a time (ns), a child withdraws all its uplinks."""

    child: str
    at: int

    def __attrs_post_init__(self) -> None:
        _check_integer("at", self.at)


Fault = Outage | Flap | Slow
"""A fault of a child, which the parent has to detect."""

OfferChange = SetWeight | Advertise | Withdraw
"""A change of what a child advertises."""

ScenarioEvent = Fault | OfferChange
"""An event of a scenario."""


@frozen
class DriverModel:
    """How well the parent's driver works.

    It starts each probe and reports each result ``lateness`` (ns) too late, plus up to ``jitter``
    (ns) drawn from the scenario's seed. The share ``lost`` of its probes gets no answer.

    >>> DriverModel(lost=Fraction(1, 100)).lateness
    0
    """

    lateness: int = 0
    jitter: int = 0
    lost: Fraction = field(default=Fraction(0), converter=Fraction)

    def __attrs_post_init__(self) -> None:
        _check_integer("lateness", self.lateness)
        _check_integer("jitter", self.jitter)
        if not 0 <= self.lost <= 1:
            raise ValueError(f"lost must be between 0 and 1, got {self.lost}")

    @property
    def max_lateness(self) -> int:
        """The maximum delay (ns)."""
        return self.lateness + self.jitter


def _events(value: Iterable[ScenarioEvent]) -> tuple[ScenarioEvent, ...]:
    return tuple(value)


@frozen
class Scenario:
    """A fleet, its requests, and the events meanwhile.

    ``service`` receives ``rate`` requests a second (an integer or a `Fraction`) for ``duration``
    (ns). ``engine`` is one of `ENGINES`. ``start`` and ``scheduler`` are those of `Parent`; like
    ``policy`` and the driver's lateness they do not apply to Traefik. The result has at least
    ``columns`` windows of equal length.

    Raises: TypeError; ValueError for an unknown engine, for a rate that is not above 0 or exceeds
    one request a nanosecond, for more than 10**11 requests, and for more than a million flaps.

    >>> scenario = Scenario(Fleet(Cluster("parent")), "api@multicluster", 100, 60 * SECOND)
    >>> scenario.requests, scenario.column_width == SECOND
    (6000, True)
    """

    fleet: Fleet = field(repr=False)
    service: str
    rate: Fraction = field(converter=Fraction)
    duration: int
    events: tuple[ScenarioEvent, ...] = field(default=(), converter=_events)
    engine: str = field(default="uplinks", kw_only=True)
    policy: HealthPolicy = field(factory=HealthPolicy, kw_only=True)
    driver: DriverModel = field(factory=DriverModel, kw_only=True)
    scheduler: str = field(default="fair", kw_only=True)
    start: int = field(default=0, kw_only=True)
    seed: int = field(default=0, kw_only=True)
    columns: int = field(default=60, kw_only=True)

    def __attrs_post_init__(self) -> None:
        _check_integer("duration", self.duration, 1)
        _check_integer("columns", self.columns, 1)
        if self.engine not in ENGINES:
            raise ValueError(f"engine must be one of {', '.join(ENGINES)}, got {self.engine!r}")
        if not 0 < self.rate <= _MAX_RATE:
            raise ValueError(f"rate must be above 0 and at most {_MAX_RATE}, got {self.rate}")
        if self.requests > MAX_REQUESTS:
            raise ValueError(
                f"a scenario can have at most {MAX_REQUESTS} requests, got {self.requests}"
            )
        flaps = [each for each in self.events if isinstance(each, Flap)]
        ends = ((min(flap.end, self.duration), flap) for flap in flaps)
        changes = sum(2 * (-(-max(0, end - flap.start) // flap.period)) for end, flap in ends)
        if changes > _MAX_FLAPS:
            raise ValueError(
                f"flapping can change state at most {_MAX_FLAPS} times, got {changes}; "
                "use a longer period"
            )

    @property
    def requests(self) -> int:
        """The number of requests."""
        return -(-self.duration * self.rate.numerator // (self.rate.denominator * SECOND))

    @property
    def column_width(self) -> int:
        """The length (ns) of a column."""
        return -(-self.duration // self.columns)


def with_check_times(fleet: Fleet, **times: Any) -> Fleet:
    """Replace the times of all health checks of a fleet.

    ``times`` are ``interval``, ``unhealthy_interval`` and ``timeout`` (ns). An unhealthy interval
    that equals the interval follows it.

    Complexity: O(uplinks). Raises: TypeError for another name.

    >>> from uplinks.model import HealthCheck, Uplink
    >>> child = Cluster("eu", uplinks=[Uplink("api", "apps", health_check=HealthCheck())])
    >>> fleet = with_check_times(Fleet(Cluster("parent"), {"eu": child}), interval=5 * SECOND)
    >>> check = fleet.children["eu"].uplinks[0].health_check
    >>> check.interval // SECOND, check.unhealthy_interval // SECOND
    (5, 5)
    """
    if not times:
        return fleet
    children = {
        name: evolve(cluster, uplinks=_uplinks_with(cluster, times))
        for name, cluster in fleet.children.items()
    }
    return evolve(fleet, children=children)


def _uplinks_with(cluster: Cluster, times: dict[str, Any]) -> Iterable[Any]:
    for uplink in cluster.uplinks:
        check = uplink.health_check
        if check is None:
            yield uplink
            continue
        follows = check.unhealthy_interval == check.interval
        new = {"unhealthy_interval": 0, **times} if follows and "interval" in times else times
        yield evolve(uplink, health_check=evolve(check, **new))
