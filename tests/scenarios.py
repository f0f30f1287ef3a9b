"""Strategies for small simulation scenarios in which many events coincide.

Times are in microseconds, and a scenario has a few hundred requests.
"""

from __future__ import annotations

from fractions import Fraction
from typing import Any

from hypothesis import strategies as st

from uplinks.health import HealthPolicy
from uplinks.model import (
    Advertisement,
    Child,
    ChildConfig,
    Cluster,
    Failover,
    Fleet,
    HealthCheck,
    ParentConfig,
    PassiveHealthCheck,
    ServiceReference,
    TraefikService,
    Uplink,
    UplinkEntryPoint,
    Weighted,
)
from uplinks.simulate import (
    Advertise,
    Driver,
    Flap,
    Outage,
    Scenario,
    SetWeight,
    Slow,
    Withdraw,
)

US = 1_000
NAMES = ("ap", "eu", "us")
POINTS = ChildConfig({"multicluster": UplinkEntryPoint(":9443", as_default=True)})
ENTRY = ["multicluster"]

# Multiples of a microsecond coincide with each other and with requests; other times do not.
moments = st.integers(0, 300).map(US.__mul__) | st.integers(0, 300 * US)
spans = st.tuples(moments, moments).filter(lambda span: span[0] != span[1]).map(sorted)
times = st.integers(1, 40).map(US.__mul__) | st.integers(1, 40 * US)
children = st.sampled_from(NAMES)
weights = st.integers(0, 5)


def checks() -> st.SearchStrategy[HealthCheck]:
    return st.builds(
        HealthCheck,
        path=st.just("/health"),
        interval=times,
        unhealthy_interval=st.just(0) | times,
        timeout=times,
    )


def passive_checks() -> st.SearchStrategy[PassiveHealthCheck]:
    return st.builds(
        PassiveHealthCheck, failure_window=times, max_failed_attempts=st.integers(1, 4)
    )


def troubles() -> st.SearchStrategy[Any]:
    return st.one_of(
        st.builds(lambda c, s, h: Outage(c, s[0], s[1], h), children, spans, st.booleans()),
        st.builds(lambda c, s, p, o: Flap(c, s[0], s[1], p + o, o), children, spans, times, times),
        st.builds(
            lambda c, s, t, f: Slow(c, s[0], s[1], t, f), children, spans, times, st.booleans()
        ),
    )


def offers() -> st.SearchStrategy[Any]:
    advertisements = st.builds(
        Advertisement,
        st.just("apps-api"),
        st.just("apps/api"),
        st.just(ENTRY),
        weights,
        st.none() | checks(),
        st.none() | passive_checks(),
    )
    return (
        st.builds(SetWeight, children, moments, weights)
        | st.builds(Withdraw, children, moments)
        | st.builds(Advertise, children, moments, st.none() | st.tuples(advertisements))
    )


def drivers() -> st.SearchStrategy[Driver]:
    late = st.just(0) | st.integers(0, 5 * US)
    return st.just(Driver()) | st.builds(
        Driver, late, late, st.sampled_from([Fraction(0), Fraction(1, 10), Fraction(1, 2)])
    )


def policies() -> st.SearchStrategy[HealthPolicy]:
    return st.builds(
        HealthPolicy,
        st.integers(1, 3),
        st.integers(1, 3),
        st.integers(0, 50 * US),
        st.sampled_from([1, 2, 256]),
        st.sampled_from([0, 3 * US, 100 * US]),
        serve_unknown=st.booleans(),
    )


