"""A driver's life: made of addresses, ready, drained, forked, interrupted, and standing firm."""

from __future__ import annotations

import asyncio
import logging
import os
import random
import signal
import subprocess
import sys
import threading
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from uplinks import HealthCheck, HealthPolicy, NoEligibleTarget, Outcome, PassiveHealthCheck
from uplinks.adapters import _threads
from uplinks.adapters.driver import Driver
from uplinks.health import Event, Probe, Transition
from uplinks.testing import After, ScriptedProber, VirtualLoop, in_virtual_time

SECOND = 1_000_000_000
CHECK = HealthCheck(path="/health", interval="10s", timeout="3s")
EU, US = "https://eu.example.com", "https://us.example.com"
CHILDREN = {"eu": EU, "us": US}


def run(main: Callable[[Driver], Awaitable[None]], prober: ScriptedProber, **options: Any) -> None:
    """Run a driver of two children in virtual time."""
    loop = VirtualLoop()

    async def drive() -> None:
        options.setdefault("health_check", CHECK)
        options.setdefault("policy", HealthPolicy(start_window=0))
        async with Driver.of(CHILDREN, probers={"http": prober}, clock=loop.clock, **options) as d:
            await main(d)

    in_virtual_time(drive(), loop)


def test_a_driver_of_addresses_can_be_updated_while_it_runs() -> None:
    prober = ScriptedProber()

    async def main(driver: Driver) -> None:
        assert await driver.ready()
        driver.update({"ap": ("https://ap.example.com", 2)})
        assert await driver.ready()
        with driver.lease() as lease:
            assert lease.child == "ap"

    run(main, prober)
    assert prober.asked[-1] == "https://ap.example.com"


def test_a_wrong_parent_is_refused_and_the_error_says_what_to_use() -> None:
    with pytest.raises(TypeError, match=r"got dict; for plain addresses use Driver\.of"):
        Driver(CHILDREN)  # type: ignore[arg-type]
    with pytest.raises(TypeError, match=r"probers must be a mapping like .*, got list"):
        Driver.of(CHILDREN, probers=[])  # type: ignore[arg-type]


# Ready


@pytest.mark.parametrize(("need", "ready_at"), [("one", 1), ("majority", 2), ("all", 2)])
def test_it_is_ready_when_enough_children_have_passed(need: Any, ready_at: int) -> None:
    prober = ScriptedProber(
        {
            EU: [After(SECOND, Outcome.PASS), Outcome.PASS],
            US: [After(2 * SECOND, Outcome.PASS), Outcome.PASS],
        }
    )

    async def main(driver: Driver) -> None:
        assert await driver.ready(need=need)
        assert driver.parent.now == ready_at * SECOND

    run(main, prober)


def test_a_child_that_is_down_is_not_ready() -> None:
    async def main(driver: Driver) -> None:
        assert not await driver.ready(wait="30s")
        assert await driver.ready(need="one")

    run(main, ScriptedProber({US: [Outcome.fail("status 503")]}))


def test_children_without_a_check_are_ready() -> None:
    async def main(driver: Driver) -> None:
        assert await driver.ready(wait="1s")

    run(main, ScriptedProber(), health_check=None)
    with pytest.raises(ValueError, match="need must be 'all', 'majority' or 'one', got 'most'"):
        Driver.of(CHILDREN).wait_ready(need="most")  # type: ignore[arg-type]


# Waiting


def test_a_lease_may_wait_for_an_eligible_target() -> None:
    script = [Outcome.fail("status 503"), Outcome.PASS]

    async def main(driver: Driver) -> None:
        while driver.selector().eligible:  # noqa: ASYNC110 - virtual time
            await asyncio.sleep(0.1)
        with pytest.raises(NoEligibleTarget), driver.lease():
            raise AssertionError
        async with driver.lease(wait="1m") as lease:
            assert lease.url in CHILDREN.values()
            assert 0 < driver.parent.now <= 10 * SECOND

    run(main, ScriptedProber({EU: script, US: script}))


def test_a_lease_does_not_wait_longer_than_it_may() -> None:
    loop = VirtualLoop()

    async def main() -> None:
        async with Driver.of({}, clock=loop.clock) as driver:
            with pytest.raises(NoEligibleTarget):
                async with driver.lease(wait="5s"):
                    raise AssertionError
            assert loop.clock() == 5 * SECOND

    in_virtual_time(main(), loop)


