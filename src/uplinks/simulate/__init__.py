"""What a service would do while children fail and return, in virtual time.

Rules of this package:

1. A scenario is data, and so is what comes of it; the same gives the same.
2. There is no second model of anything: a real `Parent` picks, and its health
   machine decides who is up. Only children and the driver are played.
3. Where nothing can change requests are picked in bulk, and it must not show.
4. Times are nanoseconds from the beginning, shares are exact fractions.
"""

from __future__ import annotations

from collections.abc import Callable

from uplinks.simulate._ideal import by_child, ideal_shares
from uplinks.simulate._result import Change, Condition, Failure, Share, Simulation, Window
from uplinks.simulate._run import Run
from uplinks.simulate._scenario import (
    MOST_REQUESTS,
    Advertise,
    Driver,
    Flap,
    Happening,
    Outage,
    Scenario,
    SetWeight,
    Slow,
    Trouble,
    Withdraw,
    retimed,
)

__all__ = [
    "MOST_REQUESTS",
    "Advertise",
    "Change",
    "Condition",
    "Driver",
    "Failure",
    "Flap",
    "Happening",
    "Outage",
    "Scenario",
    "SetWeight",
    "Share",
    "Simulation",
    "Slow",
    "Trouble",
    "Window",
    "Withdraw",
    "by_child",
    "ideal_shares",
    "retimed",
    "simulate",
]


def simulate(scenario: Scenario, progress: Callable[[int], object] | None = None) -> Simulation:
    """Play a scenario through.

    ``progress`` is told the time (ns) now and then.

    Law: as if every request were picked on its own
    (``tests/laws/test_simulate_laws.py``).
    Complexity: O(log n) for each probe, O(n) for each window, and for each
    request what a pick in bulk costs; while a passive check sees failures, what
    a pick and an `observe` cost.
    Raises: UnknownChild for something that happens to a child that the parent
    does not list; as `Parent.from_fleet`, `Parent.selector`, `Parent.advertise`
    and, for an unknown scheduler, `Selector`.

    >>> from uplinks.model import (
    ...     Child, ChildConfig, Cluster, Fleet, HealthCheck, ParentConfig, Uplink, UplinkEntryPoint)
    >>> second = 1_000_000_000
    >>> points = ChildConfig({"multicluster": UplinkEntryPoint(":9443", as_default=True)})
    >>> uplink = Uplink("api", "apps", health_check=HealthCheck(interval=10 * second))
    >>> fleet = Fleet(
    ...     Cluster("parent", parent_config=ParentConfig(
    ...         {name: Child(f"https://{name}.example.com") for name in ("eu", "us")})),
    ...     {name: Cluster(name, [uplink], child_config=points) for name in ("eu", "us")})
    >>> outage = Outage("eu", 20 * second, 50 * second)
    >>> run = simulate(Scenario(fleet, "apps-api@multicluster", 10, 90 * second, [outage]))
    >>> for phase in run.phases:
    ...     print(phase.ends / second, [share.requests for share in phase.shares], phase.failures)
    20.0 [100, 100] 0
    26.180339887 [31, 31] 31
    50.0 [0, 238] 0
    56.180339887 [0, 62] 0
    90.0 [169, 169] 0
    >>> [failure] = run.failures
    >>> failure.detection / second, failure.detection_bound / second
    (6.180339887, 15.0)

    Source: reference page, "Health Check Behavior".
    """
    return Run(scenario).simulate(progress)
