from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from typing import Any

import pytest
from attrs import evolve

from uplinks.balance import Selector
from uplinks.errors import InvalidScheduler, UnknownChild, UnknownService
from uplinks.health import Cause, HealthPolicy, State
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
    ENGINES,
    Advertise,
    DriverModel,
    Flap,
    Outage,
    Scenario,
    SetWeight,
    Simulation,
    Slow,
    Withdraw,
    ideal_shares,
    simulate,
    with_check_times,
)

SECOND = 1_000_000_000
API = "apps-api@multicluster"
CHECK = HealthCheck(path="/health", interval=10 * SECOND, timeout=3 * SECOND)
POINTS = ChildConfig({"multicluster": UplinkEntryPoint(":9443", as_default=True)})
PROMPT = HealthPolicy(start_window=0)


def fleet(
    *services: TraefikService,
    names: Sequence[str] = ("eu", "us"),
    weights: Sequence[int] = (1, 1),
    own_names: bool = False,
    **checks: Any,
) -> Fleet:
    children = {
        name: Cluster(
            name,
            [
                Uplink(
                    "api",
                    "apps",
                    expose_name=f"api-{name}" if own_names else None,
                    weight=weight,
                    **(checks or {"health_check": CHECK}),
                )
            ],
            child_config=POINTS,
        )
        for name, weight in zip(names, weights, strict=True)
    }
    config = ParentConfig({name: Child(f"https://{name}.example.com") for name in names})
    return Fleet(Cluster("parent", traefik_services=services, parent_config=config), children)


def run_scenario(*events: Any, seconds: int = 60, rate: int = 10, **options: Any) -> Simulation:
    options = {"fleet": fleet(), "service": API, "columns": 1, "policy": PROMPT, **options}
    fleet_, service = options.pop("fleet"), options.pop("service")
    return simulate(Scenario(fleet_, service, rate, seconds * SECOND, events, **options))


def requests(run: Simulation) -> list[list[int]]:
    return [[share.requests for share in phase.shares] for phase in run.phases]


def edges(run: Simulation) -> list[float]:
    return [phase.end / SECOND for phase in run.phases]


# --- outages ----------------------------------------------------------------


def test_the_next_probe_detects_an_outage_and_its_end() -> None:
    # Without a start window both are probed at 0, then at their phases: us at 2.36 s + 10 s k.
    run = run_scenario(Outage("us", 20 * SECOND, 40 * SECOND))

    assert [round(edge, 2) for edge in edges(run)] == [20, 22.36, 40, 42.36, 60]
    assert requests(run) == [[100, 100], [12, 12], [176, 0], [24, 0], [88, 88]]
    assert [phase.failures for phase in run.phases] == [0, 12, 0, 0, 0]
    assert [sorted(phase.state.failing) for phase in run.phases] == [[], ["us"], ["us"], [], []]
    assert [sorted(phase.state.down) for phase in run.phases] == [[], [], ["us"], ["us"], []]
    [failure] = run.failures
    assert (failure.start, failure.end) == (20 * SECOND, 40 * SECOND)
    assert failure.detection == failure.recovery == 2_360_679_774
    assert failure.detection_bound == failure.recovery_bound == 13 * SECOND
    assert run.within_bounds


def test_a_hanging_child_is_detected_a_timeout_later() -> None:
    [failure] = run_scenario(Outage("us", 20 * SECOND, 40 * SECOND, hangs=True)).failures

    assert failure.detection == 2_360_679_774 + CHECK.timeout
    assert failure.recovery == 2_360_679_774


def test_detection_can_take_the_whole_bound_but_a_nanosecond() -> None:
    # The child hangs a nanosecond after a probe has passed, so only the next probe detects it.
    passed = 6_180_339_887
    alone = fleet(names=["eu"], weights=[1])

    [failure] = run_scenario(
        Outage("eu", passed + 1, 60 * SECOND, hangs=True), fleet=alone
    ).failures

    assert failure.detection == 13 * SECOND - 1
    assert failure.detection_bound == 13 * SECOND


