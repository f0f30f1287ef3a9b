"""The Traefik engine: what was measured on a real Traefik, in virtual time.

Children are checked every 10 s with a timeout of 3 s and get 10 requests a second.
"""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import pytest
from attrs import evolve
from tests.test_simulate import API, CHECK, SECOND, fleet, reference, requests, run_scenario

from uplinks.health import Cause, State
from uplinks.model import (
    Failover,
    Fleet,
    HealthCheck,
    PassiveHealthCheck,
    ServiceReference,
    TraefikService,
    Weighted,
)
from uplinks.simulate import DriverModel, Flap, Outage, SetWeight, Simulation, Slow, Withdraw
from uplinks.simulate._traefik._probes import HealthChecker
from uplinks.simulate._traefik._services import Balancer, Server

TOP = "apps-top@kubernetescrd"
PASSIVE = PassiveHealthCheck(failure_window=5 * SECOND, max_failed_attempts=2)


def traefik(*events: Any, engine: str = "traefik", **options: Any) -> Simulation:
    return run_scenario(*events, engine=engine, **options)


def composed(*services: TraefikService, **checks: Any) -> Fleet:
    return fleet(*services, own_names=True, **checks)


def failures(run: Simulation) -> list[tuple[float, float, int]]:
    return [(p.start / SECOND, p.end / SECOND, p.failures) for p in run.phases if p.failures]


# --- active checks ----------------------------------------------------------


def test_probes_start_one_interval_late_and_run_on_a_fixed_grid() -> None:
    run = traefik(Outage("us", 0, 14 * SECOND), seconds=40)

    # A child that is dead at the start gets its share until the first probe.
    assert failures(run) == [(0, 10, 50)]
    assert requests(run) == [[50, 50], [40, 0], [60, 0], [100, 100]]
    [failure] = run.failures
    assert (failure.detection, failure.recovery) == (10 * SECOND, 6 * SECOND)
    assert failure.detection_bound is failure.recovery_bound is None
    assert run.probes == 6  # of two children at 10, 20 and 30 s
    assert run.within_bounds


def test_a_probe_at_the_moment_of_a_change_is_answered_before_it() -> None:
    # us fails and recovers exactly at ticks: it gets its share until the next one.
    run = traefik(Outage("us", 20 * SECOND, 40 * SECOND))

    assert failures(run) == [(20, 30, 50)]
    [failure] = run.failures
    assert failure.detection == failure.recovery == 10 * SECOND


def test_the_unhealthy_interval_has_a_grid_of_its_own() -> None:
    check = evolve(CHECK, unhealthy_interval=4 * SECOND)

    [failure] = traefik(
        Outage("us", 15 * SECOND, 25 * SECOND), fleet=fleet(health_check=check)
    ).failures

    assert (failure.detected_at, failure.recovered_at) == (20 * SECOND, 28 * SECOND)


def test_a_hanging_child_is_down_after_the_timeout_of_the_next_probe() -> None:
    [failure] = traefik(Outage("us", 15 * SECOND, 35 * SECOND, hangs=True)).failures

    assert (failure.detected_at, failure.recovered_at) == (23 * SECOND, 40 * SECOND)


