"""The state of a parent as plain data: what is up or out, why, and since when."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from typing import Any

from uplinks.addresses import without_userinfo
from uplinks.model import Services
from uplinks.parent._engine import Engine

__all__ = ["state_of"]


def state_of(engine: Engine, uplinks: Iterable[str] | None = None) -> dict[str, Any]:
    """Describe child services and the services over them, all or those of some uplinks.

    Times are in nanoseconds.
    """
    offers = engine.offers
    parts = [offers.services] if uplinks is None else list(map(offers.of_uplink, uplinks))
    services = {
        service.name: {entry.name: entry.weight for entry in service.children}
        for part in parts
        for service in part.weighted
    }
    weights = {name: weight for entries in services.values() for name, weight in entries.items()}
    return {
        "now": engine.watch.health.now,
        "services": services,
        "retries": {name: budget.granted for name, budget in tuple(engine.budgets.items())},
        "targets": list(_targets(engine, parts, weights)),
    }


def _targets(
    engine: Engine, parts: Iterable[Services], weights: Mapping[str, int]
) -> Iterator[dict[str, Any]]:
    leases = engine.in_flight()
    for service in (service for part in parts for service in part.direct):
        with suppress(LookupError):  # it has just gone, where no driver has a lock
            yield {
                "service": service.name,
                "child": service.child,
                "url": without_userinfo(service.url),
                "up": engine.eligibility.is_up(service.name),
                "held_out": engine.eligibility.is_held(service.name),
                "weight": weights[service.name],
                "leases": leases[service.name],
                "failures": engine.failures[service.name],
                "full_weight_at": engine.selectors.ramps.end(service.name),
                "check": engine.watch.describe(service.name),
            }
