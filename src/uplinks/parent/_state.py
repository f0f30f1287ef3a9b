"""The state of a parent as plain data: what is up or out, why, and since when."""

from __future__ import annotations

from typing import Any

from uplinks.addresses import without_userinfo
from uplinks.parent._engine import Engine

__all__ = ["state_of"]


def state_of(engine: Engine) -> dict[str, Any]:
    """Describe all child services and the services over them. Times are in nanoseconds."""
    leases = engine.in_flight()
    return {
        "now": engine.watch.health.now,
        "services": {
            service.name: {entry.name: entry.weight for entry in service.children}
            for service in engine.offers.services.weighted
        },
        "targets": [
            {
                "service": service.name,
                "child": service.child,
                "url": without_userinfo(service.url),
                "up": engine.eligibility.is_up(service.name),
                "held_out": engine.eligibility.is_held(service.name),
                "leases": leases[service.name],
                "full_weight_at": engine.selectors.ramps.end(service.name),
                "check": engine.watch.describe(service.name),
            }
            for service in engine.offers.services.direct
        ],
    }
