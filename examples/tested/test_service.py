"""A day of a service in a second: time is virtual, and the children follow a script."""

import asyncio

from service import Orders

from uplinks import Driver, HealthCheck, Outcome
from uplinks.health import detection_bound
from uplinks.testing import ScriptedProber, VirtualLoop, in_virtual_time

EU, US = "http://eu.example.com", "http://us.example.com"
CHECK = HealthCheck(path="/health", interval="10s", timeout="2s")


def test_no_order_goes_to_a_child_that_is_down() -> None:
    loop, prober = VirtualLoop(), ScriptedProber()
    driver = Driver.of(
        {"eu": EU, "us": US}, health_check=CHECK, probers={"http": prober}, clock=loop.clock
    )
    sent: list[str] = []

    async def send(url: str) -> int:
        sent.append(url)
        return 200

    async def main() -> None:
        async with driver:
            orders = Orders(driver, send)
            for _ in range(10):
                await orders.take()
            prober.script(EU, Outcome.fail("status 503"))
            await asyncio.sleep(detection_bound(CHECK, driver.parent.policy) / 1e9)
            sent.clear()
            for _ in range(10):
                await orders.take()

    in_virtual_time(main(), loop)
    assert sent == [US] * 10, "an order went to a child that is down"
