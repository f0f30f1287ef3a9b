"""Fleets with faults, whose prediction by `uplinks.simulate` is held against a real proxy.

Both get the same fleet, requests and faults. The phases of their probes differ, so for each fault
requests lost may differ by one probe interval's worth, and no more.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from fractions import Fraction

from attrs import field, frozen
from tests.proxies.children import FaultyChild, config_of

from uplinks.model import (
    ChildConfig,
    Cluster,
    Failover,
    Fleet,
    HealthCheck,
    IngressRoute,
    PassiveHealthCheck,
    Route,
    ServiceReference,
    TraefikService,
    Uplink,
    UplinkEntryPoint,
    Weighted,
)
from uplinks.simulate import Flap, Outage, Scenario, ScenarioEvent, Simulation, Slow

MS = 1_000_000
RATE = 50
DURATION = 4000 * MS
API, TOP = "apps-api@multicluster", "apps-top@kubernetescrd"
POINTS = ChildConfig({"multicluster": UplinkEntryPoint(":9443", as_default=True)})
CHECK = HealthCheck(path="/health", interval=400 * MS, timeout=150 * MS)
PASSIVE = PassiveHealthCheck(failure_window=600 * MS, max_failed_attempts=3)

Checks = tuple[HealthCheck | None, PassiveHealthCheck | None]


@frozen
class Case:
    """A fleet and its faults.

    ``failures`` is how often a child fails, or a passive check marks one down. ``checks`` are those
    of all children, but for those in ``others``. ``top`` composes the children's services, which
    then have names of their own.
    """

    weights: Mapping[str, int]
    checks: Checks
    events: tuple[ScenarioEvent, ...]
    failures: int = 1
    others: Mapping[str, Checks] = field(factory=dict)
    top: TraefikService | None = None

    def scenario(self, children: dict[str, FaultyChild], engine: str = "uplinks") -> Scenario:
        """Return the scenario for children at these addresses."""
        service = API if self.top is None else TOP
        route = Route("PathPrefix(`/`)", services=[ServiceReference(service, "TraefikService")])
        parent = Cluster(
            "parent",
            routers=[IngressRoute("api", "apps", [route], entry_points=("web",))],
            traefik_services=[] if self.top is None else [self.top],
            parent_config=config_of(children),
        )
        fleet = Fleet(parent, {name: self._child(name) for name in self.weights})
        return Scenario(fleet, service, RATE, DURATION, self.events, engine=engine)

    def _child(self, name: str) -> Cluster:
        active, passive = self.others.get(name, self.checks)
        uplink = Uplink(
            "api",
            "apps",
            expose_name=None if self.top is None else f"api-{name}",
            weight=self.weights[name],
            health_check=active,
            passive_health_check=passive,
        )
        return Cluster(name, [uplink], child_config=POINTS)

    @property
    def allowed(self) -> int:
        """The permitted error of requests lost: one probe interval's worth for each fault."""
        active, passive = self.checks
        shares = (Fraction(weight, sum(self.weights.values())) for weight in self.weights.values())
        share = Fraction(1) if self.top is not None else max(shares)
        # Envoy waits for the interval after the end of a probe.
        interval = 0 if active is None else active.interval + active.timeout
        attempts = 0 if passive is None else passive.max_failed_attempts
        return self.failures * (math.ceil(share * RATE * interval / 10**9) + attempts + 1)

    def check(self, answers: Sequence[str | None], predicted: Simulation) -> None:
        """Compare which child answered each request (``None``: it was lost) with a prediction."""
        counts = Counter(answers)
        expected: Counter[str | None] = Counter({None: predicted.failed})
        for window in predicted.windows:
            for share in window.shares:
                expected[share.child] += share.requests - share.failures
        assert abs(counts[None] - predicted.failed) <= self.allowed, (counts, expected)
        # The end of a fault is detected by a probe as well.
        for child in self.weights:
            assert abs(counts[child] - expected[child]) <= 2 * self.allowed, (counts, expected)


def to(name: str, weight: int = 1) -> ServiceReference:
    """Refer to the service of a child's own name."""
    return ServiceReference(f"api-{name}@multicluster", "TraefikService", weight=weight)


ACTIVE: Checks = (CHECK, None)
SPAN = (1130 * MS, 2710 * MS)
OUTAGE = Outage("eu", *SPAN)
EU_9 = {"eu": 9, "us": 1}
EVEN = {"eu": 1, "us": 1}

FLAT = {
    "active": Case(EU_9, ACTIVE, (OUTAGE,)),
    "hanging": Case(EU_9, ACTIVE, (Outage("eu", *SPAN, hangs=True),)),
    "passive": Case(EU_9, (None, PASSIVE), (OUTAGE,), failures=3),
    "both checks": Case({"eu": 1, "us": 1, "ap": 2}, (CHECK, PASSIVE), (OUTAGE,)),
    "weight 0": Case({"eu": 1, "us": 1, "ap": 0}, ACTIVE, (OUTAGE,)),
    "flapping": Case(
        EVEN, ACTIVE, (Flap("eu", 530 * MS, 3800 * MS, 1600 * MS, 800 * MS),), failures=3
    ),
    "slow": Case(EVEN, ACTIVE, (Slow("eu", *SPAN, 300 * MS),)),
    "slow and failing": Case(
        {"eu": 3, "us": 1}, ACTIVE, (Slow("eu", *SPAN, 300 * MS, fails=True),)
    ),
}
"""One uplink of several children, which any proxy can express."""

FAILOVER = Failover(to("eu"), to("us"))
COMPOSED = {
    "mixed": Case(EVEN, ACTIVE, (OUTAGE,), failures=3, others={"us": (None, PASSIVE)}),
    "failover": Case(EVEN, ACTIVE, (OUTAGE,), top=TraefikService("top", "apps", failover=FAILOVER)),
    "failover by status": Case(
        EVEN,
        (None, None),
        (OUTAGE,),
        top=TraefikService(
            "top",
            "apps",
            failover=Failover(to("eu"), to("us"), rest={"errors": {"status": ["500-599"]}}),
        ),
    ),
    "nested": Case(
        EVEN,
        ACTIVE,
        (OUTAGE,),
        top=TraefikService("top", "apps", weighted=Weighted([to("eu", 2), to("us")])),
    ),
}
"""What needs Traefik's compositions."""
