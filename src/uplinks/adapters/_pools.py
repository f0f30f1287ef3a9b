"""The connections of a client that needs other ones for other children, most recently used last."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable
from typing import Any, Final

__all__ = ["Pool", "Pools"]

_MOST: Final = 64  # kept; others are closed once they are idle


class Pool:
    """Connections, and how many requests use them."""

    __slots__ = ("connections", "users")

    def __init__(self, connections: Any) -> None:
        self.connections = connections
        self.users = 0


class Pools:
    """The pools of one client by what distinguishes them, from any thread.

    The caller closes what `idle` and `all` return.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._pools: OrderedDict[Hashable, Pool] = OrderedDict()

    def take(self, key: Hashable, make: Callable[[], Any]) -> Pool:
        """Return the pool of a key for one request; ``make`` builds its connections."""
        with self._lock:
            if key not in self._pools:
                self._pools[key] = Pool(make())
            self._pools.move_to_end(key)
            pool = self._pools[key]
            pool.users += 1
            return pool

    def give_back(self, pool: Pool) -> None:
        """End the use of a pool for one request."""
        with self._lock:
            pool.users -= 1

    def idle(self) -> list[Any]:
        """Remove the pools used longest ago, above the limit, that no request uses."""
        if len(self._pools) <= _MOST:
            return []
        with self._lock:
            excess = [key for key, pool in self._pools.items() if not pool.users]
            return [self._pools.pop(k).connections for k in excess[: len(self._pools) - _MOST]]

    def all(self) -> list[Any]:
        """Remove all pools."""
        with self._lock:
            pools = [pool.connections for pool in self._pools.values()]
            self._pools.clear()
            return pools
