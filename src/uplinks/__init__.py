"""Traefik Hub's multi-cluster uplinks as a library.

Children advertise uplinks; a parent turns the advertisements into services
that can be picked from. These are the public names; files are read with
``uplinks.adapters.files``.
"""

from __future__ import annotations

from uplinks.balance import Selector
from uplinks.diagnostics import Diagnostic, Report, Severity
from uplinks.durations import format_duration, parse_duration
from uplinks.errors import NoEligibleTarget, UplinksError
from uplinks.health import HealthPolicy, Outcome, Probe, Transition
from uplinks.model import (
    Advertisement,
    ChildConfig,
    ChildService,
    Cluster,
    Fleet,
    HealthCheck,
    IngressRoute,
    ParentConfig,
    PassiveHealthCheck,
    Services,
    TraefikService,
    Uplink,
    WeightedService,
)
from uplinks.naming import (
    child_service_name,
    parse_uplinks_annotation,
    uplink_name,
    weighted_service_name,
)
from uplinks.parent import Endpoint, Parent
from uplinks.reading import check_manifests, parse_manifests
from uplinks.rules import check
from uplinks.services import advertise, materialize
from uplinks.traefik import to_traefik

__version__ = "0.1.0.dev0"

__all__ = [
    "Advertisement",
    "ChildConfig",
    "ChildService",
    "Cluster",
    "Diagnostic",
    "Endpoint",
    "Fleet",
    "HealthCheck",
    "HealthPolicy",
    "IngressRoute",
    "NoEligibleTarget",
    "Outcome",
    "Parent",
    "ParentConfig",
    "PassiveHealthCheck",
    "Probe",
    "Report",
    "Selector",
    "Services",
    "Severity",
    "TraefikService",
    "Transition",
    "Uplink",
    "UplinksError",
    "WeightedService",
    "advertise",
    "check",
    "check_manifests",
    "child_service_name",
    "format_duration",
    "materialize",
    "parse_duration",
    "parse_manifests",
    "parse_uplinks_annotation",
    "to_traefik",
    "uplink_name",
    "weighted_service_name",
]
