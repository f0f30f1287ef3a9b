"""A day of a service in a second: the time is virtual, and the children follow a script."""

import asyncio

from service import Orders

from uplinks import Advertisement, HealthCheck, Outcome, Parent, ParentConfig
from uplinks.adapters.driver import Driver
from uplinks.health import detection_bound
from uplinks.model import Child
from uplinks.testing import ScriptedProber, VirtualLoop, in_virtual_time

SECOND = 1_000_000_000
EU, US = "http://eu.example.com", "http://us.example.com"
CHECK = HealthCheck(path="/health", interval=10 * SECOND, timeout=2 * SECOND)


def test_no_order_goes_to_a_child_that_is_down() -> None:
    loop, prober = VirtualLoop(), ScriptedProber()
    parent = Parent(ParentConfig({"eu": Child(EU), "us": Child(US)}))
    offer = Advertisement("apps-orders", "apps/orders", ["up"], health_check=CHECK)
    for child in ("eu", "us"):
        parent.advertise(child, [offer], now=0)
    sent: list[str] = []

    async def send(url: str) -> int:
        sent.append(url)
        return 200

    async def main() -> None:
        async with Driver(parent, {"http": prober}, clock=loop.clock) as driver:
            orders = Orders(driver, send)
            for _ in range(10):
                await orders.take()
            prober.script(EU, Outcome.fail("status 503"))
            await asyncio.sleep(detection_bound(CHECK, parent.policy) / SECOND)
            sent.clear()
            for _ in range(10):
                await orders.take()

    in_virtual_time(main(), loop)
    assert sent == [US] * 10, "an order went to a child that is down"
