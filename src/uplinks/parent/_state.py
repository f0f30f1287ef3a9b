"""The state of a parent as plain data: what is up or out, why, and since when."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from uplinks.addresses import without_userinfo
from uplinks.parent._engine import Engine

__all__ = ["state_of"]


def state_of(engine: Engine, uplinks: Iterable[str] | None = None) -> dict[str, Any]:
    """Describe child services and the services over them, all or those of some uplinks.

    Times are in nanoseconds.
    """
    offers = engine.offers
    parts = [offers.services] if uplinks is None else list(map(offers.of_uplink, uplinks))
    leases = engine.in_flight()
    return {
        "now": engine.watch.health.now,
        "services": {
            service.name: {entry.name: entry.weight for entry in service.children}
            for services in parts
            for service in services.weighted
        },
        "targets": [
            {
                "service": service.name,
                "child": service.child,
                "url": without_userinfo(service.url),
                "up": engine.eligibility.is_up(service.name),
                "held_out": engine.eligibility.is_held(service.name),
                "leases": leases[service.name],
                "check": engine.watch.describe(service.name),
            }
            for services in parts
            for service in services.direct
        ],
    }
