"""PLANTED BUG: the first child that was picked is kept, even after it has gone down.

The test beside it finds this bug. Do not copy it.
"""

from collections.abc import Awaitable, Callable

from uplinks import Driver


class Orders:
    """Takes orders; ``send`` sends the request to an address and returns its status."""

    def __init__(self, driver: Driver, send: Callable[[str], Awaitable[int]]) -> None:
        self._driver = driver
        self._send = send
        self._url = ""

    async def take(self) -> int:
        if not self._url:
            with self._driver.lease() as lease:
                self._url = lease.url
        return await self._send(self._url)
