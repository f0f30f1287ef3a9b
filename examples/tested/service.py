"""Send each order to a child that is up."""

from collections.abc import Awaitable, Callable

from uplinks.adapters.driver import Driver

SERVICE = "apps-orders@multicluster"


class Orders:
    """Takes orders; ``send`` does the request to an address and gives its status."""

    def __init__(self, driver: Driver, send: Callable[[str], Awaitable[int]]) -> None:
        self._driver = driver
        self._send = send

    async def take(self) -> int:
        lease = self._driver.lease(SERVICE)
        with lease as child:
            status = await self._send(child.url)
            if status >= 500:
                lease.fail()
            return status