@st.composite
def fleets(draw: st.DrawFn) -> tuple[Fleet, str]:
    """Draw a fleet and one of its services, which the children share or a parent composes."""
    shape = draw(st.sampled_from(["shared", "weighted", "failover", "deep"]))
    clusters = {}
    for name in NAMES:
        uplink = Uplink(
            "api",
            "apps",
            expose_name=None if shape == "shared" else f"api-{name}",
            weight=draw(weights),
            health_check=draw(st.none() | checks()),
            passive_health_check=draw(st.none() | passive_checks()),
        )
        clusters[name] = Cluster(name, [uplink], child_config=POINTS)
    addresses = draw(st.sampled_from([NAMES, NAMES, ("ap", "eu", "eu")]))
    config = ParentConfig(
        {
            name: Child(f"https://{at}.example.com")
            for name, at in zip(NAMES, addresses, strict=True)
        }
    )
    held = [ServiceReference(f"api-{name}@multicluster", "TraefikService") for name in NAMES]
    weighted = TraefikService(
        "sum", "apps", weighted=Weighted([*held, ServiceReference("own", port=80)])
    )
    failover = TraefikService("or", "apps", failover=Failover(held[1], held[2]))
    both = [ServiceReference(name, "TraefikService", weight=2) for name in ("sum", "or")]
    deep = TraefikService("deep", "apps", weighted=Weighted(both))
    services = {
        "shared": ([], "apps-api@multicluster"),
        "weighted": ([weighted], "apps-sum@kubernetescrd"),
        "failover": ([failover], "apps-or@kubernetescrd"),
        "deep": ([weighted, failover, deep], "apps-deep@kubernetescrd"),
    }
    composed, service = services[shape]
    parent = Cluster("parent", traefik_services=composed, parent_config=config)
    return Fleet(parent, clusters), service


@st.composite
def scenarios(draw: st.DrawFn, /, **fixed: Any) -> Scenario:
    fleet, service = draw(fleets())
    happenings = draw(st.lists(troubles(), max_size=4)) + draw(st.lists(offers(), max_size=3))
    given = {
        "policy": draw(policies()),
        "driver": draw(drivers()),
        "scheduler": draw(st.sampled_from(["fair", "edf", "smooth"])),
        "start": draw(st.integers(0, 50)),
        "seed": draw(st.integers(0, 3)),
        "columns": draw(st.integers(1, 7)),
    }
    return Scenario(
        fleet,
        service,
        draw(st.sampled_from([Fraction(10**6), Fraction(10**7, 7), Fraction(999_983)])),
        draw(st.integers(1, 300 * US)),
        happenings,
        **{**given, **fixed},
    )


ROUND = st.sampled_from([2, 5, 10, 20]).map(US.__mul__)
"""Few values, so that latencies equal timeouts, and periods equal windows."""


@st.composite
def hectic(draw: st.DrawFn, /, **fixed: Any) -> Scenario:
    """Draw scenarios with many passive-check failures and a driver that is always late."""
    checks = st.builds(HealthCheck, path=st.just("/health"), interval=ROUND, timeout=ROUND)
    passive = st.builds(PassiveHealthCheck, st.sampled_from([20 * US, 60 * US]), st.integers(2, 5))
    clusters = {}
    for name in NAMES:
        check, listens = draw(st.sampled_from([(1, 1), (1, 1), (0, 1), (1, 0)]))
        uplink = Uplink(
            "api",
            "apps",
            weight=draw(st.integers(1, 3)),
            health_check=draw(checks) if check else None,
            passive_health_check=draw(passive) if listens else None,
        )
        clusters[name] = Cluster(name, [uplink], child_config=POINTS)
    config = ParentConfig({name: Child(f"https://{name}.example.com") for name in NAMES})
    short = st.integers(1, 3).map(US.__mul__)
    begins = st.integers(0, 100).map(US.__mul__)
    happenings = st.one_of(
        st.builds(
            lambda c, b, p, o: Flap(c, b, b + 90 * US, p + o, o), children, begins, ROUND, short
        ),
        st.builds(lambda c, b, t: Outage(c, b, b + 3 * t, True), children, begins, ROUND),
        st.builds(lambda c, b, t: Slow(c, b, b + 40 * US, t), children, begins, ROUND),
        # A child that is withdrawn and advertised at once is new to the selector.
        st.builds(lambda c, b: (Withdraw(c, b), Advertise(c, b)), children, begins),
    )
    drawn = draw(st.lists(happenings, min_size=2, max_size=6))
    flat = [each for found in drawn for each in (found if isinstance(found, tuple) else [found])]
    lateness = st.integers(0, 4 * US)
    given = {
        "policy": HealthPolicy(
            draw(st.integers(1, 2)),
            draw(st.integers(1, 2)),
            0,
            draw(st.sampled_from([1, 256])),
            draw(st.sampled_from([2 * US, 100 * US])),
        ),
        "driver": Driver(draw(lateness), draw(st.just(0) | lateness)),
        "columns": 2,
    }
    rate = draw(st.sampled_from([Fraction(10**6), Fraction(999_983)]))
    fleet = Fleet(Cluster("parent", parent_config=config), clusters)
    return Scenario(fleet, "apps-api@multicluster", rate, 200 * US, flat, **{**given, **fixed})