@pytest.mark.parametrize(("hangs", "times"), [(False, (10, 10)), (True, (13, 0))])
def test_a_probe_at_the_moment_of_a_change_is_answered_before_it(
    hangs: bool,  # noqa: FBT001 - a parameter of the test
    times: tuple[int, int],
) -> None:
    # eu is probed at both moments. A probe that hangs is answered as soon as its child recovers.
    passed = 6_180_339_887
    alone = fleet(names=["eu"], weights=[1])

    [failure] = run_scenario(
        Outage("eu", passed, passed + 20 * SECOND, hangs), fleet=alone
    ).failures

    assert (failure.detection, failure.recovery) == tuple(time * SECOND for time in times)
    assert failure.detection_bound == failure.recovery_bound == 13 * SECOND


def test_thresholds_need_more_than_one_probe() -> None:
    policy = HealthPolicy(healthy_threshold=2, unhealthy_threshold=3, start_window=0)

    [failure] = run_scenario(
        Outage("us", 20 * SECOND, 60 * SECOND), seconds=120, policy=policy
    ).failures

    assert failure.detection == 22_360_679_774
    assert failure.recovery == 12_360_679_774
    assert (failure.detection_bound, failure.recovery_bound) == (33 * SECOND, 23 * SECOND)


def test_requests_without_an_eligible_target_are_counted() -> None:
    run = run_scenario(Outage("eu", 0, 30 * SECOND), Outage("us", 0, 30 * SECOND))

    assert run.unserved > 0
    assert run.failed == run.unserved + sum(
        share.failures for window in run.windows for share in window.shares
    )
    assert run.requests == 600
    unserved = next(window for window in run.windows if window.unserved)
    assert unserved.state.ideal == (Fraction(0), Fraction(0))
    assert unserved.state.down == {"eu", "us"}


def test_a_failure_too_short_to_be_detected_is_within_bounds() -> None:
    run = run_scenario(Outage("us", 23 * SECOND, 24 * SECOND))

    [failure] = run.failures
    assert (failure.detected_at, failure.detection, failure.recovery) == (None, None, None)
    assert failure.within_bounds
    assert run.transitions[-1].cause is Cause.PASSED


def test_an_outage_may_outlast_the_simulation() -> None:
    [failure] = run_scenario(Outage("us", 20 * SECOND, 10**18)).failures

    assert failure.end is None
    assert failure.recovery is None
    assert failure.detection == 2_360_679_774


def test_outages_that_overlap_are_one_failure() -> None:
    run = run_scenario(
        Outage("us", 10 * SECOND, 30 * SECOND), Outage("us", 20 * SECOND, 40 * SECOND)
    )

    assert [(f.start, f.end) for f in run.failures] == [(10 * SECOND, 40 * SECOND)]


def test_flapping_is_one_failure_each_time() -> None:
    run = run_scenario(Flap("us", 10 * SECOND, 50 * SECOND, 20 * SECOND, 5 * SECOND))

    assert [(f.start, f.end) for f in run.failures] == [
        (10 * SECOND, 15 * SECOND),
        (30 * SECOND, 35 * SECOND),
    ]
    assert [f.detection for f in run.failures] == [2_360_679_774] * 2


def test_only_a_child_slower_than_its_timeout_fails_its_probes() -> None:
    slow = run_scenario(Slow("us", 20 * SECOND, 40 * SECOND, 3 * SECOND))
    slower = run_scenario(Slow("us", 20 * SECOND, 40 * SECOND, 3 * SECOND + 1))

    assert slow.failures == ()
    assert "us" in slow.phases[1].state.slow
    assert [f.detection for f in slower.failures] == [5_360_679_774]
    assert slower.failed == 0


def test_without_a_check_no_failure_is_detected() -> None:
    run = run_scenario(Outage("us", 20 * SECOND, 40 * SECOND), fleet=fleet(health_check=None))

    assert run.failures == ()
    assert run.failed == 100
    assert run.probes == 0


# --- passive checks ---------------------------------------------------------


def test_a_passive_check_learns_from_requests() -> None:
    passive = PassiveHealthCheck(failure_window=10 * SECOND, max_failed_attempts=3)
    watched = fleet(health_check=CHECK, passive_health_check=passive)

    run = run_scenario(Outage("us", 20 * SECOND, 40 * SECOND), fleet=watched)

    assert run.failed == 3
    fall = next(change for change in run.transitions if change.after is State.DOWN)
    assert (fall.cause, fall.child) == (Cause.REQUESTS_FAILED, "us")
    assert run.failures[0].detection == fall.at - 20 * SECOND


