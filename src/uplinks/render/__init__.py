"""Write configuration for the proxies that carry the requests.

- `to_traefik`: a parent's dynamic configuration for open-source Traefik
- `child_to_traefik`, `uplink_entry_points`, `to_arguments`: a child's
- `services_to_traefik`: a part of the same, for callers that keep the rest
- `uplink_references`: the materialized services that a parent's own objects refer to
- `dump`: either of them as YAML
- `to_envoy`, `to_envoy_endpoints`: a parent's bootstrap and EDS files for Envoy, as JSON
- `envoy_limits`: what Envoy cannot do with the services of a fleet

Everything here is output: plain dicts and lists, then text. What Traefik cannot
do with a fleet is reported by the rules UPL501 to UPL505.
"""

from __future__ import annotations

from uplinks.render._envoy import envoy_limits, to_envoy, to_envoy_endpoints
from uplinks.render._envoy_options import EnvoyOptions
from uplinks.render._options import TraefikOptions
from uplinks.render._references import uplink_references
from uplinks.render._traefik_child import child_to_traefik, to_arguments, uplink_entry_points
from uplinks.render._traefik_parent import services_to_traefik, to_traefik
from uplinks.render._yaml import dump

__all__ = [
    "EnvoyOptions",
    "TraefikOptions",
    "child_to_traefik",
    "dump",
    "envoy_limits",
    "services_to_traefik",
    "to_arguments",
    "to_envoy",
    "to_envoy_endpoints",
    "to_traefik",
    "uplink_entry_points",
    "uplink_references",
]
