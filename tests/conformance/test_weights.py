"""The page's section "Weight Configuration"."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import yaml

from uplinks import Parent, Selector, WeightedService, check, to_traefik
from uplinks.adapters.files import load_fleet

EXAMPLE = Path(__file__).parents[2] / "examples" / "weighted"


def test_the_parents_service_is_generated() -> None:
    fleet = load_fleet(EXAMPLE)
    assert check(fleet).ok

    services = to_traefik(Parent.from_fleet(fleet).services)["http"]["services"]

    expected = yaml.safe_load((EXAMPLE / "expected-services.yaml").read_text("utf-8"))["services"]
    name = "apps-api-workload"
    # The page leaves the provider out, where the output names its own.
    wanted = [{**e, "name": f"{e['name']}@file"} for e in expected[name]["weighted"]["services"]]
    assert services[name]["weighted"]["services"] == wanted


def test_ninety_percent_and_ten_percent() -> None:
    selector = Parent.from_fleet(load_fleet(EXAMPLE)).selector("apps-api-workload@multicluster")

    for _ in range(3):
        picks = Counter(selector.pick().child for _ in range(100))
        assert picks == {"child-1": 90, "child-2": 10}


def test_higher_weights_receive_proportionally_more() -> None:
    selector = Selector([("a", 1), ("b", 2), ("c", 7)])

    assert Counter(selector.pick() for _ in range(1000)) == {"a": 100, "b": 200, "c": 700}


def test_the_services_health_is_that_of_all_its_children() -> None:
    service = Parent.from_fleet(load_fleet(EXAMPLE)).services["apps-api-workload@multicluster"]

    assert isinstance(service, WeightedService)
    assert service.health_check
