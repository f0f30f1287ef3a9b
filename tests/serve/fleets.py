"""Clusters for the tests of the live parent."""

from __future__ import annotations

import json
from typing import Any

from uplinks.adapters.sources import Snapshot
from uplinks.model import (
    Child,
    ChildConfig,
    Cluster,
    HealthCheck,
    IngressRoute,
    ParentConfig,
    Route,
    ServiceReference,
    TraefikService,
    Uplink,
    UplinkEntryPoint,
)
from uplinks.serve.live import Live

SECOND = 1_000_000_000
CHECK = HealthCheck(path="/health", interval=10 * SECOND, timeout=2 * SECOND)
ENTRY = ChildConfig({"up": UplinkEntryPoint(":9443", as_default=True)}, multicluster=True)


def parent_of(
    *children: str,
    routers: tuple[IngressRoute, ...] = (),
    services: tuple[TraefikService, ...] = (),
) -> Cluster:
    """A parent that lists children, at addresses made of their places in the list."""
    listed = {
        name: Child(f"https://192.0.2.{number}:9443") for number, name in enumerate(children, 1)
    }
    return Cluster(
        "parent", routers=routers, traefik_services=services, parent_config=ParentConfig(listed)
    )


def uplink(name: str = "api", weight: int = 1, check: HealthCheck | None = CHECK) -> Uplink:
    return Uplink(name, "apps", weight=weight, health_check=check)


def offering(child: str, *uplinks: Uplink) -> Snapshot:
    return Snapshot(Cluster(child, uplinks, child_config=ENTRY))


def reference(name: str, weight: int = 1) -> ServiceReference:
    return ServiceReference(name, kind="TraefikService", weight=weight)


def route(name: str, *services: ServiceReference) -> IngressRoute:
    return IngressRoute(name, "apps", [Route(f"PathPrefix(`/{name}`)", services=services)])


def http(live: Live) -> Any:
    """The sections of the document that is served now; all is rendered."""
    assert live.render()
    assert live.traefik is not None
    text = bytes(live.traefik)
    assert len(text) == live.traefik.size
    return json.loads(text)["http"]


def weights(live: Live, name: str = "apps-api") -> dict[str, int]:
    """The weights of a weighted service in the document; none if it answers 503."""
    body = http(live)["services"][name]
    if body == {"loadBalancer": {"servers": []}}:
        return {}
    return {e["name"].removesuffix("@http"): e["weight"] for e in body["weighted"]["services"]}
