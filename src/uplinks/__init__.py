"""Traefik Hub's multi-cluster uplinks as a library.

Children advertise uplinks; a parent turns the advertisements into services
that can be picked from. These are the public names; files are read with
``uplinks.adapters.files``.
"""

from __future__ import annotations

# `typing` itself is not imported: it takes as long as the rest of `uplinks --help`.
TYPE_CHECKING = False
if TYPE_CHECKING:
    from uplinks.adapters.driver import Driver
    from uplinks.balance import Selector
    from uplinks.diagnostics import Diagnostic, Report, Severity
    from uplinks.durations import format_duration, parse_duration
    from uplinks.errors import NoEligibleTarget, UplinksError, ValidationError
    from uplinks.health import FailureClassifier, HealthPolicy, Outcome, Probe, Transition
    from uplinks.model import (
        Advertisement,
        Child,
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
    from uplinks.parsing import check_manifests, parse_manifests
    from uplinks.render import to_traefik
    from uplinks.rules import check
    from uplinks.services import advertise, materialize

__version__ = "0.2.0"

__all__ = [
    "Advertisement",
    "Child",
    "ChildConfig",
    "ChildService",
    "Cluster",
    "Diagnostic",
    "Driver",
    "Endpoint",
    "FailureClassifier",
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
    "ValidationError",
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

# Each name is imported from its module at first use, so that a check of manifests
# does not load the selector.
_HOMES = {
    "Advertisement": "model",
    "Child": "model",
    "ChildConfig": "model",
    "ChildService": "model",
    "Cluster": "model",
    "Diagnostic": "diagnostics",
    "Driver": "adapters.driver",
    "Endpoint": "parent",
    "FailureClassifier": "health",
    "Fleet": "model",
    "HealthCheck": "model",
    "HealthPolicy": "health",
    "IngressRoute": "model",
    "NoEligibleTarget": "errors",
    "Outcome": "health",
    "Parent": "parent",
    "ParentConfig": "model",
    "PassiveHealthCheck": "model",
    "Probe": "health",
    "Report": "diagnostics",
    "Selector": "balance",
    "Services": "model",
    "Severity": "diagnostics",
    "TraefikService": "model",
    "Transition": "health",
    "Uplink": "model",
    "UplinksError": "errors",
    "ValidationError": "errors",
    "WeightedService": "model",
    "advertise": "services",
    "check": "rules",
    "check_manifests": "parsing",
    "child_service_name": "naming",
    "format_duration": "durations",
    "materialize": "services",
    "parse_duration": "durations",
    "parse_manifests": "parsing",
    "parse_uplinks_annotation": "naming",
    "to_traefik": "render",
    "uplink_name": "naming",
    "weighted_service_name": "naming",
}


# A type checker would take any name for one that this function knows.
if not TYPE_CHECKING:

    def __getattr__(name: str) -> object:
        """Import a public name at first use."""
        if name not in _HOMES:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        from importlib import import_module  # noqa: PLC0415 - no part of the public names

        value = getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
        globals()[name] = value
        return value


def __dir__() -> list[str]:
    """List the public names, imported or not."""
    return sorted([*__all__, "__version__"])
