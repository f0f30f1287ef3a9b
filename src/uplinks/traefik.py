"""Services, written as Traefik's dynamic configuration.

Rules of this file:

1. Output only, in the format of Traefik's file provider: plain dicts, lists
   and scalars, then text. Nothing here decides anything.
2. Defaults are written out. Open-source Traefik reads an unset status as
   "200 to 399" while the Uplink reference says 200, so 200 is written.
3. The same services give the same bytes, on every machine.
4. The values of health-check headers *are* written: this is the configuration
   itself, and a probe without its credential would fail. Treat the result like
   the manifest it came from; everywhere else they are masked.

Source: reference page, "Parent Service (Auto-generated)" and "Health Check
Fields"; Traefik's reference of ``http.services``.
"""

from __future__ import annotations

import re
from typing import Any, Final

import yaml

from uplinks import naming
from uplinks.durations import format_duration
from uplinks.model import (
    ChildService,
    HealthCheck,
    PassiveHealthCheck,
    Services,
    WeightedService,
)

__all__ = ["dump", "to_traefik"]


def to_traefik(services: Services) -> dict[str, Any]:
    """Write services in the file provider's format, without ``@multicluster``.

    A `WeightedService` becomes ``weighted`` (with ``healthCheck: {}`` only when
    every child has an active check: Traefik refuses it otherwise), a
    `ChildService` becomes ``loadBalancer`` with one server. Durations are in
    Go's form. Header values are in the result.

    Law: a pure function; the result shares nothing with the services or with
    another result. Complexity: O(services + children).

    >>> from uplinks.model import WeightedChild
    >>> shared = WeightedService(
    ...     "api@multicluster", "api", [WeightedChild("api-eu@multicluster", 9)])
    >>> to_traefik(Services({shared.name: shared}))
    {'http': {'services': {'api': {'weighted': {'services': [{'name': 'api-eu', 'weight': 9}]}}}}}

    Source: reference page, "Parent Service (Auto-generated)".
    """
    return {
        "http": {
            "services": {
                _local(name): (
                    {"weighted": _weighted(service)}
                    if isinstance(service, WeightedService)
                    else {"loadBalancer": _load_balancer(service)}
                )
                for name, service in services.items()
            }
        }
    }


def dump(config: dict[str, Any]) -> str:
    """Write a configuration as YAML, byte for byte the same each time.

    Keys are sorted, nothing is folded or aliased, characters outside ASCII are
    escaped, and the text ends with a line feed.

    Law: reading the text back gives an equal configuration, and equal
    configurations give equal texts. Complexity: O(size · log size).

    >>> print(dump({"http": {"services": {}}}), end="")
    http:
      services: {}

    Source: Traefik's file provider; YAML 1.2.2.
    """
    text: str = yaml.dump(
        config,
        Dumper=_Dumper,
        sort_keys=True,
        default_flow_style=False,
        allow_unicode=False,
        indent=2,
        width=_NEVER_FOLD,
        line_break="\n",
    )
    return text


_NEVER_FOLD: Final = 2**31 - 1


class _Dumper(yaml.SafeDumper):
    """Writes the same object twice rather than an anchor and an alias."""

    def ignore_aliases(self, data: Any) -> bool:  # noqa: ARG002 - the face of PyYAML
        return True


# Kubernetes reads more booleans and numbers than PyYAML; what may be one is quoted.
_Dumper.add_implicit_resolver("tag:yaml.org,2002:bool", re.compile(r"[yYnN]\Z"), list("yYnN"))
_Dumper.add_implicit_resolver(
    "tag:yaml.org,2002:float",
    re.compile(r"[-+.]?[.0-9][-+._0-9a-fA-FxXoO]*\Z"),
    list("-+.0123456789"),
)


def _local(name: str) -> str:
    """Drop the provider: in its own file a service is known without it."""
    return naming.split_service_reference(name)[0]


def _weighted(service: WeightedService) -> dict[str, Any]:
    weighted: dict[str, Any] = {
        "services": [
            {"name": _local(child.name), "weight": child.weight} for child in service.children
        ]
    }
    if service.health_check:
        weighted["healthCheck"] = {}
    return weighted


def _load_balancer(service: ChildService) -> dict[str, Any]:
    balancer: dict[str, Any] = {"servers": [{"url": service.url}]}
    if service.health_check is not None:
        balancer["healthCheck"] = _health_check(service.health_check)
    if service.passive_health_check is not None:
        balancer["passiveHealthCheck"] = _passive_health_check(service.passive_health_check)
    return balancer


def _health_check(check: HealthCheck) -> dict[str, Any]:
    fields: dict[str, Any] = {
        "mode": check.mode,
        "method": check.method,
        "status": check.status,
        "interval": format_duration(check.interval),
        "unhealthyInterval": format_duration(check.unhealthy_interval),
        "timeout": format_duration(check.timeout),
        "followRedirects": check.follow_redirects,
    }
    # Absent means "from the server's URL", so these have no default to write.
    optional = {
        "path": check.path,
        "scheme": check.scheme,
        "port": check.port,
        "hostname": check.hostname,
    }
    fields.update({name: value for name, value in optional.items() if value is not None})
    if check.headers:
        fields["headers"] = {header.name: header.value for header in check.headers}
    return fields


def _passive_health_check(check: PassiveHealthCheck) -> dict[str, Any]:
    return {
        "failureWindow": format_duration(check.failure_window),
        "maxFailedAttempts": check.max_failed_attempts,
    }
