"""The parent against a model of the world: children that answer or fail, offers that change.

Laws: only services that are up are picked; one record and one probe for what is shared; whatever
happened, once the world stands still for the longest bound, who is up is who answers.
"""

from __future__ import annotations

from typing import Any

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule
from tests.profiles import scaled

from uplinks import (
    Advertisement,
    HealthCheck,
    HealthPolicy,
    NoEligibleTarget,
    Outcome,
    Parent,
    ParentConfig,
    PassiveHealthCheck,
    Probe,
    materialize,
)
from uplinks.health import detection_bound, recovery_bound
from uplinks.model import Child
from uplinks.parent import Endpoint

SECOND = 1_000_000_000
URLS = {
    "eu": "https://eu.example.com",
    "us": "https://us.example.com",
    "asia": "https://us.example.com",
}
CHECKS = [
    None,
    HealthCheck(path="/a", interval=10 * SECOND, timeout=3 * SECOND),
    HealthCheck(path="/a", interval=7 * SECOND, unhealthy_interval=SECOND, timeout=9 * SECOND),
    HealthCheck(path="/b", interval=10 * SECOND, timeout=3 * SECOND),
]
PASSIVES = [None, PassiveHealthCheck(failure_window=5 * SECOND, max_failed_attempts=2)]
UPLINKS = ["api", "web", "quotes"]

offers = st.dictionaries(
    st.sampled_from(UPLINKS),
    st.tuples(st.integers(0, 3), st.sampled_from(CHECKS), st.sampled_from(PASSIVES)),
)


class Machine(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.config = ParentConfig({name: Child(url) for name, url in URLS.items()})
        self.policy = HealthPolicy(2, 2, concurrency=100)
        self.parent = Parent(self.config, policy=self.policy)
        self.offered: dict[str, list[Advertisement]] = {}
        self.broken: set[str] = set()
        self.held: set[str] = set()
        self.now = 0
        self.waiting: list[Probe] = []
        for name in UPLINKS:  # made before anything is offered, and followed from then on
            self.parent.advertise("eu", [Advertisement(name, f"apps/{name}", ["m"])], 0)
            self.parent.selector(f"{name}@multicluster")
        self.parent.withdraw("eu", 0)

    @rule(child=st.sampled_from(list(URLS)), offer=offers)
    def advertise(self, child: str, offer: dict[str, Any]) -> None:
        self.offered[child] = [
            Advertisement(
                name,
                f"apps/{name}",
                ["m"],
                weight=weight,
                health_check=check,
                passive_health_check=passive,
            )
            for name, (weight, check, passive) in offer.items()
        ]
        gone = self._names(child)
        self.parent.advertise(child, self.offered[child], self.now)
        self.held -= gone - self._names(child)

    @rule(child=st.sampled_from(list(URLS)))
    def advertise_the_same_again(self, child: str) -> None:
        wakeup, flying = self.parent.next_wakeup(), self.parent._watch.health.in_flight
        self.parent.advertise(child, self.offered.get(child, []), self.now)
        if wakeup is None or wakeup > self.now:
            assert self.parent.next_wakeup() == wakeup
            assert self.parent._watch.health.in_flight == flying

    @rule(child=st.sampled_from(list(URLS)))
    def withdraw(self, child: str) -> None:
        self.held -= self._names(child)
        self.offered.pop(child, None)
        self.parent.withdraw(child, self.now)

    @rule(url=st.sampled_from(sorted(set(URLS.values()))))
    def break_or_mend(self, url: str) -> None:
        self.broken ^= {url}

    @rule(child=st.sampled_from(list(URLS)), up=st.booleans())
    def hold(self, child: str, up: bool) -> None:  # noqa: FBT001 - the parent's face
        self.parent.set_up(child, up, self.now)
        self.held = self.held - self._names(child) if up else self.held | self._names(child)

    @rule(time=st.integers(0, 12 * SECOND), back=st.booleans())
    def let_pass(self, time: int, back: bool) -> None:  # noqa: FBT001 - drawn
        self.now += time
        self._ask(self.now - (SECOND if back else 0))

    @precondition(lambda self: self.waiting)
    @rule(data=st.data(), again=st.booleans())
    def answer(self, data: st.DataObject, again: bool) -> None:  # noqa: FBT001 - drawn
        probe = data.draw(st.sampled_from(self.waiting))
        for _ in range(1 + again):
            self.parent.report(probe, self._outcome(probe), self.now)
        self.waiting.remove(probe)

    @precondition(lambda self: self._names())
    @rule(data=st.data(), ok=st.booleans())
    def request(self, data: st.DataObject, ok: bool) -> None:  # noqa: FBT001 - drawn
        self.parent.observe(data.draw(st.sampled_from(sorted(self._names()))), ok, self.now)

    @rule()
    def stand_still(self) -> None:
        bounds = (detection_bound, recovery_bound)
        checks = [check for check in CHECKS if check is not None]
        quiet = max(bound(check, self.policy) for bound in bounds for check in checks)
        # Twice: a probe under way, or one that is LATE, may take the first.
        end = self.now + 2 * quiet
        for probe in self.waiting:
            self.parent.report(probe, self._outcome(probe), self.now)
        self.waiting.clear()
        while (wakeup := self.parent.next_wakeup()) is not None and wakeup <= end:
            self.now = max(self.now, wakeup)
            for probe in self.parent.due(self.now):
                self.parent.report(probe, self._outcome(probe), self.now)
        self.now = end
        for service in self.parent.services.direct:
            broken = service.health_check is not None and service.url in self.broken
            expected = not broken and service.name not in self.held
            assert self.parent.is_up(service.name) is expected, service

    @invariant()
    def only_who_is_up_is_picked(self) -> None:
        self.parent._watch.health._check()
        for name in UPLINKS:
            selector = self.parent.selector(f"{name}@multicluster") if self._has(name) else None
            if selector is None:
                continue
            up = {target for target in selector.weights if self.parent.is_up(target.name)}
            assert {t for t, is_up in selector.states.items() if is_up} == up
            try:
                assert set(selector.pick_many(5)) <= up
            except NoEligibleTarget:
                assert not any(selector.weights[target] for target in up)

    @invariant()
    def the_services_are_those_of_all_offers(self) -> None:
        assert self.parent.services == materialize(self.config, self.offered)
        shared = {
            Endpoint(s.url, s.health_check, s.passive_health_check)
            for s in self.parent.services.direct
            if s.health_check is not None or s.passive_health_check is not None
        }
        assert len(self.parent._watch.health) == len(shared)

    def _ask(self, now: int) -> None:
        self.waiting += self.parent.due(now)

    def _outcome(self, probe: Probe) -> Outcome:
        assert isinstance(probe.target, Endpoint)
        return Outcome.fail("broken") if probe.target.url in self.broken else Outcome.PASS

    def _has(self, name: str) -> bool:
        return any(offer.uplink_name == name for ads in self.offered.values() for offer in ads)

    def _names(self, child: str | None = None) -> set[str]:
        direct = self.parent.services.direct
        return {s.name for s in direct if child is None or s.child == child}


TestParent = Machine.TestCase
TestParent.settings = settings(max_examples=scaled(60), stateful_step_count=40)
