"""The driver: in virtual time with probers that misbehave, and against real servers."""

from __future__ import annotations

import asyncio
import logging
import threading
from collections.abc import Awaitable, Callable

import pytest

from uplinks import (
    Advertisement,
    HealthCheck,
    HealthPolicy,
    Outcome,
    Parent,
    ParentConfig,
    PassiveHealthCheck,
    Probe,
    Transition,
)
from uplinks.adapters.driver import Driver, Listener
from uplinks.adapters.http_probe import HttpProber
from uplinks.health import Event, State, detection_bound, recovery_bound
from uplinks.model import Child, Header
from uplinks.parent import Endpoint
from uplinks.testing import ScriptedProber, VirtualLoop, in_virtual_time
from uplinks.testing.server import Server

SECOND = 1_000_000_000
CHECK = HealthCheck(path="/health", interval=10 * SECOND, timeout=3 * SECOND)
EU, US = "https://eu.example.com:9443", "https://us.example.com:9443"


def parent_of(
    *advertisements: Advertisement,
    urls: tuple[str, ...] = (EU,),
    policy: HealthPolicy | None = None,
) -> Parent:
    children = {f"child-{i}": Child(url) for i, url in enumerate(urls)}
    parent = Parent(ParentConfig(children), policy=policy or HealthPolicy(start_window=0))
    for child in children:
        parent.advertise(child, advertisements, now=0)
    return parent


def api(
    check: HealthCheck | None = CHECK, passive: PassiveHealthCheck | None = None
) -> Advertisement:
    return Advertisement(
        "api", "apps/api", ["multicluster"], health_check=check, passive_health_check=passive
    )


class Notes:
    """Records events and outcomes."""

    def __init__(self) -> None:
        self.events: list[Event] = []
        self.outcomes: list[Outcome] = []

    def on_event(self, event: Event) -> None:
        self.events.append(event)

    def on_probe(self, probe: Probe, outcome: Outcome, duration: int) -> None:
        assert duration >= 0
        self.outcomes.append(outcome)

    def moments(self, state: State) -> list[int]:
        return [e.at for e in self.events if isinstance(e, Transition) and e.after is state]


async def passing(_: str) -> Outcome:
    return Outcome.PASS


def run_until(
    parent: Parent,
    prober: ScriptedProber,
    moment: int,
    loop: VirtualLoop | None = None,
    during: Callable[[Driver], Awaitable[None]] | None = None,
) -> Notes:
    loop = loop or VirtualLoop()
    notes = Notes()

    async def main() -> None:
        async with Driver(parent, {"http": prober}, clock=loop.clock, listeners=[notes]) as driver:
            if during is not None:
                await during(driver)
            await asyncio.sleep((moment - loop.clock()) / SECOND)

    in_virtual_time(main(), loop)
    return notes


def test_failure_and_recovery_are_noticed_within_their_bounds() -> None:
    loop = VirtualLoop()
    fell, rose = 35 * SECOND + 7, 83 * SECOND + 1

    async def answer(_: str) -> Outcome:
        down = fell <= loop.clock() < rose
        return Outcome.fail("status 503") if down else Outcome.PASS

    parent = parent_of(api())
    notes = run_until(parent, ScriptedProber(default=answer), 120 * SECOND, loop)
    [down], [_, up] = notes.moments(State.DOWN), notes.moments(State.UP)
    assert 0 <= down - fell <= detection_bound(CHECK, parent.policy)
    assert 0 <= up - rose <= recovery_bound(CHECK, parent.policy)


def test_a_target_that_hangs_is_down_exactly_at_its_deadline() -> None:
    async def answer(_: str) -> Outcome:
        await asyncio.Event().wait()
        return Outcome.PASS

    notes = run_until(parent_of(api()), ScriptedProber(default=answer), 4 * SECOND)
    assert notes.moments(State.DOWN) == [3 * SECOND]
    assert notes.outcomes[0] == Outcome.TIMEOUT


