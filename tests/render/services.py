"""Services of one uplink, and what is rendered of them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from uplinks.model import (
    Advertisement,
    Child,
    Cluster,
    HealthCheck,
    ParentConfig,
    PassiveHealthCheck,
    ServersTransport,
    Services,
)
from uplinks.render import TraefikOptions, to_traefik
from uplinks.services import materialize

EXAMPLES = Path(__file__).parent.parent.parent / "examples"
SECOND = 1_000_000_000
CHECK = HealthCheck(path="/health")


def offered(
    *children: tuple[str, int, HealthCheck | None, PassiveHealthCheck | None],
    transports: dict[str, ServersTransport] | None = None,
    uplink: str = "api",
) -> Services:
    """Services of one uplink: child, weight, active and passive check."""
    transports = transports or {}
    config = ParentConfig({n: Child(f"https://{n}:9443", transports.get(n)) for n, *_ in children})
    offers = {
        name: [Advertisement(uplink, f"apps/{uplink}", ["up"], weight, active, passive)]
        for name, weight, active, passive in children
    }
    return materialize(config, offers)


def http(services: Services, parent: Cluster | None = None, **options: Any) -> Any:
    return to_traefik(services, parent, TraefikOptions(**options))["http"]
