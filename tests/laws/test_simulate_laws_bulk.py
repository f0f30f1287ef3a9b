"""The simulation against its oracle, with as many examples of each kind of scenario."""

from __future__ import annotations

from hypothesis import given
from tests import scenarios
from tests.laws.test_simulate_laws import check

from uplinks.simulate import Scenario


@given(scenarios.scenarios())
def test_bulk_picks_equal_single_picks_of_any_scenario(scenario: Scenario) -> None:
    check(scenario)


@given(scenarios.hectic())
def test_bulk_picks_equal_single_picks_while_passive_checks_learn(scenario: Scenario) -> None:
    check(scenario)