def test_a_prober_that_raises_is_a_failed_probe(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async def answer(_: str) -> Outcome:
        raise ValueError("secret")

    prober = ScriptedProber(default=answer)
    notes = run_until(parent_of(api()), prober, 25 * SECOND)
    assert len(prober.asked) > 2
    assert notes.outcomes[0] == Outcome.fail("the prober failed: ValueError")
    assert "secret" not in caplog.text


def test_a_prober_that_returns_no_outcome_is_a_failed_probe() -> None:
    async def answer(_: str) -> Outcome:
        return "fine"  # type: ignore[return-value]

    notes = run_until(parent_of(api()), ScriptedProber(default=answer), SECOND)
    assert notes.outcomes == [Outcome.fail("the prober returned no outcome")]


def test_a_prober_that_ignores_cancellation_does_not_block_the_loop(
    caplog: pytest.LogCaptureFixture,
) -> None:
    loop = VirtualLoop()
    release = asyncio.Event()

    async def answer(_: str) -> Outcome:
        while not release.is_set():
            try:
                await release.wait()
            except asyncio.CancelledError:
                continue
        return Outcome.PASS

    parent = parent_of(api())
    prober = ScriptedProber(default=answer)

    async def main() -> None:
        async with Driver(parent, {"http": prober}, clock=loop.clock):
            await asyncio.sleep(25)
        assert len(prober.asked) == 3
        assert not parent.is_up("api-child-0@multicluster")
        release.set()
        await asyncio.sleep(1)

    in_virtual_time(main(), loop)
    assert "do not end when cancelled" in caplog.text


def test_a_blocked_loop_does_not_count_against_the_target() -> None:
    loop = VirtualLoop()

    async def answer(_: str) -> Outcome:
        if loop.clock() < SECOND:
            loop.oversleep(60 * SECOND)
        return Outcome.PASS

    parent = parent_of(api())
    notes = run_until(parent, ScriptedProber(default=answer), 100 * SECOND, loop)
    assert notes.moments(State.DOWN) == []
    assert parent.ignored.overslept == 1


def test_an_unknown_mode_cannot_pass_and_is_logged_once(caplog: pytest.LogCaptureFixture) -> None:
    check = HealthCheck(mode="smtp", interval=10 * SECOND)
    notes = run_until(parent_of(api(check)), ScriptedProber(default=passing), 35 * SECOND)
    assert notes.outcomes[0] == Outcome.fail("no prober for mode 'smtp'")
    assert caplog.text.count("no prober for mode 'smtp'") == 2  # once, and once in the transition


def test_a_listener_that_raises_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    class Broken(Notes):
        def on_event(self, event: Event) -> None:
            raise ValueError

    loop, notes = VirtualLoop(), Notes()
    listeners: list[Listener] = [Broken(), notes]

    async def main() -> None:
        driver = Driver(
            parent_of(api()),
            {"http": ScriptedProber(default=passing)},
            clock=loop.clock,
            listeners=listeners,
        )
        async with driver:
            await asyncio.sleep(1)

    in_virtual_time(main(), loop)
    assert len(notes.events) == 2
    assert "a listener failed: Broken" in caplog.text


def test_hundreds_of_targets_are_all_probed_in_each_interval() -> None:
    urls = tuple(f"https://c{i}.example.com" for i in range(200))
    policy = HealthPolicy(start_window=SECOND, concurrency=400)
    prober = ScriptedProber(default=passing)
    run_until(parent_of(api(), urls=urls, policy=policy), prober, 25 * SECOND)
    assert {prober.asked.count(url) for url in urls} <= {2, 3, 4}


def test_a_change_wakes_the_loop() -> None:
    parent = parent_of(urls=(EU,))
    prober = ScriptedProber(default=passing)

    async def during(driver: Driver) -> None:
        await asyncio.sleep(5)
        driver.advertise("child-0", [api()])
        await asyncio.sleep(1)
        assert len(prober.asked) == 1
        driver.withdraw("child-0")

    run_until(parent, prober, 50 * SECOND, during=during)
    assert len(prober.asked) == 1


def test_a_lease_reports_to_the_passive_check_and_the_window_is_kept() -> None:
    parent = parent_of(api(None, PassiveHealthCheck()))

    async def during(driver: Driver) -> None:
        await asyncio.sleep(2)
        lease = driver.lease("api@multicluster")
        with lease:
            lease.fail()
        assert not parent.is_up("api-child-0@multicluster")

    notes = run_until(parent, ScriptedProber(default=passing), 20 * SECOND, during=during)
    assert notes.moments(State.DOWN) == [2 * SECOND]
    assert notes.moments(State.UP) == [12 * SECOND]


def test_a_transition_is_logged_with_its_facts_and_without_secrets(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async def answer(_: str) -> Outcome:
        return Outcome.fail("status 503")

    check = HealthCheck(path="/", headers=(Header("Authorization", "Bearer s3cret"),))
    with caplog.at_level(logging.DEBUG, "uplinks"):
        run_until(parent_of(api(check)), ScriptedProber(default=answer), SECOND)
    [record] = [r for r in caplog.records if r.levelno == logging.WARNING]
    assert record.getMessage() == f"{EU} is down (fell: status 503); affects 1 service"
    facts = record.__dict__
    assert (facts["url"], facts["cause"], facts["streak"]) == (EU, "fell", 1)
    assert facts["services"] == ("api-child-0@multicluster",)
    assert "s3cret" not in caplog.text + repr(facts)


def test_a_driver_runs_once_at_a_time_and_can_be_started_again() -> None:
    loop, prober = VirtualLoop(), ScriptedProber(default=passing)

    async def main() -> None:
        driver = Driver(parent_of(api()), {"http": prober}, clock=loop.clock)
        for _ in range(2):
            async with driver:
                await asyncio.sleep(12)
                with pytest.raises(RuntimeError, match="already"):
                    async with driver:
                        pass
        assert len(prober.asked) == 3
        assert prober.closed == 0  # the test owns it

    in_virtual_time(main(), loop)


def test_cancelling_the_task_that_runs_a_driver_stops_it() -> None:
    loop = VirtualLoop()

    async def main() -> None:
        driver = Driver(
            parent_of(api()), {"http": ScriptedProber(default=passing)}, clock=loop.clock
        )

        async def serve() -> None:
            async with driver:
                await asyncio.Event().wait()

        task = asyncio.create_task(serve())
        await asyncio.sleep(1)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert repr(driver).endswith("stopped>")

    in_virtual_time(main(), loop)


# Real time and real sockets; the tests wait for events, never for a time.


class StateListener(Notes):
    """Sets a threading event when a state comes."""

    def __init__(self) -> None:
        super().__init__()
        self.down, self.up = threading.Event(), threading.Event()

    def on_event(self, event: Event) -> None:
        super().on_event(event)
        after = event.after if isinstance(event, Transition) else None
        if after is State.DOWN:
            self.down.set()
        elif after is State.UP:
            self.up.set()


def test_in_a_thread_for_a_plain_program() -> None:
    async def answer(_: str) -> Outcome:
        return Outcome.fail("no")

    states = StateListener()
    before = threading.active_count()
    driver = Driver(parent_of(), {"http": ScriptedProber(default=answer)}, listeners=[states])
    with driver.in_thread():
        driver.advertise("child-0", [api()])
        assert states.down.wait(30)
        with pytest.raises(RuntimeError, match="already"), driver.in_thread():
            pass
    assert threading.active_count() == before


def test_a_problem_in_the_block_stops_the_thread() -> None:
    before = threading.active_count()
    with pytest.raises(ValueError, match="mine"), Driver(parent_of(), {}).in_thread():
        raise ValueError("mine")
    assert threading.active_count() == before


def test_a_real_child_fails_and_comes_back_over_http() -> None:
    async def main() -> None:
        broken = False
        answers = {True: b"503 Service Unavailable", False: b"200 OK"}

        def answer(_: bytes) -> bytes:
            return b"HTTP/1.1 " + answers[broken] + b"\r\nContent-Length: 0\r\n\r\n"

        heard: asyncio.Queue[State] = asyncio.Queue()

        class Queue(Notes):
            def on_event(self, event: Event) -> None:
                if isinstance(event, Transition):
                    heard.put_nowait(event.after)

        async with Server(answer) as server, Server() as other:
            prober = HttpProber()
            check = HealthCheck(path="/", interval=SECOND // 50, timeout=10 * SECOND)
            parent = parent_of(api(check), urls=(server.url, other.url))
            async with Driver(parent, {"http": prober}, listeners=[Queue()]) as driver:
                states = [await heard.get() for _ in range(4)]
                assert states.count(State.UP) == 2
                broken = True
                assert await heard.get() is State.DOWN
                picked = driver.selector("api@multicluster").pick_many(10)
                assert {target.child for target in picked} == {"child-1"}
                broken = False
                assert await heard.get() is State.UP
                picked = driver.selector("api@multicluster").pick_many(10)
                assert [t.child for t in picked].count("child-0") == 5
                await prober.close()

    asyncio.run(asyncio.wait_for(main(), 60))


def test_probers_come_from_the_entry_points_and_are_closed() -> None:
    async def main() -> None:
        heard = asyncio.Event()

        class Up(Notes):
            def on_event(self, event: Event) -> None:
                if isinstance(event, Transition) and event.after is State.UP:
                    assert isinstance(event.target, Endpoint)
                    heard.set()

        async with Server() as server:
            parent = parent_of(api(), urls=(server.url,))
            async with Driver(parent, listeners=[Up()]):
                await heard.wait()

    asyncio.run(asyncio.wait_for(main(), 60))


def test_loading_a_prober_takes_no_time_from_the_first_probe(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    loop = VirtualLoop()

    class SlowToLoad:
        def load(self) -> Callable[[], ScriptedProber]:
            loop.oversleep(CHECK.timeout + SECOND // 10)
            return lambda: ScriptedProber(default=answer)

    async def answer(_: str) -> Outcome:
        await asyncio.sleep(0.01)
        return Outcome.PASS

    monkeypatch.setattr("uplinks.adapters._probers.entry_points", lambda **_: [SlowToLoad()])
    notes = Notes()

    async def main() -> None:
        async with Driver(parent_of(api()), clock=loop.clock, listeners=[notes]):
            await asyncio.sleep(1)

    in_virtual_time(main(), loop)

    assert notes.outcomes == [Outcome.PASS]
    assert notes.moments(State.DOWN) == []


@pytest.mark.parametrize("blocked", [SECOND // 10, SECOND // 4])
@pytest.mark.parametrize("hops", [0, 1, 5])
def test_an_answer_that_came_while_the_loop_was_blocked_counts(blocked: int, hops: int) -> None:
    """The loop is blocked past the deadline, but within max_lateness."""
    loop = VirtualLoop()

    async def handed_on(times: int, arrived: asyncio.Future[Outcome]) -> Outcome:
        """Take some turns of the loop, as from a socket through a protocol and a stream."""
        if not times:
            return await arrived
        return await asyncio.create_task(handed_on(times - 1, arrived))

    async def answer(_: str) -> Outcome:
        arrived: asyncio.Future[Outcome] = loop.create_future()

        def come() -> None:
            arrived.set_result(Outcome.PASS)
            loop.oversleep(blocked)

        loop.call_later((CHECK.timeout - 1) / SECOND, come)
        return await handed_on(hops, arrived)

    parent = parent_of(api())
    notes = run_until(parent, ScriptedProber(default=answer), blocked + 4 * SECOND, loop)

    assert set(notes.outcomes) == {Outcome.PASS}
    assert notes.moments(State.DOWN) == []
    assert (parent.ignored.late, parent.ignored.overslept) == (0, 0)


def test_without_an_answer_a_loop_that_was_blocked_for_a_moment_has_seen_a_failure() -> None:
    loop = VirtualLoop()

    async def answer(_: str) -> Outcome:
        loop.call_later((CHECK.timeout - 1) / SECOND, loop.oversleep, SECOND // 5)
        await asyncio.Event().wait()
        return Outcome.PASS

    parent = parent_of(api())
    notes = run_until(parent, ScriptedProber(default=answer), 4 * SECOND, loop)

    assert notes.moments(State.DOWN) == [3 * SECOND + SECOND // 5 - 1]
