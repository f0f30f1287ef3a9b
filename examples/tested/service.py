"""Send each order to a child that is up."""

from collections.abc import Awaitable, Callable

from uplinks import Driver


class Orders:
    """Takes orders; ``send`` sends the request to an address and returns its status."""

    def __init__(self, driver: Driver, send: Callable[[str], Awaitable[int]]) -> None:
        self._driver = driver
        self._send = send

    async def take(self) -> int:
        with self._driver.lease() as lease:
            status = await self._send(lease.url)
            lease.status(status)
            return status