def test_a_slow_child_is_down_only_beyond_its_timeout() -> None:
    slow = traefik(Slow("us", 15 * SECOND, 35 * SECOND, 3 * SECOND))
    slower = traefik(Slow("us", 15 * SECOND, 35 * SECOND, 3 * SECOND + 1))

    assert slow.transitions == ()
    assert [t.at // SECOND for t in slower.transitions] == [23, 40]
    assert slower.failed == 0


def test_lost_probes_mark_a_healthy_child_down() -> None:
    run = traefik(driver=DriverModel(lost=Fraction(1)), seconds=20)

    assert [(t.child, t.at // SECOND, t.after) for t in run.transitions] == [
        ("eu", 13, State.DOWN),
        ("us", 13, State.DOWN),
    ]
    assert run.unserved == 70


def checker(servers: int, interval: int, log: list[tuple[int, int]], latency: int) -> HealthChecker:
    balancer = Balancer("lb", reports=True, check=HealthCheck())
    for i in range(servers):
        balancer.add(Server(str(i), f"http://{i}", balancer, i), 1)

    def probe(server: Server, time: int) -> tuple[int, bool]:
        log.append((time, server.index))
        return time + latency, server.index != 0

    def mark(server: Server, time: int, passes: bool) -> None:  # noqa: FBT001 - a result
        balancer.set_up(server.index, up=passes)

    return HealthChecker(balancer.members, (interval, interval), 0, probe, mark)


def run_checker(checker: HealthChecker, until: int) -> None:
    while checker.next_moment <= until:
        checker.advance(checker.next_moment)


def test_the_servers_of_one_load_balancer_are_probed_one_after_the_other() -> None:
    log: list[tuple[int, int]] = []
    run_checker(checker(3, 10, log, latency=2), until=26)

    # Server 0 fails, and from then on the other loop probes it, beside those that are up.
    assert log == [(10, 0), (12, 1), (14, 2), (20, 1), (20, 0), (22, 2)]


def test_of_the_ticks_during_a_round_one_is_kept() -> None:
    log: list[tuple[int, int]] = []
    run_checker(checker(1, 10, log, latency=25), until=70)

    # The tick at 20 finds nothing to do; those at 30, 40 and 50 come while a probe is under way.
    assert log == [(10, 0), (40, 0), (65, 0)]


# --- passive checks ---------------------------------------------------------


def test_a_passive_check_works_among_the_servers_of_one_load_balancer() -> None:
    run = traefik(
        Outage("us", 20 * SECOND, 32 * SECOND),
        fleet=fleet(passive_health_check=PASSIVE),
        seconds=40,
    )

    # Two failures in a row, then five seconds without, three times.
    assert run.failed == 6
    assert run.unserved == 0
    assert [t.cause for t in run.transitions] == [Cause.REQUESTS_FAILED, Cause.WINDOW_OVER] * 3
    assert run.probes == 0


def test_a_success_clears_the_failures_of_a_passive_check() -> None:
    run = traefik(
        Flap("us", 20 * SECOND, 40 * SECOND, SECOND, SECOND // 5),
        fleet=fleet(passive_health_check=PASSIVE),
    )

    # One request in each fifth of a second fails, the next one passes.
    assert run.failed == 20
    assert run.transitions == ()


def test_failures_older_than_the_window_do_not_count() -> None:
    passive = PassiveHealthCheck(failure_window=SECOND, max_failed_attempts=2)

    run = traefik(
        Outage("us", 20 * SECOND, 40 * SECOND),
        fleet=fleet(passive_health_check=passive),
        rate=Fraction(2, 3),
    )

    assert run.transitions == ()
    assert run.failed == 6


def test_a_passive_check_does_not_see_a_child_that_hangs() -> None:
    run = traefik(
        Outage("us", 20 * SECOND, 40 * SECOND, hangs=True),
        fleet=fleet(passive_health_check=PASSIVE),
    )

    assert run.transitions == ()
    assert run.failed == 100


def test_with_an_active_check_the_next_probe_ends_the_passive_ejection() -> None:
    run = traefik(
        Outage("us", 21 * SECOND, 24 * SECOND),
        fleet=fleet(health_check=CHECK, passive_health_check=PASSIVE),
    )

    assert run.failed == 2
    [down, up] = run.transitions
    assert (down.cause, up.cause, up.at) == (Cause.REQUESTS_FAILED, Cause.RECOVERED, 30 * SECOND)


def test_with_different_checks_no_failure_is_passed_on() -> None:
    mixed = fleet()
    uplink = evolve(
        mixed.children["us"].uplinks[0], health_check=None, passive_health_check=PASSIVE
    )
    children = {**mixed.children, "us": evolve(mixed.children["us"], uplinks=[uplink])}

    run = traefik(
        Outage("us", 20 * SECOND, 30 * SECOND), fleet=evolve(mixed, children=children), seconds=40
    )

    # Two requests fail, then its load balancer answers 503 for five seconds, and so again.
    assert (run.failed, run.unserved) == (52, 48)


# --- compositions -----------------------------------------------------------


WEIGHTED = TraefikService("top", "apps", weighted=Weighted([reference("eu"), reference("us")]))


def test_a_weighted_service_of_the_crd_ignores_health_and_one_of_a_file_does_not() -> None:
    options: dict[str, Any] = {"fleet": composed(WEIGHTED), "service": TOP}
    outage = Outage("us", 25 * SECOND, 45 * SECOND)

    crd = traefik(outage, **options)
    file = traefik(outage, engine="traefik-file", **options)

    assert failures(crd) == [(25, 30, 25), (30, 45, 75), (45, 50, 25)]
    assert crd.unserved == 100
    assert failures(file) == [(25, 30, 25)]


def test_a_failover_uses_its_fallback_while_the_main_service_is_down() -> None:
    service = TraefikService("top", "apps", failover=Failover(reference("us"), reference("eu")))

    run = traefik(Outage("us", 25 * SECOND, 45 * SECOND), fleet=composed(service), service=TOP)

    assert requests(run) == [[0, 250], [0, 50], [150, 0], [50, 0], [0, 100]]
    assert run.failed == 50


def test_a_failover_without_any_service_left_answers_503() -> None:
    service = TraefikService("top", "apps", failover=Failover(reference("us"), reference("eu")))
    outages = [Outage(child, 25 * SECOND, 45 * SECOND) for child in ("eu", "us")]

    run = traefik(*outages, fleet=composed(service), service=TOP)

    assert run.unserved == 200


@pytest.mark.parametrize(("status", "failed"), [("500-599", 0), ("502", 0), (503, 50)])
def test_errors_status_lets_the_fallback_answer_at_once(status: object, failed: int) -> None:
    failover = Failover(reference("us"), reference("eu"), rest={"errors": {"status": [status]}})

    # A child that refuses connections is answered for with 502.
    run = traefik(
        Outage("us", 25 * SECOND, 45 * SECOND),
        fleet=composed(TraefikService("top", "apps", failover=failover)),
        service=TOP,
    )

    assert run.failed == failed


def test_the_weights_of_a_failover_mean_nothing() -> None:
    failover = Failover(reference("us", 0), reference("eu", 0))

    run = traefik(
        Outage("us", 25 * SECOND, 45 * SECOND),
        fleet=composed(TraefikService("top", "apps", failover=failover)),
        service=TOP,
        engine="traefik-file",
    )

    assert run.failed == 50


def test_errors_status_helps_neither_without_an_answer_nor_without_a_check() -> None:
    errors = {"errors": {"status": ["500-599"]}}
    failover = Failover(reference("us"), reference("eu"), rest=errors)
    options: dict[str, Any] = {
        "fleet": composed(TraefikService("top", "apps", failover=failover), health_check=None),
        "service": TOP,
    }

    refuses = traefik(Outage("us", 25 * SECOND, 45 * SECOND), **options)
    hangs = traefik(Outage("us", 25 * SECOND, 45 * SECOND, hangs=True), **options)

    assert (refuses.failed, hangs.failed) == (0, 200)


def test_a_failover_needs_a_main_service_that_reports() -> None:
    inner = TraefikService("inner", "apps", weighted=WEIGHTED.weighted)
    failover = Failover(ServiceReference("inner", "TraefikService"), reference("us"))
    service = TraefikService("top", "apps", failover=failover)
    options: dict[str, Any] = {"fleet": composed(inner, service), "service": TOP}

    crd = traefik(**options)
    file = traefik(engine="traefik-file", **options)

    [note] = crd.notes
    assert note == (
        "Traefik answers 404: the main service of the failover apps-top@kubernetescrd cannot "
        "report its health, and errors.status is not set."
    )
    assert crd.unserved == crd.requests == 600
    assert (file.notes, file.failed) == ((), 0)


def test_a_nested_failover_reports_when_both_services_are_down() -> None:
    inner = TraefikService("inner", "apps", failover=Failover(reference("eu"), reference("us")))
    held = [ServiceReference("inner", "TraefikService"), ServiceReference("own", port=80)]
    outer = TraefikService("top", "apps", weighted=Weighted(held))
    with_own = composed(inner, outer)
    only_inner = composed(inner, evolve(outer, weighted=Weighted(held[:1])))
    outages = [Outage(child, 25 * SECOND, 60 * SECOND) for child in ("eu", "us")]

    mixed = traefik(*outages, fleet=with_own, service=TOP, engine="traefik-file")
    nested = traefik(*outages, fleet=only_inner, service=TOP, engine="traefik-file")

    # A Kubernetes Service reports nothing, so nothing is passed on beside one.
    assert requests(mixed)[-1] == [150, 0, 0]
    assert mixed.unserved == 150
    assert nested.unserved == 300


def test_a_child_of_weight_0_gets_nothing_even_alone() -> None:
    run = traefik(Outage("us", 25 * SECOND, 45 * SECOND), fleet=fleet(weights=[0, 1]), seconds=60)

    assert run.children == ("us",)
    assert run.unserved == 200


def test_a_grpc_check_over_tls_is_not_written_for_traefik() -> None:
    run = traefik(
        Outage("us", 25 * SECOND, 45 * SECOND),
        fleet=fleet(health_check=evolve(CHECK, mode="grpc", path=None)),
    )

    assert run.probes == 0
    assert run.failed == 100


def test_a_bad_errors_status_is_refused() -> None:
    failover = Failover(reference("us"), reference("eu"), rest={"errors": {"status": ["bad"]}})
    service = TraefikService("top", "apps", failover=failover)

    run = traefik(fleet=composed(service), service=TOP)

    assert run.notes == (
        "Traefik answers 404: errors.status must be statuses and ranges, got 'bad'.",
    )


def test_a_long_chain_of_services_is_followed() -> None:
    chain = [
        TraefikService(
            f"s{i}",
            "apps",
            weighted=Weighted([ServiceReference(f"s{i - 1}", "TraefikService")])
            if i
            else WEIGHTED.weighted,
        )
        for i in range(1200)
    ]

    run = traefik(
        Outage("us", 25 * SECOND, 45 * SECOND),
        Outage("eu", 25 * SECOND, 45 * SECOND),
        fleet=composed(*chain),
        service="apps-s1199@kubernetescrd",
        engine="traefik-file",
    )

    assert run.unserved == 200


# --- reloads ----------------------------------------------------------------


def test_a_change_of_configuration_forgets_what_is_down() -> None:
    run = traefik(Outage("us", 15 * SECOND, 60 * SECOND), SetWeight("eu", 33 * SECOND, 2))

    # Down at 20 s; up again by the reload, with the new weights, and for one interval.
    assert failures(run) == [(15, 20, 25), (33, 43, 33)]
    assert [(f.start // SECOND, f.detected_at) for f in run.failures] == [
        (15, 20 * SECOND),
        (33, 43 * SECOND),
    ]


def test_an_unchanged_configuration_is_ignored() -> None:
    run = traefik(Outage("us", 15 * SECOND, 60 * SECOND), SetWeight("eu", 33 * SECOND, 1))

    assert failures(run) == [(15, 20, 25)]


def test_a_withdrawn_service_is_answered_with_404() -> None:
    run = traefik(Withdraw("us", 30 * SECOND), Withdraw("eu", 40 * SECOND))

    assert requests(run) == [[150, 150], [100], []]
    assert run.unserved == 200
    assert run.notes == (f"Traefik answers 404: the service {API} does not exist.",)


def test_children_of_a_direct_service_are_routed_to() -> None:
    run = traefik(Outage("us", 25 * SECOND, 45 * SECOND), service="apps-api-us@multicluster")

    assert (run.failed, run.unserved) == (250, 200)
