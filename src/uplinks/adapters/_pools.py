"""Connection pools by TLS settings, for clients that have one setting for all their connections.

Files of a child's ``serversTransport`` are read again when they have changed: the
next request then uses a new pool.
"""

from __future__ import annotations

import ssl
import threading
from collections import OrderedDict
from collections.abc import Callable
from typing import Any, Final

from uplinks.adapters._tls import ssl_context
from uplinks.model import ServersTransport

__all__ = ["Pool", "Pools"]

_MOST: Final = 64  # kept; others are closed once they are idle


class Pool:
    """A pool, and how many requests use it."""

    __slots__ = ("connections", "users")

    def __init__(self, connections: Any) -> None:
        self.connections = connections
        self.users = 0


class Pools:
    """The pools of one client, from any thread. ``make`` builds one.

    The caller closes what `idle` and `all` return.
    """

    def __init__(self, make: Callable[[ServersTransport, ssl.SSLContext], Any]) -> None:
        self._make = make
        self._lock = threading.Lock()
        # The most recently used last.
        self._pools: OrderedDict[tuple[ServersTransport, ssl.SSLContext], Pool] = OrderedDict()

    def take(self, transport: ServersTransport) -> Pool:
        """Return the pool of a transport, for one request. Raises: UnusableTransport."""
        context = ssl_context(transport)
        with self._lock:
            key = transport, context
            if key not in self._pools:
                self._pools[key] = Pool(self._make(transport, context))
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
