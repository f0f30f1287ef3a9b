"""The Traefik engine without its shortcuts: a heap of deadlines, and requests one by one."""

from __future__ import annotations

import heapq
from collections import Counter
from fractions import Fraction

from attrs import evolve
from hypothesis import given, settings
from hypothesis import strategies as st
from tests import scenarios
from tests.profiles import scaled

from uplinks.model import Fleet
from uplinks.naming import split_service_reference
from uplinks.parent import Parent
from uplinks.render import to_traefik
from uplinks.simulate import ENGINES, Scenario, Simulation, simulate
from uplinks.simulate._run import Run
from uplinks.simulate._traefik import TraefikEngine
from uplinks.simulate._traefik._edf import EarliestDeadlines
from uplinks.simulate._traefik._services import Graph, NotBuilt


class Heap:
    """Pops the earliest deadline and pushes the member's next one, until a member is up."""

    def __init__(self, weights: list[int]) -> None:
        self.weights = weights
        self.heap = [(Fraction(1, weight), i) for i, weight in enumerate(weights)]
        heapq.heapify(self.heap)

    def pick(self, up: set[int]) -> int:
        while True:
            deadline, i = heapq.heappop(self.heap)
            heapq.heappush(self.heap, (deadline + Fraction(1, self.weights[i]), i))
            if i in up:
                return i


@given(st.data())
def test_a_bulk_of_picks_is_that_of_the_heap(data: st.DataObject) -> None:
    weights = data.draw(st.lists(st.integers(1, 12), min_size=1, max_size=6))
    schedule, heap = EarliestDeadlines(weights), Heap(weights)
    for _ in range(data.draw(st.integers(1, 8))):
        up = data.draw(st.sets(st.sampled_from(range(len(weights))), min_size=1))
        picks = data.draw(st.integers(1, 50))
        assert schedule.take(picks, up) == Counter(heap.pick(up) for _ in range(picks))


@given(
    st.lists(st.integers(1, 2**31 - 1), min_size=1, max_size=20),
    st.integers(1, 10**11),
    st.data(),
)
def test_any_weights_and_numbers_are_exact_within_a_pick_a_member(
    weights: list[int], picks: int, data: st.DataObject
) -> None:
    up = data.draw(st.sets(st.sampled_from(range(len(weights))), min_size=1))

    counts = EarliestDeadlines(weights).take(picks, up)

    total = sum(weights[i] for i in up)
    assert sum(counts.values()) == picks
    assert set(counts) <= up
    for i in up:
        assert abs(counts.get(i, 0) - Fraction(picks * weights[i], total)) < len(up)


class OneByOne(TraefikEngine):
    """Sends every request on its own."""

    def _is_learning(self, now: int) -> bool:
        return True


def one_by_one(scenario: Scenario) -> Simulation:
    engine = OneByOne(scenario, from_file=scenario.engine == "traefik-file")
    return Run(scenario, engine).simulate(None)


@settings(max_examples=scaled(100))
@given(scenarios.scenarios() | scenarios.hectic(), st.sampled_from(ENGINES[1:]))
def test_bulk_picks_equal_single_picks(scenario: Scenario, engine: str) -> None:
    scenario = evolve(scenario, engine=engine)

    assert simulate(scenario) == one_by_one(scenario)


@settings(max_examples=scaled(100))
@given(scenarios.scenarios(), st.sampled_from(ENGINES[1:]))
def test_every_request_is_counted_once(scenario: Scenario, engine: str) -> None:
    run = simulate(evolve(scenario, engine=engine))

    assert run.requests == scenario.requests
    for window in run.windows:
        assert sum(window.state.ideal) <= 1
        assert window.state.down <= set(window.state.children)


@given(scenarios.fleets())
def test_the_engine_has_the_services_that_are_written(drawn: tuple[Fleet, str]) -> None:
    fleet, service = drawn
    parent = Parent.from_fleet(fleet, strict=False)
    try:
        graph = Graph(parent, service, from_file=True)
    except NotBuilt:
        return
    written = to_traefik(parent.services, fleet.parent)["http"]["services"]

    for balancer in graph.balancers:
        name, provider = split_service_reference(balancer.name)
        [(kind, body)] = (
            (kind, body)
            for kind, body in written[
                name if provider == "multicluster" else f"service_{name}"
            ].items()
            if kind != "middlewares"
        )
        if not balancer.members:
            assert body == {"servers": []}
            continue
        members = body["servers"] if kind == "loadBalancer" else body["services"]
        assert [member.get("weight", 1) for member in members] == balancer.weights
        assert ("healthCheck" in body) == balancer.reports
        assert ("passiveHealthCheck" in body) == (balancer.passive is not None)
    reports = [body["failover"] for body in written.values() if "failover" in body]
    built = Counter(failover.reports for failover in graph.failovers)
    assert built <= Counter("healthCheck" in body for body in reports)
