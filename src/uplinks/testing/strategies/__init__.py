"""Hypothesis strategies for the model: values that no rule calls an error.

`broken_fleets` and `broken_manifests` draw values with one kind of mistake. Durations
are nanoseconds. A strategy is made once, and then only drawn from.
"""

from __future__ import annotations

from uplinks.errors import MissingExtra

try:
    import hypothesis  # noqa: F401 - the modules below use it
except ImportError as error:
    raise MissingExtra("testing") from error
from uplinks.testing.strategies._configs import (
    child_configs,
    entry_points,
    parent_configs,
    static_configs,
    transports,
)
from uplinks.testing.strategies._fleets import (
    fleets,
    services,
)
from uplinks.testing.strategies._manifests import (
    FLEET_CODES,
    MANIFEST_CODES,
    broken_fleets,
    broken_manifests,
    manifests,
)
from uplinks.testing.strategies._objects import (
    addresses,
    advertised_routes,
    annotation_maps,
    child_names,
    durations,
    entry_point_names,
    expose_names,
    grpc_checks,
    headers,
    health_checks,
    http_checks,
    ingress_routes,
    labels,
    matches,
    passive_checks,
    paths,
    ports,
    routes,
    service_references,
    traefik_services,
    uplinks,
    weights,
)
from uplinks.testing.strategies._printing import register
from uplinks.testing.strategies._values import (
    advertisements,
    resources,
    values,
)

__all__ = [
    "FLEET_CODES",
    "MANIFEST_CODES",
    "addresses",
    "advertised_routes",
    "advertisements",
    "annotation_maps",
    "broken_fleets",
    "broken_manifests",
    "child_configs",
    "child_names",
    "durations",
    "entry_point_names",
    "entry_points",
    "expose_names",
    "fleets",
    "grpc_checks",
    "headers",
    "health_checks",
    "http_checks",
    "ingress_routes",
    "labels",
    "manifests",
    "matches",
    "parent_configs",
    "passive_checks",
    "paths",
    "ports",
    "resources",
    "routes",
    "service_references",
    "services",
    "static_configs",
    "traefik_services",
    "transports",
    "uplinks",
    "values",
    "weights",
]

register()