def test_a_passive_check_alone_retries_after_its_window() -> None:
    passive = PassiveHealthCheck(failure_window=5 * SECOND, max_failed_attempts=1)

    run = run_scenario(
        Outage("us", 20 * SECOND, 40 * SECOND), fleet=fleet(passive_health_check=passive)
    )

    # One failure every five seconds, and the first request after that.
    assert run.failed == 4
    assert run.failures[0].detection_bound is None
    assert [c.cause for c in run.transitions if c.after is State.UP] == [Cause.WINDOW_OVER] * 4


# --- offers -----------------------------------------------------------------


def test_a_weight_changes_the_shares_from_then_on() -> None:
    run = run_scenario(SetWeight("us", 30 * SECOND, 3))

    assert requests(run) == [[150, 150], [75, 225]]
    assert run.phases[1].state.ideal == (Fraction(1, 4), Fraction(3, 4))


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("direct", [True, False])
def test_a_cutover_changes_the_weights_of_the_parents_own_service(
    engine: str, *, direct: bool
) -> None:
    # By the services of the children, or by uplinks that one child each has.
    names = ["apps-api-eu", "apps-api-us"] if direct else ["api-eu", "api-us"]
    entries = [
        ServiceReference(f"{name}@multicluster", "TraefikService", weight=weight)
        for name, weight in zip(names, (3, 1), strict=True)
    ]
    safe = Failover(entries[0], ServiceReference("local", port=80), rest={"errors": {}})
    services = (
        TraefikService("split", "apps", weighted=Weighted(entries)),
        TraefikService("safe", "apps", failover=safe),
    )

    run = run_scenario(
        SetWeight("us", 20 * SECOND, 3),
        SetWeight("eu", 40 * SECOND, 0),
        fleet=fleet(*services, own_names=not direct),
        service="apps-split@kubernetescrd",
        engine=engine,
    )

    counts = [dict(zip(p.state.children, p.state.ideal, strict=True)) for p in run.phases]
    assert [(c.get("eu", 0), c["us"]) for c in counts] == [
        (Fraction(3, 4), Fraction(1, 4)),
        (Fraction(1, 2), Fraction(1, 2)),
        (0, 1),
    ]


def test_a_withdrawn_child_is_gone_and_can_return() -> None:
    run = run_scenario(Withdraw("us", 20 * SECOND), Advertise("us", 40 * SECOND))

    assert [phase.state.children for phase in run.phases] == [
        ("eu", "us"),
        ("eu",),
        ("eu", "us"),
    ]
    assert requests(run) == [[100, 100], [200], [100, 100]]
    assert run.children == ("eu", "us")


def test_another_offer_replaces_the_declared_one() -> None:
    offer = Advertisement("apps-api", "apps/api", ["multicluster"], weight=0, health_check=CHECK)

    assert requests(run_scenario(Advertise("us", 30 * SECOND, (offer,)))) == [[150, 150], [300, 0]]


def test_a_failure_ends_when_its_child_is_withdrawn() -> None:
    run = run_scenario(Outage("us", 20 * SECOND, 50 * SECOND), Withdraw("us", 21 * SECOND))

    assert [(f.start, f.end, f.detected_at) for f in run.failures] == [(20 * SECOND, None, None)]
    assert run.within_bounds