def test_a_thread_may_wait_for_an_eligible_target() -> None:
    driver = Driver.of({})
    picked: list[str] = []

    def request() -> None:
        with driver.lease(wait="1m") as lease:
            picked.append(lease.url)

    with driver.in_thread():
        thread = threading.Thread(target=request)
        thread.start()
        driver.update({"eu": EU})
        thread.join()
    assert picked == [EU]
    with pytest.raises(NoEligibleTarget), Driver.of({}).lease(wait="1ms"):
        raise AssertionError


# Draining


def test_a_drained_child_gets_no_request_and_has_none() -> None:
    async def main(driver: Driver) -> None:
        others = [t for t in driver.selector().weights if t.child != "eu"]
        lease = driver.lease(exclude=others)
        with lease:
            assert not await driver.drained("eu", wait="2s")
            draining = asyncio.create_task(driver.drained("eu"))
            await asyncio.sleep(1)
            assert not draining.done()
            assert {t.child for t in driver.selector().pick_many(4)} == {"us"}
        assert await draining

    run(main, ScriptedProber(), health_check=None)


# Outcomes of requests


def test_attempts_take_the_time_of_the_driver_and_report_to_it() -> None:
    async def main(driver: Driver) -> None:
        await asyncio.sleep(7)
        children = []
        async for attempt in driver.attempts(retries=1):
            with attempt:
                children.append(attempt.child)
                raise ConnectionError
            if attempt.number == 2:
                break
        assert children == ["eu", "us"]

    with pytest.raises(ConnectionError):
        run(main, ScriptedProber(), health_check=None, passive_health_check=PassiveHealthCheck())


def test_events_can_be_read_beside_a_running_driver() -> None:
    async def main(driver: Driver) -> None:
        assert await driver.ready()
        states = [e.after.value for e in driver.events if isinstance(e, Transition)]
        assert sorted(states) == ["unknown", "unknown", "up", "up"]
        assert len(driver.events.drain()) == 4
        assert {t["check"]["state"] for t in driver.state()["targets"]} == {"up"}

    run(main, ScriptedProber())


# Standing firm


class Recorder:
    """Counts probes and events; raises what it is given."""

    def __init__(self, problem: BaseException | None = None) -> None:
        self.events = self.probes = 0
        self._problem = problem

    def on_event(self, event: Event) -> None:
        self.events += 1
        if self._problem is not None:
            raise self._problem

    def on_probe(self, probe: Probe, outcome: Outcome, duration: int) -> None:
        self.probes += 1
        if self._problem is not None:
            raise self._problem


def probes_in_peace(seconds: float) -> int:
    recorder = Recorder()

    async def main(_: Driver) -> None:
        await asyncio.sleep(seconds)

    run(main, ScriptedProber(), listeners=[recorder])
    assert recorder.events == 4
    return recorder.probes


@pytest.mark.parametrize("problem", [ValueError(), asyncio.CancelledError()], ids=repr)
def test_whatever_a_listener_raises_probing_goes_on(problem: BaseException) -> None:
    prober, after = ScriptedProber(), Recorder()

    async def main(_: Driver) -> None:
        await asyncio.sleep(95)

    run(main, prober, listeners=[Recorder(problem), after])
    assert len(prober.asked) == after.probes == probes_in_peace(95)
    assert after.events == 4


def test_a_logging_filter_that_raises_ends_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    def broken(_: logging.LogRecord) -> bool:
        raise ValueError("a broken filter")

    log, prober = logging.getLogger("uplinks"), ScriptedProber()
    level = log.level
    log.addFilter(broken)
    log.setLevel(logging.DEBUG)
    try:

        async def main(_: Driver) -> None:
            await asyncio.sleep(95)

        run(main, prober)
    finally:
        log.removeFilter(broken)
        log.setLevel(level)
    assert len(prober.asked) == probes_in_peace(95)
    assert "a broken filter" in capsys.readouterr().err


