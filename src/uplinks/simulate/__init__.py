"""Simulation of a service in virtual time while its children fail and recover.

A real `Parent` picks targets, and its health machine decides which are up; only the children and
the driver are modelled. Times are nanoseconds since the start, shares are exact fractions, and the
same scenario always gives the same result.
"""

from __future__ import annotations

from collections.abc import Callable

from uplinks.simulate._ideal import ideal_shares, sum_by_child
from uplinks.simulate._result import (
    ChildTransition,
    Failure,
    ServiceState,
    Share,
    Simulation,
    Window,
)
from uplinks.simulate._run import Run, build_engine
from uplinks.simulate._scenario import (
    ENGINES,
    MAX_REQUESTS,
    Advertise,
    DriverModel,
    Fault,
    Flap,
    OfferChange,
    Outage,
    Scenario,
    ScenarioEvent,
    SetWeight,
    Slow,
    Withdraw,
    with_check_times,
)

__all__ = [
    "ENGINES",
    "MAX_REQUESTS",
    "Advertise",
    "ChildTransition",
    "DriverModel",
    "Failure",
    "Fault",
    "Flap",
    "OfferChange",
    "Outage",
    "Scenario",
    "ScenarioEvent",
    "ServiceState",
    "SetWeight",
    "Share",
    "Simulation",
    "Slow",
    "Window",
    "Withdraw",
    "ideal_shares",
    "simulate",
    "sum_by_child",
    "with_check_times",
]


def simulate(scenario: Scenario, progress: Callable[[int], object] | None = None) -> Simulation:
    """Run a scenario.

    ``progress`` is called with the time (ns) at each column.

    Law: the result is as if each request were picked on its own
    (``tests/laws/test_simulate_laws.py``).
    Complexity: O(log n) for each probe, O(n) for each window, and the cost of a bulk pick for each
    request; while a passive check counts failures, the cost of a pick and an `observe`.
    Raises: UnknownChild for an event of a child that the parent does not list; as
    `Parent.from_fleet`, `Parent.selector`, `Parent.advertise` and, for an unknown scheduler,
    `Selector`.

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
    ...     print(phase.end / second, [share.requests for share in phase.shares], phase.failures)
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
    return Run(scenario, build_engine(scenario)).simulate(progress)