def test_a_child_that_returns_at_the_same_time_starts_afresh() -> None:
    policy = HealthPolicy(unhealthy_threshold=2, start_window=0)
    again = (Withdraw("us", 25 * SECOND), Advertise("us", 25 * SECOND))

    run = run_scenario(Outage("us", 20 * SECOND, 90 * SECOND), *again, policy=policy)

    # The failed probe from before the withdrawal does not count.
    assert [(f.start // SECOND, f.end) for f in run.failures] == [(20, None), (25, None)]
    assert run.failures[0].detected_at is None
    assert run.failures[1].detected_at is not None
    assert run.within_bounds


def test_another_check_of_the_address_inherits_its_state() -> None:
    check = evolve(CHECK, path="/other")
    offer = Advertisement("apps-api", "apps/api", ["multicluster"], health_check=check)

    run = run_scenario(
        Outage("us", 20 * SECOND, 90 * SECOND), Advertise("us", 40 * SECOND, (offer,)), seconds=120
    )

    # It was marked down, and stays so with another check.
    assert [f.detected_at for f in run.failures] == [22_360_679_774, 40 * SECOND]
    assert run.failures[1].recovered_at is not None
    assert run.within_bounds


def test_passes_reported_after_their_deadline_leave_recovery_without_a_bound() -> None:
    policy = HealthPolicy(start_window=0, max_lateness=10 * SECOND)
    run = run_scenario(
        Outage("us", 20 * SECOND, 40 * SECOND),
        policy=policy,
        driver=DriverModel(lateness=4 * SECOND),
    )

    assert [f.recovery_bound for f in run.failures] == [None]
    assert run.failures[0].detection_bound is not None


# --- services ---------------------------------------------------------------


def composed(**parts: Any) -> Fleet:
    return fleet(TraefikService("top", "apps", **parts), own_names=True)


def reference(name: str, weight: int = 1) -> ServiceReference:
    return ServiceReference(f"api-{name}@multicluster", "TraefikService", weight=weight)


def test_a_failover_uses_its_fallback_meanwhile() -> None:
    service = composed(failover=Failover(reference("us"), reference("eu")))

    run = run_scenario(
        Outage("us", 20 * SECOND, 40 * SECOND), fleet=service, service="apps-top@kubernetescrd"
    )

    assert requests(run) == [[0, 200], [0, 24], [176, 0], [24, 0], [0, 176]]


def test_a_child_reached_through_two_services_is_one_child() -> None:
    weighted = Weighted(
        [reference("eu", 2), reference("us", 1), ServiceReference("local", weight=1)]
    )

    run = run_scenario(
        fleet=composed(weighted=weighted), service="apps-top@kubernetescrd", seconds=40
    )

    [phase] = run.phases
    assert phase.state.children == ("apps/local", "eu", "us")
    assert requests(run) == [[100, 200, 100]]


def test_children_with_one_address_share_its_faults() -> None:
    shared = fleet()
    config = ParentConfig(dict.fromkeys(["eu", "us"], Child("https://both.example.com")))
    shared = evolve(shared, parent=evolve(shared.parent, parent_config=config))

    run = run_scenario(Outage("us", 20 * SECOND, 40 * SECOND), fleet=shared)

    assert {f.child for f in run.failures} == {"eu, us"}
    assert run.unserved > 0


# --- the driver -------------------------------------------------------------


def test_a_late_driver_detects_later_and_the_bound_includes_it() -> None:
    driver = DriverModel(lateness=SECOND // 10)

    [failure] = run_scenario(Outage("us", 20 * SECOND, 40 * SECOND), driver=driver).failures

    assert failure.detection == 2_360_679_774 + 2 * SECOND // 10
    assert failure.detection_bound == 13 * SECOND + 2 * SECOND // 10


def test_a_driver_later_than_allowed_has_no_bound() -> None:
    [failure] = run_scenario(
        Outage("us", 20 * SECOND, 40 * SECOND), driver=DriverModel(lateness=SECOND)
    ).failures

    assert failure.detection_bound is None


def test_lost_probes_mark_healthy_children_down() -> None:
    run = run_scenario(driver=DriverModel(lost=Fraction(1, 5)), seconds=600, seed=3)

    assert any(change.after is State.DOWN for change in run.transitions)
    assert run.failures == ()
    assert run.failed == run.unserved


def test_the_seed_decides_every_random_draw() -> None:
    def falls(seed: int) -> list[int]:
        run = run_scenario(driver=DriverModel(0, 10**8, Fraction(1, 5)), seconds=600, seed=seed)
        return [change.at for change in run.transitions]

    assert falls(1) == falls(1)
    assert falls(1) != falls(2)


def test_overload_is_reported_and_leaves_no_bound() -> None:
    policy = HealthPolicy(concurrency=1, start_window=0)
    run = run_scenario(
        Outage("eu", 0, 600 * SECOND, hangs=True),
        Outage("us", 0, 600 * SECOND, hangs=True),
        fleet=with_check_times(fleet(), interval=2 * SECOND),
        policy=policy,
        seconds=600,
    )

    assert run.overloads
    assert {failure.detection_bound for failure in run.failures} == {None}


# --- scenarios --------------------------------------------------------------


def test_columns_split_windows_and_phases_join_them() -> None:
    run = run_scenario(columns=6)

    assert [window.end // SECOND for window in run.windows] == [10, 20, 30, 40, 50, 60]
    assert requests(run) == [[300, 300]]


def test_progress_is_reported_at_each_column() -> None:
    reported: list[int] = []

    simulate(Scenario(fleet(), API, 1, 60 * SECOND, columns=3), reported.append)

    assert reported == [0, 20 * SECOND, 40 * SECOND]


@pytest.mark.parametrize("scheduler", ["fair", "edf", "smooth"])
def test_each_scheduler_splits_by_weight(scheduler: str) -> None:
    assert requests(run_scenario(fleet=fleet(weights=[3, 1]), scheduler=scheduler)) == [[450, 150]]


def test_requests_arrive_at_exact_times() -> None:
    scenario = Scenario(fleet(), API, Fraction(1, 3), 10 * SECOND)

    assert scenario.requests == simulate(scenario).requests == 4


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: Outage("eu", 5, 5), "end must be after start \\(5 ns\\), got 5 ns"),
        (lambda: Outage("eu", -1, 5), "start must be at least 0, got -1"),
        (lambda: Flap("eu", 0, 9, 3, 3), "period must be at least 4, got 3"),
        (lambda: Flap("eu", 0, 9, 3, 0), "out must be at least 1, got 0"),
        (lambda: Slow("eu", 0, 9, -1), "latency must be at least 0"),
        (lambda: SetWeight("eu", 0, -1), "weight must be at least 0"),
        (lambda: Withdraw("eu", -1), "at must be at least 0"),
        (lambda: Advertise("eu", -1), "at must be at least 0"),
        (lambda: DriverModel(lateness=-1), "lateness must be at least 0"),
        (lambda: DriverModel(lost=Fraction(3, 2)), "lost must be between 0 and 1, got 3/2"),
        (
            lambda: Scenario(fleet(), API, 0, SECOND),
            "rate must be above 0 and at most 1000000000, got 0",
        ),
        (lambda: Scenario(fleet(), API, 2 * SECOND, SECOND), "got 2000000000"),
        (lambda: Scenario(fleet(), API, 1, 0), "duration must be at least 1"),
        (
            lambda: Scenario(fleet(), API, SECOND, 200 * SECOND),
            "at most 100000000000 requests, got 200000000000",
        ),
        (lambda: Scenario(fleet(), API, 1, SECOND, columns=0), "columns must be at least 1"),
        (
            lambda: Scenario(fleet(), API, 1, SECOND, [Flap("eu", 0, SECOND, 10, 1)]),
            "flapping can change state at most 1000000 times, got 200000000",
        ),
    ],
)
def test_invalid_values_raise(make: Any, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        make()


def test_times_must_be_integers() -> None:
    with pytest.raises(TypeError, match="end must be an integer, got float"):
        Outage("eu", 0, 1.5)  # type: ignore[arg-type]


def test_unknown_children_services_and_schedulers_raise() -> None:
    with pytest.raises(UnknownChild, match="does not list a child 'ue'"):
        run_scenario(Outage("ue", 0, 5))
    with pytest.raises(UnknownService):
        run_scenario(service="apps-apy@multicluster")
    with pytest.raises(InvalidScheduler):
        run_scenario(scheduler="fairest")


def test_check_times_apply_to_checks_only() -> None:
    unchecked = fleet(health_check=None)

    assert with_check_times(unchecked, interval=SECOND) == unchecked
    assert with_check_times(fleet()) == fleet()
    slower = with_check_times(
        fleet(health_check=evolve(CHECK, unhealthy_interval=SECOND)), interval=20 * SECOND
    )
    check = slower.children["eu"].uplinks[0].health_check
    assert check is not None
    assert (check.interval, check.unhealthy_interval) == (20 * SECOND, SECOND)


def test_an_ideal_share_of_zero_weight_is_zero() -> None:
    assert ideal_shares(Selector([("a", 0), ("b", 0)])) == {"a": 0, "b": 0}
    assert ideal_shares(Selector([])) == {}
