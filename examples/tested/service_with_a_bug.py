"""PLANTED BUG: the first child that was picked is kept, and so is one that has gone down.

The test beside it finds this; nothing should be made of it.
"""

from collections.abc import Awaitable, Callable

from uplinks.adapters.driver import Driver

SERVICE = "apps-orders@multicluster"


class Orders:
    """Takes orders; ``send`` does the request to an address and gives its status."""

    def __init__(self, driver: Driver, send: Callable[[str], Awaitable[int]]) -> None:
        self._driver = driver
        self._send = send
        self._url = ""

    async def take(self) -> int:
        if not self._url:
            with self._driver.lease(SERVICE) as child:
                self._url = child.url
        return await self._send(self._url)