def test_a_loop_that_fails_is_logged_and_goes_on(caplog: pytest.LogCaptureFixture) -> None:
    prober = ScriptedProber()

    async def main(driver: Driver) -> None:
        assert await driver.ready()
        due, before = driver.parent.due, len(prober.asked)
        driver.parent.due = None  # type: ignore[method-assign,assignment]
        await asyncio.sleep(20)
        assert len(prober.asked) == before
        driver.parent.due = due  # type: ignore[method-assign]
        await asyncio.sleep(20)
        assert len(prober.asked) >= before + 4

    run(main, prober)
    assert "the driver's loop failed and continues" in caplog.text


@pytest.mark.parametrize("problem", [KeyboardInterrupt, SystemExit])
def test_a_prober_that_ends_the_loop_of_a_thread_does_not_end_the_driver(
    problem: type[BaseException], caplog: pytest.LogCaptureFixture
) -> None:
    check = HealthCheck(path="/", interval="50ms")
    prober = ScriptedProber({EU: [problem(), Outcome.PASS]})
    driver = Driver.of({"eu": EU}, health_check=check, probers={"http": prober})
    with driver.in_thread():
        assert driver.wait_ready(wait="60s")
    assert f"the prober for mode 'http' failed: {problem()!r}" in caplog.text


def test_a_loop_of_a_thread_that_ends_starts_again(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(_threads, "RESTART", 0.05)

    class Ending(Recorder):
        def on_event(self, event: Event) -> None:
            self.events += 1
            if self.events == 1:
                raise SystemExit

    # The probe that was in flight when the loop ended counts as lost after this time-out.
    check = HealthCheck(path="/", interval="50ms", timeout="50ms")
    driver = Driver.of(
        {"eu": EU}, health_check=check, probers={"http": ScriptedProber()}, listeners=[Ending()]
    )
    with driver.in_thread():
        assert driver.wait_ready(wait="60s")
    assert "the driver's loop failed (SystemExit) and restarts" in caplog.text


PROGRAM = """
from uplinks.adapters.driver import Driver
print("go", flush=True)
try:
    while True:
        with Driver.of({}).in_thread():
            pass
except KeyboardInterrupt:
    print("interrupted", flush=True)
"""


def test_ctrl_c_at_any_moment_of_start_and_stop_ends_the_process() -> None:
    rng = random.Random(1)  # noqa: S311 - moments, not secrets
    for _ in range(8):
        process = subprocess.Popen(
            [sys.executable, "-c", PROGRAM], stdout=subprocess.PIPE, stderr=subprocess.PIPE
        )
        assert process.stdout is not None
        process.stdout.readline()
        with pytest.raises(subprocess.TimeoutExpired):
            process.wait(rng.uniform(0, 0.05))
        process.send_signal(signal.SIGINT)
        _end(process)  # does not hang


def _end(process: subprocess.Popen[bytes]) -> None:
    """Wait for an interrupted process; interrupt it again only if CPython dropped the interrupt.

    It drops one that arrives in a callback of a weak reference, and says so.
    """
    dropped = 0
    while process.returncode is None:
        try:
            process.communicate(timeout=20)
        except subprocess.TimeoutExpired as late:
            seen = (late.stderr or b"").count(b"Exception ignored in")
            if seen <= dropped:
                process.kill()
                raise
            dropped = seen
            process.send_signal(signal.SIGINT)


FORKED = """
import os, sys
from uplinks import HealthCheck, Outcome
from uplinks.adapters.driver import Driver

class Prober:
    async def probe(self, url, check):
        return Outcome.fail("away") if os.getpid() != PARENT else Outcome.PASS
    async def close(self):
        pass

PARENT = os.getpid()
check = HealthCheck(path="/", interval="50ms", timeout="20ms")
driver = Driver.of({"eu": "https://eu.example.com"}, health_check=check, probers={"http": Prober()})
with driver.in_thread():
    assert driver.wait_ready(wait="60s")
    child = os.fork()
    if child == 0:
        noticed = driver.wait_until(lambda: not driver.selector().eligible, wait="60s")
        os._exit(0 if noticed else 1)
    status = os.waitpid(child, 0)[1]
    print(status, driver.selector().eligible)
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="the system has no fork")
def test_a_forked_process_probes_for_itself() -> None:
    ran = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", FORKED],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert (ran.stdout, ran.returncode) == ("0 True\n", 0)
    assert "Traceback" not in ran.stderr
